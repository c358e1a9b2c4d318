"""From sequences of word hashes to the arrays of one batch."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple, Optional, Sequence, Union

import numpy as np
from spacy.vectors import Mode
from spacy.vocab import Vocab

from ..forks import ForkSafeLock
from .contextual_strings import Strings, WordCharacters
from .feature import Feature

#: distinct words whose features are kept; past it the cache starts anew
MAX_WORDS = 1 << 16

#: the vocabulary that knows the words of all sequences, or a list with that of each
Vocabs = Union[Vocab, Sequence[Vocab]]


class TokenArrays(NamedTuple):
    """A batch of sequences as arrays.

    words: arrays with one row for each of the U distinct words.
    tokens: int64 (N,), the distinct word of each token.
    lengths: int64 (B,), tokens in each sequence.
    """

    words: dict[str, np.ndarray]
    tokens: np.ndarray
    lengths: np.ndarray


class TokenFeatures:
    """The features of tokens, all of them functions of the word alone.

    A word's features are computed when it first comes up and kept, so that a batch costs one
    look-up for each distinct word. Of the vocabulary's vectors nothing is kept, so that any change
    of them is seen, but for the numbers in a table of mode floret: only another table is.

    context: the part by which sequences of words are read as characters.

    tok2vec_size: width of the vectors that tokens come with, from a layer that is none of the
        network's; 0 without one.
    """

    def __init__(self, parts: Sequence[Feature], context: Optional[WordCharacters] = None):
        self.tok2vec_size = 0
        self.context = context
        self.parts = [*parts, *([] if context is None else [context])]
        self._cache = _WordCache()
        self._lock = ForkSafeLock()

    def build(self, sequences: Sequence[np.ndarray], vocab: Vocabs) -> None:
        """Learn from sequences of training words, given as hashes (uint64), and from the vectors of
        the first vocabulary."""
        vocabs = [vocab] * len(sequences) if isinstance(vocab, Vocab) else vocab
        counts: dict[int, Counter[int]] = {id(each): Counter() for each in vocabs}
        for sequence, each in zip(sequences, vocabs, strict=True):
            counts[id(each)].update(sequence.tolist())
        words: Counter[str] = Counter()
        for each in _distinct(vocabs):
            for key, n in counts[id(each)].items():
                words[each.strings[key]] += n
        for part in self.parts:
            part.build(words, vocabs[0])
        self._cache = _WordCache()

    def __call__(self, sequences: Sequence[np.ndarray], vocab: Vocabs) -> TokenArrays:
        """sequences: the words' hashes (uint64) of each sequence."""
        lengths = np.array([len(sequence) for sequence in sequences], dtype="int64")
        keys = np.concatenate(sequences) if sequences else np.zeros(0, dtype="uint64")
        if not self.parts:
            return TokenArrays({}, np.zeros(len(keys), dtype="int64"), lengths)
        if isinstance(vocab, Vocab):
            words, tokens = self._read(keys, vocab)
        else:
            words, tokens = self._read_by_vocab(keys, lengths, vocab)
        return TokenArrays(words, tokens, lengths)

    def _read(self, keys: np.ndarray, vocab: Vocab) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The arrays of distinct words, and the distinct word of each token."""
        distinct, tokens = np.unique(keys, return_inverse=True)
        rows, arrays = self._look_up(distinct.tolist(), vocab)
        words: dict[str, np.ndarray] = {}
        for part in self.parts:
            mine = {
                name: array[rows] for name, array in arrays.items() if _belongs(name, part.name)
            }
            words.update(part.finish(mine, vocab))
        return words, tokens.astype("int64", copy=False)

    def _read_by_vocab(
        self, keys: np.ndarray, lengths: np.ndarray, vocabs: Sequence[Vocab]
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """As `_read`. A word of two vocabularies is two words, as their vectors may differ."""
        distinct = _distinct(vocabs)
        numbers = {id(vocab): number for number, vocab in enumerate(distinct)}
        # The vocabulary of each token
        owners = np.repeat([numbers[id(vocab)] for vocab in vocabs], lengths)
        tokens = np.zeros(len(keys), dtype="int64")
        found: list[dict[str, np.ndarray]] = []
        n_words = 0
        for number in np.unique(owners) if len(keys) else [0]:
            mine = owners == number
            words, tokens_of_vocab = self._read(keys[mine], distinct[number])
            tokens[mine] = tokens_of_vocab + n_words
            n_words += len(next(iter(words.values())))
            found.append(words)
        return _stacked(found), tokens

    def strings(self, arrays: TokenArrays) -> Optional[dict[str, Strings]]:
        """For each direction in which the context is read, a batch as characters."""
        if self.context is None:
            return None
        return self.context.strings(arrays.words, arrays.tokens, arrays.lengths)

    def _look_up(self, keys: list[int], vocab: Vocab) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The rows of words in the kept arrays, computing those of new words."""
        cache = self._cache
        rows = [cache.rows.get(key, -1) for key in keys]
        if -1 in rows or not cache.arrays or not cache.serves(vocab):
            with self._lock:
                cache = self._cache_for(vocab, len(keys))
                new = [key for key in keys if key not in cache.rows]
                cache.add(new, self._ids([vocab.strings[key] for key in new], vocab))
            rows = [cache.rows[key] for key in keys]
        # `rows` grows after the arrays do and a full cache is replaced, never emptied: what
        # another thread adds meanwhile is not seen, what was seen stays.
        return np.array(rows, dtype="int64"), cache.arrays

    def _cache_for(self, vocab: Vocab, n_more: int) -> _WordCache:
        full = len(self._cache.rows) + n_more > MAX_WORDS
        if full or not self._cache.serves(vocab):
            self._cache = _WordCache(vocab)
        return self._cache

    def _ids(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {}
        for part in self.parts:
            arrays.update(part.ids(words, vocab))
        return arrays

    def to_dict(self) -> dict[str, Any]:
        state = {part.name: part.to_dict() for part in self.parts}
        return {**state, "tok2vec_size": self.tok2vec_size}

    def from_dict(self, state: dict[str, Any]) -> None:
        for part in self.parts:
            part.from_dict(state[part.name])
        self.tok2vec_size = state["tok2vec_size"]
        self._cache = _WordCache()

    def __getstate__(self) -> dict[str, Any]:
        parts = [part for part in self.parts if part is not self.context]
        return {"parts": parts, "context": self.context, "tok2vec_size": self.tok2vec_size}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["parts"], state["context"])  # type: ignore[misc]
        self.tok2vec_size = state["tok2vec_size"]


class _WordCache:
    """Rows of arrays that grow by doubling; a row never changes once `rows` names it."""

    def __init__(self, vocab: Optional[Vocab] = None):
        self._table = None if vocab is None else _floret_table(vocab)
        self.rows: dict[int, int] = {}
        self.arrays: dict[str, np.ndarray] = {}

    def serves(self, vocab: Vocab) -> bool:
        """Whether the kept features hold with this vocabulary. Only vectors of mode floret are
        kept."""
        return self._table is _floret_table(vocab)

    def add(self, keys: list[int], arrays: dict[str, np.ndarray]) -> None:
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


def _distinct(vocabs: Sequence[Vocab]) -> list[Vocab]:
    return list({id(vocab): vocab for vocab in vocabs}.values())


def _stacked(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The rows of arrays below each other, those with fewer columns padded with 0."""
    stacked = {}
    for name in parts[0]:
        arrays = [part[name] for part in parts]
        if arrays[0].ndim == 2:
            columns = max(array.shape[1] for array in arrays)
            arrays = [np.pad(a, ((0, 0), (0, columns - a.shape[1]))) for a in arrays]
        stacked[name] = np.concatenate(arrays)
    return stacked


def _belongs(array: str, part: str) -> bool:
    return array == part or array == part + "_lengths"
