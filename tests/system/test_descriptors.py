#!/usr/bin/python3
"""The limit of open files: it is raised at the start, and what it does not allow is refused."""
import json
import resource
import socket
import urllib.error
import urllib.request

import harness

# What daemon/base/descriptors.h and web/server.c count: the process and its web server, and a camera.
BASE, CAMERA = 32 + 200, 4


MEMAED = harness.MEMAED


def limits(soft, hard):
    """A command that runs memaed with these limits of open files."""
    return ["prlimit", f"--nofile={soft}:{hard}", *MEMAED]


class Descriptors(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("model.safetensors"))
        self.clip = harness.write_clip(self.path("clip.mkv"), seconds=120)
        self.common = {"model": self.model, "fps": 10, "fps_force": True, "alert": {"threshold": 99999}}
        self.addCleanup(setattr, harness, "MEMAED", MEMAED)

    def cameras(self, n):
        """One that plays a file, the others dead."""
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
        message = (f"{config}: cameras: expected a limit of {needed} open files or more (4 for each of 20 cameras, 4 for each of 0 "
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
            try:
                request = urllib.request.Request(daemon.base + "/api/v1/reload", data=b"", method="POST")
                with urllib.request.urlopen(request, timeout=30 * harness.SCALE) as answer:
                    status, text = answer.status, json.load(answer)
            except urllib.error.HTTPError as e:
                with e:
                    status, text = e.code, json.load(e)
            self.assertEqual(status, wanted, text)
            if wanted == 422:
                self.assertIn(f"cameras: expected a limit of {BASE + 5 * CAMERA} open files or more", text["faults"][0])
            self.assertEqual(len(daemon.get("/api/v1/cameras")[1]["cameras"]), 3 if wanted == 422 else 4)
        daemon.stop()


if __name__ == "__main__":
    harness.main()
