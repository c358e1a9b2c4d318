"""Texts that a language model continues, and words that it suggests."""

import copy
import functools
import pickle

import numpy as np
import pytest
import spacy
import torch
from spacy.tokenizer import Tokenizer
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_rnn.pipeline.language_model import RNNLanguageModel

from ..helpers.pipelines import SENTENCES, make_examples, make_pipeline, train

NAME = "rnn_lm"
UNITS = {
    "words": {"@architectures": "spacy_rnn.WordUnits.v1", "min_freq": 1},
    "characters": {"@architectures": "spacy_rnn.CharacterUnits.v1", "min_freq": 1},
    "pieces": {"@architectures": "spacy_rnn.SentencePieces.v1", "vocab_size": 50},
}
TEXTS = [sentence[0] for sentence in SENTENCES]
every_unit = pytest.mark.parametrize("unit", UNITS)


@functools.cache
def pipeline(unit):
    """A pipeline with a language model that has memorized four sentences."""
    nlp = make_pipeline(NAME, {"units": UNITS[unit]}, bptt_length=40)
    train(nlp, make_examples(nlp), steps=60)
    return nlp


def shared(unit):
    return pipeline(unit).get_pipe(NAME)


def make_random(unit):
    """A pipeline with random weights, so that predictions differ between all contexts."""
    nlp = make_pipeline(NAME, {"units": UNITS[unit]})
    nlp.initialize(lambda: make_examples(nlp))
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in nlp.get_pipe(NAME).shim.module.parameters():
            torch.nn.init.normal_(parameter, std=0.7)
    return nlp


@functools.cache
def random_pipeline(unit):
    return make_random(unit)


def log_p(lm, before, after):
    """The log-probability of units after a text, computed by reading the whole text again."""
    module = lm.shim.module["forwards"]
    ids = [lm.shim.features.boundary_id, *before, *after]
    with torch.no_grad():
        read = module(torch.tensor(ids), torch.tensor([len(ids)]), module.initial_state(1))
        scores = module.output(read.states).double().log_softmax(1)
    return scores[range(len(before), len(ids) - 1), ids[1 + len(before) :]].sum().item()


@every_unit
def test_greedy_texts_are_those_learned(unit):
    lm = shared(unit)
    for text in TEXTS:  # no two begin with the same word
        start = text.split()[0]
        assert lm.generate([start], beam=1)[0].split() == text.split()


def greedy(lm, before, n, first=None):
    """The most probable units one after the other; `first` marks those that may come first."""
    units, module = lm.shim.features, lm.shim.module["forwards"]
    ids, found = [units.boundary_id, *before], []
    nothing = [i for i, s in enumerate(units.strings) if not s and i != units.boundary_id]
    for _ in range(n):
        with torch.no_grad():
            read = module(torch.tensor(ids), torch.tensor([len(ids)]), module.initial_state(1))
            scores = module.output(read.states[-1:])[0]
        scores[nothing] = -torch.inf
        if first is not None and not found:
            scores[~first] = -torch.inf
        found.append(int(scores.argmax()))
        if found[-1] == units.boundary_id:
            break
        ids.append(found[-1])
    return [i for i in found if i != units.boundary_id]


@every_unit
def test_each_greedy_unit_is_the_most_probable(unit):
    lm = random_pipeline(unit).get_pipe(NAME)
    units = lm.shim.features
    before = list(units.encode_text("They", lm.tokenize))
    (text,) = lm.generate(["They"], beam=1, max_length=3)
    assert text == units.decode([*before, *greedy(lm, before, 3)])


WORDS_ALONE = ["ham!", "(She", "eggs, I", "I like\ngreen", "\n\n", "They  like", '"Eggs!" ham.']


@pytest.mark.parametrize("prompt", WORDS_ALONE)
def test_prompts_are_tokenized_as_training_texts(prompt):
    nlp = random_pipeline("words")
    lm = nlp.get_pipe(NAME)
    units = lm.shim.features
    before = units.encode([nlp.make_doc(prompt)])[0].tolist()
    (text,) = lm.generate([prompt], beam=1, max_length=6)
    more = units.decode(greedy(lm, before, 6))
    assert text.startswith(prompt) and text[len(prompt) :].split() == more.split() != []
    session = lm.session()
    for character in prompt:
        session.type(character)
    found, whole = (
        {s.word: s.probability for s in x(2)}
        for x in (session.suggest, functools.partial(lm.suggest, prompt))
    )
    assert found == pytest.approx(whole, abs=1e-5)


@pytest.mark.parametrize("typed", ["ham! ", "ham!", "I like  eggs.\n", "She  \n eats\n\n  "])
def test_words_are_suggested_after_all_tokens(typed):
    """A token that is not a word counts as complete."""
    nlp = random_pipeline("words")
    lm = nlp.get_pipe(NAME)
    surfaces = lm.shim.features.strings
    before = lm.shim.features.encode([nlp.make_doc(typed)])[0].tolist()
    p = {s.strip(): np.exp(log_p(lm, before, [i])) for i, s in enumerate(surfaces) if s}
    session = lm.session()
    for character in typed:
        session.type(character)
    for suggestions in (session.suggest(3), lm.suggest(typed, 3)):
        assert len(suggestions) == 3
        for word, probability in suggestions:
            assert probability == pytest.approx(p[word] / sum(p.values()), rel=1e-4)


def test_the_current_tokenizer_of_the_pipeline_is_used(tmp_path):
    """Loaded, copied and other pipelines use their tokenizer, and so does a changed pipeline."""
    nlp = make_random("words")
    expected = nlp.get_pipe(NAME).generate(WORDS_ALONE, beam=1, max_length=6)
    nlp.to_disk(tmp_path)
    other = spacy.blank("xx")
    other.add_pipe(NAME, source=nlp)
    copies = [
        spacy.load(tmp_path), make_random("words").from_bytes(nlp.to_bytes()),
        pickle.loads(pickle.dumps(nlp)), copy.deepcopy(nlp), other,
    ]  # fmt: skip
    for each in copies:
        assert each.get_pipe(NAME).generate(WORDS_ALONE, beam=1, max_length=6) == expected
    nlp.tokenizer = Tokenizer(nlp.vocab)
    changed = nlp.get_pipe(NAME).generate(WORDS_ALONE, beam=1, max_length=6)
    before = nlp.get_pipe(NAME).shim.features.encode([nlp.make_doc("ham!")])[0].tolist()
    more = greedy(nlp.get_pipe(NAME), before, 6)
    assert changed[0].split() == ["ham!", *nlp.get_pipe(NAME).shim.features.decode(more).split()]
    assert changed != expected


def test_a_component_without_a_pipeline_has_no_tokenizer():
    model = make_random("words").get_pipe(NAME).model
    lm = RNNLanguageModel(Vocab(), model)
    with pytest.raises(ValueError, match="no pipeline whose tokenizer splits"):
        lm.generate(["I"])
    assert RNNLanguageModel(Vocab(), make_random("characters").get_pipe(NAME).model).suggest("I")


@pytest.mark.parametrize("prompt", ["", "They", "Zyxdog", "Zyxdog qwf", "They ", "They\t", "x\n"])
def test_words_are_appended_to_a_prompt_with_one_space(prompt):
    lm = shared("words")
    (text,) = lm.generate([prompt], beam=1, max_length=1)
    more = text.removeprefix(prompt)
    assert text.startswith(prompt) and more.strip()
    gap = " " if prompt and not prompt[-1].isspace() else ""
    assert more == gap + more.strip()


def test_a_space_at_the_end_of_a_prompt_belongs_to_the_next_piece():
    lm = random_pipeline("pieces").get_pipe(NAME)
    units = lm.shim.features
    blank = np.array([s.startswith(" ") for s in units.strings])
    first = torch.from_numpy(blank | (np.arange(len(units)) == units.boundary_id))
    prompts = ["I like ", "I like", "She eats ", "Eggs  ", ""]
    found = lm.generate(prompts, beam=1, max_length=6)
    for prompt, text in zip(prompts, found, strict=True):
        ends = prompt.endswith(" ")
        before = units.encode_text(prompt.removesuffix(" "))
        more = greedy(lm, before.tolist(), 6, first if ends else None)
        assert text == units.decode([*before.tolist(), *more])
    # There is one space, not two.
    assert shared("pieces").generate(["I like "], beam=1)[0].startswith("I like green")


@every_unit
def test_prompts_of_a_batch_are_continued_as_alone(unit):
    lm = shared(unit)
    prompts = ["I like", "", "She", "They like blue", "x"]
    together = lm.generate(prompts, beam=3, max_length=12)
    assert together == [lm.generate([prompt], beam=3, max_length=12)[0] for prompt in prompts]
    assert all(text.startswith(prompt) for text, prompt in zip(together, prompts, strict=True))


@every_unit
def test_sampled_texts_depend_on_the_seed(unit):
    lm = shared(unit)
    draw = functools.partial(lm.generate, ["", ""], temperature=3.0, max_length=20)
    assert draw(seed=1) == draw(seed=1) != draw(seed=2)
    # Two equal prompts may be continued differently.
    assert any(len(set(draw(seed=seed))) == 2 for seed in range(5))
    assert lm.generate(["I like"], top_k=1) == lm.generate(["I like"], beam=1)


@every_unit
def test_sampled_texts_do_not_depend_on_the_other_prompts(unit):
    draw = functools.partial(shared(unit).generate, temperature=3.0, max_length=20, seed=4)
    prompts = ["I", "She", "", "x", "I", "I"]
    found = draw(prompts)
    assert draw(prompts[:3]) == found[:3]
    # Of several equal prompts, the first always gets the same text, and so does the second, ...
    assert draw(prompts[::-1]) == [found[i] for i in (0, 4, 3, 2, 1, 5)]
    assert [draw([prompt])[0] for prompt in prompts[:4]] == found[:4]
    assert len({found[0], found[4], found[5]}) > 1
    # They do not depend on the lengths of the other texts either.
    assert [t[:5] for t in draw(prompts, max_length=30)] == [t[:5] for t in found]


@every_unit
def test_half_of_a_surrogate_pair(unit):
    lm = shared(unit)
    for ask in (lambda t: lm.generate(["I", t]), lm.suggest, lm.session().type):
        with pytest.raises(
            ValueError, match="'like \\\\ud83d!' has half of a surrogate pair.*repair"
        ):
            ask("like \ud83d!")
    with pytest.raises(ValueError, match="Prompt 2: None is not a string"):
        lm.generate(["I", None])
    cure = "like \ud83d\ude00 \ud83d".encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert cure == "like 😀 \ufffd" and lm.generate([cure])[0].startswith(cure)


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
    """With words as units, it is the share of a word among all words that begin as typed."""
    lm = shared("words")
    units = lm.shim.features
    before = list(units.encode_text("I like", lm.tokenize))
    p = {s.strip(): np.exp(log_p(lm, before, [i])) for i, s in enumerate(units.strings) if s}
    for typed in ("", "g", "b", "eg"):
        matching = {word: q for word, q in p.items() if word.startswith(typed)}
        total = sum(matching.values())
        for suggestion in lm.suggest(f"I like {typed}", 3):
            # A word or the end follows; the probability of an unknown word is close to zero.
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


@functools.cache
def quoting():
    """A model of pieces, trained on texts with punctuation and line breaks between words."""
    nlp = make_pipeline(NAME, {"units": UNITS["pieces"]}, bptt_length=40)
    texts = ["I like green eggs.\nThey eat ham.", 'She eats "one ham". He eats eggs.']
    train(nlp, [Example(doc, doc) for doc in map(nlp.make_doc, texts)], steps=80)
    return nlp.get_pipe(NAME)


@pytest.mark.parametrize(
    "text, word",
    [
        ("I like green eggs.\n", "They"),
        ("I like green eggs.\nTh", "They"),
        ('She eats "o', "one"),
        ('She eats "', "one"),
        ('She eats "one ham".', "He"),
        ('She eats "one ham". H', "He"),
    ],
)
def test_a_word_of_pieces_begins_after_white_space_and_punctuation(text, word):
    assert quoting().suggest(text, 1)[0].word == word
    session = quoting().session()
    for character in text:
        session.type(character)
    assert session.suggest(1)[0].word == word


@every_unit
@pytest.mark.parametrize("gap", ["\t", "\u00a0", "\r\n"])
def test_words_after_unseen_characters(unit, gap):
    found = shared(unit).suggest(f"I like{gap}gr", 3)
    assert found and all(suggestion.word.startswith("gr") for suggestion in found)


@every_unit
def test_unseen_characters(unit):
    lm = shared(unit)
    (text,) = lm.generate(["Ω 日"], beam=1, max_length=5)
    assert text.startswith("Ω 日")
    assert isinstance(lm.suggest("Ω 日"), list)


@pytest.mark.slow
def test_a_long_prompt():
    """The prompt is longer than what is read at a time."""
    lm = shared("characters")
    text = "I like green eggs " * 300
    context = lm.session()
    context.type(text)
    p = {s.word: s.probability for s in context.suggest(1)}
    short = lm.session()
    for character in text:
        short.type(character)
    assert {s.word: s.probability for s in short.suggest(1)} == pytest.approx(p, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["characters", "words"])
def test_a_prompt_of_a_million_characters(unit):
    lm = shared(unit)
    prompt = "I like green eggs " * 55_556
    (text,) = lm.generate([prompt], beam=1, max_length=3)
    assert len(prompt) > 1_000_000 and text.startswith(prompt)
    # Only the text near its end matters.
    near = lm.generate([prompt[-18 * 300 :]], beam=1, max_length=3)[0]
    assert text[len(prompt) :] == near[18 * 300 :]
    assert lm.suggest(prompt, 1)[0].word == lm.suggest(prompt[-18 * 300 :], 1)[0].word


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"temperature": 0.0}, "'temperature' must be a number above 0"),
        ({"temperature": -1.0}, "'temperature'"),
        ({"top_p": 1.5}, "'top_p'"),
        ({"top_k": -1}, "'top_k'"),
        ({"beam": 0}, "'beam' must be a whole number of at least 1"),
        ({"max_length": 0}, "'max_length'"),
        ({"condition": {"SPORT": 1.0}}, "trained without a condition"),
        ({"stop": "the end"}, "'stop' must be a list of texts.*got 'the end'"),
        ({"stop": ["a", ""]}, "'stop' must be a list of texts.*got \\['a', ''\\]"),
        ({"stop": [1]}, "'stop' must be a list of texts"),
        ({"beam": 1.5}, "'beam' must be a whole number of at least 1, got 1.5"),
        ({"max_length": 1.5}, "'max_length' must be a whole number of at least 1"),
        ({"top_k": 1.5}, "'top_k' must be a whole number of at least 0"),
        ({"no_repeat_ngram_size": 1.5}, "'no_repeat_ngram_size' must be a whole number"),
        ({"seed": 1.5}, "'seed' must be a whole number"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        shared("words").generate(["I"], **settings)


def test_prompts_and_models_that_cannot_be_continued():
    lm = shared("words")
    with pytest.raises(ValueError, match="Put it into a list"):
        lm.generate("I like")
    assert lm.generate([]) == []
    with pytest.raises(ValueError, match="'n' must be a whole number of at least 1"):
        lm.suggest("I", 0)
    with pytest.raises(ValueError, match="'n' must be a whole number of at least 1, got '3'"):
        lm.suggest("I", "3")
    nlp = make_pipeline(NAME, {"encoder": {"direction": "backward"}})
    train(nlp, make_examples(nlp), steps=1)
    with pytest.raises(ValueError, match="cannot continue a text"):
        nlp.get_pipe(NAME).generate(["I"])


def test_texts_conditioned_on_labels():
    nlp = make_pipeline(NAME, condition="cats")
    train(nlp, make_examples(nlp), steps=80)
    lm = nlp.get_pipe(NAME)
    found = {lm.generate([""], beam=1, condition={label: 1.0})[0] for label in ("LIKE", "EAT")}
    by_label = [{s[0] for s in SENTENCES if s[4] == label} for label in ("LIKE", "EAT")]
    assert len(found) == 2 and all(found & texts for texts in by_label)
    with pytest.raises(ValueError, match="some of its labels \\['EAT', 'LIKE'\\]"):
        lm.generate([""], condition={"SPORT": 1.0})
