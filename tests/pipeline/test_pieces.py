"""Pieces of words in the embedding of components."""

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.training import Example

from spacy_rnn.config.embedding import PieceEmbedding
from spacy_rnn.config.pieces import SentencePieces
from spacy_rnn.features.subwords import SubwordModel

from ..helpers.kinds import KINDS, TOKEN_KINDS
from ..helpers.pipelines import SENTENCES, make_examples, make_pipeline, train
from ..helpers.slow import slow_but

WORDS = [word for sentence in SENTENCES for word in sentence[0].split()]
TEXTS = [sentence[0] for sentence in SENTENCES]
ODD = ["日本", "🥚ham", "e\u0301", "\0", "\u200b", "\u2581", "\n", "  ", "Q" * 10_000]


def with_pieces(factory, pooling="mean", **settings):
    """A pipeline whose embedding has only pieces."""
    part = {
        "@architectures": "spacy_rnn.PieceEmbedding.v1",
        "pieces": {"@architectures": "spacy_rnn.SentencePieces.v1", "vocab_size": 40, **settings},
        "width": 8,
        "pooling": pooling,
        "hidden_size": 4,
    }
    embedding = {"words": None, "characters": None, "pieces": part}
    return make_pipeline(factory, {"embedding": embedding})


def pieces_of(nlp):
    (name,) = nlp.component_names
    return nlp.get_pipe(name).shim.features.parts[0].pieces


def annotations(kind, nlp, texts=TEXTS):
    return [kind.annotation(doc) for doc in nlp.pipe(texts)]


@pytest.mark.parametrize("pooling", ["mean", "rnn"])
@pytest.mark.parametrize("factory", slow_but(["rnn_textcat"], TOKEN_KINDS))
def test_components_learn_with_only_pieces_and_keep_them(factory, pooling, tmp_path, device):
    kind = KINDS[factory]
    nlp = with_pieces(factory, pooling)
    examples = make_examples(nlp)
    train(nlp, examples, steps=60)
    assert kind.fits(nlp, examples)
    texts = [*TEXTS, "greenish egg"]
    expected = annotations(kind, nlp, texts)
    nlp.to_disk(tmp_path)
    same = with_pieces(factory, pooling).from_bytes(nlp.to_bytes())
    for loaded in [spacy.load(tmp_path), same]:
        assert pieces_of(loaded).to_bytes() == pieces_of(nlp).to_bytes()
        for one, other in zip(annotations(kind, loaded, texts), expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.fixture(scope="module", params=["mean", "rnn"])
def tagger(request):
    nlp = with_pieces("rnn_tagger", request.param)
    train(nlp, make_examples(nlp), steps=3)
    return nlp


@settings(max_examples=20)
@given(st.lists(st.lists(st.sampled_from([*WORDS, *ODD]), max_size=6), min_size=1, max_size=5))
def test_a_text_gets_the_same_predictions_in_any_batch(tagger, batch):
    pipe = tagger.get_pipe("rnn_tagger")
    docs = [Doc(tagger.vocab, words=words) for words in batch]
    for doc, together in zip(docs, pipe.predict_probabilities(docs), strict=True):
        (alone,) = pipe.predict_probabilities([doc])
        assert len(together["tag"]) == len(doc) and np.isfinite(together["tag"]).all()
        np.testing.assert_allclose(together["tag"], alone["tag"], atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "rnn"])
def test_odd_words_are_trained_on_too(pooling):
    nlp = with_pieces("rnn_tagger", pooling)
    words = [*ODD, *WORDS]
    reference = Doc(nlp.vocab, words=words, tags=["NN"] * len(words))
    examples = [*make_examples(nlp), Example(Doc(nlp.vocab, words=words), reference)]
    assert np.isfinite(train(nlp, examples, steps=2)["rnn_tagger"])


# Models from files


@pytest.fixture
def model_file(tmp_path):
    pieces = SubwordModel(50, "bpe")
    pieces.train(TEXTS)
    path = tmp_path / "bpe.model"
    path.write_bytes(pieces.to_bytes())
    return path


def test_the_file_is_not_needed_after_training(model_file, tmp_path):
    kind = KINDS["rnn_tagger"]
    nlp = with_pieces("rnn_tagger", path=str(model_file))
    train(nlp, make_examples(nlp), steps=15)
    assert pieces_of(nlp).to_bytes() == model_file.read_bytes()
    nlp.to_disk(tmp_path / "nlp")
    model_file.unlink()
    loaded = spacy.load(tmp_path / "nlp")
    np.testing.assert_equal(annotations(kind, loaded), annotations(kind, nlp))
    losses = loaded.update(make_examples(loaded), sgd=loaded.resume_training())
    assert np.isfinite(losses["rnn_tagger"])


@pytest.mark.parametrize("share", [0.0, 0.5, None])
def test_a_damaged_file_is_an_error(share, model_file):
    data = model_file.read_bytes()
    model_file.write_bytes(b"no model\n" * 50 if share is None else data[: int(len(data) * share)])
    nlp = with_pieces("rnn_tagger", path=str(model_file))
    with pytest.raises(ValueError, match=f"(?s){model_file.name}.*(corrupt|lacks)"):
        nlp.initialize(lambda: make_examples(nlp))


def test_a_missing_file_is_an_error(tmp_path):
    nlp = with_pieces("rnn_tagger", path=str(tmp_path / "none.model"))
    with pytest.raises(FileNotFoundError, match="none.model.*Correct the path"):
        nlp.initialize(lambda: make_examples(nlp))


# Settings


def test_a_vocabulary_larger_than_the_words_allow_is_a_warning(caplog):
    nlp = with_pieces("rnn_tagger", vocab_size=8000)
    nlp.initialize(lambda: make_examples(nlp))
    assert f"has {len(pieces_of(nlp))} pieces instead of vocab_size = 8000" in caplog.text


def test_a_vocabulary_smaller_than_the_alphabet_is_an_error():
    nlp = with_pieces("rnn_tagger", vocab_size=10)
    with pytest.raises(ValueError, match="vocab_size = 10 is too small"):
        nlp.initialize(lambda: make_examples(nlp))


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_sampling_is_an_error(alpha):
    with pytest.raises(ValueError, match="PieceEmbedding.*set alpha = null"):
        PieceEmbedding(SentencePieces(alpha=alpha))


@pytest.mark.parametrize("setting", ["width", "hidden_size"])
def test_sizes_are_positive(setting):
    with pytest.raises(ValueError, match=f"'{setting}' must be a whole number of at least 1"):
        PieceEmbedding(SentencePieces(), **{setting: 0})
