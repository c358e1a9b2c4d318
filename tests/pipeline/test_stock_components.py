"""spaCy's own components on the encoder: each on a separate one, and all on a shared one."""

import numpy as np
import pytest
import spacy
from spacy.language import DEFAULT_CONFIG_PRETRAIN_PATH
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.pretrain import pretrain
from spacy.util import load_config, load_config_from_str, load_model_from_config

from ..helpers.pipelines import CATEGORIES, SENTENCES, make_doc
from ..helpers.tok2vec import LISTENER, TOK2VEC, config_of, moved, weights_of

#: the score of each component
SCORES = {
    "tagger": "tag_acc",
    "morphologizer": "morph_acc",
    "parser": "dep_uas",
    "ner": "ents_f",
    "textcat": "cats_micro_f",
    "spancat": "spans_sc_f",
}


def make_examples(nlp):
    """The sentences; the head of each word is the second word, and entities are also spans."""
    examples = []
    for words, tags, pos, morphs, category, _, ents, _ in SENTENCES:
        gold = make_doc(nlp.vocab, words, tags, pos, morphs, category, ents=ents)
        n = len(gold)
        doc = Doc(
            nlp.vocab,
            words=words.split(),
            tags=tags.split(),
            pos=pos.split(),
            morphs=morphs.split(),
            heads=[min(1, n - 1)] * n,
            deps=["ROOT" if i == min(1, n - 1) else "dep" for i in range(n)],
            ents=ents.split(),
        )
        doc.cats = {other: float(other == category) for other in CATEGORIES}
        doc.spans["sc"] = list(doc.ents)
        examples.append(Example(make_doc(nlp.vocab, words), doc))
    return examples


def learn(nlp, steps=60, annotates=()):
    spacy.util.fix_random_seed(0)
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.01
    for _ in range(steps):
        nlp.update(examples, sgd=optimizer, annotates=annotates)
    return examples


def shared(*factories):
    nlp = spacy.blank("xx")
    nlp.add_pipe("tok2vec", config={"model": TOK2VEC})
    for factory in factories:
        nlp.add_pipe(factory, config=config_of(factory, LISTENER))
    return nlp


def numbers(doc):
    attributes = ["TAG", "POS", "MORPH", "HEAD", "DEP", "ENT_IOB", "ENT_TYPE"]
    return doc.to_array(attributes).tolist(), doc.cats, [str(span) for span in doc.spans["sc"]]


@pytest.fixture(scope="module")
def together():
    """All components on one encoder, trained."""
    nlp = shared(*SCORES)
    return nlp, learn(nlp)


@pytest.mark.parametrize("factory", SCORES)
def test_alone(factory):
    nlp = spacy.blank("xx")
    nlp.add_pipe(factory, config=config_of(factory, TOK2VEC))
    examples = learn(nlp)
    assert nlp.evaluate(examples)[SCORES[factory]] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("factory", SCORES)
def test_together(together, factory):
    nlp, examples = together
    assert nlp.evaluate(examples)[SCORES[factory]] == pytest.approx(1.0, abs=0.1)


def test_together_in_any_batch(together):
    nlp, _ = together
    texts = [sentence[0] for sentence in SENTENCES] + ["", "ham"]
    # spaCy's classifiers cannot read empty texts.
    with nlp.select_pipes(disable=["textcat"]):
        for text, doc in zip(texts, nlp.pipe(texts), strict=True):
            np.testing.assert_allclose(doc.tensor, nlp(text).tensor, atol=1e-5)


def test_saved_and_loaded(together, tmp_path):
    nlp, _ = together
    texts = [sentence[0] for sentence in SENTENCES]
    expected = [numbers(doc)[0] for doc in nlp.pipe(texts)]
    nlp.to_disk(tmp_path / "nlp")
    for loaded in (spacy.load(tmp_path / "nlp"), shared(*SCORES).from_bytes(nlp.to_bytes())):
        assert [numbers(doc)[0] for doc in loaded.pipe(texts)] == expected


def test_replaced_listeners(together):
    nlp, _ = together
    texts = [sentence[0] for sentence in SENTENCES]
    expected = [numbers(doc)[0] for doc in nlp.pipe(texts)]
    copied = shared(*SCORES).from_bytes(nlp.to_bytes())
    for name in SCORES:
        copied.replace_listeners("tok2vec", name, ["model.tok2vec"])
    copied.remove_pipe("tok2vec")
    assert [numbers(doc)[0] for doc in copied.pipe(texts)] == expected
    # Each component is now trained separately.
    before = {name: weights_of(copied, name) for name in ("tagger", "ner")}
    examples = make_examples(copied)
    optimizer = copied.resume_training()
    with copied.select_pipes(enable=["ner"]):
        copied.update(examples, sgd=optimizer)
    assert not moved(before["tagger"], weights_of(copied, "tagger"))
    assert moved(before["ner"], weights_of(copied, "ner"))


def test_gradients_flow_back():
    nlp = shared("tagger")
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    before = weights_of(nlp)
    # spaCy's output layers start from zeros, and give no gradient before their first step.
    for _ in range(2):
        nlp.update(examples, sgd=optimizer)
    assert moved(before, weights_of(nlp))


def test_frozen():
    nlp = shared("tagger", "ner")
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.02
    before = weights_of(nlp)
    for _ in range(60):
        nlp.update(examples, sgd=optimizer, exclude=["tok2vec"], annotates=["tok2vec"])
    assert not moved(before, weights_of(nlp))
    assert nlp.evaluate(examples)["tag_acc"] > 0.8


PRETRAIN = """
[nlp]
lang = "xx"
pipeline = ["tok2vec", "tagger"]

[components]

[components.tok2vec]
factory = "tok2vec"

[components.tagger]
factory = "tagger"

[components.tagger.model]
@architectures = "spacy.Tagger.v2"

[components.tagger.model.tok2vec]
@architectures = "spacy.Tok2VecListener.v1"
width = 16

[paths]
train = null
dev = null
raw_text = null

[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = ${paths.train}

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = ${paths.train}

[corpora.pretrain]
@readers = "spacy.JsonlCorpus.v1"
path = ${paths.raw_text}

[initialize]
vectors = null
init_tok2vec = null

[pretraining]
component = "tok2vec"
corpus = "corpora.pretrain"
max_epochs = 3

[pretraining.optimizer]
@optimizers = "Adam.v1"

[pretraining.objective]
"""
OBJECTIVES = {
    "characters": {
        "@architectures": "spacy.PretrainCharacters.v1",
        "maxout_pieces": 2,
        "hidden_size": 16,
        "n_characters": 3,
    },
    "vectors": {
        "@architectures": "spacy.PretrainVectors.v1",
        "maxout_pieces": 2,
        "hidden_size": 16,
        "loss": "cosine",
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_pretrained(objective, tmp_path):
    """Training starts from the weights of `spacy pretrain`."""
    nlp = spacy.blank("xx")
    words = sorted({word for sentence in SENTENCES for word in sentence[0].split()})
    vectors = np.random.default_rng(0).normal(size=(len(words), 5)).astype("float32")
    for word, vector in zip(words, vectors, strict=True):
        nlp.vocab.set_vector(word, vector)
    nlp.to_disk(tmp_path / "vectors")
    examples = make_examples(nlp)
    DocBin(docs=[eg.reference for eg in examples]).to_disk(tmp_path / "train.spacy")
    lines = [f'{{"text": "{sentence[0]}"}}' for sentence in SENTENCES] * 5
    (tmp_path / "raw.jsonl").write_text("\n".join(lines), encoding="utf8")
    config = load_config_from_str(PRETRAIN)
    config["components"]["tok2vec"]["model"] = TOK2VEC
    config["pretraining"]["objective"] = OBJECTIVES[objective]
    config["paths"] = {name: str(tmp_path / "train.spacy") for name in ("train", "dev")}
    config["paths"]["raw_text"] = str(tmp_path / "raw.jsonl")
    config["initialize"]["vectors"] = str(tmp_path / "vectors")
    config = load_config(DEFAULT_CONFIG_PRETRAIN_PATH).merge(config)
    filled = load_model_from_config(config, auto_fill=True).config.interpolate()
    (tmp_path / "out").mkdir()
    pretrain(filled, tmp_path / "out", silent=True)
    losses = [line for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert len(losses) >= 2
    filled["initialize"]["init_tok2vec"] = str(tmp_path / "out" / "model-last.bin")
    after = init_nlp(filled)
    filled["initialize"]["init_tok2vec"] = None
    before = init_nlp(filled)
    assert moved(weights_of(before), weights_of(after))
    examples = make_examples(after)
    optimizer = after.create_optimizer()
    assert np.isfinite(after.update(examples, sgd=optimizer)["tagger"])
