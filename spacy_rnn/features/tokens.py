"""Sequences of tokens of documents, and the arrays that a network reads of them."""

from __future__ import annotations

from collections import Counter
from typing import Any, Collection, NamedTuple, Optional, Sequence

import numpy as np
from spacy.attrs import ORTH
from spacy.tokens import Doc
from spacy.vectors import Mode
from spacy.vocab import Vocab

from ..forks import ForkSafeLock
from .feature import BatchFeature, Feature, TokenFeature, WordFeature
from .vocabulary import TEXT, VocabularyProbe

#: distinct words whose features are kept; past it the cache starts anew
MAX_WORDS = 1 << 16

#: arrays by part and by name
_PartArrays = dict[tuple[str, str], np.ndarray]


class TokenSequences:
    """Sequences of tokens of documents, each a document or a part of one.

    docs (Sequence[Doc]): The documents.
    tokens (Optional[np.ndarray]): The tokens of all sequences, int64 (N,), each counted through all
        documents; None for all tokens of all documents.
    lengths (Optional[np.ndarray]): Tokens of each sequence, int64 (S,); None for one sequence for
        each document.
    counts (Optional[np.ndarray]): Sequences of each document, int64 (docs,), where they may be
        several.

    words (np.ndarray): Hash of each token's text, uint64 (N,).
    vocabs (list[Vocab]): The distinct vocabularies of the documents.
    """

    def __init__(
        self,
        docs: Sequence[Doc],
        tokens: Optional[np.ndarray] = None,
        lengths: Optional[np.ndarray] = None,
        counts: Optional[np.ndarray] = None,
    ):
        self.docs = docs
        n_tokens = np.array([len(doc) for doc in docs], dtype="int64")
        self.lengths = n_tokens if lengths is None else lengths
        self.counts = counts
        hashes = [np.zeros(0, dtype="uint64"), *(doc.to_array(ORTH) for doc in docs)]
        self.words = np.concatenate(hashes)
        self.tokens = np.arange(len(self.words)) if tokens is None else tokens
        if tokens is not None:
            self.words = self.words[tokens]
        self.vocabs = list({id(doc.vocab): doc.vocab for doc in docs}.values())
        self._doc_ends = np.cumsum(n_tokens)

    def vocab_of(self, rows: np.ndarray) -> np.ndarray:
        """The number of each row's vocabulary in `vocabs`, int64 (rows,).

        rows (np.ndarray): Rows of the sequences' tokens, int64 (rows,).
        """
        numbers = {id(vocab): number for number, vocab in enumerate(self.vocabs)}
        of_docs = np.array([numbers[id(doc.vocab)] for doc in self.docs], dtype="int64")
        return of_docs[np.searchsorted(self._doc_ends, self.tokens[rows], side="right")]


class DistinctWords(NamedTuple):
    """Distinct words of documents of one vocabulary.

    keys (np.ndarray): Hash of each word's text, uint64 (U,).
    vocab (Vocab): The vocabulary.
    """

    keys: np.ndarray
    vocab: Vocab

    def take(self, chosen: Sequence[bool]) -> DistinctWords:
        """Select some of the words."""
        return DistinctWords(self.keys[np.array(chosen, dtype=bool)], self.vocab)

    def pieces(self, size: int) -> list[DistinctWords]:
        """Divide the words into pieces of at most `size`, at least one."""
        starts = range(0, max(len(self.keys), 1), size)
        return [DistinctWords(self.keys[start : start + size], self.vocab) for start in starts]


class TokenArrays(NamedTuple):
    """Tokens as arrays.

    words (dict[str, np.ndarray]): Arrays with one row for each of the U distinct words.
    tokens (np.ndarray): Distinct word of each token, int64 (N,).
    """

    words: dict[str, np.ndarray]
    tokens: np.ndarray


class TokenFeatures:
    """The features of tokens: of their words, and of tokens in their documents.

    The features of a word are computed when it first occurs and kept, so that a batch costs one
    look-up for each distinct word. The vocabulary's vectors are not kept, so that any change of
    them takes effect, except those of a table of mode floret: only another table takes effect.

    parts (Sequence[Feature]): The features.
    tok2vec_size (int): Width of the vectors that tokens come with, from a layer outside the
        network; 0 without one.
    """

    def __init__(self, parts: Sequence[Feature]):
        self.parts = list(parts)
        self.tok2vec_size = 0
        self.word_parts = [part for part in parts if isinstance(part, WordFeature)]
        self.token_parts = [part for part in parts if isinstance(part, TokenFeature)]
        #: features with a last step for each batch, by name
        self.finished = {part.name: part for part in parts if isinstance(part, BatchFeature)}
        self._cache = _WordCache()
        self._lock = ForkSafeLock()

    def build(self, docs: Sequence[Doc]) -> None:
        """Learn from the training documents, and from the vectors of the first one's vocabulary."""
        counts: dict[int, Counter[int]] = {}
        for doc in docs:
            counts.setdefault(id(doc.vocab), Counter()).update(doc.to_array(ORTH).tolist())
        words: Counter[str] = Counter()
        for vocab in TokenSequences(docs).vocabs:
            for key, n in counts[id(vocab)].items():
                words[vocab.strings[key]] += n
        for word_part in self.word_parts:
            word_part.build(words, docs[0].vocab)
        for token_part in self.token_parts:
            token_part.build(docs)
        self._cache = _WordCache()

    def __call__(self, sequences: TokenSequences, rows: Optional[np.ndarray] = None) -> TokenArrays:
        """Return the arrays of the words of tokens.

        sequences (TokenSequences): The sequences.
        rows (Optional[np.ndarray]): The rows of their tokens to read, int64 (N,); None for all.
        RETURNS (TokenArrays): The distinct words, and which of them each token is.
        """
        words, tokens = self.distinct_words(sequences, rows)
        return TokenArrays(stacked([self.arrays(some) for some in words]), tokens)

    def distinct_words(
        self, sequences: TokenSequences, rows: Optional[np.ndarray] = None
    ) -> tuple[list[DistinctWords], np.ndarray]:
        """Find the distinct words of tokens. A word of two vocabularies is two words, as their
        vectors may differ.

        sequences (TokenSequences), rows (Optional[np.ndarray]): See `__call__`.
        RETURNS (tuple[list[DistinctWords], np.ndarray]): The distinct words of each vocabulary, and
            which of all these each token is, int64 (N,).
        """
        keys = sequences.words if rows is None else sequences.words[rows]
        vocabs = sequences.vocabs
        if len(vocabs) == 1:
            distinct, tokens = np.unique(keys, return_inverse=True)
            return [DistinctWords(distinct, vocabs[0])], tokens.astype("int64", copy=False)
        owners = sequences.vocab_of(np.arange(len(keys)) if rows is None else rows)
        tokens = np.zeros(len(keys), dtype="int64")
        words: list[DistinctWords] = []
        n_words = 0
        for number in np.unique(owners) if len(keys) else [0]:
            mine = owners == number
            distinct, places = np.unique(keys[mine], return_inverse=True)
            tokens[mine] = places + n_words
            n_words += len(distinct)
            words.append(DistinctWords(distinct, vocabs[number]))
        return words, tokens

    def arrays(
        self, words: DistinctWords, parts: Optional[Collection[str]] = None
    ) -> dict[str, np.ndarray]:
        """Return the arrays of distinct words, with one row for each.

        words (DistinctWords): The words.
        parts (Optional[Collection[str]]): Names of the features to return; None for all.
        RETURNS (dict[str, np.ndarray]): The arrays.
        """
        names = [part.name for part in self.word_parts if parts is None or part.name in parts]
        if not names:
            return {}
        rows, arrays = self._look_up(words.keys.tolist(), words.vocab)
        found: dict[str, np.ndarray] = {}
        for part in names:
            mine = {name: array[rows] for (of, name), array in arrays.items() if of == part}
            if part in self.finished:
                found.update(self.finished[part].finish(mine, words.vocab))
            else:
                found.update(_cut_to_longest(part, mine))
        return found

    def token_arrays(self, sequences: TokenSequences) -> dict[str, np.ndarray]:
        """Return the arrays of the features of tokens, with one row for each token of the
        sequences."""
        found: dict[str, np.ndarray] = {}
        for part in self.token_parts:
            arrays = part.arrays(sequences.docs)
            found.update({name: array[sequences.tokens] for name, array in arrays.items()})
        return found

    def _look_up(self, keys: list[int], vocab: Vocab) -> tuple[np.ndarray, _PartArrays]:
        """The rows of words in the kept arrays, computing those of new words."""
        cache = self._cache
        rows = [cache.rows.get(key, -1) for key in keys]
        if -1 in rows or not cache.arrays or not cache.serves(vocab):
            with self._lock:
                cache = self._cache_for(vocab, len(keys))
                new = [key for key in keys if key not in cache.rows]
                cache.add(new, self._compute([vocab.strings[key] for key in new], vocab))
            rows = [cache.rows[key] for key in keys]
        # `rows` grows after the arrays do and a full cache is replaced, never emptied: what
        # another thread adds meanwhile is not seen, what was seen stays.
        return np.array(rows, dtype="int64"), cache.arrays

    def _cache_for(self, vocab: Vocab, n_more: int) -> _WordCache:
        full = len(self._cache.rows) + n_more > MAX_WORDS
        if full or not self._cache.serves(vocab):
            self._cache = _WordCache(vocab)
        return self._cache

    def _compute(self, words: list[str], vocab: Vocab) -> _PartArrays:
        return {
            (part.name, name): array
            for part in self.word_parts
            for name, array in part.arrays(words, vocab).items()
        }

    def vocabularies(self, vocab: Vocab) -> dict[str, dict[str, VocabularyProbe]]:
        """Return the vocabularies of the parts by what is read, which is `TEXT`, and by name."""
        probes = {part.name: part.vocabulary(vocab) for part in self.parts}
        return {TEXT: {name: probe for name, probe in probes.items() if probe is not None}}

    def to_dict(self) -> dict[str, Any]:
        state = {part.name: part.to_dict() for part in self.parts}
        return {**state, "tok2vec_size": self.tok2vec_size}

    def from_dict(self, state: dict[str, Any]) -> None:
        for part in self.parts:
            part.from_dict(state[part.name])
        self.tok2vec_size = state["tok2vec_size"]
        self._cache = _WordCache()

    def __getstate__(self) -> dict[str, Any]:
        return {"parts": self.parts, "tok2vec_size": self.tok2vec_size}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["parts"])  # type: ignore[misc]
        self.tok2vec_size = state["tok2vec_size"]


class _WordCache:
    """Rows of arrays that grow by doubling; a row never changes once `rows` names it."""

    def __init__(self, vocab: Optional[Vocab] = None):
        self._table = None if vocab is None else _floret_table(vocab)
        self.rows: dict[int, int] = {}
        self.arrays: _PartArrays = {}

    def serves(self, vocab: Vocab) -> bool:
        """True if the kept features are right for this vocabulary. Only vectors of mode floret are
        kept."""
        return self._table is _floret_table(vocab)

    def add(self, keys: list[int], arrays: _PartArrays) -> None:
        start, end = len(self.rows), len(self.rows) + len(keys)
        grown = dict(self.arrays)
        for name, new in arrays.items():
            old = grown.get(name, new[:0])
            if name not in grown or end > len(old):
                shape = (max(end, 2 * len(old), 1024), *new.shape[1:])
                grown[name] = np.zeros(shape, dtype=new.dtype)
                grown[name][:start] = old[:start]
            grown[name][start:end] = new
        self.arrays = grown
        self.rows.update(zip(keys, range(start, end), strict=True))


def _floret_table(vocab: Vocab) -> Any:
    vectors: Any = vocab.vectors
    return vectors.data if getattr(vectors, "mode", None) == Mode.floret else None


def stacked(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The rows of arrays below each other, those with fewer columns padded with 0."""
    if len(parts) == 1:
        return parts[0]
    stacked = {}
    for name in parts[0]:
        arrays = [part[name] for part in parts]
        if arrays[0].ndim == 2:
            columns = max(array.shape[1] for array in arrays)
            arrays = [np.pad(a, ((0, 0), (0, columns - a.shape[1]))) for a in arrays]
        stacked[name] = np.concatenate(arrays)
    return stacked


def _cut_to_longest(name: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Cut padded ids to the columns that a word of the batch needs, at least one."""
    if name + "_lengths" not in arrays:
        return arrays
    longest = max(1, int(arrays[name + "_lengths"].max(initial=1)))
    return {**arrays, name: arrays[name][:, :longest]}
