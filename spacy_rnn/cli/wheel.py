"""The wheel of an installed distribution of pure Python, made from its installed files."""

import base64
import csv
import hashlib
import io
import zipfile
from importlib.metadata import Distribution
from pathlib import Path
from typing import Dict

#: the file that says how a wheel is installed
WHEEL = """\
Wheel-Version: 1.0
Generator: spacy-rnn
Root-Is-Purelib: true
Tag: py3-none-any
"""


def write_wheel(distribution: Distribution, package: Path, folder: Path) -> Path:
    """Write the wheel of a distribution, however it was installed: from a wheel, from a folder, or
    as an editable one.

    distribution (Distribution): The distribution.
    package (Path): The folder of its package.
    folder (Path): The folder for the wheel.
    RETURNS (Path): The wheel.
    """
    name = distribution.metadata["Name"].replace("-", "_")
    stem = f"{name}-{distribution.version}"
    contents = {
        file.relative_to(package.parent).as_posix(): file.read_bytes()
        for file in sorted(package.rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    }
    for file_name, text in _metadata(distribution).items():
        contents[f"{stem}.dist-info/{file_name}"] = text.encode("utf8")
    record = f"{stem}.dist-info/RECORD"
    contents[record] = _record(contents, record).encode("utf8")
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file_name, data in contents.items():
            # Always the same bytes for the same files: ZipInfo's date is that of 1980.
            archive.writestr(zipfile.ZipInfo(file_name), data, zipfile.ZIP_DEFLATED)
    return path


def _metadata(distribution: Distribution) -> Dict[str, str]:
    """The files of the folder .dist-info."""
    # An editable installation by setuptools may have an .egg-info instead.
    metadata = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    found = {"METADATA": metadata, "WHEEL": WHEEL}
    entry_points = distribution.read_text("entry_points.txt")
    if entry_points is not None:
        found["entry_points.txt"] = entry_points
    for name in distribution.metadata.get_all("License-File") or ():
        for place in (f"licenses/{name}", f"../{name}"):
            text = distribution.read_text(place)
            if text is not None:
                found.setdefault(f"licenses/{name}", text)
    return found


def _record(contents: Dict[str, bytes], record: str) -> str:
    """The list of files with their hashes and sizes."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    for name, data in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        writer.writerow((name, f"sha256={digest}", len(data)))
    writer.writerow((record, "", ""))
    return lines.getvalue()
