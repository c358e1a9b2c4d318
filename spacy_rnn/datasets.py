"""Conversion of docs to datasets of Hugging Face's library `datasets`."""

from typing import TYPE_CHECKING, Any, Dict, Iterable

from spacy.tokens import Doc, Token

from .extensions import set_doc_extension
from .optional import optional_import

if TYPE_CHECKING:
    from datasets import Dataset

#: the columns in their order, which are roles of the reader
COLUMNS = (
    "text",
    "tokens",
    "tags",
    "pos",
    "morph",
    "entities",
    "cats",
    "regression",
    "translation",
)


def to_dataset(docs: Iterable[Doc]) -> "Dataset":
    """Convert docs, with their gold or predicted annotation, to a dataset. Save it with its methods
    `to_parquet`, `save_to_disk` or `push_to_hub`; spacy_rnn.HFDataset.v1 reads it without further
    settings.

    Each doc is a row. Columns without a value in any doc are left out:

    * text (string), null if spaces between tokens are unknown, and tokens (list of strings).
    * tags, pos, morph, entities (lists of strings, one for each token, empty if missing):
      `token.tag_`, `token.pos_`, `token.morph`, and `doc.ents` as BIO tags such as B-PERSON.
    * cats, regression (structs of numbers): `doc.cats` and `doc._.regression`.
    * translation (string): `doc._.translation`.

    docs (Iterable[Doc]): The docs, such as those of `nlp.pipe`.
    RETURNS (datasets.Dataset): The dataset, in memory.
    """
    with optional_import("datasets", "to_dataset"):
        from datasets import Dataset, Features, Value

    for attr in ("regression", "translation"):
        set_doc_extension(attr)
    rows = [_row(doc) for doc in docs]
    columns = {
        name: [row.get(name) for row in rows]
        for name in COLUMNS
        if name == "tokens" or any(row.get(name) for row in rows)
    }
    string, number = Value("string"), Value("float64")
    features: Dict[str, Any] = {name: [string] for name in columns}
    for name in columns.keys() & {"text", "translation"}:
        features[name] = string
    for name in columns.keys() & {"cats", "regression"}:
        features[name] = {key: number for numbers in columns[name] for key in numbers or ()}
    return Dataset.from_dict(columns, features=Features(features))


def _row(doc: Doc) -> Dict[str, Any]:
    """The values of a doc by name of the column."""
    row: Dict[str, Any] = {"tokens": [token.text for token in doc]}
    if not doc.has_unknown_spaces:
        row["text"] = doc.text
    if doc.has_annotation("TAG"):
        row["tags"] = [token.tag_ for token in doc]
    if doc.has_annotation("POS"):
        row["pos"] = [token.pos_ for token in doc]
    if doc.has_annotation("MORPH"):
        row["morph"] = [(str(token.morph) or "_") if token.has_morph() else "" for token in doc]
    if doc.has_annotation("ENT_IOB"):
        row["entities"] = [_entity_tag(token) for token in doc]
    if doc.cats:
        row["cats"] = doc.cats
    if doc._.regression:
        row["regression"] = doc._.regression
    if doc._.translation:
        row["translation"] = doc._.translation
    return row


def _entity_tag(token: Token) -> str:
    """The BIO tag of a token, "" if unknown. Blocked tokens are not in an entity."""
    if token.ent_type_:
        return f"{token.ent_iob_}-{token.ent_type_}"
    return "O" if token.ent_iob_ else ""
