#!/usr/bin/python3
"""`learn` from a camera: the recording survives a power cut, and damage in it costs only the damaged frames."""
import json
import os
import struct
import subprocess

import harness
import learning
from learning import DISC, SMALL, metadata


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
        return ("learn", "--config", self.config, "--camera", "gate", "--hours", str(seconds / 3600), *SMALL, "--steps",
                str(steps), *more)

    def begin(self, *arguments, env=None):
        process = subprocess.Popen([*harness.MEMAED, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
        self.addCleanup(lambda: (process.kill(), process.communicate()))
        return process

    def event(self, log, name):
        return harness.parse_line(next(x for x in log.splitlines() if f"event={name} " in x))

    def records(self):
        """Returns the offsets at which the records of the recording begin, and the end of the last one."""
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

    def check_folder(self):
        """Checks that learn has left the model and no other file."""
        self.assertEqual([n for n in os.listdir(self.folder) if n.startswith("gate")], ["gate.safetensors"])

    def test_damage(self):
        """A run is killed. Then a picture in the middle is damaged, and the last one is cut. The next run goes on without
        them."""
        process = self.begin(*self.arguments(3600))
        harness.wait_for("recording", lambda: os.path.exists(self.recording) and len(self.records()) > 45, 30)
        process.kill()
        process.communicate()
        records = self.records()
        self.damage(records[5] - 1)                 # the last byte of picture 4
        os.truncate(self.recording, records[-1] - 7)
        done = harness.run(*self.arguments(12, "--resume"), timeout=60)
        self.assertEqual(done.code, 0, done.err)
        damaged = self.event(done.err, "recording_damaged")
        self.assertEqual((damaged["path"], damaged["frames_lost"]), (self.recording, "2"))
        self.assertEqual(int(damaged["bytes_lost"]), records[5] - records[4] + records[-1] - records[-2] - 7)
        self.assertAlmostEqual(float(damaged["seconds_lost"]), 0.2, delta=0.01)
        kept = float(self.event(done.err, "recording")["seconds"])
        exact = 0.05 if harness.SCALE == 1 else 0.09        # of a frame's 0.1 s
        self.assertAlmostEqual(kept, (len(records) - 1 - 2 - 2) / 10, delta=exact)     # two frames less, in two sequences
        frames = int(self.event(done.err, "footage")["frames"])
        self.assertTrue(121 <= frames <= 124, frames)      # 12 s in three sequences
        self.assertEqual(json.loads(metadata(self.model)["memae.training"])["frames"], frames)
        self.check_folder()

    def test_damage_while_learning(self):
        """The run ends and names the picture. The next one learns without it, and not from the checkpoint of the whole
        recording."""
        checkpoint = f"{self.model}.checkpoint"
        process = self.begin(*self.arguments(10, "--checkpoint", "0", "--threads", "2", steps=3000))
        harness.wait_for("checkpoint", lambda: os.path.exists(checkpoint) or process.poll() is not None, 60)
        self.damage(self.records()[21] - 1)
        _, err = process.communicate(timeout=60 * harness.SCALE)
        self.assertEqual(process.returncode, 1, err)
        self.assertIn(f"the footage cannot be read any more: {self.recording}: picture 20 is damaged", err)
        self.assertIn("event=recording_kept", err)
        self.assertTrue(os.path.exists(checkpoint))
        done = harness.run(*self.arguments(10, "--resume"), timeout=60)
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(self.event(done.err, "recording_damaged")["frames_lost"], "1")
        self.assertEqual(self.event(done.err, "checkpoint_removed")["path"], checkpoint)
        self.check_folder()

    def test_what_is_recorded_is_synced(self):
        """The recording is synced every half minute, and at its end. Even if a sync takes two seconds, no frame is lost."""
        library, log = self.path("slow_sync.so"), self.path("syncs")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", library,
                        os.path.join(harness.HERE, "programs", "slow_sync.c")], check=True)
        env = {"LD_PRELOAD": library, "MEMAED_TEST_SYNCS": log, "MEMAED_TEST_SYNC_MS": "2000"}
        if "address" in harness.SAN:
            env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        done = harness.run(*self.arguments(36), env=env, timeout=120)
        self.assertEqual(done.code, 0, done.err)
        with open(log, encoding="utf-8") as f:
            syncs = [(float(at), int(size)) for at, size in map(str.split, f)]
        sizes = [size for _, size in syncs]
        self.assertEqual(len(syncs), 3, syncs)                  # the header, after 30 s, at the end
        self.assertAlmostEqual(syncs[1][0] - syncs[0][0], 30, delta=1.5 * harness.SCALE)
        self.assertTrue(sizes[0] < 2000 < 0.6 * sizes[2] < sizes[1] < sizes[2], sizes)
        footage = self.event(done.err, "footage")
        breaks = int(footage["clips"]) - 1                  # a frame more in each further sequence
        frames = int(footage["frames"]) - breaks            # 36 s; on a slow machine, time stamps may fall just short of them
        self.assertIn((frames, footage["corrupt"]), [(361, "0"), (362 if harness.SCALE > 1 else 361, "0")])
        self.assertTrue(breaks == 0 or harness.SCALE > 1, breaks)
        self.assertNotIn("camera_lost", done.err)


if __name__ == "__main__":
    harness.main()
