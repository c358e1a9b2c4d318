"""The loss of rehearsal: the Kullback-Leibler divergence from the distribution of a teacher."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_rnn.nn.crf import CRF, crf_divergence
from spacy_rnn.nn.linear_chain import Potentials
from spacy_rnn.nn.losses import divergence, multilabel_divergence
from spacy_rnn.nn.tag_scores import Constraints, TagScores
from spacy_rnn.nn.tagger import tagging_divergence

from ..helpers.chains import log_sum, readings

#: the divergence of the probabilities 0.75 and 0.25 from a teacher's 0.5 and 0.5
HALF_FROM_THREE_QUARTERS = 0.5 * math.log(4 / 3)


def of_labels(logits, teacher):
    return multilabel_divergence({"text": logits}, {}, {"text": teacher})


@pytest.mark.parametrize(
    "of, teacher, logits",
    [
        (divergence, [[0.0, 0.0]], [[math.log(3), 0.0]]),
        (of_labels, [[0.0]], [[math.log(3)]]),
    ],
)
def test_worked_values(of, teacher, logits):
    teacher, logits = torch.tensor(teacher), torch.tensor(logits)
    assert float(of(logits, teacher)) == pytest.approx(HALF_FROM_THREE_QUARTERS)
    # Summed over rows.
    assert float(of(logits.repeat(4, 1), teacher.repeat(4, 1))) == pytest.approx(
        4 * HALF_FROM_THREE_QUARTERS
    )


@pytest.mark.parametrize("of", [divergence, of_labels])
def test_outputs_that_the_teacher_lacks_do_not_count(of):
    generator = torch.Generator().manual_seed(0)
    teacher, logits = (torch.randn(5, n, generator=generator) for n in (3, 4))
    logits.requires_grad_()
    loss = of(logits, teacher)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(of(logits[:, :3].detach(), teacher)))
    assert (logits.grad[:, 3] == 0).all() and (logits.grad[:, :3] != 0).all()


@pytest.mark.parametrize("of", [divergence, of_labels])
def test_equal_outputs_have_no_divergence_and_no_gradient(of):
    teacher = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)) * 5
    logits = teacher.clone().requires_grad_()
    loss = of(logits, teacher)
    loss.backward()
    assert abs(float(loss.detach())) < 1e-6 and logits.grad.abs().max() < 1e-6


def make_chain(generator, lengths, n_tags):
    crf = CRF(n_tags)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    scores = 2 * torch.randn(sum(lengths), n_tags, generator=generator)
    return TagScores(scores.requires_grad_(), torch.tensor(lengths), crf)


def make_constraints(generator, n_tags):
    def allowed(*shape):
        mask = torch.rand(*shape, generator=generator) < 0.6
        # Tag 0 is always allowed.
        mask[(0,) * len(shape)] = True
        return mask

    transitions = allowed(n_tags, n_tags)
    return Constraints(allowed(n_tags), transitions, allowed(n_tags), torch.zeros_like(transitions))


def first(masks, n):
    return Constraints(*(mask[(slice(n),) * mask.dim()] for mask in masks))


def enumerated(chain, teacher, constraints):
    """The divergence by enumeration of all sequences of the teacher's tags, in float64."""
    n = teacher.scores.shape[1]
    masks = None if constraints is None else first(constraints, n)

    def scores_of(chain):
        crf = chain.crf
        potentials = Potentials(crf.start[:n], crf.transitions[:n, :n], crf.end[:n])
        if masks is not None:
            potentials = [
                p.masked_fill(~m, -torch.inf) for p, m in zip(potentials, masks[:3], strict=True)
            ]
        for x in chain.scores[:, :n].split(chain.lengths.tolist()):
            scores = np.array([score for _, score in readings(potentials, x)])
            yield scores - log_sum(scores)

    total = 0.0
    for log_p, log_q in zip(scores_of(chain), scores_of(teacher), strict=True):
        possible = np.isfinite(log_q)
        log_p, log_q = log_p[possible], log_q[possible]
        total += (np.exp(log_q) * (log_q - log_p)).sum()
    return total


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    lengths=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    n_tags=st.integers(1, 3),
    n_new=st.integers(0, 2),
    constrained=st.booleans(),
)
def test_chains_by_enumeration(seed, lengths, n_tags, n_new, constrained):
    generator = torch.Generator().manual_seed(seed)
    teacher = make_chain(generator, lengths, n_tags)
    chain = make_chain(generator, lengths, n_tags + n_new)
    constraints = make_constraints(generator, n_tags + n_new) if constrained else None
    loss = tagging_divergence({"ner": chain}, {}, {"ner": teacher}, constraints)
    expected = enumerated(chain, teacher, constraints)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    loss.backward()
    # The teacher and the tags that it lacks have no gradient.
    assert all(parameter.grad is None for parameter in [teacher.scores, *teacher.crf.parameters()])
    assert (chain.scores.grad[:, n_tags:] == 0).all() and chain.scores.grad.isfinite().all()
    assert (chain.crf.transitions.grad[n_tags:] == 0).all()


@pytest.mark.parametrize("constrained", [False, True])
def test_equal_chains_have_no_divergence_and_no_gradient(constrained):
    generator = torch.Generator().manual_seed(0)
    chain = make_chain(generator, [3, 40, 1], 5)
    constraints = make_constraints(generator, 5) if constrained else None
    loss = tagging_divergence({"ner": chain}, {}, {"ner": chain}, constraints)
    loss.backward()
    assert abs(float(loss.detach())) < 1e-4
    gradients = [chain.scores.grad, *(parameter.grad for parameter in chain.crf.parameters())]
    assert all(gradient.abs().max() < 1e-5 for gradient in gradients)


def test_divergences_of_several_targets_are_summed():
    generator = torch.Generator().manual_seed(0)
    lengths = torch.tensor([2, 3])
    chains, teachers = (
        {
            name: TagScores(torch.randn(5, 3, generator=generator), lengths)
            for name in ("tag", "pos")
        }
        for _ in range(2)
    )
    expected = sum(divergence(chains[name].scores, teachers[name].scores) for name in chains)
    assert float(tagging_divergence(chains, {}, teachers)) == pytest.approx(float(expected))


@pytest.mark.parametrize("kind", ["softmax", "labels", "crf"])
def test_rounding_does_not_make_a_divergence_negative(kind):
    """A divergence that rounding would make negative still has its gradient."""
    for seed in range(50):
        torch.manual_seed(seed)
        taught = torch.randn(6, 5)
        scores = (taught + 1e-5 * torch.randn(6, 5)).requires_grad_()
        if kind == "crf":
            crf, lengths = CRF(5), torch.tensor([2, 4])
            loss = crf_divergence(TagScores(scores, lengths, crf), TagScores(taught, lengths, crf))
        else:
            loss = (divergence if kind == "softmax" else of_labels)(scores, taught)
        loss.backward()
        assert loss.item() >= 0.0 and scores.grad.abs().sum() > 0
