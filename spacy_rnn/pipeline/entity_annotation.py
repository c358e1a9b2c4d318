"""Entities on documents: the gold ones as tags, those that are already set, and new ones."""

import warnings
from typing import Any, List, NamedTuple

import numpy as np
from spacy.attrs import ENT_IOB, ENT_TYPE, IS_SPACE, SENT_START
from spacy.errors import Warnings
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..features.alignment import has_same_tokens
from ..features.tag_scheme import BEGIN, IN, OUT, UNKNOWN, TagScheme
from .annotation import label_indices

#: the `ent_iob` of spaCy's BILUO tags
IOB = {"B": BEGIN, "U": BEGIN, "I": IN, "L": IN, "O": OUT}


class TokenEntities(NamedTuple):
    """The entity annotation of tokens.

    iob (np.ndarray): `ent_iob` of each token, int64 (tokens,).
    types (np.ndarray): `ent_type` of each token, uint64 (tokens,).
    spaces (np.ndarray): True for tokens of white space, bool (tokens,).
    """

    iob: np.ndarray
    types: np.ndarray
    spaces: np.ndarray


def aligned_entities(example: Example) -> TokenEntities:
    """Get the gold entities of the predicted tokens. Entities that begin or end within a token are
    reported by a warning; their tokens have no annotation.

    example (Example): The example.
    RETURNS (TokenEntities): The entities.
    """
    predicted, reference = example.predicted, example.reference
    spaces = predicted.to_array(IS_SPACE) == 1
    if has_same_tokens(example):
        iob, types = reference.to_array([ENT_IOB, ENT_TYPE]).T
        iob = iob.astype("int64")
    else:
        spans, tags = example.get_aligned_ents_and_ner()
        if len(spans) < len(reference.ents):
            entities = [(e.start_char, e.end_char, e.label_) for e in reference.ents]
            text = predicted.text[:50]
            warnings.warn(Warnings.W030.format(text=text, entities=entities), stacklevel=2)
        iob = np.array([IOB[tag[0]] if tag else UNKNOWN for tag in tags])
        strings = reference.vocab.strings
        types = np.array(
            [strings.as_int(tag[2:]) if tag and tag != "O" else 0 for tag in tags], dtype="uint64"
        )
    if iob.any():
        iob[(iob == UNKNOWN) & spaces] = OUT
    return TokenEntities(iob, types, spaces)


def encode_gold(scheme: TagScheme, entities: TokenEntities, labels: np.ndarray) -> np.ndarray:
    """Encode gold entities as tags. As in prediction, no entity begins or ends with white space:
    such tokens are left out of it.

    scheme (TagScheme): The tagging scheme.
    entities (TokenEntities): The entities.
    labels (np.ndarray): The index of each token's label, int64 (tokens,), -1 if it has none.
    RETURNS (np.ndarray): The tags, int64 (tokens,), negative if they are not known.
    """
    iob, labels = entities.iob.copy(), labels.copy()
    while True:
        tags = scheme.encode(iob, labels)
        starts, ends, _ = scheme.decode(np.maximum(tags, 0))
        edges = np.concatenate([starts, ends - 1])
        edges = edges[entities.spaces[edges]]
        if not len(edges):
            return tags
        iob[edges], labels[edges] = OUT, -1


def preset_tags(scheme: TagScheme, label_values: np.ndarray, doc: Doc) -> np.ndarray:
    """Encode the entities that are set on a document as tags.

    scheme (TagScheme): The tagging scheme.
    label_values (np.ndarray): The network's labels as values of `ent_type`, uint64 (labels,).
    doc (Doc): The document.
    RETURNS (np.ndarray): The tags, int64 (tokens,), -1 for tokens without annotation. Blocked
        tokens, and entities with other labels, are "O".
    """
    iob, types = doc.to_array([ENT_IOB, ENT_TYPE]).T
    return scheme.encode(iob, label_indices(types, label_values))


def rule_out_tags(
    scheme: TagScheme, label_values: np.ndarray, doc: Doc, scores: np.ndarray
) -> None:
    """Set the scores of tags to -inf that the annotation of a document does not allow: entities
    that are set stay, no other overlaps them or crosses the start of a sentence, and none begins
    or ends with white space.

    scheme (TagScheme): The tagging scheme.
    label_values (np.ndarray): The network's labels as values of `ent_type`, uint64 (labels,).
    doc (Doc): The document.
    scores (np.ndarray): The scores to modify, (tokens, tags).
    """
    iob, sentence_starts, spaces = doc.to_array([ENT_IOB, SENT_START, IS_SPACE]).T
    scores[np.ix_(spaces == 1, scheme.edges)] = -np.inf
    scores[np.ix_(sentence_starts == 1, scheme.inside)] = -np.inf
    preset = (iob == BEGIN) | (iob == IN)
    if preset.any():
        tags = preset_tags(scheme, label_values, doc)
        own = np.arange(scheme.n_tags) == tags[preset, None]
        scores[preset] = np.where(own, 0.0, -np.inf)
        # No entity that is set gets longer.
        last = np.flatnonzero(preset[:-1] & ~preset[1:])
        continues = scheme.continues[tags[last]]
        scores[last + 1] = np.where(continues, -np.inf, scores[last + 1])


def set_entities(doc: Doc, spans: List[Span]) -> List[int]:
    """Set entities on a document beside those that it has.

    doc (Doc): The document to modify.
    spans (List[Span]): All entities, including those that are already set.
    RETURNS (List[int]): The indices of those that are new.
    """
    iob = doc.to_array(ENT_IOB)
    new = [i for i, span in enumerate(spans) if iob[span.start] in (UNKNOWN, OUT)]
    if not iob.any():
        doc.set_ents(spans, default="outside")
        return new
    doc.set_ents([spans[i] for i in new], default="unmodified")
    # Tokens without annotation are now known to be in no entity.
    values: Any = doc.to_array([ENT_IOB, ENT_TYPE])
    values[values[:, 0] == UNKNOWN, 0] = OUT
    doc.from_array([ENT_IOB, ENT_TYPE], values)
    return new
