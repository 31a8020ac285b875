#!/usr/bin/python3
"""Repeats the paper's Ped2 experiment and its ablation with `memaed learn` and `memaed eval`.

    tests/reproduce/ped2.py [--kind FILE:ENTROPY:MEMBERS ...] [--steps N] [--models M]
    tests/reproduce/ped2.py --ablation [the same]

--ablation also learns variants with the same steps, seeds and members: no-memory, no-shrink, no-entropy.

Models learn from all of train/, as in the paper. They are calibrated on it too, because there is no other normal
footage, and a fifth of it is only half a minute. Trainings differ by chance in what each memory slot reconstructs. So
they differ in how far a clip's normal frames score below the abnormal frames of other clips. A mean over networks
differs less, and still less if the networks are of different kinds. So each model is a committee whose scores `memaed
eval` averages. A kind is an architecture and a weight of the entropy. Each kind has a number of members. The first
model takes seeds from 1 on, the second model the next ones.

A training takes one thread. As many trainings run at once as there are cores. The frozen network runs in floats, as in
the paper. Models stay in build/reproduce/ped2. Existing models are not learned again. An interrupted training goes on
from its checkpoint. Needs the Ped2 clips and labels in ../shared/data/ped2 (MEMAED_DATA names the parent folder).
Prints JSON: the mean and spread of each figure over the models, and each model's value. `kinds` has the same for
single networks, in the order of seeds.
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
KINDS = (("ped2_deep.json", 0.0002, 2), ("ped2_cosine.json", 0.001, 3), ("ped2_dot.json", 0.0002, 3))    # slowest first
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
    """Returns the figures of a committee."""
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
    """Returns for each variant the figures of its models and of their single networks."""
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
        pool.shutdown(cancel_futures=True)      # a training failed, or Ctrl-C
    return tables


def changed(arch, name, **memory):
    """Writes a copy of an architecture with changed members of the memory, or without a memory if no change is given.
    Returns its path."""
    with open(arch, encoding="utf-8") as f:
        full = json.load(f)
    path = os.path.join(FOLDER, f"{name_of(arch)}-{name}.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump({**full, "memory": {**full["memory"], **memory} if memory else None}, f)
    return path


def variants(args):
    """Yields each variant's name and its kinds of network."""
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
        raise argparse.ArgumentTypeError(f"no such file: {arch}")
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
        sys.exit(f"{os.path.relpath(DATA)}: no such data set; set MEMAED_DATA to the folder that holds ped2/")
    os.makedirs(FOLDER, exist_ok=True)
    result = {"steps": args.steps, "models": args.models, "committees": measure(args, list(variants(args)))}
    print(json.dumps(result, indent=1))


main()
