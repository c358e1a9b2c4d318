"""Tests of the concatenation of word vectors."""

import importlib
import lzma
import sys
from pathlib import Path

import numpy
import pytest
from spacy.training.initialize import read_vectors as read_with_spacy

sys.path.insert(0, str(Path(__file__).parents[2] / "corpora"))
vectors = importlib.import_module("vectors")


@pytest.fixture
def write(tmp_path):
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode("utf-8"))
        return path

    return write


def test_join_without_and_with_header(write, tmp_path):
    glove = write("glove.txt", "cat 1.50 -2\ndog 3e-2 4\n")
    word2vec = tmp_path / "w2v.txt.xz"
    word2vec.write_bytes(lzma.compress(b"2 1\ndog 7\nfish 8\n"))
    output = tmp_path / "joined.txt"
    vectors.main([str(glove), str(word2vec), str(output)])
    assert output.read_text() == "3 3\ncat 1.5 -2.0 0\ndog 0.03 4.0 7.0\nfish 0 0 8.0\n"


def test_one_file_gets_a_header(write, tmp_path):
    glove = write("glove.txt", "cat 1 2\n")
    vectors.main([str(glove), str(tmp_path / "joined.txt")])
    assert (tmp_path / "joined.txt").read_text() == "1 2\ncat 1.0 2.0\n"


def test_lines_are_read_as_by_the_package(write, tmp_path, caplog):
    text = "\ufeff5 2\ncat\t1 2\nat the end\t3 4\nx\u2028y\t5 6\ncat\t7 8\nodd\t1\n"
    path = write("a.txt", text)
    vectors.main([str(path), str(tmp_path / "joined.txt")])
    assert (tmp_path / "joined.txt").read_text("utf-8") == (
        "3 2\ncat 1.0 2.0\nat the end 3.0 4.0\nx\u2028y 5.0 6.0\n"
    )
    assert caplog.messages == [
        f"Invalid lines in {path}: 1 with a word that occurred before, skipped (5); 1 of another "
        f"width, skipped (6)."
    ]


def test_file_without_vectors_is_an_error(write, tmp_path):
    path = write("a.txt", "cat 0,1 0,2\n")
    with pytest.raises(ValueError, match="a.txt can't be read: .* decimal commas"):
        vectors.main([str(path), str(tmp_path / "joined.txt")])


def test_spacy_reads_the_joined_real_vectors(data_dir, tmp_path, capsys):
    folder = data_dir / "vectors-glove"
    twitter = folder / "glove.twitter.27B.25d.top12k.txt.xz"
    wikipedia = folder / "glove.6B.50d.subset.w2v.txt.xz"
    output = tmp_path / "joined.txt"
    vectors.main([str(twitter), str(wikipedia), str(output)])
    assert capsys.readouterr().err == ""
    data, words, _ = read_with_spacy(output, 0)
    rows = {}
    for name, path in (("twitter", twitter), ("wikipedia", wikipedia)):
        with lzma.open(path, "rt", encoding="utf-8") as file:
            columns = (line.split(" ") for line in file)
            rows[name] = {word: numbers for word, *numbers in columns if len(numbers) > 1}
    assert len(rows["twitter"]) == 11925 and len(rows["wikipedia"]) == 5050
    assert set(words) == set(rows["twitter"]) | set(rows["wikipedia"])
    assert data.shape == (len(words), 75)
    for word in ("the", ",", "lol"):  # in both, only in the second, only in the first
        expected = rows["twitter"].get(word, [0] * 25) + rows["wikipedia"].get(word, [0] * 50)
        row = data[words.index(word)]
        numpy.testing.assert_array_equal(row, numpy.asarray(expected, dtype="f"))
        assert row[:25].any() == (word != ",") and row[25:].any() == (word != "lol")
