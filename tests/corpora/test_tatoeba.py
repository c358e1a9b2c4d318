"""Tests of the split of Tatoeba's sentence pairs."""

import hashlib
import importlib
import lzma
import sys
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "corpora"))
tatoeba = importlib.import_module("tatoeba")

PARTS = ("train", "dev", "test")
PAIRS = "Go.\tVa !\nGo.\tMarche.\nI see.\tJe\u2028 vois.\n"


def read(path: Path) -> list[tuple[str, ...]]:
    """The pairs of the parts; only a line feed ends a line."""
    text = path.read_bytes().decode("utf-8")
    return [tuple(line.split("\t")) for line in text.removesuffix("\n").split("\n") if line]


def split(source: Path, target: Path, *options: str, name: str = "fra.txt") -> list:
    """All pairs of the parts that are written."""
    tatoeba.main([str(source), name, str(target), *options])
    return [pair for part in PARTS for pair in read(target / f"{part}.tsv")]


@pytest.mark.parametrize(
    "folder, name, sizes",
    [
        ("mt-tatoeba-en-fr", "fra.txt", (139_980, 1_348, 1_459)),
        ("mt-tatoeba-en-de", "deu.txt", (165_803, 1_700, 1_694)),
    ],
)
def test_split_of_the_published_files(data_dir, tmp_path, capsys, folder, name, sizes):
    split(data_dir / folder, tmp_path, name=name)
    counts = zip(PARTS, sizes, strict=True)
    assert capsys.readouterr().out == "".join(f"{part}: {size} pairs\n" for part, size in counts)
    english = []
    for place, part in ((0, "test"), (1, "dev")):
        pairs = read(tmp_path / f"{part}.tsv")
        hashes = {int(hashlib.sha1(e.encode()).hexdigest(), 16) % 100 for e, _ in pairs}
        assert hashes == {place}
        english.append({e for e, _ in pairs})
    english.append({e for e, _ in read(tmp_path / "train.tsv")})
    assert sum(map(len, english)) == len(set.union(*english))
    assert sum(len(read(tmp_path / f"{part}.tsv")) for part in PARTS) == sum(sizes)


def pack_plain(folder: Path, data: bytes) -> None:
    (folder / "fra.txt").write_bytes(data)


def pack_xz(folder: Path, data: bytes) -> None:
    (folder / "fra.txt.xz").write_bytes(lzma.compress(data))


def pack_zip(folder: Path, data: bytes) -> None:
    with zipfile.ZipFile(folder / "fra-eng.zip", "w") as archive:
        archive.writestr("_about.txt", "About.\tNothing.\n")
        archive.writestr("fra.txt", data)


@pytest.mark.parametrize("pack", [pack_plain, pack_xz, pack_zip])
def test_plain_and_packed_files_are_read(tmp_path, pack):
    pack(tmp_path, PAIRS.encode())
    assert sorted(split(tmp_path, tmp_path / "new" / "out")) == [
        ("Go.", "Marche."),
        ("Go.", "Va !"),
        ("I see.", "Je\u2028 vois."),
    ]


def test_reverse_changes_the_columns_and_not_the_parts(tmp_path):
    # With a thousand sentences, no part is empty.
    text = "".join(f"I have {i} eggs.\tJ'ai {i} œufs.\n" for i in range(1000))
    pack_plain(tmp_path, text.encode())
    assert len(split(tmp_path, tmp_path / "there")) == 1000
    split(tmp_path, tmp_path / "back", "--reverse")
    for part in PARTS:
        there, back = (read(tmp_path / side / f"{part}.tsv") for side in ("there", "back"))
        assert there
        assert back == [(translation, english) for english, translation in there]


def test_further_columns_and_carriage_returns_are_left_out(tmp_path):
    pack_plain(tmp_path, b"Go.\tVa !\tCC-BY 2.0 (France)\r\nI see.\tJe vois.\tCC-BY\r\n")
    assert sorted(split(tmp_path, tmp_path / "out")) == [("Go.", "Va !"), ("I see.", "Je vois.")]


@pytest.mark.parametrize("line", ["I see. Je vois.", ""])
def test_a_line_without_a_tab_is_an_error(tmp_path, line):
    pack_plain(tmp_path, f"Go.\tVa !\n{line}\nRun.\tCours.\n".encode())
    with pytest.raises(ValueError, match="Line 2 of fra.txt has no TAB between two sentences"):
        split(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file deu.txt"):
        split(tmp_path, tmp_path / "out", name="deu.txt")
