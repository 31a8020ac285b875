#!/usr/bin/python3
"""Objects that stand still, from learning to the alert. Footage of a scene with noise and a passer-by calibrates a model of
random weights. Then an object is left in the scene. The daemon runs in real time, for about three minutes."""
import json
import re

import harness

WIDTH, HEIGHT, FPS = 96, 64, 1
LEFT_S, X, Y, SIDE = 112, 52, 36, 14    # the object, and when it is left
SCENE = f"nullsrc=s={WIDTH}x{HEIGHT}:r={FPS},geq=lum='110+50*sin(X/5)*cos(Y/7)+30*sin(X*Y/90)':cb=128:cr=128"
PASSER = f"drawbox=x='mod(t*9,160)-20':y=20:w=8:h=30:color=0x101010:t=fill:enable='lt(mod(t,90),30)'"
NOISE = "noise=alls=6:allf=t"
LEFT = f"drawbox=x={X}:y={Y}:w={SIDE}:h={SIDE}:color=0xf0f0f0:t=fill,drawbox=x={X + 4}:y={Y + 4}:w=6:h=6:color=0x202020:t=fill"


def record(path, seconds, left_s=None):
    left = [part + f":enable='gte(t,{left_s})'" for part in LEFT.split(",")] if left_s else []
    harness.ffmpeg("-f", "lavfi", "-i", ",".join([SCENE, PASSER, *left, NOISE]), "-t", seconds, "-c:v", "ffv1", "-pix_fmt",
                   "gray", path)


class Still(harness.Case):
    def setUp(self):
        super().setUp()
        self.model, self.event = self.path("model.safetensors"), self.path("event.mkv")
        bare, footage = harness.write_model(self.path("bare.safetensors"), HEIGHT, WIDTH, channels=(2, 2, 2, 2), slots=4), \
            self.path("usual.mkv")
        record(footage, 3.2 * 3600)
        record(self.event, 175, LEFT_S)
        short = self.path("short.mkv")
        record(short, 600)
        command = harness.run("calibrate", "--model", bare, "--input", short, "--output", self.path("short.safetensors"),
                              timeout=600)
        self.assertIn("what stands still is not watched", command.out)
        command = harness.run("calibrate", "--model", bare, "--input", footage, "--output", self.model, timeout=600)
        self.assertIn("what stands still is watched in 1 kind of light", command.out)
        self.threshold = float(re.search(r"threshold (\S+)", command.out)[1])

    def check_boxes(self, boxes):
        self.assertTrue(boxes)
        for box in boxes:
            self.assertLess(box["x"] * WIDTH, X + SIDE)
            self.assertGreater((box["x"] + box["width"]) * WIDTH, X)
            self.assertLess(box["y"] * HEIGHT, Y + SIDE)
            self.assertGreater((box["y"] + box["height"]) * HEIGHT, Y)

    def test_left(self):
        self.scored()
        self.of_another_scene()
        self.calibrated_again()
        self.watched()

    def scored(self):
        """`score` finds the object from the right time on, at the right place, and nothing before or without it."""
        rows = [json.loads(line) for line in
                harness.run("score", "--model", self.model, "--format", "jsonl", self.event).out.splitlines()]
        self.assertIsNone(rows[0]["voices"]["still"])
        above = [r for r in rows if (r["voices"]["still"] or -99) >= self.threshold]
        self.assertTrue(LEFT_S + 30 <= above[0]["pts_s"] + 7 <= LEFT_S + 60, above[0])
        self.assertEqual([r["window"] for r in above], list(range(above[0]["window"], rows[-1]["window"] + 1)))
        self.check_boxes(above[-1]["still_boxes"])
        before = [r for r in rows if r["pts_s"] + 7 < LEFT_S and r["voices"]["still"] is not None]
        self.assertTrue(before)
        self.assertEqual([r for r in before if r["still_boxes"]], [])
        csv = harness.run("score", "--model", self.model, self.event).out.splitlines()
        self.assertTrue(csv[0].endswith(",still,still_boxes"))
        self.assertTrue(csv[1].endswith(",,"))
        self.assertRegex(csv[-1], r",[\d.]+,[\d.]+:[\d.]+:[\d.]+:[\d.]+:[\d.]+( [\d.:]+)*$")
        shown = harness.run("model", "show", self.model)
        self.assertIn("still         what stands still is watched in 1 kind of light", shown.out)
        self.assertEqual(json.loads(harness.run("model", "show", "--json", self.model).out)["still"]["lights"], 1)

    def of_another_scene(self):
        """A warning names a picture that the model did not learn. Its own picture gets none."""
        turned, warning = self.path("turned.mkv"), "the picture is not the one that the model learned"
        harness.ffmpeg("-i", self.event, "-vf", "hflip,vflip", "-c:v", "ffv1", turned)
        self.assertIn(warning, harness.run("score", "--model", self.model, turned).err)
        self.assertNotIn(warning, harness.run("score", "--model", self.model, self.event).err)
        daemon = self.daemon({"cameras": {"turned": {"source": turned, "model": self.model}}})
        found = daemon.wait_event("camera_scene", camera="turned", timeout=90)
        self.assertGreaterEqual(float(found["percent"]), 50)
        self.assertIn(warning, daemon.camera("turned")["reason"])
        daemon.stop()

    def calibrated_again(self):
        """With too little footage the model keeps its memory. In footage that has the object from the start, it becomes usual."""
        again, usual = self.path("again.safetensors"), self.path("with.mkv")
        command = harness.run("calibrate", "--model", self.model, "--input", self.path("short.mkv"), "--output", again)
        self.assertIn("what stands still is watched in 1 kind of light", command.out)
        harness.ffmpeg("-f", "lavfi", "-i", ",".join([SCENE, PASSER, *(p + ":enable='gte(mod(t,600),300)'"
                                                                      for p in LEFT.split(",")), NOISE]),
                       "-t", 3600, "-c:v", "ffv1", "-pix_fmt", "gray", usual)
        harness.run("calibrate", "--model", self.model, "--input", usual, "--output", again, timeout=600)
        rows = [json.loads(line) for line in
                harness.run("score", "--model", again, "--format", "jsonl", self.event).out.splitlines()]
        self.assertEqual([r for r in rows if r["still_boxes"]], [])

    def watched(self):
        """One alert of the daemon, of kind still, open until the file ends."""
        daemon = self.daemon({"cameras": {"gate": {"source": self.event, "model": self.model, "stride": 2}}})
        daemon.wait_event("alert_opened", camera="gate", kind="still", timeout=LEFT_S + 75)
        still = harness.wait_for("the alert in the database", lambda: [
            a for a in daemon.get("/api/v1/alerts")[1]["alerts"] if a["kind"] == "still"], 10)
        self.assertEqual(len(still), 1)
        self.assertIsNone(still[0]["closed"])
        self.assertEqual(still[0]["voice"], "still")
        self.assertGreaterEqual(still[0]["voices"]["still"], self.threshold)
        self.assertEqual(still[0]["voices"]["still"], still[0]["peak_score"])
        self.assertIsNone(still[0]["voices"]["speed"])
        self.check_boxes(still[0]["boxes"])
        self.assertTrue(daemon.camera("gate")["alert_open"])
        _, scores = daemon.get("/api/v1/cameras/gate/scores?limit=1000")
        self.assertIsNone(scores["scores"][0]["voices"]["still"])
        daemon.wait_camera("gate", "stopped", 60)
        self.assertEqual(len(daemon.events("alert_closed", camera="gate", kind="still")), 1)
        daemon.stop()


if __name__ == "__main__":
    harness.main()
