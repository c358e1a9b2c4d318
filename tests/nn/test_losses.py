"""The losses compared with worked values and with formulas in numpy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_rnn.nn.losses import (
    MISSING,
    Scores,
    cross_entropy,
    exclusive_loss,
    log_odds,
    log_probabilities,
    multilabel_loss,
    squared_error,
    vocabulary_loss,
)
from spacy_rnn.nn.tag_scores import TagScores
from spacy_rnn.nn.tagger import tagging_loss


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
@settings(max_examples=60)
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
def test_only_missing_targets_give_a_loss_of_zero(n_tokens, smoothing):
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


# Several targets


@given(st.lists(st.sampled_from([MISSING, 0, 1, 2]), max_size=6), st.sampled_from([0.0, 0.2]))
@settings(max_examples=30)
def test_the_loss_of_several_targets_is_their_sum(targets, smoothing):
    """Only the classes of the first target have weights."""
    torch.manual_seed(len(targets))
    logits = {"tag": torch.randn(len(targets), 3), "pos": torch.randn(len(targets), 4)}
    tags = torch.tensor(targets, dtype=torch.int64)
    weights = torch.tensor([0.5, 1.0, 3.0])
    gold = {"pos": tags.flip(0), "tag": tags, "tag_weights": weights}
    expected = formula(logits["tag"], tags, smoothing, weights)
    expected += formula(logits["pos"], tags.flip(0), smoothing)
    chains = {name: TagScores(x, torch.tensor([len(x)])) for name, x in logits.items()}
    loss = tagging_loss(chains, gold, smoothing)
    assert loss.item() == pytest.approx(expected, rel=1e-5, abs=1e-5)


# Exclusive classes

#: the label of each text, or which of the three classes are possible
some_texts = st.lists(
    st.sampled_from([MISSING, 0, 1, 2])
    | st.sets(st.integers(0, 2), min_size=1).map(lambda classes: tuple(sorted(classes))),
    max_size=7,
)


def exclusive_gold(texts, weights=None):
    doubtful = [i for i, text in enumerate(texts) if isinstance(text, tuple)]
    labels = [MISSING if isinstance(text, tuple) else text for text in texts]
    gold = {"label": torch.tensor(labels, dtype=torch.int64)}
    if weights is not None:
        gold["weights"] = weights
    if doubtful:
        gold["ambiguous"] = torch.tensor(doubtful)
        gold["candidates"] = torch.tensor([[c in texts[i] for c in range(3)] for i in doubtful])
    return gold


def softmax(scores):
    exponentials = [math.exp(score - max(scores)) for score in scores]
    return [e / sum(exponentials) for e in exponentials]


@given(texts=some_texts, smoothing=st.sampled_from([0.0, 0.3]), weighted=st.booleans())
@settings(max_examples=80)
def test_exclusive_classes_by_their_probabilities(texts, smoothing, weighted):
    torch.manual_seed(len(texts))
    logits = torch.randn(len(texts), 3) * 3
    weights = torch.tensor([0.5, 1.0, 3.0]) if weighted else None
    gold = exclusive_gold(texts, weights)
    expected = formula(logits, gold["label"], smoothing, weights)
    for scores, text in zip(logits.double().tolist(), texts, strict=True):
        if isinstance(text, tuple):
            expected -= math.log(sum(softmax(scores)[c] for c in text))
    loss = exclusive_loss({"text": logits}, gold, smoothing)
    assert loss.item() == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (2, math.log(8)),
        ((2,), math.log(8)),
        ((0, 2), math.log(8 / 5)),
        ((1, 2), math.log(2)),
        ((0, 1, 2), 0.0),
        (MISSING, 0.0),
    ],
)
def test_worked_values_of_exclusive_classes(text, expected):
    """The classes have the probabilities 4/8, 3/8 and 1/8."""
    logits = torch.tensor([[math.log(4), math.log(3), 0.0]])
    loss = exclusive_loss({"text": logits}, exclusive_gold([text]))
    assert loss.item() == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(texts=some_texts)
@settings(max_examples=40)
def test_the_gradient_of_exclusive_classes(texts):
    """The gradient is the probabilities minus the probabilities given that the class is one of the
    possible ones. It is 0 if all classes are possible."""
    torch.manual_seed(len(texts))
    logits = (torch.randn(len(texts), 3) * 2).requires_grad_()
    exclusive_loss({"text": logits}, exclusive_gold(texts)).backward()
    for scores, text, gradient in zip(logits.tolist(), texts, logits.grad.tolist(), strict=True):
        if text == MISSING:
            assert gradient == [0.0] * 3
            continue
        possible = text if isinstance(text, tuple) else (text,)
        p = softmax(scores)
        among = [p[c] / sum(p[d] for d in possible) if c in possible else 0.0 for c in range(3)]
        assert gradient == pytest.approx([a - b for a, b in zip(p, among, strict=True)], abs=1e-5)


def test_possible_classes_of_zero_probability_have_a_finite_loss_and_gradient():
    logits = torch.tensor([[60000.0, -60000.0, -60000.0]] * 2, dtype=torch.float16)
    logits.requires_grad_()
    loss = exclusive_loss({"text": logits}, exclusive_gold([(1, 2), (0, 1)]))
    loss.backward()
    assert loss.item() == pytest.approx(120_000, rel=1e-2)
    assert logits.grad[0].tolist() == pytest.approx([1.0, -0.5, -0.5], abs=0.01)
    assert logits.grad[1].tolist() == [0.0, 0.0, 0.0]


# Classes that do not exclude each other

NAN = float("nan")
some_truth = st.lists(st.tuples(*[st.sampled_from([0.0, 1.0, NAN])] * 3), max_size=6)


def as_rows(rows):
    return torch.tensor(rows, dtype=torch.float32).view(-1, 3)


@given(truth=some_truth, smoothing=st.sampled_from([0.0, 0.2]), weighted=st.booleans())
@settings(max_examples=60)
def test_the_multilabel_loss_by_probabilities(truth, smoothing, weighted):
    torch.manual_seed(len(truth))
    logits = torch.randn(len(truth), 3) * 3
    weights = [0.5, 1.0, 4.0] if weighted else [1.0] * 3
    gold = {"truth": as_rows(truth), **({"weights": torch.tensor(weights)} if weighted else {})}
    expected = 0.0
    for scores, targets in zip(logits.double().tolist(), truth, strict=True):
        for score, target, weight in zip(scores, targets, weights, strict=True):
            if not math.isnan(target):
                q = target * (1 - smoothing) + smoothing / 2
                p = 1 / (1 + math.exp(-score))
                expected -= weight * q * math.log(p) + (1 - q) * math.log(1 - p)
    loss = multilabel_loss({"text": logits}, gold, smoothing)
    assert loss.item() == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(
    ("target", "smoothing", "weight", "expected"),
    [
        (1.0, 0.0, None, math.log(4 / 3)),
        (0.0, 0.0, None, math.log(4)),
        (1.0, 0.0, 2.5, 2.5 * math.log(4 / 3)),
        (0.0, 0.0, 2.5, math.log(4)),
        # a target of .9
        (1.0, 0.2, None, 0.9 * math.log(4 / 3) + 0.1 * math.log(4)),
        (1.0, 0.2, 3.0, 2.7 * math.log(4 / 3) + 0.1 * math.log(4)),
        (NAN, 0.2, 3.0, 0.0),
    ],
)
def test_worked_values_of_one_label(target, smoothing, weight, expected):
    """The label has the probability 3/4."""
    gold = {"truth": torch.tensor([[target]])}
    if weight is not None:
        gold["weights"] = torch.tensor([weight])
    loss = multilabel_loss({"text": torch.tensor([[math.log(3)]])}, gold, smoothing)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_unknown_labels_have_no_gradient(smoothing):
    logits = torch.randn(3, 3, requires_grad=True)
    truth = as_rows([(NAN, 1.0, 0.0), (NAN, NAN, NAN), (0.0, NAN, 1.0)])
    gold = {"truth": truth, "weights": torch.tensor([1.0, 2.0, 3.0])}
    multilabel_loss({"text": logits}, gold, smoothing).backward()
    assert torch.equal(logits.grad != 0, ~truth.isnan())


@pytest.mark.parametrize("target", [0.0, 1.0, NAN])
def test_float16_outputs_of_labels_have_a_finite_loss_and_gradient(target):
    logits = torch.tensor([[60000.0, -60000.0]] * 2, dtype=torch.float16, requires_grad=True)
    loss = multilabel_loss({"text": logits}, {"truth": torch.full((2, 2), target)})
    loss.backward()
    assert loss.item() == pytest.approx(0.0 if math.isnan(target) else 120_000, rel=1e-3)
    assert logits.grad.isfinite().all()


# Numbers


def test_squared_errors_are_summed():
    values = torch.tensor([[1.0, -2.0], [0.5, 3.0]], requires_grad=True)
    truth = torch.tensor([[2.0, -2.0], [-1.0, NAN]])
    loss = squared_error({"text": values}, {"truth": truth})
    loss.backward()
    assert loss.item() == 1.0 + 0.0 + 2.25
    assert values.grad.tolist() == [[-2.0, 0.0], [3.0, 0.0]]


@given(truth=some_truth)
@settings(max_examples=40)
def test_unknown_numbers_have_no_loss_and_no_gradient(truth):
    values = torch.randn(len(truth), 3, requires_grad=True)
    loss = squared_error({"text": values}, {"truth": as_rows(truth)})
    loss.backward()
    errors = (values.detach().double() - as_rows(truth).double()).numpy()
    assert loss.item() == pytest.approx(np.nansum(errors**2), rel=1e-5, abs=1e-6)
    np.testing.assert_allclose(values.grad, np.nan_to_num(2 * errors), rtol=1e-5, atol=1e-6)


def test_squared_errors_of_float16_outputs_do_not_overflow():
    values = torch.full((1, 1), 300.0, dtype=torch.float16)
    assert squared_error({"text": values}, {"truth": torch.tensor([[-300.0]])}).item() == 360_000


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("n_rows, n_classes", [(1, 3), (130, 5), (5, 20_000), (300, 9_000)])
def test_the_loss_of_a_vocabulary_equals_cross_entropy_with_its_gradients(
    n_rows, n_classes, smoothing
):
    """The rows are computed in chunks; the last chunk may be shorter."""
    torch.manual_seed(n_rows)
    scores = scores_64(n_rows, n_classes)
    parts = [scores.states, *scores.layer.parameters()]
    targets = torch.randint(n_classes, (n_rows,))
    expected = cross_entropy_64(scores.logits(), targets, smoothing)
    expected_gradients = torch.autograd.grad(3 * expected, parts)
    loss = loss_of(scores, targets, smoothing)
    gradients = torch.autograd.grad(3 * loss, parts)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradients, expected_gradients)
    with torch.no_grad():
        torch.testing.assert_close(loss_of(scores, targets, smoothing), expected.detach())


def loss_of(scores, targets, smoothing=0.0):
    layer = scores.layer
    return vocabulary_loss(scores.states, layer.weight, layer.bias, targets, smoothing)


def scores_64(n_rows, n_classes):
    states = torch.randn(n_rows, 4, dtype=torch.float64, requires_grad=True)
    return scores_of(states, torch.randn(n_classes, 4).double(), torch.randn(n_classes).double())


def scores_of(states, weight, bias):
    layer = torch.nn.Linear(1, 1)
    layer.weight, layer.bias = torch.nn.Parameter(weight), torch.nn.Parameter(bias)
    layer.out_features = len(bias)
    return Scores(states, layer)


def cross_entropy_64(logits, targets, smoothing):
    return torch.nn.functional.cross_entropy(
        logits, targets, reduction="sum", label_smoothing=smoothing
    )


def test_the_loss_of_a_vocabulary_is_right_for_large_scores():
    states = torch.tensor([[1000.0], [-1000.0]], requires_grad=True)
    scores = scores_of(states, torch.tensor([[1.0], [-1.0]]), torch.zeros(2))
    loss = loss_of(scores, torch.tensor([0, 0]))
    loss.backward()
    assert loss.item() == 2000.0
    assert states.grad.tolist() == [[0.0], [-2.0]]


@pytest.mark.parametrize(
    ("logits", "label", "expected"),
    [
        ([0.0, 0.0], 1, 0.0),
        ([math.log(3), 0.0], 0, math.log(3)),
        ([math.log(3), 0.0, 0.0], 0, math.log(1.5)),
        ([0.0, math.log(3), 0.0], 2, math.log(1 / 4)),
        # Probabilities that are 1 and 0 in single precision.
        ([60.0, 0.0], 0, 60.0),
        ([60.0, 0.0], 1, -60.0),
        ([2.0], 0, math.inf),
    ],
)
def test_log_odds(logits, label, expected):
    assert log_odds(torch.tensor([logits]), label).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("n_rows, n_classes", [(0, 3), (1, 3), (130, 5), (5, 20_000), (300, 9_000)])
def test_log_probabilities_of_a_vocabulary_equal_those_of_torch(n_rows, n_classes):
    """The rows are computed in chunks; the last chunk may be shorter."""
    torch.manual_seed(n_rows)
    scores = scores_64(n_rows, n_classes)
    targets = torch.randint(n_classes, (n_rows,))
    expected = scores.logits().log_softmax(1).gather(1, targets.unsqueeze(1)).squeeze(1)
    found = log_probabilities(scores, targets)
    assert not found.requires_grad
    torch.testing.assert_close(found, expected.detach())
    loss = loss_of(scores, targets)
    torch.testing.assert_close(-found.sum(), loss.detach())
    single = log_probabilities(Scores(scores.states.float(), scores.layer.float()), targets)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), found, rtol=1e-5, atol=1e-5)


def test_log_probabilities_of_half_precision_scores_are_in_single_precision():
    """Also those of large scores, of which exp would be infinite."""
    scores = [torch.tensor(x) for x in ([[1000.0], [-1000.0]], [[1.0], [-1.0]], [0.0, 0.0])]
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        half = scores_of(*(x.to(dtype) for x in scores))
        found = log_probabilities(half, torch.tensor([0, 0]))
        assert found.dtype == torch.float32
        # Half precision represents 1000 exactly.
        assert found.tolist() == [0.0, -2000.0]
