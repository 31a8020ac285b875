#!/usr/bin/python3
"""Numbers of models and configurations at their extremes. Each is refused by its name, or the daemon runs with it, answers,
and ends in time. The numbers are found by walking through a whole model and through `memaed check --keys`, so new ones are
tried, too. `make check` tries a seeded sample. MEMAED_EXTREMES=all tries every number with every value.
"""
import itertools
import json
import os
import random
import re
import struct
import time

import harness

ALL = os.environ.get("MEMAED_EXTREMES") == "all"
SAMPLE = 300                    # models in a sample
AT_ONCE = 60                    # cameras of a run
WATCHED_S = 1.0                 # how long they run
# As texts, so that JSON and YAML get numbers that Python would round.
VALUES = ("0", "-0.0", "1", "-1", "0.5", "5e-324", "-5e-324", "1e-310", "-1e-310", "1e-40", "1e-13", "1e-7", "3.5e38", "-3.5e38",
          "1e39", "1.7e308", "-1.7e308", "1e400", "2147483648", "-2147483649", "9007199254740993", "9223372036854775808",
          "99999999999999999999", "1e15", "NaN", "-Infinity", "null", "true", "\"1\"", "[]", "{}")
HEIGHT, WIDTH = 32, 48
TRIANGLE = [[0, 0], [1, 0], [0, 1]]
PLACEHOLDER = "@@@"
PARTNER = {"least": "most", "largest_difference": "bound", "threshold": "close_threshold"}    # a fault may name the other one


def pareto(share=0.05):
    return {"level": 1.0, "share": share, "scale": 1.0, "shape": 0.1}


def whole_model(path):
    """Writes a model that has every part a model can have. Returns its metadata by key, decoded."""
    calibration = harness.with_places(harness.static_calibration(HEIGHT, WIDTH), HEIGHT, WIDTH)
    calibration["score"]["conditions"] *= 2
    calibration["tail"] = {"hours": 20.0, "windows": 1000, "runs": 30, "quantiles": [-3 + i / 10 for i in range(33)],
                           "window": pareto(), "run": pareto(2.0)}
    calibration["deciles"] = {v: [float(i) for i in range(9)] for v in ("speed", "change", "pace", "appearance")}
    calibration["int8"] = {"rank_correlation": 0.9999, "largest_difference": 0.01, "windows": 1000, "low": [-1.0] * 40,
                           "high": [1.0] * 40}
    rows, columns = HEIGHT // 4, WIDTH // 4
    cells = (rows - 3) * (columns - 3)
    zeros = "A" * (2 * rows * columns * 8 // 3 * 4)
    light = {"least": 0.1, "most": 0.9, "largest": [[1.0] * cells] * 2, "rare": pareto(), "exemplars": zeros}
    still = {"boundary": 0.5, "exemplars": 1, "lights": [light, light]}
    harness.write_model(path, HEIGHT, WIDTH, calibration=calibration)
    return {"memae.arch": harness.video_arch(HEIGHT, WIDTH, (4, 4, 8, 8), 20), "memae.calibration": calibration,
            "memae.still": still}


def numbers(value, path=()):
    """The paths of all numbers below value. The first and the last element of a long list stand for all."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from numbers(child, (*path, key))
    elif isinstance(value, list):
        for i in range(len(value)) if len(value) <= 4 else (0, len(value) - 1):
            yield from numbers(value[i], (*path, i))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path


def with_value(whole, path, text):
    """Returns JSON of whole, with text in the place of the number at path."""
    changed = json.loads(json.dumps(whole))         # no part of it is another one
    at = changed
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = PLACEHOLDER
    return json.dumps(changed).replace(f'"{PLACEHOLDER}"', text)


def write_metadata(source, path, metadata):
    """Writes a copy of the model with other metadata."""
    with open(source, "rb") as f:
        size, = struct.unpack("<Q", f.read(8))
        header, data = json.loads(f.read(size)), f.read()
    header["__metadata__"] = {"format": "memae", **metadata}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def name_of(path):
    """The last key of a path: lists have the name of the key above."""
    return [step for step in path if isinstance(step, str)][-1]


class Extremes(harness.Case):
    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("MEMAED_TEST_SEED", time.time_ns() % 2**32))
        self.rng = random.Random(self.seed)
        print(f"# seed {self.seed}")
        self.clip = harness.write_clip(self.path("clip.mkv"), seconds=6)
        self.base = self.path("base.safetensors")
        self.whole = whole_model(self.base)
        write_metadata(self.base, self.base, {k: json.dumps(v) for k, v in self.whole.items()})

    def check(self, text):
        """Writes the configuration, and returns its faults."""
        with open(self.path("check.yml"), "w", encoding="utf-8") as f:
            f.write(text)
        done = harness.run("check", "--config", self.path("check.yml"), timeout=120 * harness.SCALE)
        self.assertIn(done.code, (0, 1), done.err)
        self.assertIsNone(harness.SANITIZER_FINDING.search(done.err), done.err)
        faults = [line for line in done.err.splitlines() if ": warning: " not in line]
        self.assertEqual(bool(faults), done.code == 1, done.err)
        return faults

    def all_faults(self, cameras, text):
        """Removes cameras with faults until no fault is left. Returns the faults. Models are read only once the rest is right."""
        told = []
        while cameras and (faults := self.check(text())):
            told += faults
            for fault in faults:
                cameras.pop(re.search(r": cameras\.(\w+)\.", fault)[1], None)
        return told

    def run_briefly(self, config):
        """Runs the daemon. Its answers must be JSON, and it must end in time."""
        daemon = self.daemon(config)
        daemon.wait_event("started")
        time.sleep(WATCHED_S)
        for path in ("/api/v1/cameras", "/api/v1/alerts"):
            status, value = daemon.get(path)
            self.assertEqual(status, 200, value)
        names = [c["name"] for c in daemon.get("/api/v1/cameras")[1]["cameras"]]
        daemon.get(f"/api/v1/cameras/{names[0]}/scores?limit=5")
        daemon.stop()

    def test_the_whole_model_is_sound(self):
        """The model that all extremes change is accepted with all its parts."""
        camera = {"source": self.clip, "loop": True, "model": self.base, "precision": "int8"}
        self.assertEqual(self.check(json.dumps({"cameras": {"a": camera}})), [])
        daemon = self.daemon({"cameras": {"a": camera}})
        daemon.wait_camera("a", lambda c: c["windows_scored"] > 3)
        daemon.stop()

    def test_models(self):
        cases = [(key, path, text) for key, whole in self.whole.items() for path in numbers(whole) for text in VALUES]
        self.assertGreater(len(cases), 2000)
        self.rng.shuffle(cases)
        if not ALL:
            cases = cases[:SAMPLE]
        ran, tried = 0, len(cases)
        while cases:
            batch, cases = cases[:AT_ONCE], cases[AT_ONCE:]
            ran += self.try_models(batch)
        print(f"# {tried} models were tried, {ran} of them taken")
        self.assertGreater(ran, 0)

    def try_models(self, batch):
        cameras = {}
        for i, (key, path, text) in enumerate(batch):
            metadata = {k: json.dumps(v) for k, v in self.whole.items()}
            metadata[key] = with_value(self.whole[key], path, text)
            model = self.path(f"m{i}.safetensors")
            write_metadata(self.base, model, metadata)
            alert = {"per_day": 1} if i % 2 else {}
            cameras[f"m{i}"] = {"source": self.clip, "loop": True, "model": model, "precision": ("auto", "int8", "fp32")[i % 3],
                                "alert": alert}
        config = {"state_dir": self.path("state"), "http": {"listen": "127.0.0.1:0"}, "cameras": cameras}
        for fault in self.all_faults(cameras, lambda: json.dumps(config, indent=1)):
            name = re.search(r": cameras\.(m\d+)\.", fault)[1]
            key, path, text = batch[int(name[1:])]
            # A changed architecture may contradict its tensors, the calibration or the limit of memory. All else is refused by
            # its own name, or by what does not go with it.
            also = r"near '|overflow|: (precision|alert\.\S+): "
            if key == "memae.arch":
                also += r"|memae\.\w+: |: (encoder|decoder|mem_rep)\.|\(max_model_mib\)"
            told = name_of(path) in fault or PARTNER.get(name_of(path), key + ".") in fault or re.search(also, fault)
            self.assertTrue(told, f"{key} {path} {text}: {fault}")
        if cameras:
            try:
                self.run_briefly(config)
            except AssertionError as e:
                raise AssertionError(f"{[batch[int(n[1:])] for n in cameras]}: {e}") from e
        return len(cameras)

    def test_configurations(self):
        """Every key with a range: at its ends, beyond them, and with VALUES."""
        keys = []
        for line in harness.run("check", "--keys").out.splitlines():
            m = re.match(r"(\S+): (?:auto or )?a (?:whole )?number from (\S+) to (\S+);", line)
            if m:
                keys.append(m.groups())
        self.assertGreater(len(keys), 12)
        cases = [(key, text) for key, low, high in keys
                 for text in itertools.chain((low, high, low + "1", high + "9", "-" + high), VALUES)]
        if not ALL:
            cases = self.rng.sample(cases, 120)
        alone, cameras = [], {}
        for i, (key, text) in enumerate(cases):
            if not key.startswith("cameras.NAME."):
                alone.append((key, text))
                continue
            camera = {"source": self.clip, "loop": True, "model": self.base, "fps_force": True}
            at = camera
            *above, last = key.split(".")[2:]
            for step in above:
                if step.endswith("[]"):
                    at = at.setdefault(step[:-2], [{"points": TRIANGLE}])[0]
                else:
                    at = at.setdefault(step.lower(), {"points": TRIANGLE} if step == "ZONE" else {})
            at[last] = f"{PLACEHOLDER}{i}{PLACEHOLDER}"
            cameras[f"c{i}"] = camera
        self.try_cameras(cameras, cases)
        for key, text in alone:
            self.try_alone(key, text)

    def filled(self, cameras, cases):
        text = json.dumps({"state_dir": self.path("state"), "http": {"listen": "127.0.0.1:0"}, "cameras": cameras}, indent=1)
        return re.sub(f'"{PLACEHOLDER}(\\d+){PLACEHOLDER}"', lambda m: cases[int(m[1])][1], text)

    def try_cameras(self, cameras, cases):
        for fault in self.all_faults(cameras, lambda: self.filled(cameras, cases)):
            m = re.search(r": cameras\.(c\d+)\.(\S+): ", fault)
            self.assertIsNotNone(m, fault)
            key, text = cases[int(m[1][1:])]
            self.assertIn(key.split(".")[-1].split("_")[-1], m[2], f"{text}: {fault}")
        self.assertTrue(cameras)
        names = list(cameras)
        for begin in range(0, len(names), AT_ONCE):
            part = {n: cameras[n] for n in names[begin:begin + AT_ONCE]}
            self.run_briefly(self.filled(part, cases))

    def try_alone(self, key, text):
        """A key of the whole configuration, or of a webhook."""
        camera = {"source": self.clip, "loop": True, "model": self.base}
        whole = {"state_dir": self.path("state"), "http": {"listen": "127.0.0.1:0"}, "cameras": {"a": camera}}
        if key.startswith("webhooks[]."):
            whole["webhooks"] = [{"url": "http://127.0.0.1:1/", key.removeprefix("webhooks[]."): PLACEHOLDER}]
        else:
            whole[key] = PLACEHOLDER
        config = json.dumps(whole, indent=1).replace(f'"{PLACEHOLDER}"', text)
        faults = self.check(config)
        for fault in faults:
            self.assertIn(key.replace("[]", "[0]"), fault if key != "max_model_mib" else fault + key, text)
        if not faults:
            self.run_briefly(config)


if __name__ == "__main__":
    harness.main()
