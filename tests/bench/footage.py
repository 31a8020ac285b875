"""Shared by measurements on footage: the program, the folder of the data, and the size of a file's pictures."""
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MEMAED = os.environ.get("MEMAED", os.path.join(ROOT, "build", "memaed"))
DATA = os.environ.get("MEMAED_DATA", os.path.join(ROOT, "..", "shared", "data"))
VTEST = "/usr/share/doc/opencv-doc/examples/data/vtest.avi"     # from Debian's opencv-doc


def size_of(path):
    """Returns the width and height of a video's pictures."""
    probe = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height", "-of",
                            "csv=p=0", path], capture_output=True, text=True, check=True)
    return tuple(int(v) for v in probe.stdout.strip().strip(",").split(",")[:2])
