"""Gold annotation of examples: finding, collecting and aligning it."""

from typing import Any, Iterable, List, Set

import numpy as np
from spacy.tokens import Doc
from spacy.training import Example

from ..features.alignment import has_same_tokens

#: annotation that messages list, besides extensions
LISTED = ("token.tag", "token.pos", "token.morph", "doc.ents", "doc.cats")
#: how readers lose annotation, and how to avoid it
LOST_BY_READERS = (
    "If the data has it, the reader drops it: where spacy.Corpus.v1 splits documents (max_length, "
    "gold_preproc), only the annotation of tokens is kept; its augmenters drop extensions; and "
    "spacy.PlainTextCorpus.v1 and spacy.JsonlCorpus.v1 read texts only. Set max_length = 0, "
    "gold_preproc = false and augmenter = null of the reader in [corpora], or choose another one."
)
#: the cure for labels without negative examples
ZERO_FOR_OTHERS = (
    "Set labels that do not hold to 0 in doc.cats. spacy_rnn.Corpus.v1 and "
    "spacy_rnn.HFDataset.v1 do so where their setting labels names all of them (in a dev corpus, "
    "labels = ${corpora.train}); they read a column with a number for each label as 'cats'."
)


def has_annotation(doc: Doc, name: str) -> bool:
    """Return True if a document has some annotation.

    doc (Doc): The document.
    name (str): The annotation: a token attribute such as "token.tag" or "token.sent_start",
        "doc.ents", "doc.cats", or an extension such as "doc._.translation".
    RETURNS (bool): True if it is set; an empty dict or text counts as not set.
    """
    if name == "doc.cats":
        return bool(doc.cats)
    if name == "doc.ents":
        return doc.has_annotation("ENT_IOB")
    if name.startswith("token."):
        return doc.has_annotation(name.removeprefix("token.").upper())
    extension = name.removeprefix("doc._.")
    value = doc._.get(extension) if doc.has_extension(extension) else None
    # A vector has no truth value.
    return value is not None and not (isinstance(value, (dict, str)) and not value)


def annotation_of(doc: Doc) -> List[str]:
    """List the annotation of a document that components learn from.

    doc (Doc): The document.
    RETURNS (List[str]): Its names, as `has_annotation` takes them.
    """
    names = [*LISTED]
    for key in doc.user_data:
        # spaCy keeps an extension of a Doc under ("._.", name, start, end).
        if isinstance(key, tuple) and (key[0], key[2]) == ("._.", None):
            names.append(f"doc._.{key[1]}")
    return [name for name in names if has_annotation(doc, name)]


def attribute_labels(examples: Iterable[Example], attribute: int) -> List[str]:
    """Collect the gold values of a token attribute.

    examples (Iterable[Example]): The examples.
    attribute (int): The attribute, such as `spacy.attrs.TAG`.
    RETURNS (List[str]): The values as strings, sorted.
    """
    found: Set[str] = set()
    for eg in examples:
        values = np.unique(eg.y.to_array([attribute]))
        found.update(eg.y.vocab.strings[int(value)] for value in values if value)
    return sorted(found)


def aligned_values(example: Example, attribute: Any) -> np.ndarray:
    """Get the gold values of a token attribute for the predicted tokens.

    example (Example): The example.
    attribute (int): The attribute, such as `spacy.attrs.TAG`.
    RETURNS (np.ndarray): uint64 (tokens,), 0 where no value is set or the tokens differ.
    """
    if has_same_tokens(example):
        return example.reference.to_array([attribute]).reshape(-1)
    values = example.get_aligned(attribute)
    return np.array([0 if value is None else value for value in values], dtype="uint64")


def label_indices(values: np.ndarray, label_values: np.ndarray) -> np.ndarray:
    """Find values among those of the labels.

    values (np.ndarray): Values of a token attribute, uint64 (N,).
    label_values (np.ndarray): The value of each label, uint64 (labels,).
    RETURNS (np.ndarray): The index of the label of each value, int64 (N,), -1 if there is none.
    """
    if not len(label_values):
        return np.full(len(values), -1)
    order = np.argsort(label_values)
    positions = np.searchsorted(label_values, values, sorter=order)
    indices = order[np.minimum(positions, len(label_values) - 1)]
    return np.where(label_values[indices] == values, indices, -1)
