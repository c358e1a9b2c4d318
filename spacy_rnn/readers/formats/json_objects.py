"""JSON objects with a text and its annotation, also those of annotation tools and of spaCy 2."""

from itertools import islice
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Optional, Tuple

from ...text_files import read_json
from .annotation_tools import read_label_studio, read_prodigy
from .base import ReadCounts, Row, RowFormat, Start, pair_config
from .column_values import is_number
from .roles import guess_roles

if TYPE_CHECKING:
    from ..data_file import DataFile

#: the number of objects from which the columns are guessed
N_OBJECTS = 1000


class JSONObjects(RowFormat):
    """An object in each line, or a list of objects: flat, as exported by doccano, Label Studio or
    Prodigy, or the training data of spaCy 2."""

    name = "json"
    endings = (".jsonl", ".json")
    settings = ("columns", "separator")

    def fits(self, start: Start) -> bool:
        first = next((line for line in start.lines if line.strip()), "")
        return start.ending in self.endings or first.lstrip().startswith(('{"', "[{", '[["'))

    def complete(self, file: "DataFile") -> "DataFile":
        found = [(tool, row) for tool, _, row in islice(_read(file, ReadCounts()), N_OBJECTS)]
        if not found:
            raise ValueError(f"{file.path} has no annotated text. Check the path.")
        first = found[0][1]
        lists = [name for name, value in first.items() if _are_objects(value)]
        if len(found) == 1 and lists and not any(isinstance(v, str) for v in first.values()):
            raise ValueError(
                f"{file.path} is one object, whose '{lists[0]}' is a list of texts. Write the list "
                f"only, or each of its items on a line of a .jsonl file."
            )
        tools = sorted({tool for tool, _ in found if tool})
        if tools:
            file = file.guessed(f"export of {' and '.join(tools)}")
        names = list(dict.fromkeys(name for _, row in found for name in row))
        return guess_roles(file, names, [row for _, row in found])

    def rows(self, file: "DataFile", counts: ReadCounts) -> Iterator[Row]:
        for _, place, row in _read(file, counts):
            yield place, {**{name: _inner(row, name) for name in _names(file)}, **row}

    def reader_config(self, file: "DataFile", path: str) -> Dict[str, Any]:
        if file.task != "translator":
            return super().reader_config(file, path)
        source, target = (str((file.columns or {})[role]) for role in ("text", "translation"))
        return pair_config(file, path, source=source.split(".")[-1], target=target.split(".")[-1])


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(_object(each), dict) for each in value)


def _object(record: Any) -> Any:
    """A record as an object. In the training data of spaCy 2 it is a list of a text and its
    annotation."""
    match record:
        case [str(text), dict(annotation)]:
            return {"text": text, **annotation}
    return record


def _inner(row: Mapping[str, Any], name: str) -> Optional[Dict[str, Any]]:
    """The values of an object that was replaced by them, since they are not all numbers; None if
    there is no such object."""
    inner = f"{name}."
    found = {k.removeprefix(inner): value for k, value in row.items() if k.startswith(inner)}
    return found or None


def _names(file: "DataFile") -> List[str]:
    """The names of the columns that are read, which an object may lack."""
    found: List[str] = []
    for names in (file.columns or {}).values():
        found += [names] if isinstance(names, str) else names
    return found


def _read(file: "DataFile", counts: ReadCounts) -> Iterator[Tuple[str, str, Dict[str, Any]]]:
    """The annotation tool, "" if none is recognized, the place, and the values of each object."""
    for where, record in read_json(file.path, file.encoding):
        record = _object(record)
        if not isinstance(record, dict):
            raise ValueError(
                f"{where} is not an object, but {record!r}. Write an object for each text, such as "
                f'{{"text": "Anna sleeps.", "spans": [[0, 4, "PERSON"]]}}.'
            )
        place = where.removesuffix(f" of {file.path}").lower()
        try:
            tool, row, problem = _read_object(record)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"{where} is incomplete ({error!r}). Export it again.") from error
        if problem:
            counts.note(problem, place)
        if row is not None:
            yield tool, place, row


def _read_object(record: Mapping[str, Any]) -> Tuple[str, Optional[Dict[str, Any]], str]:
    """The tool of an object, its values, None if it is left out, and a problem."""
    if isinstance(record.get("data"), dict) and ("annotations" in record or "result" in record):
        return ("Label Studio", *read_label_studio(record))
    if "answer" in record or "_task_hash" in record or {"options", "accept"} <= record.keys():
        return ("Prodigy", *read_prodigy(record))
    return "", flatten(record), ""


def flatten(record: Mapping[str, Any]) -> Dict[str, Any]:
    """Replace objects in an object by their values, named "OUTER.INNER". Objects of numbers, such
    as the values of labels, are kept.

    record (Mapping[str, Any]): The object.
    RETURNS (Dict[str, Any]): The values.
    """
    found: Dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict) and not all(map(is_number, value.values())):
            found.update({f"{name}.{inner}": each for inner, each in flatten(value).items()})
        else:
            found[name] = value
    return found
