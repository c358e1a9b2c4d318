"""Saliency: the contribution of each token to a prediction."""

from __future__ import annotations

import inspect
import math
from typing import Callable, List, Literal, NamedTuple, Optional, get_args

import numpy as np
import torch
from spacy.tokens import Doc
from torch import Tensor

from ..pipeline.base import RNNPipe
from ..runtime.attribution import AttributionTarget, Scale
from ..validation import at_least
from .component import module_of

Method = Literal["integrated_gradients", "occlusion"]
METHODS = get_args(Method)

#: a differentiable function of token vectors: (B, N, D) -> (B,)
Score = Callable[[Tensor], Tensor]


class Saliency(NamedTuple):
    """The contribution of each token to a prediction.

    tokens (List[str]): The inputs of the encoder in the order of the text: tokens, pieces of the
        source (translator) or the preceding units (language model).
    scores (ndarray): float32 (tokens,), positive if a token raised the score of the prediction.
    prediction (str): A description of the explained prediction.
    scale (str): The scale of its score: "log-odds", "log-probability" or "value".
    value (float): The score of the prediction.
    baseline (float): The score if the vectors of all tokens are zeros.
    gap (Optional[float]): For integrated gradients, value - baseline minus the sum of the scores,
        which approaches 0 with more steps; None for occlusion, whose scores have no given sum.
    """

    tokens: List[str]
    scores: np.ndarray
    prediction: str
    scale: Scale
    value: float
    baseline: float
    gap: Optional[float]

    @property
    def probability(self) -> Optional[float]:
        """The probability of the prediction; None if its score is a value."""
        if self.scale == "value":
            return None
        if self.scale == "log-probability":
            return math.exp(self.value)
        # The logistic function, by a form that does not overflow.
        e = math.exp(-abs(self.value))
        return (e if self.value < 0 else 1.0) / (1.0 + e)

    @property
    def summary(self) -> str:
        """The prediction with its probability and its score, as text."""
        prediction = self.prediction[:1].upper() + self.prediction[1:]
        p = self.probability
        if p is None:
            return f"{prediction}: {self.value:.3f}"
        shown = f"{p:.3g}" if p < 0.9995 else "above 0.999"
        return f"{prediction}: probability {shown} ({self.scale} {self.value:.3f})"


def compute_saliency(
    pipe: RNNPipe,
    doc: Doc,
    *,
    token: Optional[int] = None,
    label: Optional[str] = None,
    target: Optional[str] = None,
    method: Method = "integrated_gradients",
    steps: int = 50,
) -> Saliency:
    """Compute the contribution of each token to a component's prediction for a text, with respect
    to the token vectors that its encoder reads. Runs in full precision on the whole text at once.

    pipe (RNNPipe): Any trained component of spacy-rnn.
    doc (Doc): The text, with the annotation of the components that run before this one.
    token (Optional[int]): The index of the token whose label is explained (taggers, entity
        recognizers), of the predicted token (language models), or of the piece of the translation
        (translators).
    label (Optional[str]): The label to explain (for entity recognizers the tag); None for the
        predicted one.
    target (Optional[str]): The target whose label is explained, for taggers with several targets.
    method (str): "integrated_gradients", from a baseline of zeros (Sundararajan et al. 2017,
        "Axiomatic attribution for deep networks", equation 1), or "occlusion": the decrease of the
        score if a token's vector is replaced by zeros (Zeiler and Fergus 2014, section 4.2; Li et
        al. 2016, "Understanding neural networks through representation erasure").
    steps (int): The number of points at which gradients are computed; more make `gap` smaller.
    RETURNS (Saliency): A score for each token.
    RAISES (ValueError): If it is not a trained spacy-rnn component, or has no such prediction.
    """
    if method not in METHODS:
        raise ValueError(f"'method' must be one of {', '.join(METHODS)}; got '{method}'.")
    at_least(1, steps=steps)
    module = module_of(pipe)
    question = _ask(pipe, doc, token=token, label=label, target=target)
    rows = question.rows
    # Cloned, because gradients cannot flow through tensors of inference mode.
    vectors = rows.vectors.float().clone()

    def score(points: Tensor) -> Tensor:
        return question.score(module, points)

    with torch.no_grad():
        ends = torch.cat([score(x.unsqueeze(0)) for x in (vectors, torch.zeros_like(vectors))])
    value, baseline = ends.tolist()
    if not np.isfinite(value):
        raise ValueError(
            f"There is nothing to explain: the {question.scale} of the "
            f"{question.prediction} is {value}, regardless of the "
            f"tokens."
        )
    at_once = max(1, pipe.model.attrs["limits"].batch_tokens // max(1, len(vectors)))
    gap = None
    if method == "occlusion":
        found = occlusion(score, vectors, at_once)
    else:
        found = integrated_gradients(score, vectors, steps, at_once)
        gap = value - baseline - float(found.sum())
    scores, names = found.cpu().numpy(), rows.names
    if rows.backward:
        scores, names = scores[::-1].copy(), names[::-1]
    prediction, scale = question.prediction, question.scale
    return Saliency(names, scores, prediction, scale, value, baseline, gap)


def integrated_gradients(score: Score, x: Tensor, steps: int, at_once: int) -> Tensor:
    """Multiply x by the mean gradient of the score on the line from zeros to x, and sum over each
    token's vector: (N, D) -> (N,). The mean is computed by the Gauss-Legendre rule.

    score (Score): The function to explain.
    x (Tensor): The token vectors (N, D).
    steps (int): The number of points of the rule.
    at_once (int): The number of points that are computed in one batch.
    RETURNS (Tensor): A score for each token (N,).
    """
    mean = torch.zeros_like(x)
    if not len(x):
        return mean.sum(dim=1)
    # The rule is defined on [-1, 1]; the integral is over [0, 1].
    nodes, weights = (
        torch.tensor(numbers, dtype=x.dtype, device=x.device).view(-1, 1, 1)
        for numbers in np.polynomial.legendre.leggauss(steps)
    )
    for some, weight in zip(nodes.split(at_once), weights.split(at_once), strict=True):
        with torch.enable_grad():
            points = ((some + 1.0) / 2.0 * x).requires_grad_()
            (gradients,) = torch.autograd.grad(score(points).sum(), points)
        mean += (weight / 2.0 * gradients).sum(dim=0)
    return (x * mean).sum(dim=1)


@torch.no_grad()
def occlusion(score: Score, x: Tensor, at_once: int) -> Tensor:
    """Compute the decrease of the score if a token's vector is replaced by zeros:
    (N, D) -> (N,).

    score, x, at_once: see `integrated_gradients`.
    RETURNS (Tensor): A score for each token (N,).
    """
    if not len(x):
        return x.new_zeros(0)
    without = 1.0 - torch.eye(len(x), device=x.device)
    found = torch.cat([score(x * some.unsqueeze(2)) for some in without.split(at_once)])
    return score(x.unsqueeze(0)) - found


def _ask(pipe: RNNPipe, doc: Doc, **names: object) -> AttributionTarget:
    """The component's question about the prediction that is named so, by all that are not None."""
    given = {name: value for name, value in names.items() if value is not None}
    takes = inspect.signature(pipe.attribution_target)
    try:
        takes.bind(doc, **given)
    except TypeError as error:
        if "token" in takes.parameters and "token" not in given:
            raise ValueError(
                f"'{pipe.name}' has a prediction for each token. Specify one with --token N, the "
                f"index of the token, or of the piece of a translation (in Python: token=N)."
            ) from error
        options = ", ".join(f"'{name}'" for name in takes.parameters if name != "doc")
        raise ValueError(
            f"The options for a prediction of '{pipe.name}' are {options}: {error}."
        ) from error
    return pipe.attribution_target(doc, **given)
