"""Guesses of the roles of columns, from their names and values."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence

from ..columns import KNOWN_ROLES, ROLES
from ..entity_tags import are_entity_tags
from ..labels import DECIMAL_COMMA, find_joined
from ..spans import ENDS, STARTS
from .base import SENTENCE_ENDS, TASKS

if TYPE_CHECKING:
    from ..data_file import DataFile

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
#: the roles that a column beside the text has most often, and their content
SECOND_ROLES = {
    "label": "classes",
    "regression": "numbers",
    "translation": "translations",
    "spans": "entities",
}
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
    def has_decimal_commas(self) -> bool:
        """True if the values are whole numbers and numbers with a decimal comma, which may also be
        several labels that are numbers."""
        strings = self.strings
        commas = list(filter(DECIMAL_COMMA.fullmatch, strings))
        others = set(strings).difference(commas)
        return bool(commas) and all(map(is_number, others))

    @property
    def is_flag(self) -> bool:
        """True if all values are 0 or 1."""
        return self.is_numeric and {float(value) for value in self.values} <= {0.0, 1.0}

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
        """True if the values differ, and are not numbers with a decimal comma."""
        return len(set(self.strings)) > 1 and not self.has_decimal_commas


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


def guess_roles(
    file: "DataFile", names: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> "DataFile":
    """Guess the roles of columns and the task, unless they are given.

    file (DataFile): The file with the given settings.
    names (Sequence[str]): The names of the columns.
    rows (Sequence[Mapping[str, Any]]): The first rows.
    RETURNS (DataFile): The file with `columns`, `task` and `separator`.
    RAISES (ValueError): If a column does not exist, or the choice is ambiguous.
    """
    # Repeated pairs of texts would look like labels.
    distinct = list({repr(row): row for row in rows}.values())
    columns = [ColumnValues(name, _values(distinct, name)) for name in names]
    roles = dict(file.columns) if file.columns is not None else _Guess(file, columns).roles()
    used = [
        name
        for of_role in roles.values()
        for name in ([of_role] if isinstance(of_role, str) else of_role)
    ]
    unknown_roles = [role for role in roles if role not in ROLES]
    if unknown_roles:
        raise ValueError(
            f"'columns' has unknown roles, {unknown_roles}. Choose from {KNOWN_ROLES}."
        )
    missing = [name for name in used if name not in names]
    if missing:
        raise ValueError(
            f"{file.path} has no column {missing}. Its columns: {list(names)}. Correct the names "
            f"in columns" + ("." if file.header else ", which are numbers from 0 without a header.")
        )
    separator = file.separator
    if separator is None:
        separator = _guess_separator(file, roles, columns)
    if separator and "label" in roles and file.columns is None:
        roles = {("labels" if role == "label" else role): name for role, name in roles.items()}
    task = file.task or _task_of(roles, columns)
    shown = ", ".join(
        f"{role} = {name if isinstance(name, str) else ' + '.join(name)}"
        for role, name in roles.items()
    )
    ignored = [
        column.name if column.values else f"{column.name} (empty)"
        for column in columns
        if column.name not in used
    ]
    guesses = [f"columns used: {shown}; ignored: {', '.join(ignored) or 'none'}"]
    if separator:
        guesses.append(f"separator of labels: {separator!r}")
    return file.guessed(*guesses, columns=roles, task=task, separator=separator)


def _task_of(roles: Mapping[str, Any], columns: Sequence[ColumnValues]) -> str:
    """The task that columns show."""
    task = next((TASKS[role] for role in TASKS if role in roles), "lm")
    if task == "textcat_multilabel":
        values = next(
            (c.values for c in columns if c.name in (roles.get("labels"), roles.get("cats"))), []
        )
        if values and all(_is_exclusive(value) for value in values):
            return "textcat"
    return task


def _is_exclusive(labels: Any) -> bool:
    """Return True for a list of one label, or values of labels of which one is 1."""
    if isinstance(labels, dict):
        return len(labels) > 1 and sorted(map(float, labels.values()))[-2:] == [0.0, 1.0]
    return isinstance(labels, list) and len(labels) == 1


def _values(rows: Sequence[Mapping[str, Any]], name: str) -> List[Any]:
    return [value for row in rows if (value := row.get(name)) not in (None, "")]


def _guess_separator(
    file: "DataFile", roles: Mapping[str, Any], columns: Sequence[ColumnValues]
) -> str:
    """The separator of labels in one field, "" if each field is one label."""
    name = roles.get("label") or roles.get("labels")
    if name is None or file.task == "textcat":
        return ""
    strings = next((c.strings for c in columns if c.name == name), [])
    joined = find_joined(strings)
    return joined[1] if joined else ""


class _Guess:
    """Chooses the columns for a task, or for the task that they show."""

    def __init__(self, file: "DataFile", columns: Sequence[ColumnValues]) -> None:
        self.file = file
        self.columns = [column for column in columns if column.values]
        self.empty = [column.name for column in columns if not column.values]

    def roles(self) -> Dict[str, Any]:
        task = self.file.task
        if task == "translator":
            return self._pair() or self._fail("two columns of texts")
        found: Optional[Dict[str, Any]] = None
        if task in (None, "ner", "tagger"):
            found = self._of_tokens()
            if found:
                return found
        if task == "lm" and not any(c.is_text for c in self.columns):
            tokens = [c for c in self.columns if c.is_list]
            if tokens:
                return {"tokens": tokens[0].name}
        text = self._text()
        rest = [c for c in self.columns if c is not text and not c.is_index]
        spans = [c for c in rest if c.is_spans]
        if spans and task in (None, "ner"):
            return {"text": text.name, "spans": spans[0].name}
        rest = [c for c in rest if c not in spans]
        if task in (None, "textcat", "textcat_multilabel"):
            found = self._labels(rest)
        if not found and task in (None, "regressor"):
            found = self._numbers(rest)
        if not found and task is None:
            pair = self._pair()
            if pair:
                return pair
        if task not in (None, "lm") and not found:
            self._fail(f"a column for the task {task}")
        return {"text": text.name, **(found or {})}

    def _of_tokens(self) -> Optional[Dict[str, Any]]:
        """The columns of tokens and of their tags."""
        lists = [c for c in self.columns if c.is_list]
        tokens = next((c for c in lists if c.is_named(TOKEN_NAMES)), None)
        if tokens is None:
            return None
        lengths = list(map(len, tokens.values))
        of_tokens = [
            c
            for c in lists
            if c is not tokens and (list(map(len, c.values)) == lengths or c.is_named(TAG_NAMES))
        ]
        entities = [c for c in of_tokens if are_entity_tags(set(c.items))]
        tags = [c for c in of_tokens if c not in entities]
        texts = [c for c in self.columns if c.is_text and c.is_named(TEXT_NAMES)]
        found: Dict[str, Any] = {"text": texts[0].name} if texts else {}
        found["tokens"] = tokens.name
        if entities and self.file.task != "tagger":
            return {**found, "entities": entities[0].name}
        if not tags:
            return None
        for column in tags:
            role = {"upos": "pos", "morph": "morph", "feats": "morph"}.get(column.name.lower())
            found.setdefault(role or "tags", column.name)
        return found

    def _text(self) -> ColumnValues:
        texts = [c for c in self.columns if c.is_text]
        for name in TEXT_NAMES:
            for column in self.columns:
                if column.is_named([name]) and column.strings and not column.is_numeric:
                    return column
        if not texts:
            if any(name.strip().lower() in TEXT_NAMES for name in self.empty):
                self._fail("one column of texts")
            texts = [c for c in self.columns if c.strings and not c.is_numeric and not c.is_label]
        if not texts:
            texts = [c for c in self.columns if c.strings and not c.is_numeric][:1]
        if len(texts) == 1 or (texts and self._pair()):
            return texts[0]
        return self._fail("one column of texts")

    def _labels(self, rest: Sequence[ColumnValues]) -> Optional[Dict[str, Any]]:
        if self.file.task is None:
            rest = [c for c in rest if not (c.has_decimal_commas and c.is_named(NUMBER_NAMES))]
        named = [c for name in LABEL_NAMES for c in rest if c.is_named([name])]
        named = [c for c in named if not (c.is_text or _has_fractions(c) or not c.values)]
        labels = named or [c for c in rest if c.is_label or c.is_list]
        if not labels and len(rest) == 1 and not rest[0].is_numeric and not rest[0].is_text:
            labels = list(rest)
        if len(labels) > 1:
            labels = [c for c in labels if c.may_be_classes] or labels
        if labels:
            if len(labels) > 1 and not named:
                self._fail(f"one column of labels (there are {[c.name for c in labels]})")
            column = labels[0]
            if self.file.task is None and column.has_decimal_commas:
                raise ValueError(
                    f"The column '{column.name}' of {self.file.path} may have numbers with a "
                    f"decimal comma, or several labels that are numbers. Choose the task, "
                    f"regressor or textcat_multilabel."
                )
            if column.is_numbers:
                return {"cats": column.name}
            return {"labels" if column.is_list else "label": column.name}
        flags = [c.name for c in rest if c.is_flag]
        if len(flags) > 1 or (flags and self.file.task == "textcat_multilabel"):
            return {"cats": flags}
        numbers = [c.name for c in rest if c.is_numeric]
        if self.file.task is not None and len(numbers) == 1:
            return {"label": numbers[0]}
        return {"label": flags[0]} if len(flags) == 1 else None

    def _numbers(self, rest: Sequence[ColumnValues]) -> Optional[Dict[str, Any]]:
        numbers = [c for c in rest if c.is_numeric or c.is_numbers or c.has_decimal_commas]
        named = [c for c in numbers if c.is_named(NUMBER_NAMES)]
        names = [c.name for c in named or numbers]
        return {"regression": names if len(names) > 1 else names[0]} if names else None

    def _pair(self) -> Optional[Dict[str, Any]]:
        """The columns of texts and their translations."""
        texts = [c for c in self.columns if c.strings and not (c.is_numeric or c.is_label)]
        named = [c for c in texts if c.is_named(TRANSLATION_NAMES)]
        if self.file.task is None and len(texts) > 2 and not named:
            return None
        if len(texts) < 2:
            return None
        target = named[0] if named else texts[1]
        source = next(c for c in texts if c is not target)
        return {"text": source.name, "translation": target.name}

    def _fail(self, needed: str) -> Any:
        names = [c.name for c in self.columns]
        text = next((c.name for c in self.columns if c.is_text), names[0] if names else "NAME")
        other = next((name for name in reversed(names) if name != text), "NAME")
        options = ", ".join(
            f"text={text},{role}={other} for {content}" for role, content in SECOND_ROLES.items()
        )
        empty = f"; without values: {self.empty}" if self.empty else ""
        raise ValueError(
            f"{self.file.path} does not show {needed}. Its columns: {names}{empty}. Choose with "
            f"--columns (in a config: columns), such as {options}. All roles: {KNOWN_ROLES}."
        )


def _has_fractions(column: ColumnValues) -> bool:
    return column.is_numeric and any("." in str(value) for value in column.values)
