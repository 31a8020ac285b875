#!/usr/bin/python3
"""Webhooks of the running daemon: an independent receiver verifies them, a test alert goes through all of them, and an endpoint
that is gone is disabled.

The independent receiver is the npm package `standardwebhooks`, in the version and with the hash of receivers/package-lock.json.
It needs node, npm and a registry; without them its test is skipped.
"""
import base64
import json
import os
import queue
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from servers.webhook_receiver import Receiver  # noqa: E402

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
OLD_SECRET = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4"
STRANGER = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldY"
RECEIVERS = os.path.join(harness.HERE, "receivers")


class NodeReceiver:
    """receivers/receiver.mjs, installed in a folder. Raises RuntimeError where npm cannot install it."""

    def __init__(self, folder, secrets):
        for name in ("package.json", "package-lock.json", "receiver.mjs"):
            shutil.copy(os.path.join(RECEIVERS, name), folder)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"], cwd=folder,
                              timeout=300, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stdout)
        self.process = subprocess.Popen(["node", "receiver.mjs", *secrets], cwd=folder, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{json.loads(self.process.stdout.readline())['port']}/"
        self.lines = queue.Queue()
        threading.Thread(target=lambda: [self.lines.put(json.loads(line)) for line in self.process.stdout], daemon=True).start()

    def next(self):
        return self.lines.get(timeout=30 * harness.SCALE)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Webhooks(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("model.safetensors"))
        clip = harness.write_clip(self.path("clip.mkv"), seconds=4, fps=10)
        self.camera = {"source": clip, "model": self.model, "fps": 10, "fps_force": True, "loop": True,
                       "alert": {"threshold": 99999}}

    def receiver(self, **options):
        receiver = Receiver(SECRET, **options)
        self.addCleanup(receiver.close)
        return receiver

    def start(self, webhooks):
        return self.daemon({"cameras": {"gate": self.camera, "yard": self.camera}, "webhooks": webhooks})

    def send(self, daemon, *options, camera="gate"):
        return harness.run("test-alert", "--url", daemon.base, "--camera", camera, *options)

    def webhook(self, daemon, name):
        return [w for w in daemon.get("/api/v1/webhooks")[1]["webhooks"] if w["name"] == name][0]

    def independent(self, *secrets):
        if not shutil.which("npm") or not shutil.which("node"):
            self.skipTest("standardwebhooks: node and npm are not installed")
        try:
            receiver = NodeReceiver(self.folder, secrets)
        except RuntimeError as e:
            if "EINTEGRITY" in str(e):
                raise
            self.skipTest(f"standardwebhooks: npm cannot install it: {str(e).strip().splitlines()[0][:200]}")
        self.addCleanup(receiver.close)
        return receiver

    def test_an_independent_receiver_gets_the_snapshot(self):
        """An inline snapshot is the picture in the file of evidence, and the signature covers it."""
        receiver = self.independent(SECRET)
        self.camera["alert"] = {"threshold": -99999, "k": 1, "n": 1}
        daemon = self.start([{"name": "node", "url": receiver.url, "secret": SECRET, "events": ["alert.opened"],
                              "snapshot": "inline"}])
        got = receiver.next()
        snapshot, alert = got["data"]["snapshot"], got["data"]
        self.assertEqual((got["type"], got["complaints"]), ("alert.opened", [None]))
        self.assertEqual(got["repainted"], "WebhookVerificationError: No matching signature found")
        with urllib.request.urlopen(f"{daemon.base}{snapshot['url']}", timeout=30 * harness.SCALE) as answer:
            jpeg = answer.read()
        self.assertEqual((snapshot["type"], snapshot["bytes"], base64.b64decode(snapshot["base64"], validate=True)),
                         ("image/jpeg", len(jpeg), jpeg))
        self.assertEqual((jpeg[:3], snapshot["url"]), (b"\xff\xd8\xff", f"/api/v1/alerts/{alert['id']}/snapshot"))
        daemon.stop()

    def test_snapshots(self):
        """Snapshots go by URL, are too large for inline, or are off. A deleted snapshot is reported, and is no fault."""
        names = ("url", "large", "none", "late")
        late = {"is_there": False}
        receivers = {name: self.receiver(script=(lambda n: None if late["is_there"] else (503, {})) if name == "late" else None)
                     for name in names}
        self.camera = {**self.camera, "source": self.path("large.mkv"), "alert": {"threshold": -99999, "k": 1, "n": 1}}
        harness.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x240:r=10:d=4", "-c:v", "ffv1", self.path("large.mkv"))
        more = {"url": {}, "large": {"snapshot": "inline", "snapshot_max_kib": 1}, "none": {"snapshot": "none"},
                "late": {"snapshot": "inline"}}
        daemon = self.daemon({"cameras": {"gate": self.camera},
                              "http": {"listen": "127.0.0.1:0", "public_url": "https://cams.example/"},
                              "webhooks": [{"name": name, "url": receivers[name].url, "secret": SECRET,
                                            "events": ["alert.opened"], **more[name]} for name in names]})
        harness.wait_for("the deliveries", lambda: all(receivers[name].deliveries for name in names[:3])
                         and receivers["late"].refused, 30)
        got = {name: receivers[name].deliveries[0]["data"] for name in names[:3]}
        url = f"https://cams.example/api/v1/alerts/{got['url']['id']}/snapshot"
        self.assertEqual(got["url"]["snapshot"], {"url": url})
        self.assertEqual(got["large"]["snapshot"]["url"], url)
        self.assertRegex(got["large"]["snapshot"]["reason"],
                         r"^the snapshot has \d+ bytes, expected at most 1024 \(snapshot_max_kib\)")
        self.assertNotIn("base64", got["large"]["snapshot"])
        self.assertNotIn("snapshot", got["none"])
        self.assertIn("base64", receivers["late"].refused[0]["data"]["snapshot"])
        for folder, _, files in os.walk(self.path("state")):
            if "snapshot.jpg" in files:
                os.unlink(os.path.join(folder, "snapshot.jpg"))
        late["is_there"] = True
        harness.wait_for("the delivery", lambda: receivers["late"].deliveries, 60)
        told = receivers["late"].deliveries[0]
        self.assertEqual((told["id"], told["data"]["snapshot"]), (receivers["late"].refused[0]["id"], {
            "reason": "the alert has no snapshot, or it is no longer kept"}))
        for receiver in receivers.values():
            self.assertEqual(receiver.faults(), [])
        # The database's events hold no copy of the picture.
        with sqlite3.connect(self.path("state/memaed.db")) as database:
            self.assertEqual(database.execute("SELECT count(*) FROM events WHERE body LIKE '%snapshot%'").fetchone(), (0,))
        daemon.stop()

    def test_an_independent_receiver(self):
        receiver = self.independent(SECRET, OLD_SECRET, STRANGER)
        hook = {"name": "node", "url": receiver.url, "secret": SECRET}
        daemon = self.start([{**hook, "old_secret": OLD_SECRET}])
        ids = []
        for both in (True, False):
            done = self.send(daemon)
            self.assertEqual(done.code, 0, done.out + done.err)
            for kind in ("alert.opened", "alert.closed"):
                got = receiver.next()
                self.assertEqual((got["type"], got["data"]["camera"], got["data"]["test"]), (kind, "gate", True))
                self.assertEqual((got["signatures"], [c is None for c in got["complaints"]]),
                                 (2, [True, True, False]) if both else (1, [True, False, False]), got)
                for change in ("tampered", "another"):
                    self.assertEqual(got[change], "WebhookVerificationError: No matching signature found", got)
                self.assertEqual(got["stale"], "WebhookVerificationError: Message timestamp too old", got)
                ids.append(got["id"])
            if both:        # the receiver has the new secret, so the old one is removed
                with open(daemon.config, encoding="utf-8") as f:
                    config = json.load(f)
                with open(daemon.config, "w", encoding="utf-8") as f:
                    json.dump({**config, "webhooks": [hook]}, f)
                self.assertEqual(daemon.post("/api/v1/reload")[0], 200)
        self.assertEqual(len(set(ids)), 4)
        daemon.stop()
        for secret in (SECRET, OLD_SECRET):
            self.assertNotIn(secret, str(daemon.log()))

    def test_a_test_alert(self):
        a, b = self.receiver(), self.receiver(refuse=2)
        daemon = self.start([{"name": "a", "url": a.url, "secret": SECRET},
                             {"name": "b", "url": b.url, "secret": SECRET, "cameras": ["gate"], "events": ["alert.opened"]},
                             {"name": "health", "url": b.url, "events": ["camera.lost"]}])
        done = self.send(daemon)
        self.assertEqual((done.code, done.err), (0, ""), done)
        self.assertRegex(done.out,
                         r"^alert \d+: opened and closed at camera gate, marked as a test; .*\nwebhook a: ok: delivered within "
                         r"\d+\.\d s\nwebhook b: ok: delivered within \d+\.\d s\n2 of 2 webhooks took it\n$")
        self.assertEqual([(d["type"], d["data"]["test"], d["fault"]) for d in a.deliveries],
                         [("alert.opened", True, None), ("alert.closed", True, None)])
        self.assertEqual([d["type"] for d in b.deliveries], ["alert.opened"])
        alert = daemon.get("/api/v1/alerts")[1]["alerts"][-1]
        data = a.deliveries[1]["data"]                          # REST adds labels and evidence
        self.assertEqual((alert["test"], alert["camera"], {key: alert[key] for key in data}), (True, "gate", data))
        self.assertEqual([e["test"] for e in daemon.events("alert_opened")], ["true"])
        self.assertEqual(daemon.metric("memaed_webhook_delay_seconds_count", endpoint="a"), 2)

        done = self.send(daemon, camera="yard")
        self.assertEqual((done.code, done.out.splitlines()[-1]), (0, "1 of 1 webhooks took it"))
        done = self.send(daemon, camera="door")
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertIn("HTTP status 404: no camera has that name", done.err)
        b.refuse = 10 ** 9
        done = self.send(daemon, "--timeout", str(round(max(1, harness.SCALE))))
        self.assertEqual(done.code, 1, done)
        seconds = "1" if harness.SCALE == 1 else "[0-9]+"
        self.assertRegex(done.out,
                         rf"webhook b: fault: not delivered within {seconds}\.\d s: 1 events wait, \d+ attempts failed: "
                         r"HTTP status 503\n1 of 2 ")
        daemon.stop()

    def test_nobody_asks(self):
        daemon = self.start([])
        done = self.send(daemon)
        self.assertEqual((done.code, done.out.splitlines()[-1]), (1, "no webhook asks for alerts of camera gate"))
        self.assertEqual(daemon.get("/api/v1/webhooks")[1], {"webhooks": []})
        self.assertEqual(daemon.post("/api/v1/webhooks/a/enable")[0], 404)
        daemon.stop()

    def test_a_receiver_that_is_gone(self):
        gone, log = self.receiver(refuse=1, refuse_with=410), self.receiver()
        hooks = [{"name": "gone", "url": gone.url, "secret": SECRET}, {"name": "log", "url": log.url, "secret": SECRET}]
        daemon = self.start(hooks)
        done = self.send(daemon)
        self.assertEqual(done.code, 1, done)
        self.assertIn("webhook gone: fault: disabled since ", done.out)
        told = harness.wait_for("webhook.disabled", lambda: log.of("webhook.disabled"), 20)[0]
        self.assertEqual((told["data"], told["fault"]),
                         ({"webhook": "gone", "reason": "webhook gone answered 410: it wants no events any more"}, None))
        self.assertEqual(daemon.events("webhook_disabled")[0]["webhook"], "gone")
        state = self.webhook(daemon, "gone")
        self.assertEqual((state["queued"], state["attempts"], state["delivered"], state["last_failure"]["cause"]),
                         (2, 1, 0, "HTTP status 410"))
        self.assertGreater(state["oldest_age_s"], 0)
        self.assertEqual(daemon.metric("memaed_webhooks_disabled", endpoint="gone"), 1)
        time.sleep(0.3)
        self.assertEqual((gone.deliveries, len(gone.refused)), ([], 1))
        self.assertEqual(daemon.post("/api/v1/webhooks/gone/enable"), (200, {"id": "gone", "status": "enabled"}))
        harness.wait_for("both events", lambda: len(gone.deliveries) == 2, 20)
        self.assertEqual([d["id"] for d in gone.deliveries][0], gone.refused[0]["id"])
        self.assertEqual(daemon.metric("memaed_webhooks_disabled", endpoint="gone"), 0)
        self.assertIsNone(self.webhook(daemon, "gone")["disabled"])
        self.assertEqual(daemon.post("/api/v1/webhooks/gone/retry")[0], 200)
        self.assertEqual(daemon.get("/api/v1/webhooks/gone/dead")[1], {"dead": []})
        self.assertEqual(daemon.get("/api/v1/webhooks/nix/dead")[0], 404)
        daemon.stop()


if __name__ == "__main__":
    harness.main()
