#!/usr/bin/python3
"""The paper's Ped2 experiment with `memaed learn` and `memaed eval`, and its ablation.

    tests/reproduce/ped2.py [--profile P] [--size WxH] [--steps N] [--models M] [--restarts R]
    tests/reproduce/ped2.py --ablation [the same]       with it -no-memory, -no-shrink, -no-entropy: equal steps, seeds, restarts

All of train/ is learned from, as the paper does, and calibrated on, too: there is no more normal footage, and a fifth held out
would be half a minute. Trainings differ by chance in how well they end up drawing even that, and those that draw it badly are bad
at telling what is not normal; so each model is the best of R restarts, as k-means is run: seeds 1 to R for the first model, the
next R for the second, kept is the one with the lowest error on train/. The test clips have no part in that.

A run takes one thread, and as many run beside each other as there are cores. The frozen network runs in floats, as the paper's
did. Models stay in build/reproduce/ped2; what is there is not learned again, and a run that was cut off goes on from its checkpoint.
Needs the Ped2 clips and labels in ../shared/data/ped2 (MEMAED_DATA names the folder above). Prints JSON: each figure's mean and
spread over the models, and each model's; `every_seed` has, in order of the seeds, the error on train/ and the paper's AUC of all
that were learned, kept or not.
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
    """The model's figures, and its error on train/."""
    out = json.loads(run("eval", "--precision", "fp32", "--model", model, "--clips", os.path.join(DATA, "test"), "--labels",
                         os.path.join(DATA, "labels.txt")))
    error = json.loads(run("model", "show", "--json", model))["training"]["held_out"]["error"]
    return {"error": round(error, 6), **{key: round(out[key], 4) for key in FIGURES}}


def table(args, runs):
    """Of what each seed gave: the figures of the models that are kept."""
    groups = [runs[i:i + args.restarts] for i in range(0, len(runs), args.restarts)]
    kept = [min(group, key=lambda r: r["error"]) for group in groups]
    figures = {key: {"mean": round(statistics.mean(r[key] for r in kept), 4),
                     "spread": round(statistics.stdev(r[key] for r in kept), 4) if len(kept) > 1 else None,
                     "models": [r[key] for r in kept]}
               for key in FIGURES}
    return {**figures, "every_seed": [[r["error"], r[FIGURES[0]]] for r in runs]}


def measure(args, networks):
    """Of each name and its arguments of learning: the figures, over the models."""
    seeds = range(1, args.models * args.restarts + 1)
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    models = {name: [pool.submit(learn, args, name, seed, *more) for seed in seeds] for name, more in networks}
    tables = {}
    try:
        for name, learned in models.items():
            tables[name] = table(args, [evaluate(model.result()) for model in learned])
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
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--restarts", type=int, default=6)
    args = parser.parse_args()
    if not os.path.exists(os.path.join(DATA, "labels.txt")):
        sys.exit(f"{os.path.relpath(DATA)} is not there: MEMAED_DATA names the folder that holds ped2/")
    os.makedirs(FOLDER, exist_ok=True)
    name, network = f"{args.profile}-{args.size}", ("--profile", args.profile, "--size", args.size)
    tables = measure(args, list(variants(args, name, network)) if args.ablation else [(name, network)])
    result = {"steps": args.steps, "models": args.models, "restarts": args.restarts, "networks": tables}
    print(json.dumps(result, indent=1))


main()
