"""A stand-in for Jupyter."""

import sys
from types import SimpleNamespace

import pytest


@pytest.fixture
def shown(monkeypatch):
    """The list of outputs shown in Jupyter."""
    outputs = []
    module = SimpleNamespace(HTML=lambda markup: markup, display=outputs.append)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(display=module))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return outputs
