"""An HTTP server that serves files from memory, and keeps the paths of requests."""
import http.server
import threading


class HttpFiles:
    """files: {path: (content type, bytes)}. `requests` holds every path that was asked for, in order."""

    def __init__(self, files, address="127.0.0.1"):
        self.files, self.requests = dict(files), []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append(self.path)
                kind, body = server.files.get(self.path, (None, b""))
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind or "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://{address}:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
