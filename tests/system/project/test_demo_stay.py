#!/usr/bin/python3
"""The end of `make demo`: its ports, the server of its page, the wait for a key at a terminal, and the commands that it names."""
import http.client
import os
import pty
import re
import shlex
import signal
import socket
import sys
import termios
import unittest.mock

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402

TOOLS = os.path.join(harness.ROOT, "tools")
sys.path.insert(0, TOOLS)
import demo_page  # noqa: E402
import demo_stay  # noqa: E402

# Waits for a key, as the demo does. Prints "waits" once it listens. Status 0: a key came; 3: the daemon ended; with the
# argument "keys", 5: the signal of Ctrl-C came.
WAITS = f"""
import signal, sys; sys.path.insert(0, {TOOLS!r}); import demo_stay
if "keys" in sys.argv:
    signal.signal(signal.SIGINT, lambda *_: sys.exit(5))
told = []
def alive():
    if not told:
        told.append(print("waits", demo_stay.at_terminal(), flush=True))
    return "gone" not in sys.argv
sys.exit(0 if demo_stay.wait_for_key(alive) else 3)
"""


class Ports(harness.Case):
    def listen(self, port=0):
        taken = socket.create_server(("127.0.0.1", port))
        self.addCleanup(taken.close)
        return taken.getsockname()[1]

    def test_free_port_is_taken(self):
        port = self.listen()
        self.assertNotEqual(demo_stay.free_port(port), port)
        self.listen(demo_stay.free_port(port))          # it can be listened at
        other = demo_stay.free_port(0)
        self.assertEqual(demo_stay.free_port(other), other)

    def test_port_of_another_daemon(self):
        """memaed holds the port: the demo takes another, and memaed runs there, too."""
        config = {"cameras": {"a": {"source": "rtsp://127.0.0.1:1/x", "model": harness.write_model(self.path("m.safetensors"))}}}
        port = int(self.daemon(config).address.rpartition(":")[2])
        other = demo_stay.free_port(port)
        self.assertNotEqual(other, port)
        second = self.daemon({**config, "state_dir": self.path("other"), "http": {"listen": f"127.0.0.1:{other}"}})
        self.assertEqual(second.address, f"127.0.0.1:{other}")

    def test_wanted(self):
        with unittest.mock.patch.dict(os.environ):
            os.environ.pop("MEMAED_DEMO_PORT", None)
            self.assertEqual(demo_stay.rest_port(), 8787)
            for text, port in (("", 8787), ("0", 0), ("65535", 65535)):
                os.environ["MEMAED_DEMO_PORT"] = text
                self.assertEqual(demo_stay.rest_port(), port)
            for text in ("65536", "-1", "fast", "80 "):
                os.environ["MEMAED_DEMO_PORT"] = text
                with self.assertRaisesRegex(SystemExit, f'MEMAED_DEMO_PORT: expected a port .*, got "{text}"'):
                    demo_stay.rest_port()


class Server(harness.Case):
    def test_serves_the_page_alone(self):
        server = demo_stay.serve("<p>hellö</p>", 0)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.assertEqual(server.server_address[0], "127.0.0.1")
        for path, status in (("/", 200), ("/index.html", 200), ("/demo", 404), ("/../tools/demo", 404)):
            with self.subTest(path):
                connection = http.client.HTTPConnection(*server.server_address, timeout=10)
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read().decode()
                connection.close()
                self.assertEqual(answer.status, status)
                self.assertEqual(body == "<p>hellö</p>", status == 200)


class Terminal(harness.Case):
    def start(self, *args):
        """Runs WAITS at a terminal of its own. Returns its process and the terminal."""
        child, terminal = pty.fork()
        if not child:
            signal.signal(signal.SIGINT, signal.SIG_DFL)        # a job in the background inherits that it is ignored
            os.execv(sys.executable, [sys.executable, "-c", WAITS, *args])
        self.addCleanup(os.close, terminal)
        return child, terminal

    def read_line(self, terminal):
        line = b""
        while not line.endswith(b"\n"):
            line += os.read(terminal, 100)
        return line

    def end(self, child, terminal):
        """Checks that the terminal is as it usually is: lines, echo, and Ctrl-C as a signal. Returns the status."""
        status = harness.wait_for("end", lambda: [s for p, s in [os.waitpid(child, os.WNOHANG)] if p], 10)[0]
        mode = termios.tcgetattr(terminal)
        usual = termios.ICANON | termios.ECHO | termios.ISIG
        self.assertEqual((mode[3] & usual, mode[6][termios.VINTR]), (usual, b"\x03"))
        return os.waitstatus_to_exitcode(status)

    def test_keys(self):
        """Enter and Ctrl-C end the wait, other keys do not. Ctrl-C is a key here, not a signal: the status is 0."""
        for keys in (b"\n", b"\r", b"xy\x03"):
            with self.subTest(keys):
                child, terminal = self.start("keys")
                self.assertEqual(self.read_line(terminal), b"waits True\r\n")
                os.write(terminal, keys)
                self.assertEqual(self.end(child, terminal), 0)

    def test_interrupt_and_end_of_the_daemon(self):
        child, terminal = self.start()
        self.read_line(terminal)
        os.kill(child, signal.SIGINT)
        self.assertEqual(self.end(child, terminal), 0)
        child, terminal = self.start("gone")
        self.assertEqual(self.end(child, terminal), 3)

    def found_at(self, fd):
        """Makes fd the input and output of the demo. Returns whether that is a terminal, and whether the demo stays there."""
        kept = [os.dup(0), os.dup(1)]
        try:
            os.dup2(fd, 0)
            os.dup2(fd, 1)
            return os.isatty(0), demo_stay.at_terminal()
        finally:
            for number, old in enumerate(kept):
                os.dup2(old, number)
                os.close(old)

    def test_no_terminal(self):
        """Neither /dev/null is enough, nor a terminal that does not control this session."""
        null, (ours, theirs) = os.open(os.devnull, os.O_RDWR), pty.openpty()
        for fd in (null, ours, theirs):
            self.addCleanup(os.close, fd)
        self.assertEqual((self.found_at(null), self.found_at(theirs)), ((False, False), (True, False)))


class NextSteps(harness.Case):
    def test_commands_and_configuration(self):
        """Every option exists. Followed to the letter, memaed check asks for the password, and finds no fault once it is set."""
        before, commands = demo_page.next_steps(self.folder, "build/memaed", 10, 8787)
        self.assertIn("mine.yml", before)
        self.assertEqual([c.split()[:2] for c in commands], [["build/memaed", w] for w in ("learn", "check", "run")])
        for _, command, *words in map(shlex.split, commands):
            options = {word for word in words if word.startswith("--")}
            self.assertEqual(options - set(re.findall(r"--[a-z-]+", harness.run(command, "--help").out)), set(), command)
        model = re.search(r"--output (\S+)", commands[0])[1]
        harness.write_model(self.path(model))
        check = shlex.split(commands[1])[1:]
        done = harness.run(*check, cwd=self.folder, env={"CAMERA_PASSWORD": "secret"})
        self.assertEqual((done.code, "expected" in done.err), (0, False), done.err)
        done = harness.run(*check, cwd=self.folder)
        self.assertEqual(done.code, 1)
        self.assertRegex(done.err, r"^mine.yml:\d+:\d+: cameras.mine.source: expected the environment variable CAMERA_PASSWORD")


if __name__ == "__main__":
    harness.main()
