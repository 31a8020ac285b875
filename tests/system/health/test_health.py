#!/usr/bin/python3
"""`health`: rows of faults that FFmpeg made in drawn footage, in CSV and JSON; rows a second; inputs in order; exit statuses."""
import csv
import io
import json
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402

COLUMNS = ["clip", "kind", "from_s", "opened_s", "to_s", "quantity", "unit", "baseline", "opens_at", "closes_at", "frequency_hz",
           "right", "down", "rotation", "zoom"]
KINDS = ["frozen", "slow", "stutter", "black", "bright", "low_contrast", "colour_lost", "colour_cast", "blur", "covered", "noise",
         "stripes", "corrupt", "jitter", "moved", "light"]
WIDTH, HEIGHT, BLOCK = 320, 180, 12


def picture(path):
    """Writes a picture of blocks of random colours."""
    rng = random.Random(5)
    across = WIDTH // BLOCK + 1
    blocks = [bytes((rng.randrange(60, 200), rng.randrange(60, 160), rng.randrange(60, 140)))
              for _ in range(across * (HEIGHT // BLOCK + 1))]
    with open(path, "wb") as f:
        f.write(b"P6 %d %d 255\n" % (WIDTH, HEIGHT))
        f.write(b"".join(blocks[y // BLOCK * across + x // BLOCK] for y in range(HEIGHT) for x in range(WIDTH)))
    return path


def clip(path, scene, seconds, filters):
    """Films the picture, with a sensor's noise."""
    harness.ffmpeg("-loop", "1", "-framerate", "10", "-i", scene, "-vf", f"noise=alls=6:allf=t,format=yuv420p,{filters}", "-t",
                   str(seconds), "-c:v", "libx264", "-preset", "ultrafast", "-qp", "12", path)
    return path


class Health(harness.Case):
    def setUp(self):
        super().setUp()
        scene = picture(self.path("scene.ppm"))
        self.clean = clip(self.path("clean.mp4"), scene, 20, "null")
        self.faulty = clip(self.path("faulty.mp4"), scene, 40, "boxblur=3:enable='between(t,5,15)',"
                           "hue=s=0:enable='between(t,25,60)'")

    def rows(self, *args):
        done = harness.run("health", "--format", "jsonl", *args)
        self.assertEqual((done.code, done.err), (0, ""))
        return [json.loads(line) for line in done.out.splitlines()]

    def test_rows(self):
        rows = self.rows("--clean", self.clean, self.faulty)
        self.assertEqual([row["kind"] for row in rows], ["blur", "colour_lost"])
        blur, lost = rows
        self.assertEqual(list(blur), COLUMNS)
        self.assertEqual((blur["clip"], blur["unit"], blur["baseline"]), ("faulty", "%", 100))
        self.assertTrue(4 <= blur["from_s"] <= 6 < blur["opened_s"] <= 15 and 14 <= blur["to_s"] <= 17, blur)
        self.assertTrue(blur["quantity"] < blur["opens_at"] < blur["closes_at"], blur)
        self.assertTrue(24 <= lost["from_s"] <= 26 and lost["to_s"] is None, lost)
        self.assertTrue(lost["quantity"] < 0.2 * lost["baseline"], lost)
        # The fault goes on in the next clip, and is over there.
        rows = self.rows("--clean", self.clean, self.faulty, self.clean)
        self.assertEqual([(row["clip"], row["kind"], row["to_s"] is None) for row in rows],
                         [("faulty", "blur", False), ("faulty", "colour_lost", True), ("clean", "colour_lost", False)])
        self.assertEqual((rows[2]["from_s"], rows[2]["opened_s"]), (0, 0))
        self.assertLess(rows[2]["to_s"], 3)

    def test_csv(self):
        done = harness.run("health", "--clean", self.clean, "--isolation", "thread", self.faulty)
        rows = list(csv.DictReader(io.StringIO(done.out)))
        self.assertEqual((done.code, list(rows[0])), (0, COLUMNS))
        self.assertEqual([(row["kind"], row["to_s"] == "", row["zoom"]) for row in rows],
                         [("blur", False, ""), ("colour_lost", True, "")])

    def test_seconds(self):
        rows = self.rows("--learn", "10", "--seconds", self.clean)
        self.assertTrue(18 <= len(rows) <= 20, len(rows))
        self.assertEqual(list(rows[-1]), ["clip", "time_s", "scenes", "known_light", *KINDS])
        self.assertEqual((rows[-1]["scenes"], rows[-1]["known_light"]), (1, True))
        self.assertFalse(any(row[kind]["open"] for row in rows for kind in KINDS))
        self.assertLess(abs(rows[-1]["slow"]["quantity"] - 10), 0.1)
        self.assertLess(rows[-1]["moved"]["quantity"], 0.1)
        done = harness.run("health", "--learn", "10", "--seconds", self.clean)
        table = list(csv.DictReader(io.StringIO(done.out)))
        self.assertEqual(len(table), len(rows))
        for kind in KINDS:
            quantity = rows[-1][kind]["quantity"]
            self.assertEqual(table[-1][kind] == "", quantity is None)
            if quantity is not None:
                self.assertAlmostEqual(float(table[-1][kind]), quantity, delta=1e-4 + 1e-4 * abs(quantity))

    def test_names_of_clips(self):
        """CSV quotes a name that needs it. JSON cannot hold one that is not UTF-8, and nothing is printed of its rows."""
        quoted, odd = self.path('a, "b".mp4'), os.fsencode(self.folder) + b"/a\xff.mp4"
        os.symlink(self.clean, quoted)
        os.symlink(self.clean, odd)
        done = harness.run("health", "--learn", "10", "--seconds", quoted)
        self.assertEqual(list(csv.DictReader(io.StringIO(done.out)))[-1]["clip"], 'a, "b"')
        done = harness.run("health", "--learn", "10", "--seconds", "--format", "jsonl", os.fsdecode(odd))
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertIn("cannot write a row as JSON: the clip's name is not UTF-8", done.err)

    def test_faults(self):
        missing = self.path("missing.mp4")
        done = harness.run("health", missing, self.clean)
        self.assertEqual(done.code, 1)
        self.assertIn("missing.mp4: No such file", done.err)
        self.assertEqual(len(done.out.splitlines()), 1)         # the other input is diagnosed, and nothing is found
        done = harness.run("health", "--clean", missing, self.clean)
        self.assertEqual((done.code, len(done.out.splitlines())), (1, 1))
        for args, message in (((), "INPUT"), (("--learn", "9", self.clean), "--learn: expected a number from 10"),
                              (("--fps", "x", self.clean), "--fps: expected a number"),
                              (("--off", "fog", self.clean), "--off: expected a kind of fault, such as blur"),
                              (("--width", "31", self.clean), "--width: expected ")):
            done = harness.run("health", *args)
            self.assertEqual(done.code, 2)
            self.assertIn(message, done.err)


if __name__ == "__main__":
    harness.main()
