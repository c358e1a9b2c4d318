"""Teachers and the probabilities that they give."""

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.training import Example

from spacy_rnn.distillation.teachers import Teacher, Teachers
from spacy_rnn.features.soft_labels import soft_labels_of

from ..helpers.pipelines import SENTENCES, make_examples, make_pipeline, make_trained, train

TEXTS = [sentence[0] for sentence in SENTENCES]


def answers(*pipelines, texts=TEXTS, attr="soft_labels", **settings):
    return list(Teachers([Teacher(nlp, attr) for nlp in pipelines], **settings).answer(texts))


def trained_spacy(*factories):
    """A pipeline of spaCy's components, trained for a few steps on the four sentences."""
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("xx")
    for factory in factories:
        nlp.add_pipe(factory)
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(10):
        nlp.update(examples, sgd=optimizer)
    return nlp


@pytest.mark.parametrize("name", ["rnn_tagger", "rnn_ner"])
def test_probabilities_of_our_components(name):
    plain = make_trained(name)
    pipe = plain.get_pipe(name)
    expected = pipe.predict_probabilities([plain.make_doc(text) for text in TEXTS])
    target = name.removeprefix("rnn_").replace("tagger", "tag")
    labels = pipe.tags if name == "rnn_ner" else pipe.labels
    for doc, p in zip(answers(make_trained(name)), expected, strict=True):
        soft = soft_labels_of(doc)
        assert soft.keys() == {target}
        p = p[target] if name == "rnn_tagger" else p
        assert soft[target].columns(labels) == pytest.approx(p, abs=1e-3)
        same = plain(doc.text)
        assert [t.tag_ for t in doc] == [t.tag_ for t in same]
        assert [(e.start, e.label_) for e in doc.ents] == [(e.start, e.label_) for e in same.ents]
        # Nothing else is kept.
        assert len(doc.user_data) == 1


@pytest.mark.parametrize("name", ["rnn_textcat", "rnn_textcat_multilabel", "textcat"])
def test_probabilities_of_classifiers(name):
    make = trained_spacy if name == "textcat" else make_trained
    plain = make(name)
    for doc in answers(make(name)):
        expected = plain(doc.text).cats
        assert soft_labels_of(doc)["cats"].columns([*expected]) == pytest.approx(
            [*expected.values()]
        )
        best = max(expected, key=expected.get)
        assert doc.cats == {label: float(label == best) for label in expected}


def test_scores_of_spacys_tagger_and_morphologizer():
    plain, taught = (trained_spacy("tagger", "morphologizer") for _ in range(2))
    for doc in answers(taught):
        expected = plain(doc.text)
        soft = soft_labels_of(doc)
        assert soft.keys() == {"tag", "pos", "morph"}
        assert [t.tag_ for t in doc] == [t.tag_ for t in expected]
        tagger, morphologizer = plain.get_pipe("tagger"), plain.get_pipe("morphologizer")
        (scores,) = tagger.model.predict([expected])
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        assert soft["tag"].columns(tagger.labels) == pytest.approx(p, abs=1e-3)
        # Each label of the morphologizer is a morphology with a part of speech.
        (scores,) = morphologizer.model.predict([expected])
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        nouns = [i for i, label in enumerate(morphologizer.labels) if "POS=NOUN" in label]
        assert soft["pos"].columns(["NOUN"])[:, 0] == pytest.approx(p[:, nouns].sum(1), abs=1e-3)
        plural = [i for i, label in enumerate(morphologizer.labels) if "Number=Plur" in label]
        found = soft["morph"].columns(["Number=Plur"])[:, 0]
        assert found == pytest.approx(p[:, plural].sum(1), abs=1e-3)
        assert soft["morph"].columns(["_"]).max() > 0.0


def test_pipelines_without_probabilities_give_labels():
    nlp = spacy.blank("xx")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "FOOD", "pattern": "eggs"}])
    doc, *_ = answers(nlp)
    assert soft_labels_of(doc) == {} and [e.label_ for e in doc.ents] == ["FOOD"]


def test_a_component_that_sets_probabilities():
    @Language.component("asks_a_service")
    def ask(doc):
        doc._.judgments = {"cats": {"GOOD": 0.7, "BAD": 0.3}}
        return doc

    spacy.tokens.Doc.set_extension("judgments", default=None, force=True)
    nlp = spacy.blank("xx")
    nlp.add_pipe("asks_a_service")
    doc, *_ = answers(nlp, attr="judgments")
    assert soft_labels_of(doc)["cats"].columns(["BAD"]) == pytest.approx([0.3])
    assert doc.cats == {"GOOD": 1.0, "BAD": 0.0}


def test_several_teachers_are_averaged():
    one, other = (make_trained("rnn_textcat", steps=n) for n in (2, 40))
    expected = [(one(text).cats, other(text).cats) for text in TEXTS]
    for doc, cats in zip(answers(one, other), expected, strict=True):
        mean = {label: sum(each[label] for each in cats) / 2 for label in cats[0]}
        assert soft_labels_of(doc)["cats"].columns([*mean]) == pytest.approx([*mean.values()])
        assert doc.cats[max(mean, key=mean.get)] == 1.0


def test_labels_are_averaged_too():
    """Two of three teachers find an entity, and the third finds another one."""
    pipelines = []
    for pattern in ("green eggs", "green eggs", "green"):
        nlp = spacy.blank("xx")
        nlp.add_pipe("entity_ruler").add_patterns([{"label": "FOOD", "pattern": pattern}])
        pipelines.append(nlp)
    doc, *_ = answers(*pipelines)
    p = soft_labels_of(doc)["ner"].columns(["O", "B-FOOD", "L-FOOD", "U-FOOD"])
    third = 1 / 3
    assert p == pytest.approx(
        np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0, 2 * third, 0, third], [third, 0, 2 * third, 0]]),
        abs=1e-3,
    )
    assert [entity.text for entity in doc.ents] == ["green eggs"]


def test_numbers_are_averaged():
    pipelines = [make_trained("rnn_regressor", steps=n) for n in (2, 40)]
    expected = [np.mean([nlp(text)._.regression["rating"] for nlp in pipelines]) for text in TEXTS]
    found = answers(*pipelines, kept=["regression"])
    assert [doc._.regression["rating"] for doc in found] == pytest.approx(expected)


def test_tokens_of_the_first_teacher():
    first, other = make_trained("rnn_tagger"), make_trained("rnn_tagger")
    other.tokenizer = spacy.tokenizer.Tokenizer(other.vocab, token_match=lambda text: True)
    docs = answers(first, other, texts=["I'm (green)"])
    assert [t.text for t in docs[0]] == [t.text for t in first.make_doc("I'm (green)")]


def test_documents_keep_their_tokens():
    nlp = make_trained("rnn_tagger")
    doc = spacy.tokens.Doc(spacy.vocab.Vocab(), words=["Eg", "gs"], spaces=[False, False])
    (answered,) = answers(nlp, texts=[doc])
    assert [token.text for token in answered] == ["Eg", "gs"] and len(doc.user_data) == 0


def test_a_student_learns_from_teachers_of_any_kind():
    """The answered docs can be used as references of examples without changes."""
    taught = answers(trained_spacy("tagger"))
    student = make_trained("rnn_tagger", steps=3)
    examples = [Example(student.make_doc(doc.text), doc) for doc in taught]
    assert student.update(examples)["rnn_tagger"] > 0


@pytest.mark.slow
def test_processes():
    alone, together = (answers(trained_spacy("tagger", "textcat"), n_process=n) for n in (1, 2))
    for one, other in zip(alone, together, strict=True):
        for target, soft in soft_labels_of(one).items():
            found = soft_labels_of(other)[target].columns(soft.labels)
            assert found == pytest.approx(soft.columns(soft.labels), abs=1e-3)


def with_component(set_values):
    """A blank pipeline with a component that sets values on documents."""
    name = f"sets_{id(set_values)}"

    def component(doc):
        set_values(doc)
        return doc

    Language.component(name, func=component)
    nlp = spacy.blank("xx")
    nlp.add_pipe(name)
    return nlp


def gives(**cats):
    return with_component(lambda doc: doc.cats.update(cats))


def test_a_sentence_recognizer_is_not_treated_as_a_tagger():
    examples = make_examples(spacy.blank("xx"))
    for eg in examples:
        for token in eg.reference:
            token.is_sent_start = token.i == 0
    nlp = trained_spacy("tagger")
    nlp.add_pipe("senter").initialize(lambda: examples)
    doc, *_ = answers(nlp)
    assert {*soft_labels_of(doc)["tag"].labels} <= {*nlp.get_pipe("tagger").labels}


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("tag", ["FOOD", "JJ"])
@pytest.mark.parametrize("factory", ["rnn_tagger", "tagger"])
def test_tags_of_rules_are_certain(factory, tag, place):
    nlp = make_trained(factory) if factory == "rnn_tagger" else trained_spacy(factory)
    nlp.get_pipe(factory).cfg["overwrite"] = False
    rules = nlp.add_pipe("attribute_ruler", **{place: True})
    rules.add([[{"ORTH": "eggs"}]], {"TAG": tag})
    doc, *_ = answers(nlp)
    soft = soft_labels_of(doc)["tag"]
    assert doc[3].text == "eggs" and doc[3].tag_ == tag
    assert soft.columns([tag])[3] == 1 == soft.probabilities[3].sum()
    assert 0 < soft.columns(["JJ"])[2] < 1


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("scheme", ["bio", "biluo"])
def test_entities_of_rules_are_certain(place, scheme):
    nlp = make_pipeline("rnn_ner", scheme=scheme)
    train(nlp, make_examples(nlp))
    rules = nlp.add_pipe("entity_ruler", config={"overwrite_ents": True}, **{place: True})
    rules.add_patterns([{"label": "RULE", "pattern": "green eggs"}])
    doc, *_ = answers(nlp)
    soft = soft_labels_of(doc)["ner"]
    assert [(e.text, e.label_) for e in doc.ents][-1] == ("green eggs", "RULE")
    tags = ["B-RULE", "L-RULE" if scheme == "biluo" else "I-RULE"]
    assert soft.columns(tags)[2:] == pytest.approx(np.eye(2))
    assert soft.probabilities[2:].sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("value", [float("nan"), 3.5, -1.0])
def test_values_that_are_not_probabilities(value):
    with pytest.raises(
        ValueError, match=rf"'cats' the value {value:.4g} in the text 'I like green"
    ):
        answers(gives(GOOD=value, BAD=0.0))


def test_classes_of_an_unknown_component():
    doc, *_ = answers(gives(A=0.4, B=0.35, C=0.25))
    assert doc.cats == {"A": 1.0, "B": 0.0, "C": 0.0}


def test_schemes_of_entities_are_not_mixed():
    def bio(doc):
        p = [{"O": 1.0}] * 2 + [{"B-FOOD": 1.0}, {"O": 1.0}]
        doc._.soft_labels = {"ner": p}

    rules = spacy.blank("xx")
    rules.add_pipe("entity_ruler").add_patterns([{"label": "FOOD", "pattern": "green"}])
    doc, *_ = answers(with_component(bio), rules, texts=TEXTS[:1])
    soft = soft_labels_of(doc)["ner"]
    assert soft.columns(["U-FOOD"])[:, 0].tolist() == [0, 0, 1, 0]


def test_multilabel_teachers_answer_for_their_own_labels():
    def adds(label, p):
        nlp = make_trained("rnn_textcat_multilabel")
        nlp.add_pipe(with_component(lambda doc: doc.cats.update({label: p})).pipe_names[0])
        return nlp

    doc, *_ = answers(adds("GOOD", 0.8), adds("SPORTS", 0.6))
    p = soft_labels_of(doc)["cats"].columns(["GOOD", "SPORTS"])
    assert p == pytest.approx([0.8, 0.6])


@pytest.mark.parametrize("kind", ["entities", "tags", "classes"])
def test_teachers_without_a_label_in_common(kind):
    pipelines = []
    for label in ("A", "B"):
        nlp = spacy.blank("xx")
        if kind == "entities":
            nlp.add_pipe("entity_ruler").add_patterns([{"label": label, "pattern": "eggs"}])
        else:
            name = "rnn_tagger" if kind == "tags" else "rnn_textcat"
            nlp.add_pipe(name).add_label(label)
        pipelines.append(Teacher(nlp))
    with pytest.raises(ValueError, match=r"Teachers 1 and 2 share no label of '\w+' \(A; B\)"):
        Teachers(pipelines)


@pytest.mark.parametrize("factory", ["rnn_tagger", "tagger"])
def test_merged_tokens_have_no_probabilities(factory):
    nlp = make_trained(factory) if factory == "rnn_tagger" else trained_spacy(factory)
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "FOOD", "pattern": "green eggs"}])
    nlp.add_pipe("merge_entities")
    with pytest.raises(ValueError, match=r"merges or splits .*\('tag' of 4 tokens, .* now 3\)"):
        answers(nlp)
