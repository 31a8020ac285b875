#!/usr/bin/python3
"""The pictures and the page of `make demo`: curves, alerts and boxes agree with the daemon's answers."""
import base64
import os
import re
import subprocess
import sys
import xml.etree.ElementTree

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402

sys.path.insert(0, os.path.join(harness.ROOT, "tools"))
import demo_page  # noqa: E402
import demo_pictures  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"


def score(tenths, value):
    """A score of REST at so many tenths of a second of the clip."""
    return {"time": f"2026-01-01T00:00:{1 + tenths / 10:06.3f}Z", "pts_s": tenths / 10, "score": value}


SCORES = [score(t, -5 + (9 if 40 <= t <= 60 else 0)) for t in range(8, 101, 2)]
ALERT = {"closed": "2026-01-01T00:00:07.000Z", "pts_s": 4.0, "closed_pts_s": 6.0, "peak_pts_s": 5.0}


class Pictures(harness.Case):
    def curves(self, alert):
        return xml.etree.ElementTree.fromstring(demo_pictures.curves([
            {"title": "quiet & usual", "scores": SCORES, "alerts": [], "truth": []},
            {"title": "strange", "scores": SCORES, "alerts": [alert], "truth": [(4, 6)]}], 3.2))

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
        self.assertEqual(self.spans(self.curves({**ALERT, "closed": None, "closed_pts_s": None})), [[4.0, 10.0]])

    def test_frame(self):
        """The frame of the given time, with a red border around the box. The inside of the box is untouched."""
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


class Page(harness.Case):
    TOLD = {"summary": "a < b", "anomaly": "a chequered rectangle & no more", "before": "Copy it", "rest": "http://127.0.0.1:9",
            "commands": ["memaed learn <mine>", "memaed run"]}

    def page(self, alerts=1, **told):
        """Writes the page of two cameras into the test's folder. Checks that it is well-formed XML. Returns its root."""
        clip = self.path("clip.mkv")
        harness.ffmpeg("-f", "lavfi", "-i", "color=gray:size=160x80:rate=10:duration=8", "-c:v", "ffv1", clip)
        alert = {**ALERT, "id": 7, "camera": "odd & <b>", "peak_score": -4.125,
                 "boxes": [{"x": 0.25, "y": 0.25, "width": 0.5, "height": 0.5}]}
        text = demo_page.write(self.folder, [
            {"title": "quiet", "scores": SCORES, "alerts": [], "truth": []},
            {"title": "odd & <b>", "scores": SCORES, "alerts": [alert] * alerts, "truth": [(3, 3.5)]}], 3.2,
            clip, {**self.TOLD, **told})
        with open(self.path("index.html"), encoding="utf-8") as f:
            self.assertEqual(f.read(), text)
        self.assertIn("</style>", text)
        self.assertEqual(re.findall(r"(?:src|href)=\"(?!data:|http://127)|url\(|@import|<script", text), [])
        return xml.etree.ElementTree.fromstring(text)

    def test_holds_everything(self):
        """The page has the frame with boxes, both curves in both widths, the alert, the anomaly, REST and the commands."""
        root = self.page()
        picture = base64.b64decode(root.find(".//img").get("src").removeprefix("data:image/png;base64,"))
        with open(self.path("alert.png"), "rb") as f:
            self.assertEqual(picture, f.read())
        self.assertEqual([len(list(svg.iter(SVG + "polyline"))) for svg in root.iter(SVG + "svg")], [2, 2])
        self.assertEqual([svg.get("width") for svg in root.iter(SVG + "svg")], ["880", "440"])
        self.assertEqual([c.text for c in root.iter("td")],
                         ["7 on odd & <b>", "4.0 to 6.0", "\u22124.12 at 5.0 s", "the pasted rectangle"])
        self.assertIn("Frame of odd & <b> at 5.0 s, the peak of alert 7", root.find(".//img").get("alt"))
        self.assertIn(self.TOLD["anomaly"], "".join(root.find(".//p[@class='note']").itertext()))
        self.assertEqual(root.find(".//pre").text, "memaed learn <mine>\nmemaed run")
        self.assertIn("http://127.0.0.1:9/api/v1/alerts", [a.get("href") for a in root.iter("a")])
        self.assertIn("a < b", [p.text for p in root.iter("p")])

    def test_without_alerts_and_without_rest(self):
        root = self.page(alerts=0, rest=None)
        self.assertEqual((list(root.iter("img")), list(root.iter("td")), list(root.iter("a"))), ([], [], []))
        self.assertIn("No alert opened.", [p.text for p in root.iter("p")])

    def test_cause(self):
        """An alert that opens long after the rectangle, or before it, is not ascribed to it."""
        camera = {"scores": SCORES, "truth": [(3, 3.5)]}
        for seconds, cause in ((2.9, "real footage"), (3.1, "pasted rectangle"), (5.0, "pasted rectangle"),
                               (5.2, "real footage")):
            with self.subTest(seconds):
                self.assertEqual(demo_page.cause(camera, {**ALERT, "pts_s": seconds}), f"the {cause}")

    def test_dark_replaces_every_colour(self):
        """The drawing uses no colour that the dark page does not replace."""
        svg = demo_pictures.curves([{"title": "a", "scores": SCORES, "alerts": [ALERT], "truth": [(4, 6)]}], 3.2)
        used = set(re.findall(r"(?:fill|stroke)=\"(#\w+)\"", svg))
        self.assertEqual(used, set(demo_page.DARK))


if __name__ == "__main__":
    harness.main()
