"""How words are found among those that have a pretrained vector."""

from __future__ import annotations

import re
from collections import Counter
from typing import Iterable, Mapping, NamedTuple, Optional

import numpy as np

#: the ways in which a word is found
EXACT, LOWER, DIGITS, SUBWORDS = "exact", "lower", "digits", "subwords"
#: how many things a word is looked up as at most
MAX_VARIANTS = 6
_DIGIT = re.compile(r"\d")


class Table(NamedTuple):
    """Pretrained vectors.

    keys: words, or with `by_ngrams` character n-grams, of whose vectors a word's is the mean.
    vectors: float32 (keys, width).
    """

    keys: list[str]
    vectors: np.ndarray
    by_ngrams: bool = False


def variants(word: str) -> dict[str, str]:
    """What a word is looked up as, in this order, each with the way it is called: as it is, in
    lower case, and both with each digit as "0", then as "#"."""
    lower = word.lower()
    found = {word: EXACT}
    found.setdefault(lower, LOWER)
    for digit in "0#":
        for form in (word, lower):
            found.setdefault(_DIGIT.sub(digit, form), DIGITS)
    return found


def ngrams(word: str) -> list[str]:
    """The keys of a word's n-grams of 2 to 4 characters, its ends included, as the charNgram
    vectors have them (Hashimoto et al. 2017, "A joint many-task model", section 2.1)."""
    characters = ["#BEGIN#", *word, "#END#"]
    return [
        f"{n}gram-{''.join(characters[start : start + n])}"
        for n in (2, 3, 4)
        for start in range(len(characters) - n + 1)
    ]


class Coverage(NamedTuple):
    """How many words and tokens of the training data have a vector.

    n_words, n_tokens: how many there are.
    words, tokens: how many were found, by the way in which.
    """

    n_words: int = 0
    n_tokens: int = 0
    words: Mapping[str, int] = {}
    tokens: Mapping[str, int] = {}

    @classmethod
    def of(cls, counts: Counter[str], ways: Iterable[Optional[str]]) -> Coverage:
        """ways: how each of the counted words was found; None if it was not."""
        words: Counter[str] = Counter()
        tokens: Counter[str] = Counter()
        for n, way in zip(counts.values(), ways, strict=True):
            if way is not None:
                words[way] += 1
                tokens[way] += n
        return cls(len(counts), counts.total(), dict(words), dict(tokens))

    @property
    def of_words(self) -> float:
        """The share of words that have a vector."""
        return _share(sum(self.words.values()), self.n_words)

    @property
    def of_tokens(self) -> float:
        """The share of tokens that have a vector."""
        return _share(sum(self.tokens.values()), self.n_tokens)

    def __str__(self) -> str:
        ways = [
            f"{way} {_share(self.words[way], self.n_words):.1%}"
            for way in (EXACT, LOWER, DIGITS, SUBWORDS)
            if way in self.words
        ]
        return (
            f"{self.of_words:.1%} of {self.n_words:,} words and {self.of_tokens:.1%} of "
            f"{self.n_tokens:,} tokens have a vector" + (f" ({', '.join(ways)})" if ways else "")
        )


def _share(part: int, whole: int) -> float:
    return part / max(whole, 1)
