"""Descriptions of the components for tests that run for all components."""

import math
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np
import pytest

from .pipelines import SENTENCES, make_pipeline


@dataclass(frozen=True)
class Kind:
    """A component under test.

    score: the name of the score that training maximizes; it is `best` for a perfect fit.
    outputs: a function of the pipe and docs that gives an array of numbers for each doc.
    annotation: a function that gives the annotation of a doc as comparable numbers.
    best, floor: the score and the summed loss of a perfect fit of the four sentences.
    """

    factory: str
    score: str
    outputs: Callable[[Any, list], list]
    annotation: Callable[[Any], np.ndarray]
    best: float = 1.0
    floor: float = 0.0

    def make(self, model=None, name=None, **config):
        return make_pipeline(self.factory, model, name, **config)

    def pipe(self, nlp):
        return nlp.get_pipe(self.factory)

    def output(self, nlp, docs):
        return self.outputs(self.pipe(nlp), docs)

    def fits(self, nlp, examples):
        """Whether the component fits the examples perfectly."""
        return nlp.evaluate(examples)[self.score] == pytest.approx(self.best, abs=0.02)


def _tag_probabilities(pipe, docs):
    return [found["tag"] for found in pipe.predict_probabilities(docs)]


def _entity_probabilities(pipe, docs):
    return pipe.predict_probabilities(docs)


def _entities(doc):
    return doc.to_array(["ENT_IOB", "ENT_TYPE"]).astype("float64").reshape(-1)


def _scores(pipe, docs):
    return list(pipe.predict(docs).scores)


def _tags(doc):
    return doc.to_array(["TAG"]).astype("float64").reshape(-1)


def _cats(doc):
    return np.array([doc.cats[label] for label in sorted(doc.cats)])


def _values(doc):
    return np.array(list(doc._.regression.values()))


def _translation_log_probabilities(pipe, docs):
    found = pipe.translate([doc.text for doc in docs])
    return [np.array([t.log_probability for t in best]) for best in found]


def _characters(doc):
    return np.array([ord(character) for character in doc._.translation], dtype="float64")


def _log_probabilities(pipe, docs):
    return pipe.predict(docs)


def _token_log_probabilities(doc):
    return np.array(doc._.log_probability)


#: The summed loss of a perfect language model. It cannot know which sentence comes, so that the
#: first words have a probability of at most 1/4 each. All other tokens can be predicted, and so can
#: the ends, which count as tokens.
CHOICE = len(SENTENCES) * math.log(len(SENTENCES))

KINDS = {
    kind.factory: kind
    for kind in (
        Kind("rnn_tagger", "tag_acc", _tag_probabilities, _tags),
        Kind("rnn_ner", "ents_f", _entity_probabilities, _entities),
        Kind("rnn_textcat", "cats_micro_f", _scores, _cats),
        Kind("rnn_textcat_multilabel", "cats_micro_f", _scores, _cats),
        Kind("rnn_regressor", "pearson", _scores, _values),
        Kind("rnn_translator", "bleu", _translation_log_probabilities, _characters),
        Kind(
            "rnn_lm",
            "lm_score",
            _log_probabilities,
            _token_log_probabilities,
            best=1 - CHOICE / math.log(2) / (8 * sum(len(words) for words, *_ in SENTENCES)),
            floor=CHOICE,
        ),
    )
}
#: one component with each network; tests of the others may be slow
FEW_KINDS = ["rnn_ner", "rnn_textcat", "rnn_translator", "rnn_lm"]
#: components that read spaCy's tokens, and predict labels or named values
TOKEN_KINDS = [name for name in KINDS if name not in ("rnn_translator", "rnn_lm")]
#: components that learn from an annotation, not from the text itself
LABELLED_KINDS = [name for name in KINDS if name != "rnn_lm"]
