"""Cross-entropy against worked values and a formula in numpy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_rnn.nn.losses import MISSING, cross_entropy


def formula(logits, targets, smoothing=0.0, weights=None):
    """The sum over tokens of - sum_c q(c) w(c) log p(c), q being the smoothed target."""
    logits = logits.double().numpy()
    n_classes = logits.shape[1]
    weights = np.ones(n_classes) if weights is None else weights.double().numpy()
    total = 0.0
    for scores, target in zip(logits, targets.tolist(), strict=True):
        if target == MISSING:
            continue
        scores = scores - scores.max()
        log_p = scores - math.log(np.exp(scores).sum())
        q = np.full(n_classes, smoothing / n_classes)
        q[target] += 1 - smoothing
        total -= (q * weights * log_p).sum()
    return total


@pytest.mark.parametrize(
    ("logits", "target", "smoothing", "weights", "expected"),
    [
        ([0.0, 0.0], 0, 0.0, None, math.log(2)),
        ([math.log(3), 0.0], 0, 0.0, None, math.log(4 / 3)),
        ([math.log(3), 0.0], 1, 0.0, None, math.log(4)),
        ([math.log(3), 0.0], 1, 0.0, [1.0, 2.5], 2.5 * math.log(4)),
        # q = (.1, .9)
        ([math.log(3), 0.0], 1, 0.2, None, 0.1 * math.log(4 / 3) + 0.9 * math.log(4)),
        ([0.0, 0.0], MISSING, 0.2, [1.0, 2.0], 0.0),
    ],
)
def test_worked_values(logits, target, smoothing, weights, expected):
    weights = None if weights is None else torch.tensor(weights)
    loss = cross_entropy(torch.tensor([logits]), torch.tensor([target]), smoothing, weights)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


@given(
    targets=st.lists(st.sampled_from([MISSING, 0, 1, 2]), max_size=8),
    smoothing=st.sampled_from([0.0, 0.1, 0.5]),
    weighted=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_formula(targets, smoothing, weighted):
    torch.manual_seed(len(targets))
    logits = torch.randn(len(targets), 3) * 3
    targets = torch.tensor(targets, dtype=torch.int64)
    weights = torch.tensor([0.5, 1.0, 3.0]) if weighted else None
    loss = cross_entropy(logits, targets, smoothing, weights)
    expected = formula(logits, targets, smoothing, weights)
    assert loss.item() == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_missing_targets_have_no_gradient(smoothing):
    logits = torch.randn(3, 4, requires_grad=True)
    cross_entropy(logits, torch.tensor([1, MISSING, 2]), smoothing).backward()
    assert logits.grad.any(dim=1).tolist() == [True, False, True]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("n_tokens", [0, 3])
def test_only_missing_targets_are_a_loss_of_zero(n_tokens, smoothing):
    logits = torch.randn(n_tokens, 4, requires_grad=True)
    targets = torch.full((n_tokens,), MISSING)
    loss = cross_entropy(logits, targets, smoothing, torch.tensor([1.0, 2.0, 3.0, 4.0]))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(logits.grad, torch.zeros(n_tokens, 4))


def test_losses_of_halves_add_up():
    logits, targets = torch.randn(5, 3), torch.tensor([0, MISSING, 2, 1, 1])
    halves = [cross_entropy(logits[s], targets[s], 0.1) for s in (slice(0, 3), slice(3, 5))]
    torch.testing.assert_close(sum(halves), cross_entropy(logits, targets, 0.1))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_float16_logits_have_a_finite_loss_and_gradient(smoothing):
    """A loss of 120000 is more than float16 can hold."""
    logits = torch.tensor([[60000.0, -60000.0]], dtype=torch.float16, requires_grad=True)
    loss = cross_entropy(logits, torch.tensor([1]), smoothing)
    loss.backward()
    expected = formula(logits.detach(), torch.tensor([1]), smoothing)
    assert loss.item() == pytest.approx(expected, rel=1e-3)
    assert logits.grad.isfinite().all()
    assert logits.grad[0, 0] == pytest.approx(1 - smoothing / 2, rel=1e-3)
