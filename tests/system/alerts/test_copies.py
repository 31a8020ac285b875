#!/usr/bin/python3
"""Copies of clips in H.264, and clips with masks burned in. Copies are made on request, one at a time, and a browser plays them.
They show nothing that a privacy mask covers. Also: what becomes of them when the daemon is killed."""
import glob
import json
import os
import shutil
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import browser  # noqa: E402
import counted  # noqa: E402
import harness  # noqa: E402
from alerts.test_evidence import FPS, MASK, PATCH, count_lime  # noqa: E402

EVENT = range(60, 90)
# The most pictures that libx265 reorders between two others.
REORDERED = 4
# A larger mask than the patch: cameras smear colours over a block of pixels.
WIDE_MASK = [[0.74, 0.58], [1, 0.58], [1, 0.92], [0.74, 0.92]]


def probe(path, *what):
    done = subprocess.run(["ffprobe", "-v", "warning", *what, "-of", "csv=p=0", path], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=True)
    assert not done.stderr, done.stderr
    return done.stdout.strip()


class Copies(harness.Case):
    def footage(self, codec="hevc", seconds=20, key_distance=1, scale=""):
        """Writes numbered frames with a lime patch, as a camera sends them."""
        x, y, width, height = PATCH
        counted.write_counted(self.path("gray.mkv"), seconds * FPS, [EVENT], FPS)
        options = {"hevc": ("libx265", "-x265-params", f"log-level=error:keyint={key_distance * FPS}"),
                   "h264": ("libx264", "-g", str(key_distance * FPS)), "mjpeg": ("mjpeg", "-q:v", "2")}[codec]
        path = self.path("footage.mkv" if codec == "mjpeg" else "footage.mp4")
        harness.ffmpeg("-i", self.path("gray.mkv"), "-vf", f"format=yuv420p,drawbox={x}:{y}:{width}:{height}:lime:fill{scale}",
                       "-pix_fmt", "yuvj420p" if codec == "mjpeg" else "yuv420p", "-c:v", *options, path)
        return path

    def start(self, source, evidence=None, **more):
        model = harness.write_model(self.path("model.safetensors"))
        camera = {"source": source, "model": model, "fps": FPS, "fps_force": True, "stride": 1, "alert": counted.ALERT, **more}
        return self.daemon({"evidence": {"pre_roll_s": 3, "post_roll_s": 2, **(evidence or {})}, "cameras": {"gate": camera}})

    def state(self, daemon, alert, method="GET"):
        status, _, body = daemon.request(method, f"/api/v1/alerts/{alert}/copy" + ("/state" if method == "GET" else ""))
        return status, json.loads(body)

    def make(self, daemon, alert, timeout=120):
        status, answer = self.state(daemon, alert, "POST")
        self.assertEqual(status, 202, answer)
        self.assertIn(answer["state"], ("waiting", "running"))

        def ended():
            state = self.state(daemon, alert)[1]
            return state if state["state"] not in ("waiting", "running") else None
        return harness.wait_for("the copy", ended, timeout)

    def folder_of(self, written):
        return os.path.dirname(os.path.join(self.folder, "state", written["path"]))

    def written(self, daemon, kind="clip", timeout=90):
        return daemon.wait_event("evidence_written", timeout, kind=kind)

    def test_copy_of_hevc(self):
        """A copy is served by URL, with ranges, and plays in a browser. Two requests make one copy. Database and REST know it."""
        daemon = self.start(self.footage())
        clip = self.written(daemon)
        self.assertEqual(clip["codec"], "hevc")
        alert, url = clip["alert"], f"/api/v1/alerts/{clip['alert']}"
        self.assertEqual(self.state(daemon, alert)[1], {"state": "none", "reason": None, "copy": None})
        self.assertEqual(daemon.request("GET", url + "/copy")[0], 404)
        first, second = self.state(daemon, alert, "POST")[1], self.state(daemon, alert, "POST")[1]
        self.assertIn(first["state"], ("waiting", "running"))
        self.assertIn(second["state"], ("waiting", "running", "ready"))
        harness.wait_for("the copy", lambda: self.state(daemon, alert)[1]["state"] == "ready", 120)
        self.assertEqual(self.state(daemon, alert, "POST"), (200, {"state": "ready", "reason": None, "copy": url + "/copy"}))
        self.assertEqual(len(daemon.events("evidence_written", kind="copy")), 1)

        copy = self.written(daemon, "copy")
        path = os.path.join(self.folder, "state", copy["path"])
        self.assertEqual(sorted(os.listdir(self.folder_of(clip))), ["clip.mp4", "copy.mp4", "snapshot.jpg", "why.jpg"])
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(probe(path, "-show_entries", "stream=codec_name,pix_fmt"), "h264,yuv420p")
        counts = counted.read_counts(os.path.join(self.folder, "state", clip["path"]))[0]
        self.assertEqual(counted.read_counts(path)[0], counts)
        self.assertGreater(count_lime(path), 500, "the copy is not in colour")

        status, whole, data = daemon.request("GET", url + "/copy")
        self.assertEqual((status, whole["Content-Type"], len(data)), (200, "video/mp4", int(copy["bytes"])))
        status, part, body = daemon.request("GET", url + "/copy", {"Range": "bytes=100-199"})
        self.assertEqual((status, body, part["ETag"]), (206, data[100:200], whole["ETag"]))

        def told():
            answer = daemon.get(url)[1]
            return answer if "copy" in answer.get("videos", {}) else None
        shown = harness.wait_for("the row", told, 10)
        self.assertEqual(shown["evidence"]["copy"], url + "/copy")
        self.assertEqual(shown["videos"]["clip"]["codec"], "hevc")
        mime = shown["videos"]["copy"]["type"]
        self.assertEqual(mime, f'video/mp4; codecs="{copy["codecs"]}"')
        daemon.stop()

        seen = browser.play(data, mime)
        self.assertNotIn("error", seen)
        self.assertEqual((seen["type"], seen["width"], seen["height"]), ("probably", counted.WIDTH, counted.HEIGHT))
        duration = float(probe(path, "-show_entries", "format=duration"))
        for key in ("duration", "seekable", "ended"):
            self.assertAlmostEqual(seen[key], duration, delta=0.2)
        for share, at in zip((0.5, 0.1, 0.8), seen["times"], strict=True):
            self.assertAlmostEqual(at, share * seen["seekable"], delta=0.2)

    def hidden(self, evidence, codec="hevc"):
        daemon = self.start(self.footage(codec), evidence, masks=[{"points": WIDE_MASK, "privacy": True}])
        clip = self.written(daemon)
        return daemon, clip

    def check_files(self, expected):
        """Returns the number of lime pixels in each file. Only an unmasked clip may have any."""
        files = {os.path.basename(f): f for f in glob.glob(os.path.join(self.folder, "state", "**", "*"), recursive=True)
                 if os.path.isfile(f) and not os.path.basename(f).startswith("memaed.")}
        self.assertEqual(set(files), expected)
        return {name: count_lime(path) for name, path in files.items()}

    def test_masks_are_burned_into_clips(self):
        for codec in ("mjpeg", "hevc"):
            with self.subTest(codec=codec):
                shutil.rmtree(self.path("state"), ignore_errors=True)
                daemon, clip = self.hidden({"masked_clips": True}, codec)
                self.assertEqual((clip["codec"], clip["end"], clip["lost"]), ("h264", "post_roll", "0"))
                self.assertRegex(clip["codecs"], r"^avc1\.[0-9a-f]{6}$")
                path = os.path.join(self.folder, "state", clip["path"])
                self.assertEqual(probe(path, "-show_entries", "stream=codec_name"), "h264")
                counts, complaints = counted.read_counts(path)
                self.assertNotIn("rror", complaints)
                # Of the last pictures some are missing: they would have been decoded after pictures that are shown later.
                whole = [c for c in counts if c < counts[-1] - REORDERED]
                self.assertEqual(whole, list(range(counts[0], counts[0] + len(whole))))
                self.assertGreater(len(whole), EVENT.stop - EVENT.start)
                self.assertLessEqual(counts[0], EVENT.start - (3 - 0.8) * FPS)
                self.assertGreaterEqual(counts[-1], EVENT.stop + FPS)
                self.assertEqual(self.make(daemon, clip["alert"])["state"], "ready")
                daemon.stop()
                self.assertEqual(set(self.check_files({"snapshot.jpg", "why.jpg", "clip.mp4", "copy.mp4"}).values()), {0})

    def test_masks_are_burned_into_copies(self):
        """The copy hides the part under the mask also where the clip shows it on purpose."""
        daemon, clip = self.hidden({"unmasked_clips": True})
        self.assertEqual(self.make(daemon, clip["alert"])["state"], "ready")
        daemon.stop()
        lime = self.check_files({"snapshot.jpg", "why.jpg", "clip.mp4", "copy.mp4"})
        self.assertGreater(lime.pop("clip.mp4"), 500)
        self.assertEqual(set(lime.values()), {0}, lime)

    def test_killed_while_it_burns_masks(self):
        """At a kill, the part of a masked clip on disk plays, and is masked."""
        server = self.rtsp(self.footage("h264", 60), fps=FPS)
        daemon = self.start(server.url, {"masked_clips": True, "snapshots": False},
                            masks=[{"points": WIDE_MASK, "privacy": True}])
        daemon.wait_event("alert_opened", 60)
        clips = os.path.join(self.folder, "state", "evidence", "gate", "*", "*", "clip.mp4")
        harness.wait_for("the clip", lambda: [p for p in glob.glob(clips) if os.path.getsize(p) > 30000], 20)
        daemon.kill()
        path = glob.glob(clips)[0]
        counts, _ = counted.read_counts(path)
        self.assertGreater(len(counts), FPS)
        self.assertEqual(set(self.check_files({"clip.mp4"}).values()), {0})

    def test_clips_are_off(self):
        """A mask switches clips off, and the log says so. Then there is nothing to copy. Both keys together are a fault."""
        daemon = self.start(self.footage("h264"), masks=[{"points": MASK, "privacy": True}])
        warned = [e["text"] for e in daemon.events("config_warning") if "have no clips" in e["text"]]
        self.assertEqual(len(warned), 1, daemon.log())
        snapshot = self.written(daemon, "snapshot")
        status, problem = self.state(daemon, snapshot["alert"], "POST")
        self.assertEqual(status, 404, problem)
        daemon.stop()
        model = self.path("model.safetensors")
        config = self.path("both.yml")
        with open(config, "w", encoding="utf-8") as f:
            json.dump({"cameras": {"gate": {"source": self.path("footage.mp4"), "model": model,
                                            "evidence": {"masked_clips": True, "unmasked_clips": True}}}}, f)
        done = harness.run("check", "--config", config)
        self.assertEqual(done.code, 1)
        self.assertIn("cameras.gate.evidence: expected masked_clips or unmasked_clips, got both", done.out + done.err)

    def test_killed_while_it_copies(self):
        """No incomplete file has the name of a copy. Leftovers are deleted, and the next request makes the copy."""
        path = self.footage("h264", 30)
        daemon = self.start(path, {"max_clip_s": 3000})
        clip = self.written(daemon)
        # In place of the true clip comes one that takes long to copy.
        large = os.path.join(self.folder_of(clip), "clip.mp4")
        harness.ffmpeg("-stream_loop", "20", "-i", path, "-vf", "scale=1280:-2", "-r", "50", "-c:v", "libx264", "-preset",
                       "ultrafast", self.path("large.mp4"))
        shutil.copy(self.path("large.mp4"), large)
        self.assertEqual(self.state(daemon, clip["alert"], "POST")[0], 202)
        hidden = os.path.join(self.folder_of(clip), ".copy.mp4")
        harness.wait_for("a part of the copy", lambda: os.path.exists(hidden) and os.path.getsize(hidden) > 0, 60)
        daemon.kill()
        self.assertFalse(os.path.exists(os.path.join(self.folder_of(clip), "copy.mp4")))
        self.assertTrue(os.path.exists(hidden))
        daemon = self.start(path)
        self.assertEqual(self.state(daemon, clip["alert"])[1]["state"], "none")
        shutil.copy(path, large)
        state = self.make(daemon, clip["alert"])
        self.assertEqual(state["state"], "ready", state)
        self.assertFalse(os.path.exists(hidden))
        # An old leftover, which no process writes, is deleted at the next look at the files.
        with open(hidden, "wb") as f:
            f.write(b"part")
        os.utime(hidden, (time.time() - 3600, time.time() - 3600))
        daemon.stop()
        daemon = self.start(path)
        harness.wait_for("the leftover to go", lambda: not os.path.exists(hidden), 30)
        bytes_kept = sum(os.path.getsize(f) for f in glob.glob(os.path.join(self.folder_of(clip), "*")))
        harness.wait_for("the copy to count", lambda: daemon.metric("memaed_evidence_bytes") >= bytes_kept, 30)
        daemon.stop()

    def test_damaged_clip(self):
        """If a clip cannot be copied, the state says why, nothing is left, and the request may be repeated."""
        daemon = self.start(self.footage("h264"))
        clip = self.written(daemon)
        path = os.path.join(self.folder, "state", clip["path"])
        with open(path, "wb") as f:
            f.write(b"no video" * 1000)
        for _ in range(2):
            state = self.make(daemon, clip["alert"])
            self.assertEqual(state["state"], "failed")
            self.assertTrue(state["reason"])
        self.assertNotIn(self.folder, state["reason"])
        self.assertEqual([f for f in os.listdir(self.folder_of(clip)) if "copy" in f], [])
        self.assertEqual(len(daemon.events("evidence_failed", kind="copy")), 2)
        daemon.stop()


if __name__ == "__main__":
    harness.main()
