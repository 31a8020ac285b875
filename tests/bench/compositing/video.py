"""Video as arrays: frames [n, 3, height, width], uint8, full-range Y, U, V. ffmpeg reads and writes them."""
import gzip
import os
import subprocess
import sys

import numpy as np

from footage import VTEST

FFMPEG = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y"]


def read(path, size, before=(), after=()):
    """Returns a video's frames at the size (width, height). before, after: ffmpeg's options before and after the input."""
    raw = subprocess.run([*FFMPEG, "-threads", "1", *map(str, before), "-i", path, *map(str, after), "-s", "{}x{}".format(*size),
                          "-f", "rawvideo", "-pix_fmt", "yuvj444p", "-"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, 3, size[1], size[0])


def read_vtest(size):
    """Returns the frames of OpenCV's clip of a pedestrian precinct."""
    if os.path.exists(VTEST):
        return read(VTEST, size)
    if not os.path.exists(VTEST + ".gz"):
        sys.exit(f"composites: {VTEST} is missing: install the Debian package opencv-doc with its documentation files")
    with gzip.open(VTEST + ".gz") as packed:
        raw = subprocess.run([*FFMPEG, "-i", "-", "-s", "{}x{}".format(*size), "-f", "rawvideo", "-pix_fmt", "yuvj444p", "-"],
                             input=packed.read(), stdout=subprocess.PIPE, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, 3, size[1], size[0])


def writer(path, size, fps, pixels, *encode):
    """Returns an ffmpeg process that encodes the raw frames of its standard input."""
    raw = ["-f", "rawvideo", "-pix_fmt", pixels, "-color_range", "pc", "-s", "{}x{}".format(*size), "-r", str(fps), "-i", "-",
           "-threads", "1", "-fflags", "+bitexact"]
    return subprocess.Popen([*FFMPEG, *raw, *map(str, encode), path], stdin=subprocess.PIPE)
