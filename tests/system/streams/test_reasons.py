#!/usr/bin/python3
"""REST, the log and the event give the true reason why a camera is lost. `learn --camera` gives it, too."""
import base64
import json
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
import learning  # noqa: E402
from servers.http_camera import HttpCamera  # noqa: E402
from servers.lying_camera import LyingCamera  # noqa: E402
from servers.webhook_receiver import Receiver  # noqa: E402

SECRET = "whsec_" + base64.b64encode(os.urandom(32)).decode()


def silent_server(case, answer=None):
    """Listens on loopback. Takes connections and sends answer, or nothing at all. Returns the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    case.addCleanup(listener.close)
    kept = []

    def serve():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            kept.append(client)
            if answer:
                client.recv(4096)
                client.sendall(answer)
    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


class Reasons(harness.Case):
    def sources(self):
        """Returns for each camera its source, further keys, and a part of the reason."""
        clip = harness.write_clip(self.path("clip.mkv"), seconds=10, size="96x64")
        rtsp = self.rtsp(clip, user="viewer", password="hunter2")
        http = HttpCamera(clip, "viewer", "hunter2", "Digest")
        self.addCleanup(http.close)
        keys = {"user": "viewer", "password": "hunter2"}
        found = {
            "refused": (f"rtsp://127.0.0.1:{harness.free_port()}/live", keys, "Connection refused"),
            "refused_http": (f"http://127.0.0.1:{harness.free_port()}/live", keys, "Connection refused"),
            "nohost": ("rtsp://no-such-host.invalid/live", keys, "host not found: "),
            "nohost_http": ("http://no-such-host.invalid/live", keys, "host not found: "),
            "wrong": (rtsp.url, {**keys, "password": "hunter3"}, "401: user or password refused"),
            "wrong_http": (http.url, {**keys, "password": "hunter3"}, "401: user or password refused"),
            "wrong_url": (rtsp.url.replace("//", "//viewer:hunter3@"), {}, "401: user or password refused"),
            "nobody": (rtsp.url, {}, "401: the camera asks for user and password"),
            "nobody_http": (http.url, {}, "401: the camera asks for user and password"),
            "nopath": (rtsp.url.replace("live", "other"), keys, "404: nothing at this path"),
            "silent": (f"rtsp://127.0.0.1:{silent_server(self)}/live", keys, f"no answer for {harness.STALL_S:g} s"),
            "silent_http": (f"http://127.0.0.1:{silent_server(self)}/live", keys, f"no answer for {harness.STALL_S:g} s"),
            "notls": (f"https://127.0.0.1:{rtsp.port}/live", {}, "TLS: "),
            "notls_rtsp": (f"rtsps://127.0.0.1:{rtsp.port}/live", {}, "TLS: "),
            "busy": (f"rtsp://127.0.0.1:{silent_server(self, b'RTSP/1.0 453 Not Enough Bandwidth' + bytes([13, 10] * 2))}/live",
                     {}, "453 Not Enough Bandwidth"),
        }
        for name, refuses, transport, reason in (
                ("udponly", "RTP/AVP/TCP", "tcp", "461: the camera does not send over TCP; transport: udp asks for UDP"),
                ("tcponly", "RTP/AVP/UDP", "udp", "461: the camera does not send over UDP; transport: tcp asks for TCP")):
            server = LyingCamera(clip, refuses=refuses)
            self.addCleanup(server.close)
            found[name] = (server.url, {"transport": transport}, reason)
        with open(self.path("live.mpd"), "w", encoding="utf-8") as f:
            f.write('<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
                    'profiles="urn:mpeg:dash:profile:isoff-live:2011"/>')
        server = HttpCamera(self.path("live.mpd"))
        self.addCleanup(server.close)
        found["dash"] = (server.url, {}, "the format is dash, which is not one that cameras or footage use")
        for status, reason in ((403, "403: the user may not see this stream"), (404, "404: nothing at this path"),
                               (500, "the camera answered 500 "), (503, "the camera answered 503 Service Unavailable")):
            server = HttpCamera(clip, status=status)
            self.addCleanup(server.close)
            found[f"status{status}"] = (server.url, {}, reason)
        return found

    def test_run(self):
        model = harness.write_model(self.path("model.safetensors"))
        sources, receiver = self.sources(), Receiver(SECRET)
        self.addCleanup(receiver.close)
        common = {"model": model, "fps": 10, "fps_force": True, "stall_timeout_s": harness.STALL_S,
                  "alert": {"threshold": 99999}}
        daemon = self.daemon({"cameras": {name: {**common, "source": source, **keys}
                                          for name, (source, keys, _) in sources.items()},
                              "webhooks": [{"url": receiver.url, "secret": SECRET}]})
        for name, (_, _, reason) in sources.items():
            with self.subTest(name):
                self.assertIn(reason, daemon.wait_camera(name, "lost", 40)["reason"])
                self.assertIn(reason, daemon.wait_event("camera_lost", camera=name)["reason"])
                told = harness.wait_for(f"a webhook of {name}", lambda n=name: receiver.of("camera.lost", n), 20)
                self.assertIn(reason, told[0]["data"]["reason"])
        lines = daemon.events("ffmpeg")
        self.assertTrue(lines)
        self.assertEqual([line for line in lines if line.get("camera") not in sources], [])
        daemon.stop()
        self.assertNotIn("hunter", daemon.log())

    def test_another_reason_is_told(self):
        """The camera comes back, but refuses the password now."""
        model = harness.write_model(self.path("model.safetensors"))
        port = harness.free_port()
        daemon = self.daemon({"cameras": {"gate": {"model": model, "fps": 10, "fps_force": True, "user": "viewer",
                                                   "password": "x", "source": f"rtsp://127.0.0.1:{port}/live",
                                                   "alert": {"threshold": 99999}}}})
        daemon.wait_event("camera_lost", camera="gate")
        self.rtsp(harness.write_clip(self.path("clip.mkv"), size="96x64"), port=port, user="viewer", password="hunter2")
        self.assertIn("401: user or password refused", daemon.wait_event("camera_still_lost", 60, camera="gate")["reason"])
        daemon.stop()

    def learn(self, source, **keys):
        with open(self.path("memaed.yml"), "w", encoding="utf-8") as f:
            json.dump({"cameras": {"gate": {"source": source, "model": "gate.safetensors", "fps": 10, **keys}}}, f)
        return harness.run("learn", "--config", self.path("memaed.yml"), "--camera", "gate", "--hours", "1", *learning.SMALL,
                           timeout=60)

    def test_learn_gives_up_a_wrong_password(self):
        clip = harness.write_clip(self.path("clip.mkv"), size="96x64")
        server = HttpCamera(clip, "viewer", "hunter2")
        self.addCleanup(server.close)
        done = self.learn(server.url, user="viewer", password="hunter3")
        self.assertEqual(done.code, 1)
        lost = [e for e in map(harness.parse_line, done.err.splitlines()) if e and e["event"] == "camera_lost"]
        self.assertEqual(len(lost), 1, done.err)
        self.assertIn("401: user or password refused", lost[0]["reason"])
        self.assertRegex(done.err.splitlines()[-1], "camera gate: .*401: user or password refused; given up after 3 attempts")
        self.assertNotIn("hunter", done.err)

    def test_learn_refuses_an_address_that_no_camera_has(self):
        done = self.learn("rtps://127.0.0.1/live")
        self.assertEqual(done.code, 1)
        self.assertIn('got "rtps"', done.err)
        self.assertNotIn("event=camera_lost", done.err)


if __name__ == "__main__":
    harness.main()
