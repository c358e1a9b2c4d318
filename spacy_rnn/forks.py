"""Forks that are safe while other threads work.

A forked child has only the thread that forked. A lock that another thread held at that moment is
never released there, neither one of ours nor one inside torch.
"""

from __future__ import annotations

import os
import threading
import time
from functools import cache
from typing import Any
from weakref import WeakSet

#: seconds that a fork waits at most for threads that compute
PATIENCE = 30.0
_locks: WeakSet[ForkSafeLock] = WeakSet()


class ForkSafeLock:
    """A lock for `with`, which is free in a forked child. What it protects must be usable at any
    moment of a change: the child finds it as it was."""

    def __init__(self) -> None:
        self._renew()
        _locks.add(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: Any) -> None:
        self._lock.release()


class ComputingLocks(threading.local):
    """A lock for each thread, for `with computing.lock` around computations that a fork must not
    interrupt: a fork holds the locks of all threads. So it waits until no other thread computes,
    and threads that want to compute meanwhile wait until it is over.

    lock (threading.RLock): The calling thread's lock.
    """

    def __init__(self) -> None:
        # Called in each thread once, when it first uses the object.
        self.lock = threading.RLock()
        with _registry:
            _thread_locks.add(self.lock)


#: held while a thread registers its lock, and during a fork
_registry = ForkSafeLock()
_thread_locks: WeakSet[Any] = WeakSet()
#: locks that the present fork holds
_held: list[Any] = []
#: for all that torch computes
computing = ComputingLocks()


def _before_fork() -> None:
    # Registers the lock of this thread, if it has none yet.
    own = computing.lock
    _registry.__enter__()
    end = time.monotonic() + PATIENCE
    for lock in [own, *_thread_locks]:
        if lock.acquire(timeout=max(0.0, end - time.monotonic())):
            _held.append(lock)


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop().release()
    _registry.__exit__()


def _after_fork_in_child() -> None:
    while _held:
        _held.pop().release()
    # No other thread is left.
    _thread_locks.clear()
    _thread_locks.add(computing.lock)
    for lock in _locks:
        lock._renew()


@cache
def make_safe() -> None:
    """Let all forks from now on wait for computations, and renew the locks in children. Later calls
    do nothing."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_before_fork,
            after_in_parent=_after_fork_in_parent,
            after_in_child=_after_fork_in_child,
        )
