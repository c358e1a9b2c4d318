"""Tests of the generated reviews corpus."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

CORPORA = Path(__file__).parents[2] / "corpora"
sys.path.insert(0, str(CORPORA))
pcfg = importlib.import_module("pcfg")
reviews = importlib.import_module("reviews")

SIZES = {"train": 1600, "dev": 200, "test": 300}


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def tokens(text: str) -> list[str]:
    return re.findall(r"n't|\w+(?=n't)|\w+|[.,]", text)


@pytest.fixture(scope="module")
def corpus() -> dict[str, list[dict]]:
    return {name: read(CORPORA / "reviews" / f"{name}.jsonl") for name in SIZES}


@pytest.fixture(scope="module")
def everything(corpus) -> list[dict]:
    return [review for split in corpus.values() for review in split]


@pytest.fixture(scope="module")
def readings():
    """A function that gives the readings of a sentence, found by parsing its text."""
    grammars = [
        pcfg.Grammar(reviews.RULES, reviews.lexicon(subject), reviews.VALUES)
        for subject in reviews.SUBJECTS
    ]
    return lambda text: set().union(*(one.taggings(tokens(text)) for one in grammars))


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("The film was great.", 3),
        ("This was an awful hotel.", -3),
        ("The buttons were rather charming.", 1.5),
        ("I can say that the view was very dull.", -2.5),
        ("I disliked the plot.", -2),
        ("The screen was a triumph.", 3),
        # One negation.
        ("The songs weren't really good.", -1.25),
        ("I did not hate the story.", 1.5),
        ("I can't say that the songs in the last scene were great.", -1.5),
        ("I would be lying if I said that I loved the breakfast.", -1.5),
        ("I would be lying if I said that the camera in the first version was decent.", -0.5),
        ("I never once thought that the film that my brother loved was good.", -1),
        ("I don't think that this was a weak phone.", 0.5),
        ("Nobody who watched it with me called the actors dull.", 1),
        ("Nobody that I know enjoyed the ending.", -1),
        ("It is a lie that the room was terrible.", 1.5),
        ("It would be wrong to call the ending weak.", 0.5),
        ("There was nothing bad about the beds.", 1),
        ("Awful is not the word for the keyboard.", 1.5),
        ("Neither the plot nor the poems that everybody talks about were good.", -1),
        ("The waiters were far from pleasant.", -0.5),
        ("The battery was anything but a disaster.", 1.5),
        (
            "Nobody who watched it with me called the songs of the film that the critics loved "
            "awful.",
            1.5,
        ),
        # Two negations.
        ("I can't say that the film wasn't good.", 0.5),
        ("Nobody thought that the showers weren't awful.", -0.75),
        # Words of negation without effect.
        ("I would not be lying if I said that the poems were dull.", -2),
        ("I have no doubt that the camera was good.", 2),
        ("Nobody can deny that the camera was bad.", -2),
        ("The waiters were nothing short of wonderful.", 3),
        ("The sequel that nobody told me about was decent.", 1),
        # Opinions of others.
        ("The film that the critics called awful was great.", 3),
        ("The songs that my sister didn't love weren't dull.", 1),
        ("My brother hated it, but the view was nothing short of wonderful.", 3),
        ("Some people called it great, but there was something bland about the pool.", -1),
        ("My wife hated it, but nobody called the view bad.", 1),
    ],
)
def test_rating_of_a_sentence(readings, text, rating):
    assert {reviews.rating(words) for words in readings(text)} == {rating}


@pytest.mark.slow
def test_every_rating_follows_from_the_text(everything, readings):
    for review in everything:
        values = []
        for sentence in re.split(r"(?<=\.) ", review["text"]):
            found = readings(sentence)
            assert {sum("Grade" in word.feats for word in words) for words in found} == {1}
            (value,) = {reviews.rating(words) for words in found}
            values.append(value)
        assert review["rating"] == round(sum(values) / len(values), 2)


def test_labels_agree_with_ratings(everything):
    for review in everything:
        assert list(review) == ["text", "cats", "rating"]
        assert 0.25 <= abs(review["rating"]) <= 3.75
        positive = review["rating"] > 0
        assert review["cats"] == {"POSITIVE": float(positive), "NEGATIVE": float(not positive)}


def test_splits_have_their_sizes_both_labels_and_no_text_twice(corpus, everything):
    assert {name: len(split) for name, split in corpus.items()} == SIZES
    for split in corpus.values():
        assert 0.4 < sum(review["cats"]["POSITIVE"] for review in split) / len(split) < 0.6
    assert len({review["text"] for review in everything}) == len(everything)


def test_text_is_written_properly(everything):
    for review in everything:
        sentences = re.split(r"(?<=\.) ", review["text"])
        assert 1 <= len(sentences) <= 3
        for sentence in sentences:
            assert re.fullmatch(r"[A-Z](\w|n't|,? (?=\w))*\.", sentence), sentence
            assert not re.search(r"\b(a [aeiou]|an [^aeiou])", sentence), sentence


def bag_of_words(train: list[dict], test: list[dict], longest: int) -> float:
    """Accuracy of ridge regression on the n-grams of a text up to a length."""

    def grams(review: dict) -> set[tuple[str, ...]]:
        words = tokens(review["text"].lower())
        return {
            tuple(words[start : start + length])
            for start in range(len(words))
            for length in range(1, longest + 1)
        }

    column = {gram: i for i, gram in enumerate(sorted(set().union(*map(grams, train))))}

    def matrix(split: list[dict]) -> numpy.ndarray:
        values = numpy.zeros((len(split), len(column)))
        for row, review in zip(values, split, strict=True):
            row[[column[gram] for gram in grams(review) if gram in column]] = 1
        return values

    def labels(split: list[dict]) -> numpy.ndarray:
        return numpy.sign([review["rating"] for review in split])

    known = matrix(train)
    kernel = known @ known.T + 10 * numpy.eye(len(known))
    predicted = matrix(test) @ known.T @ numpy.linalg.solve(kernel, labels(train))
    return float(numpy.mean(numpy.sign(predicted) == labels(test)))


@pytest.mark.parametrize(("longest", "bound"), [(1, 0.75), (2, 0.8)])
def test_the_words_alone_do_not_determine_the_label(corpus, longest, bound):
    assert bag_of_words(corpus["train"], corpus["test"], longest) < bound


@pytest.mark.slow
def test_generating_again_gives_the_same_bytes(tmp_path):
    command = [sys.executable, str(CORPORA / "reviews.py"), str(tmp_path / "out")]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "1"})
    for name in SIZES:
        committed = (CORPORA / "reviews" / f"{name}.jsonl").read_bytes()
        assert (tmp_path / "out" / f"{name}.jsonl").read_bytes() == committed


def test_seed_and_sizes_can_be_chosen(tmp_path):
    options = ["--train", "3", "--dev", "2", "--test", "1"]
    texts = []
    for seed in ("0", "1"):
        reviews.main([str(tmp_path), "--seed", seed, *options])
        splits = [read(tmp_path / f"{name}.jsonl") for name in SIZES]
        assert [len(split) for split in splits] == [3, 2, 1]
        texts.append([review["text"] for split in splits for review in split])
    assert set(texts[0]).isdisjoint(texts[1])


@pytest.mark.parametrize("arguments", [[], ["out", "--train", "many"], ["out", "--seed", "x"]])
def test_wrong_arguments_are_errors(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        reviews.main(arguments)
    assert not list(tmp_path.iterdir())
