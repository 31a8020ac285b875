"""A camera on loopback that sends a clip by HTTP or HTTPS, with a sign-in by Basic or Digest."""
import base64
import hashlib
import http.server
import re
import ssl
import subprocess
import threading


def make_certificate(folder, name="127.0.0.1"):
    """Writes a self-signed certificate for an address or name, and its key. Returns their paths."""
    kind = "IP" if name.replace(".", "").isdigit() else "DNS"
    cert, key = f"{folder}/{name}.crt", f"{folder}/{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
                    f"subjectAltName={kind}:{name}", "-keyout", key, "-out", cert], check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return cert, key


class HttpCamera:
    """Answers GET with the clip. `requests` holds the path and the Authorization header of each request, in their order.

    scheme     "Basic" or "Digest": the kind of sign-in by user and password; without a user there is none
    tls        the paths of a certificate and its key: HTTPS
    status     a status to answer with instead of the clip
    redirect   the address that every request is sent on to
    address    of this machine, to listen at"""

    def __init__(self, clip, user=None, password=None, scheme="Basic", tls=None, status=200, redirect=None, address="127.0.0.1"):
        self.requests, self.lock = [], threading.Lock()
        self.user, self.password, self.scheme, self.status, self.redirect = user, password, scheme, status, redirect
        with open(clip, "rb") as f:
            self.body = f.read()
        camera = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                given = self.headers.get("Authorization", "")
                with camera.lock:
                    camera.requests.append((self.path, given))
                if camera.user and not camera.lets_in(given):
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="camera"' if camera.scheme == "Basic" else
                                     'Digest realm="camera", nonce="0123456789abcdef", qop="auth", algorithm=MD5')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(302 if camera.redirect else camera.status)
                if camera.redirect:
                    self.send_header("Location", camera.redirect)
                sends = not camera.redirect and camera.status == 200
                self.send_header("Content-Length", str(len(camera.body) if sends else 0))
                self.end_headers()
                if sends:
                    self.wfile.write(camera.body)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_args):
                pass            # the client goes away, or refuses the certificate
        self.server = Server((address, 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_port
        self.url = f"{'https' if tls else 'http'}://{address}:{self.port}/live.mkv"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def lets_in(self, given):
        if self.scheme == "Basic":
            return given == "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        fields = dict(re.findall(r'(\w+)="?([^",]+)"?', given))

        def md5(text):
            return hashlib.md5(text.encode()).hexdigest()
        mine = md5(f"{self.user}:camera:{self.password}")
        asked = md5(f"GET:{fields.get('uri')}")
        wanted = md5(":".join([mine, "0123456789abcdef", fields.get("nc", ""), fields.get("cnonce", ""), "auth", asked]))
        return given.startswith("Digest ") and fields.get("response") == wanted

    def close(self):
        self.server.shutdown()
        self.server.server_close()
