#!/usr/bin/python3
"""`calibrate` calibrates a model anew, on other footage or on more of it. The network stays as it is."""
import json
import os
import resource
import subprocess

import harness
import learning
from learning import DISC, metadata, tensors


class Calibrate(learning.Case):
    def test_calibrating_anew(self):
        model, anew = (os.path.join(self.folder, n) for n in ("learned.safetensors", "anew.safetensors"))
        self.assertEqual(self.learn(model, "--steps", "20").code, 0)
        thresholds = []
        for alerts in ("1", "1000", "1"):
            done = harness.run("calibrate", "--model", model, "--input", self.normal, "--output", anew, "--alerts-per-day",
                               alerts, "--threads", "1")
            self.assertEqual(done.code, 0, done.err)
            calibration = json.loads(metadata(anew)["memae.calibration"])
            thresholds.append(calibration["threshold"])
            budget = max(float(alerts), 1 / calibration["tail"]["hours"])       # little footage gives a larger budget
            self.assertIn(f"threshold {thresholds[-1]:.5g} for {budget:.4g} alerts a day", done.out)
        self.assertLess(thresholds[1], thresholds[0])
        self.assertEqual(thresholds[2], thresholds[0])
        self.assertEqual(tensors(anew), tensors(model))
        calibrations = [json.loads(metadata(m)["memae.calibration"]) for m in (anew, model)]
        for c in calibrations:                  # 8 bits were tried on windows that were held out
            self.assertLessEqual(c["int8"]["windows"], c["windows"])
            self.assertGreater(c["int8"]["rank_correlation"], 0.9)
            self.assertEqual(len(c["int8"]["low"]), len(c["int8"]["high"]))
            self.assertTrue(all(low <= 0 <= high for low, high in zip(c["int8"]["low"], c["int8"]["high"])))
            self.assertEqual(sorted(c["static"]), ["bound", "frozen_s", "largest_difference", "light_margin", "limits",
                                                   "windows"])
            self.assertGreaterEqual(c["static"]["bound"], 1.5 * c["static"]["largest_difference"])
            self.assertGreaterEqual(c["static"]["frozen_s"], 10)
        made, before = (json.loads(metadata(m)["memae.training"]) for m in (anew, model))
        self.assertEqual(made.pop("calibrated")["inputs"], ["normal"])
        self.assertEqual([m.pop("calibrated_on")["first"]["from"] for m in (made, before)], [0, 0.8])
        self.assertEqual(made, before)
        self.in_eight_bits(anew)
        frozen = os.path.join(self.folder, "still.mkv")
        self.footage(frozen, "lum='40+X':cb=128:cr=128", 3)
        done = harness.run("calibrate", "--model", model, "--input", frozen, "--output", model)
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertIn("the footage is frozen", done.err)
        done = harness.run("calibrate", "--model", model, "--input", self.normal, "--verify", frozen, "--output", model)
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertIn("--verify: the footage is frozen", done.err)
        self.assertEqual(harness.run("calibrate", "--model", model, "--output", anew).code, 2)

    def test_faults_of_the_footage_are_told(self):
        """They are told with clip and span, as by `learn`. Footage that is mostly black is refused, unless any will do."""
        model, anew = self.path("learned.safetensors"), self.path("anew.safetensors")
        sound, faulty = self.wall("sound.mkv", 30, "0"), self.wall("faulty.mkv", 25, "between(T,8,16)")
        self.assertEqual(self.learn(model, "--steps", "2", "--profile", "nano-ae", inputs=[sound]).code, 0)

        def calibrate(*inputs, options=()):
            return harness.run("calibrate", "--model", model, "--input", *inputs, "--output", anew, *options, timeout=120)
        done = calibrate(sound)
        self.assertEqual((done.code, learning.told(done)), (0, []), done.err)
        done = calibrate(sound, faulty)
        self.assertEqual(done.code, 0, done.err)
        self.tells(done, [("faulty", 8, 16)])
        self.assertIn("event=footage_faulty faults=1 percent=", done.err)
        os.unlink(anew)
        dark = self.wall("night.mkv", 72, "gt(T,28)")
        done = calibrate(dark)
        self.assertEqual((done.code, done.out, os.path.exists(anew)), (1, "", False), done.err)
        self.assertIn("the picture is black, covered or frozen in ", done.err)
        self.assertIn("or give --any-footage", done.err)
        done = calibrate(dark, options=["--any-footage"])
        self.assertEqual(done.code, 0, done.err)
        self.tells(done, [("night", 28, 72)])

    def test_a_model_that_cannot_be_written(self):
        """A device is refused at once. If the model exceeds a limit of file size, the existing file stays as it is."""
        model = self.path("learned.safetensors")
        self.assertEqual(self.learn(model, "--steps", "20").code, 0)
        done = harness.run("calibrate", "--model", model, "--input", "none-such.mkv", "--output", "/dev/full")
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertIn("/dev/full: expected a regular file, got a device", done.err)
        with open(model, "rb") as f:
            before = f.read()
        names = sorted(os.listdir(self.folder))
        limit = len(before) // 2
        done = subprocess.run([*harness.MEMAED, "calibrate", "--model", model, "--input", self.normal, "--output", model],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60 * harness.SCALE,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertIn(f"{model}: File too large", done.stderr)
        with open(model, "rb") as f:
            self.assertEqual(f.read(), before)
        self.assertEqual(sorted(os.listdir(self.folder)), names)

    def test_verifying_a_calibration(self):
        """The footage of calibrate --verify is not calibrated on. Its alerts are reported and kept in the model."""
        model, alone, anew = (os.path.join(self.folder, n) for n in ("verified.safetensors", "alone.safetensors",
                                                                     "anew.safetensors"))
        intruder = os.path.join(self.folder, "another.mkv")
        self.footage(intruder, f"lum='if(between(T,8,10)*lt(mod(X+60*T,32),16),255,{DISC})':cb=128:cr=128", 20)
        self.assertEqual(self.learn(model, "--steps", "20").code, 0)
        calibrate = ("calibrate", "--model", model, "--threads", "1", "--alerts-per-day", "5000", "--input", self.normal)
        self.assertEqual(harness.run(*calibrate, "--output", alone).code, 0)
        told = []
        for footage in ([intruder], [self.normal, intruder]):
            done = harness.run(*calibrate, "--output", anew, "--verify", *footage)
            self.assertEqual(done.code, 0, done.err)
            self.assertEqual(metadata(anew)["memae.calibration"], metadata(alone)["memae.calibration"])
            calibrated = json.loads(metadata(anew)["memae.training"])["calibrated"]
            self.assertEqual(calibrated["inputs"], ["normal"])
            told.append(calibrated["verified"])
            self.assertIn(f"verified on {told[-1]['hours']:.3g} hours", done.out)
            self.assertIn(f": {told[-1]['alerts']} alerts at this threshold; with others:", done.out)
        self.assertAlmostEqual(told[0]["hours"], 20 / 3600, delta=0.001)
        self.assertGreater(told[1]["hours"], told[0]["hours"])
        self.assertEqual([s["input"] for s in told[0]["suspects"]], ["another"] * told[0]["alerts"])
        self.assertTrue(any(7 <= s["at_s"] <= 11 for s in told[0]["suspects"]), told)
        self.assertIsNone(json.loads(metadata(alone)["memae.training"])["calibrated"]["verified"])

    def in_eight_bits(self, model):
        """Scores in both precisions are near each other, but not equal. auto gives one of the two."""
        scores = {}
        for precision in ("fp32", "int8", "auto"):
            done = harness.run("score", "--model", model, "--precision", precision, self.normal)
            self.assertEqual(done.code, 0, done.err)
            scores[precision] = [float(row.split(",")[4]) for row in done.out.splitlines()[1:]]
        self.assertGreater(len(scores["fp32"]), 50)
        for a, b in zip(scores["fp32"], scores["int8"]):
            self.assertAlmostEqual(a, b, delta=0.02 * a)
        self.assertNotEqual(scores["fp32"], scores["int8"])
        self.assertIn(scores["auto"], (scores["fp32"], scores["int8"]))
        self.assertEqual(harness.run("score", "--model", model, "--precision", "bf16", self.normal).code, 2)
        plain = harness.write_model(os.path.join(self.folder, "plain.safetensors"))
        done = harness.run("score", "--model", plain, "--precision", "int8", self.normal)
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertIn("precision: expected auto or fp32, got int8, for which the model was not calibrated", done.err)

    def test_adding_footage(self):
        """Adding footage gives the same calibration as all footage at once, bit for bit."""
        more, most = self.path("more.mkv"), self.path("most.mkv")
        self.footage(more, f"lum='{DISC}+20*sin(T)':cb=128:cr=128", 12)
        self.footage(most, "lum='40+X+8*T':cb=128:cr=128", 6)
        learned, once, model = (self.path(f"{n}.safetensors") for n in ("learned", "once", "added"))
        self.assertEqual(self.learn(learned, "--steps", "20").code, 0)
        self.calibrate(learned, once, self.normal, more, most)
        self.calibrate(learned, model, self.normal)
        for clip in more, most:
            self.calibrate(model, model, "--add", clip)
        self.assertEqual(metadata(model)["memae.calibration"], metadata(once)["memae.calibration"])
        self.assertEqual(tensors(model), tensors(learned))
        training = [json.loads(metadata(m)["memae.training"]) for m in (model, once)]
        self.assertEqual(training[0]["calibrated_on"]["paths"], [os.path.realpath(p) for p in (self.normal, more, most)])
        self.assertEqual([t["calibrated_on"]["frames"] for t in training], [330, 330])
        self.assertEqual([(t["calibrated"]["added"], t["calibrated"]["inputs"]) for t in training],
                         [(True, ["most"]), (False, ["normal", "more", "most"])])
        os.remove(more)
        self.refused_to_add(model, most, "--add: " + more)
        self.footage(more, f"lum='{DISC}':cb=128:cr=128", 8)
        self.refused_to_add(model, most, "--add: the footage that the model is calibrated on has changed: expected 330 frames, "
                            "got 290")

    def test_adding_to_what_was_held_out(self):
        """Footage that `learn` held out, the last fifth of --input or --calibrate, still counts. Learned footage does not."""
        apart, more, model, anew = (self.path(n) for n in ("apart.mkv", "more.mkv", "m.safetensors", "anew.safetensors"))
        for clip in apart, more:
            self.footage(clip, f"lum='{DISC}':cb=128:cr=128", 10)
        for args, kept in ((), 30), (("--calibrate", apart), 100):
            with self.subTest(args=args):
                self.assertEqual(self.learn(model, "--steps", "20", *args).code, 0)
                self.calibrate(model, anew, "--add", more)
                windows = json.loads(metadata(anew)["memae.calibration"])["windows"]
                self.assertEqual(windows, sum((n - 16) // 2 + 1 for n in (kept, 100)))

    def test_nothing_to_add_to(self):
        model = harness.write_model(self.path("plain.safetensors"))
        self.refused_to_add(model, self.normal, "--add: the model does not name files of the footage that it is calibrated on")

    def calibrate(self, model, output, *args):
        add, clips = [a for a in args if a.startswith("--")], [a for a in args if not a.startswith("--")]
        done = harness.run("calibrate", "--model", model, "--output", output, "--threads", "1", *add, "--input", *clips)
        self.assertEqual(done.code, 0, done.err)

    def refused_to_add(self, model, clip, reason):
        with open(model, "rb") as f:
            before = f.read()
        done = harness.run("calibrate", "--model", model, "--add", "--input", clip, "--output", model)
        self.assertEqual((done.code, done.out), (1, ""), done.err)
        self.assertIn(reason, done.err)
        with open(model, "rb") as f:
            self.assertEqual(f.read(), before)


if __name__ == "__main__":
    harness.main()
