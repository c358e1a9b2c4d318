"""Texts with any annotation, from datasets of the library `datasets`."""

from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Union

from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import get_words_and_spaces

from ..extensions import set_doc_extension
from ..models.checks import at_least
from .columns import OF_TOKENS, Column, find_columns, to_bio
from .common import Drops, checked_text
from .sources import open_dataset

#: rows of a stream that tell its features where the stream does not
N_ROWS_FOR_FEATURES = 100


def make_hf_dataset(
    path: Optional[Union[str, Path]],
    config_name: Optional[str] = None,
    split: Optional[str] = None,
    streaming: bool = False,
    columns: Optional[Dict[str, Union[str, List[str]]]] = None,
    limit: int = 0,
) -> "HFDataset":
    """spacy_rnn.HFDataset.v1: see `HFDataset`."""
    if path is None:
        raise ValueError(Errors.E913)
    return HFDataset(
        path,
        config_name=config_name,
        split=split,
        streaming=streaming,
        columns=columns,
        limit=limit,
    )


class _Source(NamedTuple):
    """The rows of a dataset, and the columns of each role. labels: of these that of categories.
    categories: all names in it, where they are known."""

    rows: Any
    columns: Dict[str, List[Column]]
    labels: Optional[Column]
    categories: Optional[List[str]]


class HFDataset:
    """Iterate Example objects over the rows of a dataset of Hugging Face's library `datasets`.

    Columns are read by their role, and make these annotations:

    * "text": the text, which the pipeline tokenizes;
    * "tokens": a list of tokens, which are kept. With "text" beside it, that tells where blanks
      are; if the tokens don't spell it, it is ignored;
    * "tags", "pos", "morph": a list of `token.tag_`, `token.pos_` or `token.morph`;
    * "entities": a list of tags such as B-PERSON (BIO, BILUO or BIOES), for `doc.ents`;
    * "label" or "labels": the label of the text, or a list of them: those have 1 in `doc.cats`, the
      others 0; "cats": the numbers themselves;
    * "regression": numbers, for `doc._.regression`;
    * "translation": a text, for `doc._.translation`.

    Labels are names, or numbers of a `ClassLabel`; a number without one is its own name. What is
    missing, as a `ClassLabel` of -1, is not annotated: the text is read all the same. Numbers are a
    column of dicts, {"NAME": value}, or a column for each, whose name is theirs. In a stream
    without `ClassLabel` only the label of a text itself is known, and set.

    Rows without a text are dropped. How many is logged at the end of each pass: as a warning, or as
    information where the pass before dropped the same.

    path (Union[str, Path]): A file (.csv, .tsv, .json, .jsonl, .parquet, .arrow, or .txt, a text a
        line; also compressed), a folder of them (by the library's own rules, so that NA in CSV is
        missing there), a folder that `save_to_disk` wrote, or the name of a dataset on the Hub.
    config_name (Optional[str]): Which configuration (subset), where a dataset has several.
    split (Optional[str]): Which split, where a dataset has several. But for what `save_to_disk`
        wrote and streams, it may be a part of one: "train[:10%]".
    streaming (bool): Read rows as they come, rather than download and convert the whole dataset
        first. What `save_to_disk` wrote needs neither.
    columns (Optional[Dict[str, Union[str, List[str]]]]): The name of the column for each role that
        is to be read: {"text": "sentence", "label": "intent"}. A field of a column follows a dot:
        {"text": "translation.en", "translation": "translation.fr"}. Numbers may have several:
        {"text": "text", "regression": ["valence", "arousal"]}. None for columns that are named
        after their role, and others where their features leave no doubt.
    limit (int): Stop after this many rows with a text; 0 for no limit.
    """

    def __init__(
        self,
        path: Union[str, Path],
        *,
        config_name: Optional[str] = None,
        split: Optional[str] = None,
        streaming: bool = False,
        columns: Optional[Mapping[str, Union[str, List[str]]]] = None,
        limit: int = 0,
    ) -> None:
        at_least(0, limit=limit)
        self.path = str(path)
        self.config_name = config_name
        self.split = split
        self.streaming = streaming
        self.columns = columns
        self.limit = limit
        cure = "Check the path, the split, and which column is read as the text."
        self._drops = Drops(self.path, "rows", cure)

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Yield examples from the data: each text without annotation, and the same with it. Raises
        an OSError if there is no such dataset, and a ValueError where it is malformed, the columns
        are not clear or no text is left.

        nlp (Language): The current nlp object.
        YIELDS (Example): The examples.
        """
        for attr in ("regression", "translation"):
            if attr in self._source.columns:
                set_doc_extension(attr)
        kept, dropped = 0, Counter[str]()
        for number, row in enumerate(self._source.rows):
            try:
                example = self._make_example(nlp, row)
            except ValueError as error:
                raise ValueError(f"Row {number} of {self.path}: {error}") from error
            if example is None:
                dropped["without a text"] += 1
                continue
            yield example
            kept += 1
            if kept == self.limit:
                break
        self._drops.report(kept, dropped)

    @cached_property
    def _source(self) -> _Source:
        # Kept: to open a dataset of the Hub takes several requests, and each epoch would.
        from datasets import Dataset

        rows: Any = open_dataset(self.path, self.config_name, self.split, self.streaming)
        features = rows.features
        if features is None:
            # Before datasets 4, a stream of CSV or JSON does not tell them.
            features = Dataset.from_list(list(rows.take(N_ROWS_FOR_FEATURES))).features
        columns = find_columns(features, self.columns, self.path)
        needed = {column.path[0] for those in columns.values() for column in those}
        # Without a format, rows are of plain Python values.
        rows = rows.select_columns(sorted(needed)).with_format(None)
        labels = next(iter(columns.get("label") or columns.get("labels") or ()), None)
        categories = None
        if labels is not None and labels.class_names is not None:
            categories = labels.class_names
        elif labels is not None and isinstance(rows, Dataset):
            only = rows.select_columns(labels.path[0])
            found = {name for row in only for name in labels.names(labels.value(row))}
            categories = sorted(found - {""})
        return _Source(rows, columns, labels, categories)

    def _make_example(self, nlp: Language, row: Mapping[str, Any]) -> Optional[Example]:
        """The example of a row; None if it has no text."""
        columns = self._source.columns
        text = checked_text(self._value("text", row), "text")
        if "tokens" in columns:
            words = [checked_text(word, "tokens") for word in self._value("tokens", row) or []]
            spaces = _spaces(words, text)
            predicted = Doc(nlp.vocab, words=words, spaces=spaces)
            annotation = self._of_tokens(row, words)
            reference = Doc(nlp.vocab, words=words, spaces=spaces, **annotation)
            for i, morph in enumerate(annotation.get("morphs", ())):
                if not morph:
                    # A Doc takes that for an empty morphology, but it is missing.
                    token: Any = reference[i]
                    token.set_morph(None)
        else:
            predicted = nlp.make_doc(text)
            reference = predicted.copy()
        if not predicted.text.strip():
            return None
        reference.cats = self._cats(row)
        if "regression" in columns:
            reference._.regression = _numbers(columns["regression"], row) or None
        if "translation" in columns:
            translation = checked_text(self._value("translation", row), "translation")
            reference._.translation = translation or None
        return Example(predicted, reference)

    def _value(self, role: str, row: Mapping[str, Any]) -> Any:
        """What a row has for a role of one column."""
        return self._source.columns[role][0].value(row) if role in self._source.columns else None

    def _of_tokens(self, row: Mapping[str, Any], words: List[str]) -> Dict[str, Any]:
        """The annotation of tokens, as the arguments of a Doc."""
        found: Dict[str, Any] = {}
        for role, argument in OF_TOKENS.items():
            values = self._value(role, row)
            if values is None:
                continue
            names = self._source.columns[role][0].names(values)
            if len(names) != len(words):
                raise ValueError(
                    f"it has {len(words)} tokens, but {len(names)} {role}. Each token needs one, "
                    f"an empty one where it is not known."
                )
            found[argument] = to_bio(names) if role == "entities" else names
        return found

    def _cats(self, row: Mapping[str, Any]) -> Dict[str, float]:
        """The categories of a row; none where it is not labelled."""
        _, columns, labels, categories = self._source
        if labels is None:
            return _numbers(columns.get("cats", []), row)
        value = labels.value(row)
        if categories is None and isinstance(value, list):
            raise ValueError(
                f"'{labels}' lists the labels that hold, but not those that don't. Set streaming "
                f"to false, which finds all of them, or make it a list of ClassLabel."
            )
        names = labels.names(value)
        return {} if "" in names else {name: float(name in names) for name in categories or names}


def _spaces(words: List[str], text: str) -> Optional[List[bool]]:
    """Whether a blank follows each word in a text; None if they are not its words."""
    try:
        found, spaces = get_words_and_spaces(words, text)
    except ValueError:
        return None
    return spaces if found == words else None


def _numbers(columns: List[Column], row: Mapping[str, Any]) -> Dict[str, float]:
    """The numbers of columns, or of the dicts in them, by name."""
    found: Dict[str, float] = {}
    for column in columns:
        value = column.value(row)
        numbers = value if isinstance(value, dict) else {column.path[-1]: value}
        for name, number in numbers.items():
            if number is None:
                continue
            if not isinstance(number, (int, float)):
                raise ValueError(f"{name} = {number!r} in the column '{column}' is no number.")
            found[name] = float(number)
    return found
