"""What is specific to the text classifiers: classes, labels, partial annotation, attention."""

import logging
import subprocess
import sys

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Example

from ..helpers.pipelines import (
    CATEGORIES,
    SENTENCES,
    make_doc,
    make_examples,
    make_pipeline,
    make_trained,
    train,
)

FACTORIES = ["rnn_textcat", "rnn_textcat_multilabel"]
ATTENTION = {"pooling": {"ways": ["attention", "last"]}}
SENTENCE_LEVEL = {
    "sentences": {
        "@architectures": "spacy_rnn.SentenceEncoder.v1",
        "encoder": {"@architectures": "spacy_rnn.RNNEncoder.v1", "hidden_size": 6, "depth": 1},
        "pooling": {"@architectures": "spacy_rnn.Pooling.v1", "ways": ["attention"]},
    }
}


def example(nlp, words, cats):
    reference = make_doc(nlp.vocab, words)
    reference.cats = cats
    return Example(make_doc(nlp.vocab, words), reference)


def gold_of(nlp, *all_cats):
    examples = [example(nlp, "a b", cats) for cats in all_cats]
    return nlp.get_pipe(nlp.pipe_names[-1]).get_targets(examples)


@pytest.fixture
def exclusive():
    nlp = make_pipeline("rnn_textcat")
    for label in "ABC":
        nlp.get_pipe("rnn_textcat").add_label(label)
    return nlp


@pytest.fixture
def multilabel():
    nlp = make_pipeline("rnn_textcat_multilabel")
    for label in "ABC":
        nlp.get_pipe("rnn_textcat_multilabel").add_label(label)
    return nlp


# Both classifiers


@pytest.mark.parametrize("factory", FACTORIES)
def test_labels_come_from_data_sorted(factory):
    nlp = make_pipeline(factory)
    train(nlp, make_examples(nlp), steps=1)
    assert nlp.get_pipe(factory).labels == CATEGORIES


@pytest.mark.parametrize("factory", FACTORIES)
def test_a_category_that_is_not_a_label_is_an_error(factory):
    nlp = make_pipeline(factory)
    pipe = nlp.get_pipe(factory)
    with pytest.raises(ValueError, match=r"category 'LIKE'.*add_label\('LIKE'\)"):
        pipe.initialize(lambda: make_examples(nlp), nlp=nlp, labels=["EAT", "DRINK"])


@pytest.mark.parametrize("factory", FACTORIES)
def test_a_category_that_is_not_a_label_is_allowed_in_evaluation(factory):
    nlp = make_trained(factory)
    examples = make_examples(nlp)
    unseen = example(nlp, "I like green eggs", {"LIKE": 1.0, "EAT": 0.0, "DRINK": 0.0})
    assert nlp.evaluate([*examples, unseen])["cats_micro_f"] == 1.0


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("value", [0.5, 2.0, -1.0, float("nan"), float("inf")])
def test_values_are_0_or_1(factory, value):
    nlp = make_pipeline(factory)
    examples = [example(nlp, "one two three", {"A": value, "B": 0.0})]
    with pytest.raises(ValueError, match="values of 0 and 1.*one two three"):
        nlp.initialize(lambda: examples)


@pytest.mark.parametrize("factory", FACTORIES)
def test_labels_with_odd_characters(factory, tmp_path):
    odd = ["a.b", "x=y|z", "ü ñ", "{}", ""]
    nlp = make_pipeline(factory)
    examples = [
        example(nlp, f"w{i}", {label: float(label == own) for label in odd})
        for i, own in enumerate(odd)
    ]
    train(nlp, examples, steps=60)
    nlp.to_disk(tmp_path)
    nlp = spacy.load(tmp_path)
    found = [nlp(f"w{i}").cats for i in range(len(odd))]
    assert [max(cats, key=cats.get) for cats in found] == odd


@pytest.mark.parametrize("factory", FACTORIES)
def test_cats_of_other_components_stay(factory):
    nlp = make_trained(factory)
    doc = make_doc(nlp.vocab, "I like eggs")
    doc.cats["OTHER"] = 0.25
    assert set(nlp(doc).cats) == {"OTHER", *CATEGORIES} and doc.cats["OTHER"] == 0.25


@pytest.mark.parametrize("factory", FACTORIES)
def test_label_smoothing_and_class_weights_change_the_loss(factory):
    def loss(**config):
        nlp = make_pipeline(factory, **config)
        examples = make_examples(nlp)
        spacy.util.fix_random_seed(0)
        nlp.initialize(lambda: examples)
        return nlp.update(examples, sgd=False)[factory]

    plain = loss()
    assert loss(label_smoothing=0.2) != plain
    assert loss(class_weights={"LIKE": 0.0}) < plain
    with pytest.raises(ValueError, match="class_weights.*NOPE"):
        loss(class_weights={"NOPE": 2.0})


@pytest.mark.parametrize("factory", FACTORIES)
def test_scores_are_reported_for_each_label(factory):
    nlp = make_trained(factory)
    scores = nlp.evaluate(make_examples(nlp))
    assert scores["cats_macro_f"] == 1.0
    assert {label: f["f"] for label, f in scores["cats_f_per_type"].items()} == {
        "EAT": 1.0,
        "LIKE": 1.0,
    }


# Exclusive classes


def test_probabilities_of_classes_sum_to_1():
    nlp = make_pipeline("rnn_textcat")
    train(nlp, make_examples(nlp), steps=5)
    docs = [make_doc(nlp.vocab, sentence[0]) for sentence in SENTENCES] + [Doc(nlp.vocab)]
    for doc in nlp.pipe(docs):
        assert sum(doc.cats.values()) == pytest.approx(1.0)
        assert all(0.0 <= p <= 1.0 for p in doc.cats.values())


def test_an_empty_text_has_the_same_answer_alone_and_in_a_batch():
    nlp = make_pipeline("rnn_textcat")
    train(nlp, make_examples(nlp), steps=5)
    among = next(iter(nlp.pipe(["", "I like green eggs"])))
    assert nlp("").cats == pytest.approx(among.cats)


def test_one_class_is_an_error():
    nlp = make_pipeline("rnn_textcat")
    with pytest.raises(ValueError, match="at least two.*rnn_textcat_multilabel"):
        nlp.initialize(lambda: [example(nlp, "a", {"A": 1.0})])


def test_two_positive_classes_are_an_error(exclusive):
    with pytest.raises(ValueError, match="'a b ' has two classes or more.*rnn_textcat_multilabel"):
        gold_of(exclusive, {"A": 1.0}, {"A": 1.0, "B": 1.0})


def test_no_possible_class_is_an_error(exclusive):
    with pytest.raises(ValueError, match="no class: all are 0.*rnn_textcat_multilabel"):
        gold_of(exclusive, {"A": 0.0, "B": 0.0, "C": 0.0})


def test_classes_that_are_ruled_out_leave_the_others(exclusive):
    gold = gold_of(
        exclusive, {"A": 1.0}, {"B": 1.0, "A": 0.0}, {}, {"A": 0.0}, {"A": 0.0, "B": 0.0}
    )
    assert gold.arrays["label"].tolist() == [0, 1, -100, -100, 2]
    assert gold.arrays["ambiguous"].tolist() == [3]
    assert gold.arrays["candidates"].tolist() == [[False, True, True]]
    assert gold.n_items == 4


def test_learns_from_only_negative_examples():
    nlp = make_pipeline("rnn_textcat")
    pipe = nlp.get_pipe("rnn_textcat")
    examples = [example(nlp, "red", {"A": 0.0}), example(nlp, "blue", {"B": 0.0})]
    pipe.initialize(lambda: examples, nlp=nlp, labels=["A", "B", "C"])
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.03
    for _ in range(60):
        nlp.update(examples, sgd=optimizer)
    assert nlp("red").cats["A"] < 0.05 and nlp("blue").cats["B"] < 0.05


def test_positive_label():
    nlp = make_pipeline("rnn_textcat")
    pipe = nlp.get_pipe("rnn_textcat")
    examples = make_examples(nlp)
    pipe.initialize(lambda: examples, nlp=nlp, positive_label="LIKE")
    scores = nlp.evaluate(examples)
    assert scores["cats_score_desc"] == "F (LIKE)"
    assert (
        make_pipeline("rnn_textcat")
        .from_bytes(nlp.to_bytes())
        .evaluate(examples)["cats_score_desc"]
        == "F (LIKE)"
    )
    with pytest.raises(ValueError, match="E920"):
        pipe.initialize(lambda: examples, nlp=nlp, positive_label="NOPE")
    with pytest.raises(ValueError, match="E919"):
        pipe.initialize(
            lambda: examples, nlp=nlp, labels=["EAT", "LIKE", "X"], positive_label="LIKE"
        )


# Any number of labels


def test_labels_are_independent(multilabel):
    nlp = make_pipeline("rnn_textcat_multilabel")
    examples = [
        example(nlp, "red blue", {"R": 1.0, "B": 1.0}),
        example(nlp, "red", {"R": 1.0, "B": 0.0}),
        example(nlp, "blue", {"R": 0.0, "B": 1.0}),
        example(nlp, "green", {"R": 0.0, "B": 0.0}),
    ]
    train(nlp, examples, steps=80)
    assert nlp.evaluate(examples)["cats_micro_f"] == 1.0
    assert all(p < 0.3 for p in nlp("green").cats.values())


def test_a_label_that_is_not_annotated_is_unknown(multilabel):
    gold = gold_of(multilabel, {"A": 1.0}, {"B": 0.0, "C": 1.0}, {})
    expected = [[1, np.nan, np.nan], [np.nan, 0, 1], [np.nan] * 3]
    np.testing.assert_array_equal(gold.arrays["truth"], expected)
    assert gold.n_items == 2


def test_one_label_that_applies_or_not():
    nlp = make_pipeline("rnn_textcat_multilabel")
    examples = [example(nlp, "spam", {"SPAM": 1.0}), example(nlp, "ham", {"SPAM": 0.0})]
    train(nlp, examples)
    assert nlp("spam").cats["SPAM"] > 0.8 and nlp("ham").cats["SPAM"] < 0.2


def test_scores_use_the_threshold():
    nlp = make_trained("rnn_textcat_multilabel", threshold=1.0)
    examples = make_examples(nlp)
    assert nlp.evaluate(examples)["cats_micro_r"] == 0.0
    nlp.get_pipe("rnn_textcat_multilabel").cfg["threshold"] = 0.5
    assert nlp.evaluate(examples)["cats_micro_r"] == 1.0


# Attention


@pytest.mark.parametrize("factory", [*FACTORIES, "rnn_regressor"])
def test_attention_on_request(factory, tmp_path):
    nlp = make_pipeline(factory, ATTENTION, attention_attr="attention")
    train(nlp, make_examples(nlp), steps=5)
    nlp.to_disk(tmp_path)
    for doc in spacy.load(tmp_path).pipe(["I like green eggs", "", "Eggs !"]):
        assert [token._.attention for token in doc] == doc._.attention
        assert sum(doc._.attention) == pytest.approx(float(len(doc) > 0))


def test_attention_finds_the_word_that_decides():
    model = {"pooling": {"ways": ["attention"]}, "encoder": {"cell": "none"}}
    nlp = make_pipeline("rnn_textcat", model)
    fillers = ["so it is that", "we see it now", "that was then so", "is it so now we"]
    examples = [
        example(nlp, f"{filler} {word} {filler}", {"GOOD": float(i), "BAD": 1.0 - i})
        for filler in fillers
        for i, word in enumerate(("awful", "great"))
    ]
    train(nlp, examples, steps=80)
    doc = make_doc(nlp.vocab, "it is so awful that we see")
    (attention,) = nlp.get_pipe("rnn_textcat").predict_attention([doc])
    assert attention.argmax() == 3 and attention[3] > 0.5


def test_attention_without_attention_is_an_error():
    nlp = make_pipeline("rnn_textcat", attention_attr="attention")
    train(nlp, make_examples(nlp), steps=1)
    with pytest.raises(ValueError, match="attention_attr = null"):
        nlp("I like eggs")


# By sentences


def by_sentences():
    nlp = make_pipeline("rnn_textcat", SENTENCE_LEVEL)
    nlp.add_pipe("sentencizer", first=True)
    return nlp


def sentence_examples(nlp):
    examples = []
    for words, category in (
        ("I like eggs . She eats ham .", "LIKE"),
        ("She eats ham . They eat eggs .", "EAT"),
        ("Ham . Ham . I like it .", "LIKE"),
        ("Ham . Ham . Eat it .", "EAT"),
    ):
        examples.append(
            example(nlp, words, {other: float(other == category) for other in CATEGORIES})
        )
    return examples


def test_texts_are_learned_by_sentences():
    nlp = by_sentences()
    examples = sentence_examples(nlp)
    spacy.util.fix_random_seed(0)
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.03
    for _ in range(50):
        nlp.update(examples, sgd=optimizer, annotates=["sentencizer"])
    assert nlp.evaluate(examples)["cats_micro_f"] == 1.0
    assert sum(nlp("").cats.values()) == pytest.approx(1.0)


def test_texts_without_sentences_are_an_error():
    nlp = by_sentences()
    examples = sentence_examples(nlp)
    nlp.initialize(lambda: examples)
    with pytest.raises(ValueError, match="sentencizer.*annotating_components"):
        nlp.update(examples)


# Long texts


@pytest.mark.slow
def test_a_text_of_a_million_tokens(tmp_path):
    """Peak memory beyond that of the Doc stays small, whatever the text's length."""
    nlp = make_pipeline("rnn_textcat")
    train(nlp, make_examples(nlp), steps=1)
    nlp.to_disk(tmp_path / "pipeline")
    code = f"""
import resource, spacy
from spacy.tokens import Doc
nlp = spacy.load({str(tmp_path / "pipeline")!r})
nlp("I like eggs")
doc = Doc(nlp.vocab, words=["I", "like", "green", "eggs"] * 250_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
cats = nlp(doc).cats
print(len(doc), round(sum(cats.values()), 4),
      (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    n, total, megabytes = done.stdout.split()
    assert int(n) == 1_000_000 and float(total) == 1.0
    assert float(megabytes) < 200


def test_the_state_does_not_pass_from_text_to_text():
    nlp = make_pipeline("rnn_textcat", {"encoder": {"direction": "forward"}, "window": 3})
    train(nlp, make_examples(nlp), steps=1)
    pipe = nlp.get_pipe("rnn_textcat")
    long = make_doc(nlp.vocab, "I like green eggs and ham and eggs")
    short = make_doc(nlp.vocab, "She eats")
    (alone,) = pipe.predict([short]).scores
    after = pipe.predict([long, short]).scores[1]
    np.testing.assert_allclose(after, alone, atol=1e-6)


# Labels that all texts have


def warnings_of(caplog, run):
    caplog.clear()
    with caplog.at_level(logging.WARNING, "spacy_rnn"):
        run()
    return caplog.messages


@pytest.mark.parametrize(
    ("all_cats", "named"),
    [
        ([{"A": 1}, {"B": 1}], "['A', 'B']"),
        ([{"A": 1, "B": 1}, {"A": 1, "B": 1}], "['A', 'B']"),
        ([{"A": 1, "B": 0}, {"A": 1, "B": 1}, {}], "['A']"),
        ([{"A": 1, "B": 0}, {"A": 0}], None),
        ([{"A": 1}, {}], None),
    ],
)
def test_labels_that_no_training_example_lacks_are_a_warning(caplog, all_cats, named):
    nlp = make_pipeline("rnn_textcat_multilabel")
    examples = [example(nlp, "a b", cats) for cats in all_cats]
    found = warnings_of(caplog, lambda: nlp.initialize(lambda: examples))
    assert len(found) == (named is not None)
    if named:
        assert f"no training example lacks the labels {named}, so that they will be" in found[0]
        assert "labels = ${corpora.train}" in found[0]


def test_labels_that_no_example_to_score_lacks_are_a_warning(caplog):
    nlp = make_pipeline("rnn_textcat_multilabel", threshold=0.0)
    labels = ["A", "B", "C"]
    full = [{"A": 1, "B": 0, "C": 0}, {"A": 0, "B": 1, "C": 1}]
    nlp.initialize(lambda: [example(nlp, "a b", cats) for cats in full])
    assert nlp.get_pipe("rnn_textcat_multilabel").labels == tuple(labels)
    whole = [example(nlp, "a b", cats) for cats in full]
    assert not warnings_of(caplog, lambda: nlp.evaluate(whole))
    # For example, a dev corpus without C.
    part = [{"A": 1, "B": 0}, {"A": 0, "B": 1}]
    examples = [example(nlp, "a b", cats) for cats in part]
    (message,) = warnings_of(caplog, lambda: [nlp.evaluate(examples) for _ in range(2)])
    assert "no example to score lacks the labels ['C'], so that predicting them is never" in message


def test_exclusive_classes_need_no_zeros(caplog):
    nlp = make_pipeline("rnn_textcat")
    examples = [example(nlp, "a b", {label: 1}) for label in "AB"]
    assert not warnings_of(caplog, lambda: nlp.initialize(lambda: examples))
    assert not warnings_of(caplog, lambda: nlp.evaluate(examples))


def test_texts_without_a_label_are_not_scored():
    nlp = make_trained("rnn_textcat")
    examples = make_examples(nlp)
    expected = nlp.evaluate(examples)
    unknown = Example(nlp.make_doc("eggs"), nlp.make_doc("eggs"))
    found = nlp.evaluate([*examples, unknown])
    assert found["cats_micro_p"] == expected["cats_micro_p"] == 1.0
