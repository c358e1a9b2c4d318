"""Entities of documents: prediction with a tagger whose labels are the tags of a scheme."""

import math
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

import numpy as np
from spacy.tokens import Doc

from .. import nn
from ..features.tag_scheme import OUTSIDE, TagScheme
from ..onnx import linear_chain
from ..optional import torch
from ..runtime.batching import to_array
from ..runtime.shim import shim_of
from .tagger import (
    Decoded,
    TaggerModel,
    TaggerShim,
    TagScores,
    predict_scores,
    score_batches,
    split_by_doc,
)

if TYPE_CHECKING:
    from torch import Tensor

    from ..nn.tag_scores import Constraints
    from ..nn.tagger import Tagger

#: the network's only target
TARGET = "ner"

#: the highest temperature; the inverse of the lowest
MAX_TEMPERATURE = 10.0

#: sets scores (tokens, tags) of a document to -inf that it rules out
RuleOut = Callable[[Doc, np.ndarray], None]


class Entities(NamedTuple):
    """The entities of a document.

    starts (np.ndarray): First token of each entity, int64 (E,).
    ends (np.ndarray): Token after the last of each entity, int64 (E,).
    labels (np.ndarray): Index of the label of each entity, int64 (E,).
    confidences (Optional[np.ndarray]): Probability of each entity, (E,), where it is asked for.
    probabilities (Optional[np.ndarray]): Probability of each tag of each token, (tokens, tags),
        where it is asked for.
    """

    starts: np.ndarray
    ends: np.ndarray
    labels: np.ndarray
    confidences: Optional[np.ndarray] = None
    probabilities: Optional[np.ndarray] = None


def entities_loss(
    tag_scores: "Dict[str, nn.tag_scores.TagScores]",
    gold: "Dict[str, Tensor]",
    temperature: float = 1.0,
) -> "Tensor":
    """The loss of tags.

    tag_scores (Dict[str, TagScores]): The scores of the only target.
    gold (Dict[str, Tensor]): The tags, (N,), as `TARGET`, those of a teacher, and beside them the
        constraints; see `spacy_rnn.nn.tagger.tagging_loss`.
    temperature (float): Softens the teacher's tags.
    RETURNS (Tensor): The loss, summed over sequences.
    """
    constraints = _constraints_in(gold)
    return nn.tagger.tagging_loss(
        tag_scores, gold, constraints=constraints, temperature=temperature
    )


def entities_divergence(
    tag_scores: "Dict[str, nn.tag_scores.TagScores]",
    gold: "Dict[str, Tensor]",
    teacher: "Dict[str, nn.tag_scores.TagScores]",
) -> "Tensor":
    """The divergence of tags from a teacher's.

    tag_scores (Dict[str, TagScores]), teacher (Dict[str, TagScores]): The scores of the only
        target.
    gold (Dict[str, Tensor]): The constraints.
    RETURNS (Tensor): The divergence, summed over sequences.
    """
    return nn.tagger.tagging_divergence(tag_scores, gold, teacher, _constraints_in(gold))


def _constraints_in(gold: "Dict[str, Tensor]") -> "Constraints":
    return nn.tag_scores.Constraints(*(gold[n] for n in nn.tag_scores.Constraints._fields))


def predict_entities(
    model: TaggerModel,
    docs: Sequence[Doc],
    scheme: TagScheme,
    temperature: float,
    rule_out: RuleOut,
    outside_bias: float = 0.0,
    confidences: bool = False,
    probabilities: bool = False,
) -> List[Entities]:
    """Predict the entities of documents in their most probable reading.

    model (TaggerModel): The model.
    docs (Sequence[Doc]): The documents.
    scheme (TagScheme): The scheme of the tags.
    temperature (float): Divides the scores; see `TagScores`.
    rule_out (RuleOut): Rules out tags.
    outside_bias (float): Added to the scores of tokens outside of entities where the reading is
        chosen, not in the probabilities.
    confidences (bool), probabilities (bool): See `Entities`.
    RETURNS (List[Entities]): The entities of each document.
    """
    predictions: Dict[int, Entities] = {}
    shim = shim_of(model)
    for batch, scores in _batches(model, shim, docs, temperature, rule_out):
        with shim.inference():
            decoded = _decode(scheme, scores, outside_bias, confidences, probabilities)
        for doc, found in zip(batch, split_by_doc(decoded, scores.lengths), strict=True):
            starts, ends, labels = scheme.decode(found["tags"])
            p = found["confidences"][starts] if confidences else None
            predictions[doc] = Entities(starts, ends, labels, p, found.get("probabilities"))
    return [predictions[doc] for doc in range(len(docs))]


def predict_readings(
    model: TaggerModel,
    docs: Sequence[Doc],
    scheme: TagScheme,
    temperature: float,
    rule_out: RuleOut,
    n: int,
) -> List[List[Tuple[float, Entities]]]:
    """Predict the most probable readings of documents.

    model (TaggerModel), docs (Sequence[Doc]), scheme (TagScheme), temperature (float),
        rule_out (RuleOut): As of `predict_entities`.
    n (int): The number of readings.
    RETURNS (List[List[Tuple[float, Entities]]]): The readings of each document, best first, with
        their probabilities; fewer where there are not as many.
    """
    readings: Dict[int, List[Tuple[float, Entities]]] = {}
    shim = shim_of(model)
    for batch, scores in _batches(model, shim, docs, temperature, rule_out):
        with shim.inference():
            tags, log_p = scores.readings(n, _constraints(scheme, scores))
        of_docs = split_by_doc({"tags": tags}, scores.lengths)
        for doc, found, log_ps in zip(batch, of_docs, log_p.tolist(), strict=True):
            readings[doc] = [
                (math.exp(log_p), Entities(*scheme.decode(tags)))
                for tags, log_p in zip(found["tags"].T, log_ps, strict=True)
                if log_p > -math.inf
            ]
    return [readings[doc] for doc in range(len(docs))]


def predict_entropies(
    model: TaggerModel,
    docs: Sequence[Doc],
    scheme: TagScheme,
    temperature: float,
    rule_out: RuleOut,
) -> np.ndarray:
    """Predict the entropy of the distribution over all readings of documents.

    model (TaggerModel), docs (Sequence[Doc]), scheme (TagScheme), temperature (float),
        rule_out (RuleOut): As of `predict_entities`.
    RETURNS (np.ndarray): The entropy of each document, in nats, (docs,).
    """
    found = np.zeros(len(docs))
    shim = shim_of(model)
    for batch, scores in _batches(model, shim, docs, temperature, rule_out):
        with shim.inference():
            found[batch] = to_array(scores.entropies(_constraints(scheme, scores)))
    return found


def fit_temperature(
    model: TaggerModel, docs: Sequence[Doc], scheme: TagScheme, tags: Sequence[np.ndarray]
) -> float:
    """Find the temperature at which the gold tags of documents are most probable.

    model (TaggerModel): The model.
    docs (Sequence[Doc]): The documents.
    scheme (TagScheme): The scheme of the tags.
    tags (Sequence[np.ndarray]): The gold tags of each document, (tokens,).
    RETURNS (float): The temperature, between 1 / `MAX_TEMPERATURE` and `MAX_TEMPERATURE`.
    """
    shim = shim_of(model)
    constraints = _torch_constraints(scheme, shim.device)
    batches: List[Tuple[Any, Any]] = []
    scores = predict_scores(model, docs)
    for places, found in score_batches(shim, scores, model.attrs["limits"]):
        gold = torch.from_numpy(np.concatenate([tags[i] for i in places]))
        batches.append((found[TARGET], gold.to(shim.device)))

    def loss(log_temperature: float) -> float:
        temperature = math.exp(log_temperature)
        tempered = ((found._replace(temperature=temperature), gold) for found, gold in batches)
        with torch.inference_mode():
            losses = [float(nn.crf.crf_loss(*each, constraints)) for each in tempered]
        return sum(losses)

    # It falls and then rises, as the loss is convex in the inverse of the temperature.
    low, high = -math.log(MAX_TEMPERATURE), math.log(MAX_TEMPERATURE)
    while high - low > 0.01:
        left, right = (2 * low + high) / 3, (low + 2 * high) / 3
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return math.exp((low + high) / 2)


def tag_score(
    module: "Tagger",
    vectors: "Tensor",
    *,
    scheme: TagScheme,
    temperature: float,
    ruled_out: np.ndarray,
    token: int,
    tag: int,
) -> "Tensor":
    """The log-odds of a tag of a token.

    module (Tagger): The module.
    vectors (Tensor): Vectors of a document's tokens, (B, N, D).
    scheme (TagScheme), temperature (float): As of `predict_entities`.
    ruled_out (np.ndarray): The tags that a token cannot have, bool (N, tags).
    token (int), tag (int): The indices of the token and of the tag.
    RETURNS (Tensor): The log-odds, (B,).
    """
    n, length, _ = vectors.shape
    batch = nn.layout.FlatBatch(vectors.flatten(0, 1), torch.full((n,), length))
    found = module.read(batch)[TARGET]
    mask = torch.from_numpy(ruled_out).to(vectors.device).repeat(n, 1)
    scores = found.scores.masked_fill(mask, -torch.inf)
    found = found._replace(scores=scores, temperature=temperature)
    return found.log_odds(token, tag, _torch_constraints(scheme, vectors.device))


def _batches(
    model: TaggerModel,
    shim: TaggerShim,
    docs: Sequence[Doc],
    temperature: float,
    rule_out: RuleOut,
) -> Iterator[Tuple[List[int], TagScores]]:
    """Yield documents in batches: their indices, and the scores that are not ruled out."""
    if not docs:
        return
    scores = predict_scores(model, docs)
    for doc, of_doc in zip(docs, scores, strict=True):
        rule_out(doc, of_doc[TARGET])
    for batch, found in score_batches(shim, scores, model.attrs["limits"]):
        yield batch.tolist(), found[TARGET]._replace(temperature=temperature)


def _constraints(scheme: TagScheme, scores: TagScores) -> Any:
    """The constraints of a scheme as scores take them."""
    if isinstance(scores, linear_chain.TagScores):
        return linear_chain.Constraints(**scheme.constraints())
    return _torch_constraints(scheme, scores.scores.device)


def _torch_constraints(scheme: TagScheme, device: "torch.device") -> "Constraints":
    arrays = {n: torch.from_numpy(array).to(device) for n, array in scheme.constraints().items()}
    return nn.tag_scores.Constraints(**arrays)


def _decode(
    scheme: TagScheme,
    scores: TagScores,
    outside_bias: float,
    confidences: bool,
    probabilities: bool,
) -> Decoded:
    """The best tags (N,); at the first token of each entity its probability (N,); the probability
    of each tag (N, tags)."""
    constraints = _constraints(scheme, scores)
    biased = scores.biased(OUTSIDE, outside_bias) if outside_bias else scores
    tags: Any = biased.best(constraints)
    decoded = {"tags": tags}
    if confidences:
        starts, ends, _ = scheme.decode(to_array(tags))
        p = to_array(scores.span_probabilities(tags, starts, ends, constraints))
        decoded["confidences"] = np.zeros(len(tags), dtype="float32")
        decoded["confidences"][starts] = p
    if probabilities:
        decoded["probabilities"] = scores.probabilities(constraints)
    return decoded
