"""A camera over RTSP on loopback, in the test's own process, whose time stamps lie as the test wants.

It speaks RTP inside the RTSP connection alone. A whole picture of H.264 goes into one packet for each NAL unit, without
fragments: pictures must be small.
"""
import base64
import re
import socketserver
import struct
import subprocess
import threading
import time

CLOCK = 90000


def pictures(clip, interval):
    """Encodes the clip as H.264, with this interval of key frames and no B frames. Returns a list of NAL units for each picture."""
    stream = subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", clip, "-an", "-pix_fmt", "yuv420p", "-c:v", "libx264",
         "-preset", "veryfast", "-bf", "0", "-g", str(interval), "-x264-params", "aud=1:scenecut=0:repeat-headers=1:slices=1",
         "-f", "h264", "-"], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
    found = []
    for unit in re.split(rb"\x00\x00\x00?\x01", stream)[1:]:
        if unit[0] & 31 == 9:                   # access unit delimiter
            found.append([])
        else:
            found[-1].append(unit)
    return found


class _Client(socketserver.StreamRequestHandler):
    def handle(self):
        self.lock, self.over = threading.Lock(), threading.Event()
        try:
            while self.one_request():
                pass
        except (OSError, ValueError, struct.error):
            pass
        self.over.set()

    def say(self, data):
        with self.lock:
            self.wfile.write(data)

    def one_request(self):
        first = self.rfile.read(1)
        if not first:
            return False
        if first == b"$":                       # RTCP of the client
            _, size = struct.unpack(">BH", self.rfile.read(3))
            self.rfile.read(size)
            return True
        method, url, _ = (first + self.rfile.readline()).decode().split(" ", 2)
        fields = {}
        while (line := self.rfile.readline().decode().strip()):
            key, value = line.split(":", 1)
            fields[key.strip().lower()] = value.strip()
        more, body = "", ""
        if method == "DESCRIBE":
            body, more = self.server.camera.description(), f"Content-Base: {url}/\r\nContent-Type: application/sdp\r\n"
        elif method == "SETUP" and self.server.camera.refuses in fields["transport"]:
            self.say(f"RTSP/1.0 461 Unsupported Transport\r\nCSeq: {fields.get('cseq', 0)}\r\n\r\n".encode())
            return True
        elif method == "SETUP":
            more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
        elif method == "OPTIONS":
            more = "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        if body:
            more += f"Content-Length: {len(body)}\r\n"
        self.say(f"RTSP/1.0 200 OK\r\nCSeq: {fields.get('cseq', 0)}\r\nSession: 1\r\n{more}\r\n{body}".encode())
        if method == "PLAY":
            threading.Thread(target=self.play, daemon=True).start()
        return method != "TEARDOWN"

    def play(self):
        camera, number, picture, start = self.server.camera, 0, 0, time.monotonic()
        try:
            while not self.over.wait(max(0, start + picture / camera.fps - time.monotonic())):
                stamp = int(100000 + CLOCK * camera.stamp(picture, picture / camera.fps)) % 2**32
                units = camera.change(picture, camera.pictures[picture % len(camera.pictures)])
                for unit in units if camera.sends(picture) else []:
                    head = struct.pack(">BBHII", 0x80, 96 | (0x80 if unit is units[-1] else 0), number % 2**16, stamp, 7)
                    self.say(b"$\0" + struct.pack(">H", len(head + unit)) + head + unit)
                    number += 1
                picture += 1
        except OSError:
            pass


class LyingCamera:
    """stamp(i, seconds): the time stamp of picture i, which is sent after these seconds, in seconds; sends(i): whether
    picture i is sent at all; change(i, units): the NAL units that are sent for picture i; interval: from key frame to key frame.
    stamp, sends and change may be changed while it plays, and begin at 0 for each client. refuses: a word of the Transport
    header of RTSP that is answered by 461."""

    def __init__(self, clip, fps=25, stamp=lambda i, seconds: seconds, sends=lambda i: True, change=lambda i, units: units,
                 interval=25, refuses="no such word"):
        self.pictures, self.fps, self.stamp, self.sends, self.change = pictures(clip, interval), fps, stamp, sends, change
        self.refuses = refuses
        socketserver.ThreadingTCPServer.daemon_threads = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Client)
        self.server.camera = self
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"rtsp://127.0.0.1:{self.server.server_address[1]}/live"

    def description(self):
        sets = [base64.b64encode(next(u for u in self.pictures[0] if u[0] & 31 == kind)).decode() for kind in (7, 8)]
        return ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
                f"a=rtpmap:96 H264/{CLOCK}\r\na=fmtp:96 packetization-mode=1; sprop-parameter-sets={','.join(sets)}\r\n"
                "a=control:track0\r\n")

    def close(self):
        self.server.shutdown()
        self.server.server_close()
