"""Parametrizations of which only a part runs by default."""

import pytest


def slow_but(quick, values):
    """The values as parameters; all but the quick ones are marked as slow."""
    return [v if v in quick else pytest.param(v, marks=pytest.mark.slow) for v in values]
