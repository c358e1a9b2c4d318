"""Sampled segmentations of texts, by the algorithms of SentencePiece (Kudo 2018, section 3.2;
Provilkov et al. 2020, algorithm 1).

SentencePiece samples too, but since version 0.2.3 differently in each process, whatever its seed,
so that no training could be repeated.
"""

from __future__ import annotations

import heapq
import math
import random
import struct
from bisect import bisect
from functools import lru_cache
from itertools import accumulate
from typing import Callable, Dict, List, NamedTuple, Tuple

from .protobuf import fields

#: what SentencePiece writes for a space
SPACE = "▁"
#: SentencePiece.Type of sentencepiece_model.proto
_NORMAL, _UNKNOWN, _USER_DEFINED, _BYTE = 1, 2, 4, 6
#: as in SentencePiece: how much less probable an unknown character is than the rarest piece
_UNKNOWN_PENALTY = 10.0
#: words of which the segmentations are kept
_MAX_WORDS = 20_000


class PieceScores(NamedTuple):
    """The pieces of a model that a text can be made of.

    normal (Dict[str, Tuple[int, float]]): The id and score of each piece.
    user_defined (Dict[str, Tuple[int, float]]): Those that are never split, such as markup.
    byte_ids (List[int]): The ids of the 256 bytes, if unknown characters are spelled by them.
    unk (int): The id of what is unknown.
    """

    normal: Dict[str, Tuple[int, float]]
    user_defined: Dict[str, Tuple[int, float]]
    byte_ids: List[int]
    unk: int

    @classmethod
    def from_proto(cls, proto: bytes) -> PieceScores:
        """Read them from a model.

        proto (bytes): The model.
        RETURNS (PieceScores): The pieces.
        """
        normal, user_defined, byte_ids, unk = {}, {}, [], 0
        pieces = (dict(fields(value)) for number, value in fields(proto) if number == 1)
        for i, piece in enumerate(pieces):
            text, kind = piece[1].decode(), piece.get(3, _NORMAL)
            (score,) = struct.unpack("<f", piece.get(2, bytes(4)))
            if kind == _NORMAL:
                normal[text] = (i, score)
            elif kind == _USER_DEFINED:
                user_defined[text] = (i, score)
            elif kind == _BYTE:
                byte_ids.append(i)
            elif kind == _UNKNOWN:
                unk = i
        return cls(normal, user_defined, byte_ids, unk)


class SubwordSampler:
    """Samples the pieces of normalized texts.

    model_type (str): "unigram" or "bpe".
    scores (PieceScores): The pieces.
    alpha (float): See `SubwordModel.sample`.
    """

    def __init__(self, model_type: str, scores: PieceScores, alpha: float):
        self.scores = scores
        self.alpha = alpha
        self._table = {**scores.normal, **_never_split(scores)}
        self._lattice = lru_cache(_MAX_WORDS)(self._make_lattice)
        self._sample_word = self._sample_unigram if model_type == "unigram" else self._sample_bpe
        rarest = min((score for _, score in scores.normal.values()), default=0.0)
        self._unknown_score = rarest - _UNKNOWN_PENALTY
        self._longest = max(map(len, self._table), default=1)
        self._has_phrases = any(SPACE in piece[1:] for piece in self._table)

    def sample(self, text: str, rng: random.Random) -> List[int]:
        """Sample the pieces of a text.

        text (str): The text as SentencePiece normalizes it.
        rng (random.Random): The generator.
        RETURNS (List[int]): The ids.
        """
        found: List[int] = []
        unknown_before = False
        for word in self._split(text):
            for piece in self._sample_word(word, rng.random):
                i, _ = self._table.get(piece, (self.scores.unk, 0.0))
                unknown = i == self.scores.unk
                if unknown and self.scores.byte_ids:
                    found.extend(self.scores.byte_ids[byte] for byte in piece.encode())
                # What is unknown in a row is one piece.
                elif not (unknown and unknown_before):
                    found.append(i)
                unknown_before = unknown
        return found

    def _split(self, text: str) -> List[str]:
        """The words of a text, or all of it if some pieces contain several words."""
        if self._has_phrases:
            return [text]
        first, *rest = text.split(SPACE)
        return [word for word in (first, *(SPACE + word for word in rest)) if word]

    def _sample_unigram(self, word: str, uniform: Callable[[], float]) -> List[str]:
        """Sample by the probability of the whole segmentation to the power of alpha, from its end:
        forward filtering, backward sampling."""
        lattice = self._lattice(word)
        pieces: List[str] = []
        end = len(word)
        while end:
            starts, cumulated = lattice[end]
            start = starts[min(bisect(cumulated, uniform()), len(starts) - 1)]
            pieces.append(word[start:end])
            end = start
        return pieces[::-1]

    def _make_lattice(self, word: str) -> List[Tuple[List[int], List[float]]]:
        """For each end of a piece the possible starts, with their cumulated probabilities given
        what precedes."""
        forward = [0.0]
        lattice: List[Tuple[List[int], List[float]]] = [([], [])]
        for end in range(1, len(word) + 1):
            starts, weights = [], []
            for start in range(max(0, end - self._longest), end):
                _, score = self._table.get(word[start:end], (0, None))
                if score is None and start == end - 1:
                    score = self._unknown_score
                if score is not None:
                    starts.append(start)
                    weights.append(forward[start] + self.alpha * score)
            largest = max(weights)
            shares = [math.exp(weight - largest) for weight in weights]
            total = sum(shares)
            forward.append(largest + math.log(total))
            lattice.append((starts, list(accumulate(share / total for share in shares))))
        return lattice

    def _sample_bpe(self, word: str, uniform: Callable[[], float]) -> List[str]:
        """Merge the pair with the highest score, again and again; each merge is left out with
        probability alpha."""
        symbols, fixed = self._symbols(word)
        # Neighbors of each symbol; a merged pair stays in the place of its left one.
        before = list(range(-1, len(symbols) - 1))
        after = [*range(1, len(symbols)), -1]
        agenda: List[Tuple[float, int, int, str]] = []

        def add(left: int, right: int) -> None:
            if left >= 0 and right >= 0 and not (fixed[left] or fixed[right]):
                merged = symbols[left] + symbols[right]
                if merged in self.scores.normal:
                    score = self.scores.normal[merged][1]
                    heapq.heappush(agenda, (-score, left, right, merged))

        for left in range(len(symbols) - 1):
            add(left, left + 1)
        while agenda:
            _, left, right, merged = heapq.heappop(agenda)
            # One of the pair may have been merged with another.
            if after[left] != right or symbols[left] + symbols[right] != merged:
                continue
            if uniform() < self.alpha:
                continue
            symbols[left], symbols[right] = merged, ""
            after[left], after[right] = after[right], -1
            if after[left] >= 0:
                before[after[left]] = left
            add(before[left], left)
            add(left, after[left])
        return [symbol for symbol in symbols if symbol]

    def _symbols(self, word: str) -> Tuple[List[str], List[bool]]:
        """The characters of a word, or pieces that are never split; and which are such pieces."""
        symbols: List[str] = []
        fixed: List[bool] = []
        start = 0
        while start < len(word):
            longest_first = range(min(len(word), start + self._longest), start, -1)
            candidates = (word[start:end] for end in longest_first)
            whole = next((c for c in candidates if c in self.scores.user_defined), "")
            symbols.append(whole or word[start])
            fixed.append(bool(whole))
            start += len(symbols[-1])
        return symbols, fixed


def _never_split(scores: PieceScores) -> Dict[str, Tuple[int, float]]:
    """The user-defined pieces with the scores that SentencePiece gives them: better than those of
    any pieces in their place."""
    best = max((score for _, score in scores.normal.values()), default=0.0)
    return {piece: (i, len(piece) * best - 0.1) for piece, (i, _) in scores.user_defined.items()}
