#!/usr/bin/python3
"""The database survives the process: kill -9 with an open alert; a database that cannot be written for a while, is damaged or of
a newer version. Also: an unusable state_dir, the history of scores, and `memaed db` beside a running daemon."""
import contextlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from servers.webhook_receiver import Receiver  # noqa: E402

SECRET = "whsec_" + "c2VjcmV0IG9mIGF0IGxlYXN0IDI0IGJ5dGVz"


class Store(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("model.safetensors"))
        self.clip = harness.write_clip(self.path("clip.mkv"), seconds=120)
        self.state = self.path("state")
        # Every window alerts, so one alert opens and stays open for as long as the clip.
        self.camera = {"source": self.clip, "model": self.model, "fps": 10, "fps_force": True,
                       "alert": {"threshold": -99999, "close_threshold": -99999, "k": 1, "n": 1, "cooldown_s": 0}}

    def start(self, **more):
        return self.daemon({"cameras": {"gate": self.camera}, **more})

    def open_database(self):
        database = sqlite3.connect(os.path.join(self.state, "memaed.db"), timeout=30, isolation_level=None)
        self.addCleanup(database.close)
        return database

    def wait_alert(self, daemon, condition=lambda a: True):
        """Returns the latest alert once the condition holds."""
        def found():
            alerts = daemon.get("/api/v1/alerts?since=latest&limit=1")[1]["alerts"]
            return alerts[0] if alerts and condition(alerts[0]) else None
        return harness.wait_for("an alert", found, 20)

    def fails(self, **more):
        """Runs a daemon whose start must fail. Returns its log."""
        config = self.path("memaed.yml")
        with open(config, "w", encoding="utf-8") as f:
            json.dump({"state_dir": self.state, "http": {"listen": "127.0.0.1:0"}, "cameras": {"gate": self.camera}, **more}, f)
        done = harness.run("run", "--config", config)
        self.assertEqual(done.code, 1, done.err)
        self.assertNotIn("http_listening", done.err)
        return done.err

    # -- restarts

    def test_kill_with_an_open_alert(self):
        receiver = Receiver(SECRET)
        self.addCleanup(receiver.close)
        hooks = [{"url": receiver.url, "secret": SECRET}]
        daemon = self.start(webhooks=hooks)
        cursor = daemon.get("/api/v1/alerts")[1]["next"]
        before = self.wait_alert(daemon)
        self.assertEqual((before["state"], before["closed"]), ("open", None))
        harness.Follower(daemon, "gate").wait(20)
        time.sleep(1.5)                     # scores are written once a second
        daemon.process.kill()
        daemon.process.wait()

        daemon = self.start(webhooks=hooks)
        status, answer = daemon.get(f"/api/v1/alerts?since={cursor}")       # the cursor of the run before goes on
        self.assertEqual(status, 200, answer)
        after = answer["alerts"][0]
        self.assertEqual((after["id"], after["opened"], after["camera"]), (before["id"], before["opened"], "gate"))
        self.assertEqual((after["state"], after["closed_pts_s"]), ("interrupted", None))
        self.assertGreater(after["closed"], before["opened"])
        self.assertEqual(daemon.get(f"/api/v1/alerts/{before['id']}"), (200, after))
        daemon.wait_event("alert_interrupted", id=str(before["id"]))
        second = self.wait_alert(daemon, lambda a: a["id"] != before["id"])
        self.assertGreater(second["id"], before["id"])
        listed = daemon.get(f"/api/v1/alerts?since={cursor}")[1]["alerts"]
        self.assertEqual([(a["id"], a["state"]) for a in listed], [(before["id"], "interrupted"), (second["id"], "open")])
        told = harness.wait_for("webhooks to tell of the interrupted alert", lambda: [
            e for e in receiver.of("alert.closed") if e["data"]["id"] == before["id"]], 10)
        data = told[0]["data"]              # REST adds labels, and all evidence
        self.assertEqual(data.pop("snapshot"), {"url": after["evidence"]["snapshot"]})
        self.assertEqual(data, {key: after[key] for key in data})
        daemon.stop()
        database = self.open_database()
        rows = database.execute("SELECT type, alert, id FROM events ORDER BY seq").fetchall()
        self.assertEqual([(r[0], r[1]) for r in rows], [("alert.opened", before["id"]), ("alert.closed", before["id"]),
                                                        ("alert.opened", second["id"]), ("alert.closed", second["id"])])
        self.assertEqual([r[2] for r in rows], [d["id"] for d in receiver.deliveries])      # each once, in order
        self.assertEqual(database.execute("SELECT * FROM outbox").fetchall(), [])

    def test_an_orderly_stop_closes_the_alert(self):
        daemon = self.start()
        opened = self.wait_alert(daemon)
        daemon.stop()
        daemon = self.start()
        closed = daemon.get(f"/api/v1/alerts/{opened['id']}")[1]
        self.assertEqual((closed["state"], closed["opened"]), ("closed", opened["opened"]))
        self.assertIsNotNone(closed["closed"])
        daemon.stop()

    def test_orders_survive(self):
        """A camera that is disarmed stays so over kill -9; one that is armed again does too."""
        def order(what):
            self.assertEqual(daemon.post(f"/api/v1/cameras/gate/{what}")[0], 200)

        def written(n):
            harness.wait_for("the order in the database",
                             lambda: self.open_database().execute("SELECT count(*) FROM arming").fetchone()[0] == n, 10)
        daemon = self.start()
        order("disarm?minutes=60&by=eva")
        written(1)
        daemon.process.kill()
        daemon.process.wait()
        daemon = self.start()
        self.assertEqual((daemon.camera("gate")["arming"]["state"], daemon.camera("gate")["arming"]["by"]), ("disarmed", "eva"))
        order("arm")
        written(0)
        daemon.process.kill()
        daemon.process.wait()
        daemon = self.start()
        self.assertEqual(daemon.camera("gate")["arming"]["state"], "armed")
        daemon.stop()

    # -- a database that cannot be written

    def test_a_locked_database_delays_nobody(self):
        daemon = self.start()
        first = self.wait_alert(daemon)
        follower = harness.Follower(daemon, "gate")
        follower.wait(5)
        blocker = self.open_database()
        blocker.execute("BEGIN EXCLUSIVE")
        scored, began = daemon.metric("memaed_camera_windows_scored_total"), time.monotonic()
        daemon.wait_event("store_failed", timeout=10)
        while time.monotonic() < began + 5:
            start = time.monotonic()
            self.assertEqual(daemon.get(f"/api/v1/alerts/{first['id']}")[0], 200)       # readers do not wait
            self.assertLess(time.monotonic() - start, 1 * harness.SCALE)
            time.sleep(0.2)
        self.assertGreaterEqual(daemon.metric("memaed_camera_windows_scored_total") - scored, 15)
        self.assertEqual(daemon.camera("gate")["windows_skipped"], 0)
        self.assertEqual(daemon.get("/healthz")[0], 200)
        self.assertEqual(daemon.metric("memaed_store_failing"), 1)
        self.assertGreater(daemon.metric("memaed_store_scores_queued"), 0)
        blocker.execute("ROLLBACK")
        daemon.wait_event("store_writes_again", timeout=10)
        harness.wait_for("the queue to drain", lambda: daemon.metric("memaed_store_scores_queued") <= 5, 10)
        self.assertEqual(daemon.metric("memaed_store_scores_dropped_total"), 0)
        daemon.stop()

    def test_a_stop_does_not_wait_for_a_lock(self):
        daemon = self.start()
        self.wait_alert(daemon)
        blocker = self.open_database()
        blocker.execute("BEGIN EXCLUSIVE")
        daemon.stop()
        self.assertTrue(daemon.events("events_lost"), daemon.log())
        blocker.execute("ROLLBACK")
        daemon = self.start()                                           # the alert that could not be written is closed now
        self.assertEqual(daemon.get("/api/v1/alerts")[1]["alerts"][0]["state"], "interrupted")
        daemon.stop()

    # -- files and folders

    def test_modes(self):
        daemon = self.daemon({"state_dir": self.path("a/b/c"), "cameras": {"gate": self.camera}})
        self.wait_alert(daemon)
        os.rmdir(self.state) if os.path.isdir(self.state) else None
        daemon.stop()
        self.assertLessEqual(set(os.listdir(self.path("a/b/c"))), {"evidence", "memaed.db", "memaed.db-shm", "memaed.db-wal"})
        for folder, folders, files in os.walk(self.path("a/b/c")):
            for names, mode in ((folders, 0o700), (files, 0o600)):
                for name in names:
                    self.assertEqual(stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode), mode, name)

    def test_a_damaged_database_is_set_aside(self):
        daemon = self.start()
        old = daemon.get("/api/v1/alerts")[1]["next"]
        self.wait_alert(daemon)
        daemon.stop()
        with open(os.path.join(self.state, "memaed.db"), "r+b") as f:
            f.write(b"x" * 4096)
        daemon = self.start()
        event = daemon.wait_event("database_damaged")
        self.assertTrue(os.path.exists(event["set_aside"]), event)
        self.assertRegex(os.path.basename(event["set_aside"]), r"^memaed\.db\.damaged-\d{8}T\d{6}Z$")
        status, answer = daemon.get(f"/api/v1/alerts?since={old}")       # the new database is another store
        self.assertEqual(status, 410, answer)
        self.wait_alert(daemon)
        daemon.stop()

    def test_a_newer_database_is_refused(self):
        daemon = self.start()
        daemon.stop()
        self.open_database().execute("PRAGMA user_version = 999")
        self.assertIn("has version 999 of the schema", self.fails())
        done = harness.run("db", "check", "--state-dir", self.state)
        self.assertEqual(done.code, 1)
        self.assertIn("has version 999", done.err)

    def test_a_folder_that_cannot_serve(self):
        with open(self.state, "w", encoding="utf-8"):
            pass
        self.assertIn(f"state_dir: {self.state}: Not a directory", self.fails())
        text = (f"state_dir: {self.path('state/below')}\ncameras: {{gate: {{source: {self.clip}, model: {self.model}, "
                "fps: 10, fps_force: true}}\n")
        with open(self.path("check.yml"), "w", encoding="utf-8") as f:
            f.write(text)
        done = harness.run("check", "--config", self.path("check.yml"))
        self.assertEqual(done.code, 1)
        self.assertIn(f"check.yml:1:12: state_dir: expected a folder, or a path where one can be created, got {self.state}: Not "
                      f"a directory",
                      done.err)

    def test_one_daemon_at_a_time(self):
        daemon = self.start()
        self.assertIn(f"state_dir: {self.state}: another memaed uses this folder", self.fails())
        daemon.stop()

    def test_retention_without_bounds_is_warned_of(self):
        daemon = self.start(alerts={"keep_days": 0}, scores={"minutes_days": 0},
                            evidence={"keep_days": 0, "max_gib": 0, "free_mib": 0})
        texts = [e["text"] for e in daemon.events("config_warning")]
        for key in ("alerts.keep_days", "scores.minutes_days", "evidence.keep_days", "evidence.max_gib", "evidence.free_mib"):
            self.assertTrue(any(f"{key}: warning:" in t for t in texts), texts)
        daemon.stop()

    # -- scores

    def test_history(self):
        daemon = self.start()
        follower = harness.Follower(daemon, "gate")
        follower.wait(30)

        def kept():
            follower.drain()
            return daemon.get("/api/v1/cameras/gate/history?limit=1000")[1]["scores"]
        raw = harness.wait_for("30 windows in the database", lambda: len(kept()) >= 30 and kept(), 10)
        live = {s["window"]: s for s in follower.scores}
        for row in raw:
            score = live[row["window"]]
            self.assertEqual({k: row[k] for k in ("time", "score", "reference", "p_value", "slow")},
                             {k: score[k] for k in ("time", "score", "reference", "p_value", "slow")})
        pages, start = [], raw[0]["time"]
        while start:
            answer = daemon.get(f"/api/v1/cameras/gate/history?from={start}&to={raw[-1]['time']}&limit=7")[1]
            self.assertLessEqual(len(answer["scores"]), 7)
            pages += answer["scores"]
            start = answer["next"]
        self.assertEqual(pages, raw[:-1])
        daemon.stop()
        scores = self.open_database().execute("SELECT score FROM scores").fetchall()
        daemon = self.start()               # scores survive a restart
        day = time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(time.time() - 86400))
        minutes = daemon.get(f"/api/v1/cameras/gate/history?step=minute&from={day}")[1]["scores"]
        self.assertGreaterEqual(sum(m["windows"] for m in minutes), len(scores))
        self.assertAlmostEqual(min(m["minimum"] for m in minutes), min(s for s, in scores), places=4)
        self.assertEqual(daemon.get("/api/v1/cameras/never/history")[0], 404)
        daemon.stop()

    def test_old_scores_go(self):
        daemon = self.start()
        daemon.stop()
        database, hour = self.open_database(), 3600 * 10 ** 6
        now = int(time.time() * 1e6)
        for age in (1, 23, 25, 80):
            database.execute("INSERT INTO scores VALUES ('old', ?, 1, 1, 1, 1, 0)", (now - age * hour,))
        for days in (1, 89, 91, 200):
            database.execute("INSERT INTO score_minutes VALUES ('old', ?, 1, 0, 1, 1, 1, 1)",
                             ((now - days * 24 * hour) // (60 * 10 ** 6),))
        for days in (364, 366):
            database.execute("INSERT INTO events (id, type, time_us, camera, body) VALUES (?, 'camera.lost', ?, 'old', '{}')",
                             (f"msg_{days}", now - days * 24 * hour))
        daemon = self.start()

        def counts():
            return [database.execute(q).fetchone()[0] for q in (
                "SELECT count(*) FROM scores WHERE camera = 'old'", "SELECT count(*) FROM score_minutes WHERE camera = 'old'",
                "SELECT count(*) FROM events WHERE camera = 'old'")]
        harness.wait_for("what is too old to go", lambda: counts() == [2, 2, 1], 20)
        daemon.stop()

    # -- memaed db

    def test_commands_while_running(self):
        daemon = self.start()
        alert = self.wait_alert(daemon)
        harness.wait_for("scores in the database", lambda: daemon.get("/api/v1/cameras/gate/history")[1]["scores"], 10)
        done = harness.run("db", "check", "--config", daemon.config)
        self.assertEqual((done.code, done.err), (0, ""), done.err)
        self.assertRegex(done.out, r"^ok: version \d+ of the schema, \d+ bytes\n$")
        done = harness.run("db", "export", "--state-dir", self.state)
        self.assertEqual((done.code, done.err), (0, ""))
        lines = [json.loads(line) for line in done.out.splitlines()]
        rows = {table: [line["row"] for line in lines if line["table"] == table]
                for table in ("alerts", "events", "score_minutes")}
        self.assertEqual([a["id"] for a in rows["alerts"]], [alert["id"]])
        self.assertEqual(rows["events"][0]["body"]["type"], "alert.opened")
        self.assertEqual(rows["events"][0]["body"]["data"]["id"], alert["id"])
        self.assertGreaterEqual(rows["score_minutes"][0]["windows"], 1)
        copy = self.path("copy")
        os.mkdir(copy)
        self.assertEqual(harness.run("db", "backup", "--state-dir", self.state, f"{copy}/memaed.db").code, 0)
        self.assertEqual(harness.run("db", "check", "--state-dir", copy).code, 0)
        again = harness.run("db", "backup", "--state-dir", self.state, f"{copy}/memaed.db")
        self.assertEqual((again.code, "expected a new file, got one that exists" in again.err), (1, True))
        daemon.stop()
        done = harness.run("db", "export", "--state-dir", copy)
        self.assertIn(str(alert["id"]), done.out)
        with contextlib.closing(sqlite3.connect(f"{copy}/memaed.db")) as database, database:
            database.execute("UPDATE events SET body = '{' WHERE seq = (SELECT min(seq) FROM events)")
        done = harness.run("db", "export", "--state-dir", copy)
        self.assertEqual(done.code, 1)
        self.assertRegex(done.err, r"event \d+: the body is no JSON")
        self.assertEqual(harness.run("db", "check", "--state-dir", self.state, "--config", daemon.config).code, 1)
        self.assertEqual(harness.run("db", "check", "--state-dir", self.path("none")).code, 1)
        with open("/dev/full", "w", encoding="utf-8") as full:
            code = subprocess.run([*harness.MEMAED, "db", "export", "--state-dir", self.state], stdout=full,
                                  stderr=subprocess.PIPE, check=False).returncode
        self.assertEqual(code, 1)


if __name__ == "__main__":
    harness.main()
