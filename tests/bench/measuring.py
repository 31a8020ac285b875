"""Shared by several measurements: progress, processor time, a daemon in a folder of its own, kinds that take turns."""
import contextlib
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import harness  # noqa: E402


def say(*text):
    """Prints progress."""
    print(*text, file=sys.stderr, flush=True)


def cpu_seconds(pid):
    """Returns the processor time so far of a process and its descendants, also of those that have ended."""
    ticks = os.sysconf("SC_CLK_TCK")
    everybody = harness.family(pid)
    return sum(sum(map(int, p.stat[11:15])) for p in everybody) / ticks


@contextlib.contextmanager
def running(config):
    """Runs a daemon in a folder of its own. At the end it is killed, and the folder removed."""
    with tempfile.TemporaryDirectory(prefix="memaed-bench-", ignore_cleanup_errors=True) as folder:
        daemon = harness.Daemon(folder, config)
        try:
            yield daemon
        finally:
            daemon.kill()


def in_turn(kinds, rounds, measure):
    """Measures each kind once a round. Each second round has the reverse order, so that a drift of the machine affects all kinds
    alike. Returns the rounds, each as {kind: result of measure(kind)}."""
    result = []
    for i in range(rounds):
        result.append({kind: measure(kind) for kind in (kinds if i % 2 == 0 else reversed(kinds))})
        say(result[-1])
    return result
