"""A camera on loopback that sends a stream live by HTTP: each piece when it is due, without a Content-Length."""
import http.server
import struct
import threading
import time


def ivf(path):
    """Returns the header of an IVF file and its frames, each with its own header."""
    with open(path, "rb") as f:
        data = f.read()
    frames, at = [], 32
    while at < len(data):
        size, = struct.unpack_from("<I", data, at)
        frames.append(data[at:at + 12 + size])
        at += 12 + size
    return data[:32], frames


def flv(path, keep=lambda kind: True):
    """Returns the header of an FLV file, its first tags, which tell of the stream, and its pictures: (seconds, tag). keep(kind)
    says which tags are kept: 8 is sound, 9 video, 18 metadata."""
    with open(path, "rb") as f:
        data = f.read()
    head, pictures, at = data[:13], [], 13
    while at < len(data):
        kind, size = data[at], int.from_bytes(data[at + 1:at + 4], "big")
        tag = data[at:at + 15 + size]
        if keep(kind) and (kind == 18 or kind == 9 and tag[12] == 0):       # metadata, parameters of H.264
            head += tag
        elif keep(kind):
            pictures.append((int.from_bytes(tag[7:8] + tag[4:7], "big") / 1000, tag))
        at += 15 + size
    return head, pictures


def flv_at(tag, seconds):
    """Returns the tag with another time stamp."""
    stamp = round(seconds * 1000).to_bytes(4, "big")
    return tag[:4] + stamp[1:] + stamp[:1] + tag[8:]


def ts(path, pid=0x100, without=0x101):
    """Returns the pictures of an MPEG-TS file: the packets of each, with the tables before it. The packets of sound are
    dropped."""
    with open(path, "rb") as f:
        data = f.read()
    pictures, tables = [], b""
    for at in range(0, len(data), 188):
        packet = data[at:at + 188]
        of = (packet[1] & 0x1F) << 8 | packet[2]
        if of == pid and packet[1] & 0x40:
            pictures.append(tables + packet)
            tables = b""
        elif of == pid:
            pictures[-1] += packet
        elif of != without:
            tables += packet
    return pictures


def jpegs(path):
    """Returns the pictures of a file of raw Motion JPEG."""
    with open(path, "rb") as f:
        return [b"\xff\xd8\xff" + part for part in f.read().split(b"\xff\xd8\xff")[1:]]


class LiveCamera:
    """play()      is called for each client, and yields (seconds, bytes): what to send so many seconds after the request
    kind       the Content-Type; None: no such header
    headers    further ones, as pairs

    `clients` counts the requests."""

    def __init__(self, play, kind=None, headers=()):
        self.clients = 0
        camera = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                camera.clients += 1
                self.send_response(200)
                for name, value in ([("Content-Type", kind)] if kind else []) + list(headers):
                    self.send_header(name, value)
                self.end_headers()
                start = time.monotonic()
                try:
                    for seconds, data in play():
                        if camera.over.wait(max(0, start + seconds - time.monotonic())):
                            return
                        self.wfile.write(data)
                    camera.over.wait()          # the connection stays
                except OSError:
                    pass

            def log_message(self, *args):
                pass
        self.over = threading.Event()
        http.server.ThreadingHTTPServer.daemon_threads = True
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/live"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
