"""Language models of characters in the embedding of other components."""

from thinc.api import Config

from .pipelines import make_examples, make_pipeline, train

CHARACTERS = {
    "embedding_size": 5,
    "tied": False,
    "units": {"@architectures": "spacy_rnn.CharacterUnits.v1", "min_freq": 1},
    "encoder": {"direction": "both", "hidden_size": 6, "depth": 1},
}


def save_lm(folder, model=None, **config):
    """Train a language model of characters briefly and save its pipeline. Returns the folder."""
    model = Config(CHARACTERS).merge(model or {})
    nlp = make_pipeline("rnn_lm", model, **config)
    train(nlp, make_examples(nlp), steps=3)
    nlp.to_disk(folder)
    return str(folder)


def with_context(factory, source, alone=False, **settings):
    """A pipeline whose embedding has the language model, and nothing else if `alone` is true."""
    part = {"@architectures": "spacy_rnn.ContextualStrings.v1", "source": source, **settings}
    others = {"words": None, "characters": None} if alone else {}
    return make_pipeline(factory, {"embedding": {"context": part, **others}})
