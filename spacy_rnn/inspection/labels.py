"""How annotation is distributed: over labels, or over numbers."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

import numpy as np


@dataclass(frozen=True)
class Counts:
    """Labels in a corpus.

    documents: how many are annotated. counts: how often each label occurs, the most frequent first.
    per_document: how many labels an annotated document has, in the mean.
    """

    documents: int
    counts: Dict[str, int]
    per_document: float


@dataclass(frozen=True)
class Labels:
    """A target with labels.

    train, dev: all labels that the component knows or that the corpus has.
    unseen: those of the dev corpus that the training corpus lacks.
    """

    train: Counts
    dev: Counts
    unseen: List[str]


@dataclass(frozen=True)
class Spread:
    """Numbers of a corpus. documents: how many have one. std: standard deviation."""

    documents: int
    mean: float
    std: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Numbers:
    """A target with numbers; None for a corpus without any."""

    train: Optional[Spread]
    dev: Optional[Spread]


Target = Union[Labels, Numbers]
#: what is annotated in a document, under the name of each target that is annotated there
Annotation = Mapping[str, Sequence[Any]]


def targets(
    train: Sequence[Annotation], dev: Sequence[Annotation], known: Mapping[str, Sequence[str]]
) -> Dict[str, Target]:
    """Each target, from what is annotated in the documents of two corpora.

    known: labels of targets that are listed even if no document has them.
    """
    names = dict.fromkeys([*known, *(name for doc in [*train, *dev] for name in doc)])
    found: Dict[str, Target] = {}
    for name in names:
        of_train, of_dev = ([doc[name] for doc in part if name in doc] for part in (train, dev))
        values = [value for doc in [*of_train, *of_dev] for value in doc]
        if values and not isinstance(values[0], str):
            found[name] = Numbers(_spread(of_train), _spread(of_dev))
        else:
            found[name] = _labels(of_train, of_dev, known.get(name, ()))
    return found


def _labels(
    train: Sequence[Sequence[str]], dev: Sequence[Sequence[str]], known: Sequence[str]
) -> Labels:
    of_train, of_dev = (_counts(docs, known) for docs in (train, dev))
    unseen = [label for label, n in of_dev.counts.items() if n and not of_train.counts.get(label)]
    return Labels(of_train, of_dev, unseen)


def _counts(docs: Sequence[Sequence[str]], known: Sequence[str]) -> Counts:
    counts = Counter({label: 0 for label in known})
    counts.update(label for doc in docs for label in doc)
    return Counts(len(docs), dict(counts.most_common()), counts.total() / max(len(docs), 1))


def _spread(docs: Sequence[Sequence[float]]) -> Optional[Spread]:
    if not docs:
        return None
    values = np.array([value for doc in docs for value in doc])
    return Spread(
        documents=len(docs),
        mean=float(values.mean()),
        std=float(values.std()),
        lowest=float(values.min()),
        highest=float(values.max()),
    )
