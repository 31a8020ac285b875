#!/usr/bin/python3
"""Cameras that send live by HTTP: they open soon, no delay remains after a stall, and none builds up. A download is paced."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from servers import live_camera  # noqa: E402
from servers.http_camera import HttpCamera  # noqa: E402

SOUND = ("-f", "lavfi", "-i", "sine=duration=60", "-shortest")


class LiveHttp(harness.Case):
    def film(self, name, fps, *codec, seconds=40):
        path = self.path(name)
        harness.ffmpeg("-f", "lavfi", "-i", f"testsrc2=size=96x64:rate={fps}:duration={seconds}", *codec, path)
        return path

    def h264(self, name, fps, seconds=40):
        """Makes a film with sound, and a key frame every two seconds."""
        return self.film(name, fps, *SOUND, "-c:v", "libx264", "-bf", "0", "-g", round(2 * fps), "-c:a", "aac", seconds=seconds)

    def serve(self, play, kind=None):
        camera = live_camera.LiveCamera(play, kind)
        self.addCleanup(camera.close)
        return camera.url

    def flv(self, fps, when=lambda s: s, stamp=lambda s: s):
        """Sound is promised by header and metadata, and never comes. when(seconds): when a picture is sent; stamp(seconds): its
        time stamp."""
        head, pictures = live_camera.flv(self.h264(f"{fps}.flv", fps), lambda kind: kind != 8)

        def play():
            yield 0, head
            for seconds, tag in pictures:
                yield when(seconds), live_camera.flv_at(tag, stamp(seconds))
        return self.serve(play, "video/x-flv")

    def ts(self, fps, when=lambda s: s):
        """The tables of MPEG-TS promise sound, which never comes."""
        pictures = live_camera.ts(self.h264(f"{fps}.ts", fps))

        def play():
            for i, picture in enumerate(pictures):
                yield when(i / fps), picture
        return self.serve(play, "video/mp2t")

    def mjpeg(self, fps, when=lambda s: s):
        pictures = live_camera.jpegs(self.film(f"{fps}.mjpeg", fps, "-c:v", "mjpeg"))

        def play():
            for i, picture in enumerate(pictures):
                yield when(i / fps), b"--b\r\nContent-Type: image/jpeg\r\n\r\n" + picture + b"\r\n"
        return self.serve(play, "multipart/x-mixed-replace; boundary=b")

    def start(self, sources, fps):
        model = harness.write_model(self.path("model.safetensors"))
        daemon = self.daemon({"cameras": {name: {"model": model, "source": url, "fps": fps, "fps_force": True, "stride": 1,
                                                 "alert": {"threshold": 99999}} for name, url in sources.items()}})
        return daemon, time.monotonic()

    def test_they_open_soon(self):
        """Streams open within 4 s, at 10 pictures a second and at 2, though sound never comes."""
        sources = {f"{kind}{fps}": getattr(self, kind)(fps) for kind in ("flv", "ts", "mjpeg") for fps in (10, 2)}
        daemon, began = self.start(sources, 2)
        seconds = {}
        while len(seconds) < len(sources) and time.monotonic() < began + 12 * harness.SCALE:
            for name in sources:
                if name not in seconds and daemon.camera(name)["frames"] > 0:
                    seconds[name] = time.monotonic() - began
            time.sleep(0.05)
        self.assertEqual(set(seconds), set(sources), daemon.log())
        for name, s in seconds.items():
            self.assertLess(s, 4 * harness.SCALE, (name, seconds))
        daemon.stop()

    def check_up_to_date(self, daemon, name, sent):
        """All pictures that were sent are analysed, but for those under way."""
        camera = daemon.camera(name)
        self.assertEqual(camera["state"], "watching", name)
        self.assertGreaterEqual(camera["frames"], sent - 8 * harness.SCALE, (name, sent, camera))
        self.assertLess(camera["latency_ms"], 1000 * harness.SCALE, name)

    def test_no_delay_remains_after_a_stall(self):
        """Nothing is sent from 4 s to 9 s. Then all pictures of that time come at once."""
        def when(s):
            return 9 if 4 < s < 9 else s
        sources = {"flv": self.flv(10, when), "ts": self.ts(10, when), "mjpeg": self.mjpeg(10, when)}
        daemon, began = self.start(sources, 10)
        time.sleep(max(0, began + 14 - time.monotonic()))
        sent = (time.monotonic() - began) * 10
        self.check_up_to_date(daemon, "flv", sent)
        self.check_up_to_date(daemon, "ts", sent)
        mjpeg = daemon.camera("mjpeg")          # its pictures have only times of arrival, so few of the burst are due
        self.assertEqual(mjpeg["state"], "watching")
        self.assertGreaterEqual(mjpeg["frames"], sent - 58 * harness.SCALE)
        self.assertEqual(daemon.events("camera_lost"), [])
        daemon.stop()

    def test_no_delay_builds_up(self):
        """The camera's clock runs 5 % fast or slow."""
        sources = {"fast": self.flv(10, stamp=lambda s: 1.05 * s), "slow": self.flv(10, stamp=lambda s: 0.95 * s)}
        daemon, began = self.start(sources, 12)
        time.sleep(max(0, began + 25 - time.monotonic()))
        for name in sources:
            self.check_up_to_date(daemon, name, (time.monotonic() - began) * 10)
        daemon.stop()

    def test_latency_counts_from_the_arrival(self):
        """The decoder holds pictures back, because some are predicted from later ones: at least for one interval of 100 ms."""
        head, pictures = live_camera.flv(self.film("b.flv", 10, "-c:v", "libx264", "-bf", "2", "-g", "20", "-x264-params",
                                                   "b-adapt=0"))

        def play():
            yield 0, head
            yield from pictures
        daemon, _ = self.start({"gate": self.serve(play, "video/x-flv")}, 10)
        daemon.wait_camera("gate", "watching")
        time.sleep(2)
        latency_ms = daemon.camera("gate")["latency_ms"]
        self.assertGreater(latency_ms, 80)
        self.assertLess(latency_ms, 1000 * harness.SCALE)
        daemon.stop()

    def test_a_download_is_paced(self):
        clip = harness.write_clip(self.path("clip.mkv"), seconds=30, size="96x64")
        server = HttpCamera(clip)
        self.addCleanup(server.close)
        daemon, began = self.start({"clip": server.url}, 10)
        daemon.wait_camera("clip", lambda c: c["frames"] >= 30)
        self.assertGreater(time.monotonic() - began, 2)
        self.assertLess(daemon.camera("clip")["frames"], 60)
        daemon.stop()


if __name__ == "__main__":
    harness.main()
