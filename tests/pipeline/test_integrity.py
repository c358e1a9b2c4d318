"""Damaged, exchanged and edited files of saved components."""

import json
import random
import shutil

import numpy as np
import pytest
import spacy
import torch

from spacy_rnn.checksums import write_record
from spacy_rnn.features.vectors import StoredVectors
from spacy_rnn.runtime.shim import TorchShim

from ..helpers.kinds import KINDS, TOKEN_KINDS
from ..helpers.pipelines import SENTENCES, make_pipeline, make_trained

TEXTS = [sentence[0] for sentence in SENTENCES]
#: the files of a saved component
FILES = ["cfg", "model", "checksums"]


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture
def saved(kind, tmp_path):
    """The folder of the component in a saved pipeline."""
    make_trained(kind.factory).to_disk(tmp_path / "pipeline")
    return tmp_path / "pipeline" / kind.factory


def edit(file, old, new):
    """Replace bytes by as many others, and update the checksum."""
    data = file.read_bytes()
    assert old in data and len(old) == len(new)
    file.write_bytes(data.replace(old, new))
    write_record(file.parent, json.loads((file.parent / "checksums").read_text())["component"])


def error_of(path):
    with pytest.raises(ValueError, match="Can't load the component") as error:
        spacy.load(path)
    return str(error.value)


# Damage


def test_one_wrong_bit_is_an_error_that_names_component_and_file(saved, kind):
    pipe, rng = kind.pipe(kind.make()), random.Random(0)
    for name in FILES:
        data = (saved / name).read_bytes()
        for _ in range(10):
            damaged = bytearray(data)
            place = rng.randrange(len(data))
            damaged[place] ^= 1 << rng.randrange(8)
            (saved / name).write_bytes(damaged)
            with pytest.raises(ValueError) as error:
                pipe.from_disk(saved, exclude=["vocab"])
            assert f"'{kind.factory}' from {saved}" in str(error.value)
            if name != "checksums":
                assert f"'{name}' is damaged" in str(error.value)
            assert not pipe.shim.is_built
        (saved / name).write_bytes(data)
    pipe.from_disk(saved, exclude=["vocab"])


def test_one_wrong_bit_in_bytes_is_an_error_that_names_the_component(kind):
    pipe, rng = kind.pipe(kind.make()), random.Random(0)
    data = kind.pipe(make_trained(kind.factory)).to_bytes()
    for _ in range(10):
        damaged = bytearray(data)
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        with pytest.raises(ValueError, match=f"'{kind.factory}' from bytes"):
            pipe.from_bytes(bytes(damaged))
        assert not pipe.shim.is_built
    pipe.from_bytes(data)


def test_the_vocabulary_of_a_component_that_is_saved_alone_is_checked(tmp_path):
    pipe = make_trained("rnn_tagger").get_pipe("rnn_tagger")
    pipe.to_disk(tmp_path / "tagger")
    strings = tmp_path / "tagger" / "vocab" / "strings.json"
    strings.write_text(strings.read_text().replace("VBP", "VBQ"))
    alone = make_pipeline("rnn_tagger").get_pipe("rnn_tagger")
    with pytest.raises(ValueError, match="'vocab/strings.json' is damaged"):
        alone.from_disk(tmp_path / "tagger")
    alone.from_disk(tmp_path / "tagger", exclude=["vocab"])


def test_a_missing_file_is_an_error_that_names_it(saved):
    for name in FILES:
        data = (saved / name).read_bytes()
        (saved / name).unlink()
        message = error_of(saved.parent)
        assert f"'{name}'" in message and "is missing" in message
        (saved / name).write_bytes(data)


def test_weights_that_are_not_finite_are_an_error_that_names_them(kind, saved):
    nlp = make_trained(kind.factory)
    name, weight = list(kind.pipe(nlp).shim.module.named_parameters())[-1]
    with torch.no_grad():
        weight.view(-1)[0] = np.nan
    nlp.to_disk(saved.parent)
    assert f"'{name}' has values that are not finite" in error_of(saved.parent)


# Files of other components


def test_the_files_of_two_components_of_one_shape_cannot_be_exchanged(kind, saved, tmp_path):
    nlp = make_trained(kind.factory)
    with torch.no_grad():
        for parameter in kind.pipe(nlp).shim.module.parameters():
            parameter.add_(1e-3)
    nlp.to_disk(tmp_path / "other")
    shutil.copy(tmp_path / "other" / kind.factory / "model", saved)
    assert "'model' is damaged, or of another component" in error_of(saved.parent)


def test_a_component_of_another_class_is_an_error_that_names_both(tmp_path):
    make_trained("rnn_textcat").to_disk(tmp_path)
    pipe = make_pipeline("rnn_regressor").get_pipe("rnn_regressor")
    with pytest.raises(ValueError, match="class RNNTextCategorizer, not of RNNRegressor"):
        pipe.from_disk(tmp_path / "rnn_textcat")
    data = make_trained("rnn_textcat").get_pipe("rnn_textcat").to_bytes()
    with pytest.raises(ValueError, match="class RNNTextCategorizer, not of RNNRegressor"):
        pipe.from_bytes(data)


def test_a_renamed_and_a_sourced_component_are_loaded(tmp_path):
    nlp = make_trained("rnn_tagger")
    expected = [token.tag_ for text in TEXTS for token in nlp(text)]
    nlp.rename_pipe("rnn_tagger", "first")
    copy = make_trained("rnn_tagger")
    copy.add_pipe("first", name="second", source=nlp)
    copy.remove_pipe("rnn_tagger")
    copy.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded.pipe_names == ["second"]
    assert [token.tag_ for text in TEXTS for token in loaded(text)] == expected


# Contents that do not belong together


@pytest.mark.parametrize("change", [lambda labels: labels[:-1], lambda labels: labels[::-1]])
def test_other_labels_than_those_that_were_saved_are_an_error(change, tmp_path):
    make_trained("rnn_textcat").to_disk(tmp_path)
    cfg = tmp_path / "rnn_textcat" / "cfg"
    state = json.loads(cfg.read_text())
    cfg.write_text(json.dumps({**state, "labels": change(state["labels"])}))
    assert "'cfg' is damaged" in error_of(tmp_path)


@pytest.mark.parametrize("factory", TOKEN_KINDS)
def test_a_network_has_an_output_for_each_label(factory):
    pipe = make_trained(factory).get_pipe(factory)
    labels = pipe.cfg["labels"]
    labels = labels.get("tag", labels) if isinstance(labels, dict) else labels
    labels.pop(next(iter(labels)) if isinstance(labels, dict) else 0)
    with pytest.raises(ValueError, match="labels need the outputs .*, the network has"):
        make_pipeline(factory).get_pipe(factory).from_bytes(pipe.to_bytes())


SETTINGS = [
    ("rnn_tagger", "encoder.direction", "forward"),
    ("rnn_tagger", "encoder.residual", True),
    ("rnn_tagger", "embedding.words.lowercase", False),
    ("rnn_tagger", "embedding.characters.max_length", 2),
    ("rnn_ner", "decoder", "softmax"),
    ("rnn_textcat", "pooling.ways", ["max", "mean"]),
    ("rnn_translator", "decoder.attention", "dot"),
    ("rnn_translator", "nfc", False),
    ("rnn_lm", "tied", False),
]


@pytest.mark.parametrize(("factory", "setting", "value"), SETTINGS)
def test_settings_that_predictions_depend_on_belong_to_the_weights(
    factory, setting, value, tmp_path
):
    make_trained(factory).to_disk(tmp_path)
    with pytest.raises(ValueError, match=f"saved with other settings: {setting} = .*config.cfg"):
        spacy.load(tmp_path, config={f"components.{factory}.model.{setting}": value})


def test_settings_of_training_can_be_changed(tmp_path):
    nlp = make_trained("rnn_tagger")
    nlp.to_disk(tmp_path)
    values = {"embedding.words.unknown_dropout": 0.5, "encoder.recurrent_dropout": 0.5}
    config = {f"components.rnn_tagger.model.{name}": value for name, value in values.items()}
    loaded, expected = spacy.load(tmp_path, config=config), make_trained("rnn_tagger")
    for text in TEXTS:
        assert [t.tag_ for t in loaded(text)] == [t.tag_ for t in expected(text)]


# Limits


def test_sizes_are_compared_before_the_network_is_made(tmp_path, monkeypatch):
    make_trained("rnn_tagger").to_disk(tmp_path)
    n = len(spacy.load(tmp_path).get_pipe("rnn_tagger").labels)
    edit(tmp_path / "rnn_tagger" / "model", rb"\"tag\": %d" % n, rb"\"tag\": %d" % (n + 1))
    monkeypatch.delattr(TorchShim, "build")
    message = error_of(tmp_path)
    assert f"'heads.tag.bias' were saved with the shape ({n},)" in message
    assert f"({n + 1},)" in message


def stored_vectors(keys):
    feature = StoredVectors("vectors", lambda words: None)
    feature.shape = (len(keys), 3)
    feature._set_keys(keys, False)
    return feature


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keys_size": 10**9}, "cannot have been"),
        ({"keys_size": 400}, "do not have their size"),
        ({"keys_size": 10**4}, "do not have their size"),
        ({"shape": [10**9, 3]}, "1000000000 rows, but 200 words"),
        ({"keys": "AAAA"}, "cannot have been|damaged"),
    ],
)
def test_words_are_decompressed_only_to_their_saved_size(change, message):
    state = stored_vectors([f"word{i}" for i in range(200)]).to_dict()
    with pytest.raises(ValueError, match=message):
        stored_vectors([]).from_dict({**state, **change})


def test_words_that_compress_well_are_restored():
    keys = ["a" * i for i in range(2000)]
    feature = stored_vectors([])
    feature.from_dict(stored_vectors(keys).to_dict())
    assert list(feature._rows) == keys
