#!/usr/bin/python3
"""Faulty streams, for `score` and for `run`. They give a clear error or right scores, never a crash, and no other camera
suffers."""
import csv
import io
import math
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from servers.lying_camera import LyingCamera  # noqa: E402

def join_ts(path, parts):
    """MPEG-TS files one after the other, as one stream that lost no packet: the continuity counters go on."""
    counters = {}
    with open(path, "wb") as out:
        for part in parts:
            with open(part, "rb") as f:
                data = bytearray(f.read())
            for at in range(0, len(data), 188):
                pid = (data[at + 1] & 0x1F) << 8 | data[at + 2]
                if data[at + 3] & 0x10:         # the packet has a payload
                    counters[pid] = (counters.get(pid, -1) + 1) % 16
                data[at + 3] = data[at + 3] & 0xF0 | counters.get(pid, 0)
            out.write(data)
    return path


def ffv1(path, size, frames, pattern="testsrc2"):
    harness.ffmpeg("-f", "lavfi", "-i", f"{pattern}=size={size}:rate=10", "-frames:v", frames, "-c:v", "ffv1", path)
    return path


class BadStreams(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("model.safetensors"))

    # -- the streams

    def not_video(self):
        path = self.path("not-video.mp4")
        rng = random.Random(7)
        with open(path, "wb") as f:
            f.write(bytes(rng.randrange(256) for _ in range(20000)))
        return path

    def text(self):
        path = self.path("text.mkv")
        with open(path, "w", encoding="utf-8") as f:
            f.write("this is no video\n" * 500)
        return path

    def sound_only(self):
        path = self.path("sound.mka")
        harness.ffmpeg("-f", "lavfi", "-i", "sine=duration=2", path)
        return path

    def empty(self):
        path = self.path("empty.mkv")
        open(path, "wb").close()
        return path

    def short(self):
        return ffv1(self.path("short.mkv"), "48x32", 15)

    def cut(self, codec, name):
        """The first two thirds of the bytes of a file, which end within a frame."""
        whole, path = self.path(f"whole-{name}"), self.path(name)
        harness.ffmpeg("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=10", "-frames:v", 60, *codec, whole)
        with open(whole, "rb") as f:
            data = f.read()
        with open(path, "wb") as f:
            f.write(data[:len(data) * 2 // 3 - 1])
        return path

    def resolution_change(self):
        """MPEG-TS whose H.264 changes from 96×64 to 160×128 after 30 frames."""
        parts = [self.path("96x64.ts"), self.path("160x128.ts")]
        for i, part in enumerate(parts):
            size = os.path.basename(part)[:-3]
            harness.ffmpeg("-f", "lavfi", "-i", f"testsrc2=size={size}:rate=10", "-frames:v", 30, "-c:v", "libx264", "-bf", 0,
                           "-output_ts_offset", 3 * i, part)
        return join_ts(self.path("change.ts"), parts)

    def timestamps_back(self):
        """The same MPEG-TS twice in a row: after 30 frames the timestamps start again."""
        part = self.path("part.ts")
        harness.ffmpeg("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=10", "-frames:v", 30, "-c:v", "libx264", "-bf", 0, part)
        return join_ts(self.path("back.ts"), [part, part])

    def one_pixel(self):
        raw, path = self.path("pixel.raw"), self.path("pixel.mkv")
        with open(raw, "wb") as f:
            f.write(bytes(range(0, 200, 10)))
        harness.ffmpeg("-f", "rawvideo", "-pixel_format", "gray", "-video_size", "1x1", "-framerate", 10, "-i", raw,
                       "-c:v", "ffv1", path)
        return path

    # -- score

    def score(self, path, *args):
        return harness.run("score", "--model", self.model, *args, path)

    def rows(self, command):
        return list(csv.DictReader(io.StringIO(command.out)))

    def check_refused(self, path):
        command = self.score(path)
        self.assertEqual(command.code, 1, command.err)
        self.assertIn(os.path.basename(path), command.err)
        self.assertEqual(self.rows(command), [])
        return command.err

    def check_scored(self, path, windows):
        """Checks that the stream is scored, with numbers. windows: those that have to come."""
        command = self.score(path)
        self.assertEqual(command.code, 0, command.err)
        rows = self.rows(command)
        for row in rows:
            self.assertTrue(math.isfinite(float(row["score"])) and float(row["score"]) >= 0, row)
        self.assertEqual([int(r["window"]) for r in rows], list(windows))
        pts = [float(r["pts_s"]) for r in rows]
        self.assertEqual(pts, sorted(pts))
        return rows

    def test_score_refuses(self):
        for make in (self.not_video, self.text, self.sound_only, self.empty, self.short):
            with self.subTest(make.__name__):
                self.check_refused(make())
        with self.subTest("missing"):
            self.check_refused(self.path("nowhere.mkv"))
        with self.subTest("folder"):
            os.mkdir(self.path("folder"))
            self.check_refused(self.path("folder"))

    def test_score_says_how_short(self):
        self.assertRegex(self.check_refused(self.short()), r"\b15\b.*\b16\b|\b16\b.*\b15\b")

    def test_score_one_pixel(self):
        self.check_scored(self.one_pixel(), range(5))

    def test_score_exactly_one_window(self):
        self.check_scored(ffv1(self.path("sixteen.mkv"), "48x32", 16), range(1))

    def test_score_resolution_change(self):
        """No window spans the change: frames 0-29, then 30-59."""
        self.check_scored(self.resolution_change(), [*range(15), *range(30, 45)])

    def test_score_timestamps_back(self):
        self.check_scored(self.timestamps_back(), [*range(15), *range(30, 45)])

    def test_score_cut_in_mid_frame(self):
        for codec, name in ((("-c:v", "ffv1"), "cut.mkv"), (("-c:v", "libx264"), "cut.ts"), (("-c:v", "mjpeg"), "cut.avi")):
            with self.subTest(name):
                command = self.score(self.cut(codec, name))
                rows = self.rows(command)
                self.assertGreater(len(rows), 10, command.err)
                self.assertEqual([int(r["window"]) for r in rows], list(range(len(rows))))

    def test_score_corrupt_frames_are_left_out(self):
        """Bytes in the middle of an H.264 stream are broken. Windows with frames that the decoder flagged are not scored."""
        path = self.path("broken.ts")
        harness.ffmpeg("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=10", "-frames:v", 80, "-c:v", "libx264", "-bf", 0,
                       "-g", 20, "-x264-params", "slices=1", path)
        with open(path, "r+b") as f:
            data = bytearray(f.read())
            middle = len(data) * 45 // 100
            rng = random.Random(3)
            for i in range(middle, middle + 2000):
                if i % 188 >= 12:           # leave the packets' headers whole
                    data[i] = rng.randrange(256)
            f.seek(0)
            f.write(data)
        command = self.score(path)
        windows = [int(r["window"]) for r in self.rows(command)]
        self.assertEqual(command.code, 0, command.err)
        self.assertEqual(windows[0], 0)
        self.assertLess(len(windows), 65, "every window was scored over a broken stream")

    # -- run

    def test_run_names_another_aspect(self):
        """The camera watches on. Its reason and the log say what is wrong."""
        model = harness.write_model(self.path("wide.safetensors"), height=48, width=96)
        clip = harness.write_clip(self.path("square.mkv"), seconds=30, size="64x64")
        daemon = self.daemon({"cameras": {"square": {"model": model, "source": clip, "fps": 10, "fps_force": True,
                                                     "alert": {"threshold": 99999}}}})
        camera = daemon.wait_camera("square", "watching", 20)
        self.assertEqual(camera["reason"], "pictures of 64x64 have another aspect than the 96x48 that the model learned")
        daemon.wait_event("camera_aspect", camera="square", reason=camera["reason"])
        daemon.stop()

    def test_run_names_a_file_shorter_than_a_window(self):
        """A looped file of 15 frames would be watched for ever without a score, so the camera says so."""
        short = self.short()
        daemon = self.daemon({"cameras": {name: {"model": self.model, "source": short, "fps": 10, "fps_force": True, **more}
                                          for name, more in (("looped", {"loop": True}), ("once", {}))}})
        said = "the file has 15 frames, but a window needs 16: none is scored"
        self.assertEqual(daemon.wait_camera("looped", lambda c: c["breaks"]["loop"] >= 2)["reason"], said)
        self.assertEqual([e["reason"] for e in daemon.events("camera_short")], [said])
        self.assertEqual(daemon.wait_camera("once", "stopped")["reason"],
                         "the file has ended after 15 frames; a window needs 16")
        os.replace(ffv1(self.path("long.mkv"), "48x32", 40), short)
        camera = daemon.wait_camera("looped", lambda c: c["windows_scored"] and not c["reason"])
        self.assertEqual(len(daemon.events("camera_short")), 1, camera)
        daemon.stop()

    def test_run_says_that_no_key_frame_came(self):
        """Packets come from the start, so the reason is not that no packet comes."""
        camera = LyingCamera(harness.write_clip(self.path("clip.mkv"), seconds=4, size="96x64"), 10, interval=10,
                             packets=lambda i, p: [] if p[12] & 31 in (5, 7, 8) else [p])
        self.addCleanup(camera.close)
        daemon = self.daemon({"cameras": {"gate": {"model": self.model, "source": camera.url, "fps": 10, "fps_force": True,
                                                   "stall_timeout_s": 1}}})
        self.assertIn("no picture that can be decoded in the first 1 s", daemon.wait_camera("gate", "lost")["reason"])
        daemon.stop()

    def test_run_loses_a_camera_without_a_sound_picture(self):
        """The parameter sets inside the stream are damaged. So no picture is decoded without damage."""
        clip = harness.write_clip(self.path("clip.mkv"), seconds=10, size="96x64")
        camera = LyingCamera(clip, 10, interval=10,
                             packets=lambda i, p: [p[:14] + bytes(len(p) - 14)] if p[12] & 31 in (7, 8) else [p])
        self.addCleanup(camera.close)
        daemon = self.daemon({"cameras": {"gate": {"model": self.model, "source": camera.url, "fps": 10, "fps_force": True,
                                                   "user": "viewer", "password": "hunter2",
                                                   "stall_timeout_s": 6}}})         # FFmpeg probes for 5 s
        gate = daemon.wait_camera("gate", "lost", 60)
        self.assertIn("pictures arrive, but for 18 s every one was damaged", gate["reason"])
        self.assertGreater(gate["frames_corrupt"], 10)
        self.assertEqual(gate["frames"], 0)
        camera.packets = lambda i, p: [p]
        daemon.wait_camera("gate", "watching", 30)
        self.assertNotIn("hunter2", daemon.log())
        daemon.stop()

    def test_run_keeps_the_others(self):
        """All of them run at once beside a healthy camera, which loses nothing. The daemon stops in time."""
        sound = harness.write_clip(self.path("sound.mkv"), seconds=300)
        common = {"model": self.model, "fps": 10, "fps_force": True, "alert": {"threshold": 99999}}
        bad = {"notvideo": self.not_video(), "text": self.text(), "soundonly": self.sound_only(), "empty": self.empty(),
               "short": self.short(), "pixel": self.one_pixel(), "change": self.resolution_change(),
               "back": self.timestamps_back(), "cut": self.cut(("-c:v", "ffv1"), "cut.mkv")}
        cameras = {name: {**common, "source": path, "stride": 1} for name, path in bad.items()}
        cameras["sound"] = {**common, "source": sound, "stride": 1}
        daemon = self.daemon({"cameras": cameras})
        for name in ("notvideo", "text", "soundonly", "empty"):
            camera = daemon.wait_camera(name, lambda c: c["state"] in ("lost", "stopped"), 20)
            self.assertTrue(camera["reason"], camera)
            self.assertIsNone(camera["last_score"])
        for name in ("short", "pixel", "change", "back", "cut"):
            daemon.wait_camera(name, "stopped", 30)
        self.assertIsNone(daemon.camera("short")["last_score"])
        for name, windows in (("pixel", range(5)), ("change", [*range(15), *range(30, 45)]),
                              ("back", [*range(15), *range(30, 45)])):
            scores = harness.Follower(daemon, name).drain()
            self.assertEqual([s["window"] for s in scores], list(windows), name)
        self.assertEqual(daemon.camera("sound")["state"], "watching")
        self.assertEqual(daemon.get("/healthz")[0], 200)
        follower = harness.Follower(daemon, "sound")
        scores = follower.drain()
        if not harness.SAN:
            self.assertEqual([s["window"] for s in scores], list(range(len(scores))))
        daemon.stop()


if __name__ == "__main__":
    harness.main()
