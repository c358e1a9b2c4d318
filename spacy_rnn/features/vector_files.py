"""Files of word vectors, of which only what is needed is read.

Text (GloVe, word2vec, fastText's .vec): a word and its numbers on every line, separated by single
blanks, by TABs, or by a TAB after the word and blanks between the numbers. The first line may be a
header, the number of words and the width.

Binary (word2vec): that header; then for each word its UTF-8 bytes, a blank and its numbers as
little-endian float32. The original tool ends each with a line feed, gensim does not; as gensim
reads them, line feeds before a word are dropped.
"""

from __future__ import annotations

import codecs
import logging
import re
from collections import Counter
from pathlib import Path
from typing import BinaryIO, Container, Iterator, Mapping, NamedTuple, Optional, Union

import numpy as np

from ..text_files import DAMAGES, mark_of, open_bytes
from .lookup import Table

logger = logging.getLogger("spacy_rnn")

#: what is read at once, and lines from which a file's layout is told
_CHUNK, _SAMPLE = 1 << 20, 100
_HEADER = re.compile(rb"(\d+)[ \t](\d+)")
#: what follows a word, and what separates its numbers
_SEPARATORS = ((b" ", b" "), (b"\t", b" "), (b"\t", b"\t"))
#: what no text has
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_LINE_END = b" \t\r\n"
#: what makes lines of other formats unreadable: where it is found, its name and the cure
_ODDITIES = (
    (
        re.compile(rb"\0"),
        "zero bytes",
        "Convert it if it is UTF-16, as by iconv -f UTF-16LE -t UTF-8",
    ),
    (
        re.compile(rb"\r"),
        "a carriage return inside",
        "If it ends a line, as in files of old Macs, convert the line ends, as by tr '\\r' '\\n'",
    ),
    (
        re.compile(rb'[\[{]$|[\[{]\s*["\[{]'),
        "brackets, as JSON has them",
        "Write each word and its numbers on a line instead",
    ),
    (
        re.compile(rb"[ \t]-?\d+,\d+([ \t]|$)"),
        "decimal commas",
        "Write the numbers with points, and leave the commas of words such as 10,000",
    ),
    (
        re.compile(rb"[\[(] *[-.\d]|[.\d] *[\])]"),
        "brackets",
        "Remove those around the numbers, and leave those that are words",
    ),
    (
        re.compile(rb"[,;]-?\d"),
        "other separators",
        "Write single blanks between the numbers instead of them",
    ),
    (re.compile(rb"^[ \t]"), "a blank at its start", "Remove the blanks before the words"),
    (re.compile(rb"  |\t "), "more than one blank", "Write single blanks, as by tr -s ' '"),
    (
        re.compile(rb"^\d+[ \t]+[^ \t]*[^-+.eE\d \t]"),
        "a number before the word",
        "Remove that column, as by cut -f 2- where TABs separate them (in pandas, index=False)",
    ),
    (
        re.compile(rb"^[^ \t].*[ \t][^ \t]*[^-+.eE\d \t][^ \t]*[ \t].*\d$"),
        "a blank inside the word",
        "Write a TAB between such a word and its numbers",
    ),
)
#: characters of such a line that a message shows
_SHOWN = 40
#: how many places a warning names
_NAMED = 5

#: what may be wrong
WIDTH = "of another width, skipped"
NUMBERS = "with values that are no finite numbers, skipped"
ENCODING = "with a word that is not UTF-8, skipped"
REPEATED = "with a word that was there before, skipped"
BLANKS = "with a blank inside the word, read"
RETURN = "with a carriage return inside, skipped"

_CURE = (
    "Files are text (a word and its numbers on every line, separated by single blanks or TABs) or "
    "word2vec's binary form, and may end in .gz, .xz, .bz2 or .zst: unpack archives, use the .vec "
    "file of fastText, and copy or download a file that is cut short again."
)

#: number, word and numbers of a line or of a binary entry
Entry = tuple[int, bytes, bytes]


class Layout(NamedTuple):
    """n_words: as the header says, None without one. width: how many numbers a word has.
    after_word, between: what separates the word and the numbers of a line."""

    binary: bool
    n_words: Optional[int]
    width: int
    after_word: bytes = b" "
    between: bytes = b" "


class Faults:
    """Counts what is wrong in a file, and keeps the first places of each kind.

    n_lines: how many lines or entries were read.
    """

    def __init__(self) -> None:
        self.n_lines = 0
        self.counts: Counter[str] = Counter()
        self._places: dict[str, list[str]] = {}

    def add(self, kind: str, number: int) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= _NAMED + 1:
            place = "..." if self.counts[kind] > _NAMED else str(number)
            self._places.setdefault(kind, []).append(place)

    def __str__(self) -> str:
        return "; ".join(
            f"{count:,} {kind} ({', '.join(self._places[kind])})"
            for kind, count in self.counts.items()
        )


def read_vectors(path: Union[str, Path], needed: Container[str], n_first: Optional[int]) -> Table:
    """Read the vectors of the words that are needed and of the first `n_first` words of a file;
    with None of all. The file may be compressed.

    All but the last numbers of a line is its word, so that it may have blanks inside. What can't be
    read is skipped, and of a repeated word all but the first; a warning counts both and gives the
    first lines of each kind. Numbers of words that are not needed are not looked at.

    RAISES (FileNotFoundError): If there is no such file.
    RAISES (ValueError): If it has no vectors, is in another format or ends before it should.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file of word vectors at {path}. Correct the path.")
    faults = Faults()
    try:
        with open_bytes(path) as file:
            start = file.read(_CHUNK)
        mark, encoding = mark_of(start)
        if encoding not in ("", "utf-8-sig"):
            name = encoding.upper()
            raise ValueError(f"it is {name}. Convert it, as by iconv -f {name} -t UTF-8")
        layout = _layout_of(start[len(mark) :])
        with open_bytes(path) as file:
            file.read(len(mark))
            table = _select(file, layout, needed, n_first, faults)
    except (ValueError, *DAMAGES) as error:
        raise ValueError(f"The word vectors in {path} can't be read: {error}. {_CURE}") from error
    what = "entries" if layout.binary else "lines"
    if faults.counts:
        logger.warning("Odd %s in %s: %s.", what, path, faults)
    if layout.n_words not in (None, faults.n_lines):
        logger.warning(
            "%s has %d %s of word vectors, its header says %d: it may be incomplete.",
            path,
            faults.n_lines,
            what,
            layout.n_words,
        )
    return table


def _layout_of(sample: bytes) -> Layout:
    """Tell the layout from the start of a file, without its byte-order mark. Raises a ValueError if
    it is empty, or text of which most lines are not a word and its numbers."""
    if not sample.strip():
        raise ValueError("it is empty")
    lines = [line.rstrip(_LINE_END) for line in sample.split(b"\n", _SAMPLE)[:_SAMPLE]]
    header = _HEADER.fullmatch(lines[0])
    n_words, width = (int(header[1]), int(header[2])) if header else (None, None)
    start = 1 if header is None else 2
    rows = {number: line for number, line in enumerate(lines[start - 1 :], start) if line}
    found = []
    for separators in _SEPARATORS:
        widths = Counter(_count_numbers(line, *separators) for line in rows.values())
        found += [
            (n_lines, each, separators)
            for each, n_lines in widths.items()
            if each and width in (None, each)
        ]
    # Where TABs separate the numbers, too, the last one alone also fits: the larger width counts.
    n_fit, best, separators = max(found, default=(0, 0, _SEPARATORS[0]))
    if n_fit and 2 * n_fit >= len(rows):
        return Layout(False, n_words, best, *separators)
    if width is not None and not n_fit and not _is_text(sample):
        return Layout(True, n_words, width)
    raise ValueError(_misfit(rows, width))


def _misfit(rows: Mapping[int, bytes], width: Optional[int]) -> str:
    """What is wrong with lines that are not a word and its numbers.

    rows: lines by their number.
    width: how many numbers a word has by the header, if there is one.
    """
    message = "it is not lines of a word and its numbers"
    if not rows:
        return "it has no line after its header"
    counts = {
        number: max(_count_numbers(line, *separators) for separators in _SEPARATORS)
        for number, line in rows.items()
    }
    wrong = (number for number, n in counts.items() if not n or n != (width or n))
    number = next(wrong, None)
    if number is None:
        return message
    line = rows[number]
    shown = line.decode("utf-8", "replace")
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
    message += f": line {number} is {shown!r}"
    if counts[number] and width is not None:
        return f"{message}, with {counts[number]} numbers, but the header says {width}. Correct it"
    for pattern, name, cure in _ODDITIES:
        if pattern.search(line):
            return f"{message}, with {name}. {cure}"
    return message


def _count_numbers(line: bytes, after_word: bytes, between: bytes) -> int:
    """How many numbers follow the word of a line; 0 if anything else does, or there is no word."""
    word, _, numbers = line.partition(after_word)
    fields = numbers.split(between)
    is_word = word and b"\t" not in word and b"\r" not in line
    return len(fields) if is_word and all(map(_is_number, fields)) else 0


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _is_text(sample: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return _CONTROL.search(sample) is None


def _select(
    file: BinaryIO,
    layout: Layout,
    needed: Container[str],
    n_first: Optional[int],
    faults: Faults,
) -> Table:
    """The vectors of needed and first words, in the file's order."""
    entries = _read_binary if layout.binary else _read_text
    words: dict[str, None] = {}
    data = bytearray()
    n_seen = 0
    for number, name, values in entries(file, layout, faults):
        try:
            word = name.decode()
        except UnicodeDecodeError:
            faults.add(ENCODING, number)
            continue
        n_seen += 1
        if n_first is not None and n_seen > n_first and word not in needed:
            continue
        if word in words:
            faults.add(REPEATED, number)
            continue
        vector = _parse_binary(values) if layout.binary else _parse_text(values, layout.between)
        if vector is None or not np.isfinite(vector).all():
            faults.add(NUMBERS, number)
            continue
        words[word] = None
        data += vector.tobytes()
    if not n_seen:
        if faults.counts[ENCODING]:
            raise ValueError("its words are not UTF-8. Convert it, as by iconv -f CP1252 -t UTF-8")
        raise ValueError("it has no line of a word and its numbers")
    vectors = np.frombuffer(data, dtype="float32").reshape(-1, layout.width)
    return Table(list(words), vectors)


def _read_text(file: BinaryIO, layout: Layout, faults: Faults) -> Iterator[Entry]:
    """The lines of a word and as many numbers as the layout says."""
    first = 1
    if layout.n_words is not None:
        file.readline()
        first = 2
    for number, line in enumerate(file, start=first):
        faults.n_lines += 1
        line = line.rstrip(_LINE_END)
        if b"\r" in line:
            faults.add(RETURN, number)
            continue
        end = _end_of_word(line, layout)
        if not end:
            faults.add(WIDTH, number)
            continue
        if layout.after_word == b" " and b" " in line[:end]:
            faults.add(BLANKS, number)
        yield number, line[:end], line[end + 1 :]


def _end_of_word(line: bytes, layout: Layout) -> int:
    """Where a line's word ends; 0 if it is of another width."""
    _, _, width, after_word, between = layout
    if after_word != between:
        end = line.rfind(after_word)
        return end if end > 0 and line.count(between, end) == width - 1 else 0
    n_separators = line.count(between)
    if n_separators < width:
        return 0
    if n_separators == width:
        return line.find(between)
    word = line.rsplit(between, width)[0]
    # A word whose last part is a number is rather a line of too many.
    return 0 if _is_number(word.rsplit(between, 1)[1]) else len(word)


def _parse_text(values: bytes, between: bytes) -> Optional[np.ndarray]:
    try:
        with np.errstate(over="ignore"):
            return np.array(values.split(between), dtype="float32")
    except ValueError:
        return None


def _read_binary(file: BinaryIO, layout: Layout, faults: Faults) -> Iterator[Entry]:
    """As many entries as the header says."""
    file.readline()
    size = 4 * layout.width
    buffer, start = b"", 0
    for number in range(1, (layout.n_words or 0) + 1):
        while (end := buffer.find(b" ", start)) < 0 or len(buffer) <= end + size:
            more = file.read(_CHUNK)
            if not more:
                raise ValueError(f"it ends in entry {number:,} of {layout.n_words:,}")
            buffer, start = buffer[start:] + more, 0
        faults.n_lines += 1
        yield number, buffer[start:end].lstrip(b"\n"), buffer[end + 1 : end + 1 + size]
        start = end + 1 + size


def _parse_binary(values: bytes) -> np.ndarray:
    return np.frombuffer(values, dtype="<f4")
