#!/usr/bin/python3
"""The REST interface of the real program with clients that are faulty, hostile or many. The pipeline goes on meanwhile."""
import http.client
import json
import resource
import socket
import time

import harness


class Http(harness.Case):
    def setUp(self):
        super().setUp()
        model = harness.write_model(self.path("model.safetensors"))
        clip = harness.write_clip(self.path("clip.mkv"), seconds=300)
        self.memaed = self.daemon({"cameras": {"gate": {"source": clip, "model": model, "fps": 10, "fps_force": True,
                                                        "stride": 1, "alert": {"threshold": 99999}}}})
        self.host, port = self.memaed.address.rsplit(":", 1)
        self.port = int(port)
        self.gate = harness.Follower(self.memaed, "gate")
        self.gate.wait(1)

    def tearDown(self):
        if not self.memaed.stopped:
            self.gate.wait(len(self.gate.scores) + 2)       # the camera is still scored
            self.memaed.stop()

    def request(self, method, target, headers=None, body=None):
        """Returns (status, headers, body) of one request on a connection of its own."""
        c = http.client.HTTPConnection(self.host, self.port, timeout=10 * harness.SCALE)
        try:
            c.request(method, target, body, headers or {})
            answer = c.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            c.close()

    def connect(self):
        return socket.create_connection((self.host, self.port), timeout=15 * harness.SCALE)

    def raw(self, data):
        """Returns the first bytes of the answer to these bytes; b"": the server closed without an answer."""
        with self.connect() as s:
            try:
                s.sendall(data)
                return s.recv(65536)
            except (ConnectionResetError, BrokenPipeError):
                return b""

    def check_problem(self, answer, status):
        self.assertEqual(answer[0], status)
        self.assertEqual(answer[1].get_content_type(), "application/problem+json")
        problem = json.loads(answer[2])
        self.assertEqual(problem["status"], status)
        self.assertTrue(problem["title"])

    def test_bad_method(self):
        for method in ("POST", "PUT", "DELETE", "PATCH", "BREW"):
            for target in ("/api/v1/cameras", "/metrics"):
                with self.subTest(method=method, target=target):
                    answer = self.request(method, target)
                    self.check_problem(answer, 405)
                    self.assertIn("GET", answer[1]["Allow"])
        status, _, body = self.request("HEAD", "/api/v1/cameras")
        self.assertEqual((status, body), (200, b""))

    def write_config(self, change):
        """Replaces the configuration by one that change(configuration) has changed; returns what was there before."""
        with open(self.memaed.config, encoding="utf-8") as f:
            before = f.read()
        config = json.loads(before)
        change(config)
        with open(self.memaed.config, "w", encoding="utf-8") as f:
            json.dump(config, f, indent=1)
        return before

    def test_reload(self):
        status, headers, body = self.request("POST", "/api/v1/reload")
        self.assertEqual((status, headers.get_content_type()), (200, "application/json"))
        self.assertEqual(json.loads(body), {"status": "reloaded", "added": 0, "removed": 0, "changed": 0, "unchanged": 1,
                                            "needs_restart": []})
        before = self.write_config(lambda config: config.update(workers=1))
        answer = json.loads(self.request("POST", "/api/v1/reload")[2])
        self.assertEqual((answer["unchanged"], answer["needs_restart"]), (1, ["workers"]))

        self.write_config(lambda config: config["cameras"]["gate"].update(stride="often"))
        answer = self.request("POST", "/api/v1/reload")
        self.check_problem(answer, 422)
        faults = json.loads(answer[2])["faults"]
        self.assertEqual(len(faults), 1)
        self.assertRegex(faults[0], r"memaed\.yml:\d+:\d+: cameras\.gate\.stride: ")
        self.gate.wait(len(self.gate.scores) + 2)       # the same cursor goes on
        with open(self.memaed.config, "w", encoding="utf-8") as f:
            f.write(before)

        reloads = len(self.memaed.events("reloaded"))
        for refused in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
            self.check_problem(self.request("POST", "/api/v1/reload", refused), 403)
        own = {"Origin": f"http://{self.memaed.address}", "Sec-Fetch-Site": "same-origin"}
        self.assertEqual(self.request("POST", "/api/v1/reload", own)[0], 200)
        self.check_problem(self.request("POST", "/api/v1/reload", body=b"{}"), 413)
        answer = self.request("GET", "/api/v1/reload")
        self.check_problem(answer, 405)
        self.assertEqual(answer[1]["Allow"], "POST")
        harness.wait_for("reloaded in the log", lambda: len(self.memaed.events("reloaded")) == reloads + 1, 5)

    def test_stop_with_reloads_waiting(self):
        """Each client gets an answer, or sees the connection end."""
        sockets = [self.connect() for _ in range(24)]
        for s in sockets:
            s.sendall(b"POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.memaed.stop()
        for s in sockets:
            with s:
                try:
                    answer = s.recv(4096)
                except ConnectionResetError:
                    continue
                if answer:
                    self.assertRegex(answer, rb"^HTTP/1\.1 (200|503) ")

    def test_bad_path(self):
        for target in ("//", "/api", "/api/v1/", "/api/v1/camera", "/api/v1/cameras/nobody",
                       "/api/v1/cameras/nobody/scores", "/api/v1/cameras/gate/scores/1", "/api/v1/cameras/..%2f..%2fetc",
                       "/../../../../etc/passwd", "/api/v1/alerts/1", "/api/v1/alerts/18446744073709551616", "/metrics/x"):
            with self.subTest(target=target):
                self.check_problem(self.request("GET", target), 404)

    def test_bad_cursor(self):
        scores = "/api/v1/cameras/gate/scores"
        good = self.gate.cursor
        foreign = ("0" * 16 + good[16:]) if len(good) > 16 else "0" * len(good)
        answer = self.request("GET", f"{scores}?since={foreign}")
        self.check_problem(answer, 410)
        self.assertEqual(self.request("GET", f"{scores}?since={json.loads(answer[2])['oldest']}")[0], 200)
        for cursor in ("", "x", "-1", "0", "%00", "a" * 1000, good + "0", "99999999999999999999"):
            with self.subTest(cursor=cursor[:30]):
                self.assertIn(self.request("GET", f"{scores}?since={cursor}")[0], (400, 410))

    def test_bad_limit(self):
        for limit in ("", "x", "-1", "0", "1.5", "1e3", "99999999999999999999999", "0x10", "%20", "1;2"):
            with self.subTest(limit=limit):
                self.check_problem(self.request("GET", f"/api/v1/cameras/gate/scores?limit={limit}"), 400)

    def test_oversized(self):
        answer = self.request("GET", "/api/v1/cameras?" + "x" * 4000)
        self.assertEqual(answer[0], 414)
        for data in (b"GET /" + b"x" * 1000000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 1000000 + b"\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 100000 + b"\r\n",
                     b"POST /api/v1/cameras HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 500000):
            answer = self.raw(data)
            if answer:
                self.assertRegex(answer, rb"^HTTP/1\.[01] (4\d\d) ")

    def test_not_http(self):
        for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), b"\r\n\r\n\r\n\r\n", b"GET\r\n\r\n",
                     b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", bytes(range(256)) * 8 + b"\r\n\r\n"):
            answer = self.raw(data)
            if answer:
                self.assertRegex(answer, rb"^HTTP/1\.[01] [45]\d\d ")

    def test_slow_client(self):
        """A client that sends only a byte now and then is cut off. Others are answered meanwhile."""
        with self.connect() as s:
            s.sendall(b"GET /api/v1/cameras HTTP/1.1\r\nHost: localhost\r\nX: ")
            start, cut = time.monotonic(), False
            while not cut and time.monotonic() - start < 60 * harness.SCALE:
                s.settimeout(0.5)
                try:
                    s.sendall(b"y")
                    cut = s.recv(4096) == b""
                except TimeoutError:
                    asked = time.monotonic()
                    self.assertEqual(self.memaed.get("/healthz")[0], 200)
                    self.assertLess(time.monotonic() - asked, 2 * harness.SCALE)
                except (ConnectionResetError, BrokenPipeError):
                    cut = True
            self.assertTrue(cut, "the client was not cut")

    def test_thousand_connections(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
        before = self.memaed.camera("gate")
        sockets = []
        try:
            for i in range(1000):
                s = self.connect()
                sockets.append(s)
                if i % 2:               # half of them ask and never read; the others send nothing
                    try:
                        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    except (ConnectionResetError, BrokenPipeError):
                        pass            # the server has cut it
            self.assertEqual(self.memaed.get("/healthz")[0], 200, "a new client got no answer")
            self.gate.wait(len(self.gate.scores) + 5)
            after = self.memaed.camera("gate")
            if not harness.SAN:
                self.assertEqual(after["frames_dropped"], before["frames_dropped"])
        finally:
            for s in sockets:
                s.close()
        self.assertEqual(self.memaed.get("/healthz")[0], 200)

    def test_stop_with_clients_connected(self):
        with self.connect() as silent, self.connect() as half:
            half.sendall(b"GET /metr")
            self.memaed.stop()
            try:
                self.assertEqual(silent.recv(1), b"")
            except ConnectionResetError:
                pass                        # the server has closed it, too


if __name__ == "__main__":
    harness.main()
