#!/usr/bin/python3
"""Watches more than a hundred stream variants in one run beside a healthy camera, and prints the outcome of each.

    tests/bench/stream_variants.py [--seconds 60] [--batch 24] [--only WORD,...] [--odd FILE] [--memaed build/memaed]

A variant is a stream as some camera, server or network gives it. Time stamps are wrong, packets are lost or damaged, sign-in or
the session description has faults, servers fail. Pictures have another size or rate. Some variants are HTTP, UDP or files. All
show the same scene at ten frames a second, from which the model was learned in seconds. tests/bench/variants/catalogue.py lists
the variants. One `memaed run` watches them in batches, and a reload exchanges a batch for the next. The healthy camera is watched
from the first batch to the last.

Prints progress on standard error and a table in Markdown on standard output. A variant is blind if the second half of its time
gave less than three fifths of the windows that its rate promises. A blind variant must be reported by one of these words:

    a reason; `slow` or `frozen`
    corrupt frames in that half, or breaks other than those of a file that began again
    a warning in the log that names the camera, but not a line of FFmpeg, an alert, or another time source

The healthy camera must lose nothing: it has no break, skips no window, and gets as many windows as its rate promises. The status
is 1 if a variant is blind without a word, or if the healthy camera lost something.

--only takes the variants whose names contain one of the words. --odd is the path of odd_rtsp.py, a further server of odd
streams that is no part of this repository. Without it the variants odd-... are skipped.
"""
import argparse
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "system")]
import harness  # noqa: E402
import learning  # noqa: E402
from measuring import say  # noqa: E402
from variants.catalogue import variants  # noqa: E402
from variants.lab import FPS, Lab  # noqa: E402

ODD_TOOL = os.path.join(os.path.dirname(harness.ROOT), "shared", "tools", "odd_rtsp.py")
STRIDE, HEALTHY = 2, "healthy"
SCENE_S = 44               # seven rounds of the disc of learning.DISC, which then ends where it began
ROUTINE = ("alert_opened", "alert_closed", "ffmpeg")    # warnings that are left out of the table
HINT = "log: camera_time_source"                        # shown in the table, but it does not say that a camera sees little
SLACK_WINDOWS = 5           # windows of the healthy camera that are on their way when it is looked at
BLIND_SHARE = 0.6


def learn(lab):
    model = lab.path("gate.safetensors")
    done = harness.run("learn", "--input", lab.scene, "--output", model, *learning.SMALL, "--steps", "200", timeout=120)
    if done.code:
        sys.exit(f"cannot learn:\n{done.err}")
    return model


def reload(daemon, model, sources):
    """Makes the daemon watch the healthy camera and these variants: {name: (source, keys)}."""
    with open(daemon.config, encoding="utf-8") as f:
        config = json.load(f)
    config["cameras"] = {name: {"source": source, "model": model, "stride": STRIDE, **keys}
                         for name, (source, keys) in sources.items()}
    with open(daemon.config, "w", encoding="utf-8") as f:
        json.dump(config, f)
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{daemon.base}/api/v1/reload", b"", method="POST"), timeout=60):
            pass
    except urllib.error.HTTPError as e:
        sys.exit(f"reload: {e.read().decode()}")


def cameras(daemon):
    return {c["name"]: c for c in daemon.get("/api/v1/cameras")[1]["cameras"]}


def warnings(daemon, name):
    """Returns the events of a camera's warnings and errors, each once."""
    found = []
    for line in daemon.log().splitlines():
        event = harness.parse_line(line)
        warns = re.match(r"\S+ (warning|err|error|crit) ", line)
        if event and warns and event.get("camera") == name and event["event"] not in ROUTINE:
            found.append(event["event"])
    return list(dict.fromkeys(found))


class Outcome:
    """The outcome of a variant: REST's answers in the middle and at the end of its time, and the events of its warnings."""

    def __init__(self, middle, end, events, promised):
        self.camera, self.events, self.promised = end, events, promised
        self.windows = end["windows_scored"] - middle["windows_scored"]
        self.breaks = {k: n for k, n in end["breaks"].items() if n}
        reason = re.sub(r"^(\w+:/|)/\S*: ", "", end["reason"] or "")       # without the source
        self.words = [reason] if reason else []
        self.words += [word for word in ("slow", "frozen") if end[word]]
        broken = sum(end["breaks"][k] - middle["breaks"][k] for k in end["breaks"] if k != "loop")
        corrupt = end["frames_corrupt"] - middle["frames_corrupt"]
        self.words += [f"{broken} break{'s' if broken > 1 else ''}"] if broken else []
        self.words += [f"{corrupt} frames corrupt"] if corrupt else []
        self.words += [f"log: {event}" for event in events]
        self.blind = self.windows < BLIND_SHARE * promised
        self.failed = self.blind and not [w for w in self.words if w != HINT]

    def row(self, name):
        breaks = ", ".join(f"{k} {n}" for k, n in self.breaks.items()) or "none"
        text = "; ".join(["BLIND WITHOUT A WORD"] * self.failed + self.words).replace("|", "/")
        c = self.camera
        return (f"| {name} | {c['state']} | {c['time_source'] or ''} | {c['frames']} | {c['windows_scored']} "
                f"| {self.windows} of {self.promised:.0f} | {c['windows_slow']} | {c['alerts']} | {breaks} | {text} |")


def watch(daemon, lab, model, names, healthy, options):
    """Watches a batch. Returns {name: Outcome, or the text why it was skipped}."""
    found, sources = {}, {}
    for name in names:
        source = variants()[name](lab)
        source, keys = source if isinstance(source, tuple) else (source, {})
        if source:
            sources[name] = (source, keys)
        else:
            found[name] = f"skipped: odd_rtsp.py is not at {options.odd}"
    reload(daemon, model, {HEALTHY: healthy, **sources})
    began = time.monotonic()
    time.sleep(options.seconds / 2)
    middle, at = cameras(daemon), time.monotonic()
    time.sleep(max(0, began + options.seconds - at))
    end, promised = cameras(daemon), (time.monotonic() - at) * FPS / STRIDE
    for name in sources:
        found[name] = Outcome(middle[name], end[name], warnings(daemon, name), promised)
    status = daemon.get("/healthz")
    if status[0] != 200:
        raise AssertionError(f"/healthz: {status}")
    lab.end()
    return {name: found[name] for name in names}


def judge_healthy(first, first_at, last, last_at):
    """Returns what is wrong with the healthy camera, and how many windows it should have scored."""
    promised = int((last_at - first_at) * FPS / STRIDE)
    scored = last["windows_scored"] - first["windows_scored"]
    faults = [f"{n} breaks ({k})" for k, n in last["breaks"].items() if n]
    if last["windows_skipped"]:
        faults.append(f"{last['windows_skipped']} windows skipped")
    if scored < promised - SLACK_WINDOWS:
        faults.append(f"{scored} windows scored, but its rate promises {promised}")
    if last["state"] != "watching":
        faults.append(f"{last['state']}: {last['reason']}")
    return faults, scored, promised


def run(folder, options, names):
    say("learning")
    lab = Lab(folder, SCENE_S, options.odd if os.path.exists(options.odd) else None)
    if not lab.odd_tool:
        say(f"SKIPPED: all variants odd-...: there is no {options.odd}")
    model, outcomes, daemon = learn(lab), {}, None
    server = harness.RtspServer(lab.scene, FPS)
    healthy = (server.url, {})
    try:
        daemon = harness.Daemon(folder, {"cameras": {HEALTHY: {"source": server.url, "model": model, "stride": STRIDE}}})
        reload(daemon, model, {HEALTHY: healthy})
        first, first_at = daemon.wait_camera(HEALTHY, lambda c: c["windows_scored"] > 0, 30), time.monotonic()
        for at in range(0, len(names), options.batch):
            batch = names[at:at + options.batch]
            say(f"{at + 1} to {at + len(batch)} of {len(names)}: {', '.join(batch)}")
            outcomes.update(watch(daemon, lab, model, batch, healthy, options))
            now = daemon.camera(HEALTHY)
            say(f"  {HEALTHY}: {now['windows_scored']} windows, {now['windows_skipped']} skipped, breaks {now['breaks']}")
        last, last_at = daemon.camera(HEALTHY), time.monotonic()
        daemon.stop()
        return outcomes, (*judge_healthy(first, first_at, last, last_at), last)
    finally:
        if daemon:
            daemon.kill()
        lab.end()
        server.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="for each batch")
    parser.add_argument("--batch", type=int, default=24, help="variants at a time")
    parser.add_argument("--only", help="parts of names, with commas")
    parser.add_argument("--odd", default=ODD_TOOL, metavar="FILE")
    parser.add_argument("--memaed", default=os.path.join(harness.ROOT, "build", "memaed"))
    options = parser.parse_args()
    harness.MEMAED = shlex.split(options.memaed)
    names = [n for n in variants() if not options.only or any(word in n for word in options.only.split(","))]
    if not names:
        sys.exit(f"no variant's name contains {options.only}")
    folder = tempfile.mkdtemp(prefix="memaed-variants-")
    try:
        outcomes, (faults, scored, promised, healthy) = run(folder, options, names)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("| variant | state | time source | frames | windows scored | in the second half | slow | alerts | breaks | words |")
    print("|---" * 10 + "|")
    for name, outcome in outcomes.items():
        print(outcome.row(name) if isinstance(outcome, Outcome) else f"| {name} | {outcome} | | | | | | | | |")
    seen = [o for o in outcomes.values() if isinstance(o, Outcome)]
    silent = [n for n, o in outcomes.items() if isinstance(o, Outcome) and o.failed]
    print(f"\n{len(seen)} variants, {len(outcomes) - len(seen)} skipped. {sum(not o.blind for o in seen)} were watched, "
          f"{sum(o.blind and not o.failed for o in seen)} were blind and said so, {len(silent)} were blind without a word"
          f"{': ' + ', '.join(silent) if silent else ''}.")
    print(f"The healthy camera scored {scored} windows of {promised} that its rate promises, and skipped "
          f"{healthy['windows_skipped']}: {'; '.join(faults) or 'it lost nothing'}.")
    sys.exit(1 if silent or faults else 0)


if __name__ == "__main__":
    main()
