"""The answers of a teacher as documents: read from files, with the most probable labels set."""

from collections import deque
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import get_words_and_spaces

from ..features.soft_labels import (
    SOFT_LABELS,
    TEXT_TARGET,
    SoftLabels,
    are_exclusive,
    as_scheme,
    is_soft,
    read_soft_labels,
    set_soft_labels,
    soft_labels_of,
)
from ..features.tag_scheme import tag_scheme
from ..onnx.linear_chain import Constraints, TagScores
from ..text_files import ending_of, read_json
from .docs import read_docs
from .spans import set_spans

SPACY, JSON_LINES = ".spacy", ".jsonl"
#: for each name in JSON with a value for each token the argument of `Doc`
TOKEN_VALUES = {"tags": "tags", "pos": "pos", "morph": "morphs"}


def read_answers(nlp: Language, path: Path) -> Iterator[Doc]:
    """Read the answers of a teacher.

    nlp (Language): The pipeline, whose vocabulary the documents share.
    path (Path): A .spacy file, a folder of them, or a .jsonl file, which may be compressed.
    YIELDS (Doc): The documents with tokens.
    RAISES (OSError): If there is no such file.
    RAISES (ValueError): If one has another ending or is malformed.
    """
    if ending_of(path) == JSON_LINES:
        docs = _read_json_lines(nlp, path)
    elif path.is_dir() or ending_of(path) == SPACY:
        # Others are being written, or were when a run was killed.
        files = sorted(path.glob(f"[!.]*{SPACY}")) if path.is_dir() else [path]
        docs = (doc for file in files for doc in read_docs(file, nlp.vocab))
    else:
        raise ValueError(
            f"'{path}' has no answers of a teacher, which are in {SPACY} and {JSON_LINES} files."
        )
    for doc in docs:
        if len(doc):
            yield doc


def _read_json_lines(nlp: Language, path: Path) -> Iterator[Doc]:
    for where, record in read_json(path):
        try:
            yield _doc_of(nlp, record)
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{where}: {error}") from error


def _doc_of(nlp: Language, record: Any) -> Doc:
    """A document of a JSON object as 'apply' writes it."""
    if not isinstance(record, Mapping) or not isinstance(record.get("text"), str):
        raise ValueError("it is not an object with a 'text'.")
    words, text = _strings(record, "tokens"), record["text"]
    values = {
        name: column for name in TOKEN_VALUES if (column := _strings(record, name)) is not None
    }
    found = read_soft_labels(record.get(SOFT_LABELS), None if words is None else len(words))
    if words is None:
        if values or found.keys() - {TEXT_TARGET}:
            raise ValueError("it has labels of tokens, but no 'tokens'.")
        doc = nlp.make_doc(text)
    else:
        for name, column in values.items():
            if len(column) != len(words):
                raise ValueError(f"'{name}' has {len(column)} values for {len(words)} tokens.")
        # White space that is not a token becomes one, without a label.
        given, spaces = get_words_and_spaces(words, text)
        places = _places(words, given)
        columns: Any = {
            TOKEN_VALUES[name]: ["" if i < 0 else column[i] for i in places]
            for name, column in values.items()
        }
        doc = Doc(nlp.vocab, words=given, spaces=spaces, **columns)
        found = {
            name: soft if name == TEXT_TARGET else _at(places, soft) for name, soft in found.items()
        }
    set_spans(doc, record.get("ents"), text)
    cats = {} if record.get("cats") is None else record["cats"]
    probabilities = read_soft_labels({TEXT_TARGET: cats}, None)
    if is_soft(probabilities[TEXT_TARGET].probabilities):
        # As classifiers write them.
        found = {**probabilities, **found}
    else:
        doc.cats = {label: float(value) for label, value in cats.items()}
    set_soft_labels(doc, found)
    for name, value in record.items():
        if name != SOFT_LABELS and Doc.has_extension(name):
            doc._.set(name, value)
    return doc


def _strings(record: Mapping[str, Any], name: str) -> Optional[List[str]]:
    """A list of strings in a record, None if there is none."""
    value = record.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"'{name}' must be a list of strings, one for each token.")
    return value


def _places(words: Sequence[str], given: Sequence[str]) -> List[int]:
    """For each token the index of its word, -1 for white space that is not a word of its own."""
    found: List[int] = []
    rest = deque(enumerate(words))
    for token in given:
        if not token.isspace():
            # White space may be divided into other words.
            while rest[0][1].isspace():
                rest.popleft()
        is_word = bool(rest) and rest[0][1] == token
        found.append(rest.popleft()[0] if is_word else -1)
    return found


def _at(places: Sequence[int], soft: SoftLabels) -> SoftLabels:
    """The probabilities of tokens, 0 for white space."""
    p = np.zeros((len(places), len(soft.labels)))
    for row, i in zip(p, places, strict=True):
        if i >= 0:
            row[:] = soft.probabilities[i]
    return soft._replace(probabilities=p)


def set_best_labels(doc: Doc) -> None:
    """Annotate a document with the most probable of its soft labels, where it has no annotation:
    of entities the most probable reading; of the labels of a text the most probable one, if their
    probabilities sum to 1, otherwise those of at least 0.5.

    doc (Doc): The document to modify.
    """
    for target, soft in soft_labels_of(doc).items():
        if not soft.labels:
            continue
        if target == TEXT_TARGET:
            if not doc.cats:
                doc.cats = best_categories(soft, are_exclusive(soft.probabilities))
        elif target == "ner":
            if not doc.has_annotation("ENT_IOB"):
                doc.set_ents(_best_entities(doc, soft), default="outside")
        elif not doc.has_annotation(target.upper()):
            _set_best_tags(doc, target, soft)


def best_categories(soft: SoftLabels, exclusive: bool) -> Dict[str, float]:
    """The most probable labels of a text, as values of `doc.cats`.

    soft (SoftLabels): The probabilities.
    exclusive (bool): Exactly one label holds.
    RETURNS (Dict[str, float]): 0 or 1 for each label.
    """
    p = soft.probabilities
    holds = np.arange(len(p)) == p.argmax() if exclusive else p >= 0.5
    return dict(zip(soft.labels, holds.astype(float).tolist(), strict=True))


def _set_best_tags(doc: Any, target: str, soft: SoftLabels) -> None:
    known = soft.probabilities.sum(axis=1) > 0
    best = soft.probabilities.argmax(axis=1)
    for i in np.flatnonzero(known).tolist():
        label = soft.labels[best[i]]
        if target == "morph":
            doc[i].set_morph(label)
        else:
            setattr(doc[i], f"{target}_", label)


def _best_entities(doc: Doc, soft: SoftLabels) -> List[Span]:
    soft = as_scheme(soft, "biluo")
    labels = tuple(dict.fromkeys(tag[2:] for tag in soft.labels if tag != "O"))
    scheme = tag_scheme("biluo", len(labels))
    with np.errstate(divide="ignore"):
        scores = np.log(soft.columns(scheme.names(labels)))
    # No probability is so small that a text has no reading.
    scores = np.maximum(scores, -100.0).astype("float32")
    chain = TagScores(scores, np.array([len(doc)]))
    found = scheme.decode(chain.best(Constraints(**scheme.constraints())))
    columns = (column.tolist() for column in found)
    return [Span(doc, i, j, label=labels[n]) for i, j, n in zip(*columns, strict=True)]
