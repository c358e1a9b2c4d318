"""How the vocabularies of a component cover the words of corpora."""

from collections import Counter
from dataclasses import dataclass
from functools import partial, singledispatch
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

import numpy as np
from spacy.tokens import Doc
from spacy.vocab import Vocab

from ..features import characters, units
from ..features.characters import CharacterIds
from ..features.contextual_strings import WordCharacters
from ..features.feature import Feature, ranked
from ..features.subwords import SubwordModel
from ..features.tokens import TokenFeatures
from ..features.translation import TranslationVocabularies
from ..features.units import Characters, PieceUnits, Words
from ..features.vectors import PretrainedVectors
from ..features.word_pieces import WordPieces
from ..features.words import WordIds
from ..pipeline.base import TEXT

#: how many words are shown of those of which something is unknown
N_MISSING = 10


class Reader(NamedTuple):
    """Reads words as units: words, characters or pieces.

    size: how many units there are; pieces with the control pieces, others without the unknown one.
    unknown: the id of the unknown unit.
    read: ids of each word.
    """

    size: int
    unknown: int
    read: Callable[[List[str]], Sequence[np.ndarray]]


@dataclass(frozen=True)
class Coverage:
    """The words of a corpus as units.

    types, tokens: distinct words, and all words.
    unknown_types, unknown_tokens: the share of them with an unknown unit.
    unknown_units: the share of units that are unknown.
    mean, most_words, longest: units a word, those of 95 % of all words at most, and of any.
    """

    types: int
    tokens: int
    unknown_types: float
    unknown_tokens: float
    unknown_units: float
    mean: float
    most_words: int
    longest: int


@dataclass(frozen=True)
class Vocabulary:
    """A vocabulary and what it covers.

    size: see `Reader`. missing: the most frequent words of the dev corpus with an unknown unit.
    """

    size: int
    train: Coverage
    dev: Coverage
    missing: List[str]


def vocabularies(
    features: Any, train: Dict[str, Counter[str]], dev: Dict[str, Counter[str]], vocab: Vocab
) -> Dict[str, Dict[str, Vocabulary]]:
    """The vocabularies of a component's features by what is read and by name.

    train, dev: how often each word occurs in what is read.
    """
    return {
        side: {name: describe(reader, train[side], dev[side]) for name, reader in of_side.items()}
        for side, of_side in readers(features, vocab).items()
    }


def describe(reader: Reader, train: Counter[str], dev: Counter[str]) -> Vocabulary:
    """What a vocabulary covers of two corpora, from how often each word occurs."""
    of_train, of_dev = _Spelled.of(reader, train), _Spelled.of(reader, dev)
    unknown = of_dev.unknown > 0
    words = ranked(Counter({w: dev[w] for w, u in zip(of_dev.words, unknown, strict=True) if u}), 1)
    return Vocabulary(reader.size, of_train.coverage(), of_dev.coverage(), words[:N_MISSING])


class _Spelled(NamedTuple):
    """Distinct words, how often each occurs, its units and how many of them are unknown (U,)."""

    words: List[str]
    counts: np.ndarray
    units: np.ndarray
    unknown: np.ndarray

    @classmethod
    def of(cls, reader: Reader, counts: Counter[str]) -> "_Spelled":
        words = list(counts)
        ids = reader.read(words) if words else []
        return cls(
            words,
            np.array([counts[word] for word in words], dtype="int64"),
            np.array([len(of_word) for of_word in ids], dtype="int64"),
            np.array([(of_word == reader.unknown).sum() for of_word in ids], dtype="int64"),
        )

    def coverage(self) -> Coverage:
        order = np.argsort(self.units, kind="stable")
        so_far = np.cumsum(self.counts[order])
        n_tokens, n_units = int(self.counts.sum()), int(self.counts @ self.units)
        most = order[np.searchsorted(so_far, 0.95 * n_tokens)] if n_tokens else None
        return Coverage(
            types=len(self.words),
            tokens=n_tokens,
            unknown_types=_share((self.unknown > 0).sum(), len(self.words)),
            unknown_tokens=_share(self.counts[self.unknown > 0].sum(), n_tokens),
            unknown_units=_share(self.counts @ self.unknown, n_units),
            mean=_share(n_units, n_tokens),
            most_words=0 if most is None else int(self.units[most]),
            longest=int(self.units.max(initial=0)),
        )


def _share(part: float, whole: float) -> float:
    return float(part) / whole if whole else 0.0


# The readers of each kind of features


@singledispatch
def readers(features: Any, vocab: Vocab) -> Dict[str, Dict[str, Reader]]:
    """The vocabularies of features, by what is read and by name."""
    raise TypeError(f"Features of type {type(features).__name__} have no vocabularies.")


@readers.register
def _(features: TokenFeatures, vocab: Vocab) -> Dict[str, Dict[str, Reader]]:
    found = {part.name: _part(part, vocab) for part in features.parts}
    return {TEXT: {name: reader for name, reader in found.items() if reader is not None}}


@readers.register
def _(features: TranslationVocabularies, vocab: Vocab) -> Dict[str, Dict[str, Reader]]:
    sides = {"source": features.source, "target": features.target}
    return {name: {"pieces": _pieces(pieces)} for name, pieces in sides.items()}


@readers.register(Characters)
@readers.register(Words)
def _(features: Any, vocab: Vocab) -> Dict[str, Dict[str, Reader]]:
    name = type(features).__name__.lower()
    read = partial(_read_units, features, vocab)
    # Without the boundary of documents and the unknown unit.
    return {TEXT: {name: Reader(len(features) - 2, units.UNKNOWN, read)}}


@readers.register
def _(features: PieceUnits, vocab: Vocab) -> Dict[str, Dict[str, Reader]]:
    return {TEXT: {"pieces": _pieces(features.model)}}


def _pieces(pieces: SubwordModel) -> Reader:
    return Reader(len(pieces), pieces.unk, pieces.encode)


def _read_units(features: Any, vocab: Vocab, words: List[str]) -> List[np.ndarray]:
    return features.encode([Doc(vocab, words=[word], spaces=[False]) for word in words])


# The parts of a token's embedding


@singledispatch
def _part(part: Any, vocab: Vocab) -> Optional[Reader]:
    """The vocabulary of a part; None of one that knows every word."""
    return None


@_part.register
def _(part: WordIds, vocab: Vocab) -> Reader:
    return Reader(len(part) - 1, 0, partial(_read_part, part, vocab))


@_part.register
def _(part: PretrainedVectors, vocab: Vocab) -> Optional[Reader]:
    if not part.shape[1]:
        # The pipeline has none: the part is left out.
        return None
    return Reader(part.shape[0], 0, partial(_found, part, vocab))


@_part.register
def _(part: CharacterIds, vocab: Vocab) -> Reader:
    # Without padding and the unknown character.
    return Reader(len(part) - 2, characters.UNKNOWN, partial(_read_part, part, vocab))


@_part.register
def _(part: WordPieces, vocab: Vocab) -> Reader:
    return Reader(len(part), part.pieces.unk, partial(_read_part, part, vocab))


@_part.register
def _(part: WordCharacters, vocab: Vocab) -> Reader:
    read = partial(_read_part, part, vocab)
    return Reader(len(part.characters) - 2, units.UNKNOWN, read)


def _found(part: Any, vocab: Vocab, words: List[str]) -> List[np.ndarray]:
    """1 for a word that has a vector, else 0."""
    arrays = part.finish(part.ids(words, vocab), vocab)
    return list(np.minimum(arrays[part.name + "_lengths"], 1)[:, None])


def _read_part(part: Feature, vocab: Vocab, words: List[str]) -> List[np.ndarray]:
    """The ids that a part gives words, without padding."""
    arrays = part.ids(words, vocab)
    rows = arrays[part.name].reshape(len(words), -1)
    lengths = arrays.get(part.name + "_lengths", np.full(len(words), rows.shape[1]))
    return [row[:length] for row, length in zip(rows, lengths, strict=True)]
