#!/usr/bin/python3
"""Measures the cost of keeping packets for clips. Runs of the daemon take turns in rounds, over the same looped footage of 4
Mbit/s. One has `clips: false`, one keeps 10 s of packets, and in one every camera also writes a clip.

    tests/bench/evidence.py --model MODEL [--cameras 4] [--rounds 5] [--seconds 15] [--key-distance 1] [--mbit 4]

For each run it takes the processor time of all processes, and their memory (Pss: shared pages count once) when the rings of
packets are full. Prints progress on standard error and one JSON object on standard output. The status is 1 if keeping packets
costs more than 3 % of a core or 8 MiB a camera (medians of the rounds).
"""
import argparse
import json
import os
import shlex
import statistics
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import harness  # noqa: E402
from measuring import cpu_seconds, in_turn, running, say  # noqa: E402

BARS = {"core_percent": 3, "mib": 8}
PRE_ROLL_S = 4                          # a ring of 10 s
KINDS = {"off": {"clips": False}, "keeps": {"pre_roll_s": PRE_ROLL_S}, "writes": {"pre_roll_s": PRE_ROLL_S, "max_clip_s": 3600}}


def write_footage(path, options):
    """Writes footage whose packets come to the wanted rate."""
    rate = round(options.mbit * 1e6)
    harness.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=1280x720:r=25:d=40", "-vf", "noise=alls=30:allf=t", "-pix_fmt", "yuv420p",
                   "-c:v", "libx264", "-preset", "veryfast", "-b:v", rate, "-minrate", rate, "-maxrate", rate, "-bufsize", rate,
                   "-g", round(25 * options.key_distance), "-sc_threshold", 0, path)
    say(f"footage of {8e-6 * os.path.getsize(path) / 40:.2f} Mbit/s")
    return path


def measure(options, kind):
    threshold = -99999 if kind == "writes" else 99999
    camera = {"source": options.footage, "loop": True, "model": options.model, "static": "off",
              "alert": {"threshold": threshold, "k": 1, "n": 1}}
    names = [f"c{i}" for i in range(options.cameras)]
    with running({"evidence": KINDS[kind], "cameras": {name: camera for name in names}}) as daemon:
        for name in names:
            daemon.wait_camera(name, "watching", 60)
        time.sleep(PRE_ROLL_S + 8 + options.key_distance)       # the rings are full
        pid, begin, cpu = daemon.process.pid, time.monotonic(), cpu_seconds(daemon.process.pid)
        time.sleep(options.seconds)
        core = (cpu_seconds(pid) - cpu) / (time.monotonic() - begin)
        result = {"core_percent": 100 * core / options.cameras, "mib": harness.pss_mib(pid) / options.cameras,
                  "clips": len(daemon.events("alert_opened"))}
        daemon.stop(limit=10)
        return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--key-distance", type=float, default=1)
    parser.add_argument("--mbit", type=float, default=4)
    parser.add_argument("--memaed", default=os.path.join(harness.ROOT, "build", "memaed"))
    options = parser.parse_args()
    harness.MEMAED = shlex.split(options.memaed)
    options.model = os.path.abspath(options.model)
    with tempfile.TemporaryDirectory(prefix="memaed-evidence-") as folder:
        options.footage = write_footage(os.path.join(folder, "footage.mp4"), options)
        rounds = in_turn(list(KINDS), options.rounds, lambda kind: measure(options, kind))

    def median(kind, key):
        return round(statistics.median(r[kind][key] - r["off"][key] for r in rounds), 3)
    result = {"cameras": options.cameras, "rounds": options.rounds,
              **{kind: {key: median(kind, key) for key in BARS} for kind in ("keeps", "writes")}}
    result["holds"] = {key: result["keeps"][key] <= bar for key, bar in BARS.items()}
    print(json.dumps(result, indent=2))
    sys.exit(0 if all(result["holds"].values()) else 1)


if __name__ == "__main__":
    main()
