#!/usr/bin/python3
"""The configuration is read again while the daemon runs: by SIGHUP and by POST /api/v1/reload.

MEMAED_TEST_RELOADS=200 makes the test under load as long as the project promises: 200 reloads in 60 s, 8 cameras.
"""
import json
import os
import random
import re
import signal
import socket
import threading
import time

import harness
from servers.webhook_receiver import Receiver

RELOADS = int(os.environ.get("MEMAED_TEST_RELOADS", "12"))
RELOAD_EVERY_S = 0.3
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"


class Reload(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("model.safetensors"))
        self.clip = harness.write_clip(self.path("clip.mkv"), seconds=60, fps=10)      # it begins again in no test
        self.common = {"source": self.clip, "model": self.model, "fps": 10, "fps_force": True, "stride": 1, "loop": True,
                       "alert": {"threshold": 99999}}

    def dead(self):
        """Returns the keys of a camera that refuses connections."""
        return {**self.common, "source": f"rtsp://127.0.0.1:{harness.free_port()}/live", "loop": False}

    def write(self, daemon, config):
        """Writes a configuration in the place of the one that the daemon runs by, at once."""
        whole = {"state_dir": os.path.join(self.folder, "state"), "http": {"listen": "127.0.0.1:0"}, **config}
        with open(daemon.config + ".new", "w", encoding="utf-8") as f:
            json.dump(whole, f, indent=1)
        os.rename(daemon.config + ".new", daemon.config)

    def reload(self, daemon, config):
        self.write(daemon, config)
        status, answer = daemon.post("/api/v1/reload")
        self.assertEqual(status, 200, answer)
        return answer

    def hang_up(self, daemon, event="reloaded"):
        before = len(daemon.events(event))
        daemon.process.send_signal(signal.SIGHUP)
        harness.wait_for(f"event={event}", lambda: len(daemon.events(event)) > before, 20)
        return daemon.events(event)[-1]

    def names(self, daemon):
        return [c["name"] for c in daemon.get("/api/v1/cameras")[1]["cameras"]]

    def cursor(self, daemon, name):
        return daemon.get(f"/api/v1/cameras/{name}/scores?limit=1")[1]["next"]

    def test_cameras_come_go_and_change(self):
        daemon = self.daemon({"cameras": {n: self.common for n in ("a", "b", "c")}})
        stays = harness.Follower(daemon, "a")
        stays.wait(5)
        daemon.wait_camera("b", lambda c: c["windows_scored"] > 2)
        old_b = self.cursor(daemon, "b")

        self.write(daemon, {"cameras": {"d": self.common, "a": self.common, "b": {**self.common, "stride": 2}}})
        done = self.hang_up(daemon)
        self.assertEqual([done[k] for k in ("added", "removed", "changed", "unchanged")], ["1", "1", "1", "1"])
        self.assertEqual(self.names(daemon), ["d", "a", "b"])
        daemon.wait_camera("d", "watching")
        daemon.wait_camera("b", lambda c: c["windows_scored"] > 2)

        # The unchanged camera's cursor goes on without a gap. That of the replaced camera is refused, with the place to go on.
        stays.wait(len(stays.scores) + 10)
        windows = [s["window"] for s in stays.scores]
        self.assertEqual(windows, list(range(len(windows))))
        status, answer = daemon.get(f"/api/v1/cameras/b/scores?since={old_b}")
        self.assertEqual(status, 410, answer)
        status, answer = daemon.get(f"/api/v1/cameras/b/scores?since={answer['oldest']}")
        self.assertEqual((status, answer["scores"][0]["window"]), (200, 0))
        self.assertEqual(daemon.get("/api/v1/cameras/c")[0], 404)
        self.assertEqual(daemon.get("/api/v1/cameras/c/scores")[0], 404)
        self.assertIsNone(daemon.metric("memaed_camera_state", camera="c"))
        daemon.stop()

    def test_an_unchanged_file_touches_nothing(self):
        daemon = self.daemon({"cameras": {"a": self.common, "b": self.common}})
        daemon.wait_camera("a", "watching")
        status, answer = daemon.post("/api/v1/reload")
        self.assertEqual((status, answer), (200, {"status": "reloaded", "added": 0, "removed": 0, "changed": 0,
                                                  "unchanged": 2, "needs_restart": []}))
        self.assertEqual(len(daemon.events("camera_started")), 2)
        daemon.stop()

    def test_a_faulty_file_changes_nothing(self):
        daemon = self.daemon({"cameras": {"a": self.common}})
        follower = harness.Follower(daemon, "a")
        follower.wait(3)
        self.write(daemon, {"cameras": {"a": {**self.common, "stride": 0}, "new": self.common}})
        status, answer = daemon.post("/api/v1/reload")
        self.assertEqual(status, 422, answer)
        self.assertEqual(len(answer["faults"]), 1)
        self.assertRegex(answer["faults"][0], re.escape(daemon.config) + r":\d+:\d+: cameras\.a\.stride: ")
        harness.wait_for("the log tells the fault", lambda: answer["faults"][0] in daemon.log(), 5)
        self.assertEqual(self.hang_up(daemon, "reload_failed")["reason"],
                         "the configuration has faults, so nothing changed; the lines before name them")

        # A fault that only the loaded model shows is a fault as well, and so is a missing file.
        self.write(daemon, {"cameras": {"a": {**self.common, "precision": "int8"}}})
        status, answer = daemon.post("/api/v1/reload")
        self.assertEqual(status, 422, answer)
        self.assertRegex(answer["faults"][0], r":\d+:\d+: cameras\.a\.precision: ")
        os.remove(daemon.config)
        status, answer = daemon.post("/api/v1/reload")
        self.assertEqual(status, 422, answer)
        self.assertIn(daemon.config, answer["faults"][0])

        self.assertEqual(self.names(daemon), ["a"])
        follower.wait(len(follower.scores) + 3)
        windows = [s["window"] for s in follower.scores]
        self.assertEqual(windows, list(range(len(windows))))
        self.assertEqual(self.reload(daemon, {"cameras": {"a": self.common, "new": self.common}})["added"], 1)
        daemon.stop()

    def test_a_model_learned_anew_is_taken_over(self):
        daemon = self.daemon({"cameras": {"a": self.common}})
        before = harness.Follower(daemon, "a").wait(3)[2]["reference"]
        harness.write_model(self.path("other"), seed=2)
        os.rename(self.path("other"), self.model)
        self.assertEqual(self.hang_up(daemon)["changed"], "1")
        after = harness.Follower(daemon, "a").wait(3)[2]["reference"]
        self.assertNotAlmostEqual(before, after, places=4)
        daemon.stop()

    def test_keys_that_need_a_restart_are_named(self):
        daemon = self.daemon({"cameras": {"a": self.common}})
        answer = self.reload(daemon, {"cameras": {"a": self.common}, "workers": 1, "http": {"listen": "127.0.0.1:1"},
                                      "state_dir": self.folder})
        self.assertEqual(answer["needs_restart"], ["http.listen", "workers", "state_dir"])
        harness.wait_for("the log to name them",
                         lambda: [e["key"] for e in daemon.events("reload_needs_restart")] == answer["needs_restart"], 10)
        self.assertEqual(self.reload(daemon, {"cameras": {"a": self.common}})["needs_restart"], [])
        daemon.stop()

    def test_webhooks_come_and_go(self):
        receiver = Receiver(SECRET)
        self.addCleanup(receiver.close)
        gone, hook = self.dead(), {"url": receiver.url, "secret": SECRET}
        daemon = self.daemon({"cameras": {"a": self.common}})
        self.reload(daemon, {"cameras": {"a": self.common, "gone": gone}, "webhooks": [hook]})
        self.assertIsNone(harness.wait_for("camera.lost", lambda: receiver.of("camera.lost", "gone"), 20)[0]["fault"])
        self.reload(daemon, {"cameras": {"a": self.common}})
        self.reload(daemon, {"cameras": {"a": self.common, "again": gone}})
        daemon.wait_camera("again", "lost")
        self.assertFalse(receiver.of("camera.lost", "again"))
        daemon.stop()

    def test_other_sites_are_refused(self):
        daemon = self.daemon({"cameras": {"a": self.common}})
        for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
            status, answer = daemon.post("/api/v1/reload", headers)
            self.assertEqual(status, 403, (headers, answer))
        self.assertEqual(daemon.events("reloaded"), [])
        self.assertEqual(daemon.post("/api/v1/reload", {"Origin": daemon.base, "Sec-Fetch-Site": "same-origin"})[0], 200)
        self.assertEqual(daemon.get("/api/v1/reload")[0], 405)
        daemon.stop()

    def test_systemd_is_told(self):
        path, messages = self.path("notify"), []
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(notify.close)
        notify.bind(path)
        notify.settimeout(20 * harness.SCALE)
        daemon = self.daemon({"cameras": {"a": self.common}}, {"NOTIFY_SOCKET": path})
        since = time.monotonic()
        self.hang_up(daemon)
        while "READY=1" not in messages or "RELOADING=1" not in "".join(messages):
            messages.append(notify.recv(4096).decode())
        reloading = next(m for m in messages if m.startswith("RELOADING=1"))
        at = int(re.search(r"^MONOTONIC_USEC=(\d+)$", reloading, re.M)[1]) / 1e6
        self.assertGreaterEqual(at, since - 0.001)
        self.assertLessEqual(at, time.monotonic())
        harness.wait_for("READY=1 after RELOADING=1", lambda: self.ready_after(notify, messages), 20)
        daemon.stop()

    @staticmethod
    def ready_after(notify, messages):
        at = max(i for i, m in enumerate(messages) if m.startswith("RELOADING=1"))
        if "READY=1" in messages[at:]:
            return True
        messages.append(notify.recv(4096).decode())
        return False

    def test_reloads_under_load(self):
        """Cameras are added, removed and changed, with faulty files between, while others watch and are polled. No window of an
        unchanged camera is lost."""
        rng = random.Random(1)
        self.common["source"] = harness.write_clip(self.path("long.mkv"), seconds=900, fps=10)      # none begins again
        self.common["fps"] = max(1, 10 / harness.SCALE)         # a sanitizer must not make it an overload
        daemon = self.daemon({"cameras": {f"c{i}": self.common for i in range(8)}})
        stay = ("c0", "c1", "c2")
        followers = [harness.Follower(daemon, n, limit=1000) for n in stay]
        for f in followers:
            f.wait(1)
        stop, problems = threading.Event(), []

        def poll():
            try:
                while not stop.wait(0.1):
                    for f in followers:
                        f.poll()
                    assert daemon.get("/metrics")[0] == 200 and daemon.get("/api/v1/cameras")[0] == 200
            except Exception as e:      # pylint: disable=broad-except
                problems.append(e)
        poller = threading.Thread(target=poll)
        poller.start()
        try:
            for i in range(RELOADS):
                began = time.monotonic()
                cameras = {n: self.common for n in stay}
                for k in range(3, 8):
                    if rng.random() < 0.7:
                        cameras[f"c{k}"] = {**self.common, "stride": rng.choice((1, 1, 2, 4))}
                if rng.random() < 0.2:
                    cameras["dead"] = self.dead()
                if i % 5 == 4:
                    cameras["c1"] = {**self.common, "fps": "fast"}
                self.write(daemon, {"cameras": cameras})
                status, answer = daemon.post("/api/v1/reload")
                self.assertEqual(status, 422 if i % 5 == 4 else 200, answer)
                if status == 200:
                    self.assertGreaterEqual(answer["unchanged"], len(stay))
                    self.assertEqual(sorted(self.names(daemon)), sorted(cameras))
                time.sleep(max(0, began + RELOAD_EVERY_S - time.monotonic()))
        finally:
            stop.set()
            poller.join()
        self.assertEqual(problems, [])
        for name, f in zip(stay, followers):
            f.drain()
            windows = [s["window"] for s in f.scores]
            camera = daemon.camera(name)
            self.assertEqual(windows, list(range(len(windows))), f"{name} lost windows")
            self.assertEqual((camera["windows_skipped"], camera["frames_dropped"]), (0, 0), name)
            self.assertEqual(len(daemon.events("camera_started", camera=name)), 1)
        daemon.stop()


if __name__ == "__main__":
    harness.main()
