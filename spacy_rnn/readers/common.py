"""What readers have in common."""

import gzip
import json
import logging
import lzma
import zlib
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

logger = logging.getLogger("spacy_rnn")

#: what opens a compressed file, by the end of its name
OPENERS: Dict[str, Callable[..., Any]] = {".xz": lzma.open, ".gz": gzip.open}
DAMAGES = (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error)


class Drops:
    """Counts what a reader drops, and reports it at the end of each pass: as a warning, or as
    information where the pass before dropped the same.

    source (Any): The path or name of the data.
    items (str): What it consists of, such as "pairs".
    cure (str): What to do if nothing is left.
    """

    def __init__(self, source: Any, items: str, cure: str) -> None:
        self.source = source
        self.items = items
        self.cure = cure
        self._reported: Counter[str] = Counter()

    def report(self, kept: int, dropped: Counter[str]) -> None:
        """Log how many items a pass dropped, by reason. Raises a ValueError if it kept none."""
        n_items = kept + dropped.total()
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
        if not kept:
            raise ValueError(
                f"{self.source} has no {self.items} to learn from: {n_items} were read"
                + (f", all of them dropped: {reasons}. " if reasons else ". ")
                + self.cure
            )
        if dropped:
            level = logging.INFO if dropped == self._reported else logging.WARNING
            message = "%s: %d of %d %s are dropped: %s."
            logger.log(level, message, self.source, dropped.total(), n_items, self.items, reasons)
            self._reported = dropped


def checked_text(text: Any, where: str) -> str:
    """A text as `required_text` has it; None is an empty one."""
    return "" if text is None else required_text(text, where)


def required_text(text: Any, where: str) -> str:
    """A text that is a string of whole characters. Raises a ValueError for anything else.

    where (str): Names the text in the error.
    """
    if not isinstance(text, str):
        raise ValueError(f"{where}: {text!r} is no text. Each text must be a string.")
    try:
        text.encode("utf8")
    except UnicodeEncodeError as error:
        excerpt = text[max(error.start - 20, 0) : error.start + 20]
        raise ValueError(
            f"{where}: {excerpt!r} has half of a surrogate pair. Write the whole character, or "
            f"mend the text: text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')."
        ) from error
    return text


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a file, plain, `.xz` or `.gz`. Only a line feed ends one, with or without a
    carriage return. Raises a ValueError for a file that is damaged or not UTF-8."""
    open_file = OPENERS.get(path.suffix.lower(), open)
    number = 0
    try:
        with open_file(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\n")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Line {number} of {path} is not UTF-8 ({error}). Convert the file, as by "
            f"iconv -f ISO-8859-1 -t UTF-8, with the encoding that it has."
        ) from error
    except DAMAGES as error:
        raise ValueError(
            f"{path} is damaged after line {number} ({error}). Copy or download it again."
        ) from error


def parse_json(line: str, where: str) -> Any:
    """A line of a file of JSON lines. Raises a ValueError if it is none."""
    try:
        return json.loads(line)
    except ValueError as error:
        raise ValueError(
            f"{where} is no valid JSON ({error}). The file must have one JSON object a line, each "
            f"whole on its line and not in a list."
        ) from error
