"""A character language model in the embedding of other components."""

import shutil

import numpy as np
import pytest
import spacy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_rnn.features.streams import BACKWARD, FORWARD
from spacy_rnn.runtime.batching import MemoryLimits
from spacy_rnn.runtime.tok2vec import DocBatch

from ..helpers.context import save_lm, with_context
from ..helpers.kinds import KINDS, TOKEN_KINDS
from ..helpers.pipelines import SENTENCES, make_examples, make_pipeline, train
from ..helpers.slow import slow_but

texts = st.lists(st.text("Iegs lik", min_size=1, max_size=7), max_size=6)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return save_lm(tmp_path_factory.mktemp("lm") / "lm")


def context_of(nlp):
    (name,) = nlp.component_names
    return nlp.get_pipe(name).shim.module.embedding.parts["context"]


def lm_of(source):
    return spacy.load(source).get_pipe("rnn_lm")


def states_of(nlp, words):
    """The states of the context of words in the embedding."""
    shim = nlp.get_pipe(nlp.component_names[0]).shim
    doc = Doc(nlp.vocab, words=words)
    batch = shim.architecture.batch(shim, DocBatch([doc]))
    with torch.no_grad():
        return shim.module.embedding.parts["context"](batch)


def oracle(lm, words):
    """The same states from torch's LSTM, one string at a time."""
    units = lm.shim.features

    def last_state(name, text):
        module = lm.shim.module[name]
        ids = torch.from_numpy(np.append(units.boundary_id, units.encode_text(text)))
        with torch.no_grad():
            return module.encoder.layers[0](module.embedding(ids))[0][-1]

    states = []
    for i in range(len(words)):
        before = "".join(word + " " for word in words[: i + 1])
        after = "".join(word[::-1] + " " for word in words[i:][::-1])
        states.append(torch.cat([last_state(FORWARD, before), last_state(BACKWARD, after)]))
    return torch.stack(states) if states else torch.zeros(0, 12)


@pytest.fixture(scope="module")
def tagger(source):
    nlp = with_context("rnn_tagger", source)
    train(nlp, make_examples(nlp), steps=2)
    return nlp


@settings(max_examples=20)
@given(texts)
def test_states_are_those_of_the_language_model(source, tagger, words):
    torch.testing.assert_close(states_of(tagger, words), oracle(lm_of_once(source), words))


def lm_of_once(source, found={}):  # noqa: B006
    return found.setdefault(source, lm_of(source))


@pytest.mark.parametrize("factory", slow_but(["rnn_textcat"], TOKEN_KINDS))
@pytest.mark.parametrize("trained", [False, True])
def test_components_learn_with_only_context_and_keep_it(factory, trained, tmp_path, device):
    source = save_lm(tmp_path / "lm")
    kind = KINDS[factory]
    nlp = with_context(factory, source, alone=True, trained=trained)
    examples = make_examples(nlp)
    train(nlp, examples, steps=100)
    assert kind.fits(nlp, examples)
    # The pipeline of the language model is no longer needed.
    shutil.rmtree(source)
    nlp.to_disk(tmp_path / "nlp")
    texts = [sentence[0] for sentence in SENTENCES]
    loaded = spacy.load(tmp_path / "nlp")
    for one, other in zip(nlp.pipe(texts), loaded.pipe(texts), strict=True):
        np.testing.assert_allclose(kind.annotation(one), kind.annotation(other), atol=1e-6)


@pytest.mark.parametrize("trained", [False, True])
def test_its_weights_change_only_if_they_are_trained(source, trained):
    nlp = with_context("rnn_tagger", source, trained=trained)
    train(nlp, make_examples(nlp), steps=3)
    theirs = lm_of(source).shim.module
    for name, reader in context_of(nlp).readers.items():
        for key, weight in reader.state_dict().items():
            assert torch.equal(weight, theirs[name].state_dict()[key]) is not trained, key


def test_a_frozen_language_model_has_no_dropout(source):
    nlp = with_context("rnn_tagger", source)
    train(nlp, make_examples(nlp), steps=1)
    shim = nlp.get_pipe("rnn_tagger").shim
    words = SENTENCES[0][0].split()
    before = states_of(nlp, words)
    with shim.training(dropout=0.5) as module:
        assert module.training
        torch.testing.assert_close(states_of(nlp, words), before)


@settings(max_examples=20)
@given(st.lists(texts, min_size=1, max_size=5))
def test_a_text_gets_the_same_predictions_in_any_batch(tagger, batch):
    pipe = tagger.get_pipe("rnn_tagger")
    docs = [Doc(tagger.vocab, words=words) for words in batch]
    together = [found["tag"] for found in pipe.predict_probabilities(docs)]
    for doc, found in zip(docs, together, strict=True):
        (alone,) = pipe.predict_probabilities([doc])
        np.testing.assert_allclose(found, alone["tag"], atol=1e-5)


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_long_documents_are_read_in_windows_with_context_around_them(source, direction):
    part = {"@architectures": "spacy_rnn.ContextualStrings.v1", "source": source}
    model = {"embedding": {"context": part}, "encoder": {"direction": direction}}
    nlp = make_pipeline("rnn_tagger", model)
    train(nlp, make_examples(nlp), steps=1)
    pipe = nlp.get_pipe("rnn_tagger")
    words = np.random.default_rng(0).choice(" ".join(s[0] for s in SENTENCES).split(), 400)
    doc = Doc(nlp.vocab, words=words.tolist())
    (expected,) = pipe.predict_probabilities([doc])
    pipe.model.attrs["limits"] = MemoryLimits(batch_tokens=4096, window=50, overlap=150)
    (found,) = pipe.predict_probabilities([doc])
    np.testing.assert_allclose(found["tag"], expected["tag"], atol=1e-4)


def test_the_default_component_name_is_that_of_the_factory(source):
    assert "rnn_lm" in spacy.load(source).component_names


def test_a_layer_on_a_language_model_of_one_direction(tmp_path):
    source = save_lm(tmp_path / "lm", {"encoder": {"direction": "backward", "depth": 2}})
    nlp = with_context("rnn_tagger", source)
    train(nlp, make_examples(nlp), steps=1)
    assert list(context_of(nlp).readers) == [BACKWARD]
    assert states_of(nlp, ["I", "like"]).shape == (2, 6)


def errors_of(source, **settings):
    nlp = with_context("rnn_tagger", source, **settings)
    with pytest.raises(Exception) as error:
        nlp.initialize(lambda: make_examples(nlp))
    return str(error.value)


def test_errors_say_what_to_do(source, tmp_path):
    assert "set 'source'" in errors_of(None)
    assert "Can't find model" in errors_of(str(tmp_path / "nothing"))
    assert "only ['rnn_lm']" in errors_of(source, component="lm")
    words = save_lm(tmp_path / "words", {"units": {"@architectures": "spacy_rnn.WordUnits.v1"}})
    assert "CharacterUnits" in errors_of(words)
    conditioned = save_lm(tmp_path / "conditioned", condition="cats")
    assert "condition = null" in errors_of(conditioned)


def test_a_component_of_another_kind_is_an_error(tmp_path):
    nlp = make_pipeline("rnn_tagger")
    train(nlp, make_examples(nlp), steps=1)
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "nlp")
    for name in ("rnn_tagger", "sentencizer"):
        assert "not a language model" in errors_of(str(tmp_path / "nlp"), component=name)


def test_unseen_characters_and_words_have_states(tagger):
    pipe = tagger.get_pipe("rnn_tagger")
    docs = [Doc(tagger.vocab, words=words) for words in ([], ["日本", "𝔄" * 10_000], ["\n", " "])]
    for doc, found in zip(docs, pipe.predict_probabilities(docs), strict=True):
        assert len(found["tag"]) == len(doc)
        assert np.isfinite(found["tag"]).all()
