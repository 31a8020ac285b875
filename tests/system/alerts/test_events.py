#!/usr/bin/python3
"""Alerts for a client that watches: server-sent events and their resumption, filters of alerts, and files of evidence. The
real program answers, over real sockets."""
import http.client
import json
import os
import sqlite3
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from servers.webhook_receiver import Receiver  # noqa: E402

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"


class Stream:
    """A client of /api/v1/events. Collects its blocks: dicts with "id", "event", "data" and so on."""

    def __init__(self, daemon, query="", last=None):
        self.blocks, self.ended = [], False
        host, port = daemon.address.rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=60 * harness.SCALE)
        self.connection.request("GET", "/api/v1/events" + query, headers={} if last is None else {"Last-Event-ID": str(last)})
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.read()
        assert self.answer.headers["Content-Type"].startswith("text/event-stream")
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        block = {}
        try:
            for raw in self.answer:
                line = raw.decode().rstrip("\n")
                name, _, value = line.partition(": ")
                if line:
                    block[name] = value
                else:
                    self.blocks.append(block)
                    block = {}
        except (http.client.HTTPException, OSError, AttributeError, ValueError):
            pass
        self.ended = True

    def events(self):
        return [b for b in self.blocks if "event" in b]

    def wait(self, n):
        return harness.wait_for(f"{n} events", lambda: len(self.events()) >= n and self.events(), 30)

    def close(self):
        self.connection.sock and self.connection.sock.shutdown(2)
        self.thread.join(5)
        self.connection.close()


class Events(harness.Case):
    def setUp(self):
        super().setUp()
        model = harness.write_model(self.path("own.safetensors"), 64, 96, calibration=harness.PLACES_CALIBRATION)
        clip = self.path("mover.mkv")
        harness.write_mover(clip)
        self.receiver = Receiver(SECRET)
        self.addCleanup(self.receiver.close)
        camera = {"source": clip, "model": model, "stride": 1, "loop": True, "evidence": {"clips": False},
                  "alert": {"cooldown_s": 0, "merge_s": 0, "max_per_hour": 0}}
        self.memaed = self.daemon({"cameras": {"gate": camera, "yard": camera},
                                   "webhooks": [{"url": self.receiver.url, "secret": SECRET}]})

    def request(self, target, headers=None, method="GET"):
        return self.memaed.request(method, target, headers)

    def test_stream(self):
        """Bodies are the same as those of webhooks. A client that comes back misses nothing and gets nothing twice."""
        every, gate = Stream(self.memaed), Stream(self.memaed, "?camera=gate&type=alert.closed,alert.opened")
        self.assertEqual(harness.wait_for("the begin", lambda: every.blocks, 10)[0]["retry"], "3000")
        seen = every.wait(4)
        for block in seen:
            body = json.loads(block["data"])
            self.assertEqual(body["type"], block["event"])
        self.assertEqual([int(b["id"]) for b in seen], list(range(int(seen[0]["id"]), int(seen[0]["id"]) + len(seen))))
        for block in gate.wait(2):
            body = json.loads(block["data"])
            self.assertEqual(body["data"]["camera"], "gate")
            self.assertIn(block["event"], ("alert.opened", "alert.closed"))

        body = json.loads(seen[0]["data"])
        harness.wait_for("the webhook", lambda: [e for e in self.receiver.of(body["type"]) if e["data"] == body["data"]], 20)

        gate.close()                            # while events go on
        last = gate.blocks[-1]["id"]
        every.wait(len(every.events()) + 3)
        again = Stream(self.memaed, "?camera=gate&type=alert.closed,alert.opened", last)
        again.wait(2)
        every.wait(len(every.events()) + 1)
        ids = [b["id"] for b in gate.events() + again.events()]
        whole = [b["id"] for b in every.events()
                 if json.loads(b["data"])["data"]["camera"] == "gate" and b["event"].startswith("alert.")]
        whole = whole[whole.index(ids[0]):] if ids[0] in whole else whole
        n = min(len(ids), len(whole))
        self.assertGreater(n, 3)
        self.assertEqual(ids[:n], whole[:n])
        harness.wait_for("streams in metrics", lambda: self.memaed.metric("memaed_event_streams") == 2, 10)

        self.memaed.stop()                      # it stops in time, though clients are connected
        for stream in (every, again):
            harness.wait_for("the end of the stream", lambda s=stream: s.ended, 10)

    def restart(self):
        self.memaed = self.daemon(open(self.memaed.config, encoding="utf-8").read())

    def stored(self):
        """Returns the numbers of all events in the database."""
        database = sqlite3.connect(f"file:{self.path('state')}/memaed.db?mode=ro", uri=True)
        try:
            return [seq for seq, in database.execute("SELECT seq FROM events ORDER BY seq")]
        finally:
            database.close()

    def test_restarts(self):
        """A client that comes back after a restart or a kill -9 misses nothing and gets nothing twice."""
        ids, last = [], None
        for end in ("stop", "kill", "kill", "stop"):
            stream = Stream(self.memaed, last=last)
            stream.wait(3)
            if end == "kill":
                self.memaed.kill()
            else:
                self.memaed.stop()
            harness.wait_for("the end of the stream", lambda s=stream: s.ended, 10)
            self.assertNotIn("reset", [b["event"] for b in stream.events()])
            ids += [int(b["id"]) for b in stream.events()]
            last = ids[-1]
            self.restart()
        self.memaed.stop()
        stored = self.stored()
        self.assertEqual(ids, stored[stored.index(ids[0]):][:len(ids)])

    def test_another_database(self):
        """A client that comes back to another database is told so."""
        stream = Stream(self.memaed)
        last = stream.wait(1)[-1]["id"]
        self.memaed.stop()
        for name in os.listdir(self.path("state")):
            if name.startswith("memaed.db"):
                os.remove(os.path.join(self.path("state"), name))
        self.restart()
        stream = Stream(self.memaed, last=last)
        blocks = stream.wait(2)
        self.assertEqual(blocks[0]["event"], "reset")
        oldest = json.loads(blocks[0]["data"])["oldest"]
        self.assertEqual(blocks[1]["id"], str(oldest))
        self.assertGreater(oldest, int(last))
        stream.close()
        self.memaed.stop()

    def test_filters(self):
        def listed(query):
            status, value = self.memaed.get(f"/api/v1/alerts?{query}")
            self.assertEqual(status, 200, value)
            return value["alerts"]
        harness.wait_for("closed alerts of both cameras",
                         lambda: {a["camera"] for a in listed("state=closed")} == {"gate", "yard"}, 30)
        for a in listed("camera=gate&state=closed"):
            self.assertEqual((a["camera"], bool(a["closed"])), ("gate", True))
        self.assertTrue(all(not a["closed"] for a in listed("state=open")))
        self.assertEqual(listed("kind=still"), [])
        first = min(listed("kind=anomaly"), key=lambda a: (a["opened"], a["id"]))
        self.assertEqual(listed(f"to={first['opened']}"), [])
        self.assertIn(first["id"], [a["id"] for a in listed(f"from={first['opened']}")])
        self.assertEqual(listed("from=2999-01-01T00:00:00Z&state=closed"), [])
        for query in ("state=x", "kind=x", "from=today", "to="):
            self.assertEqual(self.memaed.get(f"/api/v1/alerts?{query}")[0], 400)
        self.memaed.stop()

    def test_labels(self):
        """A label that was answered is kept, also after kill -9."""
        def post(path):
            status, _, body = self.request(f"/api/v1/alerts/{path}", method="POST")
            return status, json.loads(body)
        one = harness.wait_for("alerts", lambda: len(self.memaed.get("/api/v1/alerts")[1]["alerts"]) > 1 and
                               self.memaed.get("/api/v1/alerts")[1]["alerts"], 30)[0]["id"]
        self.assertEqual(post(f"{one}/acknowledge?by=anna")[0], 200)
        self.assertEqual(post(f"{one}/note?note=a%20cat%0Aagain")[1]["note"], "a cat\nagain")
        self.assertEqual(post(f"{one}/normal?by=ole")[1]["normal"]["by"], "ole")
        status, labels = post(f"{one}/mark")
        self.assertEqual((status, labels["marked"], labels["acknowledged"]["by"]), (200, True, "anna"))
        self.memaed.kill()
        self.restart()
        alert = self.memaed.get(f"/api/v1/alerts/{one}")[1]
        self.assertEqual({key: alert[key] for key in labels}, labels)
        self.assertEqual([a["id"] for a in self.memaed.get("/api/v1/alerts?marked=true&acknowledged=true")[1]["alerts"]], [one])
        self.assertNotIn(one, [a["id"] for a in self.memaed.get("/api/v1/alerts?acknowledged=false")[1]["alerts"]])
        self.assertIsNone(post(f"{one}/normal/undo?by=anna")[1]["normal"])
        self.assertIsNone(post(f"{one}/note?note=")[1]["note"])
        self.assertFalse(post(f"{one}/unmark")[1]["marked"])
        self.assertEqual(post("1/mark")[0], 404)
        self.memaed.stop()

    def test_evidence(self):
        """Files of an alert, which lie under state_dir. Links in their place are not followed."""
        alert = harness.wait_for("an alert", lambda: self.memaed.get("/api/v1/alerts")[1]["alerts"], 30)[0]
        self.assertNotIn("evidence", alert)
        url = f"/api/v1/alerts/{alert['id']}"
        self.assertEqual(self.request(url + "/clip")[0], 404)
        folder = os.path.join(self.path("state"), "evidence", alert["camera"], alert["opened"][:10], str(alert["id"]))
        os.makedirs(folder)
        picture, clip = os.urandom(5000), os.urandom(300000)
        for name, content in (("snapshot.jpg", picture), ("clip.mp4", clip)):
            with open(os.path.join(folder, name), "wb") as f:
                f.write(content)
        secret = self.path("secret")
        with open(secret, "w", encoding="utf-8") as f:
            f.write("secret")
        os.symlink(secret, os.path.join(folder, "why.jpg"))

        evidence = self.memaed.get(url)[1]["evidence"]
        self.assertEqual(evidence, {"snapshot": url + "/snapshot", "clip": url + "/clip"})
        status, headers, body = self.request(evidence["snapshot"])
        self.assertEqual((status, headers["Content-Type"], body), (200, "image/jpeg", picture))
        status, headers, body = self.request(evidence["clip"])
        self.assertEqual((status, headers["Content-Type"], body), (200, "video/mp4", clip))
        self.assertEqual(headers["Content-Disposition"], f'inline; filename="{alert["camera"]}-{alert["id"]}-clip.mp4"')
        self.assertRegex(headers["ETag"], '^"[^"]+"$')
        status, _, body = self.request(evidence["clip"], {"If-None-Match": headers["ETag"]})
        self.assertEqual((status, body), (304, b""))
        status, part, body = self.request(evidence["clip"], {"Range": "bytes=100-199", "If-Range": headers["ETag"]})
        self.assertEqual((status, part["Content-Range"], body), (206, "bytes 100-199/300000", clip[100:200]))
        status, part, _ = self.request(evidence["clip"], {"Range": "bytes=300000-"})
        self.assertEqual((status, part["Content-Range"]), (416, "bytes */300000"))
        status, head, body = self.request(evidence["clip"], method="HEAD")
        self.assertEqual((status, head["Content-Length"], body), (200, "300000", b""))
        status, _, body = self.request(url + "/why")
        self.assertNotIn(b"secret", body)
        self.assertEqual(status, 500)

        with open(os.path.join(folder, "clip.mp4"), "ab") as f:     # as a clip that is being written
            f.write(b"more")
        status, grown, body = self.request(evidence["clip"], {"Range": "bytes=0-9", "If-Range": headers["ETag"]})
        self.assertEqual((status, body), (200, clip + b"more"))
        self.assertNotEqual(grown["ETag"], headers["ETag"])
        os.rename(folder, self.path("elsewhere"))
        os.symlink(self.path("elsewhere"), folder)
        self.assertNotEqual(self.request(evidence["clip"])[0], 200)
        self.memaed.stop()


if __name__ == "__main__":
    harness.main()
