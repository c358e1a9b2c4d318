"""The memory that a translator needs for its search."""

import pytest

from spacy_rnn.nn.search import search

from ..helpers.translators import SOURCES, make_trained, pipe_of

LIMIT = 64


@pytest.mark.parametrize("beam, n_best", [(1, 1), (4, 1), (2, 4)])
def test_hypotheses_count_as_sources(beam, n_best, monkeypatch):
    """The pieces of a batch, counted once for each hypothesis, are at most `batch_tokens`."""
    sizes = []

    def watched(network, source, state, length_bounds, options, **arguments):
        sizes.append((len(source.mask), source.mask.numel() * options.beam))
        return search(network, source, state, length_bounds, options, **arguments)

    monkeypatch.setattr("spacy_rnn.nn.search.search", watched)
    pipe = pipe_of(make_trained(model={"batch_tokens": LIMIT}, search={"beam": beam}))
    pipe.translate(SOURCES * 10, n_best)
    assert sum(n for n, _ in sizes) >= len(SOURCES * 10)
    assert all(size <= LIMIT for n, size in sizes if n > 1)
    assert max(n for n, _ in sizes) > 1
