"""The converters in the folder of the corpora."""

import importlib

import pytest

from .paths import ROOT


def corpora_module(name):
    with pytest.MonkeyPatch.context() as patch:
        # They import each other.
        patch.syspath_prepend(ROOT / "corpora")
        return importlib.import_module(name)
