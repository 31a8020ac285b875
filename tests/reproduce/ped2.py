#!/usr/bin/python3
"""The paper's Ped2 experiment with `memaed learn` and `memaed eval`, and its ablation.

    tests/reproduce/ped2.py [--minutes M]                      one model of the default profile (120 minutes)
    tests/reproduce/ped2.py --ablation [--steps N] [--seeds S] full, no-memory, no-shrink, no-entropy (4500 steps, 3 seeds)

All of train/ is learned from, as the paper does, and calibrated on, too: there is no more normal footage, and a fifth held out
would be half a minute. Models stay in build/reproduce/ped2; what is there is not learned again, and a run that was cut off goes on from its
checkpoint. Needs the Ped2 clips and labels in ../shared/data/ped2 (MEMAED_DATA names the folder above), two cores. Prints JSON.
"""
import argparse
import copy
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


def learn(name, *args):
    model = os.path.join(FOLDER, name + ".safetensors")
    if not os.path.exists(model):
        print(f"learning {name}", file=sys.stderr, flush=True)
        train = os.path.join(DATA, "train")
        run("learn", "--input", train, "--calibrate", train, "--output", model, "--resume", *args)
    return model


def evaluate(model):
    out = json.loads(run("eval", "--model", model, "--clips", os.path.join(DATA, "test"), "--labels",
                         os.path.join(DATA, "labels.txt")))
    return {key: round(out[key], 4) for key in FIGURES}


def variants():
    """Of the default profile's architecture: each with the arguments of its learning."""
    model = learn("architecture", "--steps", "1")
    full = json.loads(run("model", "show", "--json", model))["arch"]
    no_memory, no_shrink = copy.deepcopy(full), copy.deepcopy(full)
    no_memory["memory"] = None
    no_shrink["memory"]["shrink"] = 0
    for name, arch, more in (("full", full, ()), ("no-memory", no_memory, ()), ("no-shrink", no_shrink, ()),
                             ("no-entropy", full, ("--entropy", "0"))):
        path = os.path.join(FOLDER, name + ".json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(arch, f)
        yield name, ("--arch", path, *more)


def ablation(steps, seeds):
    table = {}
    for name, args in variants():
        runs = [evaluate(learn(f"{name}-{steps}-seed{seed}", "--steps", str(steps), "--seed", str(seed), *args))
                for seed in range(1, seeds + 1)]
        table[name] = {key: {"mean": round(statistics.mean(r[key] for r in runs), 4),
                             "spread": round(statistics.stdev(r[key] for r in runs), 4) if len(runs) > 1 else None}
                       for key in FIGURES}
        print(name, json.dumps(table[name]), file=sys.stderr, flush=True)
    return {"steps": steps, "seeds": list(range(1, seeds + 1)), "variants": table}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--steps", type=int, default=4500)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    if not os.path.exists(os.path.join(DATA, "labels.txt")):
        sys.exit(f"{os.path.relpath(DATA)} is not there: MEMAED_DATA names the folder that holds ped2/")
    os.makedirs(FOLDER, exist_ok=True)
    if args.ablation:
        result = ablation(args.steps, args.seeds)
    else:
        minutes = f"{args.minutes:g}"
        result = {"minutes": args.minutes, "seed": 1, **evaluate(learn(f"{minutes}-minutes", "--time-limit", minutes))}
    print(json.dumps(result, indent=1))


main()
