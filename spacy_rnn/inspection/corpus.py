"""How many documents a corpus has, how long they are, and what its reader leaves out."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Sequence

import numpy as np
from spacy.training import Corpus as Reader
from spacy.training.corpus import FILE_TYPE, walk_corpus
from spacy.vocab import Vocab


@dataclass(frozen=True)
class Corpus:
    """A corpus.

    documents, empty: how many, and how many of them without a token.
    tokens: of all documents. mean, longest: of one.
    lengths: how many documents have so many tokens, "0", "1", "2-3", "4-7" and so on.
    """

    documents: int
    empty: int
    tokens: int
    mean: float
    longest: int
    lengths: Dict[str, int]


def describe(lengths: Sequence[int]) -> Corpus:
    """A corpus with at least one document. lengths: tokens of each."""
    array = np.array(lengths)
    return Corpus(
        documents=len(array),
        empty=int((array == 0).sum()),
        tokens=int(array.sum()),
        mean=float(array.mean()),
        longest=int(array.max()),
        lengths=histogram(lengths),
    )


def histogram(lengths: Iterable[int]) -> Dict[str, int]:
    """How many lengths are in each range from one power of two to the next."""
    bins = Counter(int(length).bit_length() for length in lengths)
    return {_range(n): bins[n] for n in range(min(bins), max(bins) + 1)}


def n_left_out(reader: Any, vocab: Vocab) -> int:
    """How many tokens of its files spaCy's reader leaves out: those of sentences, and of documents
    without sentences, that have max_length tokens or more."""
    if not isinstance(reader, Reader) or not reader.max_length or reader.gold_preproc:
        return 0
    n, bound = 0, reader.max_length
    for doc in reader.read_docbin(vocab, walk_corpus(reader.path, FILE_TYPE)):
        if len(doc) >= bound:
            parts = doc.sents if doc.has_annotation("SENT_START") else [doc]
            n += sum(len(part) for part in parts if len(part) >= bound)
    return n


def _range(n_bits: int) -> str:
    """Of the numbers with so many bits."""
    first, last = (1 << n_bits) >> 1, (1 << n_bits) - 1
    return f"{first}-{last}" if first < last else str(first)


def n_leaked(train: Iterable[str], dev: Iterable[str]) -> int:
    """How many texts of the dev corpus, but empty ones, are in the training corpus too."""
    known = set(train)
    return sum(bool(text.strip()) and text in known for text in dev)
