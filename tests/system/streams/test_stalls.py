#!/usr/bin/python3
"""Packets of which no picture comes are a stall: after one time-out, or after three before the first picture."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from servers import live_camera  # noqa: E402
from servers.lying_camera import LyingCamera  # noqa: E402

FPS = 10


class Stalls(harness.Case):
    def start(self, source):
        model = harness.write_model(self.path("model.safetensors"))
        return self.daemon({"cameras": {"gate": {"model": model, "source": source, "fps": FPS, "fps_force": True,
                                                 "stall_timeout_s": 2, "alert": {"threshold": 99999}}}})

    def clip(self, name, *codec):
        return harness.write_clip(self.path(name), seconds=20, fps=FPS, size="96x64", codec=codec)

    def test_pictures_that_cease(self):
        """From then on, slices of H.264 name parameter sets that the stream does not have. The decoder refuses them."""
        camera = LyingCamera(self.clip("clip.mkv", "-c:v", "ffv1"), FPS, interval=FPS)
        self.addCleanup(camera.close)
        daemon = self.start(camera.url)
        daemon.wait_camera("gate", "watching")
        began = time.monotonic()
        camera.change = lambda i, units: [u[:1] + b"\x88\x02\x74" + u[4:] if u[0] & 31 in (1, 5) else u for u in units]
        lost = daemon.wait_camera("gate", "lost", 15)
        self.assertIn("packets arrive, but no picture for 2 s", lost["reason"])
        if harness.SCALE == 1:
            self.assertLess(time.monotonic() - began, 4.5)
        daemon.stop()

    def without_first_pictures(self, count, interval):
        """A stream of VP8 that is joined behind a key frame."""
        head, frames = live_camera.ivf(self.clip("clip.ivf", "-c:v", "libvpx", "-g", interval, "-deadline", "realtime"))

        def play():
            yield 0, head
            for i, frame in enumerate(frames[count:]):
                yield i / FPS, frame
        camera = live_camera.LiveCamera(play)
        self.addCleanup(camera.close)
        return camera

    def test_pictures_that_begin_late(self):
        """Pictures begin after 4 s, which is longer than one time-out and shorter than three."""
        daemon = self.start(self.without_first_pictures(1, 41).url)
        daemon.wait_camera("gate", "watching", 20)
        self.assertEqual(daemon.events("camera_lost"), [])
        daemon.stop()

    def test_pictures_that_never_begin(self):
        daemon = self.start(self.without_first_pictures(1, 1000).url)
        lost = daemon.wait_camera("gate", "lost", 30)
        self.assertIn("packets arrive, but no picture for 6 s", lost["reason"])
        daemon.stop()


if __name__ == "__main__":
    harness.main()
