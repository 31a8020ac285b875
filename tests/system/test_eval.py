#!/usr/bin/python3
"""`eval` beyond the ROC curve: motion baseline, events, average precision, localisation, the plot. Each is compared with its
definition in plain Python, on clips and models made here. The motion baseline is also compared with the reference beside
the project, on real footage. If that or numpy is missing, it is skipped and the runner says so."""
import collections
import csv
import io
import itertools
import json
import math
import os
import random
import shutil
import struct
import subprocess
import unittest.mock

import harness
from test_score import noise_clip, read_safetensors

SHARED = os.path.join(os.path.dirname(harness.ROOT), "shared")
BASELINE = os.path.join(SHARED, "reference", "motion_baseline.py")
PED2 = os.path.join(SHARED, "data", "ped2")
HEIGHT, WIDTH = 32, 48
DAY_S = 86400


def gray_clip(path, pictures, height, width, rate="10", jump=None):
    """jump: before this frame, ten frames are missing."""
    leap = ["-vf", f"settb=1/1000,setpts=(N+10*gte(N\\,{jump}))/({rate})/TB", "-fps_mode", "passthrough",
            "-enc_time_base", "1/1000"] if jump else []
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "gray", "-s",
                    f"{width}x{height}", "-r", rate, "-i", "-", *leap, "-c:v", "ffv1", "-pix_fmt", "gray", path],
                   input=b"".join(pictures), check=True)


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("model.safetensors"),
                                         calibration={"fps": 10.0, "threshold": 0.9, "close_threshold": 0.8, "median": 0.5,
                                                      "p99": 0.7, "maximum": 0.75, "windows": 100})
        self.clips, self.masks = self.path("clips"), self.path("masks")
        os.mkdir(self.clips)
        os.mkdir(self.masks)

    def eval(self, labels, *args, code=0, env=None):
        path = self.path("labels.txt")
        with open(path, "w", encoding="utf-8") as f:
            for name, values in labels.items():
                print(name, *values, file=f)
        command = harness.run("eval", "--model", self.model, "--clips", self.clips, "--labels", path, *args, env=env)
        self.assertEqual(command.code, code, command.err)
        self.said = command.err
        return json.loads(command.out) if code == 0 else command.err

    def rows(self, labels, *args):
        """Returns the rows of `score`, by clip."""
        inputs = [os.path.join(self.clips, f"{name}.mkv") for name in labels]
        rows = list(csv.DictReader(io.StringIO(harness.run("score", "--model", self.model, *args, *inputs).out)))
        return {name: [r for r in rows if r["clip"] == name] for name in labels}


class Motion(Case):
    def test_agrees_with_the_reference(self):
        if not os.path.exists(BASELINE) or not os.path.isdir(PED2):
            self.skipTest("motion: ../shared is not there")
        if subprocess.run(["/usr/bin/python3", "-c", "import numpy"], stderr=subprocess.DEVNULL, check=False).returncode:
            self.skipTest("motion: python3-numpy is not installed")
        clips, labels = os.path.join(PED2, "test"), os.path.join(PED2, "labels.txt")
        wanted = json.loads(subprocess.run(["/usr/bin/python3", BASELINE, clips, labels], check=True,
                                           capture_output=True).stdout)
        command = harness.run("eval", "--model", self.model, "--clips", clips, "--labels", labels,
                              timeout=120 * harness.SCALE)
        self.assertEqual(command.code, 0, command.err)
        result = json.loads(command.out)
        self.assertEqual(result["windows"], wanted["windows"])
        for key in ("auc_causal", "auc_per_clip_minmax"):
            self.assertLessEqual(abs(result["motion"][key] - wanted[key]), 0.002, key)
        print(f"# motion: {result['motion']} against {wanted}", flush=True)

    def test_stride_and_size_of_the_model(self):
        """Motion is measured on pictures of 128x128, whatever the model's size, and on the model's windows, also where a gap
        takes some away."""
        still, moved = bytes(range(256)) * 64, bytes(reversed(range(256))) * 64
        pictures = [moved if i in (20, 41) else still for i in range(60)]
        # A window sees the flash at frame t, which is two differences, with its centre from t - 3 to t + 4 or 5.
        abnormal = set(range(17, 26)) | set(range(38, 47))
        for stride, jump, windows in ((1, None, 45), (5, None, 9), (1, 30, 30), (5, 30, 6)):
            gray_clip(os.path.join(self.clips, "a.mkv"), pictures, 128, 128, jump=jump)
            result = self.eval({"a": [int(i in abnormal) for i in range(60)]}, "--stride", stride)
            self.assertEqual(result["windows"], windows, (stride, jump))
            self.assertEqual(result["motion"], {"auc_causal": 1.0, "auc_per_clip_minmax": 1.0}, (stride, jump))


class EventsCase(Case):
    """Labelled clips with events, and their figures by definition."""

    LABELS = {"a": [0] * 20 + [1] * 12 + [0] * 28, "b": [1] * 12 + [0] * 30 + [1, 1, 0] + [0] * 15,
              "c": [0] * 70, "d": [0] * 30 + [1] * 30}

    def record(self, seconds):
        """Writes clips with this interval from frame to frame, in seconds. c has a gap."""
        rng = random.Random(4)
        for name, values in self.LABELS.items():
            self.noise(os.path.join(self.clips, f"{name}.mkv"), values, seconds, rng, jump=35 if name == "c" else None)

    @staticmethod
    def noise(path, labels, seconds, rng, jump=None):
        pictures = []
        for label in labels:
            level, contrast = rng.randrange(256) if label else rng.randrange(80, 190), rng.randrange(1, 130)
            noise = rng.randbytes(HEIGHT * WIDTH)
            pictures.append(bytes(min(255, max(0, level + (b - 128) * contrast // 256)) for b in noise))
        gray_clip(path, pictures, HEIGHT, WIDTH, rate=f"1/{seconds}", jump=jump)

    @staticmethod
    def runs(rows):
        """Returns the windows of a clip, in unbroken sequences."""
        return [[r for _, r in group]
                for _, group in itertools.groupby(enumerate(rows), lambda p: int(p[1]["window"]) - p[0])]

    def normal_s(self):
        """Normal time: from each normal window to the next window in its sequence."""
        rows = self.rows(self.LABELS)
        return sum(float(b["pts_s"]) - float(a["pts_s"]) for name, labels in self.LABELS.items()
                   for run in self.runs(rows[name]) for a, b in zip(run, run[1:]) if not labels[int(a["frame"])])

    def normal_runs(self, rows):
        """Returns the scores of windows labelled normal, in unbroken sequences."""
        return [[float(r["score"]) for r in group] for name, labels in self.LABELS.items() for run in self.runs(rows[name])
                for label, group in itertools.groupby(run, lambda r, labels=labels: labels[int(r["frame"])]) if not label]

    @staticmethod
    def alarms(runs, threshold):
        return sum(on for run in runs for on, _ in itertools.groupby(score >= threshold for score in run))

    def expect(self, at, allowed, seconds, normal=None):
        """Returns the figures, found by trying all thresholds from the highest down. normal: the scores of --normal, in unbroken
        sequences. False alarms are counted on them, not on the clips."""
        rows = self.rows(self.LABELS)
        of_clips = self.normal_runs(rows)
        counted = normal or of_clips
        best = math.inf
        for threshold in sorted({float(r["score"]) for name in rows for r in rows[name]}.union(*counted), reverse=True):
            if self.alarms(counted, threshold) > allowed:
                break
            best = threshold
        delays, events = [], 0
        for name, labels in self.LABELS.items():
            start = 0
            for value, group in itertools.groupby(labels):
                length = len(list(group))
                here = [r for r in rows[name] if start <= int(r["frame"]) < start + length]
                if value and here:
                    events += 1
                    over = [r for r in here if float(r["score"]) >= best]
                    delays += [(int(over[0]["frame"]) + 7 - start) * seconds] if over else []
                start += length
        delays.sort()
        self.assertTrue(delays, "the test shows nothing: no event is found")
        self.assertEqual(at["false_alarms"], self.alarms(counted, best))
        self.assertEqual(at["false_alarms_in_clips"], self.alarms(of_clips, best))
        self.assertEqual(at["found"], len(delays))
        self.assertAlmostEqual(at["recall"], len(delays) / events, places=6)
        self.assertAlmostEqual(at["delay_s"]["max"], delays[-1], places=3)
        self.assertAlmostEqual(at["delay_s"]["mean"], sum(delays) / len(delays), places=3)
        self.assertAlmostEqual(at["delay_s"]["median"], (delays[(len(delays) - 1) // 2] + delays[len(delays) // 2]) / 2,
                               places=3)
        return events


class Events(EventsCase):
    def test_long_enough(self):
        self.record(100)                                # over 100 normal windows of 100 s: more than a tenth of a day
        result = self.eval(self.LABELS)
        events = result["events"]
        self.assertAlmostEqual(events["normal_s"], self.normal_s(), places=3)
        days = events["normal_s"] / DAY_S
        self.assertAlmostEqual(events["resolution_per_day"], 1 / days, places=5)
        self.assertEqual(result["fps"], 0.01)
        self.assertEqual(result["delay"], {"frames": 7, "seconds": 700.0})
        self.assertIn("learned at 10", self.said)       # a model of ten frames a second
        self.assertEqual([(e["false_alarms_per_day"], e["resolved"]) for e in events["at"]],
                         [(1, False), (10, math.floor(10 * days) >= 1), (100, True)])
        self.assertEqual([events["at"][0][k] for k in ("threshold", "found", "recall", "delay_s")], [None] * 4)
        self.assertEqual([e["normal_hours_needed"] for e in events["at"]], [24, 2.4, 0.24])
        self.assertEqual(events["counted_on"], "clips")
        self.assertIsNone(result["normal"])
        self.assertTrue(events["at"][1]["resolved"])
        count = self.expect(events["at"][1], math.floor(10 * days), 100)
        self.expect(events["at"][2], math.floor(100 * days), 100)
        self.expect(events["no_false_alarm"], 0, 100)
        self.assertEqual(events["no_false_alarm"]["false_alarms"], 0)
        self.assertAlmostEqual(events["no_false_alarm"]["per_day_at_most_95"], -math.log(0.05) / days, places=4)
        self.assertEqual(events["count"], count)
        self.assertEqual(count, 4)                      # a; both of b; d

    def test_too_short(self):
        self.record(1)
        result = self.eval(self.LABELS)
        self.assertEqual([e["resolved"] for e in result["events"]["at"]], [False] * 3)
        self.assertEqual([e["threshold"] for e in result["events"]["at"]], [None] * 3)
        self.expect(result["events"]["no_false_alarm"], 0, 1)

    def test_average_precision(self):
        self.record(1)
        rows = self.rows(self.LABELS)
        ranked = sorted(((float(r["score"]), self.LABELS[name][int(r["frame"])]) for name in rows for r in rows[name]),
                        reverse=True)
        hits, total = 0, 0.0
        for i, (_, label) in enumerate(ranked, 1):
            hits += label
            total += label * hits / i
        self.assertAlmostEqual(self.eval(self.LABELS)["average_precision"], total / hits, places=6)

    def test_nothing_normal(self):
        noise_clip(os.path.join(self.clips, "a.mkv"), 30, HEIGHT, WIDTH)
        result = self.eval({"a": [1] * 30})
        self.assertIsNone(result["average_precision"])
        self.assertIsNone(result["events"]["resolution_per_day"])
        self.assertIsNone(result["events"]["no_false_alarm"]["threshold"])
        self.assertEqual(result["events"]["count"], 1)
        self.assertEqual(result["motion"], {"auc_causal": None, "auc_per_clip_minmax": None})


class Localisation(Case):
    FRAMES = 26

    def setUp(self):
        super().setUp()
        rng = random.Random(9)
        self.labels = {"a": [1] * self.FRAMES, "b": [0] * self.FRAMES}
        self.pictures, self.truth = {}, {}
        for i, name in enumerate(self.labels):
            self.pictures[name] = noise_clip(os.path.join(self.clips, f"{name}.mkv"), self.FRAMES, HEIGHT, WIDTH, seed=i)
            self.truth[name] = []
            for frame in range(self.FRAMES):
                mask = bytearray(HEIGHT * WIDTH)
                for y, x in self.places(name, frame, rng):
                    for row in range(y, y + rng.randrange(1, 10)):
                        mask[row * WIDTH + x:row * WIDTH + x + 11] = b"\xff" * 11
                self.truth[name].append(bytes(mask))
            gray_clip(os.path.join(self.masks, f"{name}.mkv"), self.truth[name], HEIGHT, WIDTH)

    @staticmethod
    def places(name, frame, rng):
        """Returns the corners of the regions of a mask. In a, one region moves and others come and go. b begins where a ends, at
        a's last centre frame, 18."""
        if name == "b":
            return [(9, 18)] if frame < 11 else []
        moving = [(frame // 2, frame)] if frame == 18 or rng.randrange(3) else []
        return moving + [(rng.randrange(HEIGHT - 9), rng.randrange(WIDTH - 11)) for _ in range(rng.randrange(2))]

    def maps(self):
        """For each window, the mean squared error in 4x6 cells of 8x8 pixels, from the dumps of `score`, and the mask of its
        centre frame."""
        dump = self.path("dump")
        for name, rows in self.rows(self.labels, "--dump", dump).items():
            for row in rows:
                tensors = read_safetensors(os.path.join(dump, f"{name}-{int(row['window']):06d}.safetensors"))
                x_hat = struct.unpack(f"<{16 * HEIGHT * WIDTH}f", tensors["x_hat"][1])
                cells = [0.0] * 24
                for t in range(16):
                    picture = self.pictures[name][int(row["window"]) + t]
                    for i, p in enumerate(picture):
                        x = (p / 255 - 0.5) / 0.5
                        cells[i // WIDTH // 8 * 6 + i % WIDTH // 8] += (x_hat[t * HEIGHT * WIDTH + i] - x) ** 2 / 1024
                yield cells, self.truth[name][int(row["frame"])]

    def tracks(self, truth):
        """The track of each region, numbered from 0, as a list for each frame. truth: regions of each frame, clip after clip."""
        numbers, count, per_clip = [], itertools.count(), self.FRAMES - 15
        for at, regions in enumerate(truth):
            before = truth[at - 1] if at % per_clip else []
            pairs = sorted((-len(a & b) / len(a | b), i, k) for i, a in enumerate(before) for k, b in enumerate(regions) if a & b)
            here, taken = [None] * len(regions), set()
            for _, i, k in pairs:
                if here[k] is None and i not in taken:
                    here[k] = numbers[-1][i]
                    taken.add(i)
            numbers.append([next(count) if n is None else n for n in here])
        return numbers

    @staticmethod
    def regions(on):
        """Connected components of a set of (y, x), diagonals too."""
        on, found = set(on), []
        while on:
            todo = [on.pop()]
            region = set(todo)
            while todo:
                y, x = todo.pop()
                near = {(y + v, x + u) for v in (-1, 0, 1) for u in (-1, 0, 1)} & on
                on -= near
                region |= near
                todo += near
            found.append(region)
        return found

    def test_figures(self):
        maps = list(self.maps())
        result = self.eval(self.labels, "--masks", self.masks)["localisation"]
        self.assertEqual((result["masks"], result["map"], result["frames"]), (self.masks, [4, 6], 22))

        counts = []                                     # value, abnormal pixels, normal ones
        for cells, mask in maps:
            for c, value in enumerate(cells):
                on = sum(mask[y * WIDTH + x] > 0 for y in range(c // 6 * 8, c // 6 * 8 + 8)
                         for x in range(c % 6 * 8, c % 6 * 8 + 8))
                counts.append((value, on, 64 - on))
        wins, above = 0.0, 0
        for _, on, off in sorted(counts, reverse=True):
            wins += off * (above + on / 2)
            above += on
        pixels = 22 * HEIGHT * WIDTH
        self.assertAlmostEqual(result["pixel_auc"], wins / (above * (pixels - above)), places=4)

        truth = [self.regions((i // WIDTH, i % WIDTH) for i, on in enumerate(mask) if on) for _, mask in maps]
        self.assertEqual(result["regions"], sum(map(len, truth)))
        tracks = self.tracks(truth)
        lengths = collections.Counter(itertools.chain(*tracks))
        self.assertEqual(result["tracks"], len(lengths))
        self.assertLess(len(lengths), result["regions"], "no region continues another")
        best, best_tracks = [0] * (len(maps) + 1), [0] * (len(maps) + 1)
        for threshold in sorted((v for v, _, _ in counts), reverse=True):
            wrong = found = 0
            per_track = collections.Counter()
            for (cells, _), regions, track in zip(maps, truth, tracks):
                hit = set()
                for blob in self.regions((c // 6, c % 6) for c, v in enumerate(cells) if v >= threshold):
                    area = {(y * 8 + v, x * 8 + u) for y, x in blob for v in range(8) for u in range(8)}
                    mine = {i for i, r in enumerate(regions) if 10 * len(r & area) >= len(r | area)}
                    wrong += not mine
                    hit |= mine
                found += len(hit)
                per_track.update(track[i] for i in hit)
            if wrong > len(maps):
                break
            best[wrong] = max(best[wrong], found)
            best_tracks[wrong] = max(best_tracks[wrong], sum(10 * n >= lengths[t] for t, n in per_track.items()))
        for key, points, count in ("rbdc", best, result["regions"]), ("tbdc", best_tracks, result["tracks"]):
            area = sum(itertools.accumulate(points[:-1], max))
            self.assertAlmostEqual(result[key], area / len(maps) / count, places=6)
            self.assertGreater(area, 0)

    def test_without_masks(self):
        self.assertIsNone(self.eval(self.labels)["localisation"])

    def test_folder_of_images(self):
        before = self.eval({"a": self.labels["a"]}, "--masks", self.masks)
        os.mkdir(os.path.join(self.masks, "tmp"))
        harness.ffmpeg("-i", os.path.join(self.masks, "a.mkv"), os.path.join(self.masks, "tmp", "%03d.png"))
        os.unlink(os.path.join(self.masks, "a.mkv"))
        os.rename(os.path.join(self.masks, "tmp"), os.path.join(self.masks, "a"))
        self.assertEqual(self.eval({"a": self.labels["a"]}, "--masks", self.masks), before)

    def test_faults(self):
        mask = os.path.join(self.masks, "b.mkv")
        gray_clip(mask, self.truth["b"][:-1], HEIGHT, WIDTH)
        self.assertRegex(self.eval(self.labels, "--masks", self.masks, code=1),
                         r"labels.txt:2: .*b.mkv: expected 26 masks, as many as frames, got 25")
        gray_clip(mask, [bytes(64)] * self.FRAMES, 8, 8)
        self.assertIn("expected masks of 48x32, the clip's size, got 8x8", self.eval(self.labels, "--masks", self.masks, code=1))
        os.unlink(mask)
        self.assertIn("clip b: expected a folder of that name, or a file", self.eval(self.labels, "--masks", self.masks, code=1))


class Committee(Case):
    """With several --model, figures are of the mean over the models."""

    def setUp(self):
        super().setUp()
        self.calibration = {"fps": 10.0, "threshold": 0.5, "close_threshold": 0.4, "median": 0.5, "p99": 0.7, "maximum": 0.75,
                            "windows": 100}
        self.other = harness.write_model(self.path("other.safetensors"), seed=2, calibration=self.calibration)
        rng = random.Random(4)
        self.labels = {name: [rng.randrange(2) for _ in range(30)] for name in ("a", "b", "c")}
        for i, name in enumerate(self.labels):
            pictures = noise_clip(os.path.join(self.clips, f"{name}.mkv"), 30, HEIGHT, WIDTH, seed=i)
            gray_clip(os.path.join(self.masks, f"{name}.mkv"), [bytes(p // 200 * 255 for p in c) for c in pictures], HEIGHT,
                      WIDTH)

    def auc(self, scale, *models, column="reference"):
        normal, abnormal = [], []
        rows = [self.rows(self.labels, "--model", model) for model in models]
        for name, labels in self.labels.items():
            values = [sum(float(r[column]) for r in each) / len(models) for each in zip(*(r[name] for r in rows))]
            low, high = (min(values), max(values)) if scale else (0, 1)
            for value, row in zip(values, rows[0][name]):
                (abnormal if labels[int(row["frame"])] else normal).append((value - low) / (high - low))
        return sum((a > b) + (a == b) / 2 for a in abnormal for b in normal) / len(abnormal) / len(normal)

    def test_mean(self):
        alone, both = self.eval(self.labels), self.eval(self.labels, "--model", self.other)
        self.assertEqual((alone["model"], both["model"]), (self.model, [self.model, self.other]))
        self.assertEqual((alone["precision"], both["precision"]), ("fp32", ["fp32", "fp32"]))
        self.assertAlmostEqual(both["alerts"]["threshold"], 0.7, places=6)
        self.assertAlmostEqual(both["auc_per_clip_minmax"], self.auc(True, self.model, self.other), places=6)
        self.assertAlmostEqual(both["auc_reference_raw"], self.auc(False, self.model, self.other), places=6)
        self.assertEqual(both["auc_causal"], both["auc_reference_raw"])     # no calibration of ours: the score is the reference
        self.assertNotEqual(both["auc_reference_raw"], alone["auc_reference_raw"])
        self.assertEqual(set(both["auc_voices"].values()), {None})

    def test_voices(self):
        """The figures of places are null for a model without places, and so for a committee with such a model."""
        models = []
        for name, calibration in (("two", harness.OWN_CALIBRATION),
                                  ("four", harness.with_places(harness.OWN_CALIBRATION, HEIGHT, WIDTH))):
            models.append(harness.write_model(self.path(f"{name}.safetensors"), HEIGHT, WIDTH, seed=3, calibration=calibration))
        self.model = models[1]
        four = self.eval(self.labels)["auc_voices"]
        for voice in ("speed", "change", "pace", "appearance"):
            self.assertAlmostEqual(four[voice], self.auc(False, models[1], column=voice), places=4)
        self.assertGreater(len(set(four.values())), 2)
        both = self.eval(self.labels, "--model", models[0])["auc_voices"]
        self.assertEqual([v for v in both if both[v] is None], ["pace", "appearance", "still"])

    def test_twice_the_same(self):
        args = ("--masks", self.masks, "--normal", os.path.join(self.clips, "a.mkv"))
        alone, both = self.eval(self.labels, *args), self.eval(self.labels, *args, "--model", self.model)
        for result in alone, both:
            del result["model"], result["precision"]
        self.assertEqual(both, alone)

    def test_faults(self):
        for calibration in None, harness.OWN_CALIBRATION:
            unlike = harness.write_model(self.path("unlike.safetensors"), calibration=calibration)
            self.assertIn("calibrated in different ways", self.eval(self.labels, "--model", unlike, code=1))
        with unittest.mock.patch.object(harness, "WINDOW", 8):
            shorter = harness.write_model(self.path("shorter.safetensors"), calibration=self.calibration)
        self.assertRegex(self.eval(self.labels, "--model", shorter, code=1),
                         "shorter.*: expected windows of 16 frames as in .*, got 8")
        larger = harness.write_model(self.path("larger.safetensors"), 64, 48, calibration=self.calibration)
        self.assertEqual(len(self.eval(self.labels, "--model", larger)["model"]), 2)
        self.assertIn("expected maps of 6x4 cells as by the first model, got 6x8",
                      self.eval(self.labels, "--masks", self.masks, "--model", larger, code=1))
        self.assertIn("at most 64", self.eval(self.labels, *["--model", self.model] * 64, code=2))


class Plot(Case):
    def setUp(self):
        super().setUp()
        if not shutil.which("gnuplot"):
            self.skipTest("plot: gnuplot is not installed (make deps)")
        self.labels = {}
        for i, name in enumerate(("a", "b")):
            noise_clip(os.path.join(self.clips, f"{name}.mkv"), 40, HEIGHT, WIDTH, seed=i)
            self.labels[name] = [0] * 20 + [1] * 20

    def test_svg(self):
        path = self.path("it's a {plot} $(x) `y` \"z\".svg")
        noise_clip(os.path.join(self.clips, "it's_{c}^2.mkv"), 30, HEIGHT, WIDTH, seed=5)
        self.eval({**self.labels, "it's_{c}^2": [0, 1] * 15}, "--plot", path)
        with open(path, encoding="utf-8") as f:
            picture = f.read()
        self.assertTrue(picture.startswith("<?xml") and picture.rstrip().endswith("</svg>"))
        text = picture.replace("&#39;", "'").replace("&apos;", "'")
        for word in (">it's_{c}^2<", "labelled abnormal", "alert threshold", ">score<", "11 s in all"):
            self.assertIn(word, text)
        self.assertEqual([f for f in os.listdir(self.folder) if f.endswith(".part")], [])

    def test_png(self):
        path = self.path("plot.png")
        self.eval(self.labels, "--plot", path)
        with open(path, "rb") as f:
            picture = f.read()
        self.assertEqual(picture[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(struct.unpack(">II", picture[16:24]), (1600, 480))

    def test_no_threshold(self):
        self.model = harness.write_model(self.path("bare.safetensors"))
        path = self.path("plot.svg")
        self.eval(self.labels, "--plot", path)
        with open(path, encoding="utf-8") as f:
            self.assertNotIn("alert threshold", f.read())

    def test_faults(self):
        """The message comes before anything is scored."""
        self.model = self.path("nowhere.safetensors")
        self.assertIn(".svg or .png", self.eval(self.labels, "--plot", self.path("plot.jpg"), code=1))
        self.assertIn("No such file", self.eval(self.labels, "--plot", self.path("no/plot.svg"), code=1))
        said = self.eval(self.labels, "--plot", self.path("plot.svg"), code=1, env={"PATH": self.folder})
        self.assertIn("gnuplot is not installed; install it (Debian: gnuplot-nox)", said)

    def test_gnuplot_that_fails(self):
        """A plot that exists stays as it is."""
        path, programs = self.path("plot.svg"), self.path("bin")
        os.mkdir(programs)
        with open(os.path.join(programs, "gnuplot"), "w", encoding="utf-8") as f:
            f.write('#!/bin/sh\n[ "$2" = --version ] && exit 0\necho broken >&2; exit 3\n')
        os.chmod(os.path.join(programs, "gnuplot"), 0o755)
        with open(path, "w", encoding="utf-8") as f:
            f.write("old")
        said = self.eval(self.labels, "--plot", path, code=1,
                         env={"PATH": programs + os.pathsep + os.environ["PATH"]})
        self.assertIn("gnuplot failed with status 3", said)
        self.assertIn("broken", said)
        with open(path, encoding="utf-8") as f:
            self.assertEqual(f.read(), "old")
        self.assertEqual([f for f in os.listdir(self.folder) if f.endswith(".part")], [])


if __name__ == "__main__":
    harness.main()
