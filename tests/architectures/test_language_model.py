"""How a language model reads documents: windows and streams in training, batches and windows in
prediction, compared with one pass over each document alone."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_rnn.architectures.language_model import is_backward, make_language_model
from spacy_rnn.architectures.rnn_encoder import make_rnn_encoder
from spacy_rnn.architectures.stream_trainer import StreamTrainer
from spacy_rnn.config.units import CharacterUnits
from spacy_rnn.nn.language_model import language_loss
from spacy_rnn.runtime.batching import MemoryLimits
from spacy_rnn.runtime.tok2vec import DocBatch

VOCAB = Vocab()
ALPHABET = "abcdefgh"
BOUNDARY = 0
NAMES = {"forward": ["forwards"], "backward": ["backwards"], "both": ["forwards", "backwards"]}
DIRECTIONS = list(NAMES)
some_texts = st.lists(st.text(ALPHABET + "x", max_size=9), min_size=1, max_size=6)


def doc_of(text):
    return Doc(VOCAB, words=[text], spaces=[False]) if text else Doc(VOCAB)


def make(direction="forward", cell="lstm", condition=0, **options):
    torch.manual_seed(0)
    encoder = make_rnn_encoder(cell=cell, direction=direction, hidden_size=5, depth=2)
    model = make_language_model(CharacterUnits(1), encoder, embedding_size=4, **options)
    model.initialize(X=[doc_of(ALPHABET)], Y={"condition": condition})
    for parameter in shim_of(model).module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model


def shim_of(model):
    return model.shims[0]


@pytest.fixture(scope="module")
def models():
    """Models for tests that do not train them."""
    return {
        (direction, condition): make(direction, condition=condition)
        for direction in DIRECTIONS
        for condition in (0, 2)
    }


def predict(model, texts, conditions=None, batch_tokens=10_000, window=10_000):
    limits = MemoryLimits(batch_tokens, window, 0)
    shim = shim_of(model)
    docs = DocBatch([doc_of(text) for text in texts])
    return shim.architecture.predict(shim, docs, limits, conditions)


def alone(model, text, condition=None, name="forwards"):
    """The log-probability of each unit and of the boundary at the end, in one pass."""
    module = shim_of(model).module[name]
    units = [BOUNDARY, *shim_of(model).features.encode_text(text).tolist(), BOUNDARY]
    units = torch.tensor(units[::-1] if name == "backwards" else units)
    given = None if condition is None else torch.from_numpy(condition).unsqueeze(0)
    with torch.no_grad():
        read = module(units[:-1], torch.tensor([len(units) - 1]), module.initial_state(1, given))
        scores = module.output(read.states).double().log_softmax(1)
    return scores.gather(1, units[1:].unsqueeze(1)).squeeze(1).numpy()


def random_conditions(texts, condition, seed=0):
    size = (len(texts), condition)
    values = np.random.default_rng(seed).normal(size=size).astype("float32")
    return values if condition else None


def of(conditions, i):
    return None if conditions is None else conditions[i]


# Prediction


@pytest.mark.parametrize("condition", [0, 2])
@pytest.mark.parametrize("direction", DIRECTIONS)
@given(texts=some_texts, batch_tokens=st.integers(1, 30), window=st.integers(1, 12))
@settings(max_examples=15)
def test_batches_and_windows_change_nothing(
    models, direction, condition, texts, batch_tokens, window
):
    """Predictions are forward if there are two directions; backward ones are returned in the order
    of the text."""
    model = models[direction, condition]
    conditions = random_conditions(texts, condition)
    name = NAMES[direction][0]
    found = predict(model, texts, conditions, batch_tokens, window)
    assert len(found) == len(texts)
    for i, (text, values) in enumerate(zip(texts, found, strict=True)):
        assert values.dtype == np.float32 and values.shape == (len(text) + 1,)
        expected = alone(model, text, of(conditions, i), name)
        np.testing.assert_allclose(
            values, expected[::-1] if direction == "backward" else expected, rtol=0, atol=1e-5
        )


def test_only_the_backward_model_is_backward(models):
    assert [is_backward(models[direction, 0]) for direction in DIRECTIONS] == [False, True, False]


def test_no_documents(models):
    assert predict(models["forward", 0], []) == []


@pytest.mark.parametrize("batch_tokens, window", [(20, 7), (5, 7), (100, 3), (1, 1)])
def test_batches_and_windows_stay_within_their_limits(models, batch_tokens, window):
    """For texts of any length, and any number of texts."""
    model = models["forward", 0]
    sizes = []
    module = shim_of(model).module["forwards"]
    hook = module.register_forward_hook(lambda m, args, read: sizes.append(args[1]))
    texts = ["abc" * 20, "", "a", "bcd" * 10, *["ab"] * 20]
    predict(model, texts, None, batch_tokens, window)
    hook.remove()
    for lengths in sizes:
        assert lengths.max() <= window
        assert len(lengths) == 1 or lengths.max() * len(lengths) <= batch_tokens
    assert sum(lengths.sum() for lengths in sizes) == sum(len(text) + 1 for text in texts)


# Training


def steps(model, trainer, texts, conditions=None):
    """The loss of each window."""
    found = trainer.begin_updates(model, [doc_of(text) for text in texts], conditions)
    return [loss for loss, _ in found]


@pytest.mark.parametrize("condition", [0, 2])
@pytest.mark.parametrize("direction", DIRECTIONS)
@given(data=st.data(), n=st.integers(1, 3), window=st.integers(1, 12), random=st.booleans())
@settings(max_examples=15)
def test_windows_have_the_loss_of_documents_alone(
    models, direction, condition, data, n, window, random
):
    """The loss is the same for any batches: all streams end together, so that no units are left
    waiting. Each document starts from a new state, or from its condition."""
    model = models[direction, condition]
    sizes = data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=4))
    generator = np.random.default_rng(window)
    texts = ["".join(generator.choice(list(ALPHABET), k)) for k in sizes for _ in range(n)]
    conditions = random_conditions(texts, condition)
    trainer = StreamTrainer(model, n, window, False, random)
    before = shim_of(model).n_items
    total, at = 0.0, 0
    while at < len(texts):
        end = at + data.draw(st.integers(1, len(texts) - at))
        part = None if conditions is None else conditions[at:end]
        total += sum(steps(model, trainer, texts[at:end], part))
        at = end
    expected = -sum(
        alone(model, text, of(conditions, i), name).sum()
        for i, text in enumerate(texts)
        for name in NAMES[direction]
    )
    assert total == pytest.approx(expected, rel=1e-5)
    n_units = sum(len(text) + 1 for text in texts) * len(NAMES[direction])
    assert shim_of(model).n_items - before == n_units


@pytest.mark.parametrize("direction", DIRECTIONS)
@given(n=st.integers(1, 3), window=st.integers(1, 8), texts=some_texts)
@settings(max_examples=15)
def test_with_carry_a_stream_is_one_sequence(models, direction, n, window, texts):
    """The sequence of all documents is read in one pass, as far as the windows reach."""
    model = models[direction, 0]
    texts = texts * 3
    losses = steps(model, StreamTrainer(model, n, window, True, False), texts)
    size, expected = window * len(losses), 0.0
    for name in NAMES[direction]:
        streams = [[[], []] for _ in range(n)]
        for text in texts:
            units = [BOUNDARY, *shim_of(model).features.encode_text(text).tolist(), BOUNDARY]
            units = units[::-1] if name == "backwards" else units
            shortest = min(streams, key=lambda stream: len(stream[0]))
            shortest[0] += units[:-1]
            shortest[1] += units[1:]
        assert size <= min(len(inputs) for inputs, _ in streams) < size + window
        inputs, targets = (
            torch.tensor([u for stream in streams for u in stream[k][:size]]) for k in (0, 1)
        )
        lengths = torch.full((n,), size)
        module = shim_of(model).module[name]
        with torch.no_grad():
            read = module(inputs.long(), lengths, module.initial_state(n))
            loss = language_loss(module, read.states, targets.long(), lengths.numpy())
        expected += float(loss)
    assert sum(losses) == pytest.approx(expected, rel=1e-5)


def reached(model, trainer, texts):
    """For each window, the characters whose vectors its gradient reaches; "" for the boundary."""
    found = []
    shim = shim_of(model)
    weight = shim.module["forwards"].embedding.weight
    for _, backprop in trainer.begin_updates(model, [doc_of(text) for text in texts], None):
        weight.grad = None
        backprop(1.0)
        rows = torch.nonzero(weight.grad.abs().sum(1)).flatten().tolist()
        found.append({shim.features.strings[i] for i in rows})
    return found


def test_the_gradient_of_a_window_ends_at_its_start():
    """A later window reads the state, but its gradient does not reach the units of earlier ones."""
    model = make("forward", "gru", tied=False)
    found = reached(model, StreamTrainer(model, 1, 3, False, False), ["abcdefg"])
    assert found == [{"", "a", "b"}, {"c", "d", "e"}, {"f", "g"}]
    found = reached(model, StreamTrainer(model, 1, 4, True, False), ["abc", "defg"])
    assert found == [{"", "a", "b", "c"}, {"", "d", "e", "f"}]


def test_the_gradient_of_the_last_unit_of_a_window_reaches_the_first():
    model = make("forward", "gru", tied=False)
    shim = shim_of(model)
    module = shim.module["forwards"]
    ids = torch.from_numpy(shim.features.encode_text("abc"))
    read = module(ids, torch.tensor([3]), module.initial_state(1))
    (gradient,) = torch.autograd.grad(
        module.output.loss(read.states[2:], ids[2:]), module.embedding.weight
    )
    assert gradient[ids].abs().sum(1).min() > 0


@pytest.mark.parametrize("window", [1, 2, 3, 4, 10])
def test_without_carry_the_document_before_does_not_matter(window):
    """Neither does its condition: the windows of the next document on its stream are the same."""
    model = make(condition=2)
    conditions = np.array([[1, 0], [0, 1]], dtype="float32")
    n = -(-5 // window)

    def later(first, condition):
        trainer = StreamTrainer(model, 1, window, False, False)
        losses = steps(model, trainer, [first, "cdab"], np.stack([condition, conditions[1]]))
        assert len(losses) == 2 * n
        return losses[n:]

    expected = later("abcd", conditions[0])
    assert later("hhhh", conditions[0]) == expected
    assert later("abcd", conditions[1]) == expected
    assert sum(expected) == pytest.approx(-alone(model, "cdab", conditions[1]).sum(), rel=1e-5)


def test_with_carry_the_document_before_matters():
    model = make()

    def later(first):
        trainer = StreamTrainer(model, 1, 5, True, False)
        first_loss, second_loss = steps(model, trainer, [first, "cdab"])
        return second_loss

    assert later("abcd") == later("abcd")
    assert abs(later("abcd") - later("hhhh")) > 1e-4
    assert abs(later("abcd") + alone(model, "cdab").sum()) > 1e-4


@pytest.mark.parametrize("carry", [False, True])
def test_states_are_carried_to_the_next_batch(carry):
    """Documents in several batches are read as in one batch."""
    model = make()
    texts = ["abcdefgh" * 2, "hgfedcba" * 2, "aaaa", "bb"]
    together = steps(model, StreamTrainer(model, 2, 3, carry, False), texts)
    trainer = StreamTrainer(model, 2, 3, carry, False)
    apart = steps(model, trainer, texts[:1])
    assert apart == []
    apart += steps(model, trainer, texts[1:2])
    assert 0 < len(apart) < len(together)
    for text in texts[2:]:
        apart += steps(model, trainer, [text])
    assert sum(apart) == pytest.approx(sum(together), rel=1e-5)


def test_the_regularization_of_the_config_is_added():
    plain = make("both")
    weighted = make("both", activation_regularization=0.5, temporal_regularization=2.0)
    shim_of(weighted).module.load_state_dict(shim_of(plain).module.state_dict())
    loss, more = (
        sum(steps(model, StreamTrainer(model, 1, 9, False, False), ["abcd", "ef"]))
        for model in (plain, weighted)
    )
    expected = 0.0
    for module in shim_of(plain).module.values():
        backward = module is shim_of(plain).module["backwards"]
        for text in ("abcd", "ef"):
            ids = [0, *shim_of(plain).features.encode_text(text)[:: -1 if backward else 1]]
            with torch.no_grad():
                h = module(
                    torch.tensor(ids), torch.tensor([len(ids)]), module.initial_state(1)
                ).states
            expected += len(h) * (0.5 * h.square().mean() + 2.0 * h.diff(dim=0).square().mean())
    assert more - loss == pytest.approx(float(expected), rel=1e-4)


def test_random_windows_depend_on_numpys_seed():
    """All directions draw the same sizes, and a seed repeats them."""
    model = make("both")

    def sizes(seed):
        np.random.seed(seed)
        trainer = StreamTrainer(model, 1, 30, True, True)
        for streams in trainer.streams.values():
            streams.push(np.arange(500))
        drawn = [[len(w.inputs) for w in s.windows()] for s in trainer.streams.values()]
        assert drawn[0] == drawn[1] and len(set(drawn[0])) > 3
        return drawn[0]

    assert sizes(1) == sizes(1) != sizes(2)


def test_a_copy_continues_independently():
    """Its streams and states are copied, too."""
    model = make()
    trainer = StreamTrainer(model, 2, 3, True, True)
    steps(model, trainer, ["abcdefghabc", "hgfedcba"])
    other = copy.deepcopy(trainer)
    more = ["ab" * 30, "cd" * 30]
    assert steps(model, trainer, more) == steps(model, other, more)
