#!/usr/bin/python3
"""Measures the cost of a process for each camera. Runs of the daemon come in pairs, one with `isolation: thread`, one with
`isolation: process`, over the same looped footage.

    tests/bench/isolation.py --model MODEL [--cameras 8] [--pairs 15] [--seconds 20] [--footage FILE] [--live] [--start 64]

For each pair it takes the processor time of all processes, their memory (Pss: shared pages count once), and the mean latency of
a window. No clips are kept and nothing alerts, so the difference is that of the processes. tests/bench/evidence.py measures the
cost of evidence. With --live an RTSP server sends the footage, and latency counts from the arrival of a picture's data, as in
`memaed run`. Otherwise it counts from when the picture is in the ring. At last it starts the daemon with --start cameras, and
takes the time until the last one has its first picture.

Prints progress on standard error and one JSON object on standard output. The status is 1 if processes cost more than 3 % of
processor time (median of the pairs), 4 MiB a camera or 2 ms of latency, or if the start takes more than 2 s.
"""
import argparse
import json
import os
import shlex
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import harness  # noqa: E402
from measuring import cpu_seconds, in_turn, running, say  # noqa: E402

BARS = {"cpu_percent": 3, "mib_per_camera": 4, "latency_ms": 2, "start_s": 2}
FOOTAGE = os.path.join(os.path.dirname(harness.ROOT), "shared", "data", "ped2", "test", "01.mp4")


def configuration(options, isolation, n):
    common = {"model": options.model, "static": "off", "alert": {"threshold": 99999, "k": 1, "n": 1}}
    common |= {"source": options.server.url} if options.live else {"source": options.footage, "loop": True}
    return {"isolation": isolation, "evidence": {"clips": False}, "cameras": {f"c{i:03}": common for i in range(n)}}


def latency(daemon, names):
    """Returns the sum of all latencies in seconds, and the number of their windows."""
    total = count = 0
    for name in names:
        total += daemon.metric("memaed_camera_window_latency_seconds_sum", camera=name)
        count += daemon.metric("memaed_camera_window_latency_seconds_count", camera=name)
    return total, count


def measure(options, isolation):
    with running(configuration(options, isolation, options.cameras)) as daemon:
        names = [f"c{i:03}" for i in range(options.cameras)]
        for name in names:
            daemon.wait_camera(name, "watching", 60)
        time.sleep(2)
        pid = daemon.process.pid
        cpu, (sum_s, count) = cpu_seconds(pid), latency(daemon, names)
        time.sleep(options.seconds)
        end_cpu, (end_sum_s, end_count) = cpu_seconds(pid), latency(daemon, names)
        windows = end_count - count
        result = {"cpu_ms_per_window": 1e3 * (end_cpu - cpu) / windows, "memory_mib": harness.pss_mib(pid),
                  "latency_ms": 1e3 * (end_sum_s - sum_s) / windows, "windows": windows,
                  "skipped": sum(daemon.camera(n)["windows_skipped"] for n in names)}
        daemon.stop(limit=10)
        return result


def start_seconds(options, isolation):
    """Returns the seconds until REST answers, and until every camera has a picture."""
    begin = time.monotonic()
    with running(configuration(options, isolation, options.start)) as daemon:
        ready = time.monotonic() - begin
        harness.wait_for("first pictures", lambda: all(c["frames"] > 0 for c in daemon.get("/api/v1/cameras")[1]["cameras"]), 60,
                         step=0.02)
        return round(ready, 2), round(time.monotonic() - begin, 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--footage", default=FOOTAGE)
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--start", type=int, default=64)
    parser.add_argument("--memaed", default=os.path.join(harness.ROOT, "build", "memaed"))
    options = parser.parse_args()
    harness.MEMAED = shlex.split(options.memaed)
    options.model, options.footage = os.path.abspath(options.model), os.path.abspath(options.footage)
    options.server = harness.RtspServer(options.footage) if options.live else None
    pairs = in_turn(("thread", "process"), options.pairs, lambda isolation: measure(options, isolation))
    if options.server:
        options.server.kill()
    options.live = False
    starts = {isolation: [start_seconds(options, isolation) for _ in range(3)] for isolation in ("thread", "process")}
    say(json.dumps(starts))

    def median(difference):
        return round(statistics.median(difference(p["thread"], p["process"]) for p in pairs), 3)
    result = {"cameras": options.cameras, "pairs": options.pairs,
              "cpu_percent": median(lambda t, p: 100 * (p["cpu_ms_per_window"] / t["cpu_ms_per_window"] - 1)),
              "mib_per_camera": median(lambda t, p: (p["memory_mib"] - t["memory_mib"]) / options.cameras),
              "latency_ms": median(lambda t, p: p["latency_ms"] - t["latency_ms"]),
              "start_s": statistics.median(s[1] for s in starts["process"]),
              "start_s_thread": statistics.median(s[1] for s in starts["thread"]),
              "ready_s": statistics.median(s[0] for s in starts["process"])}
    result["holds"] = {key: result[key] <= bar for key, bar in BARS.items()}
    print(json.dumps(result, indent=2))
    sys.exit(0 if all(result["holds"].values()) else 1)


if __name__ == "__main__":
    main()
