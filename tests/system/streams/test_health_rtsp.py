#!/usr/bin/python3
"""Cameras over RTSP are diagnosed: what they are like without a fault is kept over a restart and a reload, so that a lens that is
covered and a mount that shakes are found at the start; alerts are held back meanwhile; a camera is learned anew when asked to."""
import json
import os
import stat
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from wall import HEIGHT, WIDTH, shaken, with_cover, write_footage  # noqa: E402

LEARN_S = 10


def covered(picture, i):
    """Something moves beside the cover for 3 s of each 8 s."""
    return with_cover(picture, 10 + i % 30 if 40 <= i < 70 else None)


def play(server, clip):
    """Starts the server again with another clip, at the same address."""
    server.kill()
    server.args[server.args.index("--clip") + 1] = clip
    server.start()


class HealthRtsp(harness.Case):
    def test_faults_outlast_a_restart(self):
        sound = write_footage(self.path("sound.mkv"), [(7, None)])
        model = harness.write_model(self.path("model.safetensors"), HEIGHT, WIDTH, calibration=harness.with_places(
            harness.OWN_CALIBRATION, HEIGHT, WIDTH))
        servers = {name: self.rtsp(sound) for name in ("hand", "mast")}
        camera = {"model": model, "health": {"learn_s": LEARN_S}, "alert": {"k": 1, "n": 1, "merge_s": 0, "cooldown_s": 0}}
        config = {"cameras": {name: {**camera, "source": server.url} for name, server in servers.items()}}
        daemon = self.daemon(config)
        for name in servers:
            self.assertTrue(daemon.wait_camera(name, lambda c: c["state"] == "watching")["health_learning"])
        for name in servers:
            daemon.wait_camera(name, lambda c: not c["health_learning"], 3 * LEARN_S)
            self.assertEqual(daemon.metric("memaed_camera_health_learning", camera=name), 0)
        daemon.stop()
        for name in servers:
            path = os.path.join(self.folder, "state", "health", f"{name}.baseline")
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        play(servers["hand"], write_footage(self.path("covered.mkv"), [(8, covered)]))
        play(servers["mast"], write_footage(self.path("shaken.mkv"), [(8, shaken)]))

        daemon = self.daemon(config)
        self.faults_are_found_and_hold_alerts_back(daemon)
        config["cameras"]["hand"]["alert"] = {**camera["alert"], "cooldown_s": 1}
        self.reload_goes_on(daemon, config)
        play(servers["mast"], sound)
        self.assertEqual(daemon.post("/api/v1/cameras/hand/health/learn"), (200, {"name": "hand", "health_learning": True}))
        self.wait_closed(daemon, "hand", "covered is learned anew")
        daemon.wait_camera("hand", lambda c: c["health_learning"])
        daemon.wait_camera("hand", lambda c: not c["health_learning"], 3 * LEARN_S)
        self.assertFalse(daemon.camera("hand")["health"]["covered"]["open"])
        self.wait_closed(daemon, "mast", "jitter has ended")
        daemon.stop()

    def wait_closed(self, daemon, name, words):
        harness.wait_for(f"{name}: {words}", lambda: [e for e in daemon.events("health_closed", camera=name)
                                                      if words in e["reason"]], 40)

    def faults_are_found_and_hold_alerts_back(self, daemon):
        for name, kind in (("hand", "covered"), ("mast", "jitter")):
            daemon.wait_event("health_baseline_restored", camera=name)
            daemon.wait_event("health_opened", 30, camera=name, kind=kind)
            self.assertFalse(daemon.camera(name)["health_learning"])
        swing = daemon.camera("mast")["health"]["jitter"]
        self.assertTrue(100 * 1.5 / WIDTH < swing["quantity"] < 100 * 2.5 / WIDTH, swing)
        since = daemon.camera("hand")["health"]["covered"]["since"]

        def held_back():
            found = daemon.get("/api/v1/alerts?camera=hand&suppressed=only")[1]["alerts"]
            return [a for a in found if a["opened"] > since and a["suppressed"] == "health"]
        self.assertEqual(harness.wait_for("an alert that is held back", held_back, 30)[0]["health"], ["covered"])

    def reload_goes_on(self, daemon, config):
        """The camera that a reload changes goes on with what the one before it had learned."""
        written = harness.read(daemon.config)
        with open(daemon.config, "w", encoding="utf-8") as f:
            json.dump({**json.loads(written), **config}, f)
        status, answer = daemon.post("/api/v1/reload")
        self.assertEqual((status, answer["changed"]), (200, 1), answer)
        harness.wait_for("the baseline", lambda: len(daemon.events("health_baseline_restored", camera="hand")) == 2, 20)
        harness.wait_for("the fault", lambda: len(daemon.events("health_opened", camera="hand", kind="covered")) == 2, 30)


if __name__ == "__main__":
    harness.main()
