"""Normalization of texts: one kind of whitespace, no control characters, composed accents."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Iterable, Iterator

import numpy as np

#: A zero-width space separates words, too; str.isspace does not count it.
_ZERO_WIDTH_SPACE = "\u200b"
_WORDS = re.compile(rf"[^\s{_ZERO_WIDTH_SPACE}]+")
#: Control characters and other invisible ones without meaning for the text: soft hyphens, marks of
#: the direction of writing, word joiners, byte-order marks. Joiners of letters are kept, because
#: some scripts spell words with them.
_CONTROLS = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)


def normalize(text: str, nfc: bool = True) -> str:
    """Return a text without control characters, with one space for each run of whitespace and none
    at its ends.

    text (str): The text.
    nfc (bool): Compose characters (Unicode's normalization form C), such as e and an accent.
    """
    text = " ".join(_WORDS.findall(_CONTROLS.sub("", text)))
    return unicodedata.normalize("NFC", text) if nfc else text


def origins(text: str, nfc: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return the places in a text that the characters of `normalize(text, nfc)` come from: starts
    and ends, int64 (characters,)."""
    kept = [i for i, character in enumerate(text) if not _CONTROLS.match(character)]
    cleaned = "".join(text[i] for i in kept)
    spans: list[tuple[int, int]] = []
    for word in _WORDS.finditer(cleaned):
        first = word.start()
        if spans:
            spans.append((spans[-1][1], kept[first]))
        for part in _composed(word[0]) if nfc else word[0]:
            span = kept[first], kept[first + len(part) - 1] + 1
            n_characters = len(unicodedata.normalize("NFC", part)) if nfc else 1
            spans += [span] * n_characters
            first += len(part)
    starts, ends = np.array(spans, dtype="int64").reshape(-1, 2).T.copy()
    return starts, ends


def required_text(text: Any, where: str) -> str:
    """Return a text if it is a string of whole characters.

    text (Any): The text.
    where (str): Name of the text in the error.
    RAISES (ValueError): If it is not a string, or holds half of a surrogate pair.
    """
    if not isinstance(text, str):
        raise ValueError(f"{where}: {text!r} is not a string. Each text must be a string.")
    try:
        text.encode("utf8")
    except UnicodeEncodeError as error:
        excerpt = text[max(error.start - 20, 0) : error.start + 20]
        raise ValueError(
            f"{where}: {excerpt!r} has half of a surrogate pair. Write the whole character, or "
            f"repair the text: text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')."
        ) from error
    return text


def required_texts(texts: Iterable[Any], what: str = "Text") -> Iterator[str]:
    """Check each text of a list; see `required_text`.

    texts (Iterable[Any]): The texts.
    what (str): Names them in errors.
    YIELDS (str): The texts.
    RAISES (ValueError): If one is not a string of whole characters, or if `texts` is itself one.
    """
    if isinstance(texts, str):
        raise ValueError(
            f"One {what.lower()} was given instead of a list of {what.lower()}s. Put it into a "
            f"list: [{texts[:40]!r}]."
        )
    for i, text in enumerate(texts, 1):
        yield required_text(text, f"{what} {i}")


def _composed(word: str) -> Iterator[str]:
    """Yield the parts of a word that are composed separately."""
    part = ""
    for character in word:
        if part and not unicodedata.combining(character):
            alone = [unicodedata.normalize("NFC", each) for each in (part, character)]
            if unicodedata.normalize("NFC", part + character) == "".join(alone):
                yield part
                part = ""
        part += character
    if part:
        yield part
