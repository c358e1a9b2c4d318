"""Facts of a component for reports on a corpus and on memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, NamedTuple, Optional


class ExampleStats(NamedTuple):
    """The contents of an example as a component sees them, for reports on a corpus.

    words (Dict[str, List[str]]): The words of each input: `TEXT`, or the sides of a pair.
    labels (Dict[str, List[Any]]): For each annotated target its labels, each as often as it is
        annotated, or its numbers.
    unusable (Dict[str, int]): How many annotations can be neither learned nor predicted, by reason.
    """

    words: Dict[str, List[str]]
    labels: Dict[str, List[Any]] = {}
    unusable: Dict[str, int] = {}


@dataclass(frozen=True)
class ReadLimits:
    """Limits on what a component reads, in tokens; None for no limit.

    batch (int): At once in prediction, padding included.
    window (Optional[int]): Of one document at once in prediction.
    max_length (Optional[int]): Of one document; the rest is left out.
    step (Optional[int]): Units at once in training, independent of the batch.
    """

    batch: int
    window: Optional[int] = None
    max_length: Optional[int] = None
    step: Optional[int] = None
