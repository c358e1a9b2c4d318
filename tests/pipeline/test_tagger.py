"""What is specific to the tagger: targets, labels, partial annotation, probabilities."""

import functools
import logging

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from ..helpers.pipelines import (
    SENTENCES,
    make_doc,
    make_examples,
    make_pipeline,
    make_tagger,
    make_trained,
    tags,
    train,
)

ATTRIBUTES = {"tag": "tag_", "pos": "pos_", "morph": "morph"}


def values(doc, target):
    return [str(getattr(token, ATTRIBUTES[target])) for token in doc]


@pytest.mark.parametrize(
    "targets", [["tag"], ["pos"], ["morph"], ["tag", "pos", "morph"], ["morph", "tag"]]
)
def test_targets(targets):
    nlp = make_tagger(targets=targets)
    examples = make_examples(nlp)
    train(nlp, examples, steps=60)
    scores = nlp.evaluate(examples)
    for example in examples:
        doc = nlp(Doc(nlp.vocab, words=[token.text for token in example.reference]))
        for target in ATTRIBUTES:
            expected = values(example.reference, target) if target in targets else [""] * len(doc)
            assert values(doc, target) == expected
    assert scores["label_acc"] == 1.0
    assert all(scores[f"{target}_acc"] == 1.0 for target in targets)
    if "morph" in targets:
        assert scores["morph_per_feat"]["Number"]["f"] == 1.0


@pytest.mark.parametrize("targets", [[], ["tag", "tag"], ["lemma"]])
def test_targets_that_make_no_sense(targets):
    with pytest.raises(ValueError, match="targets"):
        make_tagger(targets=targets)


def test_labels_come_from_data_sorted(trained):
    pipe = trained.get_pipe("rnn_tagger")
    expected = tuple(sorted({tag for s in SENTENCES for tag in s[1].split()}))
    assert pipe.labels == pipe.labels_of("tag") == tuple(pipe.label_data) == expected


def test_label_data_of_several_targets_initializes_another_tagger():
    nlp = make_tagger(targets=["tag", "morph"])
    train(nlp, make_examples(nlp), steps=1)
    data = nlp.get_pipe("rnn_tagger").label_data
    assert set(data) == {"tag", "morph"} and "" not in data["morph"] and "_" in data["morph"]
    other = make_tagger(targets=["tag", "morph"])
    pipe = other.get_pipe("rnn_tagger")
    pipe.initialize(lambda: make_examples(other), nlp=other, labels=data)
    assert pipe.label_data == data


def test_given_labels_replace_those_of_the_examples():
    nlp = make_tagger()
    pipe = nlp.get_pipe("rnn_tagger")
    labels = ["X1", "X2"]
    pipe.initialize(lambda: make_examples(nlp), nlp=nlp, labels=labels)
    assert pipe.label_data == labels


def test_add_label_before_training():
    nlp = make_tagger()
    pipe = nlp.get_pipe("rnn_tagger")
    assert pipe.add_label("EXTRA") == 1
    assert pipe.add_label("EXTRA") == 0
    train(nlp, make_examples(nlp), steps=1)
    assert pipe.labels[0] == "EXTRA" and "NNS" in pipe.labels


def test_add_label_to_a_trained_model_keeps_what_it_knows(trained):
    pipe = trained.get_pipe("rnn_tagger")
    docs = [Doc(trained.vocab, words=s[0].split()) for s in SENTENCES]
    before = pipe.predict_probabilities(docs)
    pipe.add_label("EXTRA")
    after = pipe.predict_probabilities(docs)
    for old, new in zip(before, after, strict=True):
        known = new["tag"][:, :-1]
        # The known labels keep their proportions.
        np.testing.assert_allclose(
            known / known.sum(axis=1, keepdims=True), old["tag"], rtol=1e-4, atol=1e-6
        )
    reference = make_doc(trained.vocab, "I zap", "PRP EXTRA")
    example = Example(make_doc(trained.vocab, "I zap"), reference)
    optimizer = trained.resume_training()
    optimizer.learn_rate = 0.05
    for _ in range(40):
        trained.update([example], sgd=optimizer)
    assert tags([trained(make_doc(trained.vocab, "I zap"))]) == [["PRP", "EXTRA"]]


def test_add_label_needs_a_target_where_there_are_several():
    pipe = make_tagger(targets=["tag", "pos"]).get_pipe("rnn_tagger")
    with pytest.raises(ValueError, match="target='tag'"):
        pipe.add_label("NN")
    assert pipe.add_label("NOUN", target="pos") == 1
    with pytest.raises(ValueError, match="Universal"):
        pipe.add_label("NN", target="pos")
    with pytest.raises(ValueError, match="E187"):
        pipe.add_label(7, target="tag")


def test_no_labels():
    nlp = make_tagger()
    examples = [Example(make_doc(nlp.vocab, "a b"), make_doc(nlp.vocab, "a b"))]
    with pytest.raises(ValueError, match="no labels for its target 'tag'"):
        nlp.initialize(lambda: examples)


def test_one_label():
    nlp = make_tagger()
    examples = [Example(make_doc(nlp.vocab, "a b"), make_doc(nlp.vocab, "a b", "X X"))]
    train(nlp, examples, steps=2)
    assert tags([nlp("c d e")]) == [["X", "X", "X"]]


def test_labels_with_odd_characters(tmp_path):
    odd = ["a.b", "x=y|z", "ü ñ", "{}", "''", "-"]
    nlp = make_tagger()
    words = [f"w{i}" for i in range(len(odd))]
    reference = Doc(nlp.vocab, words=words, tags=odd)
    examples = [Example(Doc(nlp.vocab, words=words), reference)]
    train(nlp, examples, steps=60)
    nlp.to_disk(tmp_path)
    nlp = spacy.load(tmp_path)
    assert set(nlp.get_pipe("rnn_tagger").labels) == set(odd)
    assert [t.tag_ for t in nlp(Doc(nlp.vocab, words=words))] == odd


def test_unknown_gold_label_in_training_is_an_error(trained):
    reference = make_doc(trained.vocab, "I zap", "PRP ZAP")
    example = Example(make_doc(trained.vocab, "I zap"), reference)
    with pytest.raises(ValueError, match=r"'ZAP'.*add_label\('ZAP'\)"):
        trained.update([example], sgd=trained.resume_training())


def test_unknown_gold_label_in_evaluation_is_a_miss(trained):
    reference = make_doc(trained.vocab, "I like green eggs", "PRP VBP ZAP NNS")
    example = Example(make_doc(trained.vocab, "I like green eggs"), reference)
    assert trained.evaluate([example])["tag_acc"] == 0.75


def test_partial_annotation():
    """Tokens without a tag are not trained on, and are not an error."""
    nlp = make_tagger()
    words = "I like green eggs"
    partial = make_doc(nlp.vocab, words, "PRP VBP JJ NNS")
    partial[1].tag_ = ""
    examples = make_examples(nlp)[1:] + [Example(make_doc(nlp.vocab, words), partial)]
    losses = train(nlp, examples)
    assert losses["rnn_tagger"] < 5.0
    gold = nlp.get_pipe("rnn_tagger").get_targets(examples)
    assert (gold.arrays["tag"] == -100).sum() == 1 and gold.n_items == len(gold.arrays["tag"]) - 1


def test_docs_without_any_annotation_change_nothing(trained):
    examples = [Example(make_doc(trained.vocab, "a b"), make_doc(trained.vocab, "a b"))]
    before = trained.get_pipe("rnn_tagger").model.to_bytes()
    assert trained.update(examples, sgd=trained.resume_training()) == {"rnn_tagger": 0.0}
    assert trained.get_pipe("rnn_tagger").model.to_bytes() == before


def test_gold_is_aligned_to_other_tokens(trained):
    """Predicted tokens that are parts of a gold token take its label, merged ones have none."""
    reference = make_doc(trained.vocab, "She eats green-eggs now now", "PRP VBZ NNS JJ JJ")
    predicted = Doc(trained.vocab, words=["She", "eats", "green", "-", "eggs", "now now"])
    gold = trained.get_pipe("rnn_tagger").get_targets([Example(predicted, reference)])
    labels = trained.get_pipe("rnn_tagger").labels
    named = [labels[i] if i >= 0 else None for i in gold.arrays["tag"]]
    expected = Example(predicted, reference).get_aligned("TAG", as_string=True)
    assert named == expected and named[:2] == ["PRP", "VBZ"]


def test_label_smoothing_and_class_weights_change_the_loss():
    def loss(**config):
        nlp = make_trained("rnn_tagger", **config)
        return nlp.update(make_examples(nlp), sgd=False)["rnn_tagger"]

    plain = loss()
    assert loss(label_smoothing=0.2) > plain
    assert loss(class_weights={"NNS": 0.0}) < plain
    doubled = {tag: 2.0 for s in SENTENCES for tag in s[1].split()}
    assert loss(class_weights=doubled) == pytest.approx(2 * plain, rel=1e-5)


def test_class_weights_of_an_unknown_label():
    nlp = make_tagger(class_weights={"NOPE": 2.0})
    with pytest.raises(ValueError, match="NOPE"):
        train(nlp, make_examples(nlp), steps=1)


@pytest.mark.parametrize("overwrite", [False, True])
def test_overwrite(trained, overwrite):
    trained.get_pipe("rnn_tagger").cfg["overwrite"] = overwrite
    doc = make_doc(trained.vocab, "I like green eggs")
    doc[1].tag_ = "MINE"
    assert trained(doc)[1].tag_ == ("VBP" if overwrite else "MINE")
    assert doc[0].tag_ == "PRP"


@pytest.mark.parametrize("overwrite", [False, True])
def test_training_warns_once_of_annotation_that_is_kept(caplog, overwrite):
    nlp = make_tagger(overwrite=overwrite, targets=["pos", "tag"])
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    tagged = []
    for eg in examples:
        words = [token.text for token in eg.x]
        tagged.append(Example(Doc(nlp.vocab, words, tags=["."] * len(words)), eg.y))
    with caplog.at_level(logging.WARNING, "spacy_rnn"):
        nlp.evaluate(tagged)  # Not in training.
        nlp.update(examples)
        nlp.evaluate(examples)
        assert not caplog.messages
        nlp.evaluate(tagged)
        nlp.evaluate(tagged)
    warned = [
        message.startswith("'rnn_tagger' does not set token.tag:") for message in caplog.messages
    ]
    assert warned == ([] if overwrite else [True])


def test_threshold_leaves_doubtful_tokens_untagged(trained):
    pipe = trained.get_pipe("rnn_tagger")
    doc = make_doc(trained.vocab, "I like something unheard of")
    probability = pipe.predict_probabilities([doc])[0]["tag"].max(axis=1)
    threshold = float(np.median(probability))
    pipe.cfg["threshold"] = threshold
    tagged = [token.tag_ != "" for token in trained(doc)]
    assert tagged == (probability >= threshold).tolist()


def test_probabilities_on_request():
    nlp = make_trained("rnn_tagger", probabilities_attr="tag_probabilities")
    texts = ["I like green eggs", "", "She eats ham"]
    for doc in nlp.pipe(texts):
        labels = nlp.get_pipe("rnn_tagger").labels_of("tag")
        found = doc._.tag_probabilities["tag"]
        assert [token._.tag_probabilities for token in doc] == [{"tag": p} for p in found]
        p = np.array(found).reshape(len(doc), len(labels))
        np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-5)
        assert [labels[i] for i in p.argmax(axis=1)] == [token.tag_ for token in doc]
    docs = list(nlp.pipe(texts, n_process=2, batch_size=1))
    assert len(docs[0]._.tag_probabilities["tag"]) == 4


def test_morphology_survives_storing(tmp_path):
    nlp = make_tagger(targets=["morph", "pos"])
    examples = make_examples(nlp)
    train(nlp, examples, steps=60)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    doc = loaded(Doc(loaded.vocab, words="I like green eggs".split()))
    assert doc[3].morph.get("Number") == ["Plur"] and doc[3].pos_ == "NOUN"
    assert doc[1].has_morph() and str(doc[1].morph) == ""


# With a conditional random field

CRF = {"decoder": "crf"}


@functools.cache
def crf_bytes():
    nlp = make_tagger(CRF)
    train(nlp, make_examples(nlp))
    return nlp.to_bytes()


@pytest.fixture
def with_crf():
    return make_tagger(CRF).from_bytes(crf_bytes())


def docs_of_sentences(nlp):
    return [make_doc(nlp.vocab, s[0]) for s in SENTENCES]


@pytest.mark.parametrize("targets", [["tag"], ["tag", "pos", "morph"]])
def test_crf_learns(targets):
    nlp = make_tagger(CRF, targets=targets)
    examples = make_examples(nlp)
    losses = train(nlp, examples, steps=60)
    assert 0 <= losses["rnn_tagger"] < 5.0
    scores = nlp.evaluate(examples)
    assert all(scores[f"{target}_acc"] == 1.0 for target in targets)
    crfs = nlp.get_pipe("rnn_tagger").shim.module.crfs
    assert set(crfs) == set(targets)
    assert all(crf.transitions.any() for crf in crfs.values())


def test_crf_gives_probabilities(with_crf):
    pipe = with_crf.get_pipe("rnn_tagger")
    docs = [*docs_of_sentences(with_crf), Doc(with_crf.vocab)]
    expected = [[token.tag_ for token in doc] for doc in with_crf.pipe(d.copy() for d in docs)]
    probabilities = [found["tag"] for found in pipe.predict_probabilities(docs)]
    for p, doc, names in zip(probabilities, docs, expected, strict=True):
        assert p.shape == (len(doc), len(pipe.labels)) and p.dtype == np.float32
        np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-4)
        assert [pipe.labels[i] for i in p.argmax(axis=1)] == names
    # Requesting probabilities does not change tags, whether the network is trained or not.
    asked = make_tagger(CRF, probabilities_attr="tag_probabilities_of_crf")
    try:
        asked.from_bytes(with_crf.to_bytes())
        for nlp in (with_crf, asked):
            torch.manual_seed(0)
            for parameter in nlp.get_pipe("rnn_tagger").shim.module.parameters():
                torch.nn.init.normal_(parameter)
        words = ["I", "eats", "green", "unknown", "ham"] * 8
        plain, doc = (nlp(Doc(nlp.vocab, words=words)) for nlp in (with_crf, asked))
        assert tags([doc]) == tags([plain]) and len(set(tags([doc])[0])) > 1
        found = np.array(doc._.tag_probabilities_of_crf["tag"])
        assert found.shape == (40, len(pipe.labels))
    finally:
        Doc.remove_extension("tag_probabilities_of_crf")


@pytest.mark.parametrize("part", [{"label_smoothing": 0.1}, {"class_weights": {"NN": 2.0}}])
def test_crf_with_settings_of_single_tokens(part):
    with pytest.raises(ValueError, match=r"label_smoothing.*0\.0 and null.*decoder to \"softmax\""):
        make_tagger(CRF, **part)


def test_crf_with_partial_annotation():
    """Unknown tags may have any value."""
    nlp = make_tagger(CRF)
    examples = make_examples(nlp)
    for example in examples:
        example.reference[0].tag_ = ""
    known = [eg.reference.copy() for eg in examples]
    train(nlp, examples)
    for doc, reference in zip(nlp.pipe(docs_of_sentences(nlp)), known, strict=True):
        assert [t.tag_ for t in doc][1:] == [t.tag_ for t in reference][1:]


def test_add_label_to_a_trained_crf_keeps_what_it_knows(with_crf):
    pipe = with_crf.get_pipe("rnn_tagger")
    docs = docs_of_sentences(with_crf)
    optimizer = with_crf.resume_training()
    optimizer.learn_rate = 0.01
    with_crf.update(make_examples(with_crf), sgd=optimizer)
    crf = pipe.shim.module.crfs["tag"]
    before = {name: p.detach().clone() for name, p in crf.named_parameters()}
    known = tags(with_crf.pipe(doc.copy() for doc in docs))
    assert pipe.add_label("EXTRA") == 1
    for name, p in crf.named_parameters():
        n = len(before[name])
        assert len(p) == n + 1
        assert torch.equal(p[(slice(n),) * p.dim()], before[name])
    assert tags(with_crf.pipe(doc.copy() for doc in docs)) == known
    reference = make_doc(with_crf.vocab, "I zap", "PRP EXTRA")
    example = Example(make_doc(with_crf.vocab, "I zap"), reference)
    optimizer.learn_rate = 0.05
    for _ in range(25):
        with_crf.update([example, *make_examples(with_crf)], sgd=optimizer)
    assert tags([with_crf(make_doc(with_crf.vocab, "I zap"))]) == [["PRP", "EXTRA"]]
    assert with_crf.evaluate(make_examples(with_crf))["tag_acc"] == 1.0


def test_an_unknown_label_of_another_vocabulary_is_named(trained):
    vocab = Vocab()
    strange = Example(make_doc(vocab, "I like"), make_doc(vocab, "I like", "PRP STRANGE"))
    with pytest.raises(ValueError, match="the tag 'STRANGE'"):
        trained.update([*make_examples(trained), strange])


def test_morphology_can_be_read_in_another_vocabulary():
    nlp = make_tagger(targets=["morph", "pos"])
    train(nlp, make_examples(nlp))
    doc = nlp(make_doc(Vocab(), SENTENCES[0][0]))
    assert [str(token.morph) for token in doc] == ["Number=Sing", "", "", "Number=Plur"]


def test_labels_are_known_after_a_memory_zone():
    """The values of labels are kept, so their strings must not be freed."""
    nlp = make_pipeline("rnn_tagger")
    train(nlp, make_examples(nlp), steps=1)
    loaded = make_pipeline("rnn_tagger").from_bytes(nlp.to_bytes(), exclude=["vocab"])
    with loaded.memory_zone():
        tags = [token.tag_ for token in loaded("I like ham")]
    assert tags == [token.tag_ for token in loaded("I like ham")]


def test_labels_that_are_replaced_have_their_own_values():
    nlp = make_pipeline("rnn_tagger")
    train(nlp, make_examples(nlp), steps=1)
    nlp("I like ham")
    labels = nlp.get_pipe("rnn_tagger").cfg["labels"]["tag"]
    labels[:] = [label + "2" for label in labels]
    assert {token.tag_ for token in nlp("I like ham")} <= set(labels)


@pytest.mark.parametrize("factory", ["rnn_tagger", "rnn_textcat_multilabel"])
@pytest.mark.parametrize("threshold", [-1.0, 5.0])
def test_thresholds_are_probabilities(factory, threshold):
    with pytest.raises(ValueError, match="'threshold' is a probability"):
        make_pipeline(factory, threshold=threshold)
