#!/usr/bin/python3
"""Measures how many cameras this machine can watch. The daemon runs on looped footage, with more and more cameras of
one model.

    tests/bench/cameras.py --model MODEL [--cameras 10,40] [--clips DIR | --footage FILE] [--hd] [--seconds 30]

Every camera asks for --rate windows a second: the model's frame rate divided by a stride. Cameras begin at different
clips, and every window is computed (static: off). With --hd the clips become 1080p H.264 at 25 frames a second and 4 Mbit/s:
scaled up, with noise, without B frames, with a key frame every two seconds. --footage gives one file for all cameras instead.
`--cameras most` finds about as many cameras as the machine sustains.

Prints progress on standard error and one JSON object on standard output. A run is sustained if every due window is scored and
their rate is within a hundredth of the rate asked for. No camera may get less than 0.98 of its share, minus one window.
Processor time is given in cores by kind of thread: cameras (reading, decoding, scaling) and workers (network and score). The
status is 1 if the last run is not sustained, or if a further camera takes more than 16 MiB. With --hd memory is not judged,
because most of it is the decoder's pictures.
"""
import argparse
import glob
import json
import os
import shlex
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import harness  # noqa: E402
from measuring import say  # noqa: E402

CLIPS = os.path.join(os.path.dirname(harness.ROOT), "shared", "data", "ped2", "test")
HD = ["-vf", "fps=25,scale=1920:1080,noise=alls=6:allf=t", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast",
      "-bf", 0, "-g", 50, "-b:v", "4M"]
MEMORY_MIB = 16         # the most that a further camera may take
SHARE = 0.98            # the least part of an equal share that a camera must get


def join_clips(clips, path, *encode):
    """Writes the clips one after the other as one file. Returns its path."""
    with open(path + ".txt", "w", encoding="utf-8") as f:
        f.writelines(f"file '{os.path.abspath(c)}'\n" for c in clips)
    harness.ffmpeg("-f", "concat", "-safe", 0, "-i", path + ".txt", "-an", *(encode or ("-c", "copy")), path)
    return path


def thread_seconds(pid):
    """Returns the daemon's processor time so far, in seconds by kind of thread. The time of all processes of cameras, even of
    those that have ended, counts as that of the cameras."""
    ticks, kinds = os.sysconf("SC_CLK_TCK"), {"cameras": 0.0, "workers": 0.0, "rest": 0.0}
    for process in harness.family(pid)[1:]:
        kinds["cameras"] += sum(map(int, process.stat[11:15])) / ticks
    for task in glob.glob(f"/proc/{pid}/task/*/stat"):
        with open(task, encoding="utf-8") as f:
            name, fields = f.read().partition("(")[2].rsplit(")", 1)
        kind = "cameras" if name.startswith("cam-") else "workers" if name.startswith("worker-") else "rest"
        kinds[kind] += sum(map(int, fields.split()[11:13])) / ticks
    return kinds


def quantile(buckets, q):
    """Returns a quantile of a Prometheus histogram [(upper bound, count up to it)], linear within a bucket. Beyond
    the last finite bound it is that bound; without samples it is None."""
    if buckets[-1][1] == 0:
        return None
    wanted, low, below = q * buckets[-1][1], 0.0, 0
    for bound, count in buckets:
        if count >= wanted and bound == float("inf"):
            return low
        if count >= wanted:
            return low + (bound - low) * (wanted - below) / (count - below)
        low, below = bound, count
    return low


def seconds_ms(seconds):
    return None if seconds is None else round(1e3 * seconds, 1)


def snapshot(daemon, names):
    return {"time": time.monotonic(), "cpu": thread_seconds(daemon.process.pid),
            "cameras": {n: daemon.camera(n) for n in names}, "latency": daemon.histogram("camera_window_latency_seconds")}


def run(folder, options, sources, n):
    """Runs the daemon with n cameras. Returns what was measured."""
    names = [f"c{i:03}" for i in range(n)]
    common = {"model": options.model, "stride": options.stride, "loop": True, "static": "off", "precision": options.precision}
    daemon = harness.Daemon(folder, {"cameras": {name: {**common, "source": sources[i % len(sources)]}
                                                 for i, name in enumerate(names)}})
    try:
        for name in names:
            daemon.wait_camera(name, "watching", 120)
        time.sleep(3)
        start = snapshot(daemon, names)
        time.sleep(options.seconds)
        end = snapshot(daemon, names)
        memory = harness.pss_mib(daemon.process.pid)
        daemon.stop(limit=10)
    finally:
        daemon.kill()
    seconds = end["time"] - start["time"]

    def more(key):
        return [end["cameras"][c][key] - start["cameras"][c][key] for c in names]
    scored = more("windows_scored")
    latency = [(bound, end["latency"][bound] - start["latency"][bound]) for bound in sorted(end["latency"])]
    asked = options.rate * n
    result = {
        "cameras": n, "precision": end["cameras"][names[0]]["precision"], "seconds": round(seconds, 1),
        "windows_per_s": {"asked": asked, "due": round(sum(more("windows_due")) / seconds, 1),
                          "scored": round(sum(scored) / seconds, 1)},
        "windows_skipped": sum(more("windows_skipped")), "frames_dropped": sum(more("frames_dropped")),
        "least_share": round(min(scored) * n / max(1, sum(scored)), 3),
        "latency_ms": {f"p{q}": seconds_ms(quantile(latency, q / 100)) for q in (50, 99)},
        "cores": {kind: round((end["cpu"][kind] - start["cpu"][kind]) / seconds, 3) for kind in end["cpu"]},
        "memory_mib": round(memory, 1)}
    result["sustained"] = (result["windows_skipped"] == 0 and sum(scored) >= 0.99 * asked * seconds - n
                           and min(scored) >= SHARE * sum(scored) / n - 1)
    say(json.dumps(result))
    return result


def find_most(folder, options, sources):
    """Runs with as many cameras as a run of four predicts, then with fewer, until a run is sustained."""
    cores = len(os.sched_getaffinity(0))
    runs = [run(folder, options, sources, 4)]
    n = max(5, int(4 * cores / sum(runs[0]["cores"].values())))     # predicted from the processor time of four
    while n > 4:
        runs.append(run(folder, options, sources, n))
        if runs[-1]["sustained"]:
            break
        n -= max(1, n // 20)
    return runs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--cameras", default="10,40", help="numbers of cameras to run in turn, or: most")
    parser.add_argument("--rate", type=float, default=5, help="windows a second of each camera")
    parser.add_argument("--seconds", type=float, default=30, help="length of each run")
    parser.add_argument("--clips", default=CLIPS)
    parser.add_argument("--footage", help="one file for all cameras instead")
    parser.add_argument("--hd", action="store_true", help="the clips as 1080p H.264")
    parser.add_argument("--memaed", default=os.path.join(harness.ROOT, "build", "memaed"))
    options = parser.parse_args()
    harness.MEMAED = shlex.split(options.memaed)
    options.model = os.path.abspath(options.model)
    fps = json.loads(harness.run("model", "show", "--json", options.model).out)["calibration"]["fps"]
    options.stride = max(1, round(fps / options.rate))
    options.rate = fps / options.stride         # the nearest rate that a whole stride gives
    folder = tempfile.mkdtemp(prefix="memaed-cameras-")
    try:
        clips = sorted(glob.glob(os.path.join(options.clips, "*.mp4")))
        if options.footage:
            sources = [os.path.abspath(options.footage)]
        elif options.hd:
            sources = [join_clips(clips[:3], os.path.join(folder, "hd.mp4"), *HD)]
        else:
            sources = [join_clips(clips[i:] + clips[:i], os.path.join(folder, f"clips{i}.mp4")) for i in range(len(clips))]
        if options.cameras == "most":
            runs = find_most(folder, options, sources)
        else:
            runs = [run(folder, options, sources, int(n)) for n in options.cameras.split(",")]
        result = {"model": os.path.basename(options.model), "rate": options.rate, "runs": runs,
                  "sustained": runs[-1]["sustained"]}
        first, last = runs[0], runs[-1]
        if last["cameras"] > first["cameras"]:
            result["mib_per_further_camera"] = round((last["memory_mib"] - first["memory_mib"])
                                                     / (last["cameras"] - first["cameras"]), 2)
        print(json.dumps(result, indent=2))
        lean = options.hd or result.get("mib_per_further_camera", 0) <= MEMORY_MIB
        sys.exit(0 if result["sustained"] and lean else 1)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
