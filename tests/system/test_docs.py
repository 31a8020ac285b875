#!/usr/bin/python3
"""What is written down is so: the man page is well-formed and knows every subcommand, option and configuration key."""
import os
import re
import shutil
import subprocess

import harness

PAGE = os.path.join(harness.ROOT, "docs", "memaed.1")


class Docs(harness.Case):
    def test_man_page_is_well_formed(self):
        if shutil.which("mandoc"):
            done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", PAGE], capture_output=True, text=True, check=False)
        else:
            done = subprocess.run(["man", "--warnings", "-l", "-E", "UTF-8", PAGE], capture_output=True, text=True,
                                  check=False, env={**os.environ, "MANPAGER": "cat"})
            done.stdout = ""
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_man_page_knows_every_option(self):
        with open(PAGE, encoding="utf-8") as f:
            page = f.read().replace("\\-", "-").replace("\\&", "")
        told = set(re.findall(r"(?m)^\.(?:It )?Fl Fl ([a-z][a-z-]*)", page)) | set(re.findall(r"Fl -([a-z][a-z-]*)", page))
        offered = set()
        for name in ("run", "check", "learn", "calibrate", "score", "eval", "model", "bench"):
            self.assertIn(f".Cm {name}", page)
            offered |= set(re.findall(r"--([a-z][a-z-]+)", harness.run(name, "--help").out))
        self.assertEqual(offered - told, set(), "options that the man page does not tell")
        self.assertEqual(told - offered - {"version"}, set(), "options that there are not")

    def test_man_page_knows_every_key(self):
        with open(os.path.join(harness.ROOT, "etc", "memaed.yml"), encoding="utf-8") as f:
            keys = set(re.findall(r"(?m)^ *(?:# )?([a-z_]+):(?: |$)", f.read())) - {"gate"}
        with open(PAGE, encoding="utf-8") as f:
            page = f.read()
        for key in keys:
            self.assertRegex(page, rf"(?m)^\.It Cm (?:[a-z.]+\.)?{key}\b", key)

    def test_readme_links(self):
        """Files that README.md and ARCHITECTURE.md name are there."""
        for name in ("README.md", "ARCHITECTURE.md"):
            with open(os.path.join(harness.ROOT, name), encoding="utf-8") as f:
                text = f.read()
            paths = set(re.findall(r"\]\(([^)#:]+)\)", text))
            paths |= {p for p in re.findall(r"`((?:core|io|web|daemon|tests|tools|docs|etc|systemd|\.ci)/[\w./-]*)`", text)}
            missing = [p for p in paths if "NAME" not in p and not os.path.exists(os.path.join(harness.ROOT, p))]
            self.assertEqual(missing, [], name)


if __name__ == "__main__":
    harness.main()
