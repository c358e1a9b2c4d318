"""Saliency: which tokens moved a prediction."""

from __future__ import annotations

import inspect
from typing import Callable, List, Literal, NamedTuple, Optional, get_args

import numpy as np
import torch
from spacy.tokens import Doc
from torch import Tensor

from ..pipeline.base import RNNPipe
from ..runtime.attribution import Question
from ..validation import at_least
from .component import module_of

Method = Literal["integrated_gradients", "occlusion"]
METHODS = get_args(Method)

#: of vectors of tokens (B, N, D), (B,), differentiable
Score = Callable[[Tensor], Tensor]


class Saliency(NamedTuple):
    """How much each token counted for a prediction.

    tokens: what the encoder read: tokens, of a translator pieces of the source, of a language model
        the units before, in the order of the text.
    scores: float32 (tokens,), above 0 where a token raised the prediction's score.
    prediction: in words, what was explained.
    value: the prediction's score. baseline: the same where all vectors of tokens are zeros.
    gap: of integrated gradients, by how much the sum of the scores misses value - baseline, which
        more steps make smaller; None of occlusion, which promises no sum.
    """

    tokens: List[str]
    scores: np.ndarray
    prediction: str
    value: float
    baseline: float
    gap: Optional[float]


def saliency(
    pipe: RNNPipe,
    doc: Doc,
    *,
    token: Optional[int] = None,
    label: Optional[str] = None,
    target: Optional[str] = None,
    method: Method = "integrated_gradients",
    steps: int = 50,
) -> Saliency:
    """Say which tokens moved a component's prediction for a text, by the vectors of tokens that its
    encoder reads. Computed in full precision, of the whole text at once.

    pipe (RNNPipe): Any component of spacy-rnn, trained.
    doc (Doc): The text, with what components before this one have set.
    token (Optional[int]): Of taggers and entity recognizers, the index of the token whose label is
        explained; of language models, of the token that is foretold; of translators, the number of
        the piece of the translation.
    label (Optional[str]): The label, of entity recognizers the tag, instead of the predicted one.
    target (Optional[str]): Of taggers with several, the one whose label it is.
    method (str): "integrated_gradients", from a baseline of zeros (Sundararajan et al. 2017,
        "Axiomatic attribution for deep networks", equation 1), or "occlusion": by how much the
        score falls where a token's vector is zeros (Zeiler and Fergus 2014, section 4.2; Li et al.
        2016, "Understanding neural networks through representation erasure").
    steps (int): Points at which gradients are taken; more make `gap` smaller.
    RETURNS (Saliency): A score for each token.
    RAISES (ValueError): If the component is untrained or none of spacy-rnn, or predicts nothing of
        that name.
    """
    if method not in METHODS:
        raise ValueError(f"'method' must be one of {', '.join(METHODS)}; got '{method}'.")
    at_least(1, steps=steps)
    module = module_of(pipe)
    question = _ask(pipe, doc, token=token, label=label, target=target)
    rows = question.rows
    # Out of inference mode, where gradients could not go through them.
    vectors = rows.vectors.float().clone()

    def score(points: Tensor) -> Tensor:
        return question.score(module, points)

    with torch.no_grad():
        ends = torch.cat([score(x.unsqueeze(0)) for x in (vectors, torch.zeros_like(vectors))])
    value, baseline = ends.tolist()
    if not np.isfinite(value):
        raise ValueError(
            f"There is nothing to explain: the {question.prediction} is {value}, whatever the "
            f"network says of the tokens."
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
    return Saliency(names, scores, question.prediction, value, baseline, gap)


def integrated_gradients(score: Score, x: Tensor, steps: int, at_once: int) -> Tensor:
    """x times the mean gradient of the score on the way from zeros to x, summed over each token's
    vector: (N, D) -> (N,). The mean is taken by the Gauss-Legendre rule.

    steps: points of the rule.
    at_once: how many points the score is computed of together.
    """
    mean = torch.zeros_like(x)
    if not len(x):
        return mean.sum(dim=1)
    # The integral from 0 to 1, which the rule knows from -1 to 1.
    places, weights = (
        torch.tensor(numbers, dtype=x.dtype, device=x.device).view(-1, 1, 1)
        for numbers in np.polynomial.legendre.leggauss(steps)
    )
    for some, weight in zip(places.split(at_once), weights.split(at_once), strict=True):
        with torch.enable_grad():
            points = ((some + 1.0) / 2.0 * x).requires_grad_()
            (gradients,) = torch.autograd.grad(score(points).sum(), points)
        mean += (weight / 2.0 * gradients).sum(dim=0)
    return (x * mean).sum(dim=1)


@torch.no_grad()
def occlusion(score: Score, x: Tensor, at_once: int) -> Tensor:
    """By how much the score falls where a token's vector is zeros: (N, D) -> (N,).

    at_once: see `integrated_gradients`.
    """
    if not len(x):
        return x.new_zeros(0)
    without = 1.0 - torch.eye(len(x), device=x.device)
    found = torch.cat([score(x * some.unsqueeze(2)) for some in without.split(at_once)])
    return score(x.unsqueeze(0)) - found


def _ask(pipe: RNNPipe, doc: Doc, **names: object) -> Question:
    """The component's question about the prediction that is named so, by all that are not None."""
    given = {name: value for name, value in names.items() if value is not None}
    takes = inspect.signature(pipe.attribution_target)
    try:
        takes.bind(doc, **given)
    except TypeError as error:
        if "token" in takes.parameters and "token" not in given:
            raise ValueError(
                f"Which prediction of '{pipe.name}' is to be explained? Add --token N, the number "
                f"of the token, or of the piece of a translation, from 0 (in Python: token=N)."
            ) from error
        options = ", ".join(f"'{name}'" for name in takes.parameters if name != "doc")
        raise ValueError(
            f"A prediction of '{pipe.name}' is chosen by {options}: {error}."
        ) from error
    return pipe.attribution_target(doc, **given)
