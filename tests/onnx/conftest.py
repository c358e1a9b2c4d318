"""Random weights and vectors, with which graphs are compared with torch."""

import pytest
import torch
from torch import nn


@pytest.fixture
def randomized():
    """A function that gives a network weights of which none has a value that hides a mistake, such
    as 0."""

    def randomize(network, seed=0):
        generator = torch.Generator().manual_seed(seed)
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=0.5, generator=generator)
        return network.eval()

    return randomize


@pytest.fixture
def vectors():
    """A function that makes vectors of distinct words."""
    generator = torch.Generator().manual_seed(1)
    return lambda n, size: torch.randn(n, size, generator=generator)
