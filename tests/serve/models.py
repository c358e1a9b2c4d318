"""Pipelines that are served."""

import spacy

from ..helpers.pipelines import make_trained

COMPONENTS = ("rnn_ner", "rnn_textcat", "rnn_regressor", "rnn_translator", "rnn_lm")
TEXTS = [
    "I like green eggs. She eats one ham .",
    "",
    "They like blue ham",
    'œufs "verts" \U0001f373 and <b>&amp;</b>\n\ttext',
    "\u0000 \u200b",
    *(f"word{i} like ham" for i in range(40)),
]


def make_all():
    """A pipeline with a component of each kind."""
    nlp = make_trained("rnn_tagger")
    nlp.add_pipe("sentencizer", first=True)
    for factory in COMPONENTS:
        settings = {"confidence_attr": "confidence"} if factory == "rnn_ner" else {}
        nlp.add_pipe(factory, source=make_trained(factory, **settings))
    return nlp


def make_rules():
    """A pipeline without a component of this package."""
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "FOOD", "pattern": "ham"}])
    return nlp
