"""Alignment of two segmentations of a text by the characters that they share."""

from __future__ import annotations

import numpy as np
from spacy.attrs import ORTH
from spacy.training import Example


def overlap_matrix(
    starts: np.ndarray, ends: np.ndarray, other_starts: np.ndarray, other_ends: np.ndarray
) -> np.ndarray:
    """The overlap of spans of characters with others.

    starts, ends (np.ndarray): The spans [start, end).
    other_starts, other_ends (np.ndarray): The others, which do not overlap each other.
    RETURNS (np.ndarray): The share of each span that lies in each other, float32 (spans, others). A
        row sums to 1, or to 0 if the span has no character in any of them.
    """
    first = np.maximum(starts[:, None], other_starts)
    last = np.minimum(ends[:, None], other_ends)
    common = np.maximum(last - first, 0).astype("float32")
    overlap: np.ndarray = common / np.maximum(common.sum(axis=1, keepdims=True), 1)
    return overlap


def has_same_tokens(example: Example) -> bool:
    """Return True if the predicted and the gold document have the same tokens.

    example (Example): The example.
    RETURNS (bool): True if there is nothing to align.
    """
    predicted, reference = example.predicted, example.reference
    return len(predicted) == len(reference) and bool(
        (predicted.to_array(ORTH) == reference.to_array(ORTH)).all()
    )
