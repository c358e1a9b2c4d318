"""Texts with any annotation, from datasets of the library `datasets`."""

import logging
import re
from collections import Counter
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
from ..validation import at_least
from .columns import CATEGORIES, KNOWN_ROLES, OF_TOKENS, Column, find_columns
from .entity_tags import EntityTags
from .labels import LabelReader, read_numbers
from .sources import open_dataset
from .tables import TableFormat
from .text_io import NAMES_FOR_NUMBERS, Drops, checked_text

logger = logging.getLogger("spacy_rnn")

#: the morphology of a token, as Universal Dependencies write it
FEATS = re.compile(r"""_|[^\s=|{}'"]+=[^\s=|{}'"]+(\|[^\s=|{}'"]+=[^\s=|{}'"]+)*""")
#: a tag or part of speech that is missing, as in the files of Universal Dependencies
MISSING_TAG = "_"
#: rows of a stream that tell its features where the stream does not
N_ROWS_FOR_FEATURES = 100


class _Source(NamedTuple):
    """The rows of a dataset, the columns of each role, the names of those that have none, what
    reads the labels of `doc.cats`, and their names where they are known."""

    rows: Any
    columns: Dict[str, List[Column]]
    ignored: List[str]
    labels: Optional[LabelReader]
    label_names: Optional[List[str]]


class HFDataset:
    """Iterate Example objects over the rows of a dataset of Hugging Face's library `datasets`.

    Columns are read by their role, and make these annotations:

    * "text": the text, which the pipeline tokenizes;
    * "tokens": a list of tokens, which are kept. With "text" beside it, that tells where blanks
      are; if the tokens don't spell it, it is ignored;
    * "tags", "pos", "morph": a list of `token.tag_`, `token.pos_` or `token.morph`;
    * "entities": a list of tags such as B-PERSON (BIO, BILUO, BIOES or BMES) or PERSON (IO), for
      `doc.ents`;
    * "label" or "labels": the label of the text, or a list of them: those have 1 in `doc.cats`, the
      others 0; "cats": the numbers themselves;
    * "regression": numbers, for `doc._.regression`;
    * "translation": a text, for `doc._.translation`.

    Labels are names, numbers of a `ClassLabel`, or numbers whose names `labels` has at that
    position; any other number is its own name, but not in tags of entities. What is missing, such
    as a `ClassLabel` of -1, a tag "_" or a number that is NaN, is not annotated: the text is read
    all the same. Numbers are a column of dicts, {"NAME": value}, a column for each, whose name
    is theirs, or, for "cats", a column of lists, whose numbers `labels` names. In a stream without
    `ClassLabel` and `labels`, only the label of a text itself is known and set.

    The first pass logs which columns are read and which are ignored. Messages count rows from 1,
    without the header.

    Rows without a text are dropped. How many is logged at the end of each pass: as a warning, or as
    information where the pass before dropped the same.

    Local files of text are read by one rule for each ending: a .csv file has quotes, a .tsv file
    has none, and only an empty field is missing; byte-order marks are known. They are read once
    before the first row: a file that is not in its encoding, or whose rows differ in their numbers
    of fields, is an error that names the line.

    path (Union[str, Path]): A file (.csv, .tsv, .json, .jsonl, .parquet, .arrow, or .txt, a text a
        line; also compressed), a folder of them, a folder that `save_to_disk` wrote, or the name of
        a dataset on the Hub, which is read by the library's own rules.
    config_name (Optional[str]): Which configuration (subset), where a dataset has several.
    split (Optional[str]): Which split, where a dataset has several, or a part of one, such as
        "train[:10%]"; a part neither of a stream nor of what `save_to_disk` wrote.
    streaming (bool): Read rows as they come, rather than download and convert the whole dataset
        first. What `save_to_disk` wrote needs neither.
    columns (Optional[Dict[str, Union[str, List[str]]]]): The name of the column for each role that
        is to be read: {"text": "sentence", "label": "intent"}. A field of a column follows a dot:
        {"text": "translation.en", "translation": "translation.fr"}. Numbers may have several:
        {"text": "text", "regression": ["valence", "arousal"]}. None for columns that are named
        after their role, and others where their features leave no doubt.
    labels (Optional[Union[List[str], HFDataset]]): The names of all labels in `doc.cats`, so that a
        dev corpus marks those it lacks as 0 too: a list, or the reader of the training corpus,
        whose labels they are. With a column of lists of numbers as "cats" they are the names of the
        numbers, in their order; with labels that are numbers, 0 is the first. None for the labels
        of this dataset.
    separator (str): What stands between the labels of one string, as in "x,y" or "['x', 'y']"; ""
        where each string is one label.
    limit (int): Stop after this many rows with a text; 0 for no limit.
    delimiter (Optional[str]): What separates the columns; None for a comma in .csv and a TAB in
        .tsv.
    header (bool): Whether the first row of .csv and .tsv names the columns. If not, their names are
        their numbers, from 0: {"text": "0", "label": "1"}.
    quotes (Optional[bool]): Whether fields may be between double quotes (RFC 4180); if not, quotes
        are text. None for quotes in .csv only.
    encoding (str): The encoding of files of text, unless a byte-order mark tells another one.
    """

    def __init__(
        self,
        path: Union[str, Path],
        *,
        config_name: Optional[str] = None,
        split: Optional[str] = None,
        streaming: bool = False,
        columns: Optional[Mapping[str, Union[str, List[str]]]] = None,
        labels: Optional[Union[List[str], "HFDataset"]] = None,
        separator: str = "",
        limit: int = 0,
        delimiter: Optional[str] = None,
        header: bool = True,
        quotes: Optional[bool] = None,
        encoding: str = "utf-8",
    ) -> None:
        at_least(0, limit=limit)
        self.format = TableFormat(delimiter, header, quotes, encoding)
        self.path = str(path)
        self.config_name = config_name
        self.split = split
        self.streaming = streaming
        self.columns = columns
        self.labels = labels
        self.separator = separator
        self.limit = limit
        self._is_described = False
        cure = "Check the path, the split, and which column is read as the text."
        self._drops = Drops(self.path, "rows", cure)
        self._entity_tags = EntityTags(self.path)

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Yield examples from the data: each text without annotation, and the same with it. Raises
        an OSError if there is no such dataset, and a ValueError where it is malformed, the columns
        are not clear or no text is left.

        nlp (Language): The current nlp object.
        YIELDS (Example): The examples.
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
                raise ValueError(f"Row {number} of {self.path}: {error}") from error
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
        """The names of all labels in `doc.cats`. Raises a ValueError if they are not known."""
        if self._source.label_names is None:
            raise ValueError(
                f"The labels of {self.path} are not known, as it is a stream without ClassLabel or "
                f"has no column of labels. Set its labels to a list of their names."
            )
        return self._source.label_names

    @cached_property
    def _source(self) -> _Source:
        # Kept: to open a dataset of the Hub takes several requests, and each epoch would.
        rows: Any = open_dataset(
            self.path, self.config_name, self.split, self.streaming, self.format
        )
        from datasets import Dataset

        features = rows.features
        if features is None:
            # Before datasets 4, a stream of CSV or JSON does not tell them.
            features = Dataset.from_list(list(rows.take(N_ROWS_FOR_FEATURES))).features
        columns = find_columns(features, self.columns, self.path)
        needed = {column.path[0] for those in columns.values() for column in those}
        ignored = [name for name in features if name not in needed]
        # Without a format, rows are of plain Python values.
        rows = rows.select_columns(sorted(needed)).with_format(None)
        names = self._given_labels(columns)
        labels = None
        for column in columns.get("label") or columns.get("labels") or ():
            labels = LabelReader(column, self.separator, names, self.path)
            if labels.names is None and isinstance(rows, Dataset):
                labels.collect_names(rows.select_columns(column.path[0]))
            names = labels.names
        return _Source(rows, columns, ignored, labels, names)

    def _given_labels(self, columns: Dict[str, List[Column]]) -> Optional[List[str]]:
        """The names in the setting `labels`."""
        if self.labels is None:
            return None
        if not columns.keys() & set(CATEGORIES):
            raise ValueError(
                f"{self.path}: labels is set, but no column has labels. Map one to 'label', "
                f"'labels' or 'cats' in columns, or leave labels out."
            )
        names = self.labels.label_names if isinstance(self.labels, HFDataset) else self.labels
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            raise ValueError(f"{self.path}: labels has {repeated} more than once. Name each once.")
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
            self.path,
            ", ".join(read),
            ", ".join(ignored) or "none",
            "" if names is None else f"; labels: {len(names)}",
        )
        if self.columns is None and ignored and not columns.keys() - {"text", "tokens"}:
            logger.warning(
                "%s: only texts are read, without annotation. If one of the columns %s has it, map "
                'it in the config, as columns = {"text": "sentence", "label": "intent"}; known are '
                "%s.",
                self.path,
                ignored,
                KNOWN_ROLES,
            )

    def _make_example(self, nlp: Language, row: Mapping[str, Any]) -> Optional[Example]:
        """The example of a row; None if it has no text."""
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
            reference._.regression = read_numbers(columns["regression"], row) or None
        if "translation" in columns:
            translation = checked_text(self._value("translation", row), "translation")
            reference._.translation = translation or None
        return Example(predicted, reference)

    def _value(self, role: str, row: Mapping[str, Any]) -> Any:
        """What a row has for a role of one column."""
        return self._source.columns[role][0].value(row) if role in self._source.columns else None

    def _list(self, role: str, row: Mapping[str, Any]) -> Optional[List[Any]]:
        """What a row has for a role of tokens."""
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
        for role, argument in OF_TOKENS.items():
            values = self._list(role, row)
            if values is None:
                continue
            column = self._source.columns[role][0]
            if role == "morph":
                # A dict or a list of features is not a morphology; it is shown as it prints.
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
                    f"it has {len(words)} tokens, but {len(names)} {role}. Each token needs one, "
                    f"an empty one where it is not known."
                )
            found[argument] = self._entity_tags.to_bio(names) if role == "entities" else names
        return found

    def _cats(self, row: Mapping[str, Any]) -> Dict[str, float]:
        """The categories of a row; none where it is not labeled."""
        _, columns, _, labels, names = self._source
        if labels is not None:
            return labels.cats(row)
        return read_numbers(columns.get("cats", []), row, names, self.separator)


def make_hf_dataset(
    path: Optional[Union[str, Path]],
    config_name: Optional[str] = None,
    split: Optional[str] = None,
    streaming: bool = False,
    columns: Optional[Dict[str, Union[str, List[str]]]] = None,
    labels: Optional[Union[List[str], HFDataset]] = None,
    separator: str = "",
    limit: int = 0,
    delimiter: Optional[str] = None,
    header: bool = True,
    quotes: Optional[bool] = None,
    encoding: str = "utf-8",
) -> HFDataset:
    """spacy_rnn.HFDataset.v1: see `HFDataset`."""
    if path is None:
        raise ValueError(Errors.E913)
    return HFDataset(
        path,
        config_name=config_name,
        split=split,
        streaming=streaming,
        columns=columns,
        labels=labels,
        separator=separator,
        limit=limit,
        delimiter=delimiter,
        header=header,
        quotes=quotes,
        encoding=encoding,
    )


def _spaces(words: List[str], text: str) -> Optional[List[bool]]:
    """Whether a blank follows each word in a text; None if they are not its words."""
    try:
        found, spaces = get_words_and_spaces(words, text)
    except ValueError:
        return None
    return spaces if found == words else None


def _check_morphology(names: List[str], column: Column) -> None:
    """Raise a ValueError for a name that does not list features as Universal Dependencies do."""
    for name in set(names):
        if name and not FEATS.fullmatch(name):
            raise ValueError(
                f"{name!r} in the column '{column}' is not a morphology. Write its features as "
                f"Universal Dependencies do: Case=Nom|Number=Sing, _ where there are none, and "
                f"nothing where they are not known."
            )


def _check_parts_of_speech(names: List[str], column: Column) -> None:
    """Raise a ValueError for a name that is none of the universal parts of speech."""
    for name in set(names):
        if name not in PARTS_OF_SPEECH:
            raise ValueError(
                f"{name!r} in the column '{column}' is not a universal part of speech. Choose from "
                f"{', '.join(filter(None, PARTS_OF_SPEECH))}; map tags of another kind to 'tags'. "
                f"{NAMES_FOR_NUMBERS}"
            )
