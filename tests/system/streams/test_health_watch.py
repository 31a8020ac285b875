#!/usr/bin/python3
"""The running daemon diagnoses cameras' pictures: a fault is told by events, shown by REST, metrics and readyz, and closes.
Alerts that open meanwhile are held back or marked."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from servers.webhook_receiver import Receiver  # noqa: E402
from wall import HEIGHT, WIDTH, black, with_cover, write_footage  # noqa: E402

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
LEARN_S, CLEAN_S = 10, 15


def covered(picture, i):
    """A third of the picture is covered. Something moves beside that for 3 s, once the fault has been found."""
    return with_cover(picture, 10 + i % 30 if 80 <= i < 110 else None)


class HealthWatch(harness.Case):
    def test_faults(self):
        """All cameras run at the same time, because a clip takes half a minute."""
        model = harness.write_model(self.path("model.safetensors"), HEIGHT, WIDTH, calibration=harness.with_places(
            harness.OWN_CALIBRATION, HEIGHT, WIDTH))
        small = harness.write_model(self.path("small.safetensors"), 16, 48)
        dark = {"model": model, "source": write_footage(self.path("black.mkv"), [(CLEAN_S, None), (9, black), (8, None)]),
                "health": {"learn_s": LEARN_S}, "alert": {"threshold": 99999}}
        hidden = {"model": model, "source": write_footage(self.path("covered.mkv"), [(CLEAN_S, None), (13, covered)]),
                  "health": {"learn_s": LEARN_S}, "alert": {"k": 1, "n": 1, "merge_s": 0, "cooldown_s": 0}}
        receiver = Receiver(SECRET)
        self.addCleanup(receiver.close)
        daemon = self.daemon({"cameras": {"gate": dark, "off": {**dark, "health": {"enabled": False}},
                                          "small": {**dark, "model": small}, "held": hidden,
                                          "marked": {**hidden, "health": {"learn_s": LEARN_S, "hold": []}}},
                              "webhooks": [{"url": receiver.url, "secret": SECRET, "cameras": ["gate"],
                                            "events": ["health.opened", "health.closed"]}]})
        self.assertIn("expected a model of pictures of 32", daemon.wait_event("camera_not_diagnosed", camera="small")["reason"])
        self.told_and_shown(daemon, receiver)
        for name in ("held", "marked"):
            daemon.wait_camera(name, "stopped", 40)
        self.alerts_are_held_or_marked(daemon)
        daemon.stop()
        self.assertEqual([(e["event"], e["kind"]) for e in daemon.events(camera="gate") if e["event"].startswith("health_")],
                         [("health_opened", "black"), ("health_closed", "black")])

    def test_damaged_pictures(self):
        """A stream loses packets. The camera is corrupt while many of its pictures are damaged, with a mask as without one."""
        clean, lossy = write_footage(self.path("clean.mkv"), [(CLEAN_S + 16, None)]), self.path("lossy.mkv")
        lost = f"noise=amount=0:drop='between(pts*tb,{CLEAN_S},{CLEAN_S + 6})*not(mod(n,9))'"
        subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", clean, "-c:v", "libx265", "-x265-params",
                        "log-level=error", "-g", "20", "-pix_fmt", "yuv420p", self.path("whole.mkv")], check=True)
        subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", self.path("whole.mkv"), "-c", "copy", "-bsf:v",
                        lost, lossy], check=True)
        camera = {"model": harness.write_model(self.path("model.safetensors"), HEIGHT, WIDTH), "source": lossy,
                  "health": {"learn_s": LEARN_S}, "alert": {"threshold": 99999}}
        corner = [[0, 0], [0.2, 0], [0.2, 0.2], [0, 0.2]]
        daemon = self.daemon({"cameras": {"plain": camera, "masked": {**camera, "masks": [{"points": corner, "privacy": True}]}}})
        for name in ("plain", "masked"):
            opened = daemon.wait_event("health_opened", CLEAN_S + 20, camera=name)
            self.assertEqual(opened["kind"], "corrupt")
            self.assertRegex(opened["reason"], "damaged pictures is [1-9]")
            self.assertGreater(daemon.camera(name)["frames_corrupt"], 10)
            closed = daemon.wait_event("health_closed", 25, camera=name)
            self.assertEqual((closed["kind"], closed["reason"].split(" after")[0]), ("corrupt", "corrupt has ended"))
        daemon.stop()
        self.assertEqual({e["kind"] for e in daemon.events("health_opened")}, {"corrupt"})

    def told_and_shown(self, daemon, receiver):
        opened = daemon.wait_event("health_opened", CLEAN_S + 15, camera="gate")
        self.assertEqual(opened["kind"], "black")
        self.assertIn("the picture is black", opened["reason"])
        camera = daemon.camera("gate")
        self.assertTrue(camera["health"]["black"]["open"])
        self.assertLess(camera["health"]["black"]["quantity"], camera["health"]["black"]["opens_at"])
        faults = {k for k, h in camera["health"].items() if h["open"]}
        self.assertEqual(faults - {"light"}, {"black"})         # the light has changed as well
        self.assertEqual((daemon.camera("off")["health"], daemon.camera("small")["health"]), (None, None))
        self.assertEqual(daemon.metric("memaed_camera_health_open", camera="gate", kind="black"), 1)
        self.assertEqual(daemon.metric("memaed_camera_health_open", camera="gate", kind="covered"), 0)
        status, ready = daemon.get("/readyz")
        self.assertEqual(status, 503)
        self.assertIn({"name": "gate", "state": "watching", "reason": "faults of the picture: black"}, ready["cameras"])
        daemon.wait_event("health_closed", 20, camera="gate", kind="black")
        self.assertFalse(daemon.camera("gate")["health"]["black"]["open"])
        harness.wait_for("the webhook", lambda: receiver.of("health.closed"), 10)
        first, last = (receiver.of(f"health.{what}")[0]["data"] for what in ("opened", "closed"))
        self.assertEqual((first["camera"], first["kind"], first["unit"]), ("gate", "black", "levels"))
        self.assertLess(first["quantity"], first["opens_at"])
        self.assertLess(first["opens_at"], first["baseline"])
        self.assertEqual(first["since"], last["since"])
        self.assertEqual(first["since"], camera["health"]["black"]["since"])

    def alerts_are_held_or_marked(self, daemon):
        alerts = {}
        for name in ("held", "marked"):
            daemon.wait_event("health_opened", camera=name, kind="covered")
            self.assertIn("is not watched any more", daemon.wait_event("health_closed", camera=name, kind="covered")["reason"])
            for which in ("all", "only"):
                found = daemon.get(f"/api/v1/alerts?camera={name}&suppressed={which}")[1]["alerts"]
                alerts[name, which] = [a for a in found if CLEAN_S + 7 < a["pts_s"] < CLEAN_S + 12]
        self.assertEqual({(a["suppressed"], *a["health"]) for a in alerts["held", "only"]}, {("health", "covered")})
        self.assertEqual(alerts["held", "all"], alerts["held", "only"])
        self.assertEqual(alerts["marked", "only"], [])
        self.assertEqual({tuple(a["health"]) for a in alerts["marked", "all"]}, {("covered",)})
        self.assertGreaterEqual(daemon.metric("memaed_camera_alerts_suppressed_total", camera="held", reason="health"), 1)


if __name__ == "__main__":
    harness.main()
