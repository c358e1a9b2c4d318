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


def text_width(text: str) -> float:
    """Estimate the width of a text in a sans-serif font, in font sizes: rather too much, because
    fonts differ."""
    return sum(_font_width(c) for c in text)


def _font_width(character: str) -> float:
    columns = _width(character)
    if columns != 1:
        return columns * 0.6
    if character in "ijl.,:;!|'´`()[] ":
        return 0.4
    if character in "mwMW%@…—":
        return 1.05
    return 0.8 if character.isupper() or not character.isascii() else 0.66
