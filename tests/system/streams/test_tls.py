#!/usr/bin/python3
"""Cameras and webhooks by TLS. A server with an untrusted certificate does not get the password. The configuration can name the
certificate as trusted, or accept any."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from servers.http_camera import HttpCamera, make_certificate  # noqa: E402
from servers.webhook_receiver import Receiver  # noqa: E402

KEYS = {"user": "viewer", "password": "hunter2"}


class Tls(harness.Case):
    def setUp(self):
        super().setUp()
        self.clip = harness.write_clip(self.path("clip.mkv"), seconds=60, size="96x64")
        self.model = harness.write_model(self.path("model.safetensors"))
        self.own, self.named = make_certificate(self.folder), make_certificate(self.folder, "gate.example")

    def camera(self, tls):
        camera = HttpCamera(self.clip, **KEYS, tls=tls)
        self.addCleanup(camera.close)
        return camera

    def test_run(self):
        common = {"model": self.model, "fps": 10, "fps_force": True, "stall_timeout_s": 5, "alert": {"threshold": 99999}, **KEYS}
        stranger, own, named, loose = self.camera(self.own), self.camera(self.own), self.camera(self.named), self.camera(self.own)
        rtsps = stranger.url.replace("https", "rtsps")
        daemon = self.daemon({"cameras": {
            "stranger": {**common, "source": stranger.url},
            "rtsps": {**common, "source": rtsps},
            "other": {**common, "source": stranger.url, "tls_ca_file": self.named[0]},
            "own": {**common, "source": own.url, "tls_ca_file": self.own[0]},
            "rtsps_own": {**common, "source": own.url.replace("https", "rtsps"), "tls_ca_file": self.own[0]},
            "misnamed": {**common, "source": named.url, "tls_ca_file": self.named[0]},
            "named": {**common, "source": named.url, "tls_ca_file": self.named[0], "tls_host": "gate.example"},
            "loose": {**common, "source": loose.url, "tls_verify": False},
            "plain": {**common, "source": f"http://127.0.0.1:{harness.free_port()}/x", "tls_verify": False}}})
        for name in ("own", "named", "loose"):
            daemon.wait_camera(name, "watching", 30)
        for name in ("stranger", "rtsps", "other"):
            reason = daemon.wait_camera(name, "lost", 30)["reason"]
            self.assertIn("TLS: the camera's certificate is not trusted; tls_ca_file can name it", reason, name)
        self.assertIn("TLS: the camera's certificate is for another host", daemon.wait_camera("misnamed", "lost", 30)["reason"])
        self.assertNotIn("certificate", daemon.wait_camera("rtsps_own", "lost", 30)["reason"])      # it speaks HTTP without TLS
        self.assertEqual(stranger.requests, [])
        shown = {c["name"]: c["tls_verified"] for c in daemon.get("/api/v1/cameras")[1]["cameras"]}
        self.assertEqual((shown["own"], shown["rtsps"], shown["loose"], shown["plain"]), (True, True, False, None))
        warnings = [e["text"] for e in daemon.events("config_warning") if "tls_verify" in e["text"]]
        self.assertEqual(len(warnings), 1, warnings)
        self.assertRegex(warnings[0], r"memaed\.yml:\d+:\d+: cameras\.loose\.tls_verify: warning: any certificate is taken")
        daemon.stop()
        self.assertNotIn("hunter2", daemon.log())

    def test_webhooks(self):
        """Two endpoints of one host are told apart by name. One names the certificate to trust."""
        made = subprocess.run(["sh", "-c", "echo whsec_$(openssl rand -base64 32)"], capture_output=True, text=True, check=True)
        secret = made.stdout.strip()
        receiver = Receiver(secret, tls=self.own)
        self.addCleanup(receiver.close)
        daemon = self.daemon({
            "cameras": {"gate": {"model": self.model, "source": f"rtsp://127.0.0.1:{harness.free_port()}/x"}},
            "webhooks": [{"name": "trusted", "url": receiver.url, "secret": secret, "ca_file": self.own[0]},
                         {"name": "stranger", "url": receiver.url + "/T0KEN", "secret": secret}]})
        harness.wait_for("a webhook", lambda: receiver.of("camera.lost"), 20)
        harness.wait_for("a refusal", lambda: [e for e in daemon.events("webhook") if
                                               e["text"].startswith("webhook stranger: attempt 1 failed: ")], 20)
        self.assertEqual([e for e in daemon.events("webhook") if "trusted" in e["text"]], [])
        daemon.stop()
        self.assertEqual((receiver.faults(), len(receiver.deliveries)), ([], 1))
        self.assertNotIn("T0KEN", daemon.log())

    def test_check(self):
        with open(self.path("memaed.yml"), "w", encoding="utf-8") as f:
            f.write("cameras:\n  gate: {source: https://h/x, tls_verify: false, model: model.safetensors}\n")
        done = harness.run("check", "--config", self.path("memaed.yml"))
        self.assertIn("memaed.yml:2:43: cameras.gate.tls_verify: warning: any certificate is taken", done.err)


if __name__ == "__main__":
    harness.main()
