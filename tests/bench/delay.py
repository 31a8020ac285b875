#!/usr/bin/python3
"""Measures how long an alert's notification takes. The time begins when the picture in the middle of the window that opened the
alert was taken. It ends when a webhook receiver has the whole event, with the snapshot inside. Meanwhile two cores are busy to
the wanted share.

    tests/bench/delay.py --model MODEL [--alerts 100] [--cameras 4] [--load 70] [--fps 10] [--seed 1] [--memaed build/memaed]

The cameras are looped films of 1280x720 in which a bright disc crosses a textured scene at seeded times. The threshold lies
between the scores of the crossings and all others, so any model alerts. Beside the daemon, a process for each core is busy for
as long as the share in which the two cores are not idle (/proc/stat) lies below the wanted one.

Prints progress on standard error and one JSON object on standard output. The object has the quantiles of the delay at the
receiver, what the daemon's own metrics say, and the measured share of the cores. The status is 1 if fewer than 95 of 100
notifications came within 3 s with their snapshot, or fewer alerts came than asked.
"""
import argparse
import base64
import csv
import datetime
import io
import json
import multiprocessing
import os
import random
import shlex
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import harness  # noqa: E402
from measuring import running, say  # noqa: E402
from servers.webhook_receiver import Receiver  # noqa: E402

BAR_S, BAR_SHARE, CORES = 3.0, 0.95, 2
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
FILM_S, CROSSING_S = 20, 1.5
SLICE_S = 0.02                  # a burner is busy for a part of each slice
SETTLE_S, ALERT_S = 20, 20      # until the load is steady; the longest wait for one more alert


# ---- the load --------------------------------------------------------------------------------------------------------

def processor_times(cores):
    """Returns the time that the cores were not idle, and all time, in ticks."""
    busy = every = 0
    with open("/proc/stat", encoding="ascii") as f:
        for line in f:
            name, *ticks = line.split()
            if name in {f"cpu{core}" for core in cores}:
                ticks = [int(t) for t in ticks[:8]]
                every += sum(ticks)
                busy += sum(ticks) - ticks[3] - ticks[4]        # without idle and iowait
    return busy, every


def burn(core, share):
    os.sched_setaffinity(0, {core})
    while True:
        begin = time.monotonic()
        while time.monotonic() - begin < share.value * SLICE_S:
            pass
        time.sleep(max(SLICE_S - (time.monotonic() - begin), 0.0005))


class Load(threading.Thread):
    """Holds the share in which the cores are busy, as long as its context lasts."""

    def __init__(self, cores, wanted):
        super().__init__(daemon=True)
        self.cores, self.wanted, self.ended = cores, wanted, False
        self.share = multiprocessing.Value("d", 0.0)
        self.burners = [multiprocessing.Process(target=burn, args=(core, self.share), daemon=True) for core in cores]

    def __enter__(self):
        for burner in self.burners:
            burner.start()
        self.start()
        return self

    def run(self):
        last = processor_times(self.cores)
        while not self.ended:
            time.sleep(1)
            now = processor_times(self.cores)
            busy = (now[0] - last[0]) / max(now[1] - last[1], 1)
            last = now
            self.share.value = min(max(self.share.value + 0.4 * (self.wanted - busy), 0), 0.98)

    def __exit__(self, *_):
        self.ended = True
        for burner in self.burners:
            burner.terminate()


# ---- the cameras -----------------------------------------------------------------------------------------------------

def write_film(path, fps, rng):
    """Writes a film in which the disc crosses twice. Returns its crossings in seconds."""
    crossings = [rng.uniform(2.5, 6), rng.uniform(11, 15)]
    height = rng.randrange(160, 560)
    still = path + ".png"
    harness.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=1280x720", "-frames:v", 1, "-vf", "format=gray,eq=contrast=0.4", still)
    # The disc is drawn small, and laid over the scene: an expression for each pixel is slow.
    disc = "+".join(f"between(T,{t:.3f},{t + CROSSING_S:.3f})*lt(hypot(X-160*(T-{t:.3f})/{CROSSING_S},Y-{height / 8:.1f}),11)"
                    for t in crossings)
    harness.ffmpeg("-f", "lavfi", "-i", f"color=white:s=160x90:r={fps}:d={FILM_S},format=yuva420p,"
                   f"geq=lum=235:cb=128:cr=128:a='255*({disc})',scale=1280:720", "-loop", 1, "-framerate", fps, "-i", still,
                   "-filter_complex", f"[1][0]overlay=shortest=1,noise=alls=3:allf=t:all_seed={rng.randrange(1 << 20)},"
                   "format=yuv420p", "-t", FILM_S, "-c:v", "libx264", "-preset", "ultrafast", "-g", 2 * fps, path)
    os.unlink(still)
    return crossings


def thresholds(model, path, fps, crossings):
    """The thresholds between the scores of the crossings and those of all other windows."""
    done = harness.run("score", "--model", model, "--fps", str(fps), path, timeout=600)
    assert done.code == 0, done.err
    inside, outside = [], []
    for row in csv.DictReader(io.StringIO(done.out)):
        at = float(row["pts_s"])
        if any(t + 0.3 < at < t + CROSSING_S - 0.3 for t in crossings):
            inside.append(float(row["score"]))
        elif not any(t - 2 < at < t + CROSSING_S + 2 for t in crossings):
            outside.append(float(row["score"]))
    high, low = min(inside), max(outside)
    assert high > low, f"{path}: the model does not tell the crossings (from {high:.2f} on) from the rest (up to {low:.2f})"
    return {"threshold": low + 0.5 * (high - low), "close_threshold": low + 0.25 * (high - low)}


def configuration(options, folder, url):
    cameras, rng = {}, random.Random(options.seed)
    for i in range(options.cameras):
        film = os.path.join(folder, f"c{i}.mp4")
        crossings = write_film(film, options.fps, rng)
        cameras[f"c{i}"] = {"source": film, "loop": True, "model": options.model, "fps": options.fps, "fps_force": True,
                            "alert": {**thresholds(options.model, film, options.fps, crossings), "k": 2, "n": 3, "merge_s": 0,
                                      "cooldown_s": 0, "max_per_hour": 0}}
        say(f"camera c{i}: the disc crosses at {', '.join(f'{t:.1f} s' for t in crossings)}")
    webhook = {"name": "bench", "url": url, "secret": SECRET, "snapshot": "inline", "events": ["alert.opened"]}
    return {"workers": CORES, "cameras": cameras, "webhooks": [webhook]}


# ---- the figures -----------------------------------------------------------------------------------------------------

def utc(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def has_picture(delivery):
    return base64.b64decode(delivery["data"].get("snapshot", {}).get("base64", ""))[:3] == b"\xff\xd8\xff"


def figures(deliveries):
    delays = sorted(d["at"] - utc(d["timestamp"]) for d in deliveries)
    within = sum(has_picture(d) and d["at"] - utc(d["timestamp"]) <= BAR_S for d in deliveries)

    def quantile(share):
        return round(delays[min(int(share * len(delays)), len(delays) - 1)], 3) if delays else None
    return {"alerts": len(delays), "with_snapshot": sum(map(has_picture, deliveries)),
            "within_bar": within, "share_within_bar": round(within / len(delays), 4) if delays else 0,
            "delay_s": {"p50": quantile(0.5), "p90": quantile(0.9), "p95": quantile(0.95), "p99": quantile(0.99),
                        "max": quantile(1)},
            "mean_body_kib": round(sum(len(json.dumps(d)) for d in deliveries) / 1024 / max(len(deliveries), 1), 1)}


def wait_alerts(receiver, n):
    """Waits for n notifications, as long as they come."""
    last, since = len(receiver.deliveries), time.monotonic()
    while len(receiver.deliveries) < n:
        time.sleep(0.2)
        if len(receiver.deliveries) > last:
            last, since = len(receiver.deliveries), time.monotonic()
            if last % 10 == 0:
                say(f"{last} notifications")
        if time.monotonic() - since > 3 * ALERT_S:
            say(f"no alert for {3 * ALERT_S} s")
            return


def busy_percent(cores, begin):
    """Returns the share in which the cores were busy since then, in per cent."""
    end = processor_times(cores)
    return 100 * (end[0] - begin[0]) / (end[1] - begin[1])


def measure(options, cores, config, receiver):
    idle = processor_times(cores)
    time.sleep(3)
    before = busy_percent(cores, idle)
    with running(config) as daemon:
        for name in config["cameras"]:
            daemon.wait_camera(name, "watching", 120)
        with Load(cores, options.load / 100) as load:
            say(f"others take {before:.0f} % of the cores; waiting for {options.load:.0f} %")
            time.sleep(SETTLE_S)
            with receiver.lock:
                receiver.deliveries.clear()
            begin, since = processor_times(cores), time.monotonic()
            wait_alerts(receiver, options.alerts)
            busy, took_s = busy_percent(cores, begin), time.monotonic() - since
            with receiver.lock:
                deliveries = list(receiver.deliveries)
            result = {"cores": len(cores), "busy_percent": round(busy, 1), "busy_percent_of_others": round(before, 1),
                      "burners_share": round(load.share.value, 3), "nice": os.nice(0), "cameras": options.cameras,
                      "seconds": round(took_s), "seed": options.seed, **figures(deliveries),
                      "metric_mean_s": round(daemon.metric("memaed_webhook_delay_seconds_sum", endpoint="bench") /
                                             max(daemon.metric("memaed_webhook_delay_seconds_count", endpoint="bench"), 1), 3),
                      "windows_skipped": sum(daemon.camera(name)["windows_skipped"] for name in config["cameras"]),
                      "faults": len(receiver.faults())}
            daemon.stop(limit=10)
    result["holds"] = result["alerts"] >= options.alerts and result["share_within_bar"] >= BAR_SHARE and result["faults"] == 0
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--alerts", type=int, default=100)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--load", type=float, default=70, help="percent of two cores")
    parser.add_argument("--fps", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--memaed", default=os.path.join(harness.ROOT, "build", "memaed"))
    options = parser.parse_args()
    harness.MEMAED = shlex.split(options.memaed)
    options.model = os.path.abspath(options.model)
    cores, receiver = sorted(os.sched_getaffinity(0))[:CORES], Receiver(SECRET)
    try:
        with tempfile.TemporaryDirectory(prefix="memaed-delay-") as folder:
            config = configuration(options, folder, receiver.url)
            os.sched_setaffinity(0, cores)
            result = measure(options, cores, config, receiver)
    finally:
        receiver.close()
    print(json.dumps(result, indent=2))
    sys.exit(0 if result["holds"] else 1)


if __name__ == "__main__":
    main()
