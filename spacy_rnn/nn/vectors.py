"""Pretrained vectors of words, and a trained vector for words without one."""

from __future__ import annotations

from typing import Union

import numpy as np
import torch
from torch import Tensor, nn

from .embedding import Arrays, WordModule, mean_vectors


class PretrainedVectors(WordModule):
    """Base: words without a pretrained vector share a trained one. It is initialized from normal
    distributions with the mean and the variance of each column of the table.

    name (str): Name of the part of the embedding.
    table (Union[np.ndarray, tuple[int, int]]): The table, float32 (rows, width), or its shape if
        saved weights will be loaded.
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
        """Replace the vectors (U, width) of words without one, whose lengths are 0, (U,) on the
        CPU."""
        known = (lengths > 0).to(vectors.device, non_blocking=True)
        return torch.where(known.unsqueeze(1), vectors, self.unknown)


class GivenVectors(PretrainedVectors):
    """Vectors that come with each batch; the table is not kept."""

    def forward(self, words: Arrays) -> Tensor:
        return self._or_unknown(words[self.name], words[self.name + "_lengths"])


class TableVectors(PretrainedVectors):
    """Rows of a table that is kept; their mean if a word has several.

    name (str): Name of the part of the embedding.
    table (Union[np.ndarray, tuple[int, int]]): As in `PretrainedVectors`. Its memory is shared.
    trained (bool): Fine-tune the table; otherwise it is frozen.
    """

    def __init__(self, name: str, table: Union[np.ndarray, tuple[int, int]], trained: bool):
        super().__init__(name, table)
        start = torch.zeros(table) if isinstance(table, tuple) else torch.from_numpy(table)
        self.table = nn.EmbeddingBag.from_pretrained(start, freeze=not trained, mode="mean")

    def forward(self, words: Arrays) -> Tensor:
        vectors = mean_vectors(self.table, words, self.name)
        return self._or_unknown(vectors, words[self.name + "_lengths"])
