#!/usr/bin/python3
"""Counts the alerts of normal footage at thresholds for 1, 10 and 100 alerts a day, and compares its p-values with the
uniform distribution.

    tests/bench/alert_budget.py MODEL [--merge S] [--min-duration S] [--per-hour N] [--static] [--plot FILE.svg] FOOTAGE...

FOOTAGE is a list of files in order, of an hour each. The model has neither learned from them nor was it calibrated on them.
FILE.csv stands for the output of `memaed score --stride 2` for a file. Each file is scored as by the daemon, a window every
second frame. 3 of 5 windows at the threshold begin a cause, and 5 below the close threshold end it. Causes less than --merge
apart (default: 30 s) are one alert, if the first lasted for --min-duration (default: 0). Prints JSON. For each budget it holds
the threshold, the number of alerts, and that number a day with the 95 % interval of a Poisson count. It also holds the minutes
from the beginning of each alert to the end of its last cause. Last comes the number of alerts that are told with the default
cooldown and at most --per-hour (default: 12) within an hour. --static skips static windows as the daemon does. MEMAED names
the program. --plot needs gnuplot.
"""
import argparse
import csv
import json
import math
import struct
import subprocess
import sys

from footage import MEMAED

BUDGETS = (1, 10, 100)
K, N, STRIDE, COOLDOWN, MARGIN = 3, 5, 2, 60, 1


def calibration(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
    return json.loads(header["__metadata__"]["memae.calibration"])


def threshold(run, a_day):
    """Returns the score that runs exceed so many times a day, as pareto_score() of core/score/tail.c."""
    rate = a_day / 24
    if rate >= run["share"]:
        return run["level"]
    ratio = rate / run["share"]
    if run["shape"] == 0:
        return run["level"] - run["scale"] * math.log(ratio)
    return run["level"] + run["scale"] / run["shape"] * (ratio ** -run["shape"] - 1)


class Rule:
    """The alert rule of core/score/alert.c with the policy of core/alerting/policy.c."""

    def __init__(self, opens, closes, options):
        self.opens, self.closes, self.options = opens, closes, options
        self.alerts, self.seconds = 0, 0.0
        self.told, self.cooling_until = [], -math.inf           # (time, peak) of each
        self.open = self.lasts = False
        self.gap(0)

    def gap(self, time):
        self.above, self.below = [], 0
        if self.lasts:
            self.end(time)

    def end(self, time):
        self.lasts, self.ended = False, time
        if self.open and self.options.merge == 0:
            self.close()

    def close(self):
        self.open = False
        self.alerts += 1
        self.seconds += self.ended - self.began
        if self.is_told:
            self.cooling_until = self.ended + COOLDOWN

    def score(self, score, time):
        if self.open and not self.lasts and time - self.ended >= self.options.merge:
            self.close()
        self.above = (self.above + [(score >= self.opens, score, time)])[-N:]
        self.below = self.below + 1 if score < self.closes else 0
        high = [w for w in self.above if w[0]]
        if self.lasts and self.below >= N:
            self.end(time)
        elif self.lasts:
            self.peak = max(self.peak, score)
        elif score >= self.opens and len(high) >= K:
            self.lasts = True
            if not self.open:
                self.began, self.peak, self.is_told = high[0][2], -math.inf, False
            self.peak = max(self.peak, *(w[1] for w in high))
        if self.lasts and not self.open:
            self.open = score >= self.closes and time - self.began >= self.options.min_duration
        if self.lasts and self.open:
            self.tell(time)

    def tell(self, time):
        if self.is_told:
            self.told[-1] = (self.told[-1][0], max(self.told[-1][1], self.peak))
            return
        hour = [t for t in self.told if time - t[0] < 3600]
        highest = max((t[1] for t in hour + self.told[-1:]), default=-math.inf)
        held = time < self.cooling_until or 0 < self.options.per_hour <= len(hour)
        if not held or self.peak > highest + MARGIN:
            self.told.append((time, self.peak))
            self.is_told = True

    def finish(self, time):
        self.gap(time)
        if self.open:
            self.close()


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


def rows(model, path, fps, static):
    """Yields what memaed score prints of a file."""
    if path.endswith(".csv"):
        with open(path, newline="", encoding="utf-8") as f:
            yield from csv.DictReader(f)
        return
    command = [MEMAED, "score", *["--static"] * static, "--model", model, "--stride", str(STRIDE), "--fps", str(fps), path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield from csv.DictReader(process.stdout)
    if process.returncode:
        sys.exit(f"{path}: memaed score failed")


def windows(*args):
    """Yields score, p-value and time of each window, and None where the sequence broke."""
    last = None
    for row in rows(*args):
        number = int(row["window"])
        if last is not None and number != last + 1:
            yield None
        last = number
        yield float(row["score"]), float(row["p_value"]), float(row["pts_s"])


def plot(path, p_values):
    p_values.sort()
    step = max(1, len(p_values) // 2000)
    script = (f'set terminal svg size 640,560; set output "{path}"; set key left top; set logscale xy; set grid;'
              'set xlabel "p-value"; set ylabel "share of windows with as small a p-value";'
              'plot [1e-4:1][1e-4:1] x with lines dt 2 lc rgb "#888888" title "uniform", "-" with lines lw 2 title "measured"\n')
    rows = "".join(f"{p} {(i + 1) / len(p_values)}\n" for i, p in enumerate(p_values) if i < 200 or i % step == 0)
    subprocess.run(["gnuplot"], input=script + rows + "e\n", text=True, check=True)


def main(args):
    calibrated = calibration(args.model)
    run, fps = calibrated["tail"]["run"], round(calibrated["fps"], 3)
    rules = [Rule(threshold(run, b), min(calibrated["close_threshold"], threshold(run, b)), args) for b in BUDGETS]
    p_values, time = [], 0.0
    for i, path in enumerate(args.footage):
        for rule in rules:
            rule.gap(time)
        for window in windows(args.model, path, fps, args.static):
            if window:
                time = 3600 * i + window[2]
                p_values.append(window[1])
            for rule in rules:
                rule.score(window[0], time) if window else rule.gap(time)
        print(f"{path}: {[r.alerts for r in rules]} alerts so far", file=sys.stderr)
    days = len(p_values) * STRIDE / fps / 86400
    budgets = []
    for budget, rule in zip(BUDGETS, rules):
        rule.finish(time)
        low, high = interval(rule.alerts)
        budgets.append({"budget_a_day": budget, "threshold": round(rule.opens, 4), "alerts": rule.alerts,
                        "a_day": round(rule.alerts / days, 2), "interval_95": [round(low / days, 2), round(high / days, 2)],
                        "minutes_open": round(rule.seconds / 60, 1), "told": len(rule.told)})
    shares = {str(p): round(sum(v <= p for v in p_values) / len(p_values), 5) for p in (0.5, 0.2, 0.1, 0.05, 0.01, 0.001)}
    print(json.dumps({"hours": round(days * 24, 2), "windows": len(p_values), "calibrated_on_hours":
                      round(calibrated["tail"]["hours"], 2), "budgets": budgets, "p_values_at_most": shares}, indent=1))
    if args.plot:
        plot(args.plot, p_values)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--merge", type=float, default=30)
    parser.add_argument("--min-duration", type=float, default=0)
    parser.add_argument("--per-hour", type=int, default=12)
    parser.add_argument("--static", action="store_true")
    parser.add_argument("--plot")
    parser.add_argument("footage", nargs="+")
    return parser.parse_args()


main(arguments())
