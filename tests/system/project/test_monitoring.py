#!/usr/bin/python3
"""Metrics, alert rules and the dashboard, by promtool of Prometheus. /metrics of the real program is sound, the rules fire when
they should, every query parses, and every metric that rules and dashboard name exists."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import read  # noqa: E402

RULES = os.path.join(harness.ROOT, "etc", "prometheus", "memaed.rules.yml")
RULES_TEST = os.path.join(harness.ROOT, "etc", "prometheus", "memaed.rules_test.yml")
DASHBOARD = os.path.join(harness.ROOT, "etc", "grafana", "memaed.json")
PAGE = os.path.join(harness.ROOT, "docs", "monitoring.md")


def promtool(*args, text=None):
    """Returns promtool's output. Fails if promtool complains."""
    if not shutil.which("promtool"):
        raise unittest.SkipTest("no promtool: metrics, rules and dashboard are NOT checked; install the package prometheus")
    done = subprocess.run(["promtool", *args], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not (text and done.stdout + done.stderr), done.stdout + done.stderr
    return done.stdout


def queries_of_dashboard(dashboard):
    """Returns the queries of all panels and variables, with Grafana's variables replaced."""
    found = [t["expr"] for panel in dashboard["panels"] for t in panel["targets"]]
    for variable in dashboard["templating"]["list"]:
        found += re.findall(r"label_values\((.*), \w+\)$", variable.get("definition", ""))
    return [q.replace("$__rate_interval", "5m").replace("$instance", ".*").replace("$camera", ".*") for q in found]


class Monitoring(harness.Case):
    def metrics(self):
        model = harness.write_model(self.path("own.safetensors"), 64, 96, calibration=harness.PLACES_CALIBRATION)
        clip = self.path("mover.mkv")
        harness.write_mover(clip)
        daemon = self.daemon({"cameras": {"gate": {"source": clip, "model": model, "stride": 1, "loop": True},
                                          "gone": {"source": "rtsp://127.0.0.1:1/", "model": model}},
                              "webhooks": [{"url": "http://127.0.0.1:1/"}]})
        harness.Follower(daemon, "gate").wait(1)
        text = daemon.get("/metrics")[1]
        daemon.stop()
        return text

    def test_metrics_are_sound_and_those_that_are_used(self):
        text = self.metrics()
        promtool("check", "metrics", text=text)
        kinds = dict(re.findall(r"(?m)^# TYPE (\S+) (\S+)$", text))
        suffixes = {"histogram": ("_bucket", "_sum", "_count")}
        exist = {name + suffix for name, kind in kinds.items() for suffix in suffixes.get(kind, ("",))}
        used = set(re.findall(r"\bmemaed_[a-z_]+", "\n".join(re.findall(r"(?m)^ +expr: (.*)$", read(RULES)))))
        used |= set(re.findall(r"\bmemaed_[a-z_]+", "\n".join(queries_of_dashboard(json.loads(read(DASHBOARD))))))
        used |= set(re.findall(r"\bseries: '(memaed_[a-z_]+)", read(RULES_TEST)))
        self.assertGreater(len(used), 15)
        self.assertEqual(used - exist, set())
        rows = dict(re.findall(r"(?m)^\| `(memaed_[a-z_]+)` \| (\w+) \|", read(PAGE)))
        self.assertEqual(rows, kinds, "expected a row of docs/monitoring.md for each metric")

    def test_rules(self):
        self.assertIn("SUCCESS", promtool("check", "rules", RULES))
        self.assertIn("SUCCESS", promtool("test", "rules", RULES_TEST))

    def test_every_rule_is_tested_and_documented(self):
        alerts = re.findall(r"(?m)^ +- alert: (\w+)$", read(RULES))
        self.assertGreater(len(alerts), 10)
        fires = re.findall(r"(?m)^ +- alertname: (\w+).*\n +eval_time: .*\n +exp_alerts:$", read(RULES_TEST))
        self.assertEqual(set(fires), set(alerts))
        self.assertEqual(re.findall(r"(?m)^\| `(Memaed\w+)` \|", read(PAGE)), alerts)

    def test_dashboard(self):
        dashboard = json.loads(read(DASHBOARD))
        panels = dashboard["panels"]
        self.assertEqual(len({p["id"] for p in panels}), len(panels))
        cells = [(x, y) for g in (p["gridPos"] for p in panels)
                 for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])]
        self.assertEqual(len(cells), len(set(cells)), "panels overlap")
        self.assertLess(max(x for x, _ in cells), 24)
        queries = queries_of_dashboard(dashboard)
        self.assertGreater(len(queries), 20)
        self.assertEqual([q for q in queries if "$" in q], [])
        rules = {"groups": [{"name": "dashboard", "rules": [{"record": f"q{i}", "expr": q} for i, q in enumerate(queries)]}]}
        path = self.path("queries.yml")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(rules, f)             # JSON is YAML
        self.assertIn(f"{len(queries)} rules found", promtool("check", "rules", path))

    def test_documented_files_are_installed(self):
        makefile = read(os.path.join(harness.ROOT, "Makefile"))
        for path in glob.glob(os.path.join(harness.ROOT, "etc", "*", "*")):
            name = os.path.relpath(path, os.path.join(harness.ROOT, "etc"))
            self.assertIn(f"`{name}`", read(PAGE))
            self.assertIn(f"etc/{os.path.dirname(name)}/", makefile)


if __name__ == "__main__":
    harness.main()
