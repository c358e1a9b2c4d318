"""Small pipelines and the examples that they learn from."""

import functools

import spacy
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Config

from spacy_rnn.extensions import set_doc_extension

SMALL_EMBEDDING = Config().from_str(
    """
    [embedding]

    [embedding.words]
    @architectures = "spacy_rnn.WordEmbedding.v1"
    width = 8
    min_freq = 1
    unknown_dropout = 0.0

    [embedding.characters]
    @architectures = "spacy_rnn.CharacterRNN.v1"
    width = 4
    hidden_size = 3
    """
)["embedding"]
SMALL_MODEL = {
    "embedding": SMALL_EMBEDDING,
    "encoder": {
        "@architectures": "spacy_rnn.RNNEncoder.v1",
        "hidden_size": 8,
        "depth": 1,
    },
}
SMALL_TRANSLATOR = {
    "@architectures": "spacy_rnn.Translator.v1",
    "embedding_size": 16,
    "source_pieces": {"@architectures": "spacy_rnn.SentencePieces.v1", "vocab_size": 60},
    "target_pieces": {"@architectures": "spacy_rnn.SentencePieces.v1", "vocab_size": 60},
    "encoder": SMALL_MODEL["encoder"],
    "decoder": {"@architectures": "spacy_rnn.RNNDecoder.v1", "hidden_size": 16},
}
SMALL_LANGUAGE_MODEL = {
    "@architectures": "spacy_rnn.LanguageModel.v1",
    "embedding_size": 16,
    "units": {"@architectures": "spacy_rnn.WordUnits.v1", "min_freq": 1},
    "encoder": {
        "@architectures": "spacy_rnn.RNNEncoder.v1",
        "direction": "forward",
        "hidden_size": 16,
        "depth": 1,
    },
}
#: words, tags, parts of speech, morphology, category, rating, entities, translation
SENTENCES = [
    (
        "I like green eggs",
        "PRP VBP JJ NNS",
        "PRON VERB ADJ NOUN",
        "Number=Sing _ _ Number=Plur",
        "LIKE",
        2.5,
        "O O B-FOOD I-FOOD",
        "J'aime les œufs verts",
    ),
    (
        "She eats one ham .",
        "PRP VBZ CD NN .",
        "PRON VERB NUM NOUN PUNCT",
        "Number=Sing Number=Sing _ Number=Sing _",
        "EAT",
        -1.0,
        "B-PERSON O O B-FOOD O",
        "Elle mange un seul jambon.",
    ),
    (
        "They like blue ham",
        "PRP VBP JJ NN",
        "PRON VERB ADJ NOUN",
        "Number=Plur _ _ Number=Sing",
        "LIKE",
        1.5,
        "B-PERSON O B-FOOD I-FOOD",
        "Ils aiment le jambon bleu",
    ),
    ("Eggs !", "NNS .", "NOUN PUNCT", "Number=Plur _", "EAT", -3.0, "B-FOOD O", "Des œufs !"),
]
CATEGORIES = ("EAT", "LIKE")


def make_doc(
    vocab,
    words,
    tags=None,
    pos=None,
    morphs=None,
    category=None,
    rating=None,
    ents=None,
    translation=None,
):
    columns = {"words": words, "tags": tags, "pos": pos, "morphs": morphs, "ents": ents}
    doc = Doc(vocab, **{name: text.split(" ") for name, text in columns.items() if text})
    if category is not None:
        doc.cats = {other: float(other == category) for other in CATEGORIES}
    if rating is not None:
        set_doc_extension("regression")
        doc._.regression = {"rating": rating}
    if translation is not None:
        set_doc_extension("translation")
        doc._.translation = translation
    return doc


def make_examples(nlp):
    return [
        Example(make_doc(nlp.vocab, sentence[0]), make_doc(nlp.vocab, *sentence))
        for sentence in SENTENCES
    ]


def make_pipeline(factory, model=None, name=None, **config):
    """A blank pipeline with one small component.

    Its language is "xx", as in other tests: making the English tokenizer, with 1,300 exceptions,
    would take half of the time of the tests.
    """
    if factory == "rnn_translator":
        search = {"@misc": "spacy_rnn.Search.v1", "beam": 2, "max_ratio": 1.0}
        config = {"label_smoothing": 0.0, "search": search, **config}
        return _with(factory, SMALL_TRANSLATOR, model, name, config)
    if factory == "rnn_lm":
        config = {"streams": 4, "bptt_length": 8, **config}
        return _with(factory, SMALL_LANGUAGE_MODEL, model, name, config)
    labels_tokens = factory in ("rnn_tagger", "rnn_ner")
    architecture = "spacy_rnn.Tagger.v1" if labels_tokens else "spacy_rnn.ManyToOne.v1"
    small = {"@architectures": architecture, **SMALL_MODEL}
    if factory == "rnn_ner":
        small["decoder"] = "crf"
    if not labels_tokens:
        small["pooling"] = {"@architectures": "spacy_rnn.Pooling.v1", "ways": ["mean", "max"]}
    return _with(factory, small, model, name, config)


def _with(factory, small, model, name, config):
    nlp = spacy.blank("xx")
    merged = Config({"model": small}).merge({"model": model or {}})
    nlp.add_pipe(factory, name=name or factory, config={**merged, **config})
    return nlp


def make_tagger(model=None, name="rnn_tagger", **config):
    """A blank pipeline with a small tagger."""
    return make_pipeline("rnn_tagger", model, name, **config)


def train(nlp, examples, steps=40, optimizer=None):
    """Initialize and train to a perfect fit of a few examples."""
    spacy.util.fix_random_seed(0)
    default = nlp.initialize(lambda: examples)
    optimizer = optimizer or default
    optimizer.learn_rate = 0.03
    for _ in range(steps):
        losses = nlp.update(examples, sgd=optimizer)
    return losses


@functools.cache
def _trained_bytes(factory, steps):
    nlp = make_pipeline(factory)
    train(nlp, make_examples(nlp), steps)
    return nlp.to_bytes(exclude=["tokenizer"])


def make_trained(factory, steps=40, **config):
    """A pipeline that has learned the examples, trained once per process.

    config: Settings of the component, which apply after that training.
    """
    data = _trained_bytes(factory, steps)
    return make_pipeline(factory, **config).from_bytes(data, exclude=["tokenizer"])


def tags(docs):
    return [[token.tag_ for token in doc] for doc in docs]
