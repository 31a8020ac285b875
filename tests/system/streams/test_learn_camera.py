#!/usr/bin/python3
"""`learn` from a camera: the camera goes away, a recording is interrupted and continued, a file is the camera."""
import json
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
import learning  # noqa: E402
from learning import metadata, scores, tensors  # noqa: E402


class LearnCamera(learning.Case):
    def live(self):
        long = os.path.join(self.folder, "long.mkv")
        self.footage(long, "lum='if(lt(hypot(X-48-24*cos(T),Y-32-12*sin(T)),8),235,60+X/2)':cb=128:cr=128", 60)
        return self.rtsp(long, fps=10)

    def test_from_a_camera_that_goes_away(self):
        server = self.live()
        config, model = self.configuration(server.url)
        self.assertNotEqual(harness.run("check", "--config", config).code, 0)      # only learn accepts a missing model
        process = subprocess.Popen([*harness.MEMAED, *self.camera_args(config, 0.003)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            recording = f"{model}.recording"
            harness.wait_for("recording", lambda: os.path.exists(recording) and os.stat(recording).st_size > 30 * 400, 30)
            server.kill()
            harness.wait_for("port", lambda: server.process.poll() is not None, 10)
            server.start()
            _, err = process.communicate(timeout=90 * harness.SCALE)
        finally:
            process.kill()
            process.wait()
        err = err.decode()
        self.assertEqual(process.returncode, 0, err)
        events = [(harness.parse_line(line) or {}).get("event") for line in err.splitlines()]
        self.assertEqual([events.count(e) for e in ("camera_lost", "camera_restored")], [1, 1], err)
        footage = harness.parse_line(next(x for x in err.splitlines() if "event=footage " in x))
        self.assertTrue(105 <= int(footage["frames"]) <= 125, footage)     # 10.8 s, plus intervals that the gap swallowed
        self.assertEqual(json.loads(metadata(model)["memae.training"])["frames"], int(footage["frames"]))
        self.assertFalse(os.path.exists(f"{model}.recording"))
        self.assertLess(max(scores(model, self.normal)), float("inf"))

    def test_a_recording_goes_on(self):
        server = self.live()
        config, model = self.configuration(server.url)
        recording = f"{model}.recording"
        process = subprocess.Popen([*harness.MEMAED, *self.camera_args(config, 1)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            harness.wait_for("recording", lambda: os.path.exists(recording) and os.stat(recording).st_size > 40 * 400, 30)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=10 * harness.SCALE)
        finally:
            process.kill()
            process.wait()
        self.assertEqual(process.returncode, 1, err)
        self.assertIn(b"the same command with --resume continues", err)
        done = harness.run(*self.camera_args(config, 0.0025), timeout=60)
        self.assertEqual(done.code, 1)
        self.assertIn("there is a recording already", done.err)
        done = harness.run(*self.camera_args(config, 0.0025, "--resume"), timeout=60)
        self.assertEqual(done.code, 0, done.err)
        there = float(harness.parse_line(next(x for x in done.err.splitlines() if "event=recording" in x))["seconds"])
        self.assertGreater(there, 1)
        frames = int(harness.parse_line(next(x for x in done.err.splitlines() if "event=footage " in x))["frames"])
        self.assertTrue(88 <= frames <= 100, frames)       # 9 s in two sequences
        self.assertFalse(os.path.exists(recording))

    def test_from_a_file_as_camera(self):
        config, model = self.configuration(self.normal)
        other = os.path.join(self.folder, "other.safetensors")
        done = harness.run(*self.camera_args(config, 5, "--output", other), timeout=60)
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("frames=150", done.err)
        self.assertTrue(os.path.exists(other) and not os.path.exists(model))
        done = harness.run(*self.camera_args(config, 5, "--max-disk", "1", "--size", "512x512"), timeout=60)
        self.assertEqual(done.code, 1)
        self.assertIn("exceeds 1 MiB on disk", done.err)
        config, _ = self.configuration(os.path.join(self.folder, "none-such.mkv"))
        done = harness.run(*self.camera_args(config, 5), timeout=60)
        self.assertEqual(done.code, 1)
        self.assertIn("none-such.mkv", done.err)

    def test_resuming_a_file_as_camera(self):
        """From a file that is shorter than --hours `learn` learns once, however often the run is killed."""
        config, model = self.configuration(self.normal)
        whole = self.path("whole.safetensors")
        args = self.camera_args(config, 5, "--steps", "200")
        self.assertEqual(harness.run(*args, "--output", whole, timeout=60).code, 0)
        self.assertEqual(self.interrupted(model, signal.SIGKILL, command=args)[0], -signal.SIGKILL)
        done = harness.run(*args, "--resume", timeout=60)
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("event=resumed", done.err)
        self.assertIn("frames=150", done.err)
        self.assertEqual(tensors(model), tensors(whole))
        self.assertEqual([n for n in os.listdir(self.folder) if n.startswith("gate")], ["gate.safetensors"])


if __name__ == "__main__":
    harness.main()
