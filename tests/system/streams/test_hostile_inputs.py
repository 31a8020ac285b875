#!/usr/bin/python3
"""If one camera's process is killed, stopped or fed with hostile footage, only that camera suffers. tests/bench/hostile_inputs.py
is the long form."""
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
import hostile_inputs  # noqa: E402


class HostileInputs(harness.Case):
    def test_one_camera_alone(self):
        model = harness.write_model(self.path("model.safetensors"))
        clip = harness.write_clip(self.path("clip.mkv"), seconds=120, size="96x64")
        common = {"model": model, "fps": 10, "fps_force": True, "stall_timeout_s": 1, "alert": {"threshold": 99999}}
        sources = {"well": clip, "killed": clip, "stopped": clip,
                   "tables": hostile_inputs.mp4_of_many_samples(self.path("many.mp4")),
                   "scans": hostile_inputs.progressive_jpeg(self.path("scans.jpg"), 8000, 8000, 20000),
                   "huge": hostile_inputs.progressive_jpeg(self.path("huge.jpg"), 16000, 16000, 2)}
        daemon = self.daemon({"max_decoder_mib": 300,
                              "cameras": {name: {**common, "source": source} for name, source in sources.items()}})
        for name in ("well", "killed", "stopped"):
            daemon.wait_camera(name, "watching")
        os.kill(harness.camera_process(daemon, "killed"), signal.SIGKILL)
        os.kill(harness.camera_process(daemon, "stopped"), signal.SIGSTOP)
        reasons = {"killed": "its process was killed", "stopped": "its process hangs, and is killed",
                   "scans": "its process hangs, and is killed"}
        for name, reason in reasons.items():
            with self.subTest(name):
                self.assertIn(reason, daemon.wait_event("camera_lost", 30, camera=name)["reason"])
        for name in ("tables", "huge"):
            with self.subTest(name):
                daemon.wait_camera(name, lambda c: c["state"] == "lost" and c["reason"])
        for name in ("killed", "stopped"):
            with self.subTest(name):
                daemon.wait_camera(name, "watching")        # opened again
        well = daemon.camera("well")
        self.assertEqual((well["windows_skipped"], sum(well["breaks"].values())), (0, 0))
        self.assertEqual(daemon.get("/healthz")[0], 200)
        if not harness.SAN:             # sanitizers have no bound on memory
            self.assertLess(harness.pss_mib(daemon.process.pid), 900)
        daemon.stop()


if __name__ == "__main__":
    harness.main()
