"""Documents as streams: what a recurrent language model reads in training, window by window.

Each document joins the shortest of some parallel streams. A window takes the next units of all
streams; the network's state goes on from window to window, its gradient does not (truncated
back-propagation through time, Williams and Peng 1990).
"""

from __future__ import annotations

from collections import deque
from typing import Deque, Iterator, List, NamedTuple, Optional

import numpy as np

#: names of the networks that read documents from the beginning and from the end; torch modules
#: have an attribute `forward` already
FORWARD, BACKWARD = "forwards", "backwards"


class Window(NamedTuple):
    """The next units of each stream, those of one after those of another.

    lengths: units of each stream, (B,), at least one.
    inputs: the units that are read, (N,); targets: those that come next, (N,).
    starts: bool (B,), whether a document begins here; else the state goes on.
    conditions: float32 (B, C), the vectors of the documents, if they have any.
    """

    lengths: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray
    starts: np.ndarray
    conditions: Optional[np.ndarray]


class _Document(NamedTuple):
    units: np.ndarray
    condition: Optional[np.ndarray]


class Streams:
    """Documents that wait to be read.

    n: how many streams.
    window: units of each that are read at once.
    carry: the state goes on from a document to the next one on its stream, and so do windows.
        Otherwise a document begins anew, and a window ends with it.
    rng: draws the size of each window, near `window` and now and then near half of it (Merity et
        al. 2018, section 5.1), so that documents are not cut at the same places each time.
    """

    def __init__(
        self, n: int, window: int, carry: bool = False, rng: Optional[np.random.Generator] = None
    ):
        self.window = window
        self.carry = carry
        self.rng = rng
        self._queues: List[Deque[_Document]] = [deque() for _ in range(n)]
        self._at = np.zeros(n, dtype="int64")
        #: units of each stream that are in no window yet
        self.n_waiting = np.zeros(n, dtype="int64")
        self._begun = False
        self._size = self._next_size()

    def push(self, units: np.ndarray, condition: Optional[np.ndarray] = None) -> None:
        """Add a document, a unit that stands before and one that stands after it among its
        units."""
        shortest = int(self.n_waiting.argmin())
        self._queues[shortest].append(_Document(units, condition))
        self.n_waiting[shortest] += len(units) - 1

    def windows(self) -> Iterator[Window]:
        """The windows for which all streams have units."""
        while (self.n_waiting >= (self._size if self.carry else 1)).all():
            rows = [self._take(i) for i in range(len(self._queues))]
            inputs, targets, starts, conditions = zip(*rows, strict=True)
            yield Window(
                np.array([len(row) for row in inputs]),
                np.concatenate(inputs),
                np.concatenate(targets),
                np.array(starts),
                None if conditions[0] is None else np.stack(conditions),
            )
            self._begun = True
            self._size = self._next_size()

    def _take(self, i: int) -> tuple[np.ndarray, np.ndarray, bool, Optional[np.ndarray]]:
        """The next units of a stream, what follows each, whether it begins anew, its condition."""
        queue, start, condition = self._queues[i], int(self._at[i]), self._queues[i][0].condition
        starts = not self._begun if self.carry else start == 0
        inputs, targets = [], []
        wanted = self._size
        while wanted and queue:
            units, at = queue[0].units, int(self._at[i])
            part = units[at : at + wanted + 1]
            inputs.append(part[:-1])
            targets.append(part[1:])
            taken = len(part) - 1
            wanted -= taken
            self.n_waiting[i] -= taken
            self._at[i] += taken
            if self._at[i] == len(units) - 1:
                queue.popleft()
                self._at[i] = 0
                if not self.carry:
                    break
        return np.concatenate(inputs), np.concatenate(targets), starts, condition

    def _next_size(self) -> int:
        if self.rng is None:
            return self.window
        mean = self.window if self.rng.random() < 0.95 else self.window / 2
        return int(np.clip(self.rng.normal(mean, 5), max(1, self.window // 10), 2 * self.window))
