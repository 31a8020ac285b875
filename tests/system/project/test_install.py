#!/usr/bin/python3
"""`make install` copies what `make` built: no compiler runs, whatever PREFIX and CC are, and every file is in its place."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import read  # noqa: E402

BUILD = os.path.relpath(os.environ.get("MEMAED_BUILD", os.path.join(harness.ROOT, "build")), harness.ROOT)
PAGES = ("rest.md", "monitoring.md", "using.md", "glossary.md", "troubleshooting.md", "figures.md", "score.md", "experiments.md",
         "model-format.md")
PICTURES = ("snapshot.jpg", "demo-scores.svg")


def make(*args, **env):
    """make at the project's root, without the settings of a make that runs this test."""
    clean = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
    done = subprocess.run(["make", "--no-print-directory", "-C", harness.ROOT, *args], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False, env={**clean, **env})
    return done.returncode, done.stdout + done.stderr


class Install(harness.Case):
    def files(self):
        """Every file below the test's folder, with its mode."""
        return {os.path.relpath(os.path.join(folder, name), self.folder): os.stat(os.path.join(folder, name)).st_mode & 0o777
                for folder, _, names in os.walk(self.folder) for name in names}

    def install(self, prefix, **env):
        code, said = make("install", f"BUILD={BUILD}", f"DESTDIR={self.folder}", f"PREFIX={prefix}", V="1", **env)
        self.assertEqual(code, 0, said)

    def uninstall(self, prefix):
        code, said = make("uninstall", f"DESTDIR={self.folder}", f"PREFIX={prefix}")
        self.assertEqual(code, 0, said)

    def test_no_compiler_runs(self):
        """A compiler that always fails is not called, neither for another prefix nor with other flags."""
        before = os.stat(os.path.join(harness.ROOT, BUILD, "memaed")).st_mtime_ns
        for prefix in ("/usr", "/opt/x"):
            self.install(prefix, CC="false", CFLAGS="-DOTHER")
        self.assertEqual(os.stat(os.path.join(harness.ROOT, BUILD, "memaed")).st_mtime_ns, before)
        self.assertNotIn("OTHER", read(os.path.join(harness.ROOT, BUILD, "flags")))

    def test_files(self):
        self.install("/usr")
        expected = {"usr/bin/memaed": 0o755, "usr/share/man/man1/memaed.1": 0o644,
                    "usr/share/doc/memaed/examples/memaed.yml": 0o644,
                    "usr/share/doc/memaed/examples/prometheus/memaed.rules.yml": 0o644,
                    "usr/share/doc/memaed/examples/prometheus/memaed.rules_test.yml": 0o644,
                    "usr/share/doc/memaed/examples/grafana/memaed.json": 0o644, "etc/memaed/memaed.yml": 0o644,
                    "usr/lib/systemd/system/memaed.service": 0o644,
                    "usr/share/bash-completion/completions/memaed": 0o644, "usr/share/zsh/vendor-completions/_memaed": 0o644,
                    **{f"usr/share/doc/memaed/{page}": 0o644 for page in (*PAGES, *PICTURES)}}
        found = self.files()
        self.assertEqual({path: found.get(path) for path in expected}, expected)
        self.uninstall("/usr")
        self.assertEqual(self.files(), {})
        self.assertFalse(os.path.exists(self.path("etc/memaed")))

    def test_configuration_of_the_operator_stays(self):
        """install writes the example if there is no configuration. uninstall removes it if it is unchanged."""
        for prefix, config in (("/usr", "etc/memaed/memaed.yml"), ("/opt/x", "opt/x/etc/memaed/memaed.yml")):
            with self.subTest(prefix):
                path = self.path(config)
                self.install(prefix)
                self.assertEqual(read(path), read(os.path.join(harness.ROOT, "etc", "memaed.yml")))
                with open(path, "w", encoding="utf-8") as f:
                    f.write("mine\n")
                os.chmod(path, 0o600)
                self.install(prefix)
                self.uninstall(prefix)
                self.assertEqual((read(path), os.stat(path).st_mode & 0o777), ("mine\n", 0o600))
                os.unlink(path)
                os.symlink("not-mounted-yet.yml", path)
                self.install(prefix)
                self.uninstall(prefix)
                self.assertEqual(os.readlink(path), "not-mounted-yet.yml")

    def test_example_does_not_start(self):
        """install does not enable the service. memaed refuses the example with a line for each fault."""
        self.install("/usr")
        for folder, folders, names in os.walk(self.folder):
            self.assertEqual([n for n in folders + names if os.path.islink(os.path.join(folder, n))], [])
        path = self.path("etc/memaed/memaed.yml")
        for command in ("check", "run"):
            with self.subTest(command):
                done = harness.run(command, "--config", path)
                self.assertEqual(done.code, 1, done)
                lines = done.err.splitlines()
                self.assertRegex(lines[0],
                                 re.escape(path) + r":\d+:\d+: cameras\.gate\.password: expected the environment variable "
                                                   r"GATE_PASSWORD")
                self.assertRegex(lines[1],
                                 re.escape(path) + r":\d+:\d+: cameras\.gate\.model: expected a model file that exists, got")
                if command == "run":
                    self.assertIn("event=failed", lines[-1])
                    self.assertIn("memaed.yml: not started", lines[-1])

    def test_completion_is_where_shells_look(self):
        """Debian's zsh reads vendor-completions of packages, and site-functions of /usr/local. Both scripts are the program's."""
        self.install("/usr/local")
        for path, shell in (("usr/local/share/bash-completion/completions/memaed", "bash"),
                            ("usr/local/share/zsh/site-functions/_memaed", "zsh")):
            self.assertEqual(read(self.path(path)), harness.run("completion", shell).out)
        if shutil.which("zsh"):
            done = subprocess.run(["zsh", "-f", "-c", "print -l $fpath"], capture_output=True, text=True, check=True)
            self.assertLessEqual({"/usr/local/share/zsh/site-functions", "/usr/share/zsh/vendor-completions"},
                                 set(done.stdout.split()))

    def test_builds_first_what_is_missing(self):
        """Without a build, install would compile every source. Only the commands are printed here."""
        code, said = make("-n", "install", f"BUILD={self.path('none')}", f"DESTDIR={self.folder}", CC="some-compiler")
        self.assertEqual(code, 0, said)
        for source in ("daemon/main.c", "core/score/score.c"):
            self.assertRegex(said, rf"some-compiler .*-c .*{source}")

    def test_prefix_is_no_flag(self):
        """The recorded flags decide what is compiled again, and they are the same for every prefix."""
        flags = []
        for prefix in ("/usr", "/opt/x"):
            build = self.path(prefix.strip("/").replace("/", "-"))
            code, said = make(f"{build}/flags", f"BUILD={build}", f"PREFIX={prefix}", f"SYSCONFDIR={prefix}/etc")
            self.assertEqual(code, 0, said)
            flags.append(read(f"{build}/flags"))
        self.assertEqual(flags[0], flags[1])
        self.assertIn("-std=c17", flags[0])

    def test_packages_that_are_missing(self):
        """Plain `make` and `make deps` then print one command that installs them, and compile nothing."""
        programs = self.path("programs")
        os.mkdir(programs)
        for name in ("make", "sh", "bash", "find", "mkdir", "printf", "cmp", "env", "sort", "nproc"):
            os.symlink(shutil.which(name), os.path.join(programs, name))
        for name, script in (("id", "echo 1000"), ("dpkg-query", 'case "$*" in *gcc) printf installed ;; *) exit 1 ;; esac')):
            with open(os.path.join(programs, name), "w", encoding="utf-8") as f:
                f.write(f"#!/bin/sh\n{script}\n")
            os.chmod(f.name, 0o755)
        for target, more in (("all", ()), ("deps", ("check", "gnuplot-nox", "curl"))):
            with self.subTest(target=target):
                code, said = make(target, f"BUILD={self.path('build')}", PATH=programs)
                self.assertEqual(code, 2, said)
                commands = [line.split() for line in said.splitlines() if "apt-get install" in line]
                self.assertEqual(len(commands), 1, said)
                self.assertEqual(commands[0][:4], ["sudo", "apt-get", "install", "--no-install-recommends"])
                packages = commands[0][4:]
                self.assertEqual(len(packages), len(set(packages)))
                self.assertTrue({"libyaml-dev", "libavcodec-dev", "libcurl4-openssl-dev", *more} <= set(packages), said)
                self.assertNotIn("gcc", packages)
                self.assertNotIn("error:", said)


if __name__ == "__main__":
    harness.main()
