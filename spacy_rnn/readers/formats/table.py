"""Tables of texts with labels, numbers or translations."""

import re
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Sequence

from ..tables import RULES, TableFormat, check_table, read_rows, rule_of
from .base import ReadCounts, Row, RowFormat, Start, pair_config
from .column_values import ColumnValues, is_number, known_names
from .roles import guess_roles

if TYPE_CHECKING:
    from ..data_file import DataFile

#: the number of rows from which the columns are guessed
N_ROWS = 1000
#: a name in a header
WORD = re.compile(r"[^\W\d][\w-]*")


class Table(RowFormat):
    """A table with a text in each row: comma-separated values, or another delimiter."""

    name = "table"
    endings = tuple(RULES)
    settings = ("columns", "separator", "delimiter", "header", "quotes")

    def fits(self, start: Start) -> bool:
        return start.ending in self.endings or (bool(start.lines) and _has_tabs(start.lines))

    def complete(self, file: "DataFile") -> "DataFile":
        if file.delimiter is None:
            found = _format(file).guessed(file.path).delimiter
            guesses = [] if found == rule_of(file.path)[0] else [f"delimiter: {found!r}"]
            file = file.guessed(*guesses, delimiter=found)
        rows = [fields for _, fields in islice(read_rows(file.path, _format(file)), N_ROWS)]
        if file.header is None:
            header = _has_header(rows)
            file = file.guessed(f"header: {'yes' if header else 'none'}", header=header)
        first = check_table(file.path, _format(file))
        names = _names(first, bool(file.header))
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(
                f"The header of {file.path} has the names {repeated} more than once. Rename these "
                f"columns, or, if it is a row, set --no-header (header = false)."
            )
        sample = [
            dict(zip(names, fields, strict=False)) for fields in rows[1 if file.header else 0 :]
        ]
        return guess_roles(file, names, sample)

    def rows(self, file: "DataFile", counts: ReadCounts) -> Iterator[Row]:
        rows = read_rows(file.path, _format(file))
        head = list(islice(rows, 1))
        names = _names(head[0][1], bool(file.header)) if head else []
        for number, fields in rows if file.header else chain(head, rows):
            if len(fields) != len(names):
                # Its error has the number of such rows.
                check_table(file.path, _format(file))
            values = (field.strip() or None for field in fields)
            yield f"line {number}", dict(zip(names, values, strict=True))

    def reader_config(self, file: "DataFile", path: str) -> Dict[str, Any]:
        if file.task != "translator":
            return super().reader_config(file, path)
        columns: Dict[str, Any] = dict(file.columns or {})
        source, target = columns["text"], columns["translation"]
        pair: Dict[str, Any] = {"source": source, "target": target}
        if not file.header:
            pair = {"source_column": int(source), "target_column": int(target)}
        own = {"header": file.header, "delimiter": file.delimiter, "quotes": file.quotes}
        return pair_config(file, path, **pair, **own)


def _format(file: "DataFile") -> TableFormat:
    return TableFormat(file.delimiter, bool(file.header), file.quotes, file.encoding)


def _names(first: Sequence[str], header: bool) -> List[str]:
    """The names of columns in the first row; the index of unnamed columns."""
    return [name.strip() or str(i) if header else str(i) for i, name in enumerate(first)]


def _has_tabs(lines: Sequence[str]) -> bool:
    """Return True if all lines have the same number of TABs, at least one."""
    counts = {line.count("\t") for line in lines if line.strip()}
    return len(counts) == 1 and counts != {0}


def _is_label(value: str, others: Sequence[str]) -> bool:
    """Return True if a value of the first row occurs below it, where values occur again: it is no
    name then."""
    return bool(value) and value in others and len(set(others)) <= len(others) // 2


def _has_header(rows: List[List[str]]) -> bool:
    """Return True if the first row has names of columns: a known name, or words above numbers,
    texts, or labels that occur again."""
    first, *rest = rows or [[]]
    columns = [[fields[i] for fields in rest if i < len(fields)] for i in range(len(first))]
    if any(map(_is_label, first, columns)):
        return False
    if known_names(first):
        return True
    for i, name in enumerate(first):
        values = [fields[i] for fields in rest if i < len(fields) and fields[i]]
        if values and not is_number(name) and all(map(is_number, values)):
            return True
        if all(map(WORD.fullmatch, first)) and ColumnValues(name, values).is_text:
            return True
        if len(set(values)) <= len(values) // 2 and name not in values and len(values) > 3:
            return True
    return False
