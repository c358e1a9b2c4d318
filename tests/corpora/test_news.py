"""Tests of the generated news corpus."""

import importlib
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import spacy

CORPORA = Path(__file__).parents[2] / "corpora"
sys.path.insert(0, str(CORPORA))
news = importlib.import_module("news")

SIZES = {"train": 1600, "dev": 200, "test": 300}
RULES, WORDS = news.lexicon()
SPELLED = {word.form for words in WORDS.values() for word in words} - {*news.LABELS}

# Words of the rules that can also begin names.
NAMING = {*news.NOUNS.split(), *news.SHARED.lower().split()}


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def mentions(sentence: dict) -> list[tuple[str, str]]:
    """The names in a sentence and their labels."""
    return [(sentence["text"][start:end], label) for start, end, label in sentence["entities"]]


@pytest.fixture(scope="module")
def corpus() -> dict[str, list[dict]]:
    return {name: read(CORPORA / "news" / f"{name}.jsonl") for name in SIZES}


@pytest.fixture(scope="module")
def everything(corpus) -> list[dict]:
    return [sentence for split in corpus.values() for sentence in split]


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


@pytest.fixture(scope="module")
def readings():
    """A function that finds the possible sets of entities in a text by parsing it. It only knows
    that names are capitalized."""
    grammar = news.reader(RULES, WORDS)

    def readings(text: str) -> set[tuple[tuple[str, str], ...]]:
        tokens = re.findall(r"[A-Z]\.(?= )|'s\b|\w+(?:-\w+)*|[.,&]", text)
        shapes = [token if token in SPELLED else news.shape(token) for token in tokens]
        first = tokens[0][0].lower() + tokens[0][1:]
        starts = [form for form in (tokens[0], first) if form in SPELLED]
        if shapes[0] == news.NAME and (not starts or first in NAMING):
            starts.append(news.NAME)
        found = set()
        for start in starts:
            for words in grammar.taggings([start, *shapes[1:]]):
                names: list[list] = []
                for token, word in zip(tokens, words, strict=True):
                    if word.xpos.startswith("B-"):
                        names.append([[token], word.xpos[2:]])
                    elif word.xpos.startswith("I-"):
                        names[-1][0].append(token)
                found.add(tuple((" ".join(parts), label) for parts, label in names))
        return found

    return readings


@pytest.mark.parametrize(
    ("text", "entities"),
    [
        # One word with four labels; the cue can be far away.
        ("Lincoln resigned.", [("Lincoln", "PERSON")]),
        ("Lincoln reported a loss.", [("Lincoln", "ORG")]),
        ("Lincoln was flooded.", [("Lincoln", "PLACE")]),
        ("Lincoln broke in half.", [("Lincoln", "PRODUCT")]),
        ("Lincoln, little known until Monday, became famous and got a mayor.",
         [("Lincoln", "PLACE")]),
        ("Few people had heard of Lincoln until it raised capital.", [("Lincoln", "ORG")]),
        ("Few people had heard of Lincoln until she fell ill.", [("Lincoln", "PERSON")]),
        ("The bridges of Lincoln, Kelby and Otter caused a stir.",
         [("Lincoln", "PLACE"), ("Kelby", "PLACE"), ("Otter", "PLACE")]),
        ("The buttons of Lincoln, Kelby and Otter caused a stir.",
         [("Lincoln", "PRODUCT"), ("Kelby", "PRODUCT"), ("Otter", "PRODUCT")]),
        # Boundaries.
        ("Maria da Kelby resigned.", [("Maria da Kelby", "PERSON")]),
        ("Mrs Ada K. Kelby resigned.", [("Ada K. Kelby", "PERSON")]),
        ("The Bank of New Kelby reported a loss.", [("The Bank of New Kelby", "ORG")]),
        ("The Kelby broke in half.", [("Kelby", "PRODUCT")]),
        ("Kelby & Lincoln hired Oak-Otter as director.",
         [("Kelby & Lincoln", "ORG"), ("Oak-Otter", "PERSON")]),
        ("Kelby's Lincoln 3 came in red.", [("Kelby", "ORG"), ("Lincoln 3", "PRODUCT")]),
        ("Kelby's Lincoln reported a loss.", [("Kelby", "PLACE"), ("Lincoln", "ORG")]),
        ("To Kelby Lincoln seemed rude.", [("Kelby", "PERSON"), ("Lincoln", "PERSON")]),
        ("In Kelby Lincoln was flooded.", [("Kelby", "PLACE"), ("Lincoln", "PLACE")]),
        # Capitals that are not names.
        ("Otter makers met on Monday.", []),
        ("Danish retailers dismissed 30 workers.", []),
    ],
)  # fmt: skip
def test_entities_follow_from_the_sentence(readings, text, entities):
    assert readings(text) == {tuple(entities)}


def test_a_sentence_with_an_ambiguous_boundary_has_several_readings(readings):
    """Such sentences are left out of the corpus."""
    assert readings("To Kelby Lincoln Otter seemed rude.") == {
        (("Kelby", "PERSON"), ("Lincoln Otter", "PERSON")),
        (("Kelby Lincoln", "PERSON"), ("Otter", "PERSON")),
    }


@pytest.mark.slow
def test_every_sentence_has_one_reading(everything, readings):
    for sentence in everything:
        assert readings(sentence["text"]) == {tuple(mentions(sentence))}, sentence


def test_entities_are_tokens_of_spacy_in_order(everything, nlp):
    sizes = Counter()
    for sentence in everything:
        assert list(sentence) == ["text", "entities"]
        doc, last = nlp.make_doc(sentence["text"]), 0
        for start, end, label in sentence["entities"]:
            span = doc.char_span(start, end)
            assert span is not None and label in news.LABELS and start >= last, sentence
            sizes[len(span)] += 1
            last = end
    assert sorted(sizes) == [1, 2, 3, 4, 5]


def test_splits_have_their_sizes_all_labels_and_no_text_twice(corpus, everything):
    assert {name: len(split) for name, split in corpus.items()} == SIZES
    for split in corpus.values():
        labels = Counter(label for sentence in split for _, label in mentions(sentence))
        assert all(labels[label] > 0.15 * labels.total() for label in news.LABELS)
        assert 0.1 < sum(not sentence["entities"] for sentence in split) / len(split) < 0.2
    assert len({sentence["text"] for sentence in everything}) == len(everything)


def test_text_is_written_properly(everything):
    for sentence in everything:
        assert re.fullmatch(r"[A-Z]([\w&-]|'s|(?<=[A-Z])\.(?= )|,? (?=[\w&]))*\.", sentence["text"])
        assert not re.search(r"\b(a [aeiou]|an [^aeiou])", sentence["text"]), sentence


def test_names_are_adjacent_to_each_other_and_to_possessives(everything):
    between = Counter(
        (sentence["text"][left[1] : right[0]], left[2] == right[2])
        for sentence in everything
        for left, right in zip(sentence["entities"], sentence["entities"][1:], strict=False)
    )
    assert between[" ", True] > 20 and between[" ", False] > 20
    assert between[", ", True] > 100 and between[" and ", True] > 100
    assert sum("'s" in sentence["text"] for sentence in everything) > 200


def test_names_of_test_are_partly_new_and_partly_have_several_labels(corpus, everything):
    labels = defaultdict(set)
    for sentence in everything:
        for name, label in mentions(sentence):
            labels[name].add(label)
    known = {name for sentence in corpus["train"] for name, _ in mentions(sentence)}
    for part in ("dev", "test"):
        names = [name for sentence in corpus[part] for name, _ in mentions(sentence)]
        assert 0.35 < sum(name not in known for name in names) / len(names) < 0.5
        assert 0.45 < sum(len(labels[name]) > 1 for name in names) / len(names) < 0.6


def test_capitals_alone_do_not_determine_entities(everything):
    """Words of names are also common nouns, and both begin sentences."""
    nouns = {noun.capitalize() for noun in news.NOUNS.split()}
    starts = Counter(
        any(start == 0 for start, _, _ in sentence["entities"])
        for sentence in everything
        if sentence["text"].split(" ")[0] in nouns
    )
    assert starts[True] > 100 and starts[False] > 100


def dictionary(train: list[dict], test: list[dict], nlp) -> float:
    """F1 of the longest known names, each with its most frequent label."""
    counts = defaultdict(Counter)
    for sentence in train:
        for name, label in mentions(sentence):
            counts[name][label] += 1
    right = n_found = n_gold = 0
    for sentence in test:
        doc = nlp.make_doc(sentence["text"])
        found, start = set(), 0
        while start < len(doc):
            spans = [doc[start:end] for end in range(min(start + 5, len(doc)), start, -1)]
            span = next((span for span in spans if span.text in counts), None)
            if span is not None:
                ((label, _),) = counts[span.text].most_common(1)
                found.add((span.start_char, span.end_char, label))
            start = span.end if span is not None else start + 1
        gold = {tuple(entity) for entity in sentence["entities"]}
        right, n_found, n_gold = right + len(found & gold), n_found + len(found), n_gold + len(gold)
    return 2 * right / (n_found + n_gold)


def test_a_dictionary_of_names_is_not_enough(corpus, nlp):
    assert dictionary(corpus["train"], corpus["train"], nlp) < 0.8
    assert dictionary(corpus["train"], corpus["test"], nlp) < 0.6


@pytest.mark.slow
def test_generating_again_gives_the_same_bytes(tmp_path):
    command = [sys.executable, str(CORPORA / "news.py"), str(tmp_path / "out")]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "1"})
    for name in SIZES:
        committed = (CORPORA / "news" / f"{name}.jsonl").read_bytes()
        assert (tmp_path / "out" / f"{name}.jsonl").read_bytes() == committed


def test_seed_and_sizes_can_be_chosen(tmp_path):
    options = ["--train", "3", "--dev", "2", "--test", "1"]
    texts = []
    for seed in ("0", "1"):
        news.main([str(tmp_path), "--seed", seed, *options])
        splits = [read(tmp_path / f"{name}.jsonl") for name in SIZES]
        assert [len(split) for split in splits] == [3, 2, 1]
        texts.append([sentence["text"] for split in splits for sentence in split])
    assert set(texts[0]).isdisjoint(texts[1])


@pytest.mark.parametrize("arguments", [[], ["out", "--train", "many"], ["out", "--seed", "x"]])
def test_wrong_arguments_are_errors(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        news.main(arguments)
    assert not list(tmp_path.iterdir())
