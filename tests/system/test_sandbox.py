#!/usr/bin/python3
"""The program does all of its work under the sandbox of its unit file: system calls, address families, no page both writable
and executable. (Namespaces and the dynamic user need a running systemd, and are not tried here.)"""
import base64
import os
import platform
import shutil
import subprocess

import harness
from servers.webhook_receiver import Receiver

SECRET = "whsec_" + base64.b64encode(os.urandom(32)).decode()
WRAPPER = ["/usr/bin/python3", os.path.join(harness.HERE, "programs", "sandbox_exec.py"),
           os.path.join(harness.ROOT, "systemd", "memaed.service")]


class Sandbox(harness.Case):
    def setUp(self):
        super().setUp()
        if harness.SAN:
            self.skipTest("sanitizers make calls of their own")
        if platform.machine() != "x86_64" or not shutil.which("systemd-analyze"):
            self.skipTest("needs x86-64 and systemd-analyze")
        self.plain = harness.MEMAED
        harness.MEMAED = WRAPPER + self.plain
        self.addCleanup(setattr, harness, "MEMAED", self.plain)

    def test_filter_bites(self):
        """The sandbox is one: a page writable and executable, and a packet socket, are refused."""
        for attempt in ("import mmap; mmap.mmap(-1, 4096, prot=7)", "import socket; socket.socket(17, 3)",
                        "import os; os.chroot('/')"):
            done = subprocess.run([*WRAPPER, "/usr/bin/python3", "-c", attempt], capture_output=True, text=True, check=False)
            self.assertIn("PermissionError", done.stderr)

    def test_run(self):
        """RTSP, a file, scores, REST, a webhook, the watchdog and the end."""
        model = harness.write_model(self.path("model.safetensors"))
        clip = harness.write_clip(self.path("clip.mkv"), seconds=60, size="96x64")
        server = self.rtsp(clip)
        receiver = Receiver(SECRET)
        self.addCleanup(receiver.close)
        common = {"model": model, "fps": 10, "fps_force": True, "alert": {"threshold": 99999}}
        daemon = self.daemon({"cameras": {"gate": {**common, "source": server.url}, "yard": {**common, "source": clip}},
                              "webhooks": [{"url": receiver.url.replace("127.0.0.1", "localhost"), "secret": SECRET}]})
        for name in ("gate", "yard"):
            harness.Follower(daemon, name).wait(5)
        self.assertEqual(daemon.events("isolation_is_weaker"), [])
        self.assertEqual({c["isolation"] for c in daemon.get("/api/v1/cameras")[1]["cameras"]}, {"process"})
        server.kill()
        harness.wait_for("camera.lost", lambda: receiver.of("camera.lost", "gate"), 20)
        daemon.stop()
        self.assertEqual(receiver.faults(), [])

    def test_score(self):
        model = harness.write_model(self.path("model.safetensors"))
        clip = harness.write_clip(self.path("clip.mp4"), seconds=3, codec=("-c:v", "libx264"))
        inside = harness.run("score", "--model", model, clip)
        harness.MEMAED = self.plain
        outside = harness.run("score", "--model", model, clip)
        self.assertEqual((inside.code, inside.out), (0, outside.out), inside.err)


if __name__ == "__main__":
    harness.main()
