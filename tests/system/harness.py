"""Shared parts of the system tests. A test starts the real program in a folder of its own, watches it through its
logs and its REST interface, and stops it. Standard library alone.

The runner (tests/run) passes in the environment:
  MEMAED              the command to test (may be several words: "valgrind … build/memaed")
  MEMAED_TEST_SCALE   how many times slower than usual everything may be (sanitizers, valgrind)
  MEMAED_TEST_SAN     the sanitizers that the program was built with, if any

A test file is a unittest module that ends in harness.main(), which prints TAP. To run one alone: `tests/run
test_rtsp`, or `MEMAED=build/memaed tests/system/test_rtsp.py`.
"""
import array
import collections
import http.client
import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(ROOT, "tests", "system")
MEMAED = shlex.split(os.environ.get("MEMAED", os.path.join(ROOT, "build", "memaed")))
SCALE = float(os.environ.get("MEMAED_TEST_SCALE", "1"))
SAN = os.environ.get("MEMAED_TEST_SAN", "")
STOP_S = 2.0 * SCALE            # the longest that an orderly stop may take
STALL_S = min(2 * SCALE, 20)    # the shortest stall_timeout_s with which healthy cameras are not lost
WINDOW = 16                     # frames in a window of write_model()'s models

SANITIZER_FINDING = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|: runtime error: |definitely lost: [1-9]")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def wait_for(what, condition, timeout, step=0.05):
    """Returns the first true value of condition(). Fails after timeout seconds, times the scale."""
    limit = time.monotonic() + timeout * SCALE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > limit:
            raise AssertionError(f"{what}: not within {timeout * SCALE:.0f} s")
        time.sleep(step)


# ---- logs -----------------------------------------------------------------------------------------------------------

FIELD = re.compile(r'([a-z_0-9]+)=("(?:\\.|[^"\\])*"|\S*)')


def parse_line(line):
    """Returns the key=value pairs of a log line, or None if it is not an event."""
    fields = {}
    for key, value in FIELD.findall(line):
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        fields.setdefault(key, value)
    return fields if "event" in fields else None


Process = collections.namedtuple("Process", "pid name state parent session stat")      # stat: the fields from the state on


def processes():
    """Returns every process by its number, zombies included."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as f:
                name, _, rest = f.read().partition("(")[2].rpartition(")")
        except OSError:
            continue
        rest = rest.split()
        found[int(entry)] = Process(int(entry), name, rest[0], int(rest[1]), int(rest[3]), rest)
    return found


def session_processes(session):
    """Returns the living processes of a session, without zombies."""
    return [p.pid for p in processes().values() if p.session == session and p.state != "Z"]


def family(pid):
    """Returns a process and its descendants: the host and the processes of cameras."""
    everybody, found = processes(), []
    wanted = {pid}
    while wanted:
        found += [everybody[p] for p in wanted if p in everybody]
        wanted = {p.pid for p in everybody.values() if p.parent in wanted}
    return found


def camera_process(daemon, camera):
    """Returns the number of the process that reads a camera; None: there is none."""
    return next((p.pid for p in family(daemon.process.pid) if p.name == f"cam-{camera}"[:15] and p.state != "Z"), None)


def pss_mib(pid):
    """Returns the memory in MiB of a process and its descendants. Pages that several of them share count once."""
    total = 0
    for process in family(pid):
        try:
            with open(f"/proc/{process.pid}/smaps_rollup", encoding="utf-8") as f:
                total += next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue
    return total / 1024


def rss_mib(pid):
    """Returns the resident memory of a process in MiB."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:")) / 1024


class Command(collections.namedtuple("Command", "code out err seconds")):
    """The result of a finished command."""


def run(*args, timeout=60, env=None, cwd=None):
    """Runs memaed with the arguments to its end. Returns a Command."""
    start = time.monotonic()
    done = subprocess.run([*MEMAED, *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=timeout * SCALE, env={**os.environ, **(env or {})}, cwd=cwd, check=False)
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    if done.returncode < 0 or SANITIZER_FINDING.search(err):
        raise AssertionError(f"memaed {' '.join(map(str, args))}: status {done.returncode}\n{err}")
    return Command(done.returncode, out, err, time.monotonic() - start)


class Daemon:
    """A running `memaed run`. Its configuration is a dict, written to the test's folder as JSON, which is YAML too;
    or a text of YAML."""

    def __init__(self, folder, config, env=None):
        self.folder = folder
        self.config = os.path.join(folder, "memaed.yml")
        if not isinstance(config, str):
            config = {"state_dir": os.path.join(folder, "state"), "http": {"listen": "127.0.0.1:0"}, **config}
            os.makedirs(config["state_dir"], exist_ok=True)
            config = json.dumps(config, indent=1)
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(config)
        self.lines, self.changed = [], threading.Condition()
        self.process = subprocess.Popen([*MEMAED, "run", "--config", self.config], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                                        env={**os.environ, **(env or {})})
        self.readers = [threading.Thread(target=self._read, args=(pipe,), daemon=True)
                        for pipe in (self.process.stdout, self.process.stderr)]
        for reader in self.readers:
            reader.start()
        self.stopped = False
        try:
            self.address = self.wait_event("http_listening")["address"]
        except BaseException:
            self.kill()
            raise
        self.base = f"http://{self.address}"

    def _read(self, pipe):
        for raw in pipe:
            with self.changed:
                self.lines.append(raw.decode(errors="replace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def log(self):
        with self.changed:
            return "\n".join(self.lines)

    def events(self, name=None, **fields):
        with self.changed:
            parsed = [p for p in map(parse_line, self.lines) if p]
        return [p for p in parsed if name in (None, p["event"]) and all(p.get(k) == v for k, v in fields.items())]

    def wait_event(self, name, timeout=20, **fields):
        def found():
            if self.process.poll() is not None and not any(r.is_alive() for r in self.readers):
                hits = self.events(name, **fields)
                if not hits:
                    raise AssertionError(f"memaed ended with {self.process.returncode} before event={name}\n{self.log()}")
                return hits
            return self.events(name, **fields)
        try:
            return wait_for(f"event={name} {fields}", found, timeout)[0]
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.log()[-4000:]}") from None

    # -- REST

    def get(self, path, timeout=10):
        """Returns the status and the parsed JSON, or the text if it is not JSON."""
        try:
            with urllib.request.urlopen(self.base + path, timeout=timeout * SCALE) as answer:
                status, kind, body = answer.status, answer.headers.get_content_type(), answer.read()
        except urllib.error.HTTPError as e:
            with e:
                status, kind, body = e.code, e.headers.get_content_type(), e.read()
        text = body.decode()
        return status, json.loads(text) if kind.endswith("json") else text

    def request(self, method, path, headers=None):
        """Returns the status, the headers and the body of the answer to a request without a body."""
        connection = http.client.HTTPConnection(self.address, timeout=30 * SCALE)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def post(self, path, headers=None):
        """Returns the status and the parsed JSON of the answer to a POST without a body."""
        status, _, body = self.request("POST", path, headers)
        return status, json.loads(body)

    def camera(self, name):
        status, value = self.get(f"/api/v1/cameras/{name}")
        assert status == 200, (status, value)
        return value

    def wait_camera(self, name, condition, timeout=20):
        """Waits until condition(camera) holds, or for a state if it is a string. Returns the camera as REST shows it."""
        wanted = condition if callable(condition) else lambda c: c["state"] == condition
        last = {}

        def seen():
            last.clear()
            last.update(self.camera(name))
            return dict(last) if wanted(last) else None
        try:
            return wait_for(f"camera {name}: {condition}", seen, timeout)
        except AssertionError as e:
            raise AssertionError(f"{e}; it is {last}\n{self.log()[-4000:]}") from None

    def metric(self, name, **labels):
        """Returns the value of one sample of /metrics, or None."""
        status, text = self.get("/metrics")
        assert status == 200, text
        for line in text.splitlines():
            m = re.match(r"([a-z_0-9]+)(?:\{(.*)\})? (\S+)$", line)
            if m and m[1] == name:
                found = dict(re.findall(r'([a-z_]+)="((?:\\.|[^"\\])*)"', m[2] or ""))
                if all(found.get(k) == v for k, v in labels.items()):
                    return float(m[3])
        return None

    def histogram(self, name):
        """Returns the counts of a histogram of /metrics up to each bound, summed over its series."""
        status, text = self.get("/metrics")
        assert status == 200, text
        counts = collections.Counter()
        for bound, count in re.findall(rf'^memaed_{name}_bucket{{.*le="(.*)"}} (\d+)$', text, re.M):
            counts[float(bound)] += int(count)
        return counts

    # -- the end

    def stop(self, limit=STOP_S):
        """Sends TERM. Asserts that the daemon ends with status 0, in time, and leaves no process behind."""
        relatives = {p.pid for p in family(self.process.pid)}
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(limit + 15 * SCALE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still there {limit + 15 * SCALE:.0f} s after TERM\n{self.log()[-4000:]}") from None
        seconds = time.monotonic() - start
        for reader in self.readers:
            reader.join(5)
        self.stopped = True
        left = session_processes(self.process.pid) + [p.pid for p in processes().values() if p.pid in relatives if p.state != "Z"]
        log = self.log()
        assert not left, f"processes left behind: {left}"
        if "thread" in SAN and "event=thread_abandoned" in log:     # The sanitizer calls such a thread leaked, and fails.
            log, code = log.replace("WARNING: ThreadSanitizer: thread leak", ""), 0 if code == 99 else code
        assert not SANITIZER_FINDING.search(log), log
        assert code == 0, f"status {code} after TERM\n{log[-4000:]}"
        assert seconds <= limit, f"took {seconds:.1f} s to stop, allowed {limit:.1f}\n{log[-4000:]}"
        return seconds

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if not any(r.is_alive() for r in self.readers):
                pipe.close()
        self.stopped = True


class Follower:
    """Polls the scores of one camera with the cursor, and keeps all of them."""

    def __init__(self, daemon, camera, limit=None):
        self.daemon, self.camera, self.limit, self.cursor, self.scores = daemon, camera, limit, None, []

    def poll(self):
        """Polls once. Returns how many scores came."""
        query = [f"since={self.cursor}"] if self.cursor is not None else []
        query += [f"limit={self.limit}"] if self.limit else []
        status, value = self.daemon.get(f"/api/v1/cameras/{self.camera}/scores?{'&'.join(query)}")
        assert status == 200, (status, value)
        self.scores += value["scores"]
        self.cursor = value["next"]
        return len(value["scores"])

    def drain(self):
        while self.poll():
            pass
        return self.scores

    def wait(self, count, timeout=30):
        wait_for(f"{count} scores of {self.camera} (have {len(self.scores)})",
                 lambda: self.poll() is not None and len(self.scores) >= count, timeout)
        return self.scores


# ---- material -------------------------------------------------------------------------------------------------------

def video_arch(height, width, channels, slots, shrink=0.0):
    """Returns a video architecture by docs/model-format.md, with the paper's strides."""
    hidden = {"norm": "batch", "activation": "leaky_relu", "slope": 0.2}

    def conv(out, t):
        return {"type": "conv3d", "out": out, "kernel": [3, 3, 3], "stride": [t, 2, 2], "padding": [1, 1, 1], **hidden}

    def deconv(out, t, more):
        return {"type": "deconv3d", "out": out, "kernel": [3, 3, 3], "stride": [t, 2, 2], "padding": [1, 1, 1],
                "output_padding": [t - 1, 1, 1], **more}
    c1, c2, c3, c4 = channels
    return {"input": {"shape": [1, WINDOW, height, width], "mean": 0.5, "std": 0.5},
            "encoder": [conv(c1, 1), conv(c2, 2), conv(c3, 2), conv(c4, 2)],
            "memory": {"slots": slots, "similarity": "cosine", "shrink": shrink},
            "decoder": [deconv(c3, 2, hidden), deconv(c2, 2, hidden), deconv(c1, 2, hidden), deconv(1, 1, {})]}


# A calibration as learn makes it, with thresholds and spreads that suit write_mover().
OWN_CALIBRATION = {"fps": 10.0, "threshold": 8.0, "close_threshold": 4.0, "median": 1.0, "p99": 3.0, "maximum": 3.5,
                   "windows": 100, "score": {"boundary": 0.0, "conditions": [
                       {"noise": 0.0, "speed_centre": -6.0, "speed_spread": 0.5, "change_centre": -6.0, "change_spread": 0.5,
                        "rare": {"level": 0.0, "share": 1.0, "scale": 1.0, "shape": 0.0}}]}}


def with_places(calibration, height, width):
    """Returns the calibration with the voices of places, as learn makes it."""
    cells = (height // 4 - 1) * (width // 4 - 1)
    light = {**calibration["score"]["conditions"][0], "pace_centre": -6.0, "pace_spread": 1.0, "pace_usual": [0.0] * cells,
             "appearance_centre": -6.0, "appearance_spread": 2.0, "appearance_usual": [0.0] * cells,
             "appearance_typical": [-4.0] * cells}
    return {**calibration, "score": {**calibration["score"], "conditions": [light]}}


PLACES_CALIBRATION = with_places(OWN_CALIBRATION, 64, 96)


def static_calibration(height, width, limit=4.0, **changes):
    """Returns OWN_CALIBRATION with limits for static scenes: a window is static if no cell differs by more than limit."""
    cells = (height // 8) * (width // 8)
    static = {"bound": 1.0, "largest_difference": 0.0, "windows": 1000, "frozen_s": 10.0, "light_margin": 0.1,
              "limits": [[limit] * cells] * 2}
    return {**OWN_CALIBRATION, "static": {**static, **changes}}


def write_model(path, height=32, width=48, channels=(4, 4, 8, 8), slots=20, seed=1, calibration=None):
    """Writes a model of random weights as safetensors. By default a window takes a millisecond. Returns its path."""
    arch = video_arch(height, width, channels, slots)
    rng = random.Random(seed)
    tensors = []

    def uniform(name, shape, bound):
        n = 1
        for d in shape:
            n *= d
        tensors.append((name, shape, array.array("f", (rng.uniform(-bound, bound) for _ in range(n)))))

    def fill(name, n, value):
        tensors.append((name, [n], array.array("f", [value]) * n))
    for part in ("encoder", "decoder"):
        ci, index = (1 if part == "encoder" else channels[3]), 0
        for layer in arch[part]:
            co = layer["out"]
            shape = [co, ci, 3, 3, 3] if part == "encoder" else [ci, co, 3, 3, 3]
            bound = (shape[1] * 27) ** -0.5
            uniform(f"{part}.{index}.weight", shape, bound)
            uniform(f"{part}.{index}.bias", [co], bound)
            index += 1
            if layer.get("norm"):
                for key, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
                    fill(f"{part}.{index}.{key}", co, value)
                index += 1
            if layer.get("activation"):
                index += 1
            ci = co
    uniform("mem_rep.memory.weight", [slots, channels[3]], channels[3] ** -0.5)
    metadata = {"format": "memae", "memae.arch": json.dumps(arch)}
    if calibration:
        metadata["memae.calibration"] = json.dumps(calibration)
    header, offset = {"__metadata__": metadata}, 0
    for name, shape, data in tensors:
        size = len(data) * 4
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in tensors:
            f.write(data.tobytes())
    return path


def ffmpeg(*args):
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", *map(str, args)], check=True,
                   stdin=subprocess.DEVNULL)


def write_clip(path, seconds=6.0, fps=10, size="48x32", source="testsrc2", codec=("-c:v", "ffv1", "-pix_fmt", "gray")):
    """Writes a clip of FFmpeg's moving test picture. Returns its path."""
    ffmpeg("-f", "lavfi", "-i", f"{source}=size={size}:rate={fps}:duration={seconds}", *codec, path)
    return path


def write_mover(path, frames=60, moving=range(20, 40), size=(96, 64), fps=10):
    """Writes a lossless gray clip of still noise. In the frames `moving` a dark square of 16x16 goes down along the
    right edge. Returns the area that it covered: x, y, width, height as fractions."""
    width, height = size
    rng = random.Random(7)
    still = bytes(rng.randrange(100, 156) for _ in range(width * height))
    left, steps, pictures = width - 20, 0, []
    for f in range(frames):
        picture = bytearray(still)
        if f in moving:
            steps += 1
            for row in range(8 + steps, 24 + steps):
                picture[row * width + left:row * width + left + 16] = bytes(20 + row % 3 for _ in range(16))
        pictures.append(bytes(picture))
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "gray", "-s",
                    f"{width}x{height}", "-r", str(fps), "-i", "-", "-c:v", "ffv1", "-pix_fmt", "gray", path],
                   input=b"".join(pictures), check=True)
    return left / width, 9 / height, 16 / width, (15 + steps) / height


def own_address():
    """Returns an address of this machine other than loopback, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return None if s.getsockname()[0].startswith("127.") else s.getsockname()[0]


def free_port():
    """Returns a port of loopback where nothing listens now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class RtspServer:
    """GStreamer's RTSP server as a process of its own. It can be killed, stopped and started again."""

    def __init__(self, clip, fps=10, port=0, user=None, password=None, digest=False, codec="h264", key_distance=1, audio=None):
        self.args = ["--clip", clip, "--fps", str(fps), "--codec", codec, "--key-distance", str(key_distance)]
        if audio:
            self.args += ["--audio", audio]
        if user:
            self.args += ["--user", user, "--password", password, *(["--digest"] if digest else [])]
        self.port, self.process = port, None
        self.start()

    def start(self):
        self.process = subprocess.Popen(["/usr/bin/python3", os.path.join(HERE, "servers", "rtsp_server.py"), "--port",
                                         str(self.port), *self.args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        line = self.process.stdout.readline().split()
        if len(line) != 2 or line[0] != b"ready":
            raise AssertionError("the RTSP server did not start")
        self.port = int(line[1])

    @property
    def url(self):
        return f"rtsp://127.0.0.1:{self.port}/live"

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def need_rtsp():
    """Skips the test if GStreamer's RTSP server is not installed."""
    probe = ("import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer, Gst; "
             "Gst.init(None); assert all(map(Gst.ElementFactory.find, ('h264parse', 'rtph264pay', 'appsrc')))")
    if subprocess.run(["/usr/bin/python3", "-c", probe], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                      check=False).returncode:
        raise unittest.SkipTest("GStreamer's RTSP server is not installed (make deps)")


class Case(unittest.TestCase):
    """A test with its own folder, daemons and RTSP servers."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="memaed-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def daemon(self, config, env=None):
        daemon = Daemon(self.folder, config, env)
        self.addCleanup(daemon.kill)
        return daemon

    def rtsp(self, *args, **kwargs):
        need_rtsp()
        server = RtspServer(*args, **kwargs)
        self.addCleanup(server.kill)
        return server


# ---- TAP ------------------------------------------------------------------------------------------------------------

class _Tap(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.n = 0

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def _say(self, status, test, more=""):
        self.n += 1
        name = getattr(test, "_testMethodName", None) or str(test)
        print(f"{status} {self.n} - {name}{more}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._say("ok", test, f" ({time.monotonic() - self.began:.1f} s)")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._say("ok", test, f" # SKIP {reason}")

    def _bad(self, test, error):
        self._say("not ok", test)
        for line in self._exc_info_to_string(error, test).splitlines():
            print(f"# {line}", flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._bad(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self._bad(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.n += 1
            print(f"not ok {self.n} - {test._testMethodName} {subtest._subDescription()}", flush=True)
            for line in self._exc_info_to_string(err, test).splitlines():
                print(f"# {line}", flush=True)


def main():
    """Runs the tests of the calling file, or those that argv names. Prints TAP."""
    module = sys.modules["__main__"]
    loader = unittest.defaultTestLoader
    loader.testNamePatterns = [f"*{a}*" for a in sys.argv[1:]] or None
    result = _Tap()
    loader.loadTestsFromModule(module).run(result)
    print(f"1..{result.n}", flush=True)
    sys.exit(0 if result.wasSuccessful() and result.n else 1)
