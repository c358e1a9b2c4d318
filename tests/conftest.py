"""Fixtures for all tests."""

import os
import sys
from importlib.metadata import entry_points
from pathlib import Path

import catalogue
import pytest
import spacy
import torch
from hypothesis import HealthCheck, settings
from spacy.lang.xx import MultiLanguage
from thinc.api import use_ops

from .helpers.paths import ROOT
from .helpers.pipelines import make_trained

os.environ.setdefault("OMP_NUM_THREADS", "1")
# `datasets` reports each file that it reads to the Hub, even a local file, and waits if it can't.
os.environ.setdefault("HF_UPDATE_DOWNLOAD_COUNTS", "0")
torch.set_num_threads(1)
# There is no deadline, because machines may be busy. In CI, the examples are always the same.
settings.register_profile(
    "any_machine",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any_machine")
# Entry points by group, which catalogue accepts too. Otherwise it searches the entry points of all
# packages for every name in a config, which takes a fifth of the time of the tests.
catalogue.AVAILABLE_ENTRY_POINTS = {
    group: entry_points(group=group) for group in entry_points().groups
}
# No emoticons: no test needs them, and they take half of the time of creating a pipeline of "xx".
MultiLanguage.Defaults.tokenizer_exceptions = {}
if sys.version_info < (3, 11):
    # ONNX Runtime for Python 3.10 computes plain recurrent layers incorrectly, so that the extra
    # does not install it.
    collect_ignore = [
        "cli/test_compress.py",
        "docs/test_deploy.py",
        "onnx",
        "pipeline/test_engine.py",
        "pipeline/test_without_torch.py",
    ]


@pytest.fixture(params=["cpu", pytest.param("gpu", marks=pytest.mark.gpu)])
def device(request):
    """Runs a test on the CPU and, under ``pytest -m gpu``, on a GPU."""
    if request.param == "cpu":
        with use_ops("numpy"):
            yield "cpu"
    else:
        spacy.require_gpu()
        yield "gpu"
        spacy.require_cpu()


@pytest.fixture
def trained():
    return make_trained("rnn_tagger")


@pytest.fixture
def hide(monkeypatch):
    """Hides a library from imports, as if it were not installed."""

    def hide_library(name):
        for module in list(sys.modules):
            if module.split(".")[0] == name:
                monkeypatch.delitem(sys.modules, module)
        monkeypatch.setitem(sys.modules, name, None)

    return hide_library


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark tests that read real data as slow."""
    for item in items:
        if "data_dir" in item.fixturenames:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real treebanks and vectors: `SPACY_RNN_DATA`, or one beside the repository."""
    default = ROOT.parent / "shared" / "data"
    path = Path(os.environ.get("SPACY_RNN_DATA", default))
    if path.is_dir():
        return path
    reason = f"no folder {path}; set SPACY_RNN_DATA to the data folder"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
