"""A camera over RTSP on loopback, in the test's own process, with the faults that the test wants: in its time stamps, its session
description, its answers and its packets.

RTP goes inside the RTSP connection, or over UDP where the client asks for that. A whole picture of H.264 or HEVC goes into one
packet for each NAL unit, without fragments: pictures must be small.
"""
import base64
import re
import socket
import socketserver
import struct
import subprocess
import threading
import time

CLOCK = 90000
ENCODERS = {"h264": ("libx264", "-x264-params", "aud=1:scenecut=0:repeat-headers=1:slices=1"),
            "hevc": ("libx265", "-x265-params", "aud=1:scenecut=0:repeat-headers=1:slices=1:open-gop=0:bframes=0:log-level=none")}


def kind(unit, codec):
    """The type of a NAL unit."""
    return (unit[0] >> 1) & 63 if codec == "hevc" else unit[0] & 31


def pictures(clip, interval, codec="h264"):
    """Encodes the clip, with this interval of key frames and no B frames. Returns a list of NAL units for each picture."""
    encoder, option, parameters = ENCODERS[codec]
    stream = subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", clip, "-an", "-pix_fmt", "yuv420p", "-c:v", encoder,
         "-preset", "veryfast", "-bf", "0", "-g", str(interval), option, parameters, "-f", codec, "-"],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
    found = []
    for unit in re.split(rb"\x00\x00\x00?\x01", stream)[1:]:
        if kind(unit, codec) == (35 if codec == "hevc" else 9):     # access unit delimiter
            found.append([])
        else:
            found[-1].append(unit)
    return found


class _Client(socketserver.StreamRequestHandler):
    def handle(self):
        self.lock, self.over, self.channel, self.to = threading.Lock(), threading.Event(), 0, None
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
        camera, more, body = self.server.camera, "", ""
        status = camera.answers.get(method, "200 OK")
        if status is None:                      # it hangs up instead of answering
            return False
        if method == "DESCRIBE":
            body, more = camera.describe(camera.description()), f"Content-Base: {url}/\r\nContent-Type: application/sdp\r\n"
        elif method == "SETUP" and self.server.camera.refuses in fields["transport"]:
            self.say(f"RTSP/1.0 461 Unsupported Transport\r\nCSeq: {fields.get('cseq', 0)}\r\n\r\n".encode())
            return True
        elif method == "SETUP":
            more = f"Transport: {self.transport(fields['transport'])}\r\n"
        elif method == "OPTIONS":
            more = "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        if body:
            more += f"Content-Length: {len(body)}\r\n"
        self.say(f"RTSP/1.0 {status}\r\nCSeq: {fields.get('cseq', 0)}\r\nSession: 1\r\n{more}\r\n{body}".encode())
        if method == "PLAY":
            threading.Thread(target=self.play, daemon=True).start()
        return method != "TEARDOWN"

    def transport(self, asked):
        """Sets where RTP goes. If several tracks are set up, the last one plays."""
        ports = re.search(r"client_port=(\d+)-(\d+)", asked)
        if not ports:
            self.channel = int((re.search(r"interleaved=(\d+)", asked) or [0, 0])[1])
            return f"RTP/AVP/TCP;unicast;interleaved={self.channel}-{self.channel + 1}"
        self.to = (self.client_address[0], int(ports[1]))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        port = self.socket.getsockname()[1]
        return f"RTP/AVP;unicast;client_port={ports[1]}-{ports[2]};server_port={port}-{port + 1}"

    def send(self, packet):
        if self.to:
            self.socket.sendto(packet, self.to)
        else:
            self.say(b"$" + struct.pack(">BH", self.channel, len(packet)) + packet)

    def play(self):
        camera, number, picture, start = self.server.camera, 0, 0, time.monotonic()
        try:
            while not self.over.wait(max(0, start + camera.when(picture) - time.monotonic())):
                stamp = int(100000 + CLOCK * camera.stamp(picture, picture / camera.fps)) % 2**32
                units = camera.change(picture, camera.pictures[(camera.first + picture) % len(camera.pictures)])
                for unit in units if camera.sends(picture) else []:
                    head = struct.pack(">BBHII", 0x80, 96 | (0x80 if unit is units[-1] else 0), number % 2**16, stamp, 7)
                    for packet in camera.packets(picture, head + unit):
                        self.send(packet)
                    number += 1
                picture += 1
                if camera.hangs_up_after and picture >= camera.hangs_up_after * camera.fps:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
        except OSError:
            pass
        finally:
            if self.to:
                self.socket.close()


class LyingCamera:
    """clip: a file, or what pictures() returned.

    stamp(i, seconds)   the time stamp of picture i, which the camera took after these seconds, in seconds
    sends(i)            whether picture i is sent at all
    change(i, units)    the NAL units that are sent for picture i
    refuses             a word of the Transport header of RTSP that is answered by 461
    when(i)             the seconds after which picture i is sent; by default i / fps
    packets(i, packet)  the RTP packets that go out instead of this one, which is of picture i: none, damaged ones, or more
    interval            from key frame to key frame, if clip is a file
    first               the picture of the clip that is sent first
    describe(text)      the session description instead of a sound one
    answers             a status instead of "200 OK" for a method, or None: it hangs up at that request
    hangs_up_after      seconds of play; 0: never

    stamp, sends, change and packets may be changed while it plays. All begin at picture 0 for each client."""

    def __init__(self, clip, fps=25, stamp=lambda i, seconds: seconds, sends=lambda i: True, change=lambda i, units: units,
                 interval=25, codec="h264", when=None, packets=lambda i, packet: [packet], first=0,
                 describe=lambda text: text, answers=None, hangs_up_after=0,
                 refuses="no such word"):
        self.pictures = pictures(clip, interval, codec) if isinstance(clip, str) else clip
        self.fps, self.stamp, self.sends, self.codec, self.packets, self.first = fps, stamp, sends, codec, packets, first
        self.when = when or (lambda i: i / fps)
        self.change, self.refuses = change, refuses
        self.describe, self.answers, self.hangs_up_after = describe, answers or {}, hangs_up_after
        socketserver.ThreadingTCPServer.daemon_threads = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Client)
        self.server.camera = self
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"rtsp://127.0.0.1:{self.server.server_address[1]}/live"

    def sets(self):
        """Returns the parameter sets in the form of the session description."""
        hevc = self.codec == "hevc"
        coded = [base64.b64encode(next(u for p in self.pictures for u in p if kind(u, self.codec) == k)).decode()
                 for k in ((32, 33, 34) if hevc else (7, 8))]
        if hevc:
            return "; ".join(f"sprop-{name}={value}" for name, value in zip(("vps", "sps", "pps"), coded))
        return f"packetization-mode=1; sprop-parameter-sets={','.join(coded)}"

    def description(self):
        return ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
                f"a=rtpmap:96 {'H265' if self.codec == 'hevc' else 'H264'}/{CLOCK}\r\na=fmtp:96 {self.sets()}\r\n"
                "a=control:track0\r\n")

    def close(self):
        self.server.shutdown()
        self.server.server_close()
