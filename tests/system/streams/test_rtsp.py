#!/usr/bin/python3
"""Cameras over RTSP that go away and come back. A webhook receiver verifies the events."""
import base64
import datetime
import os
import signal
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from servers.webhook_receiver import Receiver  # noqa: E402

SECRET = "whsec_" + base64.b64encode(os.urandom(32)).decode()


def utc(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Rtsp(harness.Case):
    def setUp(self):
        super().setUp()
        harness.need_rtsp()
        self.model = harness.write_model(self.path("model.safetensors"))
        self.clip = harness.write_clip(self.path("clip.mkv"), seconds=4, fps=10, size="96x64")
        self.yard = harness.write_clip(self.path("yard.mkv"), seconds=600, fps=10)      # longer than the test: no seam
        self.server = self.rtsp(self.clip, fps=10)
        self.receiver = Receiver(SECRET)
        self.addCleanup(self.receiver.close)

    def start(self, **gate):
        common = {"model": self.model, "fps": 10, "fps_force": True, "stride": 1, "alert": {"threshold": 99999}}
        return self.daemon({
            "cameras": {"gate": {**common, "source": self.server.url, **gate},
                        "yard": {**common, "source": self.yard, "loop": True}},
            "webhooks": [{"url": self.receiver.url, "secret": SECRET}]})

    def told(self, kind, timeout, after=0):
        return harness.wait_for(f"webhook {kind}", lambda: self.receiver.of(kind, "gate")[after:], timeout)[0]

    def check_gap(self, scores):
        """No window spans the outage: frames are numbered without reuse, so across it windows jump by their length."""
        pairs = list(zip(scores, scores[1:]))
        before, after = max(pairs, key=lambda p: utc(p[1]["time"]) - utc(p[0]["time"]))
        self.assertGreater(utc(after["time"]) - utc(before["time"]), harness.WINDOW / 10, "no outage is to be seen")
        self.assertGreaterEqual(after["window"] - before["window"], harness.WINDOW, f"{before} and {after} touch")
        for a, b in pairs:
            self.assertLess(a["window"], b["window"])

    def test_server_killed_and_started_again(self):
        daemon = self.start()
        daemon.wait_camera("gate", "watching")
        daemon.wait_camera("yard", "watching")
        gate, yard = harness.Follower(daemon, "gate"), harness.Follower(daemon, "yard")
        gate.wait(5)
        self.server.kill()
        lost = self.told("camera.lost", 20)
        self.assertTrue(lost["data"]["reason"])
        self.assertEqual(daemon.camera("gate")["state"], "lost")
        self.assertEqual(daemon.camera("yard")["state"], "watching")
        status, text = daemon.get("/readyz")
        self.assertEqual(status, 503)
        self.assertIn("gate", str(text))
        self.assertNotIn("yard", str(text))
        self.assertEqual(daemon.get("/healthz")[0], 200)

        seen = len(gate.drain())
        self.server.start()
        restored = self.told("camera.restored", 60)
        self.assertGreater(utc(restored["timestamp"]), utc(lost["timestamp"]))
        daemon.wait_camera("gate", "watching", 60)
        gate.wait(seen + 5, 30)
        self.check_gap(gate.scores)
        self.assertEqual(daemon.get("/readyz")[0], 200)

        # The second camera is not affected: it has no event, and lacks no windows but those that it reports itself.
        windows = [s["window"] for s in yard.drain()]
        skipped = daemon.camera("yard")["windows_skipped"]
        self.assertLessEqual(windows[-1] - windows[0] + 1 - len(windows), skipped)
        if not harness.SAN:
            self.assertEqual(skipped, 0)
        self.assertEqual([d for d in self.receiver.deliveries if d["data"].get("camera") != "gate"], [])
        self.assertEqual(daemon.events("camera_lost", camera="yard"), [])
        endpoint = "http://" + urllib.parse.urlsplit(self.receiver.url).netloc
        self.assertEqual(daemon.metric("memaed_webhooks_delivered_total", endpoint=endpoint), 2)

        daemon.stop()
        self.assertEqual(self.receiver.faults(), [])
        ids = [d["id"] for d in self.receiver.deliveries]
        self.assertEqual(len(set(ids)), len(ids), "an id came twice")
        self.assertEqual([d["type"] for d in self.receiver.deliveries], ["camera.lost", "camera.restored"])

    def test_stalled_server_counts_as_lost(self):
        daemon = self.start(stall_timeout_s=2)
        gate = harness.Follower(daemon, "gate")
        gate.wait(3)
        self.server.signal(signal.SIGSTOP)
        stopped = time.monotonic()
        self.told("camera.lost", 15)
        self.assertGreater(time.monotonic() - stopped, 1.5, "lost before it had stalled for its timeout")
        daemon.wait_camera("gate", "lost")
        seen = len(gate.drain())
        self.server.signal(signal.SIGCONT)
        self.told("camera.restored", 60)
        gate.wait(seen + 3, 60)
        daemon.stop()
        self.assertEqual(self.receiver.faults(), [])

    def test_stop_while_the_camera_is_dead(self):
        """A server that accepts the connection and never answers does not delay the end."""
        self.server.signal(signal.SIGSTOP)
        daemon = self.start(stall_timeout_s=30)
        daemon.wait_camera("yard", "watching")
        self.assertIn(daemon.camera("gate")["state"], ("starting", "lost"))
        daemon.stop()

    def test_refused_webhook_is_tried_again(self):
        self.receiver.refuse = 1
        daemon = self.start()
        daemon.wait_camera("gate", "watching")
        self.server.kill()
        lost = self.told("camera.lost", 40)
        self.assertEqual([r["id"] for r in self.receiver.refused], [lost["id"]], "the id changed over a retry")
        self.assertFalse(self.receiver.refused[0]["fault"])
        daemon.stop()
        self.assertEqual(self.receiver.faults(), [])


if __name__ == "__main__":
    harness.main()
