"""The losses of a teacher's probabilities, softened by a temperature."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_rnn.nn.crf import CRF, crf_loss, crf_soft_divergence
from spacy_rnn.nn.linear_chain import Potentials
from spacy_rnn.nn.losses import (
    MISSING,
    binary_soft_divergence,
    cross_entropy,
    exclusive_loss,
    multilabel_loss,
    soft_divergence,
)
from spacy_rnn.nn.tag_scores import Constraints, TagScores
from spacy_rnn.nn.tagger import tagging_loss

from ..helpers.chains import log_sum, readings

ONES = torch.ones(1)


def test_worked_value_of_classes():
    """Logits of 2 and 0 at the temperature 2, with a teacher that gives 0.8 and 0.2."""
    loss = soft_divergence(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.8, 0.2]]), ONES, 2.0)
    # The ratio of the square roots of 0.8 and 0.2 is 2 to 1.
    q = [2 / 3, 1 / 3]
    p = [math.e / (math.e + 1), 1 / (math.e + 1)]
    expected = 4 * sum(qi * math.log(qi / pi) for qi, pi in zip(q, p, strict=True))
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_worked_value_of_labels():
    """A logit of 2 at the temperature 2, with a teacher that gives 0.8."""
    loss = binary_soft_divergence(torch.tensor([[2.0]]), torch.tensor([[0.8]]), ONES, 2.0)
    # The odds of 4 become 2.
    q, p = 2 / 3, math.e / (math.e + 1)
    expected = 4 * (q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p)))
    assert float(loss) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("of", [soft_divergence, binary_soft_divergence])
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_gradient_equals_that_of_cross_entropy(of, temperature):
    torch.manual_seed(0)
    logits = torch.randn(4, 3, requires_grad=True)
    taught = torch.randn(4, 3)
    share = torch.tensor([1.0, 0.5, 0.0, 1.0])
    to_p = (lambda x: x.softmax(1)) if of is soft_divergence else torch.sigmoid
    of(logits, to_p(taught), share, temperature).backward()
    with torch.no_grad():
        expected = to_p(logits / temperature) - to_p(taught / temperature)
        expected = temperature * share[:, None] * expected
    assert torch.allclose(logits.grad, expected, atol=1e-6)


def test_one_hot_probabilities_equal_labels():
    torch.manual_seed(0)
    logits = torch.randn(5, 3)
    labels = torch.tensor([0, 2, 1, 1, 0])
    one_hot = torch.nn.functional.one_hot(labels, 3).float()
    gold = {"label": labels}
    plain = exclusive_loss({"text": logits}, gold)
    taught = {"label": torch.full((5,), MISSING), "soft": one_hot, "share": torch.ones(5)}
    assert float(exclusive_loss({"text": logits}, taught)) == pytest.approx(float(plain))
    half = {**taught, "label": labels, "share": torch.full((5,), 0.5)}
    assert float(exclusive_loss({"text": logits}, half)) == pytest.approx(float(plain))
    truth = one_hot[:, :2]
    plain = multilabel_loss({"text": logits[:, :2]}, {"truth": truth})
    taught = {"truth": torch.full_like(truth, torch.nan), "soft": truth, "share": torch.ones(5)}
    assert float(multilabel_loss({"text": logits[:, :2]}, taught)) == pytest.approx(float(plain))


def test_labels_that_a_teacher_does_not_know_have_no_loss():
    logits = torch.randn(2, 3, requires_grad=True)
    soft = torch.tensor([[0.2, torch.nan, 0.9], [torch.nan] * 3])
    loss = binary_soft_divergence(logits, soft, torch.ones(2))
    loss.backward()
    assert loss.isfinite() and (logits.grad[soft.isnan()] == 0).all()


def test_the_loss_of_ambiguous_texts_has_the_share_of_gold():
    logits = {"text": torch.tensor([[1.0, 2.0, 0.5]])}
    candidates = torch.tensor([[True, True, False]])
    gold = {
        "label": torch.tensor([MISSING]),
        "ambiguous": torch.tensor([0]),
        "candidates": candidates,
    }
    plain = float(exclusive_loss(logits, gold))
    soft = torch.tensor([[0.5, 0.3, 0.2]])
    shared = {**gold, "soft": soft, "share": torch.tensor([0.25])}
    taught = float(soft_divergence(logits["text"], soft, ONES))
    assert float(exclusive_loss(logits, shared)) == pytest.approx(0.75 * plain + 0.25 * taught)


def make_chain(generator, lengths, n_tags):
    crf = CRF(n_tags)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    scores = 2 * torch.randn(sum(lengths), n_tags, generator=generator)
    return TagScores(scores.requires_grad_(), torch.tensor(lengths), crf)


def make_constraints(generator, n_tags):
    transitions = torch.rand(n_tags, n_tags, generator=generator) < 0.6
    transitions[0], transitions[:, 0] = True, True
    ends = torch.ones(n_tags, dtype=torch.bool)
    return Constraints(ends, transitions, ends, torch.zeros_like(transitions))


def enumerated(chain, marginals, share, temperature, constraints):
    crf = chain.crf
    potentials = [
        (p / temperature).masked_fill(~mask, -torch.inf)
        for p, mask in zip((crf.start, crf.transitions, crf.end), constraints[:3], strict=True)
    ]
    allowed = [torch.zeros_like(p).masked_fill(p.isinf(), -torch.inf) for p in potentials]
    total = 0.0
    lengths = chain.lengths.tolist()
    parts = chain.scores.split(lengths), marginals.split(lengths), share.tolist()
    for x, q, weight in zip(*parts, strict=True):
        log_p, log_q = (
            np.array([score for _, score in readings(Potentials(*of), e)])
            for of, e in ((potentials, x / temperature), (allowed, q.log() / temperature))
        )
        possible = np.isfinite(log_q)
        log_p, log_q = (log[possible] - log_sum(log[possible]) for log in (log_p, log_q))
        total += weight * temperature**2 * (np.exp(log_q) * (log_q - log_p)).sum()
    return total


@settings(max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    lengths=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    n_tags=st.integers(2, 3),
    temperature=st.sampled_from([1.0, 2.5]),
)
def test_chains_by_enumeration(seed, lengths, n_tags, temperature):
    generator = torch.Generator().manual_seed(seed)
    chain = make_chain(generator, lengths, n_tags)
    constraints = make_constraints(generator, n_tags)
    marginals = (2 * torch.randn(sum(lengths), n_tags, generator=generator)).softmax(1)
    share = torch.rand(len(lengths), generator=generator)
    loss = crf_soft_divergence(chain, marginals, share, temperature, constraints)
    expected = enumerated(chain, marginals, share, temperature, constraints)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("crf", [False, True])
def test_one_hot_marginals_equal_tags(crf):
    """Loss and gradient are those of plain training."""
    generator = torch.Generator().manual_seed(0)
    chain = make_chain(generator, [3, 1, 5], 4)
    if not crf:
        chain = chain._replace(crf=None)
    tags = torch.randint(4, (9,), generator=generator)
    soft = torch.nn.functional.one_hot(tags, 4).float()
    golds = [{"ner": tags}, {"ner": tags, "ner_soft": soft, "ner_share": torch.ones(9)}]
    found = []
    for gold in golds:
        chain.scores.grad = None
        loss = tagging_loss({"ner": chain}, gold)
        loss.backward()
        found.append((float(loss.detach()), chain.scores.grad))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    assert torch.allclose(found[0][1], found[1][1], atol=1e-6)


@pytest.mark.parametrize("crf", [False, True])
def test_shares_of_gold_and_teacher(crf):
    generator = torch.Generator().manual_seed(0)
    chain = make_chain(generator, [2, 3], 3)
    tags = torch.tensor([0, 2, 1, MISSING, 1])
    soft = torch.rand(5, 3, generator=generator)
    soft = soft / soft.sum(1, keepdim=True)
    share = torch.tensor([0.3, 0.3, 0.0, 0.0, 0.0])
    gold = {"ner": tags, "ner_soft": soft, "ner_share": share}
    scores = chain.scores
    if crf:
        of_gold = crf_loss(chain, tags, weights=torch.tensor([0.7, 1.0]))
        taught = crf_soft_divergence(chain, soft, torch.tensor([0.3, 0.0]), 2.0)
    else:
        chain = chain._replace(crf=None)
        of_gold = 0.7 * cross_entropy(scores[:2], tags[:2]) + cross_entropy(scores[2:], tags[2:])
        taught = 0.3 * soft_divergence(scores[:2], soft[:2], torch.ones(2), 2.0)
    found = tagging_loss({"ner": chain}, gold, temperature=2.0)
    assert float(found.detach()) == pytest.approx(float((of_gold + taught).detach()), rel=1e-5)


def test_tags_that_the_scheme_forbids_have_no_probability():
    """The loss is finite even if the teacher is certain of such tags."""
    chain = make_chain(torch.Generator().manual_seed(0), [2], 2)
    transitions = torch.tensor([[True, False], [True, True]])
    ends = torch.ones(2, dtype=torch.bool)
    constraints = Constraints(ends, transitions, ends, torch.zeros_like(transitions))
    marginals = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    loss = crf_soft_divergence(chain, marginals, ONES, 1.0, constraints)
    loss.backward()
    assert loss.isfinite() and chain.scores.grad.isfinite().all()
