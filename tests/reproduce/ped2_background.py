#!/usr/bin/python3
"""Measures the AUC of the paper's protocol on Ped2 without any learning. The median picture of train/ takes the place of the
reconstruction of each window of 16 frames.

    tests/reproduce/ped2_background.py [SIDE…]      side of the pictures in pixels (64 and 128)

The error of a window is its mean absolute difference from that picture, scaled to 0…1 over each clip. Two more pictures are
measured. One is the mean of train/. The other is the median plus half of the difference between the window's own mean and
the median. It resembles an autoencoder that reconstructs standing things better than moving ones. Needs ffmpeg, numpy, and
the clips of ped2.py. Prints one line of JSON for each side.
"""
import glob
import json
import os
import subprocess
import sys

import numpy as np

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
DATA = os.path.join(os.environ.get("MEMAED_DATA", os.path.join(ROOT, "../shared/data")), "ped2")
LENGTH = 16


def pictures(path, side):
    raw = subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-i", path, "-vf",
                          f"scale={side}:{side}:flags=area,format=gray", "-f", "rawvideo", "-"], stdout=subprocess.PIPE,
                          check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, side, side).astype(np.float32)


def auc(scores, labels):
    """Returns the area under the ROC curve; ties count half."""
    _, at, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[at]
    positives = labels.sum()
    return (ranks[labels == 1].sum() - positives * (positives + 1) / 2) / positives / (len(labels) - positives)


def main():
    with open(os.path.join(DATA, "labels.txt"), encoding="utf-8") as f:
        labels = {name: np.array(values, int) for name, *values in map(str.split, f)}
    for side in [int(a) for a in sys.argv[1:]] or (64, 128):
        train = np.concatenate([pictures(path, side) for path in sorted(glob.glob(f"{DATA}/train/*.mp4"))])
        median, mean = np.median(train[::10], axis=0), train.mean(axis=0)
        errors, truth = {"mean": [], "median": [], "median and half of the window's own": []}, []
        for name, values in labels.items():
            clip = pictures(f"{DATA}/test/{name}.mp4", side)
            windows = range(len(clip) - LENGTH + 1)
            truth.append(values[LENGTH // 2:][:len(windows)])
            own = [median + (clip[i:i + LENGTH].mean(axis=0) - median) / 2 for i in windows]
            for drawn, of in zip(errors.values(), ([mean] * len(own), [median] * len(own), own)):
                error = np.array([np.abs(clip[i:i + LENGTH] - of[i]).mean() for i in windows])
                drawn.append((error - error.min()) / np.ptp(error))
        truth = np.concatenate(truth)
        print(json.dumps({"side": side, **{key: round(auc(np.concatenate(e), truth), 4) for key, e in errors.items()}}))


main()
