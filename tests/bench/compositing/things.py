"""Cuts things and persons out of footage, as sprites."""
import collections
import os

import numpy as np

from compositing.pictures import blur, looks, sampling
from compositing.video import read, read_vtest
from footage import DATA

TRACK = 20              # the least number of frames in which a person is followed


def outline(rng, n=48):
    """Returns the alpha [n, n] of a random thing: a rounded box, a ball or a bag, slightly turned."""
    y, x = (np.mgrid[:n, :n] + 0.5) / n * 2 - 1
    turn = rng.uniform(-0.25, 0.25)
    x, y = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    x = x * (1 + rng.uniform(-0.3, 0.3) * y)
    power = rng.choice([2.0, 3.0, 5.0, 8.0])
    return (np.abs(x * 1.15) ** power + np.abs(y * 1.15) ** power < 1).astype(np.float32)


def patch(rng, backgrounds, n=48):
    """Cuts a random square from one of the backgrounds. Returns it [3, n, n]."""
    return _cut(rng, backgrounds[rng.integers(len(backgrounds))], n)


def _cut(rng, source, n):
    height, width = source.shape[1:]
    side = height * rng.uniform(0.12, 0.3)
    x, y = rng.uniform(0, width - side), rng.uniform(0.06 * height, height - side)
    zoom = n / side
    down, across = sampling(n, height, -y * zoom, height * zoom), sampling(n, width, -x * zoom, width * zoom)
    return (down @ source @ across.T).astype(np.float32)


def thing(rng, backgrounds, n=48):
    """Cuts a thing from one of the backgrounds. Returns its sprite and the looks of its picture, or None if it is dull."""
    source = backgrounds[rng.integers(len(backgrounds))]
    colours = _cut(rng, source, n)
    if colours[0].std() < 8:
        return None
    colours[0] *= np.linspace(1.1, 0.85, n)[:, None]      # light falls from above
    return np.concatenate((colours, outline(rng, n)[None])), looks(source)


def components(mask):
    """Returns the boxes x, y, w, h and pixels of the connected parts of a mask."""
    rest, found = {(int(y), int(x)) for y, x in zip(*np.nonzero(mask))}, []
    while rest:
        part, edge = [], [rest.pop()]
        while edge:
            y, x = edge.pop()
            part.append((y, x))
            for near in ((y, x + 1), (y, x - 1), (y + 1, x), (y - 1, x)):
                if near in rest:
                    rest.remove(near)
                    edge.append(near)
        ys, xs = np.array(part).T
        found.append(((xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1), ys, xs))
    return found


# sprites: of consecutive frames, all of one size. way: how far the person walks to the right in them, in its lengths. fps: that
# of the sprites. looks: those of the picture that it is from.
Person = collections.namedtuple("Person", "sprites way fps looks")


def find_blobs(away):
    """Returns the blobs of a picture of differences that may be one upright person: (centre x, bottom, width and height in
    pixels at half size), and the mask at half size."""
    height, width = away.shape
    coarse = blur(away, 1).reshape(height // 2, 2, width // 2, 2).max((1, 3)) > 30
    for (x, y, w, h), ys, xs in components(coarse):
        inside = x >= 2 and y >= 2 and x + w <= width // 2 - 2 and y + h <= height // 2 - 2
        if inside and 16 <= h <= 60 and 1.8 <= h / w <= 3.6 and len(ys) > 0.4 * w * h:
            own = np.zeros_like(coarse)
            own[ys, xs] = True
            yield np.array((x + w / 2, y + h, w, h)), own


def find_tracks(frames, background):
    """Returns the blobs that last for TRACK frames, each as a list of (frame, values of find_blobs())."""
    going, ended = [], []
    for f, frame in enumerate(frames):
        now = list(find_blobs(np.abs(frame - background).sum(0)))
        after = []
        for track in going:
            at = next((n for n in now if np.abs(n[0] - track[-1][1]).max() <= 4), None)
            if at:
                now = [n for n in now if n is not at]
                after.append(track + [(f, *at)])
            else:
                ended.append(track)
        going = after + [[(f, *n)] for n in now]
    return [t for t in ended + going if len(t) >= TRACK]


def cut_persons(frames, fps):
    """Cuts walking persons out of frames by their difference from the median."""
    background = np.median(frames[::20], axis=0).astype(np.float32)
    height, width = frames.shape[2:]
    persons = []
    for track in find_tracks(frames, background):
        heights = np.convolve(np.pad([at[3] for _, at, _ in track], 4, mode="edge"), np.ones(9) / 9, mode="valid")
        aspect = max(at[2] for _, at, _ in track) / max(heights) + 0.1
        sprites = []
        for (f, at, own), tall in zip(track, heights):
            h = int(2.15 * tall)
            w = int(aspect * h)
            left, top = int(2 * at[0] - w / 2), int(2 * at[1] + 0.05 * h) - h
            if left < 0 or top < 0 or left + w > width or top + h > height:
                continue
            view = np.s_[..., top:top + h, left:left + w]
            near = blur(np.kron(own, np.ones((2, 2)))[view], 2) > 0.2
            away = blur(np.abs(frames[f][view] - background[view]).sum(0), 1)
            solid = blur(np.clip((away - 25) / 30, 0, 1) * near, 1)
            alpha = np.clip(2.2 * solid - 1.1, 0, 1)            # the edge lies within the person, so no ground shows
            sprites.append(np.concatenate((frames[f][view], alpha[None])).astype(np.float32))
        if len(sprites) >= TRACK:
            persons.append(Person(sprites, 2 * (track[-1][1][0] - track[0][1][0]) / h, fps, looks(background)))
    return persons


class Things:
    """The material that events are made of. It is read when it is first needed."""

    def __init__(self):
        self._persons = self._backgrounds = None

    def persons(self):
        if self._persons is None:
            self._persons = cut_persons(read_vtest((384, 288)), 10)
        return self._persons

    def backgrounds(self):
        """Returns pictures of other places."""
        if self._backgrounds is None:
            ped2 = os.path.join(DATA, "ped2", "train", "01.mp4")
            found = [read_vtest((384, 288))[::40]] + ([read(ped2, (360, 240))[::5]] if os.path.exists(ped2) else [])
            self._backgrounds = [np.median(f, axis=0).astype(np.float32) for f in found]
        return self._backgrounds
