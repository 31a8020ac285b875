#!/usr/bin/python3
"""`eval --normal` takes normal footage beside the labelled clips. False alarms and false alerts are counted on it. Both are
compared with their definition in plain Python, on clips and a model made here."""
import csv
import io
import math
import os
import random
import re

import harness
import test_eval
from test_eval import DAY_S, HEIGHT, WIDTH
from test_score import noise_clip


class Normal(test_eval.EventsCase):
    def record_normal(self, seconds):
        """A folder of two videos, the second with a gap, and a folder of images. Returns their paths and, for each source, the
        rows of its unbroken sequences."""
        folder, images, rng = self.path("normal"), self.path("images"), random.Random(7)
        os.mkdir(folder)
        os.mkdir(images)
        files = [os.path.join(folder, "1.mkv"), os.path.join(folder, "2.mkv")]
        self.noise(files[0], [0] * 60, seconds, rng)
        self.noise(files[1], [0] * 60, seconds, rng, jump=35)
        noise_clip(os.path.join(folder, ".hidden.mkv"), 20, HEIGHT, WIDTH)
        harness.ffmpeg("-i", files[0], "-frames:v", "20", os.path.join(images, "%03d.png"))
        rows = list(csv.DictReader(io.StringIO(harness.run("score", "--model", self.model, *files, images).out)))
        return [folder, images], {name: self.runs([r for r in rows if r["clip"] == name]) for name in ("1", "2", "images")}

    def test_footage(self):
        """The clips are too short for any budget. The normal footage is long enough for 10 and 100 false alarms a day."""
        self.record(1)
        paths, runs = self.record_normal(100)
        result = self.eval(self.LABELS, "--normal", *paths)
        events, normal = result["events"], result["normal"]
        # 1: 45 windows of 100 s. 2: 35 frames and 25 frames, so 20 windows and 10. images: 20 frames at 25 a second.
        hours = {"1": 44 * 100 / 3600, "2": (19 + 9) * 100 / 3600, "images": 4 / 25 / 3600}
        for source, (name, windows) in zip(normal["sources"], (("1", 45), ("2", 30), ("images", 5)), strict=True):
            self.assertEqual((source["source"], source["windows"]), (name, windows))
            self.assertAlmostEqual(source["hours"], hours[name], places=8)
        self.assertEqual(normal["windows"], 80)
        self.assertAlmostEqual(normal["hours"], sum(hours.values()), places=8)
        self.assertIn("2.mkv: 15 windows left out: 0 corrupt frames, 1 gaps", self.said)
        self.assertRegex(self.said, r"--normal has 0\.01\d* frames a second, but .* learned at 10")

        self.assertEqual(events["counted_on"], "normal")
        self.assertAlmostEqual(events["normal_s"], 7200.16, places=5)
        self.assertAlmostEqual(events["resolution_per_day"], DAY_S / 7200.16, places=5)
        self.assertEqual([e["resolved"] for e in events["at"]], [False, False, True])       # 0.08, 0.8 and 8 false alarms
        self.assertEqual([e["normal_hours_needed"] for e in events["at"]], [24, 2.4, 0.24])
        self.assertIsNone(events["at"][1]["recall"])
        scores = [[float(r["score"]) for r in run] for sequences in runs.values() for run in sequences]
        self.expect(events["at"][2], 8, 1, scores)
        self.expect(events["no_false_alarm"], 0, 1, scores)

        # Files of the folder that are no footage are named, and change nothing.
        for name, content in (("0.mkv", b"no video\n"), ("3.mkv", b"")):
            with open(os.path.join(paths[0], name), "wb") as f:
                f.write(content)
        again = self.eval(self.LABELS, "--normal", *paths)
        self.assertEqual(again, result)
        for name in ("0.mkv", "3.mkv"):
            self.assertEqual(len(re.findall(f"warning: skipped: {os.path.join(paths[0], name)}: ", self.said)), 1, self.said)

        # Nothing else depends on the normal footage.
        alone = self.eval(self.LABELS)
        del result["normal"], result["events"], alone["normal"], alone["events"]
        self.assertEqual(result, alone)

    def test_almost_long_enough(self):
        """100 false alarms a day take 864 s, of which 1 % may be missing."""
        self.record(1)
        path = self.path("normal.mkv")
        for seconds, resolved in ((106, False), (107, True)):
            self.noise(path, [0] * 24, seconds, random.Random(7))               # nine windows: 8 * 106 s is 98.1 %
            events = self.eval(self.LABELS, "--normal", path)["events"]
            self.assertAlmostEqual(events["normal_hours"], 8 * seconds / 3600, places=8)
            self.assertEqual([e["resolved"] for e in events["at"]], [False, False, resolved])
            self.assertEqual(events["at"][2]["false_alarms"], 1 if resolved else None)

    def test_alerts(self):
        """The default alert rule, each source by itself. An alert opens once 3 of the last 5 windows reach the threshold. It
        closes after 5 windows below or at a gap, and the next one opens a minute later at the earliest."""
        self.record(1)
        paths, runs = self.record_normal(100)
        for threshold, alerts in ((0, {"1": 1, "2": 2, "images": 1}),       # all windows: one alert a sequence
                                  (1000, {"1": 0, "2": 0, "images": 0})):
            normal = self.eval(self.LABELS, "--threshold", threshold, "--normal", *paths)["normal"]
            self.assertEqual({s["source"]: s["alerts"] for s in normal["sources"]}, alerts)
            self.assertEqual(normal["alerts"], sum(alerts.values()))
            self.assertAlmostEqual(normal["alerts_per_day"], sum(alerts.values()) * DAY_S / 7200.16, places=4)

        scores = sorted(float(r["score"]) for sequences in runs.values() for run in sequences for r in run)
        threshold, total = scores[len(scores) // 2], 0
        normal = self.eval(self.LABELS, "--threshold", repr(threshold), "--normal", *paths)["normal"]
        for source in normal["sources"]:
            alerts, closed = 0, -math.inf
            for run in runs[source["source"]]:
                marks, is_open = [], False
                for row in run:
                    marks = marks[-4:] + [float(row["score"]) >= threshold]
                    if is_open and len(marks) == 5 and not any(marks):
                        is_open, closed = False, float(row["pts_s"])
                    elif not is_open and sum(marks) >= 3 and float(row["pts_s"]) >= closed + 60 and marks[-1]:
                        is_open, alerts = True, alerts + 1
                if is_open:
                    closed = float(run[-1]["pts_s"])
            self.assertEqual(source["alerts"], alerts)
            total += alerts
        self.assertGreater(total, 0)

    def test_without_a_threshold(self):
        self.record(1)
        self.model = harness.write_model(self.path("bare.safetensors"))
        paths, _ = self.record_normal(100)
        normal = self.eval(self.LABELS, "--normal", *paths)["normal"]
        self.assertEqual((normal["windows"], normal["alerts"], normal["alerts_per_day"]), (80, None, None))
        self.assertEqual([s["alerts"] for s in normal["sources"]], [None] * 3)

    def test_faults(self):
        """A fault of --normal is found before anything is scored."""
        self.record(1)
        short = self.path("short.mkv")
        noise_clip(short, 15, HEIGHT, WIDTH)
        result = self.eval(self.LABELS, "--normal", short)
        self.assertIn("short.mkv: shorter than one window of 16 frames", self.said)
        self.assertEqual((result["normal"]["windows"], result["normal"]["alerts_per_day"]), (0, None))
        self.assertEqual(result["events"]["counted_on"], "normal")
        self.assertIsNone(result["events"]["no_false_alarm"]["threshold"])
        os.mkdir(self.path("empty"))
        for path, text in (("absent.mkv", "absent.mkv: No such file"),
                           ("labels.txt", "labels.txt: the format is tty, which is not one"),
                           ("empty", "no footage in this folder")):
            said = self.eval(self.LABELS, "--normal", short, self.path(path), code=1)
            self.assertRegex(said, "^memaed eval: --normal: .*" + text)
        said = self.eval(self.LABELS, "--normal", "rtsp://user:hunter2@127.0.0.1/x", code=1)
        self.assertIn("a live stream has no end", said)
        self.assertNotIn("hunter2", said)


if __name__ == "__main__":
    harness.main()
