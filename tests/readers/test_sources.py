"""The sources of datasets: saved datasets, files, folders and the Hub."""

import pytest
import spacy
from datasets import Dataset, DatasetDict, IterableDataset

from spacy_rnn.readers.hf_dataset import HFDataset

ROWS = {"text": ["a", "b", "c"], "label": ["x", "y", "x"]}
CATS = [{"x": 1.0, "y": 0.0}, {"x": 0.0, "y": 1.0}, {"x": 1.0, "y": 0.0}]


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("xx")


def save(path, rows=None):
    """Save a dataset in the format of its ending; without an ending, with `save_to_disk`."""
    dataset = Dataset.from_dict(rows or ROWS)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        dataset.to_parquet(path)
    elif path.suffix == ".arrow":
        folder = path.parent / f".{path.name}"
        dataset.save_to_disk(folder)
        next(folder.glob("*.arrow")).rename(path)
    else:
        dataset.save_to_disk(path)
    return path


def texts(nlp, path, **settings):
    return [eg.text for eg in HFDataset(path, **settings)(nlp)]


def error(nlp, path, kind=ValueError, **settings):
    """The error message, which must be the same with and without streaming."""
    messages = set()
    for streaming in (False, True):
        with pytest.raises(kind) as raised:
            texts(nlp, path, streaming=streaming, **settings)
        messages.add(str(raised.value))
    (message,) = messages
    return message


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "saved"])
def test_each_format(nlp, tmp_path, name):
    path = save(tmp_path / name)
    docs = [eg.reference for eg in HFDataset(path)(nlp)]
    assert [doc.text for doc in docs] == ROWS["text"] and [doc.cats for doc in docs] == CATS
    stream = list(HFDataset(path, streaming=True)(nlp))
    known = CATS if name == "saved" else [{label: 1.0} for label in ROWS["label"]]
    assert [eg.reference.cats for eg in stream] == known


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl.gz", "a.txt", "a.doc"])
def test_other_files_have_another_reader(nlp, tmp_path, name):
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / name
    path.write_text("text,label\na,x\n")
    for source in (path, tmp_path / "data") if name == "a.csv" else (path,):
        message = error(nlp, source)
        assert f"{path} is not a Parquet or Arrow file" in message
        assert f'@readers = "spacy_rnn.Corpus.v1" and path = "{path}"' in message


# Splits and configurations


def test_a_folder_of_files_has_splits(nlp, tmp_path):
    path = tmp_path / "data"
    for name in ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"):
        save(path / f"{name}.parquet", {"text": [name[:7], name[-14:-9]]})
    train = ["train-0", "00000", "train-0", "00001"]
    for streaming in (False, True):
        assert texts(nlp, path, split="train", streaming=streaming) == train
    assert texts(nlp, path, split="train[:25%]") == ["train-0"]
    assert texts(nlp, path, split="test") == ["test-00", "00000"]
    message = error(nlp, path)
    assert "has the splits ['train', 'test']" in message and "Set split" in message


def test_a_saved_dataset_of_splits(nlp, tmp_path):
    split = Dataset.from_dict({"text": ["a", "b"]})
    DatasetDict({"train": split, "dev": split}).save_to_disk(tmp_path / "two")
    DatasetDict({"dev": split}).save_to_disk(tmp_path / "one")
    assert texts(nlp, tmp_path / "two", split="dev") == ["a", "b"]
    assert texts(nlp, tmp_path / "two" / "dev") == texts(nlp, tmp_path / "one") == ["a", "b"]
    for settings in ({}, {"split": "test"}):
        message = error(nlp, tmp_path / "two", **settings)
        assert "has the splits ['train', 'dev']" in message and "Set split" in message


def test_a_single_saved_split(nlp, tmp_path):
    Dataset.from_dict({"text": ["a"]}, split="dev").save_to_disk(tmp_path / "dev")
    assert texts(nlp, tmp_path / "dev", split="dev") == ["a"]
    assert "split is 'train'" in error(nlp, tmp_path / "dev", split="train")
    save(tmp_path / "data")
    for split in ("dev", "train[:1]"):
        message = error(nlp, tmp_path / "data", split=split)
        assert f"a dataset without splits, but split is {split!r}" in message


def test_a_configuration_of_data_without_any_is_an_error(nlp, tmp_path):
    for name in ("a.parquet", "data"):
        message = error(nlp, save(tmp_path / name), config_name="news")
        assert f"{tmp_path / name} has no configurations" in message


def test_a_format_that_was_set_is_ignored(nlp, tmp_path):
    dataset = Dataset.from_dict({"text": ["a"], "label": [1]}).with_format("numpy")
    dataset.save_to_disk(tmp_path / "a")
    assert next(HFDataset(tmp_path / "a")(nlp)).reference.cats == {"1": 1.0}


# Files of a folder


def test_a_card_can_choose_among_the_files_of_a_folder(nlp, tmp_path, caplog):
    folder = tmp_path / "data"
    save(folder / "a.parquet")
    save(folder / "b.parquet", {"text": ["d"]})
    card = "---\nconfigs:\n- config_name: default\n  data_files: b.parquet\n---\n"
    (folder / "README.md").write_text(card)
    assert texts(nlp, folder) == ["d"]
    assert "not read" not in caplog.text


def test_files_that_belong_to_no_split_are_a_warning(nlp, tmp_path, caplog):
    folder = tmp_path / "data"
    for name in ("train", "dev", "all"):
        save(folder / f"{name}.parquet", {"text": [name]})
    (folder / "README.md").write_text("About")
    assert texts(nlp, folder, split="train") == ["train"]
    assert "these files are not read" in caplog.text and "['all.parquet']" in caplog.text


# What can't be read


def test_missing_files_are_errors(nlp, tmp_path):
    with pytest.raises(ValueError, match="E913"):
        HFDataset(None)
    for path in (tmp_path / "b", tmp_path / "b.csv", "no_such_folder/b.parquet"):
        assert f"The file or folder {path} does not exist" in error(nlp, path, FileNotFoundError)
    (tmp_path / "empty").mkdir()
    message = error(nlp, tmp_path / "empty", FileNotFoundError)
    assert f"No dataset was found at {tmp_path / 'empty'}" in message


def test_a_file_without_rows_or_damaged(nlp, tmp_path):
    path = save(tmp_path / "a.parquet")
    Dataset.from_dict({"text": ["a"]}).select([]).to_parquet(path)
    with pytest.raises(ValueError, match=f"{path} has no rows"):
        texts(nlp, path)
    path = tmp_path / "b.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match=f"{path} can't be read"):
        texts(nlp, path)


def test_a_stream_from_the_hub_without_features(nlp, monkeypatch):
    def load_dataset(path, **settings):
        assert (path, settings.pop("streaming")) == ("someone/something", True)
        assert settings == {"name": "news", "split": "train"}
        return IterableDataset.from_generator(lambda: ({"sentence": text} for text in "ab"))

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    settings = {"config_name": "news", "split": "train", "streaming": True}
    assert texts(nlp, "someone/something", **settings) == ["a", "b"]


def test_a_name_on_the_hub_without_internet_is_an_error(nlp, monkeypatch):
    def load_dataset(*args, **kwargs):
        raise ConnectionError("Couldn't reach it")

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    message = error(nlp, "someone/something", ConnectionError)
    assert "The file or folder someone/something does not exist" in message
    assert "can't be reached" in message
