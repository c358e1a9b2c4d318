"""Processes that serve a pipeline."""

import gc
import math
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Dict, List, Optional, Tuple

from spacy.language import Language
from thinc.compat import has_torch

from ..optional import optional_import, torch
from .app import Settings, make_app
from .metrics import SHARED_FOLDER

SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: connections that wait until a process accepts them
BACKLOG = 2048
#: seconds that a connection without requests stays open
KEEP_ALIVE = 75
#: seconds for which answers are sent after the last time-out
GRACE = 5
#: the least seconds between two starts of a process, so that one that cannot start does not keep
#: the computer busy
PAUSE = 1.0
#: processes in a row that end before they serve, after which the others end, too
MAX_FAILURES = 3


def open_socket(host: str, port: int) -> socket.socket:
    """Listen for connections.

    host (str): The name or address of this computer that clients connect to.
    port (int): The port; 0 for one that is free.
    RETURNS (socket.socket): The socket.
    RAISES (OSError): If the address is in use or is not one of this computer.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    # For its connections, which inherit it: otherwise the end of an answer waits for the client to
    # confirm the beginning, often for 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def serve(nlp: Language, listener: socket.socket, settings: Settings, workers: int = 1) -> None:
    """Serve a pipeline until the process receives SIGTERM or Ctrl-C. Requests that were accepted by
    then are answered.

    nlp (Language): The pipeline.
    listener (socket.socket): The socket, see `open_socket`.
    settings (Settings): The settings.
    workers (int): The number of processes. They are forked, and share the memory of the pipeline.
    RAISES (ImportError): If a library is not installed.
    RAISES (ValueError): If there are to be several processes, and the system cannot fork.
    RAISES (StartError): If the service cannot start. The log says why.
    """
    with optional_import("uvicorn", "The service"):
        import uvicorn  # noqa: F401
    if has_torch:
        torch.set_num_threads(1)
    # Otherwise full collections look at all objects of the pipeline, while all requests wait.
    gc.freeze()
    if workers == 1:
        _exit_on_signals()
        _serve_here(nlp, listener, settings, threading.Event())
        return
    if not hasattr(os, "fork"):
        raise ValueError("This system cannot fork processes. Use one worker.")
    with tempfile.TemporaryDirectory() as folder:
        # prometheus_client reads it when it is imported.
        os.environ[SHARED_FOLDER] = folder
        _Workers(nlp, listener, settings).run(workers)


def _exit_on_signals() -> None:
    """End the process at a signal. While a server runs, it handles signals itself; at its end it
    raises them again."""
    for number in SIGNALS:
        signal.signal(number, lambda *_: sys.exit(0))


def _serve_here(
    nlp: Language, listener: socket.socket, settings: Settings, started: threading.Event
) -> None:
    """Serve in this process.

    nlp, listener, settings: see `serve`.
    started (Event): Set when requests are answered.
    """
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: Optional[List[socket.socket]] = None) -> None:
            await super().startup(sockets)
            if self.started:
                started.set()

    config = uvicorn.Config(
        make_app(nlp, settings),
        log_level="warning",
        access_log=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=math.ceil(settings.timeout) + GRACE,
    )
    try:
        Server(config).run(sockets=[listener])
    except SystemExit:
        # If the start failed: some versions of uvicorn return instead.
        if started.is_set():
            raise
    if not started.is_set():
        raise StartError("The service cannot start. The error is in the log above.")


class StartError(Exception):
    """The service cannot start."""


class _Workers:
    """Forked processes that serve the same socket. One that ends by itself is replaced, unless
    several in a row have not come so far as to serve.

    nlp, listener, settings: see `serve`.
    """

    def __init__(self, nlp: Language, listener: socket.socket, settings: Settings):
        self._nlp = nlp
        self._listener = listener
        self._settings = settings
        #: the processes with the times when they were started, and whether they have served
        self._processes: Dict[BaseProcess, Tuple[float, threading.Event]] = {}
        self._ending = False
        # Closed when this process ends, in whatever way.
        self._parent_alive, self._alive = multiprocessing.Pipe(duplex=False)

    def run(self, workers: int) -> None:
        with optional_import("prometheus_client", "The service"):
            from prometheus_client import multiprocess as shared

        for number in SIGNALS:
            signal.signal(number, self._end)
        for _ in range(workers):
            self._start()
        failures = 0
        while self._processes:
            wait([process.sentinel for process in self._processes])
            for process in [each for each in self._processes if not each.is_alive()]:
                forked, started = self._processes.pop(process)
                shared.mark_process_dead(process.pid)
                if self._ending:
                    continue
                failures = 0 if started.is_set() else failures + 1
                if failures == MAX_FAILURES:
                    self._end()
                else:
                    time.sleep(max(0.0, forked + PAUSE - time.monotonic()))
                    self._start()
        if failures == MAX_FAILURES:
            raise StartError(
                f"{failures} processes in a row could not start. The error is in the log above."
            )

    def _start(self) -> None:
        # A signal while the process is not in the dict yet would not be passed on to it.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            if not self._ending:
                forking = multiprocessing.get_context("fork")
                started: Any = forking.Event()
                process = forking.Process(target=self._serve, args=(started,))
                process.start()
                self._processes[process] = time.monotonic(), started
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _end(self, *_: Any) -> None:
        self._ending = True
        for process in self._processes:
            process.terminate()

    def _serve(self, started: threading.Event) -> None:
        """Serve, in a forked process."""
        # A terminal sends Ctrl-C to all processes of a group; this one gets SIGTERM instead.
        os.setpgid(0, 0)
        self._alive.close()
        threading.Thread(target=_end_with_parent, args=(self._parent_alive,), daemon=True).start()
        _exit_on_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        _serve_here(self._nlp, self._listener, self._settings, started)


def _end_with_parent(parent_alive: Connection) -> None:
    wait([parent_alive])
    os.kill(os.getpid(), signal.SIGTERM)
