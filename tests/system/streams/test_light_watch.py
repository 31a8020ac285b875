#!/usr/bin/python3
"""The running daemon holds back the alerts that a change of light opens, or marks them, or neither. Who comes with the light is
told once the light has settled."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from wall import HEIGHT, WIDTH, write_footage  # noqa: E402

LEARN_S, CLEAN_S, LAMP_S, LONGEST_S = 10, 24, 8, 20
LIT = 40                                # columns of the picture that the lamp shines on
BRIGHTER = bytes(min(255, value + 60) for value in range(256))


def lamp(picture, _):
    rows = (picture[y * WIDTH:(y + 1) * WIDTH] for y in range(HEIGHT))
    return b"".join(row[:LIT].translate(BRIGHTER) + row[LIT:] for row in rows)


def lamp_and_somebody(picture, i):
    """Somebody walks up and down beside the lamp."""
    rows = [bytearray(picture[y * WIDTH:(y + 1) * WIDTH]) for y in range(HEIGHT)]
    for row in rows[8 + i % 24:32 + i % 24]:
        row[60:84] = b"\x0a" * 24
    return lamp(b"".join(map(bytes, rows)), i)


class LightWatch(harness.Case):
    def test_light(self):
        """All cameras run at the same time, because a clip takes 45 s."""
        model = harness.write_model(self.path("model.safetensors"), HEIGHT, WIDTH, calibration=harness.with_places(
            harness.OWN_CALIBRATION, HEIGHT, WIDTH))
        switched = write_footage(self.path("lamp.mkv"), [(CLEAN_S, None), (LAMP_S, lamp), (4, None)])
        entered = write_footage(self.path("entered.mkv"), [(CLEAN_S, None), (LONGEST_S + 3, lamp_and_somebody)])
        camera = {"model": model, "source": switched, "health": {"learn_s": LEARN_S}, "alert":
                  {"threshold": 3, "close_threshold": 2, "k": 1, "n": 1, "merge_s": 0, "cooldown_s": 0, "max_per_hour": 0}}
        daemon = self.daemon({"cameras": {
            "held": camera, "entered": {**camera, "source": entered},
            "marked": {**camera, "health": {"learn_s": LEARN_S, "mark": ["light"]}},
            "off": {**camera, "health": {"learn_s": LEARN_S, "off": ["light"]}}}})
        harness.wait_for("the light of the lamp", lambda: daemon.camera("held")["health"]["light"]["open"], CLEAN_S + 15)
        self.assertEqual(daemon.metric("memaed_camera_health_open", camera="held", kind="light"), 1)
        self.assertEqual(daemon.get("/readyz")[0], 200)
        self.assertNotIn("light", daemon.camera("off")["health"])
        for name in ("held", "marked", "off", "entered"):
            daemon.wait_camera(name, "stopped", 60)
        told = {name: daemon.get(f"/api/v1/alerts?camera={name}")[1]["alerts"] for name in ("held", "marked", "off", "entered")}
        held = daemon.get("/api/v1/alerts?camera=held&suppressed=only")[1]["alerts"]
        self.assertEqual(told["held"], [])
        # The lamp goes on, and off.
        self.assertGreaterEqual(len(held), 2)
        self.assertEqual({(a["suppressed"], *a["health"]) for a in held}, {("health", "light")})
        self.assertEqual([a["health"] for a in told["marked"]], [["light"]] * len(held))
        self.assertEqual([a["health"] for a in told["off"]], [[]] * len(held))
        # Somebody came with the lamp, and is told within 20 s. The alert began with the lamp.
        self.assertEqual(len(told["entered"]), 1)
        self.assertLess(abs(told["entered"][0]["pts_s"] - CLEAN_S), 3)
        self.assertEqual(told["entered"][0]["health"], ["light"])
        daemon.stop()
        opened = daemon.events("alert_opened", camera="entered")
        self.assertEqual(len(opened), 1)
        self.assertEqual([e for e in daemon.events() if e["event"].startswith("health_opened")], [])


if __name__ == "__main__":
    harness.main()
