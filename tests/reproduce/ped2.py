#!/usr/bin/python3
"""The paper's Ped2 experiment with `memaed learn` and `memaed eval`, and its ablation.

    tests/reproduce/ped2.py [--arch FILE] [--entropy A] [--steps N] [--models M] [--members K]
    tests/reproduce/ped2.py --ablation [the same]   with it no-memory, no-shrink, no-entropy: equal steps, seeds, members

All of train/ is learned from, as the paper does, and calibrated on, too: there is no more normal footage, and a fifth held out
would be half a minute. Trainings differ by chance in which slots of the memory draw what, and so in how far a clip's normal
frames are told from another's abnormal ones; a mean over networks does so less. So each model is a committee of K networks,
whose scores `memaed eval` averages: seeds 1 to K for the first model, the next K for the second.

A run takes one thread, and as many run beside each other as there are cores. The frozen network runs in floats, as the paper's
did. Models stay in build/reproduce/ped2; what is there is not learned again, and a run that was cut off goes on from its checkpoint.
Needs the Ped2 clips and labels in ../shared/data/ped2 (MEMAED_DATA names the folder above). Prints JSON: each figure's mean and
spread over the models, and each model's; `members` has the same of every network by itself, in order of the seeds.
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
FIGURES = ("auc_per_clip_minmax", "auc_causal", "auc_reference_raw")


def run(*args):
    done = subprocess.run([MEMAED, *args], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"memaed {args[0]} failed")
    return done.stdout


def learn(args, name, seed, arch, entropy):
    model = os.path.join(FOLDER, f"{name}-{entropy}-{args.steps}-seed{seed}.safetensors")
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


def measure(args, networks):
    """Of each name, architecture and weight of the entropy: the figures of its models, and of their members."""
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    seeds = range(1, args.models * args.members + 1)
    learned = {name: [pool.submit(learn, args, name, seed, *more) for seed in seeds] for name, *more in networks}
    tables = {}
    try:
        for name, waiting in learned.items():
            models = [model.result() for model in waiting]
            committees = [models[i:i + args.members] for i in range(0, len(models), args.members)]
            tables[name] = {**spread([evaluate(c) for c in committees]), "members": spread([evaluate([m]) for m in models])}
            print(name, json.dumps(tables[name]), file=sys.stderr, flush=True)
    finally:
        pool.shutdown(cancel_futures=True)      # where a run failed, or Ctrl-C came
    return tables


def variants(args):
    """Of the network: names, architectures, weights of the entropy."""
    name = os.path.splitext(os.path.basename(args.arch))[0]
    yield name, args.arch, args.entropy
    if not args.ablation:
        return
    with open(args.arch, encoding="utf-8") as f:
        full = json.load(f)
    for variant, memory in (("no-memory", None), ("no-shrink", {**full["memory"], "shrink": 0})):
        path = os.path.join(FOLDER, f"{name}-{variant}.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump({**full, "memory": memory}, f)
        yield f"{name}-{variant}", path, args.entropy
    yield f"{name}-no-entropy", args.arch, 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--arch", default=os.path.join(ROOT, "tests/reproduce/ped2.json"))
    parser.add_argument("--entropy", type=float, default=0.001)
    parser.add_argument("--steps", type=int, default=1800)
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--members", type=int, default=8)
    args = parser.parse_args()
    if not os.path.exists(os.path.join(DATA, "labels.txt")):
        sys.exit(f"{os.path.relpath(DATA)} is not there: MEMAED_DATA names the folder that holds ped2/")
    os.makedirs(FOLDER, exist_ok=True)
    result = {"steps": args.steps, "models": args.models, "members": args.members, "networks": measure(args, variants(args))}
    print(json.dumps(result, indent=1))


main()
