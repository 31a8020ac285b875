#!/usr/bin/python3
"""Passwords, tokens and secrets are shown nowhere: not in logs, not by REST, not in errors, not in webhooks."""
import base64
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from servers.webhook_receiver import Receiver  # noqa: E402

USER, PASSWORD, TOKEN = "viewerQ7", "hunter2%21Zq", "tok3nXyZZ"
KEY = os.urandom(32)
SECRET = "whsec_" + base64.b64encode(KEY).decode()
SECRETS = (USER, "hunter2", TOKEN, SECRET[6:])


class Credentials(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("model.safetensors"))

    def check(self, text, where):
        for secret in SECRETS:
            at = text.find(secret)
            self.assertEqual(at, -1, f"{where}: …{text[max(0, at - 200):at + 100]}…")

    def test_run(self):
        """One camera accepts the password, one refuses it, one is not there, one has a token."""
        clip = harness.write_clip(self.path("clip.mkv"), size="96x64")
        server = self.rtsp(clip, user=USER, password="hunter2!Zq")
        receiver = Receiver(SECRET)
        self.addCleanup(receiver.close)
        common = {"model": self.model, "fps": 10, "fps_force": True, "stall_timeout_s": 2, "alert": {"threshold": 99999}}
        dead = harness.free_port()
        with open(self.path("secret"), "w", encoding="utf-8") as f:
            f.write(SECRET + "\n")
        daemon = self.daemon({
            "cameras": {
                "good": {**common, "source": f"rtsp://{USER}:${{CAMERA_PASSWORD}}@127.0.0.1:{server.port}/live"},
                "wrong": {**common, "source": f"rtsp://{USER}:{PASSWORD}x@127.0.0.1:{server.port}/live"},
                "nopath": {**common, "source": f"rtsp://{USER}:{PASSWORD}@127.0.0.1:{server.port}/other"},
                "gone": {**common, "source": f"rtsp://{USER}:{PASSWORD}@127.0.0.1:{dead}/live"},
                "query": {**common, "source": f"http://127.0.0.1:{dead}/a.mkv?token={TOKEN}&user={USER}"},
                "noname": {**common, "source": f"rtsp://{USER}:{PASSWORD}@no-such-host.invalid/live"}},
            "webhooks": [{"url": receiver.url, "secret_file": self.path("secret")},
                         {"url": f"http://{USER}:{PASSWORD}@127.0.0.1:{dead}/hook?token={TOKEN}", "secret": SECRET}]},
            {"CAMERA_PASSWORD": PASSWORD, "AV_LOG_FORCE_NOCOLOR": "1"})
        daemon.wait_camera("good", "watching", 30)
        for name in ("wrong", "nopath", "gone", "query"):
            daemon.wait_camera(name, lambda c: c["state"] == "lost" and c["reason"], 30)
        harness.wait_for("a webhook", lambda: receiver.of("camera.lost"), 40)
        for path in ("/api/v1/cameras", "/api/v1/alerts", "/readyz", "/healthz", "/metrics",
                     *(f"/api/v1/cameras/{c}" for c in ("good", "wrong", "nopath", "gone", "query", "noname"))):
            self.check(str(daemon.get(path)[1]), path)
        daemon.stop(limit=harness.STOP_S)
        self.check(daemon.log(), "the log")
        self.check(str(receiver.deliveries), "a webhook")
        self.assertEqual(receiver.faults(), [])
        self.assertIn("***@127.0.0.1", daemon.log(), "the log says nothing of the source at all")

    def test_errors(self):
        dead = harness.free_port()
        for url in (f"rtsp://{USER}:{PASSWORD}@127.0.0.1:{dead}/live", f"http://127.0.0.1:{dead}/clip.mkv?token={TOKEN}",
                    f"nonsense://{USER}:{PASSWORD}@host/x"):
            command = harness.run("score", "--model", self.model, url)
            self.assertEqual(command.code, 1, command.err)
            self.check(command.out + command.err, f"score {url}")

    def test_check(self):
        """Faults of a configuration name the key, not the secret in it."""
        config = self.path("bad.yml")
        with open(config, "w", encoding="utf-8") as f:
            f.write(f"""
cameras:
  gate:
    source: rtsp://{USER}:{PASSWORD}@host/live?token={TOKEN}
    source: rtsp://{USER}:{PASSWORD}@host/again
    model: {self.model}
    fps: rtsp://{USER}:{PASSWORD}@host/
webhooks:
  - url: ftp://{USER}:{PASSWORD}@host/?token={TOKEN}
    secret: whsec_{SECRET[6:]}!!
  - url: http://host/
    secret: {SECRET[6:]}
""")
        command = harness.run("check", "--config", config)
        self.assertEqual(command.code, 1)
        self.check(command.out + command.err, "check")
        self.assertIn("bad.yml:", command.out + command.err)
        command = harness.run("run", "--config", config)
        self.assertEqual(command.code, 1)
        self.check(command.out + command.err, "run")


if __name__ == "__main__":
    harness.main()
