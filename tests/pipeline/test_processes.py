"""Pipelines and docs that are sent to another process."""

import copy
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, Span

from ..helpers.kinds import KINDS
from ..helpers.paths import ROOT
from ..helpers.pipelines import SENTENCES, make_examples

TEXT = SENTENCES[0][0]
ATTENTION = {"pooling": {"ways": ["attention"]}}
#: the settings of each component that name an extension, and the model settings they need
SETTINGS = {
    "rnn_tagger": (["probabilities_attr"], {}),
    "rnn_ner": (["confidence_attr", "probabilities_attr"], {}),
    "rnn_textcat": (["attention_attr"], ATTENTION),
    "rnn_textcat_multilabel": (["attention_attr"], ATTENTION),
    "rnn_regressor": (["attr", "attention_attr"], ATTENTION),
    "rnn_translator": (["attr"], {}),
    "rnn_lm": (["attr", "perplexity_attr", "condition"], {}),
}
CONDITION = [0.5, -1.0]


def names_of(factory):
    """A different name for each setting, so that no two components register the same extension."""
    return {setting: f"{factory}_{setting}" for setting in SETTINGS[factory][0]}


def make(factory):
    names = names_of(factory)
    nlp = KINDS[factory].make(SETTINGS[factory][1], **names)
    examples = make_examples(nlp)
    for eg, sentence in zip(examples, SENTENCES, strict=True):
        if factory == "rnn_regressor":
            eg.reference._.set(names["attr"], {"rating": sentence[5]})
        elif factory == "rnn_translator":
            eg.reference._.set(names["attr"], sentence[7])
        elif factory == "rnn_lm":
            eg.reference._.set(names["condition"], CONDITION)
    nlp.initialize(lambda: examples)
    return nlp


def make_doc(nlp, factory):
    doc = nlp.make_doc(TEXT)
    if factory == "rnn_lm":
        doc._.set(names_of(factory)["condition"], CONDITION)
    return doc


def values_of(doc, factory):
    """The values of the extensions of the doc, its spans and its tokens."""
    owners = {"doc": doc, "token": doc[0], "span": doc[0:2], "entities": doc.ents}
    found = {}
    for name in names_of(factory).values():
        for kind, owner in owners.items():
            for part in owner if kind == "entities" else [owner]:
                if part.has_extension(name):
                    found.setdefault(f"{name} of {kind}", []).append(plain(part._.get(name)))
    return found


def plain(value):
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return np.asarray(value).tolist()


def all_values_of(doc):
    return {factory: values_of(doc, factory) for factory in KINDS}


def as_json(value):
    return json.loads(json.dumps(value))


def test_all_settings_that_name_an_extension_are_tested():
    for factory, (settings, _) in SETTINGS.items():
        nlp = KINDS[factory].make()
        config = nlp.get_factory_meta(factory).default_config
        named = {name for name in config if name.endswith("attr")}
        assert named == set(settings) - {"condition"}


SCRIPT = """
import json, multiprocessing, pickle, sys

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    sys.path.insert(0, sys.argv[1])
    with open(sys.argv[2], "rb") as file:
        pickled, all_pickled = pickle.load(file)
    from tests.pipeline.test_processes import TEXT, all_values_of, make_doc, values_of

    alone = {}
    for factory, (doc_bytes, nlp_bytes) in pickled.items():
        doc = pickle.loads(doc_bytes)
        assert values_of(doc, factory) == {}
        nlp = pickle.loads(nlp_bytes)
        alone[factory] = values_of(doc, factory), values_of(nlp(make_doc(nlp, factory)), factory)
    nlp = pickle.loads(all_pickled)
    docs = list(nlp.pipe([TEXT] * 2, n_process=2, batch_size=1))
    with multiprocessing.Pool(1) as pool:
        docs += pool.map(nlp, [TEXT])
    print(json.dumps([alone, [all_values_of(doc) for doc in docs]]))
"""


@pytest.fixture(scope="module")
def pipelines():
    return {factory: make(factory) for factory in KINDS}


@pytest.fixture(scope="module")
def all_in_one(pipelines):
    nlp = spacy.blank("xx")
    for factory, source in pipelines.items():
        nlp.add_pipe(factory, source=source)
    return nlp


@pytest.fixture(scope="module")
def elsewhere(pipelines, all_in_one, tmp_path_factory):
    """The values of extensions in a new process. First, for each component, those of a doc that was
    unpickled before the pipeline, and those of a doc that the pipeline has predicted. Second, those
    of docs that spawned processes have predicted: processes of `nlp.pipe` and of a pool."""
    pickled = {
        factory: (pickle.dumps(nlp(make_doc(nlp, factory))), pickle.dumps(nlp))
        for factory, nlp in pipelines.items()
    }
    folder = tmp_path_factory.mktemp("processes")
    script, data = folder / "script.py", folder / "pickled"
    script.write_text(SCRIPT)
    data.write_bytes(pickle.dumps((pickled, pickle.dumps(all_in_one))))
    command = [sys.executable, str(script), str(ROOT), str(data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("factory", KINDS)
def test_unpickling_registers_the_extensions(factory, pipelines, elsewhere):
    nlp = pipelines[factory]
    expected = as_json(values_of(nlp(make_doc(nlp, factory)), factory))
    names = names_of(factory).values()
    assert all(any(key.startswith(f"{name} of ") for key in expected) for name in names)
    of_the_doc_before, of_the_doc = elsewhere[0][factory]
    assert of_the_doc_before == of_the_doc == expected


@pytest.mark.slow
def test_spawned_processes_know_the_extensions(all_in_one, elsewhere):
    assert elsewhere[1] == [as_json(all_values_of(all_in_one(TEXT)))] * 3


@pytest.mark.parametrize("factory", KINDS)
def test_a_copy_and_a_loaded_component_register_the_extensions(factory, pipelines):
    nlp = pipelines[factory]
    names = names_of(factory).values()

    def forget():
        for name in names:
            for owner in (Doc, Span):
                if owner.has_extension(name):
                    owner.remove_extension(name)

    pipe, data = nlp.get_pipe(factory), nlp.get_pipe(factory).to_bytes()
    for again in (lambda: copy.deepcopy(pipe), lambda: pipe.from_bytes(data)):
        forget()
        again()
        assert all(Doc.has_extension(name) or Span.has_extension(name) for name in names)
