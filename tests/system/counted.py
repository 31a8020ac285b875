"""Footage whose frames show their number. So a test can tell which frames a clip holds."""
import random
import subprocess

WIDTH, HEIGHT, CELL, BITS = 192, 128, 12, 16
# A model by harness.write_model() without a calibration scores 0.57 when nothing moves here, and 0.75 in the event. Causes merge
# within two seconds, not thirty, so that a clip ends soon.
ALERT = {"threshold": 0.68, "close_threshold": 0.64, "k": 1, "n": 1, "cooldown_s": 0, "merge_s": 2}


def write_counted(path, frames, events=(), fps=10):
    """Writes gray footage where nothing moves. In the ranges of frames in events, noise fills the picture. Returns its path."""
    rng = random.Random(3)
    encoder = subprocess.Popen(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "gray", "-s",
                                f"{WIDTH}x{HEIGHT}", "-r", str(fps), "-i", "-", "-c:v", "ffv1", "-pix_fmt", "gray", path],
                               stdin=subprocess.PIPE)
    with encoder.stdin:
        for frame in range(frames):
            picture = bytearray([70]) * (WIDTH * HEIGHT)
            if any(frame in event for event in events):
                rows = (b"".join(bytes([rng.choice((0, 255))]) * 8 for _ in range(WIDTH // 8)) * 8 for _ in range(HEIGHT // 8))
                picture = bytearray(b"".join(rows))
            row = b"".join(bytes([200 if frame >> bit & 1 else 50]) * CELL for bit in range(BITS))
            picture[:len(row) * 16] = row * 16
            encoder.stdin.write(picture)
    if encoder.wait():
        raise AssertionError("ffmpeg failed")
    return path


def read_counts(path):
    """Decodes a video with FFmpeg. Returns the number in each frame, and FFmpeg's complaints."""
    done = subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "warning", "-i", path, "-fps_mode", "passthrough", "-vf",
                           f"scale={WIDTH}:{HEIGHT},format=gray", "-f", "rawvideo", "-"], stdin=subprocess.DEVNULL,
                          capture_output=True, check=False)
    size, data = WIDTH * HEIGHT, done.stdout
    middle = [8 * WIDTH + CELL * bit + CELL // 2 for bit in range(BITS)]
    counts = [sum((data[at + offset] > 125) << bit for bit, offset in enumerate(middle))
              for at in range(0, len(data) - size + 1, size)]
    return counts, done.stderr.decode(errors="replace")
