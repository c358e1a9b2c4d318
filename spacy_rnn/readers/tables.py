"""Tables in text files, with rules for each ending."""

import csv
import logging
import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice, tee
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

from ..text_files import UTF8, check_encoding, ending_of, open_text, read_lines, stray_return

logger = logging.getLogger("spacy_rnn")

#: the delimiter of each ending, and True if its fields may be quoted
RULES: Dict[str, Tuple[str, bool]] = {".csv": (",", True), ".tsv": ("\t", False)}
#: delimiters that files may have instead of that of their ending
DELIMITERS = (",", ";", "\t", "|")
#: a first line, as written for Excel, that declares the delimiter
_DECLARATION = re.compile("sep=(.)\r?\n", re.IGNORECASE)
_LONGEST_DECLARATION = len("sep=;\r\n")
#: the default limit of the csv module, 131,072 characters, is too small for documents
LONGEST_FIELD = 2**31 - 1


def rule_of(path: Path) -> Tuple[str, bool]:
    """Get the rule of a file's ending: the delimiter, and True if its fields may be quoted. Unknown
    endings have that of .tsv.

    path (Path): The file.
    RETURNS (Tuple[str, bool]): The rule.
    """
    return RULES.get(ending_of(path), RULES[".tsv"])


@dataclass(frozen=True)
class TableFormat:
    """The format of a table in a text file.

    delimiter (Optional[str]): The separator of fields; None for that of a first line such as
        "sep=;", or of the ending: a comma in .csv and a TAB in .tsv.
    header (bool): The first row has the names of the columns.
    quotes (Optional[bool]): Fields may be quoted by double quotes, and then contain delimiters,
        line breaks and doubled quotes (RFC 4180). If False, quotes are part of the text. None for
        the rule of the ending: True in .csv only.
    encoding (str): The encoding of files without a byte-order mark.
    RAISES (ValueError): If the delimiter or the encoding is invalid.
    """

    delimiter: Optional[str] = None
    header: bool = True
    quotes: Optional[bool] = None
    encoding: str = UTF8

    def __post_init__(self) -> None:
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise ValueError(
                f"'delimiter' must be one character other than a quote or a line end, got "
                f'{self.delimiter!r}. In a config, a TAB is "\\t".'
            )
        check_encoding(self.encoding)

    def of(self, path: Path) -> "TableFormat":
        """Fill in missing settings: the delimiter that the file declares, otherwise the rule of its
        ending.

        path (Path): The file.
        RETURNS (TableFormat): The complete format.
        """
        delimiter, quotes = rule_of(path)
        return replace(
            self,
            delimiter=self.delimiter or _declared_delimiter(path, self.encoding) or delimiter,
            quotes=quotes if self.quotes is None else self.quotes,
        )

    def guessed(self, path: Path) -> "TableFormat":
        """Fill in a missing delimiter: the one of `of`, unless the first line lacks it and has
        another usual one.

        path (Path): The file.
        RETURNS (TableFormat): The format with a delimiter.
        """
        own = self.of(path).delimiter or ""
        with open_text(path, self.encoding) as file:
            first = next((line for line in file if line.strip()), "")
        if self.delimiter is None and own not in first:
            own = next((other for other in DELIMITERS if other in first), own)
        return replace(self, delimiter=own)

    def check_unused(self, path: str) -> None:
        """Raise a ValueError if there are settings of tables for a source that is not a table.

        path (str): The source, for messages.
        """
        unused = [name for name in ("delimiter", "quotes") if getattr(self, name) is not None]
        if unused:
            raise ValueError(
                f"The settings {unused} apply only to files that end in one of {list(RULES)}, but "
                f"the path is {path}. Leave them out, or correct the path."
            )


def _declared_delimiter(path: Path, encoding: str) -> Optional[str]:
    """The delimiter that the first line of a file declares, None without such a line."""
    with open_text(path, encoding) as file:
        match = _DECLARATION.match(file.read(_LONGEST_DECLARATION))
    return match[1] if match else None


def read_rows(path: Path, form: TableFormat) -> Iterator[Tuple[int, List[str]]]:
    """Read the rows of a table, including the header. Lines that consist of spaces and TABs are
    skipped, as in pandas, and so is a first line that declares the delimiter.

    path (Path): The file.
    form (TableFormat): The format; missing settings are those of `TableFormat.of`.
    YIELDS (Tuple[int, List[str]]): The number of the line where a row begins, and its fields.
    RAISES (ValueError): If the file is damaged, not in its encoding, has unpaired quotes, or has
        carriage returns without line feeds outside of quotes.
    """
    rule = form.of(path)
    rows = (
        _read_quoted(path, rule) if rule.quotes else _read_literal(path, rule, form.quotes is None)
    )
    n_skipped = 0 if _declared_delimiter(path, form.encoding) is None else 1
    return islice(rows, n_skipped, None)


def _read_quoted(path: Path, form: TableFormat) -> Iterator[Tuple[int, List[str]]]:
    csv.field_size_limit(LONGEST_FIELD)
    with open_text(path, form.encoding, newline="") as file:
        lines, same_lines = tee(file)
        reader = csv.reader(lines, delimiter=form.delimiter or "", strict=True)
        start = 1
        n_spaced, is_literal = 0, False
        try:
            for fields in reader:
                *_, line = islice(same_lines, reader.line_num + 1 - start)
                if line.endswith("\r"):
                    raise stray_return(reader.line_num, path)
                spaced = [field.strip() for field in fields if field.startswith(' "')]
                n_spaced += len(spaced)
                is_literal = is_literal or not all(map(_is_quoted, spaced))
                # An empty quoted field is a row.
                if len(fields) > 1 or line.strip(" \t\r\n"):
                    yield start, fields
                start = reader.line_num + 1
        except csv.Error as error:
            raise ValueError(
                f"The row that begins in line {start} of {path} has unpaired quotes ({error}). "
                f"{_advice_on_quotes(next(same_lines), form)}"
            ) from error
    if n_spaced and not is_literal:
        _warn_of_quotes(
            path,
            f"{n_spaced} fields have a space in front of their quotes, which are therefore read as "
            f"part of the field. Remove these spaces.",
        )


def _advice_on_quotes(line: str, form: TableFormat) -> str:
    """The advice for a line with unpaired quotes."""
    if (form.delimiter or "") not in line:
        for other in (*DELIMITERS, " "):
            if f'"{other}' in line or f'{other}"' in line:
                return f"If {other!r} separates the columns, set delimiter to it."
    return (
        "Double quotes within a quoted field; if quotes are text, set --no-quotes (quotes = false)."
    )


def _read_literal(path: Path, form: TableFormat, by_rule: bool) -> Iterator[Tuple[int, List[str]]]:
    quoted, is_literal = 0, not by_rule
    for number, line in enumerate(read_lines(path, form.encoding), start=1):
        fields = line.split(form.delimiter)
        if not is_literal and '"' in line:
            for field in fields:
                if field.startswith('"'):
                    quoted += 1
                    is_literal = is_literal or not _is_quoted(field)
        if len(fields) > 1 or line.strip(" \t"):
            yield number, fields
    if quoted and not is_literal:
        _warn_of_quotes(
            path,
            f"all fields that begin with a quote ({quoted}) also end with one, like quoted fields. "
            f"They are read with the quotes. If the quotes are not part of the texts, set --quotes "
            f"(quotes = true); if they are, --no-quotes (quotes = false).",
        )


def _is_quoted(field: str) -> bool:
    """Return True if a field that begins with a quote may be quoted."""
    return len(field) > 1 and field[-1] == '"' and '"' not in field[1:-1].replace('""', "")


@cache
def _warn_of_quotes(path: Path, problem: str) -> None:
    """Warn once for each file and problem, because a file is read in every epoch."""
    logger.warning("%s: %s", path, problem)


def check_table(path: Path, form: TableFormat) -> List[str]:
    """Check that all rows of a table have the same number of fields.

    path (Path): The file.
    form (TableFormat): The format; missing settings are those of `TableFormat.of`.
    RETURNS (List[str]): The fields of the first row.
    RAISES (ValueError): As `read_rows`, if there are no rows, and if a row has another number of
        fields than the first; with the line and the number of such rows.
    """
    rows = read_rows(path, form)
    first = next(rows, (1, []))[1]
    if not first:
        raise ValueError(f"{path} has no rows. Check the path.")
    counts: Counter[int] = Counter()
    lines: Dict[int, int] = {}
    n_ends = 0
    for number, fields in rows:
        n = len(fields)
        counts[n] += 1
        if n not in lines:
            lines[n] = number
        if n != len(first):
            n_ends += not fields[-1]
    if counts.keys() - {len(first)}:
        raise _uneven(path, form.of(path), first, counts, lines, n_ends)
    if form.header and not counts:
        raise ValueError(
            f"{path} has no rows after its header, {', '.join(first)!r}. Check the path, or, if "
            f"that is a row, set --no-header (header = false)."
        )
    return first


def _uneven(
    path: Path,
    form: TableFormat,
    first: List[str],
    counts: "Counter[int]",
    lines: Dict[int, int],
    n_ends: int,
) -> ValueError:
    """The error for a table whose rows have different numbers of fields.

    counts, lines: for each number of fields, the number of rows and the first line.
    n_ends: the number of rows that differ from the first row and end with an empty field.
    """
    n_rows, n_columns = counts.total(), len(first)
    differing = n_rows - counts[n_columns]
    line, n_fields = min((line, n) for n, line in lines.items() if n != n_columns)
    first_row = "the header" if form.header else "line 1"
    found = (
        f"Line {line} of {path} has {n_fields} field{'s' * (n_fields > 1)}, but {first_row} has "
        f"{n_columns} ({', '.join(first)}). Rows with another number: {differing} of {n_rows}"
    )
    is_in_all = form.header and counts[n_fields] == n_rows
    if is_in_all and n_fields == n_columns - 1 and not first[-1]:
        advice = "Remove the delimiter at the end of the header"
    elif n_fields < n_columns:
        advice = "Write an empty field if one is missing, and line breaks only in quoted fields"
        if not form.quotes:
            advice += "; if fields are quoted, set --quotes (quotes = true)"
    elif n_ends == differing:
        advice = "The last field is empty: remove the delimiter at the end of these lines"
    else:
        if form.quotes:
            advice = (
                "Quote fields that contain a delimiter, without a space before the quote, or set "
                "another delimiter"
            )
        else:
            advice = (
                "Remove the delimiters in fields, or, if these fields are quoted, set --quotes "
                "(quotes = true)"
            )
        if is_in_all and n_fields == n_columns + 1:
            advice += (
                f". If the first column has row names, as written by R, leave it out (in R, "
                f"row.names = FALSE) or name it in the header. If '{', '.join(first)}' is not the "
                f"header, remove its line"
            )
    return ValueError(f"{found}. {advice}.")
