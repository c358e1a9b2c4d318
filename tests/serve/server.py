"""A server in a separate process."""

import contextlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="needs the extra serve")
import httpx  # noqa: E402


def start(model, *options):
    """Start the command on a free port."""
    command = [sys.executable, "-m", "spacy", "rnn", "serve", model, "--port", "0", *options]
    return subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


class Server:
    """A running server.

    process: Its (parent) process.
    client: Sends it requests.
    """

    def __init__(self, model, *options):
        self.process = start(model, *options)
        printed = ""
        while not (found := re.search(r"(http://[^\s\x1b]+)", printed)):
            line = self.process.stdout.readline()
            assert line, printed
            printed += line
        self.url = found[1]
        self.client = httpx.Client(base_url=self.url, timeout=60)

    def stop(self):
        """Stop the server cleanly; returns its exit status and what it printed since it started."""
        self.process.terminate()
        printed, _ = self.process.communicate(timeout=60)
        return self.process.returncode, printed

    def metric(self, name):
        """The value of a metric; its name includes the labels."""
        text = self.client.get("/metrics").text
        return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)[1])

    @property
    def workers(self):
        """The IDs of its child processes."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]


@contextlib.contextmanager
def served(model, *options):
    """A server that is ready to answer."""
    server = Server(model, *options)
    try:
        assert server.client.get("/ready").status_code == 200
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.client.close()
        server.process.stdout.close()
        server.process.wait()


def wait_until(condition, seconds=60):
    """Wait until a function returns something true, and return it."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found
