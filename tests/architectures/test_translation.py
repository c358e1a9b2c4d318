"""From hypotheses to translations: several segmentations of one text, combinations of sentences."""

import math

import pytest
import torch

from spacy_rnn.architectures.translation import Translation, copied, distinct, join
from spacy_rnn.nn.search import Hypothesis, length_penalty


def hypothesis(pieces, log_p, alpha=0.6, more=0.0):
    score = log_p / length_penalty(len(pieces), alpha) + more
    return Hypothesis(torch.tensor(pieces), log_p, score, torch.full((len(pieces), 2), log_p))


def translation(text, log_p):
    return Translation(text, log_p, log_p, text.split(), None)


@pytest.mark.parametrize("alpha", [0.0, 0.6])
def test_probabilities_of_segmentations_are_added(alpha):
    one = hypothesis([4, 5], math.log(0.2), alpha)
    other = hypothesis([6], math.log(0.19), alpha)
    better = hypothesis([7], math.log(0.25), alpha)
    (text, first), second = distinct(["c", "ab", "ab"], [better, one, other], alpha)
    assert text == "ab" and second == ("c", better)
    best = max(one, other, key=lambda h: h.score)
    assert first.pieces is best.pieces and first.attention is best.attention
    assert first.log_probability == pytest.approx(math.log(0.39))
    penalty = length_penalty(len(best.pieces), alpha)
    assert first.score == pytest.approx(math.log(0.39) / penalty)
    assert better.score > best.score and better.score < first.score


def test_texts_that_look_the_same_are_the_same():
    """French has non-breaking spaces before question marks."""
    texts = ["Tu viens\u202f?", "Tu viens ?", "Viens-tu ?", "Tu viens\xa0?"]
    log_p = [math.log(p) for p in (0.1, 0.3, 0.35, 0.05)]
    found = distinct(texts, [hypothesis([4 + i], p) for i, p in enumerate(log_p)], 0.0)
    assert [text for text, _ in found] == ["Tu viens ?", "Viens-tu ?"]
    assert found[0][1].log_probability == pytest.approx(math.log(0.45))
    first = [translation("a\xa0b", -1.0), translation("a", -2.0)]
    second = [translation("c", -1.0), translation("b c", -3.0)]
    assert [t.text for t in join(["", " ", ""], [first, second], 4)] == [
        "a\xa0b c",
        "a c",
        "a\xa0b b c",
    ]


def test_other_penalties_are_kept():
    both = [hypothesis([4, 5], -2.0, more=-0.5), hypothesis([6], -9.0)]
    ((_, found),) = distinct(["ab", "ab"], both, 0.6)
    log_p = -2.0 + math.log(1 + math.exp(-7.0))
    assert found.score == pytest.approx(log_p / length_penalty(2, 0.6) - 0.5)


def test_one_sample_drawn_twice_counts_once():
    one = hypothesis([4, 5], math.log(0.4))
    assert distinct(["ab"] * 3, [one] * 3, 0.6) == [("ab", one)]


def test_no_sum_of_probabilities_exceeds_one():
    both = [hypothesis([4, 5], 0.0), hypothesis([6], -30.0)]
    ((_, found),) = distinct(["ab", "ab"], both, 0.6)
    assert found.log_probability == found.score == 0.0


def test_a_combination_counts_once():
    """Even if it arises in two ways."""
    first = [translation("a", -1.0), translation("a b", -2.0)]
    second = [translation("b c", -1.0), translation("c", -3.0)]
    texts = [t.text for t in join(["", " ", "\n"], [first, second], 4)]
    assert texts == ["a b c\n", "a b b c\n", "a c\n"]


def test_nothing_to_translate():
    (nothing,) = join([" \n"], [], 3)
    assert nothing.text == " \n" and nothing.pieces == [] and nothing.score == 0.0
    (nothing,) = join([" ", "\n"], [[copied("\0")]], 3)
    assert nothing.text == " \0\n"
