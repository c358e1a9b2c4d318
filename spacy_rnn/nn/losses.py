"""Losses, in float32 whatever the network ran in, summed so that accumulated gradients add up."""

from __future__ import annotations

from typing import Optional

from torch import Tensor, nn

#: target of a token without annotation; it has no loss
MISSING = -100


def cross_entropy(
    logits: Tensor,
    targets: Tensor,
    label_smoothing: float = 0.0,
    class_weights: Optional[Tensor] = None,
) -> Tensor:
    """Summed cross-entropy of flat logits (N, C) with targets (N,), skipping `MISSING` ones.

    label_smoothing: the share of the probability that is spread over all classes (Szegedy et al.
        2016, section 7).
    class_weights: (C,), a factor on the loss of each class.
    """
    return nn.functional.cross_entropy(
        logits.float(),
        targets,
        weight=class_weights,
        ignore_index=MISSING,
        reduction="sum",
        label_smoothing=label_smoothing,
    )
