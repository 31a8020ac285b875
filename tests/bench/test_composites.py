#!/usr/bin/python3
"""The generator of composited events checks itself, and `eval` reads what it writes. Without numpy the test is skipped and
the runner says so."""
import importlib.util
import json
import os
import subprocess
import sys
import unittest

BENCH = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(BENCH), "system"))
import harness  # noqa: E402

COMPOSITES = os.path.join(BENCH, "composites.py")


@unittest.skipUnless(importlib.util.find_spec("numpy"), "python3-numpy is not installed (make deps)")
class Composites(harness.Case):
    def test_check_and_eval(self):
        done = subprocess.run([sys.executable, COMPOSITES, "--check", "--folder", self.folder], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60 * harness.SCALE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        calibration = {**harness.OWN_CALIBRATION, "fps": 5.0}
        model = harness.write_model(self.path("model.safetensors"), calibration=calibration)
        command = harness.run("eval", "--model", model, "--clips", self.path("clips"), "--labels", self.path("labels.txt"),
                              "--masks", self.path("masks"))
        self.assertEqual(command.code, 0, command.err)
        figures = json.loads(command.out)
        with open(self.path("events.json"), encoding="utf-8") as f:
            self.assertEqual([(e["clip"], e["negative"]) for e in json.load(f)], [("left", False), ("light", True)])
        self.assertGreater(figures["localisation"]["frames"], 0)


if __name__ == "__main__":
    harness.main()
