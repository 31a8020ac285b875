#!/usr/bin/python3
"""Evidence on a small disk: the oldest is deleted so that there is always room, the newest and marked evidence stay, nothing
stops. If others have filled the disk, an event tells of it. A kill while evidence is deleted leaves files and rows that agree."""
import glob
import os
import sqlite3
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
import small_disk  # noqa: E402
from small_disk import MIB  # noqa: E402

DISK_MIB, LEAST_MIB = 64, 8
CAMERAS = 2
WHY_NOT = small_disk.enter()


@unittest.skipIf(WHY_NOT, WHY_NOT)
class FullDisk(harness.Case):
    def setUp(self):
        super().setUp()
        self.state = self.path("state")
        small_disk.mount(self.state, DISK_MIB)
        self.addCleanup(small_disk.unmount, self.state)

    def start(self, **evidence):
        return self.daemon(small_disk.config(self.folder, CAMERAS, free_mib=LEAST_MIB, **evidence))

    def alerts_on_disk(self):
        return sorted({int(p.split("/")[-2]) for p in glob.glob(os.path.join(self.state, "evidence", "*", "*", "*", "*"))})

    def database(self):
        database = sqlite3.connect(os.path.join(self.state, "memaed.db"), timeout=30, isolation_level=None)
        self.addCleanup(database.close)
        return database

    def add_row(self, alert, path):
        self.database().execute("INSERT OR IGNORE INTO evidence (alert, kind, path, bytes, made_us) VALUES (?, 'copy', ?, 1, 1)",
                                (alert, path))

    def test_a_small_disk(self):
        small_disk.fill(os.path.join(self.state, "of-others"), 14 * MIB)
        daemon = self.start()
        first = daemon.wait_event("evidence_written", 30, kind="clip")
        self.database().execute("UPDATE alerts SET marked = 1 WHERE id = ?", (int(first["alert"]),))
        watch = small_disk.Watch(daemon, self.state, CAMERAS)
        watch.run(38 * min(harness.SCALE, 4))
        pruned = daemon.events("evidence_pruned")
        self.assertGreater(len(pruned), 3, daemon.log()[-4000:])
        self.assertEqual({p["why"] for p in pruned}, {"space"})
        ids = [int(p["alert"]) for p in pruned]
        for before, after in zip(ids, ids[1:]):         # oldest first, but one whose clip is written late is passed over
            self.assertGreaterEqual(after, before - 10000 * (harness.SCALE - 1), ids)
        self.assertNotIn(int(first["alert"]), ids)
        self.assertIn(int(first["alert"]), self.alerts_on_disk())
        self.assertGreaterEqual(watch.least_free, LEAST_MIB * MIB)
        self.assertLess(watch.longest_silence_s, 3 * harness.SCALE)
        newest = watch.newest(2)
        self.assertEqual(len(newest), 2)
        for alert in newest:
            self.assertTrue(watch.sound(alert), alert)
        # A machine that is too slow makes a snapshot later than its packets are kept.
        late = "no packets were kept at that time"
        self.assertEqual([e for e in watch.errors() if harness.SCALE == 1 or late not in e], [])
        full = daemon.events("storage_full")
        self.assertEqual(len(full), 1)
        self.assertGreater(int(full[0]["free_bytes"]), 0)
        self.assertEqual(self.database().execute("SELECT camera, alert FROM events WHERE type = 'storage.full'").fetchall(),
                         [("", None)])
        self.assertEqual(daemon.metric("memaed_evidence_pruned_total", reason="space"), len(daemon.events("evidence_pruned")))
        self.assertEqual(daemon.metric("memaed_evidence_pruned_total", reason="age"), 0)
        self.assertGreater(daemon.metric("memaed_evidence_bytes"), 4 * MIB)
        self.assertGreater(daemon.metric("memaed_evidence_files"), 1)
        self.assertAlmostEqual(daemon.metric("memaed_evidence_oldest_timestamp_seconds"), int(first["alert"]) // 1000, delta=1)
        daemon.stop()

    def test_others_fill_the_disk(self):
        daemon = self.start(max_gib=24 / 1024)
        daemon.wait_event("evidence_written", 30, kind="clip")
        watch = small_disk.Watch(daemon, self.state, CAMERAS)
        others = os.path.join(self.state, "of-others")
        small_disk.fill(others, small_disk.free_bytes(self.state) - MIB // 2)
        daemon.wait_event("storage_full", 10)
        harness.wait_for("clips to pause", lambda: daemon.metric("memaed_evidence_paused") == 1 or self.alerts_on_disk() == [],
                         20)
        watch.run(5)
        os.remove(others)
        harness.wait_for("clips again", lambda: daemon.metric("memaed_evidence_paused") == 0, 10)
        daemon.wait_event("storage_recovered", 45)
        written = len(daemon.events("evidence_written", kind="clip"))
        harness.wait_for("a further clip", lambda: len(daemon.events("evidence_written", kind="clip")) > written, 30)
        self.assertLess(watch.longest_silence_s, 3 * harness.SCALE)
        self.assertEqual(daemon.events("event_not_stored"), [])
        self.assertEqual(daemon.metric("memaed_store_failing"), 0)
        daemon.stop()

    def test_by_size_and_a_kill(self):
        """Evidence beyond max_gib is deleted, even if a kill interrupts that. Rows without files are deleted at the next start.
        Files without rows count."""
        daemon = self.start()
        for i in range(1, 5):
            harness.wait_for("four clips", lambda n=i: len(daemon.events("evidence_written", kind="clip")) >= n, 40)
        daemon.process.kill()
        daemon.process.wait()
        alerts = self.alerts_on_disk()
        for alert in alerts:
            self.add_row(alert,
                         glob.glob(os.path.join(self.state, "evidence", "*", "*", str(alert), "clip.*"))[0][len(self.state) + 1:])
        # A kill may come after the files are deleted and before the row, or while the files are deleted.
        lost = alerts[0]
        for path in glob.glob(os.path.join(self.state, "evidence", "*", "*", str(lost), "*")):
            os.remove(path)
        unknown = os.path.join(self.state, "evidence", "yard", "2001-09-09", "1000000000000")
        os.makedirs(unknown)
        with open(os.path.join(unknown, "clip.mkv"), "wb") as f:
            f.write(bytes(1000))
        config = small_disk.config(self.folder, CAMERAS, free_mib=LEAST_MIB, max_gib=8 / 1024)
        for camera in config["cameras"].values():
            camera["alert"]["threshold"] = camera["alert"]["close_threshold"] = 99999
        killed = self.daemon(config)
        killed.wait_event("evidence_pruned", 20)
        killed.process.kill()           # while it deletes evidence
        killed.process.wait()
        daemon = self.daemon(config)
        harness.wait_for("little evidence", lambda: 0 < daemon.metric("memaed_evidence_bytes") <= 8 * MIB, 20)
        rows = {a for a, in self.database().execute("SELECT alert FROM evidence")}
        left = harness.wait_for("rows that agree with files", lambda: (found := {
            a for a, in self.database().execute("SELECT alert FROM evidence")}) == set(self.alerts_on_disk()) and found, 10)
        self.assertNotIn(lost, left, rows)
        self.assertEqual(max(left), max(alerts))
        self.assertFalse(os.path.exists(os.path.dirname(os.path.dirname(unknown))))
        pruned = killed.events("evidence_pruned") + daemon.events("evidence_pruned")
        self.assertEqual(pruned[0]["alert"], "1000000000000")
        self.assertEqual([p["why"] for p in pruned], ["age"] + ["size"] * (len(pruned) - 1))
        self.assertEqual(daemon.events("storage_full"), [])
        # A changed configuration holds at once.
        text = open(daemon.config, encoding="utf-8").read().replace(f'"max_gib": {8 / 1024}', '"max_gib": 0.0001')
        with open(daemon.config, "w", encoding="utf-8") as f:
            f.write(text)
        daemon.process.send_signal(1)
        daemon.wait_event("reloaded")
        harness.wait_for("no evidence", lambda: self.alerts_on_disk() == [] and daemon.metric("memaed_evidence_files") == 0, 10)
        time.sleep(1.5)
        self.assertEqual(self.database().execute("SELECT count(*) FROM evidence").fetchone()[0], 0)
        daemon.stop()


if __name__ == "__main__":
    harness.main()
