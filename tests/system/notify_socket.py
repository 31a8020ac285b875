"""systemd's notification socket, at which a test listens."""
import socket
import threading
import time


class NotifySocket:
    """The socket that NOTIFY_SOCKET names; messages is a list of (monotonic seconds, {key: value})."""

    def __init__(self, path):
        self.path, self.messages = path, []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            try:
                data = self.socket.recv(65536)
            except OSError:
                return
            if not data:
                return
            fields = dict(line.split("=", 1) for line in data.decode().splitlines() if "=" in line)
            self.messages.append((time.monotonic(), fields))

    def times(self, key, value=None):
        return [at for at, m in list(self.messages) if key in m and value in (None, m[key])]

    def status(self):
        found = [m["STATUS"] for _, m in list(self.messages) if "STATUS" in m]
        return found[-1] if found else ""

    def close(self):
        self.socket.close()

    def longest_silence(self, since, until):
        """Returns the longest time in seconds without WATCHDOG=1, from one time to the other."""
        fed = [since] + [t for t in self.times("WATCHDOG", "1") if since < t < until] + [until]
        return max(b - a for a, b in zip(fed, fed[1:]))
