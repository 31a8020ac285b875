#!/usr/bin/python3
"""Sets one hostile input after the other beside a healthy camera, under defaults, and says what became of both.

    tests/bench/hostile_inputs.py [--seconds 45] [--only NAME…] [--scans 85000] [--list]

Each input gets a daemon of its own with two cameras: `well`, an RTSP stream, and `hostile`. The harness takes the place of
systemd's watchdog, whose period is 30 s. For each input,

- the daemon feeds the watchdog at least every 16 s, half of its period and a second, and REST answers within 5 s,
- `well` skips no window, its sequence does not break, and it gets 97 % of the windows that its rate promises, less two,
- all processes together take less memory than the daemon with a healthy camera, plus max_decoder_mib, plus 64 MiB,
- if `hostile` gives no scores, its reason or the log says what is wrong,
- no playlist from another address makes the daemon connect to this machine's loopback.

Prints a table as Markdown on standard output. The status is 1 if something does not hold. Inputs that attack a process need root.
"""
import argparse
import os
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import harness  # noqa: E402
import hostile_inputs  # noqa: E402
from measuring import say  # noqa: E402
from notify_socket import NotifySocket  # noqa: E402
from servers.http_files import HttpFiles  # noqa: E402

WATCHDOG_S, DECODER_MIB, SLACK_MIB, FPS = 30, 512, 64, 10
ODD = os.path.join(os.path.dirname(harness.ROOT), "shared", "tools", "odd_rtsp.py")


# ---- the inputs: name -> function(setting) that returns the source and, or None, what is done to the process ---------------


class Setting:
    """A folder, a server for files, and a second server (canary) that must get no request."""

    def __init__(self, options):
        self.options, self.folder = options, tempfile.mkdtemp(prefix="memaed-hostile-")
        self.clip = harness.write_clip(os.path.join(self.folder, "clip.mkv"), seconds=60, fps=FPS, size="96x64")
        self.live = harness.write_clip(os.path.join(self.folder, "live.h264"), seconds=120, fps=FPS, size="96x64",
                                       codec=("-c:v", "libx264", "-g", "20", "-bf", "0", "-x264-params", "aud=1"))
        self.canary = HttpFiles({"/segment.ts": ("video/mp2t", b"x" * 188)})
        self.files = HttpFiles({}, harness.own_address() or "127.0.0.1")
        self.closing = [self.canary.close, self.files.close]

    def path(self, name):
        return os.path.join(self.folder, name)

    def serve(self, name, kind, body):
        self.files.files[f"/{name}"] = (kind, body)
        return f"{self.files.url}/{name}"

    def close(self):
        for close in self.closing:
            close()
        shutil.rmtree(self.folder, ignore_errors=True)


def scans_jpeg(s):
    return hostile_inputs.progressive_jpeg(s.path("scans.jpg"), 8000, 8000, s.options.scans), None


def scans_mjpeg(s):
    path = hostile_inputs.progressive_jpeg(s.path("scans.jpg"), 8000, 8000, s.options.scans)
    with open(path, "rb") as f:
        return s.serve("scans.mjpg", "image/jpeg", f.read() * 2), None


def huge_picture(s):
    return hostile_inputs.progressive_jpeg(s.path("huge.jpg"), 16000, 16000, 2), None


def huge_pictures(s):
    path = hostile_inputs.progressive_jpeg(s.path("huge.jpg"), 16000, 16000, 2)
    with open(path, "rb") as f:
        return s.serve("huge.mjpg", "image/jpeg", f.read() * 4), None


def many_samples(s):
    return hostile_inputs.mp4_of_many_samples(s.path("many.mp4")), None


def many_samples_http(s):
    with open(hostile_inputs.mp4_of_many_samples(s.path("many.mp4")), "rb") as f:
        return s.serve("many.mp4", "video/mp4", f.read()), None


def odd(*more):
    def start(s):
        if not os.path.exists(ODD):
            return None, "SKIP: needs ../shared/tools/odd_rtsp.py"
        port = harness.free_port()
        process = harness.subprocess.Popen([sys.executable, ODD, "--port", str(port), "--file", s.live, "--fps", str(FPS), *more],
                                           stdout=harness.subprocess.DEVNULL, stderr=harness.subprocess.DEVNULL)
        s.closing.append(process.kill)
        time.sleep(2)
        return f"rtsp://127.0.0.1:{port}/stream", None
    return start


def playlist(name):
    def start(s):
        if not harness.own_address():
            return None, "SKIP: this machine has no address but loopback"
        kind, text = hostile_inputs.playlists(s.canary.url, s.clip)[name]
        ending = ".mpd" if name.startswith("dash") else ".txt" if name == "concat" else ".m3u8"
        return s.serve(name + ending, kind, text.encode()), None
    return start


def again_and_again(act, every_s):
    """Does something to the process that reads the hostile camera, whenever there is one."""
    def attack(daemon, end):
        while time.monotonic() < end:
            pid = harness.camera_process(daemon, "hostile")
            if pid:
                try:
                    act(daemon, pid)
                except OSError:
                    pass
            time.sleep(every_s)
    return lambda s: (s.clip, attack)


def write_garbage(daemon, pid):
    """Overwrites the memory that the process shares with the daemon, again and again."""
    for _ in range(50):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{fd}"
            if not os.readlink(path).startswith("/memfd:memaed"):
                continue
            size = os.stat(path).st_size
            if size < 65536:                    # the small one, which tells the process to stop
                continue
            with open(path, "r+b", buffering=0) as f:
                f.write(os.urandom(size))
        time.sleep(0.05)


INPUTS = {
    "time stamps that stand still": odd("--ts", "const"),
    "time stamps that freeze": odd("--ts", "freeze:8"),
    "JPEG of many scans": scans_jpeg,
    "JPEGs of many scans by HTTP": scans_mjpeg,
    "picture of 16000x16000": huge_picture,
    "pictures of 16000x16000 by HTTP": huge_pictures,
    "MP4 of 88 million entries": many_samples,
    "MP4 of 88 million entries by HTTP": many_samples_http,
    **{f"playlist: {name}": playlist(name) for name in ("hls-file", "hls-path", "hls-loopback", "hls-subfile", "hls-concat",
                                                        "hls-crypto", "hls-key", "dash", "dash-file", "concat")},
    "process killed every 3 s": again_and_again(lambda d, pid: os.kill(pid, signal.SIGKILL), 3),
    "process stopped": again_and_again(lambda d, pid: os.kill(pid, signal.SIGSTOP), 1),
    "garbage in the shared memory": again_and_again(write_garbage, 0.1),
}


# ---- one run --------------------------------------------------------------------------------------------------------------


class Watcher:
    """Measures twice a second the memory of all processes, and how long REST takes to answer."""

    def __init__(self, daemon):
        self.daemon, self.most_mib, self.slowest_s, self.run = daemon, 0.0, 0.0, True
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()

    def _watch(self):
        while self.run:
            start = time.monotonic()
            try:
                self.daemon.get("/healthz", timeout=20)
            except OSError:
                self.slowest_s = 99
            self.slowest_s = max(self.slowest_s, time.monotonic() - start)
            self.most_mib = max(self.most_mib, harness.pss_mib(self.daemon.process.pid))
            time.sleep(0.5)

    def end(self):
        self.run = False
        self.thread.join()


def measure(options, name, model, healthy_mib):
    """Returns the row of an input, and the list of faults."""
    setting = Setting(options)
    notify = NotifySocket(setting.path("notify"))
    server = harness.RtspServer(setting.clip, fps=FPS)
    daemon = None
    try:
        source, attack = INPUTS[name](setting) if name else (None, None)
        if name and not source:
            return [attack, "", "", "", "", "", ""], []
        common = {"model": model, "fps": FPS, "fps_force": True, "alert": {"threshold": 99999}}
        cameras = {"well": {**common, "source": server.url}}
        if source:
            cameras["hostile"] = {**common, "source": source, **({"loop": True} if source == setting.clip else {})}
        daemon = harness.Daemon(setting.folder, {"cameras": cameras}, {"NOTIFY_SOCKET": notify.path,
                                                                       "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6))})
        daemon.wait_camera("well", "watching", 30)
        watcher, start, before = Watcher(daemon), time.monotonic(), daemon.camera("well")
        end = start + (options.seconds if name else 10)
        if attack:
            attack(daemon, end)
        time.sleep(max(0.0, end - time.monotonic()))
        well, now = daemon.camera("well"), time.monotonic()
        watcher.end()
        if not name:
            return watcher.most_mib, []
        hostile = daemon.camera("hostile")
        windows, asked = well["windows_scored"] - before["windows_scored"], (now - start) * FPS / 2
        silence = notify.longest_silence(start, now)
        broken = sum(well["breaks"].values()) + well["windows_skipped"]
        spoken = hostile["reason"] or [e for e in daemon.events("camera_lost") if e["camera"] == "hostile"]
        faults = []
        if silence > WATCHDOG_S / 2 + 1:
            faults.append(f"watchdog waited {silence:.0f} s")
        if watcher.slowest_s > 5:
            faults.append(f"REST took {watcher.slowest_s:.1f} s")
        if broken or windows < 0.97 * asked - 2:
            faults.append(f"well: {windows} of {asked:.0f} windows, {broken} breaks and skipped windows")
        if watcher.most_mib > healthy_mib + DECODER_MIB + SLACK_MIB:
            faults.append(f"{watcher.most_mib:.0f} MiB")
        if hostile["windows_scored"] == 0 and not spoken:
            faults.append("blind without a word")
        if setting.canary.requests:
            faults.append(f"the loopback was asked for {setting.canary.requests}")
        reason = hostile["reason"] or (spoken[-1]["reason"] + " (last loss)" if spoken else "")
        for hidden in (setting.folder, setting.files.url):
            reason = reason.replace(hidden, "…")
        daemon.stop(limit=5)
        return [hostile["state"], hostile["frames"], hostile["windows_scored"], f"{windows} of {asked:.0f}",
                f"{watcher.most_mib:.0f}", f"{silence:.0f}", reason.replace("|", "¦")], faults
    finally:
        if daemon:
            daemon.kill()
        server.kill()
        notify.close()
        setting.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=45, help="of each input")
    parser.add_argument("--only", nargs="*", help="inputs whose name holds one of these words")
    parser.add_argument("--scans", type=int, default=85000, help="of the JPEG")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--memaed", default=os.path.join(harness.ROOT, "build", "memaed"))
    options = parser.parse_args()
    names = [n for n in INPUTS if not options.only or any(word in n for word in options.only)]
    if options.list:
        print("\n".join(names))
        return
    harness.MEMAED = shlex.split(options.memaed)
    folder, failed = tempfile.mkdtemp(prefix="memaed-hostile-"), 0
    try:
        model = harness.write_model(os.path.join(folder, "model.safetensors"))
        healthy_mib, _ = measure(options, None, model, 0)
        say(f"with a healthy camera alone: {healthy_mib:.0f} MiB")
        print("| hostile input | state | frames | windows | windows of the healthy camera | memory, MiB | watchdog, s | reason | "
              "fault |\n|---|---|---|---|---|---|---|---|---|")
        for name in names:
            row, faults = measure(options, name, model, healthy_mib)
            failed += bool(faults)
            print("| " + " | ".join(map(str, [name, *row, "; ".join(faults) or "none"])) + " |", flush=True)
        print(f"\n{len(names)} inputs, {failed} with a fault")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
