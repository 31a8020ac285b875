#!/usr/bin/python3
"""Makes faults of a camera's picture with FFmpeg, and measures how `memaed health` finds them.

    tests/bench/health.py [--quick] [--footage NAME...] [--kinds KIND...] [--width N] [--places N] [--seed N] [--clips DIR]
    tests/bench/health.py --clean [--width N]

Each case is a piece of real footage with a fault from its 12th to its 30th second, at one of three strengths (1: weakest), behind
12 s and before 15 s without one. The same camera's footage without a fault is learned first. Both are encoded in the same way,
but for a freeze of strength 3: it is encoded without loss, because its pictures repeat bit for bit. A fault is found if a row of
its kind opened within 10 s of its start, and closed within 10 s of its end. A picture that gamma or brightness leaves pale may be
told as low_contrast, too. A row of another kind that opened meanwhile counts in the confusion matrix. Positions in the footage
come from the seed.

Two faults have no kind of the same name. rows: a band of rows, elsewhere in each picture, repeats the row above it or is black.
stripes and corrupt are right. loss: a share of the packets of an HEVC stream is lost. corrupt, stutter and slow are right.
Blocks are measured on pictures of 320 x 176 and more: vtest's and ped2's, not upcam's.

Freezes and covers of upcam last until the 45th second. "found within 30 s" tells how many of all freezes and covers were found
and cleared if they get that long. "swing" tells how many jitters were measured within 20 %; above half of the frame rate only
the amplitude counts.

Footage: vtest (Debian's opencv-doc), ped2 (train), day0, night0 (upcam day 00), day, night (upcam days 01 and 02), of the folder
../shared/data or MEMAED_DATA. The thresholds were chosen on vtest, day0, night0 and
clean runs of ped2; faults of ped2, day and night are held back.
--clean diagnoses footage without a fault instead: ped2 test, vtest, and upcam days 01 and 02 whole after day 00.
--width: of the pictures that are diagnosed (default: 128, as run takes them).
--clips: keeps the clips in DIR, and takes those that are there already.
--quick: one strength-2 case of each kind, on vtest. Prints progress to standard error and one JSON object. MEMAED names the
program.
"""
import argparse
import glob
import json
import math
import os
import random
import subprocess
import sys
import tempfile

from footage import DATA, MEMAED, VTEST, size_of

BEGIN, WITHIN, LONG_WITHIN = 12, 10, 30                 # seconds
SHORT, LONG = (30, 45), (45, 60)                        # seconds: the fault's end, the clip's length
WIDTH = 384                                             # of the pictures, at most
SHAKES = 0.005, 0.01, 0.03                              # amplitudes of jitter, in widths of the picture
CUT = 0.06                                              # of each side, so that a shaken picture has no border


def upcam(day, hours):
    return [f"{DATA}/upcam/{day}/{day}-{hour:02}.mp4" for hour in hours]


# Each fault, and its ways that are measured apart. All are kinds of memaed, but for rows and loss.
KINDS = {
    "frozen": ({},), "slow": ({},), "stutter": ({},), "black": ({"way": "level"}, {"way": "brightness"}, {"way": "gamma"}),
    "bright": ({"way": "brightness"}, {"way": "gamma"}), "low_contrast": ({},), "colour_lost": ({},), "colour_cast": ({},),
    "blur": ({},), "covered": ({},), "noise": ({},), "stripes": ({},), "jitter": ({"hz": 1}, {"hz": 4}, {"hz": 8}),
    "moved": ({"way": "shift"}, {"way": "rotation"}, {"way": "zoom"}), "rows": ({"way": "above"}, {"way": "black"}),
    "loss": ({},),
}
# Kinds that are right besides the fault's own.
RIGHT = {"black": ("low_contrast",), "bright": ("low_contrast",), "rows": ("stripes", "corrupt"),
         "loss": ("corrupt", "stutter", "slow")}
LOST = 0.01, 0.05, 0.15                                 # shares of the packets

# name: (files whose start is learned, seconds of each that are learned, files for cases, first second there, frames a second)
FOOTAGE = {
    "vtest": ([VTEST], 30, [VTEST], 30, 10),
    "ped2": (sorted(glob.glob(f"{DATA}/ped2/train/*.mp4"))[:8], 20, None, 0, 10),
    "day0": (upcam("00", (9, 13, 16)), 60, upcam("00", (9, 13, 16)), 600, 5),
    "night0": (upcam("00", (1, 3, 5)), 60, upcam("00", (1, 3, 5)), 600, 5),
    "day": (upcam("01", (10, 14)) + upcam("02", (11, 15)), 60, upcam("01", (10, 14)) + upcam("02", (11, 15)), 600, 5),
    "night": (upcam("01", (2, 4)) + upcam("02", (2, 4)), 60, upcam("01", (2, 4)) + upcam("02", (2, 4)), 600, 5),
}
GRAY = ("ped2", "night0", "night")                      # have no colour to lose


# ---- faults --------------------------------------------------------------------------------------------------------------------

def times(case):
    """Returns when the case's fault ends, and how long its clip is."""
    return LONG if case["kind"] in ("frozen", "covered") and case["footage"] not in ("vtest", "ped2") else SHORT


def warp(x, y):
    """A filter that takes the pixel at (x, y) of a corner, expressions of the corner's coordinates X, Y about the middle."""
    corners = []
    for i, (right, down) in enumerate(((-1, -1), (1, -1), (-1, 1), (1, 1))):
        at = {"X": f"({right}*W/2)", "Y": f"({down}*H/2)"}
        for name, text, half in (("x", x, "W"), ("y", y, "H")):
            text = text.replace("X", at["X"]).replace("Y", at["Y"])
            corners.append(f"{name}{i}='{half}/2+({text})'")
    return "perspective=" + ":".join(corners) + ":sense=source:eval=frame:interpolation=cubic"


def during(fps, inside, outside):
    return f"if(between(in,{BEGIN * fps},{SHORT[0] * fps}),{inside},{outside})"


def shifted(fps, share, angle):
    return warp(f"X+{during(fps, f'{share * math.cos(angle):.5f}*W', '0')}",
                f"Y+{during(fps, f'{share * math.sin(angle):.5f}*W', '0')}")


def rotated(fps, degrees):
    c, s = during(fps, f"{math.cos(math.radians(degrees)):.6f}", "1"), during(fps, f"{math.sin(math.radians(degrees)):.6f}", "0")
    return warp(f"X*{c}-Y*{s}", f"X*{s}+Y*{c}")


def zoomed(fps, factor):
    return warp(f"X/{during(fps, f'{factor}', '1')}", f"Y/{during(fps, f'{factor}', '1')}")


def shaken(fps, share, hz, angle):
    sine = f"sin({2 * math.pi * hz / fps:.6f}*in)"
    return warp(f"X+{during(fps, f'{share * math.cos(angle):.5f}*W*{sine}', '0')}",
                f"Y+{during(fps, f'{share * math.sin(angle):.5f}*W*{sine}', '0')}")


def bars(fps, size, amplitude, when):
    width, height = size
    return (f"null[a];color=gray:s=4x{height}:r={fps}:d={SHORT[1]},geq=lum='128+{amplitude}*sin(2*PI*(3*Y/H+T/2))':cb=128:cr=128,"
            f"scale={width}:{height}[b];[a][b]blend=c0_mode=grainmerge:c1_mode=normal:c2_mode=normal:{when}")


def box(size, share, rng, when):
    width, height = size
    if share >= 1:
        return f"drawbox=0:0:iw:ih:0x484848:fill:{when}"
    w, h = int(width * math.sqrt(share)), int(height * math.sqrt(share))
    x, y = rng.randrange(width - w), rng.randrange(height - h)
    return f"drawbox={x}:{y}:{w}:{h}:0x484848:fill:{when}"


def frozen(fps, strength, end, when):
    """3: bit for bit. 2: behind a running clock, encoded anew. 1: with noise that the encoder sees as well."""
    freeze = f"split[a][b];[a][b]freezeframes=first={BEGIN * fps}:last={end * fps}:replace={BEGIN * fps}"
    clock = ",drawtext=text='%{pts\\:hms}':x=4:y=4:fontsize=12:fontcolor=white:box=1:boxcolor=black"
    return freeze + (clock if strength < 3 else "") + (f",noise=alls=2:allf=t:{when}" if strength == 1 else "")


def rows_dropped(share, way, between):
    """A band of rows begins elsewhere in each picture. In it, Y is first + into."""
    into = "mod(Y+H*1000-N*37,H)"
    inside = f"{between}*lt({into},{share}*H)"
    planes = []
    for plane, black in (("lum", 16), ("cb", 128), ("cr", 128)):
        lost = str(black) if way == "black" else f"{plane}(X,max(0,Y-{into}-1))"
        planes.append(f"{plane}='if({inside},{lost},{plane}(X,Y))'")
    return "geq=" + ":".join(planes)


def fault(case, fps, size, rng):
    """Returns the filters of a case."""
    kind, way, s = case["kind"], case.get("way"), case["strength"] - 1
    end, _ = times(case)
    between = f"between(t,{BEGIN},{end})"
    when = f"enable='{between}'"
    angle = rng.random() * 2 * math.pi
    pixels = max(1, round(size[0] * (0.004, 0.008, 0.016)[s]))
    drop, cast = (2, 3, 4)[s], (8, 16, 32)[s]
    filters = {
        "frozen": lambda: frozen(fps, s + 1, end, when),
        "slow": lambda: f"select='not({between})+not(mod(n,{drop}))'",
        "stutter": lambda: f"select='not({between}*lt(mod(t,2),{(0.7, 1, 1.3)[s]}))'",
        "black": lambda: {"level": f"lutyuv=y='(val-minval)*{(0.12, 0.05, 0)[s]}+minval':{when}",
                          "brightness": f"eq=brightness={(-0.6, -0.75, -0.9)[s]}:{when}",
                          "gamma": f"eq=gamma={(0.3, 0.2, 0.1)[s]}:{when}"}[way],
        "bright": lambda: {"brightness": f"eq=brightness={(0.35, 0.6, 0.9)[s]}:{when}",
                           "gamma": f"eq=gamma={(3, 6, 10)[s]}:{when}"}[way],
        "low_contrast": lambda: f"eq=contrast={(0.5, 0.3, 0.15)[s]}:{when}",
        "colour_lost": lambda: f"hue=s={(0.35, 0.15, 0)[s]}:{when}",
        "colour_cast": lambda: f"lutyuv=u='clip(val+{cast},minval,maxval)':v='clip(val-{cast},minval,maxval)':{when}",
        "blur": lambda: f"boxblur=lr={pixels}:lp=1:{when}",
        "covered": lambda: box(size, (0.1, 0.3, 1)[s], rng, when),
        "noise": lambda: f"noise=alls={(20, 40, 80)[s]}:allf=t:{when}",
        "stripes": lambda: bars(fps, size, (8, 16, 32)[s], when),
        "jitter": lambda: shaken(fps, SHAKES[s], case["hz"], angle),
        "moved": lambda: {"shift": lambda: shifted(fps, (0.01, 0.03, 0.1)[s], angle),
                          "rotation": lambda: rotated(fps, (1, 3, 10)[s]),
                          "zoom": lambda: zoomed(fps, (1.02, 1.05, 1.15)[s])}[way](),
        "rows": lambda: rows_dropped((0.05, 0.15, 0.4)[s], way, between.replace("t,", "T,")),
        "loss": lambda: "null",
    }
    return filters[kind]()


def cases(kinds, footage, places, strengths):
    for kind in kinds:
        if kind.startswith("colour") and footage in GRAY:
            continue
        for strength in strengths:
            for place in range(places):
                for way in KINDS[kind]:
                    yield {"footage": footage, "kind": kind, "strength": strength, "place": place, **way}


def name_of(case):
    return "-".join(str(case[k]) for k in ("footage", "kind", "strength", "place", "way", "hz") if k in case)


# ---- clips ---------------------------------------------------------------------------------------------------------------------

def ffmpeg(*args):
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-threads", "1", *args], check=True)


def scaled(path):
    """The size at which a file is used, both even."""
    width, height = size_of(path)
    scale = min(1, WIDTH / width)
    return even(width * scale), even(height * scale)


def encode(source, out, filters, size, quantiser="18", codec="libx264"):
    cut = f"crop={size[0]}:{size[1]}"
    # A camera repeats a key picture every few seconds, which ends what lost packets did.
    more = ["-g", "20", "-x265-params", "log-level=error"] if codec == "libx265" else []
    ffmpeg(*source, "-filter_complex", f"[0:v]{filters},{cut}", "-an", "-fps_mode", "passthrough", "-c:v", codec, "-preset",
           "ultrafast", *(["-qp", "0"] if quantiser == "0" else ["-crf", quantiser]), *more, out)


def lose(path, share, end):
    """Loses packets of a file between the times of the fault."""
    lost = f"noise=amount=0:drop='between(pts*tb,{BEGIN},{end})*lt(random(0),{share})'"
    ffmpeg("-i", path, "-c", "copy", "-bsf:v", lost, path + ".mp4")
    os.replace(path + ".mp4", path)


def concat(folder, name, paths):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(f"file '{os.path.abspath(p)}'\n" for p in paths)
    return ["-f", "concat", "-safe", "0", "-i", path]


def even(n):
    return int(n) // 2 * 2


def prepare(folder, footage):
    """Encodes what is learned. Returns its path and the size of the pictures after the cut."""
    learned, seconds, _, _, _ = FOOTAGE[footage]
    width, height = scaled(learned[0])
    size = even(width * (1 - 2 * CUT)), even(height * (1 - 2 * CUT))
    clean = os.path.join(folder, f"{footage}-clean.mp4")
    if os.path.exists(clean):
        return clean, size
    parts = []
    for i, path in enumerate(learned):
        parts.append(os.path.join(folder, f"{footage}-part{i}.mp4"))
        encode(["-t", str(seconds), "-i", path], parts[-1], f"scale={width}:{height}", size)
    ffmpeg(*concat(folder, f"{footage}.txt", parts), "-c", "copy", os.path.join(folder, "making.mp4"))
    os.replace(os.path.join(folder, "making.mp4"), clean)
    return clean, size


def make(folder, case, size, seed):
    """Encodes a case, unless it is there. Returns its path."""
    out = os.path.join(folder, f"{name_of(case)}-{seed}.mp4")
    if os.path.exists(out):
        return out
    end, length = times(case)
    learned, _, paths, first, fps = FOOTAGE[case["footage"]]
    rng = random.Random(f"{seed} {name_of(case)}")
    if paths is None:                                   # clips of ped2 that are not learned, one after the other
        rest = [p for p in sorted(glob.glob(f"{DATA}/ped2/train/*.mp4")) if p not in learned]
        i = rng.randrange(len(rest))
        source = concat(folder, "case.txt", (rest[i:] + rest[:i])[:5])
        full = scaled(rest[0])
    else:
        path = rng.choice(paths)
        full = scaled(path)
        latest = 79 - length if path == VTEST else 3500 - length
        source = ["-ss", str(rng.uniform(min(first, latest), latest)), "-i", path]
    exact = case["kind"] == "frozen" and case["strength"] == 3
    filters = f"trim=duration={length},setpts=PTS-STARTPTS,scale={full[0]}:{full[1]},{fault(case, fps, full, rng)}"
    making = os.path.join(folder, "making.mp4")
    encode(source, making, filters, size, "0" if exact else "18", "libx265" if case["kind"] == "loss" else "libx264")
    if case["kind"] == "loss":
        lose(making, LOST[case["strength"] - 1], end)
    os.replace(making, out)
    return out


# ---- judging -------------------------------------------------------------------------------------------------------------------

def rows(*args):
    command = [MEMAED, "health", "--format", "jsonl", *args]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def may_be_told(case, kind):
    return kind == case["kind"] or kind in RIGHT.get(case["kind"], ())


def judge(case, found_rows):
    """Adds to a case what the rows of its clip tell."""
    end, _ = times(case)
    case["others"] = []
    for row in found_rows:
        if not may_be_told(case, row["kind"]):
            case["others"].append(row["kind"])
        elif "found_s" in case or row["opened_s"] < BEGIN:
            case["others"].append("again")
        else:
            case["found_s"] = row["opened_s"] - BEGIN
            case["cleared_s"] = None if row["to_s"] is None else row["to_s"] - end
            for name in ("frequency_hz", "right", "down", "rotation", "zoom"):
                if row[name] is not None:
                    case[name] = row[name]
            if case["kind"] in ("jitter", "moved"):
                case["quantity"] = row["quantity"]
    cleared_s = case.get("cleared_s")
    cleared = cleared_s is not None and abs(cleared_s) <= WITHIN
    case["found"] = cleared and case["found_s"] <= WITHIN
    case["found_late"] = cleared and case["found_s"] <= LONG_WITHIN
    return case


def swing_is_right(case, fps):
    amplitude = 100 * SHAKES[case["strength"] - 1] / (1 - 2 * CUT)
    hz = case["hz"] if case["hz"] <= fps / 2 else case["frequency_hz"]
    return abs(case["quantity"] / amplitude - 1) <= 0.2 and abs(case["frequency_hz"] / hz - 1) <= 0.2


def count(counts, name, strength, hit):
    hits = counts.setdefault(name, {}).setdefault(str(strength), [0, 0])
    hits[0] += hit
    hits[1] += 1


def summary(done):
    recall, late, swing, matrix = {}, {}, {}, {}
    for case in done:
        kind, strength = case["kind"], case["strength"]
        for name in (kind, f"all on {case['footage']}", "all"):
            count(recall, name, strength, case["found"])
        if kind in ("frozen", "covered"):
            count(late, kind, strength, case["found_late"])
        if kind == "jitter" and case["found"]:
            count(swing, f"{case['hz']} Hz", strength, swing_is_right(case, FOOTAGE[case["footage"]][4]))
        row = matrix.setdefault(kind, {})
        for told in ([kind] if case["found"] else ["missed"]) + sorted(set(case["others"])):
            row[told] = row.get(told, 0) + 1
    return {"recall": recall, "found within 30 s": late, "swing": swing, "confusion": matrix}


def clean_footage(width):
    """Rows of footage without a fault, by footage."""
    days = {day: upcam(day, range(24)) for day in ("00", "01", "02")}
    ped2 = sorted(glob.glob(f"{DATA}/ped2/train/*.mp4")), sorted(glob.glob(f"{DATA}/ped2/test/*.mp4"))
    runs = {"vtest": ["--learn", "30", VTEST], "ped2 test": [f"--clean={p}" for p in ped2[0]] + ped2[1],
            "upcam 01 and 02": [f"--clean={p}" for p in days["00"]] + days["01"] + days["02"]}
    return {name: rows("--width", str(width), *args) for name, args in runs.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--clean", action="store_true")
    parser.add_argument("--footage", nargs="+", choices=FOOTAGE, default=list(FOOTAGE))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--strengths", nargs="+", type=int, choices=(1, 2, 3), default=(1, 2, 3))
    parser.add_argument("--places", type=int, default=1, metavar="N", help="cases of each fault on each footage (default: 1)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--width", type=int, default=128, help="of the pictures that are diagnosed (default: 128)")
    parser.add_argument("--clips", metavar="DIR", help="keep the clips in DIR, and take those that are there")
    options = parser.parse_args()
    if options.clean:
        print(json.dumps(clean_footage(options.width), indent=1))
        return
    if options.quick:
        options.footage, options.strengths, options.places = ["vtest"], (2,), 1
    done = []
    with tempfile.TemporaryDirectory() as folder:
        folder = options.clips or folder
        os.makedirs(folder, exist_ok=True)
        for footage in options.footage:
            clean, size = prepare(folder, footage)
            for case in cases(options.kinds, footage, options.places, options.strengths):
                clip = make(folder, case, size, options.seed)
                done.append(judge(case, rows("--width", str(options.width), "--clean", clean, clip)))
                print(json.dumps(case), file=sys.stderr, flush=True)
                if not options.clips:
                    os.remove(clip)
    print(json.dumps({"seed": options.seed, "width": options.width, **summary(done)}, indent=1))


if __name__ == "__main__":
    main()
