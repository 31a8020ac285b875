#!/usr/bin/python3
"""More cameras than the machine can follow. Every due window is scored or counted as skipped, and every camera gets its share.
(tests/bench/soak.py is the same for an hour.)"""
import json
import time

import harness

CAMERAS = 3
FPS = 30
SECONDS = 12


class Overload(harness.Case):
    def choose_model(self):
        """Writes a model so large that the cameras ask for twice the windows that one worker does here and now."""
        for size, channels in ((64, (8, 12, 16, 16)), (64, (16, 24, 32, 32)), (128, (16, 24, 32, 32)),
                               (128, (32, 48, 64, 64)), (128, (64, 96, 128, 128))):
            model = harness.write_model(self.path("model.safetensors"), size, size, channels, slots=200)
            bench = harness.run("bench", "--model", model, "--threads", 1, "--seconds", 1)
            if CAMERAS * FPS >= 2 / json.loads(bench.out)["seconds_per_cube"]:
                return model
        self.fail("this machine is too fast for the test's models")

    def test_shares_and_counts(self):
        clip = harness.write_clip(self.path("clip.mkv"), seconds=SECONDS, fps=FPS, size="64x64")
        model = self.choose_model()
        camera = {"source": clip, "model": model, "fps": FPS, "fps_force": True, "stride": 1, "backlog": 32,
                  "alert": {"threshold": 99999}}
        daemon = self.daemon({"workers": 1, "cameras": {f"c{i}": camera for i in range(CAMERAS)}})
        daemon.wait_camera("c0", "watching", 60)
        start = time.monotonic()
        for i in range(CAMERAS):
            daemon.wait_camera(f"c{i}", "stopped", SECONDS * 3 + 30)
        took = time.monotonic() - start
        due = SECONDS * FPS - harness.WINDOW + 1
        scored = []
        for i in range(CAMERAS):
            camera = daemon.camera(f"c{i}")
            follower = harness.Follower(daemon, f"c{i}", limit=1000)
            windows = [s["window"] for s in follower.drain()]
            self.assertEqual(camera["windows_due"], camera["windows_scored"] + camera["windows_skipped"], camera)
            self.assertEqual(camera["windows_pending"], 0)
            self.assertEqual(camera["windows_due"], due)
            self.assertEqual(len(set(windows)), camera["windows_scored"], "counted as scored, and not to be had")
            self.assertGreater(camera["windows_skipped"], 0, "this was no overload")
            self.assertGreater(camera["frames_dropped"], 0)
            scored.append(camera["windows_scored"])
        self.assertLess(took, SECONDS * 1.5 * harness.SCALE + 5, "frames were waited for, not dropped")
        fair = sum(scored) / CAMERAS
        for n in scored:
            self.assertLessEqual(abs(n - fair), 0.1 * fair, f"shares {scored}")
        daemon.stop()


if __name__ == "__main__":
    harness.main()
