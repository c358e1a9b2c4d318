"""The answers of a teacher in examples, as losses take them."""

from typing import Dict, List, Optional, Sequence

import numpy as np
from spacy.training import Example

from ..features.soft_labels import TEXT_TARGET, aligned_tokens, as_scheme, soft_labels_of


def soft_token_targets(
    examples: List[Example],
    target: str,
    labels: Sequence[str],
    scheme: Optional[str] = None,
    whole: bool = False,
) -> Dict[str, np.ndarray]:
    """Get the probabilities that a teacher gives to the labels of each predicted token. A token has
    none if the teacher has other tokens there, or gives all of the probability to other labels.

    examples (List[Example]): The examples, none of them empty.
    target (str): The target.
    labels (Sequence[str]): The component's labels, over which probabilities sum to 1.
    scheme (Optional[str]): The scheme of the labels, if they are tags of entities.
    whole (bool): Leave out texts where any token has none, for losses of sequences.
    RETURNS (Dict[str, np.ndarray]): NAME_soft, float32 (tokens, labels), and NAME_share, float32
        (tokens,), 0 where there are none; nothing if there are none at all.
    """
    n = sum(len(eg.predicted) for eg in examples)
    soft, share = np.ones((n, len(labels)), dtype="float32"), np.zeros(n, dtype="float32")
    start = 0
    for eg in examples:
        end = start + len(eg.predicted)
        found = soft_labels_of(eg.reference).get(target)
        if found is not None:
            if scheme is not None:
                found = as_scheme(found, scheme)
            rows = aligned_tokens(eg)
            p = np.where(rows[:, None] >= 0, found.columns(labels)[rows], 0.0)
            mass = p.sum(axis=1)
            known = mass > 0
            if known.all() or not whole:
                soft[start:end][known] = p[known] / mass[known, None]
                share[start:end][known] = found.share
        start = end
    return {f"{target}_soft": soft, f"{target}_share": share} if share.any() else {}


def soft_text_targets(
    examples: List[Example], labels: Sequence[str], exclusive: bool
) -> Dict[str, np.ndarray]:
    """Get the probabilities that a teacher gives to the labels of each text.

    examples (List[Example]): The examples.
    labels (Sequence[str]): The component's labels.
    exclusive (bool): True for classes, over which probabilities sum to 1; otherwise labels that the
        teacher does not know have NaN.
    RETURNS (Dict[str, np.ndarray]): "soft", float32 (texts, labels), and "share", float32 (texts,),
        0 where there are none; nothing if there are none at all.
    """
    soft = np.ones((len(examples), len(labels)), dtype="float32")
    share = np.zeros(len(examples), dtype="float32")
    for i, eg in enumerate(examples):
        found = soft_labels_of(eg.reference).get(TEXT_TARGET)
        if found is None:
            continue
        p = found.columns(labels, fill=0.0 if exclusive else np.nan)
        if exclusive:
            p /= max(p.sum(), np.finfo(p.dtype).tiny)
        if np.nansum(p) > 0 or not exclusive:
            soft[i], share[i] = p, found.share
    return {"soft": soft, "share": share} if share.any() else {}
