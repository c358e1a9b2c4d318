"""A reader of texts with any annotation from datasets of the library `datasets`."""

import logging
from collections import Counter
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Union

from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ..log import inform
from ..validation import at_least
from .columns import KNOWN_ROLES, find_columns
from .labels import LabelSource, names_of_labels
from .rows import RowReader
from .sources import open_dataset
from .text_io import DropCounter

logger = logging.getLogger("spacy_rnn")

#: the number of rows that determine the features of a stream that does not have them
N_ROWS_FOR_FEATURES = 100


class _Source(NamedTuple):
    """An opened dataset.

    rows: the rows.
    reader: makes their docs.
    ignored: the names of columns without a role.
    """

    rows: Any
    reader: RowReader
    ignored: List[str]


@dataclass(eq=False)
class HFDataset(LabelSource):
    """spacy_rnn.HFDataset.v1: iterate Example objects over the rows of a dataset of Hugging Face's
    library `datasets`.

    Each column has a role, which determines the annotation:

    * "text": the text, which the pipeline tokenizes.
    * "tokens": a list of tokens, which are kept. If "text" is given too, it determines the spaces
      between tokens; it is ignored if the tokens do not match it.
    * "tags", "pos", "morph": a list of `token.tag_`, `token.pos_` or `token.morph`.
    * "entities": a list of tags such as B-PERSON (BIO, BILUO, BIOES or BMES) or PERSON (IO), for
      `doc.ents`.
    * "label" or "labels": the label of the text, or a list of labels, which have the value 1 in
      `doc.cats`; all other labels have the value 0. "cats": the values themselves.
    * "regression": numbers, for `doc._.regression`.
    * "translation": a text, for `doc._.translation`.

    Labels are names, numbers of a `ClassLabel`, or indices of the names in `labels`; any other
    number is its own name, except in tags of entities. Missing values, such as a `ClassLabel` of
    -1, a tag "_" or NaN, are not annotated, but the text is read. Numbers are a column of dicts,
    {"NAME": value}; several columns, whose names are those of the numbers; or, for "cats", a column
    of lists, with the names in `labels`. In a stream without `ClassLabel` and `labels`, only the
    labels of the text itself are set.

    The first pass logs the columns that are read and those that are ignored. Messages count rows
    from 1.

    Rows without a text are dropped. Their number is logged at the end of each pass: as a warning,
    or at the level INFO if the previous pass dropped the same.

    Local text files, such as tables and JSON lines, are read by spacy_rnn.Corpus.v1.

    path (Optional[Union[str, Path]]): The name of a dataset on the Hub, a folder written by
        `save_to_disk`, a Parquet or Arrow file, or a folder of them. None, the value of an empty
        variable in a config, is an error.
    config_name (Optional[str]): The configuration (subset), if a dataset has several.
    split (Optional[str]): The split, if a dataset has several, or a part of one, such as
        "train[:10%]"; not a part of a stream or of a folder written by `save_to_disk`.
    streaming (bool): Read rows as they arrive instead of downloading and converting the whole
        dataset first. Not needed for folders written by `save_to_disk`.
    columns (Optional[Dict[str, Union[str, List[str]]]]): The name of the column for each role:
        {"text": "sentence", "label": "intent"}. Fields of a column follow a dot:
        {"text": "translation.en", "translation": "translation.fr"}. Numbers may have several
        columns: {"text": "text", "regression": ["valence", "arousal"]}. None for columns that are
        named like their role, and others whose type leaves no doubt.
    labels (Optional[Union[List[str], LabelSource]]): The names of all labels in `doc.cats`: a list,
        or the reader of the training corpus, so that a dev corpus has its labels too. For labels
        that are numbers, the names in order, from 0; for a column of lists of numbers as "cats",
        the names of the numbers. None for the labels of this dataset.
    separator (str): The separator of labels in one string, as in "x,y" or "['x', 'y']"; "" if each
        string is one label.
    limit (int): The maximum number of rows with a text; 0 for no limit.
    RAISES (ValueError): If a setting is out of range.
    """

    path: Optional[Union[str, Path]]
    _: KW_ONLY
    config_name: Optional[str] = None
    split: Optional[str] = None
    streaming: bool = False
    columns: Optional[Dict[str, Union[str, List[str]]]] = None
    labels: Optional[Union[List[str], LabelSource]] = None
    separator: str = ""
    limit: int = 0

    def __post_init__(self) -> None:
        if self.path is None:
            raise ValueError(Errors.E913)
        at_least(0, limit=self.limit)
        self._name = str(self.path)
        self._is_described = False
        advice = "Check the path, the split, and the column that is read as the text."
        self._drops = DropCounter(self._name, "rows", advice)

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Yield examples from the data: each text without and with its annotation.

        nlp (Language): The current nlp object.
        YIELDS (Example): The examples.
        RAISES (OSError): If the dataset is not found.
        RAISES (ValueError): If it is malformed, the columns are ambiguous, or no text is left.
        """
        if not self._is_described:
            self._describe()
            self._is_described = True
        kept, dropped = 0, Counter[str]()
        for number, row in enumerate(self._source.rows, start=1):
            try:
                example = self._make_example(nlp, row)
            except ValueError as error:
                raise ValueError(f"Row {number} of {self._name}: {error}") from error
            if example is None:
                dropped["without a text"] += 1
                continue
            yield example
            kept += 1
            if kept == self.limit:
                break
        self._drops.report(kept, dropped)
        self._source.reader.report()

    @property
    def label_names(self) -> List[str]:
        """The names of all labels in `doc.cats`.

        RAISES (ValueError): If they are unknown.
        """
        names = self._source.reader.label_names
        if names is None:
            raise ValueError(
                f"The labels of {self._name} are unknown because it is a stream without "
                f"ClassLabel, or has no column of labels. Set its labels to a list of their names."
            )
        return list(names)

    @cached_property
    def _source(self) -> _Source:
        # Cached, because opening a dataset of the Hub takes several requests.
        rows: Any = open_dataset(self._name, self.config_name, self.split, self.streaming)
        from datasets import Dataset

        features = rows.features
        if features is None:
            # Streams of CSV or JSON have none before datasets 4.
            features = Dataset.from_list(list(rows.take(N_ROWS_FOR_FEATURES))).features
        columns = find_columns(features, self.columns, self._name)
        needed = {column.path[0] for those in columns.values() for column in those}
        ignored = [name for name in features if name not in needed]
        # Without a format, values are plain Python objects.
        rows = rows.select_columns(sorted(needed)).with_format(None)
        names = names_of_labels(self.labels, self._name)
        reader = RowReader(columns, self._name, names, self.separator)
        if reader.labels is not None and isinstance(rows, Dataset):
            of_labels = rows.select_columns(reader.labels.column.path[0])
            reader.collect_names((f"row {i}", row) for i, row in enumerate(of_labels, start=1))
        return _Source(rows, reader, ignored)

    def _describe(self) -> None:
        """Log which columns are read and which are ignored."""
        _, reader, ignored = self._source
        columns, names = reader.columns, reader.label_names
        read = []
        for role, those in columns.items():
            names_of_role = ", ".join(map(str, those))
            read.append(role if role == names_of_role else f"{role} (from {names_of_role})")
        inform(
            "%s: columns read: %s; columns ignored: %s%s",
            self._name,
            ", ".join(read),
            ", ".join(ignored) or "none",
            "" if names is None else f"; labels: {len(names)}",
        )
        if self.columns is None and ignored and not columns.keys() - {"text", "tokens"}:
            logger.warning(
                "%s: only texts are read, without annotation. If one of the columns %s has it, map "
                'it in the config, as columns = {"text": "sentence", "label": "intent"}. The known '
                "roles are %s.",
                self._name,
                ignored,
                KNOWN_ROLES,
            )

    def _make_example(self, nlp: Language, row: Mapping[str, Any]) -> Optional[Example]:
        """Make the example of a row, None if it has no text."""
        reader = self._source.reader
        reference = reader.read(nlp, row)
        if reference is None:
            return None
        if "tokens" not in reader.columns:
            return Example(nlp.make_doc(reference.text), reference)
        words = [token.text for token in reference]
        spaces = [bool(token.whitespace_) for token in reference]
        known = None if reference.has_unknown_spaces else spaces
        return Example(Doc(nlp.vocab, words=words, spaces=known), reference)
