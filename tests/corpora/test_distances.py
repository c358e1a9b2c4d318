"""Tests of the cases of agreement at a distance."""

import json
import os
import subprocess
import sys
from itertools import product

import pytest

from ..helpers.corpora import corpora_module
from ..helpers.paths import ROOT

DISTANCES = (0, 1, 4, 7)
SIZE = 4
NUMBERS = {"Sing", "Plur"}


@pytest.fixture(scope="module")
def distances():
    return corpora_module("distances")


@pytest.fixture(scope="module")
def tenses():
    return corpora_module("grammar").grammars()


@pytest.fixture(scope="module", params=[False, True], ids=["two forms", "one form"])
def cases(request, distances):
    return distances.cases(1, SIZE, DISTANCES, request.param)


def taggings(tenses, words):
    return set().union(*(grammar.taggings(words) for grammar in tenses))


def features(word):
    return dict(pair.split("=") for pair in word.feats.split("|") if "=" in pair)


def with_other(case):
    return [case["other"] if i == case["verb"] else w for i, w in enumerate(case["words"])]


def test_each_distance_has_the_same_number_of_cases(cases):
    places = [(case["verb"] - case["subject"] - 1, case["number"]) for case in cases]
    assert sorted(places) == sorted([*product(DISTANCES, NUMBERS)] * SIZE)
    openings = [tuple(case["words"][: case["verb"] + 1]) for case in cases]
    assert len(set(openings)) == len(openings)


def test_places_numbers_and_attractors_are_those_of_the_only_tagging(cases, tenses):
    for case in cases:
        (reading,) = taggings(tenses, case["words"])
        subject, verb = reading[case["subject"]], reading[case["verb"]]
        assert subject.upos in {"NOUN", "PROPN", "PRON"}
        assert features(verb)["VerbForm"] == "Fin" and features(verb)["Person"] == "3"
        assert features(subject)["Number"] == features(verb)["Number"] == case["number"]
        nouns = [
            features(word)["Number"]
            for word in reading[case["subject"] + 1 : case["verb"]]
            if word.upos in {"NOUN", "PROPN"}
        ]
        assert case["attractors"] == sum(number != case["number"] for number in nouns)
    assert {case["attractors"] for case in cases} >= {0, 1}


def test_the_other_form_is_ungrammatical(distances, tenses):
    """No sentence of the grammar begins with these words and the other form of the verb."""
    for case in distances.cases(2, SIZE, DISTANCES):
        assert case["other"] != case["words"][case["verb"]]
        assert taggings(tenses, with_other(case)) == set()
        opening = with_other(case)[: case["verb"] + 1]
        assert all(not grammar.last_words(opening) for grammar in tenses)


def test_verbs_of_one_form_can_be_read_in_one_number(distances, tenses):
    for case in distances.cases(2, SIZE, DISTANCES, one_form=True):
        assert case["other"] is None
        opening = case["words"][: case["verb"] + 1]
        readings = set().union(*(grammar.last_words(opening) for grammar in tenses))
        assert {features(word).get("Number") for word in readings} == {case["number"]}


def test_no_earlier_verb_shows_the_number(distances):
    """Checked on random sentences, with the subjects that the sampler assigned to verbs."""
    grammar = corpora_module("grammar")
    tenses = grammar.grammars()
    others = {}
    for each in tenses:
        others |= distances.other_numbers(each.lexicon)
    stream = grammar.sample_sentences(tenses, 5)
    found = left_out = 0
    for _ in range(400):
        tokens = next(stream)
        given = [(each.subject, each.verb) for each in distances.agreements(tokens, others)]
        expected = []
        for verb, token in enumerate(tokens):
            if token.subject is None or features(token.word).get("Person") != "3":
                continue
            subject = tokens.index(token.subject)
            earlier = [t for t in tokens[:verb] if t.subject is token.subject]
            tells = any(features(t.word).get("Number") and two_forms(t.word) for t in earlier)
            if subject < verb and not tells:
                expected.append((subject, verb))
            left_out += tells
        assert given == expected
        found += len(given)
    assert found > 300 and left_out > 20


def two_forms(word):
    """Return True for "was" and "were", and for third-person verbs in the present."""
    return word.form in {"was", "were"} or features(word)["Tense"] == "Pres"


@pytest.mark.parametrize(
    "form, other",
    [("is", "are"), ("was", "were"), ("has", "have"), ("'s", "'re"), ("sleeps", "sleep"),
     ("carries", "carry"), ("does", "do"), ("slept", "slept"), ("had", "had")],
)  # fmt: skip
def test_other_forms_of_verbs(distances, tenses, form, other):
    pairs = {}
    for grammar in tenses:
        pairs |= distances.other_numbers(grammar.lexicon)
    found = {
        plural.form
        for word, plural in pairs.items()
        if word.form == form and features(word)["Number"] == "Sing"
    }
    assert other in found and all(pairs[pairs[word]] == word for word in pairs)
    assert not any(word.form in {"can", "could", "sheep"} for word in pairs)


@pytest.mark.slow
def test_generating_again_gives_the_same_bytes(distances, tmp_path, capsys):
    options = ["--cases", "3", "--distances", "0", "3", "--seed", "4"]
    distances.main([str(tmp_path / "new" / "here.jsonl"), *options])
    assert "12 cases" in capsys.readouterr().out
    script = ROOT / "corpora" / "distances.py"
    command = [sys.executable, str(script), str(tmp_path / "there.jsonl"), *options]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "1"})
    here = (tmp_path / "new" / "here.jsonl").read_bytes()
    assert here == (tmp_path / "there.jsonl").read_bytes()
    distances.main([str(tmp_path / "other.jsonl"), *options[:-1], "5"])
    assert here != (tmp_path / "other.jsonl").read_bytes()
    case = json.loads(here.splitlines()[0])
    assert len(case["spaces"]) == len(case["words"]) and case["spaces"][-2:] == [False, True]


def test_a_distance_that_is_too_rare_is_an_error(distances, tmp_path, capsys):
    with pytest.raises(SystemExit):
        distances.main([str(tmp_path / "far.jsonl"), "--distances", "29"])
    assert "invalid choice: 29" in capsys.readouterr().err
