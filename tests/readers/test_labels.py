"""Labels of texts in each notation of files and datasets, and the set of all labels."""

import json
import logging

import pytest
import spacy
from datasets import ClassLabel, Dataset, Features, Value
from thinc.api import Config

from spacy_rnn.readers.corpus import Corpus
from spacy_rnn.readers.hf_dataset import HFDataset
from spacy_rnn.readers.labels import find_joined, split_list

EMOTIONS = ["joy", "fear", "anger"]


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("xx")


def write(path, values, name="labels"):
    """A file of JSON lines, each with a text and a value."""
    rows = [json.dumps({"text": "a b", name: value}) + "\n" for value in values]
    path.write_text("".join(rows), encoding="utf8")
    return path


def save(path, values, feature=None):
    """A dataset with a text and a value in each row: Parquet or, without an ending, a folder."""
    features = feature and Features({"text": Value("string"), "labels": feature})
    columns = {"text": ["a b"] * len(values), "labels": values}
    dataset = Dataset.from_dict(columns, features=features)
    dataset.to_parquet(str(path)) if path.suffix else dataset.save_to_disk(str(path))
    return path


def cats(nlp, path, name="labels", **settings):
    """The labels in a column of a text file, or of a dataset."""
    make = Corpus if path.suffix in (".jsonl", ".csv") else HFDataset
    corpus = make(path, **{"columns": {"text": "text", name: name}, **settings})
    return [eg.reference.cats for eg in corpus(nlp)]


def error(nlp, path, name="labels", **settings):
    with pytest.raises(ValueError) as raised:
        cats(nlp, path, name, **settings)
    return str(raised.value)


def warnings_in(caplog):
    found = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    caplog.clear()
    return found


# A number for each label


@pytest.mark.parametrize(
    "rows",
    [
        [[1, 0, 1], [0, 1, 0]],
        [[0, 1], [1, 0]],
        [[0.0, 1.0], [1.0, 0.0]],
        [[0.25, 0.75]],
        [[True, False]],
        [["1", "0", "1"]],
        [["0", "1"], ["1", "0"]],
        [["no", "yes", "no"]],
        [["Y", "N"], ["N", "Y"]],
        [[-1, 1], [1, -1]],
        [[7, 7, 2]],
    ],
)
@pytest.mark.parametrize("name", ["labels", "label"])
@pytest.mark.parametrize("settings", [{}, {"labels": EMOTIONS}])
def test_a_list_of_numbers_is_not_a_set_of_names(nlp, tmp_path, rows, name, settings):
    message = error(nlp, write(tmp_path / "a.jsonl", rows, name), name, **settings)
    if "is not in labels" in message:
        assert rows == [[7, 7, 2]]
    else:
        assert f"Line 1 of {tmp_path / 'a.jsonl'}" in message
        assert f"{rows[0]!r} in the column '{name}' is not a set of labels" in message
        assert f'"cats": "{name}"' in message and 'labels = ["NAME", ...]' in message


def test_a_list_of_numbers_of_a_class_label_is_not_a_set_either(nlp, tmp_path):
    for names in (["0", "1"], ["bad", "good"]):
        path = save(tmp_path / names[0], [[1, 0, 0]], [ClassLabel(names=names)])
        assert "is not a set of labels" in error(nlp, path)


def test_integers_and_repeated_names_are_sets(nlp, tmp_path):
    path = write(tmp_path / "a.jsonl", [[0, 1], [12], []])
    assert cats(nlp, path) == [
        {"0": 1.0, "1": 1.0, "12": 0.0},
        {"0": 0.0, "1": 0.0, "12": 1.0},
        {"0": 0.0, "1": 0.0, "12": 0.0},
    ]
    path = write(tmp_path / "b.jsonl", [["x", "x", "y"], ["z"]])
    assert cats(nlp, path)[0] == {"x": 1.0, "y": 1.0, "z": 0.0}


@pytest.mark.parametrize("streaming", [False, True])
def test_labels_name_the_positions_of_a_list(nlp, tmp_path, streaming):
    rows = [[1, 0, 1], [0.0, 0.5, None], [True, False, False], None]
    values = [row and [None if x is None else float(x) for x in row] for row in rows]
    path = save(tmp_path / "a.parquet", values)
    settings = {"columns": {"text": "text", "cats": "labels"}, "streaming": streaming}
    assert cats(nlp, path, labels=EMOTIONS, **settings) == [
        {"joy": 1.0, "fear": 0.0, "anger": 1.0},
        {"joy": 0.0, "fear": 0.5},
        {"joy": 1.0, "fear": 0.0, "anger": 0.0},
        {},
    ]
    message = error(nlp, path, **settings)
    assert "Row 1 of" in message and "'labels' has a list of 3 numbers, but 0 names" in message
    message = error(nlp, path, labels=["joy", "fear"], **settings)
    assert "'labels' has a list of 3 numbers, but 2 names" in message


@pytest.mark.parametrize("row", ["[1, 0, 1]", "1,0,1", "[1.0, 0.0, 1.0]", "['1', '0', '1']"])
def test_a_list_of_numbers_may_be_a_string(nlp, tmp_path, row):
    path = write(tmp_path / "a.jsonl", [row], "cats")
    found = cats(nlp, path, "cats", labels=EMOTIONS, separator=",")
    assert found == [{"joy": 1.0, "fear": 0.0, "anger": 1.0}]
    path = write(tmp_path / "b.jsonl", [row])
    assert "is not a set of labels" in error(nlp, path, separator=",")


# Several labels in one string


@pytest.mark.parametrize(
    ("text", "separator", "expected"),
    [
        ("x,y", ",", ["x", "y"]),
        (" x , very sad,", ",", ["x", "very sad"]),
        ("x", ",", ["x"]),
        ("x||y", "||", ["x", "y"]),
        ("x  y", " ", ["x", "y"]),
        ("don't, x", ",", ["don't", "x"]),
        ("['x', 'y, z', \"don't\"]", ",", ["x", "y, z", "don't"]),
        ('["x", "y"]', ", ", ["x", "y"]),
        ("['x' 'y']", " ", ["x", "y"]),
        ("('x', 'y')", ",", ["x", "y"]),
        ("{'x'}", ",", ["x"]),
        ("x (a)", ",", ["x (a)"]),
        ("(none)", ",", ["(none)"]),
        ("[]", ",", []),
    ],
)
def test_split_list(text, separator, expected):
    assert split_list(text, separator) == expected


@pytest.mark.parametrize("rows", [["x,y", "y", "", "z"], ["['x', 'y']", "['y']", None, "['z']"]])
def test_a_separator_splits_labels(nlp, tmp_path, caplog, rows):
    path = write(tmp_path / "a.jsonl", rows)
    expected = [
        {"x": 1.0, "y": 1.0, "z": 0.0},
        {"x": 0.0, "y": 1.0, "z": 0.0},
        {},
        {"x": 0.0, "y": 0.0, "z": 1.0},
    ]
    assert cats(nlp, path, separator=",") == expected
    path = save(tmp_path / "a.parquet", rows)
    settings = {"separator": ",", "streaming": True}
    assert cats(nlp, path, labels=["x", "y", "z"], **settings) == expected
    assert not warnings_in(caplog)
    assert "Set labels to the names" in error(nlp, path, **settings)


def test_a_separator_splits_the_names_of_a_class_label(nlp, tmp_path, caplog):
    path = save(tmp_path / "a", [0, 1], ClassLabel(names=["x", "x|y"]))
    assert cats(nlp, path, separator="|") == [{"x": 1.0, "y": 0.0}, {"x": 1.0, "y": 1.0}]
    assert not warnings_in(caplog)
    cats(nlp, path)
    assert len(warnings_in(caplog)) == 1


@pytest.mark.parametrize(
    ("rows", "label", "separator"),
    [
        (["x,y", "z"], "x,y", ","),
        (["x", "x;y"], "x;y", ";"),
        (["x|y", "y|z"], "x|y", "|"),
        (["['x', 'y']", "z"], "['x', 'y']", ","),
        (["['x' 'y']"], "['x' 'y']", " "),
        (["['x']", "['y', 'x']"], "['x']", ","),
        (["['very sad']"], "['very sad']", ","),
        (["[x y]"], "[x y]", " "),
        (["x\ty"], "x\ty", "\t"),
        (["x\ny"], "x\ny", "\n"),
        (["#x #y", "#z"], "#x #y", " "),
        (["x, y", "y, z", "x", "x, z"], "x, y", ","),
        (["x", "y", "x, y"], "x, y", ","),
        (["x", "y", "y x"], "y x", " "),
    ],
)
def test_labels_that_look_joined(rows, label, separator):
    assert find_joined(rows) == (label, separator)


def test_labels_of_several_words_are_not_joined():
    rows = ["Food, drinks", "Food", "very sad", "sad", "and/or", "(none)", "a & b", "#1", "x\n"]
    assert find_joined(rows) is None


@pytest.mark.parametrize("streaming", [False, True])
def test_labels_that_look_joined_are_a_warning(nlp, tmp_path, caplog, streaming):
    path = save(tmp_path / "a.parquet", ["x", "x\ty"])
    cats(nlp, path, "labels", streaming=streaming)
    (message,) = warnings_in(caplog)
    assert "the label 'x\\ty' in the column 'labels' looks like several labels" in message
    assert 'set separator = "\\t"' in message


# Numbers instead of names


@pytest.mark.parametrize("values", [[0, 1, None], ["0", "1", ""], [0.0, 1.0, None]])
def test_labels_name_numbers_by_their_position(nlp, tmp_path, values):
    path = write(tmp_path / "a.jsonl", values)
    expected = [{"neg": 1.0, "pos": 0.0}, {"neg": 0.0, "pos": 1.0}, {}]
    assert cats(nlp, path, labels=["neg", "pos"]) == expected
    message = error(nlp, write(tmp_path / "b.jsonl", [1, 2]), labels=["neg", "pos"])
    assert "Line 2 of" in message and "label 2 in the column 'labels' is out of range" in message


def test_labels_that_are_numbers_are_not_positions(nlp, tmp_path):
    path = write(tmp_path / "a.jsonl", [1, 2])
    assert cats(nlp, path, labels=["2", "1"])[0] == {"1": 1.0, "2": 0.0}
    assert "label '1' in the column 'labels' is not in labels" in error(
        nlp, path, labels=["0", "2"]
    )
    for label in ("01", "1.0", "-1"):
        path = write(tmp_path / f"{label}.jsonl", [label])
        message = error(nlp, path, labels=["neg", "pos"])
        assert "write labels as they are in the data" in message


def test_lists_of_numbers_get_their_names_from_a_class_label(nlp, tmp_path):
    message = error(nlp, write(tmp_path / "a.jsonl", [[0, 2]]), labels=EMOTIONS)
    assert "cast_column(COLUMN, Sequence(ClassLabel(names=[...])))" in message


def test_a_list_of_numbers_in_a_table_needs_a_separator(nlp, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('text,labels\na,"[1, 0]"\n')
    columns = {"text": "text", "cats": "labels"}
    settings = {"columns": columns, "header": True, "labels": ["x", "y"]}
    message = error(nlp, path, **settings)
    assert "'[1, 0]' in the column 'labels' is not a number" in message
    assert 'set separator, such as separator = ",", and the names' in message
    assert cats(nlp, path, separator=",", **settings) == [{"x": 1.0, "y": 0.0}]


def test_names_are_not_numbers(nlp, tmp_path):
    path = write(tmp_path / "a.jsonl", [["x"]], "cats")
    message = error(nlp, path, "cats")
    assert (
        "'cats' has a list of texts, such as 'x'" in message
        and "map the column to 'labels'" in message
    )


# The set of labels


def test_missing_items_of_a_list_are_ignored(nlp, tmp_path):
    path = write(tmp_path / "a.jsonl", [["x", "", None], ["y"], ["", ""], [None], []])
    expected = [{"x": 1.0, "y": 0.0}, {"x": 0.0, "y": 1.0}, {}, {}, {"x": 0.0, "y": 0.0}]
    assert cats(nlp, path) == expected


def test_a_column_without_any_label_is_a_warning(nlp, tmp_path, caplog):
    path = write(tmp_path / "a.jsonl", ["", ""])
    assert cats(nlp, path) == [{}, {}]
    (message,) = warnings_in(caplog)
    assert message.startswith(f"{path}: no row has a label in the column 'labels'")


TRAIN, DEV = [["x"], ["y"], ["x", "y"]], [["x"], [], None]
FULL = [{"x": 1.0, "y": 0.0}, {"x": 0.0, "y": 0.0}, {}]


def corpora(tmp_path, labels):
    """The readers of a config in which the dev corpus has these labels."""
    write(tmp_path / "train.jsonl", TRAIN)
    write(tmp_path / "dev.jsonl", DEV)
    (tmp_path / "labels.json").write_text('["x", "y"]')
    config = Config().from_str(
        f"""
        [corpora]

        [corpora.train]
        @readers = "spacy_rnn.Corpus.v1"
        path = "{tmp_path / "train.jsonl"}"

        [corpora.dev]
        @readers = "spacy_rnn.Corpus.v1"
        path = "{tmp_path / "dev.jsonl"}"
        {labels.format(tmp_path)}
        """
    )
    return spacy.registry.resolve(config.interpolate())["corpora"]


@pytest.mark.parametrize(
    "labels",
    [
        "labels = ${{corpora.train}}",
        'labels = ["x", "y"]',
        '[corpora.dev.labels]\n@readers = "spacy.read_labels.v1"\npath = "{}/labels.json"',
    ],
)
def test_the_labels_of_a_dev_corpus_are_those_of_training(nlp, tmp_path, labels):
    dev = corpora(tmp_path, labels)["dev"]
    assert [eg.reference.cats for eg in dev(nlp)] == FULL


def test_a_label_that_dev_lacks_counts_in_the_scores(nlp, tmp_path):
    """Both labels are predicted for a text that has one: half of them are right."""
    found = corpora(tmp_path, "labels = ${{corpora.train}}")
    scored = spacy.blank("xx")
    textcat = scored.add_pipe("rnn_textcat_multilabel", config={"threshold": 0.0})
    scored.initialize(lambda: found["train"](scored))
    assert textcat.labels == ("x", "y")
    scores = scored.evaluate(list(found["dev"](scored))[:1])
    assert (scores["cats_micro_p"], scores["cats_micro_r"]) == (0.5, 1.0)
    # A text without annotation is not counted.
    assert scored.evaluate(list(found["dev"](scored))[2:])["cats_micro_p"] == 0.0


def test_labels_apply_to_a_class_label_too(nlp, tmp_path):
    path = save(tmp_path / "a", [0, -1], ClassLabel(names=["y"]))
    assert cats(nlp, path, labels=["x", "y"]) == [{"x": 0.0, "y": 1.0}, {}]


def test_a_label_that_is_not_in_labels_is_an_error(nlp, tmp_path):
    path = write(tmp_path / "a.jsonl", [["x"], ["z"]])
    message = error(nlp, path, labels=["x", "y"])
    assert f"Line 2 of {path}: the label 'z' in the column 'labels' is not in labels" in message
    path = write(tmp_path / "b.jsonl", [{"z": 1}], "cats")
    assert "'cats' has a number for 'z', which is not in labels" in error(
        nlp, path, "cats", labels=["x"]
    )


def test_labels_that_cannot_be_used_are_errors(nlp, tmp_path):
    path = write(tmp_path / "a.jsonl", [["x"]])
    assert "labels has ['x'] more than once" in error(nlp, path, labels=["x", "y", "x"])
    message = error(nlp, path, labels=["x"], columns={"text": "text"})
    assert "labels is set, but no column has labels" in message
    stream = HFDataset(save(tmp_path / "b.parquet", ["x"]), streaming=True)
    assert "The labels of" in error(nlp, path, labels=stream)
    assert Corpus(path, labels=Corpus(path)).labels.label_names == ["x"]
