"""Small translators."""

import functools
import logging

from spacy.training import Example

from spacy_rnn.extensions import set_doc_extension

from .pipelines import SENTENCES, make_examples, make_pipeline, train

NAME = "rnn_translator"
SOURCES = [sentence[0] for sentence in SENTENCES]
TARGETS = [sentence[-1] for sentence in SENTENCES]
JOINT = {"target_pieces": None}


def make(model=None, search=None, **config):
    settings = {"@misc": "spacy_rnn.Search.v1", "beam": 3, "max_ratio": 2.0, **(search or {})}
    return make_pipeline(NAME, model, search=settings, **config)


def load(nlp, data):
    """Load a pipeline without its tokenizer, which takes longest and is the same."""
    return nlp.from_bytes(data, exclude=["tokenizer"])


def pipe_of(nlp):
    return nlp.get_pipe(NAME)


def features_of(nlp):
    return pipe_of(nlp).shim.features


def pair(nlp, source, target, attr="translation"):
    """An example with the tokens that the pipeline makes."""
    set_doc_extension(attr)
    reference = nlp.make_doc(source)
    reference._.set(attr, target)
    return Example(nlp.make_doc(source), reference)


def translations(nlp, texts=SOURCES):
    return [doc._.translation for doc in nlp.pipe(texts)]


def warnings_of(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


@functools.cache
def trained_bytes(joint=False):
    nlp = make(JOINT if joint else None)
    train(nlp, make_examples(nlp), steps=50 if joint else 40)
    return nlp.to_bytes()


def make_trained(joint=False, model=None, **config):
    model = {**(JOINT if joint else {}), **(model or {})}
    return load(make(model, **config), trained_bytes(joint))


@functools.cache
def shared(joint=False):
    """A trained pipeline for tests that do not change it."""
    return make_trained(joint)


@functools.cache
def shared_by_sentences():
    """The same pipeline, but it translates sentence by sentence."""
    nlp = make_trained()
    nlp.add_pipe("sentencizer", first=True)
    return nlp
