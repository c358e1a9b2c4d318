"""python -m spacy rnn verify."""

from importlib.metadata import version

import srsly

from ..helpers.cli import run, shown
from ..helpers.pipelines import make_trained


def saved(folder):
    nlp = make_trained("rnn_tagger")
    nlp.add_pipe("rnn_ner", source=make_trained("rnn_ner"))
    nlp.add_pipe("sentencizer")
    nlp.meta["performance"] = {"tag_acc": 0.5, "ents_per_type": {}}
    nlp.config["corpora"] = {"train": {"@readers": "spacy.Corpus.v1", "path": "gold.spacy"}}
    nlp.to_disk(folder)
    return folder


def test_an_intact_pipeline_is_described(tmp_path):
    printed = shown(run("rnn", "verify", saved(tmp_path)))
    checksums = srsly.read_json(tmp_path / "rnn_ner" / "checksums")["checksums"]
    for text in (
        *checksums.values(),
        f"spacy-rnn {version('spacy-rnn')}",
        "tag_acc 0.500",
        "gold.spacy",
        "2: FOOD, PERSON",
        "Without checksums: sentencizer, tokenizer, vocabulary, config",
        "As they were saved: rnn_tagger, rnn_ner",
    ):
        assert text in printed, text


def test_a_damaged_pipeline_is_an_error_that_names_component_and_file(tmp_path):
    file = saved(tmp_path) / "rnn_ner" / "model"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    printed = shown(run("rnn", "verify", tmp_path, code=1))
    assert "'rnn_ner'" in printed and "'model' is damaged" in printed


def test_files_of_spacy_that_cannot_be_read_are_an_error(tmp_path):
    (saved(tmp_path) / "vocab" / "strings.json").write_text("[")
    assert "can't be loaded" in shown(run("rnn", "verify", tmp_path, code=1))
    assert "Can't find model" in shown(run("rnn", "verify", tmp_path / "nowhere", code=1))
