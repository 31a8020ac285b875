#!/usr/bin/python3
"""Deliveries survive the process. Receivers are down, flap, are slow, refuse or are gone, while memaed is killed and started
again. Each event arrives with its id, in order, and none is lost."""
import json
import os
import sqlite3
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from servers.webhook_receiver import Receiver  # noqa: E402

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"


class Outbox(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("model.safetensors"))
        clip = harness.write_clip(self.path("clip.mkv"), seconds=4, fps=10)
        self.camera = {"source": clip, "model": self.model, "fps": 10, "fps_force": True, "loop": True,
                       "alert": {"threshold": 99999}}
        self.state = self.path("state")

    def receiver(self, **options):
        receiver = Receiver(SECRET, **options)
        self.addCleanup(receiver.close)
        return receiver

    def start(self, **urls):
        """Starts a daemon with a webhook of that name for each URL. The webhooks take events of alerts alone."""
        hooks = [{"name": name, "url": url, "secret": SECRET, "events": ["alert.opened", "alert.closed"]}
                 for name, url in urls.items()]
        return self.daemon({"cameras": {"gate": self.camera}, "webhooks": hooks})

    def kill(self, daemon):
        daemon.process.kill()
        daemon.process.wait()

    def post(self, daemon, path):
        status, answer = daemon.post(path)
        self.assertLess(status, 300, answer)

    def alerts(self, daemon, n):
        """Makes n test alerts, and waits until their events are in the database. Returns the ids of all events so far."""
        before = len(self.ids())
        for _ in range(n):
            self.post(daemon, "/api/v1/alerts/test?camera=gate")
        harness.wait_for("events in the database", lambda: len(self.ids()) == before + 2 * n, 20)
        return self.ids()

    def query(self, sql, *values):
        database = sqlite3.connect(os.path.join(self.state, "memaed.db"), timeout=30, isolation_level=None)
        try:
            return database.execute(sql, values).fetchall()
        finally:
            database.close()

    def ids(self):
        return [row[0] for row in self.query("SELECT id FROM events WHERE type LIKE 'alert.%' ORDER BY seq")]

    def settled(self):
        """Waits until the database knows that every event is delivered."""
        harness.wait_for("an empty outbox", lambda: self.query("SELECT count(*) FROM outbox") == [(0,)], 20)

    def webhook(self, daemon, name):
        return [w for w in daemon.get("/api/v1/webhooks")[1]["webhooks"] if w["name"] == name][0]

    def arrived(self, receiver):
        """Returns the ids of all deliveries, in the order in which each came first. All must be genuine."""
        self.assertEqual(receiver.faults(), [])
        return list(dict.fromkeys(d["id"] for d in list(receiver.deliveries)))

    # -- receivers

    def test_a_receiver_that_is_down(self):
        down, log = self.receiver(), self.receiver()
        port = down.server.server_port
        down.close()
        daemon = self.start(down=down.url, log=log.url)
        ids = self.alerts(daemon, 3)
        harness.wait_for("the other receiver", lambda: self.arrived(log) == ids, 20)
        harness.wait_for("a failed attempt in the database",
                         lambda: self.query("SELECT max(attempts) FROM outbox WHERE endpoint = 'down'")[0][0], 20)
        state = self.webhook(daemon, "down")
        self.assertEqual((state["queued"], state["delivered"]), (6, 0))
        harness.wait_for("the outbox of the other", lambda: self.webhook(daemon, "log")["queued"] == 0, 20)
        self.kill(daemon)

        daemon = self.start(down=down.url, log=log.url)
        self.assertEqual(self.webhook(daemon, "down")["queued"], 6)
        ids = self.alerts(daemon, 1)
        again = self.receiver(port=port)
        for receiver in (again, log):
            harness.wait_for("all events", lambda r=receiver: self.arrived(r) == ids, 60)
        self.assertEqual([d["id"] for d in again.deliveries], ids)      # each once
        self.assertEqual([d["data"]["test"] for d in again.deliveries], [True] * 8)
        self.settled()
        daemon.stop()

    def test_a_receiver_that_flaps_and_is_slow(self):
        """Every second request is refused, every third is slow, and memaed is killed three times at any moment."""
        def script(n):
            if n % 3 == 0:
                time.sleep(0.2 * harness.SCALE)
            return (500, {}) if n % 2 else None
        flaps = self.receiver(script=script)
        daemon = self.start(flaps=flaps.url)
        for delay in (0.3, 0.7, 1.1):
            ids = self.alerts(daemon, 3)
            time.sleep(delay)
            self.kill(daemon)
            daemon = self.start(flaps=flaps.url)
        harness.wait_for("all events", lambda: len(self.arrived(flaps)) == len(ids), 90)
        self.assertEqual(self.arrived(flaps), ids)
        self.assertLessEqual(len(flaps.deliveries), len(ids) + 3)       # at most one more delivery for each kill
        self.assertEqual([r["id"] for r in flaps.refused if r["id"] not in ids], [])
        self.settled()
        daemon.stop()

    def test_an_orderly_stop_notes_what_was_delivered(self):
        slow = self.receiver(script=lambda n: time.sleep(0.05))
        daemon = self.start(slow=slow.url)
        ids = self.alerts(daemon, 20)
        daemon.stop()
        self.assertLess(len(slow.deliveries), len(ids))
        daemon = self.start(slow=slow.url)
        harness.wait_for("all events", lambda: len(self.arrived(slow)) == len(ids), 60)
        self.assertEqual(self.arrived(slow), ids)
        self.assertLessEqual(len(slow.deliveries), len(ids) + 1)        # the event that was on its way
        self.settled()
        daemon.stop()

    def test_a_receiver_that_asks_for_time(self):
        busy = self.receiver(script=lambda n: None if n else (429, {"retry-after": "6"}))
        daemon = self.start(busy=busy.url)
        ids = self.alerts(daemon, 1)
        harness.wait_for("the refusal in the database", lambda: self.query("SELECT max(due_us) FROM outbox")[0][0], 20)
        self.kill(daemon)
        daemon = self.start(busy=busy.url)
        harness.wait_for("both events", lambda: self.arrived(busy) == ids, 60)
        self.assertEqual(busy.refused[0]["id"], ids[0])
        self.assertGreaterEqual(busy.deliveries[0]["at"] - busy.refused[0]["at"], 5.9)
        daemon.stop()

    def test_a_receiver_that_is_gone(self):
        gone = self.receiver(script=lambda n: None if n else (410, {}))
        daemon = self.start(gone=gone.url)
        ids = self.alerts(daemon, 1)
        harness.wait_for("the database to know",
                         lambda: self.query("SELECT name, disabled_us > 0 FROM endpoints") == [("gone", 1)], 20)
        self.kill(daemon)
        daemon = self.start(gone=gone.url)
        ids = self.alerts(daemon, 1)
        time.sleep(0.5)
        state = self.webhook(daemon, "gone")
        self.assertEqual((state["queued"], len(gone.refused), gone.deliveries), (4, 1, []))
        self.assertEqual(state["disabled"]["reason"], "webhook gone answered 410: it wants no events any more")
        self.post(daemon, "/api/v1/webhooks/gone/enable")
        harness.wait_for("all events", lambda: self.arrived(gone) == ids, 20)
        self.settled()
        self.assertEqual(self.query("SELECT * FROM endpoints"), [])
        daemon.stop()

    # -- what is given up, and what nobody waits for

    def test_dead_letters(self):
        receiver = self.receiver(refuse=10 ** 9)
        daemon = self.start(a=receiver.url)
        ids = self.alerts(daemon, 2)
        harness.wait_for("an attempt", lambda: receiver.refused, 20)
        self.kill(daemon)
        # A test cannot wait for give_up_h, so it makes the first two events dead letters itself.
        self.query("INSERT INTO dead_letters SELECT endpoint, seq, 7, 1795892999478000, 'not delivered' FROM outbox ORDER BY seq "
                   "LIMIT 2")
        self.query("DELETE FROM outbox WHERE (endpoint, seq) IN (SELECT endpoint, seq FROM dead_letters)")
        receiver.refuse = 0
        daemon = self.start(a=receiver.url)
        harness.wait_for("the rest", lambda: self.arrived(receiver) == ids[2:], 60)
        dead = daemon.get("/api/v1/webhooks/a/dead")[1]["dead"]
        self.assertEqual([(d["id"], d["attempts"], d["reason"]) for d in dead], [(i, 7, "not delivered") for i in ids[:2]])
        self.post(daemon, "/api/v1/webhooks/a/retry")
        harness.wait_for("the dead letters", lambda: self.arrived(receiver) == ids[2:] + ids[:2], 20)
        self.settled()
        self.assertEqual(daemon.get("/api/v1/webhooks/a/dead")[1], {"dead": []})
        daemon.stop()

    def test_endpoints_that_leave_the_configuration(self):
        receiver = self.receiver(refuse=10 ** 9)
        daemon = self.start(a=receiver.url, b=receiver.url)
        ids = self.alerts(daemon, 1)
        self.kill(daemon)
        daemon = self.start(b=receiver.url)                 # between two runs
        self.assertEqual(daemon.wait_event("webhook_events_dropped")["count"], "2")
        self.assertEqual(self.query("SELECT DISTINCT endpoint FROM outbox"), [("b",)])
        with open(daemon.config, encoding="utf-8") as f:    # by a reload
            config = json.load(f)
        with open(daemon.config, "w", encoding="utf-8") as f:
            json.dump({**config, "webhooks": [{**config["webhooks"][0], "name": "c"}]}, f)
        self.post(daemon, "/api/v1/reload")
        harness.wait_for("the rows to go", lambda: len(daemon.events("webhook_events_dropped")) == 2, 20)
        self.assertEqual(self.query("SELECT * FROM outbox"), [])
        self.assertEqual(daemon.metric("memaed_webhooks_dropped_total", endpoint="b"), 2)
        receiver.refuse = 0
        ids = self.alerts(daemon, 1)
        harness.wait_for("new events alone", lambda: self.arrived(receiver) == ids[2:], 30)
        self.kill(daemon)
        self.query("INSERT INTO outbox (endpoint, seq) SELECT 'c', seq FROM events")
        daemon = self.start()                               # then without any endpoint
        harness.wait_for("the rows to go", lambda: self.query("SELECT * FROM outbox") == [], 20)
        daemon.stop()


if __name__ == "__main__":
    harness.main()
