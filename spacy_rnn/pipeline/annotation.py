"""Gold annotation that examples have, or have lost on their way from a file."""

from typing import List

from spacy.tokens import Doc

#: attributes of tokens, by the names that users know
ATTRIBUTES = {
    "token.tag": "TAG",
    "token.pos": "POS",
    "token.morph": "MORPH",
    "doc.ents": "ENT_IOB",
}
#: how readers lose annotation
LOST_BY_READERS = (
    "If the data has it, the reader drops it: where spacy.Corpus.v1 splits documents (max_length, "
    "gold_preproc), only the annotation of tokens is kept; its augmenters drop extensions; and "
    "spacy.PlainTextCorpus.v1 and spacy.JsonlCorpus.v1 read texts only. Set max_length = 0, "
    "gold_preproc = false and augmenter = null of the reader in [corpora], or choose another one."
)
#: what to do about labels that no text lacks
ZERO_FOR_OTHERS = (
    "Set labels that do not hold to 0 in doc.cats. spacy_rnn.HFDataset.v1 does so where its "
    "setting labels names all of them (in a dev corpus, labels = ${corpora.train}); it reads a "
    "column with a number for each label as 'cats'."
)


def has_annotation(doc: Doc, name: str) -> bool:
    """Whether a document has some annotation.

    name (str): Such as "token.tag", "doc.ents", "doc.cats" or "doc._.translation".
    """
    if name == "doc.cats":
        return bool(doc.cats)
    if name in ATTRIBUTES:
        return doc.has_annotation(ATTRIBUTES[name])
    extension = name.removeprefix("doc._.")
    value = doc._.get(extension) if doc.has_extension(extension) else None
    # No numbers and no translation are none; a vector has no truth value.
    return value is not None and not (isinstance(value, (dict, str)) and not value)


def annotation_of(doc: Doc) -> List[str]:
    """The names of all annotation that a document has, as `has_annotation` takes them."""
    names = [*ATTRIBUTES, "doc.cats"]
    for key in doc.user_data:
        # spaCy keeps an extension of a Doc under ("._.", name, start, end).
        if isinstance(key, tuple) and (key[0], key[2]) == ("._.", None):
            names.append(f"doc._.{key[1]}")
    return [name for name in names if has_annotation(doc, name)]
