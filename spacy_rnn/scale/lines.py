"""Text files whose rows are annotated: lines, JSON lines and tables."""

import json
from abc import abstractmethod
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from ..readers.tables import TableFormat, read_rows
from ..text_files import COMPRESSED, encoding_of, open_bytes, parse_json
from .sources import ROWS, Rows, Source

if TYPE_CHECKING:
    import pyarrow as pa

#: about the most bytes of lines that are annotated at once
BYTES = 2_000_000
#: the rows of JSON lines by which the types of columns are determined
SAMPLE = 1000
#: a mark of columns whose values are written as JSON
AS_JSON = {b"spacy_rnn": b"json"}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class _Row(NamedTuple):
    """A row of a text file.

    where (str): Its place, for messages.
    values (Dict[str, Any]): The values by column.
    error (Optional[str]): The reason why it could not be read.
    """

    where: str
    values: Dict[str, Any]
    error: Optional[str] = None


class LineSource(Source):
    """A text file. Positions are bytes. If it is compressed, it is one block, from 0 to 1.

    text_column (str): The column with the texts.
    """

    def __init__(self, path: Path, text_column: str):
        super().__init__(path)
        self.text_column = text_column
        self.is_whole = path.suffix.lower() in COMPRESSED

    def size(self) -> Tuple[int, int]:
        n_bytes = self.path.stat().st_size
        return (min(n_bytes, 1),) * 2 if self.is_whole else (n_bytes, n_bytes)

    @abstractmethod
    def rows(self, start: int, stop: int) -> Iterator[Tuple[_Row, int]]:
        """Read the rows that begin from one position to another, each with about its bytes."""

    def read(self, start: int, stop: int, schema: "pa.Schema") -> Iterator[Rows]:
        found: List[_Row] = []
        n_bytes = 0
        for row, size in self.rows(start, stop):
            found.append(row)
            n_bytes += size
            if len(found) == ROWS or n_bytes >= BYTES:
                yield _as_table(found, schema)
                found, n_bytes = [], 0
        if found:
            yield _as_table(found, schema)

    def lines(self, start: int, stop: int) -> Iterator[Tuple[str, bytes]]:
        """Read the lines that begin from one position to another, each with its place."""
        with open_bytes(self.path) as file:
            position = start
            if start:
                # A line that begins before belongs to another block.
                file.seek(start - 1)
                position += len(file.readline()) - 1
            while self.is_whole or position < stop:
                line = file.readline()
                if not line:
                    return
                where = f"The line at byte {position} of {self.path}"
                text = line if position else line.removeprefix(_BYTE_ORDER_MARK)
                position += len(line)
                yield where, text.removesuffix(b"\n").removesuffix(b"\r")


class TextSource(LineSource):
    """A file with a text on each line."""

    def schema(self) -> "pa.Schema":
        import pyarrow as pa

        _check_encoding(self.path)
        return pa.schema([("text", pa.string())])

    def rows(self, start: int, stop: int) -> Iterator[Tuple[_Row, int]]:
        for where, line in self.lines(start, stop):
            text, error = _decode(line, where)
            yield _Row(where, {"text": text}, error), len(line)


class JsonSource(LineSource):
    """A file with a JSON object on each line. Its first rows determine the types of columns.
    Lists, objects and columns of several types are written as JSON."""

    def schema(self) -> "pa.Schema":
        import pyarrow as pa

        _check_encoding(self.path)
        values: Dict[str, List[Any]] = {}
        for row, _ in islice(self.rows(0, self.path.stat().st_size), SAMPLE):
            for name, value in row.values.items():
                values.setdefault(name, []).append(value)
        return pa.schema(
            pa.field(self.text_column, pa.string())
            if name == self.text_column
            else _field(name, {type(value) for value in column if value is not None})
            for name, column in values.items()
        )

    def rows(self, start: int, stop: int) -> Iterator[Tuple[_Row, int]]:
        for where, line in self.lines(start, stop):
            if line.strip():
                yield self._row(where, line), len(line)

    def _row(self, where: str, line: bytes) -> _Row:
        text, error = _decode(line, where)
        if text is None:
            return _Row(where, {}, error)
        try:
            values = parse_json(text, where)
        except ValueError as invalid:
            return _Row(where, {}, f"{invalid} The line: {text}")
        if not isinstance(values, dict):
            return _Row(where, {}, f"{where} is not a JSON object: {text}")
        return _Row(where, values)


class TableSource(LineSource):
    """A table, .csv or .tsv, whose first row has the names of columns. Quoted fields may have line
    ends, so that it can only be read from its beginning: it is one block."""

    def __init__(self, path: Path, text_column: str):
        super().__init__(path, text_column)
        self.is_whole = True

    def schema(self) -> "pa.Schema":
        import pyarrow as pa

        _, header = next(read_rows(self.path, TableFormat()), (1, []))
        twice = [name for name, n in Counter(header).items() if n > 1]
        if twice:
            raise ValueError(f"The header of {self.path} has {twice} more than once. Rename them.")
        return pa.schema([(name, pa.string()) for name in header])

    def rows(self, start: int, stop: int) -> Iterator[Tuple[_Row, int]]:
        found = read_rows(self.path, TableFormat())
        _, header = next(found)
        for number, fields in found:
            where = f"Line {number} of {self.path}"
            error = None
            if len(fields) != len(header):
                error = f"{where} has {len(fields)} fields, not {len(header)}: {fields}"
            values = dict(zip(header, fields, strict=False))
            yield _Row(where, values, error), sum(map(len, fields))


def _check_encoding(path: Path) -> None:
    found = encoding_of(path)
    if not found.startswith("utf-8"):
        raise ValueError(
            f"{path} is {found.upper()}. Convert it to UTF-8, such as with iconv -f "
            f"{found.upper()} -t UTF-8."
        )


def _decode(line: bytes, where: str) -> Tuple[Optional[str], Optional[str]]:
    """The text of a line, or the reason why there is none."""
    try:
        return line.decode("utf-8"), None
    except UnicodeDecodeError as error:
        return None, f"{where} is not UTF-8 ({error.reason}): {line!r}"


def _field(name: str, types: Iterable[type]) -> "pa.Field":
    """The column for values of these types."""
    import pyarrow as pa

    kinds = {
        frozenset(): pa.string(),
        frozenset({str}): pa.string(),
        frozenset({bool}): pa.bool_(),
        frozenset({int}): pa.int64(),
        frozenset({float}): pa.float64(),
        frozenset({int, float}): pa.float64(),
    }
    known = kinds.get(frozenset(types))
    return pa.field(name, pa.string(), metadata=AS_JSON) if known is None else pa.field(name, known)


def _as_table(rows: List[_Row], schema: "pa.Schema") -> Rows:
    """The rows as a table. A value that does not fit in its column is in the error of its row."""
    import pyarrow as pa

    errors = [row.error for row in rows]

    def misfit(i: int, name: str, why: str) -> None:
        value = json.dumps(rows[i].values[name], ensure_ascii=False)
        found = f"{rows[i].where} has {value} as {name!r}, which {why}."
        errors[i] = " ".join(filter(None, (errors[i], found)))

    columns = []
    for field in schema:
        values = [row.values.get(field.name) for row in rows]
        if field.metadata == AS_JSON:
            values = [None if v is None else json.dumps(v, ensure_ascii=False) for v in values]
        try:
            columns.append(pa.array(values, field.type))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            for i, value in enumerate(values):
                try:
                    pa.array([value], field.type)
                except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
                    misfit(i, field.name, f"must be a {field.type}")
                    values[i] = None
            columns.append(pa.array(values, field.type))
    for i, row in enumerate(rows):
        for name in row.values.keys() - {*schema.names}:
            misfit(i, name, f"the first {SAMPLE} rows do not have")
    return Rows(pa.Table.from_arrays(columns, schema=schema), errors)
