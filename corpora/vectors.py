"""Join word vectors side by side, in the text format that `spacy init vectors` reads.

    python corpora/vectors.py A.txt [B.txt ...] OUT.txt
    python -m spacy init vectors en OUT.txt DIR

Every input, plain or packed with xz, holds a word and its numbers on every line, separated by
blanks; a first line of two integers is a word2vec header, GloVe files have none. The output
has the words of all inputs, the columns of A, then those of B and so on, zeros where an input
lacks the word, and a header. Numbers are copied as they are written.

The last columns of a line are its numbers, as many as the header or else the first line has,
and what precedes is the word, which may contain blanks. Lines without that many finite numbers
are skipped; of several lines for a word the first counts. Both are counted on stderr.
"""

import argparse
import lzma
import sys
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import NamedTuple

HEADER_COLUMNS = 2


class Table(NamedTuple):
    """The vectors of a file: for every word its numbers as text, `width` of them."""

    width: int
    rows: dict[str, str]


def read_vectors(path: str | Path) -> Table:
    """Read a file of word vectors.

    RAISES (ValueError): If the file holds no vector.
    """
    width = 0
    rows: dict[str, str] = {}
    malformed: list[int] = []
    repeated: list[int] = []
    for number, line in enumerate(read_lines(path), start=1):
        if number == 1:
            columns = line.split(" ")
            if len(columns) == HEADER_COLUMNS and all(map(str.isdecimal, columns)):
                width = int(columns[1])
                continue
            width = len(columns) - 1
        word, *numbers = line.rsplit(" ", width)
        complete = word and numbers and len(numbers) == width
        if not complete or not all(map(is_finite_number, numbers)):
            malformed.append(number)
        elif word in rows:
            repeated.append(number)
        else:
            rows[word] = " ".join(numbers)
    if not rows:
        raise ValueError(f"{path}: no vectors found; give lines of a word and its numbers")
    for problem, lines in (("malformed lines", malformed), ("repeated words", repeated)):
        if lines:
            print(f"{path}: skipped {len(lines)} {problem}, first line {lines[0]}", file=sys.stderr)
    return Table(width, rows)


def read_lines(path: str | Path) -> Iterator[str]:
    """The lines of a UTF-8 text file, plain or packed with xz, without their ends.

    RAISES (ValueError): If the file is not UTF-8.
    """
    opener = lzma.open if Path(path).suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        try:
            for line in file:
                yield line.rstrip("\n ")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: {error}; convert it to UTF-8") from error


def is_finite_number(column: str) -> bool:
    """Whether a column is written as a finite number."""
    try:
        return isfinite(float(column))
    except ValueError:
        return False


def join(tables: Sequence[Table]) -> Iterator[str]:
    """The lines of the joined table, the header first; words in order of appearance."""
    words = dict.fromkeys(word for table in tables for word in table.rows)
    yield f"{len(words)} {sum(table.width for table in tables)}"
    zeros = [" ".join(["0"] * table.width) for table in tables]
    for word in words:
        columns = (table.rows.get(word, zero) for table, zero in zip(tables, zeros, strict=True))
        yield " ".join([word, *columns])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Join word vectors side by side.")
    parser.add_argument("inputs", type=Path, nargs="+", metavar="IN.txt[.xz]")
    parser.add_argument("output", type=Path, metavar="OUT.txt")
    options = parser.parse_args(arguments)
    lines = join([read_vectors(path) for path in options.inputs])
    with options.output.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
