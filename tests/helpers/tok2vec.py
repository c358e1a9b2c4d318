"""A tok2vec with the encoder, for spaCy's components."""

import spacy
from thinc.api import Config

WIDTH = 16
TOK2VEC = Config().from_str(
    """
    [model]
    @architectures = "spacy.Tok2Vec.v2"

    [model.embed]
    @architectures = "spacy.MultiHashEmbed.v2"
    width = 12
    attrs = ["NORM", "SUFFIX"]
    rows = [200, 200]
    include_static_vectors = false

    [model.encode]
    @architectures = "spacy_rnn.RNNEncoder.v1"
    hidden_size = 8
    depth = 1
    """
)["model"]
LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": WIDTH}


def config_of(factory, tok2vec):
    """The default config of a component with this tok2vec."""
    meta = spacy.blank("xx").get_factory_meta(factory)
    model = Config(meta.default_config["model"]).copy()
    if factory == "textcat":
        model = {
            "@architectures": "spacy.TextCatReduce.v1",
            "exclusive_classes": True,
            "use_reduce_first": False,
            "use_reduce_last": False,
            "use_reduce_max": True,
            "use_reduce_mean": True,
        }
    others = {"min_action_freq": 1} if factory == "parser" else {}
    return {"model": {**model, "tok2vec": tok2vec}, **others}


def weights_of(nlp, name="tok2vec"):
    """The recurrent weights of a component's encoder, copied."""
    (layer,) = (node for node in nlp.get_pipe(name).model.walk() if node.name == "rnn_encoder")
    return [p.detach().clone().numpy() for p in layer.shims[0].module.parameters()]


def moved(before, after):
    return any((a != b).any() for a, b in zip(before, after, strict=True))
