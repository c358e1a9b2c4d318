"""Words in pretrained vectors: those of the pipeline, and those that are a part of the model."""

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
from .feature import padded, shortened
from .lookup import MAX_VARIANTS, SUBWORDS, Coverage, Table, ngrams, variants

logger = logging.getLogger("spacy_rnn")

#: The share of tokens with a vector below which there is a warning. Vectors of English cover 15% to
#: 37% of the tokens of German, French, Portuguese and Czech (punctuation, digits, names), and even
#: a small table of them, of 5,000 words, 86% of the tokens of English.
LOW_COVERAGE = 0.5
#: how many words of either side the warning shows
_SHOWN = 5
#: of a word of more n-grams the first and the last ones are read
MAX_NGRAMS = 128

#: rows of a word, and the way in which they were found
Found = tuple[list[int], Optional[str]]


class PretrainedVectors:
    """Base of the features of pretrained vectors.

    shape: of the table, rows and width.
    coverage: of the training data.
    """

    def __init__(self, name: str):
        self.name = name
        self.shape: tuple[int, int] = (0, 0)
        self.coverage = Coverage()
        self._table: Optional[np.ndarray] = None

    def take_table(self) -> Union[np.ndarray, tuple[int, int]]:
        """The table that a module starts from, float32 (rows, width), which is kept no longer; its
        shape, where saved weights follow."""
        table, self._table = self._table, None
        return self.shape if table is None else table

    def _cover(
        self, counts: Counter[str], ways: Sequence[Optional[str]], keys: Iterable[str]
    ) -> None:
        """Count the training words that were found, and say so: as a warning if they are few.

        ways: how each of the counted words was found; None if it was not.
        keys: what has a vector, for the warning.
        """
        self.coverage = Coverage.of(counts, ways)
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

    def to_dict(self) -> dict[str, Any]:
        return {"shape": list(self.shape), "coverage": self.coverage._asdict()}

    def from_dict(self, state: dict[str, Any]) -> None:
        self.shape = (state["shape"][0], state["shape"][1])
        self.coverage = Coverage(**state["coverage"])
        self._table = None


class PipelineVectors(PretrainedVectors):
    """The vectors of words in ``nlp.vocab.vectors``, ``NAME``, float32 (U, width); with `trained`
    their rows in a copy of its table, int64 (U, 1). ``NAME_lengths``, int64 (U,): 1, and 0 for a
    word without a vector.

    Nothing of the pipeline's vectors is kept but their shape: for each batch anew, words are found
    by their keys, and rows are read from the table. What changes there counts at once. Of vectors
    of mode floret, which are computed once for each word and table, only another table counts; with
    `trained`, keys and rows are those of the training.

    Where the pipeline has no vectors when training starts, the part is left out with a warning: its
    width is 0.
    """

    def __init__(self, name: str, trained: bool):
        super().__init__(name)
        self.trained = trained
        #: of a table that is trained: the row of each key
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

    def ids(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        if not self.shape[1]:
            return padded(self.name, [[] for _ in words], 1)
        self._check(vocab)
        if _is_floret(vocab):
            return self._floret(words, vocab)
        # The keys under which a word may be found.
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
        """The way in which a word is found; None if it is not."""
        if _is_floret(vocab):
            return SUBWORDS
        rows = vocab.vectors.key2row
        found = (way for variant, way in variants(word).items() if get_string_id(variant) in rows)
        return next(found, None)

    def _floret(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        """Every word has a vector, made of its subwords."""
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


class StoredVectors(PretrainedVectors):
    """Rows of words in a table that is part of the model: ``NAME``, int64 (U, L), padded with 0,
    and ``NAME_lengths``, int64 (U,), 0 for a word without a vector. A word has one row, and those
    of its n-grams, at most `MAX_NGRAMS`, in a table of n-grams.

    read: gives the table for the training words, when training starts.
    """

    def __init__(self, name: str, read: Callable[[Iterable[str]], Table]):
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
        self._cover(counts, [self._find(word)[1] for word in counts], table.keys)
        inform(
            "%s: %s vectors of width %d are a part of the model (%.1f MB)",
            self.name,
            f"{self.shape[0]:,}",
            self.shape[1],
            table.vectors.nbytes / 1e6,
        )

    def ids(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        found = [self._find(word)[0] for word in words]
        return padded(self.name, found, MAX_NGRAMS if self._by_ngrams else 1)

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
        # Millions of words would not fit into the header of the model's file as they are.
        keys = zlib.compress(json.dumps(list(self._rows), ensure_ascii=False).encode())
        return {
            **super().to_dict(),
            "keys": base64.b64encode(keys).decode(),
            "by_ngrams": self._by_ngrams,
        }

    def from_dict(self, state: dict[str, Any]) -> None:
        super().from_dict(state)
        keys = json.loads(zlib.decompress(base64.b64decode(state["keys"])))
        self._set_keys(keys, state["by_ngrams"])


def _rows_of(keys: np.ndarray, lengths: np.ndarray, key2row: Mapping[int, int]) -> np.ndarray:
    """The row of each word, int64 (U,), -1 for one that is not found.

    keys: those that are tried in this order, (U, L). lengths: how many a word has, (U,).
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


def _to_base64(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()


def _from_base64(text: str, dtype: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype=dtype)


def _is_floret(vocab: Vocab) -> bool:
    return vocab.vectors.mode == Mode.floret
