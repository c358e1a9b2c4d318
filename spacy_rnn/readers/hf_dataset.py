"""A reader of texts with any annotation from datasets of the library `datasets`."""

import logging
import re
from collections import Counter
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Union

from spacy.errors import Errors
from spacy.language import Language
from spacy.parts_of_speech import IDS as PARTS_OF_SPEECH
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import get_words_and_spaces

from ..extensions import set_doc_extension
from ..log import inform
from ..text_files import UTF8
from ..validation import at_least
from .columns import CATEGORY_ROLES, KNOWN_ROLES, TOKEN_ROLES, Column, find_columns
from .entity_tags import EntityTags
from .labels import LabelReader, LabelSource, read_numbers
from .sources import open_dataset
from .tables import TableFormat
from .text_io import NAMES_FOR_NUMBERS, DropCounter, checked_text

logger = logging.getLogger("spacy_rnn")

#: the morphological features of a token in the format of Universal Dependencies
FEATS = re.compile(r"""_|[^\s=|{}'"]+=[^\s=|{}'"]+(\|[^\s=|{}'"]+=[^\s=|{}'"]+)*""")
#: a missing tag or part of speech in files of Universal Dependencies
MISSING_TAG = "_"
#: the number of rows that determine the features of a stream that does not have them
N_ROWS_FOR_FEATURES = 100


class _Source(NamedTuple):
    """An opened dataset.

    rows: the rows.
    columns: the columns of each role.
    ignored: the names of columns without a role.
    labels: the reader of the labels in `doc.cats`; None without such a column.
    label_names: the names of all labels in `doc.cats`; None if unknown.
    """

    rows: Any
    columns: Dict[str, List[Column]]
    ignored: List[str]
    labels: Optional[LabelReader]
    label_names: Optional[List[str]]


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
    from 1, without the header.

    Rows without a text are dropped. Their number is logged at the end of each pass: as a warning,
    or at the level INFO if the previous pass dropped the same.

    The ending of a local text file determines its format: .csv files have quotes, .tsv files have
    none, and only empty fields are missing values; byte-order marks are recognized. Such files are
    checked before the first row: a file in another encoding, or with a varying number of fields,
    raises an error that names the line.

    path (Optional[Union[str, Path]]): A file (.csv, .tsv, .json, .jsonl, .parquet, .arrow, or .txt
        with one text on each line; also compressed), a folder of them, a folder written by
        `save_to_disk`, or the name of a dataset on the Hub, which is read as `datasets` does.
        None, the value of an empty variable in a config, is an error.
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
    delimiter (Optional[str]): The separator of columns; None for a comma in .csv and a TAB in .tsv.
    header (bool): The first row of .csv and .tsv has the names of the columns. If False, the names
        are numbers from 0: {"text": "0", "label": "1"}.
    quotes (Optional[bool]): Fields may be quoted by double quotes (RFC 4180). If False, quotes are
        part of the text. None for True in .csv and False in .tsv.
    encoding (str): The encoding of text files without a byte-order mark.
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
    delimiter: Optional[str] = None
    header: bool = True
    quotes: Optional[bool] = None
    encoding: str = UTF8

    def __post_init__(self) -> None:
        if self.path is None:
            raise ValueError(Errors.E913)
        at_least(0, limit=self.limit)
        self._name = str(self.path)
        self._format = TableFormat(self.delimiter, self.header, self.quotes, self.encoding)
        self._is_described = False
        advice = "Check the path, the split, and the column that is read as the text."
        self._drops = DropCounter(self._name, "rows", advice)
        self._entity_tags = EntityTags(self._name)

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
        for attr in ("regression", "translation"):
            if attr in self._source.columns:
                set_doc_extension(attr)
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
        self._entity_tags.report()

    @property
    def label_names(self) -> List[str]:
        """The names of all labels in `doc.cats`.

        RAISES (ValueError): If they are unknown.
        """
        if self._source.label_names is None:
            raise ValueError(
                f"The labels of {self._name} are unknown because it is a stream without "
                f"ClassLabel, or has no column of labels. Set its labels to a list of their names."
            )
        return self._source.label_names

    @cached_property
    def _source(self) -> _Source:
        # Cached, because opening a dataset of the Hub takes several requests.
        rows: Any = open_dataset(
            self._name, self.config_name, self.split, self.streaming, self._format
        )
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
        names = self._given_labels(columns)
        labels = None
        for column in columns.get("label") or columns.get("labels") or ():
            labels = LabelReader(column, self.separator, names, self._name)
            if labels.names is None and isinstance(rows, Dataset):
                labels.collect_names(rows.select_columns(column.path[0]))
            names = labels.names
        return _Source(rows, columns, ignored, labels, names)

    def _given_labels(self, columns: Dict[str, List[Column]]) -> Optional[List[str]]:
        """The names in the setting `labels`, None if it is not set."""
        if self.labels is None:
            return None
        if not columns.keys() & set(CATEGORY_ROLES):
            raise ValueError(
                f"{self._name}: labels is set, but no column has labels. Map one to 'label', "
                f"'labels' or 'cats' in columns, or leave labels out."
            )
        names = self.labels.label_names if isinstance(self.labels, LabelSource) else self.labels
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            raise ValueError(f"{self._name}: labels has {repeated} more than once. Name each once.")
        return list(names)

    def _describe(self) -> None:
        """Log which columns are read and which are ignored."""
        _, columns, ignored, _, names = self._source
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
        columns = self._source.columns
        text = checked_text(self._value("text", row), "text")
        if "tokens" in columns:
            words = [checked_text(word, "tokens") for word in self._list("tokens", row) or []]
            spaces = _spaces(words, text)
            predicted = Doc(nlp.vocab, words=words, spaces=spaces)
            annotation = self._of_tokens(row, words)
            reference = Doc(nlp.vocab, words=words, spaces=spaces, **annotation)
            for i, morph in enumerate(annotation.get("morphs", ())):
                if not morph:
                    # A missing morphology, which a Doc would set to an empty one.
                    token: Any = reference[i]
                    token.set_morph(None)
        else:
            predicted = nlp.make_doc(text)
            reference = predicted.copy()
        if not predicted.text.strip():
            return None
        reference.cats = self._cats(row)
        if "regression" in columns:
            reference._.regression = read_numbers(columns["regression"], row) or None
        if "translation" in columns:
            translation = checked_text(self._value("translation", row), "translation")
            reference._.translation = translation or None
        return Example(predicted, reference)

    def _value(self, role: str, row: Mapping[str, Any]) -> Any:
        """The value of a row for a role with one column, None without that role."""
        return self._source.columns[role][0].value(row) if role in self._source.columns else None

    def _list(self, role: str, row: Mapping[str, Any]) -> Optional[List[Any]]:
        """The list of a row for a role of tokens."""
        value = self._value(role, row)
        if value is not None and not isinstance(value, list):
            raise ValueError(
                f"{value!r} in the column '{self._source.columns[role][0]}' is not a list with an "
                f"item for each token, as {role} are. Write a list, in JSON lines or Parquet, or "
                f"map a column of whole texts to 'text'."
            )
        return value

    def _of_tokens(self, row: Mapping[str, Any], words: List[str]) -> Dict[str, Any]:
        """The annotation of tokens, as the arguments of a Doc."""
        found: Dict[str, Any] = {}
        for role, argument in TOKEN_ROLES.items():
            values = self._list(role, row)
            if values is None:
                continue
            column = self._source.columns[role][0]
            if role == "morph":
                # A dict or a list of features is an error, whose message shows it as text.
                values = [repr(each) if isinstance(each, (dict, list)) else each for each in values]
            names = column.names(values)
            if role == "morph":
                _check_morphology(names, column)
            elif role != "entities":
                names = ["" if name == MISSING_TAG else name for name in names]
            if role == "pos":
                _check_parts_of_speech(names, column)
            if len(names) != len(words):
                raise ValueError(
                    f"it has {len(words)} tokens, but {len(names)} {role}. Each token needs one; "
                    f"write an empty one if it is unknown."
                )
            found[argument] = self._entity_tags.to_bio(names) if role == "entities" else names
        return found

    def _cats(self, row: Mapping[str, Any]) -> Dict[str, float]:
        """The categories of a row, empty if it is not labeled."""
        _, columns, _, labels, names = self._source
        if labels is not None:
            return labels.cats(row)
        return read_numbers(columns.get("cats", []), row, names, self.separator)


def _spaces(words: List[str], text: str) -> Optional[List[bool]]:
    """For each word of a text, True if a space follows it. None if the words do not match it."""
    try:
        found, spaces = get_words_and_spaces(words, text)
    except ValueError:
        return None
    return spaces if found == words else None


def _check_morphology(names: List[str], column: Column) -> None:
    """Raise a ValueError for a name that is not in the format of Universal Dependencies."""
    for name in set(names):
        if name and not FEATS.fullmatch(name):
            raise ValueError(
                f"{name!r} in the column '{column}' is not a morphology. Write its features as "
                f"Universal Dependencies do: Case=Nom|Number=Sing, _ if there are none, and an "
                f"empty string if they are unknown."
            )


def _check_parts_of_speech(names: List[str], column: Column) -> None:
    """Raise a ValueError for a name that is not a universal part of speech."""
    for name in set(names):
        if name not in PARTS_OF_SPEECH:
            raise ValueError(
                f"{name!r} in the column '{column}' is not a universal part of speech. Choose from "
                f"{', '.join(filter(None, PARTS_OF_SPEECH))}; map tags of another kind to 'tags'. "
                f"{NAMES_FOR_NUMBERS}"
            )
