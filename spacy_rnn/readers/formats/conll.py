"""Columns of tokens and their tags, with empty lines between sentences."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Sequence, Tuple

from ...text_files import read_lines
from ..columns import KNOWN_ROLES, TOKEN_ROLES, Column
from ..entity_tags import OUTSIDE, UNKNOWN, WITH_PREFIX, are_entity_tags
from ..rows import RowReader
from .base import TASKS, ReadCounts, Row, RowFormat, Start

if TYPE_CHECKING:
    from ..data_file import DataFile

#: the line between documents
DOCUMENT = "-DOCSTART-"
#: names in a header
TOKEN_NAMES = ("token", "tokens", "word", "words", "form", "text")
TAG_NAMES = ("tag", "tags", "ner", "ner_tag", "ner_tags", "label", "labels", "pos", "entity", "iob")
#: types of phrases, which are not entities
PHRASES = frozenset("NP VP PP ADJP ADVP SBAR PRT CONJP INTJ LST UCP".split())
#: the part of O from which tags without a prefix are taken for entities
MOST_OUTSIDE = 0.3
#: the number of values of a column that messages show
N_VALUES = 2
#: the number of tokens from which the columns are guessed
N_TOKENS = 10000
#: the beginning of a comment, unless the line has all columns
COMMENT = re.compile(r"#(\s|#|$)")
SPACES = re.compile("[ \t]+")


@dataclass(frozen=True)
class _Line:
    """A line of a token."""

    number: int
    fields: List[str]


class CoNLL(RowFormat):
    """A token on each line, with its tags in further columns, and an empty line after each
    sentence."""

    name = "conll"
    endings = (".conll", ".iob", ".iob2", ".bio")
    settings = ("columns", "delimiter", "header", "n_sents")

    def fits(self, start: Start) -> bool:
        if start.ending == ".csv":
            return False
        body = [line for line in start.lines if not _is_no_token(line)]
        if start.ending in self.endings:
            return bool(body)
        rows = [line for line in body if line.strip()]
        # Only the last line of other files is empty.
        has_sentences = any(not line.strip() for line in body[1:-1])
        delimiter = _delimiter_of(rows)
        counts = {len(_split(line, delimiter)) for line in rows}
        return has_sentences and len(counts) == 1 and counts != {1}

    def complete(self, file: "DataFile") -> "DataFile":
        delimiter = file.delimiter
        if delimiter is None:
            lines = islice(read_lines(file.path, file.encoding), N_TOKENS)
            delimiter = _delimiter_of(
                [line for line in lines if line.strip() and not _is_no_token(line)]
            )
            shown = "TAB" if delimiter == "\t" else "spaces"
            file = file.guessed(f"separator of columns: {shown}", delimiter=delimiter)
        tokens = list(islice((t for s in _sentences(file) for t in s[1]), N_TOKENS))
        if not tokens:
            raise ValueError(f"{file.path} has no token. Check the path.")
        if file.header is None:
            header = _is_header(tokens[0].fields)
            file = replace(file, header=header)
            if header:
                file = file.guessed("header: yes")
        if file.header:
            tokens = tokens[1:]
        values = list(zip(*(token.fields for token in tokens), strict=False))
        if file.columns is None:
            file = replace(file, columns=_guess_columns(file, values))
        columns: Mapping[str, Any] = file.columns or {}
        _check(file, columns, len(values))
        described = _describe_columns(values)
        used = [f"{role} = {described[int(str(i))]}" for role, i in columns.items()]
        ignored = [each for i, each in enumerate(described) if str(i) not in columns.values()]
        guesses = [f"columns used: {', '.join(used)}; ignored: {', '.join(ignored) or 'none'}"]
        if "entities" in columns:
            guesses.append(f"scheme: {scheme_of(values[int(columns['entities'])])}")
        task = file.task or next((TASKS[role] for role in TASKS if role in columns), "lm")
        return file.guessed(*guesses, task=task)

    def make_reader(self, file: "DataFile") -> RowReader:
        reader = super().make_reader(file)
        reader.columns["sent_starts"] = [Column(("sent_starts",), None)]
        return reader

    def rows(self, file: "DataFile", counts: ReadCounts) -> Iterator[Row]:
        columns = {role: int(str(i)) for role, i in (file.columns or {}).items()}
        group: List[List[_Line]] = []
        is_first = bool(file.header)
        for starts_document, tokens in _sentences(file):
            if is_first:
                tokens, is_first = tokens[1:], False
            if group and (starts_document or len(group) == file.n_sents):
                yield _row(group, columns)
                group = []
            if tokens:
                group.append(tokens)
        if group:
            yield _row(group, columns)


def _row(sentences: Sequence[Sequence[_Line]], columns: Mapping[str, int]) -> Row:
    """The row of a document."""
    tokens = [token for sentence in sentences for token in sentence]
    row: Dict[str, Any] = {role: [t.fields[i] for t in tokens] for role, i in columns.items()}
    row = {str(columns[role]): values for role, values in row.items()}
    row["sent_starts"] = [i == 0 for sentence in sentences for i in range(len(sentence))]
    return f"line {tokens[0].number}", row


def _sentences(file: "DataFile") -> Iterator[Tuple[bool, List[_Line]]]:
    """The sentences, and True for those that begin a document."""
    starts_document, n_fields = False, _n_columns(file)
    sentence: List[_Line] = []
    for number, line in enumerate(read_lines(file.path, file.encoding), start=1):
        is_border = line.startswith(DOCUMENT)
        if line.strip() and not is_border:
            fields = _split(line, file.delimiter or "\t")
            if len(fields) != n_fields and COMMENT.match(line):
                continue
            if len(fields) != n_fields:
                raise _uneven(file, number, line, len(fields), n_fields)
            sentence.append(_Line(number, fields))
            continue
        if sentence:
            yield starts_document, sentence
            starts_document, sentence = False, []
        starts_document = starts_document or is_border
    if sentence:
        yield starts_document, sentence


def _n_columns(file: "DataFile") -> int:
    """The number of columns of most of the first lines."""
    lines = islice(read_lines(file.path, file.encoding), N_TOKENS)
    counts = Counter(
        len(_split(line, file.delimiter or "\t"))
        for line in lines
        if line.strip() and not line.startswith(DOCUMENT)
    )
    return counts.most_common(1)[0][0] if counts else 0


def _uneven(file: "DataFile", number: int, line: str, n: int, expected: int) -> ValueError:
    separator = "a TAB" if file.delimiter == "\t" else "spaces"
    return ValueError(
        f"Line {number} of {file.path} has {n} column{'s' * (n > 1)}, {line!r}, but most "
        f"lines have {expected}, separated by {separator}. Write all columns of each token, "
        f"and an empty line after each sentence; or set delimiter to another separator."
    )


def _split(line: str, delimiter: str) -> List[str]:
    if delimiter == " ":
        return SPACES.split(line.strip(" \t"))
    return [field.strip() for field in line.rstrip("\t").split(delimiter)]


def _delimiter_of(lines: Sequence[str]) -> str:
    n_tabs = sum("\t" in line for line in lines)
    return "\t" if 2 * n_tabs > len(lines) else " "


def _is_no_token(line: str) -> bool:
    return line.startswith(DOCUMENT) or COMMENT.match(line) is not None


def _is_header(fields: Sequence[str]) -> bool:
    names = [field.strip("#").strip().lower() for field in fields]
    return any(name in TOKEN_NAMES for name in names) and any(name in TAG_NAMES for name in names)


def _guess_columns(file: "DataFile", values: Sequence[Sequence[str]]) -> Dict[str, Any]:
    """The columns of tokens and of their tags."""
    is_numbered = len(values) > 1 and all(map(str.isdecimal, values[0]))
    # Some corpora write the tag in front of its token.
    is_reversed = len(values) == 2 and are_entity_tags(set(values[0]))
    first = 1 if is_numbered or is_reversed else 0
    columns: Dict[str, Any] = {"tokens": str(first)}
    others = [0] if is_reversed else list(range(first + 1, len(values)))
    entities = [i for i in others if _may_be_entities(values[i])]
    if file.task == "lm":
        return columns
    if file.task != "tagger" and (entities or file.task == "ner"):
        if not others:
            raise _no_tags(file, "tags", values)
        return {**columns, "entities": str(entities[0] if entities else others[-1])}
    tags = [i for i in others if i not in entities]
    if not tags:
        raise _no_tags(file, "tags that are not entities" if others else "tags", values)
    # Tags of phrases are seldom meant where there are others.
    tags = [i for i in tags if not are_entity_tags(set(values[i]))] or tags
    return {**columns, "tags": str(min(tags, key=lambda i: len(set(values[i]))))}


def _no_tags(file: "DataFile", kind: str, values: Sequence[Sequence[str]]) -> ValueError:
    return ValueError(
        f"{file.path} has no column of {kind} after the tokens. Its columns: "
        f"{', '.join(_describe_columns(values))}. Set the task, or choose with --columns (in a "
        f"config: columns), such as tokens=0,tags=1 or tokens=0,entities=1."
    )


def _describe_columns(values: Sequence[Sequence[str]]) -> List[str]:
    """The number of each column and its first values."""
    found = []
    for i, column in enumerate(values):
        first = list(islice(dict.fromkeys(column), N_VALUES + 1))
        more = ", ..." if len(first) > N_VALUES else ""
        found.append(f"{i} ({', '.join(first[:N_VALUES])}{more})")
    return found


def _may_be_entities(values: Sequence[str]) -> bool:
    """Return True for tags of entities, with or without prefixes, but not of phrases."""
    if are_entity_tags(set(values)):
        return not all(
            value in UNKNOWN or value.upper() == OUTSIDE or value[2:] in PHRASES for value in values
        )
    counts = Counter(values)
    return len(counts) > 1 and counts[OUTSIDE] / len(values) >= MOST_OUTSIDE


def scheme_of(tags: Sequence[str]) -> str:
    """Name the scheme of entity tags.

    tags (Sequence[str]): The tags of a text.
    RETURNS (str): The name.
    """
    prefixes = {match[1].upper() for tag in tags if (match := WITH_PREFIX.fullmatch(tag))}
    if not prefixes:
        return "IO (labels without a prefix)"
    if prefixes & set("M"):
        return "BMES"
    if prefixes & set("LU"):
        return "BILUO"
    if prefixes & set("ES"):
        return "BIOES"
    begun = _outside_before_inside(tags)
    return "IOB1 (B only between adjacent entities)" if begun else "IOB2 (BIO)"


def _outside_before_inside(tags: Sequence[str]) -> bool:
    """Return True if an I follows an O, which has no meaning in BIO."""
    before = (OUTSIDE, *tags)
    return any(a == OUTSIDE and b[:2].upper() == "I-" for a, b in zip(before, tags, strict=False))


def _check(file: "DataFile", columns: Mapping[str, Any], n_columns: int) -> None:
    """Raise a ValueError for unknown roles or columns."""
    known = ("tokens", *TOKEN_ROLES)
    for role, index in columns.items():
        if role not in known:
            raise ValueError(
                f"'columns' has the role {role!r}, but columns of tokens are {list(known)}. The "
                f"roles: {KNOWN_ROLES}."
            )
        if not str(index).isdecimal() or int(index) >= n_columns:
            raise ValueError(
                f"{file.path} has {n_columns} columns, numbered from 0, but '{role}' is {index!r}. "
                f"Correct columns."
            )
    if "tokens" not in columns:
        raise ValueError(f"'columns' lacks the column of tokens. Its roles: {KNOWN_ROLES}.")
