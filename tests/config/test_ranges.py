"""The allowed ranges of numbers in settings."""

import dataclasses
import importlib
import math
import pkgutil
from typing import Union, get_args, get_origin, get_type_hints

import pytest

import spacy_rnn
from spacy_rnn.config.decoder import RNNDecoder
from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.config.pieces import SentencePieces
from spacy_rnn.config.pooling import Pooling
from spacy_rnn.config.search import Search
from spacy_rnn.config.units import WordUnits

from ..helpers.pipelines import make_pipeline

#: the packages with settings, and how the names of their dataclasses end
ENDS = {
    "config": "",
    "architectures": "Architecture",
    "pipeline": "Settings",
    "readers": ("Corpus", "Dataset"),
}
#: arguments without a default
REQUIRED = {
    "pieces": SentencePieces(),
    "ways": ["mean"],
    "encoder": RNNEncoder(),
    "decoder": RNNDecoder(),
    "pooling": Pooling(["mean"]),
    "path": "nowhere",
    "name": "GloVe",
    "embedding": {},
    "units": WordUnits(),
    "settings": RNNEncoder(),
    "source_pieces": SentencePieces(),
    "target_pieces": SentencePieces(),
}
VALUES = [math.nan, math.inf, -1, 0, 1e30, 10**30, "x", None]


def settings_classes():
    for part, ends in ENDS.items():
        package = importlib.import_module(f"{spacy_rnn.__name__}.{part}")
        for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            for found in vars(importlib.import_module(info.name)).values():
                if dataclasses.is_dataclass(found) and found.__module__ == info.name:
                    if found.__name__.endswith(ends):
                        yield found


def types_of(found, name):
    hint = get_type_hints(found)[name]
    return {*get_args(hint)} if get_origin(hint) is Union else {hint}


def numbers():
    for found in settings_classes():
        for field in dataclasses.fields(found):
            if types_of(found, field.name) & {int, float}:
                yield pytest.param(found, field.name, id=f"{found.__name__}.{field.name}")


def required_of(found):
    fields = (f for f in dataclasses.fields(found) if f.default is dataclasses.MISSING)
    return {f.name: REQUIRED[f.name] for f in fields if f.default_factory is dataclasses.MISSING}


@pytest.mark.parametrize(("found", "name"), list(numbers()))
@pytest.mark.parametrize("value", VALUES)
def test_a_number_out_of_range_is_an_error_that_names_it(found, name, value):
    nonsense = value == "x" or value in (10**30, math.inf) or value != value
    nonsense = nonsense or value is None and type(None) not in types_of(found, name)
    try:
        found(**{**required_of(found), name: value})
    except ValueError as error:
        assert f"'{name}'" in str(error) and repr(value) in str(error), str(error)
    else:
        assert not nonsense


@pytest.mark.parametrize(
    ("factory", "setting", "value"),
    [
        ("rnn_tagger", "threshold", -1),
        ("rnn_tagger", "threshold", "3"),
        ("rnn_textcat_multilabel", "threshold", 2.5),
        ("rnn_tagger", "class_weights", {"NN": -1.0}),
        ("rnn_textcat", "class_weights", {"EAT": math.nan}),
        ("rnn_textcat_multilabel", "class_weights", {"EAT": math.inf}),
        ("rnn_tagger", "probabilities_attr", ""),
        ("rnn_ner", "confidence_attr", "two words"),
        ("rnn_ner", "probabilities_attr", ""),
        ("rnn_textcat", "attention_attr", ""),
        ("rnn_regressor", "attr", ""),
        ("rnn_lm", "perplexity_attr", ""),
        ("rnn_translator", "attr", ""),
        ("rnn_translator", "teacher_forcing", 1.5),
        ("rnn_translator", "search", {"@misc": "spacy_rnn.Search.v1", "max_ratio": 0}),
    ],
)
def test_settings_are_checked_when_the_config_is_read(factory, setting, value):
    named = "max_ratio" if setting == "search" else setting
    with pytest.raises(ValueError, match=f"'{named}'"):
        make_pipeline(factory, **{setting: value})


def test_the_ratios_of_a_search_are_checked_together():
    with pytest.raises(ValueError, match="'min_ratio' must be at most 'max_ratio', got 2.0 and 1"):
        Search(min_ratio=2.0, max_ratio=1.0)
