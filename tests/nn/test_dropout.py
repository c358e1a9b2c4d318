"""Locked dropout, weight-drop and word dropout."""

import pytest
import torch

from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn.dropout import (
    LockedDropout,
    drop_weights,
    set_dropout_rate,
)
from spacy_rnn.nn.embedding import drop_words

LAYOUTS = ["padded", "packed"]
LENGTHS = [4, 0, 2, 6, 6]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def locked(rate, training=True):
    dropout = LockedDropout().train(training)
    set_dropout_rate(dropout, rate)
    return dropout


def transparent_encoder(layout, size=32):
    """An encoder whose only layer is tanh, so that its output shows what was dropped."""
    encoder = RNNEncoder(cell="none", direction="forward", hidden_size=size, depth=1).module(size)
    torch.nn.init.eye_(encoder.layers[0].linear.weight)
    encoder.layout = layout
    return encoder


def test_mask_keeps_the_mean_and_has_two_values():
    mask = locked(0.3).mask(2000, 50, torch.zeros(1))
    assert mask.shape == (2000, 50)
    assert mask.unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    assert mask.mean() == pytest.approx(1.0, abs=0.01)
    assert (mask == 0).float().mean() == pytest.approx(0.3, abs=0.01)


def test_mask_has_the_type_of_what_it_multiplies():
    assert locked(0.5).mask(2, 3, torch.zeros(1, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize(("rate", "training"), [(0.5, False), (0.0, True)])
def test_no_mask_in_evaluation_or_at_rate_zero(rate, training):
    assert locked(rate, training).mask(2, 3, torch.zeros(1)) is None


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_mask_per_sequence_shared_over_time_but_not_over_the_batch(layout):
    encoder = transparent_encoder(layout).train()
    set_dropout_rate(encoder, 0.5)
    y = encoder(torch.ones(sum(LENGTHS), 32), torch.tensor(LENGTHS))
    rows = [row for row in y.split(LENGTHS) if len(row)]
    for row in rows:
        assert torch.equal(row, row[:1].expand_as(row))
    assert len({tuple(row[0].tolist()) for row in rows}) == len(rows)
    # Dropped before the layer or after it: 1 - .5 * .5 of all values.
    zero = torch.stack([row[0] for row in rows]) == 0
    assert zero.float().mean() == pytest.approx(0.75, abs=0.1)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_passes_draw_new_masks(layout):
    encoder = transparent_encoder(layout).train()
    set_dropout_rate(encoder, 0.5)
    x = torch.ones(sum(LENGTHS), 32)
    first, second = (encoder(x, torch.tensor(LENGTHS)) for _ in range(2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_is_dropped_in_evaluation(layout):
    encoder = transparent_encoder(layout).eval()
    set_dropout_rate(encoder, 0.5)
    x = torch.ones(sum(LENGTHS), 32)
    torch.testing.assert_close(encoder(x, torch.tensor(LENGTHS)), x.tanh())


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, float("nan")])
def test_a_rate_out_of_range_is_an_error(rate):
    with pytest.raises(ValueError, match="dropout"):
        set_dropout_rate(LockedDropout(), rate)


def test_set_dropout_rate_reaches_every_part():
    modules = torch.nn.Sequential(LockedDropout(), torch.nn.Sequential(LockedDropout()))
    set_dropout_rate(modules, 0.25)
    assert [modules[0].rate, modules[1][0].rate] == [0.25, 0.25]


def test_drop_weights_scales_what_it_keeps():
    weight = torch.rand(100, 100) + 1
    dropped = drop_weights(weight, 0.2, True)
    zero = dropped == 0
    assert zero.float().mean() == pytest.approx(0.2, abs=0.02)
    torch.testing.assert_close(dropped[~zero], weight[~zero] / 0.8)
    assert torch.equal(drop_weights(weight, 0.2, False), weight)


def weight_drop_encoder(cell, layout):
    encoder = RNNEncoder(cell=cell, hidden_size=8, depth=2, recurrent_dropout=0.5).module(3)
    encoder.layout = layout
    return encoder


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_tanh"])
def test_weight_drop_leaves_the_stored_weights_and_gives_them_gradients(cell, layout):
    encoder = weight_drop_encoder(cell, layout).train()
    x, lengths = torch.randn(sum(LENGTHS), 3), torch.tensor(LENGTHS)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    for _ in range(50):
        encoder(x, lengths)
    after = encoder.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    encoder(x, lengths).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad.any(), name


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_tanh"])
def test_weight_drop_acts_in_training_only(cell, layout):
    encoder = weight_drop_encoder(cell, layout)
    x, lengths = torch.randn(sum(LENGTHS), 3), torch.tensor(LENGTHS)
    encoder.train()
    assert not torch.equal(encoder(x, lengths), encoder(x, lengths))
    encoder.eval()
    evaluated = encoder(x, lengths)
    assert torch.equal(encoder(x, lengths), evaluated)
    encoder.recurrent_dropout = 0.0
    assert torch.equal(encoder(x, lengths), evaluated)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_weight_drop_spares_input_weights(layout):
    """The only step of a sequence of one token does not depend on the recurrent weights."""
    encoder = weight_drop_encoder("lstm", layout)
    x, lengths = torch.randn(4, 3), torch.tensor([1, 1, 1, 1])
    torch.testing.assert_close(encoder.train()(x, lengths), encoder.eval()(x, lengths))


def test_drop_words_replaces_words_by_the_unknown_word():
    ids = torch.randint(1, 1000, (20_000,))
    original = ids.clone()
    dropped = drop_words(ids, 0.1, True)
    changed = dropped != ids
    assert not dropped[changed].any()
    assert changed.float().mean() == pytest.approx(0.1, abs=0.01)
    assert dropped.dtype == torch.int64
    assert torch.equal(ids, original)


@pytest.mark.parametrize(("rate", "training"), [(0.5, False), (0.0, True)])
def test_drop_words_keeps_all_in_evaluation_or_at_rate_zero(rate, training):
    ids = torch.arange(1, 100)
    assert torch.equal(drop_words(ids, rate, training), ids)
