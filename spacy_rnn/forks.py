"""Locks that make forks safe while other threads work.

A forked child has only the thread that forked. A lock held by another thread at that moment, of
this package or inside of torch, is never released there.
"""

from __future__ import annotations

import os
import threading
from typing import Any
from weakref import WeakSet

#: the maximum number of seconds that a fork waits for threads that compute
PATIENCE = 30.0
_locks: WeakSet[ForkSafeLock] = WeakSet()


class ForkSafeLock:
    """A context manager like `threading.Lock` that is released in a forked child. The protected
    object must be usable at any time during a change, because the child gets a copy of it."""

    def __init__(self) -> None:
        self._renew()
        _locks.add(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: Any) -> None:
        self._lock.release()


class _Depth(threading.local):
    """The number of nested entries of a thread."""

    value = 0


class Gate:
    """A context manager for computations that a fork must not interrupt. The fork waits until no
    other thread is inside, and threads that enter in the meantime wait for the fork."""

    def __init__(self) -> None:
        self._depth = _Depth()
        self._open(0)

    def _open(self, n_inside: int) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._n_inside = n_inside
        self._forking = False

    def __enter__(self) -> None:
        depth = self._depth
        if not depth.value:
            with self._lock:
                if self._forking:
                    self._changed.wait_for(lambda: not self._forking)
                self._n_inside += 1
        depth.value += 1

    def __exit__(self, *error: Any) -> None:
        depth = self._depth
        depth.value -= 1
        if not depth.value:
            with self._lock:
                self._n_inside -= 1
                if self._forking:
                    self._changed.notify_all()

    def before_fork(self) -> None:
        """Wait for other threads inside, and stop threads that enter."""
        own = min(self._depth.value, 1)
        with self._lock:
            self._changed.wait_for(lambda: not self._forking)
            self._forking = True
            self._changed.wait_for(lambda: self._n_inside <= own, PATIENCE)

    def after_fork_in_parent(self) -> None:
        """Let waiting threads enter."""
        with self._lock:
            self._forking = False
            self._changed.notify_all()

    def after_fork_in_child(self) -> None:
        """Open the gate for the only thread."""
        self._open(min(self._depth.value, 1))


#: the gate for all computations of torch
computing = Gate()


def _renew_locks() -> None:
    for lock in _locks:
        lock._renew()


def make_safe() -> None:
    """Register handlers so that forks wait for the gate and renew the locks."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=computing.before_fork,
            after_in_parent=computing.after_fork_in_parent,
            after_in_child=computing.after_fork_in_child,
        )
        os.register_at_fork(after_in_child=_renew_locks)
