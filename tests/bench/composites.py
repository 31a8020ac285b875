#!/usr/bin/python3
"""Makes labelled events by compositing them into real, normal footage. It needs python3-numpy and ffmpeg, and Debian's
opencv-doc for the clip that persons are cut from (tools/deps composites).

    tests/bench/composites.py --camera upcam|ped2|vtest --kinds left,taken --count 40 --seed 1 --day 02 --folder DIR

The kinds take turns. If the footage has a night, which is pictures without colour, half of the clips are at night. A clip of
upcam is 6 minutes long. An event begins after 2 minutes and lasts for 3 (--clip-s, --before-s, --event-s). The footage of the
other cameras is short, so it runs forth and back until the clip is full. The folder gets

  clips/NAME.mp4    the clips, encoded as the footage is
  masks/NAME.mkv    where the event is: 255, else 0; lossless; for `memaed eval --masks`
  labels.txt        for `memaed eval --labels`: the clip's name, then 1 for each frame of an event, else 0
  events.json       for each clip: kind; negative; first: the event's first frame; end: the frame after its last; frames;
                    fps; box: x, y, w, h around all masks, in pixels; night; seed; contrast: the mean change of the luma
                    within the mask (negative: in the picture), median over the event's frames; footage

Events that must alert:

  left, taken       a new object stays; an object that was there is gone
  person_stands, person_lies
                    a person stands or lies where nobody is in this footage
  door              a part of the picture opens
  person_walks      a person walks where nobody walks
  dolly             a thing crosses the picture in 20 to 60 seconds

Changes that must not alert (negatives: no label is 1): light, sunpatch, cloud, noise.

An event takes the brightness, contrast, colour and noise of its place. The same arguments give the same frames, bit for bit,
before they are encoded. --check makes two small clips from synthetic frames, and verifies that, the labels and the masks.
MEMAED_DATA names the data (default: ../shared/data).
"""
import argparse
import hashlib
import json
import os
import sys
import tempfile

import numpy as np

from compositing.kinds import BY_DAY, KINDS
from compositing.scene import Camera, Scene
from compositing.things import Things
from compositing.video import read, read_vtest, writer
from footage import DATA, VTEST

CAMERAS = {
    "upcam": Camera(5, (128, 64), 23, 360, 120, 180, (10, 18), (16, 29)),
    "ped2": Camera(10, (360, 240), 10, 120, 40, 60, (28, 50), (26, 48)),
    "vtest": Camera(10, (384, 288), 23, 120, 40, 60, (30, 54), (36, 64)),
}
NIGHT = 1.5             # a picture with a lower mean strength of colours is infrared
UNREST = 0.2            # the largest share of a clip in which much of the picture may differ from the background


# ---- footage --------------------------------------------------------------------------------------------------------

class Hours:
    """The hours of a day of upcam."""

    def __init__(self, camera, folder):
        self.camera, self.used, self.busy = camera, [], {}
        if not os.path.isdir(folder):
            sys.exit(f"composites: no footage at {folder}; MEMAED_DATA names the folder of the data")
        self.files = [os.path.join(folder, f) for f in sorted(os.listdir(folder))]
        minutes = [read(f, camera.size, ("-skip_frame", "nokey"), ("-vf", "fps=1/60")) for f in self.files]
        self.nights = [np.abs(m[:, 1:] - 128.0).mean((1, 2, 3)) < NIGHT for m in minutes]
        for night in (False, True):
            hours = [m[n == night][:, 0] for m, n in zip(minutes, self.nights) if (n == night).sum() > 10]
            if hours:
                self.busy[night] = np.concatenate([np.abs(h - np.median(h, axis=0)) > 12 for h in hours]).mean(0)

    def scene(self, rng, night):
        """Returns the scene of a random time by day or at night that no other scene has, and where it is from."""
        camera, count = self.camera, self.camera.clip_s * self.camera.fps
        for _ in range(2000):
            hour = int(rng.integers(len(self.files)))
            start = int(rng.uniform(0, 60 * len(self.nights[hour]) - camera.clip_s - 60))
            end = start + camera.clip_s
            if not (self.nights[hour][start // 60:end // 60 + 2] == night).all():
                continue
            if any(h == hour and start < e and s < end for h, s, e in self.used):
                continue
            frames = read(self.files[hour], camera.size, ("-ss", start), ("-frames:v", count))
            if len(frames) < count:
                continue
            scene = Scene(frames, np.arange(count), camera, night, self.busy[night])
            self.used.append((hour, start, end))
            if scene.unrest < UNREST:
                return scene, f"{os.path.basename(self.files[hour])} from {start} s on"
        sys.exit(f"composites: no further {camera.clip_s} s {'at night' if night else 'by day'} are calm; ask for fewer clips")


class Loop:
    """Footage that is shorter than a clip. It runs forth and back."""

    def __init__(self, camera, folder):
        """folder: a folder of clips; None: OpenCV's clip."""
        self.camera, self.busy = camera, {False: None}
        self.files = [os.path.join(folder, f) for f in sorted(os.listdir(folder))] if folder else [None]

    def scene(self, rng, night):
        path, count = self.files[rng.integers(len(self.files))], self.camera.clip_s * self.camera.fps
        frames = read(path, self.camera.size) if path else read_vtest(self.camera.size)
        first = int(rng.integers(len(frames)))
        cycle = np.concatenate((np.arange(len(frames)), np.arange(len(frames) - 2, 0, -1)))
        order = cycle[(first + np.arange(count)) % len(cycle)]
        return Scene(frames, order, self.camera, night), f"{os.path.basename(path or VTEST)} from frame {first} on"


def open_footage(options, camera):
    if options.camera == "upcam":
        return Hours(camera, os.path.join(DATA, "upcam", options.day))
    return Loop(camera, os.path.join(DATA, "ped2", "train") if options.camera == "ped2" else None)


# ---- clips ----------------------------------------------------------------------------------------------------------

def composite(scene, event, rng):
    """Yields the frames [3, h, w] and the masks [h, w] of a clip, uint8."""
    first, end = span(scene, event)
    into, out = rng.integers(1, 4, 2) if event.fade_s is None else np.maximum(1, np.array(event.fade_s) * scene.camera.fps)
    for i in range(len(scene.order)):
        picture, mask = scene.picture(i), np.zeros(scene.shape, bool)
        if first <= i < end:
            picture, mask = event.draw(i - first, i, picture, min(1, (i - first + 1) / into, (end - i) / out))
        yield np.clip(np.rint(picture), 0, 255).astype(np.uint8), mask.astype(np.uint8) * 255


def span(scene, event):
    """Returns the first frame of the event and the frame after its last."""
    first = scene.camera.before_s * scene.camera.fps
    return first, min(len(scene.order), first + (event.length or scene.camera.event_s * scene.camera.fps))


def write_clip(folder, name, scene, event, rng):
    """Writes a clip and its masks. Returns its labels, and what events.json says of its visible part."""
    camera, labels, total, changes = scene.camera, [], np.zeros(scene.shape, bool), []
    first, end = span(scene, event)
    for sub in ("clips", "masks"):
        os.makedirs(os.path.join(folder, sub), exist_ok=True)
    outputs = [writer(os.path.join(folder, "clips", name + ".mp4"), camera.size, camera.fps, "yuvj444p", "-c:v", "libx264",
                      "-crf", camera.crf, "-pix_fmt", "yuvj420p", "-color_range", "pc"),
               writer(os.path.join(folder, "masks", name + ".mkv"), camera.size, camera.fps, "gray", "-c:v", "ffv1")]
    for i, (picture, mask) in enumerate(composite(scene, event, rng)):
        for output, frame in zip(outputs, (picture, mask)):
            output.stdin.write(frame.tobytes())
        labels.append(int(mask.any()))
        total |= mask > 0
        if first <= i < end and (event.negative or mask.any()):
            changes.append(np.abs(picture[0] - scene.picture(i)[0])[event.negative | (mask > 0)].mean())
    for output in outputs:
        output.stdin.close()
        if output.wait():
            sys.exit(f"composites: ffmpeg ended with status {output.returncode}")
    ys, xs = np.nonzero(total)
    box = [int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1] if len(ys) else None
    if not event.negative:
        first, end = labels.index(1), len(labels) - labels[::-1].index(1)
    return labels, {"first": first, "end": end, "box": box, "contrast": round(float(np.median(changes)), 1)}


def write_lists(folder, labels, events):
    with open(os.path.join(folder, "labels.txt"), "w", encoding="utf-8") as f:
        f.writelines(" ".join([name, *map(str, values)]) + "\n" for name, values in labels.items())
    with open(os.path.join(folder, "events.json"), "w", encoding="utf-8") as f:
        json.dump(events, f, indent=1)


def make(options):
    camera = CAMERAS[options.camera]
    camera = camera._replace(**{k: getattr(options, k) for k in ("clip_s", "before_s", "event_s") if getattr(options, k)})
    footage, things, labels, events = open_footage(options, camera), Things(), {}, []
    for i in range(options.count):
        kind = options.kinds[i // len(footage.busy) % len(options.kinds)]
        night = list(footage.busy)[i % len(footage.busy)] and kind not in BY_DAY
        rng, event = np.random.default_rng((options.seed, i)), None
        while event is None:
            scene, source = footage.scene(rng, night)
            event = KINDS[kind](scene, things, rng)
        name = f"{i:03}-{kind}-{'night' if night else 'day'}"
        labels[name], seen = write_clip(options.folder, name, scene, event, rng)
        events.append({"clip": name, "kind": kind, "negative": event.negative, "frames": len(labels[name]), "fps": camera.fps,
                       "night": night, "seed": options.seed, "footage": source, **seen})
        write_lists(options.folder, labels, events)
        print(f"{name}: {source}, box {seen['box']}, contrast {seen['contrast']}", file=sys.stderr, flush=True)


# ---- the check of itself --------------------------------------------------------------------------------------------

class Synthetic:
    """Synthetic things for the check."""

    @staticmethod
    def backgrounds():
        return [np.random.default_rng(5).uniform(20, 230, (3, 64, 96)).astype(np.float32)]


def check(folder):
    """Makes a clip of a thing and a clip of a light from synthetic frames in the folder. Asserts that both are as described
    at the top of this file."""
    camera = Camera(5, (48, 32), 23, 12, 4, 6, (8, 10), (12, 16))
    still = np.random.default_rng(3).integers(60, 180, (1, 3, 32, 48))
    frames = np.clip(still + np.random.default_rng(4).integers(-2, 3, (60, 3, 32, 48)), 0, 255).astype(np.uint8)
    scene = Scene(frames, np.arange(60), camera)

    def render(kind, seed):
        rng = np.random.default_rng(seed)
        return list(composite(scene, KINDS[kind](scene, Synthetic, rng), rng))

    def digest(pictures):
        return hashlib.sha256(b"".join(p.tobytes() + m.tobytes() for p, m in pictures)).hexdigest()
    labels, events = {}, []
    for kind in ("left", "light"):
        pictures, rng = render(kind, 1), np.random.default_rng(1)
        assert digest(pictures) == digest(render(kind, 1)), f"{kind}: the same seed gives other frames"
        assert digest(pictures) != digest(render(kind, 2)), f"{kind}: another seed gives the same frames"
        event = KINDS[kind](scene, Synthetic, rng)
        labels[kind], seen = write_clip(folder, kind, scene, event, rng)
        events.append({"clip": kind, "kind": kind, "negative": event.negative, **seen})
        expected = [int(20 <= i < 50 and kind == "left") for i in range(60)]
        assert labels[kind] == expected, f"{kind}: wrong labels {labels[kind]}"
        assert (seen["first"], seen["end"]) == (20, 50), f"{kind}: wrong frames {seen}"
        changed = [i for i, ((p, _), f) in enumerate(zip(pictures, frames)) if (p != f).any()]
        assert set(range(25, 45)) <= set(changed) <= set(range(20, 50)), f"{kind}: wrong frames changed: {changed}"
        masks = read(os.path.join(folder, "masks", kind + ".mkv"), camera.size)[:, 0]
        assert (masks == np.stack([m for _, m in pictures])).all(), f"{kind}: the masks were not kept"
        assert len(read(os.path.join(folder, "clips", kind + ".mp4"), camera.size)) == 60, f"{kind}: frames are missing"
    write_lists(folder, labels, events)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--camera", choices=CAMERAS, default="upcam")
    parser.add_argument("--day", default="02", help="folder of upcam's day (default: 02)")
    parser.add_argument("--kinds", type=lambda s: s.split(","), default=list(KINDS), help="default: all")
    parser.add_argument("--count", type=int, default=40, help="number of clips (default: 40)")
    parser.add_argument("--seed", type=int, default=1)
    for name in ("clip-s", "before-s", "event-s"):
        parser.add_argument("--" + name, type=int, help="seconds; default: the camera's")
    parser.add_argument("--folder")
    parser.add_argument("--check", action="store_true", help="check this program; keeps its clips in --folder, if given")
    options = parser.parse_args()
    unknown = set(options.kinds) - set(KINDS)
    if unknown:
        parser.error(f"--kinds: expected names of {', '.join(KINDS)}, got {', '.join(sorted(unknown))}")
    if options.check:
        with tempfile.TemporaryDirectory(prefix="memaed-composites-") as folder:
            check(options.folder or folder)
    elif options.folder:
        make(options)
    else:
        parser.error("--folder: expected the folder to write to")


if __name__ == "__main__":
    main()
