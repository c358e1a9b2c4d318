"""Reading of text files, compressed or not, in any encoding, with or without a byte-order mark."""

import bz2
import codecs
import gzip
import io
import json
import lzma
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, Iterator, TextIO, Tuple

from .optional import optional_import

UTF8 = "utf-8"
#: byte-order marks, and the encodings that skip them. UTF-32 comes first, because its mark begins
#: with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: the first bytes of ZIP (also .xlsx, .docx, .ods), old files of Office, PDF, gzip and xz
_DOCUMENTS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF-", b"\x1f\x8b", b"\xfd7zXZ\x00")
#: the number of bytes that are checked for a mark or zero bytes
_START = 4096
_CHUNK = 1 << 20


class _ZstFile(io.RawIOBase):
    """A file compressed by Zstandard, which raises an OSError if it is damaged."""

    def __init__(self, path: Path) -> None:
        try:
            # Since Python 3.14.
            from compression import zstd
        except ImportError:
            with optional_import("backports.zstd", f"Reading {path}", ", or unpack the file"):
                from backports import zstd
        self._damage = zstd.ZstdError
        self._file = zstd.ZstdFile(path)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            return self._file.readinto(buffer)
        except self._damage as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        self._file.close()
        super().close()


def _open_zst(path: Path, mode: str) -> BinaryIO:
    return io.BufferedReader(_ZstFile(path))


#: the functions that open compressed files, by ending
COMPRESSED: Dict[str, Callable[..., Any]] = {
    ".gz": gzip.open,
    ".xz": lzma.open,
    ".bz2": bz2.open,
    ".zst": _open_zst,
}
#: the errors of reading a damaged file
DAMAGES = (OSError, EOFError, lzma.LZMAError, zlib.error)


def ending_of(path: Path) -> str:
    """Get the ending of a file's name that determines its format, without that of compression.

    path (Path): The file.
    RETURNS (str): The ending in lower case, such as ".csv".
    """
    name = path.name.lower()
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    return Path(name).suffix


def open_bytes(path: Path) -> BinaryIO:
    """Open a file, which may be compressed.

    path (Path): The file. Its ending determines the compression.
    RETURNS (BinaryIO): The decompressed file.
    """
    return COMPRESSED.get(path.suffix.lower(), open)(path, "rb")


def check_encoding(encoding: str) -> None:
    """Raise a ValueError if Python does not know an encoding of text.

    encoding (str): The name of the encoding.
    """
    try:
        "".encode(encoding)
    except (LookupError, ValueError) as error:
        raise ValueError(
            f"'encoding' must be a text encoding of Python, such as utf-8 or cp1252, got "
            f"'{encoding}'."
        ) from error


def mark_of(start: bytes) -> Tuple[bytes, str]:
    """Find the byte-order mark at the beginning of a file.

    start (bytes): The first bytes of the file.
    RETURNS (Tuple[bytes, str]): The mark and its encoding; both are empty if there is none.
    """
    return next((known for known in _MARKS if start.startswith(known[0])), (b"", ""))


def encoding_of(path: Path, encoding: str = UTF8) -> str:
    """Get the encoding of a text file.

    path (Path): The file.
    encoding (str): The encoding if there is no byte-order mark.
    RETURNS (str): The encoding.
    RAISES (ValueError): If the file has zero bytes, like UTF-16, but no mark.
    """
    with open_bytes(path) as file:
        try:
            start = file.read(_START)
        except DAMAGES as error:
            raise _damaged(path, error) from error
    if start.startswith(_DOCUMENTS):
        raise ValueError(
            f"{path} is not text, but a spreadsheet, a document or an archive. Unpack it, or save "
            f"it as text, such as CSV in UTF-8."
        )
    return mark_of(start)[1] or _without_mark(start, encoding, path)


def _without_mark(start: bytes, encoding: str, name: Any) -> str:
    if b"\0" in start and "\0" in start.decode(encoding, "ignore"):
        raise ValueError(
            f"{name} has zero bytes: it is not text, or text in an encoding such as UTF-16 without "
            f"a byte-order mark. Convert it to UTF-8, such as with iconv -f UTF-16LE -t UTF-8."
        )
    return encoding


@contextmanager
def open_text(path: Path, encoding: str = UTF8, newline: str = "\n") -> Iterator[TextIO]:
    """Open a text file, without its byte-order mark.

    path (Path): The file, which may be compressed.
    encoding (str): The encoding if there is no byte-order mark.
    newline (str): The line end, see `open`.
    YIELDS (TextIO): The file.
    RAISES (ValueError): If it is damaged, or a line is not in its encoding.
    """
    encoding = encoding_of(path, encoding)
    file = open_bytes(path)
    try:
        with io.TextIOWrapper(file, encoding, newline=newline) as text:
            yield text
    except UnicodeDecodeError as error:
        raise _not_decoded(_undecoded_line(path, encoding), path, encoding, error) from error
    except DAMAGES as error:
        raise _damaged(path, error) from error


def read_lines(path: Path, encoding: str = UTF8) -> Iterator[str]:
    """Read the lines of a text file. Line ends are line feeds, optionally preceded by a carriage
    return, and no other characters.

    path (Path): The file, which may be compressed.
    encoding (str): The encoding if there is no byte-order mark.
    YIELDS (str): The lines, without line ends.
    RAISES (ValueError): As `open_text`, and for other carriage returns, which may be line ends.
    """
    with open_text(path, encoding) as file:
        for number, line in enumerate(file, start=1):
            line = line.removesuffix("\n").removesuffix("\r")
            if "\r" in line:
                raise stray_return(number, path)
            yield line


def stray_return(number: int, name: Any) -> ValueError:
    """Make the error for a carriage return without a line feed.

    number (int): The number of the line.
    name (Any): The name of the file.
    RETURNS (ValueError): The error.
    """
    return ValueError(
        f"Line {number} of {name} has a carriage return without a line feed after it. If it is a "
        f"line end, as in files of old Macs, convert the line ends, such as with "
        f"tr '\\r' '\\n'; if it is a part of a text, replace it by a space."
    )


def decode(data: bytes, name: str) -> str:
    """Decode the contents of a text file, in UTF-8 or the encoding of its byte-order mark.

    data (bytes): The contents.
    name (str): The name of the file, for messages.
    RETURNS (str): The text.
    RAISES (ValueError): If it is in another encoding.
    """
    encoding = mark_of(data)[1] or _without_mark(data[:_START], UTF8, name)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise _not_decoded(number, name, encoding, error) from error


def read_json(path: Path, encoding: str = UTF8) -> Iterator[Tuple[str, Any]]:
    """Read the values of a JSON file: one on each line, or, in a .json file, the items of a list or
    one object on several lines.

    path (Path): The file, which may be compressed.
    encoding (str): The encoding if there is no byte-order mark.
    YIELDS (Tuple[str, Any]): The place of each value, for messages, and the value.
    RAISES (ValueError): As `read_lines`, and if a line is not valid JSON.
    """
    lines = read_lines(path, encoding)
    begun = False
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if not begun and ending_of(path) == ".json" and not _is_object(line):
            # Preceded by empty lines, so that an error has the number of the line.
            whole = parse_json("\n".join(["\n" * (number - 1) + line, *lines]), str(path))
            values = whole if isinstance(whole, list) else [whole]
            yield from ((f"Item {i} of {path}", value) for i, value in enumerate(values, start=1))
            return
        begun = True
        where = f"Line {number} of {path}"
        yield where, parse_json(line, where)


def _is_object(text: str) -> bool:
    try:
        return text.lstrip().startswith("{") and bool(json.loads(text))
    except ValueError:
        return False


def parse_json(text: str, where: str) -> Any:
    """Parse a JSON value.

    text (str): The JSON.
    where (str): Its place, for messages.
    RETURNS (Any): The value.
    RAISES (ValueError): If it is not valid.
    """
    try:
        value = json.loads(text)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{where} has half of a surrogate pair, such as \\ud83d. Write the whole character."
        ) from error
    except ValueError as error:
        raise ValueError(
            f"{where} is not valid JSON ({error}). A .jsonl file must have one JSON object on each "
            f"line; a .json file may have one list of objects instead."
        ) from error


def _undecoded_line(path: Path, encoding: str) -> int:
    """The number of the first line that is not in an encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    number = 1
    with open_bytes(path) as file:
        try:
            while chunk := file.read(_CHUNK):
                number += decoder.decode(chunk).count("\n")
        except UnicodeDecodeError as error:
            number += error.object[: error.start].decode(encoding, "ignore").count("\n")
    return number


def _not_decoded(number: int, name: Any, encoding: str, error: UnicodeDecodeError) -> ValueError:
    is_wide = encoding in ("utf-16", "utf-32")
    encoding = encoding.removesuffix("-sig").upper()
    if is_wide:
        return ValueError(
            f"Line {number} of {name} is not {encoding} ({error.reason}), which its byte-order "
            f"mark stands for. The file is damaged or not text: copy or write it again."
        )
    return ValueError(
        f"Line {number} of {name} is not {encoding} ({error.reason}). Convert the file from its "
        f"encoding, such as with iconv -f CP1252 -t UTF-8, or name its encoding: --encoding cp1252 "
        f'for a command, encoding = "cp1252" in the block of a reader.'
    )


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(f"{path} is damaged ({error}). Copy or download it again.")
