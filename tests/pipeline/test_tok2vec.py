"""Components that read the vectors of a tok2vec layer, which learns from their gradients."""

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Config, Model, get_current_ops

from spacy_rnn.runtime.model import begin_update
from spacy_rnn.runtime.tok2vec import DocBatch

from ..helpers.kinds import KINDS, TOKEN_KINDS
from ..helpers.pipelines import SENTENCES, SMALL_EMBEDDING, make_doc, make_examples, make_pipeline
from ..helpers.slow import slow_but
from ..helpers.tok2vec import LISTENER, TOK2VEC, WIDTH, config_of, moved, weights_of

over_token_kinds = pytest.mark.parametrize("factory", slow_but(["rnn_textcat"], TOKEN_KINDS))

ALONE = {"embedding": None, "tok2vec": LISTENER}
BESIDE = {"embedding": SMALL_EMBEDDING, "tok2vec": LISTENER}
TEXTS = [sentence[0] for sentence in SENTENCES]


def make(factory, model=ALONE, **config):
    """A pipeline with a "tok2vec" and the component."""
    nlp = make_pipeline(factory, model, **config)
    nlp.add_pipe("tok2vec", config={"model": TOK2VEC}, first=True)
    return nlp


def learn(nlp, steps=80):
    spacy.util.fix_random_seed(0)
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.02
    for _ in range(steps):
        nlp.update(examples, sgd=optimizer)
    return examples


def outputs(nlp, factory, texts=TEXTS):
    """The component's outputs for texts that the components before it have processed."""
    with nlp.select_pipes(disable=[factory]):
        docs = list(nlp.pipe(texts))
    return KINDS[factory].output(nlp, docs)


def assert_close(actual, expected):
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def trained():
    made = {}

    def get(factory):
        if factory not in made:
            made[factory] = make(factory)
            learn(made[factory])
        return made[factory]

    return get


@over_token_kinds
def test_learns(trained, factory):
    nlp = trained(factory)
    assert KINDS[factory].fits(nlp, make_examples(nlp))


@over_token_kinds
def test_learns_beside_an_embedding(factory):
    nlp = make(factory, BESIDE)
    examples = learn(nlp)
    assert KINDS[factory].fits(nlp, examples)
    size = nlp.get_pipe(factory).shim.module.embedding.output_size
    assert size == WIDTH + 8 + 2 * 3


@over_token_kinds
def test_answers_are_the_same_in_any_batch(trained, factory):
    nlp = trained(factory)
    texts = [*TEXTS, "", "ham"]
    together = outputs(nlp, factory, texts)
    for text, expected in zip(texts, together, strict=True):
        assert_close(outputs(nlp, factory, [text]), [expected])


@pytest.mark.parametrize("model", [ALONE, BESIDE], ids=["alone", "beside"])
@over_token_kinds
def test_saved_and_loaded(trained, factory, model, tmp_path):
    nlp = trained(factory) if model is ALONE else make(factory, model)
    if model is BESIDE:
        learn(nlp, steps=3)
    expected = outputs(nlp, factory)
    nlp.to_disk(tmp_path / "nlp")
    assert_close(outputs(spacy.load(tmp_path / "nlp"), factory), expected)
    assert_close(outputs(make(factory, model).from_bytes(nlp.to_bytes()), factory), expected)


@over_token_kinds
def test_a_separate_tok2vec(trained, factory):
    """The layer is from the config, or replaces the listener of a trained pipeline."""
    nlp = make_pipeline(factory, {"embedding": None, "tok2vec": TOK2VEC})
    assert KINDS[factory].fits(nlp, learn(nlp))
    shared = trained(factory)
    copied = make(factory).from_bytes(shared.to_bytes())
    copied.replace_listeners("tok2vec", factory, ["model.tok2vec"])
    copied.remove_pipe("tok2vec")
    assert_close(outputs(copied, factory), outputs(shared, factory))


@over_token_kinds
def test_gradients_flow_back(factory):
    nlp = make(factory)
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    before = weights_of(nlp)
    for _ in range(2):
        nlp.update(examples, sgd=optimizer)
    assert moved(before, weights_of(nlp))


@over_token_kinds
def test_frozen(factory):
    nlp = make(factory)
    examples = learn(nlp, steps=0)
    before = weights_of(nlp)
    optimizer = nlp.create_optimizer()
    optimizer.learn_rate = 0.03
    for _ in range(120):
        nlp.update(examples, sgd=optimizer, exclude=["tok2vec"], annotates=["tok2vec"])
    assert not moved(before, weights_of(nlp))
    assert nlp.evaluate(examples)[KINDS[factory].score] > 0.8


class Table:
    """A tok2vec layer that gives each token a vector of a table, and stores its gradients."""

    def __init__(self, width=5, known=True):
        rng = np.random.default_rng(0)
        self.vectors = {word: rng.normal(size=width).astype("float32") for word in range(100)}
        self.width = width
        self.gradients = None
        self.layer = Model("table", self.forward, dims={"nO": width if known else None})

    def forward(self, model, docs, is_train):
        def backprop(gradients):
            self.gradients = gradients
            return []

        return [self.of(model.ops, doc) for doc in docs], backprop

    def of(self, ops, doc):
        rows = [self.vectors[token.orth % 100] for token in doc]
        return ops.asarray(np.array(rows, dtype="float32").reshape(len(doc), self.width))


def with_table(factory, table, **model):
    spacy.registry.architectures.register("test.Table.v1", func=lambda: table.layer)
    tok2vec = {"@architectures": "test.Table.v1"}
    spacy.util.fix_random_seed(0)
    nlp = make_pipeline(factory, {"embedding": None, "tok2vec": tok2vec, **model})
    examples = make_examples(nlp)
    for eg in examples:
        for i, token in enumerate(eg.predicted):
            token.is_sent_start = i in (0, 2)
    nlp.initialize(lambda: examples)
    return nlp, examples


@over_token_kinds
def test_the_gradient_is_that_of_torch(factory, device):
    """The loss is summed over the texts, each of which is read separately with its vectors."""
    table = Table()
    nlp, examples = with_table(factory, table)
    pipe, ops = KINDS[factory].pipe(nlp), get_current_ops()
    docs = [eg.predicted for eg in examples]
    loss, backprop = begin_update(pipe.model, docs, pipe.get_targets(examples))
    backprop(1.0)
    assert [len(d) for d in table.gradients] == [len(doc) for doc in docs]
    expected_loss = 0.0
    for eg, found in zip(examples, table.gradients, strict=True):
        vectors = torch.tensor(ops.to_numpy(table.of(ops, eg.predicted)), device=pipe.shim.device)
        vectors.requires_grad_()
        batch = pipe.shim.architecture.batch(pipe.shim, DocBatch([eg.predicted], vectors))
        gold = pipe.get_targets([eg])
        arrays = {n: torch.from_numpy(a).to(pipe.shim.device) for n, a in gold.arrays.items()}
        one = gold.loss(pipe.shim.module(batch), arrays)
        one.backward()
        expected_loss += float(one.detach())
        np.testing.assert_allclose(ops.to_numpy(found), vectors.grad.cpu().numpy(), atol=1e-5)
    assert loss == pytest.approx(expected_loss, rel=1e-4)


def test_a_gradient_that_is_not_finite_is_not_passed_on():
    table = Table()
    nlp, examples = with_table("rnn_tagger", table)
    with torch.no_grad():
        nlp.get_pipe("rnn_tagger").shim.module.heads["tag"].weight[0, 0] = torch.nan
    nlp.get_pipe("rnn_tagger").update(examples)
    assert not np.concatenate(table.gradients).any()


def test_a_layer_that_does_not_know_its_width():
    """An example is a listener of a transformer."""
    nlp, examples = with_table("rnn_tagger", Table(width=7, known=False))
    assert nlp.get_pipe("rnn_tagger").shim.features.tok2vec_size == 7
    assert np.isfinite(nlp.update(examples)["rnn_tagger"])


@pytest.mark.parametrize("keep", ["head", "tail", "both"])
def test_texts_that_are_cut(keep):
    """Tokens that are not read have no gradient, and each token that is read has its vector."""
    table = Table()
    nlp, examples = with_table("rnn_textcat", table, max_length=2, keep=keep)
    pipe = nlp.get_pipe("rnn_textcat")
    pipe.update(examples)
    kept = {"head": [0, 1], "tail": [-2, -1], "both": [0, -1]}[keep]
    for gradient in table.gradients:
        read = np.zeros(len(gradient), dtype=bool)
        read[kept] = True
        assert (gradient[read] != 0).any() and not gradient[~read].any()
    docs = [eg.predicted for eg in examples]
    cut = [Doc(nlp.vocab, words=[doc[i % len(doc)].text for i in kept]) for doc in docs]
    assert_close(pipe.predict(docs).scores, pipe.predict(cut).scores)


def test_texts_by_sentences():
    sentences = {
        "@architectures": "spacy_rnn.SentenceEncoder.v1",
        "encoder": {"@architectures": "spacy_rnn.RNNEncoder.v1", "hidden_size": 3, "depth": 1},
        "pooling": {"@architectures": "spacy_rnn.Pooling.v1", "ways": ["mean"]},
    }
    table = Table()
    nlp, examples = with_table("rnn_textcat", table, sentences=sentences)
    pipe = nlp.get_pipe("rnn_textcat")
    pipe.update(examples)
    assert all((gradient != 0).any() for gradient in table.gradients)
    docs = [eg.predicted for eg in examples]
    together = pipe.predict(docs).scores
    for doc, scores in zip(docs, together, strict=True):
        assert_close(pipe.predict([doc]).scores, [scores])


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_long_documents_are_read_in_windows(direction):
    encoder = {
        "@architectures": "spacy_rnn.RNNEncoder.v1",
        "hidden_size": 4,
        "depth": 1,
        "direction": direction,
    }
    found = []
    for window in (5000, 7):
        nlp, _ = with_table("rnn_tagger", Table(), encoder=encoder, window=window)
        words = [f"w{i}" for i in range(60)]
        found.append(nlp.get_pipe("rnn_tagger").predict_probabilities([Doc(nlp.vocab, words)])[0])
    assert_close([found[0]["tag"]], [found[1]["tag"]])


@over_token_kinds
def test_beside_a_component_of_spacy(factory):
    """The last listener passes on the gradients of all listeners, even if it has none itself."""
    targets = {"targets": ["pos"]} if factory == "rnn_tagger" else {}
    nlp = make(factory, **targets)
    nlp.add_pipe("tagger", config=config_of("tagger", LISTENER), before=factory)
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    tags = [
        Example(
            make_doc(nlp.vocab, sentence[0]),
            Doc(nlp.vocab, words=sentence[0].split(), tags=sentence[1].split()),
        )
        for sentence in SENTENCES
    ]
    before = weights_of(nlp)
    for _ in range(2):
        losses = nlp.update(tags, sgd=optimizer)
    assert losses[factory] == 0.0 and losses["tagger"] > 0.0
    assert moved(before, weights_of(nlp))


@over_token_kinds
def test_empty_documents_in_a_batch(factory):
    nlp = make(factory)
    examples = learn(nlp, steps=1)
    empty = Example(Doc(nlp.vocab), Doc(nlp.vocab))
    optimizer = nlp.create_optimizer()
    assert np.isfinite(nlp.update([empty, *examples, empty], sgd=optimizer)[factory])
    nlp.update([empty], sgd=optimizer)


def test_vectors_of_another_width_are_an_error(trained):
    pipe = trained("rnn_tagger").get_pipe("rnn_tagger")
    doc = Doc(trained("rnn_tagger").vocab, words=["ham"])
    doc.tensor = np.zeros((1, 3), dtype="float32")
    with pytest.raises(ValueError, match="vectors of width 3, but the model was trained with 16"):
        pipe.predict([doc])


@over_token_kinds
def test_a_model_that_reads_nothing_is_an_error(factory):
    with pytest.raises(ValueError, match="add a part such as spacy_rnn.WordEmbedding.v1"):
        make_pipeline(factory, Config({"embedding": None, "tok2vec": None}))
