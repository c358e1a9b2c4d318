"""Components that predict with ONNX Runtime."""

import pickle
import sys

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc

from spacy_rnn.checksums import write_record

from ..helpers.kinds import KINDS
from ..helpers.pipelines import SENTENCES, make_examples, make_pipeline, make_trained

TEXTS = [sentence[0] for sentence in SENTENCES] + ["", "Eggs", "I eat ham . " * 9]
SENTENCE_ENCODER = {
    "sentences": {
        "@architectures": "spacy_rnn.SentenceEncoder.v1",
        "encoder": {"@architectures": "spacy_rnn.RNNEncoder.v1", "hidden_size": 5, "depth": 1},
        "pooling": {"@architectures": "spacy_rnn.Pooling.v1", "ways": ["attention"]},
    }
}


def docs_of(nlp, texts=TEXTS):
    docs = [Doc(nlp.vocab, text.split()) for text in texts]
    for doc in docs:
        for token in doc:
            token.is_sent_start = token.i == 0 or doc[token.i - 1].text == "."
    return docs


def initialized(factory, model):
    nlp = make_pipeline(factory, model)
    nlp.initialize(lambda: make_examples(nlp))
    return nlp


def with_graphs(nlp, int8=False):
    for _, pipe in nlp.pipeline:
        pipe.write_graphs(docs_of(nlp), int8)
    return nlp


def save(nlp, path):
    for name in nlp.pipe_names:
        nlp.get_pipe_config(name)["engine"] = "onnx"
    nlp.to_disk(path)
    return path


def edit(path, old, new):
    """Replace bytes by as many others in the saved network of the only component."""
    (file,) = path.glob("rnn_*/model")
    data = file.read_bytes()
    assert old in data and len(old) == len(new)
    file.write_bytes(data.replace(old, new))
    write_record(file.parent, "RNNTagger")


@pytest.fixture
def saved(tmp_path):
    return save(with_graphs(make_trained("rnn_tagger")), tmp_path / "pipeline")


@pytest.mark.parametrize("factory", KINDS)
def test_graphs_predict_what_torch_predicts(factory, tmp_path):
    kind, nlp = KINDS[factory], with_graphs(make_trained(factory))
    by_onnx = spacy.load(save(nlp, tmp_path / "pipeline"))
    expected = kind.output(nlp, docs_of(nlp))
    for one, other in zip(expected, kind.output(by_onnx, docs_of(by_onnx)), strict=True):
        np.testing.assert_allclose(other, one, 1e-4, 1e-4)


@pytest.mark.parametrize(
    "factory, model",
    [
        ("rnn_ner", {"decoder": "softmax"}),
        ("rnn_tagger", {"window": 4, "overlap": 2}),
        ("rnn_tagger", {"window": 4, "encoder": {"direction": "forward"}}),
        ("rnn_textcat", {"window": 4, "overlap": 2, "pooling": {"ways": ["attention", "last"]}}),
        ("rnn_textcat", SENTENCE_ENCODER),
    ],
    ids=["softmax", "overlapping windows", "carried state", "pooled windows", "sentences"],
)
def test_all_ways_to_read_documents(factory, model, tmp_path):
    kind, nlp = KINDS[factory], with_graphs(initialized(factory, model))
    by_onnx = spacy.load(save(nlp, tmp_path / "pipeline"))
    expected, found = (kind.output(each, docs_of(each)) for each in (nlp, by_onnx))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, one, 1e-4, 1e-4)


@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize("factory", KINDS)
def test_outputs_are_bit_identical_alone_and_in_any_batch(factory, int8, tmp_path):
    kind = KINDS[factory]
    model = {"encoder": {"hidden_size": 50, "depth": 2}}
    nlp = spacy.load(save(with_graphs(initialized(factory, model), int8), tmp_path / "pipeline"))
    docs = docs_of(nlp, TEXTS + [" ".join(TEXTS[:n]) for n in range(9)])

    together = kind.output(nlp, docs)
    for doc, expected in zip(docs, together, strict=True):
        assert np.array_equal(kind.output(nlp, [doc])[0], expected)
    for found, expected in zip(kind.output(nlp, docs[::-1])[::-1], together, strict=True):
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("factory", KINDS)
def test_int8_keeps_what_was_learned(factory, tmp_path):
    nlp = spacy.load(save(with_graphs(make_trained(factory), int8=True), tmp_path / "pipeline"))
    assert KINDS[factory].fits(nlp, make_examples(nlp))


def test_attention_is_that_of_torch(tmp_path):
    nlp = initialized("rnn_textcat", {"pooling": {"ways": ["attention"]}} | SENTENCE_ENCODER)
    by_onnx = spacy.load(save(with_graphs(nlp), tmp_path / "pipeline"))
    expected, found = (
        each.get_pipe("rnn_textcat").predict_attention(docs_of(each)) for each in (nlp, by_onnx)
    )
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-5)


@pytest.mark.parametrize("model", [{}, {"decoder": "softmax"}], ids=["crf", "softmax"])
def test_entities_and_their_probabilities_are_those_of_torch(model, tmp_path):
    settings = {"confidence_attr": "confidence", "probabilities_attr": "tag_probabilities"}
    nlp = make_pipeline("rnn_ner", model, **settings)
    nlp.initialize(lambda: make_examples(nlp))
    nlp.get_pipe("rnn_ner").cfg["temperature"] = 1.5
    by_onnx = spacy.load(save(with_graphs(nlp), tmp_path / "pipeline"))
    for expected, found in zip(nlp.pipe(docs_of(nlp)), by_onnx.pipe(docs_of(by_onnx)), strict=True):
        entities = [doc.to_json()["ents"] for doc in (expected, found)]
        assert entities[0] == entities[1]
        for one, other in zip(expected.ents, found.ents, strict=True):
            assert other._.confidence == pytest.approx(one._.confidence, abs=1e-5)
        np.testing.assert_allclose(
            found._.tag_probabilities, expected._.tag_probabilities, atol=1e-5
        )
    readings, others = (
        each.get_pipe("rnn_ner").readings(docs_of(each), n=4) for each in (nlp, by_onnx)
    )
    for of_doc, of_other in zip(readings, others, strict=True):
        assert len(of_doc) == len(of_other)
        for one, other in zip(of_doc, of_other, strict=True):
            assert other.probability == pytest.approx(one.probability, abs=1e-5)


def test_the_weights_that_graphs_contain_are_left_out(saved):
    original = make_trained("rnn_tagger").get_pipe("rnn_tagger").shim
    weights = sum(parameter.nbytes for parameter in original.module.parameters())
    compressed = spacy.load(saved).get_pipe("rnn_tagger").shim
    graphs = sum(map(len, compressed.network.graphs.values()))
    assert weights < graphs < len(compressed.to_bytes()) < len(original.to_bytes()) + graphs


def test_without_weights_torch_is_an_error(saved):
    with pytest.raises(ValueError, match="is compressed and has no weights for torch"):
        spacy.load(saved, config={"components.rnn_tagger.engine": "torch"})


def test_the_engine_of_a_network_that_keeps_its_weights_can_be_changed(tmp_path):
    original, kind = make_trained("rnn_translator"), KINDS["rnn_translator"]
    path = save(with_graphs(original), tmp_path / "pipeline")
    engine = {"components.rnn_translator.engine": "torch"}
    nlp = spacy.load(path, config=engine)
    assert nlp.get_pipe("rnn_translator").cfg["engine"] == "torch"
    expected = kind.output(original, docs_of(original))
    for one, other in zip(expected, kind.output(nlp, docs_of(nlp)), strict=True):
        assert np.array_equal(one, other)
    other = {"components.rnn_translator.model.encoder.residual": True}
    for config in (other, {**engine, **other}):
        with pytest.raises(ValueError, match="other settings: encoder.residual = False, now True"):
            spacy.load(path, config=config)


@pytest.mark.parametrize(
    "setting, value, now",
    [
        ("encoder.cell", "gru", "encoder.cell = 'lstm', now 'gru'"),
        ("decoder", "crf", "decoder = 'softmax', now 'crf'"),
        ("embedding.words.lowercase", False, "embedding.words.lowercase = True, now False"),
        ("embedding.words.width", 7, "embedding.words.width = "),
    ],
)
def test_graphs_of_other_settings_are_an_error(setting, value, now, saved):
    with pytest.raises(ValueError, match=f"saved with other settings: {now}"):
        spacy.load(saved, config={f"components.rnn_tagger.model.{setting}": value})


def test_settings_of_windows_and_batches_can_be_changed(saved):
    settings = {"window": 3, "overlap": 1, "batch_tokens": 20}
    changed = {f"components.rnn_tagger.model.{name}": n for name, n in settings.items()}
    assert len(spacy.load(saved, config=changed)(TEXTS[-1])) == len(TEXTS[-1].split())


def test_bytes_pickles_and_processes(saved):
    nlp, kind = spacy.load(saved), KINDS["rnn_tagger"]
    expected = kind.output(nlp, docs_of(nlp))
    from_bytes = make_pipeline("rnn_tagger", engine="onnx").from_bytes(nlp.to_bytes())
    pipe = pickle.loads(pickle.dumps(nlp.get_pipe("rnn_tagger")))
    for found in (kind.output(from_bytes, docs_of(nlp)), kind.outputs(pipe, docs_of(nlp))):
        assert all(np.array_equal(*both) for both in zip(found, expected, strict=True))
    tags = [[token.tag_ for token in doc] for doc in nlp.pipe(docs_of(nlp))]
    in_processes = nlp.pipe(docs_of(nlp), n_process=2, batch_size=3)
    assert [[token.tag_ for token in doc] for doc in in_processes] == tags


def test_everything_but_prediction_is_an_error_that_says_what_to_do(saved):
    nlp = spacy.load(saved)
    pipe, examples = nlp.get_pipe("rnn_tagger"), make_examples(nlp)
    optimizer = nlp.resume_training()
    for change in (
        lambda: nlp.update(examples, sgd=optimizer),
        lambda: nlp.rehearse(examples, sgd=optimizer),
        lambda: nlp.initialize(lambda: examples),
        lambda: pipe.add_label("NEW"),
        lambda: pipe.write_graphs(docs_of(nlp)),
        lambda: pipe.attribution_target(nlp(TEXTS[0]), 0),
    ):
        with pytest.raises(ValueError, match="only predicts.*use the pipeline that"):
            change()


def test_graphs_of_earlier_weights_are_not_saved():
    nlp = with_graphs(make_trained("rnn_tagger"))
    nlp.update(make_examples(nlp), sgd=nlp.resume_training())
    trained = nlp.to_bytes()
    with pytest.raises(ValueError, match="has no graphs to run"):
        make_pipeline("rnn_tagger", engine="onnx").from_bytes(trained)


def test_a_pipeline_without_graphs_is_an_error(tmp_path):
    path = save(make_trained("rnn_tagger"), tmp_path / "pipeline")
    with pytest.raises(ValueError, match="no graphs to run: .*rnn compress MODEL OUTPUT"):
        spacy.load(path)


def test_a_missing_library_names_the_extra(saved, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"onnxruntime.*spacy-rnn\[onnx\]"):
        spacy.load(saved)


def test_a_damaged_graph_is_an_error(saved):
    edit(saved, b"\x12\tspacy-rnn", b"\xff" * 11)
    with pytest.raises(ValueError, match="'rnn_tagger' from .*cannot run this graph"):
        spacy.load(saved)


def test_graphs_of_a_newer_format_are_an_error(saved):
    edit(saved, b'graphs_format\\": 1', b'graphs_format\\": 2')
    with pytest.raises(ValueError, match="compressed by a newer spacy-rnn.*format 2.*Upgrade"):
        spacy.load(saved)


def test_an_unknown_engine_is_an_error():
    with pytest.raises(ValueError, match="engine"):
        make_pipeline("rnn_tagger", engine="tensorflow")
