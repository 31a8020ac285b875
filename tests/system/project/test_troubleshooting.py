#!/usr/bin/python3
"""docs/troubleshooting.md quotes only messages that the program has. If a message is reworded, the page must follow."""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import read  # noqa: E402

PAGE = os.path.join(harness.ROOT, "docs", "troubleshooting.md")
# Messages of the C library, FFmpeg and systemd, and values that REST shows.
FOREIGN = {"No such file or directory", "Permission denied", "Connection refused", "Connection timed out", "No route to host",
           "Start request repeated too quickly", "status=1/FAILURE", "status=78/CONFIG",
           "Watchdog timeout", "Failed with result 'oom-kill'"}


def literals():
    """Returns every string literal of the program. Adjacent ones are joined, and conversions become the page's dots."""
    found = []
    for folder in ("core", "io", "web", "daemon"):
        for path in glob.glob(os.path.join(harness.ROOT, folder, "**", "*.c"), recursive=True):
            joined = re.sub(r'"\s*(?:PRI[diux]\d+|PRIu64|PRId64)?\s*"', "", read(path))
            found += re.findall(r'"((?:\\.|[^"\\\n])*)"', joined)
    text = "\n".join(found).replace('\\"', '"')
    return re.sub(r"%[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh|h|ll|l|z|t)?[diouxXeEfgGcs]", "…", text).replace("%%", "%")


def quoted():
    """Returns the messages of the page: the texts in backquotes in the first column of its tables."""
    for row in re.findall(r"(?m)^\| (.*?) \|", read(PAGE)):
        yield from re.findall(r"`([^`]+)`", row)


class Troubleshooting(harness.Case):
    def test_messages_are_the_programs(self):
        known, counted = literals(), 0
        for message in quoted():
            if message in FOREIGN or "/" in message and not message.startswith("not "):
                continue
            for part in (p.strip(" :,") for p in message.split("…")):
                if len(part) < 4 or part.startswith("${"):
                    continue
                counted += 1
                with self.subTest(message):
                    self.assertTrue(part in known or part.replace("_", ".", 1) in known, part)     # camera.lost is camera_lost
        self.assertGreater(counted, 40)


if __name__ == "__main__":
    harness.main()
