#!/usr/bin/python3
"""Masks and zones. Pixels under a mask influence no score, offline or in the daemon. Alerts name the zones that they touch. A
zone with a budget of its own alerts by it. Polygons refer to the picture as a viewer sees it."""
import json
import math
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from servers.webhook_receiver import Receiver  # noqa: E402

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
WIDTH, HEIGHT = 96, 64
RUN = {"level": -20.0, "share": math.exp(28), "scale": 1.0, "shape": 0.0}   # the threshold for n alerts a day is 8 + ln(24 / n)
CALIBRATION = {**harness.PLACES_CALIBRATION, "tail": {
    "hours": 20.0, "windows": 1000, "runs": 30, "quantiles": [-3 + i / 10 for i in range(33)],
    "window": {"level": 0.2, "share": 0.05, "scale": 1.0, "shape": 0.0}, "run": RUN}}


def box(x0, y0, x1, y1):
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]


def per_day(threshold):
    """Returns the budget in alerts a day whose threshold this is."""
    return 24 / math.exp(threshold - 8)


def write_noise(path, clip, left):
    """Writes the clip again, with other noise in each frame from pixel column `left` on."""
    raw = ["-f", "rawvideo", "-pix_fmt", "gray"]
    pictures = subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-i", clip, *raw, "-"], capture_output=True,
                              check=True).stdout
    rng = random.Random(3)
    noisy = bytes(v if i % WIDTH < left else rng.randrange(256) for i, v in enumerate(pictures))
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", *raw, "-s", f"{WIDTH}x{HEIGHT}", "-r", "10", "-i", "-",
                    "-c:v", "ffv1", "-pix_fmt", "gray", path], input=noisy, check=True)
    return path


class Zones(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("own.safetensors"), HEIGHT, WIDTH, calibration=CALIBRATION)
        self.clip = self.path("mover.mkv")
        self.x, self.y, self.width, self.height = harness.write_mover(self.clip)
        self.right = [{"name": "right", "points": box(self.x, 0, 1, 1)}]

    def config(self, **cameras):
        """Writes a configuration with cameras of these keys. Returns its path."""
        path = self.path("memaed.yml")
        with open(path, "w") as f:
            json.dump({"cameras": {name: {"source": self.clip, "model": self.model, **keys} for name, keys in cameras.items()}},
                      f)
        return path

    def score(self, clip, *args):
        done = harness.run("score", "--model", self.model, "--format", "jsonl", clip, *args)
        self.assertEqual(done.code, 0, done.err)
        rows = [json.loads(line) for line in done.out.splitlines()]
        return [{k: v for k, v in row.items() if k != "clip"} for row in rows]

    def test_what_a_mask_covers_influences_nothing(self):
        """Films that differ only under the mask have the same scores, also when scaled from other sizes and aspects."""
        config = self.config(gate={"masks": self.right})
        masked = ("--config", config, "--camera", "gate")
        noise = write_noise(self.path("noise.mkv"), self.clip, round(self.x * WIDTH))
        for size in ("96x64", "192x128", "128x128", "301x97"):
            clips = []
            for clip in (self.clip, noise):
                width, height = size.split("x")
                # Each pixel of the source becomes a block, so that scaling does not mix pixels across the mask's edge.
                clips.append(clip if size == "96x64" else f"{clip}-{size}.mkv")
                if size != "96x64":
                    harness.ffmpeg("-i", clip, "-vf",
                                   f"scale={4 * WIDTH}:{4 * HEIGHT}:flags=neighbor,scale={width}:{height}:flags=neighbor", "-c:v",
                                   "ffv1", "-pix_fmt", "gray", clips[-1])
            rows = [self.score(clip, *masked) for clip in clips]
            self.assertTrue(rows[0])
            self.assertEqual(rows[0], rows[1], size)
            plain = self.score(clips[0])
            self.assertGreater(max(r["score"] for r in plain), CALIBRATION["threshold"])
            self.assertLess(max(r["score"] for r in rows[0]), max(r["score"] for r in plain) - 3)
            self.assertFalse(any(r["boxes"] for r in rows[0]))

    def test_options_and_faults(self):
        config = self.config(gate={"masks": self.right})
        for args in (("--config", config), ("--camera", "gate")):
            self.assertEqual(harness.run("score", "--model", self.model, self.clip, *args).code, 2)
        done = harness.run("score", "--model", self.model, self.clip, "--config", config, "--camera", "yard")
        self.assertEqual(done.code, 1)
        self.assertIn('expected a camera of', done.err)
        almost = {"masks": [{"points": box(0, 0, 1, 0.95)}]}
        small = {"zones": {"dot": {"points": box(0.5, 0.5, 0.52, 0.52), "per_day": 1}}}
        done = harness.run("check", "--config", self.config(most=almost, dot=small))
        self.assertEqual(done.code, 1)
        self.assertIn("cameras.most.masks: expected masks that leave some of the picture", done.err)
        self.assertIn("cameras.dot.zones.dot: expected a zone of", done.err)
        done = harness.run("score", "--model", self.model, self.clip, "--config", self.config(most=almost), "--camera", "most")
        self.assertIn("masks: expected masks that leave some of the picture, got masks that cover nearly all of it", done.err)
        done = harness.run("check", "--config",
                           self.config(gate={"masks": [*self.right, {"points": box(0, 0, 0.1, 0.1), "privacy": True}],
                                             "zones": {"door": {"points": box(0, 0, 0.5, 1), "per_day": 24}}}))
        self.assertIn("  mask right: 4 points\n  mask: 4 points, for privacy\n  zone door: 4 points, alerts from a score of 8 "
                      "on\n", done.out)

    def test_a_mask_that_hides_much_is_warned_of(self):
        """`check` warns of a wide mask if the model tells two kinds of light and is not calibrated with the mask."""
        two = {**CALIBRATION, "score": {"boundary": 0.0, "conditions": CALIBRATION["score"]["conditions"] * 2}}
        self.model = harness.write_model(self.path("two.safetensors"), HEIGHT, WIDTH, calibration=two)
        for right, warned in ((0.2, False), (0.5, True)):
            config = self.config(gate={"masks": [{"points": box(0, 0, right, 1)}]})
            done = harness.run("check", "--config", config)
            self.assertEqual((done.code, "cells are masked" in done.err), (0, warned), done.err)

    def test_calibrate_and_eval_take_masks(self):
        usual = self.path("usual.mkv")
        harness.ffmpeg("-f", "lavfi", "-i", f"color=gray:s={WIDTH}x{HEIGHT}:r=10:d=30,noise=alls=4:allf=t", "-c:v", "ffv1",
                       "-pix_fmt", "gray", usual)
        noise = write_noise(self.path("noise.mkv"), usual, round(self.x * WIDTH))
        config = self.config(gate={"masks": self.right})
        thresholds = []
        for args in ((), ("--config", config, "--camera", "gate")):
            done = harness.run("calibrate", "--model", self.model, "--input", noise, "--output", self.path("new.safetensors"),
                               *args)
            self.assertEqual(done.code, 0, done.err)
            shown = json.loads(harness.run("model", "show", "--json", self.path("new.safetensors")).out)
            masked = shown["training"]["calibrated"]["masked"]
            self.assertTrue(0.1 < masked < 0.3 if args else masked == 0, masked)
            thresholds.append(shown["calibration"]["score"]["conditions"][0]["change_centre"])
        self.assertLess(thresholds[1], thresholds[0] - 1)
        labels = self.path("labels.txt")
        with open(labels, "w") as f:
            f.write("mover " + " ".join("1" if 20 <= i < 40 else "0" for i in range(60)) + "\n")
        auc = [json.loads(harness.run("eval", "--model", self.model, "--clips", self.folder, "--labels", labels,
                                      *args).out)["auc_causal"]
               for args in ((), ("--config", config, "--camera", "gate"))]
        self.assertGreater(auc[0], 0.8)
        self.assertLess(auc[1], auc[0])

    def alerts(self, **cameras):
        """Runs the cameras to the ends of their files. Returns the alerts of each, oldest first."""
        daemon = self.daemon({"cameras": {name: {"source": self.clip, "model": self.model, "stride": 1, **keys}
                                          for name, keys in cameras.items()}})
        for name in cameras:
            daemon.wait_camera(name, "stopped", 60)
        listed = daemon.get("/api/v1/alerts")[1]["alerts"]
        daemon.stop()
        return {name: [a for a in listed if a["camera"] == name] for name in cameras}

    def test_alerts(self):
        """Under a mask nothing alerts. Zones are named in their order, also where the picture is turned for a viewer."""
        turned = self.path("turned.mov")
        harness.ffmpeg("-i", self.clip, "-c:v", "mpeg4", "-qscale:v", 1, "-pix_fmt", "yuv420p", self.path("flat.mov"))
        harness.ffmpeg("-i", self.path("flat.mov"), "-c", "copy", "-metadata:s:v:0", "rotate=180", turned)
        middle = self.y + self.height / 2
        zones = {"strip": {"points": box(self.x, middle - 0.05, 1, middle + 0.05)},
                 "left": {"points": box(0, 0, 0.4, 1)},
                 "all": {"points": box(0, 0, 1, 1)},
                 "right": {"points": [[0.9, 0.5], [1, 0.4], [1, 0.6]]}}
        found = self.alerts(plain={"zones": zones}, masked={"masks": self.right, "zones": zones},
                            turned={"source": turned, "zones": zones},
                            turned_masked={"source": turned, "masks": [{"points": box(0, 0, self.width + 0.05, 1)}]},
                            turned_bare={"source": turned, "masks": self.right})
        self.assertEqual([a["zones"] for a in found["plain"]], [["strip", "all", "right"]])
        self.assertIsNone(found["plain"][0]["opened_by_zone"])
        self.assertEqual([a["zones"] for a in found["turned"]], [["left", "all"]])
        self.assertLess(found["turned"][0]["boxes"][0]["x"], 0.3)
        self.assertEqual((found["masked"], found["turned_masked"]), ([], []))
        self.assertEqual(len(found["turned_bare"]), 1)

    def test_webhooks_choose_by_zone_and_score(self):
        """An endpoint gets the alerts that have touched its zones and reached its score, and all other events of its list."""
        peak = max(row["score"] for row in self.score(self.clip))
        zones = {"left": {"points": box(0, 0, 0.4, 1)}, "right": {"points": box(self.x, 0, 1, 1)}}
        wants = {"all": {}, "right": {"zones": ["left", "right"]}, "left": {"zones": ["left"]}, "high": {"min_score": peak + 1},
                 "low": {"min_score": peak - 0.01, "zones": ["right"]}}
        receivers = {name: Receiver(SECRET) for name in wants}
        for receiver in receivers.values():
            self.addCleanup(receiver.close)
        daemon = self.daemon({"cameras": {"gate": {"source": self.clip, "model": self.model, "stride": 1, "zones": zones}},
                              "webhooks": [{"name": name, "url": receivers[name].url, "secret": SECRET, **keys}
                                           for name, keys in wants.items()]})
        daemon.wait_camera("gate", "stopped", 60)
        done = harness.run("test-alert", "--url", daemon.base, "--camera", "gate")
        self.assertEqual((done.code, done.out.splitlines()[-1]), (0, "5 of 5 webhooks took it"), done)
        daemon.stop()
        got = {name: [d["type"] for d in receiver.deliveries if not d["data"].get("test")]
               for name, receiver in receivers.items()}
        both = ["alert.opened", "alert.closed"]
        self.assertEqual({name: got[name] for name in ("all", "right", "left", "high")},
                         {"all": both, "right": both, "left": [], "high": []})
        self.assertEqual(got["low"][-1:], ["alert.closed"])         # the peak may come after the opening
        self.assertTrue(all(not receiver.faults() for receiver in receivers.values()))

    def test_budgets(self):
        """A zone with a larger budget than the camera alerts when the camera does not. With a smaller budget, only the camera
        alerts."""
        peak = max(row["score"] for row in self.score(self.clip))
        high, low = {"threshold": peak + 1, "close_threshold": 0}, {"threshold": peak - 2, "close_threshold": 0}
        around = box(max(self.x - 0.2, 0), 0, 1, 1)
        found = self.alerts(
            deaf={"alert": high}, alert={"alert": low},
            keen={"alert": high, "zones": {"door": {"points": around, "per_day": per_day(peak - 2)}}},
            elsewhere={"alert": high, "zones": {"door": {"points": box(0, 0, 0.4, 1), "per_day": per_day(peak - 2)}}},
            dull={"alert": low, "zones": {"door": {"points": around, "per_day": per_day(peak + 1)}}},
            beside={"alert": low, "zones": {"door": {"points": box(0, 0, 0.4, 1), "per_day": per_day(peak + 1)}}})
        self.assertEqual({name: len(alerts) for name, alerts in found.items()},
                         {"deaf": 0, "alert": 1, "keen": 1, "elsewhere": 0, "dull": 0, "beside": 1})
        keen = found["keen"][0]
        self.assertEqual((keen["opened_by_zone"], keen["zones"]), ("door", ["door"]))
        self.assertTrue(keen["boxes"])
        self.assertGreaterEqual(keen["peak_score"], peak + 1)
        self.assertIsNone(found["beside"][0]["opened_by_zone"])


if __name__ == "__main__":
    harness.main()
