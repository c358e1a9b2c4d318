"""Which characters two ways of cutting a text share."""

from __future__ import annotations

import numpy as np


def shares(
    starts: np.ndarray, ends: np.ndarray, other_starts: np.ndarray, other_ends: np.ndarray
) -> np.ndarray:
    """Of each span [start, end) of characters how much lies in each of some others, which do not
    overlap: float32 (spans, others). A row sums to 1, and to 0 where the span has no character in
    any of them."""
    first = np.maximum(starts[:, None], other_starts)
    last = np.minimum(ends[:, None], other_ends)
    common = np.maximum(last - first, 0).astype("float32")
    return common / np.maximum(common.sum(axis=1, keepdims=True), 1)
