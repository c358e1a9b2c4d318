"""Agreement of verbs with their subjects: data, language models and taggers."""

import gzip
import lzma
import math

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_rnn.analysis.agreement import (
    Case,
    Judged,
    Summary,
    judge_language_model,
    judge_tagger,
    plot,
    read_cases,
    summarize,
)

from ..helpers.agreement import CASES, DOG, DOGS, UNITS, WRONG, line_of, make_model, write
from ..helpers.pipelines import make_pipeline, train

# Data


def test_reads_what_is_documented(tmp_path):
    path = write(
        tmp_path / "cases.jsonl",
        '{"words": ["The", "dogs", "bark"], "subject": 1, "verb": 2, "number": "Plur",'
        ' "other": "barks"}',
        "",
        '{"words": ["She", "\'s", "old", "."], "subject": 0, "verb": 1, "number": "Sing",'
        ' "other": null, "attractors": 0, "spaces": [false, true, false, true], "id": 7}',
    )
    first, second = read_cases(path)
    assert first == (["The", "dogs", "bark"], 1, 2, "Plur", "barks", None, None)
    assert second.attractors == 0 and second.other is None
    vocab = spacy.blank("xx").vocab
    assert first.doc(vocab).text == "The dogs bark " and second.doc(vocab).text == "She's old. "
    assert first.doc(vocab, "barks").text == "The dogs barks "
    assert (first.distance, DOG.distance, first._replace(verb=0).distance) == (0, 3, 0)


words = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=5), min_size=2)


@st.composite
def cases(draw):
    sentence = draw(words)
    places = draw(st.permutations(range(len(sentence))))
    other = draw(st.none() | st.text(st.characters(codec="utf-8"), min_size=1))
    return Case(
        sentence,
        places[0],
        places[1],
        draw(st.sampled_from(["Sing", "Plur", "Dual"])),
        None if other == sentence[places[1]] else other,
        draw(st.none() | st.integers(0, 9)),
        draw(st.none() | st.lists(st.booleans(), min_size=len(sentence), max_size=len(sentence))),
    )


@given(st.lists(cases(), min_size=1, max_size=4), st.sampled_from([".jsonl", ".xz", ".gz"]))
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_read(tmp_path_factory, written, ending):
    path = tmp_path_factory.mktemp("cases") / f"cases{ending}"
    with {".xz": lzma.open, ".gz": gzip.open}.get(ending, open)(path, "wb") as file:
        file.write("\r\n".join(map(line_of, written)).encode())
    assert read_cases(path) == written


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


@given(st.sampled_from(Case._fields), anything)
@settings(max_examples=200, deadline=None)
def test_anything_is_a_case_or_an_error_with_its_line(tmp_path_factory, name, value):
    path = tmp_path_factory.mktemp("cases") / "cases.jsonl"
    write(path, line_of(DOG), line_of(DOGS, **{name: value}))
    try:
        _, case = read_cases(path)
    except ValueError as error:
        assert str(error).startswith(f"Line 2 of {path}")
    else:
        doc = case.doc(spacy.blank("xx").vocab)
        assert len(doc) > max(case.subject, case.verb) and case.distance >= 0


@pytest.mark.parametrize(
    "line, message",
    [
        ("", "is empty. Write a case a line, as {"),
        ("The dogs bark", "Line 1 of .* is not valid JSON"),
        ("[1]", r"Line 1 of .* is no JSON object, but \[1\]"),
        ('{"words": ["a", "b"], "verb": 1}', "lacks subject, number, other. Add what is missing"),
        (line_of(DOG, words="The dog"), "'words' must be a list of strings, not 'The dog'"),
        (line_of(DOG, words=[]), "'words' must be a list"),
        (line_of(DOG, words=["a", 3]), "3 is not a text"),
        (line_of(DOG, words=["The", ""]), "is empty. Fill it in"),
        (line_of(DOG, number=None), "the number or the other form is empty"),
        (line_of(DOG, number=1), "1 is not a text"),
        (line_of(DOG, other="barks"), "is 'barks', as the one in the sentence. Write null"),
        (line_of(DOG, verb=8), "'verb' must be a place among 8 words, from 0 to 7, not 8"),
        (line_of(DOG, subject=-1), "'subject' must be a place among 8 words"),
        (line_of(DOG, subject=True), "'subject' must be a place .* not True"),
        (line_of(DOG, subject=5), "subject and verb are the same word"),
        (line_of(DOG, attractors=-1), "'attractors' must be a number of nouns, or null"),
        (line_of(DOG, spaces=[True]), "'spaces' must have true or false for each of the 8 words"),
        (line_of(DOG, spaces=[1] * 8), "'spaces' must have true or false"),
    ],
)
def test_says_what_is_wrong_with_a_line(tmp_path, line, message):
    with pytest.raises(ValueError, match=message):
        read_cases(write(tmp_path / "cases.jsonl", line))


# Language models


@pytest.fixture(scope="module")
def model():
    return make_model()


def pipe_of(nlp):
    return nlp.get_pipe("rnn_lm")


def test_a_model_that_knows_the_sentences(model):
    """Whatever else it holds for probable, the verbs it read are more so."""
    judged = judge_language_model(pipe_of(model), CASES)
    assert judged == (CASES, [True, True], {}) and judged.accuracy == 1.0
    judged = judge_language_model(pipe_of(model), [*WRONG, DOG])
    assert judged.right == [False, False, True] and judged.accuracy == pytest.approx(1 / 3)


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("direction", ["forward", "both"])
def test_probabilities_are_those_of_the_text_up_to_the_verb(units, direction):
    """Of characters and pieces with the next word. Texts that end there give them too, and a model
    that has learned little prefers any of the forms."""
    nlp = make_model(units, direction, steps=2)
    pipe = pipe_of(nlp)
    bare = {"number": "Sing", "other": None}
    turns = [
        Case(words.split(), 1, 2, **bare)._replace(other=other)
        for words, other in [
            ("The dog barks", "bark"), ("The cats bark loudly .", "barks"),
            ("cat dogs The loudly", "near"), (". cat near cat", "cats"), ("The The dog", "dogs"),
        ]
    ]  # fmt: skip
    cases = [*turns, *CASES, *WRONG]
    expected = []
    for case in cases:
        total = []
        for verb in (case.words[case.verb], case.other):
            heard = [*case.words[: case.verb], verb]
            if units != "words":
                heard += case.words[case.verb + 1 : case.verb + 2]
            values = nlp(Doc(nlp.vocab, words=heard))._.log_probability
            ends = units != "words" and len(heard) == case.verb + 1
            total.append(math.fsum(values if ends else values[:-1]))
        expected.append(total[0] > total[1])
    judged = judge_language_model(pipe, cases)
    assert judged.right == expected and 0 < judged.accuracy < 1
    alone = [judge_language_model(pipe, [case]).right[0] for case in cases]
    assert alone == expected


def test_cases_that_a_model_cannot_judge_are_left_out(model):
    cases = [
        DOG._replace(other=None),
        DOG._replace(other="howl"),
        DOG._replace(subject=5, verb=1, other="dogs"),
        DOGS,
    ]
    judged = judge_language_model(pipe_of(model), cases)
    assert judged.cases == [DOGS] and judged.right == [True]
    assert judged.left_out == {
        "whose verb has one form": 1,
        "whose verb is before its subject": 1,
        "with a form of the verb that the model does not know": 1,
    }
    with pytest.raises(ValueError, match="Of 3 cases 'rnn_lm' can judge none: 1 whose verb has"):
        judge_language_model(pipe_of(model), cases[:-1])


def test_what_is_not_told_apart_is_wrong():
    nlp = make_model(steps=1)
    for parameter in pipe_of(nlp).shim.module.parameters():
        parameter.data.zero_()
    assert judge_language_model(pipe_of(nlp), CASES).right == [False, False]


def test_a_model_that_reads_backwards():
    nlp = make_model(direction="backward", steps=1)
    with pytest.raises(ValueError, match='Train one with direction "forward" or "both"'):
        judge_language_model(pipe_of(nlp), CASES)


# Taggers


@Language.component("number_of_suffix")
def number_of_suffix(doc):
    """Takes words that end in s for plural, "." for none."""
    for token in doc:
        if token.is_alpha:
            token.set_morph("Number=Plur" if token.text.endswith("s") else "Number=Sing")
    return doc


def test_taggers_by_hand():
    nlp = spacy.blank("xx")
    nlp.add_pipe("number_of_suffix")
    cases = [DOGS, DOG, DOGS._replace(verb=7), DOG._replace(subject=5, verb=1, other=None)]
    # "bark" and "barks" are wrong, "." has none, "dog" is right.
    assert judge_tagger(nlp, cases) == (cases, [False, False, False, True], {})


def test_a_trained_tagger_tells_the_number_of_a_verb_of_one_form():
    nlp = make_pipeline("rnn_tagger", targets=["morph"])
    cases, examples = [], []
    for noun, number in (("dog", "Sing"), ("dogs", "Plur")):
        case = Case(["The", noun, "near", "it", "slept", "."], 1, 4, number, None)
        gold = case.doc(nlp.vocab)
        for place in (case.subject, case.verb):
            gold[place].set_morph(f"Number={number}")
        examples.append(Example(case.doc(nlp.vocab), gold))
        cases.append(case)
    train(nlp, examples)
    assert judge_tagger(nlp, cases).right == [True, True]
    assert judge_tagger(nlp, [cases[0]._replace(number="Plur")]).right == [False]


def test_a_pipeline_without_numbers(model):
    with pytest.raises(ValueError, match="no Number in token.morph of 2 sentences.*: rnn_lm"):
        judge_tagger(model, CASES)
    with pytest.raises(ValueError, match="Its components: none"):
        judge_tagger(spacy.blank("xx"), CASES)


# Report


def test_summaries_by_hand(tmp_path):
    places = [(1, 3, None), (1, 8, 2), (1, 3, 0), (4, 2, 2), (1, 3, 0)]
    cases = [
        DOG._replace(words=["w"] * 9, subject=subject, verb=verb, attractors=attractors)
        for subject, verb, attractors in places
    ]
    judged = Judged(cases, [True, True, False, False, True], {})
    assert summarize(judged, "distance") == [(1, 4, 2), (6, 1, 1)]
    assert summarize(judged, "attractors") == [(0, 2, 1), (2, 2, 1)]
    assert [each.accuracy for each in summarize(judged, "distance")] == [0.5, 1.0]
    assert judged.accuracy == 0.6
    path = tmp_path / "plot.svg"
    plot(path, {"one": summarize(judged, "distance"), "two": [Summary(12, 2, 1)]})
    drawn = path.read_text(encoding="utf8")
    assert "words between subject and verb" in drawn and "<!-- two -->" in drawn


def test_plot_leaves_gaps(monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        "spacy_rnn.analysis.agreement.save_curves",
        lambda path, steps, panels, x: drawn.update(steps=steps, curves=panels[0].curves),
    )
    plot("", {"one": [Summary(0, 4, 3), Summary(5, 2, 1)], "two": [Summary(2, 1, 1)]})
    assert drawn["steps"] == [0, 2, 5]
    np.testing.assert_equal(drawn["curves"]["one"], [0.75, np.nan, 0.5])
    np.testing.assert_equal(drawn["curves"]["two"], [np.nan, 1.0, np.nan])
