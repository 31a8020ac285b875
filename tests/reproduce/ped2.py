#!/usr/bin/python3
"""The paper's Ped2 experiment with `memaed learn` and `memaed eval`, and its ablation.

    tests/reproduce/ped2.py [--profile P] [--size WxH] [--steps N] [--seeds S]
    tests/reproduce/ped2.py --ablation [the same]       with it -no-memory, -no-shrink, -no-entropy: equal steps, seeds

All of train/ is learned from, as the paper does, and calibrated on, too: there is no more normal footage, and a fifth held out
would be half a minute. A run takes one thread, and as many run beside each other as there are cores. The frozen network runs in
floats, as the paper's did. Models stay in build/reproduce/ped2; what is there is not learned again, and a run that was cut off goes
on from its checkpoint. Needs the Ped2 clips and labels in ../shared/data/ped2 (MEMAED_DATA names the folder above). Prints JSON: each
figure's mean and spread over the seeds, and each seed's.
"""
import argparse
import concurrent.futures
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


def learn(args, name, seed, *network):
    model = os.path.join(FOLDER, f"{name}-{args.steps}-seed{seed}.safetensors")
    if not os.path.exists(model):
        print(f"learning {os.path.basename(model)}", file=sys.stderr, flush=True)
        train = os.path.join(DATA, "train")
        run("learn", "--input", train, "--calibrate", train, "--output", model, "--steps", str(args.steps), "--seed", str(seed),
            "--threads", "1", "--resume", *network)
    return model


def evaluate(model):
    out = json.loads(run("eval", "--precision", "fp32", "--model", model, "--clips", os.path.join(DATA, "test"), "--labels",
                         os.path.join(DATA, "labels.txt")))
    return {key: round(out[key], 4) for key in FIGURES}


def measure(args, networks):
    """Of each name and its arguments of learning: the figures, over the seeds."""
    seeds = range(1, args.seeds + 1)
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    models = {name: [pool.submit(learn, args, name, seed, *more) for seed in seeds] for name, more in networks}
    tables = {}
    try:
        for name, learned in models.items():
            runs = [evaluate(model.result()) for model in learned]
            tables[name] = {key: {"mean": round(statistics.mean(r[key] for r in runs), 4),
                                  "spread": round(statistics.stdev(r[key] for r in runs), 4) if len(runs) > 1 else None,
                                  "seeds": [r[key] for r in runs]}
                            for key in FIGURES}
            print(name, json.dumps(tables[name]), file=sys.stderr, flush=True)
    finally:
        pool.shutdown(cancel_futures=True)      # where a run failed, or Ctrl-C came
    return tables


def variants(args, name, network):
    """Of the profile's network: names, and the arguments of their learning."""
    full = json.loads(run("model", "show", "--json", learn(args, name, 1, *network)))["arch"]
    no_memory, no_shrink = copy.deepcopy(full), copy.deepcopy(full)
    no_memory["memory"] = None
    no_shrink["memory"]["shrink"] = 0
    yield name, network
    for variant, arch, more in (("no-memory", no_memory, ()), ("no-shrink", no_shrink, ()),
                                ("no-entropy", full, ("--entropy", "0"))):
        path = os.path.join(FOLDER, f"{name}-{variant}.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(arch, f)
        yield f"{name}-{variant}", ("--arch", path, *more)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--profile", default="nano")
    parser.add_argument("--size", default="64x64")
    parser.add_argument("--steps", type=int, default=1800)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    if not os.path.exists(os.path.join(DATA, "labels.txt")):
        sys.exit(f"{os.path.relpath(DATA)} is not there: MEMAED_DATA names the folder that holds ped2/")
    os.makedirs(FOLDER, exist_ok=True)
    name, network = f"{args.profile}-{args.size}", ("--profile", args.profile, "--size", args.size)
    tables = measure(args, list(variants(args, name, network)) if args.ablation else [(name, network)])
    result = {"steps": args.steps, "seeds": list(range(1, args.seeds + 1)), "networks": tables}
    print(json.dumps(result, indent=1))


main()
