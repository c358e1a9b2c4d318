"""What every component promises, whatever it predicts."""

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
from spacy.training import Example
from thinc.api import Adam

from ..conftest import SENTENCES, make_doc, make_examples, make_tagger, tags, train

WITH_VECTORS = {"embedding": {"vectors": {"@architectures": "spacy_rnn.VectorEmbedding.v1"}}}
TEXTS = ["I like green eggs", "She eats one ham .", "", "Eggs !", "They like blue ham", "x"]


def docs_of(nlp, texts=TEXTS):
    return [Doc(nlp.vocab, words=text.split()) for text in texts]


def probabilities(nlp, docs):
    return [p["tag"] for p in nlp.get_pipe("rnn_tagger").predict_probabilities(docs)]


def same(left, right, tolerance=1e-5):
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max(initial=0.0) <= tolerance


# Learning


def test_learns(device):
    nlp = make_tagger()
    examples = make_examples(nlp)
    losses = train(nlp, examples)
    assert nlp.evaluate(examples)["tag_acc"] == 1.0
    assert 0 <= losses["rnn_tagger"] < 5.0


@pytest.mark.parametrize("cell", ["rnn_tanh", "rnn_relu", "gru", "lstm", "none"])
@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_learns_with_every_encoder(cell, direction):
    nlp = make_tagger({"encoder": {"cell": cell, "direction": direction, "depth": 2}})
    examples = make_examples(nlp)
    train(nlp, examples, steps=60)
    assert nlp.evaluate(examples)["tag_acc"] > 0.9


def test_stock_adam_of_a_default_config_trains_it():
    nlp = make_tagger()
    examples = make_examples(nlp)
    train(nlp, examples, optimizer=Adam(0.03), steps=60)
    assert nlp.evaluate(examples)["tag_acc"] == 1.0


def test_gradients_wait_for_finish_update(trained):
    examples = make_examples(trained)
    before = trained.get_pipe("rnn_tagger").model.to_bytes()
    trained.update(examples, sgd=False)
    pipe = trained.get_pipe("rnn_tagger")
    assert pipe.model.to_bytes() == before
    pipe.finish_update(trained.resume_training())
    assert pipe.model.to_bytes() != before


def test_dropout_of_training_reaches_the_network(trained):
    examples = make_examples(trained)

    def loss(drop):
        return trained.update(examples, drop=drop, sgd=False)["rnn_tagger"]

    assert loss(0.0) == loss(0.0)
    assert loss(0.5) != loss(0.5)


def test_same_seed_same_bytes():
    def run():
        nlp = make_tagger()
        train(nlp, make_examples(nlp), steps=5)
        return nlp.get_pipe("rnn_tagger").model.to_bytes()

    assert run() == run()


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_is_quietly_off_on_a_cpu(precision):
    def run(precision):
        nlp = make_tagger({"mixed_precision": precision})
        train(nlp, make_examples(nlp), steps=5)
        return nlp.get_pipe("rnn_tagger").model.to_bytes()

    assert run(precision) == run("none")


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_learns_on_a_gpu(precision):
    spacy.require_gpu()
    nlp = make_tagger({"mixed_precision": precision})
    examples = make_examples(nlp)
    train(nlp, examples)
    assert nlp.evaluate(examples)["tag_acc"] == 1.0
    spacy.require_cpu()


def test_averages_are_what_evaluation_and_saving_use(trained):
    pipe = trained.get_pipe("rnn_tagger")
    optimizer = trained.resume_training()
    optimizer.averages = {}
    optimizer.learn_rate = 0.5
    for _ in range(3):
        trained.update(make_examples(trained), sgd=optimizer)
    raw = pipe.model.to_bytes()
    with trained.use_params(optimizer.averages):
        averaged = pipe.model.to_bytes()
    assert averaged != raw
    assert pipe.model.to_bytes() == raw


def test_resume_from_disk_goes_on_learning(trained, tmp_path):
    trained.to_disk(tmp_path)
    nlp = spacy.load(tmp_path)
    optimizer = nlp.resume_training()
    assert nlp.update(make_examples(nlp), sgd=optimizer)["rnn_tagger"] < 5.0


def test_frozen_component_stays(trained):
    before = trained.get_pipe("rnn_tagger").model.to_bytes()
    trained.update(make_examples(trained), sgd=trained.resume_training(), exclude=["rnn_tagger"])
    assert trained.get_pipe("rnn_tagger").model.to_bytes() == before


def test_sourced_component_predicts_the_same(trained):
    nlp = spacy.blank("en")
    nlp.add_pipe("rnn_tagger", source=trained)
    assert tags(nlp.pipe(docs_of(nlp))) == tags(trained.pipe(docs_of(trained)))


def test_two_components_in_one_pipeline():
    nlp = make_tagger(name="first")
    nlp.add_pipe("rnn_tagger", name="second", config={"targets": ["pos"]})
    examples = make_examples(nlp)
    losses = train(nlp, examples)
    assert set(losses) == {"first", "second"}
    doc = nlp.pipe(docs_of(nlp))
    assert [(t.tag_, t.pos_) for t in next(doc)][:2] == [("PRP", "PRON"), ("VBP", "VERB")]


# Storing


@pytest.mark.parametrize("way", ["bytes", "disk", "pickle", "deepcopy"])
def test_stored_component_predicts_the_same(trained, tmp_path, way, device):
    pipe = trained.get_pipe("rnn_tagger")
    if way == "bytes":
        copied = make_tagger().from_bytes(trained.to_bytes())
    elif way == "disk":
        trained.to_disk(tmp_path)
        copied = spacy.load(tmp_path)
    elif way == "pickle":
        copied = pickle.loads(pickle.dumps(trained))
    else:
        copied = copy.deepcopy(trained)
    assert copied.get_pipe("rnn_tagger") is not pipe
    assert copied.get_pipe("rnn_tagger").labels == pipe.labels
    same(probabilities(copied, docs_of(copied)), probabilities(trained, docs_of(trained)), 0.0)


def test_saving_again_gives_the_same_bytes(trained, tmp_path):
    trained.to_disk(tmp_path / "a")
    spacy.load(tmp_path / "a").to_disk(tmp_path / "b")
    first, second = (tmp_path / x / "rnn_tagger" / "model" for x in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_untrained_pipeline_can_be_stored(tmp_path):
    make_tagger().to_disk(tmp_path)
    nlp = spacy.load(tmp_path)
    with pytest.raises(ValueError, match="initialize"):
        nlp("Not yet.")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_truncated_weights(trained, tmp_path, share):
    trained.to_disk(tmp_path)
    path = tmp_path / "rnn_tagger" / "model"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ValueError, match="rnn_tagger.*(again|train)"):
        spacy.load(tmp_path)


def test_corrupted_weights(trained, tmp_path):
    trained.to_disk(tmp_path)
    path = tmp_path / "rnn_tagger" / "model"
    path.write_bytes(b"not a model at all" * 100)
    with pytest.raises(ValueError, match="rnn_tagger.*again"):
        spacy.load(tmp_path)


def test_weights_of_a_newer_format(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("spacy_rnn.training.shim.FORMAT", 99)
    trained.to_disk(tmp_path)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="pip install --upgrade spacy-rnn"):
        spacy.load(tmp_path)


def test_weights_that_do_not_fit_the_config(trained, tmp_path):
    trained.to_disk(tmp_path)
    with pytest.raises(ValueError, match="config.cfg"):
        spacy.load(tmp_path, config={"components.rnn_tagger.model.encoder.hidden_size": 9})


# Predicting


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=12),
    batch_size=st.integers(1, 12),
    data=st.data(),
)
def test_a_doc_gets_the_same_answer_in_every_batch(trained, lengths, batch_size, data):
    words = ["I", "She", "eats", "unknown", "eggs", ".", "\n", "ham"]
    texts = [[words[(i * 7 + n) % len(words)] for i in range(n)] for n in lengths]
    alone = [probabilities(trained, [Doc(trained.vocab, words=text)])[0] for text in texts]
    order = data.draw(st.permutations(range(len(texts))))
    shuffled = [Doc(trained.vocab, words=texts[i]) for i in order]
    same(probabilities(trained, shuffled), [alone[i] for i in order])
    piped = list(trained.pipe(shuffled, batch_size=batch_size))
    expected = [Doc(trained.vocab, words=texts[i]) for i in order]
    assert tags(piped) == tags(trained(doc) for doc in expected)


def test_threads_get_the_same_answers(trained):
    docs = docs_of(trained) * 5
    expected = probabilities(trained, docs)
    wrong = []

    def work():
        for _ in range(10):
            try:
                same(probabilities(trained, docs), expected)
            except AssertionError as error:
                wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_processes_get_the_same_answers(trained):
    texts = [text for text in TEXTS if text] * 4
    expected = tags(trained.pipe(texts))
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        # Two threads in the parent must not make forked children wait for ever.
        trained("a warm-up that starts the threads of the parent " * 20)
        assert tags(trained.pipe(texts, n_process=2, batch_size=3)) == expected
    finally:
        torch.set_num_threads(threads)


def test_prediction_leaves_nothing_of_torch_on_the_doc(trained):
    doc = trained("I like eggs")
    assert not any(isinstance(value, torch.Tensor) for value in doc.user_data.values())
    assert srsly.msgpack_dumps(doc.to_bytes())


# Bad input


def test_empty_docs(trained, device):
    assert tags(trained.pipe(["", "", ""])) == [[], [], []]
    assert tags(trained.pipe([])) == []
    assert tags([trained("")]) == [[]]
    piped = tags(trained.pipe(docs_of(trained, ["", "Eggs !", ""])))
    assert piped == [[], ["NNS", "."], []]


def test_whitespace_and_one_token(trained):
    for text in ("   ", "\n\n", "\t", "Eggs", "🥚", "\u0000", "x" * 5000):
        doc = trained(text)
        assert all(token.tag_ in trained.get_pipe("rnn_tagger").labels for token in doc)


def test_update_with_empty_docs_only(trained):
    empty = Doc(trained.vocab)
    example = Example(empty, empty.copy())
    assert trained.update([example], sgd=trained.resume_training()) == {"rnn_tagger": 0.0}
    assert trained.get_pipe("rnn_tagger").update([]) == {"rnn_tagger": 0.0}


def test_update_mixes_empty_docs_in(trained):
    examples = make_examples(trained) + [Example(Doc(trained.vocab), Doc(trained.vocab))]
    losses = trained.update(examples, sgd=trained.resume_training())
    assert losses["rnn_tagger"] > 0


def test_no_examples():
    nlp = make_tagger()
    with pytest.raises(TypeError, match="E930"):
        nlp.get_pipe("rnn_tagger").initialize(lambda: [], nlp=nlp)


def test_not_finite_gradients_stop_training(trained):
    pipe = trained.get_pipe("rnn_tagger")
    optimizer = trained.resume_training()
    with torch.no_grad():
        pipe.shim.module.heads["tag"].bias.fill_(float("nan"))
    with pytest.raises(ValueError, match="learn_rate"):
        for _ in range(50):
            trained.update(make_examples(trained), sgd=optimizer)
    assert 0 < pipe.shim.skipped_steps <= 50


def test_vectors_of_another_width():
    nlp = make_tagger(WITH_VECTORS)
    for word in ("eggs", "ham"):
        nlp.vocab.set_vector(word, np.ones(5, dtype="float32"))
    train(nlp, make_examples(nlp))
    other = make_tagger(WITH_VECTORS).from_bytes(nlp.to_bytes())
    other.vocab.reset_vectors(width=7)
    other.vocab.set_vector("eggs", np.ones(7, dtype="float32"))
    with pytest.raises(ValueError, match=r"vectors of shape \d+ x 5, .* \d+ x 7\."):
        other("green eggs")


def test_vectors_that_are_not_finite():
    nlp = make_tagger(WITH_VECTORS)
    nlp.vocab.set_vector("eggs", np.array([1.0, np.nan], dtype="float32"))
    with pytest.raises(ValueError, match="not finite"):
        nlp.initialize(lambda: make_examples(nlp))


def test_vectors_are_left_out_where_there_are_none(caplog):
    nlp = make_tagger(WITH_VECTORS)
    examples = make_examples(nlp)
    train(nlp, examples)
    assert "no pretrained vectors" in caplog.text
    assert nlp.evaluate(examples)["tag_acc"] == 1.0


@pytest.mark.parametrize("trained_vectors", [False, True])
def test_vectors_are_used_and_stored(trained_vectors):
    part = {"@architectures": "spacy_rnn.VectorEmbedding.v1", "trained": trained_vectors}
    model = {"embedding": {"words": None, "characters": None, "vectors": part}}
    nlp = make_tagger(model)
    generator = np.random.default_rng(0)
    for word in {word.lower() for sentence in SENTENCES for word in sentence[0].split()}:
        nlp.vocab.set_vector(word, generator.normal(size=6).astype("float32"))
    examples = make_examples(nlp)
    train(nlp, examples, steps=80)
    assert nlp.evaluate(examples)["tag_acc"] == 1.0
    copied = make_tagger(model).from_bytes(nlp.to_bytes())
    same(probabilities(copied, docs_of(copied)), probabilities(nlp, docs_of(nlp)), 0.0)


@pytest.mark.parametrize(
    "model, message",
    [
        ({"encoder": {"hidden_size": 0}}, "hidden_size"),
        ({"encoder": {"recurrent_dropout": 1.0}}, "recurrent_dropout"),
        ({"encoder": {"cell": "elman"}}, "cell"),
        ({"embedding": {"words": None, "characters": None}}, "no part"),
        ({"window": 0}, "window"),
    ],
)
def test_settings_that_make_no_sense(model, message):
    with pytest.raises(ValueError, match=message):
        make_tagger(model)


def test_a_very_long_doc_in_bounded_memory():
    """A window at a time: no array of the network ever spans the document."""
    nlp = make_tagger({"window": 50, "overlap": 10, "batch_tokens": 100})
    train(nlp, make_examples(nlp))
    words = " ".join(sentence[0] for sentence in SENTENCES * 300).split()
    largest = []
    encoder = nlp.get_pipe("rnn_tagger").shim.module.encoder
    encoder.register_forward_hook(lambda module, args, output: largest.append(len(output)))
    doc = nlp(make_doc(nlp.vocab, " ".join(words)))
    assert all(token.tag_ for token in doc)
    assert max(largest) <= 100 and sum(largest) >= len(words)
