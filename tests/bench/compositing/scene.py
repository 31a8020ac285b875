"""The footage of one clip: adapts sprites to it, and finds places for events."""
import collections

import numpy as np

from compositing.pictures import blur, looks

CONTRAST = 12           # the least mean difference of the luma between an event and the background that it covers
QUIET = 0.05            # the largest share of the time in which something may move at the place of an event
MOVED = 12              # a pixel moves if its luma differs by more than this from the background
TRIES = 300             # places that are tried for an event

# fps: of the footage. size: width, height of the clips. crf: the quality of the footage's encoding. clip_s, before_s, event_s:
# seconds of a clip, of the time before the event, and of the event. things, person: ranges of the size of things and of the
# length of persons, in pixels.
Camera = collections.namedtuple("Camera", "fps size crf clip_s before_s event_s things person")

# draw(t, i, picture, shown): returns picture and mask t frames after the event began, at frame i of the clip. shown: 0 … 1, how
# far the event has appeared. area: the mask of its place. length: in frames; None: the camera's event_s. fade_s: seconds in which
# it appears and goes; None: one to three frames.
Event = collections.namedtuple("Event", "draw area contrast length fade_s negative", defaults=(None, None, False))


class Scene:
    def __init__(self, frames, order, camera, night=False, busy=None):
        """order: the indices of frames, in the clip's order; busy: share of the day in which a pixel moves, or None."""
        self.frames, self.order, self.camera, self.night = frames, order, camera, night
        self.shape = frames.shape[2:]
        some = frames[order[::max(1, len(order) // 72)]]
        self.background = np.median(some, axis=0).astype(np.float32)
        away = np.abs(some[:, 0] - self.background[0]) > MOVED
        self.busy = np.maximum(away.mean(0), 0 if busy is None else busy)
        self.unrest = (away.mean((1, 2)) > 0.25).mean()     # the share of time in which much of the picture moves
        self.light = blur(self.background[0], self.shape[0] // 8)
        self.looks = looks(self.background)
        self.limits = np.percentile(self.background[0], (2, 95))
        steps = np.abs(np.diff(some[:, 0].astype(np.float32), axis=0))
        self.sigma = np.maximum(0.7, np.median(steps, axis=0))

    def picture(self, i):
        return self.frames[self.order[i]].astype(np.float32)

    def noise(self, i):
        """Returns the noise of frame i: its difference from the mean of the frames around it, clipped where something moves."""
        near = self.frames[self.order[max(0, i - 5):i + 6], 0].mean(0, dtype=np.float32)
        return np.clip(self.frames[self.order[i], 0] - near, -3 * self.sigma, 3 * self.sigma)

    def gain(self, i, where):
        """Returns how much brighter than the background frame i is at the pixels `where`."""
        now, usual = self.frames[self.order[i], 0][where] + 8.0, self.background[0][where] + 8
        return float(np.clip(np.median(now / usual), 0.4, 2.5)) if len(now) else 1.0

    def light_at(self, x, y):
        return self.light[min(max(int(y), 0), self.shape[0] - 1), min(max(int(x), 0), self.shape[1] - 1)]

    def adapt(self, sprite, source, x, y):
        """Returns a sprite with the brightness, contrast and colour of this scene at x, y. source: looks() of the
        picture that it is from."""
        (middle, spread, colour), (own_middle, own_spread, own_colour) = source, self.looks
        result = sprite.copy()
        result[0] = (sprite[0] - middle) * min(1.2, own_spread / spread) + 0.6 * own_middle + 0.4 * self.light_at(x, y)
        result[0] = np.clip(result[0], *self.limits)
        result[1:3] = 128 + (sprite[1:3] - 128) * min(1.2, own_colour / max(colour, 0.5))
        return result

    def length(self, rng, sizes, bottom):
        """Returns a length within sizes for a thing whose foot is at the height `bottom`. Lower in the picture is nearer."""
        near = np.clip(bottom / self.shape[0] * 1.6 - 0.6, 0, 1)
        return sizes[0] + (sizes[1] - sizes[0]) * np.clip(near + rng.uniform(-0.25, 0.25), 0, 1)

    def around(self, area):
        """Returns the pixels near an area, but outside it."""
        return (blur(area.astype(float), max(2, self.shape[0] // 16)) > 0) & ~area

    def blend(self, i, picture, colours, alpha, ring):
        """Returns the picture with colours over it, in the light that the pixels `ring` have now, and with their noise."""
        over = colours.copy()
        over[0] = over[0] * self.gain(i, ring) + self.noise(i)
        return picture + alpha * (over - picture)

    def shade(self, picture, shadow):
        """Returns the picture with a shadow. shadow: the share of light that it takes."""
        return np.concatenate((picture[:1] * (1 - shadow), picture[1:]))

    def foot_shadow(self, alpha, strength):
        """Returns the soft shadow under a thing."""
        ys, xs = np.nonzero(alpha >= 0.5)
        if not len(ys):
            return np.zeros(self.shape)
        y, x = np.mgrid[:self.shape[0], :self.shape[1]]
        width = np.ptp(xs) + 1
        return strength * np.exp(-((x - xs.mean()) / (0.55 * width)) ** 2 - ((y - ys.max()) / (0.12 * width + 0.7)) ** 2)

    def contrast(self, colours, alpha):
        """Returns the mean difference of the luma of colours from the background that they cover."""
        mask = alpha >= 0.5
        return float(np.abs(colours[0] - self.background[0])[mask].mean()) if mask.any() else 0.0

    def still(self, colours, alpha, shadow=0):
        """Returns the event of colours that appear and stay. shadow: as of shade()."""
        mask = alpha >= 0.5
        ring = self.around(mask)

        def draw(t, i, picture, shown):
            del t
            return self.blend(i, self.shade(picture, shadow * shown), colours, alpha * shown, ring), mask
        return Event(draw, mask, self.contrast(colours, alpha))

    def place(self, propose):
        """Returns the first of the proposed events that is visible and where it is quiet, or else the best of them, or
        None. propose() returns an event or None."""
        best, best_fault = None, np.inf
        for _ in range(TRIES):
            event = propose()
            if event is None or not event.area.any():
                continue
            fault = max(0, self.busy[event.area].mean() / QUIET - 1) + max(0, 1 - event.contrast / CONTRAST)
            if fault < best_fault:
                best, best_fault = event, fault
            if fault == 0:
                break
        return best
