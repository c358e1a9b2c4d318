"""Agreement of verbs with their subjects: data, language models and taggers."""

import gzip
import lzma
import math
from dataclasses import astuple, fields, replace

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_rnn.analysis.agreement import (
    AgreementCase,
    AgreementGroup,
    AgreementResult,
    evaluate_language_model,
    evaluate_tagger,
    group_cases,
    plot_agreement,
    read_cases,
)

from ..helpers.agreement import CASES, DOG, DOGS, UNITS, WRONG, line_of, make_model, write
from ..helpers.pipelines import make_pipeline, train

# Data


def test_reads_the_documented_format(tmp_path):
    path = write(
        tmp_path / "cases.jsonl",
        '{"words": ["The", "dogs", "bark"], "subject": 1, "verb": 2, "number": "Plur",'
        ' "other": "barks"}',
        "",
        '{"words": ["She", "\'s", "old", "."], "subject": 0, "verb": 1, "number": "Sing",'
        ' "other": null, "attractors": 0, "spaces": [false, true, false, true], "id": 7}',
    )
    first, second = read_cases(path)
    assert astuple(first) == (["The", "dogs", "bark"], 1, 2, "Plur", "barks", None, None)
    assert second.attractors == 0 and second.other is None
    vocab = spacy.blank("xx").vocab
    assert first.doc(vocab).text == "The dogs bark " and second.doc(vocab).text == "She's old. "
    assert first.doc(vocab, "barks").text == "The dogs barks "
    assert (first.distance, DOG.distance, replace(first, verb=0).distance) == (0, 3, 0)


words = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=5), min_size=2)


@st.composite
def cases(draw):
    sentence = draw(words)
    places = draw(st.permutations(range(len(sentence))))
    other = draw(st.none() | st.text(st.characters(codec="utf-8"), min_size=1))
    return AgreementCase(
        sentence,
        places[0],
        places[1],
        draw(st.sampled_from(["Sing", "Plur", "Dual"])),
        None if other == sentence[places[1]] else other,
        draw(st.none() | st.integers(0, 9)),
        draw(st.none() | st.lists(st.booleans(), min_size=len(sentence), max_size=len(sentence))),
    )


@given(st.lists(cases(), min_size=1, max_size=4), st.sampled_from([".jsonl", ".xz", ".gz"]))
@settings(max_examples=50)
def test_cases_survive_writing_and_reading(tmp_path_factory, written, ending):
    path = tmp_path_factory.mktemp("cases") / f"cases{ending}"
    with {".xz": lzma.open, ".gz": gzip.open}.get(ending, open)(path, "wb") as file:
        file.write("\r\n".join(map(line_of, written)).encode())
    assert read_cases(path) == written


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


@given(st.sampled_from([field.name for field in fields(AgreementCase)]), anything)
@settings(max_examples=200)
def test_any_value_gives_a_case_or_an_error_with_its_line(tmp_path_factory, name, value):
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
        ("", "is empty. Write one case on each line, as {"),
        ("The dogs bark", "Line 1 of .* is not valid JSON"),
        ("[1]", r"Line 1 of .* is not a JSON object, but \[1\]"),
        ('{"words": ["a", "b"], "verb": 1}', "lacks subject, number, other. Add what is missing"),
        (line_of(DOG, words="The dog"), "'words' must be a list of strings, got 'The dog'"),
        (line_of(DOG, words=[]), "'words' must be a list"),
        (line_of(DOG, words=["a", 3]), "3 is not a string"),
        (line_of(DOG, words=["The", ""]), "'words' has an empty string. Fill it in"),
        (line_of(DOG, number=None), "'number' has an empty string"),
        (line_of(DOG, number=1), "1 is not a string"),
        (line_of(DOG, other="barks"), "is 'barks', the same form as in the sentence. Write null"),
        (
            line_of(DOG, verb=8),
            "'verb' must be the index of one of the 8 words, from 0 to 7, got 8",
        ),
        (line_of(DOG, subject=-1), "'subject' must be the index of one of the 8 words"),
        (line_of(DOG, subject=True), "'subject' must be the index .* got True"),
        (line_of(DOG, subject=5), "'subject' and 'verb' are the same word"),
        (line_of(DOG, attractors=-1), "'attractors' must be a number of nouns, or null"),
        (line_of(DOG, spaces=[True]), "'spaces' must have true or false for each of the 8 words"),
        (line_of(DOG, spaces=[1] * 8), "'spaces' must have true or false"),
    ],
)
def test_malformed_lines_are_errors(tmp_path, line, message):
    with pytest.raises(ValueError, match=message):
        read_cases(write(tmp_path / "cases.jsonl", line))


# Language models


@pytest.fixture(scope="module")
def model():
    return make_model()


def pipe_of(nlp):
    return nlp.get_pipe("rnn_lm")


def test_a_trained_model_prefers_the_verbs_of_its_sentences(model):
    """The verb forms of the training sentences are more probable than the other forms."""
    result = evaluate_language_model(pipe_of(model), CASES)
    assert result == (CASES, [True, True], {}) and result.accuracy == 1.0
    result = evaluate_language_model(pipe_of(model), [*WRONG, DOG])
    assert result.correct == [False, False, True] and result.accuracy == pytest.approx(1 / 3)


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("direction", ["forward", "both"])
def test_probabilities_are_those_of_the_text_up_to_the_verb(units, direction):
    """With characters and pieces, the probabilities include the word after the verb. The expected
    values come from texts that end there. After only two training steps, the model prefers either
    form."""
    nlp = make_model(units, direction, steps=2)
    pipe = pipe_of(nlp)
    turns = [
        AgreementCase(words.split(), 1, 2, "Sing", other)
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
    result = evaluate_language_model(pipe, cases)
    assert result.correct == expected and 0 < result.accuracy < 1
    alone = [evaluate_language_model(pipe, [case]).correct[0] for case in cases]
    assert alone == expected


def test_cases_that_a_model_cannot_evaluate_are_excluded(model):
    cases = [
        replace(DOG, other=None),
        replace(DOG, other="howl"),
        replace(DOG, subject=5, verb=1, other="dogs"),
        DOGS,
    ]
    result = evaluate_language_model(pipe_of(model), cases)
    assert result.cases == [DOGS] and result.correct == [True]
    assert result.excluded == {
        "whose verb has one form": 1,
        "whose verb is before its subject": 1,
        "with a form of the verb that the model does not know": 1,
    }
    with pytest.raises(ValueError, match="'rnn_lm' can evaluate none of 3 cases: 1 whose verb has"):
        evaluate_language_model(pipe_of(model), cases[:-1])


def test_equal_probabilities_count_as_wrong():
    nlp = make_model(steps=1)
    for parameter in pipe_of(nlp).shim.module.parameters():
        parameter.data.zero_()
    assert evaluate_language_model(pipe_of(nlp), CASES).correct == [False, False]


def test_a_backward_model_is_an_error():
    nlp = make_model(direction="backward", steps=1)
    with pytest.raises(ValueError, match='Train one with direction "forward" or "both"'):
        evaluate_language_model(pipe_of(nlp), CASES)


# Taggers


@Language.component("number_of_suffix")
def number_of_suffix(doc):
    """Mark words that end in "s" as plural and other words as singular; "." gets no number."""
    for token in doc:
        if token.is_alpha:
            token.set_morph("Number=Plur" if token.text.endswith("s") else "Number=Sing")
    return doc


def test_a_rule_based_tagger():
    nlp = spacy.blank("xx")
    nlp.add_pipe("number_of_suffix")
    cases = [DOGS, DOG, replace(DOGS, verb=7), replace(DOG, subject=5, verb=1, other=None)]
    # "bark" and "barks" are wrong, "." has no number, "dog" is right.
    assert evaluate_tagger(nlp, cases) == (cases, [False, False, False, True], {})


def test_a_trained_tagger_predicts_the_number_of_a_verb_with_one_form():
    nlp = make_pipeline("rnn_tagger", targets=["morph"])
    cases, examples = [], []
    for noun, number in (("dog", "Sing"), ("dogs", "Plur")):
        case = AgreementCase(["The", noun, "near", "it", "slept", "."], 1, 4, number, None)
        gold = case.doc(nlp.vocab)
        for place in (case.subject, case.verb):
            gold[place].set_morph(f"Number={number}")
        examples.append(Example(case.doc(nlp.vocab), gold))
        cases.append(case)
    train(nlp, examples)
    assert evaluate_tagger(nlp, cases).correct == [True, True]
    assert evaluate_tagger(nlp, [replace(cases[0], number="Plur")]).correct == [False]


def test_a_pipeline_that_predicts_no_number(model):
    with pytest.raises(ValueError, match="no Number in token.morph of 2 sentences.*: rnn_lm"):
        evaluate_tagger(model, CASES)
    with pytest.raises(ValueError, match="Its components: none"):
        evaluate_tagger(spacy.blank("xx"), CASES)


# Report


def test_summaries_by_hand(tmp_path):
    places = [(1, 3, None), (1, 8, 2), (1, 3, 0), (4, 2, 2), (1, 3, 0)]
    cases = [
        replace(DOG, words=["w"] * 9, subject=subject, verb=verb, attractors=attractors)
        for subject, verb, attractors in places
    ]
    result = AgreementResult(cases, [True, True, False, False, True], {})
    assert group_cases(result, "distance") == [(1, 4, 2), (6, 1, 1)]
    assert group_cases(result, "attractors") == [(0, 2, 1), (2, 2, 1)]
    assert [each.accuracy for each in group_cases(result, "distance")] == [0.5, 1.0]
    assert result.accuracy == 0.6
    path = tmp_path / "plot.svg"
    plot_agreement(
        path, {"one": group_cases(result, "distance"), "two": [AgreementGroup(12, 2, 1)]}
    )
    drawn = path.read_text(encoding="utf8")
    assert "words between subject and verb" in drawn and "<!-- two -->" in drawn


def test_plot_leaves_gaps(monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        "spacy_rnn.analysis.agreement.save_curves",
        lambda path, steps, panels, **names: drawn.update(steps=steps, curves=panels[0].curves),
    )
    plot_agreement(
        "",
        {
            "one": [AgreementGroup(0, 4, 3), AgreementGroup(5, 2, 1)],
            "two": [AgreementGroup(2, 1, 1)],
        },
    )
    assert drawn["steps"] == [0, 2, 5]
    np.testing.assert_equal(drawn["curves"]["one"], [0.75, np.nan, 0.5])
    np.testing.assert_equal(drawn["curves"]["two"], [np.nan, 1.0, np.nan])
