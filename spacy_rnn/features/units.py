"""The units that a language model reads and writes: characters, pieces of words or words."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Callable, List, Optional, Protocol, Sequence

import numpy as np
from spacy.attrs import ORTH
from spacy.tokens import Doc

from .feature import ranked
from .pieces import Pieces

#: of the units that are not pieces; both stand before and after each document, and for all that the
#: training texts do not have
BOUNDARY, UNKNOWN = 0, 1

#: what makes tokens of a text, as the pipeline does
Tokenizer = Callable[[str], Doc]


class Units(Protocol):
    """Texts to ids of units, and back."""

    @property
    def boundary(self) -> int:
        """Stands before and after each document."""

    @property
    def surfaces(self) -> List[str]:
        """What each unit is in a text, a word with the blank before it; empty for those that stand
        for nothing."""

    def __len__(self) -> int:
        """Size of the vocabulary."""

    def learn(self, docs: Sequence[Doc]) -> None:
        """Make the vocabulary."""

    def encode(self, docs: Sequence[Doc]) -> List[np.ndarray]:
        """The units of each document, int64, without boundaries."""

    def owners(self, doc: Doc) -> np.ndarray:
        """The index of the token that each unit of a document belongs to, ascending, int64."""

    def read(self, text: str, tokenizer: Tokenizer) -> np.ndarray:
        """The units of a text, int64, without boundaries."""

    def finished(self, text: str) -> str:
        """The beginning of a text that has the same units however the text goes on."""

    def write(self, ids: Sequence[int]) -> str:
        """The text of units."""

    def write_after(self, text: str, ids: np.ndarray, more: np.ndarray) -> str:
        """What more units add to a text with the units `ids`."""

    def to_dict(self) -> dict[str, Any]:
        """What was learned, as JSON."""

    def from_dict(self, state: dict[str, Any]) -> None:
        """Take up what `to_dict` gave."""


class Characters:
    """Every character, blanks and line breaks among them.

    min_freq: characters that occur less often in the training texts are unknown.
    """

    def __init__(self, min_freq: int = 2):
        self.min_freq = min_freq
        self.from_dict({"characters": []})

    def __len__(self) -> int:
        return len(self._codes) + 2

    @property
    def boundary(self) -> int:
        return BOUNDARY

    @property
    def surfaces(self) -> List[str]:
        return ["", "", *map(chr, self._codes[self._order].tolist())]

    def learn(self, docs: Sequence[Doc]) -> None:
        counts: Counter[str] = Counter()
        for doc in docs:
            counts.update(doc.text)
        self.from_dict({"characters": ranked(counts, self.min_freq)})

    def encode(self, docs: Sequence[Doc]) -> List[np.ndarray]:
        return [self.read(doc.text) for doc in docs]

    def owners(self, doc: Doc) -> np.ndarray:
        return np.repeat(np.arange(len(doc)), [len(token.text_with_ws) for token in doc])

    def read(self, text: str, tokenizer: Optional[Tokenizer] = None) -> np.ndarray:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        if not len(self._codes):
            return np.full(len(codes), UNKNOWN)
        place = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        return np.where(self._codes[place] == codes, self._ids[place], UNKNOWN)

    def finished(self, text: str) -> str:
        return text

    def write(self, ids: Sequence[int]) -> str:
        surfaces = self.surfaces
        return "".join(surfaces[i] for i in ids)

    def write_after(self, text: str, ids: np.ndarray, more: np.ndarray) -> str:
        return self.write(more.tolist())

    def to_dict(self) -> dict[str, Any]:
        return {"characters": self.surfaces[2:]}

    def from_dict(self, state: dict[str, Any]) -> None:
        codes = np.array([ord(c) for c in state["characters"]], dtype="<u4")
        order = np.argsort(codes)
        #: the characters in order, and the id of each
        self._codes = codes[order]
        self._ids = (order + 2).astype("int64")
        self._order = np.argsort(order)


class Words:
    """spaCy's tokens, without the blanks between them.

    min_freq: words that occur less often in the training texts are unknown.
    max_words: of the others the most frequent ones have a place; 0 for all.
    """

    def __init__(self, min_freq: int = 2, max_words: int = 0):
        self.min_freq = min_freq
        self.max_words = max_words
        self.from_dict({"words": []})

    def __len__(self) -> int:
        return len(self._ids) + 2

    @property
    def boundary(self) -> int:
        return BOUNDARY

    @property
    def surfaces(self) -> List[str]:
        return ["", "", *(" " + word for word in self._ids)]

    def learn(self, docs: Sequence[Doc]) -> None:
        counts: Counter[str] = Counter()
        for doc in docs:
            counts.update(token.text for token in doc)
        words = ranked(counts, self.min_freq)
        self.from_dict({"words": words[: self.max_words or None]})

    def encode(self, docs: Sequence[Doc]) -> List[np.ndarray]:
        return [self._encode(doc) for doc in docs]

    def _encode(self, doc: Doc) -> np.ndarray:
        # Each distinct word is looked up once.
        keys, tokens = np.unique(doc.to_array(ORTH).reshape(-1), return_inverse=True)
        strings = doc.vocab.strings
        ids = np.array([self._ids.get(strings[key], UNKNOWN) for key in keys], dtype="int64")
        return ids[tokens] if len(doc) else ids

    def owners(self, doc: Doc) -> np.ndarray:
        return np.arange(len(doc))

    def read(self, text: str, tokenizer: Tokenizer) -> np.ndarray:
        return self._encode(tokenizer(text))

    def finished(self, text: str) -> str:
        # White space may become longer, and so a token of its own.
        found = re.match(r"(.*\S)\s+\S*$", text, re.DOTALL)
        return found[1] if found else ""

    def write(self, ids: Sequence[int]) -> str:
        return self._written("", ids)

    def write_after(self, text: str, ids: np.ndarray, more: np.ndarray) -> str:
        return self._written(text[-1:], more.tolist())

    def _written(self, last: str, ids: Sequence[int]) -> str:
        """Words after a character, with one blank between them, none next to white space."""
        surfaces, parts = self.surfaces, []
        for i in ids:
            word = surfaces[i].removeprefix(" ")
            if word:
                gap = last and not last.isspace() and not word[0].isspace()
                parts.append(" " + word if gap else word)
                last = word[-1]
        return "".join(parts)

    def to_dict(self) -> dict[str, Any]:
        return {"words": list(self._ids)}

    def from_dict(self, state: dict[str, Any]) -> None:
        self._ids = {word: i for i, word in enumerate(state["words"], start=2)}


class PieceUnits:
    """Pieces of words; see `Pieces`."""

    def __init__(self, pieces: Pieces):
        self.pieces = pieces

    def __len__(self) -> int:
        return len(self.pieces)

    @property
    def boundary(self) -> int:
        return self.pieces.eos

    @property
    def surfaces(self) -> List[str]:
        control = {self.pieces.pad, self.pieces.unk, self.pieces.bos, self.pieces.eos}
        names = self.pieces.pieces()
        return ["" if i in control else n.replace("\u2581", " ") for i, n in enumerate(names)]

    def learn(self, docs: Sequence[Doc]) -> None:
        self.pieces.train(doc.text for doc in docs)

    def encode(self, docs: Sequence[Doc]) -> List[np.ndarray]:
        return self.pieces.encode([doc.text for doc in docs])

    def owners(self, doc: Doc) -> np.ndarray:
        _, starts, ends = self.pieces.offsets(doc.text)
        # Where a piece ends: most begin with the blank before a word.
        last = np.maximum(ends - 1, starts)
        token_ends = np.cumsum([len(token.text_with_ws) for token in doc])
        owners = np.searchsorted(token_ends, last, side="right")
        return np.minimum(owners, max(len(doc) - 1, 0))

    def read(self, text: str, tokenizer: Optional[Tokenizer] = None) -> np.ndarray:
        return self.pieces.encode([text])[0]

    def finished(self, text: str) -> str:
        # No piece goes on after a blank; a blank is read with the word after it.
        found = re.match("(.*[^ ]) +[^ ]*$", text, re.DOTALL)
        return found[1] if found else ""

    def write(self, ids: Sequence[int]) -> str:
        return self.pieces.decode([ids])[0]

    def write_after(self, text: str, ids: np.ndarray, more: np.ndarray) -> str:
        # Written together: a piece may have a blank before it.
        before = self.write(ids.tolist())
        added = self.write([*ids.tolist(), *more.tolist()])[len(before) :]
        return added.removeprefix(" ") if text.endswith(" ") else added

    def to_dict(self) -> dict[str, Any]:
        return {"pieces": self.pieces.to_base64()}

    def from_dict(self, state: dict[str, Any]) -> None:
        self.pieces.from_base64(state["pieces"])
