#!/usr/bin/python3
"""A camera's schedule, and orders over REST that end by themselves, decide whether its alerts are sent. The camera is watched all
the time."""
import datetime
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402


def clock(minutes):
    """Returns the UTC time so many minutes from now, in the form of a schedule."""
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)).strftime("%H:%M")


class Arming(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("model.safetensors"))
        self.clip = harness.write_clip(self.path("clip.mkv"), seconds=4, fps=10)
        self.common = {"source": self.clip, "model": self.model, "fps": 10, "fps_force": True, "stride": 1, "loop": True}

    def test_schedule(self):
        cameras = {"day": {**self.common, "armed": f"{clock(-60)}-{clock(60)}"},
                   "night": {**self.common, "armed": [f"{clock(60)}-{clock(120)}"]},
                   "far": {**self.common, "armed": f"{clock(60 + 540)}-{clock(120 + 540)}", "time_zone": "Asia/Tokyo"}}
        daemon = self.daemon({"time_zone": "UTC", "cameras": cameras})
        reason = daemon.wait_event("camera_disarmed", camera="night")["reason"]
        self.assertRegex(reason, r"outside its schedule until \d{4}-.*Z$")
        daemon.wait_event("camera_disarmed", camera="far")
        self.assertEqual(daemon.events("camera_disarmed", camera="day"), [])
        states = {n: daemon.camera(n)["arming"] for n in cameras}
        self.assertEqual({n: s["state"] for n, s in states.items()},
                         {"day": "armed", "night": "off_schedule", "far": "off_schedule"})
        self.assertEqual(states["night"]["until"], states["far"]["until"])
        self.assertIsNone(states["night"]["by"])
        daemon.wait_camera("night", lambda c: c["windows_scored"] > 3)

        cameras["night"]["armed"] = "always"                    # a reload arms the camera, which runs on
        before = daemon.camera("night")["frames"]
        with open(daemon.config, "w", encoding="utf-8") as f:
            json.dump({"state_dir": os.path.join(self.folder, "state"), "http": {"listen": "127.0.0.1:0"}, "time_zone": "UTC",
                       "cameras": cameras}, f)
        status, answer = daemon.post("/api/v1/reload")
        self.assertEqual((status, answer["unchanged"]), (200, 3), answer)
        daemon.wait_event("camera_armed", camera="night")
        self.assertEqual(daemon.camera("night")["arming"], {"state": "armed", "until": None, "since": None, "by": None})
        self.assertGreaterEqual(daemon.camera("night")["frames"], before)

    def test_orders(self):
        daemon = self.daemon({"cameras": {"gate": self.common}})
        status, answer = daemon.post("/api/v1/cameras/gate/disarm?by=anna")
        self.assertEqual((status, answer["arming"]["state"], answer["arming"]["until"]), (200, "disarmed", None))
        self.assertEqual(daemon.wait_event("camera_disarmed", camera="gate")["reason"], "disarmed by anna")
        status, answer = daemon.post("/api/v1/cameras/gate/snooze?minutes=30&by=bert")
        self.assertEqual(answer["arming"]["state"], "disarmed")         # a snooze does not arm it at its end
        scored = daemon.camera("gate")["windows_scored"]
        daemon.wait_camera("gate", lambda c: c["windows_scored"] > scored + 3)
        status, answer = daemon.post("/api/v1/cameras/gate/arm")
        self.assertEqual((status, answer["arming"]["state"]), (200, "armed"))
        daemon.wait_event("camera_armed", camera="gate")

        status, answer = daemon.post("/api/v1/cameras/gate/snooze?minutes=1&by=bert")
        self.assertEqual((answer["arming"]["state"], answer["arming"]["by"]), ("snoozed", "bert"))
        self.assertLess(answer["arming"]["since"], answer["arming"]["until"])
        daemon.wait_camera("gate", lambda c: c["arming"]["state"] == "armed", 70)
        harness.wait_for("the event", lambda: len(daemon.events("camera_armed", camera="gate")) == 2, 10)

    def test_alerts_of_a_disarmed_camera(self):
        model = harness.write_model(self.path("mover.safetensors"), 64, 96, calibration=harness.OWN_CALIBRATION)
        harness.write_mover(self.path("mover.mkv"))
        daemon = self.daemon({"cameras": {"gate": {"source": self.path("mover.mkv"), "model": model, "stride": 1, "loop": True,
                                                   "alert": {"cooldown_s": 0, "merge_s": 0}}}})
        daemon.post("/api/v1/cameras/gate/disarm")
        line = daemon.wait_event("alert_suppressed", camera="gate", reason="disarmed")
        self.assertEqual(daemon.events("alert_opened"), [])
        only = harness.wait_for("the alert", lambda: daemon.get("/api/v1/alerts?suppressed=only")[1]["alerts"], 10)
        self.assertEqual((str(only[0]["id"]), only[0]["suppressed"]), (line["id"], "disarmed"))
        self.assertEqual(daemon.get("/api/v1/alerts")[1]["alerts"], [])
        self.assertGreaterEqual(daemon.metric("memaed_camera_alerts_suppressed_total", camera="gate", reason="disarmed"), 1)
        daemon.post("/api/v1/cameras/gate/arm")
        opened = daemon.wait_event("alert_opened", camera="gate")
        harness.wait_for("the alert", lambda: [a for a in daemon.get("/api/v1/alerts")[1]["alerts"]
                                               if str(a["id"]) == opened["id"]], 10)

    def test_orders_survive_a_crash(self):
        config = {"cameras": {"gate": self.common, "yard": self.common}}
        daemon = self.daemon(config)
        before = daemon.post("/api/v1/cameras/gate/disarm?by=anna")[1]["arming"]
        snoozed = daemon.post("/api/v1/cameras/yard/snooze?minutes=30")[1]["arming"]
        harness.wait_for("a commit", lambda: daemon.metric("memaed_store_events_queued") == 0, 10)
        time.sleep(1.5 * harness.SCALE)                         # the orders follow within a second
        daemon.process.kill()
        daemon.process.wait()
        daemon.kill()
        daemon = self.daemon(config)
        self.assertEqual(daemon.camera("gate")["arming"], before)
        self.assertEqual(daemon.camera("yard")["arming"], snoozed)
        daemon.post("/api/v1/cameras/gate/arm")
        daemon.stop()
        daemon = self.daemon(config)
        self.assertEqual(daemon.camera("gate")["arming"]["state"], "armed")

    def test_orders_that_are_refused(self):
        daemon = self.daemon({"cameras": {"gate": self.common}})
        for path, status in (("gate/snooze", 400), ("gate/snooze?minutes=0", 400), ("nobody/disarm", 404),
                             ("gate/disarm?by=%0a", 400)):
            self.assertEqual(daemon.post(f"/api/v1/cameras/{path}")[0], status, path)
        self.assertEqual(daemon.camera("gate")["arming"]["state"], "armed")


if __name__ == "__main__":
    harness.main()
