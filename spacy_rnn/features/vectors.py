"""Rows of words in the pipeline's pretrained vectors, ``nlp.vocab.vectors``."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import numpy as np
from spacy.strings import get_string_id
from spacy.vectors import Mode
from spacy.vocab import Vocab
from thinc.backends import get_array_ops

logger = logging.getLogger("spacy_rnn")


class VectorRows:
    """``NAME``: the vectors themselves, float32 (U, width), or with `trained` their ids in a
    trained table, int64 (U,), 0 for a word without a vector.

    A word is looked up as it is, then lower-cased. Where the pipeline has no vectors when training
    starts, the part is left out with a warning: its width is 0.
    """

    def __init__(self, name: str, trained: bool):
        self.name = name
        self.trained = trained
        self.shape: tuple[int, int] = (0, 0)

    def build(self, counts: Counter[str], vocab: Vocab) -> None:
        vectors = vocab.vectors
        if vectors.mode != Mode.default:
            raise ValueError(
                f"The embedding part '{self.name}' needs a table with one row a word, but the "
                f"pipeline's vectors are of mode '{vectors.mode}'. Make a table with "
                f"'python -m spacy init vectors' without --mode, or set {self.name} = null."
            )
        if not vectors.size:
            logger.warning(
                "The pipeline has no pretrained vectors: the embedding part '%s' is left out. To "
                "use vectors, set [initialize] vectors to a pipeline that has some (python -m "
                "spacy init vectors LANG FILE DIR).",
                self.name,
            )
            self.shape = (0, 0)
            return
        data: Any = vectors.data
        if not get_array_ops(data).xp.isfinite(data).all():
            raise ValueError(
                "The pipeline's vectors hold values that are not finite (NaN or infinity). Clean "
                "the vectors file and run 'python -m spacy init vectors' again."
            )
        self.shape = vectors.shape

    def ids(self, words: list[str], vocab: Vocab) -> dict[str, np.ndarray]:
        self._check(vocab)
        rows = vocab.vectors.key2row if self.shape[1] else {}
        found = []
        for word in words:
            row = rows.get(get_string_id(word))
            if row is None:
                row = rows.get(get_string_id(word.lower()), -1)
            found.append(row + 1)
        return {self.name: np.array(found, dtype="int64")}

    def finish(self, arrays: dict[str, np.ndarray], vocab: Vocab) -> dict[str, np.ndarray]:
        ids = arrays[self.name]
        if not self.shape[1]:
            return {self.name: np.zeros((len(ids), 0), dtype="float32")}
        if self.trained:
            return arrays
        data: Any = vocab.vectors.data
        ops = get_array_ops(data)
        # Only the batch's rows leave a device that the vectors are on.
        found = ops.to_numpy(data[ops.xp.asarray(np.maximum(ids - 1, 0))])
        return {self.name: np.where(ids[:, None] == 0, np.float32(0.0), found)}

    def _check(self, vocab: Vocab) -> None:
        if not self.shape[1]:
            return
        rows, width = vocab.vectors.shape
        same = (rows, width) == self.shape if self.trained else width == self.shape[1]
        if not same:
            raise ValueError(
                f"The model was trained with vectors of shape {self.shape[0]} x {self.shape[1]}, "
                f"but the pipeline's vectors have shape {rows} x {width}. Load the pipeline with "
                f"the vectors that it was trained with, or train it again with the new ones."
            )

    def to_dict(self) -> dict[str, Any]:
        return {"shape": list(self.shape)}

    def from_dict(self, state: dict[str, Any]) -> None:
        self.shape = (state["shape"][0], state["shape"][1])
