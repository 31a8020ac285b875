#!/usr/bin/python3
"""A receiver of webhooks on loopback. It verifies them by the Standard Webhooks specification.

As a program it prints one line of JSON for each delivery; `--refuse N` answers the first N with 503. Tests use class
Receiver.
"""
import argparse
import base64
import hashlib
import hmac
import http.server
import json
import ssl
import threading
import time

TOLERANCE_S = 300


def verify(secret, headers, body, now):
    """Returns why a delivery is not genuine, or None if it is."""
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        if not headers.get(name):
            return f"no {name}"
    stamp = headers["webhook-timestamp"]
    if not stamp.isdigit() or abs(now - int(stamp)) > TOLERANCE_S:
        return "timestamp out of tolerance"
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    signed = f"{headers['webhook-id']}.{stamp}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = [s.partition(",")[2] for s in headers["webhook-signature"].split() if s.startswith("v1,")]
    if not any(hmac.compare_digest(expected, g) for g in given):
        return "no signature matches"
    return None


class Receiver:
    """Collects deliveries, in the order of arrival: a list of {"id", "timestamp", "fault", "type", "data", "at"}.

    script(n), for request n from 0 on, returns None to take it, or the status and the headers with which it is refused.
    """

    def __init__(self, secret, port=0, refuse=0, report=None, tls=None, refuse_with=503, script=None):
        self.secret, self.refuse, self.report, self.refuse_with, self.script = secret, refuse, report, refuse_with, script
        self.deliveries, self.refused, self.lock = [], [], threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                status, headers = receiver.take(self.headers, body)
                self.send_response(status)
                for name, value in {"content-length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.handle_error = lambda *_args: None      # the client refuses the certificate
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, headers, body):
        delivery = {"id": headers.get("webhook-id"), "timestamp": headers.get("webhook-timestamp"),
                    "fault": verify(self.secret, headers, body, time.time()), "at": time.time()}
        try:
            delivery.update(json.loads(body))
        except ValueError:
            delivery["fault"] = delivery["fault"] or "not JSON"
        with self.lock:
            number = len(self.deliveries) + len(self.refused)
        refusal = self.script(number) if self.script else None
        with self.lock:
            if self.refuse > 0:
                self.refuse -= 1
                refusal = self.refuse_with, {}
            if refusal:
                self.refused.append(delivery)
                return refusal
            self.deliveries.append(delivery)
        if self.report:
            self.report(delivery)
        return 401 if delivery["fault"] else 204, {}

    def of(self, kind, camera=None):
        with self.lock:
            return [d for d in self.deliveries if d.get("type") == kind and camera in (None, d["data"].get("camera"))]

    def faults(self):
        with self.lock:
            return [d for d in self.deliveries if d["fault"]]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--secret", required=True, help="whsec_…")
    parser.add_argument("--refuse", type=int, default=0)
    options = parser.parse_args()
    receiver = Receiver(options.secret, options.port, options.refuse, lambda d: print(json.dumps(d), flush=True))
    print(json.dumps({"url": receiver.url}), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
