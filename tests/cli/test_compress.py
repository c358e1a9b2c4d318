"""python -m spacy rnn compress."""

import math
import sys

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_rnn.analysis.compression import agreement, largest_difference

from ..helpers.cells import LIGHT, light_gru
from ..helpers.cli import run, shown
from ..helpers.kinds import KINDS
from ..helpers.pipelines import SENTENCES, make_examples, make_pipeline, make_trained, tags

TEXTS = [sentence[0] for sentence in SENTENCES]


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("\n\n".join(TEXTS) + "\n", encoding="utf8")
    return path


def saved(nlp, path):
    nlp.to_disk(path)
    return path


def compress(nlp, tmp_path, *options, **expected):
    model, output = saved(nlp, tmp_path / "model"), tmp_path / "new" / "output"
    return shown(run("rnn", "compress", model, output, *options, **expected)), output


@pytest.mark.parametrize(
    "factory, int8",
    [*((name, []) for name in KINDS), ("rnn_tagger", ["--int8"]), ("rnn_translator", ["--int8"])],
)
def test_writes_a_pipeline_and_prints_a_comparison(factory, int8, texts, tmp_path):
    nlp = make_trained(factory)
    printed, output = compress(nlp, tmp_path, "--texts", texts, "--min-agreement", 0.99, *int8)
    compressed = spacy.load(output)
    assert compressed.config["components"][factory]["engine"] == "onnx"
    assert KINDS[factory].fits(compressed, make_examples(compressed))
    header = "engine MB of the folder words/s ms of a text"
    for text in (header, "torch", "onnx", "size_ratio ", "MB of weights", "MB of graphs"):
        assert text in printed
    row = printed[printed.index(f"{factory} ") :].split()
    assert float(row[3]) >= 0.99 and f"Wrote {output}" in printed
    if factory == "rnn_translator":
        assert row[4] == "-"
    else:
        assert 0 <= float(row[4]) < (0.5 if int8 else 1e-4)
    assert [path.name for path in output.parent.iterdir()] == ["output"]


def test_typical_documents_of_a_corpus(tmp_path):
    nlp = make_trained("rnn_tagger")
    docs = DocBin(docs=[eg.reference for eg in make_examples(nlp)])
    docs.to_disk(tmp_path / "corpus.spacy")
    _, output = compress(nlp, tmp_path, "--corpus", tmp_path / "corpus.spacy")
    assert tags(spacy.load(output).pipe(TEXTS)) == tags(nlp.pipe(TEXTS))


def test_typical_texts_of_a_table(tmp_path):
    nlp = make_trained("rnn_tagger")
    table = tmp_path / "texts.csv"
    table.write_text("body;n\ncaf\u00e9 a b;1\n", encoding="cp1252")
    options = ["--texts", table, "--text-column", "body", "--encoding", "cp1252"]
    _, output = compress(nlp, tmp_path, *options)
    assert output.exists()


def test_bleu_where_there_are_gold_translations(tmp_path):
    nlp = make_trained("rnn_translator")
    docs = DocBin(docs=[eg.reference for eg in make_examples(nlp)], store_user_data=True)
    docs.to_disk(tmp_path / "corpus.spacy")
    printed, _ = compress(nlp, tmp_path, "--corpus", tmp_path / "corpus.spacy")
    assert "BLEU of 'rnn_translator': 100.00 by torch, 100.00 by ONNX Runtime" in printed


def test_other_components_are_not_changed(texts, tmp_path):
    nlp = make_trained("rnn_tagger")
    nlp.add_pipe("sentencizer")
    printed, output = compress(nlp, tmp_path, "--texts", texts)
    assert "'sentencizer' stays as it is. It is not a component of spacy-rnn." in printed
    compressed = spacy.load(output)
    assert compressed.pipe_names == nlp.pipe_names
    doc, expected = compressed(TEXTS[0]), nlp(TEXTS[0])
    assert tags([doc]) == tags([expected]) and [t.is_sent_start for t in doc]


@pytest.mark.parametrize(
    "embedding, reason",
    [
        ({"characters": {"cell": LIGHT}}, f"no operator for the cell '{LIGHT}'"),
        (None, "part of type Tok2VecVectors has no ONNX graph"),
    ],
)
def test_networks_without_a_graph_are_not_compressed(embedding, reason, texts, tmp_path):
    with light_gru():
        if embedding is None:
            tok2vec = {
                "@architectures": "spacy.HashEmbedCNN.v2",
                **dict(width=8, depth=1, embed_size=20, window_size=1, maxout_pieces=2),
                **dict(subword_features=True, pretrained_vectors=None),
            }
            nlp = make_pipeline("rnn_tagger", {"tok2vec": tok2vec})
        else:
            nlp = make_pipeline("rnn_tagger", {"embedding": embedding})
        nlp.initialize(lambda: make_examples(nlp))
        printed, output = compress(nlp, tmp_path, "--texts", texts, code=1)
    assert reason in printed and "no component that can be compressed" in printed
    assert not output.exists()


def test_too_little_agreement_writes_nothing_unless_forced(texts, tmp_path):
    options = ("--texts", texts, "--min-agreement", 1.1)
    printed, output = compress(make_trained("rnn_tagger"), tmp_path, *options, code=1)
    assert "Too few predictions agree for rnn_tagger, so nothing was written." in printed
    assert not list(output.parent.iterdir())
    _, output = compress(make_trained("rnn_tagger"), tmp_path, *options, "--force")
    assert tags([spacy.load(output)(TEXTS[0])]) == [SENTENCES[0][1].split()]


def test_a_compressed_pipeline_is_not_compressed_again(texts, tmp_path):
    _, output = compress(make_trained("rnn_tagger"), tmp_path, "--texts", texts)
    printed = run("rnn", "compress", output, tmp_path / "again", "--texts", texts, code=1)
    assert "It is compressed already." in shown(printed)


def test_bad_arguments(texts, tmp_path, monkeypatch):
    nlp = make_trained("rnn_tagger")
    (tmp_path / "empty.txt").write_text("\n")
    for options, message in (
        ((), "one of --texts and --corpus"),
        (("--texts", texts, "--corpus", texts), "one of --texts and --corpus"),
        (("--texts", tmp_path / "empty.txt"), "no typical texts"),
        (("--texts", tmp_path / "none.txt"), "none.txt"),
        (("--corpus", texts), "DocBin"),
    ):
        printed, output = compress(nlp, tmp_path, *options, code=1)
        assert message in printed and not output.exists()
    printed = run("rnn", "compress", tmp_path / "model", tmp_path, "--texts", texts, code=1)
    assert "exists already" in shown(printed)
    for library in ("onnx", "onnxruntime"):
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, library, None)
            printed, output = compress(nlp, tmp_path, "--texts", texts, code=1)
            assert "spacy-rnn[onnx]" in printed and not output.exists()


def test_agreement_is_the_share_of_equal_predictions():
    nlp = make_trained("rnn_tagger")
    before = list(nlp.pipe(TEXTS[:2]))
    after = [doc.copy() for doc in before]
    after[0][1].tag_ = "OTHER"
    assert agreement(nlp.get_pipe("rnn_tagger"), before, after) == 8 / 9
    nlp = make_trained("rnn_regressor")
    pipe, docs = nlp.get_pipe("rnn_regressor"), [nlp.make_doc(text) for text in "abc"]
    values = [[1.0, 2.0, 6.0], [1.0, 3.0, 6.0]]
    before, after = ([doc.copy() for doc in docs] for _ in range(2))
    for annotated, numbers in zip((before, after), values, strict=True):
        for doc, number in zip(annotated, numbers, strict=True):
            pipe.set_scores(doc, [number])
    assert agreement(pipe, before, after) == pytest.approx(1 - 1 / 14)
    assert agreement(pipe, before, before) == 1.0


@pytest.mark.parametrize("factory", ["rnn_tagger", "rnn_ner", "rnn_textcat", "rnn_regressor"])
def test_the_largest_difference_of_numbers(factory):
    """Compare the predictions of two pipelines with different weights."""
    pipelines = make_trained(factory), make_trained(factory, steps=5)
    pipes = tuple(nlp.get_pipe(factory) for nlp in pipelines)
    docs = [list(nlp.pipe(TEXTS)) for nlp in pipelines]
    if factory in ("rnn_tagger", "rnn_ner"):
        found = [
            pipe.predict_probabilities([nlp.make_doc(text) for text in TEXTS])
            for pipe, nlp in zip(pipes, pipelines, strict=True)
        ]
        if factory == "rnn_tagger":
            found = [[each["tag"] for each in of_pipe] for of_pipe in found]
        rows = [[p for each in of_pipe for p in each.ravel()] for of_pipe in found]
    elif factory == "rnn_textcat":
        rows = [[p for doc in annotated for p in doc.cats.values()] for annotated in docs]
    else:
        rows = [[doc._.regression["rating"] for doc in annotated] for annotated in docs]
    expected = max(abs(a - b) for a, b in zip(*rows, strict=True))
    assert largest_difference(pipes, *docs) == pytest.approx(expected)


def test_agreement_of_translations_and_of_perplexities():
    nlp = make_trained("rnn_translator")
    pipe, docs = nlp.get_pipe("rnn_translator"), [nlp.make_doc(text) for text in "abc"]
    before, after = ([doc.copy() for doc in docs] for _ in range(2))
    pipe.set_annotations(before, ["one", "two", "three"])
    pipe.set_annotations(after, ["one", "zwei", "three"])
    assert agreement(pipe, before, after) == 2 / 3
    pipe = make_trained("rnn_lm").get_pipe("rnn_lm")
    for annotated, log_p in ((before, [-1.0, -3.0]), (after, [-2.0, -1.0])):
        for doc in annotated:
            doc._.log_probability = log_p
    for pair in ((before, after), (after, before)):
        assert agreement(pipe, *pair) == pytest.approx(math.exp(1.5) / math.exp(2.0))
