#!/usr/bin/python3
"""Measures how well a model finds objects that stand still: in composited events, and how often it alerts on a normal day.

    tests/bench/still.py MODEL [--events DIR]... [--normal FILE...]

DIR is a folder that tests/bench/composites.py made. An event is found if a box overlaps its place while the voice `still` is
at or above the model's threshold, within 60 s after the event began. A negative clip (a change of light, somebody who passes)
counts as an alert if that voice ever reaches the threshold. The FILEs are one normal day in order, and are watched as one.
Prints one JSON object. MEMAED names the program.
"""
import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile

from footage import MEMAED, size_of

WITHIN_S = 60


def calibration(path):
    with open(path, "rb") as f:
        metadata = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))["__metadata__"]
    if "memae.still" not in metadata:
        sys.exit(f"{path}: the model does not know what stands still")
    return json.loads(metadata["memae.calibration"])


def rows(model, path, fps):
    """Yields the rows of a file, one a second."""
    command = [MEMAED, "score", "--model", model, "--format", "jsonl", "--stride", str(round(fps)), path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        sys.exit(f"{path}: memaed score failed")


def overlaps(box, place, size):
    x, y, w, h = (v / s for v, s in zip(place, (*size, *size)))
    return box["x"] < x + w and x < box["x"] + box["width"] and box["y"] < y + h and y < box["y"] + box["height"]


def judge(model, folder, event, fps, threshold):
    """Returns whether the event was found, or a negative clip alerted, and after how many seconds."""
    path = os.path.join(folder, "clips", event["clip"] + ".mp4")
    size, began_s = size_of(path), event["first"] / event["fps"]
    for row in rows(model, path, fps):
        level, at_s = row["voices"]["still"], row["pts_s"] + 8 / fps        # the time of the window's last frame
        if level is None or level < threshold:
            continue
        if event["negative"]:
            return True, at_s
        if began_s <= at_s <= began_s + WITHIN_S and any(overlaps(b, event["box"], size) for b in row["still_boxes"]):
            return True, at_s - began_s
    return False, None


def events(model, folders, calibrated):
    found, delays = {}, []
    for folder in folders:
        with open(os.path.join(folder, "events.json"), encoding="utf-8") as f:
            for event in json.load(f):
                hit, delay = judge(model, folder, event, calibrated["fps"], calibrated["threshold"])
                if hit and not event["negative"]:
                    delays.append(delay)
                for key in (event["kind"], ("negative" if event["negative"] else "event") +
                            (" at night" if event["night"] else " by day")):
                    count = found.setdefault(key, [0, 0])
                    count[0] += hit
                    count[1] += 1
                print(f"{event['clip']}: {'-' if not hit else f'{delay:.0f} s'}", file=sys.stderr, flush=True)
    delays.sort()
    return {"alerts_of_clips": {k: f"{n} of {of}" for k, (n, of) in sorted(found.items())},
            "delay_s": round(delays[len(delays) // 2]) if delays else None}


def normal(model, files, calibrated):
    alerts, opened, last_s = [], None, 0
    with tempfile.TemporaryDirectory() as folder:
        listed, joined = os.path.join(folder, "list"), os.path.join(folder, "day.mkv")
        with open(listed, "w", encoding="utf-8") as f:
            f.writelines(f"file '{os.path.abspath(path)}'\n" for path in files)
        subprocess.run(["ffmpeg", "-v", "error", "-f", "concat", "-safe", "0", "-i", listed, "-c", "copy", joined], check=True)
        for row in rows(model, joined, calibrated["fps"]):
            level, last_s = row["voices"]["still"], row["pts_s"]
            if level is None:
                continue
            if opened is None and level >= calibrated["threshold"]:
                opened = last_s
                alerts.append({"at_s": round(last_s), "open_s": None, "boxes": row["still_boxes"]})
            elif opened is not None and level < calibrated["close_threshold"]:
                alerts[-1]["open_s"] = round(last_s - opened)
                opened = None
    return {"hours": round(last_s / 3600, 2), "alerts": len(alerts), "each": alerts}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--events", action="append", default=[])
    parser.add_argument("--normal", nargs="*", default=[])
    args = parser.parse_args()
    calibrated = calibration(args.model)
    result = {"threshold": calibrated["threshold"]}
    if args.events:
        result["events"] = events(args.model, args.events, calibrated)
    if args.normal:
        result["normal"] = normal(args.model, args.normal, calibrated)
    print(json.dumps(result, indent=1))


main()
