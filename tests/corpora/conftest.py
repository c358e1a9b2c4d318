"""Fixtures for the tests of the corpora."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real treebanks and vectors, `SPACY_RNN_DATA` or beside the repository."""
    default = Path(__file__).parents[3] / "shared" / "data"
    path = Path(os.environ.get("SPACY_RNN_DATA", default))
    if path.is_dir():
        return path
    reason = f"no folder {path}; set SPACY_RNN_DATA to the data folder"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
