"""Checksums of saved components, by which damaged and exchanged files are noticed.

They are CRC-32: it finds each change of up to 32 adjacent bits and misses one of 4 billion others,
in a third of the time of SHA-256. It does not protect against intent, as a signature does.
"""

from __future__ import annotations

import json
import zlib
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, Mapping

#: the file of the record, beside those that it is about
RECORD = "checksums"
#: the files and folders that are read
_READ = ("cfg", "model", "vocab")
_BLOCK = 1 << 18


def checksum(blocks: Iterable[bytes]) -> str:
    """The CRC-32 of blocks of bytes, one after the other, as 8 hexadecimal digits."""
    value = 0
    for block in blocks:
        value = zlib.crc32(block, value)
    return f"{value:08x}"


def checksum_of_files(path: Path) -> str:
    """The checksum of a file, or of all files in a folder with their names.

    path (Path): The file or folder.
    RETURNS (str): The checksum, as of `checksum`.
    """
    return checksum(_contents(path))


def _contents(path: Path) -> Iterator[bytes]:
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        if file.is_file():
            if file != path:
                yield file.relative_to(path).as_posix().encode()
            yield from _blocks(file)


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        yield from iter(partial(opened.read, _BLOCK), b"")


def make_record(component: str, checksums: Mapping[str, str]) -> dict[str, Any]:
    """Make the record that is saved with a component.

    component (str): The component's class.
    checksums (Mapping[str, str]): The checksum of each part that is saved.
    RETURNS (dict[str, Any]): The record, as JSON.
    """
    return {"component": component, "checksums": dict(checksums)}


def check(record: Any, component: str, checksums: Mapping[str, str]) -> None:
    """Check that the parts of a component are those that were saved.

    record (Any): The record that was saved with them.
    component (str): The class of the component that will read them.
    checksums (Mapping[str, str]): The checksum of each part that will be read.
    RAISES (ValueError): If a part is missing or another one, or is of another class.
    """
    try:
        saved_by, saved = record["component"], dict(record["checksums"])
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"'{RECORD}' is damaged") from error
    if saved_by != component:
        raise ValueError(
            f"'{RECORD}' is that of the component class {saved_by}, not of {component}"
        )
    for name in sorted({*saved, *checksums}):
        if name not in checksums:
            raise ValueError(f"'{name}', which is in '{RECORD}', is missing")
        if saved.get(name) != checksums[name]:
            raise ValueError(
                f"'{name}' is damaged, or of another component: its checksum is "
                f"{checksums[name]}, not {saved.get(name)} as in '{RECORD}'"
            )


def write_record(folder: Path, component: str) -> None:
    """Write the record of the files of a component beside them.

    folder (Path): The folder of the files.
    component (str): The component's class.
    """
    record = make_record(component, _checksums(folder, lambda name: True))
    (folder / RECORD).write_text(json.dumps(record, indent=2), encoding="utf8")


def check_folder(folder: Path, component: str, exclude: Iterable[str] = ()) -> dict[str, Any]:
    """Check the files of a component.

    folder (Path): The folder of the files.
    component (str): The class of the component that will read them.
    exclude (Iterable[str]): The files and folders that will not be read.
    RETURNS (dict[str, Any]): The record of those that will.
    RAISES (ValueError): As of `check`.
    """
    excluded = {*exclude}

    def reads(name: str) -> bool:
        return name.partition("/")[0] not in excluded

    try:
        record = json.loads((folder / RECORD).read_bytes())
        saved = {name: value for name, value in record["checksums"].items() if reads(name)}
        record = make_record(record["component"], saved)
    except FileNotFoundError as error:
        raise ValueError(f"'{RECORD}' is missing") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"'{RECORD}' is damaged ({error})") from error
    check(record, component, _checksums(folder, reads))
    return record


def _checksums(folder: Path, reads: Callable[[str], bool]) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name.partition("/")[0] in _READ and reads(name) and path.is_file():
            found[name] = checksum(_blocks(path))
    return found
