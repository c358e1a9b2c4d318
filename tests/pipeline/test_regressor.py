"""What is specific to the regressor: targets, their scale, and where they are stored."""

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus, Example

from ..helpers.pipelines import make_doc, make_examples, make_pipeline, train


def example(nlp, words, values, attr="regression"):
    if not Doc.has_extension(attr):
        Doc.set_extension(attr, default=None)
    reference = make_doc(nlp.vocab, words)
    reference._.set(attr, values)
    return Example(make_doc(nlp.vocab, words), reference)


def test_several_targets_of_very_different_scale(tmp_path):
    nlp = make_pipeline("rnn_regressor")
    examples = [
        example(nlp, "tall tree", {"height": 1e6, "leaf": 1e-13}),
        example(nlp, "small tree", {"height": 2e5, "leaf": 3e-13}),
        example(nlp, "tall house", {"height": 9e5}),
        example(nlp, "small house", {"height": 1e5, "leaf": 0.0}),
    ]
    train(nlp, examples, steps=80)
    scores = nlp.evaluate(examples)
    assert set(scores["regression_per_target"]) == {"height", "leaf"}
    for target, size in (("height", 1e6), ("leaf", 1e-13)):
        assert scores["regression_per_target"][target]["rmse"] < 0.1 * size
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded("tall tree")._.regression == nlp("tall tree")._.regression


def test_targets_are_standardized_by_the_training_data():
    nlp = make_pipeline("rnn_regressor")
    examples = [example(nlp, "a", {"x": 1.0}), example(nlp, "b", {"x": 3.0, "y": 7.0})]
    nlp.initialize(lambda: examples)
    pipe = nlp.get_pipe("rnn_regressor")
    assert pipe.label_data == {
        "x": {"mean": "2.0", "std": "1.0"},
        "y": {"mean": "7.0", "std": "1.0"},
    }
    gold = pipe.get_targets(examples)
    np.testing.assert_array_equal(gold.arrays["truth"], [[-1.0, np.nan], [1.0, 0.0]])
    assert gold.n_items == 2
    np.testing.assert_allclose(pipe.to_scores(np.array([[1.0, -1.0]])), [[3.0, 6.0]])


def test_values_of_other_components_stay():
    nlp = make_pipeline("rnn_regressor")
    train(nlp, make_examples(nlp), steps=1)
    doc = make_doc(nlp.vocab, "I like eggs")
    doc._.regression = {"other": 1.5}
    assert set(nlp(doc)._.regression) == {"other", "rating"} and doc._.regression["other"] == 1.5


def test_another_extension():
    nlp = make_pipeline("rnn_regressor", attr="grades")
    examples = [example(nlp, f"w{i}", {"grade": float(i)}, "grades") for i in range(4)]
    train(nlp, examples, steps=60)
    assert nlp("w3")._.grades["grade"] == pytest.approx(3.0, abs=0.3)
    assert nlp.evaluate(examples)["pearson"] > 0.95


@pytest.mark.parametrize("value", ["3", 3, ["rating"]])
def test_values_that_are_not_a_dict_are_an_error(value):
    nlp = make_pipeline("rnn_regressor")
    example = make_examples(nlp)[0]
    example.reference._.regression = value
    with pytest.raises(ValueError, match="learns from a dict with the number of each target"):
        nlp.initialize(lambda: [example])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), "1", None])
def test_values_that_are_not_finite_numbers(value):
    nlp = make_pipeline("rnn_regressor")
    examples = [example(nlp, "one two three", {"x": value})]
    with pytest.raises(ValueError, match="finite numbers.*one two three.*x = "):
        nlp.initialize(lambda: examples)


def test_an_unknown_target_in_training_is_an_error():
    nlp = make_pipeline("rnn_regressor")
    train(nlp, make_examples(nlp), steps=1)
    with pytest.raises(ValueError, match=r"target 'size'.*add_label\('size'\)"):
        nlp.update([example(nlp, "a b", {"size": 1.0})])


def test_a_constant_target():
    nlp = make_pipeline("rnn_regressor")
    examples = [example(nlp, f"w{i}", {"x": 5.0}) for i in range(3)]
    train(nlp, examples, steps=40)
    assert nlp("w1")._.regression["x"] == pytest.approx(5.0, abs=0.2)
    assert nlp.evaluate(examples)["pearson"] == 0.0


def test_a_target_without_a_scale():
    pipe = make_pipeline("rnn_regressor").get_pipe("rnn_regressor")
    for std in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="deviation above 0"):
            pipe.add_label("x", mean=0.0, std=std)


def test_values_are_stored_in_spacy_files(tmp_path):
    nlp = make_pipeline("rnn_regressor")
    docs = [eg.reference for eg in make_examples(nlp)]
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "train.spacy")
    examples = list(Corpus(tmp_path / "train.spacy")(nlp))
    train(nlp, examples)
    assert nlp.evaluate(examples)["pearson"] > 0.95
