#!/usr/bin/python3
"""`explain`: the window that it takes, its text, the pictures that it draws, masks, and faults."""
import json
import os
import random
import subprocess

import harness

SIZE = (192, 128)
PATCH = (24, 16, 72, 64)        # left, top, right, bottom of a magenta patch; the network's size is half of SIZE


def pixels(path):
    """Returns (width, height, RGB bytes) of a JPEG, by FFmpeg's decoder."""
    probe = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0", path],
                           capture_output=True, text=True, check=True).stdout
    codec, width, height = probe.strip().split(",")
    assert codec == "mjpeg", codec
    raw = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
                         capture_output=True, check=True).stdout
    return int(width), int(height), raw


def count(raw, wanted):
    return sum(1 for i in range(0, len(raw), 3) if wanted(*raw[i:i + 3]))


def magenta(r, g, b):
    """Returns true if the pixel has no colour of the heat map."""
    return min(r, b) > max(150, g + 40)


def yellow(r, g, b):
    return r > 180 and g > 150 and b < 120


def colour_clip(path, frames=40, moving=range(20, 32)):
    """Writes a lossless clip: gray noise with a magenta patch. In frames `moving` a dark square goes down the right edge."""
    width, height = SIZE
    rng = random.Random(3)
    still = bytearray()
    for y in range(height):
        for x in range(width):
            inside = PATCH[0] <= x < PATCH[2] and PATCH[1] <= y < PATCH[3]
            still += bytes((230, 20, 230)) if inside else bytes([rng.randrange(110, 140)]) * 3
    pictures = []
    for f in range(frames):
        picture = bytearray(still)
        if f in moving:
            for row in range(8 + 4 * (f - moving[0]), 40 + 4 * (f - moving[0])):
                picture[3 * (row * width + 150):3 * (row * width + 182)] = bytes([20]) * 96
        pictures.append(bytes(picture))
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}",
                    "-r", "10", "-i", "-", "-c:v", "libx264", "-qp", "4", "-g", "10", "-pix_fmt", "yuv420p", path],
                    input=b"".join(pictures), check=True)


class Explain(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("m.safetensors"), 64, 96, calibration=harness.PLACES_CALIBRATION)
        self.clip = self.path("clip.mp4")
        colour_clip(self.clip)

    def explain(self, *args, code=0):
        done = harness.run("explain", "-m", self.model, *args)
        self.assertEqual(done.code, code, done.err)
        return json.loads(done.out) if code == 0 else done.err

    def rows(self):
        return [json.loads(line) for line in harness.run("score", "-m", self.model, "--format", "jsonl",
                                                         self.clip).out.splitlines()]

    def test_it_says_what_score_says(self):
        rows = self.rows()
        peak = max(rows, key=lambda row: row["score"])
        for args, row in ((("--peak",), peak), ((), peak), (("--frame", "20"), rows[12]), (("--at", "2.05"), rows[12]),
                          (("--at", "99"), rows[-1])):
            with self.subTest(args):
                found = self.explain(*args, self.clip)
                self.assertEqual(found["frame"], row["frame"])
                self.assertAlmostEqual(found["pts_s"], row["pts_s"])
                for key in ("score", "reference"):
                    self.assertAlmostEqual(found[key], row[key], delta=1e-4)
                self.assertEqual((found["voice"], len(found["boxes"])), (row["voice"], len(row["boxes"])))
                self.assertEqual(found["threshold"], 8.0)
        self.assertGreater(found["memory"]["slots"], 0)
        weights = [slot["weight"] for slot in found["memory"]["answered"]]
        self.assertEqual(weights, sorted(weights, reverse=True))
        self.assertLessEqual(sum(weights), 1.0001)
        self.assertGreater(self.explain(self.clip)["loudest"]["x"], 0.7)

    def test_pictures(self):
        why, snapshot = self.path("why.jpg"), self.path("snapshot.jpg")
        found = self.explain(self.clip, "--output", why, "--snapshot", snapshot)
        width, height, raw = pixels(snapshot)
        self.assertEqual((width, height), SIZE)
        self.assertGreater(count(raw, magenta), 2000)
        self.assertGreater(len(found["boxes"]), 0)
        self.assertGreater(count(raw, yellow), 40)
        box = found["boxes"][0]
        self.assertLess(abs(box["x"] + box["width"] / 2 - 166 / 192), 0.1)
        width, height, raw = pixels(why)
        self.assertGreater(width, 3 * 320)
        self.assertGreater(count(raw, magenta), 2000)
        for path in (why, snapshot):
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        width, height, _ = self.explain("--snapshot", snapshot, "--size", "96", "--quality", "30", self.clip) and pixels(snapshot)
        self.assertEqual((width, height), (96, 64))

    def test_masks_leave_nothing(self):
        """The mask is exactly the patch. No colour of the patch may show, whatever the size."""
        left, top, right, bottom = (edge / side for edge, side in zip(PATCH, SIZE * 2))
        mask = f"{left},{top} {right},{top} {right},{bottom} {left},{bottom}"
        for size in ("1280", "101", "48"):
            why, snapshot = self.path("why.jpg"), self.path("snapshot.jpg")
            self.explain("-o", why, "--snapshot", snapshot, "--size", size, "--mask", mask, self.clip)
            for path in (why, snapshot):
                with self.subTest(path, size=size):
                    _, _, raw = pixels(path)
                    found = count(raw, lambda r, g, b: r > g + 24 and b > g + 24) if path == snapshot else count(raw, magenta)
                    self.assertEqual(found, 0)

    def test_a_turned_file(self):
        turned = self.path("turned.mp4")
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", self.clip, "-c", "copy", "-metadata:s:v", "rotate=90",
                        turned],
                       check=True)
        self.explain("--snapshot", self.path("s.jpg"), turned)
        width, height, _ = pixels(self.path("s.jpg"))
        self.assertEqual((width, height), SIZE[::-1])

    def test_a_model_without_calibration(self):
        self.model = harness.write_model(self.path("plain.safetensors"), 64, 96)
        found = self.explain("-o", self.path("why.jpg"), self.clip)
        self.assertEqual((found["threshold"], found["voice"], found["boxes"], found["rarity"]), (None, None, [], None))
        self.assertEqual(found["score"], found["reference"])

    def test_refusals(self):
        short = harness.write_clip(self.path("short.mkv"), seconds=1)
        for args, cause in (((self.path("none.mp4"),), "none.mp4: No such file"),
                            ((short,), "short.mkv: expected at least 16 frames, one window, got 10"),
                            (("--frame", "3", self.clip), "clip.mp4: no window has its centre at frame 3"),
                            (("--at", "0.1", self.clip), "no window whose centre is at that time or before"),
                            (("-o", self.path("no/why.jpg"), self.clip), "no/why.jpg")):
            with self.subTest(args):
                err = self.explain(*args, code=1)
                self.assertTrue(err.startswith("memaed explain: "))
                self.assertIn(cause, err)
        err = self.explain("--mask", "0,0 1,1", self.clip, code=2)
        self.assertIn("--mask: expected 3 to 64 corners", err)


if __name__ == "__main__":
    harness.main()
