#!/usr/bin/python3
"""tests/run counts the tests that ran, and ends with a short summary. It names each reason for skipped tests once."""
import os
import re
import shutil
import subprocess
import sys
import unittest.mock

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402


class Runner(harness.Case):
    def run_tests(self, *options, **files):
        """Runs a copy of the runner over test files that print these lines. A line that starts with > is Python instead. Returns
        its status and its lines."""
        shutil.rmtree(self.path("tests"), ignore_errors=True)
        os.makedirs(self.path("tests/system"))
        shutil.copy(os.path.join(harness.ROOT, "tests", "run"), self.path("tests/run"))
        for name, lines in files.items():
            path = self.path(f"tests/system/test_{name}.py")
            with open(path, "w", encoding="utf-8") as f:
                f.write("#!/usr/bin/python3\n" + "".join(f"{line[1:]}\n" if line[0] == ">" else f"print({line!r})\n"
                                                           for line in lines))
            os.chmod(path, 0o755)
        done = subprocess.run([self.path("tests/run"), "--build", self.path("build"), *options], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        return done.returncode, (done.stdout + done.stderr).splitlines()

    def test_skips_by_reason(self):
        many = [f"ok {i} - case_{i} # SKIP no such instruction" for i in range(1, 41)]
        status, lines = self.run_tests(a=[*many, "ok 41 - runs", "1..41"],
                                       b=["ok 1 - x # SKIP no network", "ok 2 - y # SKIP no such instruction", "1..2"])
        self.assertEqual(status, 0, lines)
        summary = [line for line in lines if line.startswith("SKIPPED")]
        self.assertEqual(summary, ["SKIPPED  41: no such instruction (test_a.py, test_b.py)",
                                   "SKIPPED  1: no network (test_b.py)"])
        self.assertEqual(lines[-2:], ["2 test programs exist, 2 ran", "1 passed, 0 failed, 42 skipped"])
        self.assertLess(len(lines), 12, "the summary is short")

    def test_failures_are_named(self):
        status, lines = self.run_tests(a=["ok 1 - fine", "not ok 2 - broken", "1..2"])
        self.assertEqual(status, 1, lines)
        self.assertTrue(any(line.startswith("FAILED") and "broken" in line for line in lines), lines)
        self.assertEqual(lines[-1], "1 passed, 1 failed, 0 skipped")

    def test_times(self):
        """The slowest come first. Processor time is that of a program's children, too, and not that of programs beside it."""
        child = "import time\nwhile time.process_time() < 0.6: pass"
        busy = [">import subprocess, sys", f">subprocess.run([sys.executable, '-c', {child!r}])", "ok 1 - a", "1..1"]
        idle = [">import time", ">time.sleep(3)", "ok 1 - b", "1..1"]
        status, lines = self.run_tests("--times", "2", a=busy, b=idle, c=["ok 1 - c", "1..1"])
        self.assertEqual(status, 0, lines)
        times = [re.fullmatch(r"TIME     ([0-9.]+) s, ([0-9.]+) s of the processor: tests/system/test_(\w)\.py", line)
                 for line in lines if line.startswith("TIME")]
        self.assertEqual(len(times), 2, lines)
        by_name = {m[3]: (float(m[1]), float(m[2])) for m in times}
        self.assertGreaterEqual(float(times[0][1]), float(times[1][1]))
        self.assertGreaterEqual(by_name["b"][0], 3)
        self.assertLess(by_name["b"][1], 0.5)
        self.assertGreaterEqual(by_name["a"][1], 0.6)
        self.assertFalse([line for line in self.run_tests(c=["ok 1 - c", "1..1"])[1] if line.startswith("TIME")])

    def test_time_is_over(self):
        """A program that does not end is killed with its children, which hold its output open."""
        with unittest.mock.patch.dict(os.environ, MEMAED_TEST_SCALE="0.004"):
            status, lines = self.run_tests(a=[">import subprocess", ">subprocess.run(['sleep', '1000'])"])
        self.assertEqual(status, 1, lines)
        self.assertIn("FAILED   tests/system/test_a.py: test_a.py: not finished within 4 s", lines)

    def test_nothing_ran(self):
        self.assertEqual(self.run_tests()[0], 1)


if __name__ == "__main__":
    harness.main()
