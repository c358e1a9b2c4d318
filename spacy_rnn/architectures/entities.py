"""Entities of documents: prediction with a tagger whose labels are the tags of a scheme."""

import math
from functools import partial
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import Model
from torch import Tensor

from ..features.tag_scheme import Scheme
from ..nn import linear_chain as nn_chain
from ..nn import tagger as nn_tagger
from ..nn.crf import Chain, Constraints, crf_loss
from .tagger import by_doc, predict_chains

#: the network's only target
TARGET = "ner"

#: the highest temperature; the inverse of the lowest
HOTTEST = 10.0

#: sets scores (tokens, tags) of a document to -inf that it rules out
RuleOut = Callable[[Doc, np.ndarray], None]


class Entities(NamedTuple):
    """The entities of a document: of each the first token, the token after the last, and the
    number of the label, int64 (E,); where they are asked for, the probability of each entity (E,)
    and of each tag of each token (tokens, tags)."""

    starts: np.ndarray
    ends: np.ndarray
    labels: np.ndarray
    confidences: Optional[np.ndarray] = None
    probabilities: Optional[np.ndarray] = None


def entities_loss(chains: Dict[str, Chain], gold: Dict[str, Tensor]) -> Tensor:
    """The loss of tags, gold[TARGET] (N,), under the constraints that lie beside them."""
    return nn_tagger.tagging_loss(chains, gold, constraints=_constraints_in(gold))


def entities_divergence(
    chains: Dict[str, Chain], gold: Dict[str, Tensor], teacher: Dict[str, Chain]
) -> Tensor:
    """The divergence of tags from a teacher's, under the constraints in gold."""
    return nn_tagger.tagging_divergence(chains, gold, teacher, _constraints_in(gold))


def _constraints_in(gold: Dict[str, Tensor]) -> Constraints:
    return Constraints(*(gold[name] for name in Constraints._fields))


def predict_entities(
    model: Model,
    docs: Sequence[Doc],
    scheme: Scheme,
    temperature: float,
    rule_out: RuleOut,
    confidences: bool = False,
    probabilities: bool = False,
) -> List[Entities]:
    """The entities of each doc in its most probable reading."""
    decode = partial(_decode, scheme, confidences, probabilities)
    predictions = []
    for decoded in _predict(model, docs, temperature, rule_out, decode):
        starts, ends, labels = scheme.decode(decoded["tags"])
        p = decoded["confidences"][starts] if confidences else None
        predictions.append(Entities(starts, ends, labels, p, decoded.get("probabilities")))
    return predictions


def predict_readings(
    model: Model,
    docs: Sequence[Doc],
    scheme: Scheme,
    temperature: float,
    rule_out: RuleOut,
    n: int,
) -> List[List[Tuple[float, Entities]]]:
    """The n most probable readings of each doc, best first, with their probabilities."""
    return [
        [
            (math.exp(log_p), Entities(*scheme.decode(tags)))
            for tags, log_p in zip(decoded["tags"].T, decoded["log_p"].tolist(), strict=True)
            if log_p > -math.inf
        ]
        for decoded in _predict(model, docs, temperature, rule_out, partial(_n_best, scheme, n))
    ]


def fit_temperature(
    model: Model, docs: Sequence[Doc], scheme: Scheme, tags: Sequence[np.ndarray]
) -> float:
    """The temperature at which the gold tags of docs, (tokens,) each, are most probable, between
    1 / `HOTTEST` and `HOTTEST`."""
    batches = []
    found = predict_chains(model, docs, lambda chains: chains[TARGET], lambda doc, scores: None)
    for places, _, chain in found:
        gold = torch.from_numpy(np.concatenate([tags[i] for i in places]))
        batches.append((chain, gold.to(chain.scores.device)))
    constraints = _constraints(scheme, batches[0][1].device)

    @torch.inference_mode()
    def loss(log_temperature: float) -> float:
        temperature = math.exp(log_temperature)
        tempered = ((chain._replace(temperature=temperature), gold) for chain, gold in batches)
        return sum(float(crf_loss(chain, gold, constraints)) for chain, gold in tempered)

    # It falls and then rises, as the loss is convex in the inverse of the temperature.
    low, high = -math.log(HOTTEST), math.log(HOTTEST)
    while high - low > 0.01:
        left, right = (2 * low + high) / 3, (low + 2 * high) / 3
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return math.exp((low + high) / 2)


def tag_score(
    module: Any,
    vectors: Tensor,
    *,
    scheme: Scheme,
    temperature: float,
    ruled_out: Tensor,
    token: int,
    tag: int,
) -> Tensor:
    """The log-odds of a tag of a token, (B,), from vectors of the tokens (B, N, D).

    ruled_out: the tags that cannot be those of a token, bool (N, tags).
    """
    n, length, _ = vectors.shape
    chain = module.read(vectors.flatten(0, 1), torch.full((n,), length))[TARGET]
    scores = chain.scores.masked_fill(ruled_out.to(vectors.device).repeat(n, 1), -torch.inf)
    chain = chain._replace(scores=scores, temperature=temperature)
    return nn_tagger.log_odds(chain, token, tag, _constraints(scheme, vectors.device))


def _predict(
    model: Model,
    docs: Sequence[Doc],
    temperature: float,
    rule_out: RuleOut,
    decode: Callable[[Chain], Dict[str, Any]],
) -> List[Dict[str, Any]]:
    """What `decode` makes of each doc."""
    if not docs:
        return []
    batches = predict_chains(
        model,
        docs,
        lambda chains: decode(chains[TARGET]._replace(temperature=temperature)),
        lambda doc, scores: rule_out(doc, scores[TARGET]),
    )
    return by_doc(len(docs), batches)


def _constraints(scheme: Scheme, device: torch.device) -> Constraints:
    arrays = scheme.constraints()
    return Constraints(*(torch.from_numpy(arrays[n]).to(device) for n in Constraints._fields))


def _decode(
    scheme: Scheme, confidences: bool, probabilities: bool, chain: Chain
) -> Dict[str, Tensor]:
    """The best tags (N,); at the first token of each entity its probability (N,); the probability
    of each tag (N, tags)."""
    device = chain.scores.device
    constraints = _constraints(scheme, device)
    tags = nn_tagger.best(chain, constraints)
    decoded = {"tags": tags}
    if confidences:
        found = scheme.decode(tags.cpu().numpy())
        starts, ends, _ = (torch.from_numpy(array).to(device) for array in found)
        p = nn_chain.span_probabilities(
            chain.potentials(constraints),
            chain.emissions,
            chain.lengths,
            tags,
            starts,
            ends,
            constraints.continues,
        )
        decoded["confidences"] = p.new_zeros(len(tags)).index_copy(0, starts, p)
    if probabilities:
        decoded["probabilities"] = nn_tagger.probabilities(chain, constraints)
    return decoded


def _n_best(scheme: Scheme, n: int, chain: Chain) -> Dict[str, Any]:
    """The n best sequences of tags (N, n), and of each document the logs of their probabilities
    (n,)."""
    potentials = chain.potentials(_constraints(scheme, chain.scores.device))
    tags, scores = nn_chain.n_best(potentials, chain.emissions, chain.lengths, n)
    log_z = nn_chain.log_partition(potentials, chain.emissions, chain.lengths)
    return {"tags": tags, "log_p": list((scores - log_z.unsqueeze(1)).cpu().numpy())}
