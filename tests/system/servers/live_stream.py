"""Cameras on loopback that send what FFmpeg encodes, at its own pace and for ever: over HTTP, or as MPEG-TS over UDP.

encode: FFmpeg's options from the codec on, with the format: ("-c:v", "mjpeg", "-f", "mpjpeg")."""
import http.server
import os
import socket
import subprocess
import threading
import time

PACKET = 188            # bytes of a packet of MPEG-TS
TYPES = {"mpjpeg": "multipart/x-mixed-replace;boundary=ffmpeg", "flv": "video/x-flv", "mpegts": "video/mp2t"}


def encoder(clip, encode):
    return subprocess.Popen(["ffmpeg", "-nostdin", "-loglevel", "quiet", "-re", "-stream_loop", "-1", "-i", clip, "-an",
                             *encode[:-2], "-flush_packets", "1", "-muxdelay", "0", *encode[-2:], "pipe:1"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


class LiveHttp:
    """Each client has an encoder of its own. hangs_up_after: seconds until the connection is closed; 0: never."""

    def __init__(self, clip, encode, hangs_up_after=0):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", TYPES.get(encode[-1], "application/octet-stream"))
                self.end_headers()
                process, began = encoder(clip, encode), time.monotonic()
                try:
                    while data := os.read(process.stdout.fileno(), 65536):
                        self.wfile.write(data)
                        self.wfile.flush()
                        if hangs_up_after and time.monotonic() - began > hangs_up_after:
                            break
                except OSError:
                    pass
                process.kill()
                process.wait()
                process.stdout.close()

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/live"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class UdpStream:
    """sends(i): whether packet i of MPEG-TS is sent."""

    def __init__(self, clip, encode, port, sends=lambda i: True):
        self.url = f"udp://127.0.0.1:{port}"
        self.process = encoder(clip, encode)
        threading.Thread(target=self._send, args=(("127.0.0.1", port), sends), daemon=True).start()

    def _send(self, to, sends):
        number, rest = 0, b""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while data := os.read(self.process.stdout.fileno(), 65536):
                rest += data
                while len(rest) >= PACKET:
                    chunk = rest[:min(7, len(rest) // PACKET) * PACKET]
                    rest, kept = rest[len(chunk):], b""
                    for at in range(0, len(chunk), PACKET):
                        kept += chunk[at:at + PACKET] if sends(number) else b""
                        number += 1
                    try:
                        out.sendto(kept, to)
                    except OSError:             # nobody listens yet
                        pass

    def close(self):
        self.process.kill()
        self.process.wait()
