#!/usr/bin/python3
"""Cameras that redirect a source: no password goes to another host, and no camera reaches this machine's loopback."""
import os
import re
import socket
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from servers.http_camera import HttpCamera  # noqa: E402


class Redirects(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = harness.write_model(self.path("model.safetensors"))
        self.clip = harness.write_clip(self.path("clip.mkv"), seconds=4, size="96x64")

    def rtsp_redirector(self, location, address="127.0.0.1", sign_in=True):
        """Asks for a sign-in by Basic, unless told otherwise, and then sends the client on. Returns the port and the list of
        requests."""
        listener, seen = socket.create_server((address, 0)), []
        self.addCleanup(listener.close)

        def talk(client):
            with client:
                while text := client.recv(4096).decode():
                    seen.append(text)
                    head = re.search("(?mi)^cseq: *[0-9]+", text)[0]
                    status = ("200 OK" if text.startswith("OPTIONS") else
                              f"302 Moved\r\nLocation: {location}" if "Authorization" in text or not sign_in else
                              '401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"')
                    client.sendall(f"RTSP/1.0 {status}\r\n{head}\r\n\r\n".encode())

        def serve():
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(client,), daemon=True).start()
        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1], seen

    def test_rtsp_keeps_the_password(self):
        other, seen = self.rtsp_redirector("rtsp://127.0.0.1/x")
        first, asked = self.rtsp_redirector(f"rtsp://localhost:{other}/x")
        done = harness.run("score", "--model", self.model, f"rtsp://viewer:hunter2@127.0.0.1:{first}/x")
        self.assertEqual(done.code, 1)
        self.assertIn("redirected to another host or to this machine, which is refused", done.err)
        self.assertTrue(any("Authorization" in text for text in asked))
        self.assertEqual(seen, [])

    def test_rtsp_without_slashes_keeps_the_password(self):
        other, seen = self.rtsp_redirector("rtsp://127.0.0.1/x")
        for location in (f"rtsp:localhost:{other}/x", f"rtsp:/localhost:{other}/x"):
            with self.subTest(location):
                first, _ = self.rtsp_redirector(location)
                done = harness.run("score", "--model", self.model, f"rtsp://viewer:hunter2@127.0.0.1:{first}/x")
                self.assertEqual(done.code, 1)
                self.assertIn("redirected to another host or to this machine, which is refused", done.err)
                self.assertEqual(seen, [])

    def test_rtsp_does_not_reach_loopback(self):
        address = harness.own_address()
        if not address:
            raise unittest.SkipTest("this machine has no address but loopback")
        inside, seen = self.rtsp_redirector("rtsp://127.0.0.1/x")
        for host in ("2130706433", "0x7f.1", "[::ffff:7f00:1]", ""):
            with self.subTest(host):
                first, _ = self.rtsp_redirector(f"rtsp://{host}:{inside}/x", address=address, sign_in=False)
                done = harness.run("score", "--model", self.model, f"rtsp://{address}:{first}/x")
                self.assertEqual(done.code, 1)
                self.assertIn("redirected to another host or to this machine, which is refused", done.err)
                self.assertEqual(seen, [])

    def test_http_keeps_the_password(self):
        other = HttpCamera(self.clip)
        first = HttpCamera(self.clip, "viewer", "hunter2", redirect=f"http://localhost:{other.port}/live.mkv")
        for camera in (first, other):
            self.addCleanup(camera.close)
        harness.run("score", "--model", self.model, first.url.replace("//", "//viewer:hunter2@"))
        self.assertTrue(other.requests)
        self.assertEqual([given for _, given in other.requests if given], [])

    def test_http_does_not_reach_loopback(self):
        address = harness.own_address()
        if not address:
            raise unittest.SkipTest("this machine has no address but loopback")
        inside = HttpCamera(self.clip)
        outside = HttpCamera(self.clip, redirect=inside.url, address=address)
        for camera in (outside, inside):
            self.addCleanup(camera.close)
        done = harness.run("score", "--model", self.model, outside.url)
        self.assertEqual(done.code, 1)
        self.assertIn("redirected to another host or to this machine, which is refused", done.err)


if __name__ == "__main__":
    harness.main()
