"""Sequences of words as a language model of characters reads them."""

from __future__ import annotations

from collections import Counter
from typing import Any, Callable, NamedTuple

import numpy as np
from spacy.vocab import Vocab

from .feature import padded, shortened
from .streams import BACKWARD
from .units import Characters

#: of longer words the first and the last characters are read
MAX_LENGTH = 64
BLANK = " "


class Sourced(NamedTuple):
    """What is taken over from a trained language model.

    characters: its units. settings: its sizes, as JSON. weights: those of its embedding and its
    encoder, by name.
    """

    characters: Characters
    settings: dict[str, Any]
    weights: dict[str, Any]


class Strings(NamedTuple):
    """Sequences of words as characters.

    units: those of all sequences, int64 (C,). lengths: characters of each sequence, (B,).
    ends: the last character of each word, a blank, among all, int64 (N,).
    """

    units: np.ndarray
    lengths: np.ndarray
    ends: np.ndarray


class WordCharacters:
    """``NAME``: the characters of a word, int64 (U, L), and ``NAME_lengths``: int64 (U,).

    source: gives the language model, when training starts.
    """

    def __init__(self, name: str, source: Callable[[], Sourced]):
        self.name = name
        self._source = source
        self.characters = Characters()
        self.settings: dict[str, Any] = {}
        #: those to start from; a saved component has its own
        self.weights: dict[str, Any] = {}

    def build(self, counts: Counter[str], vocab: Vocab) -> None:
        self.characters, self.settings, self.weights = self._source()

    def ids(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        spelled = [self.characters.encode_text(shortened(word, MAX_LENGTH)) for word in words]
        return padded(self.name, spelled, MAX_LENGTH)

    def strings(
        self, arrays: dict[str, np.ndarray], tokens: np.ndarray, lengths: np.ndarray
    ) -> dict[str, Strings]:
        """Sequences with the boundary of documents before the first word and a blank after each,
        for each of the model's directions. The backward one reads all from its end, so that a blank
        comes after the first character of a word.

        arrays: those of the distinct words. tokens: the word of each token, (N,). lengths: tokens
        of each sequence, (B,).
        """
        directions = self.settings["directions"]
        return {
            name: self._strings(arrays, tokens, lengths, name == BACKWARD) for name in directions
        }

    def _strings(
        self, arrays: dict[str, np.ndarray], tokens: np.ndarray, lengths: np.ndarray, backward: bool
    ) -> Strings:
        ids, sizes = arrays[self.name], arrays[self.name + "_lengths"]
        if backward:
            tokens, lengths = tokens[::-1], lengths[::-1]
        sizes = sizes[tokens]
        # A place for the blank; shape: (N, L + 1)
        rows = np.pad(ids[tokens], ((0, 0), (0, 1)))
        places = np.arange(rows.shape[1])
        if backward:
            reversed_places = np.maximum(sizes[:, None] - 1 - places, 0)
            rows = np.take_along_axis(rows, reversed_places, axis=1)
        rows[np.arange(len(rows)), sizes] = self.characters.encode_text(BLANK)[0]
        flat = rows[places <= sizes[:, None]]
        # Where words end, and sequences, before the boundaries are put in.
        word_ends = np.cumsum(sizes + 1)
        starts = np.concatenate([[0], word_ends])[np.cumsum(lengths) - lengths]
        units = np.insert(flat, starts, self.characters.boundary_id)
        ends = word_ends + np.repeat(np.arange(len(lengths)), lengths)
        n_units = np.diff(starts, append=len(flat)) + 1
        return Strings(units, n_units, ends[::-1].copy() if backward else ends)

    def to_dict(self) -> dict[str, Any]:
        return {**self.characters.to_dict(), "settings": self.settings}

    def from_dict(self, state: dict[str, Any]) -> None:
        self.characters.from_dict(state)
        self.settings, self.weights = state["settings"], {}
