#!/usr/bin/python3
"""Counts the alerts of normal footage at thresholds for 1, 10 and 100 alerts a day, and compares its p-values with
uniform.

    tests/bench/alert_budget.py MODEL [--plot FILE.svg] FOOTAGE...

FOOTAGE is a list of files in order that the model neither learned from nor was calibrated on. Each file is scored as
the daemon would: a window every second frame; 3 of 5 windows at the threshold open an alert; 5 below the close
threshold end it; no cooldown. Prints JSON. For each budget it holds the threshold, the number of alerts, that number
a day with the 95 % interval of a Poisson count, and the share of time that an alert was open. While one is open, no
other can open. MEMAED names the program. --plot needs gnuplot.
"""
import csv
import json
import math
import os
import struct
import subprocess
import sys

MEMAED = os.environ.get("MEMAED", os.path.join(os.path.dirname(__file__), "../../build/memaed"))
BUDGETS = (1, 10, 100)
K, N, STRIDE = 3, 5, 2


def calibration(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
    return json.loads(header["__metadata__"]["memae.calibration"])


def threshold(run, a_day):
    """The score that runs exceed so often a day: pareto_score() of core/score/tail.c."""
    rate = a_day / 24
    if rate >= run["share"]:
        return run["level"]
    ratio = rate / run["share"]
    if run["shape"] == 0:
        return run["level"] - run["scale"] * math.log(ratio)
    return run["level"] + run["scale"] / run["shape"] * (ratio ** -run["shape"] - 1)


class Rule:
    """The alert rule of core/score/alert.c, without a cooldown."""

    def __init__(self, opens, closes):
        self.opens, self.closes, self.alerts, self.windows_open = opens, closes, 0, 0
        self.gap()

    def gap(self):
        self.above, self.below, self.open = [], 0, False

    def score(self, score):
        self.above = (self.above + [score >= self.opens])[-N:]
        self.below = self.below + 1 if score < self.closes else 0
        if self.open and self.below >= N:
            self.open, self.above = False, []
        elif not self.open and sum(self.above) >= K:
            self.open = True
            self.alerts += 1
        self.windows_open += self.open


def interval(n):
    """The exact 95 % interval of a Poisson count, by bisection."""
    def cdf(k, mean):
        term, total = math.exp(-mean), 0.0
        for i in range(k + 1):
            total += term
            term *= mean / (i + 1)
        return total

    def solve(f):
        low, high = 0.0, 4.0 * n + 20
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (middle, high) if f(middle) else (low, middle)
        return low
    return (solve(lambda m: 1 - cdf(n - 1, m) < 0.025) if n else 0.0), solve(lambda m: cdf(n, m) > 0.025)


def windows(model, path, fps):
    """Yields score and p-value of each window, and None where the sequence broke."""
    command = [MEMAED, "score", "--model", model, "--stride", str(STRIDE), "--fps", str(fps), path]
    last = None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for row in csv.DictReader(process.stdout):
            number = int(row["window"])
            if last is not None and number != last + 1:
                yield None
            last = number
            yield float(row["score"]), float(row["p_value"])
    if process.returncode:
        sys.exit(f"{path}: memaed score failed")


def plot(path, p_values):
    p_values.sort()
    step = max(1, len(p_values) // 2000)
    script = (f'set terminal svg size 640,560; set output "{path}"; set key left top; set logscale xy; set grid;'
              'set xlabel "p-value"; set ylabel "share of windows with as small a p-value";'
              'plot [1e-4:1][1e-4:1] x with lines dt 2 lc rgb "#888888" title "uniform", "-" with lines lw 2 title "measured"\n')
    rows = "".join(f"{p} {(i + 1) / len(p_values)}\n" for i, p in enumerate(p_values) if i < 200 or i % step == 0)
    subprocess.run(["gnuplot"], input=script + rows + "e\n", text=True, check=True)


def main(model, args):
    picture = None
    if "--plot" in args:
        at = args.index("--plot")
        picture = args[at + 1]
        del args[at:at + 2]
    calibrated = calibration(model)
    run, fps = calibrated["tail"]["run"], round(calibrated["fps"], 3)
    rules = [Rule(threshold(run, b), min(calibrated["close_threshold"], threshold(run, b))) for b in BUDGETS]
    p_values = []
    for path in args:
        for rule in rules:
            rule.gap()
        for window in windows(model, path, fps):
            for rule in rules:
                rule.score(window[0]) if window else rule.gap()
            if window:
                p_values.append(window[1])
        print(f"{path}: {[r.alerts for r in rules]} alerts so far", file=sys.stderr)
    days = len(p_values) * STRIDE / fps / 86400
    budgets = []
    for budget, rule in zip(BUDGETS, rules):
        low, high = interval(rule.alerts)
        budgets.append({"budget_a_day": budget, "threshold": round(rule.opens, 4), "alerts": rule.alerts,
                        "a_day": round(rule.alerts / days, 2), "interval_95": [round(low / days, 2), round(high / days, 2)],
                        "open": round(rule.windows_open / len(p_values), 4)})
    shares = {str(p): round(sum(v <= p for v in p_values) / len(p_values), 5) for p in (0.5, 0.2, 0.1, 0.05, 0.01, 0.001)}
    print(json.dumps({"hours": round(days * 24, 2), "windows": len(p_values), "calibrated_on_hours":
                      round(calibrated["tail"]["hours"], 2), "budgets": budgets, "p_values_at_most": shares}, indent=1))
    if picture:
        plot(picture, p_values)


if len(sys.argv) < 3:
    sys.exit(__doc__)
main(sys.argv[1], sys.argv[2:])
