"""Components that learn from the probabilities of a teacher."""

import numpy as np
import pytest
import torch
from spacy.tokens import Doc
from spacy.training import Example

from spacy_rnn.features.soft_labels import (
    SoftLabels,
    as_scheme,
    one_hot,
    set_soft_labels,
    soft_labels_of,
)

from ..helpers.pipelines import make_doc, make_examples, make_pipeline, make_trained, train

TAUGHT = ["rnn_tagger", "rnn_ner", "rnn_textcat", "rnn_textcat_multilabel"]
TARGETS = {"rnn_tagger": "tag", "rnn_ner": "ner"}


def answers_of(name, doc):
    """The probabilities that a trained component gives."""
    nlp = make_trained(name)
    pipe = nlp.get_pipe(name)
    if name in TARGETS:
        (p,) = pipe.predict_probabilities([doc.copy()])
        labels = pipe.tags if name == "rnn_ner" else pipe.labels
        return {TARGETS[name]: SoftLabels(labels, p if name == "rnn_ner" else p["tag"])}
    cats = nlp(doc.copy()).cats
    return {"cats": SoftLabels(tuple(cats), np.array([*cats.values()]))}


def certain(name, example):
    """The annotation as probabilities."""
    doc = example.reference
    if name == "rnn_tagger":
        return {"tag": one_hot([token.tag_ for token in doc])}
    if name == "rnn_ner":
        pipe = make_trained(name).get_pipe(name)
        tags = pipe._gold_tags(pipe.scheme, example)
        return {"ner": one_hot([pipe.tags[i] for i in tags])}
    return {"cats": SoftLabels(tuple(doc.cats), np.array([*doc.cats.values()]))}


def gradients(nlp, name, examples):
    pipe = nlp.get_pipe(name)
    losses = pipe.update(examples)
    found = [p.grad.clone() for p in pipe.shim.module.parameters() if p.grad is not None]
    for parameter in pipe.shim.module.parameters():
        parameter.grad = None
    return losses[name], found


@pytest.mark.parametrize("name", TAUGHT)
def test_certain_probabilities_train_like_labels(name):
    nlp = make_trained(name, steps=3)
    examples = make_examples(nlp)
    loss, plain = gradients(nlp, name, examples)
    for eg in examples:
        set_soft_labels(eg.reference, certain(name, eg))
    taught_loss, taught = gradients(nlp, name, examples)
    assert taught_loss == pytest.approx(loss, rel=1e-4)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(plain, taught, strict=True))


@pytest.mark.parametrize(
    "name, temperature", [*((name, 2.0) for name in TAUGHT), ("rnn_tagger", 1.0)]
)
def test_a_student_gives_the_probabilities_of_its_teacher(name, temperature):
    nlp = make_pipeline(name)
    examples = make_examples(nlp)
    for eg in examples:
        found = answers_of(name, eg.predicted)
        softened = {
            # Less certain, so that there is something to learn.
            target: soft._replace(
                probabilities=0.6 * soft.probabilities + 0.4 / len(soft.labels),
                temperature=temperature,
            )
            for target, soft in found.items()
        }
        set_soft_labels(eg.reference, softened)
    train(nlp, examples, steps=120)
    pipe = nlp.get_pipe(name)
    for eg in examples:
        (target, soft), *_ = soft_labels_of(eg.reference).items()
        labels = pipe.tags if name == "rnn_ner" else pipe.labels
        expected = soft.columns(labels)
        if name in TARGETS:
            (p,) = pipe.predict_probabilities([eg.predicted.copy()])
            p = p if name == "rnn_ner" else p[target]
        else:
            p = pipe.predict([eg.predicted.copy()]).scores[0]
        if name == "rnn_ner":
            # No reading has all softened probabilities, so that only the best tags are compared.
            assert (p.argmax(1) == expected.argmax(1)).all()
        else:
            assert p == pytest.approx(expected, abs=0.08)


def make_soft(nlp, words, rows, reference_words=None, tags=None):
    """An example whose reference has soft tags."""
    reference = Doc(nlp.vocab, words=reference_words or words, tags=tags)
    set_soft_labels(reference, {})
    reference._.soft_labels = {"tag": rows}
    return Example(Doc(nlp.vocab, words=words), reference)


def test_shared_labels_are_renormalized():
    nlp = make_trained("rnn_tagger")
    pipe = nlp.get_pipe("rnn_tagger")
    rows = [{"NN": 0.3, "NNS": 0.1, "other": 0.6}, {"other": 1.0}]
    targets = pipe.get_targets([make_soft(nlp, ["a", "b"], rows)])
    column = {label: i for i, label in enumerate(pipe.labels)}
    soft = targets.arrays["tag_soft"]
    assert soft[0, column["NN"]] == pytest.approx(0.75)
    assert soft[0, column["NNS"]] == pytest.approx(0.25)
    # The student knows no label of the second token.
    assert targets.arrays["tag_share"].tolist() == [1.0, 0.0] and targets.n_items == 1


def test_other_tokens():
    """The probabilities of a token are used if both have the token, otherwise aligned labels."""
    nlp = make_trained("rnn_tagger")
    rows = [{"NN": 1.0}, {"NNS": 1.0}, {"CD": 1.0}]
    example = make_soft(nlp, ["ab", "c"], rows, ["a", "b", "c"])
    example.reference[0].tag_, example.reference[1].tag_ = "NN", "NN"
    spaces = [False, True, False]
    example = Example(
        Doc(nlp.vocab, words=["ab", "c"]),
        Doc(nlp.vocab, words=["a", "b", "c"], spaces=spaces, tags=["NN", "NN", "CD"]),
    )
    set_soft_labels(example.reference, {})
    example.reference._.soft_labels = {"tag": rows}
    targets = nlp.get_pipe("rnn_tagger").get_targets([example])
    assert targets.arrays["tag_share"].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("decoder", ["softmax", "crf"])
def test_a_sequence_learns_from_all_of_its_tokens_or_from_labels(decoder):
    nlp = make_pipeline("rnn_ner", {"decoder": decoder})
    train(nlp, make_examples(nlp), steps=1)
    reference = Doc(
        nlp.vocab,
        words=["green", "e", "ggs"],
        spaces=[True, False, False],
        ents=["B-FOOD", "I-FOOD", "I-FOOD"],
    )
    set_soft_labels(reference, {})
    reference._.soft_labels = {"ner": [{"B-FOOD": 1.0}, {"I-FOOD": 1.0}, {"L-FOOD": 1.0}]}
    example = Example(Doc(nlp.vocab, words=["green", "eggs"]), reference)
    targets = nlp.get_pipe("rnn_ner").get_targets([example])
    if decoder == "crf":
        assert "ner_share" not in targets.arrays
    else:
        assert targets.arrays["ner_share"].tolist() == [1.0, 0.0]
    tags = nlp.get_pipe("rnn_ner").tags
    assert [tags[i] for i in targets.arrays["ner"]] == ["B-FOOD", "L-FOOD"]


def test_temperatures_that_differ():
    nlp = make_trained("rnn_textcat")
    examples = make_examples(nlp)[:2]
    for eg, temperature in zip(examples, (1.0, 2.0), strict=True):
        soft = SoftLabels(("EAT", "LIKE"), np.array([0.3, 0.7]), temperature=temperature)
        set_soft_labels(eg.reference, {"cats": soft})
    with pytest.raises(ValueError, match=r"temperatures \[1.0, 2.0\]. Give all of them the same"):
        nlp.update(examples)


def test_a_teacher_that_shares_no_label():
    nlp = make_trained("rnn_tagger")
    doc = make_doc(nlp.vocab, "Eggs !", tags="NOM PONCT")
    set_soft_labels(doc, {"tag": one_hot(["NOM", "PONCT"])})
    with pytest.raises(ValueError, match="has the tag 'NOM', which 'rnn_tagger' does not know"):
        nlp.update([Example(make_doc(nlp.vocab, "Eggs !"), doc)])


def test_schemes_of_entities():
    """The second and third token of a text are an entity with the probability 0.8, or only the
    second token with the probability 0.2."""
    biluo = SoftLabels(
        ("O", "B-X", "I-X", "L-X", "U-X"),
        np.array([[1.0, 0, 0, 0, 0], [0, 0.8, 0, 0, 0.2], [0.2, 0, 0, 0.8, 0]]),
    )
    bio = as_scheme(biluo, "bio")
    assert bio.labels == ("O", "B-X", "I-X")
    assert bio.probabilities == pytest.approx(np.array([[1.0, 0, 0], [0, 1.0, 0], [0.2, 0, 0.8]]))
    back = as_scheme(bio, "biluo")
    assert back.columns(biluo.labels) == pytest.approx(biluo.probabilities, abs=1e-6)
    assert as_scheme(bio, "bio") is bio and as_scheme(biluo, "biluo") is biluo


@pytest.mark.parametrize(
    "value, message",
    [
        ([1, 2], "not a dict"),
        ({"lemma": []}, "not a dict of"),
        ({"tag": {"NN": 1.0}}, "'tag' must be a list of dicts, one for each token"),
        ({"tag": [{"NN": 1.0}]}, "'tag' has 1 values for 2 tokens"),
        ({"cats": [0.5]}, "'cats' must be a dict"),
        ({"cats": {"A": 1.5}}, "'cats' has A = 1.5, which is not a probability"),
        ({"cats": {"A": "much"}}, "'cats' has A = 'much', which is not a probability"),
        ({"cats": {"A": float("nan")}}, "'cats' has A = nan, which is not a probability"),
    ],
)
def test_malformed(value, message):
    nlp = make_trained("rnn_tagger")
    doc = make_doc(nlp.vocab, "Eggs !", tags="NNS .")
    set_soft_labels(doc, {})
    doc._.soft_labels = value
    with pytest.raises(ValueError, match="Soft labels are malformed") as error:
        nlp.update([Example(make_doc(nlp.vocab, "Eggs !"), doc)])
    assert message in str(error.value)


def test_soft_labels_are_kept_in_files(tmp_path):
    from spacy.tokens import DocBin

    nlp = make_trained("rnn_tagger")
    doc = make_doc(nlp.vocab, "Eggs !")
    p = np.array([[0.9, 0.1, 1e-6], [0.00005, 0.5, 0.5]])
    set_soft_labels(doc, {"tag": SoftLabels(("A", "B", "C"), p).compact()})
    DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "x.spacy")
    (read,) = DocBin().from_disk(tmp_path / "x.spacy").get_docs(nlp.vocab)
    found = soft_labels_of(read)["tag"]
    assert found.columns(("A", "B", "C")) == pytest.approx(p, abs=1e-3)
    assert found.probabilities.dtype == np.float16 and isinstance(found.labels, tuple)
    improbable = SoftLabels(("A", "B"), np.array([[0.99999, 0.00001]])).compact()
    assert improbable.labels == ("A",)
