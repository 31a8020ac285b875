#!/usr/bin/python3
"""Learns and evaluates every development camera with the same settings, and prints one table: the regression test for
changes of the score.

    tests/bench/detection.py [--quick] [--seeds 1,2,3] [--cameras NAME,…] [--folder DIR] [--threads N] [--json FILE]

For each camera and seed a model learns from the camera's normal part with the default profile, at the camera's rate, for the
same number of steps. It is calibrated on the part that learn holds out. Then `memaed eval` evaluates the labelled clips, on one
scale for all clips and without a look at the future. Columns:

  score, motion, reference    AUC of the daemon's score, of the motion baseline, and of the reconstruction error; the mean
                              over the seeds, and the least after it
  speed, change, …            AUC of each voice of the score by itself, the mean over the seeds
  found                       labelled events that overlap an alert of the daemon's own rule, at the model's threshold
  false                       alerts that overlap no labelled event
  hours                       normal footage that the false alerts came from

A camera without labelled events has no AUC. The last rows are the mean over the labelled cameras, and the worst margin of
the score over the better of the other two. A model or a result that is already in the folder (build/detection) is not made
again, so the run can be interrupted. After a change of the settings or of the program, they are made anew. --quick takes 300
steps and one seed. MEMAED names the program, MEMAED_DATA the data (default: ../shared/data).
"""
import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys

from footage import DATA, MEMAED, ROOT

STEPS, QUICK_STEPS = 600, 300

# name: folder to learn from, folder of labelled clips, frames a second
CAMERAS = {
    "ped2": ("ped2/train", "ped2/test", 10),
    "office": ("cameras/office/learn", "cameras/office/test", 25),
    "umn": ("cameras/umn/learn", "cameras/umn/test", 30),
    "fall": ("cameras/fall/learn", "cameras/fall/test", 25),
    "highway": ("cameras/highway/learn", "cameras/highway/test", 25),
}


def program_hash():
    with open(MEMAED, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()[:12]


def run(*args):
    """Runs memaed. Returns its standard output; ends the program with its error if it fails."""
    done = subprocess.run([MEMAED, *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"memaed {' '.join(map(str, args))}: status {done.returncode}\n{done.stderr}")
    return done.stdout


def judge(options, camera, seed):
    """Returns what `memaed eval` says of a camera's model with this seed. Makes both if they are not there."""
    learn, test, fps = CAMERAS[camera]
    stem = os.path.join(options.folder, f"{camera}-{options.steps}-{seed}-{options.program}")
    if not os.path.exists(stem + ".json"):
        model, labels = stem + ".safetensors", os.path.join(DATA, os.path.dirname(test), "labels.txt")
        if not os.path.exists(model):
            print(f"learning {camera}, seed {seed}", file=sys.stderr, flush=True)
            run("learn", "--input", os.path.join(DATA, learn), "--output", stem + ".part", "--fps", fps, "--steps",
                options.steps, "--seed", seed, "--threads", options.threads)
            os.rename(stem + ".part", model)
        print(f"judging {camera}, seed {seed}", file=sys.stderr, flush=True)
        text = run("eval", "--model", model, "--clips", os.path.join(DATA, test), "--labels", labels, "--threads",
                   options.threads)
        with open(stem + ".part", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(stem + ".part", stem + ".json")
    with open(stem + ".json", encoding="utf-8") as f:
        return json.load(f)


def row(options, camera):
    """Returns one camera's figures over all seeds."""
    judged = [judge(options, camera, seed) for seed in options.seeds]
    alerts = [j["alerts"] for j in judged]
    return {"camera": camera,
            "score": [j["auc_causal"] for j in judged],
            "motion": [j["motion"]["auc_causal"] for j in judged],
            "reference": [j["auc_reference_raw"] for j in judged],
            "voices": {v: [j["auc_voices"][v] for j in judged] for v in judged[0]["auc_voices"]},
            "found": [a["abnormal_stretches_found"] for a in alerts],
            "events": alerts[0]["abnormal_stretches"],
            "false": [a["on_normal"] for a in alerts],
            "normal_s": alerts[0]["normal_s"]}


def mean(values):
    values = [v for v in values if v is not None]
    return statistics.fmean(values) if values else None


def shown(values):
    """Returns "mean (least)" of the seeds."""
    if mean(values) is None:
        return "-"
    return f"{mean(values):.3f} ({min(values):.3f})" if len(values) > 1 else f"{values[0]:.3f}"


def print_table(rows):
    voices = "".join(f"  {v:>10}" for v in rows[0]["voices"])
    print(f"{'camera':8}  {'score':>15}  {'motion':>15}  {'reference':>15}{voices}  {'found':>9}  {'false':>5}  {'hours':>6}")
    for r in rows:
        hours = f"{r['normal_s'] / 3600:.3f}"
        voices = "".join(f"  {shown([mean(v)]):>10}" for v in r["voices"].values())
        print(f"{r['camera']:8}  {shown(r['score']):>15}  {shown(r['motion']):>15}  {shown(r['reference']):>15}{voices}  "
              f"{mean(r['found']):4.1f} of {r['events']:1}  {mean(r['false']):5.1f}  {hours:>6}")
    labelled = [r for r in rows if mean(r["score"]) is not None]
    if not labelled:
        return
    means = {k: mean([mean(r[k]) for r in labelled]) for k in ("score", "motion", "reference")}
    print(f"{'mean':8}  {means['score']:15.3f}  {means['motion']:15.3f}  {means['reference']:15.3f}")
    margins = {r["camera"]: mean(r["score"]) - max(mean(r["motion"]), mean(r["reference"])) for r in labelled}
    worst = min(margins, key=margins.get)
    print(f"worst margin over the better of motion and reference: {margins[worst]:+.3f} on {worst}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer steps, one seed")
    parser.add_argument("--seeds", default=None, help="default: 1,2,3")
    parser.add_argument("--cameras", default=",".join(CAMERAS))
    parser.add_argument("--folder", default=os.path.join(ROOT, "build", "detection"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", help="also write the figures of every seed to this file")
    options = parser.parse_args()
    options.steps = QUICK_STEPS if options.quick else STEPS
    options.seeds = [int(s) for s in (options.seeds or ("1" if options.quick else "1,2,3")).split(",")]
    unknown = set(options.cameras.split(",")) - set(CAMERAS)
    if unknown:
        parser.error(f"--cameras: expected names of {', '.join(CAMERAS)}, got {', '.join(sorted(unknown))}")
    if not os.path.isdir(DATA):
        sys.exit(f"detection: no data at {DATA}; MEMAED_DATA names the folder")
    options.program = program_hash()
    os.makedirs(options.folder, exist_ok=True)
    rows = [row(options, camera) for camera in options.cameras.split(",")]
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump(rows, f, indent=1)
    print_table(rows)


if __name__ == "__main__":
    main()
