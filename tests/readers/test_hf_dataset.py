"""Reading and writing datasets of Hugging Face's library: columns, annotation and settings."""

import json
import logging
import pickle
import subprocess
import sys
from datetime import datetime

import pytest
import spacy
from datasets import ClassLabel, Dataset, Features, Translation, Value
from spacy.tokens import Doc, DocBin
from thinc.api import Config

from spacy_rnn.datasets import to_dataset
from spacy_rnn.readers.hf_dataset import HFDataset

from ..helpers.pipelines import SENTENCES, make_examples, make_pipeline, train

CLASSES = ["good", "bad"]
CONLL = Features(
    {
        "id": Value("string"),
        "words": [Value("string")],
        "pos_tags": [ClassLabel(names=["DT", "NN", "VB"])],
        "ner_tags": [ClassLabel(names=["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])],
    }
)


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("xx")


def read(nlp, path, **settings):
    """The examples of a dataset."""
    examples = list(HFDataset(str(path), **settings)(nlp))
    for eg in examples:
        assert eg.predicted is not eg.reference
        assert [t.text for t in eg.predicted] == [t.text for t in eg.reference]
        assert not eg.predicted.cats and not eg.predicted.has_annotation("TAG")
        assert not eg.predicted.has_annotation("ENT_IOB")
    return examples


def references(nlp, path, **settings):
    return [eg.reference for eg in read(nlp, path, **settings)]


def error(nlp, path, kind=ValueError, **settings):
    with pytest.raises(kind) as raised:
        read(nlp, path, **settings)
    return str(raised.value)


def save(path, columns, features=None):
    """Save a dataset as Parquet or, if the path has no ending, with `save_to_disk`."""
    dataset = Dataset.from_dict(columns, features=features and Features(features))
    dataset.to_parquet(str(path)) if path.suffix else dataset.save_to_disk(str(path))
    return path


def save_conll(path):
    columns = {
        "id": ["1", "2"],
        "words": [["Ada", "Lovelace", "(", "London", ")"], ["It", "rained"]],
        "pos_tags": [["NN", "NN", -1, "NN", -1], ["DT", "VB"]],
        "ner_tags": [["B-PER", "I-PER", "O", "B-LOC", "O"], ["O", -1]],
    }
    return save(path, columns, CONLL)


def entities(doc):
    return [(ent.text, ent.label_) for ent in doc.ents]


# Columns


def test_columns_are_mapped_by_their_names(nlp, tmp_path):
    path = save(tmp_path / "a", {"text": ["x"], "q": ["Why?"], "intent": ["ask"]})
    (doc,) = references(nlp, path, columns={"text": "q", "label": "intent"})
    assert (doc.text, doc.cats) == ("Why?", {"ask": 1.0})
    (doc,) = references(nlp, path, columns={"text": "q"})
    assert (doc.text, doc.cats) == ("Why?", {})


def test_fields_of_columns_follow_a_dot(nlp, tmp_path):
    path = save(tmp_path / "a", {"x": [{"en": "Go.", "info": {"mood": 0.5}}], "y.z": ["Va !"]})
    columns = {"text": "x.en", "regression": "x.info.mood", "translation": "y.z"}
    (doc,) = references(nlp, path, columns=columns)
    assert (doc.text, doc._.regression, doc._.translation) == ("Go.", {"mood": 0.5}, "Va !")
    message = error(nlp, path, columns={"text": "x.de"})
    assert "no column 'x.de'" in message
    assert "['x', 'x.en', 'x.info', 'x.info.mood', 'y.z']" in message


@pytest.mark.parametrize(
    ("features", "row", "expected"),
    [
        ({"sentence": Value("string"), "y": ClassLabel(names=CLASSES)}, ["a", 1], "cats"),
        ({"text": Value("string"), "x": Value("string")}, ["a", "b"], ""),
        ({"text": Value("string"), "ys": [ClassLabel(names=CLASSES)]}, ["a", [1]], "cats"),
        ({"w": [Value("string")], "t": [ClassLabel(names=["X"])]}, [["a"], [0]], "tag"),
        ({"w": [Value("string")], "t": [ClassLabel(names=["O", "S-X"])]}, [["a"], [1]], "ents"),
        ({"w": [Value("large_string")]}, [["a"]], ""),
    ],
)
def test_unambiguous_features_determine_roles(nlp, tmp_path, features, row, expected):
    columns = {name: [value] for name, value in zip(features, row, strict=True)}
    (doc,) = references(nlp, save(tmp_path / "a", columns, features))
    found = {"cats": bool(doc.cats), "tag": bool(doc[0].tag_), "ents": bool(doc.ents)}
    assert doc[0].text == "a" and [name for name in found if found[name]] == expected.split()


@pytest.mark.parametrize(
    ("features", "problem"),
    [
        ({"a": Value("string"), "b": Value("string")}, "several columns have texts"),
        ({"a": Value("string"), "b": [Value("string")]}, "several columns have texts"),
        ({"a": Value("int64")}, "no other has texts"),
        (
            {"text": Value("string"), "a": ClassLabel(names="x"), "b": ClassLabel(names="x")},
            "each of ['a', 'b'] may be 'label'",
        ),
        (
            {"tokens": [Value("string")], **{name: [ClassLabel(names="x")] for name in "ab"}},
            "each of ['a', 'b'] may be 'tags'",
        ),
        ({"text": Value("string"), "tags": [Value("string")]}, "['tags'] are of tokens"),
        (
            {"text": Value("string"), "label": Value("string"), "cats": {"a": Value("float32")}},
            "only one of ['label', 'cats']",
        ),
        (
            {"id": Value("string"), "pair": Translation(["fr", "de"])},
            'columns = {"text": "pair.fr", "translation": "pair.de"}',
        ),
    ],
)
def test_ambiguous_columns_are_an_error_with_a_solution(nlp, tmp_path, features, problem):
    columns = {name: [None] for name in features}
    message = error(nlp, save(tmp_path / "a", columns, features))
    assert problem in message and str(list(features)[0]) in message and "columns =" in message


@pytest.mark.parametrize(
    ("row", "example"),
    [
        ({"Text": "a", "Label": "x", "Id": "7"}, '{"text": "Text", "label": "Label"}'),
        ({"q": "a", "id": 7, "intent": "x"}, '{"text": "q", "label": "intent"}'),
        ({"Tokens": ["a"], "words": ["b"]}, '{"tokens": "Tokens", "entities": "words"}'),
        ({"w": ["a"], "x": ["b"]}, '{"tokens": "w", "entities": "x"}'),
        ({"x": 1}, '{"text": "sentence", "label": "x"}'),
        ({"review": "a", "mood": "b", "stars": 1}, '{"text": "review", "label": "mood"}'),
    ],
)
def test_the_solution_names_existing_columns(nlp, tmp_path, row, example):
    message = error(nlp, save(tmp_path / "a", {name: [value] for name, value in row.items()}))
    assert (
        f"columns = {example}. The known roles are text (the text), tokens (its tokens)" in message
    )
    option = ",".join(f"{role}={name}" for role, name in json.loads(example).items())
    assert f"--columns {option} for a command" in message


def test_unknown_columns_and_roles_are_errors(nlp, tmp_path):
    path = save(tmp_path / "a", {"text": ["x"], "label": ["y"]})
    message = error(nlp, path, columns={"text": "sentence"})
    assert "no column 'sentence'" in message and "['text', 'label']" in message
    assert "unknown roles, ['ner']" in error(nlp, path, columns={"text": "text", "ner": "label"})
    assert "'text' to one column" in error(nlp, path, columns={"text": ["text", "label"]})
    assert "neither a text nor tokens" in error(nlp, path, columns={"label": "label"})


# Annotation of texts


def test_a_class_label_of_minus_one_is_missing(nlp, tmp_path):
    features = {"text": Value("string"), "label": ClassLabel(names=CLASSES)}
    path = save(tmp_path / "a", {"text": ["a", "b", "c"], "label": [1, -1, None]}, features)
    assert [doc.cats for doc in references(nlp, path)] == [{"good": 0.0, "bad": 1.0}, {}, {}]


def test_labels_in_a_list_are_positive_and_others_negative(nlp, tmp_path):
    features = {"text": Value("string"), "labels": [ClassLabel(names=CLASSES)]}
    columns = {"text": ["a", "b", "c", "d"], "labels": [[1, 0], [], None, [-1]]}
    expected = [{"good": 1.0, "bad": 1.0}, {"good": 0.0, "bad": 0.0}, {}, {}]
    path = save(tmp_path / "a.parquet", columns, features)
    for streaming in (False, True):
        assert [doc.cats for doc in references(nlp, path, streaming=streaming)] == expected


def test_labels_of_a_list_of_names_are_those_of_all_rows(nlp, tmp_path):
    path = save(tmp_path / "a.parquet", {"text": ["a", "b"], "labels": [["x"], ["y"]]})
    docs = references(nlp, path)
    assert [doc.cats for doc in docs] == [{"x": 1.0, "y": 0.0}, {"x": 0.0, "y": 1.0}]
    message = error(nlp, path, streaming=True)
    assert "Row 1 of" in message and "Set labels" in message and "streaming to false" in message


def test_integers_and_booleans_are_names(nlp, tmp_path):
    path = save(tmp_path / "a", {"text": ["a", "b", "c"], "label": [0, None, 10]})
    assert [doc.cats for doc in references(nlp, path)] == [{"0": 1, "10": 0}, {}, {"0": 0, "10": 1}]
    path = save(tmp_path / "b", {"text": ["a"], "label": [True]})
    assert references(nlp, path)[0].cats == {"True": 1.0}


def test_numbers_of_a_dict_and_of_several_columns(nlp, tmp_path):
    numbers = {"text": ["a", "b"], "joy": [0.5, None], "fear": [1, 2]}
    path = save(tmp_path / "a", numbers)
    columns = {"text": "text", "regression": ["joy", "fear"]}
    docs = references(nlp, path, columns=columns)
    assert [doc._.regression for doc in docs] == [{"joy": 0.5, "fear": 1.0}, {"fear": 2.0}]
    docs = references(nlp, path, columns={"text": "text", "cats": ["joy", "fear"]})
    assert [doc.cats for doc in docs] == [{"joy": 0.5, "fear": 1.0}, {"fear": 2.0}]
    path = save(tmp_path / "b", {"text": ["a", "b"], "regression": [{"joy": 1}, None]})
    docs = references(nlp, path)
    assert [doc._.regression for doc in docs] == [{"joy": 1.0}, None]


NAN = float("nan")


@pytest.mark.parametrize("streaming", [False, True])
def test_nan_is_missing(nlp, tmp_path, streaming):
    columns = {"text": ["a", "b"], "label": [NAN, 1.0], "x": [0.5, NAN], "y": [{"z": NAN}] * 2}
    path = save(tmp_path / "a.parquet", columns)
    roles = {"text": "text", "label": "label", "regression": ["x", "y"]}
    docs = references(nlp, path, columns=roles, streaming=streaming)
    assert [doc.cats for doc in docs] == [{}, {"1": 1.0}]
    assert [doc._.regression for doc in docs] == [{"x": 0.5}, None]


def test_translations(nlp, tmp_path):
    features = {"id": Value("string"), "translation": Translation(["en", "fr"])}
    pairs = [{"en": "Go.", "fr": "Va !"}, {"en": "Run!", "fr": ""}]
    path = save(tmp_path / "a.parquet", {"id": ["1", "2"], "translation": pairs}, features)
    columns = {"text": "translation.en", "translation": "translation.fr"}
    docs = references(nlp, path, columns=columns)
    found = [(doc.text, doc._.translation) for doc in docs]
    assert found == [("Go.", "Va !"), ("Run!", None)]


# Annotation of tokens


def test_tokens_are_kept_and_class_numbers_become_names(nlp, tmp_path):
    columns = {"tokens": "words", "tags": "pos_tags", "entities": "ner_tags"}
    for name in ("a", "a.parquet"):
        path = save_conll(tmp_path / name)
        first, second = references(nlp, path, columns=columns)
        assert [t.text for t in first] == ["Ada", "Lovelace", "(", "London", ")"]
        assert [t.tag_ for t in first] == ["NN", "NN", "", "NN", ""]
        assert entities(first) == [("Ada Lovelace", "PER"), ("London", "LOC")]
        assert [t.ent_iob_ for t in second] == ["O", ""]


def test_a_text_column_gives_the_spaces_between_tokens(nlp, tmp_path):
    columns = {"text": ["Don't go.", "a  b", "Other", None], "tokens": [["Don't", "go", "."]] * 4}
    columns["tokens"][1] = ["a", " ", "b"]
    docs = references(nlp, save(tmp_path / "a", columns))
    assert [doc.text for doc in docs[:2]] == ["Don't go.", "a  b"]
    assert [doc.has_unknown_spaces for doc in docs] == [False, False, True, True]
    assert [t.text for t in docs[2]] == ["Don't", "go", "."]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("B-A I-A O B-A", [(0, 2), (3, 4)]),
        ("I-A I-A O I-A", [(0, 2), (3, 4)]),
        ("B-A B-A I-A O", [(0, 1), (1, 3)]),
        ("B-A L-A U-A O", [(0, 2), (2, 3)]),
        ("B-A E-A S-A S-A", [(0, 2), (2, 3), (3, 4)]),
        ("B-A I-A I-A E-A", [(0, 4)]),
        ("B-A M-A M-A E-A", [(0, 4)]),
        ("A A O A", [(0, 2), (3, 4)]),
        ("b-A i-A o s-A", [(0, 2), (3, 4)]),
    ],
)
def test_entity_tags_of_each_scheme(nlp, tmp_path, tags, expected):
    path = save(tmp_path / "a", {"tokens": [list("abcd")], "entities": [tags.split()]})
    (doc,) = references(nlp, path)
    assert [(ent.start, ent.end) for ent in doc.ents] == expected


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"tags": [["X"], ["X", "Y"]]}, "it has 1 tokens, but 2 tags"),
        ({"entities": [["O"], ["B_PERSON"]]}, "'B_PERSON' is not an entity tag"),
        ({"morph": [["_"], ["None"]]}, "'None' in the column 'morph' is not a morphology"),
        ({"morph": [["A=b|C[d]=e,f"], ["{'A': 'b'}"]]}, "\"{'A': 'b'}\" in the column 'morph'"),
        ({"morph": [[None], [{"A": "b"}]]}, "\"{'A': 'b'}\" in the column 'morph' is not"),
        ({"morph": [[None], [["A=b"]]]}, "\"['A=b']\" in the column 'morph' is not a morphology"),
        ({"pos": [["X"], ["NN"]]}, "'NN' in the column 'pos' is not a universal part of speech"),
        ({"pos": [[None], [7]]}, "'7' in the column 'pos' is not a universal part of speech"),
        ({"entities": [[None], [1]]}, "'1' is a number, not an entity tag"),
        ({"tags": [None, "X"]}, "'X' in the column 'tags' is not a list with an item for each"),
        ({"morph": [None, {"A": "b"}]}, "{'A': 'b'} in the column 'morph' is not a list"),
        ({"tokens": [None, "a b"]}, "'a b' in the column 'tokens' is not a list"),
        ({"tokens": [["a"], [""]]}, "empty string"),
        ({"cats": [{"A": "1"}, {"A": "NA"}]}, "A = 'NA' in the column 'cats' is not a number"),
        ({"regression": [None, [1.0, 2.0]]}, "'regression' has a list of 2 numbers, but 0 names"),
        ({"text": [None, 2]}, "2 is not a string"),
        ({"translation": [None, ["x"]]}, "['x'] is not a string"),
    ],
)
def test_malformed_rows_are_named(nlp, tmp_path, columns, problem):
    path = save(tmp_path / "a", {"tokens": [["a"], ["b"]], **columns})
    message = error(nlp, path)
    assert f"Row 2 of {path}: " in message and problem in message


def test_an_underscore_is_a_missing_tag(nlp, tmp_path):
    values = {"tags": [["_", "DT"]], "pos": [["NOUN", "_"]]}
    (doc,) = references(nlp, save(tmp_path / "a", {"tokens": [["a", "b"]], **values}))
    assert [(t.tag_, t.pos_) for t in doc] == [("", "NOUN"), ("DT", "")]
    assert to_dataset([doc])[0]["tags"] == ["", "DT"]


def test_doubtful_entity_tags_are_a_warning_after_a_pass(nlp, tmp_path, caplog):
    path = save(tmp_path / "a", {"tokens": [["a", "b"]], "entities": [["PER", "OUT"]]})
    corpus = HFDataset(path)
    assert list(corpus(nlp)) and list(corpus(nlp))
    (message,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert message.startswith(f"{path}: no token has the entity tag O")


@pytest.mark.parametrize("role", ["text", "label", "tokens"])
def test_dates_are_an_error_with_a_solution(nlp, tmp_path, role):
    kind = Value("timestamp[s]")
    features = Features({"text": Value("string"), role: [kind] if role == "tokens" else kind})
    date = datetime(2020, 1, 1)
    columns = {"text": ["a"], role: [[date] if role == "tokens" else date]}
    path = save(tmp_path / "a", columns, features)
    message = error(nlp, path)
    assert f"the column '{role}' has dates or times (timestamp[s])" in message
    assert f"cast_column('{role}', FEATURE).save_to_disk(FOLDER)" in message
    new = [Value("string")] if role == "tokens" else Value("string")
    Dataset.load_from_disk(str(path)).cast_column(role, new).save_to_disk(str(tmp_path / "b"))
    (doc,) = references(nlp, tmp_path / "b")
    assert "2020-01-01" in f"{doc.text} {doc.cats}"


def test_numbers_are_not_labels(nlp, tmp_path):
    path = save(tmp_path / "a", {"text": ["a"], "label": [0.5]})
    message = error(nlp, path)
    assert "0.5 in the column 'label' is not a label, which" in message
    assert "'regression'" in message


def test_a_label_out_of_range_is_an_error(nlp, tmp_path):
    import pyarrow as pa

    features = Features({"text": Value("string"), "label": ClassLabel(names=CLASSES)})
    table = pa.table({"text": ["a", "b"], "label": [0, 2]}, schema=features.arrow_schema)
    Dataset(table).save_to_disk(str(tmp_path / "a"))
    message = error(nlp, tmp_path / "a")
    assert f"Row 2 of {tmp_path / 'a'}" in message
    assert "the label 2 in the column 'label' is out of range: it has 2 names" in message


# Settings


def test_rows_without_a_text_are_dropped_and_counted(nlp, tmp_path, caplog):
    caplog.set_level(logging.INFO, "spacy_rnn")
    path = save(tmp_path / "a", {"text": ["", "a", None, " \n", "b"]})
    corpus = HFDataset(path)
    assert [[eg.text for eg in corpus(nlp)] for _ in range(2)] == [["a", "b"]] * 2
    found = [(r.levelname, r.getMessage()) for r in caplog.records if r.name == "spacy_rnn"]
    message = f"{path}: 3 of 5 rows are dropped: 3 without a text."
    assert found == [("WARNING", message), ("INFO", message)]
    path = save(tmp_path / "b", {"tokens": [[], None, [" "]]}, {"tokens": [Value("string")]})
    assert "no rows to learn from: 3 were read, all of them dropped" in error(nlp, path)


def test_the_limit_counts_rows_with_a_text(nlp, tmp_path):
    path = save(tmp_path / "a", {"text": ["a", "", "b", "c"]})
    assert [eg.text for eg in read(nlp, path, limit=2)] == ["a", "b"]
    with pytest.raises(ValueError, match="'limit' must be a whole number of at least 0"):
        HFDataset(path, limit=-1)


@pytest.mark.parametrize("streaming", [False, True])
def test_a_reader_can_be_used_again_and_pickled(nlp, tmp_path, streaming):
    path = save(tmp_path / "a.parquet", {"text": ["a", "b"]})
    corpus = HFDataset(path, streaming=streaming)
    passes = [[eg.text for eg in reader(nlp)] for reader in (corpus, corpus)]
    passes.append([eg.text for eg in pickle.loads(pickle.dumps(corpus))(nlp)])
    assert passes == [["a", "b"]] * 3


@pytest.mark.slow
def test_creating_a_reader_does_not_import_the_library():
    code = (
        "import sys; from spacy_rnn.readers.hf_dataset import HFDataset as make; "
        "import spacy_rnn.datasets; make('a.parquet'); "
        "print([m for m in sys.modules if m.startswith(('datasets', 'spacy_rnn.pipeline'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Writing, and training


def gold_docs():
    nlp = make_pipeline("rnn_tagger")
    return [eg.reference for eg in make_examples(nlp)]


def content(doc):
    """The parts of a doc that a dataset stores."""
    return {
        "tokens": [(t.text, t.tag_, t.pos_, str(t.morph), t.has_morph()) for t in doc],
        "entities": [(t.ent_iob_, t.ent_type_) for t in doc],
        "text": None if doc.has_unknown_spaces else doc.text,
        "cats": doc.cats,
        "values": (doc._.regression, doc._.translation),
    }


@pytest.mark.parametrize("name", ["a.parquet", "a"])
@pytest.mark.parametrize("streaming", [False, True])
def test_docs_survive_writing_and_reading(nlp, tmp_path, name, streaming):
    docs = gold_docs()
    docs.append(Doc(nlp.vocab, words=["Don't", "go", "!"], spaces=[True, False, False]))
    docs[-1][0].tag_ = "VB"
    docs[-1].set_ents([], missing=[docs[-1][:1]], default="outside")
    docs[-1].cats = {"EAT": 0.25}
    docs.append(nlp.make_doc("Nothing  is known."))
    dataset = to_dataset(docs)
    assert dataset.num_rows == len(docs)
    path = tmp_path / name
    dataset.to_parquet(str(path)) if path.suffix else dataset.save_to_disk(str(path))
    found = references(nlp, path, streaming=streaming)
    assert [content(doc) for doc in found] == [content(doc) for doc in docs]


def test_only_existing_annotation_is_written(nlp):
    docs = [nlp.make_doc("A text."), nlp.make_doc("")]
    assert to_dataset(docs).column_names == ["text", "tokens"]
    docs[0][0].tag_ = "DT"
    dataset = to_dataset(docs)
    assert dataset.column_names == ["text", "tokens", "tags"]
    assert dataset[0] == {"text": "A text.", "tokens": ["A", "text", "."], "tags": ["DT", "", ""]}
    assert to_dataset([Doc(nlp.vocab, words=["a"])]).column_names == ["tokens"]
    assert to_dataset([]).column_names == ["tokens"]


def test_entities_are_written_as_bio_tags_and_blocked_tokens_as_outside(nlp):
    doc = nlp.make_doc("Ada Lovelace wrote of London")
    doc.set_ents([doc[0:2].char_span(0, 12, label="PER")], blocked=[doc[4:]], default="outside")
    assert to_dataset([doc])[0]["entities"] == ["B-PER", "I-PER", "O", "O", "O"]


@pytest.mark.parametrize(
    ("factory", "roles"),
    [
        ("rnn_tagger", ["tokens", "tags"]),
        ("rnn_ner", ["tokens", "entities"]),
        ("rnn_textcat", ["tokens", "cats"]),
        ("rnn_textcat_multilabel", ["tokens", "cats"]),
        ("rnn_regressor", ["tokens", "regression"]),
        ("rnn_translator", ["tokens", "translation"]),
        ("rnn_lm", ["tokens"]),
    ],
)
def test_components_learn_from_datasets_and_their_predictions_are_written(tmp_path, factory, roles):
    nlp = make_pipeline(factory)
    path = str(tmp_path / "gold.parquet")
    to_dataset([eg.reference for eg in make_examples(nlp)]).to_parquet(path)
    corpus = HFDataset(path, columns={role: role for role in roles})
    examples = list(corpus(nlp))
    losses = train(nlp, examples, steps=3)
    assert losses[factory] > 0
    predicted = to_dataset(nlp.pipe([eg.predicted for eg in examples]))
    assert predicted.num_rows == len(SENTENCES) and set(roles) <= set(predicted.column_names)


def test_a_config_has_all_settings(nlp, tmp_path):
    path = save(tmp_path / "a.parquet", {"line": ["a", "b"], "joy": [1, 0], "fear": [0, 1]})
    config = Config().from_str(
        f"""
        [corpora]

        [corpora.train]
        @readers = "spacy_rnn.HFDataset.v1"
        path = "{path}"
        config_name = null
        split = "train"
        streaming = true
        columns = {{"text": "line", "cats": ["joy", "fear"]}}
        labels = ["joy", "fear"]
        separator = ","
        limit = 1
        """
    )
    corpus = spacy.registry.resolve(config)["corpora"]["train"]
    assert [eg.reference.cats for eg in corpus(nlp)] == [{"joy": 1.0, "fear": 0.0}]


def logged(caplog):
    """The messages that the reader has logged."""
    found = [(r.levelname, r.getMessage()) for r in caplog.records if "spacy" in r.name]
    caplog.clear()
    return found


def test_columns_that_are_read_and_ignored_are_logged_once(nlp, tmp_path, caplog):
    path = save(tmp_path / "a", {"id": [1], "q": ["Why?"], "label": ["x"], "url": ["u"]})
    corpus = HFDataset(path, columns={"text": "q", "label": "label"})
    message = f"{path}: columns read: text (from q), label; columns ignored: id, url; labels: 1"
    assert list(corpus(nlp)) and list(corpus(nlp)) and logged(caplog) == [("INFO", message)]


def test_ignored_columns_are_a_warning_where_only_texts_are_read(nlp, tmp_path, caplog):
    path = save(tmp_path / "a", {"text": ["Why?"], "intent": ["ask"]})
    read(nlp, path)
    info, warning = logged(caplog)
    assert info == ("INFO", f"{path}: columns read: text; columns ignored: intent")
    assert warning[0] == "WARNING" and "the columns ['intent']" in warning[1]
    read(nlp, path, columns={"text": "text"})
    assert len(logged(caplog)) == 1
    read(nlp, save(tmp_path / "b", {"text": ["Why?"]}))
    assert logged(caplog) == [
        ("INFO", f"{tmp_path / 'b'}: columns read: text; columns ignored: none")
    ]


def test_docs_of_a_dataset_can_be_saved_in_a_doc_bin(nlp, tmp_path):
    path = save(tmp_path / "a", {"text": ["x", "y"], "label": ["good", "bad"]})
    data = DocBin(docs=references(nlp, path)).to_bytes()
    found = [doc.cats for doc in DocBin().from_bytes(data).get_docs(nlp.vocab)]
    assert found == [{"bad": 0.0, "good": 1.0}, {"bad": 1.0, "good": 0.0}]
