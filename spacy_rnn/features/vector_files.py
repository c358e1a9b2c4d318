"""Files of word vectors, from which only the vectors that are needed are read.

Text (GloVe, word2vec, fastText's .vec): a word and its numbers on every line, separated by single
spaces, by TABs, or by a TAB after the word and spaces between the numbers. The first line may be a
header, the number of words and the width.

Binary (word2vec): that header; then for each word its UTF-8 bytes, a space and its numbers as
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
from .lookup import VectorTable

logger = logging.getLogger("spacy_rnn")

#: bytes that are read at once, and lines from which the layout of a file is detected
_CHUNK, _SAMPLE = 1 << 20, 100
_HEADER = re.compile(rb"(\d+)[ \t](\d+)")
#: what follows a word, and what separates its numbers
_SEPARATORS = ((b" ", b" "), (b"\t", b" "), (b"\t", b"\t"))
#: characters that no text has
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_LINE_END = b" \t\r\n"
#: signs that a line has another format: a pattern, its name and what to do
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
        "Write single spaces between the numbers instead of them",
    ),
    (re.compile(rb"^[ \t]"), "a space at its start", "Remove the spaces before the words"),
    (re.compile(rb"  |\t "), "more than one space", "Write single spaces, as by tr -s ' '"),
    (
        re.compile(rb"^\d+[ \t]+[^ \t]*[^-+.eE\d \t]"),
        "a number before the word",
        "Remove that column, as by cut -f 2- where TABs separate them (in pandas, index=False)",
    ),
    (
        re.compile(rb"^[^ \t].*[ \t][^ \t]*[^-+.eE\d \t][^ \t]*[ \t].*\d$"),
        "a space inside the word",
        "Write a TAB between such a word and its numbers",
    ),
)
#: characters of such a line in a message
_SHOWN = 40
#: number of places in a warning
_NAMED = 5

#: kinds of faults
WIDTH = "of another width, skipped"
NUMBERS = "with values that are not finite numbers, skipped"
ENCODING = "with a word that is not UTF-8, skipped"
REPEATED = "with a word that occurred before, skipped"
SPACES = "with a space inside the word, read"
RETURN = "with a carriage return inside, skipped"

_CURE = (
    "Files are text (a word and its numbers on every line, separated by single spaces or TABs) or "
    "word2vec's binary form, and may end in .gz, .xz, .bz2 or .zst: unpack archives, use the .vec "
    "file of fastText, and copy or download a file that is cut short again."
)

#: number, word and values of a line or of a binary entry
Entry = tuple[int, bytes, bytes]


class VectorFileLayout(NamedTuple):
    """The layout of a file of vectors.

    binary (bool): In word2vec's binary form.
    n_words (Optional[int]): Number of words by the header, None without a header.
    width (int): Number of values of a word.
    after_word (bytes): Separator between the word and the values of a line.
    between (bytes): Separator between the values of a line.
    """

    binary: bool
    n_words: Optional[int]
    width: int
    after_word: bytes = b" "
    between: bytes = b" "


class Faults:
    """Counts of the faults in a file, with the first places of each kind.

    n_lines (int): Number of lines or entries that were read.
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


def read_vectors(
    path: Union[str, Path], needed: Container[str], n_first: Optional[int]
) -> VectorTable:
    """Read vectors from a file, which may be compressed.

    A line is a word, which may have spaces inside, and its values. Lines that cannot be read and
    repeated words are skipped; a warning counts them and gives the first lines of each kind. Values
    of words that are not needed are not checked.

    path (Union[str, Path]): The file.
    needed (Container[str]): Words to read.
    n_first (Optional[int]): Number of words at the beginning of the file to read as well; None for
        all words.
    RETURNS (VectorTable): The vectors, in the order of the file.
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
        logger.warning("Invalid %s in %s: %s.", what, path, faults)
    if layout.n_words not in (None, faults.n_lines):
        logger.warning(
            "%s has %d %s of word vectors, its header says %d: it may be incomplete.",
            path,
            faults.n_lines,
            what,
            layout.n_words,
        )
    return table


def _layout_of(sample: bytes) -> VectorFileLayout:
    """Detect the layout from the start of a file, without its byte-order mark.

    RAISES (ValueError): If it is empty, or text of which most lines are not a word and its numbers.
    """
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
        return VectorFileLayout(False, n_words, best, *separators)
    if width is not None and not n_fit and not _is_text(sample):
        return VectorFileLayout(True, n_words, width)
    raise ValueError(_misfit(rows, width))


def _misfit(rows: Mapping[int, bytes], width: Optional[int]) -> str:
    """Describe what is wrong with lines that are not a word and its numbers.

    rows (Mapping[int, bytes]): Lines by their number.
    width (Optional[int]): Number of values of a word by the header, if there is one.
    RETURNS (str): The fault and what to do, for an error message.
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
    """Return the number of values after the word of a line; 0 if there is anything else, or no
    word."""
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
    layout: VectorFileLayout,
    needed: Container[str],
    n_first: Optional[int],
    faults: Faults,
) -> VectorTable:
    """Read the vectors of needed and first words, in the order of the file."""
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
    return VectorTable(list(words), vectors)


def _read_text(file: BinaryIO, layout: VectorFileLayout, faults: Faults) -> Iterator[Entry]:
    """Yield the lines of a word and as many values as the layout has."""
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
            faults.add(SPACES, number)
        yield number, line[:end], line[end + 1 :]


def _end_of_word(line: bytes, layout: VectorFileLayout) -> int:
    """Return the end of the word of a line; 0 if the line has another width."""
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
    # If the last part of the word is a number, the line probably has too many values.
    return 0 if _is_number(word.rsplit(between, 1)[1]) else len(word)


def _parse_text(values: bytes, between: bytes) -> Optional[np.ndarray]:
    try:
        with np.errstate(over="ignore"):
            return np.array(values.split(between), dtype="float32")
    except ValueError:
        return None


def _read_binary(file: BinaryIO, layout: VectorFileLayout, faults: Faults) -> Iterator[Entry]:
    """Yield as many entries as the header says."""
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
