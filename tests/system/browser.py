"""Plays a video by URL in a headless Chromium, and returns what the player saw."""
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

PAGE = """<!doctype html><video id=v muted preload=auto src=%s></video><script>
const v = document.getElementById("v"), seen = {type: v.canPlayType(%s), times: []};
const send = () => fetch("/result", {method: "POST", body: JSON.stringify(seen)});
const once = name => new Promise(done => v.addEventListener(name, done, {once: true}));
v.addEventListener("error", () => { seen.error = v.error.message; send(); });
(async () => {
  await once("loadeddata");
  Object.assign(seen, {duration: v.duration, width: v.videoWidth, height: v.videoHeight, seekable: v.seekable.end(0)});
  for (const share of [0.5, 0.1, 0.8]) {
    v.currentTime = seen.seekable * share;
    await once("seeked");
    seen.times.push(v.currentTime);
  }
  v.currentTime = 0;
  await once("seeked");
  v.playbackRate = 4;
  await v.play();
  await once("ended");
  seen.ended = v.currentTime;
  seen.frames = v.getVideoPlaybackQuality().totalVideoFrames;
  send();
})().catch(e => { seen.error = String(e); send(); });
</script>"""


def find():
    """Returns the path of a Chromium; skips the test where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    raise unittest.SkipTest("no Chromium is installed")


def play(data, mime="video/mp4", timeout=90):
    """Serves the bytes with range requests, as the REST interface does, and plays them. Returns what the page saw, and the ranges
    that it asked for."""
    browser, result, done, ranges = find(), {}, threading.Event(), []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def give(self, status, kind, body, headers=()):
            self.send_response(status)
            for name, value in (("Content-Type", kind), ("Content-Length", len(body)), *headers):
                self.send_header(name, str(value))
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                pass

        def do_GET(self):
            if self.path == "/":
                self.give(200, "text/html", (PAGE % (json.dumps("/clip"), json.dumps(mime))).encode())
            elif self.path != "/clip":
                self.give(404, "text/plain", b"")
            else:
                asked = re.match(r"bytes=(\d+)-(\d*)$", self.headers.get("Range", ""))
                ranges.append(self.headers.get("Range"))
                first = int(asked[1]) if asked else 0
                last = min(int(asked[2]), len(data) - 1) if asked and asked[2] else len(data) - 1
                head = [("Accept-Ranges", "bytes")]
                if asked:
                    head.append(("Content-Range", f"bytes {first}-{last}/{len(data)}"))
                self.give(206 if asked else 200, mime.split(";")[0], data[first:last + 1], head)

        def do_POST(self):
            result.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.give(204, "text/plain", b"")
            done.set()

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    folder = tempfile.mkdtemp(prefix="memaed-browser-")
    process = subprocess.Popen([browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                                "--no-first-run", "--autoplay-policy=no-user-gesture-required", f"--user-data-dir={folder}",
                                f"http://127.0.0.1:{server.server_address[1]}/"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                               env={**os.environ, "HOME": folder})
    try:
        if not done.wait(timeout):
            raise AssertionError(f"Chromium does not answer; it asked for {ranges}")
        return {**result, "ranges": ranges}
    finally:
        os.killpg(process.pid, signal.SIGKILL)          # and the processes that Chromium has started
        process.wait()
        server.shutdown()
        server.server_close()
        shutil.rmtree(folder, ignore_errors=True)
