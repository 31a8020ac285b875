"""Operations on pictures: arrays of floats [3, height, width], full-range Y, U, V. A sprite is [4, h, w]: Y, U, V, alpha."""
import numpy as np


def blur(a, radius):
    """Returns a [..., h, w] averaged over squares of 2 radius + 1 pixels; edges are repeated."""
    for axis in (-1, -2):
        pad = [(0, 0)] * a.ndim
        pad[axis] = (radius + 1, radius)
        total = np.cumsum(np.pad(a, pad, mode="edge"), axis=axis, dtype=np.float64)
        n = a.shape[axis]
        index = np.arange(n)
        a = (np.take(total, index + 2 * radius + 1, axis) - np.take(total, index, axis)) / (2 * radius + 1)
    return a


def sampling(n, m, start, length):
    """Returns the matrix [n, m] that draws m samples at start … start + length among n pixels. Its kernel is a triangle as
    wide as a sample or a pixel, whichever is wider, so that a sprite that shrinks does not alias."""
    scale = m / length
    position = (np.arange(n)[:, None] + 0.5 - start) * scale - 0.5
    width = max(1.0, scale)
    return np.maximum(0, 1 - np.abs(position - np.arange(m)) / width) / width


def put(sprite, box, shape):
    """Draws a sprite [4, h, w] (Y, U, V, alpha) into the box x, y, w, h of an empty picture. Returns the colours
    [3, *shape] and the alpha [*shape]."""
    x, y, w, h = box
    down, across = sampling(shape[0], sprite.shape[1], y, h), sampling(shape[1], sprite.shape[2], x, w).T
    alpha = down @ sprite[3] @ across
    colours = down @ (sprite[:3] * sprite[3]) @ across / np.maximum(alpha, 1e-3)
    return colours, np.clip(alpha, 0, 1)


def sample(picture, x, y):
    """Returns the picture [3, …] at the places x, y, in pixels from its corner, with linear interpolation."""
    height, width = picture.shape[1:]
    x, y = np.clip(x - 0.5, 0, width - 1.001), np.clip(y - 0.5, 0, height - 1.001)
    left, top = x.astype(int), y.astype(int)
    right, low = x - left, y - top
    above = picture[:, top, left] * (1 - right) + picture[:, top, left + 1] * right
    below = picture[:, top + 1, left] * (1 - right) + picture[:, top + 1, left + 1] * right
    return above * (1 - low) + below * low


def looks(background):
    """Returns the median and the spread of a picture's luma, and the mean strength of its colours."""
    low, middle, high = np.percentile(background[0], (10, 50, 90))
    return middle, max(high - low, 10.0), np.abs(background[1:] - 128).mean()


def fill(picture, hole):
    """Returns a picture [3, h, w] whose hole is filled smoothly from its edge, with the grain of its neighbourhood."""
    ys, xs = np.nonzero(hole)
    top, left = max(ys.min() - 2, 0), max(xs.min() - 2, 0)
    view = np.s_[..., top:ys.max() + 3, left:xs.max() + 3]
    part, inside = picture[view].copy(), hole[view]
    part[:, inside] = np.median(part[:, ~inside], axis=1)[:, None]
    for _ in range(400):
        around = np.pad(part, ((0, 0), (1, 1), (1, 1)), mode="edge")
        mean = (around[:, 2:, 1:-1] + around[:, :-2, 1:-1] + around[:, 1:-1, 2:] + around[:, 1:-1, :-2]) / 4
        part[:, inside] = mean[:, inside]
    grain = picture[0] - blur(picture[0], 1)
    part[0, inside] += np.clip(np.roll(grain, xs.max() - xs.min() + 3, axis=1)[view][inside], -4, 4)
    result = picture.copy()
    result[view] = part
    return result
