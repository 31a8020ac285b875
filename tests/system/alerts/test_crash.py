#!/usr/bin/python3
"""Ten kills of tests/bench/crash.py: every alert that anybody was told of is in the database, and every event in it is delivered.
The clip of an alert that was open at a kill is evidence like any other."""
import glob
import json
import os
import sqlite3
import subprocess
import sys
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402


class Crash(harness.Case):
    def test_ten_kills(self):
        bench = os.path.join(harness.ROOT, "tests", "bench", "crash.py")
        done = subprocess.run([bench, "--kills", "10", "--cameras", "4", "--seed", "3", "--memaed", " ".join(harness.MEMAED)],
                              capture_output=True, text=True, timeout=300 * harness.SCALE, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr[-4000:])
        result = json.loads(done.stdout)
        self.assertEqual((result["kills"], result["failures"], result["open_at_the_end"]), (10, [], 0))
        self.assertGreater(result["told"], 0)
        self.assertGreaterEqual(result["deliveries"]["well"], result["events"])

    def rows(self):
        """The rows of evidence, by path."""
        with sqlite3.connect(self.path("state/memaed.db"), timeout=30) as database:
            return {path: row for path, *row in database.execute("SELECT path, alert, kind, bytes, codec, codecs FROM evidence")}

    def test_clip_of_an_interrupted_alert(self):
        """After the next start the database knows the clip, and REST shows and serves it."""
        source = harness.write_clip(self.path("clip.mkv"), seconds=120)
        harness.ffmpeg("-i", source, "-c:v", "libx264", "-g", 10, "-bf", 0, self.path("clip.mp4"))
        camera = {"source": self.path("clip.mp4"), "model": harness.write_model(self.path("model.safetensors")), "fps": 10,
                  "fps_force": True, "alert": {"threshold": -99999, "close_threshold": -99999, "k": 1, "n": 1, "cooldown_s": 0}}
        daemon = self.daemon({"cameras": {"gate": camera}})
        opened = daemon.wait_event("alert_opened", 60)
        clip = harness.wait_for("the clip", lambda: glob.glob(self.path("state/evidence/gate/*/*/clip.mp4")), 60)[0]
        daemon.wait_event("evidence_written", 60, kind="snapshot")
        daemon.process.kill()
        daemon.process.wait()
        path = os.path.relpath(clip, self.path("state"))
        self.assertNotIn(path, self.rows())

        daemon = self.daemon({"cameras": {"gate": camera}})
        daemon.wait_event("alert_interrupted", id=opened["id"])
        adopted = daemon.wait_event("evidence_adopted", 60)
        self.assertGreaterEqual(int(adopted["files"]), 1)
        row = harness.wait_for("the row", lambda: self.rows().get(path), 20)
        self.assertEqual(row, [int(opened["id"]), "clip", os.path.getsize(clip), None, None])
        _, alert = daemon.get(f"/api/v1/alerts/{opened['id']}")
        self.assertEqual(alert["state"], "interrupted")
        with urllib.request.urlopen(daemon.base + alert["evidence"]["clip"], timeout=10 * harness.SCALE) as answer:
            self.assertEqual(answer.headers.get_content_type(), "video/mp4")
            served = answer.read()
        with open(clip, "rb") as f:
            self.assertEqual(served, f.read())
        daemon.stop()

        daemon = self.daemon({"cameras": {"gate": camera}})          # no file is left to adopt
        daemon.wait_event("alert_opened", 60)
        harness.wait_for("a look at the files", lambda: daemon.metric("memaed_evidence_files") >= 3, 60)
        self.assertEqual(daemon.events("evidence_adopted"), [])
        daemon.stop()


if __name__ == "__main__":
    harness.main()
