#!/usr/bin/python3
"""`memaed check --connect`: its report of cameras and webhooks without a fault, and of each kind of fault."""
import base64
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from servers.http_camera import HttpCamera, make_certificate  # noqa: E402
from servers.lying_camera import LyingCamera  # noqa: E402
from servers.webhook_receiver import Receiver  # noqa: E402
from test_reasons import silent_server  # noqa: E402

SECRET = "whsec_" + base64.b64encode(os.urandom(32)).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(os.urandom(32)).decode()


class Refuser(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


def blocks(text):
    """The blocks of a report: {"camera gate": [first line without its name, line of details …], …}."""
    found = {}
    for line in text.splitlines():
        m = re.match(r"connect (camera \S+|webhook \S+?): (.*)|connect (camera \S+|webhook \S+) (fault .*)", line)
        if m:
            name = m[1] or m[3]
            found[name] = [m[2] or m[4]]
        elif line.startswith("  ") and found:
            found[name].append(line.strip())
    return found


class Connect(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("model.safetensors"))

    def write(self, cameras, webhooks=()):
        common = {"model": self.model, "fps": 10, "fps_force": True, "stall_timeout_s": harness.STALL_S,
                  "alert": {"threshold": 99999}}
        with open(self.path("memaed.yml"), "w", encoding="utf-8") as f:
            json.dump({"cameras": {name: {**common, **keys} for name, keys in cameras.items()}, "webhooks": list(webhooks)}, f)
        os.chmod(self.path("memaed.yml"), 0o600)

    def check(self, cameras, webhooks=(), timeout=60):
        self.write(cameras, webhooks)
        done = harness.run("check", "--config", self.path("memaed.yml"), "--connect", timeout=timeout)
        self.assertNotIn("hunter", done.out + done.err)
        self.assertNotIn("whsec", done.out + done.err)
        return done

    def test_cameras(self):
        clip = harness.write_clip(self.path("clip.mkv"), seconds=30, size="96x64")
        square = harness.write_clip(self.path("square.mkv"), seconds=30, size="64x64")
        asks, slow = self.rtsp(clip, user="viewer", password="hunter2"), self.rtsp(clip, fps=5)
        certificate = make_certificate(self.folder)
        tls = HttpCamera(clip, "viewer", "hunter2", tls=certificate)
        standing = LyingCamera(clip, stamp=lambda i, seconds: 0)
        for server in (tls, standing):
            self.addCleanup(server.close)
        keys = {"user": "viewer", "password": "hunter2"}
        done = self.check({
            "good": {"source": asks.url, **keys},
            "in_url": {"source": asks.url.replace("//", "//viewer:hunter2@")},
            "wrong": {"source": asks.url, "user": "viewer", "password": "hunter3"},
            "anybody": {"source": self.rtsp(clip).url, **keys},
            "aspect": {"source": square},
            "slow": {"source": slow.url},
            "slow_square": {"source": self.rtsp(square, fps=5).url},
            "verified": {"source": tls.url, **keys, "tls_ca_file": certificate[0]},
            "unverified": {"source": tls.url, **keys, "tls_verify": False},
            "stranger": {"source": tls.url, **keys},
            "standing": {"source": standing.url},
            "refused": {"source": f"rtsp://127.0.0.1:{harness.free_port()}/live"},
            "silent": {"source": f"rtsp://127.0.0.1:{silent_server(self)}/live", "stall_timeout_s": 2},
            "nohost": {"source": "rtsp://no-such-host.invalid/live"}}, timeout=120)
        self.assertEqual((done.code, done.err.count("\n")), (1, done.err.count("warning:")), done.err)
        told = blocks(done.out)

        good = told["camera good"]
        self.assertEqual(good[0], "ok")
        self.assertRegex(good[1], r"^opened: in \d+\.\d\d s, first picture after \d+\.\d\d s$")
        self.assertRegex(good[2],
                         r"^stream: h264, 96x64 as a viewer shows it, (9\.[5-9]\d*|10(\.[0-4])?) frames/s \(analysed: 10\)$")
        # Cameras share a server's stream, so one that comes later joins between two key frames.
        rest = [line for line in good[3:] if not line.startswith("damaged: ")]
        self.assertEqual(rest, ["aspect: 96x64 fits the model's 48x32", "sign-in: user and password are asked for and accepted",
                                "TLS: none", "time: by the stream's time stamps"])
        five = r"5|4\.[89]\d*|5\.0\d" if harness.SCALE == 1 else r"4\.[5-9]\d*|5(\.[01]\d*)?"
        faults = {"good": "^ok$", "in_url": "^ok$", "anybody": "^ok$", "verified": "^ok$", "unverified": "^ok$",
                  "wrong": r"^fault after .*401: user or password refused",
                  "aspect": "^fault: pictures of 64x64 have another aspect than the 48x32 that the model learned$",
                  "slow": rf"^fault: ({five}) frames/s come, expected 9 or more, because 10 are analysed$",
                  "slow_square": r"^fault: pictures of 64x64 .* learned; \S+ frames/s come, expected 9 ",
                  "stranger": "^fault after .*TLS: ", "refused": "^fault after .*Connection refused",
                  "silent": r"^fault after [23]\.\d s: .*no answer for 2 s", "nohost": "^fault after .*host not found: "}
        for name, pattern in faults.items():
            with self.subTest(name):
                self.assertRegex(told[f"camera {name}"][0], pattern)
        details = {"in_url": "sign-in: user and password are asked for and accepted",
                   "anybody": "sign-in: the camera opens without user and password, too", "aspect": "sign-in: none configured",
                   "verified": "TLS: certificate verified", "unverified": "TLS: certificate not verified (tls_verify: false)",
                   "standing": "time: by arrival, because the stream's time stamps are wrong"}
        for name, line in details.items():
            with self.subTest(name):
                self.assertIn(line, told[f"camera {name}"])
        self.assertEqual(len(told["camera silent"]), 1)
        self.assertRegex(done.out, r"\nconnect: 6 of 14 cameras and 0 of 0 webhooks are ok\n$")

    def test_webhooks(self):
        clip = harness.write_clip(self.path("clip.mkv"), seconds=5)
        well, stranger = Receiver(SECRET), Receiver(OTHER_SECRET)
        ill = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuser)
        threading.Thread(target=ill.serve_forever, daemon=True).start()
        for server in (well, stranger, ill):
            self.addCleanup(server.server_close if server is ill else server.close)
        self.addCleanup(ill.shutdown)
        done = self.check({"gate": {"source": clip}}, [
            {"name": "well", "url": well.url + "?token=hunter2", "secret": SECRET, "events": ["drift.began"]},
            {"name": "ill", "url": f"http://127.0.0.1:{ill.server_port}/hunter2", "secret": SECRET},
            {"name": "refused", "url": f"http://127.0.0.1:{harness.free_port()}/hook", "secret": SECRET},
            {"name": "stranger", "url": stranger.url, "secret": SECRET},
            {"name": "unsigned", "url": well.url},
            {"name": "silent", "url": f"http://127.0.0.1:{silent_server(self)}/hook", "timeout_s": 1}])
        self.assertEqual(done.code, 1, done.err)
        told = blocks(done.out)
        for name, pattern in {"well": r"^ok: HTTP status 204 in \d\.\d\d s \(the test event was signed\)$",
                              "ill": r"^fault after \d\.\d\d s: HTTP status 500 \(the test event was signed\)$",
                              "refused": "^fault after .*[Cc]onnect", "stranger": "^fault after .*HTTP status 401",
                              "unsigned": r"^fault after .*HTTP status 401 \(the test event was unsigned\)$",
                              "silent": r"^fault after 1\.\d\d s: .*timed out"}.items():
            with self.subTest(name):
                self.assertRegex(told[f"webhook {name}"][0], pattern)
        self.assertIn("connect: 1 of 1 cameras and 1 of 6 webhooks are ok\n", done.out)
        self.assertEqual([d["fault"] for d in stranger.deliveries], ["no signature matches"])
        sent = [d for d in well.deliveries if not d["fault"]]
        self.assertEqual([(d["type"], d["data"]["test"]) for d in sent], [("webhook.test", True)])
        self.assertIn("nothing has happened", sent[0]["data"]["reason"])

    def test_all_is_well(self):
        clip = harness.write_clip(self.path("clip.mkv"), seconds=30)
        receiver = Receiver(SECRET)
        self.addCleanup(receiver.close)
        done = self.check({"live": {"source": self.rtsp(clip).url}, "file": {"source": clip}},
                          [{"url": receiver.url, "secret": SECRET}])
        self.assertEqual(done.code, 0, done.out + done.err)
        self.assertIn("connect: 2 of 2 cameras and 1 of 1 webhooks are ok\n", done.out)
        self.assertIn(f"connect webhook {receiver.url.removesuffix('/hook')}: ok: ", done.out)

    def test_a_black_picture(self):
        dark = harness.write_clip(self.path("dark.mkv"), source="color")
        done = self.check({"dark": {"source": dark}, "good": {"source": harness.write_clip(self.path("clip.mkv"))}})
        told = blocks(done.out)
        line = "picture: black: 95 % of each lies below gray level 24; is it dark there, or the lens covered?"
        self.assertIn(line, told["camera dark"])
        self.assertNotIn(line, told["camera good"])
        self.assertEqual((done.code, told["camera dark"][0], told["camera good"][0]), (0, "ok", "ok"))

    def test_cameras_are_opened_side_by_side(self):
        """Twenty silent cameras of 2 s each take three turns, not twenty; the lines keep the configuration's order."""
        port = silent_server(self)
        names = [f"c{i:02}" for i in range(20)]
        done = self.check({name: {"source": f"rtsp://127.0.0.1:{port}/live", "stall_timeout_s": 2} for name in names})
        self.assertEqual(done.code, 1)
        self.assertEqual(list(blocks(done.out)), [f"camera {name}" for name in names])
        self.assertGreater(done.seconds, 5.5)
        self.assertLess(done.seconds, 15 * harness.SCALE)

    def test_a_signal_ends_it(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            port = silent_server(self)
            self.write({f"c{i}": {"source": f"rtsp://127.0.0.1:{port}/live", "stall_timeout_s": 60} for i in range(12)},
                       [{"url": f"http://127.0.0.1:{port}/hook", "timeout_s": 60}])
            process = subprocess.Popen([*harness.MEMAED, "check", "--config", self.path("memaed.yml"), "--connect"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.addCleanup(process.kill)
            time.sleep(1 * harness.SCALE)
            start = time.monotonic()
            process.send_signal(number)
            out, err = process.communicate(timeout=20 * harness.SCALE)
            self.assertLess(time.monotonic() - start, 1.3 * harness.SCALE)      # after 1.5 s it no longer waits for its threads
            self.assertEqual(process.returncode, 1, err)
            self.assertIn(b"memaed check: ended by a signal before all was tried\n", err)
            self.assertNotIn(b"connect:", out)
            self.assertIsNone(harness.SANITIZER_FINDING.search(err.decode()))

    def test_usage(self):
        self.assertEqual(harness.run("check", "--keys", "--connect").code, 2)
        self.assertEqual(harness.run("check", "--connect").code, 2)


if __name__ == "__main__":
    harness.main()
