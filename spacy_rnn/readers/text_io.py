"""Checks of texts and reports of dropped items, shared by readers."""

import logging
from collections import Counter
from typing import Any

from ..features.normalization import required_text

logger = logging.getLogger("spacy_rnn")

#: the advice for numbers instead of names
NAMES_FOR_NUMBERS = (
    "If numbers stand for names, add the names to the column: in Python, with the library "
    "datasets, dataset.cast_column(COLUMN, Sequence(ClassLabel(names=[...]))).save_to_disk(FOLDER)."
)


class DropCounter:
    """Reports the items that a reader drops, at the end of each pass: as a warning, or at the level
    INFO if the previous pass dropped the same.

    source (Any): The path or name of the data.
    items (str): The name of the items, such as "pairs".
    advice (str): The advice if no item is left.
    """

    def __init__(self, source: Any, items: str, advice: str) -> None:
        self.source = source
        self.items = items
        self.advice = advice
        self._reported: Counter[str] = Counter()

    def report(self, kept: int, dropped: Counter[str]) -> None:
        """Log the number of items that a pass dropped, by reason.

        kept (int): The number of items that were kept.
        dropped (Counter[str]): The number of items that were dropped, by reason.
        RAISES (ValueError): If no item was kept.
        """
        n_items = kept + dropped.total()
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
        if not kept:
            raise ValueError(
                f"{self.source} has no {self.items} to learn from: {n_items} were read"
                + (f", all of them dropped: {reasons}. " if reasons else ". ")
                + self.advice
            )
        if dropped:
            level = logging.INFO if dropped == self._reported else logging.WARNING
            message = "%s: %d of %d %s are dropped: %s."
            logger.log(level, message, self.source, dropped.total(), n_items, self.items, reasons)
            self._reported = dropped


def checked_text(text: Any, where: str) -> str:
    """Check a text, which may be missing.

    text (Any): The text; None for a missing one.
    where (str): The place of the text, for messages.
    RETURNS (str): The text, "" if it is missing.
    RAISES (ValueError): If it is not a valid string.
    """
    return "" if text is None else required_text(text, where)
