"""Functions that take the fields of a dataclass, as the config system sees and calls them."""

import inspect
from dataclasses import KW_ONLY, dataclass
from typing import Optional, Sequence

import pytest
import spacy
from spacy.util import registry
from thinc.api import Config, Linear
from thinc.config import ConfigValidationError

from spacy_rnn.architectures.rnn_encoder import make_rnn_encoder
from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.config.signature import to_config, with_fields_of
from spacy_rnn.pipeline.tagger import RNNTagger


@dataclass(frozen=True, kw_only=True)
class Shared:
    shared: int = 7


@dataclass(frozen=True)
class Settings(Shared):
    """Settings of a test."""

    encoder: RNNEncoder
    names: Sequence[str] = ("a",)
    _: KW_ONLY
    last: Optional[float] = None

    def __post_init__(self):
        if self.shared < 0:
            raise ValueError("'shared' must be at least 0.")


@with_fields_of(Settings)
def make(settings: Settings, other: bool = False) -> tuple:
    return settings, other


def test_the_signature_has_the_fields():
    parameters = inspect.signature(make).parameters
    assert list(parameters) == ["encoder", "names", "other", "shared", "last"]
    by_keyword = [name for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY]
    assert by_keyword == ["shared", "last"]
    assert parameters["encoder"].default is inspect.Parameter.empty
    assert parameters["names"].default == ["a"]
    assert parameters["last"].annotation == Optional[float]
    assert make.__doc__ == "Settings of a test."


def test_an_encoder_is_given_as_its_layer():
    layer = make_rnn_encoder("gru", depth=3)
    settings, other = make(layer, other=True, shared=2)
    assert settings == Settings(RNNEncoder("gru", depth=3), shared=2) and other
    with pytest.raises(ValueError, match="must be spacy_rnn.RNNEncoder.v1, got the layer 'linear'"):
        make(Linear())


def test_the_config_system_fills_and_checks_them():
    registry.misc.register("with_fields_of.v1", func=make)
    block = {"@misc": "with_fields_of.v1", "encoder": {"@architectures": "spacy_rnn.RNNEncoder.v1"}}
    filled = registry.fill(Config({"made": block}))["made"]
    assert {name: filled[name] for name in ("names", "other", "shared", "last")} == {
        "names": ["a"], "other": False, "shared": 7, "last": None
    }  # fmt: skip
    assert filled["encoder"]["chrono_length"] == 0
    (settings, _) = registry.resolve(Config({"made": filled}))["made"]
    assert to_config(settings) == {
        "shared": 7, "encoder": RNNEncoder(), "names": ["a"], "last": None
    }  # fmt: skip
    for wrong in ({"shared": "many"}, {"unknown": 1}):
        with pytest.raises(ConfigValidationError):
            registry.resolve(Config({"made": {**block, **wrong}}))
    with pytest.raises(ValueError, match="'shared' must be at least 0"):
        registry.resolve(Config({"made": {**block, "shared": -1}}))


def test_a_component_is_made_without_a_config():
    model = spacy.blank("en").add_pipe("rnn_tagger").model
    tagger = RNNTagger(spacy.blank("en").vocab, model, targets=["pos"], threshold=0.5)
    assert (tagger.name, tagger.cfg["targets"], tagger.cfg["threshold"]) == (
        "rnn_tagger", ["pos"], 0.5
    )  # fmt: skip
    with pytest.raises(TypeError, match="treshold"):
        RNNTagger(tagger.vocab, model, treshold=0.5)
    with pytest.raises(ValueError, match=r"'targets' must be one or more of .* got \['tags'\]"):
        RNNTagger(tagger.vocab, model, targets=["tags"])
