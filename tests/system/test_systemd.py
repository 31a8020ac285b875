#!/usr/bin/python3
"""memaed and systemd: READY, STATUS, WATCHDOG and STOPPING on a notification socket of the test's own, and the unit file."""
import os
import re
import shutil
import socket
import subprocess
import time
import unittest

import harness
from notify_socket import NotifySocket

WATCHDOG_S = 2 * harness.SCALE


class Notify(harness.Case):
    def setUp(self):
        super().setUp()
        self.notify = NotifySocket(self.path("notify"))
        self.addCleanup(self.notify.close)
        self.env = {"NOTIFY_SOCKET": self.notify.path, "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6))}
        self.model = harness.write_model(self.path("model.safetensors"))
        self.common = {"model": self.model, "fps": 10, "fps_force": True, "alert": {"threshold": 99999}}

    def test_sources_down_stay_fed(self):
        """With cameras that refuse, hang and are missing, READY comes at once, and the watchdog is fed for three periods."""
        hanging = socket.socket()           # takes connections, never answers
        hanging.bind(("127.0.0.1", 0))
        hanging.listen(8)
        self.addCleanup(hanging.close)
        daemon = self.daemon({"cameras": {
            "refused": {**self.common, "source": f"rtsp://127.0.0.1:{harness.free_port()}/live"},
            "hanging": {**self.common, "source": f"rtsp://127.0.0.1:{hanging.getsockname()[1]}/live",
                        "stall_timeout_s": 1},
            "missing": {**self.common, "source": f"http://127.0.0.1:{harness.free_port()}/clip.mkv"}}}, self.env)
        ready = harness.wait_for("READY=1", lambda: self.notify.times("READY", "1"), 20)[0]
        harness.wait_for("all cameras lost in STATUS", lambda: re.search(r"3 (\w+ )?lost", self.notify.status()), 20)
        until = max(ready, time.monotonic()) + 3 * WATCHDOG_S
        harness.wait_for("three watchdog periods", lambda: time.monotonic() > until, 3 * WATCHDOG_S + 5)
        self.assertLess(self.notify.longest_silence(ready, until), WATCHDOG_S, "the watchdog would have bitten")
        self.assertEqual(daemon.get("/healthz")[0], 200)
        daemon.stop()
        harness.wait_for("STOPPING=1", lambda: self.notify.times("STOPPING", "1"), 2)

    def test_status_counts_watching(self):
        clip = harness.write_clip(self.path("clip.mkv"), seconds=20)
        daemon = self.daemon({"cameras": {
            "gate": {**self.common, "source": clip, "loop": True},
            "dead": {**self.common, "source": f"rtsp://127.0.0.1:{harness.free_port()}/live"}}}, self.env)
        daemon.wait_camera("gate", "watching")
        harness.wait_for("1 watching, 1 lost in STATUS",
                         lambda: re.search(r"1 (\w+ )?watching\b.*\b1 (\w+ )?lost", self.notify.status()), 10)
        daemon.stop()

    def test_blocked_worker_does_not_stay_fed(self):
        library, block = self.path("block_sgemm.so"), self.path("block")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", library,
                        os.path.join(harness.HERE, "programs", "block_sgemm.c"), "-ldl"], check=True)
        clip = harness.write_clip(self.path("clip.mkv"), seconds=60)
        # Convolutions and small products go to kernels of core's own; this model has a large memory.
        harness.write_model(self.model, 64, 64, (8, 16, 64, 64), 2000)
        env = {**self.env, "LD_PRELOAD": library, "MEMAED_TEST_BLOCK": block}
        if "address" in harness.SAN:
            env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        daemon = self.daemon({"workers": 1, "cameras": {"gate": {**self.common, "source": clip, "loop": True}}}, env)
        gate = harness.Follower(daemon, "gate")
        gate.wait(3)
        with open(block, "wb"):
            pass
        blocked = time.monotonic()

        def bitten():
            return time.monotonic() - max([blocked, *self.notify.times("WATCHDOG", "1")]) > WATCHDOG_S
        harness.wait_for("the watchdog to starve", bitten, 30)
        status, text = daemon.get("/healthz")
        self.assertEqual(status, 503, text)
        os.unlink(block)
        resumed, seen = time.monotonic(), len(gate.drain())
        gate.wait(seen + 3)
        harness.wait_for("the watchdog to be fed again",
                         lambda: [t for t in self.notify.times("WATCHDOG", "1") if t > resumed], 10)
        self.assertEqual(daemon.get("/healthz")[0], 200)
        daemon.stop()


class Unit(harness.Case):
    def setUp(self):
        super().setUp()
        if not shutil.which("systemd-analyze"):
            raise unittest.SkipTest("systemd-analyze is not installed")
        self.root = self.path("root")
        self.unit = self.install("/usr")

    def install(self, prefix):
        """Installs the build below self.root, and returns the unit's path. -o: nothing is built anew."""
        build = os.path.relpath(os.environ.get("MEMAED_BUILD", os.path.join(harness.ROOT, "build")), harness.ROOT)
        flags = " ".join(w for w in os.environ.get("MAKEFLAGS", "").split() if not w.startswith(("-j", "--jobserver")))
        subprocess.run(["make", "-s", "--no-print-directory", "-C", harness.ROOT, "-o", f"{build}/memaed", "install",
                        f"BUILD={build}", f"DESTDIR={self.root}", f"PREFIX={prefix}"],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       env={**os.environ, "MAKEFLAGS": flags})
        return os.path.join(self.root, prefix.lstrip("/"), "lib/systemd/system/memaed.service")

    def test_installed_tree(self):
        for path in ("usr/bin/memaed", "usr/share/man/man1/memaed.1", "usr/share/doc/memaed/examples/memaed.yml"):
            self.assertTrue(os.path.exists(os.path.join(self.root, path)), path)
        for unit, program, config in ((self.unit, "/usr/bin/memaed", "/etc/memaed/memaed.yml"),
                                      (self.install("/opt/x"), "/opt/x/bin/memaed", "/opt/x/etc/memaed/memaed.yml")):
            with open(unit, encoding="utf-8") as f:
                self.assertIn(f"ExecStart={program} run --config {config}\n", f.read())

    def test_no_restart_after_a_fault_that_stays(self):
        """The unit names the statuses of `memaed run` after wrong usage and with a faulty configuration or model."""
        with open(self.path("model.safetensors"), "wb") as f:
            f.write(b"no model")
        with open(self.path("model.yml"), "w", encoding="utf-8") as f:
            f.write("cameras: {gate: {source: 'rtsp://127.0.0.1/live', model: model.safetensors}}\n")
        for args, status in (((), 2), (("--config", self.path("none.yml")), 78), (("--config", self.path("model.yml")), 78)):
            managed = {**os.environ, "NOTIFY_SOCKET": self.path("notify")}
            self.assertEqual(harness.run("run", *args, env=managed).code, status, args)
            self.assertEqual(harness.run("run", *args).code, 2 if status == 2 else 1, args)
        with open(self.unit, encoding="utf-8") as f:
            self.assertIn("\nRestartPreventExitStatus=2 78\n", f.read())

    def test_limits(self):
        """The unit allows as many open files as the largest configuration needs (daemon/base/descriptors.h, web/server.h), no
        core dumps, and not all memory."""
        with open(self.unit, encoding="utf-8") as f:
            text = f.read()
        values = {key: re.search(rf"(?m)^{key}=(.*)$", text)[1] for key in ("LimitNOFILE", "LimitCORE", "MemoryMax")}
        self.assertEqual(values["LimitCORE"], "0")
        self.assertRegex(values["MemoryMax"], r"^[1-9]\d%$")
        config = self.path("many.yml")
        harness.write_model(self.path("model.safetensors"))
        with open(config, "w", encoding="utf-8") as f:
            f.write("cameras:\n" + "".join(f"  c{i}: {{source: 'rtsp://127.0.0.1/live', model: model.safetensors, fps: 10}}\n"
                                           for i in range(1024)))
            f.write("webhooks:\n" + 64 * "  - url: http://127.0.0.1/hook\n")
        plain = harness.MEMAED
        self.addCleanup(setattr, harness, "MEMAED", plain)
        for limit, code in ((values["LimitNOFILE"], 0), ("4096", 1)):
            harness.MEMAED = ["prlimit", f"--nofile={limit}:{limit}", *plain]
            done = harness.run("check", "--config", config)
            self.assertEqual(done.code, code, done.err[-2000:])

    def test_verify(self):
        # The installed tree alone has no other units; systemd's own come from the machine.
        wants = os.path.join(self.root, "usr/lib/systemd/system")
        for name in ("sysinit.target", "basic.target", "shutdown.target", "network-online.target", "multi-user.target",
                     "network.target", "system.slice", "-.slice", "sockets.target", "timers.target", "paths.target",
                     "slices.target", "umount.target"):
            with open(os.path.join(wants, name), "x", encoding="utf-8") as f:
                f.write(f"[Unit]\nDescription={name}\n" + ("DefaultDependencies=no\n" if "slice" not in name else ""))
        os.makedirs(os.path.join(self.root, "bin"))
        shutil.copy("/bin/kill", os.path.join(self.root, "bin", "kill"))        # ExecReload runs it
        done = subprocess.run(["systemd-analyze", "verify", f"--root={self.root}", "--man=no", "memaed.service"],
                              capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_the_database_may_be_written(self):
        """The unit makes the default state_dir, for memaed alone. Its filter allows the calls that write the database."""
        with open(self.unit, encoding="utf-8") as f:
            text = f.read()
        keys = harness.run("check", "--keys").out
        self.assertEqual(re.search(r"(?m)^state_dir: .*default: (\S+)$", keys)[1], "/var/lib/memaed")
        for line in ("StateDirectory=memaed", "StateDirectoryMode=0700", "ProtectSystem=strict"):
            self.assertIn(f"\n{line}\n", text)

        def members(name):
            done = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter", name], capture_output=True, text=True,
                                  check=True)
            words = [w.strip() for w in done.stdout.splitlines()[1:] if w.strip() and not w.strip().startswith("#")]
            return set().union(*({w} if not w.startswith("@") else members(w) for w in words))
        allowed = set()
        for line in re.findall(r"(?m)^SystemCallFilter=(.*)$", text):
            names = set().union(*(members(w) if w.startswith("@") else {w} for w in line.lstrip("~").split()))
            allowed = allowed - names if line.startswith("~") else allowed | names
        needed = {"openat", "flock", "fcntl", "faccessat2", "mkdir", "newfstatat", "pread64", "pwrite64", "ftruncate",
                  "fallocate", "fdatasync", "fsync", "mmap", "munmap", "unlink", "rename", "fchmod", "statfs"}
        self.assertEqual(needed - allowed, set())

    def test_exposure(self):
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", self.unit],
                              capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        level = re.search(r"Overall exposure level for memaed\.service: ([\d.]+)", done.stdout)
        self.assertIsNotNone(level, done.stdout + done.stderr)
        self.assertLessEqual(float(level[1]), 1.5, done.stdout)


if __name__ == "__main__":
    harness.main()
