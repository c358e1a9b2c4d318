"""Soft labels: the probabilities that a teacher gives to labels, on documents.

They stand in the Doc extension `doc._.soft_labels`, a dict with an entry for each target: "tag",
"pos" and "morph", "ner" for the tags of entities, and "cats" for the labels of the text. An entry
is either a dict {LABEL: probability}, for tokens a list of such dicts, as JSON has it; or
`SoftLabels`, which are smaller.
"""

from __future__ import annotations

import math
import re
import sys
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from spacy.parts_of_speech import IDS as POS_IDS
from spacy.tokens import Doc
from spacy.training import Example

from ..extensions import set_doc_extension
from .alignment import has_same_tokens

#: the name of the extension
SOFT_LABELS = "soft_labels"
#: the target that has one distribution for a text; others have one for each token
TEXT_TARGET = "cats"
TOKEN_TARGETS = ("tag", "pos", "morph", "ner")
#: the tags of entities
TAG = re.compile(r"O|[BILU]-.+", re.DOTALL)
#: how far a sum of probabilities may be from 1, as they are rounded
TOLERANCE = 0.01
#: labels of tokens that are less probable than this, in all of a document, are not stored
LEAST = 1e-4


class SoftLabels(NamedTuple):
    """The probabilities of labels.

    labels (Tuple[str, ...]): The labels.
    probabilities (np.ndarray): Their probabilities, (tokens, labels), or (labels,) of a text.
    share (float): The share of these probabilities in the loss; the rest is that of the annotation.
    temperature (float): The temperature at which they are learned.
    """

    labels: Tuple[str, ...]
    probabilities: np.ndarray
    share: float = 1.0
    temperature: float = 1.0

    def compact(self) -> SoftLabels:
        """Leave out improbable labels of tokens, and round their probabilities to 16 bits."""
        p = self.probabilities
        if p.ndim == 1:
            return self._replace(probabilities=p.astype("float32"))
        kept = np.flatnonzero(p.max(axis=0, initial=0.0) >= LEAST)
        labels = tuple(sys.intern(self.labels[i]) for i in kept.tolist())
        return self._replace(labels=labels, probabilities=p[:, kept].astype("float16"))

    def columns(self, labels: Sequence[str], fill: float = 0.0) -> np.ndarray:
        """The probabilities of other labels.

        labels (Sequence[str]): The labels.
        fill (float): The probability of those that are not there.
        RETURNS (np.ndarray): float32 (tokens, labels) or (labels,).
        """
        p = self.probabilities
        found = np.full((*p.shape[:-1], len(labels)), fill, dtype="float32")
        own = {label: i for i, label in enumerate(self.labels)}
        pairs = [(i, own[label]) for i, label in enumerate(labels) if label in own]
        if pairs:
            to, of = zip(*pairs, strict=True)
            found[..., list(to)] = p[..., list(of)]
        return found


def soft_labels_of(doc: Doc) -> Dict[str, SoftLabels]:
    """Get the soft labels of a document.

    doc (Doc): The document.
    RETURNS (Dict[str, SoftLabels]): Those of each target; none if it has no soft labels.
    RAISES (ValueError): If they are malformed.
    """
    if not Doc.has_extension(SOFT_LABELS):
        # A document that was read may have them even so.
        set_doc_extension(SOFT_LABELS)
    return read_soft_labels(doc._.get(SOFT_LABELS), len(doc))


def set_soft_labels(doc: Doc, found: Mapping[str, SoftLabels]) -> None:
    """Set the soft labels of a document.

    doc (Doc): The document to modify.
    found (Mapping[str, SoftLabels]): Those of each target.
    """
    set_doc_extension(SOFT_LABELS)
    doc._.set(SOFT_LABELS, dict(found) or None)


def read_soft_labels(value: Any, n_tokens: Optional[int]) -> Dict[str, SoftLabels]:
    """Read soft labels in any of their forms. In dicts, the probabilities of a token must sum to 1,
    up to rounding, or be left out.

    value (Any): The dict of all targets, or None.
    n_tokens (Optional[int]): The number of tokens of the document; None if it is not known.
    RETURNS (Dict[str, SoftLabels]): The soft labels of each target.
    RAISES (ValueError): If they are malformed.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not value.keys() <= {*TOKEN_TARGETS, TEXT_TARGET}:
        raise _malformed(f"{value!r:.60} is not a dict of {(*TOKEN_TARGETS, TEXT_TARGET)}")
    found = {}
    for target, entry in value.items():
        soft = _read(entry, target)
        n_values = len(soft.probabilities)
        if target != TEXT_TARGET and n_tokens not in (None, n_values):
            raise _malformed(f"'{target}' has {n_values} values for {n_tokens} tokens")
        found[target] = soft
    return found


def _read(entry: Any, target: str) -> SoftLabels:
    if isinstance(entry, SoftLabels):
        return entry
    if isinstance(entry, (list, tuple)) and len(entry) == len(SoftLabels._fields):
        labels, probabilities, *settings = entry
        if isinstance(probabilities, np.ndarray):
            return SoftLabels(tuple(map(sys.intern, labels)), probabilities, *settings)
    is_text = target == TEXT_TARGET
    rows: List[Any] = [entry] if is_text else entry
    if not isinstance(rows, (list, tuple)) or not all(isinstance(row, Mapping) for row in rows):
        form = "a dict" if is_text else "a list of dicts, one for each token"
        raise _malformed(f"'{target}' must be {form}, with the probability of each label")
    labels = list(dict.fromkeys(label for row in rows for label in row))
    column = {label: i for i, label in enumerate(labels)}
    p = np.zeros((len(rows), len(labels)))
    for values, row in zip(p, rows, strict=True):
        for label, value in row.items():
            if not isinstance(value, (int, float)) or not 0 <= value <= 1:
                raise _malformed(f"'{target}' has {label} = {value!r}, which is not a probability")
            values[column[label]] = value
    if target == "ner":
        for label in labels:
            if not TAG.fullmatch(label):
                raise _malformed(
                    f"'ner' has {label!r}, which is not a tag of the scheme bio or biluo, such as "
                    f"B-PERSON or O"
                )
    unknown = [label for label in labels if target == "pos" and label not in POS_IDS]
    if unknown:
        raise _malformed(f"'pos' has {unknown[0]!r}, which token.pos cannot be")
    names = tuple(map(sys.intern, labels))
    return SoftLabels(names, p[0] if is_text else _normalized(p, target))


def _normalized(p: np.ndarray, target: str) -> np.ndarray:
    """Probabilities of tokens that sum to 1, or to 0 where there are none."""
    sums = p.sum(axis=1, keepdims=True)
    wrong = np.flatnonzero((sums > 0) & (np.abs(sums - 1) > TOLERANCE))
    if len(wrong):
        i = int(wrong[0])
        raise _malformed(
            f"the probabilities of '{target}' of token {i + 1} sum to {sums[i, 0]:.4g}, not to 1"
        )
    found: np.ndarray = p / np.where(sums > 0, sums, 1)
    return found


def _malformed(problem: str) -> ValueError:
    return ValueError(
        f"Soft labels are malformed: {problem}. Write, for each target, the probability of "
        f'each label: {{"tag": [{{"NOUN": 0.9, "VERB": 0.1}}, ...], "cats": {{"GOOD": 0.7}}}}.'
    )


def aligned_tokens(example: Example) -> np.ndarray:
    """Find the gold token of each predicted one.

    example (Example): The example.
    RETURNS (np.ndarray): Its index, int64 (tokens,), -1 where no gold token has just these
        characters.
    """
    n = len(example.predicted)
    if has_same_tokens(example):
        return np.arange(n)
    x2y, y2x = example.alignment.x2y, example.alignment.y2x
    found = np.full(n, -1)
    single = np.flatnonzero(np.asarray(x2y.lengths) == 1)
    gold = np.asarray(x2y.data)[np.asarray(x2y.starts)[single]]
    alone = np.asarray(y2x.lengths)[gold] == 1
    found[single[alone]] = gold[alone]
    return found


def n_unanswered(example: Example) -> int:
    """The number of predicted tokens without an answer, as the teacher has other tokens there; 0 if
    it answers for texts only."""
    names = ("TAG", "POS", "MORPH", "ENT_IOB")
    if not any(map(example.reference.has_annotation, names)):
        return 0
    return int((aligned_tokens(example) < 0).sum())


def average(answers: Sequence[SoftLabels], fill: float = 0.0) -> SoftLabels:
    """The mean of several teachers' probabilities of the same tokens.

    answers (Sequence[SoftLabels]): The probabilities of each teacher.
    fill (float): The probability of a label that a teacher does not have; NaN for the mean of those
        that have it.
    RETURNS (SoftLabels): The means.
    """
    labels = tuple(dict.fromkeys(label for soft in answers for label in soft.labels))
    return SoftLabels(labels, np.nanmean([soft.columns(labels, fill) for soft in answers], axis=0))


def common_temperature(docs: Iterable[Doc], targets: Iterable[str]) -> float:
    """The temperature of soft labels that are learned at once, 1 if there are none.

    RAISES (ValueError): If they have several.
    """
    found = map(soft_labels_of, docs)
    temperatures = {soft[name].temperature for soft in found for name in targets if name in soft}
    if len(temperatures) > 1:
        raise ValueError(
            f"A batch has soft labels of the temperatures {sorted(temperatures)}. Give all of them "
            f"the same one: temperature of spacy_rnn.Distilled.v1."
        )
    return next(iter(temperatures), 1.0)


def tag_scheme_of(tags: Sequence[str]) -> str:
    """The scheme of tags of entities: "biluo" if any ends an entity, else "bio"."""
    return "biluo" if any(tag[:2] in ("L-", "U-") for tag in tags) else "bio"


def as_scheme(soft: SoftLabels, scheme: str) -> SoftLabels:
    """Convert the probabilities of tags of entities to those of another scheme.

    From "biluo" to "bio" they are sums. In the other direction, the probability of the next token
    to continue an entity says how probable it is that one ends here. It is divided between entities
    that begin here and others as these are: nothing else is known from the tags of single tokens.

    soft (SoftLabels): The probabilities of tags.
    scheme (str): "bio" or "biluo".
    RETURNS (SoftLabels): Those of the scheme's tags.
    """
    own = tag_scheme_of(soft.labels)
    if own == scheme or not any("-" in tag for tag in soft.labels):
        return soft
    names = list(dict.fromkeys(tag[2:] for tag in soft.labels if tag != "O"))
    p = {tag: soft.columns([tag]) for tag in ("O", *(f"{x}-{n}" for n in names for x in "BILU"))}
    columns = {"O": p["O"]}
    for name in names:
        begin, inside, last, unit = (p[f"{prefix}-{name}"] for prefix in "BILU")
        if scheme == "bio":
            columns.update({f"B-{name}": begin + unit, f"I-{name}": inside + last})
            continue
        here = begin + inside
        following = np.minimum(np.vstack([inside[1:], np.zeros((1, 1), "float32")]), here)
        on = following / np.where(here > 0, here, 1)
        tags = {"B": begin * on, "I": inside * on, "L": inside * (1 - on), "U": begin * (1 - on)}
        columns.update({f"{prefix}-{name}": values for prefix, values in tags.items()})
    return soft._replace(labels=tuple(columns), probabilities=np.hstack(list(columns.values())))


def one_hot(values: Sequence[Optional[str]]) -> SoftLabels:
    """Probabilities of 1 for the label of each token; rows of 0 for those without one."""
    labels = tuple(dict.fromkeys(value for value in values if value))
    p = np.array([[float(value == label) for label in labels] for value in values])
    return SoftLabels(labels, p.reshape(len(values), len(labels)))


def is_soft(probabilities: np.ndarray) -> bool:
    """Return True if any of probabilities is neither 0 nor 1."""
    return bool(((probabilities > 0) & (probabilities < 1)).any())


def are_exclusive(probabilities: np.ndarray) -> bool:
    """Return True if the probabilities of a text's labels sum to 1, as those of classes do."""
    return math.isclose(float(probabilities.sum()), 1.0, abs_tol=TOLERANCE)
