"""Confidences from which the labels of a component have a wanted precision or recall."""

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, DefaultDict, Dict, List, Optional, Sequence, Tuple

import numpy as np
from spacy.language import Language
from spacy.training import Example

from ..architectures.entities import Entities
from ..pipeline.annotation import aligned_values
from ..pipeline.ner import RNNEntityRecognizer
from ..pipeline.tagger import ATTRIBUTES, RNNTagger
from ..pipeline.textcat import RNNTextCategorizer
from ..validation import probability
from .component import components_before

#: the standard normal quantile of an interval at 95 %
Z = 1.959964

Interval = Tuple[float, float]


@dataclass
class Judged:
    """Predictions that were compared with gold labels.

    confidences (List[float]): The probability of each.
    correct (List[bool]): True for those that are right.
    labels (List[str]): The label of each.
    gold (List[str]): The labels that there are to find.
    """

    confidences: List[float] = field(default_factory=list)
    correct: List[bool] = field(default_factory=list)
    labels: List[str] = field(default_factory=list)
    gold: List[str] = field(default_factory=list)

    def add(self, label: str, confidence: float, correct: bool) -> None:
        """Add a prediction."""
        self.labels.append(label)
        self.confidences.append(confidence)
        self.correct.append(correct)

    def by_label(self) -> Dict[str, "Judged"]:
        """The predictions and gold labels of each label, sorted by name."""
        found = {label: Judged() for label in sorted({*self.labels, *self.gold})}
        for each in zip(self.labels, self.confidences, self.correct, strict=True):
            found[each[0]].add(*each)
        for label in self.gold:
            found[label].gold.append(label)
        return found


@dataclass(frozen=True)
class Threshold:
    """A confidence from which on predictions are taken, and what follows from it.

    threshold (Optional[float]): The confidence; None if there are no predictions.
    reached (bool): True if the predictions have what is wanted. If not, the threshold is the one
        that comes closest.
    predictions (int), correct (int), gold (int): The number of predictions that are taken, of the
        right ones among them, and of gold labels.
    precision (float), recall (float): Shares of them.
    precision_interval (Tuple[float, float]), recall_interval (Tuple[float, float]): The Wilson
        score intervals of both at 95 % (Wilson 1927).
    """

    threshold: Optional[float]
    reached: bool
    predictions: int
    correct: int
    gold: int
    precision: float
    recall: float
    precision_interval: Interval
    recall_interval: Interval


def find_threshold(
    judged: Judged, *, precision: Optional[float] = None, recall: Optional[float] = None
) -> Threshold:
    """Find the lowest confidence from which on predictions have a precision, so that as many of
    them as possible are taken; or the highest one with a recall.

    judged (Judged): The predictions.
    precision (Optional[float]), recall (Optional[float]): What is wanted; one of the two.
    RETURNS (Threshold): The confidence.
    """
    if (precision is None) == (recall is None):
        raise ValueError("Give either the wanted precision or the wanted recall.")
    wanted = {"recall": recall} if precision is None else {"precision": precision}
    probability(**{name: value for name, value in wanted.items() if value is not None})
    confidences = np.array(judged.confidences)
    order = np.argsort(-confidences, kind="stable")
    confidences = confidences[order]
    correct = np.cumsum(np.array(judged.correct, dtype=int)[order])
    # Predictions of the same confidence are taken together.
    cuts = np.flatnonzero(np.append(confidences[1:] < confidences[:-1], True)[: len(order)])
    n_gold = len(judged.gold)
    if not len(cuts):
        return _threshold(None, False, 0, 0, n_gold)
    of_taken = correct[cuts] / (cuts + 1)
    of_gold = correct[cuts] / max(n_gold, 1)
    if precision is not None:
        good = np.flatnonzero(of_taken >= precision)
        # Of several that come equally close, the one with the highest recall.
        closest = len(cuts) - 1 - of_taken[::-1].argmax()
        place = good[-1] if len(good) else closest
    else:
        good = np.flatnonzero(of_gold >= (recall or 0.0))
        place = good[0] if len(good) else of_gold.argmax()
    cut = cuts[place]
    below = confidences[cut + 1] if cut + 1 < len(confidences) else -1.0
    value = _shortest_between(float(below), float(confidences[cut]))
    return _threshold(value, bool(len(good)), int(cut) + 1, int(correct[cut]), n_gold)


def _threshold(
    value: Optional[float], reached: bool, taken: int, correct: int, gold: int
) -> Threshold:
    shares = correct / taken if taken else 0.0, correct / gold if gold else 0.0
    intervals = wilson_interval(correct, taken), wilson_interval(correct, gold)
    return Threshold(value, reached, taken, correct, gold, *shares, *intervals)


def _shortest_between(below: float, highest: float) -> float:
    """The decimal fraction with the fewest digits, but two, above a number and up to another."""
    for digits in range(2, 16):
        found = math.floor(highest * 10**digits) / 10**digits
        if below < found <= highest:
            return found
    return highest


def wilson_interval(n: int, total: int, z: float = Z) -> Interval:
    """Compute the Wilson score interval of a share.

    n (int): The number of successes.
    total (int): The number of trials.
    z (float): The standard normal quantile.
    RETURNS (Tuple[float, float]): Both ends; 0 and 1 without trials.
    """
    if not total:
        return 0.0, 1.0
    p, scale = n / total, 1 + z**2 / total
    center = (p + z**2 / (2 * total)) / scale
    half = z / scale * math.sqrt(p * (1 - p) / total + z**2 / (4 * total**2))
    return max(0.0, center - half), min(1.0, center + half)


def judge(
    nlp: Language, name: str, examples: Sequence[Example], batch_size: Optional[int] = None
) -> Dict[str, Judged]:
    """Compare the predictions of a component with gold labels. Where there is no annotation,
    predictions are neither right nor wrong and left out.

    nlp (Language): The pipeline. Components after the one in question do not run.
    name (str): The name of the component: a tagger, an entity recognizer or a text classifier.
    examples (Sequence[Example]): The examples, whose predicted docs are modified.
    batch_size (Optional[int]): The number of docs in a batch.
    RETURNS (Dict[str, Judged]): The predictions by what is predicted: the targets of a tagger,
        "ents" or "cats".
    """
    pipe: Any = nlp.get_pipe(name)
    with components_before(nlp, name):
        docs = list(nlp.pipe((eg.predicted for eg in examples), batch_size=batch_size))
    for eg, doc in zip(examples, docs, strict=True):
        eg.predicted = doc
    found: DefaultDict[str, Judged] = defaultdict(Judged)
    if isinstance(pipe, RNNTagger):
        for eg, p in zip(examples, pipe.predict_probabilities(docs), strict=True):
            for target in p:
                _judge_tokens(found[target], pipe, eg, target, p[target])
    elif isinstance(pipe, RNNEntityRecognizer):
        for eg, entities in zip(examples, pipe.predict_confidences(docs), strict=True):
            _judge_entities(found["ents"], pipe, eg, entities)
    else:
        exclusive = isinstance(pipe, RNNTextCategorizer)
        for eg, scores in zip(examples, pipe.predict(docs).scores.tolist(), strict=True):
            _judge_text(found["cats"], pipe.labels, eg, scores, exclusive)
    return dict(found)


def _judge_tokens(judged: Judged, pipe: RNNTagger, eg: Example, target: str, p: Any) -> None:
    labels, strings = pipe.labels_of(target), eg.reference.vocab.strings
    gold = aligned_values(eg, ATTRIBUTES[target]).tolist()
    for value, best, confidence in zip(gold, p.argmax(1).tolist(), p.max(1).tolist(), strict=True):
        if value:
            judged.gold.append(strings[value])
            judged.add(labels[best], confidence, labels[best] == strings[value])


def _judge_entities(
    judged: Judged, pipe: RNNEntityRecognizer, eg: Example, entities: Entities
) -> None:
    """Compare entities as spaCy's scorer does."""
    doc = eg.reference
    if not doc.has_annotation("ENT_IOB"):
        return
    gold = {(ent.label_, ent.start, ent.end) for ent in doc.ents}
    judged.gold += sorted(label for label, _, _ in gold)
    tokens = eg.alignment.x2y
    columns: Any = (entities.starts, entities.ends, entities.labels, entities.confidences)
    for start, end, number, confidence in zip(*(c.tolist() for c in columns), strict=True):
        aligned = tokens[start:end].tolist()
        if aligned and all(doc[i].ent_iob for i in range(aligned[0], aligned[-1] + 1)):
            label = pipe.labels[number]
            judged.add(label, confidence, (label, aligned[0], aligned[-1] + 1) in gold)


def _judge_text(
    judged: Judged, labels: Sequence[str], eg: Example, scores: List[float], exclusive: bool
) -> None:
    cats = eg.reference.cats
    positive = [label for label, value in cats.items() if value > 0.5]
    judged.gold += positive
    pairs = list(zip(labels, scores, strict=True))
    if exclusive:
        pairs = [max(pairs, key=lambda pair: pair[1])]
    for label, confidence in pairs:
        # A text of one class is known to be of no other one.
        if label in cats or (exclusive and positive):
            judged.add(label, confidence, label in positive)
