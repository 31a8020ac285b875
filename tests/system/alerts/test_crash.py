#!/usr/bin/python3
"""Ten kills of tests/bench/crash.py: what anybody was told of is in the database, and what it holds is delivered."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402


class Crash(harness.Case):
    def test_ten_kills(self):
        bench = os.path.join(harness.ROOT, "tests", "bench", "crash.py")
        done = subprocess.run([bench, "--kills", "10", "--cameras", "4", "--seed", "3", "--memaed", " ".join(harness.MEMAED)],
                              capture_output=True, text=True, timeout=300 * harness.SCALE, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr[-4000:])
        result = json.loads(done.stdout)
        self.assertEqual((result["kills"], result["failures"], result["open_at_the_end"]), (10, [], 0))
        self.assertGreater(result["told"], 0)
        self.assertGreaterEqual(result["deliveries"]["well"], result["events"])


if __name__ == "__main__":
    harness.main()
