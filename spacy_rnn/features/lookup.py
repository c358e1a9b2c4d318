"""Look-up of words among those that have a pretrained vector."""

from __future__ import annotations

import re
from collections import Counter
from typing import Iterable, Mapping, NamedTuple, Optional

import numpy as np

#: the ways in which a word is found
EXACT, LOWER, DIGITS, SUBWORDS = "exact", "lower", "digits", "subwords"
#: number of variants that a word is looked up as, at most
MAX_VARIANTS = 6
_DIGIT = re.compile(r"\d")


class VectorTable(NamedTuple):
    """Pretrained vectors.

    keys (list[str]): Words, or character n-grams.
    vectors (np.ndarray): One row for each key, float32 (keys, width).
    by_ngrams (bool): The keys are n-grams; the vector of a word is the mean of those of its
        n-grams.
    """

    keys: list[str]
    vectors: np.ndarray
    by_ngrams: bool = False


def variants(word: str) -> dict[str, str]:
    """Return the strings that a word is looked up as, in this order, each with the name of the
    way: the word as it is, in lower case, and both with each digit as "0", then as "#"."""
    lower = word.lower()
    found = {word: EXACT}
    found.setdefault(lower, LOWER)
    for digit in "0#":
        for form in (word, lower):
            found.setdefault(_DIGIT.sub(digit, form), DIGITS)
    return found


def ngrams(word: str) -> list[str]:
    """Return the keys of a word's n-grams of 2 to 4 characters, its ends included, as in the
    charNgram vectors (Hashimoto et al. 2017, "A joint many-task model", section 2.1)."""
    characters = ["#BEGIN#", *word, "#END#"]
    return [
        f"{n}gram-{''.join(characters[start : start + n])}"
        for n in (2, 3, 4)
        for start in range(len(characters) - n + 1)
    ]


class VectorCoverage(NamedTuple):
    """Words and tokens of the training data that have a vector.

    n_words (int): Number of distinct words.
    n_tokens (int): Number of tokens.
    words (Mapping[str, int]): Number of distinct words that were found, by way.
    tokens (Mapping[str, int]): Number of tokens that were found, by way.
    """

    n_words: int = 0
    n_tokens: int = 0
    words: Mapping[str, int] = {}
    tokens: Mapping[str, int] = {}

    @classmethod
    def of(cls, counts: Counter[str], ways: Iterable[Optional[str]]) -> VectorCoverage:
        """Count the words that were found.

        counts (Counter[str]): The number of times each word occurs.
        ways (Iterable[Optional[str]]): The way in which each of these words was found, or None.
        """
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
