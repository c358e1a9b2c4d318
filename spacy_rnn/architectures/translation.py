"""Translations: the hypotheses of a search as texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .. import nn
from ..config.search import Search
from ..features.normalization import normalize
from ..features.translation import TranslationVocabularies

if TYPE_CHECKING:
    from ..nn.search import Hypothesis


class Translation(NamedTuple):
    """A translation of a text.

    text (str): The translation, with its own spelling and spacing.
    score (float): The number by which translations are ranked.
    log_probability (float): The same without penalties. For a translation that was found in several
        segmentations their probabilities are added.
    pieces (List[str]): The pieces of the best segmentation, as SentencePiece writes them.
    attention (Optional[np.ndarray]): The attention of each piece on the pieces of the source,
        float32 (pieces, pieces of the source); None unless it was requested and the network has
        one.
    """

    text: str
    score: float
    log_probability: float
    pieces: List[str]
    attention: Optional[np.ndarray]


def copied(text: str) -> Translation:
    """A text that is copied, because it contains nothing to translate."""
    return Translation(text, 0.0, 0.0, [], np.zeros((0, 0), dtype="float32"))


def translations_of(
    vocabularies: TranslationVocabularies,
    text: str,
    length: int,
    hypotheses: Sequence[Hypothesis],
    search: Search,
    n_best: int,
) -> List[Translation]:
    """The best translations of a text.

    vocabularies (TranslationVocabularies): The vocabularies.
    text (str): The normalized text.
    length (int): The number of its pieces.
    hypotheses (Sequence[Hypothesis]): The results of the search.
    search (Search): The settings of the search.
    n_best (int): Maximum number of translations.
    RETURNS (List[Translation]): The translations, best first, all of them different.
    """
    # The source was padded in its batch.
    hypotheses = [
        h if h.attention is None else h._replace(attention=h.attention[:, :length])
        for h in hypotheses
    ]
    decoded = _decode(vocabularies, text, hypotheses, search.replace_unknown)
    return [
        Translation(
            translation,
            h.score,
            h.log_probability,
            [vocabularies.target.pieces[i] for i in h.pieces],
            None if h.attention is None else h.attention.numpy(),
        )
        for translation, h in distinct(decoded, hypotheses, search.length_penalty)[:n_best]
    ]


def distinct(
    texts: Sequence[str], hypotheses: Sequence[Hypothesis], alpha: float
) -> List[Tuple[str, Hypothesis]]:
    """Merge hypotheses with the same text; texts that differ only in the kind of their spaces count
    as the same. Their probabilities are added if they are different segmentations; the text and the
    length penalty are those of the best one.

    texts (Sequence[str]): The text of each hypothesis.
    hypotheses (Sequence[Hypothesis]): The hypotheses.
    alpha (float): The length penalty.
    RETURNS (List[Tuple[str, Hypothesis]]): Each text with its best hypothesis, best first.
    """
    segmentations: Dict[str, Dict[Tuple[int, ...], Tuple[str, Hypothesis]]] = {}
    for text, h in zip(texts, hypotheses, strict=True):
        # Several samples may have the same pieces.
        segmentations.setdefault(normalize(text), {})[tuple(h.pieces.tolist())] = text, h
    found = []
    for same in segmentations.values():
        text, best = max(same.values(), key=lambda each: each[1].score)
        if len(same) > 1:
            log_p = [h.log_probability for _, h in same.values()]
            # Rounding may raise a sum of probabilities a little.
            total = min(float(np.logaddexp.reduce(log_p)), 0.0)
            gain = total - best.log_probability
            score = best.score + gain / nn.search.length_penalty(len(best.pieces), alpha)
            best = best._replace(score=score, log_probability=total)
        found.append((text, best))
    return sorted(found, key=lambda each: -each[1].score)


def _decode(
    vocabularies: TranslationVocabularies,
    text: str,
    hypotheses: Sequence[Hypothesis],
    replace_unknown: bool,
) -> List[str]:
    target, pieces = vocabularies.target, [h.pieces.tolist() for h in hypotheses]
    if replace_unknown:
        decoded = [
            target.decode_with(ids, _most_attended(vocabularies, text, h))
            for ids, h in zip(pieces, hypotheses, strict=True)
        ]
    else:
        decoded = target.decode(pieces)
    return [each.strip(" ") for each in decoded]


def _most_attended(
    vocabularies: TranslationVocabularies, text: str, hypothesis: Hypothesis
) -> List[str]:
    """The source piece with the most attention of each unknown piece of a translation."""
    unknown = hypothesis.pieces.numpy() == vocabularies.target.unk
    if not unknown.any():
        return []
    if hypothesis.attention is None:
        raise ValueError(
            "'replace_unknown' needs a network with attention. Set it to false, or train with "
            'attention = "general".'
        )
    _, starts, ends = vocabularies.source.offsets(text)
    positions = hypothesis.attention.numpy()[unknown].argmax(axis=1)
    return [text[starts[i] : ends[i]].strip() for i in positions]


def join(
    gaps: Sequence[str], translations: Sequence[Sequence[Translation]], n_best: int
) -> List[Translation]:
    """Combine the translations of sentences to translations of their text, ranked by the sums of
    their scores.

    gaps (Sequence[str]): The text before the first sentence, between the sentences and after the
        last one.
    translations (Sequence[Sequence[Translation]]): The translations of each sentence, at least one.
    n_best (int): Maximum number of translations of the text.
    RETURNS (List[Translation]): The translations of the text, best first.
    """
    combinations: List[Tuple[float, Tuple[Translation, ...]]] = [(0.0, ())]
    for of_sentence in translations:
        longer = [(s + t.score, (*parts, t)) for s, parts in combinations for t in of_sentence]
        combinations = sorted(longer, key=lambda scored: -scored[0])[:n_best]
    joined: Dict[str, Translation] = {}
    for score, parts in combinations:
        text = gaps[0] + "".join(t.text + gap for t, gap in zip(parts, gaps[1:], strict=True))
        log_p = sum(t.log_probability for t in parts)
        pieces = [piece for t in parts for piece in t.pieces]
        attention = _block_diagonal([t.attention for t in parts])
        joined.setdefault(normalize(text), Translation(text, score, log_p, pieces, attention))
    return list(joined.values())


def _block_diagonal(attentions: Sequence[Optional[np.ndarray]]) -> Optional[np.ndarray]:
    """The attention of a text, of which each sentence attends only to its own source."""
    blocks = [block for block in attentions if block is not None]
    if len(blocks) < len(attentions):
        return None
    rows, columns = np.cumsum([(0, 0), *(block.shape for block in blocks)], axis=0).T
    attention = np.zeros((rows[-1], columns[-1]), dtype="float32")
    for block, row, column in zip(blocks, rows, columns, strict=False):
        attention[row : row + block.shape[0], column : column + block.shape[1]] = block
    return attention
