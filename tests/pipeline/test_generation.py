"""Texts that a language model continues, and words that it suggests."""

import functools

import numpy as np
import pytest
import torch

from ..conftest import SENTENCES, make_examples, make_pipeline, train

NAME = "rnn_lm"
UNITS = {
    "words": {"@architectures": "spacy_rnn.WordUnits.v1", "min_freq": 1},
    "characters": {"@architectures": "spacy_rnn.CharacterUnits.v1", "min_freq": 1},
    "pieces": {"@architectures": "spacy_rnn.SentencePieces.v1", "vocab_size": 50},
}
TEXTS = [sentence[0] for sentence in SENTENCES]
every_unit = pytest.mark.parametrize("unit", UNITS)


@functools.cache
def shared(unit):
    """A language model that knows four sentences by heart."""
    nlp = make_pipeline(NAME, {"units": UNITS[unit]}, window=40)
    train(nlp, make_examples(nlp), steps=60)
    return nlp.get_pipe(NAME)


def log_p(lm, before, after):
    """Of units after a text, by reading all of it again."""
    module = lm.shim.module["forwards"]
    ids = [lm.shim.features.boundary, *before, *after]
    with torch.no_grad():
        read = module(torch.tensor(ids), torch.tensor([len(ids)]), module.start(1))
        scores = module.output(read.states).double().log_softmax(1)
    return scores[range(len(before), len(ids) - 1), ids[1 + len(before) :]].sum().item()


@every_unit
def test_greedy_texts_are_those_learned(unit):
    lm = shared(unit)
    for text in TEXTS:  # no two begin with the same word
        start = text.split()[0]
        assert lm.generate([start], beam=1)[0].split() == text.split()


@every_unit
def test_each_greedy_unit_is_the_most_probable(unit):
    lm = shared(unit)
    units, module = lm.shim.features, lm.shim.module["forwards"]
    (text,) = lm.generate(["They"], beam=1, max_length=3)
    ids = list(units.read("They", lm.tokenize))
    forbidden = [i for i, s in enumerate(units.surfaces) if not s and i != units.boundary]
    for _ in range(3):
        all_ids = torch.tensor([units.boundary, *ids])
        with torch.no_grad():
            read = module(all_ids, torch.tensor([len(all_ids)]), module.start(1))
            scores = module.output(read.states[-1:])[0]
        scores[forbidden] = -torch.inf
        ids.append(int(scores.argmax()))
    assert text == units.write(ids)


@every_unit
def test_prompts_of_a_batch_are_continued_as_alone(unit):
    lm = shared(unit)
    prompts = ["I like", "", "She", "They like blue", "x"]
    together = lm.generate(prompts, beam=3, max_length=12)
    assert together == [lm.generate([prompt], beam=3, max_length=12)[0] for prompt in prompts]
    assert all(text.startswith(prompt) for text, prompt in zip(together, prompts, strict=True))


@every_unit
def test_drawn_texts_are_those_of_the_seed(unit):
    lm = shared(unit)
    draw = functools.partial(lm.generate, ["", ""], temperature=3.0, max_length=20)
    assert draw(seed=1) == draw(seed=1) != draw(seed=2)
    # Two prompts that are the same may go on differently.
    assert any(len(set(draw(seed=seed))) == 2 for seed in range(5))
    assert lm.generate(["I like"], top_k=1) == lm.generate(["I like"], beam=1)


def test_texts_are_cut_before_stops():
    lm = shared("characters")
    assert lm.generate(["She eats"], beam=1, stop=["ham", "one"]) == ["She eats "]
    assert lm.generate(["She eats one"], beam=1, stop=["one"])[0].rstrip() == TEXTS[1]


@every_unit
def test_a_session_suggests_what_the_whole_text_does(unit):
    lm = shared(unit)
    session, text = lm.session(), ""
    for character in "They like  blue ham":
        text += character
        session.type(character)
        assert session.text == text
        found, expected = session.suggest(3), lm.suggest(text, 3)
        assert [s.word for s in found] == [s.word for s in expected]
        np.testing.assert_allclose(
            [s.probability for s in found], [s.probability for s in expected], atol=1e-5
        )


def test_words_have_their_probabilities():
    """With words as units: of all that begin as typed, that of one."""
    lm = shared("words")
    units = lm.shim.features
    before = list(units.read("I like", lm.tokenize))
    p = {s.strip(): np.exp(log_p(lm, before, [i])) for i, s in enumerate(units.surfaces) if s}
    for typed in ("", "g", "b", "eg"):
        matching = {word: q for word, q in p.items() if word.startswith(typed)}
        total = sum(matching.values())
        for suggestion in lm.suggest(f"I like {typed}", 3):
            # Before another word or the end; next to nothing is left for an unknown one.
            expected = matching[suggestion.word] / total
            assert suggestion.probability == pytest.approx(expected, abs=0.02)
    assert lm.suggest("I like zebra") == []


@every_unit
def test_suggestions_complete_words(unit):
    lm = shared(unit)
    for text, word in (("I like gr", "green"), ("I like ", "green"), ("She eats one h", "ham")):
        best, *others = lm.suggest(text, 3)
        assert best.word == word and best.probability > 0.4
        probabilities = [best.probability, *(s.probability for s in others)]
        assert probabilities == sorted(probabilities, reverse=True)
        assert sum(probabilities) <= 1 + 1e-6


@every_unit
def test_characters_never_seen(unit):
    lm = shared(unit)
    (text,) = lm.generate(["Ω 日"], beam=1, max_length=5)
    assert text.startswith("Ω 日")
    assert isinstance(lm.suggest("Ω 日"), list)


def test_a_long_prompt():
    """Longer than what is read at a time."""
    lm = shared("characters")
    text = "I like green eggs " * 300
    context = lm.session()
    context.type(text)
    p = {s.word: s.probability for s in context.suggest(1)}
    short = lm.session()
    for character in text:
        short.type(character)
    assert {s.word: s.probability for s in short.suggest(1)} == pytest.approx(p, abs=1e-5)


@pytest.mark.parametrize("unit", ["characters", "words"])
def test_a_prompt_of_a_million_characters(unit):
    lm = shared(unit)
    prompt = "I like green eggs " * 55_556
    (text,) = lm.generate([prompt], beam=1, max_length=3)
    assert len(prompt) > 1_000_000 and text.startswith(prompt)
    # All that matters now is near its end.
    near = lm.generate([prompt[-18 * 300 :]], beam=1, max_length=3)[0]
    assert text[len(prompt) :] == near[18 * 300 :]
    assert lm.suggest(prompt, 1)[0].word == lm.suggest(prompt[-18 * 300 :], 1)[0].word


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"temperature": 0.0}, "'temperature' must be a finite number above 0"),
        ({"temperature": -1.0}, "'temperature'"),
        ({"top_p": 1.5}, "'top_p'"),
        ({"top_k": -1}, "'top_k'"),
        ({"beam": 0}, "'beam' must be a number of at least 1"),
        ({"max_length": 0}, "'max_length'"),
        ({"condition": {"SPORT": 1.0}}, "trained without a condition"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        shared("words").generate(["I"], **settings)


def test_what_cannot_be_continued():
    lm = shared("words")
    with pytest.raises(ValueError, match="Put it into a list"):
        lm.generate("I like")
    assert lm.generate([]) == []
    with pytest.raises(ValueError, match="'n' must be at least 1"):
        lm.suggest("I", 0)
    nlp = make_pipeline(NAME, {"encoder": {"direction": "backward"}})
    train(nlp, make_examples(nlp), steps=1)
    with pytest.raises(ValueError, match="cannot continue a text"):
        nlp.get_pipe(NAME).generate(["I"])


def test_texts_from_labels():
    nlp = make_pipeline(NAME, condition="cats")
    train(nlp, make_examples(nlp), steps=80)
    lm = nlp.get_pipe(NAME)
    found = {lm.generate([""], beam=1, condition={label: 1.0})[0] for label in ("LIKE", "EAT")}
    by_label = [{s[0] for s in SENTENCES if s[4] == label} for label in ("LIKE", "EAT")]
    assert len(found) == 2 and all(found & texts for texts in by_label)
    with pytest.raises(ValueError, match="some of its labels \\['EAT', 'LIKE'\\]"):
        lm.generate([""], condition={"SPORT": 1.0})
