"""Columns of a dataset of the library `datasets`, and their roles."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Dict, Iterator, KeysView, List, Mapping, Optional, Tuple, Union

from .entity_tags import are_entity_tags

#: the roles of columns, and the annotation that they determine
ROLES = {
    "text": "the text",
    "tokens": "its tokens",
    "tags": "token.tag_",
    "pos": "token.pos_",
    "morph": "token.morph",
    "entities": "doc.ents, from tags such as B-PERSON",
    "spans": "doc.ents, from [start, end, label] or objects, by characters of the text",
    "label": "doc.cats, from a label or a list of them",
    "labels": "the same",
    "cats": "doc.cats, from numbers",
    "regression": "doc._.regression, from numbers",
    "translation": "doc._.translation",
}
KNOWN_ROLES = ", ".join(f"{role} ({meaning})" for role, meaning in ROLES.items())
#: roles of tokens, and the arguments of Doc for them
TOKEN_ROLES = {"tags": "tags", "pos": "pos", "morph": "morphs", "entities": "ents"}
CATEGORY_ROLES = ("label", "labels", "cats")
NUMBER_ROLES = ("cats", "regression")
STRING_TYPES = ("string", "large_string")
#: prefixes of the types of dates and times
TIME_TYPES = ("timestamp", "date", "time", "duration")


@dataclass(frozen=True)
class Column:
    """A column, or a field of a column.

    path (Tuple[str, ...]): The name of the column, followed by the names of nested fields.
    feature (Any): The feature of `datasets`, which is the type of the values.
    """

    path: Tuple[str, ...]
    feature: Any

    def __str__(self) -> str:
        return ".".join(self.path)

    def value(self, row: Mapping[str, Any]) -> Any:
        """Get the value of a row, None if it is missing.

        row (Mapping[str, Any]): The row.
        RETURNS (Any): The value.
        """
        found: Any = row
        for name in self.path:
            found = None if found is None else found[name]
        return found

    @cached_property
    def class_names(self) -> Optional[List[str]]:
        """The names of a `ClassLabel` or of a list of them, None for other features."""
        feature = _element(self.feature) or self.feature
        return getattr(feature, "names", None)

    def name(self, value: Any) -> Optional[str]:
        """Get the name of a label.

        value (Any): The label, a name or a number.
        RETURNS (Optional[str]): Its name; None if it is missing (also -1).
        """
        names = self.class_names
        if is_missing(value) or (names is not None and value == -1):
            return None
        if isinstance(value, str):
            return value
        if isinstance(value, float) and value.is_integer():
            # pandas converts integers to floats if one is missing.
            value = int(value)
        if not isinstance(value, int):
            raise ValueError(
                f"{value!r} in the column '{self}' is not a label, which must be a string or an "
                f"integer. Write it as a string, or map a column of numbers to 'regression' or "
                f"'cats'."
            )
        if names is None:
            return str(value)
        if not 0 <= value < len(names):
            raise ValueError(
                f"the label {value} in the column '{self}' is out of range: it has {len(names)} "
                f"names, from 0. Correct it, or write -1 if the label is unknown."
            )
        return names[value]

    def names(self, value: Any) -> List[str]:
        """Get the names of one label or of a list of labels.

        value (Any): The label, or the list.
        RETURNS (List[str]): The names, "" for missing labels.
        """
        values = value if isinstance(value, list) else [value]
        return [self.name(label) or "" for label in values]


def is_missing(value: Any) -> bool:
    """Return True if a value is missing: None, an empty string or NaN."""
    return value is None or value == "" or value != value


def find_columns(
    features: Mapping[str, Any], columns: Optional[Mapping[str, Union[str, List[str]]]], source: Any
) -> Dict[str, List[Column]]:
    """Find the columns of each role. Roles of numbers may have several columns.

    features (Mapping[str, Any]): The features of the dataset.
    columns (Optional[Mapping[str, Union[str, List[str]]]]): The name or names of the columns for
        each role; None to choose them by their names and features.
    source (Any): The path or name of the dataset, for messages.
    RETURNS (Dict[str, List[Column]]): The columns of each role.
    RAISES (ValueError): If a column does not exist, or the choice is ambiguous.
    """
    if columns is None:
        columns = _guess(features, source)
    unknown = [role for role in columns if role not in ROLES]
    if unknown:
        raise ValueError(
            f"'columns' has unknown roles, {unknown}. It maps each role to a column of the "
            f"dataset; the known roles are {KNOWN_ROLES}."
        )
    found = {
        role: [
            _find(features, name, source) for name in ([names] if isinstance(names, str) else names)
        ]
        for role, names in columns.items()
    }
    for role, those in found.items():
        if len(those) != 1 and role not in NUMBER_ROLES:
            raise ValueError(f"'columns' must map '{role}' to one column, got {columns[role]}.")
        for column in those:
            _check_is_no_time(column, source)
    _check_roles(features, found.keys(), source)
    return found


def _check_roles(features: Mapping[str, Any], roles: KeysView[str], source: Any) -> None:
    """Raise a ValueError for roles that do not fit together."""
    if not roles & {"text", "tokens"}:
        raise _unclear(features, source, "there is neither a text nor tokens")
    if "spans" in roles and ("text" not in roles or "tokens" in roles):
        raise _unclear(features, source, "'spans' are of a text without 'tokens'")
    of_tokens = [role for role in TOKEN_ROLES if role in roles]
    if of_tokens and "tokens" not in roles:
        raise _unclear(features, source, f"{of_tokens} are of tokens, but there are none")
    categories = [role for role in CATEGORY_ROLES if role in roles]
    if len(categories) > 1:
        raise _unclear(features, source, f"only one of {categories} can become doc.cats")


def _find(features: Mapping[str, Any], name: str, source: Any) -> Column:
    if name in features:
        return Column((name,), features[name])
    path = tuple(name.split("."))
    feature: Any = features
    for part in path:
        feature = _fields(feature).get(part)
        if feature is None:
            raise ValueError(
                f"{source} has no column '{name}'. Its columns: {list(_all_names(features))}. "
                f"Correct the name in columns."
            )
    return Column(path, feature)


def _check_is_no_time(column: Column, source: Any) -> None:
    """Raise a ValueError for a column of dates or times, which are not annotation."""
    kind = getattr(_element(column.feature) or column.feature, "dtype", None)
    if str(kind).startswith(TIME_TYPES):
        raise ValueError(
            f"{source}: the column '{column}' has dates or times ({kind}), but texts, labels or "
            f"numbers are needed. Map another column, or convert it to texts: in Python, with the "
            f"library datasets, dataset.cast_column('{column}', FEATURE).save_to_disk(FOLDER), "
            f'where FEATURE is Value("string"), or [Value("string")] for a column of lists.'
        )


def _guess(features: Mapping[str, Any], source: Any) -> Dict[str, str]:
    """Choose columns that are named like their role, and others whose type leaves no doubt."""
    _check_translations(features, source)
    found = {role: role for role in ROLES if role in features}
    rest = {name: feature for name, feature in features.items() if name not in found}
    if not found.keys() & {"text", "tokens"}:
        role, name = _guess_text(features, rest, source)
        found[role] = name
    for role, names in _annotation_candidates(rest, found).items():
        if role not in found and len(names) > 1:
            raise _unclear(features, source, f"each of {names} may be '{role}'")
        if role not in found and names:
            found[role] = names[0]
    return found


def _check_translations(features: Mapping[str, Any], source: Any) -> None:
    """Raise a ValueError for a column with texts in two languages, whose direction is unknown."""
    from datasets import Translation

    for name, feature in features.items():
        if isinstance(feature, Translation):
            first, second, *_ = feature.languages
            problem = (
                f"'{name}' has a text in two languages, either of which may be the translation; "
                f'one direction is columns = {{"text": "{name}.{first}", "translation": '
                f'"{name}.{second}"}}'
            )
            raise _unclear(features, source, problem)


def _guess_text(
    features: Mapping[str, Any], rest: Mapping[str, Any], source: Any
) -> Tuple[str, str]:
    """Choose the only column of texts or of lists of texts. Returns its role and its name."""
    texts = [name for name, feature in rest.items() if _is_text(feature)]
    lists = [name for name, feature in rest.items() if _is_text(_element(feature))]
    if len(texts) + len(lists) != 1:
        which = "several columns have texts" if texts or lists else "no other has texts"
        problem = f"no column is named 'text' or 'tokens', and {which}"
        raise _unclear(features, source, problem)
    return ("text", texts[0]) if texts else ("tokens", lists[0])


def _annotation_candidates(
    rest: Mapping[str, Any], found: Mapping[str, str]
) -> Dict[str, List[str]]:
    """The columns of labels that may have a role, by role."""
    single = [name for name, feature in rest.items() if hasattr(feature, "names")]
    elements = {name: _element(feature) for name, feature in rest.items()}
    several = {name: e.names for name, e in elements.items() if hasattr(e, "names")}
    has_categories = bool(found.keys() & set(CATEGORY_ROLES))
    candidates: Dict[str, List[str]] = {}
    if not has_categories:
        candidates["label"] = single
    if "tokens" in found:
        entities = [name for name, names in several.items() if are_entity_tags(names)]
        candidates["entities"] = entities
        candidates["tags"] = [name for name in several if name not in entities]
    elif not has_categories:
        candidates["labels"] = list(several)
    return candidates


def _unclear(features: Mapping[str, Any], source: Any, problem: str) -> ValueError:
    example = _example(features)
    option = ",".join(f"{role}={name}" for role, name in example.items())
    return ValueError(
        f"{source}: the columns to read are ambiguous: {problem}. Its columns: "
        f"{list(_all_names(features))}. Choose them: --columns {option} for a command; in a "
        f"config, columns = {json.dumps(example, ensure_ascii=False)}. The known roles are "
        f"{KNOWN_ROLES}."
    )


def _example(features: Mapping[str, Any]) -> Dict[str, str]:
    """An example of the setting `columns` for these features."""
    by_role = {name.lower(): name for name in features}
    texts = [name for name, feature in features.items() if _is_text(feature)]
    lists = [name for name, feature in features.items() if _is_text(_element(feature))]
    if lists and not texts:
        first, second, start = "tokens", "entities", lists[0]
    else:
        first, second, start = "text", "label", texts[0] if texts else "sentence"
    start = by_role.get(first, start)
    others = [name for name in features if name != start]
    likely = [name for name in others if hasattr(features[name], "names") or name in texts]
    end = by_role.get(second) or next(reversed(likely or others), "intent")
    return {first: start, second: end}


def _is_text(feature: Any) -> bool:
    return getattr(feature, "dtype", None) in STRING_TYPES


def _element(feature: Any) -> Any:
    """The feature of the elements of a list, None for other features."""
    return feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)


def _fields(feature: Any) -> Mapping[str, Any]:
    """The features of the fields of a feature."""
    from datasets import Translation

    if isinstance(feature, Translation):
        return feature.flatten()
    return feature if isinstance(feature, dict) else {}


def _all_names(features: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The names of all columns and fields, as in the setting `columns`."""
    for name, feature in features.items():
        yield prefix + name
        yield from _all_names(_fields(feature), f"{prefix}{name}.")
