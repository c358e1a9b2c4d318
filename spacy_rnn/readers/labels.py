"""Labels and numbers of texts in the formats of datasets."""

import json
import logging
import re
from abc import ABC, abstractmethod
from collections import Counter
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple, Union

from .columns import Column, is_missing
from .text_io import NAMES_FOR_NUMBERS

logger = logging.getLogger("spacy_rnn")

#: the values of a binary label in a list with a value for each label
FLAGS = frozenset("0 1 -1 0.0 1.0 -1.0 false true no yes n y f t off on".split())
NUMBER = re.compile(r"[-+]?\d+(\.\d*)?")
#: a number with commas that may separate thousands, and one with a decimal comma
THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+")
DECIMAL_COMMA = re.compile(rf"(?!{THOUSANDS.pattern}$)[-+]?\d+,\d+")
#: the names of 0 and 1 in tables
TRUTH_VALUES = {"false": 0.0, "true": 1.0}
#: separators that are unlikely within a label, and those that count only between known labels
SEPARATORS = re.compile(r"[;|\t\r\n]|,(?!\s)")
MAYBE_SEPARATORS = ("/", "+", "&", " ")
PRINTED_LIST = re.compile(r"""\[.*\]|[({](?:['"]|.*,).*[)}]""", re.DOTALL)
#: a list printed by numpy, without commas
PRINTED_ARRAY = re.compile(r"""\[([^,]*['"]\s+['"][^,]*|[^,'"]*\S\s+\S[^,'"]*)\]""", re.DOTALL)
HASHTAGS = re.compile(r"#\S+(,?\s+#\S+)+")


class LabelSource(ABC):
    """A corpus whose labels another corpus can use."""

    @property
    @abstractmethod
    def label_names(self) -> List[str]:
        """The names of all labels in `doc.cats`."""


def names_of_labels(
    labels: Union[None, Sequence[str], LabelSource], source: Any
) -> Optional[List[str]]:
    """Get the names in the setting `labels` of a reader.

    labels (Union[None, Sequence[str], LabelSource]): The names, or a corpus that has them.
    source (Any): The path or name of the data, for messages.
    RETURNS (Optional[List[str]]): The names, None if the setting is.
    RAISES (ValueError): If there is a name more than once.
    """
    if labels is None:
        return None
    names = list(labels.label_names if isinstance(labels, LabelSource) else labels)
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(f"{source}: labels has {repeated} more than once. Name each once.")
    return names


class LabelReader:
    """Reads the labels of texts as `doc.cats`: 1 for the labels of a text, 0 for all others.

    column (Column): The column with a label or a list of labels.
    separator (str): The separator of labels in one string; "" if each string is one label.
    names (Optional[Sequence[str]]): All labels, None if unknown. Unless one of them is a number,
        labels that are numbers are indices of these names.
    source (Any): The path or name of the dataset, for messages.
    """

    def __init__(
        self, column: Column, separator: str, names: Optional[Sequence[str]], source: Any
    ) -> None:
        self.column = column
        self.separator = separator
        self.source = source
        self.names: Optional[List[str]] = None
        self._warned = False
        class_names = column.class_names
        #: True if numbers are indices of names
        self._by_position = class_names is None and not any(map(NUMBER.fullmatch, names or ()))
        if names is not None:
            self.names = list(names)
        elif class_names is not None:
            self.names = list(dict.fromkeys(self._split(class_names)))
            self._warn_of_joined(self.names)

    def collect_names(self, rows: Iterable[Tuple[str, Mapping[str, Any]]]) -> None:
        """Set the names of all labels to those in the rows.

        rows (Iterable[Tuple[str, Mapping[str, Any]]]): The place of each row, such as "line 3", and
            its values.
        """
        found: Set[str] = set()
        for place, row in rows:
            try:
                found.update(self._read(self.column.value(row)) or ())
            except ValueError as error:
                raise ValueError(f"{place.capitalize()} of {self.source}: {error}") from error
        self.names = sorted(found)
        if not found:
            logger.warning(
                "%s: no row has a label in the column '%s'. Check the name of the column.",
                self.source,
                self.column,
            )
        self._warn_of_joined(self.names)

    def cats(self, row: Mapping[str, Any]) -> Dict[str, float]:
        """Get the labels of a row.

        row (Mapping[str, Any]): The row.
        RETURNS (Dict[str, float]): The value of each label; empty if the row is not annotated.
        """
        value = self.column.value(row)
        found = self._read(value)
        if found is None:
            return {}
        if self.names is None:
            if self.separator or isinstance(value, list):
                raise ValueError(
                    f"'{self.column}' lists the labels of each text, but not all labels there are. "
                    f"Set labels to the names of all labels, or set streaming to false."
                )
            self._warn_of_joined(found)
            return dict.fromkeys(found, 1.0)
        if len(found) > 1 and FLAGS.issuperset(name.lower() for name in self.names):
            raise self._not_a_set(value)
        if self._by_position and not isinstance(value, list):
            found = [self._name_of_number(name) for name in found]
        unknown = [name for name in found if name not in self.names]
        if unknown:
            if len(found) > 1 and FLAGS.issuperset(name.lower() for name in found):
                raise self._not_a_set(value)
            advice = "If the string contains several labels, set separator to their separator."
            if self._by_position and NUMBER.fullmatch(unknown[0]):
                advice = NAMES_FOR_NUMBERS
            raise ValueError(
                f"the label {unknown[0]!r} in the column '{self.column}' is not in labels, "
                f"{list(self.names)}. Correct it, or write labels as they are in the data. {advice}"
            )
        return {name: float(name in found) for name in self.names}

    def _read(self, value: Any) -> Optional[List[str]]:
        """The labels in a value, None if one of them is missing."""
        values = value if isinstance(value, list) else [value]
        if isinstance(value, list) and any(isinstance(each, (bool, float)) for each in value):
            raise self._not_a_set(value)
        if isinstance(value, list):
            # Missing items are padding. A list without other items is a missing value.
            values = [each for each in value if not is_missing(each)] or value[:1]
        names = [self.column.name(each) for each in values]
        known = [name for name in names if name is not None]
        if len(known) < len(names):
            return None
        found = self._split(known)
        numbers = all(isinstance(each, int) for each in values)
        if len(set(found)) < len(found) and (
            numbers or FLAGS.issuperset(name.lower() for name in found)
        ):
            raise self._not_a_set(value)
        return found

    def _split(self, names: List[str]) -> List[str]:
        if not self.separator:
            return names
        return [part for name in names for part in split_list(name, self.separator)]

    def _name_of_number(self, label: str) -> str:
        """The name of a label that is an index of `labels`."""
        names = self.names or []
        if label in names or not (label.isdecimal() and label == str(int(label))):
            return label
        if int(label) >= len(names):
            raise ValueError(
                f"the label {label} in the column '{self.column}' is out of range: labels has "
                f"{len(names)} names, from 0. Correct it, or complete labels."
            )
        return names[int(label)]

    def _not_a_set(self, value: Any) -> ValueError:
        return ValueError(
            f"{value!r} in the column '{self.column}' is not a set of labels. If it has a number "
            f'for each label, read it as numbers, columns = {{"text": ..., "cats": '
            f'"{self.column}"}}, and name the labels in their order, labels = ["NAME", ...]. If '
            f'each label has a column of numbers, name those: "cats": ["NAME", ...].'
        )

    def _warn_of_joined(self, names: List[str]) -> None:
        """Warn once if a label looks like several labels in one string."""
        if self.separator or self._warned:
            return
        joined = find_joined(names)
        if joined is not None:
            self._warned = True
            logger.warning(
                "%s: the label %r in the column '%s' looks like several labels in one string, but "
                "is read as one label. If it is several, set separator = %s.",
                self.source,
                joined[0],
                self.column,
                json.dumps(joined[1]),
            )


def read_numbers(
    columns: Iterable[Column],
    row: Mapping[str, Any],
    names: Optional[Sequence[str]] = None,
    separator: str = "",
) -> Dict[str, float]:
    """Read numbers from columns of numbers, of dicts, or of lists with a number for each name.

    columns (Iterable[Column]): The columns.
    row (Mapping[str, Any]): A row of the dataset.
    names (Optional[Sequence[str]]): The names of the numbers of a list; None for the names of the
        columns or the keys of the dicts.
    separator (str): The separator of numbers in a string.
    RETURNS (Dict[str, float]): The numbers that are not missing, by name.
    """
    found: Dict[str, float] = {}
    for column in columns:
        value = column.value(row)
        if isinstance(value, str) and names is not None and separator:
            value = split_list(value, separator)
        if isinstance(value, list):
            texts = [each for each in value if isinstance(each, str) and not _is_number(each)]
            if texts:
                raise ValueError(
                    f"the column '{column}' has a list of texts, such as {texts[0]!r}, not of "
                    f"numbers. If they are names of labels, map the column to 'labels'."
                )
            if names is None or len(names) != len(value):
                raise ValueError(
                    f"the column '{column}' has a list of {len(value)} numbers, but "
                    f"{0 if names is None else len(names)} names for them. Name the labels in "
                    f"doc.cats in their order, labels = [\"NAME\", ...]; for 'regression', make "
                    f"each number a column."
                )
            value = dict(zip(names, value, strict=True))
        numbers = value if isinstance(value, dict) else {column.path[-1]: value}
        for name, number in numbers.items():
            if is_missing(number):
                continue
            if not _is_number(number):
                raise ValueError(
                    f"{name} = {number!r} in the column '{column}' is not a number. Correct it, "
                    f"without separators of thousands, or leave it empty if it is missing."
                    f"{_advice_on_lists(number)}"
                )
            if names is not None and name not in names:
                raise ValueError(
                    f"the column '{column}' has a number for {name!r}, which is not in labels, "
                    f"{list(names)}. Correct it, or add it to labels."
                )
            found[name] = to_number(number)
    return {name: number for name, number in found.items() if not is_missing(number)}


def _advice_on_lists(value: Any) -> str:
    """The advice for a string that may be a list of numbers, "" for others."""
    numbers = re.findall(r"\d+", str(value))
    if len(numbers) < 2 or THOUSANDS.fullmatch(str(value)):
        return ""
    return (
        " If it is a list of numbers for doc.cats in a string, set separator, such as "
        'separator = ",", and the names of the numbers, labels = ["NAME", ...].'
    )


def to_number(value: Any) -> float:
    """Read a number. A string may have a decimal comma, or be "true" or "false" in any case.

    value (Any): The number, or a string of it.
    RETURNS (float): The number.
    RAISES (ValueError): If it is none, or its comma may separate thousands, as in 1,234.
    RAISES (TypeError): If it is neither a number nor a string.
    """
    if isinstance(value, str):
        value = TRUTH_VALUES.get(value.strip().lower(), value)
    if isinstance(value, str) and DECIMAL_COMMA.fullmatch(value.strip()):
        value = value.replace(",", ".")
    return float(value)


def _is_number(value: Any) -> bool:
    """Return True if a value is a number, a string of a number, or missing."""
    try:
        return is_missing(value) or isinstance(to_number(value), float)
    except (TypeError, ValueError):
        return False


def split_list(text: str, separator: str) -> List[str]:
    """Split a list in a string. Whitespace, the quotes and brackets of a printed list, and empty
    items are removed.

    text (str): The string.
    separator (str): The separator of items.
    RETURNS (List[str]): The items.
    """
    text = text.strip()
    if PRINTED_LIST.fullmatch(text):
        text = text[1:-1]
    end = rf"\s*(?:{re.escape(separator.strip() or separator)}|\Z)"
    items = re.finditer(rf"""\s*(?:(['"])(.*?)\1|(.*?)){end}""", text, re.DOTALL)
    return [item for match in items if (item := (match[2] or match[3] or "").strip())]


def find_joined(labels: Iterable[str]) -> Optional[Tuple[str, str]]:
    """Find a label that looks like several labels in one string.

    labels (Iterable[str]): The labels.
    RETURNS (Optional[Tuple[str, str]]): The label and its separator; None if there is none.
    """
    labels = list(dict.fromkeys(labels))
    known = set(labels)
    uses = Counter(part for label in labels for part in set(split_list(label, ",")))
    for label in labels:
        if PRINTED_LIST.fullmatch(label):
            return label, " " if any(map(PRINTED_ARRAY.fullmatch, labels)) else ","
        match = SEPARATORS.search(label.strip(";|, \t\r\n"))
        if match:
            return label, match[0]
        if HASHTAGS.fullmatch(label):
            return label, "," if "," in label else " "
        parts = split_list(label, ",")
        # The parts of a single label, such as "food, drinks", are not parts of other labels.
        if len(parts) > 1 and all(uses[part] > 1 for part in parts):
            return label, ","
        for separator in MAYBE_SEPARATORS:
            parts = split_list(label, separator) if separator in label else []
            if len(parts) > 1 and known.issuperset(parts):
                return label, separator
    return None
