"""Labels of a document under other names: renamed, merged or left out."""

from typing import Any, Callable, Dict, List, Mapping, Optional, Set

import numpy as np
from spacy.parts_of_speech import IDS as POS_IDS
from spacy.tokens import Doc, Span

from ..features.soft_labels import (
    TEXT_TARGET,
    TOKEN_TARGETS,
    SoftLabels,
    are_exclusive,
    set_soft_labels,
    soft_labels_of,
)

#: the new name of each label, None to leave it out, by target
LabelMaps = Mapping[str, Mapping[str, Optional[str]]]
#: in a map, all labels that it does not name
OTHERS = "*"


def check_label_maps(maps: LabelMaps) -> None:
    """Raise a ValueError for a target that has no labels, an empty name, or a part of speech that
    does not exist.

    maps (LabelMaps): The maps.
    """
    for target, names in maps.items():
        if target not in (*TOKEN_TARGETS, TEXT_TARGET):
            raise ValueError(
                f"'labels' maps those of '{target}', which is not one of the targets "
                f"{[*TOKEN_TARGETS, TEXT_TARGET]}."
            )
        nameless = [label for label, name in names.items() if name == ""]
        if nameless:
            raise ValueError(
                f"'labels' gives {nameless[0]!r} of '{target}' the name ''. Write null to leave it "
                f"out."
            )
        unknown = {name for name in names.values() if name and name not in POS_IDS}
        if target == "pos" and unknown:
            raise ValueError(
                f"'labels' maps parts of speech to {sorted(unknown)}, which token.pos cannot be."
            )


def labels_in(doc: Doc, target: str) -> Set[str]:
    """Find the labels of a document, those of its soft labels included.

    doc (Doc): The document.
    target (str): The target.
    RETURNS (Set[str]): The labels, of entities without the prefixes of tags.
    """
    soft = soft_labels_of(doc).get(target)
    found = set() if soft is None else {*soft.labels}
    if target == TEXT_TARGET:
        return found | doc.cats.keys()
    if target == "ner":
        found = {label for _, _, label in (tag.partition("-") for tag in found)}
        return found | {entity.label_ for entity in doc.ents}
    if target == "morph":
        return found | {str(token.morph) or "_" for token in doc if token.has_morph()}
    return found | {getattr(token, f"{target}_") for token in doc}


def map_annotation(doc: Doc, maps: LabelMaps) -> None:
    """Rename the labels of the annotation of a document, and merge those with the same new name.
    What has no new name is left out: entities are outside, other labels are unknown.

    doc (Doc): The document to modify.
    maps (LabelMaps): The new names.
    """
    for target, names in maps.items():
        rename = _renaming(names)
        if target == TEXT_TARGET:
            found: Dict[str, float] = {}
            for label, value in doc.cats.items():
                name = rename(label)
                if name is not None:
                    found[name] = max(value, found.get(name, 0.0))
            doc.cats = found
        elif target == "ner":
            _map_entities(doc, rename)
        else:
            for token in doc:
                _map_token(token, target, rename)


def map_soft_labels(doc: Doc, maps: LabelMaps) -> None:
    """Rename the soft labels of a document. The probabilities of labels with the same new name are
    added; of labels of a text that do not exclude each other, it is the greatest one. Tags of
    entities without a new name become "O", other labels are left out.

    doc (Doc): The document to modify.
    maps (LabelMaps): The new names.
    """
    found = soft_labels_of(doc)
    for target in maps.keys() & found.keys():
        found[target] = _map_soft(found[target], target, _renaming(maps[target]))
    set_soft_labels(doc, found)


def _renaming(names: Mapping[str, Optional[str]]) -> Callable[[str], Optional[str]]:
    def rename(label: str) -> Optional[str]:
        return names[label] if label in names else names.get(OTHERS, label)

    return rename


def _map_token(token: Any, target: str, rename: Callable[[str], Optional[str]]) -> None:
    if target == "morph":
        if token.has_morph():
            token.set_morph(rename(str(token.morph) or "_"))
        return
    value = getattr(token, f"{target}_")
    if value:
        setattr(token, f"{target}_", rename(value) or "")


def _map_entities(doc: Doc, rename: Callable[[str], Optional[str]]) -> None:
    if not doc.has_annotation("ENT_IOB"):
        return
    kept: List[Span] = []
    for entity in doc.ents:
        name = rename(entity.label_)
        if name is not None:
            kept.append(Span(doc, entity.start, entity.end, label=name))
    unknown = [doc[token.i : token.i + 1] for token in doc if not token.ent_iob]
    doc.set_ents(kept, missing=unknown, default="outside")


def _map_soft(soft: SoftLabels, target: str, rename: Callable[[str], Optional[str]]) -> SoftLabels:
    merge: Any = np.add
    if target == TEXT_TARGET and not are_exclusive(soft.probabilities):
        merge = np.maximum
    columns: Dict[str, np.ndarray] = {}
    for label, p in zip(soft.labels, soft.probabilities.T, strict=True):
        name = _rename_tag(label, rename) if target == "ner" else rename(label)
        if name is not None:
            columns[name] = merge(columns.get(name, 0.0), p)
    shape = soft.probabilities.shape[:-1]
    stacked = np.stack(list(columns.values()), axis=-1) if columns else np.zeros((*shape, 0))
    return soft._replace(labels=tuple(columns), probabilities=stacked)


def _rename_tag(tag: str, rename: Callable[[str], Optional[str]]) -> str:
    prefix, _, label = tag.partition("-")
    name = rename(label) if label else None
    return "O" if name is None else f"{prefix}-{name}"
