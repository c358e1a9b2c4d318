"""Tasks that need memory, and comparisons of networks on them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_rnn.analysis.memory import (
    Learner,
    Run,
    TrainingSettings,
    Variant,
    first_unsolved_length,
    make_variants,
    plot_memory,
    summarize_runs,
    train,
    train_all,
)
from spacy_rnn.analysis.tasks import COPIED, LETTERS, SYMBOLS, TASKS

CPU = torch.device("cpu")
SMALL = TrainingSettings(hidden_size=16, batch_size=16, steps=200, learn_rate=0.02)


def sample(name, n=8, length=7, seed=0):
    return TASKS[name].sample(n, length, torch.Generator().manual_seed(seed))


# Tasks


@given(length=st.integers(2, 30), seed=st.integers(0, 99))
@settings(max_examples=30)
def test_adding(length, seed):
    x, y = sample("adding", length=length, seed=seed)
    assert x.shape == (8, length, 2) and y.shape == (8, 1)
    for row, total in zip(x.tolist(), y.tolist(), strict=True):
        marked = [i for i, (_, mark) in enumerate(row) if mark]
        assert len(marked) == 2 and marked[0] < length // 2 <= marked[1]
        assert total[0] == pytest.approx(sum(row[i][0] for i in marked))
        assert all(0 <= value <= 1 for value, _ in row)


def test_chance_level_of_adding():
    """The error of always predicting 1, the mean, is the variance of the sum of two numbers."""
    _, y = sample("adding", n=20_000)
    error = TASKS["adding"].score(torch.ones(20_000, 1, 1), y)
    assert error == pytest.approx(TASKS["adding"].chance, rel=0.03)


@given(length=st.integers(2, 30), seed=st.integers(0, 99))
@settings(max_examples=30)
def test_recall(length, seed):
    x, y = sample("recall", length=length, seed=seed)
    assert x.shape == (8, length, 2 * SYMBOLS)
    symbols = x.argmax(dim=2)
    assert (symbols[:, 0] == y[:, 0]).all() and (symbols[:, 0] < SYMBOLS).all()
    assert (symbols[:, 1:] >= SYMBOLS).all()


@given(length=st.integers(2, 30), seed=st.integers(0, 99))
@settings(max_examples=30)
def test_copy(length, seed):
    x, y = sample("copy", length=length, seed=seed)
    assert x.shape == (8, length + 2 * COPIED, SYMBOLS + 2)
    symbols = x.argmax(dim=2)
    assert (symbols[:, :COPIED] == y).all()
    between, end = symbols[:, COPIED:-COPIED], symbols[:, -COPIED:]
    assert (between[:, :-1] == SYMBOLS).all() and (between[:, -1] == SYMBOLS + 1).all()
    assert (end == SYMBOLS).all()
    # Each symbol has to be remembered for length + COPIED steps.
    assert x.shape[1] - COPIED == length + COPIED


@given(length=st.integers(2, 12), seed=st.integers(0, 99))
@settings(max_examples=30)
def test_letters(length, seed):
    x, y = sample("letters", length=length, seed=seed)
    assert x.shape == (8, 2 * length, LETTERS)
    letters = x.argmax(dim=2)
    assert (letters[:, :length] == letters[:, length:]).all()
    # Each target in the second copy is the letter that followed in the first copy.
    assert (y == letters[:, 1 : length + 1]).all()


@pytest.mark.parametrize("name", ["recall", "copy", "letters"])
def test_chance_level_of_symbols(name):
    """The chance level is the score of always predicting the same symbol."""
    task = TASKS[name]
    _, y = sample(name, n=4000, length=5)
    outputs = torch.zeros(*y.shape, task.output_size)
    outputs[:, :, 0] = 1.0
    assert task.score(outputs, y) == pytest.approx(task.chance, rel=0.1)
    right = torch.nn.functional.one_hot(y, task.output_size).float()
    assert task.score(right, y) == 1.0 and task.is_solved(1.0) and not task.is_solved(0.98)
    expected = -torch.log_softmax(outputs, dim=2).gather(2, y.unsqueeze(2)).mean()
    assert task.loss(outputs, y).item() == pytest.approx(expected.item(), rel=1e-5)


# Networks


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_learner_equals_torch(direction):
    """The outputs are computed from the last states, which equal those of torch.nn.GRU."""
    torch.manual_seed(0)
    learner = Learner(TASKS["recall"], Variant("gru", direction), 6, 5).eval()
    x, _ = sample("recall", length=6)
    gru = torch.nn.GRU(2 * SYMBOLS, 5, batch_first=True, bidirectional=direction == "both")
    mine = dict(learner.encoder.layers[0].named_parameters())
    for name, parameter in gru.named_parameters():
        parameter.data = mine[name].data
    states = gru(x.flip(1))[0].flip(1) if direction == "backward" else gru(x)[0]
    expected = learner.output(states[:, -2:])
    assert torch.allclose(learner(x, 2), expected, atol=1e-5)


def test_chrono_initialization_gives_large_forget_biases():
    torch.manual_seed(0)
    task = TASKS["recall"]
    biases = {}
    for chrono in (False, True):
        learner = Learner(task, Variant("lstm", chrono=chrono), 100, 64)
        biases[chrono] = learner.encoder.layers[0].bias_ih_l0[64:128]
    assert (biases[False] == 1.0).all() and biases[True].max() > np.log(50)


def test_learns_a_short_task():
    run = train("recall", Variant("gru"), 3, 0, SMALL, CPU)
    assert run.solved_at is not None and run.solved_at < SMALL.steps and run.score > 0.99


def test_does_not_learn_without_recurrence():
    run = train("recall", Variant("none"), 3, 0, TrainingSettings(16, 16, 60, 0.02), CPU)
    assert run.solved_at is None and run.score < 0.3


def test_clipping_bounds_a_step():
    """Without clipping, a ReLU layer over many steps with a large learning rate explodes."""
    wild = TrainingSettings(hidden_size=16, batch_size=8, steps=40, learn_rate=0.5)
    free, clipped = (
        train("adding", Variant("rnn_relu", clip=clip), 60, 0, wild, CPU) for clip in (0.0, 0.1)
    )
    assert free.solved_at is None
    assert not np.isfinite(free.score) or free.score > clipped.score


def test_a_seed_gives_the_same_training_again():
    short = TrainingSettings(hidden_size=8, batch_size=4, steps=5)
    state = torch.random.get_rng_state()
    first, again, other = (
        train("adding", Variant("lstm"), 5, seed, short, CPU) for seed in (0, 0, 1)
    )
    assert first == again and first.score != other.score
    assert (torch.random.get_rng_state() == state).all()


def test_all_combinations():
    compared = make_variants(
        ["rnn_tanh", "lstm"], ["forward", "both"], [1, 2], [False, True], [1.0, 0.0]
    )
    # The plain cell has no gates.
    assert len(compared) == 8 + 16 and len(set(map(str, compared))) == 24
    assert str(Variant("lstm", "both", 2, True, 0.0)) == "lstm, both, depth 2, chrono, no clipping"
    assert str(Variant("gru")) == "gru"


def test_every_combination_is_trained():
    short = TrainingSettings(hidden_size=4, batch_size=2, steps=1)
    runs = list(train_all("copy", make_variants(["gru", "lstm"]), [2, 3], [0, 1], short, CPU))
    assert [(r.length, r.variant.cell, r.seed) for r in runs] == [
        (n, cell, seed) for n in (2, 3) for cell in ("gru", "lstm") for seed in (0, 1)
    ]


def make_runs():
    gru, lstm = Variant("gru"), Variant("lstm")
    return [
        Run(gru, 20, 0, None, 0.3), Run(gru, 20, 1, 40, 0.005), Run(gru, 20, 2, None, 0.1),
        Run(gru, 10, 0, 30, 0.008), Run(gru, 10, 1, 10, 0.006), Run(gru, 10, 2, 20, 0.001),
        Run(lstm, 10, 0, 7, 0.002), Run(lstm, 20, 0, 9, 0.004),
    ]  # fmt: skip


def test_summary_by_hand():
    found = summarize_runs(make_runs())
    short, long = found[Variant("gru")]
    assert (short.length, short.seeds, short.solved, short.step) == (10, 3, 3, 20)
    assert short.score == pytest.approx(0.005) and (short.low, short.high) == (0.001, 0.008)
    assert (long.length, long.seeds, long.solved, long.step) == (20, 3, 1, 40)
    assert first_unsolved_length(found[Variant("gru")]) == 20
    assert first_unsolved_length(found[Variant("lstm")]) is None


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_plot(tmp_path, ending):
    path = tmp_path / f"plot.{ending}"
    plot_memory(path, "adding", summarize_runs(make_runs()[:6]))
    assert path.stat().st_size > 1000
    if ending == "svg":
        assert "chance" in path.read_text(encoding="utf8")


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda: Variant("elman"), "'cell' must be one of rnn_tanh, .*, got 'elman'"),
        (lambda: Variant("gru", "up"), "'direction' must be one of forward, .*, got 'up'"),
        (lambda: Variant("gru", depth=0), "'depth' must be"),
        (lambda: Variant("gru", clip=-1.0), "'clip' must be"),
        (lambda: TrainingSettings(steps=0), "'steps' must be"),
        (lambda: train("recall", Variant("gru"), 1, 0, SMALL, CPU), "must be at least 2, got 1"),
    ],
)
def test_bad_settings(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
