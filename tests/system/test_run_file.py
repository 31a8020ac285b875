#!/usr/bin/python3
"""`memaed run` on a file: its scores by REST with the cursor, and its states. Scores are those of `memaed score`."""
import csv
import io
import json
import os
import subprocess
import time

import harness
from servers.webhook_receiver import Receiver

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"


class RunFile(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("model.safetensors"))
        self.clip = harness.write_clip(self.path("clip.mkv"), seconds=5, fps=10)        # 50 frames: 35 windows
        self.camera = {"source": self.clip, "model": self.model, "fps": 10, "stride": 1, "fps_force": True,
                       "alert": {"threshold": 99999}}

    def test_scores_by_cursor_equal_score(self):
        offline = list(csv.DictReader(io.StringIO(harness.run("score", "--model", self.model, self.clip).out)))
        self.assertEqual([int(r["window"]) for r in offline], list(range(35)))

        daemon = self.daemon({"cameras": {"gate": self.camera}})
        follower = harness.Follower(daemon, "gate", limit=3)
        states = []

        def ended():
            follower.poll()
            states.append(daemon.camera("gate")["state"])
            return states[-1] == "stopped"
        harness.wait_for("the file to end", ended, 30)
        scores = follower.drain()
        order = ["starting", "warming", "watching", "stopped"]
        ranks = [order.index(s) for s in states]
        self.assertEqual(ranks, sorted(ranks), "states go back")
        self.assertIn("watching", states)

        camera = daemon.camera("gate")
        windows = [s["window"] for s in scores]
        self.assertEqual(windows, sorted(set(windows)), "repeated or out of order")
        self.assertEqual(len(windows) + camera["windows_skipped"], 35, "missed")
        expected = {int(r["window"]): r for r in offline}
        for s in scores:
            row = expected[s["window"]]
            self.assertEqual(s["frame"], int(row["frame"]))
            self.assertEqual(s["frame"], s["window"] + 8)
            for key in ("reference", "score"):
                self.assertAlmostEqual(s[key], float(row[key]), delta=1e-5 * float(row[key]))
            self.assertAlmostEqual(s["pts_s"], float(row["pts_s"]), places=3)
            self.assertRegex(s["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

        # The same again from the start, in one answer; and nothing after the end.
        status, value = daemon.get("/api/v1/cameras/gate/scores?limit=1000")
        self.assertEqual((status, value["scores"]), (200, scores))
        status, value = daemon.get(f"/api/v1/cameras/gate/scores?since={value['next']}")
        self.assertEqual((status, value["scores"]), (200, []))
        self.assertEqual(camera["last_score"], scores[-1]["score"])
        self.assertEqual(daemon.metric("memaed_camera_windows_skipped_total", camera="gate"), camera["windows_skipped"])
        daemon.stop()

    def test_cursor_of_another_run_is_gone(self):
        daemon = self.daemon({"cameras": {"gate": self.camera}})
        follower = harness.Follower(daemon, "gate")
        follower.wait(1)
        foreign = follower.cursor
        daemon.stop()

        daemon = self.daemon({"cameras": {"gate": self.camera}})
        status, value = daemon.get(f"/api/v1/cameras/gate/scores?since={foreign}")
        self.assertEqual(status, 410, value)
        self.assertIn("oldest", value)
        again = harness.Follower(daemon, "gate")
        again.cursor = value["oldest"]
        self.assertEqual(again.wait(1)[0]["window"], 0)
        daemon.stop()

    def test_looped_file_goes_on_and_is_ready(self):
        clip = harness.write_clip(self.path("short.mkv"), seconds=2, fps=10)            # 20 frames: 5 windows a round
        daemon = self.daemon({"cameras": {"gate": {**self.camera, "source": clip, "loop": True}}})
        scores = harness.Follower(daemon, "gate").wait(12)
        for s in scores:            # a window never spans the seam: it lies in one round of 20 frames
            self.assertLessEqual(s["window"] % 20, 4, f"window {s['window']} spans the seam of the loop")
        # Each round begins with a window's length of warming, in which it is not ready.
        harness.wait_for("readiness", lambda: daemon.get("/readyz")[0] == 200, 20)
        daemon.wait_camera("gate", "watching")
        self.assertEqual(daemon.get("/healthz")[0], 200)
        daemon.stop()

    def test_alert_opens_and_closes(self):
        """A threshold between the scores of a still and of a moving picture."""
        still, moving, clip = self.path("still.mkv"), self.path("moving.mkv"), self.path("both.mkv")
        harness.ffmpeg("-f", "lavfi", "-i", "color=c=gray:size=48x32:rate=10:duration=3", "-c:v", "ffv1", "-pix_fmt", "gray",
                       still)
        harness.write_clip(moving, seconds=3, source="testsrc2")
        harness.ffmpeg("-i", still, "-i", moving, "-i", still, "-filter_complex", "concat=n=3:v=1", "-c:v", "ffv1",
                       "-pix_fmt", "gray", clip)
        rows = list(csv.DictReader(io.StringIO(harness.run("score", "--model", self.model, clip).out)))
        values = [float(r["score"]) for r in rows]
        quiet, loud = values[0], max(values)
        self.assertGreater(loud, quiet * 1.05)
        threshold = quiet + 0.6 * (loud - quiet)

        daemon = self.daemon({"cameras": {"gate": {**self.camera, "source": clip,
                                                   "alert": {"threshold": threshold, "cooldown_s": 0}}}})

        polled, cursor = [], daemon.get("/api/v1/alerts")[1]["next"]

        def closed():
            nonlocal cursor
            answer = daemon.get(f"/api/v1/alerts?since={cursor}")[1]
            polled.extend(answer["alerts"])
            cursor = answer["next"]
            return polled and polled[-1]["closed"]
        harness.wait_for("polling to see an alert open and close", closed, 30)
        alert = polled[-1]
        self.assertEqual([(a["id"], bool(a["closed"])) for a in polled], [(alert["id"], False), (alert["id"], True)])
        self.assertEqual(daemon.get("/api/v1/alerts?camera=gate")[1]["alerts"], [alert])
        self.assertLess(abs(alert["id"] / 1000 - time.time()), 3600)
        self.assertEqual(alert["camera"], "gate")
        self.assertAlmostEqual(alert["peak_score"], loud, delta=1e-4 * loud)
        self.assertLessEqual(alert["opened"], alert["peak_time"])
        self.assertLessEqual(alert["peak_time"], alert["closed"])
        self.assertEqual(daemon.get(f"/api/v1/alerts/{alert['id']}"), (200, alert))
        daemon.wait_event("alert_opened", camera="gate")
        daemon.wait_event("alert_closed", camera="gate")
        daemon.stop()

    def test_near_causes_merge_and_suppressed_alerts_are_not_told(self):
        """Something moves twice, three seconds apart. That is one alert with merging, two without. In a cooldown, one is told."""
        still, moving, clip = self.path("still.mkv"), self.path("moving.mkv"), self.path("twice.mkv")
        harness.ffmpeg("-f", "lavfi", "-i", "color=c=gray:size=48x32:rate=10:duration=5", "-c:v", "ffv1", "-pix_fmt", "gray",
                       still)
        harness.write_clip(moving, seconds=3, source="testsrc2")
        parts = [still, moving, still, moving, still]
        harness.ffmpeg(*[a for part in parts for a in ("-i", part)], "-filter_complex", "concat=n=5:v=1", "-c:v", "ffv1",
                       "-pix_fmt", "gray", clip)
        rows = list(csv.DictReader(io.StringIO(harness.run("score", "--model", self.model, clip).out)))
        values = [float(r["score"]) for r in rows]
        threshold = values[0] + 0.6 * (max(values) - values[0])

        keys = {"apart": {"merge_s": 0, "cooldown_s": 0}, "merged": {"merge_s": 10, "cooldown_s": 0},
                "cooling": {"merge_s": 0, "cooldown_s": 60}, "patient": {"merge_s": 0, "cooldown_s": 0, "min_duration_s": 20}}
        receiver = Receiver(SECRET)
        self.addCleanup(receiver.close)
        daemon = self.daemon({"cameras": {name: {**self.camera, "source": clip, "alert": {"threshold": threshold, **alert}}
                                          for name, alert in keys.items()},
                              "webhooks": [{"url": receiver.url, "secret": SECRET}]})
        for name in keys:
            daemon.wait_camera(name, "stopped", 40)
        harness.wait_for("the webhooks", lambda: len(receiver.of("alert.closed")) >= 4, 20)
        alerts = {}
        for name in keys:
            told, everything, only = (daemon.get(f"/api/v1/alerts?camera={name}{query}")[1]["alerts"]
                                      for query in ("", "&suppressed=all", "&suppressed=only"))
            alerts[name] = told, only
            self.assertEqual([e["data"]["id"] for e in receiver.of("alert.opened") if e["data"]["camera"] == name],
                             [a["id"] for a in told])
            closed = [e["data"] for e in receiver.of("alert.closed") if e["data"]["camera"] == name]
            self.assertEqual([data.pop("snapshot") for data in closed],
                             [{"url": f"/api/v1/alerts/{a['id']}/snapshot"} for a in told])
            self.assertEqual(closed, [{key: a[key] for key in closed[0]} for a in told])        # REST adds labels and evidence
            self.assertEqual(sorted(a["id"] for a in everything), sorted(a["id"] for a in told + only))
            self.assertEqual(daemon.metric("memaed_camera_alerts_total", camera=name), len(told))
            self.assertEqual(daemon.metric("memaed_camera_alerts_suppressed_total", camera=name, reason="cooldown"), len(only))
        daemon.stop()
        self.assertEqual([tuple(map(len, alerts[name])) for name in keys], [(2, 0), (1, 0), (1, 1), (0, 0)])
        first, second = alerts["apart"][0]
        merged, held = alerts["merged"][0][0], alerts["cooling"][1][0]
        self.assertGreater(second["pts_s"] - first["closed_pts_s"], 2)
        self.assertAlmostEqual(merged["pts_s"], first["pts_s"], delta=0.15)
        self.assertAlmostEqual(merged["closed_pts_s"], second["closed_pts_s"], delta=0.15)      # not when it was told
        self.assertEqual((merged["suppressed"], held["suppressed"]), (None, "cooldown"))
        self.assertAlmostEqual(held["pts_s"], second["pts_s"], delta=0.15)

    def test_a_camera_that_ends_frozen(self):
        """The log has an end for each beginning, even if no other picture comes."""
        model = harness.write_model(self.path("own.safetensors"), calibration=harness.static_calibration(32, 48, frozen_s=1.0))
        clip = self.path("still.mkv")
        harness.ffmpeg("-f", "lavfi", "-i", "color=c=gray:size=48x32:rate=10:duration=2.5", "-c:v", "ffv1", "-pix_fmt", "gray",
                       clip)
        daemon = self.daemon({"cameras": {"gate": {"source": clip, "model": model}}})
        daemon.wait_event("camera_stopped", camera="gate")
        self.assertEqual([e["event"] for e in daemon.events(camera="gate") if "frozen" in e["event"]],
                         ["camera_frozen", "camera_unfrozen"])
        self.assertAlmostEqual(float(daemon.events("camera_unfrozen")[0]["seconds"]), 2.4, delta=0.01)
        self.assertFalse(daemon.camera("gate")["frozen"])
        daemon.stop()

    def test_boxes_tell_where(self):
        """Windows at the close threshold or above have the boxes and voices of `score`. An alert has those of its peak."""
        model = harness.write_model(self.path("own.safetensors"), 64, 96, calibration=harness.PLACES_CALIBRATION)
        clip = self.path("mover.mkv")
        harness.write_mover(clip)
        lines = harness.run("score", "--model", model, "--format", "jsonl", clip).out.splitlines()
        offline = {line["window"]: line for line in map(json.loads, lines)}

        receiver = Receiver(SECRET)
        self.addCleanup(receiver.close)
        daemon = self.daemon({"cameras": {"gate": {"source": clip, "model": model, "stride": 1, "alert": {"cooldown_s": 0}}},
                              "webhooks": [{"url": receiver.url, "secret": SECRET}]})
        alert = harness.wait_for("an alert to open and close", lambda: [
            a for a in daemon.get("/api/v1/alerts")[1]["alerts"] if a["closed"]], 30)[0]
        daemon.wait_camera("gate", "stopped")
        scores = harness.Follower(daemon, "gate").drain()
        self.assertTrue(scores)
        for s in scores:
            self.assert_boxes(s["boxes"], offline[s["window"]]["boxes"])
            self.assertEqual(bool(s["boxes"]), s["score"] >= harness.OWN_CALIBRATION["close_threshold"])
            for name, said in offline[s["window"]]["voices"].items():
                self.assertAlmostEqual(s["voices"][name] or 0, said or 0, delta=1e-4)
            loudest = max(v for v in s["voices"].values() if v is not None)
            self.assertEqual(s["voices"][s["voice"]], loudest)
            self.assertLessEqual(loudest, s["score"])
        peak = max(scores, key=lambda s: s["score"])
        self.assertEqual((alert["peak_time"], alert["peak_score"]), (peak["time"], peak["score"]))
        self.assertEqual(alert["peak_pts_s"], peak["pts_s"])
        by_time = {s["time"]: s["pts_s"] for s in scores}
        self.assertEqual(alert["pts_s"], by_time[alert["opened"]])
        self.assertLessEqual(alert["pts_s"], alert["peak_pts_s"])
        self.assertLess(alert["peak_pts_s"], alert["closed_pts_s"])
        self.assertTrue(alert["boxes"])
        self.assertEqual((alert["boxes"], alert["voice"], alert["voices"]), (peak["boxes"], peak["voice"], peak["voices"]))
        closed = harness.wait_for("webhook alert.closed", lambda: receiver.of("alert.closed"), 20)[0]
        self.assertEqual(closed["data"].pop("snapshot"), {"url": f"/api/v1/alerts/{alert['id']}/snapshot"})
        self.assertEqual(closed["data"], {key: alert[key] for key in closed["data"]})           # REST adds labels and evidence
        self.assertTrue(receiver.of("alert.opened")[0]["data"]["boxes"])
        daemon.stop()

    def test_start_can_be_interrupted(self):
        """A long start ends soon after TERM, with status 0, even if not all cameras are open."""
        big = harness.write_model(self.path("big.safetensors"), channels=(32, 64, 128, 192), slots=500)
        cameras = {}
        for i in range(300):            # each model has a file of its own, so each is read and becomes a plan
            os.link(big, self.path(f"{i}.safetensors"))
            cameras[f"c{i}"] = {**self.camera, "model": self.path(f"{i}.safetensors")}
        with open(self.path("many.yml"), "w", encoding="utf-8") as f:
            json.dump({"state_dir": self.path("state"), "http": {"listen": "127.0.0.1:0"}, "cameras": cameras,
                       "webhooks": [{"url": "http://192.0.2.1/"}]}, f)
        for after_s in (0, 1):
            process = subprocess.Popen([*harness.MEMAED, "run", "--config", self.path("many.yml")], stdin=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE, text=True)
            self.addCleanup(process.kill)
            self.assertIn("event=config_warning", process.stderr.readline())        # it comes before the first model is read
            time.sleep(after_s)
            process.terminate()
            begin = time.monotonic()
            _, log = process.communicate(timeout=60 * harness.SCALE)
            seconds = time.monotonic() - begin
            self.assertNotIn("event=started", log, "the start is too quick for this test")
            self.assertEqual(process.returncode, 0, log[-2000:])
            self.assertLess(seconds, harness.STOP_S)
            self.assertRegex(log, r"event=stopping reason=.told to end before it had started")

    def test_a_signal_before_the_configuration_is_read(self):
        """TERM that comes while the configuration is being opened ends the program in order, with status 0."""
        library, opens = self.path("slow_open.so"), self.path("opens")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-o", library,
                        os.path.join(harness.HERE, "programs", "slow_open.c")], check=True)
        config = self.path("early.yml")
        with open(config, "w", encoding="utf-8") as f:
            json.dump({"state_dir": self.path("state"), "http": {"listen": "127.0.0.1:0"}, "cameras": {"gate": self.camera}}, f)
        env = {**os.environ, "LD_PRELOAD": library, "MEMAED_TEST_OPEN": config, "MEMAED_TEST_OPENS": opens}
        if "address" in harness.SAN:
            env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        process = subprocess.Popen([*harness.MEMAED, "run", "--config", config], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   text=True, env=env)
        self.addCleanup(process.kill)
        harness.wait_for("the configuration is opened", lambda: os.path.exists(opens), 20)
        process.terminate()
        _, log = process.communicate(timeout=60 * harness.SCALE)
        self.assertEqual(process.returncode, 0, log)
        self.assertRegex(log, r"event=stopping reason=.told to end before it had started")

    def assert_boxes(self, got, expected):
        self.assertEqual(len(got), len(expected))
        for a, b in zip(got, expected):
            self.assertEqual(list(a), list(b))
            self.assertEqual([a[k] for k in a if k != "score"], [b[k] for k in a if k != "score"])
            self.assertAlmostEqual(a["score"], b["score"], delta=1e-5 * abs(b["score"]))


if __name__ == "__main__":
    harness.main()
