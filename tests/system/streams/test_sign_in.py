#!/usr/bin/python3
"""Cameras that ask for user and password. Both are keys of the configuration, with any characters in them."""
import json
import os
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
import learning  # noqa: E402
from servers.http_camera import HttpCamera  # noqa: E402

USER, PASSWORD = "view er@Q7", "p@ss/w:rd#?%é&\"'\\hunter2"
FORMS = (USER, PASSWORD, "hunter2", urllib.parse.quote(USER, safe=""), urllib.parse.quote(PASSWORD, safe=""))


class SignIn(harness.Case):
    def check(self, text, where):
        for form in FORMS:
            at = text.find(form)
            self.assertEqual(at, -1, f"{where}: …{text[max(0, at - 200):at + 100]}…")

    def servers(self):
        """Four cameras that let in USER with PASSWORD alone: by RTSP and HTTP, each with Basic and Digest."""
        clip = harness.write_clip(self.path("clip.mkv"), seconds=60, size="96x64")
        found = {}
        for scheme in ("basic", "digest"):
            found[f"rtsp_{scheme}"] = self.rtsp(clip, user=USER, password=PASSWORD, digest=scheme == "digest")
            found[f"http_{scheme}"] = HttpCamera(clip, USER, PASSWORD, scheme.capitalize())
            self.addCleanup(found[f"http_{scheme}"].close)
        return found

    def test_any_character(self):
        model = harness.write_model(self.path("model.safetensors"))
        with open(self.path("password"), "w", encoding="utf-8") as f:
            f.write(PASSWORD + "\n")
        os.chmod(self.path("password"), 0o600)
        common = {"model": model, "fps": 10, "fps_force": True, "user": USER, "stall_timeout_s": 5, "alert": {"threshold": 99999}}
        servers = self.servers()
        daemon = self.daemon({"cameras": {
            **{name: {**common, "source": s.url, "password": "${CAMERA_PASSWORD}"} for name, s in servers.items()},
            "file": {**common, "source": servers["rtsp_digest"].url, "password_file": "password"},
            "wrong": {**common, "source": servers["rtsp_basic"].url, "password": PASSWORD + "x"},
            "wrong_http": {**common, "source": servers["http_digest"].url, "password": PASSWORD + "x"}}},
            {"CAMERA_PASSWORD": PASSWORD, "AV_LOG_FORCE_NOCOLOR": "1"})
        for name in (*servers, "file"):
            daemon.wait_camera(name, "watching", 30)
        for name in ("wrong", "wrong_http"):
            daemon.wait_camera(name, lambda c: c["state"] == "lost" and "401" in c["reason"], 30)
        for path in ("/api/v1/cameras", "/metrics", *(f"/api/v1/cameras/{name}" for name in ("file", "wrong", "wrong_http"))):
            self.check(str(daemon.get(path)[1]), path)
        daemon.stop()
        self.check(daemon.log(), "the log")

    def test_learn_signs_in(self):
        server = self.servers()["http_digest"]
        with open(self.path("memaed.yml"), "w", encoding="utf-8") as f:
            json.dump({"cameras": {"gate": {"source": server.url, "model": "gate.safetensors", "user": USER, "password": PASSWORD,
                                            "fps": 10}}}, f)
        done = harness.run("learn", "--config", self.path("memaed.yml"), "--camera", "gate", "--hours", "0.01", *learning.SMALL,
                           "--steps", "10", timeout=120)
        self.assertEqual(done.code, 0, done.err)
        self.check(done.out + done.err, "learn")
        shown = subprocess.run(["strings", "-n", "6", self.path("gate.safetensors")], capture_output=True, text=True, check=False)
        self.check(shown.stdout, "the model")


if __name__ == "__main__":
    harness.main()
