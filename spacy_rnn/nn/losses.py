"""Losses in float32, regardless of the model's precision, summed so that gradients add up."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import torch
from torch import Tensor, nn

from .linear import linear
from .precision import half_precision

#: target of a token or text without annotation; it has no loss
MISSING = -100
#: the logarithm of the probability 0, finite so that its product with 0 is 0
_LOG_ZERO = -1e4
#: logits that `vocabulary_loss` holds at a time: those that fit into a processor's cache
_CHUNK = 2**21


def cross_entropy(
    logits: Tensor,
    targets: Tensor,
    label_smoothing: float = 0.0,
    class_weights: Optional[Tensor] = None,
    row_weights: Optional[Tensor] = None,
) -> Tensor:
    """Summed cross-entropy.

    logits (Tensor): Flat logits, (N, C).
    targets (Tensor): Classes, int64 (N,); `MISSING` ones have no loss.
    label_smoothing (float): The share of the probability that is spread over all classes (Szegedy
        et al. 2016, section 7).
    class_weights (Optional[Tensor]): A factor on the loss of each class, (C,).
    row_weights (Optional[Tensor]): A factor on the loss of each row, (N,).
    RETURNS (Tensor): The loss.
    """
    loss = nn.functional.cross_entropy(
        logits.float(),
        targets,
        weight=class_weights,
        ignore_index=MISSING,
        reduction="sum" if row_weights is None else "none",
        label_smoothing=label_smoothing,
    )
    return loss if row_weights is None else weighted_sum(loss, row_weights)


def weighted_sum(values: Tensor, weights: Optional[Tensor]) -> Tensor:
    """The sum of values (N,), each times its weight (N,) if there are weights."""
    return values.sum() if weights is None else (values * weights).sum()


def log_odds(logits: Tensor, label: int) -> Tensor:
    """Return the log-odds of a class against all others, under a softmax of logits (N, C): (N,)."""
    others = torch.cat([logits[:, :label], logits[:, label + 1 :]], dim=1)
    return logits[:, label] - others.logsumexp(dim=1)


class Scores(NamedTuple):
    """Scores of a whole vocabulary, not yet computed.

    states (Tensor): (N, H).
    layer (nn.Linear): The output layer, H -> V, with a bias.
    """

    states: Tensor
    layer: nn.Linear

    def logits(self) -> Tensor:
        """Compute the scores, (N, V)."""
        scores: Tensor = self.layer(self.states)
        return scores


def vocabulary_loss(
    states: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, label_smoothing: float = 0.0
) -> Tensor:
    """`cross_entropy` of the scores of a whole vocabulary with targets, all of which count.

    For a vocabulary of thousands the logits, their softmax and its gradient are by far the largest
    arrays of a network. Here only some rows of them exist at a time: a chunk is multiplied, turned
    into its gradient in place and multiplied back while it is in the cache, in the forward pass.

    states (Tensor): (N, H).
    weight, bias (Tensor): Those of the output layer, (V, H) and (V,).
    targets (Tensor): int64 (N,).
    label_smoothing (float): As of `cross_entropy`.
    RETURNS (Tensor): The loss.
    """
    return _VocabularyLoss.apply(
        states, weight, bias, targets, label_smoothing, torch.is_grad_enabled()
    )


def log_probabilities(scores: Scores, targets: Tensor) -> Tensor:
    """Return the log-probabilities of targets (N,), without gradient: (N,)."""
    found = []
    size = max(64, _CHUNK // scores.layer.out_features)
    with torch.no_grad():
        for states, target in zip(scores.states.split(size), targets.split(size), strict=True):
            z = log_softmax(scores._replace(states=states).logits())
            found.append(z.gather(1, target.unsqueeze(1)).squeeze(1))
    return torch.cat(found)


def log_softmax(logits: Tensor) -> Tensor:
    """The log-probabilities of logits (N, C), at least in float32."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(dim=1)


class _VocabularyLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        smoothing: float,
        with_gradient: bool,
    ) -> Tensor:
        n_rows, n_classes = len(states), len(weight)
        precision = half_precision(states)
        if precision is not None:
            # Once for all chunks.
            states, weight, bias = (x.to(precision) for x in (states, weight, bias))
        d_states = torch.empty_like(states)
        dtype = torch.promote_types(states.dtype, torch.float32)
        d_weight = torch.zeros_like(weight, dtype=dtype)
        d_bias = torch.zeros_like(bias, dtype=dtype)
        total = torch.zeros((), dtype=dtype, device=states.device)
        size = max(64, _CHUNK // n_classes)
        for start in range(0, n_rows, size):
            some, target = states[start : start + size], targets[start : start + size, None]
            z = linear(some, weight, bias).to(dtype)
            greatest = z.amax(dim=1, keepdim=True)
            z.sub_(greatest)
            expected = z.gather(1, target).sum() * (1.0 - smoothing)
            if smoothing:
                expected += z.sum() * (smoothing / n_classes)
            # From here on the probabilities, then the gradient.
            norm = z.exp_().sum(dim=1, keepdim=True)
            total += norm.log().sum() - expected
            if with_gradient:
                z.div_(norm)
                if smoothing:
                    z.sub_(smoothing / n_classes)
                z.scatter_add_(1, target, z.new_full(target.shape, smoothing - 1.0))
                d_bias += z.sum(dim=0)
                z = z.to(some.dtype)
                d_states[start : start + size] = linear(z, weight.to(z.dtype).t())
                d_weight += linear(z.t(), some.t())
        ctx.save_for_backward(d_states, d_weight, d_bias)
        return total

    @staticmethod
    def backward(ctx: Any, *d_loss: Tensor) -> Any:
        (d,) = d_loss
        return (*(d * gradient for gradient in ctx.saved_tensors), None, None, None)


def exclusive_loss(
    logits: dict[str, Tensor],
    gold: dict[str, Tensor],
    label_smoothing: float = 0.0,
    temperature: float = 1.0,
) -> Tensor:
    """Cross-entropy of one target summed over texts. Where only some classes are ruled out, minus
    the log of the probability of all others.

    logits (dict[str, Tensor]): The only target's, (B, C).
    gold (dict[str, Tensor]): "label" (B,), `MISSING` where it is not known; "weights" (C,) if
        classes have some; for the rows "ambiguous" (D,), if there are any, the classes
        "candidates", bool (D, C). Where a teacher answers, "soft" (B, C), its probabilities, and
        "share" (B,), the share of its `soft_divergence` in the loss.
    label_smoothing (float): As of `cross_entropy`.
    temperature (float): As of `soft_divergence`.
    RETURNS (Tensor): The loss.
    """
    (scores,) = logits.values()
    of_gold = 1.0 - gold["share"] if "share" in gold else None
    weights = gold.get("weights")
    loss = cross_entropy(scores, gold["label"], label_smoothing, weights, of_gold)
    if "share" in gold:
        loss = loss + soft_divergence(scores, gold["soft"], gold["share"], temperature)
    if "ambiguous" not in gold:
        return loss
    rows = gold["ambiguous"]
    scores = scores.float().index_select(0, rows)
    candidates = scores.masked_fill(~gold["candidates"], -torch.inf)
    of_rows = scores.logsumexp(dim=1) - candidates.logsumexp(dim=1)
    return loss + weighted_sum(of_rows, None if of_gold is None else of_gold[rows])


def multilabel_loss(
    logits: dict[str, Tensor],
    gold: dict[str, Tensor],
    label_smoothing: float = 0.0,
    temperature: float = 1.0,
) -> Tensor:
    """Binary cross-entropy of one target summed over texts and labels.

    logits (dict[str, Tensor]): The only target's, (B, C).
    gold (dict[str, Tensor]): "truth" (B, C), 0, 1 or, without loss, NaN; "weights" (C,), if there
        are any, factors on the loss of each label in texts that have it, which raise its recall.
        Where a teacher answers, "soft" (B, C), its probabilities or, without loss, NaN, and
        "share" (B,), the share of its `binary_soft_divergence` in the loss.
    label_smoothing (float): The share of each target that is split between 0 and 1.
    temperature (float): As of `soft_divergence`.
    RETURNS (Tensor): The loss.
    """
    (scores,) = logits.values()
    truth = gold["truth"]
    smooth = truth.nan_to_num() * (1.0 - label_smoothing) + 0.5 * label_smoothing
    losses = nn.functional.binary_cross_entropy_with_logits(
        scores.float(), smooth, pos_weight=gold.get("weights"), reduction="none"
    )
    losses = losses.masked_fill(truth.isnan(), 0.0)
    if "share" not in gold:
        return losses.sum()
    soft = binary_soft_divergence(scores, gold["soft"], gold["share"], temperature)
    return weighted_sum(losses.sum(dim=1), 1.0 - gold["share"]) + soft


def not_negative(divergence: Tensor) -> Tensor:
    """A divergence without the rounding error that makes it negative; its gradient stays."""
    return divergence - divergence.detach().clamp(max=0.0)


def divergence(logits: Tensor, teacher: Tensor, row_weights: Optional[Tensor] = None) -> Tensor:
    """The Kullback-Leibler divergence of a softmax of logits (N, C) from that of a teacher's
    (N, T), summed over the rows, each times its weight (N,) if there are weights; of more classes
    than the teacher has, only over those that it has (Li and Hoiem 2016, "Learning without
    Forgetting", section 3)."""
    log_p = logits.float()[:, : teacher.shape[1]].log_softmax(dim=1)
    log_q = teacher.float().log_softmax(dim=1).clamp(min=_LOG_ZERO)
    of_classes = nn.functional.kl_div(log_p, log_q, reduction="none", log_target=True)
    return not_negative(weighted_sum(of_classes.sum(dim=1), row_weights))


def soft_divergence(
    logits: Tensor, probabilities: Tensor, share: Tensor, temperature: float = 1.0
) -> Tensor:
    """`divergence` of logits (N, C) from a teacher's probabilities (N, C), both softened by a
    temperature, each row times its share (N,), times the square of the temperature, so that
    gradients keep their size (Hinton et al. 2015, section 2). Its gradient is that of the
    cross-entropy; at the temperature 1 and from a probability of 1, so is its value."""
    teacher = probabilities.log() / temperature
    return temperature**2 * divergence(logits.float() / temperature, teacher, share)


def exclusive_divergence(
    logits: dict[str, Tensor], gold: dict[str, Tensor], teacher: dict[str, Tensor]
) -> Tensor:
    """`divergence` of one target from a teacher's."""
    (scores,), (taught,) = logits.values(), teacher.values()
    return divergence(scores, taught)


def multilabel_divergence(
    logits: dict[str, Tensor], gold: dict[str, Tensor], teacher: dict[str, Tensor]
) -> Tensor:
    """`binary_divergence` of one target (B, C) from a teacher's, of the labels that it has."""
    (scores,), (taught,) = logits.values(), teacher.values()
    return binary_divergence(scores[:, : taught.shape[1]], taught)


def binary_divergence(
    logits: Tensor, teacher: Tensor, row_weights: Optional[Tensor] = None
) -> Tensor:
    """The Kullback-Leibler divergence of the probability of each label from a teacher's, by the
    log-odds of both (B, C), summed over texts, each times its weight (B,) if there are weights, and
    over the labels where the teacher's are not NaN."""
    missing = teacher.isnan()
    taught = teacher.float().masked_fill(missing, 0.0).clamp(_LOG_ZERO, -_LOG_ZERO)
    truth = taught.sigmoid()
    # Of the two cross-entropies the second is that of the teacher with itself.
    of_scores, of_teacher = (
        nn.functional.binary_cross_entropy_with_logits(x, truth, reduction="none")
        for x in (logits.float(), taught)
    )
    of_texts = (of_scores - of_teacher).masked_fill(missing, 0.0).sum(dim=1)
    return not_negative(weighted_sum(of_texts, row_weights))


def binary_soft_divergence(
    logits: Tensor, probabilities: Tensor, share: Tensor, temperature: float = 1.0
) -> Tensor:
    """`binary_divergence` of logits (B, C) from a teacher's probabilities (B, C), softened and
    weighted as by `soft_divergence`."""
    teacher = probabilities.logit() / temperature
    return temperature**2 * binary_divergence(logits.float() / temperature, teacher, share)


def squared_error(outputs: dict[str, Tensor], gold: dict[str, Tensor]) -> Tensor:
    """(y - t)^2 of one target summed over texts and values.

    outputs (dict[str, Tensor]): The only target's, (B, C).
    gold (dict[str, Tensor]): "truth" (B, C), without loss where it is NaN.
    RETURNS (Tensor): The loss.
    """
    (values,) = outputs.values()
    truth = gold["truth"]
    errors = (values.float() - truth.nan_to_num()) ** 2
    return errors.masked_fill(truth.isnan(), 0.0).sum()
