"""Files of word vectors, of which only what is needed is read.

Text (GloVe, word2vec, fastText's .vec): a word and its numbers on every line, with single blanks
between them. The first line may be a header, the number of words and the width.

Binary (word2vec): that header; then for each word its UTF-8 bytes, a blank and its numbers as
little-endian float32. The original tool ends each with a line feed, gensim does not; as gensim
reads them, line feeds before a word are dropped.
"""

from __future__ import annotations

import codecs
import gzip
import logging
import lzma
import re
import zlib
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO, Callable, Container, Iterator, NamedTuple, Optional, Union

import numpy as np

from .lookup import Table

logger = logging.getLogger("spacy_rnn")

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
#: what is read at once, and lines from which a file's layout is told
_CHUNK, _SAMPLE = 1 << 20, 100
_HEADER = re.compile(rb"(\d+) (\d+)")
#: what no text has
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_LINE_END = b" \r\n"
#: how many places a warning names
_NAMED = 5

#: what may be wrong
WIDTH = "of another width, skipped"
NUMBERS = "with values that are no finite numbers, skipped"
ENCODING = "with a word that is not UTF-8, skipped"
REPEATED = "with a word that was there before, skipped"
BLANKS = "with a blank inside the word, read"

_CURE = (
    "Files are text (a word and its numbers on every line, with single blanks between them) or "
    "word2vec's binary form, plain or packed as .gz or .xz: unpack archives, use the .vec file of "
    "fastText, and copy or download a file that is cut short again."
)

#: number, word and numbers of a line or of a binary entry
Entry = tuple[int, bytes, bytes]


class Layout(NamedTuple):
    """n_words: as the header says, None without one. width: numbers of a word, 0 if none are
    found."""

    binary: bool
    n_words: Optional[int]
    width: int


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
    with None of all. Files that end in .gz or .xz are unpacked on the way.

    All but the last numbers of a line is its word, so that it may have blanks inside. What can't be
    read is skipped, and of a repeated word all but the first; a warning counts both and gives the
    first lines of each kind. Numbers of words that are not needed are not looked at.

    RAISES (FileNotFoundError): If there is no such file.
    RAISES (ValueError): If it has no vectors, or ends before it should.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file of word vectors at {path}. Correct the path.")
    faults = Faults()
    try:
        with _OPENERS.get(path.suffix, open)(path, "rb") as file:
            layout = _layout_of(file.read(_CHUNK))
            file.seek(0)
            table = _select(file, layout, needed, n_first, faults)
    except (ValueError, EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
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
    """Tell the layout from the start of a file."""
    lines = [line.rstrip(_LINE_END) for line in sample.split(b"\n", _SAMPLE)[:_SAMPLE]]
    header = _HEADER.fullmatch(lines[0])
    if header is None:
        widths = Counter(filter(None, map(_count_numbers, lines)))
        return Layout(False, None, widths.most_common(1)[0][0] if widths else 0)
    n_words, width = map(int, header.groups())
    has_rows = any(_count_numbers(line) >= width for line in lines[1:])
    return Layout(not has_rows and not _is_text(sample), n_words, width)


def _count_numbers(line: bytes) -> int:
    """How many numbers a line ends with, behind a word."""
    fields = line.split(b" ")[:0:-1]
    return next((i for i, field in enumerate(fields) if not _is_number(field)), len(fields))


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
    entries, parse = (_read_binary, _parse_binary) if layout.binary else (_read_text, _parse_text)
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
        vector = parse(values)
        if vector is None or not np.isfinite(vector).all():
            faults.add(NUMBERS, number)
            continue
        words[word] = None
        data += vector.tobytes()
    if not n_seen:
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
        end = _end_of_word(line, layout.width)
        if not end:
            faults.add(WIDTH, number)
            continue
        if b" " in line[:end]:
            faults.add(BLANKS, number)
        yield number, line[:end], line[end + 1 :]


def _end_of_word(line: bytes, width: int) -> int:
    """Where the blank before the numbers of a line is; 0 if it is of another width."""
    n_blanks = line.count(b" ")
    if n_blanks < max(width, 1):
        return 0
    if n_blanks == width:
        return line.find(b" ")
    word = line.rsplit(b" ", width)[0]
    # A word whose last part is a number is rather a line of too many.
    return 0 if _is_number(word.rsplit(b" ", 1)[1]) else len(word)


def _parse_text(values: bytes) -> Optional[np.ndarray]:
    try:
        with np.errstate(over="ignore"):
            return np.array(values.split(b" "), dtype="float32")
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
