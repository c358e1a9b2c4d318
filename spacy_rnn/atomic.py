"""Files and folders that are written whole or not at all.

They are written beside their place, flushed to the disk, and renamed. What reads them, or finds
them after a crash, sees the old content or the new one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
from pathlib import Path
from typing import Iterator

#: the beginning of the names of files and folders that are being written, after a dot
TEMPORARY = "tmp"
#: of renameat2(2): the folder of a relative path, and the swap of two paths
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextlib.contextmanager
def replace_file(path: Path, writer: str = "") -> Iterator[Path]:
    """Write a file that then takes the place of another one.

    path (Path): The file. Its folder is created.
    writer (str): A name of this writer, if several processes may write the same file.
    YIELDS (Path): Where to write it. If the block raises an error, nothing is left of it.
    RAISES (NotADirectoryError): If its folder is a file.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise NotADirectoryError(
            f"'{path}' can't be written: a folder of its path is a file. Choose another path."
        ) from error
    written = _beside(path, TEMPORARY + writer)
    try:
        yield written
        _flush(written)
        os.replace(written, path)
    except OSError as error:
        # The system names no file if it cannot write to an open one, such as on a full disk.
        error.filename = error.filename or str(path)
        raise
    finally:
        written.unlink(missing_ok=True)


@contextlib.contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """Write a folder that then takes the place of another one.

    path (Path): The folder.
    YIELDS (Path): An empty folder, where to write it. If the block raises an error, nothing is left
        of it.
    """
    written = _beside(path)
    _remove(written)
    written.mkdir(parents=True)
    try:
        yield written
        for file in sorted(written.rglob("*")):
            if file.is_file():
                _flush(file)
        if not path.exists():
            os.rename(written, path)
        elif not _swap(written, path):
            # Without a swap in the system, there is a moment without either of them.
            old = _beside(path, "old")
            _remove(old)
            os.rename(path, old)
            os.rename(written, path)
            _remove(old)
    finally:
        _remove(written)


def _beside(path: Path, kind: str = TEMPORARY) -> Path:
    return path.with_name(f".{kind}.{path.name}")


def _flush(path: Path) -> None:
    # Not for folders, which some systems cannot open.
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _remove(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)


def _swap(one: Path, other: Path) -> bool:
    """Swap two paths at once. Returns False where the system cannot: elsewhere than on Linux."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    source, target = os.fsencode(one), os.fsencode(other)
    failed: int = rename(_AT_FDCWD, source, _AT_FDCWD, target, _RENAME_EXCHANGE)
    return not failed
