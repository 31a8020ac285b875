#!/usr/bin/python3
"""Clips of alerts. A clip holds the event with its pre-roll and post-roll, for each codec and distance of key frames. It plays
after a kill."""
import glob
import json
import os
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import browser  # noqa: E402
import counted  # noqa: E402
import harness  # noqa: E402

FPS = 10
PRE, POST = 3, 2
# With MEMAED_TEST_LONG=1, also key frames that are 10 s apart.
LONG = bool(os.environ.get("MEMAED_TEST_LONG"))


def probe(path, *what):
    """Returns what ffprobe prints on standard output and error."""
    done = subprocess.run(["ffprobe", "-v", "warning", *what, "-of", "csv=p=0", path], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


class Clips(harness.Case):
    def start(self, source, evidence=None, isolation="process", gate=None, **more):
        model = harness.write_model(self.path("model.safetensors"))
        return self.daemon({"isolation": isolation, "evidence": {"pre_roll_s": PRE, "post_roll_s": POST, **(evidence or {})},
                            "cameras": {"gate": {"source": source, "model": model, "fps": FPS, "fps_force": True, "stride": 1,
                                                 "alert": counted.ALERT, **more, **(gate or {})}}})

    def clips(self):
        return sorted(glob.glob(os.path.join(self.folder, "state", "evidence", "gate", "*", "*", "clip.*")))

    def check(self, daemon, written, event, key_distance):
        """The clip in the log begins with a key frame, holds the event with both rolls, and plays without a complaint."""
        path = os.path.join(self.folder, "state", written["path"])
        self.assertEqual(self.clips(), [path])
        self.assertEqual(os.path.getsize(path), int(written["bytes"]))
        while path != self.path("state"):
            mode = stat.S_IMODE(os.stat(path).st_mode)
            self.assertEqual(mode, 0o600 if os.path.isfile(path) else 0o700, path)
            path = os.path.dirname(path)
        path = self.clips()[0]
        packets, complaints = probe(path, "-show_entries", "packet=pts_time,flags")
        self.assertEqual(complaints, "")
        first = packets.splitlines()[0].split(",")
        self.assertEqual(float(first[0]), 0)
        self.assertIn("K", first[1])
        duration = float(probe(path, "-show_entries", "format=duration")[0])
        self.assertAlmostEqual(duration, float(written["seconds"]), delta=0.3)
        counts, complaints = counted.read_counts(path)
        self.assertNotIn("rror", complaints)
        self.assertEqual(counts, list(range(counts[0], counts[0] + len(counts))), "frames are missing")
        # A window that holds enough of the event opens the alert: its centre is at most 0.8 s before the event.
        self.assertLessEqual(counts[0], event.start - (PRE - 0.8) * FPS)
        self.assertGreaterEqual(counts[0], event.start - (PRE + key_distance + 4) * FPS)
        self.assertGreaterEqual(counts[-1], event.stop + (POST - 1) * FPS)
        self.assertGreaterEqual(float(written["pre_roll_s"]), PRE)
        self.assertEqual(written["end"], "post_roll")
        return path

    def one_clip(self, codec, key_distance, extension, codecs, **more):
        begin = int((PRE + 2 * key_distance + 4) * FPS)
        event = range(begin, begin + 3 * FPS)
        footage = counted.write_counted(self.path("footage.mkv"), begin + 60 * FPS, [event], FPS)
        server = self.rtsp(footage, fps=FPS, codec=codec, key_distance=key_distance)
        daemon = self.start(server.url, **more)
        written = daemon.wait_event("evidence_written", 60 + 4 * key_distance, kind="clip")
        self.check(daemon, written, event, key_distance)
        self.assertTrue(written["path"].endswith(extension), written)
        self.assertEqual(written["codec"], codec)
        self.assertTrue(written["codecs"].startswith(codecs) and bool(written["codecs"]) == bool(codecs), written)
        alert = daemon.get(f"/api/v1/alerts/{written['alert']}")[1]
        kind = {"mp4": "video/mp4", "mkv": "video/x-matroska"}[extension[-3:]]
        self.assertEqual(alert["videos"], {"clip": {
            "type": f'{kind}; codecs="{written["codecs"]}"' if codecs else kind, "codec": codec,
            "codecs": written["codecs"] or None, "bytes": int(written["bytes"])}})
        daemon.stop()
        return self.clips()[0]

    def test_h264(self):
        self.one_clip("h264", 1, "clip.mp4", "avc1.")

    def test_chromium_plays_it(self):
        """A browser plays the clip by URL, and seeks in it."""
        browser.find()
        path = self.one_clip("h264", 1, "clip.mp4", "avc1.")
        with open(path, "rb") as f:
            seen = browser.play(f.read(), 'video/mp4; codecs="avc1.64001f"')
        duration = float(probe(path, "-show_entries", "format=duration")[0])
        self.assertNotIn("error", seen)
        self.assertEqual((seen["type"], seen["width"], seen["height"]), ("probably", counted.WIDTH, counted.HEIGHT))
        for key in ("duration", "seekable", "ended"):
            self.assertAlmostEqual(seen[key], duration, delta=0.2)
        for share, at in zip((0.5, 0.1, 0.8), seen["times"], strict=True):
            self.assertAlmostEqual(at, share * seen["seekable"], delta=0.2)

    def test_hevc(self):
        self.one_clip("hevc", 2, "clip.mp4", "hvc1.")

    def test_mjpeg(self):
        self.one_clip("mjpeg", 0.1, "clip.mkv", "")

    def test_in_thread(self):
        self.one_clip("h264", 1, "clip.mp4", "avc1.", isolation="thread")

    def test_key_frames_far_apart(self):
        if not LONG:
            self.skipTest("takes three minutes: MEMAED_TEST_LONG=1")
        for codec, codecs in (("h264", "avc1."), ("hevc", "hvc1.")):
            with self.subTest(codec=codec):
                self.one_clip(codec, 10, "clip.mp4", codecs)
                os.remove(self.clips()[0])

    def test_main_and_sub(self):
        """The sub stream is analysed. The main stream, which is larger, of another aspect and 1.2 s later, is kept. When it is
        lost, REST says so, and the next clip is made of the sub stream."""
        events = [range(10 * FPS, 12 * FPS), range(45 * FPS, 47 * FPS)]
        sub = counted.write_counted(self.path("sub.mkv"), 80 * FPS, events, FPS)
        harness.ffmpeg("-i", sub, "-vf", "tpad=start=12,scale=640:360", "-c:v", "ffv1", self.path("main.mkv"))
        servers = self.rtsp(sub, fps=FPS), self.rtsp(self.path("main.mkv"), fps=FPS, key_distance=2)
        daemon = self.start(servers[0].url, gate={"evidence": {"source": servers[1].url},
                                                  "alert": {**counted.ALERT, "merge_s": 0}})
        written = daemon.wait_event("evidence_written", 60, kind="clip")
        path = os.path.join(self.folder, "state", written["path"])
        self.assertEqual(probe(path, "-show_entries", "stream=width,height")[0].strip(), "640,360")
        counts, complaints = counted.read_counts(path)
        self.assertNotIn("rror", complaints)
        self.assertLessEqual(counts[0], events[0].start - (PRE - 0.8) * FPS)
        self.assertGreaterEqual(counts[-1], events[0].stop + (POST - 1.5) * FPS)
        self.assertFalse(daemon.camera("gate")["reason"])

        servers[1].kill()
        daemon.wait_event("evidence_source_lost", 30, camera="gate")
        shown = daemon.wait_camera("gate", lambda c: "evidence.source is lost" in (c["reason"] or ""))
        self.assertEqual(shown["state"], "watching")
        # While the newest packet of the main stream is less than 3 s old, a clip is still made of the main stream.
        lost_ms = 1000 * (time.time() + 3)
        later = harness.wait_for("a clip of a later alert", lambda: [
            e for e in daemon.events("evidence_written", kind="clip") if int(e["alert"]) > lost_ms], 90)
        path = os.path.join(self.folder, "state", later[0]["path"])
        self.assertEqual(probe(path, "-show_entries", "stream=width,height")[0].strip(), f"{counted.WIDTH},{counted.HEIGHT}")
        counts, _ = counted.read_counts(path)
        # The event that opened the alert, and no other, is inside with its rolls: a clip that is not merged is 11 s long at most.
        inside = [e for e in events if counts[0] <= e.start - (PRE - 0.8) * FPS and e.stop + (POST - 1) * FPS <= counts[-1]]
        self.assertEqual(len(inside), 1, (counts[0], counts[-1], events))
        self.assertGreaterEqual(counts[0], inside[0].start - (PRE + 1 + 4) * FPS)
        self.assertLessEqual(counts[-1], inside[0].stop + (POST + 2) * FPS)
        servers[1].start()
        daemon.wait_event("evidence_source_restored", 60, camera="gate")
        daemon.wait_camera("gate", lambda c: not c["reason"])
        daemon.stop()

    def test_killed_while_it_writes(self):
        """After SIGKILL, the clip lacks at most the last half second and the time between two looks for packets."""
        begin = 8 * FPS
        footage = counted.write_counted(self.path("footage.mkv"), 60 * FPS, [range(begin, 60 * FPS)], FPS)
        server = self.rtsp(footage, fps=FPS)
        daemon = self.start(server.url)
        daemon.wait_event("alert_opened", 60)
        harness.wait_for("the clip", self.clips, 10)
        before = time.monotonic()
        time.sleep(4)
        daemon.kill()
        seconds = time.monotonic() - before
        path = self.clips()[0]
        counts, _ = counted.read_counts(path)
        self.assertEqual(counts, list(range(counts[0], counts[0] + len(counts))))
        self.assertLessEqual(counts[0], begin - (PRE - 0.8) * FPS)
        # The clip was there with its pre-roll before `before`.
        self.assertGreaterEqual(len(counts), (PRE + seconds - 1.2) * FPS)
        self.assertEqual(probe(path, "-show_entries", "stream=codec_name")[0].split(), ["h264"])

    def test_switched_off_and_bounded(self):
        footage = counted.write_counted(self.path("footage.mkv"), 60 * FPS, [range(8 * FPS, 40 * FPS)], FPS)
        server = self.rtsp(footage, fps=FPS)
        model = harness.write_model(self.path("model.safetensors"))
        camera = {"source": server.url, "model": model, "fps": FPS, "fps_force": True, "stride": 1, "alert": counted.ALERT}
        daemon = self.daemon({"evidence": {"pre_roll_s": PRE, "max_clip_s": 6},
                              "cameras": {"gate": camera, "yard": {**camera, "evidence": {"clips": False, "snapshots": False}}}})
        written = daemon.wait_event("evidence_written", 60, kind="clip")
        self.assertEqual((written["camera"], written["end"]), ("gate", "max_clip"))
        self.assertAlmostEqual(float(written["seconds"]), 6, delta=0.5)
        self.assertTrue(daemon.events("alert_opened", camera="yard"))
        self.assertFalse(os.path.exists(os.path.join(self.folder, "state", "evidence", "yard")))
        self.assertEqual(daemon.events("evidence_failed"), [])
        daemon.stop()

    def test_end_of_the_daemon(self):
        """At SIGTERM, a clip that is being written is completed in time."""
        footage = counted.write_counted(self.path("footage.mkv"), 60 * FPS, [range(6 * FPS, 60 * FPS)], FPS)
        server = self.rtsp(footage, fps=FPS)
        daemon = self.start(server.url)
        daemon.wait_event("alert_opened", 60)
        time.sleep(2)
        daemon.stop()
        written = daemon.wait_event("evidence_written", kind="clip")
        self.assertEqual(written["end"], "stopped")
        counts, complaints = counted.read_counts(self.clips()[0])
        self.assertEqual(complaints, "")
        self.assertEqual(len(counts), int(json.loads(probe_json(self.clips()[0]))["streams"][0]["nb_read_packets"]))

    def test_place_that_cannot_be_written(self):
        footage = counted.write_counted(self.path("footage.mkv"), 60 * FPS, [range(6 * FPS, 60 * FPS)], FPS)
        os.makedirs(self.path("state/evidence"))
        os.symlink("/tmp", self.path("state/evidence/gate"))
        daemon = self.start(footage, loop=True)
        failed = daemon.wait_event("evidence_failed", 60)
        self.assertIn("evidence/gate/", failed["reason"])
        self.assertEqual(daemon.camera("gate")["state"], "watching")
        daemon.stop()


def probe_json(path):
    return subprocess.run(["ffprobe", "-v", "error", "-count_packets", "-show_streams", "-of", "json", path], capture_output=True,
                          stdin=subprocess.DEVNULL, check=True).stdout


if __name__ == "__main__":
    harness.main()
