#!/usr/bin/python3
"""The command line: help, exit statuses (0; 1: it failed; 2: wrong usage), standard output and error. Also: `check`."""
import json
import os
import re
import resource
import subprocess

import harness

COMMANDS = ("run", "check", "learn", "calibrate", "score", "eval", "explain", "health", "model", "model show", "model prototypes",
            "bench", "test-alert",
            "completion")


class Cli(harness.Case):
    def test_help(self):
        top = harness.run("--help")
        self.assertEqual(top.code, 0)
        for name in COMMANDS:
            with self.subTest(name):
                self.assertIn(name, top.out)
                for option in ("--help", "-h"):
                    command = harness.run(*name.split(), option)
                    self.assertEqual((command.code, command.err), (0, ""))
                    self.assertIn("Usage: memaed " + name, command.out)
                    self.assertLessEqual(max(map(len, command.out.splitlines())), 80)

    def test_help_as_a_command(self):
        for command in ((), ("learn",), ("model", "show"), ("model",)):
            with self.subTest(command=command):
                self.assertEqual(harness.run("help", *command)[:3], harness.run(*command, "--help")[:3])
        self.assertTrue(harness.run("help", "nonsense").err.startswith("memaed: nonsense: no such command\n"))

    def test_messages(self):
        for args, message in (
                ("learn --steps abc", "memaed learn: --steps: expected a whole number from 1 to 100000000, got \"abc\""),
                ("learn --size=50x50",
                 "memaed learn: --size: expected WIDTHxHEIGHT, multiples of 16 from 16 to 4096, got \"50x50\""),
                ("learn", "memaed learn: expected --input, or --config, --camera and --hours"),
                ("eval --clips d", "memaed eval: --model MODEL is missing"),
                ("score --model m --prec x i", "memaed score: --precision: expected fp32, int8 or auto, got \"x\""),
                ("bench --precision auto", "memaed bench: --precision: expected fp32 or int8, got \"auto\""),
                ("explain -m m --peak --at 3 i", "memaed explain: --frame, --at and --peak: expected one of them"),
                ("explain -m m a b", "memaed explain: expected 1 INPUT, got 2"),
                ("model show a b", "memaed model show: expected 1 MODEL, got 2"),
                ("completion", "memaed completion: SHELL is missing: bash or zsh"),
                ("completion fish", "memaed completion: expected bash or zsh, got \"fish\""),
                ("model nonsense", "memaed model: expected show or prototypes, got \"nonsense\""),
                ("model", "memaed model: expected show or prototypes after it")):
            with self.subTest(args):
                command = harness.run(*args.split())
                name = re.match(r"memaed ([a-z ]+): ", message)[1]
                self.assertEqual((command.code, command.err), (2, f"{message}\nTry 'memaed {name} --help'.\n"))
        self.assertTrue(harness.run("nonsense").err.startswith("memaed: nonsense: no such command\n"))

    def test_help_names_every_profile(self):
        profiles = re.search(r"expected (.*), got", harness.run("learn", "--profile", "x").err)[1]
        profiles = profiles.replace(" or ", ", ").split(", ")
        self.assertIn("small-ae", profiles)
        for command in ("learn", "bench"):
            self.assertEqual([p for p in profiles if not re.search(rf"\b{p}\b", harness.run(command, "--help").out)], [])

    def test_version(self):
        command = harness.run("--version")
        self.assertEqual(command.code, 0)
        self.assertRegex(command.out, r"^memaed \d+\.\d+\.\d+\n$")

    def test_little_memory(self):
        """Under any limit of address space the program ends by itself. exit() once hung because a library could not start its
        threads."""
        if os.environ.get("MEMAED_TEST_SAN"):
            self.skipTest("a limit of address space leaves no room for a sanitizer")
        for mib in range(180, 420, 20):
            with self.subTest(mib=mib):
                subprocess.run([*harness.MEMAED, "--version"], stdin=subprocess.DEVNULL, capture_output=True,
                               timeout=20 * harness.SCALE, check=False,
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20)))

    def test_usage(self):
        for args in ((), ("nonsense",), ("--nonsense",), ("run",), ("check",), ("learn",), ("score",), ("eval",), ("model",),
                     ("model", "nonsense"), ("model", "show"), ("model", "show", "--limit", "3", "m"),
                     ("model", "prototypes", "m"), ("model", "prototypes", "--output", "d"),
                     ("model", "prototypes", "--output", "d", "--json", "m"),
                     ("model", "prototypes", "--output", "d", "--limit", "0", "m"),
                     *((*name.split(), "--nonsense") for name in COMMANDS), ("score", "--model"),
                     ("score", "--model", "m", "--stride", "x", "in"), ("score", "--model", "m", "--stride", "0", "in"),
                     ("score", "--model", "m", "--fps", "-1", "in"), ("score", "--model", "m", "--format", "xml", "in"),
                     ("bench", "--threads", "0"), ("bench", "--batch", "4"), ("bench", "--stride", "0"),
                     ("bench", "--train", "--stride", "1"), ("bench", "--all", "--train"),
                     ("bench", "--table", "--precision", "int8"), ("bench", "--rate", "5"), ("bench", "--train", "--batch", "1"),
                     ("learn", "--input", "x", "--output", "y", "--time-limit", "soon"),
                     ("learn", "--input", "x", "--output", "y", "--profile", "none-such")):
            with self.subTest(" ".join(args)):
                command = harness.run(*args)
                self.assertEqual(command.code, 2, command.err)
                self.assertEqual(command.out, "")
                self.assertTrue(command.err)

    def test_failures(self):
        model = harness.write_model(self.path("model.safetensors"))
        with open(self.path("text"), "w", encoding="utf-8") as f:
            f.write("no model\n")
        nowhere = self.path("nowhere")
        for args in (("run", "--config", nowhere), ("check", "--config", nowhere), ("score", "--model", nowhere, "x.mkv"),
                     ("score", "--model", self.path("text"), "x.mkv"), ("score", "--model", model, nowhere),
                     ("model", "show", nowhere), ("model", "show", self.path("text")),
                     ("learn", "--input", nowhere, "--output", self.path("out")),
                     ("eval", "--model", model, "--clips", nowhere, "--labels", nowhere),
                     ("bench", "--arch", nowhere)):
            with self.subTest(" ".join(args[:2])):
                command = harness.run(*args)
                self.assertEqual(command.code, 1, command.err)
                named = [a for a in args if os.path.basename(a) in ("nowhere", "text")]
                self.assertTrue(any(os.path.basename(n) in command.err + command.out for n in named), command.err)
        self.assertFalse(os.path.exists(self.path("out")))

    def test_messages_name_a_file_once(self):
        """A message begins with the file's name as it was given, and names it only there."""
        model = harness.write_model(self.path("m.safetensors"), calibration=harness.OWN_CALIBRATION)
        clip = harness.write_clip(self.path("c.mkv"))
        for name, content in (("bad.mp4", "x"), ("empty.mp4", ""), ("labels", "c 0\n")):
            with open(self.path(name), "w", encoding="utf-8") as f:
                f.write(content)
        os.mkdir(self.path("pics"))
        inputs = ("none.mp4", "./bad.mp4", "pics/../empty.mp4", "pics")
        commands = [("score", "--model", model, i) for i in inputs]
        commands += [("score", "--model", i, clip) for i in inputs]
        commands += [(c, *more, "--input", i, "--output", "o.safetensors")
                     for c, *more in (("learn",), ("calibrate", "--model", model))
                     for i in inputs]
        commands += [("calibrate", "--model", model, "--input", clip, "--output", i) for i in ("pics", "none/o")]
        commands += [("model", "show", i) for i in inputs] + [("bench", "--model", i) for i in inputs]
        commands += [("check", "--config", i) for i in inputs] + [("run", "--config", i) for i in inputs]
        commands += [("eval", "--model", model, "--clips", "pics", "--labels", i) for i in (*inputs, "labels")]
        for command in commands:
            with self.subTest(command):
                done = harness.run(*command, cwd=self.folder)
                self.assertEqual(done.code, 1)
                told = [line for line in done.err.splitlines() if "event=" not in line and not line.startswith("[")][-1]
                wrong = [w for w in command if w not in (model, clip) and ("." in w or w in ("pics", "labels", "none/o"))]
                self.assertTrue(any(told.count(w) == 1 for w in wrong), told)
                for w in wrong:
                    self.assertLessEqual(told.count(w), 1, told)

    def test_bench_train(self):
        model = harness.write_model(self.path("model.safetensors"))
        command = harness.run("bench", "--train", "--model", model, "--batch", 3, "--threads", 2, "--seconds", 0.1)
        self.assertEqual(command.code, 0, command.err)
        figures = json.loads(command.out)
        self.assertEqual((figures["batch"], figures["threads"]), (3, 2))
        self.assertGreaterEqual(figures["steps"], 3)
        self.assertAlmostEqual(figures["cubes_per_s"] * figures["seconds_per_cube"], 1, 5)

    def test_bench_stride(self):
        model = harness.write_model(self.path("model.safetensors"))
        for precision in ("fp32", "int8"):
            command = harness.run("bench", "--model", model, "--precision", precision, "--stride", 2, "--threads", 2,
                                  "--seconds", 0.1)
            self.assertEqual(command.code, 0, command.err)
            figures = json.loads(command.out)
            self.assertEqual(figures["stride"], 2)
            self.assertAlmostEqual(figures["share_of_cube"] * figures["seconds_per_cube"] / figures["seconds_per_window"], 1, 5)
            self.assertGreater(figures["history_bytes"], 0)

    def test_bench_all(self):
        model = harness.write_model(self.path("model.safetensors"))
        command = harness.run("bench", "--all", "--model", model, "--threads", 2, "--rate", 4, "--seconds", 0.02)
        self.assertEqual(command.code, 0, command.err)
        survey = json.loads(command.out)
        self.assertEqual([p["precision"] for p in survey["precisions"]], ["fp32", "int8"])
        for precision in survey["precisions"]:
            self.assertEqual([t["threads"] for t in precision["threads"]], [1, 2])
            self.assertEqual([s["stride"] for s in precision["sliding"]], [1, 2, 4])
            self.assertEqual(precision["cameras"]["cameras"], int(precision["cameras"]["windows_per_s"] / 4))
            steps = precision["steps"]
            self.assertEqual([s["step"] for s in steps], ["pictures", *(f"encoder {i}" for i in range(4)), "memory",
                                                          *(f"decoder {i}" for i in range(4)), "residual"])
            self.assertAlmostEqual(sum(s["gflop"] for s in steps), survey["gflop_per_cube"], 6)
        table = harness.run("bench", "--table", "--model", model, "--threads", 2, "--seconds", 0.02)
        self.assertEqual(table.code, 0, table.err)
        for word in ("fp32", "int8", "1 thread", "2 threads", "stride 4", "cameras at 5 windows a second", "decoder 3"):
            self.assertIn(word, table.out)

    def test_bench_all_of_a_table(self):
        """A model of table rows is measured in one precision and without sliding windows."""
        command = harness.run("bench", "--all", "--model", os.path.join(harness.ROOT, "tests", "golden", "kddcup.safetensors"),
                              "--threads", 1, "--seconds", 0.02)
        self.assertEqual(command.code, 0, command.err)
        survey = json.loads(command.out)
        self.assertEqual([(p["precision"], p["sliding"], p["steps"]) for p in survey["precisions"]], [("fp32", None, None)])

    def test_model_show(self):
        model = harness.write_model(self.path("model.safetensors"), slots=20)
        command = harness.run("model", "show", model)
        self.assertEqual(command.code, 0, command.err)
        for word in ("conv3d", "deconv3d", "20", "cosine"):
            self.assertIn(word, command.out)

    def test_model_prototypes(self):
        model = harness.write_model(self.path("model.safetensors"), slots=3)
        command = harness.run("model", "prototypes", model, "-o", self.path("pictures"))
        self.assertEqual((command.code, command.out), (0, ""), command.err)
        self.assertIn("does not say how much", command.err)
        self.assertEqual(sorted(os.listdir(self.path("pictures"))), [f"00{i}-slot00{i}.png" for i in range(3)])
        command = harness.run("model", "prototypes", os.path.join(harness.ROOT, "tests", "golden", "kddcup.safetensors"), "-o",
                              self.path("none"))
        self.assertEqual(command.code, 1)
        self.assertIn("kddcup.safetensors: a model of table rows", command.err)
        self.assertFalse(os.path.exists(self.path("none")))

    def test_output_that_cannot_be_written(self):
        """A full disk gives exit status 1, not a result that is cut short in silence."""
        model = harness.write_model(self.path("model.safetensors"))
        clip, learned = harness.write_clip(self.path("clip.mkv"), seconds=10), self.path("learned.safetensors")
        for command in (("score", "--model", model, clip), ("model", "show", model), ("eval", "--help"),
                        ("health", clip), ("health", "--seconds", "--format", "jsonl", clip),
                        ("learn", "--input", clip, "--output", learned, "--profile", "nano", "--batch", "4", "--steps", "40"),
                        ("calibrate", "--model", learned, "--input", clip, "--output", learned)):
            with self.subTest(command), open("/dev/full", "wb") as full:
                done = subprocess.run([*harness.MEMAED, *command], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
                                      timeout=60 * harness.SCALE, check=False)
                self.assertEqual(done.returncode, 1, done.stderr)
                if "--help" not in command:
                    self.assertIn(b"standard output: No space left on device", done.stderr)

    # -- check

    def check(self, text):
        path = self.path("memaed.yml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return harness.run("check", "--config", path)

    def test_check_good(self):
        harness.write_model(self.path("gate.safetensors"))
        command = self.check("cameras: {gate: {source: 'rtsp://127.0.0.1/live', model: gate.safetensors, fps: 10,"
                             " alert: {threshold: 0.1}}}\n")
        self.assertEqual(command.code, 0, command.out + command.err)

    def test_check_warns_of_exposure(self):
        """A setting that lets others on the network read or do something gets a warning. A webhook's path is not shown."""
        harness.write_model(self.path("gate.safetensors"))
        camera = "cameras: {gate: {source: 'rtsp://127.0.0.1/live', model: gate.safetensors, fps: 10, alert: {threshold: 0.1}}}\n"
        for text, warnings in (("http: {listen: '127.0.0.2:0'}\n", ()), ("http: {listen: '[::1]:0'}\n", ()),
                               ("http: {listen: '0.0.0.0:0'}\n", ("http.listen: warning: other machines can reach 0.0.0.0, ",)),
                               ("http: {listen: '[::]:0'}\n", ("http.listen: warning: other machines can reach ::, ",)),
                               ("webhooks: [{url: 'http://127.0.0.1:9/h'}, {url: 'https://example.org/hunter2'}, "
                                "{url: 'HTTP://u:hunter2@example.org/hunter2'}, {url: 'http://u@localhost/h'}, "
                                "{url: 'http://[::1]:9/h'}, {url: 'http://127.0.0.1.example.org/h'}, {url: "
                                "'http://localhost.example.org'}]\n",
                                tuple(f"webhooks[{i}].url: warning: http:// to another machine: " for i in (2, 5, 6)))):
            with self.subTest(text=text):
                command = self.check(text + camera)
                said = [line for line in (command.out + command.err).splitlines() if "warning: " in line]
                inside = [line for line in said if "warning: holds a password" in line]
                self.assertEqual([line.split(": ")[1] for line in inside], ["webhooks[2]"] if "u:hunter2" in text else [])
                said = [line for line in said if line not in inside]
                self.assertEqual((command.code, len(said)), (0, len(warnings)), command)
                for line, warning in zip(said, warnings):
                    self.assertTrue(line.startswith(f"{self.path('memaed.yml')}: {warning}"), line)
                self.assertNotIn("hunter2", command.out + command.err)

    def test_check_reports_all_faults(self):
        harness.write_model(self.path("gate.safetensors"))
        text = "\n".join(("stat_dir: /tmp",                             # 1: unknown key
                          "workers: many",                              # 2: wrong type
                          "http:",
                          "  listen: 127.0.0.1:99999",                  # 4: out of range
                          "cameras:",
                          "  gate:",
                          "    source: rtsp://127.0.0.1/live",
                          "    model: nowhere.safetensors",             # 8: missing file
                          "    stride: 0",                              # 9: out of range
                          "  gate:",                                    # 10: twice
                          "    source: rtsp://127.0.0.1/live",
                          "    model: gate.safetensors",
                          "  'Not A Name':",                            # 13: no name
                          "    source: rtsp://127.0.0.1/live",
                          "    model: gate.safetensors",
                          "webhooks:",
                          "  - url: https://${MEMAED_TEST_NOT_SET}/",   # 17: not set
                          "    events: [alert.closd]", ""))             # 18: not one of them
        command = self.check(text)
        self.assertEqual(command.code, 1)
        found = re.findall(r"(?m)^\S*memaed\.yml:(\d+):(\d+): \S", command.out + command.err)
        self.assertEqual(sorted({int(line) for line, _ in found}), [1, 2, 4, 8, 9, 10, 13, 17, 18], command.out + command.err)
        self.assertEqual(harness.run("run", "--config", self.path("memaed.yml")).code, 1)

    def test_example_configuration(self):
        """etc/memaed.yml has no fault if its files exist and its environment is set."""
        with open(os.path.join(harness.ROOT, "etc", "memaed.yml"), encoding="utf-8") as f:
            text = f.read()
        harness.write_model(self.path("gate.safetensors"))
        with open(self.path("webhook-secret"), "w", encoding="utf-8") as f:
            f.write("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\n")
        path = self.path("memaed.yml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        env = {"GATE_PASSWORD": "x", "WEBHOOK_SECRET": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
               "CREDENTIALS_DIRECTORY": self.folder}
        command = harness.run("check", "--config", path, env=env)
        self.assertEqual(command.code, 0, command.out + command.err)


if __name__ == "__main__":
    harness.main()
