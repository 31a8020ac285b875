"""A camera on loopback that sends a stream live by HTTP: each piece when it is due, without telling a length."""
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
