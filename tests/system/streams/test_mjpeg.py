#!/usr/bin/python3
"""Motion JPEG by HTTP opens in every form that cameras write. If an answer is no video, the error says so."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from servers import live_camera  # noqa: E402

FPS = 10
MULTIPART = "multipart/x-mixed-replace; boundary=b"


def part(head, end=b"\r\n"):
    """Wraps a picture; {} in head stands for its size."""
    return lambda picture: head.replace("{}", str(len(picture))).encode() + picture + end


# For each camera: the Content-Type of the answer, what comes first, and how a picture is wrapped.
WAYS = {
    "sound": (MULTIPART, b"", part("--b\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n")),
    "nofirst": (MULTIPART, b"Content-Type: image/jpeg\r\n\r\n", lambda p: p + b"\r\n--b\r\nContent-Type: image/jpeg\r\n\r\n"),
    "notype": (MULTIPART, b"", part("--b\r\nContent-Length: {}\r\n\r\n")),
    "oddtype": (MULTIPART, b"", part("--b\r\nContent-Type: image/jpg; charset=x\r\nContent-Length: {}\r\n\r\n")),
    "texttype": (MULTIPART, b"", part("--b\r\nContent-Type: text/plain\r\n\r\n")),
    "nolength": (MULTIPART, b"", part("--b\r\nContent-Type: image/jpeg\r\n\r\n")),
    "wronglength": (MULTIPART, b"", part("--b\r\nContent-Type: image/jpeg\r\nContent-Length: 17\r\n\r\n")),
    "nodashes": (MULTIPART, b"", part("b\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n")),
    "moredashes": ("multipart/x-mixed-replace; boundary=--b", b"", part("----b\r\nContent-Type: image/jpeg\r\n\r\n")),
    "otherboundary": (MULTIPART, b"", part("--another\r\nContent-Type: image/jpeg\r\n\r\n")),
    "quoted": ('multipart/x-mixed-replace; boundary="b"', b"", part("--b\r\nContent-Type: image/jpeg\r\n\r\n")),
    "linefeeds": (MULTIPART, b"", part("--b\nContent-Type: image/jpeg\nContent-Length: {}\n\n", b"\n")),
    "preamble": (MULTIPART, b"This is a stream.\r\n\r\n", part("--b\r\nContent-Type: image/jpeg\r\n\r\n")),
    "noheaders": (MULTIPART, b"", part("--b\r\n\r\n")),
    "untyped": (None, b"", part("--b\r\nContent-Type: image/jpeg\r\n\r\n")),
    "bare": ("image/jpeg", b"", part("", b"")),
    "bareuntyped": (None, b"", part("", b"")),
    "baremultipart": (MULTIPART, b"", part("", b"")),
    "baretext": ("text/plain", b"", part("", b"")),
}


class Mjpeg(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("model.safetensors"))

    def serve(self, kind, pieces, headers=()):
        """pieces: one is sent each tenth of a second."""
        def play():
            for i, piece in enumerate(pieces):
                yield i / FPS, piece
        camera = live_camera.LiveCamera(play, kind, headers)
        self.addCleanup(camera.close)
        return camera.url

    def start(self, sources):
        return self.daemon({"cameras": {name: {"model": self.model, "source": url, "fps": FPS, "fps_force": True,
                                               "stall_timeout_s": harness.STALL_S, "alert": {"threshold": 99999}}
                                        for name, url in sources.items()}})

    def test_every_way_opens(self):
        path = self.path("clip.mjpeg")
        harness.ffmpeg("-f", "lavfi", "-i", f"testsrc2=size=96x64:rate={FPS}:duration=30", "-c:v", "mjpeg", path)
        pictures = live_camera.jpegs(path)
        sources = {name: self.serve(kind, [first, *map(wrap, pictures)]) for name, (kind, first, wrap) in WAYS.items()}
        # Some cameras send a wrong length.
        sources["length"] = self.serve(MULTIPART, list(map(WAYS["sound"][2], pictures)), [("Content-Length", "99999999")])
        daemon = self.start(sources)
        for name in sources:
            with self.subTest(name):
                camera = daemon.wait_camera(name, "watching", 10)
                self.assertEqual((camera["frames_corrupt"], sum(camera["breaks"].values())), (0, 0), camera)
                self.assertAlmostEqual(camera["fps_in"], FPS, delta=3 * harness.SCALE)
        self.assertEqual(daemon.events("camera_lost"), [])
        daemon.stop()

    def test_what_is_no_video_is_named(self):
        page = b"<!DOCTYPE html><html><head><title>Camera</title></head><body>Sign in</body></html>\n"
        texts = [b"--b\r\nContent-Type: text/plain\r\n\r\ntemperature 21\r\n"] * 100
        answers = {
            "page": ("text/html; charset=utf-8", [page], "the answer is text/html, not a video"),
            "pagelength": ("text/html", [page * 50], "the answer is text/html, not a video"),
            "json": ("application/json", [b'{"error": "no such stream"}'], "the answer is application/json, not a video"),
            "other": ("application/x-camera", [b"\x01\x02\x03" * 3000],
                      "the answer is application/x-camera, not a video that FFmpeg knows"),
            "nojpeg": (MULTIPART, texts, f"data arrives, but no JPEG in it for {harness.STALL_S:g} s"),
            "nothing": (MULTIPART, [b"--b\r\n"], f"data arrives, but no JPEG in it for {harness.STALL_S:g} s"),
        }
        sources = {name: self.serve(kind, pieces, [("Content-Length", str(sum(map(len, pieces))))] if kind != MULTIPART else ())
                   for name, (kind, pieces, _) in answers.items()}
        sources["empty"] = self.serve("video/x-flv", [], [("Content-Length", "0")])
        daemon = self.start(sources)
        for name in sources:
            with self.subTest(name):
                reason = answers[name][2] if name in answers else "the answer is empty"
                self.assertIn(reason, daemon.wait_camera(name, "lost", 10)["reason"])
        daemon.stop()


if __name__ == "__main__":
    harness.main()
