"""What is specific to the entity recognizer: preset entities, gold annotation, readings."""

import functools
import itertools
import math

import numpy as np
import pytest
import spacy
import torch
from spacy import displacy
from spacy.tokens import Doc, DocBin, Span, Token
from spacy.training import Example, biluo_tags_to_spans

from spacy_rnn.features.tag_scheme import BEGIN, IN, OUT
from spacy_rnn.runtime.batching import MemoryLimits

from ..helpers.pipelines import SENTENCES, make_doc, make_examples, make_pipeline, train

WAYS = list(itertools.product(["bio", "biluo"], ["crf", "softmax"]))
every_way = pytest.mark.parametrize("scheme, decoder", WAYS)
every_decoder = pytest.mark.parametrize("decoder", ["crf", "softmax"])
every_scheme = pytest.mark.parametrize("scheme", ["bio", "biluo"])
#: more readings than any short doc has
ALL = 600
numbers = itertools.count()


def make(scheme="biluo", decoder="crf", model=None, **config):
    return make_pipeline("rnn_ner", {"decoder": decoder, **(model or {})}, scheme=scheme, **config)


def pipe_of(nlp):
    return nlp.get_pipe("rnn_ner")


@functools.cache
def trained_bytes(scheme="biluo", decoder="crf"):
    nlp = make(scheme, decoder)
    train(nlp, make_examples(nlp))
    return nlp.to_bytes(exclude=["tokenizer"])


def make_trained(scheme="biluo", decoder="crf", **config):
    data = trained_bytes(scheme, decoder)
    return make(scheme, decoder, **config).from_bytes(data, exclude=["tokenizer"])


@functools.cache
def shared(scheme="biluo", decoder="crf"):
    """A trained pipeline for tests that do not change it."""
    return make_trained(scheme, decoder)


def make_random(scheme, decoder, seed=0, **config):
    """An untrained pipeline with random scores."""
    nlp = make(scheme, decoder, **config)
    nlp.initialize(lambda: make_examples(nlp))
    torch.manual_seed(seed)
    for parameter in pipe_of(nlp).shim.module.parameters():
        torch.nn.init.normal_(parameter)
    return nlp


@functools.cache
def shared_random(scheme, decoder):
    """A random pipeline for tests that do not change it."""
    return make_random(scheme, decoder)


@pytest.fixture
def attr():
    """The name of an extension, which is removed after the test."""
    name = f"ner_{next(numbers)}"
    yield name
    for owner in (Span, Doc, Token):
        if owner.has_extension(name):
            owner.remove_extension(name)


def entities(doc):
    return [(ent.start, ent.end, ent.label_) for ent in doc.ents]


def gold_tags(nlp, *examples):
    """The names of the gold tags, None for tags that are not known."""
    pipe = pipe_of(nlp)
    gold = pipe.get_targets(list(examples))
    tags = gold.arrays["ner"].tolist()
    assert gold.n_items == sum(tag >= 0 for tag in tags)
    return [pipe.tags[tag] if tag >= 0 else None for tag in tags]


def docs_of_sentences(nlp):
    return [make_doc(nlp.vocab, sentence[0]) for sentence in SENTENCES]


# Learning


@every_way
def test_learns_entities(scheme, decoder):
    nlp = shared(scheme, decoder)
    examples = make_examples(nlp)
    scores = nlp.evaluate(examples)
    assert scores["ents_f"] == scores["ents_p"] == scores["ents_r"] == 1.0
    assert set(scores["ents_per_type"]) == {"FOOD", "PERSON"}
    assert all(found["f"] == 1.0 for found in scores["ents_per_type"].values())
    for example, doc in zip(examples, nlp.pipe(docs_of_sentences(nlp)), strict=True):
        assert doc.has_annotation("ENT_IOB", require_complete=True)
        assert entities(doc) == entities(example.reference) != []


def test_labels_and_tags():
    pipe = pipe_of(shared("bio"))
    assert pipe.labels == ("FOOD", "PERSON") and pipe.label_data == ["FOOD", "PERSON"]
    assert pipe.tags == ("O", "B-FOOD", "I-FOOD", "B-PERSON", "I-PERSON")


@pytest.mark.parametrize("part", [{"scheme": "iob"}, {"model": {"decoder": "viterbi"}}])
def test_settings_that_make_no_sense(part):
    with pytest.raises(ValueError, match="scheme|decoder"):
        make(**part)


def test_displacy_shows_entities():
    html = displacy.render(shared()("She eats one ham ."), style="ent", jupyter=False)
    assert "PERSON" in html and "FOOD" in html


@every_scheme
def test_labels_with_hyphens(scheme, tmp_path):
    """Labels that look like tags are allowed too."""
    nlp = make(scheme)
    words = ["the", "long", "song", "of", "cells"]
    reference = Doc(nlp.vocab, words=words)
    reference.ents = [Span(reference, 1, 3, "creative-work"), Span(reference, 4, 5, "B-cell")]
    # The same text with other tokens.
    split = Doc(
        nlp.vocab,
        words=["the", "long", "so", "ng", "of", "cells"],
        spaces=[True, True, False, True, True, False],
    )
    examples = [Example(make_doc(nlp.vocab, " ".join(words)), reference), Example(split, reference)]
    train(nlp, examples)
    assert pipe_of(nlp).labels == ("B-cell", "creative-work")
    nlp.to_disk(tmp_path)
    nlp = spacy.load(tmp_path)
    assert entities(nlp(Doc(nlp.vocab, words=words))) == entities(reference)
    assert nlp.evaluate(examples)["ents_f"] == 1.0


def test_docs_without_entities():
    nlp = make()
    without = make_doc(nlp.vocab, "I like nothing .", ents="O O O O")
    examples = [*make_examples(nlp), Example(make_doc(nlp.vocab, "I like nothing ."), without)]
    train(nlp, examples, steps=60)
    assert nlp.evaluate(examples)["ents_f"] == 1.0
    doc = nlp(make_doc(nlp.vocab, "I like nothing ."))
    assert not doc.ents and doc.has_annotation("ENT_IOB", require_complete=True)


def test_no_entity_in_the_training_data():
    nlp = make()
    examples = [Example(make_doc(nlp.vocab, "a b"), make_doc(nlp.vocab, "a b", ents="O O"))]
    with pytest.raises(ValueError, match="'rnn_ner' has no labels: no entity is annotated"):
        nlp.initialize(lambda: examples)
    unknown = make_doc(nlp.vocab, "a b")
    unknown.set_ents([], missing=[unknown[0:1]], default="outside")
    with pytest.raises(ValueError, match="In 1 of the documents, tokens are not annotated"):
        nlp.initialize(lambda: [*examples, Example(make_doc(nlp.vocab, "a b"), unknown)])
    # With a label, training on texts without entities is possible.
    pipe_of(nlp).add_label("FOOD")
    train(nlp, examples, steps=20)
    assert not nlp(make_doc(nlp.vocab, "a b")).ents


@pytest.mark.parametrize("words", [["I", "zap"], ["I", "z", "ap"]])
def test_unknown_gold_label_in_training_is_an_error(words):
    nlp = shared()
    reference = make_doc(nlp.vocab, "I zap", ents="O B-ZAP")
    spaces = [True, *[False] * (len(words) - 1)]
    example = Example(Doc(nlp.vocab, words=words, spaces=spaces), reference)
    with pytest.raises(ValueError, match=r"entity 'ZAP'.*'rnn_ner'.*add_label\('ZAP'\)"):
        nlp.update([example], sgd=nlp.resume_training())


def test_unknown_gold_label_in_evaluation_is_a_miss():
    nlp = shared()
    reference = make_doc(nlp.vocab, "She eats ham", ents="B-PERSON O B-ZAP")
    scores = nlp.evaluate([Example(make_doc(nlp.vocab, "She eats ham"), reference)])
    assert scores["ents_per_type"]["ZAP"]["r"] == 0.0
    assert scores["ents_per_type"]["PERSON"]["r"] == 1.0


def test_overlapping_gold_entities():
    nlp = shared()
    doc = nlp.make_doc("I like green eggs")
    with pytest.raises(ValueError, match="E103"):
        Example.from_dict(doc, {"entities": [(7, 17, "FOOD"), (13, 17, "FOOD")]})


def test_add_label_to_a_trained_model_keeps_what_it_knows():
    nlp = make_trained()
    pipe = pipe_of(nlp)
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.01
    nlp.update(make_examples(nlp), sgd=optimizer)
    (crf,) = pipe.shim.module.crfs.values()
    known = {name: p.detach().clone() for name, p in crf.named_parameters()}
    assert known["transitions"].any()
    doc = make_doc(nlp.vocab, "She eats ham")
    before = {spans_of(r): r.probability for r in pipe.readings([doc], ALL)[0]}
    assert pipe.add_label("ZAP") == 1
    (crf,) = pipe.shim.module.crfs.values()
    for name, p in crf.named_parameters():
        n = len(known[name])
        assert len(p) == n + 4 == len(pipe.tags)
        assert torch.equal(p[(slice(n),) * p.dim()], known[name])
    # The readings without the new label keep their proportions.
    after = {
        spans_of(r): r.probability
        for r in pipe.readings([doc], ALL)[0]
        if all(ent.label_ != "ZAP" for ent in r.entities)
    }
    share = sum(after.values())
    assert after.keys() == before.keys() and 0 < share < 1
    for reading, p in before.items():
        assert after[reading] / share == pytest.approx(p, rel=1e-2)
    reference = make_doc(nlp.vocab, "I zap", ents="O B-ZAP")
    example = Example(make_doc(nlp.vocab, "I zap"), reference)
    optimizer.learn_rate = 0.05
    for _ in range(25):
        nlp.update([example, *make_examples(nlp)], sgd=optimizer)
    assert entities(nlp(make_doc(nlp.vocab, "I zap"))) == [(1, 2, "ZAP")]
    assert nlp.evaluate(make_examples(nlp))["ents_f"] == 1.0


# Preset entities


@every_way
@pytest.mark.parametrize("default", ["missing", "outside"])
def test_preset_entities_are_kept(scheme, decoder, default):
    """Entities with any label are kept, and new entities do not overlap them."""
    nlp = shared(scheme, decoder)
    for label in ("VERB", "FOOD", "PERSON"):
        doc = make_doc(nlp.vocab, "She eats one ham .")
        preset = Span(doc, 1, 3, label, kb_id="Q1", span_id="id1")
        doc.set_ents([preset], default=default)
        doc = nlp(doc)
        assert (1, 3, label) in entities(doc)
        (there,) = [ent for ent in doc.ents if ent.start == 1]
        assert (there.kb_id_, there.id_, there.ent_id_) == ("Q1", "id1", "id1")
        assert (0, 1, "PERSON") in entities(doc)
        assert doc.has_annotation("ENT_IOB", require_complete=True)
        assert all(not ent.kb_id_ and not ent.id_ for ent in doc.ents if ent.start != 1)


@every_way
@pytest.mark.parametrize("default", ["missing", "outside"])
def test_blocked_tokens_are_in_no_entity(scheme, decoder, default):
    nlp = shared(scheme, decoder)
    doc = make_doc(nlp.vocab, "I like green eggs")
    assert entities(nlp(doc.copy())) == [(2, 4, "FOOD")]
    doc.set_ents([], blocked=[doc[2:3]], default=default)
    doc = nlp(doc)
    assert all(ent.start > 2 or ent.end <= 2 for ent in doc.ents)
    assert doc[2].ent_iob == BEGIN and doc[2].ent_type == 0
    assert all(token.ent_iob for token in doc)


def test_unannotated_tokens_are_outside_after_prediction():
    nlp = shared()
    doc = make_doc(nlp.vocab, "She eats one ham .")
    doc.set_ents([], outside=[doc[4:5]], default="missing")
    doc = nlp(doc)
    assert [token.ent_iob for token in doc] == [BEGIN, OUT, OUT, BEGIN, OUT]
    # Tokens that an earlier prediction left outside of entities are predicted again.
    doc.set_ents([], default="outside")
    assert entities(nlp(doc)) == [(0, 1, "PERSON"), (3, 4, "FOOD")]


@pytest.mark.parametrize("place", ["before", "after"])
def test_entity_ruler(attr, place):
    nlp = make_trained(confidence_attr=attr)
    ruler = nlp.add_pipe("entity_ruler", **{place: "rnn_ner"})
    ruler.add_patterns([{"label": "VERB", "pattern": word} for word in ("eats", "ham")])
    doc = nlp(make_doc(nlp.vocab, "She eats one ham ."))
    ham = "VERB" if place == "before" else "FOOD"
    assert entities(doc) == [(0, 1, "PERSON"), (1, 2, "VERB"), (3, 4, ham)]
    for ent in doc.ents:
        assert (ent._.get(attr) is None) == (ent.label_ == "VERB")
    # The ruler marks tokens as outside even where it finds nothing.
    assert entities(nlp(make_doc(nlp.vocab, "I like green eggs"))) == [(2, 4, "FOOD")]


def random_doc(nlp, generator, n, presets=True, sentences=True):
    """Known and unknown words, white space, sentences, preset entities and blocked tokens."""
    words = ["I", "She", "eats", "unknown", "eggs", ".", "ham", "\n", "  "]
    doc = Doc(nlp.vocab, words=generator.choice(words, n).tolist())
    if sentences and n and generator.random() < 0.7:
        for i, token in enumerate(doc):
            token.is_sent_start = bool(i == 0 or generator.random() < 0.2)
    there, blocked = [], []
    if presets and generator.random() < 0.7:
        start = 0
        while start < n:
            end = min(n, start + int(generator.integers(1, 4)))
            kind = generator.choice(["FOOD", "PERSON", "OTHER", "", *[None] * 4])
            if kind == "":
                blocked.append(doc[start:end])
            elif kind:
                there.append(Span(doc, start, end, kind))
            start = end
        doc.set_ents(there, blocked=blocked, default=str(generator.choice(["missing", "outside"])))
    kept = [(span.start, span.end, span.label_) for span in there]
    return doc, kept, [token.i for span in blocked for token in span]


@every_way
def test_constraints_on_predictions(scheme, decoder):
    """The constraints hold for a network with random weights."""
    nlp = shared_random(scheme, decoder)
    generator = np.random.default_rng(0)
    made = [random_doc(nlp, generator, int(generator.integers(0, 25))) for _ in range(150)]
    seen = {"long": 0, "with space": 0, "kept": 0}
    for doc, (_, there, blocked) in zip(nlp.pipe(doc for doc, *_ in made), made, strict=True):
        found = entities(doc)
        assert set(there) <= set(found)
        assert all(doc[i].ent_iob == BEGIN and not doc[i].ent_type for i in blocked)
        assert all(token.ent_iob for token in doc)
        for start, end, label in set(found) - set(there):
            assert label in ("FOOD", "PERSON")
            assert not doc[start].is_space and not doc[end - 1].is_space
            assert not any(doc[i].is_sent_start for i in range(start + 1, end))
            assert not any(start <= i < end for i in blocked)
            assert not any(start < e and s < end for s, e, _ in there)
            seen["long"] += end - start > 2
            seen["with space"] += any(token.is_space for token in doc[start:end])
        seen["kept"] += len(there)
    # In "bio", inner tokens and the last token have the same tag.
    assert (seen.pop("with space") > 3) == (scheme == "biluo")
    assert min(seen.values()) > 3


# Gold


@pytest.mark.parametrize(
    "known, expected",
    [
        ({"default": "missing"}, [None, None, "B-FOOD", "L-FOOD", None]),
        ({"default": "outside"}, ["O", "O", "B-FOOD", "L-FOOD", "O"]),
        ({"missing": (0, 1)}, [None, "O", "B-FOOD", "L-FOOD", "O"]),
        ({"missing": (4, 5)}, ["O", "O", "B-FOOD", "L-FOOD", None]),
        ({"outside": (1, 2), "default": "missing"}, [None, "O", "B-FOOD", "L-FOOD", None]),
        ({"blocked": (0, 2), "default": "missing"}, ["O", "O", "B-FOOD", "L-FOOD", None]),
    ],
)
def test_partial_gold(known, expected):
    nlp = shared()
    reference = make_doc(nlp.vocab, "I like green eggs .")
    parts = {
        name: [reference[slice(*value)]] if isinstance(value, tuple) else value
        for name, value in known.items()
    }
    reference.set_ents([Span(reference, 2, 4, "FOOD")], **parts)
    example = Example(make_doc(nlp.vocab, "I like green eggs ."), reference)
    assert gold_tags(nlp, example) == expected
    # The same text with other tokens.
    words = ["I", "like", "green", "eg", "gs", "."]
    split = Doc(nlp.vocab, words=words, spaces=[True, True, True, False, True, True])
    expected = [*expected[:2], "B-FOOD", "I-FOOD", "L-FOOD", expected[4]]
    if "blocked" in known:
        expected[:2] = [None, None]
    assert gold_tags(nlp, Example(split, reference)) == expected


@every_way
def test_docs_without_annotation_change_nothing(scheme, decoder):
    """Their white space changes nothing either."""
    nlp = make_trained(scheme, decoder)
    same, other = Doc(nlp.vocab, words=["a", "b", "\n"]), Doc(nlp.vocab, words=["a b", "\n"])
    examples = [Example(same.copy(), same), Example(other, same)]
    before = pipe_of(nlp).model.to_bytes()
    assert nlp.update(examples, sgd=nlp.resume_training()) == {"rnn_ner": 0.0}
    assert pipe_of(nlp).model.to_bytes() == before

    def gradients(batch):
        parameters = list(pipe_of(nlp).shim.module.parameters())
        for parameter in parameters:
            parameter.grad = None
        nlp.update(batch, sgd=False)
        return [parameter.grad.numpy() for parameter in parameters]

    annotated = make_examples(nlp)
    pairs = zip(gradients(annotated), gradients(annotated + examples), strict=True)
    for alone, among_others in pairs:
        np.testing.assert_allclose(among_others, alone, rtol=1e-3, atol=1e-5)


def spans_of(reading):
    return frozenset((ent.start, ent.end, ent.label_) for ent in reading.entities)


def agrees(reading, reference):
    """Whether a reading has all known entities, exactly, and none at tokens known to be outside."""
    known = set(entities(reference))
    found = spans_of(reading)
    outside = {token.i for token in reference if token.ent_iob == OUT}
    return known <= found and not any(
        i in outside for start, end, _ in found for i in range(start, end)
    )


@every_scheme
def test_loss_is_the_probability_of_the_readings_that_agree(scheme):
    """A known entity does not extend further, even if the tokens beside it are not known."""
    nlp = make_random(scheme, "crf", seed=1)
    generator = np.random.default_rng(0)
    partial = 0
    for _ in range(14):
        words = generator.choice(["I", "eats", "eggs", "ham"], 5).tolist()
        reference = Doc(nlp.vocab, words=words)
        ents = [
            Span(reference, int(generator.integers(0, 2)), 2, "FOOD"),
            Span(reference, 3, 4, generator.choice(["FOOD", "PERSON"])),
        ]
        outside = [reference[i : i + 1] for i in (2, 4) if generator.random() < 0.3]
        keep = ents[: int(generator.integers(1, 3))]
        reference.set_ents(keep, outside=outside, default="missing")
        partial += any(not token.ent_iob for token in reference)
        loss = nlp.update([Example(Doc(nlp.vocab, words=words), reference)], sgd=False)["rnn_ner"]
        readings = pipe_of(nlp).readings([Doc(nlp.vocab, words=words)], ALL)[0]
        share = sum(r.probability for r in readings if agrees(r, reference))
        assert loss == pytest.approx(-math.log(share), rel=1e-3, abs=1e-3)
    assert partial > 7


def test_loss_of_a_softmax_is_the_sum_over_known_tokens():
    nlp = shared_random("biluo", "softmax")

    def loss(*entities, **known):
        reference = make_doc(nlp.vocab, "I like green eggs")
        spans = [Span(reference, *entity) for entity in entities]
        outside = [reference[start:end] for start, end in known.values()]
        reference.set_ents(spans, outside=outside, default="missing")
        example = Example(make_doc(nlp.vocab, "I like green eggs"), reference)
        return nlp.update([example], sgd=False)["rnn_ner"]

    food = (2, 4, "FOOD")
    both = loss(food, outside=(0, 2))
    assert both == pytest.approx(loss(food) + loss(outside=(0, 2)), rel=1e-5)


@every_way
def test_partial_gold_is_learned(scheme, decoder):
    """Only one half of each doc is annotated."""
    nlp = make(scheme, decoder)
    halves = []
    for words, *_, ents, _ in SENTENCES:
        tags = ents.split()
        middle = len(tags) // 2
        for first, unknown in (True, slice(middle, None)), (False, slice(None, middle)):
            reference = make_doc(nlp.vocab, words, ents=ents)
            there = [e for e in reference.ents if (e.start < middle) == first]
            reference.set_ents(there, missing=[reference[unknown]])
            example = Example(make_doc(nlp.vocab, words), reference)
            assert None in example.get_aligned_ner()
            halves.append(example)
    train(nlp, halves)
    assert nlp.evaluate(make_examples(nlp))["ents_f"] == 1.0


def test_gold_is_aligned_to_other_tokens():
    nlp = shared()
    reference = make_doc(
        nlp.vocab, "She eats green-eggs and blue ham .", ents="B-PERSON O B-FOOD O B-FOOD I-FOOD O"
    )
    words = ["She", "eats", "green", "-", "eggs", "and", "blue ham", "."]
    spaces = [True, True, False, False, True, True, True, True]
    example = Example(Doc(nlp.vocab, words=words, spaces=spaces), reference)
    assert gold_tags(nlp, example) == [
        "U-PERSON",
        "O",
        "B-FOOD",
        "I-FOOD",
        "L-FOOD",
        "O",
        "U-FOOD",
        "O",
    ]
    assert gold_tags(shared("bio"), example)[2:5] == ["B-FOOD", "I-FOOD", "I-FOOD"]


@pytest.mark.parametrize(
    "gold, ents, expected",
    [
        # the entity ends in the token, begins in it, is inside it
        (["She", "eats", "ham", "-", "egg"], "B-PERSON O B-FOOD O O", ["U-PERSON", "O", None]),
        (["She", "eats", "ham", "-", "egg"], "B-PERSON O O O B-FOOD", ["U-PERSON", "O", None]),
        (["She", "eats", "ham", "-", "egg"], "B-PERSON O O B-FOOD O", ["U-PERSON", "O", None]),
        # the entity continues from the previous token
        (
            ["She", "eats", "ham", "-", "egg"],
            "B-PERSON B-FOOD I-FOOD O O",
            ["U-PERSON", None, None],
        ),
    ],
)
def test_entities_within_a_token_are_a_warning(gold, ents, expected):
    nlp = shared()
    spaces = [True, True, False, False, False]
    reference = Doc(nlp.vocab, words=gold, spaces=spaces, ents=ents.split())
    predicted = Doc(nlp.vocab, words=["She", "eats", "ham-egg"], spaces=spaces[:3])
    example = Example(predicted, reference)
    with pytest.warns(UserWarning, match="W030"):
        assert gold_tags(nlp, example) == expected
    with pytest.warns(UserWarning, match="W030"):
        assert nlp.update([example], sgd=nlp.resume_training())["rnn_ner"] > 0


@pytest.mark.parametrize(
    "words, span, expected",
    [
        (
            ["I", " ", "green", "\n", "eggs", "\n", " "],
            (1, 7),
            ["O", "O", "B-FOOD", "I-FOOD", "L-FOOD", "O", "O"],
        ),
        (["\n", "\n", "ham"], (0, 3), ["O", "O", "U-FOOD"]),
        (["ham", "\n", "\n"], (0, 3), ["U-FOOD", "O", "O"]),
        (["I", "\n", " ", "ham"], (1, 3), ["O", "O", "O", "O"]),
    ],
)
def test_white_space_at_the_edges_of_gold_entities(words, span, expected):
    nlp = shared()
    reference = Doc(nlp.vocab, words=words)
    reference.ents = [Span(reference, *span, "FOOD")]
    assert gold_tags(nlp, Example(Doc(nlp.vocab, words=words), reference)) == expected
    # An entity directly after it is not changed.
    longer = Doc(nlp.vocab, words=[*words, "She", "eats"])
    longer.ents = [Span(longer, *span, "FOOD"), Span(longer, len(words), len(longer), "FOOD")]
    example = Example(Doc(nlp.vocab, words=[*words, "She", "eats"]), longer)
    after = ["O"] * (len(words) - span[1]) if span[1] < len(words) else []
    assert gold_tags(nlp, example) == [
        *expected[: span[1]],
        *(after and expected[span[1] :]),
        "B-FOOD",
        "L-FOOD",
    ]
    assert np.isfinite(nlp.update([example], sgd=False)["rnn_ner"])


def test_inside_without_a_beginning_begins_an_entity():
    nlp = shared()
    reference = make_doc(nlp.vocab, "I like green eggs")
    values = np.zeros((4, 2), dtype="uint64")
    values[:, 0] = [OUT, OUT, IN, IN]
    values[2:, 1] = nlp.vocab.strings["FOOD"]
    reference.from_array(["ENT_IOB", "ENT_TYPE"], values)
    example = Example(make_doc(nlp.vocab, "I like green eggs"), reference)
    assert gold_tags(nlp, example) == ["O", "O", "B-FOOD", "L-FOOD"]


# Probabilities


def tags_of(pipe, reading, n):
    """The index of the tag of each token in a reading."""
    iob, labels = np.full(n, OUT), np.full(n, -1)
    for start, end, label in spans_of(reading):
        iob[start:end], iob[start] = IN, BEGIN
        labels[start:end] = pipe.labels.index(label)
    return pipe.scheme.encode(iob, labels)


@every_way
def test_probabilities_are_sums_over_all_readings(attr, scheme, decoder):
    nlp = make_random(scheme, decoder, seed=2, confidence_attr=attr)
    pipe = pipe_of(nlp)
    generator = np.random.default_rng(1)
    made = [
        random_doc(nlp, generator, n, presets, sentences=presets)
        for n, presets in itertools.product((0, 1, 3, 4, 5, 5), (False, True))
    ]
    docs = [doc for doc, *_ in made]
    readings = pipe.readings(docs, ALL)
    marginals = pipe.predict_probabilities(docs)
    checked = 0
    for (doc, there, _), found, p in zip(made, readings, marginals, strict=True):
        assert len({spans_of(r) for r in found}) == len(found) < ALL
        assert sum(r.probability for r in found) == pytest.approx(1.0, abs=1e-4)
        known = {key for key in there if key[2] in pipe.labels}
        assert all(known <= spans_of(r) for r in found)
        sums = np.zeros((len(doc), len(pipe.tags)))
        for reading in found:
            sums[np.arange(len(doc)), tags_of(pipe, reading, len(doc))] += reading.probability
        np.testing.assert_allclose(p, sums, atol=1e-4)
        for ent in nlp(doc).ents:
            key = (ent.start, ent.end, ent.label_)
            if key in there:
                assert ent._.get(attr) is None
            else:
                expected = sum(r.probability for r in found if key in spans_of(r))
                assert ent._.get(attr) == pytest.approx(expected, abs=1e-4)
                checked += 1
    assert checked > 3


@every_way
@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.4, 0.7, 1.0])
def test_threshold_weighs_each_token_of_an_entity(attr, scheme, decoder, threshold):
    """Each token lowers the score of a reading by the log-odds of the threshold; confidences are
    still sums of the probabilities of readings."""
    nlp = make_random(scheme, decoder, seed=2, confidence_attr=attr)
    pipe = pipe_of(nlp)
    generator = np.random.default_rng(1)
    docs = [random_doc(nlp, generator, n, presets=n > 4)[0] for n in (0, 1, 3, 4, 5, 5)]
    readings = pipe.readings(docs, ALL)
    pipe.cfg["threshold"] = threshold
    assert pipe.readings(docs, ALL) == readings
    p = min(max(threshold, 1e-9), 1 - 1e-9)
    for doc, found in zip(docs, readings, strict=True):

        def score(reading, p=p):
            n_tokens = sum(end - start for start, end, _ in spans_of(reading))
            return math.log(reading.probability) - n_tokens * math.log(p / (1 - p))

        there = {(ent.start, ent.end, ent.label_) for ent in doc.ents}
        ents = nlp(doc).ents
        best = spans_of(max(found, key=score))
        assert {(e.start, e.end, e.label_) for e in ents} == best | there
        for ent in ents:
            key = (ent.start, ent.end, ent.label_)
            if key not in there:
                expected = sum(r.probability for r in found if key in spans_of(r))
                assert ent._.get(attr) == pytest.approx(expected, abs=1e-4)


@every_way
def test_all_readings_are_found(scheme, decoder):
    """There are as many readings as ways to mark entities with two labels."""
    pipe = pipe_of(shared_random(scheme, decoder))
    for words, n in ([], 1), (["a"], 3), (["a", "b"], 11), (["a", "b", "c"], 41):
        (readings,) = pipe.readings([Doc(pipe.vocab, words=words)], ALL)
        assert len({spans_of(r) for r in readings}) == len(readings) == n
        p = [r.probability for r in readings]
        assert p == sorted(p, reverse=True)


@every_way
def test_readings(scheme, decoder):
    nlp = shared(scheme, decoder)
    pipe = pipe_of(nlp)
    docs = [*docs_of_sentences(nlp), Doc(nlp.vocab), make_doc(nlp.vocab, "something unheard of")]
    before = [doc.to_bytes() for doc in docs]
    readings = pipe.readings(docs, 3)
    assert [doc.to_bytes() for doc in docs] == before
    assert readings[4] == [(1.0, ())]
    assert all(len(found) == 3 for i, found in enumerate(readings) if i != 4)
    for found, doc in zip(readings, docs, strict=True):
        assert all(ent.doc is doc for reading in found for ent in reading.entities)
        assert [(e.start, e.end, e.label_) for e in found[0].entities] == entities(nlp(doc))
    assert readings[0][0].probability > 0.9
    assert pipe.readings([]) == []
    assert len(pipe.readings([make_doc(nlp.vocab, "a b c")])[0]) == 5


def test_number_of_readings_that_makes_no_sense():
    pipe = pipe_of(shared())
    with pytest.raises(ValueError, match="'n' must be a whole number of at least 1, got 0"):
        pipe.readings([], n=0)


def test_readings_of_a_doc_with_very_many_readings():
    nlp = make_random("biluo", "crf", seed=3)
    doc = Doc(nlp.vocab, words=["I", "zap", "eggs"] * 300)
    (found,) = pipe_of(nlp).readings([doc], 2)
    assert len(found) == 2 and all(0 <= reading.probability < 1e-30 for reading in found)
    best = [(ent.start, ent.end, ent.label_) for ent in found[0].entities]
    assert best == entities(nlp(doc)) != []


def test_confidences_are_stored_with_docs(attr):
    nlp = make_trained(confidence_attr=attr)
    docs = list(nlp.pipe(docs_of_sentences(nlp)))
    expected = [[ent._.get(attr) for ent in doc.ents] for doc in docs]
    assert all(isinstance(p, float) and 0.5 < p <= 1.0 for found in expected for p in found)
    stored = DocBin(docs=docs, store_user_data=True).to_bytes()
    for copies in (
        [Doc(nlp.vocab).from_bytes(doc.to_bytes()) for doc in docs],
        list(DocBin().from_bytes(stored).get_docs(nlp.vocab)),
    ):
        assert [[ent._.get(attr) for ent in doc.ents] for doc in copies] == expected


def test_confidences_change_no_prediction(attr):
    generator = np.random.default_rng(0)
    plain, asked = shared_random("biluo", "crf"), make_random("biluo", "crf", confidence_attr=attr)
    docs = [random_doc(plain, generator, 12)[0] for _ in range(20)]
    copies = [Doc(asked.vocab).from_bytes(doc.to_bytes()) for doc in docs]
    for doc, copy in zip(plain.pipe(docs), asked.pipe(copies), strict=True):
        assert entities(doc) == entities(copy)


@every_way
def test_probabilities_on_request(attr, scheme, decoder):
    nlp = make_trained(scheme, decoder, probabilities_attr=attr)
    pipe = pipe_of(nlp)
    docs = [*docs_of_sentences(nlp), Doc(nlp.vocab)]
    expected = pipe.predict_probabilities(docs)
    for doc, same in zip(nlp.pipe(docs), expected, strict=True):
        found = doc._.get(attr)
        assert [token._.get(attr) for token in doc] == found
        p = np.array(found).reshape(len(doc), len(pipe.tags))
        np.testing.assert_allclose(p, same, atol=1e-6)
        np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-4)
        tags = [pipe.tags[i] for i in p.argmax(axis=1)]
        if scheme == "biluo":
            spans = biluo_tags_to_spans(doc, tags)
            assert [(s.start, s.end, s.label_) for s in spans] == entities(doc)
        else:
            iob = [t.ent_iob_ + (t.ent_type_ and "-" + t.ent_type_) for t in doc]
            assert tags == iob


# Long documents


@every_decoder
def test_a_long_doc_in_windows(attr, decoder):
    """With a unidirectional encoder, windows change nothing."""
    model = {"encoder": {"direction": "forward"}}
    nlp = make_random("biluo", decoder, model=model, confidence_attr=attr)
    pipe = pipe_of(nlp)
    words = " ".join(sentence[0] for sentence in SENTENCES * 30).split()

    def read(limits):
        pipe.model.attrs["limits"] = limits
        doc = nlp(Doc(nlp.vocab, words=words))
        return entities(doc), [ent._.get(attr) for ent in doc.ents]

    whole, p = read(MemoryLimits(batch_tokens=4096, window=5000, overlap=200))
    in_windows, p_in_windows = read(MemoryLimits(batch_tokens=100, window=50, overlap=0))
    assert in_windows == whole and len(whole) > 50
    np.testing.assert_allclose(p_in_windows, p, atol=1e-3)


@every_decoder
def test_confidences_of_a_very_long_doc(attr, decoder):
    model = {"window": 50, "overlap": 10, "batch_tokens": 100}
    nlp = make_trained("biluo", decoder, model=model, confidence_attr=attr)
    words = " ".join(sentence[0] for sentence in SENTENCES * 200).split()
    doc = nlp(Doc(nlp.vocab, words=words))
    confidences = np.array([ent._.get(attr) for ent in doc.ents])
    assert len(doc) == 3000 and len(confidences) > 500
    assert np.isfinite(confidences).all()
    assert confidences.min() >= 0 and confidences.max() <= 1 + 1e-5


# Calibration


def scaled(nlp, factor):
    """Multiply all scores of tags and transitions by a factor, which only changes the certainty."""
    module = pipe_of(nlp).shim.module
    with torch.no_grad():
        for parameter in [*module.heads.parameters(), *module.crfs.parameters()]:
            parameter *= factor


def mixed_examples(nlp):
    """Examples, one of which contradicts the others."""
    wrong = Example(make_doc(nlp.vocab, "She eats"), make_doc(nlp.vocab, "She eats", ents="O O"))
    return [*make_examples(nlp), wrong]


@every_way
def test_calibration_corrects_overconfidence(scheme, decoder):
    nlp = make_trained(scheme, decoder)
    pipe = pipe_of(nlp)
    examples = mixed_examples(nlp)
    before = pipe.calibrate(examples)
    probabilities = pipe.predict_probabilities([eg.predicted for eg in examples])
    scaled(nlp, 1.7)
    assert pipe.calibrate(examples) == pytest.approx(1.7 * before, rel=0.03)
    again = pipe.predict_probabilities([eg.predicted for eg in examples])
    for one, other in zip(again, probabilities, strict=True):
        np.testing.assert_allclose(one, other, atol=0.03)


def test_calibration_makes_gold_more_probable_and_changes_no_entity():
    nlp = make_trained()
    pipe = pipe_of(nlp)
    examples = mixed_examples(nlp)
    docs = [eg.reference.copy() for eg in examples]

    def log_p():
        """The sum of the log-probabilities of the gold readings."""
        total = 0.0
        for eg in examples:
            gold = {(e.start, e.end, e.label_) for e in eg.reference.ents}
            (readings,) = pipe.readings([Doc(nlp.vocab, words=[t.text for t in eg.predicted])], ALL)
            total += sum(np.log(r.probability) for r in readings if spans_of(r) == gold)
        return total

    before, entities_before = log_p(), [entities(nlp(doc.text)) for doc in docs]
    assert pipe.calibrate(examples) > 1.0
    assert log_p() > before
    assert [entities(nlp(doc.text)) for doc in docs] == entities_before


def test_temperature_is_saved(tmp_path):
    nlp = make_trained()
    temperature = pipe_of(nlp).calibrate(make_examples(nlp))
    nlp.to_disk(tmp_path)
    assert pipe_of(spacy.load(tmp_path)).cfg["temperature"] == temperature != 1.0


def test_calibration_needs_annotation():
    nlp = shared()
    unknown = Example(make_doc(nlp.vocab, "a b"), make_doc(nlp.vocab, "a b"))
    empty = Example(Doc(nlp.vocab), Doc(nlp.vocab))
    for examples in ([], [unknown], [empty]):
        with pytest.raises(ValueError, match="doc.ents"):
            pipe_of(nlp).calibrate(examples)
