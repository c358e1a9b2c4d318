"""Vectors of torchtext are those that torchtext returns; this needs a separate environment."""

import shutil
import ssl
from urllib.error import URLError

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc

from spacy_rnn.config.vectors import TorchtextVectors
from spacy_rnn.features.lookup import ngrams, variants
from spacy_rnn.runtime.tok2vec import DocBatch

from ..helpers.kinds import KINDS
from ..helpers.pipelines import SENTENCES, make_examples, make_pipeline, train

pytestmark = pytest.mark.torchtext

WORDS = sorted({word.lower() for sentence in SENTENCES for word in sentence[0].split()} - {"."})
#: a word that is in no training text, one in upper case, and one with a vector only from n-grams
OTHERS = ["plums", "Plums", "greens"]
WIDTH = 6


def write(path, keys, header=False):
    rows = np.random.default_rng(0).normal(size=(len(keys), WIDTH)).astype("float32")
    lines = [
        f"{key} {' '.join(map(repr, row))}" for key, row in zip(keys, rows.tolist(), strict=True)
    ]
    path.write_text("\n".join([f"{len(keys)} {WIDTH}"] * header + lines), encoding="utf8")


@pytest.fixture(params=["GloVe", "FastText", "CharNGram", "Vectors", "Vectors by path"])
def source(request, tmp_path):
    """The settings of a source whose file is in torchtext's cache or elsewhere."""
    cache = tmp_path / "cache"
    cache.mkdir()
    name = request.param.split(" ")[0]
    words = [*WORDS, "plums"]
    arguments = {"cache": str(cache)}
    if name == "GloVe":
        write(cache / "glove.6B.6d.txt", words)
        arguments |= {"name": "6B", "dim": 6}
    elif name == "FastText":
        write(cache / "wiki.simple.vec", words, header=True)
        arguments |= {"language": "simple"}
    elif name == "CharNGram":
        keys = sorted({key for word in words for key in ngrams(word)})
        write(cache / "charNgram.txt", keys)
    elif request.param == "Vectors":
        write(cache / "mine.txt", words)
        arguments |= {"name": "mine.txt"}
    else:
        write(tmp_path / "elsewhere.txt", words)
        arguments |= {"name": str(tmp_path / "elsewhere.txt")}
    return {"name": name, "arguments": arguments}


def with_vectors(factory, source, trained=False):
    """A pipeline whose embedding has only vectors."""
    source = {"@architectures": "spacy_rnn.TorchtextVectors.v1", **source}
    part = {"@architectures": "spacy_rnn.VectorEmbedding.v1", "source": source, "trained": trained}
    embedding = {"words": None, "characters": None, "vectors": part}
    return make_pipeline(factory, {"embedding": embedding})


def vectors_of(nlp, words):
    """The vector of each word in the embedding, and the vector of unknown words."""
    shim = nlp.get_pipe("rnn_tagger").shim
    doc = Doc(nlp.vocab, words=words)
    batch = shim.architecture.batch(shim, DocBatch([doc]))
    with shim.inference() as module:
        vectors, _, tokens, *_ = module.embedding(batch)
    unknown = shim.module.embedding.parts["vectors"].unknown
    return vectors[tokens].numpy(), unknown.detach().numpy()


def test_vectors_are_those_of_torchtext(source):
    from torchtext import vocab

    nlp = with_vectors("rnn_tagger", source)
    nlp.initialize(lambda: make_examples(nlp))
    theirs = getattr(vocab, source["name"])(**source["arguments"])
    words = [*WORDS, *OTHERS, "Green", ".", "日本"]
    found, unknown = vectors_of(nlp, words)
    for word, vector in zip(words, found, strict=True):
        form = next((form for form in variants(word) if form in theirs.stoi), word)
        expected = theirs[word if source["name"] == "CharNGram" else form].numpy().reshape(-1)
        expected = expected if expected.any() else unknown
        np.testing.assert_allclose(vector, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("trained", [False, True])
def test_a_component_learns_with_vectors_and_needs_no_file_later(source, trained, tmp_path):
    kind = KINDS["rnn_tagger"]
    nlp = with_vectors("rnn_tagger", source, trained)
    examples = make_examples(nlp)
    train(nlp, examples, steps=60)
    assert kind.fits(nlp, examples)
    texts = [["I", "like", word] for word in ("eggs", "plums", "日本")]
    expected = kind.output(nlp, [Doc(nlp.vocab, words=words) for words in texts])
    nlp.to_disk(tmp_path / "nlp")
    shutil.rmtree(tmp_path / "cache")
    loaded = spacy.load(tmp_path / "nlp")
    found = kind.output(loaded, [Doc(loaded.vocab, words=words) for words in texts])
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


# Only the source


def read(arguments, name="GloVe", extra_words=0):
    return TorchtextVectors(name, arguments, extra_words).read(["ham", "Eggs", "none"])


@pytest.fixture
def arguments(tmp_path):
    write(tmp_path / "glove.6B.6d.txt", ["zebras", "lions", "ham", "bears", "eggs", "apes"])
    return {"name": "6B", "dim": WIDTH, "cache": str(tmp_path)}


@pytest.mark.parametrize(
    "extra_words, expected",
    [
        (0, ["ham", "eggs"]),
        (1, ["zebras", "ham", "eggs"]),
        (4, ["zebras", "lions", "ham", "bears", "eggs"]),
        (None, ["zebras", "lions", "ham", "bears", "eggs", "apes"]),
    ],
)
def test_extra_words_are_the_first_ones(arguments, extra_words, expected):
    table = read(arguments, extra_words=extra_words)
    assert table.keys == expected
    assert table.vectors.shape == (len(expected), WIDTH) and table.vectors.dtype == np.float32


def test_vectors_that_are_not_finite_are_skipped(arguments, tmp_path, caplog):
    path = tmp_path / "glove.6B.6d.txt"
    path.write_text(path.read_text().replace("ham ", f"ham{' nan' * WIDTH}\nhams "))
    assert read(arguments).keys == ["eggs"]
    assert "Skipped 1 vectors of torchtext.vocab.GloVe that are not finite" in caplog.text


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("GloVe", {"name": "7B"}),
        ("GloVe", {"names": "6B"}),
        ("Vectors", None),
        ("Vectors", {"name": "none.txt"}),
        ("FastText", {"language": "xx"}),
    ],
)
def test_arguments_of_vectors_that_do_not_exist(name, arguments, tmp_path, monkeypatch):
    """There is no network connection either."""

    def fail(*args, **settings):
        raise URLError("no network")

    monkeypatch.setattr("torchtext.vocab.vectors.urlretrieve", fail)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"torchtext.vocab.{name} can't be read .*Correct them"):
        read(arguments, name)


def test_certificates_are_checked_as_before(arguments):
    """torchtext turns off the checks for the whole process."""
    before = ssl._create_default_https_context
    read(arguments)
    assert ssl._create_default_https_context is before
