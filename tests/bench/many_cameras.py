#!/usr/bin/python3
"""Runs the daemon with 64 cameras of which 60 are dead, and ends it at random moments.

    tests/bench/many_cameras.py [--starts 200] [--seed 1] [--seconds 60] [--memaed build/memaed]

A third of the dead cameras refuses connections. A third accepts them and never answers. A third has a name that does not resolve.
The four others are over RTSP, at 10 frames a second.

The starts come first. Each `memaed run` gets SIGTERM at a random moment, from before it has read its configuration until well
after READY=1. It must end within 3 s with status 0, and leave neither a process nor a file. Until the program blocks SIGTERM,
the signal itself ends it. No program can prevent that, so it is counted apart.

Then one run lasts --seconds from the moment at which the four cameras watch. They must lose no window, the dead ones must say
why, and resident memory, descriptors and threads must stay bounded.

Prints progress on standard error, and a table and a verdict on standard output. The status is 1 if a bar is missed.
"""
import argparse
import collections
import json
import os
import random
import re
import select
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import harness  # noqa: E402
from measuring import say  # noqa: E402

WELL, DEAD, FPS, STRIDE = 4, 60, 10, 2
END_S = 3.0             # the most time from SIGTERM to the end of a run
STALL_S = 5             # stall_timeout_s
GROWTH_MIB = 8          # the allowed growth of resident memory in the second half of the long run
KINDS = {"refused": "Connection refused", "silent": f"no answer for {STALL_S} s", "nohost": "host not found: "}
# The most descriptors: those of daemon/base/descriptors.h and web/server.h for so many cameras.
DESCRIPTORS = 4 * (WELL + DEAD) + 200 + 32


class Listener:
    """Takes connections on loopback and never answers."""

    def __init__(self):
        self.socket, self.kept = socket.create_server(("127.0.0.1", 0), backlog=256), collections.deque(maxlen=200)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                self.kept.append(self.socket.accept()[0])       # the oldest connection is closed
            except OSError:
                return

    def close(self):
        self.socket.close()


class Notify:
    """The socket that NOTIFY_SOCKET names. Tells when READY=1 came."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.setblocking(False)
        self.path = path

    def ready(self):
        """Returns true if READY=1 has come since the last call."""
        came = False
        while True:
            try:
                came = b"READY=1" in self.socket.recv(4096).split(b"\n") or came
            except BlockingIOError:
                return came

    def wait(self, seconds):
        """Returns true once READY=1 comes within this time."""
        until = time.monotonic() + seconds
        while not self.ready():
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return self.ready()
        return True


def files_of(folder):
    """Returns every file below the folder and in shared memory."""
    found = {os.path.join(top, name) for top, _, names in os.walk(folder) for name in names}
    return found | {os.path.join("/dev/shm", name) for name in os.listdir("/dev/shm")}


def blocks_term(pid):
    """Returns true if the process's first thread blocks SIGTERM."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        blocked = int(re.search(r"(?m)^SigBlk:\s*(\w+)", f.read())[1], 16)
    return bool(blocked >> (signal.SIGTERM - 1) & 1)


def start(folder, notify):
    """Starts the daemon. Its log goes to a file of the folder."""
    with open(os.path.join(folder, "log"), "wb") as log:
        return subprocess.Popen([*harness.MEMAED, "run", "--config", os.path.join(folder, "memaed.yml")],
                                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                env={**os.environ, "NOTIFY_SOCKET": notify.path, "TMPDIR": os.path.join(folder, "tmp")})


def end(process, limit):
    """Sends SIGTERM and waits. Returns the seconds until the end, and whether the process blocked the signal before. After the
    limit it kills the process, and returns None instead of the seconds."""
    blocked = blocks_term(process.pid)
    fd = os.pidfd_open(process.pid)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    ended = bool(select.select([fd], [], [], limit)[0])
    seconds = time.monotonic() - began
    os.close(fd)
    if not ended:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return (seconds if ended else None), blocked


def log_tail(folder, lines=15):
    with open(os.path.join(folder, "log"), encoding="utf-8", errors="replace") as f:
        return "".join("    " + line for line in f.read().splitlines(keepends=True)[-lines:])


def choose_delay(rng, ready_s):
    """Returns the seconds from the start to SIGTERM: a third each at the very start, before READY and after it."""
    kind = rng.randrange(3)
    return rng.uniform(0, ready_s / 2) if kind == 0 else rng.uniform(0, ready_s) if kind == 1 else ready_s + rng.uniform(0, 4)


def starts(folder, notify, options):
    """Starts and ends the daemon. Returns the measurements and a list of faults."""
    rng, faults = random.Random(options.seed), []
    ready_s = []
    for _ in range(3):
        began = time.monotonic()
        process = start(folder, notify)
        if not notify.wait(30):
            raise AssertionError("no READY=1 within 30 s\n" + log_tail(folder))
        ready_s.append(time.monotonic() - began)
        end(process, 30)
    usual_s, before = statistics.median(ready_s), files_of(folder)
    say(f"READY=1 after {usual_s:.2f} s")
    took, by_signal = {"before READY": [], "after READY": []}, 0
    for i in range(options.starts):
        notify.ready()
        delay = choose_delay(rng, usual_s)
        process = start(folder, notify)
        time.sleep(delay)
        relatives = {p.pid for p in harness.family(process.pid)}
        phase = "after READY" if notify.ready() else "before READY"
        seconds, blocked = end(process, END_S + 15)
        what = f"start {i}, SIGTERM after {delay:.3f} s, {phase}: "
        time.sleep(0.05)                # the host of the cameras' processes notices the daemon's end
        left = {*harness.session_processes(process.pid)} | {
            p.pid for p in harness.processes().values() if p.pid in relatives and p.state != "Z"}
        files = files_of(folder) ^ before
        early = process.returncode == -signal.SIGTERM and not blocked
        by_signal += early
        if not early:
            took[phase].append(seconds if seconds is not None else END_S + 15)
        bad = ["it did not end"] if seconds is None else [f"it took {seconds:.2f} s"] if seconds > END_S else []
        bad += [f"status {process.returncode}"] if process.returncode != 0 and not early and seconds is not None else []
        bad += [f"{len(left)} processes are left"] if left else []
        bad += [f"files: {sorted(files)}"] if files else []
        if bad:
            faults.append(what + ", ".join(bad))
            say(faults[-1] + "\n" + log_tail(folder))
        if (i + 1) % 25 == 0:
            say(f"{i + 1} starts, {len(faults)} faults")
    return {"ready_s": usual_s, "by_signal": by_signal, "took": took}, faults


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        return sum(map(int, f.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def long_run(folder, config, options):
    """Runs the daemon. Returns the measurements and a list of faults."""
    faults, samples = [], []
    daemon = harness.Daemon(folder, config)
    pid = daemon.process.pid
    try:
        names = [n for n in config["cameras"] if n.startswith("well")]
        for name in names:
            daemon.wait_camera(name, "watching", 60)
        followers = {n: harness.Follower(daemon, n, limit=1000) for n in names}
        for follower in followers.values():
            follower.drain()
        first = {n: daemon.camera(n) for n in names}
        began, cpu = time.monotonic(), cpu_seconds(pid)
        while time.monotonic() - began < options.seconds:
            time.sleep(1)
            for follower in followers.values():
                follower.poll()
            samples.append((harness.rss_mib(pid), descriptors(pid), threads(pid)))
        seconds, cpu = time.monotonic() - began, cpu_seconds(pid) - cpu
        last = {c["name"]: c for c in daemon.get("/api/v1/cameras")[1]["cameras"]}
        ready = daemon.get("/healthz")[0]
        stop_s = daemon.stop(limit=60)
    finally:
        daemon.kill()
    scored = {}
    for name in names:
        windows = [s["window"] for s in followers[name].scores]
        scored[name] = last[name]["windows_scored"] - first[name]["windows_scored"]
        lost = {k: last[name][k] - first[name][k] for k in ("windows_skipped", "frames_dropped", "reconnects")}
        lost["breaks"] = sum(last[name]["breaks"].values()) - sum(first[name]["breaks"].values())
        if any(lost.values()) or windows != list(range(windows[0], windows[0] + len(windows))):
            faults.append(f"{name} lost windows: {lost}")
        if scored[name] < 0.97 * seconds * FPS / STRIDE:
            faults.append(f"{name} scored {scored[name]} windows in {seconds:.0f} s at {FPS / STRIDE:g} a second")
    for name, camera in last.items():
        kind = name.split("-")[0]
        if kind in KINDS and not (camera["state"] == "lost" and KINDS[kind] in (camera["reason"] or "")):
            faults.append(f"{name} is {camera['state']}: {camera['reason']}")
    half = len(samples) // 2
    highest = [max(column) for column in zip(*samples)]
    early, late = ([max(column) for column in zip(*part)] for part in (samples[:half], samples[half:]))
    if late[0] > early[0] + GROWTH_MIB:
        faults.append(f"resident memory grew from {early[0]:.1f} to {late[0]:.1f} MiB")
    if highest[1] > DESCRIPTORS:
        faults.append(f"{highest[1]} descriptors are open; at most {DESCRIPTORS} were expected")
    if late[2] > early[2]:
        faults.append(f"threads grew from {early[2]} to {late[2]}")
    if ready != 200:
        faults.append(f"/healthz answered {ready}")
    return {"seconds": seconds, "scored": scored, "cores": cpu / seconds, "rss": (early[0], late[0]), "descriptors": highest[1],
            "threads": highest[2], "stop_s": stop_s}, faults


def configuration(folder, server, listener):
    common = {"model": harness.write_model(os.path.join(folder, "model.safetensors")), "fps": FPS, "fps_force": True,
              "stride": STRIDE, "static": "off", "stall_timeout_s": STALL_S, "alert": {"threshold": 99999}}
    port = harness.free_port()          # a port where nothing listens
    sources = {"refused": f"rtsp://127.0.0.1:{port}/live", "silent": f"rtsp://127.0.0.1:{listener.port}/live",
               "nohost": "rtsp://no-such-host-{}.invalid/live"}
    cameras = {f"well-{i}": {**common, "source": server.url} for i in range(WELL)}
    for i in range(DEAD):
        kind = list(KINDS)[i % len(KINDS)]
        cameras[f"{kind}-{i}"] = {**common, "source": sources[kind].format(i)}
    os.makedirs(os.path.join(folder, "state"))
    os.makedirs(os.path.join(folder, "tmp"))
    return {"state_dir": os.path.join(folder, "state"), "http": {"listen": "127.0.0.1:0"}, "cameras": cameras}


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]


def table(begun, run):
    """The figures, as lines."""
    yield f"cameras: {WELL} well, {DEAD} dead; READY=1 after {begun['ready_s']:.2f} s"
    yield f"{'SIGTERM':<14}{'starts':>8}{'median':>10}{'95 %':>10}{'longest':>10}"
    for phase, took in begun["took"].items():
        if took:
            seconds = statistics.median(took), quantile(took, 0.95), max(took)
            yield f"{phase:<14}{len(took):>8}" + "".join(f"{s:>8.2f} s" for s in seconds)
    yield f"ended by the signal itself, before the program blocks it: {begun['by_signal']}"
    if run:
        yield (f"{run['seconds']:.0f} s: windows scored {' '.join(map(str, run['scored'].values()))} of "
               f"{run['seconds'] * FPS / STRIDE:.0f}; {run['cores']:.2f} cores; resident {run['rss'][0]:.1f} MiB, then "
               f"{run['rss'][1]:.1f}; at most {run['descriptors']} descriptors, {run['threads']} threads; ended in "
               f"{run['stop_s']:.2f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60, help="of the long run, 10 or more; 0: none")
    parser.add_argument("--memaed", default=os.path.join(harness.ROOT, "build", "memaed"))
    options = parser.parse_args()
    if 0 < options.seconds < 10:
        parser.error("--seconds: expected 0, or 10 or more")
    harness.MEMAED = shlex.split(options.memaed)
    folder = tempfile.mkdtemp(prefix="memaed-many-")
    outside = tempfile.mkdtemp(prefix="memaed-many-")       # a folder for files of the harness
    listener, server = Listener(), None
    try:
        clip = harness.write_clip(os.path.join(folder, "clip.mkv"), seconds=30, size="96x64")
        server = harness.RtspServer(clip, fps=FPS)
        config = configuration(folder, server, listener)
        with open(os.path.join(folder, "memaed.yml"), "w", encoding="utf-8") as f:
            json.dump(config, f, indent=1)
        notify = Notify(os.path.join(outside, "notify"))
        begun, faults = starts(folder, notify, options)
        run = None
        if options.seconds > 0:
            run, more = long_run(folder, config, options)
            faults += more
        print(*table(begun, run), sep="\n")
        for fault in faults:
            print("fault:", fault)
        print(f"verdict: {'all bars hold' if not faults else f'{len(faults)} faults'} (seed {options.seed})")
        sys.exit(1 if faults else 0)
    finally:
        listener.close()
        if server:
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(outside, ignore_errors=True)


if __name__ == "__main__":
    main()
