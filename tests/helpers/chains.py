"""Chains of tags, by enumeration."""

import itertools

import numpy as np


def readings(potentials, emissions):
    """Every sequence of tags of one sentence, with its score, in float64."""
    start, transitions, end = (p.double().detach().numpy() for p in potentials)
    x = emissions.double().detach().numpy()
    n, n_tags = x.shape
    for tags in itertools.product(range(n_tags), repeat=n):
        score = sum(x[t, tag] for t, tag in enumerate(tags))
        score += sum(transitions[pair] for pair in itertools.pairwise(tags))
        yield tags, score + (start[tags[0]] + end[tags[-1]] if n else 0.0)


def log_sum(scores):
    top = scores.max()
    return top + np.log(np.exp(scores - top).sum())
