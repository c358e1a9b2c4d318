"""Inference over chains compared with enumeration of every sequence of tags, in float64."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spacy_rnn.nn.crf import CRF, crf_loss
from spacy_rnn.nn.linear_chain import (
    Potentials,
    entropies,
    log_partition,
    marginals,
    n_best,
    path_scores,
    span_probabilities,
    viterbi,
)
from spacy_rnn.nn.losses import MISSING
from spacy_rnn.nn.tag_scores import Constraints, TagScores

from ..helpers.chains import log_sum, readings


def make(seed, lengths, n_tags, forbidden=0.0, scale=2.0):
    """Random potentials, of which some are -inf, and random emissions. The sequence of tags 0 is
    always possible."""
    generator = torch.Generator().manual_seed(seed)

    def scores(*shape):
        x = scale * torch.randn(*shape, generator=generator)
        mask = torch.rand(*shape, generator=generator) < forbidden
        mask[(0,) * len(shape)] = False
        return x.masked_fill(mask, -torch.inf)

    potentials = Potentials(scores(n_tags), scores(n_tags, n_tags), scores(n_tags))
    emissions = scale * torch.randn(sum(lengths), n_tags, generator=generator)
    return potentials, emissions


def sentences(potentials, emissions, lengths):
    """All sequences of tags of each sentence, (R, n), and their scores, (R,)."""
    for x in emissions.split(lengths):
        found = list(readings(potentials, x))
        tags = np.array([tags for tags, _ in found], dtype=int).reshape(len(found), len(x))
        yield tags, np.array([score for _, score in found])


def close(actual, expected, tolerance=1e-4):
    np.testing.assert_allclose(actual, expected, atol=tolerance, rtol=1e-4)


chains = {
    "seed": st.integers(0, 10_000),
    "lengths": st.lists(st.integers(0, 6), min_size=1, max_size=4),
    "n_tags": st.integers(1, 3),
    "forbidden": st.sampled_from([0.0, 0.4]),
}
few = settings(max_examples=60)


@few
@given(**chains)
def test_log_partition(seed, lengths, n_tags, forbidden):
    potentials, emissions = make(seed, lengths, n_tags, forbidden)
    actual = log_partition(potentials, emissions, torch.tensor(lengths))
    close(actual, [log_sum(s) for _, s in sentences(potentials, emissions, lengths)])


@few
@given(**chains)
def test_marginals(seed, lengths, n_tags, forbidden):
    potentials, emissions = make(seed, lengths, n_tags, forbidden)
    actual = marginals(potentials, emissions, torch.tensor(lengths))
    expected = [
        [
            [np.exp(scores[tags[:, t] == tag] - log_sum(scores)).sum() for tag in range(n_tags)]
            for t in range(tags.shape[1])
        ]
        for tags, scores in sentences(potentials, emissions, lengths)
    ]
    expected = [row for sentence in expected for row in sentence]
    close(actual, np.array(expected).reshape(-1, n_tags))
    close(actual.sum(1), np.ones(sum(lengths)))


@few
@given(**chains)
def test_entropies(seed, lengths, n_tags, forbidden):
    potentials, emissions = make(seed, lengths, n_tags, forbidden)
    actual = entropies(potentials, emissions, torch.tensor(lengths))
    expected = []
    for _, scores in sentences(potentials, emissions, lengths):
        log_p = (scores - log_sum(scores))[np.isfinite(scores)]
        expected.append(-(np.exp(log_p) * log_p).sum())
    close(actual, expected)


def test_the_entropy_of_a_long_text_is_exact():
    """Without transitions it is the sum over the tokens. The text is computed in several parts."""
    _, emissions = make(0, [5_000], 40)
    zeros = torch.zeros(40)
    potentials = Potentials(zeros, torch.zeros(40, 40), zeros)
    expected = torch.special.entr(emissions.double().softmax(1)).sum()
    actual = entropies(potentials, emissions, torch.tensor([5_000]))
    torch.testing.assert_close(actual, expected[None], rtol=1e-5, atol=0, check_dtype=False)


@few
@given(**chains)
def test_viterbi(seed, lengths, n_tags, forbidden):
    potentials, emissions = make(seed, lengths, n_tags, forbidden)
    actual = viterbi(potentials, emissions, torch.tensor(lengths))
    expected = [tags[scores.argmax()] for tags, scores in sentences(potentials, emissions, lengths)]
    assert actual.tolist() == np.concatenate(expected).tolist()


@few
@given(**chains, n=st.integers(1, 5))
def test_n_best(seed, lengths, n_tags, forbidden, n):
    potentials, emissions = make(seed, lengths, n_tags, forbidden)
    tags, scores = n_best(potentials, emissions, torch.tensor(lengths), n)
    assert tags.shape == (sum(lengths), n)
    parts = zip(tags.split(lengths), scores, sentences(potentials, emissions, lengths), strict=True)
    for found, found_scores, (all_tags, all_scores) in parts:
        order = np.argsort(-all_scores)[:n]
        order = order[np.isfinite(all_scores[order])]
        close(found_scores[: len(order)], all_scores[order])
        assert torch.isneginf(found_scores[len(order) :]).all()
        assert found.T[: len(order)].tolist() == all_tags[order].tolist()
    assert tags[:, 0].tolist() == viterbi(potentials, emissions, torch.tensor(lengths)).tolist()


@few
@given(**chains, data=st.data())
def test_path_scores(seed, lengths, n_tags, forbidden, data):
    potentials, emissions = make(seed, lengths, n_tags, forbidden)
    paths = [[data.draw(st.integers(0, n_tags - 1)) for _ in range(n)] for n in lengths]
    tags = torch.tensor([tag for path in paths for tag in path], dtype=torch.int64)
    actual = path_scores(potentials, emissions, torch.tensor(lengths), tags)
    for score, path, (all_tags, scores) in zip(
        actual, paths, sentences(potentials, emissions, lengths), strict=True
    ):
        expected = scores[(all_tags == path).all(1)].item()
        close(score, expected)


@few
@given(**chains, data=st.data())
def test_span_probabilities(seed, lengths, n_tags, forbidden, data):
    """The probability of every span of the best tags, followed by any tag that does not continue
    it."""
    potentials, emissions = make(seed, lengths, n_tags, forbidden)
    continues = torch.tensor(
        [[data.draw(st.booleans()) for _ in range(n_tags)] for _ in range(n_tags)]
    )
    tags = viterbi(potentials, emissions, torch.tensor(lengths))
    places, expected, first = [], [], 0
    for all_tags, scores in sentences(potentials, emissions, lengths):
        n = all_tags.shape[1]
        path = tags[first : first + n].numpy()
        for start, end in itertools.combinations(range(n + 1), 2):
            same = (all_tags[:, start:end] == path[start:end]).all(1)
            if end < n:
                same &= ~continues[path[end - 1]].numpy()[all_tags[:, end]]
            places.append((first + start, first + end))
            expected.append(np.exp(scores[same] - log_sum(scores)).sum() if same.any() else 0.0)
        first += n
    starts, ends = torch.tensor(places, dtype=torch.int64).reshape(-1, 2).T
    actual = span_probabilities(
        potentials, emissions, torch.tensor(lengths), tags, starts, ends, continues
    )
    close(actual, expected)


@few
@given(**chains)
def test_gradient_of_log_partition(seed, lengths, n_tags, forbidden):
    """Compared with automatic differentiation of the sum over all sequences of tags."""
    assume(any(lengths))
    potentials, emissions = make(seed, lengths, n_tags, forbidden)
    factors = torch.arange(1.0, len(lengths) + 1)

    def gradients(function):
        leaves = [x.clone().requires_grad_() for x in (*potentials, emissions)]
        (function(Potentials(*leaves[:3]), leaves[3]) * factors).sum().backward()
        return [torch.zeros_like(x) if x.grad is None else x.grad for x in leaves]

    def enumerated(potentials, emissions):
        totals = []
        for x in emissions.split(lengths):
            scores = [torch.zeros(()).expand(1)]
            if len(x):
                paths = torch.cartesian_prod(*[torch.arange(n_tags)] * len(x))
                paths = paths.reshape(-1, len(x))
                scores = [
                    x[torch.arange(len(x)), path].sum()
                    + potentials.transitions[path[:-1], path[1:]].sum()
                    + potentials.start[path[0]]
                    + potentials.end[path[-1]]
                    for path in paths
                ]
                scores = [torch.stack([s for s in scores if torch.isfinite(s)])]
            totals.append(scores[0].logsumexp(0))
        return torch.stack(totals)

    size = torch.tensor(lengths)
    actual = gradients(lambda p, x: log_partition(p, x, size))
    for a, b in zip(actual, gradients(enumerated), strict=True):
        close(a, b)


@few
@given(**chains, data=st.data())
def test_loss_with_missing_tags(seed, lengths, n_tags, forbidden, data):
    """The loss is -log of the probability of all sequences of tags that agree with the
    annotation."""
    potentials, emissions = make(seed, lengths, n_tags, forbidden)
    crf = CRF(n_tags)
    for parameter, values in zip(crf.parameters(), potentials, strict=True):
        parameter.data.copy_(values.nan_to_num(neginf=-1e4))
    masks = [torch.isfinite(p) for p in potentials]
    continues = torch.tensor(
        [[data.draw(st.booleans()) for _ in range(n_tags)] for _ in range(n_tags)]
    )
    constraints = Constraints(*masks, continues)
    best = viterbi(potentials, emissions, torch.tensor(lengths))
    missing = torch.tensor(
        data.draw(st.lists(st.booleans(), min_size=len(best), max_size=len(best))),
        dtype=torch.bool,
    )
    tags = best.masked_fill(missing, MISSING)
    expected = 0.0
    for gold, (all_tags, scores) in zip(
        tags.split(lengths), sentences(potentials, emissions, lengths), strict=True
    ):
        agree = np.ones(len(scores), dtype=bool)
        for t, tag in enumerate(gold.tolist()):
            if tag != MISSING:
                agree &= all_tags[:, t] == tag
            elif t and gold[t - 1] != MISSING:
                agree &= ~continues[gold[t - 1]].numpy()[all_tags[:, t]]
        kept = scores[agree]
        if not len(kept) or not np.isfinite(kept.max()):
            return
        expected += log_sum(scores) - log_sum(kept)
    chain = TagScores(emissions.requires_grad_(), torch.tensor(lengths), crf)
    loss = crf_loss(chain, tags, constraints)
    close(loss.item(), expected, 1e-3)
    loss.backward()
    assert torch.isfinite(emissions.grad).all()
    assert all(torch.isfinite(p.grad).all() for p in crf.parameters())


@few
@given(
    seed=st.integers(0, 10_000),
    lengths=st.lists(st.integers(2, 5), min_size=1, max_size=3),
    n_tags=st.integers(2, 3),
    forbidden=st.sampled_from([0.0, 0.4]),
    temperature=st.sampled_from([1.0, 2.5]),
)
def test_log_odds(seed, lengths, n_tags, forbidden, temperature):
    """The log-odds of the sequences with a label at a token against all other sequences."""
    potentials, emissions = make(seed, lengths, n_tags, forbidden)
    crf = CRF(n_tags)
    for parameter, values in zip(crf.parameters(), potentials, strict=True):
        parameter.data.copy_(values.nan_to_num(neginf=0.0))
    masks = [torch.isfinite(p) for p in potentials]
    constraints = Constraints(*masks, torch.zeros(n_tags, n_tags, dtype=torch.bool))
    chain = TagScores(emissions.requires_grad_(), torch.tensor(lengths), crf, temperature)
    for token, label in ((0, 0), (1, n_tags - 1)):
        actual = chain.log_odds(token, label, constraints)
        expected = []
        for tags, scores in sentences(potentials, emissions, lengths):
            scores, has = scores / temperature, tags[:, token] == label
            with np.errstate(invalid="ignore"):
                expected.append(log_sum(scores[has]) - log_sum(scores[~has]))
        known = torch.from_numpy(np.isfinite(expected))
        close(actual.detach()[known], np.array(expected)[known.numpy()], 1e-3)
        assert not torch.isfinite(actual.detach()[~known]).any()
        (gradient,) = torch.autograd.grad(actual[known].sum(), emissions)
        assert torch.isfinite(gradient[known.repeat_interleave(chain.lengths)]).all()


def test_log_odds_without_learned_transitions():
    emissions = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    # The third tokens of both sequences.
    p = emissions.double().softmax(1)[[2, 6], 1]
    actual = TagScores(emissions, torch.tensor([4, 5])).log_odds(2, 1)
    close(actual, (p / (1 - p)).log())


def test_without_learned_transitions_tokens_are_independent():
    emissions = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    chain = TagScores(emissions, torch.tensor([4, 0, 5]))
    potentials = chain.potentials()
    assert torch.equal(viterbi(potentials, *chain[:2]), emissions.argmax(1))
    torch.testing.assert_close(marginals(potentials, *chain[:2]), emissions.softmax(1))


def test_half_precision_is_computed_in_single_precision():
    potentials, emissions = make(0, [5, 3], 3, scale=30.0)
    lengths = torch.tensor([5, 3])
    half = emissions.bfloat16()
    for function in (log_partition, marginals):
        actual = function(potentials, half, lengths)
        assert actual.dtype in (torch.float32, torch.float64)
        torch.testing.assert_close(actual, function(potentials, half.float(), lengths))
    chain = TagScores(half.requires_grad_(), lengths, CRF(3))
    crf_loss(chain, torch.zeros(8, dtype=torch.int64)).backward()
    assert half.grad.dtype == torch.bfloat16


def test_long_sequences_are_computed_exactly():
    """Compared with the same recursions in float64."""
    potentials, emissions = make(2, [8_000], 3, scale=4.0)
    lengths = torch.tensor([8_000])
    transitions = potentials.transitions.double()
    alpha = potentials.start.double() + emissions[0].double()
    for x in emissions[1:].double():
        alpha = (alpha.unsqueeze(1) + transitions).logsumexp(0) + x
    expected = (alpha + potentials.end.double()).logsumexp(0)
    assert log_partition(potentials, emissions, lengths).item() == pytest.approx(
        expected.item(), rel=1e-7
    )
    best = viterbi(potentials, emissions, lengths)
    tags, scores = n_best(potentials, emissions, lengths, 2)
    assert torch.equal(tags[:, 0], best)
    close(scores[0, 0], path_scores(potentials, emissions, lengths, best)[0], 1e-2)


def test_the_best_tags_of_a_long_sequence_are_exact():
    """All scores are multiples of 1/256, so that a float32 near 0 holds their sums exactly. The sum
    over the whole sequence needs 27 bits, which a float32 does not have."""
    potentials, emissions = make(0, [4_000], 4)
    potentials, emissions = (
        [(256 * x).round() / 256 for x in scores] for scores in (potentials, [emissions + 100.0])
    )
    potentials, lengths = Potentials(*potentials), torch.tensor([4_000])
    start, transitions, end = (scores.double().numpy() for scores in potentials)
    best, *others = emissions[0].double().numpy()
    best = start + best
    for x in others:
        best = (best[:, None] + transitions).max(axis=0) + x
    expected = (best + end).max()
    tags = viterbi(potentials, emissions[0], lengths)
    assert path_scores(potentials, emissions[0], lengths, tags).item() == expected
    tags, scores = n_best(potentials, emissions[0], lengths, 2)
    assert path_scores(potentials, emissions[0], lengths, tags[:, 0]).item() == expected
    assert scores[0, 0].item() == expected


@pytest.mark.parametrize("scale", [1e-3, 300.0])
def test_very_small_and_very_large_scores(scale):
    potentials, emissions = make(1, [6, 2], 3, forbidden=0.3, scale=scale)
    lengths = torch.tensor([6, 2])
    p = marginals(potentials, emissions, lengths)
    assert torch.isfinite(p).all()
    torch.testing.assert_close(p.sum(1), torch.ones(8), atol=1e-3, rtol=0)


def test_resize_keeps_what_was_learned():
    crf = CRF(2)
    for parameter in crf.parameters():
        torch.nn.init.normal_(parameter)
    before = {name: p.detach().clone() for name, p in crf.named_parameters()}
    crf.resize(4)
    assert crf.transitions.shape == (4, 4)
    assert torch.equal(crf.transitions[:2, :2], before["transitions"])
    assert torch.equal(crf.end[:2], before["end"])
    assert not crf.transitions[2:].any() and not crf.start[2:].any()


def test_only_empty_sequences():
    potentials, _ = make(0, [], 3)
    nothing, lengths = torch.zeros(0, 3), torch.tensor([0, 0])
    assert log_partition(potentials, nothing, lengths).tolist() == [0.0, 0.0]
    assert viterbi(potentials, nothing, lengths).shape == (0,)
    assert marginals(potentials, nothing, lengths).shape == (0, 3)
    tags, scores = n_best(potentials, nothing, lengths, 2)
    assert tags.shape == (0, 2)
    assert scores.tolist() == [[0.0, -torch.inf]] * 2
    assert span_probabilities(
        potentials, nothing, lengths, *[torch.zeros(0, dtype=torch.int64)] * 3, torch.eye(3) > 0
    ).shape == (0,)


MEASURE = """
import resource, torch
from spacy_rnn.nn.linear_chain import Potentials, marginals, viterbi
def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
potentials = Potentials(torch.zeros(5), torch.zeros(5, 5), torch.zeros(5))
with torch.inference_mode():
    for n in (10, 100_000):
        before, emissions = most(), torch.randn(n, 5)
        viterbi(potentials, emissions, torch.tensor([n]))
        found = most() - before
        marginals(potentials, emissions, torch.tensor([n]))
    print(found, most() - before)
"""


@pytest.mark.slow
def test_a_long_document_takes_little_more_memory_than_its_scores():
    """In MB: the scores take 2, and separate tensors of all tokens would take 100."""
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, check=True)
    of_viterbi, of_marginals = map(float, done.stdout.split())
    assert of_viterbi < 40 and of_marginals < 80
