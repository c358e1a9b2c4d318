"""The choice of texts that are uncertain and differ from each other."""

import random

import numpy as np
import pytest

from spacy_rnn.analysis.selection import CANDIDATES, N_GRAM, Selection, minhash


def choose(texts, n, **settings):
    found = Selection()
    found.choose(texts, n, **settings)
    return found


def words(seed, n=12):
    """A text of random words, which is similar to no other."""
    rng = random.Random(seed)
    return " ".join("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(n))


def test_the_most_uncertain_come_first_and_ties_keep_their_order():
    texts = [(words(i), u) for i, u in enumerate([0.1, 0.5, 0.3, 0.5, 0.2])]
    found = choose(texts, 3)
    assert [choice.text for choice in found.choices] == [words(1), words(3), words(2)]
    assert [choice.uncertainty for choice in found.choices] == [0.5, 0.5, 0.3]


def test_fewer_texts_than_requested():
    assert len(choose([(words(i), i) for i in range(4)], 2**31 - 1).choices) == 4
    assert choose([], 10).choices == []


@pytest.mark.parametrize(
    "copy", ["The soup was cold.", "the SOUP  was cold.", " The soup was cold.\n"]
)
def test_equal_texts_are_never_chosen(copy):
    texts = [("The soup was cold.", 0.9), (words(1), 0.1), (copy, 0.8)]
    found = choose(texts, 3, max_similarity=1.0)
    assert [choice.text for choice in found.choices] == ["The soup was cold.", words(1)]


def test_copies_do_not_fill_the_candidates():
    copies = [("The soup was cold.", 0.9)] * (5 * CANDIDATES)
    others = [(words(i), 0.1) for i in range(3)]
    assert len(choose([*copies, *others], 3).choices) == 3


def test_near_copies_are_left_out():
    first = "Please transfer 100 dollars to my savings account before the end of the week."
    near = first.replace("100", "250")
    texts = [(first, 0.9), (near, 0.8), (words(1), 0.1)]
    found = choose(texts, 2)
    assert [choice.text for choice in found.choices] == [first, words(1)]
    assert found.near_copies == 1
    assert [c.text for c in choose(texts, 2, max_similarity=0.99).choices] == [first, near]


def test_memory_does_not_grow_with_the_number_of_texts():
    """The chosen texts are the same as after sorting all texts."""
    rng = np.random.default_rng(0)
    scores = rng.permutation(20_000)
    found = choose(((f"{n} {words(n, 2)}", float(u)) for n, u in enumerate(scores)), 5)
    expected = np.argsort(-scores)[:5]
    assert [int(choice.text.split()[0]) for choice in found.choices] == expected.tolist()


def n_grams(text):
    padded = f" {text} ".ljust(N_GRAM)
    return {padded[i : i + N_GRAM] for i in range(len(padded) - N_GRAM + 1)}


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_signatures_estimate_the_similarity(share):
    one = words(0, 100).split()
    kept = int(share * len(one))
    other = [*one[:kept], *words(1, 100).split()[kept:]]
    a, b = " ".join(one), " ".join(other)
    exact = len(n_grams(a) & n_grams(b)) / len(n_grams(a) | n_grams(b))
    assert (minhash(a) == minhash(b)).mean() == pytest.approx(exact, abs=0.15)
    assert (minhash(a) == minhash(b)).mean() != 1.0 or share == 1.0


@pytest.mark.parametrize("text", ["", "a", "œuf", "\U0001f95a" * 3, "a" * 1_000_000])
def test_any_text_has_a_signature(text):
    assert minhash(text).shape == minhash("another text").shape
    assert (minhash(text) != minhash("another text")).all()


def test_texts_that_cannot_be_labeled_are_counted():
    found = Selection()
    assert list(found.usable(["", " \n", "ham", "x" * 11], max_length=10)) == ["ham"]
    assert (found.texts, found.empty, found.too_long) == (4, 2, 1)


@pytest.mark.parametrize("settings", [{"n": 0}, {"n": 1, "max_similarity": 1.5}])
def test_bad_settings(settings):
    with pytest.raises(ValueError, match="must be"):
        choose([], **settings)
