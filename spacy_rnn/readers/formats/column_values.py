"""What the name and the values of a column show: texts, labels, numbers or lists."""

import math
from dataclasses import dataclass
from typing import Any, Callable, Iterable, List, Mapping

from ..columns import ROLES
from ..labels import DECIMAL_COMMA, THOUSANDS, TRUTH_VALUES
from ..spans import ENDS, STARTS
from .base import SENTENCE_ENDS

#: usual names of columns
TEXT_NAMES = (
    "text sentence content review comment tweet message body document headline title question "
    "utterance query description data source src"
).split()
LABEL_NAMES = (
    "label labels category categories class classes intent sentiment emotion emotions topic topics "
    "target tags tag genre cats"
).split()
TOKEN_NAMES = ("tokens", "words", "token", "word")
#: usual names of columns with a tag for each token
TAG_NAMES = ("tags", "pos", "pos_tags", "upos", "xpos", "ner_tags")
NUMBER_NAMES = "rating score stars value grade valence arousal regression".split()
TRANSLATION_NAMES = "translation target tgt".split()
INDEX_NAMES = ("id", "index", "idx", "no", "nr", "#", "")
#: columns of labels with a larger part of different values are texts or names
MOST_DISTINCT = 0.5
#: the mean number of words of texts
N_WORDS_OF_TEXT = 2.5


@dataclass(frozen=True)
class ColumnValues:
    """The values of a column in the first rows.

    name (str): The name.
    values (List[Any]): The values that are not missing.
    """

    name: str
    values: List[Any]

    def is_named(self, names: Iterable[str]) -> bool:
        """Return True if the column has one of these names."""
        return self.name.strip().lower() in names

    @property
    def strings(self) -> List[str]:
        """The values as strings, which lists and dicts are not."""
        return [str(v) for v in self.values if isinstance(v, (str, int, float))]

    @property
    def is_numeric(self) -> bool:
        """True if all values are numbers."""
        return bool(self.values) and all(map(is_number, self.values))

    @property
    def has_commas(self) -> bool:
        """True if the values are numbers, some of them with a decimal comma or with commas between
        thousands, which may also be several labels that are numbers."""
        strings = self.strings
        commas = [s for s in strings if DECIMAL_COMMA.fullmatch(s) or THOUSANDS.fullmatch(s)]
        others = set(strings).difference(commas)
        return bool(commas) and all(map(is_number, others))

    @property
    def is_mostly_numeric(self) -> bool:
        """True if most of the different values are numbers that are no labels: they have fractions,
        or the column is named as numbers are. The others may stand for missing numbers."""
        distinct = set(self.strings)
        named = self.is_named(NUMBER_NAMES)
        numbers = [s for s in distinct if is_number(s) and (named or not float(s).is_integer())]
        return len(numbers) > len(distinct) / 2

    @property
    def is_flag(self) -> bool:
        """True if all values are 0 or 1, or true or false."""
        numbers = [TRUTH_VALUES.get(str(value).lower(), value) for value in self.values]
        return all(map(is_number, numbers)) and {float(n) for n in numbers} <= {0.0, 1.0}

    @property
    def is_index(self) -> bool:
        """True if the column numbers the rows, or identifies them."""
        if self.is_named(INDEX_NAMES) or self.is_named([*LABEL_NAMES, *NUMBER_NAMES]):
            return self.is_named(INDEX_NAMES)
        numbers = [float(value) for value in self.values] if self.is_numeric else []
        steps = {b - a for a, b in zip(numbers, numbers[1:], strict=False)}
        return len(numbers) > 2 and steps == {1.0}

    @property
    def is_sentences(self) -> bool:
        """True if most values end like a sentence."""
        n_ends = sum(value.rstrip().endswith(SENTENCE_ENDS) for value in self.strings)
        return n_ends > len(self.values) / 2

    @property
    def is_text(self) -> bool:
        """True if the values look like texts."""
        strings = self.strings
        if not strings or self.is_numeric or len(strings) < len(self.values):
            return False
        n_words = sum(len(value.split()) for value in strings) / len(strings)
        n_distinct = len(set(strings)) / len(strings)
        return self.is_sentences or (n_words >= N_WORDS_OF_TEXT and n_distinct > MOST_DISTINCT)

    @property
    def is_spans(self) -> bool:
        """True if the values look like lists of entities."""
        return self._are_lists_of(_is_span)

    @property
    def is_list(self) -> bool:
        """True if the values are lists of strings."""
        return self._are_lists_of(lambda item: isinstance(item, str))

    @property
    def is_numbers(self) -> bool:
        """True if the values are objects of numbers."""
        return bool(self.values) and all(isinstance(value, dict) for value in self.values)

    @property
    def items(self) -> List[Any]:
        """The items of all lists."""
        return [item for value in self.values if isinstance(value, list) for item in value]

    def _are_lists_of(self, is_item: Callable[[Any], bool]) -> bool:
        lists = all(isinstance(value, list) for value in self.values)
        return lists and bool(self.items) and all(map(is_item, self.items))

    @property
    def is_label(self) -> bool:
        """True if the values look like labels: strings that occur again."""
        strings = self.strings
        few = len(set(strings)) <= max(1, MOST_DISTINCT * len(strings))
        return bool(strings) and few and not (self.is_numeric or self.is_sentences)

    @property
    def may_be_classes(self) -> bool:
        """True if the values differ, and are not numbers with a comma."""
        return len(set(self.strings)) > 1 and not self.has_commas


def _is_span(item: Any) -> bool:
    if isinstance(item, Mapping):
        return any(name in item for name in STARTS) and any(name in item for name in ENDS)
    # The reader has the error for a list with one index only.
    return isinstance(item, list) and len(item) == 3 and int in map(type, item[:2])


def is_number(value: Any) -> bool:
    """Return True for numbers and strings of them."""
    try:
        # Python also reads 1_1, which is the name of something, as a number.
        return not isinstance(value, bool) and "_" not in str(value) and math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


def known_names(names: Iterable[str]) -> List[str]:
    """The names that are usual for columns."""
    known = {*TEXT_NAMES, *LABEL_NAMES, *NUMBER_NAMES, *TRANSLATION_NAMES, *ROLES, "id", "idx"}
    return [name for name in names if name.strip().lower() in known]
