#!/usr/bin/python3
"""`score` and `eval`: rows, windows, dumps. Parity with PyTorch on lossless clips, for the reference's own architectures and
for others. Parity needs python3-torch and the reference implementation beside the project. If either is missing, it is
skipped and the runner says so."""
import csv
import importlib.util
import io
import json
import math
import os
import random
import re
import struct
import subprocess
import unittest

import harness

REFERENCE = os.path.join(os.path.dirname(harness.ROOT), "shared", "reference", "memae_torch.py")
COLUMNS = ["clip", "window", "frame", "pts_s", "reference", "score"]
VOICES = ["speed", "change", "pace", "appearance", "still"]


def load_reference():
    """Returns (torch, memae_torch), or raises SkipTest."""
    try:
        import torch
    except ImportError:
        raise unittest.SkipTest("parity: python3-torch is not installed") from None
    if not os.path.exists(REFERENCE):
        raise unittest.SkipTest("parity: ../shared/reference/memae_torch.py is not there")
    spec = importlib.util.spec_from_file_location("memae_torch", REFERENCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return torch, module


def read_safetensors(path):
    """Name -> (shape, bytes)."""
    with open(path, "rb") as f:
        raw = f.read()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + size])
    header.pop("__metadata__", None)
    for entry in header.values():
        assert entry["dtype"] == "F32", entry
    return {name: (e["shape"], raw[8 + size:][slice(*e["data_offsets"])]) for name, e in header.items()}


def noise_clip(path, frames, height, width, seed=1):
    """Writes a lossless gray clip of noise. Its contrast and level change from frame to frame, so that no two windows are alike.
    Returns the frames' bytes."""
    rng = random.Random(seed)
    pictures = []
    for _ in range(frames):
        level, contrast = rng.randrange(256), rng.randrange(1, 256)
        noise = rng.randbytes(width * height)
        pictures.append(bytes(min(255, max(0, level + (b - 128) * contrast // 256)) for b in noise))
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "gray", "-s",
                    f"{width}x{height}", "-r", "10", "-i", "-", "-c:v", "ffv1", "-pix_fmt", "gray", path],
                   input=b"".join(pictures), check=True)
    return pictures


def conv(kind, out, kernel, stride, padding, more=None, **rest):
    layer = {"type": kind, "out": out, "kernel": kernel, "stride": stride, "padding": padding, **rest}
    if kind == "deconv3d":
        layer["output_padding"] = more or [0, 0, 0]
    return layer


LEAKY = {"norm": "batch", "activation": "leaky_relu", "slope": 0.1}

# Architectures unlike the reference's own: other channels, kernels, strides and activations, and sizes that are no powers of two.
ODD = {
    "odd-sizes": {
        "input": {"shape": [1, 11, 37, 53], "mean": 0.4, "std": 0.25},
        "encoder": [conv("conv3d", 7, [3, 5, 3], [2, 2, 3], [1, 2, 0], norm="batch", activation="relu"),
                    conv("conv3d", 13, [1, 3, 5], [1, 3, 2], [0, 1, 2], activation="tanh")],
        "memory": {"slots": 29, "similarity": "cosine", "shrink": 0.03, "temperature": 0.2},
        "decoder": [conv("deconv3d", 7, [1, 3, 5], [1, 3, 2], [0, 1, 2], [0, 0, 0], **LEAKY),
                    conv("deconv3d", 1, [3, 5, 3], [2, 2, 3], [1, 2, 0], [0, 0, 2], activation="tanh")]},
    "no-memory": {
        "input": {"shape": [1, 5, 18, 30], "mean": 0.5, "std": 0.5},
        "encoder": [conv("conv3d", 17, [3, 3, 3], [1, 2, 2], [1, 1, 1], **LEAKY),
                    conv("conv3d", 33, [5, 1, 2], [1, 1, 3], [2, 0, 0], **LEAKY)],
        "memory": None,
        "decoder": [conv("deconv3d", 17, [5, 1, 2], [1, 1, 3], [2, 0, 0], [0, 0, 1], **LEAKY),
                    conv("deconv3d", 1, [3, 4, 4], [1, 2, 2], [1, 1, 1])]},
    "stride-beyond-kernel": {
        "input": {"shape": [1, 6, 24, 24], "mean": 0.0, "std": 1.0},
        "encoder": [conv("conv3d", 5, [1, 2, 2], [2, 3, 4], [0, 0, 0], activation="leaky_relu", slope=0.2),
                    conv("conv3d", 19, [1, 1, 1], [1, 1, 1], [0, 0, 0])],
        "memory": {"slots": 50, "similarity": "dot", "shrink": 0.0, "temperature": 3.0},
        "decoder": [conv("conv3d", 9, [3, 3, 3], [1, 1, 1], [1, 1, 1], norm="batch"),
                    conv("deconv3d", 4, [1, 2, 2], [2, 3, 4], [0, 0, 0], [1, 1, 2], **LEAKY),
                    conv("conv3d", 1, [3, 3, 3], [1, 1, 1], [1, 1, 1])]},
    "one-frame-one-layer": {
        "input": {"shape": [1, 1, 9, 7], "mean": 0.5, "std": 0.5},
        "encoder": [conv("conv3d", 3, [1, 3, 3], [1, 1, 1], [0, 1, 1], activation="tanh")],
        "memory": {"slots": 1, "similarity": "cosine", "shrink": 0.5},
        "decoder": [conv("deconv3d", 1, [1, 3, 3], [1, 1, 1], [0, 1, 1])]},
    "wide-memory": {
        "input": {"shape": [1, 4, 20, 28], "mean": 0.5, "std": 0.5},
        "encoder": [conv("conv3d", 40, [4, 4, 4], [2, 2, 2], [1, 1, 1], **LEAKY)],
        "memory": {"slots": 1500, "similarity": "cosine", "shrink": 0.0007, "temperature": 0.5},
        "decoder": [conv("deconv3d", 1, [4, 4, 4], [2, 2, 2], [1, 1, 1])]},
}


class Parity(harness.Case):
    """memaed (a) agrees with PyTorch (b): |a - b| <= 1e-4 max|b| for z, z_hat and x_hat; reference within 1e-4 relative."""

    @classmethod
    def setUpClass(cls):
        cls.torch, cls.memae = load_reference()
        cls.torch.set_num_threads(2)

    def close(self, name, a, b, r=1e-4):
        self.assertEqual(a.shape, b.shape, name)
        worst, limit = (a - b).abs().max().item(), r * b.abs().max().item()
        self.assertLessEqual(worst, limit, f"{name}: off by {worst:.3g}, allowed {limit:.3g}")

    def tensors(self, path):
        found = {}
        for name, (shape, raw) in read_safetensors(path).items():
            found[name] = self.torch.frombuffer(bytearray(raw), dtype=self.torch.float32).reshape(shape)
        return found

    @staticmethod
    def near_lambda(arch, weights):
        """Returns the queries with a softmax weight within 1e-5 of lambda: rounding decides whether it is shrunk."""
        shrink = arch["memory"]["shrink"]
        return ((weights - shrink).abs() <= 1e-5 * shrink).any(dim=1).nonzero()[:, 0]

    def softmax(self, arch, model, z):
        """Returns the weights before shrinkage."""
        unit = model.mem_rep.memory
        queries = z.movedim(1, -1).reshape(-1, z.shape[1])
        normalize = self.torch.nn.functional.normalize
        scores = normalize(queries, dim=1) @ normalize(unit.weight, dim=1).t() if unit.similarity == "cosine" else \
            queries @ unit.weight.t()
        return (scores / unit.temperature).softmax(dim=1)

    def hold(self, name, arch, model_path, model, frames=None, stride=1):
        torch = self.torch
        _, t, height, width = arch["input"]["shape"]
        clip, dump = self.path(f"{name}.mkv"), self.path("dump")
        pictures = noise_clip(clip, frames or t + 2, height, width)
        command = harness.run("score", "--model", model_path, "--stride", stride, "--dump", dump, clip, timeout=120)
        self.assertEqual((command.code, command.err), (0, ""))
        rows = list(csv.DictReader(io.StringIO(command.out)))
        self.assertEqual([int(r["window"]) for r in rows], list(range((len(pictures) - t) // stride + 1)))
        x = torch.frombuffer(bytearray(b"".join(pictures)), dtype=torch.uint8).reshape(-1, height, width)
        x = ((x.float() / 255 - arch["input"]["mean"]) / arch["input"]["std"])[None]
        excepted = 0
        for row in rows:
            first = int(row["window"]) * stride
            window = x[None, :, first:first + t]
            got = self.tensors(os.path.join(dump, f"{name}-{int(row['window']):06d}.safetensors"))
            with torch.no_grad():
                z = model.encoder(window)
                self.close(f"{name} z", got["z"][None], z)
                z_hat = z
                if model.mem_rep:
                    z_hat, weights = model.mem_rep(z)
                    rows_excepted = self.near_lambda(arch, self.softmax(arch, model, z))
                    excepted += len(rows_excepted)
                    # Rounding decides these rows, so the decoder gets memaed's.
                    flat, mine = z_hat.flatten(2).clone(), got["z_hat"][None].flatten(2)
                    flat[:, :, rows_excepted] = mine[:, :, rows_excepted]
                    z_hat = flat.reshape(z_hat.shape)
                    weights[rows_excepted] = got["weights"][rows_excepted]
                    self.close(f"{name} weights", got["weights"], weights)
                else:
                    self.assertNotIn("weights", got)
                self.close(f"{name} z_hat", got["z_hat"][None], z_hat)
                x_hat = model.decoder(z_hat)
                self.close(f"{name} x_hat", got["x_hat"][None], x_hat)
                reference = self.memae.score(x_hat, window).item()
            self.assertLessEqual(abs(float(row["reference"]) - reference), 1e-4 * reference, f"{name} {row}")
        if arch["memory"]:
            queries = len(rows) * weights.shape[0]
            print(f"# {name}: {len(rows)} windows, {excepted} of {queries} queries excepted", flush=True)
            self.assertLessEqual(excepted, queries // 4 + 2)

    def exported(self, name, **more):
        """Compares memaed and PyTorch on a model that the reference implementation exports."""
        path = self.path(f"{name}.safetensors")
        subprocess.run(["/usr/bin/python3", REFERENCE, "export", name, path], check=True)
        arch = self.memae.ARCHS[name]()
        self.hold(name, arch, path, self.memae.seeded(arch, 7), **more)

    def full_size(self, name):
        if harness.SCALE > 1:
            self.skipTest(f"parity of {name}: too slow with sanitizers")
        self.exported(name)

    def test_tiny_cosine(self):
        self.exported("tiny-cosine", frames=23)

    def test_tiny_dot(self):
        self.exported("tiny-dot", frames=40, stride=7)

    def test_tiny_noshrink(self):
        self.exported("tiny-noshrink")

    def test_tiny_allshrunk(self):
        self.exported("tiny-allshrunk")

    def test_compact(self):
        self.full_size("compact")

    def test_paper(self):
        self.full_size("paper")

    def test_released(self):
        self.full_size("released")

    def test_odd(self):
        for name, arch in ODD.items():
            with self.subTest(name):
                model = self.memae.seeded(arch, 5)
                path = self.path(f"{name}.safetensors")
                self.memae.save_model(path, model)
                self.hold(name, arch, path, model, frames=arch["input"]["shape"][1] + 3)


class Score(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("model.safetensors"))
        self.clip = self.path("a clip.mkv")
        noise_clip(self.clip, 60, 32, 48)

    def score(self, *args, code=0):
        command = harness.run("score", "--model", self.model, *args)
        self.assertEqual(command.code, code, command.err)
        return command

    def rows(self, *args):
        return list(csv.DictReader(io.StringIO(self.score(*args).out)))

    def test_rows(self):
        command = self.score(self.clip)
        lines = command.out.splitlines()
        self.assertEqual(lines[0].split(",")[:6], COLUMNS)
        self.assertEqual(command.err, "")
        rows = list(csv.DictReader(lines))
        self.assertEqual(len(rows), 45)
        for i, row in enumerate(rows):
            self.assertEqual((row["clip"], int(row["window"]), int(row["frame"])), ("a clip", i, i + 8))
            self.assertAlmostEqual(float(row["pts_s"]), (i + 8) / 10, places=3)
            self.assertTrue(math.isfinite(float(row["reference"])) and float(row["reference"]) > 0)
            self.assertEqual(row["score"], row["reference"])
        self.assertEqual(len({row["reference"] for row in rows}), 45)

    def test_threads_change_nothing(self):
        self.assertEqual(self.score("--threads", 1, self.clip).out, self.score("--threads", 3, self.clip).out)

    def test_jsonl(self):
        lines = [json.loads(line) for line in self.score("--format", "jsonl", self.clip).out.splitlines()]
        self.assertEqual(len(lines), 45)
        for line, row in zip(lines, self.rows(self.clip)):
            self.assertEqual(list(line)[:6], COLUMNS)
            self.assertEqual(line["clip"], row["clip"])
            for key in COLUMNS[1:]:
                self.assertAlmostEqual(line[key], float(row[key]), delta=1e-8 * abs(line[key]))

    def test_stride(self):
        every = self.rows(self.clip)
        for stride in (3, 16, 20, 44, 45):
            with self.subTest(stride=stride):
                some = self.rows("--stride", stride, self.clip)
                self.assertEqual([int(r["frame"]) for r in some], [i * stride + 8 for i in range(44 // stride + 1)])
                self.assertEqual([r["reference"] for r in some], [r["reference"] for r in every[::stride]])

    def test_fps(self):
        rows = self.rows("--fps", 5, self.clip)
        self.assertEqual(len(rows), 30 - 15)
        self.assertAlmostEqual(float(rows[1]["pts_s"]) - float(rows[0]["pts_s"]), 0.2, places=3)

    def test_another_aspect_is_named(self):
        """With a model of 3:2, footage of 4:3 gets a warning. Footage of 2:3 that a viewer shows as 3:2 does not."""
        model = harness.write_model(self.path("model.safetensors"), height=96, width=144)
        for size, options, told in (("360x240", "null", False), ("320x240", "null", True), ("240x240", "setsar=3/2", False)):
            clip = self.path(f"{size}.mkv")
            harness.ffmpeg("-f", "lavfi", "-i", f"testsrc2=size={size}:rate=10:duration=2", "-vf", options, "-c:v", "ffv1", clip)
            done = harness.run("score", "--model", model, clip)
            self.assertEqual(done.code, 0, done.err)
            self.assertEqual(bool(re.search(rf"warning: \S+/{size}\.mkv: pictures of {size} have another aspect than the 144x96 "
                                            r"that the model learned: ", done.err)), told, done.err)

    def test_rate_of_the_model(self):
        """Without --fps footage is scored at the rate that the model learned at. If it has fewer frames, a warning says so."""
        model = harness.write_model(self.path("rate.safetensors"), calibration=harness.OWN_CALIBRATION)     # 10 a second
        fast, slow = (harness.write_clip(self.path(f"{fps}.mkv"), seconds=6, fps=fps) for fps in (30, 5))
        rows = harness.run("score", "--model", model, fast)
        self.assertEqual(rows.out, harness.run("score", "--model", model, "--fps", "10", fast).out)
        self.assertEqual(len(rows.out.splitlines()), 1 + 60 - 15)
        self.assertNotIn("warning", rows.err)
        self.assertEqual(len(harness.run("score", "--model", model, "--fps", "0", fast).out.splitlines()), 1 + 180 - 15)
        slower = harness.run("score", "--model", model, slow)
        self.assertEqual(len(slower.out.splitlines()), 1 + 30 - 15)
        self.assertRegex(slower.err, r"warning: \S+/5\.mkv: 5 frames a second, but the model learned at 10: ")

    def test_several_inputs(self):
        short = self.path("short.mkv")
        noise_clip(short, 15, 32, 48)
        other = self.path("other,one.mkv")
        noise_clip(other, 17, 32, 48, seed=2)
        command = self.score(self.clip, short, other)
        rows = list(csv.DictReader(io.StringIO(command.out)))
        self.assertEqual([r["clip"] for r in rows], ["a clip"] * 45 + ["other,one"] * 2)
        self.assertIn("15 frames", command.err)
        self.assertIn("short.mkv", command.err)
        # If one input cannot be read, the others are scored, and the status is 1.
        command = self.score(self.path("nowhere.mkv"), other, code=1)
        self.assertEqual(len(command.out.splitlines()), 3)
        self.assertIn("nowhere.mkv", command.err)

    def test_too_short(self):
        short = self.path("short.mkv")
        noise_clip(short, 15, 32, 48)
        command = self.score(short, code=1)
        self.assertEqual(command.out.splitlines(),
                         [",".join(COLUMNS + ["p_value", "hours_between", "boxes", "static", "voice", *VOICES, "still_boxes"])])
        self.assertIn("a window takes 16", command.err)

    def test_folder_of_images(self):
        folder = self.path("images")
        os.mkdir(folder)
        harness.ffmpeg("-i", self.clip, os.path.join(folder, "%03d.png"))
        self.assertEqual([r["reference"] for r in self.rows(folder)], [r["reference"] for r in self.rows(self.clip)])
        self.assertEqual({r["clip"] for r in self.rows(folder)}, {"images"})

    def test_dump(self):
        dump = self.path("dump")
        self.score("--stride", 10, "--dump", dump, self.clip)
        self.assertEqual(sorted(os.listdir(dump)), [f"a clip-{i:06d}.safetensors" for i in range(5)])
        shapes = {k: v[0] for k, v in read_safetensors(os.path.join(dump, "a clip-000004.safetensors")).items()}
        self.assertEqual(shapes, {"z": [8, 2, 2, 3], "z_hat": [8, 2, 2, 3], "weights": [12, 20], "x_hat": [1, 16, 32, 48]})

    def test_dump_of_two_of_a_name(self):
        command = self.score("--dump", self.path("dump"), self.clip, self.clip, code=2)
        self.assertIn("a clip", command.err)

    def test_dump_that_cannot_be_written(self):
        command = self.score("--dump", self.model, self.clip, code=1)
        self.assertIn(f"--dump {self.model}: Not a directory", command.err)
        command = self.score("--dump", self.path("no/such"), self.clip, code=1)
        self.assertIn("no/such", command.err)


class Static(harness.Case):
    """Static windows, on a clip of 60 frames in which a square appears in frame 20 and disappears in frame 40."""

    def model(self, **changes):
        return harness.write_model(self.path("model.safetensors"), 64, 96,
                                   calibration=harness.static_calibration(64, 96, **changes))

    def score(self, *args, model=None, code=0):
        clip = self.path("mover.mkv")
        harness.write_mover(clip)
        command = harness.run("score", "--model", model or self.model(), "--threads", 2, *args, clip)
        self.assertEqual(command.code, code, command.err)
        return list(csv.DictReader(io.StringIO(command.out))), command.err

    def test_what_moves_is_computed(self):
        everything, err = self.score()
        self.assertEqual({row["static"] for row in everything}, {"0"})
        self.assertNotIn("static", err)
        rows, err = self.score("--static")
        self.assertEqual([i for i, row in enumerate(rows) if row["static"] == "0"], [0, *range(5, 41)])
        self.assertIn("8 of 45 windows static (17.8 %)", err)
        for i, (row, own) in enumerate(zip(rows, everything)):
            like = rows[i - 1] if row["static"] == "1" else own
            self.assertEqual([row[key] for key in ("reference", "score", "boxes")],
                             [like[key] for key in ("reference", "score", "boxes")])
        lines = harness.run("score", "--model", self.model(), "--static", "--format", "jsonl", self.path("mover.mkv")).out
        self.assertEqual([str(int(json.loads(line)["static"])) for line in lines.splitlines()], [r["static"] for r in rows])

    def test_frozen_pictures_are_computed(self):
        rows, _ = self.score("--static", model=self.model(frozen_s=1.0))
        frozen = [i for i in range(45) if i + 15 in range(11, 20) or i + 15 >= 51]
        computed = [i for i, row in enumerate(rows) if row["static"] == "0"]
        self.assertTrue(set(frozen) <= set(computed), (frozen, computed))

    def test_the_bound_is_verified(self):
        _, err = self.score("--verify")
        self.assertIn("8 of 45 windows static (17.8 %); their own scores differ by 0 at most, the bound is 1", err)
        rows, err = self.score("--verify", model=self.model(limit=65025, bound=0.001), code=1)
        self.assertEqual([row["static"] for row in rows], ["0"] + ["1"] * 44)
        self.assertIn("the bound is 0.001 and does not hold", err)

    def test_wrong_use(self):
        _, err = self.score("--static", model=self.model(windows=100), code=1)
        self.assertIn("no bound for static scenes", err)
        _, err = self.score("--static", "--dump", self.path("dump"), code=2)
        self.assertIn("--dump", err)


class Boxes(harness.Case):
    """Boxes agree with the dumped map of each window."""
    LEVEL = 6.0                 # halfway between the thresholds

    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("model.safetensors"), 64, 96, calibration=harness.OWN_CALIBRATION)
        self.clip = self.path("mover.mkv")
        self.place = harness.write_mover(self.clip)

    def boxes_of(self, shape, raw):
        """Returns the boxes of a map: joins cells that touch, and takes the bounds of each group."""
        rows, columns = shape
        cells = struct.unpack(f"<{rows * columns}f", raw)
        level, groups = min(self.LEVEL, max(cells)), []
        for i, value in enumerate(cells):
            if value >= level:
                touching = [g for g in groups if any(abs(i // columns - j // columns) <= 1 and
                                                     abs(i % columns - j % columns) <= 1 for j in g)]
                groups = [g for g in groups if g not in touching] + [sum(touching, []) + [i]]
        boxes = []
        for group in groups:
            top, bottom = min(group) // columns, max(group) // columns
            left, right = min(i % columns for i in group), max(i % columns for i in group)
            boxes.append((max(cells[i] for i in group), 4 * left / 96, 4 * top / 64, (4 * (right - left) + 8) / 96,
                          (4 * (bottom - top) + 8) / 64))
        return sorted(boxes, reverse=True)[:8]

    def test_boxes_are_of_the_map(self):
        dump = self.path("dump")
        args = ("score", "--model", self.model, "--threads", 2, self.clip)
        rows = list(csv.DictReader(io.StringIO(harness.run(*args, "--dump", dump).out)))
        lines = [json.loads(line) for line in harness.run(*args, "--format", "jsonl").out.splitlines()]
        self.assertEqual((len(rows), len(lines)), (45, 45))
        boxed = 0
        for row, line in zip(rows, lines):
            shape, raw = read_safetensors(os.path.join(dump, f"mover-{int(row['window']):06d}.safetensors"))["map"]
            self.assertEqual(shape, [15, 23])
            expected = self.boxes_of(shape, raw) if line["score"] >= harness.OWN_CALIBRATION["close_threshold"] else []
            boxed += bool(expected)
            self.assertEqual(len(line["boxes"]), len(expected), row)
            for box, (score, *place) in zip(line["boxes"], expected):
                self.assertEqual(list(box), ["x", "y", "width", "height", "score"])
                self.assertAlmostEqual(box["score"], score, delta=1e-6 * abs(score))
                for key, value in zip(("x", "y", "width", "height"), place):
                    self.assertAlmostEqual(box[key], value, delta=1.1e-4)
            written = [list(map(float, box.split(":"))) for box in row["boxes"].split()]
            self.assertEqual([w[:4] for w in written], [[b[k] for k in ("x", "y", "width", "height")] for b in line["boxes"]])
            for own, box in zip(written, line["boxes"]):
                self.assertAlmostEqual(own[4], box["score"], delta=1e-5 * abs(box["score"]))
        self.assertTrue(10 < boxed < 35, boxed)

    def test_boxes_lie_where_it_moves(self):
        lines = harness.run("score", "--model", self.model, "--format", "jsonl", self.clip).out.splitlines()
        best = max(map(json.loads, lines), key=lambda line: line["score"])
        self.assertEqual(len(best["boxes"]), 1)
        box, (x, y, width, height) = best["boxes"][0], self.place
        for low, size, at, span in ((box["x"], box["width"], x, width), (box["y"], box["height"], y, height)):
            self.assertLess(abs(low + size / 2 - at - span / 2), 0.15, (box, self.place))
        self.assertLess(box["width"] * box["height"], 0.5)
        still = json.loads(lines[0])
        self.assertEqual(still["boxes"], [], still)

    def test_no_calibration_no_boxes(self):
        other = {k: v for k, v in harness.OWN_CALIBRATION.items() if k != "score"}
        for calibration in (None, {**other, "threshold": 1e-6, "close_threshold": 1e-6}):
            model = harness.write_model(self.path("plain.safetensors"), 64, 96, calibration=calibration)
            rows = list(csv.DictReader(io.StringIO(harness.run("score", "--model", model, self.clip).out)))
            self.assertEqual({row["boxes"] for row in rows}, {""})


class Eval(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("model.safetensors"),
                                         calibration={"fps": 10.0, "threshold": 0.9, "close_threshold": 0.8, "median": 0.5,
                                                      "p99": 0.7, "maximum": 0.75, "windows": 100})
        self.clips = self.path("clips")
        os.mkdir(self.clips)
        rng = random.Random(3)
        self.labels = {}
        for i, frames in enumerate((40, 25, 30, 10)):
            noise_clip(os.path.join(self.clips, f"{i:02d}.mkv"), frames, 32, 48, seed=10 + i)
            self.labels[f"{i:02d}"] = [int(rng.random() < 0.5) if i != 2 else 0 for _ in range(frames)]

    def write_labels(self, labels):
        path = self.path("labels.txt")
        with open(path, "w", encoding="utf-8") as f:
            for name, values in labels.items():
                print(name, *values, file=f)
        return path

    def eval(self, labels, *args, code=0):
        command = harness.run("eval", "--model", self.model, "--clips", self.clips, "--labels", self.write_labels(labels),
                              *args)
        self.assertEqual(command.code, code, command.err)
        return json.loads(command.out) if code == 0 else command.err

    @staticmethod
    def auc(scores, labels):
        positives = [s for s, l in zip(scores, labels) if l]
        negatives = [s for s, l in zip(scores, labels) if not l]
        wins = sum((p > n) + 0.5 * (p == n) for p in positives for n in negatives)
        return wins / (len(positives) * len(negatives)) if positives and negatives else None

    def test_figures(self):
        inputs = [os.path.join(self.clips, f"{name}.mkv") for name in self.labels]
        rows = list(csv.DictReader(io.StringIO(harness.run("score", "--model", self.model, *inputs).out)))
        raw, scaled, labels, per_clip = [], [], [], {}
        for name, values in self.labels.items():
            scores = [float(r["reference"]) for r in rows if r["clip"] == name]
            cut = values[8:len(values) - 7] if len(values) > 15 else []
            self.assertEqual(len(scores), len(cut))
            per_clip[name] = self.auc(scores, cut)
            raw += scores
            scaled += [(s - min(scores)) / (max(scores) - min(scores)) for s in scores]
            labels += cut
        result = self.eval(self.labels)
        self.assertAlmostEqual(result["auc_per_clip_minmax"], self.auc(scaled, labels), places=6)
        self.assertAlmostEqual(result["auc_reference_raw"], self.auc(raw, labels), places=6)
        self.assertAlmostEqual(result["auc_causal"], self.auc(raw, labels), places=6)
        self.assertEqual((result["windows"], result["positives"]), (len(labels), sum(labels)))
        for clip in result["clips"]:
            wanted = per_clip[clip["clip"]]
            self.assertEqual(clip["frames"], len(self.labels[clip["clip"]]))
            self.assertTrue(clip["auc"] == wanted or abs(clip["auc"] - wanted) < 1e-6, clip)
        self.assertAlmostEqual(result["alerts"]["threshold"], 0.9, places=6)

    def test_alerts(self):
        result = self.eval(self.labels, "--threshold", 0)       # every window is above: one alert a clip, never closed
        alerts = result["alerts"]
        self.assertEqual(alerts["alerts"], 3)
        self.assertEqual((alerts["on_abnormal"], alerts["on_normal"]), (2, 1))
        self.assertEqual(alerts["abnormal_stretches_found"], alerts["abnormal_stretches"])
        self.assertEqual(self.eval(self.labels, "--threshold", 1000)["alerts"]["alerts"], 0)

    def test_not_defined(self):
        result = self.eval({"00": [0] * 40, "03": [1] * 10})
        self.assertEqual([result[k] for k in ("auc_per_clip_minmax", "auc_causal", "auc_reference_raw")], [None] * 3)

    def test_folder_of_images(self):
        folder = os.path.join(self.clips, "images")
        os.mkdir(folder)
        harness.ffmpeg("-i", os.path.join(self.clips, "00.mkv"), os.path.join(folder, "%03d.png"))
        both = self.eval({"00": self.labels["00"], "images": self.labels["00"]})
        self.assertEqual(both["clips"][0]["auc"], both["clips"][1]["auc"])

    def test_faults(self):
        self.assertIn("labels.txt:1: ", self.eval({"00": [0] * 39}, code=1))
        self.assertIn("expected 40 labels, one for each frame, got 41", self.eval({"00": [0] * 41}, code=1))
        self.assertIn("expected 40 labels, one for each frame, got 39", self.eval({"00": [0] * 39}, code=1))
        self.assertIn("clip 99", self.eval({"00": [0] * 40, "99": [0]}, code=1))
        self.assertIn("labels.txt:2:4: expected 0 or 1", self.eval({"00": [0] * 40, "01": [2]}, code=1))
        os.link(os.path.join(self.clips, "01.mkv"), os.path.join(self.clips, "00.avi"))
        self.assertIn("got both", self.eval({"00": [0] * 40}, code=1))


if __name__ == "__main__":
    harness.main()
