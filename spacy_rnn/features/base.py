"""What every feature of a word has in common."""

from __future__ import annotations

from collections import Counter
from typing import Any, Protocol

import numpy as np
from spacy.vocab import Vocab


class Feature(Protocol):
    """Turns words into arrays with one row a word.

    A feature has a name, under which its arrays reach the network; arrays named ``*_lengths``
    stay on the host.
    """

    name: str

    def build(self, counts: Counter[str], vocab: Vocab) -> None:
        """Learn from the training words and how often each occurs."""

    def ids(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        """Arrays of one row a word. They are kept as long as the vocab's vectors stay the same."""

    def finish(self, arrays: dict[str, np.ndarray], vocab: Vocab) -> dict[str, np.ndarray]:
        """Last step for the words of one batch: what is cheaper to do each time than to keep."""

    def to_dict(self) -> dict[str, Any]:
        """What was learned, as JSON."""

    def from_dict(self, state: dict[str, Any]) -> None:
        """Take up what `to_dict` gave."""


def ranked(counts: Counter[str], min_freq: int) -> list[str]:
    """The keys that occur at least `min_freq` times, the most frequent first, ties by spelling."""
    frequent = [(key, n) for key, n in counts.items() if n >= min_freq]
    return [key for key, _ in sorted(frequent, key=lambda item: (-item[1], item[0]))]
