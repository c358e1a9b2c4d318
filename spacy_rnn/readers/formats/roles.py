"""Guesses of the roles of columns, from their names and values."""

from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence

from ..columns import KNOWN_ROLES, ROLES
from ..entity_tags import are_entity_tags
from ..labels import find_joined
from .base import TASKS
from .column_values import (
    LABEL_NAMES,
    NUMBER_NAMES,
    TAG_NAMES,
    TEXT_NAMES,
    TOKEN_NAMES,
    TRANSLATION_NAMES,
    ColumnValues,
)

if TYPE_CHECKING:
    from ..data_file import DataFile

#: the roles that a column beside the text has most often, and their content
SECOND_ROLES = {
    "label": "classes",
    "regression": "numbers",
    "translation": "translations",
    "spans": "entities",
}


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
            f"in columns"
            + (", which are numbers from 0 without a header." if file.header is False else ".")
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
            self._check_is_no_column_of_tokens()
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
        n_texts = sum(column.is_text for column in self.columns)
        if found and n_texts > 1 and not text.is_named(TEXT_NAMES):
            # The label may be of both texts, such as of a premise and a hypothesis.
            self._fail("one column of texts")
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

    def _check_is_no_column_of_tokens(self) -> None:
        """Raise a ValueError for a table with a token in each row."""
        tokens = next((c for c in self.columns if c.strings and c.is_named(TOKEN_NAMES)), None)
        tags = next((c for c in self.columns if are_entity_tags(set(c.strings))), None)
        if tokens and tags:
            raise ValueError(
                f"{self.file.path} has a token in each row, in the column '{tokens.name}', but "
                f"each row must be a text. Write a token and its tag, the column '{tags.name}', on "
                f"each line of a .conll file, separated by a TAB, with an empty line after each "
                f"sentence."
            )

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
            rest = [c for c in rest if not _are_numbers(c)]
        named = [c for name in LABEL_NAMES for c in rest if c.is_named([name])]
        named = [c for c in named if not (c.is_text or _has_fractions(c) or not c.values)]
        labels = named or [c for c in rest if (c.is_label and not c.is_flag) or c.is_list]
        if not labels and len(rest) == 1 and not rest[0].is_numeric and not rest[0].is_text:
            labels = list(rest)
        if len(labels) > 1:
            labels = [c for c in labels if c.may_be_classes] or labels
        if labels:
            if len(labels) > 1 and not named:
                self._fail(f"one column of labels (there are {[c.name for c in labels]})")
            column = labels[0]
            if self.file.task is None and column.has_commas:
                raise ValueError(
                    f"The column '{column.name}' of {self.file.path} may have numbers with a "
                    f"comma, or several labels that are numbers. Choose the task, regressor or "
                    f"textcat_multilabel."
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
        numbers = [
            c for c in rest if c.is_numeric or c.is_numbers or c.has_commas or c.is_mostly_numeric
        ]
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
        texts = [c.name for c in self.columns if c.is_text]
        tokens = [c.name for c in self.columns if c.is_list and c.is_named(TOKEN_NAMES)]
        first = next(iter(texts or tokens or names), "NAME")
        other = next((name for name in reversed(names) if name != first), "NAME")
        seconds = {"translation": texts[1]} if len(texts) > 1 else {}
        options = ", ".join(
            f"text={first},{role}={seconds.get(role, other)} for {content}"
            for role, content in SECOND_ROLES.items()
        )
        if tokens and not texts:
            options = f"tokens={first},entities={other} for entities"
        empty = f"; without values: {self.empty}" if self.empty else ""
        raise ValueError(
            f"{self.file.path} does not show {needed}. Its columns: {names}{empty}. Choose with "
            f"--columns (in a config: columns), such as {options}. All roles: {KNOWN_ROLES}."
        )


def _are_numbers(column: ColumnValues) -> bool:
    """Return True for numbers that look like labels, because of their commas or because others are
    missing."""
    if column.has_commas:
        return column.is_named(NUMBER_NAMES)
    is_partly_numeric = column.is_mostly_numeric and not column.is_numeric
    return is_partly_numeric and not column.is_named(LABEL_NAMES)


def _has_fractions(column: ColumnValues) -> bool:
    return column.is_numeric and any("." in str(value) for value in column.values)
