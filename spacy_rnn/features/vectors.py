"""Words in pretrained vectors: the pipeline's, or vectors that are saved with the model."""

from __future__ import annotations

import base64
import json
import logging
import zlib
from collections import Counter
from itertools import islice
from typing import Any, Callable, Iterable, Mapping, Optional, Sequence, Union

import numpy as np
from spacy.attrs import LOWER
from spacy.strings import get_string_id
from spacy.vectors import Mode
from spacy.vocab import Vocab
from thinc.backends import get_array_ops

from ..log import inform
from .feature import WordFeature, padded, shortened
from .lookup import MAX_VARIANTS, SUBWORDS, VectorCoverage, VectorTable, ngrams, variants
from .vocabulary import VocabularyProbe

logger = logging.getLogger("spacy_rnn")

#: The share of tokens with a vector below which there is a warning. Vectors of English cover 15% to
#: 37% of the tokens of German, French, Portuguese and Czech (punctuation, digits, names), and even
#: a small table of them, of 5,000 words, 86% of the tokens of English.
LOW_COVERAGE = 0.5
#: number of words with and without a vector that the warning shows
_SHOWN = 5
#: of a word with more n-grams, the first and the last ones are read
MAX_NGRAMS = 128

#: the highest ratio of the size of words to their compressed size; that of real ones is below 10
MAX_RATIO = 100

#: rows of a word, and the way in which they were found, or None
Found = tuple[list[int], Optional[str]]


class VectorFeature(WordFeature):
    """Base of the features of pretrained vectors.

    name (str): Name of the part of the embedding.
    shape (tuple[int, int]): Rows and width of the table.
    coverage (VectorCoverage): Coverage of the training data.
    """

    def __init__(self, name: str):
        super().__init__(name)
        self.shape: tuple[int, int] = (0, 0)
        self.coverage = VectorCoverage()
        self._table: Optional[np.ndarray] = None

    def take_table(self) -> Union[np.ndarray, tuple[int, int]]:
        """Return the table that a module starts from, float32 (rows, width), and forget it; return
        only its shape if saved weights will be loaded."""
        table, self._table = self._table, None
        return self.shape if table is None else table

    def _way(self, word: str, vocab: Vocab) -> Optional[str]:
        """Return the way in which a word is found, or None."""
        raise NotImplementedError

    def _cover(
        self, counts: Counter[str], ways: Sequence[Optional[str]], keys: Iterable[str]
    ) -> None:
        """Count and log the training words that were found, with a warning if they are few.

        counts (Counter[str]): The number of times each word occurs.
        ways (Sequence[Optional[str]]): The way in which each of these words was found, or None.
        keys (Iterable[str]): Words with a vector, for the warning.
        """
        self.coverage = VectorCoverage.of(counts, ways)
        inform("%s: %s", self.name, self.coverage)
        if self.coverage.n_tokens and self.coverage.of_tokens < LOW_COVERAGE:
            missing = Counter(
                {word: n for (word, n), way in zip(counts.items(), ways, strict=True) if not way}
            )
            logger.warning(
                "The embedding part '%s' has vectors for only %.1f%% of the training tokens. "
                "Frequent words without a vector: %s. Words with one in its source: %s. If these "
                "are of another language, or split or written in another way, use other vectors.",
                self.name,
                100 * self.coverage.of_tokens,
                [word for word, _ in missing.most_common(_SHOWN)],
                list(islice(keys, _SHOWN)),
            )

    def vocabulary(self, vocab: Vocab) -> Optional[VocabularyProbe]:
        if not self.shape[1]:
            # The pipeline has no vectors: the part is left out.
            return None

        def read(words: Sequence[str]) -> list[np.ndarray]:
            """1 for a word that has a vector, else 0."""
            return [np.array([self._way(word, vocab) is not None]) for word in words]

        return VocabularyProbe(self.shape[0], 0, read)

    def to_dict(self) -> dict[str, Any]:
        return {"shape": list(self.shape), "coverage": self.coverage._asdict()}

    def from_dict(self, state: dict[str, Any]) -> None:
        self.shape = (state["shape"][0], state["shape"][1])
        self.coverage = VectorCoverage(**state["coverage"])
        self._table = None


class PipelineVectors(VectorFeature):
    """The vectors of words in ``nlp.vocab.vectors``, ``NAME``, float32 (U, width); with `trained`
    their rows in a copy of its table, int64 (U, 1). ``NAME_lengths``, int64 (U,): 1, and 0 for a
    word without a vector.

    Only the shape of the pipeline's vectors is kept: for each batch, words are looked up by their
    keys, and rows are read from the table, so changes of the table take effect at once. Vectors of
    mode floret are computed once for each word and table, so only a new table takes effect; with
    `trained`, keys and rows stay as they were in training.

    If the pipeline has no vectors when training starts, the part is left out with a warning: its
    width is 0.

    name (str): Name of the part of the embedding.
    trained (bool): Fine-tune a copy of the table.
    """

    def __init__(self, name: str, trained: bool):
        super().__init__(name)
        self.trained = trained
        #: with `trained`, the row of each key
        self._key2row: Mapping[int, int] = {}

    def build(self, counts: Counter[str], vocab: Vocab) -> None:
        vectors = vocab.vectors
        self.shape = (0, 0)
        if not vectors.size:
            logger.warning(
                "The pipeline has no pretrained vectors: the embedding part '%s' is left out. To "
                "use vectors, set [initialize] vectors to a pipeline that has some (python -m "
                "spacy init vectors LANG FILE DIR), or the part's source to a file.",
                self.name,
            )
            return
        data: Any = vectors.data
        ops = get_array_ops(data)
        if not ops.xp.isfinite(data).all():
            raise ValueError(
                "The pipeline's vectors hold values that are not finite (NaN or infinity). Clean "
                "the vectors file and run 'python -m spacy init vectors' again."
            )
        self.shape = vectors.shape
        self._check(vocab)
        table = ops.to_numpy(data)
        self._table = table
        if self.trained:
            self._table, self._key2row = table.copy(), dict(vectors.key2row)
        strings = vocab.strings
        keys = (strings[key] for key in vectors.key2row if key in strings)
        self._cover(counts, [self._way(word, vocab) for word in counts], keys)

    def arrays(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        if not self.shape[1]:
            return padded(self.name, [[] for _ in words], 1)
        self._check(vocab)
        if _is_floret(vocab):
            return self._floret(words, vocab)
        # The keys that a word is looked up by.
        keys = np.zeros((len(words), MAX_VARIANTS), dtype="uint64")
        lengths = np.zeros(len(words), dtype="int64")
        for i, word in enumerate(words):
            of_word = [get_string_id(variant) for variant in variants(word)]
            keys[i, : len(of_word)], lengths[i] = of_word, len(of_word)
        return {self.name: keys, self.name + "_lengths": lengths}

    def finish(self, arrays: dict[str, np.ndarray], vocab: Vocab) -> dict[str, np.ndarray]:
        keys, lengths = arrays[self.name], arrays[self.name + "_lengths"]
        if not self.shape[1]:
            return {**arrays, self.name: np.zeros((len(keys), 0), dtype="float32")}
        self._check(vocab)
        if _is_floret(vocab):
            return arrays
        key2row = self._key2row if self.trained else vocab.vectors.key2row
        rows = _rows_of(keys, lengths, key2row)
        known = rows >= 0
        if self.trained:
            found = np.maximum(rows, 0)[:, None]
        else:
            data: Any = vocab.vectors.data
            ops = get_array_ops(data)
            found = np.zeros((len(keys), self.shape[1]), dtype="float32")
            # Only the batch's rows leave a device that the vectors are on.
            found[known] = ops.to_numpy(data[ops.xp.asarray(rows[known])])
        return {self.name: found, self.name + "_lengths": known.astype("int64")}

    def _way(self, word: str, vocab: Vocab) -> Optional[str]:
        if _is_floret(vocab):
            return SUBWORDS
        rows = vocab.vectors.key2row
        found = (way for variant, way in variants(word).items() if get_string_id(variant) in rows)
        return next(found, None)

    def _floret(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        """Compute the vector of each word from its subwords."""
        vectors = vocab.vectors
        keys = [word.lower() for word in words] if vectors.attr == LOWER else words
        found = get_array_ops(vectors.data).to_numpy(vectors.get_batch(keys))
        lengths = np.ones(len(words), dtype="int64")
        return {self.name: found.astype("float32"), self.name + "_lengths": lengths}

    def to_dict(self) -> dict[str, Any]:
        keys = np.fromiter(self._key2row, dtype="<u8", count=len(self._key2row))
        rows = np.fromiter(self._key2row.values(), dtype="<i4", count=len(self._key2row))
        return {**super().to_dict(), "keys": _to_base64(keys), "rows": _to_base64(rows)}

    def from_dict(self, state: dict[str, Any]) -> None:
        super().from_dict(state)
        keys, rows = _from_base64(state["keys"], "<u8"), _from_base64(state["rows"], "<i4")
        self._key2row = dict(zip(keys.tolist(), rows.tolist(), strict=True))

    def _check(self, vocab: Vocab) -> None:
        rows, width = vocab.vectors.shape
        same = (rows, width) == self.shape if self.trained else width == self.shape[1]
        if not same:
            raise ValueError(
                f"The model was trained with vectors of shape {self.shape[0]} x {self.shape[1]}, "
                f"but the pipeline's vectors have shape {rows} x {width}. Load the pipeline with "
                f"the vectors that it was trained with, or train it again with the new ones. A doc "
                f"is read by the vectors of its own vocabulary: make docs with nlp.vocab."
            )
        if self.trained and _is_floret(vocab):
            raise ValueError(
                f"The embedding part '{self.name}' can't train the pipeline's vectors, which are "
                f"of mode 'floret': they have no row of each word. Set its trained = false, or "
                f"make a table with 'python -m spacy init vectors' without --mode."
            )


class StoredVectors(VectorFeature):
    """Rows of words in a table that is part of the model: ``NAME``, int64 (U, L), padded with 0,
    and ``NAME_lengths``, int64 (U,), 0 for a word without a vector. A word has one row or, in a
    table of n-grams, the rows of its n-grams, at most `MAX_NGRAMS`.

    name (str): Name of the part of the embedding.
    read (Callable[[Iterable[str]], VectorTable]): Returns the table for the training words when
        training starts.
    """

    def __init__(self, name: str, read: Callable[[Iterable[str]], VectorTable]):
        super().__init__(name)
        self._read = read
        self._rows: Mapping[str, int] = {}
        self._by_ngrams = False

    def build(self, counts: Counter[str], vocab: Vocab) -> None:
        table = self._read(counts)
        if not table.keys:
            raise ValueError(
                f"None of the training words, such as "
                f"{[word for word, _ in counts.most_common(_SHOWN)]}, has a vector in the source "
                f"of the embedding part '{self.name}'. Use vectors of the same language."
            )
        self.shape = (len(table.keys), table.vectors.shape[1])
        self._set_keys(table.keys, table.by_ngrams)
        self._table = table.vectors
        self._cover(counts, [self._way(word, vocab) for word in counts], table.keys)
        inform(
            "%s: %s vectors of width %d are a part of the model (%.1f MB)",
            self.name,
            f"{self.shape[0]:,}",
            self.shape[1],
            table.vectors.nbytes / 1e6,
        )

    def arrays(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        found = [self._find(word)[0] for word in words]
        return padded(self.name, found, MAX_NGRAMS if self._by_ngrams else 1)

    def _way(self, word: str, vocab: Vocab) -> Optional[str]:
        return self._find(word)[1]

    def _find(self, word: str) -> Found:
        if self._by_ngrams:
            found = [self._rows[key] for key in ngrams(word) if key in self._rows]
            return shortened(found, MAX_NGRAMS), SUBWORDS if found else None
        for variant, way in variants(word).items():
            if variant in self._rows:
                return [self._rows[variant]], way
        return [], None

    def _set_keys(self, keys: list[str], by_ngrams: bool) -> None:
        self._rows = {key: row for row, key in enumerate(keys)}
        self._by_ngrams = by_ngrams

    def to_dict(self) -> dict[str, Any]:
        # Compressed, for millions of words would not fit into the header of the model's file.
        keys = json.dumps(list(self._rows), ensure_ascii=False).encode()
        return {
            **super().to_dict(),
            "keys": base64.b64encode(_compress(keys)).decode(),
            "keys_size": len(keys),
            "by_ngrams": self._by_ngrams,
        }

    def from_dict(self, state: dict[str, Any]) -> None:
        super().from_dict(state)
        compressed = base64.b64decode(state["keys"])
        keys = json.loads(_decompress(compressed, state["keys_size"]))
        if len(keys) != self.shape[0]:
            raise ValueError(
                f"the table of the embedding part '{self.name}' has {self.shape[0]} rows, but "
                f"{len(keys)} words"
            )
        self._set_keys(keys, state["by_ngrams"])


def _rows_of(keys: np.ndarray, lengths: np.ndarray, key2row: Mapping[int, int]) -> np.ndarray:
    """Return the row of each word, int64 (U,), -1 for a word that is not found.

    keys (np.ndarray): Keys of each word, which are tried in this order, uint64 (U, L).
    lengths (np.ndarray): Number of keys of each word, int64 (U,).
    key2row (Mapping[int, int]): The row of each key.
    """
    rows = np.full(len(keys), -1, dtype="int64")
    left = np.arange(len(keys))
    for column in range(keys.shape[1]):
        left = left[lengths[left] > column]
        if not len(left):
            break
        rows[left] = [key2row.get(key, -1) for key in keys[left, column].tolist()]
        left = left[rows[left] < 0]
    return rows


def _compress(data: bytes) -> bytes:
    """Compress data by a ratio of at most `MAX_RATIO`."""
    compressed = zlib.compress(data)
    return compressed if len(data) <= MAX_RATIO * len(compressed) else zlib.compress(data, 0)


def _decompress(data: bytes, size: int) -> bytes:
    """Decompress data to a known size, in no more memory.

    RAISES (ValueError): If they have another size, or a higher ratio than `MAX_RATIO`.
    """
    unpacker = zlib.decompressobj()
    if size > MAX_RATIO * len(data):
        raise ValueError(f"{len(data)} bytes of compressed words cannot have been {size} bytes")
    try:
        words = unpacker.decompress(data, size + 1)
    except zlib.error as error:
        raise ValueError(f"the compressed words are damaged ({error})") from error
    if len(words) != size or not unpacker.eof:
        raise ValueError(f"the compressed words do not have their size of {size} bytes")
    return words


def _to_base64(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()


def _from_base64(text: str, dtype: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype=dtype)


def _is_floret(vocab: Vocab) -> bool:
    return vocab.vectors.mode == Mode.floret
