"""Behavior that all components share."""

import copy
import pickle
import threading

import numpy as np
import pytest
import spacy
import srsly
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.training import Corpus, Example
from spacy.vocab import Vocab
from thinc.api import Adam

from spacy_rnn import nn
from spacy_rnn.runtime.optimizer import make_adamw

from ..helpers.kinds import FEW_KINDS, KINDS, LABELLED_KINDS, TOKEN_KINDS
from ..helpers.pipelines import SENTENCES, SMALL_MODEL, make_doc, make_examples, make_trained, train
from ..helpers.processes import patience
from ..helpers.slow import slow_but

WITH_VECTORS = {"embedding": {"vectors": {"@architectures": "spacy_rnn.VectorEmbedding.v1"}}}
TEXTS = ["I like green eggs", "She eats one ham .", "", "Eggs !", "They like blue ham", "x"]


@pytest.fixture(params=slow_but(FEW_KINDS, KINDS))
def kind(request):
    return KINDS[request.param]


over_tokens, over_labelled = (
    pytest.mark.parametrize("kind", slow_but(FEW_KINDS, kinds), indirect=True)
    for kinds in (TOKEN_KINDS, LABELLED_KINDS)
)
#: for tests of code that all components share
over_shared = pytest.mark.parametrize("kind", slow_but(["rnn_textcat"], KINDS), indirect=True)


@pytest.fixture
def trained(kind):
    return make_trained(kind.factory)


def docs_of(nlp, texts=TEXTS):
    return [Doc(nlp.vocab, words=text.split()) for text in texts]


def same(left, right, tolerance=1e-5):
    left, right = list(left), list(right)
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max(initial=0.0) <= tolerance


def same_annotation(kind, left, right):
    same(map(kind.annotation, left), map(kind.annotation, right))


def weights(kind, nlp):
    return kind.pipe(nlp).model.to_bytes()


# Learning


def test_learns(kind, device):
    nlp = kind.make()
    examples = make_examples(nlp)
    losses = train(nlp, examples)
    assert kind.fits(nlp, examples)
    assert kind.floor <= losses[kind.factory] < kind.floor + 5.0


@pytest.mark.parametrize("kind", ["rnn_tagger", "rnn_textcat"], indirect=True)
@pytest.mark.parametrize(
    "cell", slow_but(["gru", "none"], ["rnn_tanh", "rnn_relu", "gru", "lstm", "none"])
)
@pytest.mark.parametrize("direction", slow_but(["both"], ["forward", "backward", "both"]))
def test_learns_with_every_encoder(kind, cell, direction):
    nlp = kind.make({"encoder": {"cell": cell, "direction": direction, "depth": 2}})
    examples = make_examples(nlp)
    train(nlp, examples, steps=60)
    assert nlp.evaluate(examples)[kind.score] > 0.9 * kind.best


@over_shared
@pytest.mark.parametrize("make_optimizer", [Adam, make_adamw])
def test_every_optimizer_trains_a_component(kind, make_optimizer):
    nlp = kind.make()
    examples = make_examples(nlp)
    train(nlp, examples, optimizer=make_optimizer(0.03), steps=60)
    assert kind.fits(nlp, examples)


def test_gradients_wait_for_finish_update(kind, trained):
    examples = make_examples(trained)
    before = weights(kind, trained)
    trained.update(examples, sgd=False)
    assert weights(kind, trained) == before
    kind.pipe(trained).finish_update(trained.resume_training())
    assert weights(kind, trained) != before


def test_a_batch_in_parts_gives_the_same_gradient(kind, trained):
    def gradients(nlp, batches):
        for batch in batches:
            nlp.update(batch, sgd=False)
        shim = kind.pipe(nlp).shim
        return [p.grad.numpy() / shim.n_items for p in shim.module.parameters()]

    other = copy.deepcopy(trained)
    examples = make_examples(trained)
    whole = gradients(trained, [examples])
    same(gradients(other, [examples[:1], examples[1:]]), whole)


def test_dropout_of_training_is_used_by_the_network(kind, trained):
    examples = make_examples(trained)

    def loss(drop):
        return trained.update(examples, drop=drop, sgd=False)[kind.factory]

    assert loss(0.0) == loss(0.0)
    assert loss(0.5) != loss(0.5)


def test_same_seed_same_bytes(kind):
    def run():
        nlp = kind.make()
        train(nlp, make_examples(nlp), steps=5)
        return weights(kind, nlp)

    assert run() == run()


@over_shared
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_is_ignored_on_a_cpu_that_is_not_faster_with_it(
    kind, precision, monkeypatch
):
    monkeypatch.setattr(nn.precision, "has_fast_bfloat16", lambda: False)

    def run(precision):
        nlp = kind.make({"mixed_precision": precision})
        train(nlp, make_examples(nlp), steps=5)
        return weights(kind, nlp)

    assert run(precision) == run("none")


def test_mixed_precision_learns_on_a_cpu_with_amx(kind, monkeypatch):
    monkeypatch.setattr(nn.precision, "has_fast_bfloat16", lambda: True)
    nlp = kind.make({"mixed_precision": "bf16"})
    examples = make_examples(nlp)
    train(nlp, examples)
    assert kind.fits(nlp, examples)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_learns_on_a_gpu(kind, precision):
    spacy.require_gpu()
    nlp = kind.make({"mixed_precision": precision})
    examples = make_examples(nlp)
    train(nlp, examples)
    assert kind.fits(nlp, examples)
    spacy.require_cpu()


def test_evaluation_and_saving_use_averages(kind, trained):
    optimizer = trained.resume_training()
    optimizer.averages = {}
    optimizer.learn_rate = 0.5
    for _ in range(3):
        trained.update(make_examples(trained), sgd=optimizer)
    raw = weights(kind, trained)
    with trained.use_params(optimizer.averages):
        averaged = weights(kind, trained)
    assert averaged != raw
    assert weights(kind, trained) == raw


def test_training_is_resumed_from_disk(kind, trained, tmp_path):
    trained.to_disk(tmp_path)
    nlp = spacy.load(tmp_path)
    optimizer = nlp.resume_training()
    assert nlp.update(make_examples(nlp), sgd=optimizer)[kind.factory] < kind.floor + 5.0


def test_frozen_component_does_not_change(kind, trained):
    before = weights(kind, trained)
    trained.update(make_examples(trained), sgd=trained.resume_training(), exclude=[kind.factory])
    assert weights(kind, trained) == before


def test_sourced_component_predicts_the_same(kind, trained):
    nlp = spacy.blank("xx")
    nlp.add_pipe(kind.factory, source=trained)
    same_annotation(kind, nlp.pipe(docs_of(nlp)), trained.pipe(docs_of(trained)))


@pytest.mark.parametrize("kind", slow_but(["rnn_textcat", "rnn_lm"], KINDS), indirect=True)
def test_two_components_in_one_pipeline(kind):
    nlp = kind.make(name="first")
    config = nlp.config["components"]["first"]
    del config["factory"]
    nlp.add_pipe(kind.factory, name="second", config=config)
    examples = make_examples(nlp)
    losses = train(nlp, examples)
    assert set(losses) == {"first", "second"}
    assert nlp.evaluate(examples)[kind.score] > 0.9 * kind.best


@over_tokens
def test_labels_initialize_another_component(kind, trained):
    """Labels are read as ``spacy init labels`` saves them, in JSON."""
    data = srsly.json_loads(srsly.json_dumps(kind.pipe(trained).label_data))
    other = kind.make()
    kind.pipe(other).initialize(lambda: make_examples(other), nlp=other, labels=data)
    assert kind.pipe(other).labels == kind.pipe(trained).labels
    assert kind.pipe(other).label_data == kind.pipe(trained).label_data


@over_tokens
def test_a_new_label_does_not_change_weights_of_known_labels(kind, trained):
    pipe = kind.pipe(trained)
    (head,) = pipe.shim.module.heads.values()
    known = head.weight.detach().clone()
    assert pipe.add_label("EXTRA") == 1
    assert pipe.add_label("EXTRA") == 0
    (head,) = pipe.shim.module.heads.values()
    assert pipe.labels[-1] == "EXTRA"
    assert len(head.weight) == sum(pipe.output_sizes.values()) > len(known)
    assert torch.equal(head.weight[: len(known)], known)
    with pytest.raises(ValueError, match="E187"):
        pipe.add_label(7)


# Storing


@pytest.mark.parametrize("way", slow_but(["disk"], ["bytes", "disk", "pickle", "deepcopy"]))
def test_stored_component_predicts_the_same(kind, trained, tmp_path, way, device):
    if way == "bytes":
        copied = kind.make().from_bytes(trained.to_bytes())
    elif way == "disk":
        trained.to_disk(tmp_path)
        copied = spacy.load(tmp_path)
    elif way == "pickle":
        copied = pickle.loads(pickle.dumps(trained))
    else:
        copied = copy.deepcopy(trained)
    assert kind.pipe(copied) is not kind.pipe(trained)
    assert kind.pipe(copied).labels == kind.pipe(trained).labels
    outputs = kind.output(copied, docs_of(copied)), kind.output(trained, docs_of(trained))
    if device == "cpu":
        same(*outputs, 0.0)
    else:
        # cuDNN's sums depend on where weights are in memory, which affects logarithms of small
        # probabilities most.
        for one, other in zip(*outputs, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_saving_again_gives_the_same_bytes(kind, trained, tmp_path):
    trained.to_disk(tmp_path / "a")
    spacy.load(tmp_path / "a").to_disk(tmp_path / "b")
    for file in ("model", "cfg"):
        first, second = (tmp_path / x / kind.factory / file for x in "ab")
        assert first.read_bytes() == second.read_bytes()


def test_untrained_pipeline_can_be_stored(kind, tmp_path):
    kind.make().to_disk(tmp_path)
    nlp = spacy.load(tmp_path)
    with pytest.raises(ValueError, match="initialize"):
        nlp("Not yet.")


@over_shared
@pytest.mark.parametrize("share", slow_but([0.9], [0.0, 0.3, 0.9, 0.999]))
def test_truncated_weights(kind, trained, tmp_path, share):
    trained.to_disk(tmp_path)
    path = tmp_path / kind.factory / "model"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ValueError, match=f"{kind.factory}.*(again|train)"):
        spacy.load(tmp_path)


@over_shared
def test_corrupted_weights(kind, trained, tmp_path):
    trained.to_disk(tmp_path)
    path = tmp_path / kind.factory / "model"
    path.write_bytes(b"not a model at all" * 100)
    with pytest.raises(ValueError, match=f"{kind.factory}.*again"):
        spacy.load(tmp_path)


@over_shared
def test_weights_of_a_newer_format(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("spacy_rnn.runtime.serialization.FORMAT", 99)
    trained.to_disk(tmp_path)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="pip install --upgrade spacy-rnn"):
        spacy.load(tmp_path)


def test_weights_that_do_not_fit_the_config(kind, trained, tmp_path):
    trained.to_disk(tmp_path)
    with pytest.raises(ValueError, match="config.cfg"):
        spacy.load(tmp_path, config={f"components.{kind.factory}.model.encoder.hidden_size": 9})


# Predicting


@pytest.mark.parametrize("kind", slow_but(["rnn_ner", "rnn_lm"], KINDS), indirect=True)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=12),
    batch_size=st.integers(1, 12),
    data=st.data(),
)
def test_a_doc_gets_the_same_answer_in_every_batch(kind, trained, lengths, batch_size, data):
    words = ["I", "She", "eats", "unknown", "eggs", ".", "\n", "ham"]
    texts = [[words[(i * 7 + n) % len(words)] for i in range(n)] for n in lengths]
    alone = [kind.output(trained, [Doc(trained.vocab, words=text)])[0] for text in texts]
    order = data.draw(st.permutations(range(len(texts))))
    shuffled = [Doc(trained.vocab, words=texts[i]) for i in order]
    same(kind.output(trained, shuffled), [alone[i] for i in order])
    piped = list(trained.pipe(shuffled, batch_size=batch_size))
    expected = [Doc(trained.vocab, words=texts[i]) for i in order]
    same_annotation(kind, piped, [trained(doc) for doc in expected])


def test_threads_get_the_same_answers(kind, trained):
    docs = docs_of(trained) * 2
    expected = kind.output(trained, docs)
    wrong = []

    def work():
        for _ in range(10):
            try:
                same(kind.output(trained, docs), expected)
            except AssertionError as error:
                wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_training_in_a_thread_does_not_change_predictions_of_another(kind, trained):
    """Gradients accumulate without a step, so that only dropout could change an answer."""
    docs, examples = docs_of(trained), make_examples(trained)
    expected = kind.output(trained, docs)
    done = threading.Event()

    def work():
        while not done.is_set():
            trained.update(examples, drop=0.5, sgd=False)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(20):
            same(kind.output(trained, docs), expected, 0.0)
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("kind", slow_but(["rnn_textcat"], KINDS), indirect=True)
def test_processes_get_the_same_answers(kind, trained):
    texts = [text for text in TEXTS if text] * 4
    expected = list(trained.pipe(texts))
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        # Two threads in the parent must not make forked children wait forever.
        trained("a warm-up that starts the threads of the parent " * 20)
        with patience():
            same_annotation(kind, trained.pipe(texts, n_process=2, batch_size=3), expected)
    finally:
        torch.set_num_threads(threads)


def examples_of(vocabs):
    """Examples of the sentences, each with one of the vocabularies."""
    return [
        Example(make_doc(vocab, sentence[0]), make_doc(vocab, *sentence))
        for vocab, sentence in zip(vocabs, SENTENCES, strict=True)
    ]


def test_docs_of_several_vocabularies(kind):
    """Losses and predictions are those with one vocabulary, and annotation can be read."""

    def trained(nlp, examples):
        spacy.util.fix_random_seed(0)
        optimizer = nlp.initialize(lambda: examples)
        return [nlp.update(examples, sgd=optimizer)[kind.factory] for _ in range(3)]

    one, several = kind.make(), kind.make()
    vocabs = [several.vocab, Vocab(), spacy.blank("de").vocab, several.vocab]
    losses = trained(one, examples_of([one.vocab] * 4))
    assert trained(several, examples_of(vocabs)) == pytest.approx(losses, rel=1e-4)
    docs = [eg.predicted for eg in examples_of(vocabs)] + [Doc(Vocab())]
    expected = docs_of(one, [doc.text for doc in docs])
    same(kind.output(several, docs), kind.output(one, expected))
    same_annotation(kind, several.pipe(docs), one.pipe(expected))
    for doc, other in zip(docs, expected, strict=True):
        assert [token.tag_ for token in doc] == [token.tag_ for token in other]
        assert [entity.label_ for entity in doc.ents] == [entity.label_ for entity in other.ents]


SENTENCE_ENCODER = {
    "@architectures": "spacy_rnn.SentenceEncoder.v1",
    "encoder": SMALL_MODEL["encoder"],
    "pooling": {"@architectures": "spacy_rnn.Pooling.v1", "ways": ["mean"]},
}


@pytest.mark.parametrize(
    "kind, model",
    [*((name, {}) for name in TOKEN_KINDS), ("rnn_textcat", {"sentences": SENTENCE_ENCODER})],
    indirect=["kind"],
)
def test_docs_are_read_with_the_vectors_of_their_vocabulary(kind, model):
    nlp = kind.make({**WITH_VECTORS, **model})
    vocabs = [nlp.vocab, Vocab()]
    for value, vocab in enumerate(vocabs, start=1):
        vocab.set_vector("eggs", np.full(5, value, dtype="float32"))
    examples = make_examples(nlp)
    docs = [make_doc(vocab, text) for text in ("green eggs", "ham eggs .") for vocab in vocabs]
    for doc in (*docs, *(eg.predicted for eg in examples)):
        for token in doc:
            token.is_sent_start = token.i != 1
    nlp.initialize(lambda: examples)
    together = kind.output(nlp, docs)
    same(together, [kind.output(nlp, [doc])[0] for doc in docs])
    assert np.abs(together[0] - together[1]).max() > 1e-4


def test_prediction_leaves_no_tensors_on_the_doc(trained):
    doc = trained("I like eggs")
    assert not any(isinstance(value, torch.Tensor) for value in doc.user_data.values())
    assert srsly.msgpack_dumps(doc.to_bytes())


# Bad input


def test_empty_docs(kind, trained, device):
    assert len(list(trained.pipe([]))) == 0
    assert len(list(trained.pipe(["", "", ""]))) == 3
    alone = trained("")
    piped = list(trained.pipe(docs_of(trained, ["", "Eggs !", ""])))
    same_annotation(kind, [piped[0], piped[2]], [alone, alone])
    assert np.isfinite(kind.annotation(alone)).all()


def test_whitespace_and_one_token(kind, trained):
    for text in ("   ", "\n\n", "\t", "Eggs", "🥚", "\u0000", "x" * 5000):
        doc = trained(text)
        assert len(kind.annotation(doc)) and np.isfinite(kind.annotation(doc)).all()


def test_update_with_empty_docs_only(kind, trained):
    empty = Doc(trained.vocab)
    example = Example(empty, empty.copy())
    assert trained.update([example], sgd=trained.resume_training()) == {kind.factory: 0.0}
    assert kind.pipe(trained).update([]) == {kind.factory: 0.0}


def test_update_with_some_empty_docs(kind, trained):
    examples = make_examples(trained) + [Example(Doc(trained.vocab), Doc(trained.vocab))]
    losses = trained.update(examples, sgd=trained.resume_training())
    assert losses[kind.factory] > 0


@over_labelled
def test_docs_without_any_annotation_change_nothing(kind, trained):
    examples = [Example(make_doc(trained.vocab, "a b"), make_doc(trained.vocab, "a b"))]
    before = weights(kind, trained)
    assert trained.update(examples, sgd=trained.resume_training()) == {kind.factory: 0.0}
    assert weights(kind, trained) == before


def test_no_examples(kind):
    nlp = kind.make()
    with pytest.raises(TypeError, match="E930"):
        kind.pipe(nlp).initialize(lambda: [], nlp=nlp)


@over_tokens
def test_no_labels(kind):
    nlp = kind.make()
    examples = [Example(make_doc(nlp.vocab, "a b"), make_doc(nlp.vocab, "a b"))]
    with pytest.raises(ValueError, match=f"{kind.factory}.*(no labels|no targets|at least two)"):
        nlp.initialize(lambda: examples)


def test_a_corpus_without_examples_is_an_error_that_says_so(kind, tmp_path):
    """For example, a reader of .spacy files finds no examples in another kind of file."""
    nlp = kind.make()
    (tmp_path / "train.csv").write_text("text,label\na,x\n")
    corpus = Corpus(tmp_path / "train.csv")
    with pytest.warns(UserWarning, match="W090"), pytest.raises(ValueError) as raised:
        nlp.initialize(lambda: corpus(nlp))
    message = str(raised.value)
    assert message.startswith(f"'{kind.factory}' has no")
    assert "The training corpus has no examples: check its path" in message


@over_labelled
def test_a_corpus_without_labels_is_an_error_that_says_what_it_has(kind):
    nlp = kind.make()
    references = [make_doc(nlp.vocab, "a b"), make_doc(nlp.vocab, "c")]
    examples = [Example(doc.copy(), doc) for doc in references]
    with pytest.raises(ValueError, match=r"Examples read: 2 \(none is annotated\)\. \w+"):
        nlp.initialize(lambda: examples)
    Doc.set_extension("stars", default=None, force=True)
    for doc in references:
        doc._.stars = 3
    references[0].spans["x"] = []
    with pytest.raises(ValueError, match=r"Examples read: 2 \(doc\._\.stars in 2\)\. \w+"):
        nlp.initialize(lambda: examples)
    Doc.remove_extension("stars")


@over_shared
def test_gradients_that_are_not_finite_stop_training(kind, trained):
    pipe = kind.pipe(trained)
    optimizer = trained.resume_training()
    with torch.no_grad():
        for parameter in pipe.shim.module.parameters():
            parameter.fill_(float("nan"))
    with pytest.raises(ValueError, match="learn_rate"):
        for _ in range(50):
            trained.update(make_examples(trained), sgd=optimizer)
    assert 0 < pipe.shim.steps.skipped <= 50


def test_a_loss_that_is_not_finite_does_not_hide_the_others(kind, trained):
    module, losses, found = kind.pipe(trained).shim.module, {}, []
    weights = copy.deepcopy(module.state_dict())
    for factor in (1.0, float("nan"), 1.0):
        module.load_state_dict({name: factor * values for name, values in weights.items()})
        trained.update(make_examples(trained), sgd=False, losses=losses)
        found.append(losses[kind.factory])
    assert 0 < found[0] == found[1] < found[2] < np.inf


@over_tokens
def test_vectors_of_another_width(kind):
    nlp = kind.make(WITH_VECTORS)
    for word in ("eggs", "ham"):
        nlp.vocab.set_vector(word, np.ones(5, dtype="float32"))
    train(nlp, make_examples(nlp), steps=1)
    other = kind.make(WITH_VECTORS).from_bytes(nlp.to_bytes())
    other.vocab.reset_vectors(width=7)
    other.vocab.set_vector("eggs", np.ones(7, dtype="float32"))
    with pytest.raises(ValueError, match=r"vectors of shape \d+ x 5, .* \d+ x 7\."):
        other("green eggs")


@over_tokens
def test_vectors_that_are_not_finite(kind):
    nlp = kind.make(WITH_VECTORS)
    nlp.vocab.set_vector("eggs", np.array([1.0, np.nan], dtype="float32"))
    with pytest.raises(ValueError, match="not finite"):
        nlp.initialize(lambda: make_examples(nlp))


@over_tokens
def test_without_vectors_the_part_is_left_out(kind, caplog):
    nlp = kind.make(WITH_VECTORS)
    losses = train(nlp, make_examples(nlp), steps=2)
    assert "no pretrained vectors" in caplog.text
    assert 0 < losses[kind.factory] < np.inf


@over_tokens
@pytest.mark.parametrize(
    "model, message",
    [
        ({"encoder": {"hidden_size": 0}}, "hidden_size"),
        ({"encoder": {"recurrent_dropout": 1.0}}, "recurrent_dropout"),
        ({"encoder": {"cell": "elman"}}, "cell"),
        ({"embedding": {"words": None, "characters": None}}, "has no input"),
        ({"window": 0}, "window"),
    ],
)
def test_settings_that_make_no_sense(kind, model, message):
    with pytest.raises(ValueError, match=message):
        kind.make(model)


@over_tokens
def test_a_very_long_doc_in_bounded_memory(kind):
    """The network reads one window at a time, so that no array spans the document."""
    nlp = kind.make({"window": 50, "overlap": 10, "batch_tokens": 100})
    train(nlp, make_examples(nlp), steps=2)
    words = " ".join(sentence[0] for sentence in SENTENCES * 300).split()
    largest = []
    module = kind.pipe(nlp).shim.module
    encoder = module.encoder if hasattr(module, "encoder") else module.tokens.encoder
    encoder.register_forward_hook(lambda module, args, output: largest.append(len(output)))
    doc = nlp(make_doc(nlp.vocab, " ".join(words)))
    assert np.isfinite(kind.annotation(doc)).all()
    assert max(largest) <= 100 and sum(largest) >= len(words)


@pytest.mark.parametrize(
    "kind", ["rnn_tagger", "rnn_textcat", "rnn_textcat_multilabel", "rnn_translator"], indirect=True
)
@pytest.mark.parametrize("label_smoothing", [-0.5, 1.0])
def test_label_smoothing_is_at_least_0_and_below_1(kind, label_smoothing):
    with pytest.raises(ValueError, match="label_smoothing"):
        kind.make(label_smoothing=label_smoothing)
