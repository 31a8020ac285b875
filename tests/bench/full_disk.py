#!/usr/bin/python3
"""Runs the daemon on a disk of 64 MiB (a tmpfs) under continuous alerts, and watches both.

    tests/bench/full_disk.py [--minutes 10] [--cameras 2] [--mib 64]

Prints progress on standard error and one JSON object on standard output. The status is 1 if a bar does not hold. The bars:
at any time at least a tenth of the disk is free, the two newest alerts have clips that play, windows are scored all the time,
and the log has no error.
"""
import argparse
import json
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import harness  # noqa: E402
import small_disk  # noqa: E402

SILENCE_S = 5


def run(options, folder):
    state = os.path.join(folder, "state")
    small_disk.mount(state, options.mib)
    daemon = harness.Daemon(folder, small_disk.config(folder, options.cameras))
    try:
        daemon.wait_event("evidence_written", 60)
        watch, checked, missing = small_disk.Watch(daemon, state, options.cameras), 0, 0
        for minute in range(1, options.minutes + 1):
            watch.run(60)
            newest = watch.newest(2)
            checked += len(newest)
            missing += sum(not watch.sound(alert) for alert in newest)
            print(f"{minute} min: {watch.least_free / small_disk.MIB:.1f} MiB free at least, "
                  f"{len(daemon.events('alert_opened'))} alerts, {len(daemon.events('evidence_pruned'))} pruned, "
                  f"{missing} of {checked} clips missing", file=sys.stderr, flush=True)
        result = {
            "minutes": options.minutes, "cameras": options.cameras, "disk_mib": options.mib,
            "alerts": len(daemon.events("alert_opened")), "clips": len(daemon.events("evidence_written")),
            "pruned": len(daemon.events("evidence_pruned")), "least_free_mib": round(watch.least_free / small_disk.MIB, 2),
            "newest_checked": checked, "newest_missing": missing, "longest_silence_s": round(watch.longest_silence_s, 1),
            "storage_full": len(daemon.events("storage_full")),
            "evidence_mib": round(daemon.metric("memaed_evidence_bytes") / small_disk.MIB, 1),
            "database_mib": round(daemon.metric("memaed_store_bytes") / small_disk.MIB, 1), "errors": watch.errors()[:10],
        }
        daemon.stop(limit=10)
    finally:
        daemon.kill()
        small_disk.unmount(state)
    result["holds"] = (result["least_free_mib"] >= options.mib / 10 and checked > 0 and missing == 0 and not result["errors"] and
                       result["longest_silence_s"] < SILENCE_S and result["pruned"] > 0)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--cameras", type=int, default=2)
    parser.add_argument("--mib", type=int, default=64)
    options = parser.parse_args()
    reason = small_disk.enter()
    if reason:
        sys.exit(f"SKIP: {reason}")
    folder = tempfile.mkdtemp(prefix="memaed-disk-")
    try:
        result = run(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result, indent=1))
    sys.exit(0 if result["holds"] else 1)


if __name__ == "__main__":
    main()
