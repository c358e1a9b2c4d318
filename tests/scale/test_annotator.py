"""Predictions as columns."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
import spacy

from spacy_rnn.pipeline.predictions import as_json, predictions_of
from spacy_rnn.scale import Annotator

from ..helpers.kinds import KINDS
from ..helpers.pipelines import make_trained
from ..helpers.scale import assert_same, make_texts, predicted

TEXTS = make_texts(50)


@pytest.mark.parametrize("factory", KINDS)
def test_columns_are_those_of_json_lines(factory, tmp_path):
    settings = {"confidence_attr": "confidence"} if factory == "rnn_ner" else {}
    make_trained(factory, **settings).to_disk(tmp_path)
    nlp = spacy.load(tmp_path)
    expected = [json.loads(line) for line in as_json(nlp.pipe(TEXTS), predictions_of(nlp))]
    found = Annotator(str(tmp_path))(pd.DataFrame({"text": TEXTS}))
    assert list(found) == [*expected[0], "error"] and set(found["error"]) == {None}
    for i, record in enumerate(expected):
        assert {name: found[name][i] for name in record} == record


def test_frames_keep_their_columns_and_index(model):
    frame = pd.DataFrame({"n": [1, 2], "body": TEXTS[1:3]}, index=["a", "b"])
    found = Annotator(str(model), ["cats", "tags"], "body")(frame)
    assert list(found) == ["n", "body", "cats", "tags", "error"]
    assert list(found.index) == ["a", "b"] and list(found["n"]) == [1, 2]
    expected = predicted(model, TEXTS[1:3])
    assert list(found["tags"]) == [record["tags"] for record in expected]
    assert list(Annotator(str(model))(frame.rename(columns={"body": "text"})[:0])) == [
        "n",
        "text",
        *list(expected[0])[1:],
        "error",
    ]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_values_that_are_not_texts_get_an_error(missing, model):
    found = Annotator(str(model), ["tags"])(pd.DataFrame({"text": ["Eggs !", missing, 3, ["a"]]}))
    assert list(found["error"]) == [
        None,
        "The text is missing.",
        "The text must be a string, but it is 3.",
        "The text must be a string, but it is ['a'].",
    ]
    assert [*found["tags"]] == [["NNS", "."], None, None, None]


def test_a_text_that_fails_does_not_fail_others(model):
    texts = [*TEXTS, "a " * 1_000_000, *TEXTS, "\ud83d"]
    answers = Annotator(str(model)).annotate(texts)
    for bad, reason in ((len(TEXTS), "[E088] Text of length 2000000"), (-1, "surrogates")):
        assert reason in answers[bad].error and set(answers[bad].values.values()) == {None}
    expected = [{k: v for k, v in x.items() if k != "text"} for x in predicted(model, TEXTS)]
    good = [x for x in answers if x.error is None]
    for answer, record in zip(good, expected * 2, strict=True):
        assert_same(answer.values, record)
    assert sum(x.n_words for x in good) == 2 * sum(len(record["tokens"]) for record in expected)


def test_memory_does_not_grow_with_new_words(model):
    sizes = []

    @spacy.Language.component("sizes")
    def count(doc):
        sizes.append(len(doc.vocab.strings))
        return doc

    nlp = spacy.load(model)
    nlp.add_pipe("sizes")
    nlp.to_disk(model.with_name("sizes"))
    annotator = Annotator(str(model.with_name("sizes")))
    for i in range(20):
        annotator.annotate([f"word{i}x{j} other{i}x{j}" for j in range(20)])
    assert max(sizes[-20:]) <= max(sizes[:20])


def test_only_the_arguments_are_pickled(model):
    annotator = Annotator(str(model), ["ents"])
    annotator.annotate(TEXTS)
    data = pickle.dumps(annotator)
    assert len(data) < 1000
    assert pickle.loads(data).annotate(TEXTS) == annotator.annotate(TEXTS)


def test_probabilities_of_several_classifiers(tmp_path):
    nlp = make_trained("rnn_textcat")
    other = make_trained("rnn_textcat")
    other.get_pipe("rnn_textcat").cfg["labels"] = ["A", "B"]
    nlp.add_pipe("rnn_textcat", "other", source=other)
    nlp.to_disk(tmp_path)
    forms = Annotator(str(tmp_path)).forms()
    assert forms == {"cats": dict.fromkeys(("A", "B", "EAT", "LIKE"), float), "error": str}


@pytest.mark.parametrize(
    "names, columns, message",
    [
        (["body"], None, "no column 'text', but 'body'. Choose"),
        ([], None, "no column 'text', but none. Choose"),
        (["text"], ["lemmas"], "does not predict 'lemmas'. Choose from tokens, tags, ents, cats"),
        (["text", "ents"], None, "already is a column 'ents'"),
        (["text", "error"], ["ents"], "already is a column 'error'"),
    ],
)
def test_wrong_columns(names, columns, message, model):
    with pytest.raises(ValueError, match=message):
        Annotator(str(model), columns)(pd.DataFrame({name: ["a"] for name in names}))


def test_models_that_do_not_load(model, tmp_path):
    with pytest.raises(ValueError, match=r"'nothing' can't be loaded on .*Can't find model"):
        Annotator("nothing").forms()
    (tmp_path / "code.py").write_text("raise ImportError('no such part')")
    with pytest.raises(ValueError, match="no such part. Every computer must have it"):
        Annotator(str(model), code=tmp_path / "code.py").forms()


def test_functions_of_a_file(tmp_path):
    code = tmp_path / "code.py"
    code.write_text(
        "from spacy.language import Language\n"
        "def mark(doc):\n"
        "    doc.ents = [doc.char_span(0, 1, 'FIRST')]\n"
        "    return doc\n"
        "@Language.factory('marks_the_first', assigns=['doc.ents'])\n"
        "def make_mark(nlp, name):\n"
        "    return mark\n"
    )
    spacy.util.import_file("python_code", code)
    nlp = spacy.blank("xx")
    nlp.add_pipe("marks_the_first")
    nlp.to_disk(tmp_path / "model")
    (answer,) = Annotator(str(tmp_path / "model"), code=code).annotate(["A b"])
    assert answer.values["ents"] == [{"start": 0, "end": 1, "label": "FIRST", "text": "A"}]
