"""Coverage of the words of corpora by the vocabularies of a component."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Dict, List, NamedTuple

import numpy as np
from spacy.vocab import Vocab

from ..features.feature import ranked
from ..features.vocabulary import VocabularyProbe

#: number of words with an unknown unit that are shown
N_MISSING = 10


@dataclass(frozen=True)
class WordCoverage:
    """The words of a corpus as units: words, characters or pieces.

    types (int): Number of distinct words.
    tokens (int): Number of words.
    unknown_types (float): Share of distinct words with an unknown unit.
    unknown_tokens (float): Share of words with an unknown unit.
    unknown_units (float): Share of units that are unknown.
    mean (float): Units per word, on average.
    most_words (int): Units of 95 % of all words, at most.
    longest (int): Units of any word, at most.
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
    """A vocabulary and its coverage of two corpora.

    size (int): Number of units; see `VocabularyProbe`.
    train (WordCoverage): Coverage of the training corpus.
    dev (WordCoverage): Coverage of the dev corpus.
    missing (List[str]): The most frequent words of the dev corpus with an unknown unit.
    """

    size: int
    train: WordCoverage
    dev: WordCoverage
    missing: List[str]


def vocabularies(
    features: Any, train: Dict[str, Counter[str]], dev: Dict[str, Counter[str]], vocab: Vocab
) -> Dict[str, Dict[str, Vocabulary]]:
    """Describe the vocabularies of a component's features.

    features (Any): Features of a model that is initialized.
    train (Dict[str, Counter[str]]): Counts of the words in each text that the component reads: the
        "text" itself, or "source" and "target" of a translator.
    dev (Dict[str, Counter[str]]): The same of the dev corpus.
    vocab (Vocab): The pipeline's vocabulary.
    RETURNS (Dict[str, Dict[str, Vocabulary]]): Vocabularies by text and by name.
    """
    return {
        side: {
            name: describe_vocabulary(probe, train[side], dev[side])
            for name, probe in probes.items()
        }
        for side, probes in features.vocabularies(vocab).items()
    }


def describe_vocabulary(
    probe: VocabularyProbe, train: Counter[str], dev: Counter[str]
) -> Vocabulary:
    """Compute the coverage of two corpora from the counts of their words."""
    of_train, of_dev = _UnitCounts.of(probe, train), _UnitCounts.of(probe, dev)
    unknown = of_dev.unknown > 0
    words = ranked(Counter({w: dev[w] for w, u in zip(of_dev.words, unknown, strict=True) if u}), 1)
    return Vocabulary(probe.size, of_train.coverage(), of_dev.coverage(), words[:N_MISSING])


class _UnitCounts(NamedTuple):
    """Distinct words, the count of each, of its units and of those that are unknown (U,)."""

    words: List[str]
    counts: np.ndarray
    units: np.ndarray
    unknown: np.ndarray

    @classmethod
    def of(cls, probe: VocabularyProbe, counts: Counter[str]) -> "_UnitCounts":
        words = list(counts)
        ids = probe.read(words) if words else []
        return cls(
            words,
            np.array([counts[word] for word in words], dtype="int64"),
            np.array([len(of_word) for of_word in ids], dtype="int64"),
            np.array([(of_word == probe.unknown).sum() for of_word in ids], dtype="int64"),
        )

    def coverage(self) -> WordCoverage:
        order = np.argsort(self.units, kind="stable")
        so_far = np.cumsum(self.counts[order])
        n_tokens, n_units = int(self.counts.sum()), int(self.counts @ self.units)
        most = order[np.searchsorted(so_far, 0.95 * n_tokens)] if n_tokens else None
        return WordCoverage(
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
