"""The weights of scores by which the best pipeline is chosen, with several components."""

import functools

import pytest
import spacy
from spacy.util import combine_score_weights

from ..helpers.kinds import KINDS
from ..helpers.pipelines import make_examples, train

SPACYS = [
    "tagger", "morphologizer", "parser", "senter", "ner", "textcat", "textcat_multilabel",
    "spancat", "spancat_singlelabel", "entity_linker", "entity_ruler", "trainable_lemmatizer",
]  # fmt: skip


@functools.cache
def own_weights(factory):
    nlp = spacy.blank("xx")
    nlp.add_pipe(factory)
    return nlp.get_factory_meta(factory).default_score_weights


def weighted(weights):
    return {score for score, weight in weights.items() if weight}


@pytest.mark.parametrize("other", [*SPACYS, *KINDS])
@pytest.mark.parametrize("factory", KINDS)
def test_no_component_removes_the_weights_of_another(factory, other):
    """The order does not matter. spaCy combines default weights if the config sets none."""
    both = [own_weights(factory), own_weights(other)]
    for weights in (both, both[::-1]):
        together = combine_score_weights(weights)
        assert weighted(together) == weighted(both[0]) | weighted(both[1])


def test_a_tagger_beside_taggers_of_spacy():
    nlp = spacy.blank("xx")
    for factory in ("tagger", "morphologizer", "rnn_tagger"):
        nlp.add_pipe(factory)
    weights = nlp.config["training"]["score_weights"]
    assert weights["tag_acc"] == weights["label_acc"] == 0.33
    assert weights["pos_acc"] == weights["morph_acc"] == 0.17


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_default_weights_are_for_scores_of_the_component(kind):
    nlp = kind.make()
    examples = make_examples(nlp)
    train(nlp, examples, steps=1)
    assert set(own_weights(kind.factory)) <= set(nlp.evaluate(examples))
