"""Printable labels and titles, and their width on a screen."""

import unicodedata

LONGEST = 30  # characters of a label
#: format characters that shape their neighbors in Persian, scripts of India and emoji
JOINERS = "\u200c\u200d"


def printable(text: str) -> str:
    """Escape characters that cannot be printed, such as line breaks, control characters and halves
    of surrogate pairs. XML does not allow some of them, and terminals interpret some."""
    return "".join(
        c if c.isprintable() or c in JOINERS else c.encode("unicode_escape").decode() for c in text
    )


def shorten(label: str) -> str:
    """Make a label printable, and cut it if it is long."""
    label = printable(label)
    return label if len(label) <= LONGEST else label[: LONGEST - 1] + "…"


def display_width(text: str) -> int:
    """Estimate the width of a text in columns of a terminal."""
    return sum(_width(c) for c in text)


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
