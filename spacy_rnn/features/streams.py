"""Streams of documents, which a recurrent language model reads window by window in training.

Each document joins the shortest of several parallel streams. A window holds the next units of all
streams; the network's state is carried from window to window, its gradient is not (truncated
back-propagation through time, BPTT, Williams and Peng 1990).
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any, Deque, Dict, Iterator, List, NamedTuple, Optional

import numpy as np

#: names of the networks that read documents from the beginning and from the end; torch modules
#: have an attribute `forward` already
FORWARD, BACKWARD = "forwards", "backwards"


class BPTTWindow(NamedTuple):
    """The next units of each stream, concatenated.

    lengths (np.ndarray): Units per stream, at least one, (B,).
    inputs (np.ndarray): The units that are read, (N,).
    targets (np.ndarray): The units that come next, (N,).
    resets (np.ndarray): True for streams whose state is reset before the window, as a new document
        begins, bool (B,).
    conditions (np.ndarray): The vectors of the documents, float32 (B, C), if they have any.
    """

    lengths: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray
    resets: np.ndarray
    conditions: Optional[np.ndarray]

    def rows(self, start: int, stop: int) -> BPTTWindow:
        """Return the part of some streams, from `start` to before `stop`."""
        before, up_to = (int(self.lengths[:row].sum()) for row in (start, stop))
        return BPTTWindow(
            self.lengths[start:stop],
            self.inputs[before:up_to],
            self.targets[before:up_to],
            self.resets[start:stop],
            None if self.conditions is None else self.conditions[start:stop],
        )


class _Document(NamedTuple):
    units: np.ndarray
    condition: Optional[np.ndarray]


class BPTTStreams:
    """Parallel streams of documents that are still to be read.

    n (int): The number of streams.
    bptt_length (int): Units per stream in a window.
    carry_state (bool): Carry the state from a document to the next one of its stream, and let
        windows continue across them. Otherwise the state is reset before a document, and a window
        ends with it.
    rng (np.random.Generator): Samples the length of each window, near `bptt_length` and sometimes
        near half of it (Merity et al. 2018, section 5.1), so that documents are not cut at the same
        places each time. None for windows of one length.
    """

    def __init__(
        self,
        n: int,
        bptt_length: int,
        carry_state: bool = False,
        rng: Optional[np.random.Generator] = None,
    ):
        self.bptt_length = bptt_length
        self.carry_state = carry_state
        self.rng = rng
        self._queues: List[Deque[_Document]] = [deque() for _ in range(n)]
        self._at = np.zeros(n, dtype="int64")
        #: units of each stream that no window had yet
        self.n_waiting = np.zeros(n, dtype="int64")
        self._begun = False
        self._length = self._next_length()

    def get_state(self) -> Dict[str, Any]:
        """Return the documents that are still to be read and how far they are read, as data for
        msgpack."""
        return {
            "queues": [[list(document) for document in queue] for queue in self._queues],
            "at": self._at,
            "n_waiting": self.n_waiting,
            "begun": self._begun,
            "length": self._length,
            # As text, because its numbers have 128 bits.
            "rng": None if self.rng is None else json.dumps(self.rng.bit_generator.state),
        }

    def set_state(self, state: Dict[str, Any]) -> None:
        """Restore what `get_state` returned."""
        self._queues = [deque(_Document(*found) for found in queue) for queue in state["queues"]]
        self._at = state["at"].copy()
        self.n_waiting = state["n_waiting"].copy()
        self._begun, self._length = state["begun"], state["length"]
        if self.rng is not None:
            self.rng.bit_generator.state = json.loads(state["rng"])

    def push(self, units: np.ndarray, condition: Optional[np.ndarray] = None) -> None:
        """Add a document to the shortest stream.

        units (np.ndarray): Its units, with the boundaries before and after it.
        condition (np.ndarray): Its vector (C,), if it has one.
        """
        shortest = int(self.n_waiting.argmin())
        self._queues[shortest].append(_Document(units, condition))
        self.n_waiting[shortest] += len(units) - 1

    def windows(self) -> Iterator[BPTTWindow]:
        """Take windows for as long as all streams have units.

        YIELDS (BPTTWindow): The next window.
        """
        while (self.n_waiting >= (self._length if self.carry_state else 1)).all():
            rows = [self._take(i) for i in range(len(self._queues))]
            inputs, targets, resets, conditions = zip(*rows, strict=True)
            yield BPTTWindow(
                np.array([len(row) for row in inputs]),
                np.concatenate(inputs),
                np.concatenate(targets),
                np.array(resets),
                None if conditions[0] is None else np.stack(conditions),
            )
            self._begun = True
            self._length = self._next_length()

    def _take(self, i: int) -> tuple[np.ndarray, np.ndarray, bool, Optional[np.ndarray]]:
        """The inputs, targets, reset and condition of a stream for the next window."""
        queue, start, condition = self._queues[i], int(self._at[i]), self._queues[i][0].condition
        resets = not self._begun if self.carry_state else start == 0
        inputs, targets = [], []
        n_left = self._length
        while n_left and queue:
            units, at = queue[0].units, int(self._at[i])
            part = units[at : at + n_left + 1]
            inputs.append(part[:-1])
            targets.append(part[1:])
            taken = len(part) - 1
            n_left -= taken
            self.n_waiting[i] -= taken
            self._at[i] += taken
            if self._at[i] == len(units) - 1:
                queue.popleft()
                self._at[i] = 0
                if not self.carry_state:
                    break
        return np.concatenate(inputs), np.concatenate(targets), resets, condition

    def _next_length(self) -> int:
        if self.rng is None:
            return self.bptt_length
        mean = self.bptt_length if self.rng.random() < 0.95 else self.bptt_length / 2
        return int(
            np.clip(self.rng.normal(mean, 5), max(1, self.bptt_length // 10), 2 * self.bptt_length)
        )
