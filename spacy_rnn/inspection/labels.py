"""Distribution of annotation: of labels, or of numbers."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

import numpy as np


@dataclass(frozen=True)
class LabelCounts:
    """Labels in a corpus.

    documents (int): Number of annotated documents.
    counts (Dict[str, int]): Occurrences of each label, the most frequent first.
    per_document (float): Labels of an annotated document, on average.
    """

    documents: int
    counts: Dict[str, int]
    per_document: float


@dataclass(frozen=True)
class LabelTarget:
    """A target with labels.

    train (LabelCounts): Labels that the component knows or that occur in the training corpus.
    dev (LabelCounts): The same for the dev corpus.
    unseen (List[str]): Labels of the dev corpus that the training corpus does not have.
    """

    train: LabelCounts
    dev: LabelCounts
    unseen: List[str]


@dataclass(frozen=True)
class NumberStats:
    """Numbers in a corpus.

    documents (int): Number of annotated documents.
    mean (float): Mean of the numbers.
    std (float): Their standard deviation.
    lowest (float): The lowest one.
    highest (float): The highest one.
    """

    documents: int
    mean: float
    std: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class NumberTarget:
    """A target with numbers.

    train (Optional[NumberStats]): Numbers of the training corpus; None if it has none.
    dev (Optional[NumberStats]): Numbers of the dev corpus.
    """

    train: Optional[NumberStats]
    dev: Optional[NumberStats]


Target = Union[LabelTarget, NumberTarget]
#: annotation of a document by target, for the targets that are annotated there
Annotation = Mapping[str, Sequence[Any]]


def describe_targets(
    train: Sequence[Annotation], dev: Sequence[Annotation], known: Mapping[str, Sequence[str]]
) -> Dict[str, Target]:
    """Describe each target.

    train (Sequence[Annotation]): Annotation of the documents of the training corpus.
    dev (Sequence[Annotation]): Annotation of the documents of the dev corpus.
    known (Mapping[str, Sequence[str]]): Labels that are listed even if no document has them.
    RETURNS (Dict[str, Target]): The targets by name.
    """
    names = dict.fromkeys([*known, *(name for doc in [*train, *dev] for name in doc)])
    found: Dict[str, Target] = {}
    for name in names:
        of_train, of_dev = ([doc[name] for doc in part if name in doc] for part in (train, dev))
        values = [value for doc in [*of_train, *of_dev] for value in doc]
        if values and not isinstance(values[0], str):
            found[name] = NumberTarget(_spread(of_train), _spread(of_dev))
        else:
            found[name] = _labels(of_train, of_dev, known.get(name, ()))
    return found


def _labels(
    train: Sequence[Sequence[str]], dev: Sequence[Sequence[str]], known: Sequence[str]
) -> LabelTarget:
    of_train, of_dev = (_counts(docs, known) for docs in (train, dev))
    unseen = [label for label, n in of_dev.counts.items() if n and not of_train.counts.get(label)]
    return LabelTarget(of_train, of_dev, unseen)


def _counts(docs: Sequence[Sequence[str]], known: Sequence[str]) -> LabelCounts:
    counts = Counter({label: 0 for label in known})
    counts.update(label for doc in docs for label in doc)
    return LabelCounts(len(docs), dict(counts.most_common()), counts.total() / max(len(docs), 1))


def _spread(docs: Sequence[Sequence[float]]) -> Optional[NumberStats]:
    if not docs:
        return None
    values = np.array([value for doc in docs for value in doc])
    return NumberStats(
        documents=len(docs),
        mean=float(values.mean()),
        std=float(values.std()),
        lowest=float(values.min()),
        highest=float(values.max()),
    )
