"""Forked processes."""

import contextlib
import multiprocessing
import threading

#: seconds after which a child counts as hanging
PATIENCE = 60


def kill_children():
    for child in multiprocessing.active_children():
        child.kill()


@contextlib.contextmanager
def patience():
    """Kill children that take too long, so that a test that waits for them fails."""
    timer = threading.Timer(PATIENCE, kill_children)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
