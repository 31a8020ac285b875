#!/usr/bin/python3
"""Kills `learn` with SIGKILL at random instants. The same command with --resume must go on each time. At its end only the model
may be left.

    tests/bench/kill_learn.py [--kills 100] [--seed 1] [--memaed build/memaed]

Three forms of `learn` take turns: from a file (with more footage than --max-memory holds), from a camera that is a file, and from
an RTSP camera. A run is killed once or several times, then left to its end. Each kill aims at a phase: it waits until the phase
begins, and a random time longer. The process is stopped before it is killed, so that the phase can be read from its log and its
files. After a kill the next run must go on from the step of the checkpoint, and with the frames of the recording. At the end the
folder must hold the model alone. From a file, its tensors must be those of a run without a kill.

Prints progress on standard error, and a table of phases on standard output. The status is 1 if anything failed.
"""
import argparse
import collections
import json
import os
import random
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import harness  # noqa: E402
import learning  # noqa: E402
from measuring import say  # noqa: E402

STEPS, FPS, RTSP_FPS, RTSP_S = 60, 10, 50, 4
PHASES = ("start", "reading", "recording", "training", "checkpoint", "calibration", "writing", "end")
# The phases that are aimed at, their weights, and the most seconds from their beginning to the kill.
AIMS = {"start": (1, 0.1), "reading": (1, 0.3), "recording": (3, 4.5), "training": (3, 1.5), "checkpoint": (3, 0.01),
        "calibration": (3, 1.0), "writing": (4, 0.006)}
GIVE_UP_S = 120


class Failure(Exception):
    pass


def checkpoint_step(path):
    """Returns the step of a checkpoint, or None if there is none."""
    try:
        return json.loads(learning.metadata(path)["memae.state"])["steps"]
    except FileNotFoundError:
        return None


def whole_records(path):
    """Returns how many whole pictures a recording has."""
    try:
        with open(path, "rb") as f:
            data = f.read()
    except FileNotFoundError:
        return 0
    if len(data) < 40:
        return 0
    n, at = 0, 40 + struct.unpack_from("<I", data, 32)[0]
    while at + 16 <= len(data):
        size = struct.unpack_from("<I", data, at)[0]
        if size == 0 or at + 16 + size > len(data):
            break
        n, at = n + 1, at + 16 + size
    return n


class Run:
    """One process of `learn`."""

    def __init__(self, model, arguments):
        self.model, self.lines = model, []
        self.process = subprocess.Popen([*harness.MEMAED, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=lambda: self.lines.extend(iter(self.process.stderr.readline, "")), daemon=True)
        self.reader.start()

    def log(self):
        return "".join(self.lines)

    def has(self, event):
        return f"event={event} " in self.log()

    def event(self, name):
        for line in self.lines:
            if f"event={name} " in line:
                return harness.parse_line(line)
        return None

    def parts(self, ending):
        """Returns true if a temporary file of the model with this ending is there."""
        folder, base = os.path.split(self.model)
        return any(re.fullmatch(re.escape(base + ending) + r"\.[0-9a-f]{16}\.part", n) for n in os.listdir(folder))

    def phase(self):
        """Returns what the process is doing."""
        learned = checkpoint_step(f"{self.model}.checkpoint") == STEPS
        if not self.has("footage"):
            if self.has("recording"):
                return "recording"
            return "reading" if self.parts(".footage") or not self.parts("") and self.process.args[2] == "--input" else "start"
        if self.parts(".checkpoint"):
            return "checkpoint"
        if self.parts(""):
            return "writing"
        if os.path.exists(self.model):
            left = any(os.path.exists(self.model + e) for e in (".checkpoint", ".recording"))
            return "writing" if left else "end"
        return "calibration" if learned else "training"

    def reached(self, aim):
        """Returns true if the phase has begun."""
        if aim == "start":
            return True
        if aim in ("reading", "recording"):
            return self.has("recording") or self.has("footage") or self.parts(".footage")
        if not self.has("footage"):
            return False
        if aim == "training":
            return True
        if aim == "checkpoint":
            return self.parts(".checkpoint")
        if aim == "calibration":
            return checkpoint_step(f"{self.model}.checkpoint") == STEPS
        return os.path.exists(self.model) or self.parts("")

    def kill(self, aim, after_s):
        """Returns the phase that was hit, or None if the run ended before."""
        limit = time.monotonic() + GIVE_UP_S
        while not self.reached(aim) and self.process.poll() is None:
            if time.monotonic() > limit:
                self.end(signal.SIGKILL)
                raise Failure(f"phase {aim} did not begin\n{self.log()}")
            time.sleep(0.0005)
        time.sleep(after_s)
        if self.process.poll() is not None:
            return None
        self.process.send_signal(signal.SIGSTOP)
        while self.process.poll() is None and self.state() not in "TZX":
            time.sleep(0.0005)
        if self.state() != "T":
            return None
        phase = self.phase()
        self.end(signal.SIGKILL)
        return phase

    def state(self):
        try:
            with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as f:
                return f.read().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return "X"

    def end(self, number=None):
        """Waits for the end. Returns the exit status."""
        if number:
            self.process.send_signal(number)
        try:
            code = self.process.wait(GIVE_UP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure(f"not done within {GIVE_UP_S} s\n{self.log()}") from None
        self.reader.join(10)
        self.process.stderr.close()
        return code


class Form:
    """One way to call `learn`, in a folder of its own."""

    def __init__(self, name, folder, arguments, reference):
        self.name, self.folder, self.arguments = name, folder, arguments
        self.model = os.path.join(folder, "gate.safetensors")
        self.before = sorted(os.listdir(folder))
        self.camera = name != "input"
        self.seconds = []
        if reference:
            begin = time.monotonic()
            code = Run(self.model, arguments).end()
            say(f"{name}: {time.monotonic() - begin:.1f} s without a kill, status {code}")
            self.tensors = learning.tensors(self.model)
            os.unlink(self.model)
        else:
            self.tensors = None

    def chain(self, rng, kills, hits):
        """Kills a run up to `kills` times, resumes it each time, and checks the end. Returns how many kills there were."""
        done, resume = 0, ()
        while True:
            checkpoint = checkpoint_step(f"{self.model}.checkpoint")
            records = whole_records(f"{self.model}.recording")
            ended = os.path.exists(self.model)
            run = Run(self.model, (*self.arguments, "--checkpoint", rng.choice(("0", "0.2", "45")), *resume))
            phase = None
            if done < kills:
                aims = [a for a in AIMS if a != ("recording" if not self.camera else "reading")]
                aim = rng.choices(aims, [AIMS[a][0] for a in aims])[0]
                phase = run.kill(aim, rng.uniform(0, AIMS[aim][1]))
            if phase is None:
                code = run.end()
                self.check_resumed(run, resume, checkpoint, records, ended)
                self.check_end(run, code)
                return done
            self.check_resumed(run, resume, checkpoint, records, ended)
            hits[phase] += 1
            done += 1
            resume = ("--resume",)

    def check_resumed(self, run, resume, checkpoint, records, ended):
        """Returns true if the run went on from the files of the one before."""
        if not resume:
            return
        for line in run.lines:
            if not re.search(r" (info|notice) event=|event=recording_damaged |event=checkpoint_failed ", line):
                raise Failure(f"{line}{run.log()}")
        resumed, recording = run.event("resumed"), run.event("recording")
        if resumed and int(resumed["step"]) != checkpoint:
            raise Failure(f"went on from step {resumed['step']}, but the checkpoint had {checkpoint}\n{run.log()}")
        if run.has("no_checkpoint") and checkpoint is not None and not ended:
            raise Failure(f"the checkpoint of step {checkpoint} was lost\n{run.log()}")
        if recording and self.name == "rtsp" and float(recording["seconds"]) < (records - 1) / RTSP_FPS - 0.2:
            raise Failure(f"{records} frames were recorded, and {recording['seconds']} s were kept\n{run.log()}")

    def check_end(self, run, code):
        if code != 0:
            raise Failure(f"status {code}\n{run.log()}")
        left = sorted(os.listdir(self.folder))
        if left != sorted([*self.before, "gate.safetensors"]):
            raise Failure(f"the folder holds {left}\n{run.log()}")
        if self.tensors and learning.tensors(self.model) != self.tensors:
            raise Failure(f"the model is not the one of a run without a kill\n{run.log()}")
        if self.name == "rtsp":
            frames = json.loads(learning.metadata(self.model)["memae.training"])["frames"]
            if not RTSP_S * RTSP_FPS <= frames <= RTSP_S * RTSP_FPS + 20:
                raise Failure(f"learned from {frames} frames\n{run.log()}")
        os.unlink(self.model)

    def clear(self):
        """Removes the files of a failed chain."""
        for name in set(os.listdir(self.folder)) - set(self.before):
            os.unlink(os.path.join(self.folder, name))


def make_forms(root, clip, url):
    network = ("--profile", "nano", "--size", "48x32", "--batch", "4", "--threads", "1", "--steps", str(STEPS))
    folders = {}
    for name, source, fps in ("input", None, 0), ("file", clip, FPS), ("rtsp", url, RTSP_FPS):
        folders[name] = folder = os.path.join(root, name)
        os.mkdir(folder)
        if source:
            with open(os.path.join(folder, "memaed.yml"), "w", encoding="utf-8") as f:
                json.dump({"cameras": {"gate": {"source": source, "model": "gate.safetensors", "fps": fps, "fps_force": True}}},
                          f)
    camera = lambda name, hours: ("learn", "--config", os.path.join(folders[name], "memaed.yml"), "--camera", "gate", "--output",
                                  os.path.join(folders[name], "gate.safetensors"), "--hours", str(hours), *network)
    return (Form("input", folders["input"],
                 ("learn", "--input", clip, "--output", os.path.join(folders["input"], "gate.safetensors"),
                                             "--max-memory", "1", *network), True),
            Form("file", folders["file"], camera("file", 1), True),
            Form("rtsp", folders["rtsp"], camera("rtsp", RTSP_S / 3600), False))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--memaed", default=os.path.join(harness.ROOT, "build", "memaed"))
    options = parser.parse_args()
    harness.MEMAED = shlex.split(options.memaed)
    rng, root, server = random.Random(options.seed), tempfile.mkdtemp(prefix="memaed-kill-"), None
    hits, failures, kills, ends = collections.defaultdict(collections.Counter), [], 0, 0
    begin = time.monotonic()
    try:
        clip = os.path.join(root, "clip.mkv")           # its pictures take more than 1 MiB
        harness.ffmpeg("-f", "lavfi", "-i", f"color=c=black:s=96x64:r={FPS}:d=80,geq=lum='{learning.DISC}':cb=128:cr=128",
                       "-c:v", "ffv1", clip)
        server = harness.RtspServer(clip, fps=RTSP_FPS)
        forms = make_forms(root, clip, server.url)
        while kills < options.kills and len(failures) < 5:
            form, most = rng.choice((*forms, forms[2])), min(rng.randint(1, 5), options.kills - kills)
            before = sum(hits[form.name].values())
            try:
                form.chain(rng, most, hits[form.name])
                ends += 1
            except Failure as e:
                failures.append(form.name)
                say(f"FAILED {form.name}: {e}")
                form.clear()
            kills += sum(hits[form.name].values()) - before
            say(f"{time.monotonic() - begin:5.0f} s  {form.name:6} {kills} kills, {ends} models, {len(failures)} failures")
    finally:
        if server:
            server.kill()
        shutil.rmtree(root, ignore_errors=True)
    names = ("input", "file", "rtsp")
    print("phase       " + "".join(f"{n:>8}" for n in (*names, "all")))
    for phase in PHASES:
        counts = [hits[n][phase] for n in names]
        print(f"{phase:12}" + "".join(f"{c:8}" for c in (*counts, sum(counts))))
    print(f"{kills} kills, {ends} models, {len(failures)} failures, seed {options.seed}, {time.monotonic() - begin:.0f} s")
    sys.exit(1 if failures or kills < options.kills else 0)


if __name__ == "__main__":
    main()
