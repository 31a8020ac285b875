#!/usr/bin/python3
"""`learn` from a camera whose recording is damaged."""
import json
import os
import struct
import subprocess

import harness
import learning
from learning import DISC, SMALL


class Recording(learning.Case):
    def setUp(self):
        super().setUp()
        harness.need_rtsp()
        long = self.path("long.mkv")
        self.footage(long, f"lum='{DISC}':cb=128:cr=128", 60)
        self.model = self.path("gate.safetensors")
        self.recording = f"{self.model}.recording"
        self.config = self.path("memaed.yml")
        with open(self.config, "w", encoding="utf-8") as f:
            json.dump({"cameras": {"gate": {"source": self.rtsp(long, fps=10).url, "model": "gate.safetensors", "fps": 10}}}, f)

    def arguments(self, seconds, *more, steps=30):
        return ("learn", "--config", self.config, "--camera", "gate", "--hours", str(seconds / 3600), *SMALL, "--steps", str(steps),
                *more)

    def begin(self, *arguments, env=None):
        process = subprocess.Popen([*harness.MEMAED, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
        self.addCleanup(lambda: (process.kill(), process.communicate()))
        return process

    def records(self):
        """Where each record of the recording begins, and where the last one ends."""
        with open(self.recording, "rb") as f:
            data = f.read()
        found, at = [], 40 + struct.unpack_from("<I", data, 32)[0]
        while at + 16 <= len(data):
            size = struct.unpack_from("<I", data, at)[0]
            if size == 0 or at + 16 + size > len(data):
                break
            found.append(at)
            at += 16 + size
        return [*found, at]

    def damage(self, at):
        with open(self.recording, "r+b") as f:
            f.seek(at)
            byte = f.read(1)[0]
            f.seek(at)
            f.write(bytes([byte ^ 1]))

    def test_damage_while_learning(self):
        """The run ends and names the picture."""
        checkpoint = f"{self.model}.checkpoint"
        process = self.begin(*self.arguments(10, "--checkpoint", "0", "--threads", "2", steps=3000))
        harness.wait_for("checkpoint", lambda: os.path.exists(checkpoint) or process.poll() is not None, 60)
        self.damage(self.records()[21] - 1)
        _, err = process.communicate(timeout=60 * harness.SCALE)
        self.assertEqual(process.returncode, 1, err)
        self.assertIn(f"the footage cannot be read any more: {self.recording}: picture 20 is damaged", err)
        self.assertIn("event=recording_kept", err)
        self.assertTrue(os.path.exists(checkpoint))


if __name__ == "__main__":
    harness.main()
