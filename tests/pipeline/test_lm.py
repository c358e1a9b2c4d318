"""What is specific to the language model: units, probabilities, directions, conditions, streams."""

import copy
import functools
import itertools
import math
import pickle

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc, Span, Token
from spacy.training import Example

from spacy_rnn.architectures.language_model import log_probabilities
from spacy_rnn.extensions import perplexity, set_doc_extension
from spacy_rnn.runtime.batching import MemoryLimits

from ..helpers.kinds import CHOICE
from ..helpers.pipelines import SENTENCES, make_doc, make_examples, make_pipeline, train
from ..helpers.slow import slow_but

NAME = "rnn_lm"
#: the geometric mean of the probabilities of tokens with a perfect fit
BEST = math.exp(-CHOICE / sum(len(text.split()) + 1 for text, *_ in SENTENCES))
UNITS = {
    "characters": {"@architectures": "spacy_rnn.CharacterUnits.v1", "min_freq": 1},
    "words": {"@architectures": "spacy_rnn.WordUnits.v1", "min_freq": 1},
    "pieces": {"@architectures": "spacy_rnn.SentencePieces.v1", "vocab_size": 45},
}
every_unit = pytest.mark.parametrize("units", UNITS)
TEXTS = [
    *(sentence[0] for sentence in SENTENCES),
    "", " ", "\n\n \t", "Ω🥚 \0 zebra", "eggs", "She  likes\nham. " * 4,
]  # fmt: skip
numbers = itertools.count()


def make(units="words", model=None, name=None, **config):
    return make_pipeline(NAME, {"units": UNITS[units], **(model or {})}, name, **config)


def pipe_of(nlp):
    return nlp.get_pipe(NAME)


def examples_of(nlp, texts, cats=None):
    """Examples of texts, tokenized by the pipeline."""
    examples = []
    for i, text in enumerate(texts):
        reference = nlp.make_doc(text)
        if cats is not None:
            reference.cats = cats[i]
        examples.append(Example(nlp.make_doc(text), reference))
    return examples


def set_weights(nlp, seed=0):
    """Set random weights, so that no special value hides a mistake."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in pipe_of(nlp).shim.module.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    return nlp


def make_random(units="words", model=None, texts=None, **config):
    nlp = make(units, model, **config)
    examples = make_examples(nlp) if texts is None else examples_of(nlp, texts)
    nlp.initialize(lambda: examples)
    return set_weights(nlp)


@functools.cache
def shared(units):
    """A pipeline with random weights for tests that do not change it."""
    return make_random(units)


def values_of(nlp, texts):
    return [doc._.log_probability for doc in nlp.pipe(texts)]


def single_characters(nlp, text):
    """A doc with one token per character."""
    return Doc(nlp.vocab, words=list(text), spaces=[False] * len(text))


def same(left, right, tolerance=1e-5):
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


@pytest.fixture
def attrs():
    """Names of extensions, which are removed after the test."""
    names = [f"lm_{next(numbers)}" for _ in range(2)]
    yield names
    for owner, name in itertools.product((Doc, Span, Token), names):
        if owner.has_extension(name):
            owner.remove_extension(name)


# Probabilities


@pytest.mark.parametrize("units", ["characters", "words"])
def test_probabilities_of_all_first_units_sum_to_one(units):
    """The first unit is a known unit, an unknown unit, or the end."""
    nlp = shared(units)
    known = [surface for surface in pipe_of(nlp).shim.features.strings if surface]
    nothing, *found = pipe_of(nlp).predict(
        [Doc(nlp.vocab)] + [
            Doc(nlp.vocab, words=[s.strip() or s], spaces=[False]) for s in [*known, "Ω"]
        ]
    )  # fmt: skip
    assert nothing.shape == (1,)
    total = math.exp(nothing[0]) + sum(math.exp(values[0]) for values in found)
    assert total == pytest.approx(1.0, abs=1e-5)
    assert all(values.shape == (2,) and values.dtype == np.float64 for values in found)


@every_unit
def test_a_token_has_the_probability_of_its_units(units):
    nlp = shared(units)
    features = pipe_of(nlp).shim.features
    docs = list(nlp.pipe(TEXTS))
    of_units = log_probabilities(pipe_of(nlp).model, docs, None)
    for doc, found in zip(docs, of_units, strict=True):
        values = doc._.log_probability
        assert len(values) == len(doc) + 1 and all(type(value) is float for value in values)
        assert sum(values) == pytest.approx(float(found.sum()), rel=1e-5)
        assert values[-1] == pytest.approx(float(found[-1]))
        owners = features.token_indices(doc).tolist()
        for token in doc:
            own = [p for p, owner in zip(found, owners, strict=False) if owner == token.i]
            assert token._.log_probability == values[token.i]
            assert values[token.i] == pytest.approx(float(sum(own)), abs=1e-5)


def test_the_value_of_a_token_is_the_sum_over_its_characters():
    """The space after a token belongs to the token."""
    nlp = shared("characters")
    whole = Doc(nlp.vocab, words=["ham", "eggs", "\n"], spaces=[True, False, False])
    apart = single_characters(nlp, "ham eggs\n")
    values, single = pipe_of(nlp).predict([whole, apart])
    expected = [single[:4].sum(), single[4:8].sum(), single[8], single[9]]
    np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_perplexity_is_per_token():
    """The perplexity of a doc includes its end, that of a span does not."""
    nlp = shared("words")
    doc = nlp("She eats green ham")
    values = doc._.log_probability
    assert len(values) == 5 and max(values) < 0
    product = math.prod(math.exp(value) for value in values)
    assert doc._.perplexity == pytest.approx(product ** (-1 / 5))
    for start, end in [(0, 1), (1, 3), (3, 4), (0, 4)]:
        product = math.prod(math.exp(value) for value in values[start:end])
        assert doc[start:end]._.perplexity == pytest.approx(product ** (-1 / (end - start)))
        assert doc[start]._.log_probability == values[start]
    assert doc[2:2]._.perplexity is None
    empty = nlp("")
    assert empty._.perplexity == pytest.approx(math.exp(-empty._.log_probability[0]))


def test_a_doc_that_was_not_read_has_no_values():
    doc = shared("words").make_doc("green ham")
    assert doc._.log_probability is doc._.perplexity is None
    assert doc[0]._.log_probability is doc[0:2]._.perplexity is None


def test_worked_values_of_perplexity():
    assert perplexity(math.log(1 / 4) + math.log(1 / 9), 2) == pytest.approx(6.0)
    assert perplexity(0.0, 1) == 1.0
    assert perplexity(0.0, 0) is perplexity(None, 2) is None
    assert math.isfinite(perplexity(-1e9, 1))


@every_unit
def test_scores_do_not_depend_on_windows_and_batches(units):
    """The perplexity is exp of the mean negative log-probability of all tokens."""
    nlp = copy.deepcopy(shared(units))
    examples = examples_of(nlp, TEXTS)
    values = [value for doc in nlp.pipe(TEXTS) for value in doc._.log_probability]
    mean = -sum(values) / len(values)
    n_characters = sum(map(len, TEXTS))
    found = []
    for batch_tokens, window in [(4096, 512), (4096, 3), (1, 512), (7, 1), (10, 4)]:
        pipe_of(nlp).model.attrs["limits"] = MemoryLimits(batch_tokens, window, 0)
        scores = nlp.evaluate(examples)
        assert scores["ppl"] == pytest.approx(math.exp(mean), rel=1e-5)
        bits = mean * len(values) / math.log(2)
        assert scores["bpc"] == pytest.approx(bits / n_characters, rel=1e-5)
        n_bytes = len("".join(TEXTS).encode("utf8"))
        assert scores["lm_score"] == pytest.approx(1 - bits / 8 / n_bytes, rel=1e-5)
        found.append(values_of(nlp, TEXTS))
    for others in found[1:]:
        same(found[0], others)


def test_prediction_uses_the_window_of_the_config():
    nlp = make(model={"window": 3, "batch_tokens": 10})
    assert pipe_of(nlp).model.attrs["limits"] == MemoryLimits(10, 3, 0)


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
@every_unit
def test_no_state_is_kept_from_the_previous_document(units, direction):
    nlp = make_random(units, {"encoder": {"direction": direction}})
    text = "They like green eggs"
    (alone,) = values_of(nlp, [text])
    for others in ([], [""], ["ham"], TEXTS):
        assert values_of(nlp, [*others, text])[-1] == pytest.approx(alone, abs=1e-5)
    same(values_of(nlp, [text]), [alone], 0.0)


# Units


@every_unit
def test_learns_with_all_units(units):
    """The fit is optimal: the loss of a sentence in characters or pieces is that of its words."""
    nlp = make(units, {"encoder": {"hidden_size": 24}}, bptt_length=40)
    examples = make_examples(nlp)
    train(nlp, examples, steps=80)
    scores = nlp.evaluate(examples)
    assert 1 / scores["ppl"] == pytest.approx(BEST, abs=0.04)
    assert 1 / scores["ppl"] <= BEST + 1e-6


@pytest.mark.parametrize("way", slow_but(["disk"], ["bytes", "disk", "pickle", "deepcopy"]))
@every_unit
def test_stored_units_give_the_same_values(units, way, tmp_path):
    """The training texts may have any characters."""
    odd = ["a\0b", "\n", "日本 🥚", "\U0010ffff\ufffe", "🥚\n日本 a"]
    nlp = make_random(units, texts=odd)
    texts = [*odd, *TEXTS]
    if way == "bytes":
        copied = make(units).from_bytes(nlp.to_bytes())
    elif way == "disk":
        nlp.to_disk(tmp_path)
        copied = spacy.load(tmp_path)
    elif way == "pickle":
        copied = pickle.loads(pickle.dumps(nlp))
    else:
        copied = copy.deepcopy(nlp)
    features, others = (pipe_of(x).shim.features for x in (nlp, copied))
    assert len(features) == len(others) and features.strings == others.strings
    same(values_of(copied, texts), values_of(nlp, texts), 0.0)


def test_a_stored_config_with_other_units_is_an_error():
    data = shared("words").to_bytes()
    with pytest.raises(ValueError, match="config"):
        make("characters").from_bytes(data, exclude=["tokenizer"])


@every_unit
def test_texts_of_one_character(units):
    nlp = make(units, streams=2)
    examples = examples_of(nlp, ["aaaa", "aaaa"])
    train(nlp, examples, steps=40)
    assert 3 <= len(pipe_of(nlp).shim.features) <= 9
    assert 1 / nlp.evaluate(examples)["ppl"] > 0.9
    assert all(np.isfinite(values).all() for values in values_of(nlp, ["aaaa", "", "b", "a" * 99]))


@pytest.mark.parametrize("units", ["characters", "words"])
def test_without_a_known_unit_all_are_unknown(units):
    """Each unit occurs less often than `min_freq`."""
    nlp = make(units, {"units": {**UNITS[units], "min_freq": 99}})
    examples = make_examples(nlp)
    losses = train(nlp, examples, steps=2)
    assert len(pipe_of(nlp).shim.features) == 2
    assert losses[NAME] > 0
    a, b = values_of(nlp, ["green ham", "bread ham"])
    assert a == b


def test_pieces_of_training_texts_may_be_sampled():
    """Prediction does not sample pieces."""
    sampled = {"units": {**UNITS["pieces"], "alpha": 0.1}}
    nlp = make_random("pieces", sampled)
    examples = make_examples(nlp)
    losses = {nlp.update(examples, sgd=False)[NAME] for _ in range(8)}
    assert len(losses) > 1
    fixed = shared("pieces")
    same(values_of(nlp, TEXTS), values_of(fixed, TEXTS), 0.0)


@pytest.mark.parametrize("tied", [False, True])
def test_an_adaptive_softmax_for_large_vocabularies(tied):
    """Clusters beyond the size of a small vocabulary are left out."""
    model = {"tied": tied, "cutoffs": [8, 1000]}
    nlp = make(model=model)
    examples = make_examples(nlp)
    train(nlp, examples, steps=60)
    (module,) = pipe_of(nlp).shim.module.values()
    assert module.output.cutoffs == [8, len(pipe_of(nlp).shim.features)]
    assert 1 / nlp.evaluate(examples)["ppl"] > 0.9 * BEST
    copied = make(model=model).from_bytes(nlp.to_bytes())
    same(values_of(copied, TEXTS), values_of(nlp, TEXTS), 0.0)


# Directions


def load_direction(nlp, name, source, source_name):
    weights = pipe_of(source).shim.module[source_name].state_dict()
    pipe_of(nlp).shim.module[name].load_state_dict(weights)


@pytest.mark.parametrize("cell", ["lstm", "none"])
def test_a_backward_model_is_a_forward_one_of_the_reversed_text(cell):
    """Its last value is that of the beginning of the text."""
    encoder = {"cell": cell, "depth": 2}
    backward = make_random("characters", {"encoder": {**encoder, "direction": "backward"}})
    forward = make_random("characters", {"encoder": encoder})
    load_direction(forward, "forwards", backward, "backwards")
    texts = ["She eats one ham .", "eggs", "", "x\n🥚", "aba" * 30]
    for text in texts:
        *found, beginning = pipe_of(backward).predict([single_characters(backward, text)])[0]
        *expected, end = pipe_of(forward).predict([single_characters(forward, text[::-1])])[0]
        assert found == pytest.approx(expected[::-1], abs=1e-5)
        assert beginning == pytest.approx(end, abs=1e-5)


@every_unit
def test_backward_probabilities_belong_to_their_tokens(units):
    """Text before a token does not change its probability, text after it does."""
    nlp = make_random(units, {"encoder": {"direction": "backward"}})
    one, other, later = values_of(nlp, ["I like eggs !", "She like eggs !", "I like eggs ."])
    assert one[1:-1] == pytest.approx(other[1:-1], abs=1e-5)
    assert one[0] != pytest.approx(other[0], abs=1e-3)
    for place in range(4):
        assert one[place] != pytest.approx(later[place], abs=1e-5)


@every_unit
def test_forward_probabilities_belong_to_their_tokens(units):
    nlp = shared(units)
    one, other = values_of(nlp, ["I like eggs !", "I like eggs ."])
    # With characters and pieces, a token may include the space after it, which both texts have.
    assert one[:3] == pytest.approx(other[:3], abs=1e-5)
    assert one[3] != pytest.approx(other[3], abs=1e-3)


def test_a_model_of_both_directions_reports_the_forward_values():
    both = make_random("words", {"encoder": {"direction": "both"}})
    forward = make_random("words")
    load_direction(forward, "forwards", both, "forwards")
    same(values_of(both, TEXTS), values_of(forward, TEXTS), 0.0)
    names = {name.split(".")[0] for name, _ in pipe_of(both).shim.module.named_parameters()}
    assert names == {"forwards", "backwards"}


def test_both_directions_share_no_weights():
    nlp = make_random("words", {"encoder": {"direction": "both"}})
    module = pipe_of(nlp).shim.module
    forward, backward = (set(map(id, module[name].parameters())) for name in module)
    assert forward and backward and not forward & backward
    nlp.update(make_examples(nlp), sgd=False)
    assert all(p.grad is not None and p.grad.any() for p in module.parameters())


@pytest.mark.parametrize("cell", slow_but(["lstm"], ["rnn_tanh", "gru", "lstm"]))
@pytest.mark.parametrize("direction", ["backward", "both"])
def test_learns_in_every_direction(direction, cell):
    """The last words of the sentences differ, as the first ones do."""
    nlp = make(model={"encoder": {"direction": direction, "cell": cell}})
    examples = make_examples(nlp)
    losses = train(nlp, examples, steps=50)
    assert 1 / nlp.evaluate(examples)["ppl"] > 0.95 * BEST
    floor = CHOICE * (2 if direction == "both" else 1)
    assert floor <= losses[NAME] < floor + 2.0


def test_without_recurrence_only_one_word_is_known():
    """After "like", "green" and "blue" are equally probable, whatever the subject."""
    nlp = make(model={"encoder": {"cell": "none"}})
    train(nlp, make_examples(nlp), steps=60)
    one, other = nlp("I like green eggs"), nlp("They like blue ham")
    for doc in (one, other):
        assert doc[1]._.log_probability > math.log(0.9)
        assert math.exp(doc[2]._.log_probability) == pytest.approx(0.5, abs=0.05)


# Bad input and strange texts


@every_unit
def test_strange_texts(units):
    """Unseen characters, only white space, and empty texts."""
    nlp = shared(units)
    for doc in nlp.pipe(TEXTS):
        assert np.isfinite(doc._.log_probability).all() and max(doc._.log_probability) <= 0
        assert 1 <= doc._.perplexity < math.inf
        assert len(doc._.log_probability) == len(doc) + 1


def test_spaces_between_words_do_not_count_as_words():
    nlp = shared("words")
    one = Doc(nlp.vocab, words=["green", "ham"], spaces=[True, False])
    other = Doc(nlp.vocab, words=["green", "ham"], spaces=[False, True])
    found, expected = pipe_of(nlp).predict([one, other])
    assert found.tolist() == expected.tolist()


def test_all_documents_are_empty():
    nlp = make()
    with pytest.raises(ValueError, match=f"{NAME}.*All texts are empty"):
        nlp.initialize(lambda: examples_of(nlp, ["", ""]))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"streams": 0}, "streams"),
        ({"bptt_length": 0}, "bptt_length"),
        ({"model": {"window": 0}}, "window"),
        ({"model": {"batch_tokens": 0}}, "batch_tokens"),
        ({"model": {"embedding_size": 0}}, "embedding_size"),
        ({"model": {"embedding_dropout": 1.0}}, "embedding_dropout"),
        ({"model": {"activation_regularization": -1.0}}, "activation_regularization"),
        ({"model": {"temporal_regularization": -1.0}}, "temporal_regularization"),
        ({"model": {"cutoffs": [5, 3]}}, "cutoffs.*ascending"),
        ({"model": {"cutoffs": [0, 3]}}, "cutoffs.*at least 1"),
        ({"model": {"units": {**UNITS["words"], "min_freq": 0}}}, "min_freq"),
        ({"model": {"units": {**UNITS["words"], "max_words": -1}}}, "max_words"),
        ({"model": {"units": {**UNITS["characters"], "min_freq": 0}}}, "min_freq"),
        ({"model": {"encoder": {"hidden_size": 0}}}, "hidden_size"),
        ({"model": {"encoder": {"cell": "elman"}}}, "cell"),
        ({"carry_state": True, "condition": "cats"}, "not from both"),
        ({"carry_state": True, "condition": "style"}, "not from both"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)


def test_a_very_long_doc_in_bounded_memory():
    nlp = make_random("characters", {"window": 50, "batch_tokens": 100})
    (module,) = pipe_of(nlp).shim.module.values()
    largest = []
    hook = module.register_forward_hook(lambda m, args, read: largest.append(len(read.states)))
    text = "They like green eggs ." * 100
    doc = nlp(text)
    hook.remove()
    assert max(largest) <= 100 and sum(largest) == len(text) + 1
    assert len(doc._.log_probability) == len(doc) + 1


# Streams


@pytest.mark.parametrize("window", [1, 3, 500])
@every_unit
def test_texts_longer_and_shorter_than_a_window(units, window):
    """The loss is the sum over all texts."""
    nlp = make(units, streams=1, bptt_length=window)
    examples = examples_of(nlp, TEXTS)
    nlp.initialize(lambda: examples)
    set_weights(nlp)
    # Empty texts are not trained on.
    values = [value for found in values_of(nlp, filter(None, TEXTS)) for value in found]
    loss = nlp.update(examples, sgd=False)[NAME]
    assert loss == pytest.approx(-sum(values), rel=1e-5)


def test_documents_wait_until_all_streams_have_some():
    nlp = make(streams=10)
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    before = pipe_of(nlp).model.to_bytes()
    for _ in range(2):
        assert nlp.update(examples, sgd=optimizer) == {NAME: 0.0}
    assert pipe_of(nlp).model.to_bytes() == before
    assert nlp.update(examples, sgd=optimizer)[NAME] > 0
    assert pipe_of(nlp).model.to_bytes() != before


def test_initializing_again_discards_waiting_documents():
    def first_loss(waiting):
        nlp = make(streams=2)
        examples = make_examples(nlp)
        nlp.initialize(lambda: examples)
        if waiting:
            nlp.update(examples[:1], sgd=False)
        nlp.initialize(lambda: examples[1:])
        set_weights(nlp)
        return nlp.update(examples[2:], sgd=False)[NAME]

    assert first_loss(True) == first_loss(False)


@pytest.mark.parametrize("carry", [False, True])
def test_with_carry_a_document_is_read_after_the_previous_one(carry):
    """Sentences take turns, so that the previous one determines the first word of the next."""
    nlp = make(streams=1, bptt_length=9, carry_state=carry)
    examples = examples_of(nlp, ["green eggs", "blue ham", "one egg"])
    losses = train(nlp, examples, steps=60)
    floor = 3 * math.log(3)
    assert (losses[NAME] < 0.5 * floor) == carry
    assert carry or losses[NAME] >= floor


@pytest.mark.parametrize(
    "config",
    [
        {"random_bptt_length": True},
        {"model": {"embedding_dropout": 0.05}},
        {"model": {"activation_regularization": 0.01, "temporal_regularization": 0.01}},
        {"model": {"encoder": {"recurrent_dropout": 0.05}}},
        {"model": {"embedding_size": 8}},
        {"model": {"tied": False}},
    ],
    ids=str,
)
def test_learns_with_all_settings(config):
    nlp = make(**config)
    examples = make_examples(nlp)
    train(nlp, examples, steps=60)
    assert 1 / nlp.evaluate(examples)["ppl"] > 0.9 * BEST


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_the_network_is_that_of_the_config(direction):
    encoder = {
        "cell": "gru", "direction": direction, "hidden_size": 7, "depth": 3, "layer_norm": True,
        "residual": True, "recurrent_dropout": 0.25,
    }  # fmt: skip
    model = {"encoder": encoder, "embedding_size": 5, "embedding_dropout": 0.5, "tied": False}
    nlp = make_random(model=model)
    modules = list(pipe_of(nlp).shim.module.values())
    assert len(modules) == (2 if direction == "both" else 1)
    for module in modules:
        found = module.encoder
        assert (found.cell, found.hidden_size, len(found.layers)) == ("gru", 7, 3)
        assert found.residual and isinstance(found.norms[0], torch.nn.LayerNorm)
        # A backward network reads reversed texts forward.
        assert found.recurrent_dropout == 0.25 and found.direction == "forward"
        assert module.embedding.weight.shape == (len(pipe_of(nlp).shim.features), 5)
        assert module.embedding_dropout == 0.5
        assert module.output.linear.weight is not module.embedding.weight


@pytest.mark.parametrize("way", ["pickle", "deepcopy"])
def test_a_copy_in_the_middle_of_training_continues_identically(way):
    """The copy includes the documents that wait in streams."""
    nlp = make(streams=3, bptt_length=4, carry_state=True)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=False)
    copied = pickle.loads(pickle.dumps(nlp)) if way == "pickle" else copy.deepcopy(nlp)
    loss = nlp.update(examples, sgd=False)[NAME]
    assert loss > 0 and copied.update(examples, sgd=False)[NAME] == loss


# Extensions


def test_two_language_models_in_one_pipeline(attrs, tmp_path):
    attr, perplexity_attr = attrs
    nlp = make("words")
    other = {"model": make("characters").config["components"][NAME]["model"]}
    other.update(attr=attr, perplexity_attr=perplexity_attr, streams=1)
    nlp.add_pipe(NAME, "other", config=other)
    examples = make_examples(nlp)
    losses = train(nlp, examples, steps=3)
    assert set(losses) == {NAME, "other"} and min(losses.values()) > 0
    nlp.to_disk(tmp_path)
    for pipeline in (nlp, spacy.load(tmp_path)):
        doc = pipeline("I like ham")
        words, characters = doc._.log_probability, doc._.get(attr)
        assert len(words) == len(characters) == 4 and words != characters
        for values, names in ((words, ("log_probability", "perplexity")), (characters, attrs)):
            assert [token._.get(names[0]) for token in doc] == values[:-1]
            assert doc._.get(names[1]) == pytest.approx(math.exp(-np.mean(values)))
            assert doc[1:]._.get(names[1]) == pytest.approx(math.exp(-np.mean(values[1:-1])))
        for pipe, name in ((NAME, "perplexity"), ("other", perplexity_attr)):
            scores = pipeline.get_pipe(pipe).score([Example(doc, doc)])
            assert scores["ppl"] == pytest.approx(doc._.get(name))


# Conditions


def with_cats(nlp, text, **cats):
    doc = nlp.make_doc(text)
    doc.cats = cats
    return doc


LABELED = [
    ("eggs eggs eggs", {"EGGS": 1.0, "HAM": 0.0}),
    ("ham ham ham", {"EGGS": 0.0, "HAM": 1.0}),
    ("eggs eggs", {"EGGS": 1.0}),
    ("ham ham", {"HAM": 1.0}),
]


def labelled_examples(nlp):
    texts, cats = zip(*LABELED, strict=True)
    return examples_of(nlp, texts, cats)


@functools.cache
def conditioned_bytes(direction="forward"):
    nlp = make(model={"encoder": {"direction": direction}}, condition="cats")
    train(nlp, labelled_examples(nlp), steps=40)
    return nlp.to_bytes()


def make_conditioned(direction="forward"):
    nlp = make(model={"encoder": {"direction": direction}}, condition="cats")
    return nlp.from_bytes(conditioned_bytes(direction), exclude=["tokenizer"])


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_text_is_more_probable_under_its_own_label(direction):
    nlp = make_conditioned(direction)
    for text, own, other in [("eggs eggs", "EGGS", "HAM"), ("ham ham ham", "HAM", "EGGS")]:
        under = {
            label: sum(nlp(with_cats(nlp, text, **{label: 1.0}))._.log_probability)
            for label in (own, other)
        }
        assert under[own] > under[other] + 2.0


def test_labels_are_learned_and_loaded(tmp_path):
    nlp = make_conditioned()
    assert pipe_of(nlp).labels == ("EGGS", "HAM")
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert pipe_of(loaded).labels == ("EGGS", "HAM")
    doc, same_doc = (p(with_cats(p, "eggs ham", HAM=1.0)) for p in (nlp, loaded))
    assert doc._.log_probability == same_doc._.log_probability
    loaded.initialize(lambda: examples_of(loaded, ["a"], [{"A": 1.0, "C": 0.0, "B": 1.0}]))
    assert pipe_of(loaded).labels == ("A", "B", "C")
    assert pipe_of(make()).labels == ()


def test_labels_without_a_condition_are_ignored():
    nlp = make()
    nlp.initialize(lambda: labelled_examples(nlp))
    assert pipe_of(nlp).labels == ()
    one, other = nlp(with_cats(nlp, "ham", HAM=1.0)), nlp(with_cats(nlp, "ham", EGGS=1.0))
    assert one._.log_probability == other._.log_probability


def test_labels_that_are_not_known_change_nothing():
    nlp = make_conditioned()
    known = nlp(with_cats(nlp, "ham eggs", HAM=1.0))
    more = nlp(with_cats(nlp, "ham eggs", HAM=1.0, BREAD=1.0, EGGS=0.0))
    assert more._.log_probability == known._.log_probability
    none, zeros = nlp("ham eggs"), nlp(with_cats(nlp, "ham eggs", HAM=0.0))
    assert none._.log_probability == zeros._.log_probability != known._.log_probability


def test_documents_of_a_batch_have_their_own_labels():
    nlp = make_conditioned()
    cats = [{"HAM": 1.0}, {"EGGS": 1.0}, {}, {"HAM": 0.5, "EGGS": 0.5}, {"HAM": 1.0}]
    texts = ["ham", "ham ham ham ham", "ham", "", "eggs ham"]
    docs = [with_cats(nlp, text, **some) for text, some in zip(texts, cats, strict=True)]
    alone = [nlp(with_cats(nlp, t, **some)) for t, some in zip(texts, cats, strict=True)]
    same([d._.log_probability for d in nlp.pipe(docs)], [d._.log_probability for d in alone])


def test_scores_are_conditioned_on_the_gold_labels():
    """The predicted docs have no labels."""
    nlp = make_conditioned()
    examples = labelled_examples(nlp)
    assert all(not eg.predicted.cats for eg in examples)
    scores = nlp.evaluate(examples)
    docs = [nlp(with_cats(nlp, text, **cats)) for text, cats in LABELED]
    values = [value for doc in docs for value in doc._.log_probability]
    assert 1 / scores["ppl"] == pytest.approx(math.exp(np.mean(values)), rel=1e-5)
    unlabelled = nlp.evaluate(examples_of(nlp, [text for text, _ in LABELED]))
    assert 1 / scores["ppl"] > 1 / unlabelled["ppl"] + 0.05
    assert pipe_of(nlp).score([])["ppl"] is None


@pytest.mark.parametrize("condition, where", [("cats", "doc.cats"), ("lm_style", "doc._.lm_style")])
def test_a_condition_that_no_document_has_is_an_error(condition, where):
    nlp = make(condition=condition)
    with pytest.raises(ValueError, match=rf"{NAME}.*{where}.*no training document has it"):
        nlp.initialize(lambda: examples_of(nlp, ["green eggs", "ham"]))


def with_vector(nlp, text, attr, vector):
    set_doc_extension(attr)
    doc = nlp.make_doc(text)
    doc._.set(attr, vector)
    return doc


def vector_examples(nlp, attr, vectors):
    return [
        Example(nlp.make_doc(text), with_vector(nlp, text, attr, vector))
        for text, vector in vectors
    ]


VECTORS = [
    ("eggs eggs eggs", [1.0, -1.0]), ("ham ham ham", np.array([-1, 1])), ("eggs ham", None),
]  # fmt: skip


@pytest.fixture
def styled(attrs):
    """A pipeline conditioned on vectors, and the name of their extension."""
    attr = attrs[0]
    nlp = make(condition=attr, streams=3)
    train(nlp, vector_examples(nlp, attr, VECTORS), steps=40)
    return nlp, attr


def test_a_document_is_conditioned_on_its_vector(styled):
    nlp, attr = styled
    assert pipe_of(nlp).cfg["condition_size"] == 2 and pipe_of(nlp).labels == ()
    for vector, other in ([[1, -1], [-1, 1]], [[[1.0], [-1.0]], np.array([-1.0, 1.0])]):
        own, strange = (
            sum(nlp(with_vector(nlp, "eggs eggs eggs", attr, v))._.log_probability)
            for v in (vector, other)
        )
        assert own > strange + 1.0


def test_a_document_without_a_vector_is_conditioned_on_zeros(styled, tmp_path):
    nlp, attr = styled
    texts = ["ham eggs", "", "eggs"]
    zeros = [nlp(with_vector(nlp, text, attr, [0.0, 0.0]))._.log_probability for text in texts]
    same(values_of(nlp, texts), zeros)
    nlp.to_disk(tmp_path)
    Doc.remove_extension(attr)
    loaded = spacy.load(tmp_path)
    same(values_of(loaded, texts), zeros)


def test_a_vector_of_another_width_is_an_error(styled):
    nlp, attr = styled
    with pytest.raises(ValueError, match=rf"{NAME}.*2 numbers in doc._.{attr}.* one of 3"):
        nlp(with_vector(nlp, "eggs", attr, [1.0, 2.0, 3.0]))
    with pytest.raises(ValueError, match="one of 1"):
        nlp.update(vector_examples(nlp, attr, [("eggs", [1.0])]), sgd=False)
    with pytest.raises(ValueError, match="one of 0"):
        nlp(with_vector(nlp, "eggs", attr, []))


@pytest.mark.parametrize("value", ["abc", {"a": 1.0}, [[1.0], [1.0, 2.0]]])
def test_a_condition_that_is_not_a_vector_is_an_error(styled, value):
    nlp, attr = styled
    with pytest.raises(ValueError, match=f"condition of '{NAME}' must be 2 numbers"):
        pipe_of(nlp).generate(["eggs"], condition=value)
    with pytest.raises(ValueError, match=f"'{NAME}' starts from vectors .*doc._.{attr}, but"):
        nlp(with_vector(nlp, "eggs", attr, value))


def test_training_reads_the_conditions_of_references():
    """The loss is that of predictions with the same labels."""
    nlp = make_conditioned()
    examples = labelled_examples(nlp)
    loss = nlp.update(examples, sgd=False)[NAME]
    docs = [nlp(with_cats(nlp, text, **cats)) for text, cats in LABELED]
    assert loss == pytest.approx(-sum(sum(doc._.log_probability) for doc in docs), rel=1e-4)


def test_the_state_of_a_condition_is_learned():
    nlp = make(condition="cats")
    examples = labelled_examples(nlp)
    nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=False)
    (module,) = pipe_of(nlp).shim.module.values()
    assert module.condition.weight.shape == (2 * 16, 2)
    assert module.condition.weight.grad.abs().sum() > 0


def test_empty_docs_may_have_labels():
    nlp = make_conditioned()
    values = [
        nlp(with_cats(nlp, "", **cats))._.log_probability for cats in ({"HAM": 1.0}, {"EGGS": 1.0})
    ]
    assert [len(v) for v in values] == [1, 1] and values[0] != values[1]
    examples = [Example(make_doc(nlp.vocab, ""), with_cats(nlp, "", HAM=1.0))]
    assert nlp.update(examples, sgd=False) == {NAME: 0.0}
