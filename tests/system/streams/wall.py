"""Drawn footage for the tests of the diagnosis: a brick wall with a sensor's noise, and faults of its picture."""
import math
import random
import subprocess

WIDTH, HEIGHT, FPS = 96, 64, 10


def write_footage(path, parts):
    """Writes a lossless clip. parts: (seconds, function of the picture and its number in the part, or None). Returns its path."""
    rng = random.Random(11)
    bricks = [[rng.randrange(60, 190) for _ in range(12)] for _ in range(10)]
    wall = [bricks[y // 7][(x + 3 * (y // 7)) // 9 % 12] for y in range(HEIGHT) for x in range(WIDTH)]
    noisy = [bytes(value + rng.randrange(-3, 4) for value in wall) for _ in range(7)]
    pictures, n = [], 0
    for seconds, change in parts:
        for i in range(seconds * FPS):
            picture = noisy[n % len(noisy)]
            pictures.append(change(picture, i) if change else picture)
            n += 1
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "gray", "-s",
                    f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "-", "-c:v", "ffv1", "-pix_fmt", "gray", path],
                   input=b"".join(pictures), check=True)
    return path


DARK = bytes(value // 20 for value in range(256))


def black(picture, _):
    return picture.translate(DARK)


def with_cover(picture, bar_at=None):
    """Covers a third of the picture. A dark bar lies beside the cover, from that row on."""
    rows = [bytearray(b"\x46" * 32 + picture[y * WIDTH + 32:(y + 1) * WIDTH]) for y in range(HEIGHT)]
    for y in range(bar_at, bar_at + 24) if bar_at is not None else ():
        rows[y][70:94] = b"\x0a" * 24
    return b"".join(map(bytes, rows))


def shaken(picture, i):
    """Swings the picture by two pixels to each side, 1.25 times a second."""
    by = round(2 * math.sin(2 * math.pi * i / 8))
    rows = (picture[y * WIDTH:(y + 1) * WIDTH] for y in range(HEIGHT))
    return b"".join(row[-by:] + row[:-by] for row in rows)
