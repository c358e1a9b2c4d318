"""Number and lengths of the documents of a corpus, and tokens that its reader leaves out."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Sequence

import numpy as np
from spacy.training import Corpus as SpacyCorpus
from spacy.training.corpus import FILE_TYPE, walk_corpus
from spacy.vocab import Vocab


@dataclass(frozen=True)
class CorpusStats:
    """Numbers of a corpus.

    documents (int): Number of documents.
    empty (int): Number of documents without a token.
    tokens (int): Tokens of all documents.
    mean (float): Tokens of a document, on average.
    longest (int): Tokens of a document, at most.
    lengths (Dict[str, int]): Number of documents by number of tokens, "0", "1", "2-3", "4-7" and so
        on.
    """

    documents: int
    empty: int
    tokens: int
    mean: float
    longest: int
    lengths: Dict[str, int]


def describe_corpus(lengths: Sequence[int]) -> CorpusStats:
    """Describe a corpus of at least one document from the number of tokens of each."""
    array = np.array(lengths)
    return CorpusStats(
        documents=len(array),
        empty=int((array == 0).sum()),
        tokens=int(array.sum()),
        mean=float(array.mean()),
        longest=int(array.max()),
        lengths=histogram(lengths),
    )


def histogram(lengths: Iterable[int]) -> Dict[str, int]:
    """Count the lengths in each range from one power of two to the next."""
    bins = Counter(int(length).bit_length() for length in lengths)
    return {_range(n): bins[n] for n in range(min(bins), max(bins) + 1)}


def n_left_out(reader: Any, vocab: Vocab) -> int:
    """Count the tokens that spaCy's reader of .spacy files leaves out: sentences, and documents
    without sentences, of max_length tokens or more."""
    if not isinstance(reader, SpacyCorpus) or not reader.max_length or reader.gold_preproc:
        return 0
    n, bound = 0, reader.max_length
    for doc in reader.read_docbin(vocab, walk_corpus(reader.path, FILE_TYPE)):
        if len(doc) >= bound:
            parts = doc.sents if doc.has_annotation("SENT_START") else [doc]
            n += sum(len(part) for part in parts if len(part) >= bound)
    return n


def _range(n_bits: int) -> str:
    """Return the range of the numbers with so many bits."""
    first, last = (1 << n_bits) >> 1, (1 << n_bits) - 1
    return f"{first}-{last}" if first < last else str(first)


def n_leaked(train: Iterable[str], dev: Iterable[str]) -> int:
    """Count the texts of the dev corpus, except empty ones, that are in the training corpus too."""
    known = set(train)
    return sum(bool(text.strip()) and text in known for text in dev)
