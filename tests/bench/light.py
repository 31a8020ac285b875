#!/usr/bin/python3
"""Counts the alerts that a change of light alone makes, with `light` in health.off (before) and in health.hold (after).

    tests/bench/light.py [--footage NAME...] [--per-day N] [--models DIR]

Each case is a clip of real footage whose light FFmpeg changes from the 40th to the 60th second, or in which it changed of itself.
Clips run in `memaed run` at their own speed, all cases of a footage at the same time, each as two cameras. An alert counts if it
opened from 2 s before the change to 5 s after the 60th second, because windows look ahead. The case "somebody" is a control: a
box walks through the picture as the lamp goes on. Its alerts should be told in both.

Footage: vtest (Debian's opencv-doc; a model that learned the same 80 s), day (upcam day 01 at 10 and 13 h), day1 and day2
(changes of themselves in upcam days 01 and 02: dawn, infrared, lamps; the model learned pieces of day 00), of the folder
../shared/data or MEMAED_DATA. Thresholds of the diagnosis were chosen on vtest and day1; day2 is held back.
--per-day: the alerts a day that normal footage may make, in place of 1: a lower threshold shows more of the light.
--models: keeps the models in DIR, and takes those that are there already.
Prints progress to standard error, and a table in Markdown.
"""
import argparse
import os
import subprocess
import sys
import tempfile

from footage import DATA, MEMAED, VTEST
from measuring import running, say

import harness  # measuring knows where

BEGIN, END, LENGTH, LEARN_S = 40, 60, 78, 20            # seconds of a clip
STEPS, SIZES = {"vtest": 160, "upcam": 300}, {"vtest": "64x48", "upcam": "64x32"}
LEARNED_HOURS, LEARNED_S = (2, 6, 7, 8, 10, 13, 16, 18, 21, 23), 480


def hour(day, at):
    return f"{DATA}/upcam/{day}/{day}-{at:02}.mp4"


# footage: the model, and where its clips begin: (file, second); of changes by themselves, the second of the change
FOOTAGE = {
    "vtest": ("vtest", [(VTEST, 0)]),
    "day": ("upcam", [(hour("01", 10), 900), (hour("01", 13), 900)]),
    "day1": ("upcam", [(hour("01", 7), 2657), (hour("01", 8), 1357), (hour("01", 8), 1683), (hour("01", 22), 960),
                       (hour("01", 23), 1575)]),
    "day2": ("upcam", [(hour("02", 8), 3432), (hour("02", 16), 1636), (hour("02", 17), 1514), (hour("02", 16), 2684),
                       (hour("02", 23), 426)]),
}


# ---- light -------------------------------------------------------------------------------------------------------------------

def light(expression):
    return f"geq=lum='clip({expression},0,255)':cb='cb(X,Y)':cr='cr(X,Y)'"


def cases():
    """Filters that change the light, by name."""
    when = f"enable='between(t,{BEGIN},{END})'"
    on = f"between(T,{BEGIN},{END})"
    lamp = light(f"lum(X,Y)*(1+0.6*{on}*exp(-((X/W-0.25)^2+(Y/H-0.3)^2)/0.08))")
    sweep = "+".join(f"between(T,{t},{t + 4})*exp(-((X/W-(T-{t})/4)^2+(Y/H-0.6)^2)/0.03)" for t in (BEGIN, BEGIN + 10))
    walk = (f"[a];testsrc2=s=16x32:r=10:d={LENGTH},hue=s=0,format=yuv420p[b];"
            f"[a][b]overlay=x='8+mod(6*(t-{BEGIN}),96)':y=H/2-16:{when}")
    return {
        "lamp": lamp,
        "exposure up": f"eq=brightness=0.12:{when}",
        "exposure down": f"eq=gamma=0.6:{when}",
        "cloud": light(f"lum(X,Y)*(1-0.35*clip((T-{BEGIN})/10,0,1)*clip(({END}-T)/5,0,1))"),
        "headlights": light(f"lum(X,Y)+90*({sweep})"),
        "infrared": f"hue=s=0:{when},eq=gamma=1.6:{when}",
        "somebody": lamp + walk,
    }


def ffmpeg(*args):
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-threads", "1", *map(str, args)], check=True)


def clip(folder, name, path, begin, filters):
    """Encodes a case, small as the network sees it."""
    out = os.path.join(folder, f"{name}.mp4")
    ffmpeg("-ss", begin, "-i", path, "-t", LENGTH, "-filter_complex", f"[0:v]scale=128:-2,{filters}", "-an", "-c:v", "libx264",
           "-preset", "ultrafast", "-crf", "14", out)
    return out


def clips(folder, footage):
    """Writes the clips of a footage. Returns them by the name of their case."""
    _, places = FOOTAGE[footage]
    made = {}
    for i, (path, second) in enumerate(places):
        itself = footage in ("day1", "day2")
        for name, filters in ({f"{second} s": "null"} if itself else cases()).items():
            made.setdefault(f"{os.path.basename(path)[:-4]} {name}" if itself else name, []).append(
                clip(folder, f"{footage}-{i}-{name.replace(' ', '-')}", path, second - BEGIN if itself else second, filters))
    return made


# ---- models ------------------------------------------------------------------------------------------------------------------

def model(folder, name):
    """Learns a small model, unless it is there. Returns its path."""
    out = os.path.join(folder, f"{name}.safetensors")
    if os.path.exists(out):
        return out
    say(f"learns {name}")
    inputs = [os.path.join(folder, f"learned-{name}.mp4")]
    if name == "vtest":
        ffmpeg("-i", VTEST, "-vf", "scale=128:96", "-c:v", "libx264", "-crf", "8", inputs[0])
    else:
        inputs = [os.path.join(folder, f"learned-{h:02}.mp4") for h in LEARNED_HOURS]
        for path, h in zip(inputs, LEARNED_HOURS):
            ffmpeg("-ss", "900", "-t", LEARNED_S, "-i", hour("00", h), "-c", "copy", path)
    calibrate = ["--calibrate", *inputs] if name == "vtest" else []
    subprocess.run([MEMAED, "learn", "--input", *inputs, *calibrate, "--output", out, "--profile", "nano", "--size", SIZES[name],
                    "--steps", str(STEPS[name]), "--low-priority"], check=True, stderr=subprocess.DEVNULL)
    return out


# ---- measuring ---------------------------------------------------------------------------------------------------------------

def told(daemon, camera, which=""):
    alerts = daemon.get(f"/api/v1/alerts?camera={camera}{which}")[1]["alerts"]
    return [a for a in alerts if BEGIN - 2 <= a["pts_s"] < END + 5]


def measure(folder, footage, models, per_day):
    """Runs the clips of a footage. Returns a row a case."""
    made = clips(folder, footage)
    cameras, names = {}, {}
    for n, (case, paths) in enumerate(made.items()):
        for i, path in enumerate(paths):
            for way, health in (("before", {"off": ["light"]}), ("after", {})):
                name = f"c{n}-{i}-{way}"
                names.setdefault((case, way), []).append(name)
                cameras[name] = {"model": models[FOOTAGE[footage][0]], "source": path, "backlog": 4096,
                                 "health": {"learn_s": LEARN_S, **health}, "alert": {"per_day": per_day, "cooldown_s": 0,
                                                                                   "max_per_hour": 0}}
    rows = []
    with running({"cameras": cameras}) as daemon:
        for name in cameras:
            daemon.wait_camera(name, "stopped", LENGTH + 600)
        for case, paths in made.items():
            counts = {way: sum(len(told(daemon, n)) for n in names[case, way]) for way in ("before", "after")}
            held = sum(len(told(daemon, n, "&suppressed=only")) for n in names[case, "after"])
            rows.append((footage, case, len(paths), counts["before"], counts["after"], held))
            say(rows[-1])
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--footage", nargs="+", choices=FOOTAGE, default=list(FOOTAGE))
    parser.add_argument("--per-day", type=float, default=1, metavar="N")
    parser.add_argument("--models", metavar="DIR")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.models:
            os.makedirs(options.models, exist_ok=True)
        models = {name: model(options.models or folder, name) for name in sorted({FOOTAGE[f][0] for f in options.footage})}
        rows = [row for footage in options.footage for row in measure(folder, footage, models, options.per_day)]
    print("| footage | light | clips | before | after | held back |\n|---|---|---|---|---|---|")
    for footage, case, n, before, after, held in rows:
        print(f"| {footage} | {case} | {n} | {before} | {after} | {held} |")


if __name__ == "__main__":
    main()
