"""The columns of a dataset of the library `datasets`, and what each of them means."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple, Union

from .entity_tags import are_entity_tags

#: what a column may be, and where it goes
ROLES = {
    "text": "the text",
    "tokens": "its tokens",
    "tags": "token.tag_",
    "pos": "token.pos_",
    "morph": "token.morph",
    "entities": "doc.ents, from tags such as B-PERSON",
    "label": "doc.cats, from a label or a list of them",
    "labels": "the same",
    "cats": "doc.cats, from numbers",
    "regression": "doc._.regression, from numbers",
    "translation": "doc._.translation",
}
KNOWN_ROLES = ", ".join(f"{role} ({meaning})" for role, meaning in ROLES.items())
#: those of tokens, and the arguments that a Doc takes them by
OF_TOKENS = {"tags": "tags", "pos": "pos", "morph": "morphs", "entities": "ents"}
CATEGORIES = ("label", "labels", "cats")
NUMBERS = ("cats", "regression")
STRINGS = ("string", "large_string")
#: how the names of types begin that dates and times have
TIMES = ("timestamp", "date", "time", "duration")


@dataclass(frozen=True)
class Column:
    """A column, or a field of one.

    path (Tuple[str, ...]): Its name, then those of the fields that lead to it.
    feature (Any): Its feature, which says what its values are.
    """

    path: Tuple[str, ...]
    feature: Any

    def __str__(self) -> str:
        return ".".join(self.path)

    def value(self, row: Mapping[str, Any]) -> Any:
        """Its value in a row; None where there is none."""
        found: Any = row
        for name in self.path:
            found = None if found is None else found[name]
        return found

    @cached_property
    def class_names(self) -> Optional[List[str]]:
        """The names behind the numbers of a `ClassLabel`, or of a list of them."""
        feature = _element(self.feature) or self.feature
        return getattr(feature, "names", None)

    def name(self, value: Any) -> Optional[str]:
        """The name of a label, which may be a number; None where it is not known (-1)."""
        names = self.class_names
        if is_missing(value) or (names is not None and value == -1):
            return None
        if isinstance(value, str):
            return value
        if isinstance(value, float) and value.is_integer():
            # pandas writes integers as floats where one is missing.
            value = int(value)
        if not isinstance(value, int):
            raise ValueError(
                f"{value!r} in the column '{self}' is neither a text nor an integer, as labels "
                f"are. Write it as a text, or map a column of numbers to 'regression' or 'cats'."
            )
        if names is None:
            return str(value)
        if not 0 <= value < len(names):
            raise ValueError(
                f"the label {value} in the column '{self}' is out of range: it has {len(names)} "
                f"names, from 0. Correct it, or write -1 where the label is not known."
            )
        return names[value]

    def names(self, value: Any) -> List[str]:
        """The names of one label or of a list of them, "" for one that is not known."""
        values = value if isinstance(value, list) else [value]
        return [self.name(label) or "" for label in values]


def is_missing(value: Any) -> bool:
    """Check whether a value is missing: None, an empty text or NaN."""
    return value is None or value == "" or value != value


def find_columns(
    features: Mapping[str, Any], columns: Optional[Mapping[str, Union[str, List[str]]]], source: Any
) -> Dict[str, List[Column]]:
    """The columns of each role, one but for numbers.

    features: The features of the dataset.
    columns: The name of the column, or the names of them, for each role; None for those that the
        features tell.
    source: The path or name of the dataset, for messages.
    """
    if columns is None:
        columns = _guess(features, source)
    unknown = [role for role in columns if role not in ROLES]
    if unknown:
        raise ValueError(
            f"'columns' maps what spaCy calls a thing to its column in the dataset, and does not "
            f"know {unknown}. Choose from {KNOWN_ROLES}."
        )
    found = {
        role: [
            _find(features, name, source) for name in ([names] if isinstance(names, str) else names)
        ]
        for role, names in columns.items()
    }
    for role, those in found.items():
        if len(those) != 1 and role not in NUMBERS:
            raise ValueError(f"'columns' must map '{role}' to one column, got {columns[role]}.")
        for column in those:
            _check_is_no_time(column, source)
    if not found.keys() & {"text", "tokens"}:
        raise _unclear(features, source, "there is neither a text nor tokens")
    of_tokens = [role for role in OF_TOKENS if role in found]
    if of_tokens and "tokens" not in found:
        raise _unclear(features, source, f"{of_tokens} are of tokens, but there are none")
    categories = [role for role in CATEGORIES if role in found]
    if len(categories) > 1:
        raise _unclear(features, source, f"only one of {categories} can become doc.cats")
    return found


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
    """Raise a ValueError for a column of dates or times, which are no annotation."""
    kind = getattr(_element(column.feature) or column.feature, "dtype", None)
    if str(kind).startswith(TIMES):
        raise ValueError(
            f"{source}: the column '{column}' has dates or times ({kind}), where texts, labels or "
            f"numbers are needed. `datasets` takes the texts of a JSON file for dates if all of "
            f"them look like one: write the file as .csv or .tsv, where they stay texts."
        )


def _guess(features: Mapping[str, Any], source: Any) -> Dict[str, str]:
    """Columns that are named after their role, and those whose features leave no doubt."""
    from datasets import Translation

    for name, feature in features.items():
        if isinstance(feature, Translation):
            first, second, *_ = feature.languages
            problem = (
                f"'{name}' does not tell the text from its translation; one direction is columns = "
                f'{{"text": "{name}.{first}", "translation": "{name}.{second}"}}'
            )
            raise _unclear(features, source, problem)
    found = {role: role for role in ROLES if role in features}
    rest = {name: feature for name, feature in features.items() if name not in found}
    if not found.keys() & {"text", "tokens"}:
        texts = [name for name, feature in rest.items() if _is_text(feature)]
        lists = [name for name, feature in rest.items() if _is_text(_element(feature))]
        for name, feature in rest.items():
            if isinstance(_element(feature), dict):
                raise _unclear(
                    features,
                    source,
                    f"no column is named 'text' or 'tokens', and '{name}' has lists of objects. If "
                    f"these are the rows, write them to a file of their own, one a line",
                )
        if len(texts) + len(lists) != 1:
            which = "several columns have texts" if texts or lists else "no other has texts"
            problem = f"no column is named 'text' or 'tokens', and {which}"
            raise _unclear(features, source, problem)
        found["text" if texts else "tokens"] = (texts or lists)[0]
    single = [name for name, feature in rest.items() if hasattr(feature, "names")]
    several = {
        name: element.names
        for name, element in ((name, _element(feature)) for name, feature in rest.items())
        if hasattr(element, "names")
    }
    candidates: Dict[str, List[str]] = {}
    if not found.keys() & set(CATEGORIES):
        candidates["label"] = single
    if "tokens" in found:
        candidates["entities"] = [n for n, names in several.items() if are_entity_tags(names)]
        candidates["tags"] = [n for n in several if n not in candidates["entities"]]
    elif not found.keys() & set(CATEGORIES):
        candidates["labels"] = list(several)
    for role, names in candidates.items():
        if role not in found and len(names) > 1:
            raise _unclear(features, source, f"each of {names} may be '{role}'")
        if role not in found and names:
            found[role] = names[0]
    return found


def _unclear(features: Mapping[str, Any], source: Any, problem: str) -> ValueError:
    return ValueError(
        f"{source}: it is not clear what to read: {problem}. Its columns: "
        f"{list(_all_names(features))}. Say it in the config, as columns = {_example(features)}; "
        f"known are {KNOWN_ROLES}."
    )


def _example(features: Mapping[str, Any]) -> str:
    """How `columns` may be set for these columns."""
    by_role = {name.lower(): name for name in features}
    texts = [name for name, feature in features.items() if _is_text(feature)]
    lists = [name for name, feature in features.items() if _is_text(_element(feature))]
    if lists and not texts:
        first, second, start = "tokens", "entities", lists[0]
    else:
        first, second, start = "text", "label", texts[0] if texts else "sentence"
    start = by_role.get(first, start)
    others = [name for name in features if name != start]
    end = by_role.get(second) or (others[-1] if others else "intent")
    return f'{{"{first}": "{start}", "{second}": "{end}"}}'


def _is_text(feature: Any) -> bool:
    return getattr(feature, "dtype", None) in STRINGS


def _element(feature: Any) -> Any:
    """The feature of the elements of a list; None of others. A list may be written as one."""
    return feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)


def _fields(feature: Any) -> Mapping[str, Any]:
    """The features of the fields that one has."""
    from datasets import Translation

    if isinstance(feature, Translation):
        return feature.flatten()
    return feature if isinstance(feature, dict) else {}


def _all_names(features: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The names of all columns and fields, as `columns` takes them."""
    for name, feature in features.items():
        yield prefix + name
        yield from _all_names(_fields(feature), f"{prefix}{name}.")
