"""A small disk for state_dir, and cameras whose alerts fill it. The disk is a tmpfs in a mount namespace of this process, so
nothing of it is left."""
import datetime
import errno
import glob
import os
import shutil
import subprocess
import sys
import time

import counted
import harness

MIB = 1 << 20
FPS = 10
# Something happens in one half of these seconds, again and again.
PERIOD_S = 6
MARK = "MEMAED_TEST_MOUNTS"


def enter():
    """Starts this program again in a mount namespace of its own, as root there. Returns None within it, or else why that is not
    possible."""
    if os.environ.get(MARK):
        return None
    space = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    probe = subprocess.run([*space, "mount", "-t", "tmpfs", "none", "/mnt"], stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, check=False)
    if probe.returncode:
        return f"no tmpfs can be mounted here: {probe.stderr.strip()}"
    os.environ[MARK] = "1"
    os.execvp(space[0], [*space, sys.executable, *sys.argv])


def mount(path, mib):
    os.makedirs(path)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=700", "none", path], check=True)


def unmount(path):
    subprocess.run(["umount", "--lazy", path], check=False)


def write_footage(folder):
    """Writes footage of about 0.8 MB/s that takes little processor time."""
    path = counted.write_counted(os.path.join(folder, "small.mkv"), 4 * PERIOD_S * FPS,
                                 [range(FPS * (2 + PERIOD_S * i), FPS * (2 + PERIOD_S * i) + FPS * PERIOD_S // 2)
                                  for i in range(4)], FPS)
    large = os.path.join(folder, "large.mkv")
    harness.ffmpeg("-i", path, "-vf", "scale=448:320:flags=neighbor,format=yuv422p", "-c:v", "huffyuv", large)
    return large


def config(folder, cameras, **evidence):
    """Returns a configuration of so many cameras with an alert every PERIOD_S seconds each."""
    model = harness.write_model(os.path.join(folder, "model.safetensors"))
    camera = {"source": write_footage(folder), "loop": True, "model": model, "fps": FPS, "fps_force": True, "stride": 1,
              "alert": {**counted.ALERT, "merge_s": 0, "min_duration_s": 0, "max_per_hour": 0}}
    return {"evidence": {"pre_roll_s": 1, "post_roll_s": 1, "max_clip_s": 10, **evidence},
            "cameras": {f"c{i}": camera for i in range(cameras)}}


def free_bytes(path):
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


class Watch:
    """Watches a daemon with a small disk."""

    def __init__(self, daemon, state, cameras):
        self.daemon, self.state = daemon, state
        self.cameras = [f"c{i}" for i in range(cameras)]
        self.least_free, self.longest_silence_s = float("inf"), 0
        self.begin = time.monotonic()
        self.scored = {name: (self.count(name), self.begin) for name in self.cameras}

    def count(self, name):
        return self.daemon.metric("memaed_camera_windows_scored_total", camera=name)

    def look(self):
        self.least_free = min(self.least_free, free_bytes(self.state))
        now = time.monotonic()
        for name in self.cameras:
            count, since = self.scored[name]
            self.longest_silence_s = max(self.longest_silence_s, now - since)
            if (scored := self.count(name)) != count:
                self.scored[name] = (scored, now)

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.look()
            time.sleep(0.1)

    def clip(self, alert):
        found = glob.glob(os.path.join(self.state, "evidence", alert["camera"], "*", str(alert["id"]), "clip.*"))
        return found[0] if found else None

    def newest(self, most=4):
        """Returns the newest alerts that closed long enough ago for their clips to be complete."""
        alerts = self.daemon.get("/api/v1/alerts?since=latest&limit=40")[1]["alerts"]
        closed = [a for a in alerts if a["closed"] and time.time() - datetime.datetime.fromisoformat(a["closed"]).timestamp() > 3]
        return sorted(closed, key=lambda a: a["id"])[-most:]

    def sound(self, alert):
        """Returns true if the alert has a clip that plays."""
        path = self.clip(alert)
        return bool(path) and subprocess.run(["ffprobe", "-v", "error", "-count_packets", "-show_streams", path],
                                             stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0

    def errors(self):
        """Returns the lines of the log that tell of a failure, without storage_full."""
        lines = self.daemon.log().splitlines()
        return [line for line in lines if " error event=" in line or " critical event=" in line or "evidence_failed" in line or
                "retention_failed" in line]


def fill(path, size):
    """Writes a file of that size, as another program might, or a smaller one if the disk is full before."""
    try:
        with open(path, "wb") as f:
            shutil.copyfileobj(Zeros(size), f, MIB)
    except OSError as e:
        if e.errno != errno.ENOSPC:
            raise


class Zeros:
    def __init__(self, left):
        self.left = left

    def read(self, n):
        n = min(n, self.left)
        self.left -= n
        return bytes(n)
