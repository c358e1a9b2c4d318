"""Hypotheses of a translator's search as texts."""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..config.search import Search
from ..features.translation import PairFeatures
from ..nn.search import Hypothesis, length_penalty


class Translation(NamedTuple):
    """A translation of a text.

    text: with its own spelling and spacing.
    score: what it is ranked by among others; log_probability: without penalties. Of a translation
        that was found in several segmentations their probabilities are added.
    pieces: of the best segmentation, as SentencePiece writes them.
    attention: float32 (pieces, pieces of the source); None where the network has none, or where it
        was not asked for.
    """

    text: str
    score: float
    log_probability: float
    pieces: List[str]
    attention: Optional[np.ndarray]


def copied(text: str) -> Translation:
    """A text that has nothing to translate as its own translation."""
    return Translation(text, 0.0, 0.0, [], np.zeros((0, 0), dtype="float32"))


def translations_of(
    features: PairFeatures,
    text: str,
    length: int,
    hypotheses: Sequence[Hypothesis],
    search: Search,
    n_best: int,
) -> List[Translation]:
    """The best translations of a normalized text of so many pieces, from hypotheses of a search."""
    # The source was padded in its batch.
    hypotheses = [
        h if h.attention is None else h._replace(attention=h.attention[:, :length])
        for h in hypotheses
    ]
    written = _write(features, text, hypotheses, search.replace_unknown)
    return [
        Translation(
            translation,
            h.score,
            h.log_probability,
            features.target.names(h.pieces.tolist()),
            None if h.attention is None else h.attention.numpy(),
        )
        for translation, h in distinct(written, hypotheses, search.length_penalty)[:n_best]
    ]


def distinct(
    texts: Sequence[str], hypotheses: Sequence[Hypothesis], alpha: float
) -> List[Tuple[str, Hypothesis]]:
    """Each text once with its best hypothesis, best first. Several segmentations of a text are one
    translation: their probabilities are added, and the length penalty is that of the best one."""
    segmentations: Dict[str, Dict[Tuple[int, ...], Hypothesis]] = {}
    for text, h in zip(texts, hypotheses, strict=True):
        # Samples may also have the same pieces.
        segmentations.setdefault(text, {})[tuple(h.pieces.tolist())] = h
    found = []
    for text, same in segmentations.items():
        best = max(same.values(), key=lambda h: h.score)
        if len(same) > 1:
            log_p = [h.log_probability for h in same.values()]
            # Rounding may lift a sum of probabilities a little.
            total = min(float(np.logaddexp.reduce(log_p)), 0.0)
            gain = total - best.log_probability
            score = best.score + gain / length_penalty(len(best.pieces), alpha)
            best = best._replace(score=score, log_probability=total)
        found.append((text, best))
    return sorted(found, key=lambda each: -each[1].score)


def _write(
    features: PairFeatures, text: str, hypotheses: Sequence[Hypothesis], replace_unknown: bool
) -> List[str]:
    target, pieces = features.target, [h.pieces.tolist() for h in hypotheses]
    if replace_unknown:
        written = [
            target.decode_with(ids, _most_attended(features, text, h))
            for ids, h in zip(pieces, hypotheses, strict=True)
        ]
    else:
        written = target.decode(pieces)
    return [each.strip(" ") for each in written]


def _most_attended(features: PairFeatures, text: str, hypothesis: Hypothesis) -> List[str]:
    """For each unknown piece of a translation the source piece that it looks at most."""
    unknown = hypothesis.pieces.numpy() == features.target.unk
    if not unknown.any():
        return []
    if hypothesis.attention is None:
        raise ValueError(
            "'replace_unknown' needs a network with attention. Set it to false, or train with "
            'attention = "general".'
        )
    _, starts, ends = features.source.offsets(text)
    places = hypothesis.attention.numpy()[unknown].argmax(axis=1)
    return [text[starts[i] : ends[i]].strip() for i in places]


def join(
    gaps: Sequence[str], found: Sequence[Sequence[Translation]], n_best: int
) -> List[Translation]:
    """The best translations of a text, of all combinations of those of its sentences, by the sums
    of their scores.

    gaps: the text before the first sentence, between the sentences and after the last one.
    found: the translations of each sentence, at least one.
    """
    ways: List[Tuple[float, Tuple[Translation, ...]]] = [(0.0, ())]
    for translations in found:
        longer = [(s + t.score, (*way, t)) for s, way in ways for t in translations]
        ways = sorted(longer, key=lambda scored: -scored[0])[:n_best]
    joined: Dict[str, Translation] = {}
    for score, way in ways:
        text = gaps[0] + "".join(t.text + gap for t, gap in zip(way, gaps[1:], strict=True))
        log_p = sum(t.log_probability for t in way)
        pieces = [piece for t in way for piece in t.pieces]
        attention = _side_by_side([t.attention for t in way])
        joined.setdefault(text, Translation(text, score, log_p, pieces, attention))
    return list(joined.values())


def _side_by_side(attentions: Sequence[Optional[np.ndarray]]) -> Optional[np.ndarray]:
    """The attention of a translation whose sentences look at their own sources only."""
    blocks = [attention for attention in attentions if attention is not None]
    if len(blocks) < len(attentions):
        return None
    rows, columns = np.cumsum([(0, 0), *(block.shape for block in blocks)], axis=0).T
    together = np.zeros((rows[-1], columns[-1]), dtype="float32")
    for block, row, column in zip(blocks, rows, columns, strict=False):
        together[row : row + block.shape[0], column : column + block.shape[1]] = block
    return together
