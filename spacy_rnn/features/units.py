"""Units of language models: characters, pieces of words or words."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Callable, Dict, List, Optional, Protocol, Sequence

import numpy as np
from spacy.attrs import ORTH
from spacy.tokens import Doc
from spacy.vocab import Vocab

from .feature import ranked
from .subwords import SubwordModel
from .vocabulary import TEXT, VocabularyProbe

#: ids of characters and words: the unit before and after each document, and the unit of everything
#: that the training texts do not contain
BOUNDARY, UNKNOWN = 0, 1

#: splits a text into tokens, as the pipeline does
Tokenizer = Callable[[str], Doc]


class Units(Protocol):
    """Encode texts as ids of units and decode them."""

    @property
    def boundary_id(self) -> int:
        """The unit before and after each document."""

    @property
    def strings(self) -> List[str]:
        """The string of each unit in a text, a word with the space before it; empty for units
        without one."""

    def __len__(self) -> int:
        """Size of the vocabulary."""

    def fit(self, docs: Sequence[Doc]) -> None:
        """Make the vocabulary from training documents."""

    def encode(self, docs: Sequence[Doc]) -> List[np.ndarray]:
        """The units of each document, int64, without boundaries."""

    def encode_text(self, text: str, tokenizer: Tokenizer) -> np.ndarray:
        """The units of a text, int64, without boundaries."""

    def token_indices(self, doc: Doc) -> np.ndarray:
        """The index of the token that each unit of a document belongs to, ascending, int64."""

    def stable_prefix(self, text: str) -> str:
        """The beginning of a text whose units stay the same however the text continues."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of units."""

    def decode_continuation(self, text: str, ids: np.ndarray, new_ids: np.ndarray) -> str:
        """The text that more units add to a text with the units `ids`."""

    def vocabularies(self, vocab: Vocab) -> Dict[str, Dict[str, VocabularyProbe]]:
        """Return the vocabulary by what is read, which is `TEXT`, and by name."""

    def to_dict(self) -> dict[str, Any]:
        """The vocabulary as JSON."""

    def from_dict(self, state: dict[str, Any]) -> None:
        """Restore the state returned by `to_dict`."""


class Characters:
    """Characters, including spaces and line breaks.

    min_freq (int): Characters that occur less often in the training texts are unknown.
    """

    def __init__(self, min_freq: int = 2):
        self.min_freq = min_freq
        self.from_dict({"characters": []})

    def __len__(self) -> int:
        return len(self._codes) + 2

    @property
    def boundary_id(self) -> int:
        return BOUNDARY

    @property
    def strings(self) -> List[str]:
        return ["", "", *map(chr, self._codes[self._order].tolist())]

    def fit(self, docs: Sequence[Doc]) -> None:
        counts: Counter[str] = Counter()
        for doc in docs:
            counts.update(doc.text)
        self.from_dict({"characters": ranked(counts, self.min_freq)})

    def encode(self, docs: Sequence[Doc]) -> List[np.ndarray]:
        return [self.encode_text(doc.text) for doc in docs]

    def token_indices(self, doc: Doc) -> np.ndarray:
        return np.repeat(np.arange(len(doc)), [len(token.text_with_ws) for token in doc])

    def encode_text(self, text: str, tokenizer: Optional[Tokenizer] = None) -> np.ndarray:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        if not len(self._codes):
            return np.full(len(codes), UNKNOWN)
        place = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        return np.where(self._codes[place] == codes, self._ids[place], UNKNOWN)

    def stable_prefix(self, text: str) -> str:
        return text

    def decode(self, ids: Sequence[int]) -> str:
        strings = self.strings
        return "".join(strings[i] for i in ids)

    def decode_continuation(self, text: str, ids: np.ndarray, new_ids: np.ndarray) -> str:
        return self.decode(new_ids.tolist())

    def vocabularies(self, vocab: Vocab) -> Dict[str, Dict[str, VocabularyProbe]]:
        return _probe("characters", self, vocab)

    def to_dict(self) -> dict[str, Any]:
        return {"characters": self.strings[2:]}

    def from_dict(self, state: dict[str, Any]) -> None:
        codes = np.array([ord(c) for c in state["characters"]], dtype="<u4")
        order = np.argsort(codes)
        #: the characters, sorted, and the id of each
        self._codes = codes[order]
        self._ids = (order + 2).astype("int64")
        self._order = np.argsort(order)


class Words:
    """spaCy's tokens, without the spaces between them.

    min_freq (int): Words that occur less often in the training texts are unknown.
    max_words (int): Maximum number of the others, the most frequent ones; 0 for all.
    """

    def __init__(self, min_freq: int = 2, max_words: int = 0):
        self.min_freq = min_freq
        self.max_words = max_words
        self.from_dict({"words": []})

    def __len__(self) -> int:
        return len(self._ids) + 2

    @property
    def boundary_id(self) -> int:
        return BOUNDARY

    @property
    def strings(self) -> List[str]:
        return ["", "", *(" " + word for word in self._ids)]

    def fit(self, docs: Sequence[Doc]) -> None:
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

    def token_indices(self, doc: Doc) -> np.ndarray:
        return np.arange(len(doc))

    def encode_text(self, text: str, tokenizer: Tokenizer) -> np.ndarray:
        return self._encode(tokenizer(text))

    def stable_prefix(self, text: str) -> str:
        # Whitespace may become longer, and so a token of its own.
        found = re.match(r"(.*\S)\s+\S*$", text, re.DOTALL)
        return found[1] if found else ""

    def decode(self, ids: Sequence[int]) -> str:
        return self._joined("", ids)

    def decode_continuation(self, text: str, ids: np.ndarray, new_ids: np.ndarray) -> str:
        return self._joined(text[-1:], new_ids.tolist())

    def _joined(self, last: str, ids: Sequence[int]) -> str:
        """Words after a character, with one space between them, none next to whitespace."""
        strings, parts = self.strings, []
        for i in ids:
            word = strings[i].removeprefix(" ")
            if word:
                gap = last and not last.isspace() and not word[0].isspace()
                parts.append(" " + word if gap else word)
                last = word[-1]
        return "".join(parts)

    def vocabularies(self, vocab: Vocab) -> Dict[str, Dict[str, VocabularyProbe]]:
        return _probe("words", self, vocab)

    def to_dict(self) -> dict[str, Any]:
        return {"words": list(self._ids)}

    def from_dict(self, state: dict[str, Any]) -> None:
        self._ids = {word: i for i, word in enumerate(state["words"], start=2)}


class PieceUnits:
    """Pieces of words.

    model (SubwordModel): Splits texts into pieces.
    """

    def __init__(self, model: SubwordModel):
        self.model = model

    def __len__(self) -> int:
        return len(self.model)

    @property
    def boundary_id(self) -> int:
        return self.model.eos

    @property
    def strings(self) -> List[str]:
        control = {self.model.pad, self.model.unk, self.model.bos, self.model.eos}
        pieces = self.model.pieces
        return ["" if i in control else p.replace("\u2581", " ") for i, p in enumerate(pieces)]

    def fit(self, docs: Sequence[Doc]) -> None:
        self.model.train(doc.text for doc in docs)

    def encode(self, docs: Sequence[Doc]) -> List[np.ndarray]:
        return self.model.encode([doc.text for doc in docs])

    def token_indices(self, doc: Doc) -> np.ndarray:
        _, starts, ends = self.model.offsets(doc.text)
        # By the end of a piece: most begin with the space before a word.
        last = np.maximum(ends - 1, starts)
        token_ends = np.cumsum([len(token.text_with_ws) for token in doc])
        token_indices = np.searchsorted(token_ends, last, side="right")
        return np.minimum(token_indices, max(len(doc) - 1, 0))

    def encode_text(self, text: str, tokenizer: Optional[Tokenizer] = None) -> np.ndarray:
        return self.model.encode([text])[0]

    def stable_prefix(self, text: str) -> str:
        # No piece continues after a space, which is encoded with the word after it.
        found = re.match("(.*[^ ]) +[^ ]*$", text, re.DOTALL)
        return found[1] if found else ""

    def decode(self, ids: Sequence[int]) -> str:
        return self.model.decode([ids])[0]

    def decode_continuation(self, text: str, ids: np.ndarray, new_ids: np.ndarray) -> str:
        # Decoded together: a piece may begin with a space.
        before = self.decode(ids.tolist())
        added = self.decode([*ids.tolist(), *new_ids.tolist()])[len(before) :]
        return added.removeprefix(" ") if text.endswith(" ") else added

    def vocabularies(self, vocab: Vocab) -> Dict[str, Dict[str, VocabularyProbe]]:
        return {TEXT: {"pieces": self.model.vocabulary()}}

    def to_dict(self) -> dict[str, Any]:
        return {"pieces": self.model.to_base64()}

    def from_dict(self, state: dict[str, Any]) -> None:
        self.model.from_base64(state["pieces"])


def _probe(name: str, units: Units, vocab: Vocab) -> Dict[str, Dict[str, VocabularyProbe]]:
    """The units that were learned, without the boundary of documents and the unknown unit."""

    def read(words: Sequence[str]) -> List[np.ndarray]:
        return units.encode([Doc(vocab, words=[word], spaces=[False]) for word in words])

    return {TEXT: {name: VocabularyProbe(len(units) - 2, UNKNOWN, read)}}
