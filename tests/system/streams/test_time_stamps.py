#!/usr/bin/python3
"""Cameras with wrong time stamps. Each is watched without a break, or lost with that reason. Other cameras are unaffected."""
import base64
import http.server
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from learning import SMALL  # noqa: E402
from servers.lying_camera import LyingCamera  # noqa: E402
from servers.webhook_receiver import Receiver  # noqa: E402

FPS = 25
SECRET = "whsec_" + base64.b64encode(os.urandom(32)).decode()


class Drip(http.server.BaseHTTPRequestHandler):
    """Sends a file evenly over some seconds."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.data)))
        self.end_headers()
        try:
            for i in range(100):
                size = len(self.server.data)
                self.wfile.write(self.server.data[size * i // 100:size * (i + 1) // 100])
                time.sleep(self.server.seconds / 100)
        except OSError:
            pass

    def log_message(self, *args):
        pass


class TimeStamps(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("model.safetensors"))
        self.clip = harness.write_clip(self.path("clip.mkv"), seconds=20, fps=FPS, size="96x64")

    def camera(self, stamp, **more):
        camera = LyingCamera(self.clip, FPS, stamp, **more)
        self.addCleanup(camera.close)
        return camera

    def start(self, stamps, **more):
        common = {"model": self.model, "fps": FPS, "fps_force": True, "stride": 4, "alert": {"threshold": 99999}, **more}
        self.cameras = {name: self.camera(stamp) for name, stamp in stamps.items()}
        return self.daemon({"cameras": {name: {**common, "source": c.url} for name, c in self.cameras.items()}})

    def test_lies_are_bridged(self):
        """All pictures are analysed in one sequence, and REST says by which clock."""
        daemon = self.start({
            "sound": lambda i, s: s,
            "wrap": lambda i, s: s + 2**32 / 90000 - 4,
            "constant": lambda i, s: 0,
            "freeze": lambda i, s: min(s, 4),
            "outlier": lambda i, s: s + (37600 if i % 50 == 49 else 0),
            "jitter": lambda i, s: s + 0.03 * (-1) ** i,
            "forth": lambda i, s: s + s // 3,
            "back": lambda i, s: s - 0.9 * (s // 3),
            "pairs": lambda i, s: i // 2 * 2 / FPS,
            "slow": lambda i, s: 0.9 * s,
        })
        started = time.monotonic()
        for name in self.cameras:
            daemon.wait_camera(name, "watching", 15)
        daemon.wait_camera("sound", lambda c: c["frames"] >= 12 * FPS, 30)
        for name in self.cameras:
            camera = daemon.camera(name)
            seconds = time.monotonic() - started
            self.assertEqual(camera["state"], "watching", name)
            self.assertGreater(camera["frames"], (10 if harness.SCALE == 1 else 9) * FPS, name)
            self.assertLess(camera["frames"], (seconds + 5) * FPS, name)
            # Without a break, each picture but the first fifteen completes a window that is due.
            self.assertGreaterEqual(camera["windows_due"], (camera["frames"] - 15) // 4, (name, camera))
            self.assertEqual(sum(camera["breaks"].values()), 0, (name, camera))
            by = "arrival" if name in ("constant", "freeze") else "stream"
            self.assertEqual(camera["time_source"], by, name)
            self.assertEqual([e["time_source"] for e in daemon.events("camera_time_source", camera=name)],
                             ["arrival"] if by == "arrival" else [], name)
        self.assertEqual(daemon.events("camera_lost"), [])
        self.assertEqual(daemon.get("/healthz")[0], 200)
        daemon.stop()

    def test_a_wrong_unit(self):
        """Milliseconds in a field of 90 kHz: arrivals take over."""
        daemon = self.start({"gate": lambda i, s: s / 90})
        daemon.wait_camera("gate", lambda c: c["windows_scored"] > 10, 30)
        camera = daemon.camera("gate")
        self.assertGreater(camera["fps_in"], 15)
        self.assertLess(camera["fps_in"], 40)
        self.assertEqual(camera["time_source"], "arrival")
        daemon.wait_event("camera_time_source", camera="gate", time_source="arrival")
        # The clock is set right, and followed again after 20 s.
        self.cameras["gate"].stamp = lambda i, s: s
        daemon.wait_event("camera_time_source", 60, camera="gate", time_source="stream")
        self.assertEqual(daemon.camera("gate")["time_source"], "stream")
        daemon.stop()

    def test_a_clock_at_half_speed(self):
        """The pictures come twice as fast as their time stamps say: arrivals take over within half a minute."""
        daemon = self.start({"gate": lambda i, s: 0.5 * s})
        daemon.wait_event("camera_time_source", 40, camera="gate", time_source="arrival")
        daemon.wait_camera("gate", lambda c: 20 < c["fps_in"] < 30)
        daemon.stop()

    def test_motion_jpeg_over_http_goes_by_arrivals(self):
        """The stream has no time stamps. Arrivals show that its rate falls."""
        class Camera(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace;boundary=ffmpeg")
                self.end_headers()
                try:
                    for i in range(10000):
                        picture = self.server.pictures[i % len(self.server.pictures)]
                        self.wfile.write(b"--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: %d\r\n\r\n%s\r\n"
                                         % (len(picture), picture))
                        time.sleep(1 / self.server.fps)
                except OSError:
                    pass

            def log_message(self, *args):
                pass
        with open(self.raw("live.mjpeg", "-c:v", "mjpeg", "-f", "mjpeg"), "rb") as f:
            pictures = [b"\xff\xd8" + p for p in f.read().split(b"\xff\xd8")[1:]]
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        server.daemon_threads, server.pictures, server.fps = True, pictures, 20
        threading.Thread(target=server.serve_forever, daemon=True).start()
        daemon = self.daemon({"cameras": {"gate": {"model": self.model, "source": f"http://127.0.0.1:{server.server_port}/live",
                                                   "fps": 20, "fps_force": True}}})
        self.assertEqual(daemon.wait_camera("gate", "watching")["time_source"], "arrival")
        server.fps = 8
        daemon.wait_event("camera_slow", 40, camera="gate")
        daemon.stop()

    def raw(self, name, *more):
        path = self.path(name)
        harness.ffmpeg("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=10:duration=4", *more, path)
        return path

    def test_files_without_times(self):
        """Raw H.264 says its rate itself; raw Motion JPEG does not, and is taken to come at 25 a second."""
        files = {"h264": (self.raw("10.h264", "-c:v", "libx264", "-bf", 0), 10),
                 "mjpeg": (self.raw("10.mjpeg", "-c:v", "mjpeg", "-f", "mjpeg"), 25)}
        sound = harness.write_clip(self.path("sound.mkv"), seconds=4)
        for path, rate in files.values():
            done = harness.run("score", "--model", self.model, path)
            self.assertEqual(done.code, 0, done.err)
            self.assertIn(f"no time stamps: frames are taken to come at {rate} a second", done.err)
        self.assertNotIn("time stamps", harness.run("score", "--model", self.model, sound).err)
        common = {"model": self.model, "fps": 10, "fps_force": True, "loop": True}
        daemon = self.daemon({"cameras": {**{name: {**common, "source": path} for name, (path, _) in files.items()},
                                          "sound": {**common, "source": sound}}})
        for name in files:
            daemon.wait_event("camera_time_source", camera=name, time_source="rate")
            self.assertEqual(daemon.camera(name)["time_source"], "rate")
        daemon.wait_camera("mjpeg", lambda c: c["breaks"]["loop"] >= 2, 30)
        self.assertEqual(daemon.wait_camera("sound", lambda c: c["fps_in"] > 0)["time_source"], "stream")
        self.assertEqual(len(daemon.events("camera_time_source")), 2)
        daemon.stop()

    def test_a_rate_that_falls_is_told(self):
        """From 25 to 12.5 frames a second and back, as cameras do at night: every second picture is left out."""
        camera = self.camera(lambda i, s: s, interval=1)
        receiver = Receiver(SECRET)
        self.addCleanup(receiver.close)
        daemon = self.daemon({"cameras": {"gate": {"model": self.model, "fps": 20, "fps_force": True, "source": camera.url}},
                              "webhooks": [{"url": receiver.url, "secret": SECRET}]})
        self.assertFalse(daemon.wait_camera("gate", "watching")["slow"])
        camera.sends = lambda i: i % 2 == 0
        began = time.monotonic()
        told = daemon.wait_event("camera_slow", 30, camera="gate")
        if harness.SCALE == 1:
            self.assertGreater(time.monotonic() - began, 9)
        self.assertAlmostEqual(float(told["fps_in"]), 12.5, 1)
        self.assertIn("fewer frames a second than the 20 that are to be analysed", told["reason"])
        self.assertTrue(daemon.camera("gate")["slow"])
        self.assertEqual(daemon.metric("memaed_camera_slow", camera="gate"), 1)
        camera.sends = lambda i: True
        daemon.wait_event("camera_slow_ended", 30, camera="gate")
        self.assertFalse(daemon.camera("gate")["slow"])
        self.assertEqual(sum(daemon.camera("gate")["breaks"].values()), 0)
        slow, ended = harness.wait_for("two events", lambda: len(receiver.deliveries) >= 2 and receiver.deliveries, 10)
        self.assertEqual((slow["type"], ended["type"]), ("camera.slow", "camera.slow_ended"))
        self.assertEqual(slow["data"]["reason"], told["reason"])
        self.assertAlmostEqual(slow["data"]["fps_in"], 12.5, 1)
        daemon.stop()

    def test_slow_windows_make_no_alert(self):
        """Every window is at the threshold, but only windows whose frames come at the analysed rate alert."""
        camera = self.camera(lambda i, s: s, interval=1, sends=lambda i: i % 2 == 0)
        daemon = self.daemon({"cameras": {"gate": {"model": self.model, "fps": 20, "fps_force": True, "source": camera.url,
                                                   "stride": 2, "alert": {"threshold": 1e-9, "merge_s": 0}}}})
        gate = daemon.wait_camera("gate", lambda c: c["windows_scored"] >= 40, 30)
        self.assertEqual((gate["alerts"], gate["alert_open"]), (0, False))
        self.assertGreaterEqual(gate["last_score"], gate["threshold"])
        self.assertEqual({s["slow"] for s in harness.Follower(daemon, "gate").drain()}, {True})
        camera.sends = lambda i: True
        daemon.wait_camera("gate", lambda c: c["alert_open"], 20)
        camera.sends = lambda i: i % 2 == 0
        gate = daemon.wait_camera("gate", lambda c: not c["alert_open"], 20)
        self.assertEqual(gate["alerts"], 1)
        self.assertEqual(sum(gate["breaks"].values()), 0)
        scores = harness.Follower(daemon, "gate").drain()
        self.assertEqual({s["slow"] for s in scores}, {True, False})
        gate = daemon.camera("gate")
        self.assertGreaterEqual(gate["windows_slow"], sum(s["slow"] for s in scores))
        self.assertLess(gate["windows_slow"], gate["windows_scored"])
        daemon.stop()

    def test_a_frame_that_is_missing_makes_no_window_slow(self):
        """One of every twenty frames is missing, so no window of 16 lacks more than one."""
        camera = self.camera(lambda i, s: s, interval=1, sends=lambda i: i % 20 != 0)
        daemon = self.daemon({"cameras": {"gate": {"model": self.model, "fps": FPS, "fps_force": True, "source": camera.url}}})
        gate = daemon.wait_camera("gate", lambda c: c["windows_scored"] >= 20, 30)
        self.assertEqual((gate["windows_slow"], gate["slow"]), (0, False))
        daemon.stop()

    def test_breaks_are_counted_and_told(self):
        """Every third second a second of pictures is missing."""
        daemon = self.start({"gate": lambda i, s: s, "sound": lambda i, s: s})
        self.cameras["gate"].sends = lambda i: i // FPS % 3 != 2
        daemon.wait_camera("gate", lambda c: c["breaks"]["gap"] >= 3, 30)
        camera = daemon.camera("gate")
        self.assertEqual(sum(camera["breaks"].values()), camera["breaks"]["gap"], camera)
        self.assertGreaterEqual(daemon.metric("memaed_camera_breaks_total", camera="gate", cause="gap"), 3)
        self.assertEqual(daemon.metric("memaed_camera_breaks_total", camera="sound", cause="gap"), 0)
        told = daemon.wait_event("sequence_breaks", camera="gate")
        self.assertEqual((told["breaks"], told["causes"]), ("3", "gap 3"))
        daemon.wait_camera("gate", lambda c: c["breaks"]["gap"] >= 5, 30)
        self.assertEqual(len(daemon.events("sequence_breaks")), 1)
        self.cameras["gate"].close()
        daemon.stop()

    def test_pictures_that_are_never_due_are_a_stall(self):
        """The arrivals of a download tell nothing. The clock runs 90 times too slow, so a picture comes due every 9 s."""
        clip = self.path("slow.nut")
        harness.ffmpeg("-f", "lavfi", "-i", f"testsrc2=size=96x64:rate={FPS}:duration=20", "-vf",
                       "settb=1/90000,setpts=PTS/90", "-enc_time_base", "1/90000", "-fps_mode", "passthrough", "-c:v", "mjpeg",
                       clip)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Drip)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        with open(clip, "rb") as f:
            server.data = f.read()
        server.seconds = 20
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/clip.nut"
        daemon = self.daemon({"cameras": {"gate": {"model": self.model, "source": url, "fps": 10, "fps_force": True,
                                                   "stall_timeout_s": 2}}})
        began = time.monotonic()
        camera = daemon.wait_camera("gate", "lost", 15)
        self.assertIn("by their time stamps none is due for 2 s", camera["reason"])
        if harness.SCALE == 1:
            self.assertLess(time.monotonic() - began, 12)
        daemon.stop()

    def test_learn_records_a_clock_that_stands_still(self):
        camera = self.camera(lambda i, s: 0)
        config = self.path("learn.yml")
        with open(config, "w", encoding="utf-8") as f:
            json.dump({"cameras": {"gate": {"source": camera.url, "model": "gate.safetensors", "fps": 10}}}, f)
        done = harness.run("learn", "--config", config, "--camera", "gate", "--hours", "0.003", *SMALL, "--steps", "20",
                           timeout=60)
        self.assertEqual(done.code, 0, done.err)
        footage = harness.parse_line(next(x for x in done.err.splitlines() if "event=footage" in x))
        self.assertTrue(100 <= int(footage["frames"]) <= 130, footage)


if __name__ == "__main__":
    harness.main()
