"""Tests of the inflection of words and of the grammar engine."""

import importlib
import sys
from collections import Counter
from itertools import product
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "corpora"))
inflection = importlib.import_module("inflection")
pcfg = importlib.import_module("pcfg")
Word = inflection.Word


@pytest.mark.parametrize(
    ("stem", "suffix", "form"),
    [
        ("barn", "s", "barns"),
        ("box", "s", "boxes"),
        ("watch", "s", "watches"),
        ("city", "s", "cities"),
        ("play", "s", "plays"),
        ("chase", "ed", "chased"),
        ("carry", "ed", "carried"),
        ("play", "ed", "played"),
        ("dance", "ing", "dancing"),
        ("carry", "ing", "carrying"),
        ("happy", "er", "happier"),
        ("late", "est", "latest"),
        ("old", "er", "older"),
    ],
)
def test_regular_spelling(stem, suffix, form):
    assert inflection.suffixed(stem, suffix) == form


def test_principal_parts_override_the_regular_forms():
    assert inflection.noun("sheep/sheep")["3p"].form == "sheep"
    assert inflection.compared("big/bigger/biggest", "ADJ")["est"] == Word(
        "biggest", "big", "ADJ", "JJS", "Degree=Sup"
    )
    past = inflection.verb("run/ran/run/running", "Past")
    present = inflection.verb("go/went/gone", "Pres")
    assert past["3p"] == Word(
        "ran", "run", "VERB", "VBD", "Mood=Ind|Number=Plur|Person=3|Tense=Past|VerbForm=Fin"
    )
    assert [past[name].form for name in ("inf", "en", "ing")] == ["run", "run", "running"]
    assert [(present[name].form, present[name].xpos) for name in ("1s", "3s", "ing")] == [
        ("go", "VBP"),
        ("goes", "VBZ"),
        ("going", "VBG"),
    ]


TINY_LEXICON = {
    "N:3s": [Word("cat", "cat", "NOUN", "NN", "Number=Sing")],
    "N:3p": [Word("cats", "cat", "NOUN", "NNS", "Number=Plur")],
    "V:3s": [Word("sees", "see", "VERB", "VBZ", "VerbForm=Fin")],
    "V:3p": [Word("see", "see", "VERB", "VBP", "VerbForm=Fin")],
    "Rel": [Word("that", "that", "PRON", "WDT")],
    "Now": [Word("now", "now", "ADV", "RB")],
}
TINY_RULES = """
S     1  NP:n VP:n
NP:n  3  N:n
NP:n  1  N:n Rel VP:n
NP:n  1  N:n Rel NP:m V:m
VP:n  1  V:n N:m (Now)
"""


@pytest.fixture(scope="module")
def tiny():
    numbers = {"3s": 0.5, "3p": 0.5, "1s": 0.0}
    return pcfg.Grammar(TINY_RULES, TINY_LEXICON, {"n": numbers, "m": numbers})


def test_rules_are_instantiated_per_form_and_unproductive_ones_dropped(tiny):
    # Two values of n and two of m, each with and without "now"; there are no words in form 1s.
    assert sorted(tiny.rules) == ["NP:3p", "NP:3s", "S", "VP:3p", "VP:3s"]
    assert [rule.symbols for rule in tiny.rules["S"]] == [("NP:3s", "VP:3s"), ("NP:3p", "VP:3p")]
    assert {rule.symbols: rule.weight for rule in tiny.rules["VP:3s"]} == pytest.approx(
        {
            ("V:3s", "N:3s"): 0.35,
            ("V:3s", "N:3p"): 0.35,
            ("V:3s", "N:3s", "Now"): 0.15,
            ("V:3s", "N:3p", "Now"): 0.15,
        }
    )


def test_verbs_get_the_head_of_their_subject(tiny):
    rng = Random(0)
    # The positions of the subjects of the verbs, for sentences given by their parts of speech. The
    # last two are "cats that see cats see cats" and "cats that cats see see cats".
    expected = {
        "NOUN VERB NOUN": [0],
        "NOUN PRON VERB NOUN VERB NOUN": [0, 0],
        "NOUN PRON NOUN VERB VERB NOUN": [2, 0],
    }
    found = set()
    for _ in range(200):
        tokens = tiny.sample(rng).tokens
        verbs = [token for token in tokens if token.word.upos == "VERB"]
        assert all(token.subject is None for token in tokens if token not in verbs)
        for verb in verbs:
            assert (verb.subject.word.xpos, verb.word.xpos) in {("NN", "VBZ"), ("NNS", "VBP")}
        pattern = " ".join(token.word.upos for token in tokens)
        if pattern in expected:
            found.add(pattern)
            assert [tokens.index(verb.subject) for verb in verbs] == expected[pattern]
    assert found == set(expected)


def test_taggings_distinguish_readings_but_not_derivations():
    words = {
        "N": [Word("a", "a", "NOUN", "NN"), Word("b", "b", "NOUN", "NN")],
        "V": [Word("a", "a", "VERB", "VB")],
    }
    rules = "S 1 X X\nX 1 N\nX 1 V\nS 1 N Y\nY 1 X"
    ambiguous = pcfg.Grammar(rules, words, {})
    assert ambiguous.taggings(["b", "b"]) == {(words["N"][1],) * 2}  # two derivations
    assert ambiguous.taggings(["B", "a"]) == {
        (words["N"][1], words["N"][0]),
        (words["N"][1], words["V"][0]),
    }
    assert ambiguous.taggings(["b", "B"]) == set()
    assert ambiguous.taggings(["b"]) == set()


SHEEP = [Word("sheep", "sheep", "NOUN", xpos) for xpos in ("NN", "NNS")]


@pytest.fixture(scope="module")
def with_sheep():
    """The tiny grammar with a noun that has the same form in both numbers."""
    lexicon = dict(TINY_LEXICON)
    for category, word in zip(("N:3s", "N:3p"), SHEEP, strict=True):
        lexicon[category] = [*lexicon[category], word]
    numbers = {"3s": 0.5, "3p": 0.5}
    return pcfg.Grammar(TINY_RULES, lexicon, {"n": numbers, "m": numbers})


@pytest.mark.parametrize(
    ("forms", "expected"),
    [
        ("cat", {"NN"}),
        ("Cats", {"NNS"}),
        ("cat sees", {"VBZ"}),
        ("cat see", set()),
        ("sheep", {"NN", "NNS"}),
        ("sheep see", {"VBP"}),
        ("cats that sheep see see", {"VBP"}),
        ("cats that sheep see sees", set()),
        ("cats that see cat sees", set()),
        ("cat sees sheep", {"NN", "NNS"}),
        ("cat sees sheep now", {"RB"}),
        ("cat sees sheep now now", set()),
        ("now", set()),
        ("dog", set()),
    ],
)
def test_last_words_by_hand(with_sheep, forms, expected):
    assert {word.xpos for word in with_sheep.last_words(forms.split())} == expected


def test_last_words_are_those_of_sampled_sentences(with_sheep):
    """The last words of sampled openings are found. All short openings are sampled, so no other
    last words are found for them."""
    rng = Random(0)
    seen = {}
    for _ in range(3000):
        words = [token.word for token in with_sheep.sample(rng).tokens]
        for length in range(1, len(words) + 1):
            opening = tuple(word.form for word in words[:length])
            seen.setdefault(opening, set()).add(words[length - 1])
    assert all(words <= with_sheep.last_words(opening) for opening, words in seen.items())
    spellings = ("cat", "cats", "sheep", "see", "sees", "that", "now")
    for length in (1, 2, 3):
        for opening in product(spellings, repeat=length):
            assert with_sheep.last_words(opening) == seen.get(opening, set())


def test_optional_symbols_and_weights_are_obeyed():
    words = {name: [Word(name, name, "X", "X")] for name in "AB"}
    choice = pcfg.Grammar("S 3 A\nS 1 B", words, {})
    rng = Random(0)
    counts = Counter(choice.sample(rng).tokens[0].word.form for _ in range(1000))
    assert 700 < counts["A"] < 800
    option = pcfg.Grammar("S 1 A (B)", words, {})
    lengths = Counter(len(option.sample(rng).tokens) for _ in range(1000))
    assert 250 < lengths[2] < 350
