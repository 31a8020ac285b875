"""The parts of stream variants: one scene of ten frames a second, encoded in every way, and the servers that send it."""
import os
import random
import socket
import subprocess
import threading

import harness
import learning
from servers.http_camera import HttpCamera
from servers.live_stream import LiveHttp, UdpStream
from servers.lying_camera import LyingCamera, pictures

FPS = 10
H264 = ("-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-bf", "0", "-g", "10", "-pix_fmt", "yuv420p")


class Answerer:
    """Accepts connections on loopback. Answers each request with `answer`, or not at all. hangs_up: closes it at once."""

    def __init__(self, answer=b"", hangs_up=False):
        self.listener, self.kept = socket.create_server(("127.0.0.1", 0)), []
        self.answer, self.hangs_up = answer, hangs_up
        threading.Thread(target=self._serve, daemon=True).start()
        self.url = f"rtsp://127.0.0.1:{self.listener.getsockname()[1]}/live"

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.hangs_up:
                client.close()
                continue
            self.kept.append(client)
            if self.answer:
                threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client):
        try:
            while client.recv(4096):
                client.sendall(self.answer)
        except OSError:
            pass

    def close(self):
        self.listener.close()
        for client in self.kept:
            client.close()


class OddServer:
    """The RTSP server of another project's tools, as a process."""

    def __init__(self, tool, options):
        port = harness.free_port()
        self.process = subprocess.Popen(["/usr/bin/python3", tool, "--port", str(port), "--fps", str(FPS), *options],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.url = f"rtsp://127.0.0.1:{port}/live"
        harness.wait_for("odd_rtsp.py listens", lambda: self.listens(port), 20)

    @staticmethod
    def listens(port):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def close(self):
        self.process.kill()
        self.process.wait()


class Lab:
    """seconds: the length of the scene. Servers that begin() starts end with end()."""

    def __init__(self, folder, seconds, odd_tool):
        self.folder, self.odd_tool, self.servers, self.made, self.rng = folder, odd_tool, [], {}, random.Random(1)
        self.scene = self.clip("scene.mkv", seconds)

    def path(self, name):
        return os.path.join(self.folder, name)

    def clip(self, name, seconds, size="96x64", codec=("-c:v", "ffv1"), more=()):
        """The disc that circles over a gradient, at this size."""
        path = self.path(name)
        harness.ffmpeg("-f", "lavfi", "-i", f"color=c=black:s=96x64:r={FPS}:d={seconds},geq=lum='{learning.DISC}':cb=128:cr=128,"
                       f"scale={size}:flags=bilinear,setsar=1", *codec, *more, path)
        return path

    def file(self, name, *encode, before=()):
        """The scene as a file, made once."""
        if name not in self.made:
            self.made[name] = self.path(name)
            harness.ffmpeg(*before, "-i", self.scene, "-an", *encode, self.made[name])
        return self.made[name]

    def pictures(self, codec="h264", interval=FPS, size=None):
        """The scene as NAL units, encoded once."""
        key = (codec, interval, size)
        if key not in self.made:
            self.made[key] = pictures(self.clip(f"{size}.mkv", 5, size) if size else self.scene, interval, codec)
        return self.made[key]

    def keep(self, server):
        self.servers.append(server)
        return server

    def lying(self, codec="h264", interval=FPS, clip=None, fps=FPS, **lies):
        return self.keep(LyingCamera(clip or self.pictures(codec, interval), fps, codec=codec, **lies)).url

    def gstreamer(self, **options):
        return self.keep(Closable(harness.RtspServer(self.scene, FPS, **options))).url

    def http(self, clip=None, **options):
        return self.keep(HttpCamera(clip or self.file("scene.ts", *H264), **options)).url

    def live_http(self, *encode, **options):
        return self.keep(LiveHttp(self.scene, encode, **options)).url

    def udp_ts(self, *encode, **options):
        return self.keep(UdpStream(self.scene, (*encode, "-f", "mpegts"), harness.free_port(), **options)).url

    def answerer(self, *args, **options):
        return self.keep(Answerer(*args, **options)).url

    def odd(self, *options, codec="h264"):
        """Returns None without the tool."""
        if not self.odd_tool:
            return None
        if codec == "hevc":
            clip = self.file("scene.hevc", "-c:v", "libx265", "-preset", "veryfast", "-x265-params",
                             "aud=1:keyint=10:scenecut=0:bframes=0:repeat-headers=1:log-level=none", "-f", "hevc")
        elif codec == "intra":
            clip = self.file("intra.h264", *H264, "-g", "1", "-x264-params", "aud=1:scenecut=0:repeat-headers=1", "-f", "h264")
        else:
            clip = self.file("scene.h264", *H264, "-x264-params", "aud=1:scenecut=0:repeat-headers=1", "-f", "h264")
        return self.keep(OddServer(self.odd_tool, ["--file", clip, *map(str, options)])).url

    def end(self):
        """Closes the servers of a batch."""
        for server in self.servers:
            server.close()
        self.servers = []


class Closable:
    def __init__(self, server):
        self.server, self.url = server, server.url

    def close(self):
        self.server.kill()


# ---- what a network or a camera does to packets ---------------------------------------------------------------------------

def lose(share, seed=1):
    """Loses this share of the packets."""
    rng = random.Random(seed)
    return lambda i, packet: [] if rng.random() < share else [packet]


def lose_bursts(lost, of):
    """Loses the packets of the last `lost` pictures of every `of` pictures."""
    return lambda i, packet: [] if i % of >= of - lost else [packet]


def reorder(share, seed=1):
    """Sends this share of the packets after the one that follows."""
    rng, held = random.Random(seed), []

    def packets(_i, packet):
        if not held and rng.random() < share:
            held.append(packet)
            return []
        out = [packet, *held]
        held.clear()
        return out
    return packets


def damage(share, seed=1):
    """Overwrites bytes in the second half of this share of the packets."""
    rng = random.Random(seed)

    def packets(_i, packet):
        if len(packet) < 20 or rng.random() >= share:
            return [packet]
        bad = bytearray(packet)
        for at in range(max(16, len(bad) // 2), len(bad), 3):
            bad[at] = rng.randrange(256)
        return [bytes(bad)]
    return packets


def damage_sets(codec):
    """Overwrites every parameter set."""
    kinds = range(32, 35) if codec == "hevc" else (7, 8)

    def packets(_i, packet):
        kind = (packet[12] >> 1) & 63 if codec == "hevc" else packet[12] & 31
        return [packet[:14] + bytes(len(packet) - 14)] if kind in kinds else [packet]
    return packets
