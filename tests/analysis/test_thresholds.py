"""Thresholds compared with a search over all thresholds, and with scores of spaCy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_rnn.analysis.thresholds import Judged, find_threshold, judge, wilson_interval

from ..helpers.pipelines import SENTENCES, make_doc, make_examples, make_trained

predictions = st.lists(
    st.tuples(st.integers(0, 40).map(lambda n: n / 40), st.booleans()), min_size=1, max_size=30
)


def judged_of(pairs, missed):
    confidences, correct = map(list, zip(*pairs, strict=True))
    gold = ["A"] * (sum(correct) + missed)
    return Judged(confidences, correct, ["A"] * len(pairs), gold)


def all_cuts(pairs, judged):
    """Yield each possible threshold with its precision and recall."""
    for cut in sorted({p for p, _ in pairs}):
        taken = [right for p, right in pairs if p >= cut]
        yield cut, sum(taken) / len(taken), sum(taken) / max(1, len(judged.gold))


@given(pairs=predictions, missed=st.integers(0, 5), wanted=st.integers(0, 20))
@settings(max_examples=200)
def test_finds_the_best_of_all_thresholds(pairs, missed, wanted):
    wanted /= 20
    judged = judged_of(pairs, missed)
    cuts = list(all_cuts(pairs, judged))
    for name, place in (("precision", 1), ("recall", 2)):
        found = find_threshold(judged, **{name: wanted})
        best = max(cut[place] for cut in cuts)
        assert found.reached == (best >= wanted)
        good = [cut for cut in cuts if cut[place] >= min(wanted, best)]
        expected = min(good) if name == "precision" else max(good)
        assert (found.precision, found.recall) == expected[1:]
        # A user who compares confidences with the threshold gets the same counts.
        taken = [right for p, right in pairs if p >= found.threshold]
        assert (len(taken), sum(taken)) == (found.predictions, found.correct)


def test_a_threshold_has_few_digits():
    judged = judged_of([(0.987654321, True), (0.71234, True), (0.70999, False)], 0)
    assert find_threshold(judged, precision=1.0).threshold == 0.71
    judged = judged_of([(0.71234, True), (0.71233, False)], 0)
    assert find_threshold(judged, precision=1.0).threshold == 0.71234


def test_without_predictions():
    found = find_threshold(Judged(gold=["A"]), precision=0.9)
    assert found.threshold is None and not found.reached
    assert (found.precision, found.recall, found.precision_interval) == (0.0, 0.0, (0.0, 1.0))


@pytest.mark.parametrize("n, total", [(0, 1), (1, 1), (0, 20), (7, 20), (20, 20), (999, 1000)])
def test_intervals_are_those_of_wilson(n, total):
    expected = binomtest(n, total).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose(wilson_interval(n, total), expected, atol=1e-6)


@pytest.mark.parametrize(
    "wanted", [{}, {"precision": 0.5, "recall": 0.5}, {"precision": 1.5}, {"recall": -1}]
)
def test_bad_settings(wanted):
    with pytest.raises(ValueError, match="Give either|must be in"):
        find_threshold(judged_of([(0.5, True)], 0), **wanted)


SCORES = {
    "rnn_tagger": ("tag", "tag_acc", "tag_acc"),
    "rnn_ner": ("ents", "ents_p", "ents_r"),
    "rnn_textcat": ("cats", "cats_micro_p", "cats_micro_r"),
}


@pytest.mark.parametrize("steps", [2, 6, 40])
@pytest.mark.parametrize("factory", SCORES)
def test_all_predictions_have_the_scores_of_spacy(factory, steps):
    nlp = make_trained(factory, steps=steps)
    kind, precision, recall = SCORES[factory]
    scores = nlp.evaluate(make_examples(nlp))
    judged = judge(nlp, factory, make_examples(nlp))[kind]
    n_correct = sum(judged.correct)
    assert n_correct / max(1, len(judged.correct)) == pytest.approx(scores[precision] or 0)
    assert n_correct / len(judged.gold) == pytest.approx(scores[recall] or 0)
    assert all(0 < p <= 1 for p in judged.confidences)


def test_each_label_of_a_multilabel_classifier_is_judged():
    nlp = make_trained("rnn_textcat_multilabel")
    judged = judge(nlp, "rnn_textcat_multilabel", make_examples(nlp))["cats"]
    assert sorted(judged.labels) == ["EAT"] * 4 + ["LIKE"] * 4
    assert sorted(judged.gold) == ["EAT", "EAT", "LIKE", "LIKE"]
    assert find_threshold(judged, precision=1.0).recall == 1.0
    by_label = judged.by_label()
    assert [*by_label] == ["EAT", "LIKE"]
    assert by_label["EAT"].gold == ["EAT", "EAT"] and len(by_label["EAT"].correct) == 4


def test_different_tokens_are_aligned():
    nlp = make_trained("rnn_ner")
    reference = Doc(nlp.vocab, words=["blue", "ha", "m"], spaces=[True, False, False])
    reference.set_ents([Span(reference, 0, 3, label="FOOD")])
    words = make_doc(nlp.vocab, "blue ham")
    judged = judge(nlp, "rnn_ner", [Example(words, reference)])["ents"]
    assert (judged.labels, judged.correct, judged.gold) == (["FOOD"], [True], ["FOOD"])


def test_texts_without_annotation_are_not_judged():
    words = SENTENCES[0][0]
    for factory in ("rnn_tagger", "rnn_ner", "rnn_textcat", "rnn_textcat_multilabel"):
        nlp = make_trained(factory)
        bare = Example(make_doc(nlp.vocab, words), make_doc(nlp.vocab, words))
        for judged in judge(nlp, factory, [bare]).values():
            assert judged == Judged()
