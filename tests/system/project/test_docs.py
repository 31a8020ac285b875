#!/usr/bin/python3
"""The man page, `--help` and the documents agree: on every command, option and configuration key. The man page is well-formed,
and files that the documents name exist."""
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import read  # noqa: E402

PAGE = os.path.join(harness.ROOT, "docs", "memaed.1")
DOCUMENTS = [os.path.join(harness.ROOT, name) for name in ("README.md", "ARCHITECTURE.md")] + sorted(
    glob.glob(os.path.join(harness.ROOT, "docs", "*.md")))


def offered():
    """The options in --help: command -> {option: (letter or "", whether it takes a value)}, without --help itself."""
    commands = re.findall(r"(?m)^  ([a-z-]+(?: [a-z]+)?)  +\S", harness.run("--help").out)
    found = {}
    for command in commands:
        text = harness.run(*command.split(), "--help").out
        rows = re.findall(r"(?m)^  (?:-(\w), |    )--([a-z-]+)(?: (\S+))?(?:  |$)", text)
        assert ("h", "help", "") in rows, text
        found[command] = {name: (letter, bool(value)) for letter, name, value in rows if name != "help"}
    return found


def in_man_page(page):
    """The same from the man page's subsections."""
    found = {}
    for command, text in re.findall(r"(?ms)^\.Ss ([a-z-]+(?: [a-z]+)?)\n(.*?)(?=^\.S[sh] )", page):
        rows = re.findall(r"(?m)^\.It (?:Fl (\w) , )?Fl Fl ([a-z-]+)(?: Ar (\S+))?", text)
        found[command] = {name: (letter, bool(value)) for letter, name, value in rows}
    return found


def command_lines(text):
    """Every `memaed WORD…` in code of a Markdown text, as a list of words: in fenced blocks, in indented ones and between
    backquotes."""
    code = re.findall(r"(?ms)^```\w*\n(.*?)^```", text)
    rest = re.sub(r"(?ms)^```.*?^```", "", text)
    code += re.findall(r"(?m)^    (.*)$", rest) + [c.replace("\n", " ") for c in re.findall(r"`([^`]+)`", rest)]
    for block in code:
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"[|;&()]|\s>|…|\.\.\.", re.split(r"\s#\s", line)[0]):
                m = re.match(r"\$?\s*(?:sudo |[A-Z_]+=\S+ )*(?:\S*/)?memaed ([a-z-].*)", part.strip())
                if m:
                    yield shlex.split(m[1])


class Docs(harness.Case):
    def test_man_page_is_well_formed(self):
        if shutil.which("mandoc"):
            done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", PAGE], capture_output=True, text=True, check=False)
        else:
            done = subprocess.run(["man", "--warnings", "-l", "-E", "UTF-8", PAGE], capture_output=True, text=True,
                                  check=False, env={**os.environ, "MANPAGER": "cat"})
            done.stdout = ""
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_man_page_and_help_agree(self):
        """The same commands, and of each the same options, with the same letter and a value or none."""
        page, helps = in_man_page(read(PAGE)), offered()
        self.assertEqual(list(page), list(helps))
        for command, options in helps.items():
            with self.subTest(command):
                self.assertEqual(page[command], options)
        self.assertGreater(sum(map(len, helps.values())), 60)

    def faults_of(self, words, helps):
        """Returns what is wrong with one command line."""
        if words[0].startswith("-"):
            return [] if words[0] in ("--help", "--version") else [f"memaed has no option {words[0]}"]
        command = next((c for c in (" ".join(words[:2]), words[0]) if c in helps), None)
        if not command:                     # `memaed model` alone names its two commands
            return [] if any(c.startswith(words[0] + " ") for c in helps) and len(words) == 1 else [f"no command {words[:2]}"]
        letters = {letter for letter, _ in helps[command].values()} | {"h"}
        faults = []
        for word in words[len(command.split()):]:
            if word == "--":
                break
            name = word.split("=")[0]
            if name.startswith("--") and name[2:] not in {*helps[command], "help"}:
                faults.append(f"memaed {command} has no option {name}")
            elif re.match(r"-[a-zA-Z]", name) and name[1] not in letters:
                faults.append(f"memaed {command} has no option {name[:2]}")
        return faults

    def test_documents_use_what_there_is(self):
        """Every command line of README, ARCHITECTURE, docs and the man page's examples."""
        helps, lines = offered(), 0
        literal = re.findall(r"(?ms)^\.Bd -literal.*?\n(.*?)^\.Ed", read(PAGE))
        texts = {path: read(path) for path in DOCUMENTS} | {PAGE: "".join(f"```\n{t}```\n" for t in literal)}
        for path, text in texts.items():
            for words in command_lines(text):
                lines += 1
                with self.subTest(f"{os.path.basename(path)}: memaed {' '.join(words)}"):
                    self.assertEqual(self.faults_of(words, helps), [])
        self.assertGreater(lines, 30)

    def test_command_lines_are_found(self):
        text = ("One `memaed run --config FILE` and `build/memaed model\nshow M`; no memaed word.\n\n"
                "```sh\nsudo memaed learn --input a \\\n  b   # memaed no\nX=1 memaed score m | memaed eval x > y\n```\n\n"
                "    $ memaed bench --all\n")
        self.assertEqual(sorted(command_lines(text)), sorted([
            ["run", "--config", "FILE"], ["model", "show", "M"], ["learn", "--input", "a", "b"], ["score", "m"], ["eval", "x"],
            ["bench", "--all"]]))
        helps = {"run": {"config": ("c", True)}, "model show": {"json": ("", False)}}
        for words, n in ((["run", "-c", "x", "--config=y"], 0), (["run", "-x", "--nix"], 2), (["model"], 0),
                         (["model", "nix"], 1), (["model", "show", "--json"], 0), (["nix"], 1), (["--version"], 0),
                         (["--nix"], 1), (["run", "--", "--x"], 0)):
            self.assertEqual(len(self.faults_of(words, helps)), n, words)

    def test_man_page_knows_every_key(self):
        keys = set(re.findall(r"(?m)^ *(?:# )?([a-z_]+):(?: |$)",
                              read(os.path.join(harness.ROOT, "etc", "memaed.yml")))) - {"gate", "door", "true", "false"}
        page = read(PAGE)
        self.assertGreater(len(keys), 25)
        for key in keys:
            self.assertRegex(page, rf"(?m)^\.It Cm (?:[a-z.]+\.)?{key}\b", key)

    def test_comments_stand_at_their_key(self):
        """In etc/memaed.yml a comment is indented as the line that it leads to."""
        lines = read(os.path.join(harness.ROOT, "etc", "memaed.yml")).splitlines()
        indents = [len(line) - len(line.lstrip()) for line in lines]
        wrong = [f"{i + 1}: {line}" for i, line in enumerate(lines[:-1])
                 if line.lstrip().startswith("#") and lines[i + 1].strip() and indents[i] != indents[i + 1]]
        self.assertEqual(wrong, [])
        self.assertGreater(len(lines), 300)

    def test_readme_links(self):
        """Files that README.md and ARCHITECTURE.md name exist."""
        for name in ("README.md", "ARCHITECTURE.md"):
            text = read(os.path.join(harness.ROOT, name))
            paths = set(re.findall(r"\]\(([^)#:]+)\)", text))
            paths |= {p for p in re.findall(r"`((?:core|io|web|daemon|tests|tools|docs|etc|systemd|\.ci)/[\w./-]*)`", text)}
            missing = [p for p in paths if "NAME" not in p and not os.path.exists(os.path.join(harness.ROOT, p))]
            self.assertEqual(missing, [], name)


if __name__ == "__main__":
    harness.main()
