#!/usr/bin/python3
"""Runs four cameras for an hour, one of them over RTSP. At 70 % of this machine's capacity no frame may be dropped.
At 150 % every due window is scored or counted as skipped, and each camera gets its share. Memory stays flat, and
stopping takes at most 2 s.

    tests/bench/soak.py [--minutes 60] [--clip FILE] [--memaed build/memaed]

`memaed bench` first measures the capacity with the model that is then run. Each load takes half of the minutes.
Prints progress on standard error and one JSON object on standard output. The status is 1 if a bar is missed.
"""
import argparse
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

CAMERAS = ("gate", "yard", "hall", "dock")      # gate is over RTSP
FPS = 25
SHARE = 0.1             # how far a camera's share may differ from an equal one
GROWTH = 0.05           # the allowed growth of resident memory after warm-up; 8 MiB are always allowed


def choose_model(folder, workers):
    """Writes a model so large that four cameras at a stride of 1 can ask for 150 % of the workers' capacity. Returns
    its path and the workers' windows a second."""
    for channels in ((16, 24, 32, 32), (32, 48, 64, 64), (48, 64, 96, 96), (96, 128, 256, 256)):
        model = harness.write_model(os.path.join(folder, "model.safetensors"), 128, 128, channels, slots=500)
        command = harness.run("bench", "--model", model, "--threads", workers, "--stride", 1, "--seconds", 10,
                              timeout=300)
        capacity = 1 / json.loads(command.out)["seconds_per_window"]
        say(f"channels {channels}: {capacity:.1f} windows/s on {workers} workers")
        if len(CAMERAS) * FPS >= 1.5 * capacity:
            return model, capacity
    sys.exit("soak: this machine is too fast for four cameras")


def run(folder, model, rate, sources, minutes, workers):
    """Runs four cameras that together ask for `rate` windows a second. Returns what was measured."""
    fps = rate / len(CAMERAS)           # windows a second of one camera, at a stride of 1
    common = {"model": model, "fps": round(fps, 3), "fps_force": True, "stride": 1, "alert": {"threshold": 99999}}
    cameras = {n: {**common, "source": s, **({} if s.startswith("rtsp") else {"loop": True})}
               for n, s in zip(CAMERAS, sources)}
    daemon = harness.Daemon(folder, {"workers": workers, "cameras": cameras})
    try:
        for name in CAMERAS:
            daemon.wait_camera(name, "watching", 120)
        followers = [harness.Follower(daemon, n, limit=1000) for n in CAMERAS]
        began, memory, next_line = time.monotonic(), [], 0.0
        start = {n: daemon.camera(n) for n in CAMERAS}
        while time.monotonic() - began < minutes * 60:
            time.sleep(1)
            for follower in followers:
                follower.poll()
                follower.scores.clear()
            memory.append(harness.rss_mib(daemon.process.pid))
            if time.monotonic() - began >= next_line:
                next_line += 60
                states = {n: daemon.camera(n) for n in CAMERAS}
                say(f"{time.monotonic() - began:6.0f} s  {memory[-1]:.0f} MiB  scored "
                    + " ".join(str(states[n]["windows_scored"]) for n in CAMERAS) + "  skipped "
                    + " ".join(str(states[n]["windows_skipped"]) for n in CAMERAS))
        seconds = time.monotonic() - began
        end = {n: daemon.camera(n) for n in CAMERAS}
        stop_s = daemon.stop(limit=60)
    finally:
        daemon.kill()
    final = {e["camera"]: {k: int(e[k]) for k in ("windows_due", "windows_scored", "windows_skipped")}
             for e in daemon.events("camera_ended")}
    keys = ("frames_dropped", "windows_due", "windows_scored", "windows_skipped", "windows_pending", "reconnects")
    counts = {n: {k: end[n][k] for k in keys} for n in CAMERAS}
    scored = [end[n]["windows_scored"] - start[n]["windows_scored"] for n in CAMERAS]
    # Resident memory grows for minutes, until all pages were touched once. Warm-up is a tenth of the time: 5 s to 5 minutes.
    warm = min(300, max(5, len(memory) // 10))
    kept = memory[warm:] or memory[-1:]
    tail = max(1, len(kept) // 5)
    early, late = sum(kept[:tail]) / tail, sum(kept[-tail:]) / tail
    return {"seconds": round(seconds, 1), "asked_windows_per_s": round(rate, 2),
            "scored_windows_per_s": round(sum(scored) / seconds, 2), "scored": dict(zip(CAMERAS, scored)), "counts": counts,
            "final": final, "rss_mib": {"first": round(memory[0], 1), "warm": round(early, 1), "last": round(late, 1),
                        "highest": round(max(memory), 1)},
            "memory_flat": late - early <= max(8, GROWTH * early),
            # Windows may be pending while the daemon runs, but not at its end.
            "counts_exact": all(c["windows_due"] == c["windows_scored"] + c["windows_skipped"] + c["windows_pending"]
                                for c in counts.values())
            and set(final) == set(CAMERAS)
            and all(c["windows_due"] == c["windows_scored"] + c["windows_skipped"] for c in final.values()),
            "stop_s": round(stop_s, 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--clip", help="what FFmpeg reads, half a minute or more (default: a test picture)")
    parser.add_argument("--memaed", default=os.path.join(harness.ROOT, "build", "memaed"))
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    harness.MEMAED = shlex.split(options.memaed)
    folder = tempfile.mkdtemp(prefix="memaed-soak-")
    server = None
    try:
        clip = os.path.join(folder, "clip.mp4")
        source = ["-i", options.clip] if options.clip else ["-f", "lavfi", "-i", f"testsrc2=size=320x240:rate={FPS}:duration=60"]
        harness.ffmpeg(*source, "-an", "-vf", f"fps={FPS},scale=320:240", "-c:v", "libx264", "-preset", "veryfast", "-bf", 0,
                       clip)
        model, capacity = choose_model(folder, options.workers)
        server = harness.RtspServer(clip, fps=FPS)
        sources = [server.url] + [clip] * (len(CAMERAS) - 1)
        result = {"capacity_windows_per_s": round(capacity, 2), "workers": options.workers}
        for load in (0.7, 1.5):
            say(f"\n{load:.0%} of {capacity:.1f} windows/s for {options.minutes / 2:g} minutes")
            result[f"at_{load:.0%}".replace("%", "")] = run(folder, model, load * capacity, sources, options.minutes / 2,
                                                            options.workers)
        calm, busy = result["at_70"], result["at_150"]
        fair = sum(busy["scored"].values()) / len(CAMERAS)
        result["bars"] = {
            "no_frame_dropped_at_70": all(c["frames_dropped"] == 0 for c in calm["counts"].values()),
            "counts_exact": calm["counts_exact"] and busy["counts_exact"],
            "overloaded_at_150": all(c["windows_skipped"] > 0 for c in busy["counts"].values()),
            "shares_within_a_tenth": all(abs(n - fair) <= SHARE * fair for n in busy["scored"].values()),
            "memory_flat": calm["memory_flat"] and busy["memory_flat"],
            "stopped_in_2_s": max(calm["stop_s"], busy["stop_s"]) <= 2.0}
        print(json.dumps(result, indent=2))
        sys.exit(0 if all(result["bars"].values()) else 1)
    finally:
        if server:
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
