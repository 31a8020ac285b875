#!/usr/bin/python3
"""Pictures of faults. A camera goes black: its events show it before and after, in colour, and no file shows what a privacy mask
hides. The pictures are served as other evidence is, also after a restart, and none are made where snapshots are off."""
import base64
import os
import random
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from servers.webhook_receiver import Receiver  # noqa: E402

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
WIDTH, HEIGHT, FPS = 192, 128, 10
LEARN_S = 10
RED, LIME = (24, 24, 40, 40), (136, 72, 40, 40)         # x, y, width, height; lime lies under the mask
MASK = [[0.68, 0.52], [0.96, 0.52], [0.96, 0.92], [0.68, 0.92]]


def write_footage(path, parts):
    """A brick wall with noise, in colour, with a key frame each second. parts: (seconds, brightness)."""
    rng = random.Random(5)
    bricks = [[rng.randrange(60, 190) for _ in range(14)] for _ in range(12)]
    wall = [bricks[y // 14][(x + 5 * (y // 14)) // 17 % 14] for y in range(HEIGHT) for x in range(WIDTH)]
    pictures = []
    for _ in range(7):
        gray = [value + rng.randrange(-4, 5) for value in wall]
        rgb = bytearray(v for value in gray for v in (value, value, value))
        for (x, y, width, height), colour in ((RED, (220, 30, 30)), (LIME, (0, 255, 0))):
            for row in range(y, y + height):
                at = 3 * (row * WIDTH + x)
                rgb[at:at + 3 * width] = bytes(colour) * width
        pictures.append(bytes(rgb))
    frames = []
    for seconds, brightness in parts:
        table = bytes(round(value * brightness) for value in range(256))
        frames += [pictures[i % 7].translate(table) for i in range(seconds * FPS)]
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s",
                    f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "-", "-c:v", "libx264", "-crf", "8", "-g", str(FPS), "-bf", "0",
                    "-pix_fmt", "yuv420p", path], input=b"".join(frames), check=True)
    return path


def mean(jpeg, area):
    """The mean colour within a picture, in its size of WIDTH x HEIGHT."""
    done = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", "-", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
                          input=jpeg, capture_output=True, check=True).stdout
    assert len(done) == 3 * WIDTH * HEIGHT, len(done)
    x, y, width, height = area
    pixels = [3 * (row * WIDTH + column) for row in range(y + 6, y + height - 6) for column in range(x + 6, x + width - 6)]
    return [sum(done[at + channel] for at in pixels) / len(pixels) for channel in range(3)]


def greenest(jpeg):
    """By how much the greenest pixel is greener than red and blue."""
    done = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", "-", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
                          input=jpeg, capture_output=True, check=True).stdout
    return max(done[at + 1] - max(done[at], done[at + 2]) for at in range(0, len(done), 3))


class HealthPictures(harness.Case):
    def is_sound(self, jpeg):
        red, green, blue = mean(jpeg, RED)
        self.assertTrue(red > 150 and green < 90 and blue < 90, (red, green, blue))
        self.hides(jpeg)

    def is_black(self, jpeg):
        self.assertLess(max(mean(jpeg, RED) + mean(jpeg, (0, 0, WIDTH, HEIGHT))), 30)
        self.hides(jpeg)

    def hides(self, jpeg):
        self.assertLess(max(mean(jpeg, LIME)), 12)
        self.assertLess(greenest(jpeg), 60)

    def files(self, camera):
        """The files of a camera's evidence: their names, and their paths by name."""
        found = {}
        for folder, _, names in os.walk(self.path(f"state/evidence/{camera}")):
            found.update((name, os.path.join(folder, name)) for name in names)
        return found

    def fetch(self, daemon, url):
        status, headers, body = daemon.request("GET", url)
        self.assertEqual((status, headers["Content-Type"]), (200, "image/jpeg"), url)
        status, head, nothing = daemon.request("HEAD", url)
        self.assertEqual((status, head["Content-Length"], nothing), (200, str(len(body)), b""))
        self.assertEqual(daemon.request("GET", url, {"If-None-Match": headers["ETag"]})[0], 304)
        self.assertEqual(daemon.request("GET", url, {"Range": "bytes=2-5"})[2], body[2:6])
        return body

    def test_black(self):
        model = harness.write_model(self.path("model.safetensors"), 64, 96, calibration=harness.with_places(
            harness.OWN_CALIBRATION, 64, 96))
        camera = {"model": model, "source": write_footage(self.path("black.mp4"), [(16, 1), (9, 0.04), (9, 1)]),
                  "health": {"learn_s": LEARN_S}, "alert": {"threshold": 99999},
                  "masks": [{"points": MASK, "privacy": True}]}
        by_url, inline = Receiver(SECRET), Receiver(SECRET)
        self.addCleanup(by_url.close)
        self.addCleanup(inline.close)
        hook = {"secret": SECRET, "events": ["health.opened", "health.closed"]}
        config = {"cameras": {"gate": camera, "off": {**camera, "evidence": {"snapshots": False}}},
                  "webhooks": [{**hook, "url": by_url.url},
                               {**hook, "url": inline.url, "snapshot": "inline", "cameras": ["gate"]}]}
        daemon = self.daemon(config)
        harness.wait_for("the events", lambda: len(by_url.of("health.closed")) == 2 and inline.of("health.closed"), 70)
        told = {(e["data"]["camera"], e["type"]): e["data"] for e in by_url.deliveries}
        opened, closed = told["gate", "health.opened"], told["gate", "health.closed"]
        self.assertEqual((opened["kind"], opened["id"]), ("black", closed["id"]))
        self.shows(daemon, opened, closed)
        for event, check in ((inline.of("health.opened")[0], (self.is_sound, self.is_black)),
                             (inline.of("health.closed")[0], (self.is_black, self.is_sound))):
            for name, holds in zip(("before", "after"), check):
                self.assertEqual(event["data"][name]["type"], "image/jpeg")
                holds(base64.b64decode(event["data"][name]["base64"]))
        for kind in ("health.opened", "health.closed"):
            for name in ("before", "after"):
                self.assertEqual(told["off", kind][name], {"reason": "the fault has no picture, or it is no longer kept"})
        self.assertEqual(daemon.events("snapshot_is_gray") + daemon.events("evidence_failed"), [])
        self.is_on_disk(daemon, opened)
        daemon.stop()
        daemon = self.daemon({**config, "cameras": {"off": config["cameras"]["off"]}, "webhooks": []})
        self.shows(daemon, opened, closed)      # of a camera that is no longer configured, too
        harness.wait_for("the files are counted", lambda: daemon.metric("memaed_evidence_files") == 3, 20)
        for url in (f"/api/v1/cameras/gate/faults/{opened['id'] + 1}/before", f"/api/v1/cameras/off/faults/{opened['id']}/fault",
                    f"/api/v1/cameras/gate/faults/{2**64 - 1}/after"):
            self.assertEqual(daemon.get(url)[0], 404)
        daemon.stop()

    def shows(self, daemon, opened, closed):
        pictures = {name: self.fetch(daemon, f"/api/v1/cameras/gate/faults/{opened['id']}/{name}")
                    for name in ("before", "fault", "after")}
        urls = [opened["before"]["url"], opened["after"]["url"], closed["before"]["url"], closed["after"]["url"]]
        self.assertEqual([url.rsplit("/", 1)[1] for url in urls], ["before", "fault", "fault", "after"])
        self.assertEqual({url.rsplit("/", 1)[0] for url in urls}, {f"/api/v1/cameras/gate/faults/{opened['id']}"})
        self.is_sound(pictures["before"])
        self.is_black(pictures["fault"])
        self.is_sound(pictures["after"])

    def is_on_disk(self, daemon, opened):
        files = self.files("gate")
        self.assertEqual(set(files), {"before.jpg", "fault.jpg", "after.jpg"})
        self.assertEqual(self.files("off"), {})
        date = time.strftime("%Y-%m-%d", time.gmtime(opened["id"] / 1000))
        for name, path in files.items():
            self.assertEqual(os.path.relpath(path, self.path("state")), f"evidence/gate/{date}/{opened['id']}/{name}")
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        written = {e["kind"]: e for e in daemon.events("evidence_written", camera="gate")}
        self.assertEqual({e["fault"] for e in written.values()}, {str(opened["id"])})
        self.assertLess(written["before"]["taken"], opened["since"])
        self.assertLess(opened["since"], written["fault"]["taken"])


if __name__ == "__main__":
    harness.main()
