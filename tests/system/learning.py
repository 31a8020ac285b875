"""Shared by the tests of `learn` and `calibrate`: small footage, small models, and the contents of a model file."""
import csv
import io
import json
import os
import struct
import subprocess

import harness

# A disc that circles slowly over a gradient.
DISC = "if(lt(hypot(X-48-24*cos(T),Y-32-12*sin(T)),8),235,60+X/2)"
FITTED = ("--profile", "nano", "--threads", "1", "--batch", "4")
SMALL = (*FITTED, "--size", "48x32")


def metadata(path):
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        return json.loads(f.read(size))["__metadata__"]


def tensors(path):
    """All bytes of the tensors of a safetensors file."""
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        return f.read()[size:]


def scores(model, clip):
    done = harness.run("score", "--model", model, clip)
    assert done.code == 0, done.err
    return [float(r["score"]) for r in csv.DictReader(io.StringIO(done.out))]


def told(done):
    """The faults of footage that a command told: clip, kind, begin and end in seconds."""
    lines = [e for e in map(harness.parse_line, done.err.splitlines()) if e and e["event"] == "footage_fault"]
    return [(e["clip"], e["kind"], float(e["from_s"]), float(e["to_s"])) for e in lines]


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.normal = os.path.join(self.folder, "normal.mkv")
        # 15 s at 10 frames a second.
        self.footage(self.normal, f"lum='{DISC}':cb=128:cr=128", 15)

    def footage(self, path, geq, seconds, size="96x64"):
        harness.ffmpeg("-f", "lavfi", "-i", f"color=c=black:s={size}:r=10:d={seconds},geq={geq}", "-c:v", "ffv1", path)

    def wall(self, name, seconds, fault):
        """Footage of a wall that is black where the expression is true. Returns its path."""
        path = os.path.join(self.folder, name)
        wall = "60+mod(floor(X/9)*37+floor(Y/7)*53,7)*16+random(0)*4"
        self.footage(path, f"lum='if({fault},16+random(0)*17,{wall})':cb=128:cr=128", seconds)
        return path

    def tells(self, done, expected):
        """A command told that the picture is black. expected: clip, begin and end of each. A second is judged as a whole."""
        self.assertEqual([fault[:2] for fault in told(done)], [(clip, "black") for clip, _, _ in expected], done.err)
        for (*_, begin, end), (_, *times) in zip(told(done), expected):
            self.assertLess(max(abs(begin - times[0]), abs(end - times[1])), 1.1, done.err)

    def learn(self, output, *args, inputs=None):
        return harness.run("learn", "--input", *(inputs or [self.normal]), "--output", output, *SMALL, *args, timeout=120)

    def refused(self, reason, *args, inputs=None):
        model = os.path.join(self.folder, "none.safetensors")
        done = self.learn(model, "--steps", "20", *args, inputs=inputs)
        self.assertEqual((done.code, done.out), (1, ""), done.err)
        self.assertIn(reason, done.err)
        self.assertEqual([n for n in os.listdir(self.folder) if n.startswith("none")], [])

    def interrupted(self, output, number, *args, when=lambda: True, command=None):
        """Runs `learn`, or `command`, and sends it a signal once it has written a checkpoint and `when()` is true. Returns the
        exit status and standard error."""
        def written():
            try:
                return os.stat(f"{output}.checkpoint").st_ino
            except FileNotFoundError:
                return 0
        before = written()
        command = command or ("learn", "--input", self.normal, "--output", output, *SMALL)
        process = subprocess.Popen([*harness.MEMAED, *command, "--checkpoint", "0", *args], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            harness.wait_for("checkpoint", lambda: process.poll() is not None or (written() not in (0, before) and when()),
                             60, step=0.002)
            process.send_signal(number)
            _, err = process.communicate(timeout=60 * harness.SCALE)
        finally:
            process.kill()
            process.wait()
        self.assertFalse(os.path.exists(output), "it ended before the signal came")
        return process.returncode, err.decode()

    def configuration(self, source):
        """Writes a configuration whose model does not exist yet."""
        path = os.path.join(self.folder, "memaed.yml")
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"cameras": {"gate": {"source": source, "model": "gate.safetensors", "fps": 10, "stall_timeout_s": 1}}}, f)
        return path, os.path.join(self.folder, "gate.safetensors")

    def camera_args(self, config, hours, *args):
        return ("learn", "--config", config, "--camera", "gate", "--hours", str(hours), *SMALL, "--steps", "30", *args)
