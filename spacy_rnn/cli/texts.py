"""Texts that commands read, one after the other."""

import sys
from itertools import chain
from pathlib import Path
from typing import Any, Iterator

from ..readers.formats.conll import CoNLL
from ..readers.formats.conllu import CoNLLU
from ..readers.formats.json_objects import flatten
from ..readers.sources import BUILDERS
from ..readers.tables import RULES, TableFormat, read_rows
from ..text_files import UTF8, ending_of, read_json, read_lines
from .data_options import TextOptions
from .io import STANDARD

#: files that `convert` and `evaluate` read, whose lines are not texts
ANNOTATED = (*CoNLL.endings, *CoNLLU.endings)


def read_texts(path: Path, options: TextOptions) -> Iterator[str]:
    """Read texts: the values of a column of a table or of a key of JSON objects, by the ending of
    the file; otherwise the lines.

    path (Path): The file, which may be compressed; - for the lines of standard input.
    options (TextOptions): The options.
    YIELDS (str): The texts. Empty ones are kept.
    RAISES (ValueError): If the file is damaged or has no such column.
    """
    if str(path) == STANDARD:
        return _read_standard_input(options.encoding)
    ending = ending_of(path)
    if path.is_dir() or ending in BUILDERS:
        raise ValueError(
            f"{path} is not a text file. Use 'spacy rnn apply-ray' for Parquet files and folders, "
            f"or write the texts to a file, one on each line."
        )
    if ending == ".spacy":
        raise ValueError(
            f"{path} has documents, not texts. Use 'spacy apply' for .spacy files, or write their "
            f"texts to a file, one on each line."
        )
    if ending in ANNOTATED:
        raise ValueError(
            f"{path} has annotated tokens, not texts. Convert it with 'spacy rnn convert' and use "
            f"'spacy apply', or write its texts to a file, one on each line."
        )
    if ending in RULES:
        form = TableFormat(options.delimiter, True, options.quotes, options.encoding)
        return _read_table(path, options.text_column, form)
    if ending in (".json", ".jsonl"):
        return _read_objects(path, options.text_column, options.encoding)
    return read_lines(path, options.encoding)


def _read_standard_input(encoding: str) -> Iterator[str]:
    for number, line in enumerate(sys.stdin.buffer, start=1):
        has_mark = number == 1 and encoding == UTF8
        try:
            text = line.decode("utf-8-sig" if has_mark else encoding)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"Line {number} of standard input is not {encoding.upper()} ({error.reason}). Name "
                f"its encoding, such as --encoding cp1252."
            ) from error
        yield text.removesuffix("\n").removesuffix("\r")


def _read_table(path: Path, column: str, form: TableFormat) -> Iterator[str]:
    rows = read_rows(path, form.guessed(path))
    first = next(rows, None)
    if first is None:
        raise ValueError(f"{path} is empty. Check the path.")
    header = [name.strip() for name in first[1]]
    if column in header:
        index = header.index(column)
    elif column.isdecimal() and int(column) < len(header):
        index, rows = int(column), chain([first], rows)
    else:
        raise _no_column(f"The first row of {path}", column, header)
    for number, fields in rows:
        if len(fields) != len(header):
            raise ValueError(
                f"Line {number} of {path} has another number of fields ({len(fields)}) than the "
                f"first one ({len(header)}). Correct it."
            )
        yield fields[index]


def _read_objects(path: Path, key: str, encoding: str) -> Iterator[str]:
    for where, value in read_json(path, encoding):
        values = flatten(value) if isinstance(value, dict) else {}
        if key not in values:
            raise _no_column(where, key, values)
        if not isinstance(values[key], str):
            raise ValueError(f"{where} has {values[key]!r} as '{key}', which must be a string.")
        yield values[key]


def _no_column(where: str, column: str, found: Any) -> ValueError:
    names = ", ".join(map(repr, found)) or "nothing"
    return ValueError(
        f"{where} has no '{column}', but {names}. Choose where the texts are with --text-column."
    )
