#!/usr/bin/python3
"""Pictures of alerts: the snapshot shows the frame at the peak with boxes, and is there before anybody is told; privacy masks hold in
every file; the database knows all files."""
import glob
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
PATCH = (150, 80, 32, 32)       # x, y, width, height: red in the footage of hide()
MASK = [[0.75, 0.6], [1, 0.6], [1, 0.9], [0.75, 0.9]]


def pixels(path, width=None, height=None):
    """The picture as (width, height, bytes of RGB); of a video, its frames one below the other."""
    size = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "stream=width,height", "-of", "csv=p=0",
                           path], capture_output=True, text=True, check=True).stdout.split(",")
    width, height = width or int(size[0]), height or int(size[1])
    done = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", path, "-vf", f"scale={width}:{height}", "-f", "rawvideo", "-pix_fmt",
                           "rgb24", "-"], capture_output=True, check=True)
    return width, height, done.stdout


def is_red(data, at):
    return data[at] > 120 and data[at + 1] < 90 and data[at + 2] < 90


def count_red(path):
    _, _, data = pixels(path)
    return sum(is_red(data, at) for at in range(0, len(data), 3))


def write_event(path, frames, events, options=("-c:v", "libx264", "-g", "20", "-bf", "2", "-crf", "12"), more=""):
    """Writes footage in colour: a red patch, numbered frames, noise in the events."""
    counted.write_counted(path + ".gray.mkv", frames, events, FPS)
    x, y, width, height = PATCH
    harness.ffmpeg("-i", path + ".gray.mkv", "-vf", f"format=yuv420p,drawbox={x}:{y}:{width}:{height}:red:fill{more}", "-pix_fmt",
                   "yuv420p", *options, path)
    return path


class Evidence(harness.Case):
    def camera(self, source, **more):
        model = harness.write_model(self.path("model.safetensors"))
        return {"source": source, "model": model, "fps": FPS, "fps_force": True, "stride": 1, "alert": counted.ALERT, **more}

    def start(self, source, evidence=None, webhook=None, **more):
        config = {"evidence": {"pre_roll_s": 3, "post_roll_s": 2, **(evidence or {})}, "cameras": {"gate": self.camera(source, **more)}}
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

    def frame_at(self, daemon, taken):
        """The number of the frame that was analysed then."""
        _, answer = daemon.get("/api/v1/cameras/gate/scores?limit=1000")
        return next(score["frame"] for score in answer["scores"] if score["time"] == taken)

    def test_file_with_b_frames(self):
        """The snapshot is the frame with the peak, to the frame; boxes are drawn; files are private, and in the database."""
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
            self.assertLess(status.st_mtime, told["at"], "somebody was told before the file was there")
        clip = daemon.wait_event("evidence_written", 60, kind="clip")
        counts, _ = counted.read_counts(self.file(snapshot))
        self.assertEqual(counts, [self.frame_at(daemon, snapshot["taken"])])
        self.assertIn(counts[0], event)
        width, height, data = pixels(self.file(snapshot))
        self.assertEqual((width, height), (counted.WIDTH, counted.HEIGHT))
        self.assertGreater(count_red(self.file(snapshot)), 500, "the snapshot is not in colour")
        width, height, data = pixels(self.file(why))
        self.assertGreater(width, height)
        self.assertGreater(len(set(data)), 100)
        rows = self.rows()
        for written in (snapshot, why, clip):
            self.assertEqual(rows[written["kind"]][:2], (written["path"], int(written["bytes"])))
        self.assertEqual(rows["clip"][2:], ("h264", clip["codecs"]))
        self.assertEqual(daemon.events("evidence_failed") + daemon.events("snapshot_is_gray"), [])
        daemon.stop()


if __name__ == "__main__":
    harness.main()
