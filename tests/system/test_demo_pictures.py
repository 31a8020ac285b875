#!/usr/bin/python3
"""The pictures of `make demo`: curves, alerts and boxes are where the daemon's answers say."""
import os
import re
import subprocess
import sys
import xml.etree.ElementTree

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tools"))
import demo_pictures  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"


def score(tenths, value):
    """A score of REST at so many tenths of a second of the clip."""
    return {"time": f"2026-01-01T00:00:{1 + tenths / 10:06.3f}Z", "pts_s": tenths / 10, "score": value}


SCORES = [score(t, -5 + (9 if 40 <= t <= 60 else 0)) for t in range(8, 101, 2)]
ALERT = {"opened": "2026-01-01T00:00:05.000Z", "closed": "2026-01-01T00:00:07.000Z"}       # 4 s and 6 s of the clip


class Pictures(harness.Case):
    def curves(self, alert):
        path = self.path("scores.svg")
        demo_pictures.write_curves(path, [
            {"title": "quiet & usual", "scores": SCORES, "alerts": [], "truth": []},
            {"title": "strange", "scores": SCORES, "alerts": [alert], "truth": [(4, 6)]}], 3.2)
        return xml.etree.ElementTree.parse(path).getroot()

    def spans(self, root):
        """First and last second of each shaded alert."""
        width = demo_pictures.WIDTH - demo_pictures.LEFT - demo_pictures.RIGHT
        found = [r for r in root.iter(SVG + "rect") if r.get("fill") == demo_pictures.SPAN]
        edges = [(float(r.get("x")), float(r.get("x")) + float(r.get("width"))) for r in found]
        return [[round((x - demo_pictures.LEFT) / width * 10, 1) for x in pair] for pair in edges]

    def test_curves(self):
        root = self.curves(ALERT)
        self.assertEqual(self.spans(root), [[4.0, 6.0]])
        lines = [[tuple(map(float, p.split(","))) for p in line.get("points").split()] for line in root.iter(SVG + "polyline")]
        self.assertEqual([len(line) for line in lines], [len(SCORES)] * 2)
        thresholds = [float(re.match(r"M\d+ ([\d.]+)H", p.get("d"))[1]) for p in root.iter(SVG + "path")
                      if p.get("stroke-dasharray")]
        self.assertEqual(len(thresholds), 2)
        for line, threshold in zip(lines, thresholds):      # y grows downwards
            self.assertEqual([y < threshold for _, y in line], [s["score"] > 3.2 for s in SCORES])

    def test_open_alert_lasts_to_the_end(self):
        self.assertEqual(self.spans(self.curves({**ALERT, "closed": None})), [[4.0, 10.0]])

    def test_frame(self):
        """The frame at the time that is asked for, with a red frame around the box and its inside untouched."""
        clip, picture = self.path("clip.mkv"), self.path("alert.png")
        harness.ffmpeg("-f", "lavfi", "-i", "color=black:size=160x80:rate=10:duration=2,geq=lum=N*10:cb=128:cr=128",
                       "-c:v", "ffv1", "-pix_fmt", "yuv420p", clip)
        box = {"x": 0.25, "y": 0.25, "width": 0.5, "height": 0.5, "score": 9}
        self.assertEqual(demo_pictures.write_frame(picture, clip, 1.2, [box]), 0)
        raw = subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-i", picture, "-f", "rawvideo", "-pix_fmt", "rgb24",
                              "-"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual(len(raw), 160 * 80 * 3)

        def pixel(x, y):
            return tuple(raw[3 * (y * 160 + x):][:3])
        red, green, _ = pixel(41, 40)
        self.assertGreater(red, green + 100)
        for place in ((80, 40), (10, 10)):
            self.assertTrue(all(abs(c - (120 - 16) * 255 / 219) <= 3 for c in pixel(*place)), pixel(*place))


if __name__ == "__main__":
    harness.main()
