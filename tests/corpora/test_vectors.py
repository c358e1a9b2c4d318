"""Tests of the joining of word vectors."""

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
    assert output.read_text() == "3 3\ncat 1.50 -2 0\ndog 3e-2 4 7\nfish 0 0 8\n"


def test_one_file_gets_a_header(write, tmp_path):
    glove = write("glove.txt", "cat 1 2\n")
    vectors.main([str(glove), str(tmp_path / "joined.txt")])
    assert (tmp_path / "joined.txt").read_text() == "1 2\ncat 1 2\n"


def test_words_may_contain_blanks_and_separators(write):
    path = write("a.txt", "cat 1 2\nat the end 3 4\n\u00a0 5 6\n7 8 9\nx\u2028y 1 2\n")
    table = vectors.read_vectors(path)
    assert table == (
        2,
        {"cat": "1 2", "at the end": "3 4", "\u00a0": "5 6", "7": "8 9", "x\u2028y": "1 2"},
    )


@pytest.mark.parametrize("bad", ["dog 1", "dog", "dog one 2", "dog nan 1", "", " 1 2"])
def test_malformed_lines_are_skipped_and_counted(write, capsys, bad):
    path = write("a.txt", f"cat 1 2\n{bad}\ncow 3 4\n{bad}\n")
    assert vectors.read_vectors(path).rows == {"cat": "1 2", "cow": "3 4"}
    assert capsys.readouterr().err == f"{path}: skipped 2 malformed lines, first line 2\n"


def test_first_of_repeated_words_wins(write, capsys):
    path = write("a.txt", "3 1\r\ncat 1\r\ndog 2\r\ncat 3\r\n")
    assert vectors.read_vectors(path).rows == {"cat": "1", "dog": "2"}
    assert capsys.readouterr().err == f"{path}: skipped 1 repeated words, first line 4\n"


@pytest.mark.parametrize("text", ["", "3 2\n", "cat\n"])
def test_file_without_vectors_is_an_error(write, text):
    path = write("a.txt", text)
    with pytest.raises(ValueError, match="a.txt: no vectors found"):
        vectors.read_vectors(path)


def test_undecodable_file_is_an_error(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes(b"caf\xe9 1 2\n")
    with pytest.raises(ValueError, match="latin.txt: .*UTF-8"):
        vectors.read_vectors(path)


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
