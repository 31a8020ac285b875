#!/usr/bin/python3
"""tests/arrows finds no fault in the project. In a copy with one fault of each kind, it finds each of them."""
import importlib.machinery
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402

ROOT = harness.ROOT

# (file, the line that is added to it, the text of the refusal)
FORBIDDEN = [
    ("core/error.c", '#include "io/base/json.h"', "core may not include io/base/json.h"),
    ("core/error.c", '#include "core/network/arch.h"', "core may not include core/network/arch.h"),
    ("core/kernels/kernels.c", '#include "core/network/arch.h"', "core/kernels may not include core/network/arch.h"),
    ("core/network/plan.c", '#include "core/score/score.h"', "core/network may not include core/score/score.h"),
    ("core/score/score.c", '#include "core/evaluation/motion.h"', "core/score may not include core/evaluation/motion.h"),
    ("core/score/score.c", "#include <pthread.h>", "core may not use pthread.h"),
    ("core/rng.c", "#include <time.h>", "core may not use time.h"),
    ("io/base/json.c", '#include "io/video/source.h"', "io/base may not include io/video/source.h"),
    ("io/video/gray.c", '#include "web/view.h"', "io/video may not include web/view.h"),
    ("io/video/gray.c", '#include "core/network/arch.h"', "io/video may not include core/network/arch.h"),
    ("web/server.c", '#include "core/score/score.h"', "web may not include core/score/score.h"),
    ("web/handlers/health.c", "#include <jansson.h>", "web/handlers may not use jansson.h"),
    ("io/video/gray.c", "#include <yaml.h>", "io/video may not use yaml.h"),
    ("io/model/model_file.c", '#include "daemon/base/log.h"', "io/model may not include daemon/base/log.h"),
    ("web/server.c", '#include "io/config/config.h"', "web may not include io/config/config.h"),
    ("web/server.c", '#include "daemon/base/log.h"', "web may not include daemon/base/log.h"),
    ("daemon/base/log.c", '#include "daemon/watch/events.h"', "daemon/base may not include daemon/watch/events.h"),
    ("daemon/learn/learn.c", '#include "daemon/watch/check.h"', "daemon/learn may not include daemon/watch/check.h"),
    ("daemon/measure/clip.c", '#include "daemon/learn/windows.h"', "daemon/measure may not include daemon/learn/windows.h"),
    ("daemon/bench/bench.c", '#include "daemon/model/prototypes.h"', "daemon/bench may not include daemon/model/prototypes.h"),
    ("daemon/model/model.c", '#include "daemon/bench/bench_plan.h"', "daemon/model may not include daemon/bench/bench_plan.h"),
    ("daemon/learn/learn.c", '#include "web/server.h"', "daemon/learn may not include web/server.h"),
    ("daemon/base/log.c", "  #  include   <microhttpd.h>", "daemon/base may not use microhttpd.h"),
]


class Arrows(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="memaed-arrows-")
        self.addCleanup(shutil.rmtree, self.root)
        for top in ("core", "io", "web", "daemon"):
            shutil.copytree(os.path.join(ROOT, top), os.path.join(self.root, top))

    def arrows(self, root):
        done = subprocess.run([os.path.join(ROOT, "tests", "arrows"), root], stderr=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stderr

    def test_finds_nothing_in_the_project(self):
        self.assertEqual(self.arrows(ROOT), (0, ""))

    def test_refuses_each_forbidden_arrow(self):
        for path, line, said in FORBIDDEN:
            with self.subTest(path=path, line=line):
                file = os.path.join(self.root, path)
                with open(file, encoding="utf-8") as f:
                    before = f.read()
                with open(file, "w", encoding="utf-8") as f:
                    f.write(line + "\n" + before)
                status, text = self.arrows(self.root)
                with open(file, "w", encoding="utf-8") as f:
                    f.write(before)
                self.assertEqual(status, 1)
                self.assertIn(f"{path}:1: {said}", text)
                self.assertEqual(len(text.splitlines()), 1, text)

    def test_lists_no_arrow_that_is_not_used(self):
        listed = importlib.machinery.SourceFileLoader("arrows", os.path.join(ROOT, "tests", "arrows")).load_module()
        for room, targets in listed.ROOMS.items():
            included = set()
            for name in os.listdir(os.path.join(ROOT, room)):
                if name.endswith((".c", ".h")):
                    with open(os.path.join(ROOT, room, name), encoding="utf-8") as f:
                        included |= {os.path.dirname(h) for h in re.findall(r'(?m)^#include "([^"]+)"', f.read())}
            self.assertEqual(set(targets) - included, set(), room)

    def test_refuses_an_unknown_room(self):
        os.makedirs(os.path.join(self.root, "daemon", "attic"))
        with open(os.path.join(self.root, "daemon", "attic", "box.c"), "w", encoding="utf-8") as f:
            f.write("int box;\n")
        self.assertEqual(self.arrows(self.root), (1, "daemon/attic: not a room of ROOMS in tests/arrows\n"))

    def test_refuses_a_long_file(self):
        with open(os.path.join(self.root, "io", "footage", "long.c"), "w", encoding="utf-8") as f:
            f.write("\n" * 601)
        self.assertEqual(self.arrows(self.root), (1, "io/footage/long.c: 601 lines; a source file has at most 600\n"))

    def test_refuses_a_full_folder(self):
        for i in range(25):
            with open(os.path.join(self.root, "io", "sinks", f"h{i}.c"), "w", encoding="utf-8") as f:
                f.write("\n")
        status, text = self.arrows(self.root)
        self.assertEqual(status, 1)
        self.assertRegex(text, r"\d+ source files; a folder has at most 24\n$")


if __name__ == "__main__":
    harness.main()
