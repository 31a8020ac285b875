#!/usr/bin/python3
"""Pictures of alerts. The snapshot shows the frame at the peak with boxes, and is there before anybody is told. Privacy masks
hide their part in every file, and the database knows all files."""
import json
import os
import sqlite3
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import counted  # noqa: E402
import harness  # noqa: E402
from servers.webhook_receiver import Receiver  # noqa: E402

FPS = 10
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0"
PATCH = (150, 80, 32, 32)       # x, y, width, height: green, which no heat map is
MASK = [[0.75, 0.6], [1, 0.6], [1, 0.9], [0.75, 0.9]]


def pixels(path, width=None, height=None):
    """Returns the picture as (width, height, bytes of RGB). The frames of a video lie one below the other."""
    size = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "stream=width,height", "-of",
                           "csv=p=0", path], capture_output=True, text=True, check=True).stdout.split(",")
    width, height = width or int(size[0]), height or int(size[1])
    done = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", path, "-vf", f"scale={width}:{height}", "-f", "rawvideo",
                           "-pix_fmt", "rgb24", "-"], capture_output=True, check=True)
    return width, height, done.stdout


def is_lime(data, at):
    return data[at] < 90 and data[at + 1] > 120 and data[at + 2] < 90


def count_lime(path):
    _, _, data = pixels(path)
    return sum(is_lime(data, at) for at in range(0, len(data), 3))


def write_event(path, frames, events, options=("-c:v", "libx264", "-g", "20", "-bf", "2", "-crf", "12"), more=""):
    """Writes footage in colour: a green patch, numbered frames, noise in the events."""
    counted.write_counted(path + ".gray.mkv", frames, events, FPS)
    x, y, width, height = PATCH
    harness.ffmpeg("-i", path + ".gray.mkv", "-vf", f"format=yuv420p,drawbox={x}:{y}:{width}:{height}:lime:fill{more}",
                   "-pix_fmt", "yuv420p", *options, path)
    return path


class Evidence(harness.Case):
    def camera(self, source, **more):
        model = harness.write_model(self.path("model.safetensors"))
        return {"source": source, "model": model, "fps": FPS, "fps_force": True, "stride": 1, "alert": counted.ALERT, **more}

    def start(self, source, evidence=None, webhook=None, **more):
        config = {"evidence": {"pre_roll_s": 3, "post_roll_s": 2, **(evidence or {})},
                  "cameras": {"gate": self.camera(source, **more)}}
        if webhook:
            config["webhooks"] = [{"url": webhook.url, "secret": SECRET}]
        return self.daemon(config)

    def file(self, written):
        return os.path.join(self.folder, "state", written["path"])

    def rows(self):
        with sqlite3.connect(os.path.join(self.folder, "state", "memaed.db")) as database:
            return {kind: (path, size, codec, codecs) for kind, path, size, codec, codecs in
                    database.execute("SELECT kind, path, bytes, codec, codecs FROM evidence")}

    def both(self, daemon, timeout=60):
        return [daemon.wait_event("evidence_written", timeout, kind=kind) for kind in ("snapshot", "why")]

    def score_at(self, daemon, taken):
        """Returns the score of the window whose centre frame has that time."""
        _, answer = daemon.get("/api/v1/cameras/gate/scores?limit=1000")
        return next(score for score in answer["scores"] if score["time"] == taken)

    def test_file_with_b_frames(self):
        """The snapshot is exactly the frame with the peak, with boxes. Files are private, and in the database."""
        event = range(60, 90)
        receiver = Receiver(SECRET)
        daemon = self.start(write_event(self.path("footage.mp4"), 300, [event]), webhook=receiver)
        snapshot, why = self.both(daemon)
        harness.wait_for("the webhook", lambda: receiver.deliveries, 20)
        told = receiver.deliveries[0]
        self.assertEqual(told["type"], "alert.opened")
        for written, name in ((snapshot, "snapshot.jpg"), (why, "why.jpg")):
            status = os.stat(self.file(written))
            self.assertEqual(stat.S_IMODE(status.st_mode), 0o600)
            self.assertEqual(status.st_size, int(written["bytes"]))
            self.assertRegex(written["path"], rf"^evidence/gate/\d{{4}}-\d\d-\d\d/{told['data']['id']}/{name}$")
            if harness.SCALE == 1:          # a notification waits some seconds at most, which a slow machine exceeds
                self.assertLess(status.st_mtime, told["at"], "somebody was told before the file was there")
        clip = daemon.wait_event("evidence_written", 60, kind="clip")
        counts, _ = counted.read_counts(self.file(snapshot))
        self.assertEqual(counts, [self.score_at(daemon, snapshot["taken"])["frame"]])
        self.assertIn(counts[0], event)
        width, height, data = pixels(self.file(snapshot))
        self.assertEqual((width, height), (counted.WIDTH, counted.HEIGHT))
        self.assertGreater(count_lime(self.file(snapshot)), 500, "the snapshot is not in colour")
        width, height, data = pixels(self.file(why))
        self.assertGreater(width, height)
        self.assertGreater(len(set(data)), 100)
        rows = self.rows()
        for written in (snapshot, why, clip):
            self.assertEqual(rows[written["kind"]][:2], (written["path"], int(written["bytes"])))
        self.assertEqual(rows["clip"][2:], ("h264", clip["codecs"]))
        self.assertEqual(daemon.events("evidence_failed") + daemon.events("snapshot_is_gray"), [])
        daemon.stop()

    def check_metrics(self, daemon, snapshots):
        self.assertEqual(daemon.metric("memaed_snapshot_seconds_count"), snapshots)
        self.assertEqual(daemon.metric("memaed_snapshot_failures_total"), 0)

    def test_rtsp_then_lost(self):
        """The camera of a live stream is lost right after the alert. Its packets are still there."""
        event = range(80, 200)
        footage = counted.write_counted(self.path("footage.mkv"), 400, [event], FPS)
        server = self.rtsp(footage, fps=FPS, key_distance=2)
        receiver = Receiver(SECRET)
        daemon = self.start(server.url, webhook=receiver)
        daemon.wait_event("alert_opened", 60)
        server.kill()
        snapshot, _ = self.both(daemon)
        harness.wait_for("the webhooks", lambda: [d for d in receiver.deliveries if d["type"] == "alert.opened"], 20)
        opened = [d["type"] for d in receiver.deliveries if d["type"].startswith("alert.")]
        self.assertEqual(opened[0], "alert.opened")
        counts, _ = counted.read_counts(self.file(snapshot))
        self.assertIn(counts[0], range(event.start - 9, event.stop))
        self.assertEqual(daemon.events("snapshot_is_gray"), [])
        self.check_metrics(daemon, 1)
        daemon.stop()

    def test_boxes(self):
        """The boxes of the window with the peak are drawn on its frame, at the stream's size."""
        model = harness.write_model(self.path("own.safetensors"), 64, 96, calibration=harness.PLACES_CALIBRATION)
        harness.write_mover(self.path("mover.mkv"))
        harness.ffmpeg("-i", self.path("mover.mkv"), "-vf", "scale=384:256", "-c:v", "libx264", "-crf", "10",
                       self.path("mover.mp4"))
        scored = harness.run("score", "--model", model, "--format", "jsonl", self.path("mover.mp4"))
        peak = max(json.loads(line)["score"] for line in scored.out.splitlines())
        daemon = self.daemon({"cameras": {"gate": {"source": self.path("mover.mp4"), "model": model,
                                                   "alert": {"threshold": peak - 1, "close_threshold": peak - 2,
                                                             "k": 1, "n": 1}}}})
        snapshot, _ = self.both(daemon)
        boxes = self.score_at(daemon, snapshot["taken"])["boxes"]
        self.assertTrue(boxes)
        width, height, data = pixels(self.file(snapshot))
        self.assertEqual((width, height), (384, 256))
        for box in boxes:
            at = 3 * (round((box["y"] + box["height"] / 2) * (height - 1)) * width + round(box["x"] * width))
            beside = [data[at + 3 * i:at + 3 * i + 3] for i in range(-2, 4)]
            self.assertTrue(any(r > 150 and r - b > 50 for r, _, b in beside), (box, list(map(tuple, beside))))
        daemon.stop()

    def test_turned(self):
        """The snapshot of a stream that is shown upside down is as a viewer shows it."""
        path = write_event(self.path("footage.mp4"), 300, [range(60, 90)])
        harness.ffmpeg("-i", path, "-c", "copy", "-metadata:s:v:0", "rotate=180", self.path("turned.mp4"))
        daemon = self.start(self.path("turned.mp4"))
        snapshot, _ = self.both(daemon)
        width, height, data = pixels(self.file(snapshot))
        x, y, w, h = PATCH
        self.assertTrue(is_lime(data, 3 * ((height - y - h // 2) * width + width - x - w // 2)))
        daemon.stop()

    def test_nothing_to_decode(self):
        """A folder of images has no packets for a clip. The snapshot is the gray frame that the network saw."""
        os.makedirs(self.path("images"))
        counted.write_counted(self.path("footage.mkv"), 200, [range(60, 90)], FPS)
        harness.ffmpeg("-i", self.path("footage.mkv"), self.path("images/%04d.png"))
        daemon = self.start(self.path("images"))
        gray = daemon.wait_event("snapshot_is_gray", 60)
        self.assertEqual(gray["camera"], "gate")
        snapshot, _ = self.both(daemon)
        self.assertEqual(pixels(self.file(snapshot))[:2], (48, 32))
        daemon.stop()

    def test_switched_off(self):
        """If no pictures are made, no event waits for them."""
        receiver = Receiver(SECRET)
        daemon = self.start(write_event(self.path("footage.mp4"), 200, [range(40, 70)]), {"snapshots": False}, receiver)
        told = daemon.wait_event("alert_opened", 60)
        began = time.monotonic()
        harness.wait_for("the webhook", lambda: receiver.deliveries, 20)
        self.assertLess(time.monotonic() - began, 1 * harness.SCALE)
        daemon.wait_event("evidence_written", 60, kind="clip")
        self.assertEqual([e["kind"] for e in daemon.events("evidence_written")], ["clip"])
        self.assertTrue(told)
        daemon.stop()

    def hide(self, evidence):
        """Runs a camera with a privacy mask over the green patch until its alert is told and closed. Returns the files under
        state."""
        path = write_event(self.path("footage.mp4"), 200, [range(40, 70)])
        self.assertGreater(count_lime(path), 200 * 500)
        daemon = self.start(path, evidence, masks=[{"points": MASK, "privacy": True}])
        self.both(daemon)
        # Retention counts a new file soon, not only each minute.
        harness.wait_for("the pictures are counted", lambda: daemon.metric("memaed_evidence_files") >= 2, 15)
        daemon.wait_event("alert_closed", 90)
        daemon.wait_event("camera_stopped", 60)
        daemon.stop()
        files = [os.path.join(folder, name) for folder, _, names in os.walk(self.path("state")) for name in names]
        return {os.path.basename(f): f for f in files}

    def test_privacy(self):
        """No pixel of what lies under the mask is in any file. Nothing but the database and the pictures is there."""
        files = self.hide({})
        pictures = {name for name in files if not name.startswith("memaed.")}
        self.assertEqual(pictures, {"snapshot.jpg", "why.jpg"})
        for name in pictures:
            self.assertEqual(count_lime(files[name]), 0, name)
        width, _, data = pixels(files["snapshot.jpg"])
        x, y, w, h = PATCH
        for at in ((x, y), (x + w - 1, y + h - 1), (x + w // 2, y + h // 2)):
            offset = 3 * (at[1] * width + at[0])
            self.assertLess(max(data[offset:offset + 3]), 40, at)
        self.assertEqual(set(self.rows()), {"snapshot", "why"})

    def test_unmasked_on_purpose(self):
        files = self.hide({"unmasked_clips": True})
        self.assertGreater(count_lime(files["clip.mp4"]), 500)
        for name in ("snapshot.jpg", "why.jpg"):
            self.assertEqual(count_lime(files[name]), 0, name)


if __name__ == "__main__":
    harness.main()
