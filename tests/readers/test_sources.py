"""Where datasets come from: splits, folders, and files that can't be read."""

import pytest
import spacy
from datasets import Dataset, DatasetDict

from spacy_rnn.readers.hf_dataset import HFDataset

ROW = '{"text": "a", "label": "x"}\n'


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("xx")


def texts(nlp, path, **options):
    """By HFDataset: streamed and not."""
    found = [
        [eg.text for eg in HFDataset(path, streaming=streaming, **options)(nlp)]
        for streaming in (False, True)
    ]
    assert found[0] == found[1]
    return found[0]


def error(nlp, path, **options):
    messages = set()
    for streaming in (False, True):
        with pytest.raises(ValueError) as raised:
            list(HFDataset(path, streaming=streaming, **options)(nlp))
        messages.add(str(raised.value))
    (message,) = messages
    return message


# Splits and configurations


@pytest.mark.parametrize("split", ["dev", "train[:1]"])
def test_a_split_of_a_dataset_without_splits_is_an_error(nlp, tmp_path, split):
    data = Dataset.from_dict({"text": ["a", "b"]})
    data.save_to_disk(tmp_path / "data")
    assert f"a dataset without splits, but split is {split!r}" in error(
        nlp, tmp_path / "data", split=split
    )
    assert texts(nlp, tmp_path / "data") == ["a", "b"]


def test_a_split_that_was_saved_alone(nlp, tmp_path):
    DatasetDict({"dev": Dataset.from_dict({"text": ["a"]})}).save_to_disk(tmp_path / "data")
    assert texts(nlp, tmp_path / "data" / "dev") == ["a"]
    Dataset.from_dict({"text": ["a"]}, split="dev").save_to_disk(tmp_path / "dev")
    assert texts(nlp, tmp_path / "dev", split="dev") == ["a"]
    assert "split is 'train'" in error(nlp, tmp_path / "dev", split="train")


def test_a_part_of_a_split(nlp, tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na,x\nb,y\n")
    corpus = HFDataset(tmp_path / "a.csv", split="train[:50%]")
    assert [eg.text for eg in corpus(nlp)] == ["a"]


def test_a_configuration_of_what_has_none_is_an_error(nlp, tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na,x\n")
    Dataset.from_dict({"text": ["a"]}).save_to_disk(tmp_path / "data")
    for name in ("a.csv", "data"):
        message = error(nlp, tmp_path / name, config_name="news")
        assert f"{tmp_path / name} has no configurations" in message


# Files of a folder


@pytest.mark.parametrize(
    "other, text",
    [
        ("b.jsonl", ROW),
        ("b.txt", "a\n"),
        ("b.tsv", "text\tlabel\na\tx\n"),
        ("more/b.jsonl.gz", ROW),
    ],
)
def test_a_folder_of_several_formats_is_an_error(nlp, tmp_path, other, text):
    folder = tmp_path / "data"
    (folder / other).parent.mkdir(parents=True)
    (folder / "a.csv").write_text("text,label\na,x\n")
    (folder / other).write_text(text)
    assert "files of several formats, ['.csv', " in error(nlp, folder)


def test_files_that_are_no_data_are_not_missed(nlp, tmp_path, caplog):
    (tmp_path / "data").mkdir()
    for name in ("README.md", "LICENSE", ".hidden.jsonl", "dataset_infos.json", "a.py"):
        (tmp_path / "data" / name).write_text("{}")
    (tmp_path / "data" / "a.csv").write_text("text,label\na,x\n")
    assert texts(nlp, tmp_path / "data") == ["a"]
    assert not [r for r in caplog.records if r.name == "spacy_rnn"]


def test_a_card_may_choose_among_the_files_of_a_folder(nlp, tmp_path, caplog):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.csv").write_text("text,label\na,x\n")
    (folder / "b.jsonl").write_text(ROW)
    card = "---\nconfigs:\n- config_name: default\n  data_files: a.csv\n---\n"
    (folder / "README.md").write_text(card)
    assert texts(nlp, folder) == ["a"]
    assert not [r for r in caplog.records if r.name == "spacy_rnn"]


def test_files_beside_those_of_splits_are_named(nlp, tmp_path, caplog):
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("train", "dev", "all"):
        (folder / f"{name}.csv").write_text(f"text,label\n{name},x\n")
    assert texts(nlp, folder, split="train") == ["train"]
    assert "these files are not read" in caplog.text and "['all.csv']" in caplog.text


# What is wrong in a file


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
@pytest.mark.parametrize(
    "line, message",
    [
        (b'{"text": "b", "label": "y",}', "is not valid JSON"),
        (b"{'text': 'b', 'label': 'y'}", "is not valid JSON"),
        (b'{"text": "\\ud83d", "label": "y"}', "has half of a surrogate pair"),
        (b'{"text": "\\uD83D", "label": "y"}', "has half of a surrogate pair"),
        ('{"text": "é", "label": "y"}'.encode("cp1252"), 'is not UTF-8.*encoding = "cp1252"'),
        (b'{"text": "b", "label": "y"}\r' + ROW.encode(), "has a carriage return"),
    ],
)
def test_a_line_of_json_that_can_not_be_read_is_named(nlp, tmp_path, name, line, message):
    (tmp_path / name).write_bytes(ROW.encode() + line + b"\n")
    with pytest.raises(ValueError, match=f"Line 2 of {tmp_path / name} {message}"):
        raise ValueError(error(nlp, tmp_path / name))


def test_json_that_can_be_read(nlp, tmp_path):
    path = tmp_path / "a.json"
    for text in (ROW, f"[{ROW}]", '\n{"text": "a",\n"label": "\\ud83e\\udd5a"}', '["a"]'):
        path.write_text(text)
        assert texts(nlp, path) == ["a"]


@pytest.mark.parametrize(
    "name, text",
    [
        ("a.jsonl", ""),
        ("a.jsonl", "\n"),
        ("a.json", "[]"),
        ("a.csv", ""),
        ("a.csv", "text,label\n"),
        ("a.tsv", "text\tlabel\n\n"),
        ("a.txt", ""),
    ],
)
def test_a_file_without_rows(nlp, tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert f"{tmp_path / name} has no rows" in error(nlp, tmp_path / name)


def test_a_binary_file_without_rows(nlp, tmp_path):
    path = tmp_path / "a.parquet"
    Dataset.from_dict({"text": ["a"]}).select([]).to_parquet(path)
    with pytest.raises(ValueError, match=f"{path} has no rows"):
        list(HFDataset(path)(nlp))


def test_a_header_that_has_the_number_of_a_column(nlp, tmp_path):
    (tmp_path / "a.csv").write_text("1,,text\na,b,c\n")
    message = error(nlp, tmp_path / "a.csv")
    assert "['1'] more than once (the name of an unnamed column is its index)" in message
