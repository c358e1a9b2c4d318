"""Signals that end a training in order."""

from __future__ import annotations

import contextlib
import signal
from types import FrameType
from typing import Any, Dict, Optional

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Notes the first Ctrl-C (SIGINT) or SIGTERM inside a `with` block instead of stopping at once.
    A second one stops at once.

    received (Optional[int]): The signal that was received.
    """

    def __init__(self) -> None:
        self.received: Optional[int] = None
        self._handlers: Dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        # Only the main thread may set handlers, and only it receives signals.
        with contextlib.suppress(ValueError):
            self._handlers = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *error: Any) -> None:
        self._restore()

    def _note(self, number: int, frame: Optional[FrameType]) -> None:
        self.received = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}
