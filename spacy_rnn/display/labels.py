"""Labels and titles as they are written on a screen."""

import unicodedata

LONGEST = 30  # characters of a label
#: Format characters that shape their neighbors, in Persian, scripts of India and emoji.
JOINERS = "\u200c\u200d"


def printable(text: str) -> str:
    """Text with escapes for all that has no shape of its own, such as line breaks, control
    characters and halves of surrogate pairs: XML does not allow some, and terminals obey some."""
    return "".join(
        c if c.isprintable() or c in JOINERS else c.encode("unicode_escape").decode() for c in text
    )


def short(label: str) -> str:
    """A label that can be printed, cut where it is long."""
    label = printable(label)
    return label if len(label) <= LONGEST else label[: LONGEST - 1] + "…"


def width(text: str) -> int:
    """About how wide a text is, in columns of a terminal."""
    return sum(_width(c) for c in text)


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
