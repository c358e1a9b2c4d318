"""Fixtures for annotation at scale."""

import pytest

from ..helpers.scale import save_model


@pytest.fixture(scope="package")
def model(tmp_path_factory):
    """The folder of a pipeline with a tagger, an entity recognizer and a text classifier."""
    return save_model(tmp_path_factory.mktemp("models") / "three")
