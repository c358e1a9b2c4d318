"""Losses, in float32 whatever the network ran in, summed so that accumulated gradients add up."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn

#: target of a token or text without annotation; it has no loss
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


def exclusive_loss(
    logits: dict[str, Tensor], gold: dict[str, Tensor], label_smoothing: float = 0.0
) -> Tensor:
    """Cross-entropy of one target (B, C) summed over texts. Where only some classes are ruled out,
    minus the log of the probability of all others.

    gold: "label" (B,), `MISSING` where it is not known; "weights" (C,) if classes have some; for
        the rows "doubtful" (D,), if there are any, the classes "possible", bool (D, C).
    """
    (scores,) = logits.values()
    loss = cross_entropy(scores, gold["label"], label_smoothing, gold.get("weights"))
    if "doubtful" not in gold:
        return loss
    scores = scores.float().index_select(0, gold["doubtful"])
    possible = scores.masked_fill(~gold["possible"], -torch.inf)
    return loss + (scores.logsumexp(dim=1) - possible.logsumexp(dim=1)).sum()


def multilabel_loss(
    logits: dict[str, Tensor], gold: dict[str, Tensor], label_smoothing: float = 0.0
) -> Tensor:
    """Binary cross-entropy of one target (B, C) summed over texts and labels.

    label_smoothing: the share of each target that is split between 0 and 1.
    gold: "truth" (B, C), 0, 1 or, without loss, NaN; "weights" (C,), if there are any, factors on
        the loss of each label where it holds, which raise its recall.
    """
    (scores,) = logits.values()
    truth = gold["truth"]
    smooth = truth.nan_to_num() * (1.0 - label_smoothing) + 0.5 * label_smoothing
    losses = nn.functional.binary_cross_entropy_with_logits(
        scores.float(), smooth, pos_weight=gold.get("weights"), reduction="none"
    )
    return losses.masked_fill(truth.isnan(), 0.0).sum()


def squared_error(outputs: dict[str, Tensor], gold: dict[str, Tensor]) -> Tensor:
    """(y - t)^2 of one target (B, C) summed over texts and values.

    gold: "truth" (B, C), without loss where it is NaN.
    """
    (values,) = outputs.values()
    truth = gold["truth"]
    errors = (values.float() - truth.nan_to_num()) ** 2
    return errors.masked_fill(truth.isnan(), 0.0).sum()
