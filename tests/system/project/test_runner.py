#!/usr/bin/python3
"""tests/run counts what ran, and ends with a short summary: skipped cases by reason, once."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402


class Runner(harness.Case):
    def run_tests(self, **files):
        """Runs a copy of the runner over test files that print these lines. Returns its status and its lines."""
        shutil.rmtree(self.path("tests"), ignore_errors=True)
        os.makedirs(self.path("tests/system"))
        shutil.copy(os.path.join(harness.ROOT, "tests", "run"), self.path("tests/run"))
        for name, lines in files.items():
            path = self.path(f"tests/system/test_{name}.py")
            with open(path, "w", encoding="utf-8") as f:
                f.write("#!/usr/bin/python3\n" + "".join(f"print({line!r})\n" for line in lines))
            os.chmod(path, 0o755)
        done = subprocess.run([self.path("tests/run"), "--build", self.path("build")], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        return done.returncode, (done.stdout + done.stderr).splitlines()

    def test_skips_by_reason(self):
        many = [f"ok {i} - case_{i} # SKIP no such instruction" for i in range(1, 41)]
        status, lines = self.run_tests(a=[*many, "ok 41 - runs", "1..41"],
                                       b=["ok 1 - x # SKIP no network", "ok 2 - y # SKIP no such instruction", "1..2"])
        self.assertEqual(status, 0, lines)
        summary = [line for line in lines if line.startswith("SKIPPED")]
        self.assertEqual(summary, ["SKIPPED  41: no such instruction (test_a.py, test_b.py)", "SKIPPED  1: no network (test_b.py)"])
        self.assertEqual(lines[-2:], ["2 test programs exist, 2 ran", "1 passed, 0 failed, 42 skipped"])
        self.assertLess(len(lines), 12, "the summary is short")

    def test_failures_are_named(self):
        status, lines = self.run_tests(a=["ok 1 - fine", "not ok 2 - broken", "1..2"])
        self.assertEqual(status, 1, lines)
        self.assertTrue(any(line.startswith("FAILED") and "broken" in line for line in lines), lines)
        self.assertEqual(lines[-1], "1 passed, 1 failed, 0 skipped")

    def test_nothing_ran(self):
        self.assertEqual(self.run_tests()[0], 1)


if __name__ == "__main__":
    harness.main()
