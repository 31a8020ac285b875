#!/usr/bin/python3
"""The paper's Ped2 experiment with `memaed learn` and `memaed eval`, and its ablation.

    tests/reproduce/ped2.py [--kind FILE:ENTROPY:MEMBERS ...] [--steps N] [--models M]
    tests/reproduce/ped2.py --ablation [the same]   with it no-memory, no-shrink, no-entropy: equal steps, seeds, members

All of train/ is learned from, as the paper does, and calibrated on, too: there is no more normal footage, and a fifth held out
would be half a minute. Trainings differ by chance in which slots of the memory draw what, and so in how far a clip's normal
frames are told from another's abnormal ones; a mean over networks does so less, and more so the less they are alike. So each
model is a committee, whose scores `memaed eval` averages: of each kind of network (an architecture, the entropy's weight) so many
members, with seeds from 1 on for the first model, the next for the second.

A run takes one thread, and as many run beside each other as there are cores. The frozen network runs in floats, as the paper's
did. Models stay in build/reproduce/ped2; what is there is not learned again, and a run that was cut off goes on from its checkpoint.
Needs the Ped2 clips and labels in ../shared/data/ped2 (MEMAED_DATA names the folder above). Prints JSON: each figure's mean and
spread over the models, and each model's; `kinds` has the same of every network by itself, in order of the seeds.
"""
import argparse
import concurrent.futures
import json
import os
import statistics
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
MEMAED = os.environ.get("MEMAED", os.path.join(ROOT, "build/memaed"))
DATA = os.path.join(os.environ.get("MEMAED_DATA", os.path.join(ROOT, "../shared/data")), "ped2")
FOLDER = os.path.join(ROOT, "build/reproduce/ped2")
KINDS = (("ped2_deep.json", 0.0002, 2), ("ped2_cosine.json", 0.001, 3), ("ped2_dot.json", 0.0002, 3))    # the slowest first
FIGURES = ("auc_per_clip_minmax", "auc_causal", "auc_reference_raw")


def run(*args):
    done = subprocess.run([MEMAED, *args], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"memaed {args[0]} failed")
    return done.stdout


def name_of(arch):
    return os.path.splitext(os.path.basename(arch))[0]


def learn(args, arch, entropy, seed):
    model = os.path.join(FOLDER, f"{name_of(arch)}-{entropy}-{args.steps}-seed{seed}.safetensors")
    if not os.path.exists(model):
        print(f"learning {os.path.basename(model)}", file=sys.stderr, flush=True)
        train = os.path.join(DATA, "train")
        run("learn", "--input", train, "--calibrate", train, "--output", model, "--arch", arch, "--entropy", str(entropy),
            "--steps", str(args.steps), "--seed", str(seed), "--threads", "1", "--resume")
    return model


def evaluate(models):
    """The figures of a committee."""
    names = [word for model in models for word in ("--model", model)]
    out = json.loads(run("eval", "--precision", "fp32", *names, "--clips", os.path.join(DATA, "test"), "--labels",
                         os.path.join(DATA, "labels.txt")))
    return {key: round(out[key], 4) for key in FIGURES}


def spread(runs):
    return {key: {"mean": round(statistics.mean(r[key] for r in runs), 4),
                  "spread": round(statistics.stdev(r[key] for r in runs), 4) if len(runs) > 1 else None,
                  "each": [r[key] for r in runs]}
            for key in FIGURES}


def measure(args, committees):
    """Of each name and its kinds: the figures of its models, and of their members."""
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    learning = {name: [[pool.submit(learn, args, arch, entropy, seed) for seed in range(1, args.models * members + 1)]
                       for arch, entropy, members in kinds] for name, kinds in committees}
    tables = {}
    try:
        for name, kinds in committees:
            learned = [[model.result() for model in models] for models in learning[name]]
            models = [[network for networks, (*_, k) in zip(learned, kinds) for network in networks[i * k:(i + 1) * k]]
                      for i in range(args.models)]
            tables[name] = {**spread([evaluate(model) for model in models]),
                            "kinds": {f"{name_of(arch)}-{entropy}": {"members": k, **spread([evaluate([n]) for n in networks])}
                                      for networks, (arch, entropy, k) in zip(learned, kinds)}}
            print(name, json.dumps(tables[name]), file=sys.stderr, flush=True)
    finally:
        pool.shutdown(cancel_futures=True)      # where a run failed, or Ctrl-C came
    return tables


def changed(arch, name, **memory):
    """A file with the architecture, but for the memory: without one where nothing of it is given."""
    with open(arch, encoding="utf-8") as f:
        full = json.load(f)
    path = os.path.join(FOLDER, f"{name_of(arch)}-{name}.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump({**full, "memory": {**full["memory"], **memory} if memory else None}, f)
    return path


def variants(args):
    """Names, and the kinds of network of each."""
    kinds = args.kind
    yield "full", kinds
    if args.ablation:
        yield "no-memory", [(changed(arch, "no-memory"), entropy, k) for arch, entropy, k in kinds]
        yield "no-shrink", [(changed(arch, "no-shrink", shrink=0), entropy, k) for arch, entropy, k in kinds]
        yield "no-entropy", [(arch, 0, k) for arch, _, k in kinds]


def kind(text):
    arch, entropy, members = text.rsplit(":", 2)
    if float(entropy) < 0 or int(members) < 1:
        raise ValueError
    if not os.path.exists(arch):
        raise argparse.ArgumentTypeError(f"{arch} is not there")
    return arch, float(entropy), int(members)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--kind", action="append", type=kind, metavar="FILE:ENTROPY:MEMBERS")
    parser.add_argument("--steps", type=int, default=1800)
    parser.add_argument("--models", type=int, default=3)
    args = parser.parse_args()
    args.kind = args.kind or [(os.path.join(ROOT, "tests/reproduce", arch), *more) for arch, *more in KINDS]
    if not os.path.exists(os.path.join(DATA, "labels.txt")):
        sys.exit(f"{os.path.relpath(DATA)} is not there: MEMAED_DATA names the folder that holds ped2/")
    os.makedirs(FOLDER, exist_ok=True)
    result = {"steps": args.steps, "models": args.models, "committees": measure(args, list(variants(args)))}
    print(json.dumps(result, indent=1))


main()
