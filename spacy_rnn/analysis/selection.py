"""The choice of texts to label: uncertain ones that differ from each other."""

import heapq
from dataclasses import dataclass, field
from typing import Dict, Iterable, Iterator, List, NamedTuple, Tuple

import numpy as np

from ..validation import at_least, probability

#: for each text to choose the number of the most uncertain ones that are compared
CANDIDATES = 10
#: characters of the parts by which texts are compared
N_GRAM = 4
#: the number of hash functions; similarities are exact to about 0.04
N_HASHES = 128


class Choice(NamedTuple):
    """A text that was chosen.

    text (str): The text.
    uncertainty (float): How uncertain the component is about it.
    """

    text: str
    uncertainty: float


@dataclass
class Selection:
    """The texts that were chosen.

    choices (List[Choice]): The texts, the most uncertain first.
    texts (int): The number of texts that were read.
    empty (int), too_long (int): The numbers of those without tokens, and of those that are longer
        than the pipeline reads.
    near_copies (int): The number of uncertain texts that are too similar to a chosen one.
    """

    choices: List[Choice] = field(default_factory=list)
    texts: int = 0
    empty: int = 0
    too_long: int = 0
    near_copies: int = 0

    def usable(self, texts: Iterable[str], max_length: int) -> Iterator[str]:
        """Count texts, and leave out those that cannot be labeled.

        texts (Iterable[str]): The texts.
        max_length (int): The number of characters that the pipeline reads.
        YIELDS (str): The others.
        """
        for text in texts:
            self.texts += 1
            if not text.strip():
                self.empty += 1
            elif len(text) > max_length:
                self.too_long += 1
            else:
                yield text

    def choose(
        self, texts: Iterable[Tuple[str, float]], n: int, max_similarity: float = 0.6
    ) -> None:
        """Choose the most uncertain texts, one after the other, and leave out those that are too
        similar to one that is chosen. Only `CANDIDATES` times as many texts as are to be chosen are
        kept in memory.

        texts (Iterable[Tuple[str, float]]): The texts with their uncertainty. Of those that only
            differ in case and white space, one can be chosen.
        n (int): The number of texts to choose; fewer if there are not as many.
        max_similarity (float): The Jaccard similarity of the `N_GRAM`-grams of two texts up to
            which both can be chosen.
        """
        at_least(1, n=n)
        probability(max_similarity=max_similarity)
        candidates = _most_uncertain(texts, CANDIDATES * n)
        signatures = np.zeros((min(n, len(candidates)), N_HASHES), dtype="uint32")
        for key, choice in candidates:
            n_chosen = len(self.choices)
            if n_chosen == n:
                return
            signature = minhash(key)
            similarities = (signatures[:n_chosen] == signature).mean(axis=1)
            if similarities.max(initial=0) > max_similarity:
                self.near_copies += 1
                continue
            signatures[n_chosen] = signature
            self.choices.append(choice)


def _most_uncertain(texts: Iterable[Tuple[str, float]], n: int) -> List[Tuple[str, Choice]]:
    """The most uncertain texts that differ, with what they are compared by, most uncertain first;
    of equally uncertain ones the first."""
    held: Dict[str, Choice] = {}
    heap: List[Tuple[float, int, str]] = []
    for i, (text, uncertainty) in enumerate(texts):
        if len(heap) == n and uncertainty <= heap[0][0]:
            continue
        key = " ".join(text.casefold().split())
        if key in held:
            continue
        held[key] = Choice(text, uncertainty)
        if len(heap) < n:
            heapq.heappush(heap, (uncertainty, -i, key))
        else:
            del held[heapq.heapreplace(heap, (uncertainty, -i, key))[2]]
    return [(key, held[key]) for _, _, key in sorted(heap, reverse=True)]


#: the factors and summands of the hash functions
_RNG = np.random.default_rng(0)
_FACTORS = _RNG.integers(1, 2**63, N_HASHES, dtype="uint64") * np.uint64(2) + np.uint64(1)
_SUMMANDS = _RNG.integers(0, 2**63, N_HASHES, dtype="uint64")


def minhash(text: str) -> np.ndarray:
    """Compute the signature of a text: the share of equal places in two signatures estimates the
    Jaccard similarity of the sets of their `N_GRAM`-grams (Broder 1997).

    text (str): The text.
    RETURNS (np.ndarray): The signature, uint32 (N_HASHES,).
    """
    characters = np.frombuffer(f" {text} ".ljust(N_GRAM).encode("utf-32-le"), dtype="uint32")
    n = len(characters) - N_GRAM + 1
    hashes = np.zeros(n, dtype="uint64")
    for i in range(N_GRAM):
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + characters[i : i + n] + np.uint64(1)
    # So that all bits of a number depend on all characters.
    hashes ^= hashes >> np.uint64(32)
    hashes = np.unique(hashes)
    return np.array(
        [
            ((hashes * factor + summand) >> np.uint64(32)).min()
            for factor, summand in zip(_FACTORS, _SUMMANDS, strict=True)
        ],
        dtype="uint32",
    )
