#!/usr/bin/python3
"""`learn`. A model scores learned footage lower than other footage. The same seed gives the same model. An interrupted run can be
resumed. Useless footage is refused with the reason."""
import json
import os
import resource
import signal
import subprocess
import time

import harness
import learning
from learning import DISC, FITTED, SMALL, metadata, scores, tensors


class Learn(learning.Case):
    def test_a_model_that_works(self):
        model = os.path.join(self.folder, "disc.safetensors")
        done = self.learn(model, "--steps", "150", "--seed", "3")
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("threshold", done.out)
        self.assertRegex(done.out, r"\nprovisional: 0\.\d+ hours of footage ")
        calibration = json.loads(metadata(model)["memae.calibration"])
        self.assertAlmostEqual(calibration["fps"], 10, delta=0.01)
        self.assertGreater(calibration["threshold"], calibration["maximum"])
        self.assertEqual(calibration["windows"], 68)            # all 150 frames: a fifth is too little
        training = json.loads(metadata(model)["memae.training"])
        self.assertEqual((training["seed"], training["steps"], training["inputs"]), (3, 150, ["normal"]))
        self.assertEqual(training["held_out"]["frames"], 30)
        self.assertGreater(training["slots_used"], 1)
        slots = json.loads(metadata(model)["memae.arch"])["memory"]["slots"]
        self.assertEqual(len(training["slot_use"]), slots)
        self.assertAlmostEqual(sum(training["slot_use"]), 1, delta=1e-6 * slots)
        pictures = os.path.join(self.folder, "prototypes")
        done = harness.run("model", "prototypes", "--output", pictures, "--limit", "2", model)
        self.assertEqual(done.code, 0, done.err)
        use = [training["slot_use"][int(name[-7:-4])] for name in sorted(os.listdir(pictures))]
        self.assertEqual(use, sorted(training["slot_use"], reverse=True)[:2])
        self.assertGreater(training["held_out"]["error_without_memory"], 1.2 * training["held_out"]["error"])
        strange = os.path.join(self.folder, "strange.mkv")
        self.footage(strange, "lum='if(lt(mod(X+60*T,32),16),255,0)':cb=128:cr=128", 3)
        self.assertGreater(min(scores(model, strange)), max(scores(model, self.normal)))
        self.assertGreater(min(scores(model, strange)), calibration["threshold"])

    def test_a_beacon(self):
        """The limit of a cell that flashes from black to white is cut to the largest difference that two pictures can have."""
        beacon, model = (os.path.join(self.folder, name) for name in ("beacon.mkv", "beacon.safetensors"))
        self.footage(beacon, f"lum='if(lt(X,32)*lt(Y,32),if(mod(N,8),16,235),{DISC})':cb=128:cr=128", 15)
        done = self.learn(model, "--steps", "12", "--calibrate", beacon, inputs=[beacon])
        self.assertEqual(done.code, 0, done.err)
        limits = json.loads(metadata(model)["memae.calibration"])["static"]["limits"]
        self.assertEqual(max(map(max, limits)), 255 ** 2)

    def test_the_same_seed_the_same_model(self):
        outputs = []
        for i, seed in enumerate((5, 5, 6)):
            path = os.path.join(self.folder, f"{i}.safetensors")
            self.assertEqual(self.learn(path, "--steps", "12", "--seed", str(seed)).code, 0)
            outputs.append(tensors(path))
        self.assertEqual(outputs[0], outputs[1])
        self.assertNotEqual(outputs[0], outputs[2])

    def test_resuming_equals_not_having_been_interrupted(self):
        whole, parts = (os.path.join(self.folder, name) for name in ("whole.safetensors", "parts.safetensors"))
        args = ("--steps", "120", "--seed", "4", "--threads", "2")
        self.assertEqual(self.learn(whole, *args).code, 0)
        self.assertFalse(os.path.exists(f"{whole}.checkpoint"))
        self.assertEqual(self.interrupted(parts, signal.SIGKILL, *args)[0], -signal.SIGKILL)
        code, err = self.interrupted(parts, signal.SIGTERM, *args, "--resume")
        self.assertEqual(code, 1, err)
        self.assertIn("event=resumed", err)
        self.assertIn("--resume continues", err)
        done = self.learn(parts, *args, "--resume")
        self.assertEqual(done.code, 0, done.err)
        step = int(harness.parse_line(next(x for x in done.err.splitlines() if "event=resumed" in x))["step"])
        self.assertTrue(0 < step < 120, step)
        self.assertEqual(tensors(parts), tensors(whole))
        self.assertEqual(metadata(parts)["memae.calibration"], metadata(whole)["memae.calibration"])
        self.assertFalse(os.path.exists(f"{parts}.checkpoint"))

    def test_checkpoints_that_cannot_be_written(self):
        """A checkpoint is larger than the model. With a limit of file size between the two, learning goes on and says so."""
        model, limited = self.path("m.safetensors"), self.path("limited.safetensors")
        self.assertEqual(self.learn(model, "--steps", "20").code, 0)
        limit = os.path.getsize(model) + 4096
        done = subprocess.run([*harness.MEMAED, "learn", "--input", self.normal, "--output", limited, *SMALL, "--steps", "20",
                               "--checkpoint", "0"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              timeout=120, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f'event=checkpoint_failed reason="{limited}.checkpoint: File too large"', done.stderr)
        self.assertEqual(tensors(limited), tensors(model))
        self.assertEqual([n for n in os.listdir(self.folder) if "checkpoint" in n or ".part" in n], [])

    def test_checkpoints_that_do_not_fit(self):
        model = os.path.join(self.folder, "m.safetensors")
        path, args = f"{model}.checkpoint", ("--steps", "3000")
        code, err = self.interrupted(model, signal.SIGINT, *args)
        self.assertEqual(code, 1, err)
        other = os.path.join(self.folder, "other.mkv")
        self.footage(other, "lum='40+X+8*T':cb=128:cr=128", 15)
        for reason, extra, inputs in (("another run: seed: expected 2, got 1", ("--seed", "2"), None),
                                      ("another run: batch: expected 2, got 4", ("--batch", "2"), None),
                                      ("another run: steps: expected 4, got 3000", ("--steps", "4"), None),
                                      ("another run: architecture: expected", ("--profile", "compact"), None),
                                      ("another run: footage: expected", (), [other])):
            with self.subTest(reason):
                done = self.learn(model, *args, *extra, "--resume", inputs=inputs)
                self.assertEqual(done.code, 1)
                self.assertIn(reason, done.err)
        with open(path, "rb") as f:
            good = f.read()
        for reason, bad in (("damaged", good[:-5] + bytes([good[-5] ^ 1]) + good[-4:]), ("m.safetensors.checkpoint", good[:-9]),
                            ("m.safetensors.checkpoint", b""), ("m.safetensors.checkpoint", b"\xff" * 100)):
            with self.subTest(reason):
                with open(path, "wb") as f:
                    f.write(bad)
                done = self.learn(model, *args, "--resume")
                self.assertEqual(done.code, 1)
                self.assertIn(reason, done.err)
        os.unlink(path)
        done = self.learn(model, "--steps", "20", "--resume", "--low-priority")
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("event=no_checkpoint", done.err)

    def test_the_time_before_an_interruption_counts(self):
        model = os.path.join(self.folder, "m.safetensors")
        limit_s = 6 * harness.SCALE
        args = ("--time-limit", str(limit_s / 60))
        code, err = self.interrupted(model, signal.SIGINT, *args)
        self.assertIn("--resume continues", err)
        self.assertEqual(code, 1)
        before = json.loads(metadata(f"{model}.checkpoint")["memae.state"])["seconds"]
        self.assertGreater(before, 0)
        done = self.learn(model, *args, "--resume")
        self.assertEqual(done.code, 0, done.err)
        training = json.loads(metadata(model)["memae.training"])
        self.assertTrue(before < training["seconds"] < limit_s + 0.5, (before, training["seconds"]))

    def test_without_a_memory(self):
        model = os.path.join(self.folder, "ae.safetensors")
        done = self.learn(model, "--profile", "nano-ae", "--steps", "150", "--seed", "3")
        self.assertEqual(done.code, 0, done.err)
        self.assertIsNone(json.loads(metadata(model)["memae.arch"])["memory"])
        training = json.loads(metadata(model)["memae.training"])
        self.assertLess(training["held_out"]["error"], 0.05)
        self.assertNotIn("error_without_memory", training["held_out"])
        strange = os.path.join(self.folder, "strange.mkv")
        self.footage(strange, "lum='if(lt(mod(X+60*T,32),16),255,0)':cb=128:cr=128", 3)
        self.assertGreater(min(scores(model, strange)), max(scores(model, self.normal)))
        for name in ("small-ae", "compact-ae", "nano-ae"):
            self.assertIn(name, harness.run("learn", "--help").out)

    def small_network(self, **memory):
        layer = {"kernel": [3, 3, 3], "stride": [2, 4, 4], "padding": [1, 1, 1], "norm": "batch", "activation": "relu"}
        path = os.path.join(self.folder, "network.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"input": {"shape": [1, 8, 16, 16], "mean": 0.5, "std": 0.5},
                       "encoder": [{"type": "conv3d", "out": 4, **layer}],
                       "memory": {"slots": 10, "similarity": "cosine", **memory},
                       "decoder": [{"type": "deconv3d", "out": 1, "kernel": [3, 3, 3], "stride": [2, 4, 4],
                                    "padding": [1, 1, 1], "output_padding": [1, 3, 3]}]}, f)
        return "--arch", path, "--size", "16x16"

    def test_addressing_that_is_dead_is_cured(self):
        """Once λ, the threshold of shrinkage, is lowered, the model holds the lower value, and a resumed run keeps it."""
        whole, parts = (os.path.join(self.folder, name) for name in ("whole.safetensors", "parts.safetensors"))
        args = (*self.small_network(shrink=0.9, temperature=0.1), "--steps", "400")
        done = self.learn(whole, *args)
        self.assertEqual(done.code, 0, done.err)
        self.assertLess(json.loads(metadata(whole)["memae.arch"])["memory"]["shrink"], 0.5)
        self.assertGreater(json.loads(metadata(whole)["memae.training"])["held_out"]["alive"], 0.9)
        lowered = lambda: json.loads(metadata(f"{parts}.checkpoint")["memae.state"])["shrink"] < 0.5
        self.assertEqual(self.interrupted(parts, signal.SIGTERM, *args, when=lowered)[0], 1)
        done = self.learn(parts, *args, "--resume")
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(tensors(parts), tensors(whole))
        self.assertEqual(metadata(parts)["memae.arch"], metadata(whole)["memae.arch"])

    def test_addressing_that_stays_degenerate_ends_the_run(self):
        """At this temperature every query gets the mean of all slots, whatever they hold."""
        model = os.path.join(self.folder, "none.safetensors")
        done = self.learn(model, *self.small_network(shrink=0.01, temperature=1e6), "--steps", "3000")
        self.assertEqual(done.code, 1, done.err)
        self.assertIn("memory addressing is still degenerate at step 1000", done.err)
        self.assertFalse(os.path.exists(model) or os.path.exists(f"{model}.checkpoint"))

    def test_time_limit(self):
        model = os.path.join(self.folder, "m.safetensors")
        limit_s = 6 * harness.SCALE
        done = self.learn(model, "--time-limit", str(limit_s / 60))
        self.assertEqual(done.code, 0, done.err)
        self.assertLess(done.seconds, 2 * limit_s)

    def test_folder_of_videos(self):
        folder = os.path.join(self.folder, "clips")
        os.mkdir(folder)
        for name in ("b.mkv", "a.mkv"):
            os.link(self.normal, os.path.join(folder, name))
        model = os.path.join(self.folder, "m.safetensors")
        done = self.learn(model, "--steps", "20", inputs=[folder])
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("clips=2 frames=300", done.err)

    def test_folders_with_other_things(self):
        """Files that are no footage, and pictures beside films, are skipped, named and counted. No footage at all is refused."""
        folder, model = self.path("videos"), self.path("m.safetensors")
        os.mkdir(folder)
        os.rename(self.normal, os.path.join(folder, "b.mkv"))
        with open(os.path.join(folder, "b.mkv"), "rb") as f:
            film = f.read()
        for name, content in (("a.mkv", b"no video\n"), ("c.mkv", b""), ("notes.txt", b"monday\n"), ("d.jpg", b"x"),
                              ("e.jpg", b"x"), ("z.mkv", film[:len(film) // 2])):
            with open(os.path.join(folder, name), "wb") as f:
                f.write(content)
        done = self.learn(model, "--steps", "20", inputs=[folder])
        self.assertEqual(done.code, 0, done.err)
        skipped = [line for line in done.err.splitlines() if "event=footage_skipped" in line]
        for name in ("a.mkv", "c.mkv", "notes.txt", "2 pictures beside films, from d.jpg to e.jpg"):
            self.assertEqual(len([line for line in skipped if f"{folder}/{name}" in line or f"{folder}: {name}" in line]), 1,
                             done.err)
        self.assertIn(f"skipped={len(skipped)} ", done.err)
        self.assertEqual(len(json.loads(metadata(model)["memae.training"])["inputs"]), 1)
        done = harness.run("calibrate", "--model", model, "--input", folder, "--output", model)
        self.assertEqual(done.code, 0, done.err)
        self.assertIn(f"{len(skipped)} files were skipped", done.out)
        for name in ("b.mkv", "z.mkv", "d.jpg", "e.jpg"):
            os.remove(os.path.join(folder, name))
        self.refused(f"{folder}: none of the 3 files in this folder is footage", inputs=[folder])

    def test_footage_set_apart(self):
        """With --calibrate, all of --input is learned from, and the footage of --calibrate is held out."""
        apart = [os.path.join(self.folder, f"apart{i}.mkv") for i in (1, 2)]
        for path in apart:
            self.footage(path, "lum='40+X+8*T':cb=128:cr=128", 3)
        model = os.path.join(self.folder, "m.safetensors")
        done = self.learn(model, "--steps", "20", "--calibrate", *apart)
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("clips=3 frames=210", done.err)
        training = json.loads(metadata(model)["memae.training"])
        self.assertEqual((training["inputs"], training["held_out"]["inputs"]), (["normal"], ["apart1", "apart2"]))
        self.assertEqual(training["held_out"]["frames"], 60)
        self.assertEqual(json.loads(metadata(model)["memae.calibration"])["windows"], 2 * 8)    # every other of 15 in each clip
        self.footage(apart[0], "lum='40+X':cb=128:cr=128", 3)
        self.refused("--calibrate: the footage is frozen", "--calibrate", apart[0])
        self.refused("--input: the footage is frozen", "--calibrate", self.normal, inputs=[apart[0]])

    def test_the_report(self):
        """learn reports parts of the learned footage that look like anomalies, and the alerts on footage that it set apart."""
        intruder, apart, model = (os.path.join(self.folder, n) for n in ("intruder.mkv", "apart.mkv", "m.safetensors"))
        self.footage(intruder, f"lum='if(between(T,8,10)*lt(mod(X+60*T,32),16),255,{DISC})':cb=128:cr=128", 20)
        self.footage(apart, f"lum='{DISC}':cb=128:cr=128", 400)
        done = self.learn(model, "--steps", "150", "--calibrate", apart, inputs=[self.normal, intruder])
        self.assertEqual(done.code, 0, done.err)
        training = json.loads(metadata(model)["memae.training"])
        learned, verified = training["learned"], training["verified"]
        self.assertEqual([s["input"] for s in learned["suspects"]], ["intruder"], done.out)
        self.assertTrue(7 <= learned["suspects"][0]["at_s"] <= 11, learned)
        self.assertEqual(learned["alerts"], 1)
        self.assertGreater(learned["suspects"][0]["score"], json.loads(metadata(model)["memae.calibration"])["threshold"])
        self.assertRegex(done.out, r"\n  intruder at 0:00:(0[789]|1[01])\.\d, score ")
        self.assertAlmostEqual(verified["hours"], 80 / 3600, delta=0.001)
        self.assertEqual((verified["alerts"], set(verified["alerts_at"]), verified["suspects"]), (0, {"1", "10", "100"}, []))
        self.assertEqual(training["held_out"]["frames"], 3200)
        self.assertIn("verified on 0.02", done.out)

    def test_what_the_learned_footage_alerts(self):
        """Learned footage is normal. An event that is frequent in it lowers all scores, even if held-out footage lacks it."""
        bars, apart, model, anew = (self.path(n) for n in ("bars.mkv", "apart.mkv", "m.safetensors", "anew.safetensors"))
        self.footage(bars, f"lum='if(between(mod(T,40),7,9)*lt(mod(X+60*T,32),16),220,{DISC})':cb=128:cr=128", 480)
        self.footage(apart, f"lum='{DISC}':cb=128:cr=128", 60)
        done = self.learn(model, "--steps", "20", "--calibrate", apart, inputs=[self.normal, bars])
        self.assertEqual(done.code, 0, done.err)
        learned = json.loads(metadata(model)["memae.training"])["learned"]
        self.assertGreater(learned["lowered"], 0.5)
        self.assertRegex(done.out,
                         r"\nthe learned footage alerts more often than the footage held out: all scores are lowered by [0-9]+, ")
        done = harness.run("calibrate", "--model", model, "--input", apart, "--output", anew, "--threads", "1")
        self.assertEqual(done.code, 0, done.err)
        calibrations = [json.loads(metadata(m)["memae.calibration"]) for m in (model, anew)]
        self.assertEqual(calibrations[0]["threshold"], calibrations[1]["threshold"])
        self.assertLess(learned["alerts"], 5)
        self.assertEqual(len(learned["suspects"]), 12)
        highest = [max(scores(m, bars)) for m in (model, anew)]
        self.assertAlmostEqual(highest[0], highest[1] - learned["lowered"], places=3)

    def test_footage_of_no_use(self):
        clip = os.path.join(self.folder, "clip.mkv")
        self.footage(clip, "lum=16:cb=128:cr=128", 3)
        self.refused("black or of one tone", inputs=[clip])
        self.footage(clip, "lum='X*2':cb=128:cr=128", 3)
        self.refused("frozen", inputs=[clip])
        self.footage(clip, "lum='X*2+T':cb=128:cr=128", 1)
        self.refused("too short", inputs=[clip])
        with open(clip, "w", encoding="utf-8") as f:
            f.write("no video\n")
        self.refused("clip.mkv", inputs=[clip])
        self.refused("none-such.mkv", inputs=[os.path.join(self.folder, "none-such.mkv")])
        empty = os.path.join(self.folder, "empty")
        os.mkdir(empty)
        self.refused("no footage", inputs=[empty])

    def test_faults_of_the_footage_are_told(self):
        """A fault is told with its clip and span. Footage that is mostly black is refused, unless any will do."""
        sound, faulty = self.wall("sound.mkv", 30, "0"), self.wall("faulty.mkv", 25, "between(T,8,16)")
        model = os.path.join(self.folder, "model.safetensors")
        done = self.learn(model, "--steps", "2", "--profile", "nano-ae", inputs=[sound])
        self.assertEqual((done.code, learning.told(done)), (0, []), done.err)
        self.assertNotIn("footage_faulty", done.err)
        late, ending = self.wall("late.mkv", 30, "lt(T,6)"), self.wall("ending.mkv", 12, "gt(T,6)")
        done = self.learn(model, "--steps", "2", "--profile", "nano-ae", inputs=[late, faulty, ending])
        self.assertEqual(done.code, 0, done.err)
        self.tells(done, [("late", 0, 6), ("faulty", 8, 16), ("ending", 6, 12)])
        self.assertIn("event=footage_faulty faults=3 percent=", done.err)
        dark = self.wall("night.mkv", 72, "gt(T,28)")
        self.refused("the picture is black, covered or frozen in ", inputs=[dark])
        done = self.learn(model, "--steps", "2", "--profile", "nano-ae", "--any-footage", inputs=[dark])
        self.assertEqual(done.code, 0, done.err)
        self.tells(done, [("night", 28, 72)])

    def test_limits(self):
        long = os.path.join(self.folder, "long.mkv")
        self.footage(long, "lum='random(0)*255':cb=128:cr=128", 200)
        self.refused("exceeds 1 MiB on disk", "--max-memory", "1", "--max-disk", "1", inputs=[long])
        model = harness.write_model(self.path("large.safetensors"), 256, 256)
        done = harness.run("calibrate", "--model", model, "--input", long, "--output", self.path("anew.safetensors"),
                           "--max-memory", "1", "--max-disk", "1")
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertIn("exceeds 1 MiB on disk", done.err)

    def test_footage_on_disk_gives_the_same_model(self):
        long, models = os.path.join(self.folder, "long.mkv"), []
        self.footage(long, "lum='mod(X*3+T*9+Y,200)+random(0)*20':cb=128:cr=128", 120)
        for memory in ("100", "1"):
            models.append(os.path.join(self.folder, f"{memory}.safetensors"))
            done = self.learn(models[-1], "--steps", "20", "--threads", "2", "--max-memory", memory, inputs=[long])
            self.assertEqual(done.code, 0, done.err)
        self.assertEqual(*map(tensors, models))
        for memory, anew in ("100", self.path("100.safetensors")), ("1", self.path("1.safetensors")):
            done = harness.run("calibrate", "--model", models[0], "--input", long, "--output", anew, "--max-memory", memory)
            self.assertEqual(done.code, 0, done.err)
        self.assertEqual(*(metadata(self.path(f"{m}.safetensors"))["memae.calibration"] for m in ("100", "1")))
        self.assertEqual([n for n in os.listdir(self.folder) if "footage" in n], [])

    def test_output_that_cannot_be_written(self):
        """The output is checked before the footage is read, and nothing is left behind."""
        os.symlink("elsewhere.safetensors", self.path("link.safetensors"))
        os.mkdir(self.path("folder.safetensors"))
        before = sorted(os.listdir(self.folder))
        for name, reason in (("none/m.safetensors", "No such file or directory"),
                             ("folder.safetensors", "expected a file, got a folder"),
                             ("link.safetensors", "expected a file, got a symbolic link")):
            with self.subTest(name=name):
                for done in (self.learn(self.path(name), "--steps", "1", inputs=["none-such.mkv"]),
                             harness.run("calibrate", "--model", "none-such", "--input", self.normal, "--output",
                                         self.path(name))):
                    self.assertEqual((done.code, done.out), (1, ""))
                    self.assertIn(f"{self.path(name)}: {reason}", done.err)
        self.assertEqual(sorted(os.listdir(self.folder)), before)

    # ---- the size of pictures

    def wide(self, seconds=15):
        path = os.path.join(self.folder, "wide.mkv")
        self.footage(path, "lum='if(lt(hypot(X-160-80*cos(T),Y-90-36*sin(T)),24),235,60+X/4)':cb=128:cr=128", seconds, "320x180")
        return path

    def shape(self, model):
        return json.loads(metadata(model)["memae.arch"])["input"]["shape"]

    def size_of(self, *args):
        """The size that `learn` reports. The run is then killed."""
        model = os.path.join(self.folder, "none.safetensors")
        process = subprocess.Popen([*harness.MEMAED, "learn", "--output", model, "--steps", "1", "--batch", "2", *args],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            lines = []
            for line in process.stderr:
                lines.append(line.decode())
                if "event=footage " in lines[-1]:
                    return harness.parse_line(lines[-1])["size"]
        finally:
            process.kill()
            process.communicate()
        self.fail("".join(lines))

    def test_the_aspect_of_the_camera(self):
        """A model of pictures that are not square learns, scores, is evaluated and runs in the daemon."""
        wide, model = self.wide(), os.path.join(self.folder, "gate.safetensors")
        done = harness.run("learn", "--input", wide, "--output", model, *FITTED, "--steps", "20", timeout=120)
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("size=80x48", done.err)
        self.assertEqual(self.shape(model), [1, 16, 48, 80])
        offline = scores(model, wide)
        self.assertEqual(len(offline), 135)
        labels = os.path.join(self.folder, "labels.txt")
        with open(labels, "w", encoding="utf-8") as f:
            print("wide", *([0] * 100 + [1] * 50), file=f)
        done = harness.run("eval", "--model", model, "--clips", self.folder, "--labels", labels)
        self.assertEqual(done.code, 0, done.err)
        self.assertIsNotNone(json.loads(done.out)["auc_causal"])
        daemon = self.daemon({"cameras": {"gate": {"source": wide, "model": model, "stride": 1}}})
        for live in harness.Follower(daemon, "gate").wait(5):
            self.assertAlmostEqual(live["score"], offline[live["window"]], places=3)

    def test_which_size(self):
        wide = self.wide(2)
        for args, size in ((("--profile", "nano"), "80x48"), (("--profile", "compact-ae"), "176x96"), ((), "176x96"),
                           (("--profile", "paper"), "256x256"), (("--profile", "released"), "256x256"),
                           (("--size", "64x64"), "64x64"), (self.small_network(shrink=0, temperature=1)[:2], "16x16"),
                           (("--input", self.normal), "176x96")):        # the first input decides
            with self.subTest(args):
                self.assertEqual(self.size_of("--input", wide, *args), size)
        self.assertEqual(self.size_of("--input", self.normal, wide), "96x64")        # no larger than the footage

    def test_resuming_at_the_size_that_was_chosen(self):
        """A resumed recording keeps its size, even if the camera has another one by now."""
        source, model = self.wide(), os.path.join(self.folder, "gate.safetensors")
        args = (*FITTED, "--steps", "100")
        inputs = ("learn", "--input", source, "--output", model, *args)
        self.assertEqual(self.interrupted(model, signal.SIGTERM, command=inputs)[0], 1)
        done = harness.run(*inputs, "--resume", timeout=120)
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("event=resumed", done.err)
        os.unlink(model)

        camera = ("learn", "--config", self.configuration(source)[0], "--camera", "gate", "--hours", "0.003", *args)
        self.assertEqual(self.interrupted(model, signal.SIGTERM, command=camera)[0], 1)
        self.footage(source, f"lum='{DISC}':cb=128:cr=128", 15, "64x96")
        done = harness.run(*camera, "--resume", timeout=120)
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("event=resumed", done.err)
        self.assertEqual(self.shape(model), [1, 16, 48, 80])

    # ---- from a camera

    def test_stop_while_the_camera_is_away(self):
        """A signal ends the wait for the next attempt at once, though it is three seconds or more by now."""
        config, _ = self.configuration(f"rtsp://127.0.0.1:{harness.free_port()}/live")
        process = subprocess.Popen([*harness.MEMAED, *self.camera_args(config, 1)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            time.sleep(5)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=1 * harness.SCALE)
        finally:
            process.kill()
            process.wait()
        self.assertEqual(process.returncode, 1, err)
        self.assertEqual(err.count(b"event=camera_lost"), 1, err)
        self.assertIn(b"interrupted with 0.00 hours", err)

    def test_rates_that_differ(self):
        """A rate higher than that of any footage is refused. Footage with a lower rate than the rest is named."""
        slow = harness.write_clip(self.path("slow.mkv"), seconds=8, fps=5, size="48x32")
        done = harness.run("learn", "--fps", "10", "--input", slow, "--output", self.path("m.safetensors"))
        self.assertEqual(done.code, 1)
        self.assertIn("--fps 10: expected as many frames a second as the footage has, 5, or fewer", done.err)
        fast = harness.write_clip(self.path("fast.mkv"), seconds=8, fps=10, size="48x32")
        done = harness.run("learn", "--fps", "10", "--profile", "nano", "--steps", "1", "--input", fast, slow, "--output",
                           self.path("m.safetensors"))
        self.assertIn("slow.mkv: 5 frames a second, fewer than the 10 that are analysed", done.err)
        self.assertNotIn("fast.mkv:", done.err)
        self.assertRegex(done.err, r"event=footage .*fps=10 ")

    def test_usage(self):
        self.assertEqual(harness.run("learn", "--config", "x", "--camera", "gate").code, 2)
        for args in (("--hours", "1"), ("--size", "50x50"), ("--size", "48"), ("--batch", "0"), ("--profile", "none")):
            with self.subTest(args):
                self.assertEqual(self.learn("m", *args).code, 2)


if __name__ == "__main__":
    harness.main()
