#!/usr/bin/python3
"""The limit of open files is raised at the start. A configuration that needs more is refused. A daemon that has reached the limit
neither ends nor spins."""
import json
import os
import resource
import socket
import time

import harness
from servers.webhook_receiver import Receiver

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
# The descriptors by daemon/base/descriptors.h and web/server.c: of the process with its web server, and of a camera.
BASE, CAMERA = 32 + 264, 9


MEMAED = harness.MEMAED


def limits(soft, hard):
    """A command that runs memaed with these limits of open files."""
    return ["prlimit", f"--nofile={soft}:{hard}", *MEMAED]


def lowest_free(pid):
    """Returns the number that the process's next descriptor gets."""
    taken = {int(n) for n in os.listdir(f"/proc/{pid}/fd")}
    return min(set(range(len(taken) + 1)) - taken)


def thread_seconds(pid):
    """Processor time of each thread so far: {(id, name): seconds}."""
    found = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat", encoding="utf-8") as f:
            name, fields = f.read().partition("(")[2].rsplit(")", 1)
        found[task, name] = sum(map(int, fields.split()[11:13])) / os.sysconf("SC_CLK_TCK")
    return found


class Descriptors(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("model.safetensors"))
        self.clip = harness.write_clip(self.path("clip.mkv"), seconds=120)
        self.common = {"model": self.model, "fps": 10, "fps_force": True, "alert": {"threshold": 99999}}
        self.addCleanup(setattr, harness, "MEMAED", MEMAED)

    def cameras(self, n):
        """Returns cameras, of which one plays a file and the others are dead."""
        found = {f"c{i}": {**self.common, "source": f"rtsp://127.0.0.1:{harness.free_port()}/live"} for i in range(1, n)}
        return {"gate": {**self.common, "source": self.clip}, **found}

    def write(self, cameras):
        with open(self.path("memaed.yml"), "w", encoding="utf-8") as f:
            json.dump({"state_dir": self.path("state"), "http": {"listen": "127.0.0.1:0"}, "cameras": cameras}, f)
        return self.path("memaed.yml")

    def test_the_limit_is_raised(self):
        harness.MEMAED = limits(64, 900)
        daemon = self.daemon({"cameras": self.cameras(20)})
        soft, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
        self.assertEqual((soft, hard), (900, 900))
        daemon.wait_camera("gate", "watching")
        daemon.stop()

    def test_too_low_a_limit_is_refused(self):
        config, needed = self.write(self.cameras(20)), BASE + 20 * CAMERA
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(self.path("notify"))
        notify.settimeout(0.5)
        self.addCleanup(notify.close)
        message = (f"{config}: cameras: expected a limit of {needed} open files or more ({CAMERA} for each of 20 cameras, 4 for "
                   f"each of 0 "
                   f"webhooks, {BASE} else), got {needed - 1}; raise LimitNOFILE= of the service, or ulimit -Hn of the shell")
        harness.MEMAED = limits(64, needed - 1)
        for env, status in (({}, 1), ({"NOTIFY_SOCKET": self.path("notify")}, 78)):
            done = harness.run("run", "--config", config, env=env)
            self.assertEqual(done.code, status, done.err)
            self.assertIn(message, done.err)
            self.assertNotIn("event=camera_", done.err)
        said = []
        while True:
            try:
                said.append(notify.recv(4096).decode())
            except TimeoutError:
                break
        self.assertFalse([m for m in said if "READY" in m], said)
        done = harness.run("check", "--config", config)
        self.assertEqual(done.code, 1)
        self.assertIn(message, done.err)
        harness.MEMAED = limits(64, needed)
        done = harness.run("check", "--config", config)
        self.assertEqual(done.code, 0, done.err)

    def test_a_reload_beyond_the_limit_changes_nothing(self):
        harness.MEMAED = limits(64, BASE + 4 * CAMERA)
        daemon = self.daemon({"cameras": self.cameras(3)})
        for n, wanted in ((5, 422), (4, 200)):
            self.write(self.cameras(n))
            status, text = daemon.post("/api/v1/reload")
            self.assertEqual(status, wanted, text)
            if wanted == 422:
                self.assertIn(f"cameras: expected a limit of {BASE + 5 * CAMERA} open files or more", text["faults"][0])
            self.assertEqual(len(daemon.get("/api/v1/cameras")[1]["cameras"]), 3 if wanted == 422 else 4)
        daemon.stop()

    def assert_nothing_spins(self, pid, seconds=2.5):
        before = thread_seconds(pid)
        time.sleep(seconds)
        shares = {thread: (used - before.get(thread, 0)) / seconds for thread, used in thread_seconds(pid).items()}
        self.assertIn("web", {name for _, name in shares})
        self.assertEqual({thread: share for thread, share in shares.items() if share > 0.25}, {})

    def at(self, daemon):
        host, port = daemon.address.split(":")
        return host, int(port)

    def exhaust(self, daemon, limit):
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (limit, self.hard))

    def test_exhausted(self):
        """Without a free descriptor REST answers one client at a time, and other work goes on. If not even the reserve is free,
        the web thread sleeps. Afterwards all is as before."""
        receiver = Receiver(SECRET)
        self.addCleanup(receiver.close)
        daemon = self.daemon({"cameras": self.cameras(4), "webhooks": [{"url": receiver.url, "secret": SECRET}]})
        pid = daemon.process.pid
        self.hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
        daemon.wait_camera("gate", "watching")
        for name in ("c1", "c2", "c3"):
            daemon.wait_camera(name, "lost")
        # Attempts open and close descriptors. With the number of a quiet moment, the daemon has none to spare.
        self.exhaust(daemon, min(lowest_free(pid) for _ in range(20) if not time.sleep(0.02)))
        before = daemon.camera("gate")["windows_scored"]
        held = socket.create_connection(self.at(daemon))
        self.addCleanup(held.close)
        time.sleep(0.3 * harness.SCALE)
        waits = socket.create_connection(self.at(daemon))
        self.addCleanup(waits.close)
        self.assert_nothing_spins(pid)
        held.close()
        waits.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        waits.settimeout(20 * harness.SCALE)
        self.assertIn(b" 200 ", waits.recv(4096))
        waits.close()
        self.assertGreater(daemon.camera("gate")["windows_scored"], before)

        self.exhaust(daemon, 3)
        pending = socket.create_connection(self.at(daemon))
        self.addCleanup(pending.close)
        self.assert_nothing_spins(pid)
        self.exhaust(daemon, self.hard)
        pending.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        pending.settimeout(20 * harness.SCALE)
        self.assertIn(b" 200 ", pending.recv(4096))
        pending.close()
        before = daemon.camera("gate")["windows_scored"]
        daemon.wait_camera("gate", lambda c: c["windows_scored"] > before + 3)
        daemon.stop()
        self.assertEqual(receiver.faults(), [])


if __name__ == "__main__":
    harness.main()
