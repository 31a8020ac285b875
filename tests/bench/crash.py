#!/usr/bin/python3
"""Kills `memaed run` with SIGKILL at random instants while alerts arrive, and starts it again each time. Nothing that anybody was
told may be lost.

    tests/bench/crash.py [--kills 200] [--cameras 8] [--seed 1] [--memaed build/memaed]

The cameras are looped files in which something comes and goes. One webhook receiver always answers. The other flaps: at random it
answers, fails, answers too late or drops connections. One client polls the alerts by REST, one reads server-sent events.
After each kill:

- the database is sound (SQLite's integrity_check);
- every alert that the receivers or a client ever saw is in the database, under the same id, of the same camera, with the same
  opening;
- no id stands for two alerts;
- every clip on disk plays to its end, and has at least one frame.

At the end both receivers answer. Every event of the database then reaches each of them: at least once, under its own id, and in
the order of the database. No alert that was open at a kill stays open, and no file that a kill left incomplete stays. REST shows
the clip of each interrupted alert, if there is one, and the database has its row.

Prints progress on standard error and one JSON object on standard output. The status is 1 if anything failed.
"""
import argparse
import glob
import json
import os
import random
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import harness  # noqa: E402
from measuring import say  # noqa: E402
from servers.webhook_receiver import Receiver  # noqa: E402

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
UP_S = (0.2, 6.0)               # how long the daemon lives once it is ready; all but FLAP_S times MEMAED_TEST_SCALE
FLAP_S = (0.2, 1.5)             # how long the flapping receiver behaves in the same way
DELIVER_S = 120
ADOPT_S = 60                    # how long files that a crash has left may be without a row


class Flapping(Receiver):
    """A receiver that changes its behaviour (`mood`) until `calm` is set."""

    def __init__(self, secret, rng):
        self.mood, self.calm, self.rng = "well", False, rng
        super().__init__(secret)
        self.server.handle_error = lambda *_args: None      # dropped connections are not reported
        threading.Thread(target=self.change, daemon=True).start()

    def change(self):
        while not self.calm:
            self.mood = self.rng.choice(("well", "well", "fails", "late", "drops"))
            time.sleep(self.rng.uniform(*FLAP_S))
        self.mood = "well"

    def take(self, headers, body):
        mood = self.mood
        if mood == "fails":
            return 500, {}
        if mood == "drops":
            raise ConnectionResetError          # closes the connection without an answer
        if mood == "late":
            time.sleep(1)
        return super().take(headers, body)


class Witness:
    """The alerts that receivers and clients were told of: camera and opening, by id."""

    def __init__(self):
        self.alerts, self.faults, self.lock = {}, [], threading.Lock()

    def see(self, alert, where):
        said = (alert["camera"], alert["opened"])
        with self.lock:
            before = self.alerts.setdefault(alert["id"], said)
            if before != said:
                self.faults.append(f"{where}: alert {alert['id']} is {said}, and was {before}")


class Client(threading.Thread):
    """Asks the running daemon. After a kill, it goes on with the next daemon."""

    def __init__(self, witness):
        super().__init__(daemon=True)
        self.witness, self.base, self.ended = witness, None, False

    def run(self):
        while not self.ended:
            base = self.base
            try:
                if base:
                    self.ask(base)
            except (OSError, ValueError, urllib.error.URLError):
                pass
            time.sleep(0.05)


class Poller(Client):
    cursor = None

    def ask(self, base):
        query = f"since={self.cursor}" if self.cursor else "limit=1000"
        with urllib.request.urlopen(f"{base}/api/v1/alerts?{query}", timeout=5) as answer:
            value = json.load(answer)
        for alert in value["alerts"]:
            self.witness.see(alert, "REST")
        self.cursor = value["next"]


class Listener(Client):
    """Reads server-sent events. `seen`: the ids, in the order in which they came."""
    last = None
    seen: list

    def ask(self, base):
        headers = {"Last-Event-ID": self.last} if self.last else {}
        with urllib.request.urlopen(urllib.request.Request(f"{base}/api/v1/events", headers=headers), timeout=20) as stream:
            event = {}
            for line in stream:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name in ("id", "event", "data"):
                    event[name] = value
                elif not name and event.get("id"):
                    self.take(event)
                    event = {}

    def take(self, event):
        if event.get("event") == "reset":
            self.witness.faults.append("server-sent events: a reset, though nothing was pruned")
        if self.last is not None and int(event["id"]) <= int(self.last) and "data" in event:
            self.witness.faults.append(f"server-sent events: {event['id']} after {self.last}")
        self.last = event["id"]
        if "data" not in event:             # the stream tells how far it has come
            return
        self.seen.append(int(event["id"]))
        body = json.loads(event["data"])
        if body["type"].startswith("alert."):
            self.witness.see(body["data"], "server-sent events")


class Crash:
    def __init__(self, options):
        self.options, self.rng = options, random.Random(options.seed)
        self.folder = tempfile.mkdtemp(prefix="memaed-crash-")
        self.state = os.path.join(self.folder, "state")
        self.witness, self.failures, self.clips = Witness(), [], {}
        self.well, self.flapping = Receiver(SECRET), Flapping(SECRET, random.Random(options.seed + 1))
        self.poller, self.listener = Poller(self.witness), Listener(self.witness)
        self.listener.seen = []
        for client in (self.poller, self.listener):
            client.start()
        self.config = self.configuration()
        self.starts = []

    def configuration(self):
        model = harness.write_model(os.path.join(self.folder, "m.safetensors"), 64, 96, calibration=harness.OWN_CALIBRATION)
        cameras = {}
        for i in range(self.options.cameras):
            clip = os.path.join(self.folder, f"c{i}.mkv")
            harness.write_mover(clip, frames=40 + 3 * i, moving=range(18, 30))
            mp4 = clip[:-3] + "mp4"
            harness.ffmpeg("-i", clip, "-c:v", "libx264", "-qp", 0, "-g", 10, "-bf", 0, mp4)
            cameras[f"cam{i}"] = {"source": mp4, "loop": True, "model": model, "stride": 1, "static": "off",
                                  "alert": {"cooldown_s": 0, **self.options.alert}}
        return {"cameras": cameras, "workers": 2, **self.options.more,
                "webhooks": [{"name": "well", "url": self.well.url, "secret": SECRET},
                             {"name": "flapping", "url": self.flapping.url, "secret": SECRET, "timeout_s": 0.5}]}

    def fail(self, text):
        say("FAILED:", text)
        self.failures.append(text)

    def start(self):
        start = time.monotonic()
        daemon = harness.Daemon(self.folder, {"state_dir": self.state, **self.config})
        self.poller.base = self.listener.base = daemon.base
        daemon.wait_event("started")
        self.starts.append(time.monotonic() - start)
        return daemon

    def database(self):
        db = sqlite3.connect(f"file:{self.state}/memaed.db?mode=ro", uri=True, timeout=30)
        db.row_factory = sqlite3.Row
        return db

    def check_database(self):
        db = self.database()
        try:
            said = [row[0] for row in db.execute("PRAGMA integrity_check")]
            if said != ["ok"]:
                self.fail(f"the database is not sound: {said[:3]}")
            kept = {row["id"]: (row["camera"], harness_time(row["opened_us"])) for row in
                    db.execute("SELECT id, camera, opened_us FROM alerts")}
        finally:
            db.close()
        for receiver in (self.well, self.flapping):
            with receiver.lock:
                told = [d["data"] for d in receiver.deliveries if str(d.get("type")).startswith("alert.")]
            for alert in told:
                self.witness.see(alert, "webhook")
        with self.witness.lock:
            seen = dict(self.witness.alerts)
        for number, said in seen.items():
            if kept.get(number) != said:
                self.fail(f"alert {number} was told as {said}; the database has {kept.get(number)}")
        return len(kept)

    def check_clips(self):
        """Decodes each clip that is new since the last check."""
        for path in glob.glob(f"{self.state}/evidence/**/clip.*", recursive=True):
            status = os.stat(path)
            if self.clips.get(path) == status.st_size:
                continue
            self.clips[path] = status.st_size
            done = subprocess.run(["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-show_entries",
                                   "stream=nb_read_frames", "-of", "csv=p=0", path], capture_output=True, text=True, check=False)
            frames = done.stdout.strip().rstrip(",")
            if done.returncode or done.stderr or not frames.isdigit() or int(frames) < 1:
                self.fail(f"{path}: {frames or 'no'} frames, {done.stderr.strip()[:200]}")

    def one_kill(self, number):
        daemon = self.start()
        time.sleep(self.rng.uniform(*UP_S) * harness.SCALE)
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait()
        self.poller.base = self.listener.base = None
        daemon.kill()
        alerts = self.check_database()
        self.check_clips()
        say(f"kill {number}: {alerts} alerts, {len(self.witness.alerts)} told, {len(self.clips)} clips, "
            f"started in {self.starts[-1]:.2f} s")

    def check_interrupted(self, daemon, db):
        """Checks that REST and the database know each interrupted alert's clip that is on disk. Returns their number."""
        alerts = [row["id"] for row in db.execute("SELECT id FROM alerts WHERE state = 'interrupted'")]
        clips = {number: path for number in alerts for path in glob.glob(f"{self.state}/evidence/*/*/{number}/clip.*")}

        def without_row():
            kept = {row["alert"] for row in db.execute("SELECT alert FROM evidence WHERE kind = 'clip'")}
            return sorted(set(clips) - kept)
        deadline = time.monotonic() + ADOPT_S * harness.SCALE
        while without_row() and time.monotonic() < deadline:
            time.sleep(0.2)
        for number in without_row():
            self.fail(f"{clips[number]}: the database has no row of it")
        for number, path in clips.items():
            status, alert = daemon.get(f"/api/v1/alerts/{number}")
            if status != 200 or "clip" not in alert.get("evidence", {}):
                self.fail(f"{path}: REST does not show it, but {status} {alert}")
        return len(clips)

    def settle(self):
        """Makes both receivers answer, waits until everything is delivered, and compares."""
        self.flapping.calm = True
        daemon = self.start()
        db = self.database()
        before = db.execute("SELECT max(seq) FROM events").fetchone()[0] or 0
        deadline = time.monotonic() + DELIVER_S * harness.SCALE
        waiting = -1
        while time.monotonic() < deadline and waiting != 0:
            waiting = db.execute("SELECT count(*) FROM outbox WHERE seq <= ?", (before,)).fetchone()[0]
            time.sleep(0.2)
        if waiting:
            self.fail(f"{waiting} deliveries still wait after {DELIVER_S * harness.SCALE:.0f} s")
        interrupted = db.execute("SELECT count(*) FROM alerts WHERE state = 'interrupted'").fetchone()[0]
        stale = db.execute("SELECT count(*) FROM alerts WHERE state = 'open' AND id IN (SELECT alert FROM events WHERE seq <= ? "
                           "AND type = 'alert.opened')", (before,)).fetchone()[0]
        clips = self.check_interrupted(daemon, db)
        harness.wait_for("server-sent events", lambda: self.listener.last is not None and int(self.listener.last) >= before, 30)
        daemon.stop()
        left = glob.glob(f"{self.state}/evidence/*/*/*/.[!.]*")
        if left:
            self.fail(f"{len(left)} files that were never completed are left, such as {left[0]}")
        events = db.execute("SELECT seq, id FROM events WHERE seq <= ? ORDER BY seq", (before,)).fetchall()
        for name, receiver in (("well", self.well), ("flapping", self.flapping)):
            first = {}
            with receiver.lock:
                for i, delivery in enumerate(receiver.deliveries):
                    first.setdefault(delivery["id"], i)
            missing = [e["id"] for e in events if e["id"] not in first]
            order = [first[e["id"]] for e in events if e["id"] in first]
            if missing:
                self.fail(f"{name}: {len(missing)} of {len(events)} events never came, such as {missing[0]}")
            if order != sorted(order):
                self.fail(f"{name}: events came out of order")
            if receiver.faults():
                self.fail(f"{name}: {receiver.faults()[0]['fault']}")
        missed = sorted({e["seq"] for e in events} - set(self.listener.seen))
        if missed:
            self.fail(f"server-sent events: {len(missed)} of {len(events)} never came, such as {missed[0]}")
        db.close()
        return len(events), interrupted, clips, stale

    def run(self):
        for number in range(1, self.options.kills + 1):
            self.one_kill(number)
        events, interrupted, clips, open_now = self.settle()
        for client in (self.poller, self.listener):
            client.ended = True
        for fault in self.witness.faults:
            self.fail(fault)
        alerts = self.check_database()
        result = {"kills": self.options.kills, "alerts": alerts, "told": len(self.witness.alerts), "events": events,
                  "interrupted": interrupted, "interrupted_with_clip": clips, "open_at_the_end": open_now,
                  "deliveries": {"well": len(self.well.deliveries), "flapping": len(self.flapping.deliveries)},
                  "server_sent": len(self.listener.seen), "clips": len(self.clips), "start_s_most": round(max(self.starts), 2),
                  "failures": self.failures}
        shutil.rmtree(self.folder)
        return result


def harness_time(us):
    """Returns a time of the database as REST writes it."""
    seconds, us = divmod(us, 1000000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{us // 1000:03}Z"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--memaed", default=" ".join(harness.MEMAED))
    options = parser.parse_args()
    harness.MEMAED = shlex.split(options.memaed)
    options.alert, options.more = {"merge_s": 0, "max_per_hour": 0}, {}
    result = Crash(options).run()
    print(json.dumps(result, indent=2))
    sys.exit(1 if result["failures"] or result["told"] == 0 else 0)


if __name__ == "__main__":
    main()
