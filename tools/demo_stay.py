"""The end of tools/demo, which stays up: its ports, the server of its page, and the wait for a key. Standard library alone."""
import http.server
import os
import re
import select
import socket
import sys
import termios
import threading
import tty


def free_port(wanted):
    """Returns a port that is free on loopback: the first of `wanted` and the 19 after it, else any. 0: any."""
    for port in [*range(wanted, min(wanted + 20, 65536)), 0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                probe.listen()
            except OSError:
                continue
            return probe.getsockname()[1]
    raise OSError("no port of 127.0.0.1 is free")


def rest_port():
    """The port that the user wants for the REST interface."""
    text = os.environ.get("MEMAED_DEMO_PORT") or "8787"
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        sys.exit(f'demo: MEMAED_DEMO_PORT: expected a port from 1 to 65535, or 0 for any free one, got "{text}"')
    return int(text)


def take_port(wanted, what):
    """Returns the wanted port, or the next free one, and then says so."""
    port = free_port(wanted)
    if wanted not in (0, port):
        print(f"Port {wanted} is not free, so {what} takes port {port}. Set MEMAED_DEMO_PORT to choose another.", flush=True)
    return port


def serve(text, port):
    """Serves the page, and nothing else, on loopback in a thread of its own. Returns the server."""
    body = text.encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path not in ("/", "/index.html"):
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def at_terminal():
    """Returns true if somebody can see that the demo waits and can end it: input and output are a terminal, and the demo is in
    its foreground."""
    try:
        return os.isatty(0) and os.isatty(1) and os.tcgetpgrp(0) == os.getpgrp()
    except OSError:                                     # the terminal is not the one that controls this session
        return False


def wait_for_key(alive):
    """Waits for Enter or Ctrl-C. Returns whether one of them came: it stops waiting as well when alive() is false.

    Ctrl-C comes as a character here, not as a signal, which would end make with an error as well."""
    before = termios.tcgetattr(0)
    try:
        tty.setcbreak(0)
        mode = termios.tcgetattr(0)
        mode[6][termios.VINTR] = b"\0"
        termios.tcsetattr(0, termios.TCSANOW, mode)
        while alive():
            if select.select([0], [], [], 0.5)[0] and os.read(0, 1) in (b"\n", b"\r", b"\x03", b"\x04", b""):
                return True
        return False
    except KeyboardInterrupt:
        return True
    finally:
        termios.tcsetattr(0, termios.TCSANOW, before)
