"""What readers have in common."""

import logging
from collections import Counter
from typing import Any

from ..features.normalization import required_text

logger = logging.getLogger("spacy_rnn")

#: what to do where numbers stand for names
NAMES_FOR_NUMBERS = (
    "If numbers stand for names, give the column these: in Python, with the library datasets, "
    "dataset.cast_column(COLUMN, Sequence(ClassLabel(names=[...]))).save_to_disk(FOLDER)."
)


class Drops:
    """Counts what a reader drops, and reports it at the end of each pass: as a warning, or as
    information where the pass before dropped the same.

    source (Any): The path or name of the data.
    items (str): What it consists of, such as "pairs".
    cure (str): What to do if nothing is left.
    """

    def __init__(self, source: Any, items: str, cure: str) -> None:
        self.source = source
        self.items = items
        self.cure = cure
        self._reported: Counter[str] = Counter()

    def report(self, kept: int, dropped: Counter[str]) -> None:
        """Log how many items a pass dropped, by reason. Raises a ValueError if it kept none."""
        n_items = kept + dropped.total()
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
        if not kept:
            raise ValueError(
                f"{self.source} has no {self.items} to learn from: {n_items} were read"
                + (f", all of them dropped: {reasons}. " if reasons else ". ")
                + self.cure
            )
        if dropped:
            level = logging.INFO if dropped == self._reported else logging.WARNING
            message = "%s: %d of %d %s are dropped: %s."
            logger.log(level, message, self.source, dropped.total(), n_items, self.items, reasons)
            self._reported = dropped


def checked_text(text: Any, where: str) -> str:
    """A text as `required_text` has it; None is an empty one."""
    return "" if text is None else required_text(text, where)
