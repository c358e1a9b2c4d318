"""Pretrained vectors of words, and one for words that have none."""

from __future__ import annotations

from typing import Union

import numpy as np
import torch
from torch import Tensor, nn

from .embedding import Words, mean_vectors


class PretrainedVectors(nn.Module):
    """Base: the vector of words without one, which is trained. It starts as a draw from normal
    distributions that have the mean and the variance of the table's columns.

    table: float32 (rows, width), or its shape, where saved weights will follow.
    """

    def __init__(self, name: str, table: Union[np.ndarray, tuple[int, int]]):
        super().__init__()
        self.name = name
        if isinstance(table, tuple):
            unknown = torch.zeros(table[1])
        else:
            variance, mean = torch.var_mean(torch.from_numpy(table), dim=0, correction=0)
            unknown = torch.normal(mean, variance.sqrt())
        self.unknown = nn.Parameter(unknown)
        self.output_size = len(unknown)

    def _or_unknown(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Vectors (U, width) where a word has one. lengths: 0 where not, (U,) on the CPU."""
        known = (lengths > 0).to(vectors.device, non_blocking=True)
        return torch.where(known.unsqueeze(1), vectors, self.unknown)


class GivenVectors(PretrainedVectors):
    """Vectors that come with each batch; none of the table is kept."""

    def forward(self, words: Words) -> Tensor:
        return self._or_unknown(words[self.name], words[self.name + "_lengths"])


class TableVectors(PretrainedVectors):
    """Rows of a table that is kept; the mean of them where a word has several.

    trained: fine-tune it; otherwise it stays as it is. Its memory is shared with `table`.
    """

    def __init__(self, name: str, table: Union[np.ndarray, tuple[int, int]], trained: bool):
        super().__init__(name, table)
        start = torch.zeros(table) if isinstance(table, tuple) else torch.from_numpy(table)
        self.table = nn.EmbeddingBag.from_pretrained(start, freeze=not trained, mode="mean")

    def forward(self, words: Words) -> Tensor:
        vectors = mean_vectors(self.table, words, self.name)
        return self._or_unknown(vectors, words[self.name + "_lengths"])
