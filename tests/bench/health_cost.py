#!/usr/bin/python3
"""Measures what the diagnosis of pictures costs. Runs of the daemon come in pairs, one with `health.enabled: false`, one with the
diagnosis, over looped films of 640x360 and 1920x1080 in H.264 at 10 pictures a second.

    tests/bench/health_cost.py --model MODEL [--footage FILE] [--cameras 4] [--pairs 9] [--seconds 20] [--sizes 640x360 1920x1080]

Both runs decode and scale the same pictures, in gray and at the model's size. No alert opens, and no evidence is kept. So the
difference in processor time of all processes is the diagnosis: its measures in the camera's thread, the mean colour and the marks
of wrong decoding in the camera's process.

Prints progress on standard error and one JSON object on standard output, in per cent of a core a camera: the median of the pairs,
and their quartiles. The status is 1 if a median is above 2 % at 640x360, or 3 % at 1920x1080.
"""
import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import harness  # noqa: E402
from footage import VTEST  # noqa: E402
from measuring import cpu_seconds, in_turn, running, say  # noqa: E402

FPS, SETTLE_S = 10, 15                                  # seconds until a camera is learned
BARS = {"640x360": 2, "1920x1080": 3}


def film(folder, footage, size):
    """Encodes the first minute of the footage. Returns its path."""
    path = os.path.join(folder, f"{size}.mp4")
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-t", "60", "-i", footage, "-vf",
                    f"fps={FPS},scale={size.replace('x', ':')}:flags=lanczos", "-an", "-c:v", "libx264", "-preset", "veryfast",
                    "-bf", "0", "-g", str(2 * FPS), path], check=True)
    return path


def measure(options, path, enabled):
    camera = {"model": options.model, "source": path, "loop": True, "alert": {"threshold": 99999, "k": 1, "n": 1},
              "health": {"enabled": enabled, **({"learn_s": 10} if enabled else {})}}
    names = [f"c{i}" for i in range(options.cameras)]
    with running({"evidence": {"clips": False, "snapshots": False}, "cameras": {name: camera for name in names}}) as daemon:
        for name in names:
            daemon.wait_camera(name, "watching", 60)
        time.sleep(SETTLE_S)
        pid = daemon.process.pid
        begin, cpu, frames = time.monotonic(), cpu_seconds(pid), sum(daemon.camera(n)["frames"] for n in names)
        time.sleep(options.seconds)
        seconds, used = time.monotonic() - begin, cpu_seconds(pid) - cpu
        pictures = sum(daemon.camera(n)["frames"] for n in names) - frames
        daemon.stop(limit=10)
        return {"percent": 100 * used / seconds / options.cameras, "fps": pictures / seconds / options.cameras}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--footage", default=VTEST)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--sizes", nargs="+", default=list(BARS))
    parser.add_argument("--memaed", default=os.path.join(harness.ROOT, "build", "memaed"))
    options = parser.parse_args()
    harness.MEMAED = shlex.split(options.memaed)
    options.model = os.path.abspath(options.model)
    result, holds = {"cameras": options.cameras, "pairs": options.pairs, "fps": FPS}, True
    with tempfile.TemporaryDirectory(prefix="memaed-bench-") as folder:
        for size in options.sizes:
            path = film(folder, options.footage, size)
            say(size)
            pairs = in_turn((False, True), options.pairs, lambda enabled, path=path: measure(options, path, enabled))
            costs = [p[True]["percent"] - p[False]["percent"] for p in pairs]
            low, median, high = statistics.quantiles(costs, n=4)
            result[size] = {"percent": round(median, 2), "quartiles": [round(low, 2), round(high, 2)],
                            "without": round(statistics.median(p[False]["percent"] for p in pairs), 2),
                            "least_fps": round(min(p[kind]["fps"] for p in pairs for kind in p), 2)}
            holds = holds and median <= BARS.get(size, 100)
    result["holds"] = holds
    print(json.dumps(result, indent=2))
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
