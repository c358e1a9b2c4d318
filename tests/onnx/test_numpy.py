"""Chains of tags and pooling in numpy, compared with torch, alone and in batches."""

import numpy as np
import pytest
import torch

from spacy_rnn.nn import pooling as torch_pooling
from spacy_rnn.nn.crf import CRF
from spacy_rnn.nn.tag_scores import Constraints as TorchConstraints
from spacy_rnn.nn.tag_scores import TagScores as TorchScores
from spacy_rnn.onnx.linear_chain import Constraints, Potentials, TagScores
from spacy_rnn.onnx.pooling import Pooling

N_TAGS = 9
LENGTHS = np.array([3, 0, 70, 1, 5, 12])
RNG = np.random.default_rng(0)


@pytest.fixture(params=[False, True], ids=["softmax", "crf"])
def both(request):
    """The same scores for both libraries; some tags are ruled out."""
    scores = RNG.normal(size=(LENGTHS.sum(), N_TAGS)).astype("float32")
    scores[4, 1:] = -np.inf
    crf, learned = None, None
    if request.param:
        crf = CRF(N_TAGS)
        for weight in crf.parameters():
            torch.nn.init.normal_(weight)
        learned = Potentials(*(w.detach().numpy() for w in (crf.start, crf.transitions, crf.end)))
    of_torch = TorchScores(torch.from_numpy(scores), torch.from_numpy(LENGTHS), crf, 1.5)
    return of_torch, TagScores(scores, LENGTHS, learned, 1.5)


def constraints():
    masks = [RNG.random(shape) > 0.2 for shape in ((N_TAGS,), (N_TAGS, N_TAGS), (N_TAGS,))]
    masks[0][0] = masks[2][0] = True
    masks[1][0] = masks[1][:, 0] = True
    masks.append(masks[1] & (RNG.random((N_TAGS, N_TAGS)) > 0.5))
    return TorchConstraints(*map(torch.from_numpy, masks)), Constraints(*masks)


@pytest.mark.parametrize("constrained", [False, True])
@torch.inference_mode()
def test_tags_and_probabilities_equal_those_of_torch(constrained, both):
    masks = constraints() if constrained else (None, None)
    expected, found = (s.best(m) for s, m in zip(both, masks, strict=True))
    assert found.tolist() == expected.tolist()
    expected, found = (s.probabilities(m) for s, m in zip(both, masks, strict=True))
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


@torch.inference_mode()
def test_a_bias_has_the_same_effect_as_in_torch(both):
    expected, found = (s.biased(0, -2.0).best(m) for s, m in zip(both, constraints(), strict=True))
    assert found.tolist() == expected.tolist()
    assert np.count_nonzero(found) > np.count_nonzero(both[1].best(constraints()[1]))


@torch.inference_mode()
def test_readings_equal_those_of_torch(both):
    masks = constraints()
    (tags, log_p), (found_tags, found_log_p) = (
        s.readings(3, m) for s, m in zip(both, masks, strict=True)
    )
    np.testing.assert_allclose(found_log_p, log_p.numpy(), atol=1e-4)
    assert found_tags[:, 0].tolist() == tags[:, 0].tolist()


@torch.inference_mode()
def test_entropies_equal_those_of_torch(both):
    expected, found = (s.entropies(m) for s, m in zip(both, constraints(), strict=True))
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4)


@torch.inference_mode()
def test_probabilities_of_spans_equal_those_of_torch(both):
    masks = constraints()
    starts, ends = np.array([0, 2, 10, 72, 74]), np.array([2, 3, 15, 73, 79])
    tags = both[1].best(masks[1])
    given = torch.from_numpy(tags), tags
    expected, found = (
        s.span_probabilities(t, starts, ends, m) for s, t, m in zip(both, given, masks, strict=True)
    )
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_a_sequence_is_bit_equal_alone(both):
    _, scores = both
    _, masks = constraints()
    together = scores.probabilities(masks)
    for part, expected in zip(
        np.split(scores.scores, np.cumsum(LENGTHS)[:-1]),
        np.split(together, np.cumsum(LENGTHS)[:-1]),
        strict=True,
    ):
        alone = scores._replace(scores=part, lengths=np.array([len(part)]))
        assert np.array_equal(alone.probabilities(masks), expected)


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
@torch.inference_mode()
def test_pooling_equals_that_of_torch(direction):
    ways, size = ["last", "mean", "max", "attention"], 6
    of_torch = torch_pooling.Pooling(size, direction, ways, 5)
    attention = of_torch.ways["attention"]
    in_numpy = Pooling(ways, direction, lambda x: attention.scores(torch.from_numpy(x)).numpy())
    x = RNG.normal(size=(LENGTHS.sum(), size)).astype("float32")
    counts = np.array([2, 0, 3, 1])
    summaries = of_torch.summarize(torch.from_numpy(x), torch.from_numpy(LENGTHS))
    own = in_numpy.summarize(x, LENGTHS)
    np.testing.assert_allclose(in_numpy.finish(own), of_torch.finish(summaries), atol=1e-5)
    np.testing.assert_allclose(
        in_numpy.finish(in_numpy.merge(own, counts)),
        of_torch.finish(of_torch.merge(summaries, torch.from_numpy(counts))),
        atol=1e-5,
    )
