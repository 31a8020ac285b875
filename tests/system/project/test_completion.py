#!/usr/bin/python3
"""The scripts of `memaed completion`, in interactive shells on a terminal: what bash and zsh offer at the Tab key.

In these shells Tab inserts everything that is offered, and `memaed` is a function that writes its arguments to a file."""
import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402

FILES, FOLDERS = ("a b.yml", "a.mp4", "it's"), ("folder", "other folder")     # files that the shells find in the test's folder
PATHS = {"FILE": FILES + FOLDERS, "MODEL": FILES + FOLDERS, "PATH…": FILES + FOLDERS, "NAME|FILE": FILES + FOLDERS,
         "DIR": FOLDERS}

PROMPT = "ready> "
BASH_RC = """
PS1='ready> '
memaed() { printf '%s\\n' "$@" >"$OUT.new"; mv "$OUT.new" "$OUT"; }
bind '"\\t": insert-completions' 'set enable-bracketed-paste off'
source "$SCRIPT"
"""
ZSH_RC = """
PS1='ready> '
memaed() { printf '%s\\n' "$@" >"$OUT.new"; mv "$OUT.new" "$OUT" }
fpath=("${SCRIPT:h}" $fpath)
autoload -Uz compinit && compinit -u -d "$OUT.dump"
insert_all() { _main_complete; compstate[insert]=all compstate[list]= }
zle -C insert_all complete-word insert_all
bindkey '^I' insert_all
bindkey '^X' list-choices
unset zle_bracketed_paste
"""


def tables():
    """Returns the options in --help: command -> its options as (letter or "", name, argument or "")."""
    commands = re.findall(r"(?m)^  ([a-z-]+(?: [a-z]+)?)  +\S", harness.run("--help").out)
    return {command: re.findall(r"(?m)^  (?:-(\w), |    )--([a-z-]+)(?: (\S+))?(?:  |$)",
                                harness.run(*command.split(), "--help").out)
            for command in commands}


class Shell:
    """An interactive shell on a terminal of its own, in the folder `folder`."""

    def __init__(self, argv, folder, env):
        self.out = os.path.join(folder, "..", "out")
        self.master, terminal = pty.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 4000, 0, 0))
        self.screen = b""
        self.process = subprocess.Popen(argv, cwd=folder, stdin=terminal, stdout=terminal, stderr=terminal,
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
                                        env={**os.environ, "TERM": "vt100", "LC_ALL": "C.UTF-8", "INPUTRC": "/dev/null",
                                             "OUT": self.out, "HISTFILE": "/dev/null", **env})
        os.close(terminal)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while data := os.read(self.master, 65536):
                self.screen += data
        except OSError:
            pass

    def type(self, text):
        os.write(self.master, text.encode())

    def arguments(self, line):
        """Returns memaed's arguments after Tab was pressed at the end of a line."""
        if os.path.exists(self.out):
            os.unlink(self.out)
        seen = len(self.screen)
        self.type(line + "\t\n")
        try:
            harness.wait_for("memaed runs", lambda: os.path.exists(self.out), 20, 0.005)
        except AssertionError as e:
            raise AssertionError(f"{e}: {line!r}\n{self.screen[seen:].decode(errors='replace')}") from None
        with open(self.out, encoding="utf-8") as f:
            return f.read().split("\n")[:-1]

    def offered(self, line):
        """Returns the words that are offered at the end of a line without quotes."""
        *words, word = line.split(" ")[1:]
        found = self.arguments(line)
        assert found[:len(words)] == words, (line, found)
        found = found[len(words):]
        option = word.partition("=")[0] + "="       # zsh repeats it before each value
        return [] if found in ([word], [""]) else sorted(w.removeprefix(option).rstrip("/") for w in found)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


class Common:
    """The tests of both shells. A subclass names one, and open() starts it."""

    def setUp(self):
        super().setUp()
        if not shutil.which(self.shell):
            raise unittest.SkipTest(f"{self.shell} is not installed")
        self.work = self.path("work")
        for folder in FOLDERS:
            os.makedirs(os.path.join(self.work, folder))
        for name in FILES:
            with open(os.path.join(self.work, name), "xb"):
                pass
        done = harness.run("completion", self.shell)
        self.assertEqual((done.code, done.err), (0, ""))
        self.script = self.path("_memaed")
        with open(self.script, "w", encoding="utf-8") as f:
            f.write(done.out)

    def start(self, rc, *argv):
        with open(self.path("rc"), "w", encoding="utf-8") as f:
            f.write(rc)
        shell = Shell(argv, self.work, {"SCRIPT": self.script, "ZDOTDIR": self.folder})
        self.addCleanup(shell.close)
        harness.wait_for("the prompt", lambda: PROMPT.encode() in shell.screen, 20)
        return shell

    def check(self, shell, cases):
        for line, expected in cases:
            with self.subTest(line):
                self.assertEqual(shell.offered(line), sorted(expected))

    def test_syntax(self):
        done = subprocess.run([self.shell, "-n", self.script], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_commands(self):
        commands, shell = tables(), self.open()
        words = {command.split()[0] for command in commands}
        seconds = {c.split()[1] for c in commands if c.startswith("model ")}
        self.check(shell, (("memaed ", words | {"help"}), ("memaed help ", words), ("memaed ch", ["check"]), ("memaed nix", []),
                           ("memaed model ", seconds), ("memaed help model ", seconds), ("memaed model sh", ["show"]),
                           ("memaed help model show ", []), ("memaed help run ", []), ("memaed model nix ", []),
                           ("memaed nix ", []), ("memaed nix nix ", []),
                           ("memaed -", ["-h", "--help", "--version"]), ("memaed model -", ["-h", "--help"])))

    def test_every_option(self):
        """Each option of --help is offered. At its value, the values in --help are offered."""
        shell = self.open()
        profiles = re.search(r"expected (.*), got", harness.run("learn", "--profile", "x").err)[1]
        profiles = profiles.replace(" or ", ", ").split(", ")
        n = 0
        for command, options in tables().items():
            names = {f"--{name}" for _, name, _ in options}
            letters = {f"-{letter}" for letter, _, _ in options if letter}
            self.check(shell, ((f"memaed {command} -", names | letters), (f"memaed {command} --", names)))
            for letter, name, argument in options:
                n += 1
                expected = (PATHS.get(argument) or (profiles if name == "profile" else argument.split("|") if "|" in argument
                                                    else ()))
                if argument:
                    self.check(shell, ((f"memaed {command} --{name} ", expected), (f"memaed {command} --{name}=", expected)))
                    if letter:
                        self.check(shell, ((f"memaed {command} -{letter} ", expected),))
        self.assertGreater(n, 60)

    def test_words(self):
        """The words before the cursor decide what is offered for the word at it."""
        shell = self.open()
        everything = FILES + FOLDERS
        run = ["--config", "--help", "--verbose", "-c", "-h", "-v"]
        self.check(shell, (
            ("memaed score --precision=i", ["int8"]), ("memaed score --precision i", ["int8"]),
            ("memaed score --precision x", []), ("memaed score --format=csv --precision f", ["fp32"]),
            ("memaed score --static ", everything), ("memaed score --static --form", ["--format"]),
            ("memaed score --threads 2 a", ["a b.yml", "a.mp4"]), ("memaed learn --input a.mp4 ", everything),
            ("memaed learn --input x --calibrate y f", ["folder"]), ("memaed eval --normal a.mp4 ", everything),
            ("memaed eval --normal=a.mp4 --stride 2 f", ["folder"]), ("memaed eval --clips=f", ["folder"]),
            ("memaed eval --clips a", []), ("memaed run --config a", ["a b.yml", "a.mp4"]), ("memaed run -vc a.", ["a.mp4"]),
            ("memaed run -v --conf", ["--config"]), ("memaed score rtsp://host:554/x --form", ["--format"]),
            ("memaed model show ", everything), ("memaed model show --json f", ["folder"]),
            ("memaed model prototypes --output ", FOLDERS), ("memaed completion ", ["bash", "zsh"]),
            ("memaed completion b", ["bash"]), ("memaed score -- --form", []), ("memaed score -- f", ["folder"]),
            ("memaed run --verbose=", []), ("memaed run --nix=", []), ("memaed run ", run),
            ("memaed bench --all --tab", ["--table"]), ("memaed eval --clips x y", [])))

    def test_file_names_are_quoted(self):
        shell = self.open()
        self.assertEqual(shell.arguments("memaed run --config a\\ "), ["run", "--config", "a b.yml"])
        self.assertEqual(shell.arguments("memaed run --config 'a "), ["run", "--config", "a b.yml"])
        self.assertEqual(shell.arguments("memaed eval --clips other\\ "), ["eval", "--clips", "other folder"])


class Bash(Common, harness.Case):
    shell = "bash"

    def open(self, more=""):
        return self.start(BASH_RC + more, "bash", "--noprofile", "--rcfile", self.path("rc"), "-i")

    def test_words_that_readline_does_not_divide(self):
        """The same is offered if "=" and ":" do not divide words. Readline then completes no file after "="."""
        shell = self.open("COMP_WORDBREAKS=${COMP_WORDBREAKS//[=:]}\n")
        self.assertEqual(shell.arguments("memaed score --format="), ["score", "--format=csv", "--format=jsonl"])
        self.assertEqual(shell.arguments("memaed score --precision=i"), ["score", "--precision=int8"])
        self.check(shell, (("memaed score --threads=2 --form", ["--format"]), ("memaed score rtsp://h:1/x --form", ["--format"])))

    def test_cursor_inside_a_word(self):
        """The part of a word after the cursor does not count."""
        self.assertEqual(self.open().arguments("memaed score --formula" + "\x02" * 4), ["score", "--format", "mula"])


class Zsh(Common, harness.Case):
    shell = "zsh"

    def open(self, rc=ZSH_RC):
        os.symlink("rc", self.path(".zshrc"))
        return self.start(rc, "zsh", "-d", "-i")

    def test_sourced(self):
        self.check(self.open(ZSH_RC.replace('fpath=("${SCRIPT:h}" $fpath)', "") + 'source <(cat "$SCRIPT")\n'),
                   (("memaed ch", ["check"]), ("memaed model sh", ["show"])))

    def test_descriptions(self):
        """zsh lists each option with the first sentence of its help. Brackets, colons and quotes in it stand as they are."""
        shell = self.open()
        for line, expected in (("memaed ", r"run +-- watch cameras: the daemon, in the foreground"),
                               ("memaed model ", r"prototypes +-- show a model's memory as pictures"),
                               ("memaed model show --", r"--json +-- Print one JSON object[^.\w]"),
                               ("memaed learn -", r"--input +-i +-- Footage to learn from, oldest first[^.\w]"),
                               ("memaed score --", r"--dump +-- Also .* for every window: z and z_hat \[C,t,h,w\]; weights \["),
                               ("memaed learn --", r"--fps +-- .* \(default: 0, or the camera's in the configuration\)[^.\w]")):
            with self.subTest(line):
                seen = len(shell.screen)
                shell.type(line + "\x18")
                harness.wait_for(f"{line}: {expected}",
                                 lambda n=seen: re.search(expected, shell.screen[n:].decode(errors="replace")), 10)
                shell.type("\x15")


if __name__ == "__main__":
    harness.main()
