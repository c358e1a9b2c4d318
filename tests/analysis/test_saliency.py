"""Saliency compared with the known attributions of simple functions, and with the predictions of
components after changes of the token vectors."""

import numpy as np
import pytest
import spacy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from spacy.tokens import Doc

from spacy_rnn.analysis.saliency import (
    METHODS,
    Saliency,
    compute_saliency,
    integrated_gradients,
    occlusion,
)
from spacy_rnn.features.streams import BACKWARD, FORWARD

from ..helpers.answers import (
    ASKED,
    TEXT,
    answer,
    doc_of,
    only_pipe,
    predicted,
    randomize,
    scaled,
    trained,
)
from ..helpers.context import save_lm, with_context
from ..helpers.kinds import FEW_KINDS
from ..helpers.pipelines import SENTENCES, make_doc, make_examples, make_pipeline, train
from ..helpers.slow import slow_but
from ..helpers.tok2vec import LISTENER, TOK2VEC

every_kind = pytest.mark.parametrize("factory", slow_but(FEW_KINDS, ASKED))
every_method = pytest.mark.parametrize("method", METHODS)
#: components whose encoder reads vectors that a hook can change
HOOKED = [factory for factory in ASKED if factory != "rnn_lm"]


# The methods


@given(n=st.integers(0, 5), steps=st.integers(1, 9), at_once=st.integers(1, 12))
@settings(max_examples=40)
def test_tokens_of_a_linear_function_get_their_terms(n, steps, at_once):
    generator = torch.Generator().manual_seed(n)
    x, w = torch.randn(2, n, 3, generator=generator, dtype=torch.float64)

    def score(points):
        return (points * w).sum(dim=(1, 2)) + 5.0

    expected = (x * w).sum(dim=1)
    for found in (integrated_gradients(score, x, steps, at_once), occlusion(score, x, at_once)):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_a_product_is_divided_by_integrated_gradients_but_not_by_occlusion():
    """a b c: integrated gradients give a third to each factor (the sum is the integral of 3 s^2).
    Occlusion gives the whole product to each, because it is 0 without the factor."""
    x = torch.tensor([[2.0], [-3.0], [4.0]], dtype=torch.float64)

    def score(points):
        return points[:, :, 0].prod(dim=1)

    shares = integrated_gradients(score, x, 2, 8)
    torch.testing.assert_close(shares, torch.full((3,), -8.0, dtype=torch.float64))
    torch.testing.assert_close(occlusion(score, x, 8), torch.full((3,), -24.0).double())


def test_more_steps_reduce_the_gap():
    x = torch.tensor([[1.5, -0.5], [0.3, 2.0]], dtype=torch.float64)

    def score(points):
        return torch.tanh(3 * points.sum(dim=(1, 2))) * points[:, 0, 0].exp()

    whole = float(score(x.unsqueeze(0)) - score(torch.zeros_like(x).unsqueeze(0)))
    gaps = [abs(whole - float(integrated_gradients(score, x, n, 5).sum())) for n in (2, 8, 60)]
    assert gaps[0] > 10 * gaps[1] > 100 * gaps[2] and gaps[2] < 1e-9


# The components


@every_method
@every_kind
def test_the_prediction_of_the_component_is_explained(factory, method, device):
    nlp = trained(factory)
    pipe, doc = only_pipe(nlp), doc_of(nlp)
    found = compute_saliency(pipe, doc, **ASKED[factory], method=method)
    if device == "cpu":
        label = predicted(pipe, doc, ASKED[factory])
        assert found.value == pytest.approx(answer(pipe, doc, ASKED[factory], label), abs=1e-4)
    if factory == "rnn_regressor":
        assert found.scale == "value" and found.probability is None
    else:
        log_probability = factory in ("rnn_translator", "rnn_lm")
        scale, to_p = ("log-probability", np.exp) if log_probability else ("log-odds", expit)
        assert found.scale == scale
        assert found.probability == pytest.approx(to_p(found.value))
        assert f" ({scale} {found.value:.3f})" in found.summary
    assert found.scores.dtype == np.float32 and found.scores.shape == (len(found.tokens),)
    read = {"rnn_lm": ["▁She", "▁eats", "▁one"]}.get(factory, TEXT.split())
    if factory == "rnn_translator":
        assert "".join(found.tokens).split("▁") == ["", *read]
    else:
        assert found.tokens == read


@pytest.mark.parametrize(
    "scale, value, summary",
    [
        ("log-odds", 2.0, "Predicted tag NN: probability 0.881 (log-odds 2.000)"),
        ("log-odds", 9.0, "Predicted tag NN: probability above 0.999 (log-odds 9.000)"),
        ("log-odds", -800.0, "Predicted tag NN: probability 0 (log-odds -800.000)"),
        ("log-odds", -40.0, "Predicted tag NN: probability 4.25e-18 (log-odds -40.000)"),
        ("log-probability", -1.0, "Predicted tag NN: probability 0.368 (log-probability -1.000)"),
        ("value", 3.25, "Predicted tag NN: 3.250"),
    ],
)
def test_summary(scale, value, summary):
    found = Saliency([], np.zeros(0), "predicted tag NN", scale, value, 0.0, None)
    assert found.summary == summary


@every_kind
def test_integrated_gradients_are_complete(factory, device):
    nlp = trained(factory)
    found = compute_saliency(only_pipe(nlp), doc_of(nlp), **ASKED[factory], steps=200)
    assert found.scores.sum() + found.gap == pytest.approx(found.value - found.baseline, abs=1e-5)
    assert abs(found.gap) < 5e-3
    assert np.abs(found.scores).max() > 0.05
    assert (
        compute_saliency(only_pipe(nlp), doc_of(nlp), **ASKED[factory], method="occlusion").gap
        is None
    )


@pytest.mark.parametrize("factory", slow_but(FEW_KINDS, HOOKED))
def test_occlusion_is_the_change_of_the_prediction_without_a_token(factory):
    nlp = trained(factory)
    pipe, doc, asked = only_pipe(nlp), doc_of(nlp), ASKED[factory]
    label = predicted(pipe, doc, asked)
    found = compute_saliency(pipe, doc, **asked, method="occlusion")
    n = len(found.tokens)
    whole = scaled(pipe, doc, asked, label, np.ones(n))
    expected = [whole - scaled(pipe, doc, asked, label, 1.0 - np.eye(n)[i]) for i in range(n)]
    np.testing.assert_allclose(found.scores, expected, atol=2e-4)
    assert found.baseline == pytest.approx(scaled(pipe, doc, asked, label, np.zeros(n)), abs=1e-4)


@pytest.mark.parametrize("factory", slow_but(FEW_KINDS, HOOKED))
def test_integrated_gradients_equal_finite_differences_of_predictions(factory):
    """The mean slope along a token's vector, at points between zero vectors and the full ones."""
    nlp = trained(factory)
    pipe, doc, asked = only_pipe(nlp), doc_of(nlp), ASKED[factory]
    label = predicted(pipe, doc, asked)
    found = compute_saliency(pipe, doc, **asked, steps=100)
    n, points, step = len(found.tokens), 30, 0.01
    for i in (0, n // 2, n - 1):
        slopes = []
        for point in (np.arange(points) + 0.5) / points:
            on, off = (np.full(n, point) + sign * step * np.eye(n)[i] for sign in (1, -1))
            difference = scaled(pipe, doc, asked, label, on) - scaled(pipe, doc, asked, label, off)
            slopes.append(difference / (2 * step))
        assert found.scores[i] == pytest.approx(np.mean(slopes), abs=0.02)


def test_occlusion_of_previous_words_of_a_language_model():
    """If weights are not tied, a word is removed by setting its row of the embedding to zero."""
    nlp = make_pipeline("rnn_lm", {"tied": False})
    train(nlp, make_examples(nlp), steps=10)
    pipe, doc = only_pipe(nlp), doc_of(nlp)
    found = compute_saliency(pipe, doc, token=3, method="occlusion")
    assert found.tokens == ["▁She", "▁eats", "▁one"]
    units = pipe.shim.features.encode([doc])[0]
    table = pipe.shim.module[FORWARD].embedding.weight.data
    whole = pipe.predict([doc])[0][3]
    for unit, score in zip(units, found.scores, strict=False):
        row = table[unit].clone()
        table[unit] = 0.0
        assert score == pytest.approx(whole - pipe.predict([doc])[0][3], abs=1e-5)
        table[unit] = row


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
@pytest.mark.parametrize("units", ["CharacterUnits", "WordUnits", "SentencePieces"])
def test_every_token_of_every_language_model(units, direction):
    options = {"vocab_size": 45} if units == "SentencePieces" else {"min_freq": 1}
    units = {"@architectures": f"spacy_rnn.{units}.v1", **options}
    nlp = make_pipeline("rnn_lm", {"units": units, "encoder": {"direction": direction}})
    train(nlp, make_examples(nlp), steps=3)
    pipe, doc = only_pipe(nlp), doc_of(nlp)
    log_probs = pipe.predict([doc])[0]
    n_read = []
    for token in range(len(doc) + 1):
        found = compute_saliency(pipe, doc, token=token, steps=30)
        assert found.value == pytest.approx(log_probs[token], abs=1e-4)
        n_read.append(len(found.tokens))
        if direction == "backward":
            assert TEXT.replace(" ", "").endswith("".join(found.tokens).replace("▁", ""))
        else:
            assert TEXT.replace(" ", "").startswith("".join(found.tokens).replace("▁", ""))
    end = n_read.pop()
    assert n_read == sorted(n_read, reverse=direction == "backward")
    assert end == len(pipe.shim.features.encode([doc])[0])
    assert ("beginning" if direction == "backward" else "end") in found.prediction


def test_scores_of_a_backward_language_model_are_in_text_order():
    nlp = make_pipeline("rnn_lm", {"encoder": {"direction": "backward"}, "tied": False})
    train(nlp, make_examples(nlp), steps=10)
    pipe, doc = only_pipe(nlp), doc_of(nlp)
    found = compute_saliency(pipe, doc, token=1, method="occlusion")
    assert found.tokens == ["▁one", "▁ham", "▁."]
    table = pipe.shim.module[BACKWARD].embedding.weight.data
    whole = pipe.predict([doc])[0][1]
    table[pipe.shim.features.encode([doc])[0][2]] = 0.0
    assert found.scores[0] == pytest.approx(whole - pipe.predict([doc])[0][1], abs=1e-5)


def test_a_language_model_with_a_condition():
    nlp = make_pipeline("rnn_lm", condition="cats")
    train(nlp, make_examples(nlp), steps=3)
    pipe = only_pipe(nlp)
    doc, other = doc_of(nlp), doc_of(nlp)
    doc.cats = {"LIKE": 3.0}
    found = [compute_saliency(pipe, d, token=2) for d in (doc, other)]
    for each, d in zip(found, (doc, other), strict=True):
        assert each.value == pytest.approx(pipe.predict([d])[0][2], abs=1e-5)
    assert found[0].value != found[1].value


def test_a_label_and_a_target_can_be_chosen():
    nlp = make_pipeline("rnn_tagger", targets=["tag", "pos"])
    train(nlp, make_examples(nlp), steps=5)
    pipe, doc = only_pipe(nlp), doc_of(nlp)
    probabilities = pipe.predict_probabilities([doc])[0]
    for target, label in (("tag", "NN"), ("pos", "NOUN")):
        found = compute_saliency(pipe, doc, token=2, label=label, target=target)
        p = probabilities[target][2, pipe.labels_of(target).index(label)]
        assert found.value == pytest.approx(np.log(p / (1 - p)), abs=1e-4)
        assert found.prediction == f"{target} {label} of 'one'"
        assert found.probability == pytest.approx(p, abs=1e-5)


def test_existing_entities_are_ignored():
    """Entities are ignored even if the component itself has set them."""
    nlp = trained("rnn_ner", 40)
    pipe, doc = only_pipe(nlp), doc_of(nlp)
    before = compute_saliency(pipe, doc, token=3)
    done = nlp(doc_of(nlp))
    assert [span.label_ for span in done.ents] == ["PERSON", "FOOD"]
    after = compute_saliency(pipe, done, token=3)
    assert after.prediction == before.prediction == "predicted tag U-FOOD of 'ham'"
    np.testing.assert_array_equal(after.scores, before.scores)
    assert [span.label_ for span in done.ents] == ["PERSON", "FOOD"]


def test_a_calibrated_entity_recognizer():
    nlp = trained("rnn_ner")
    pipe, doc = only_pipe(nlp), doc_of(nlp)
    before = compute_saliency(pipe, doc, token=3, label="U-FOOD").value
    pipe.cfg["temperature"] = 2.5
    value = compute_saliency(pipe, doc, token=3, label="U-FOOD").value
    assert value == pytest.approx(answer(pipe, doc, {"token": 3}, "U-FOOD"), abs=1e-4)
    assert abs(value - before) > 0.1


@pytest.mark.parametrize("by_sentences", [False, True])
@every_method
def test_truncated_tokens_have_no_scores(method, by_sentences):
    sentences = {
        "@architectures": "spacy_rnn.SentenceEncoder.v1",
        "encoder": {"@architectures": "spacy_rnn.RNNEncoder.v1", "hidden_size": 4, "depth": 1},
        "pooling": {"@architectures": "spacy_rnn.Pooling.v1", "ways": ["attention"]},
    }
    model = {"max_length": 4, "keep": "both", "sentences": sentences if by_sentences else None}
    nlp = make_pipeline("rnn_textcat", model)
    nlp.add_pipe("sentencizer", first=True)
    examples = make_examples(nlp)
    for eg in examples:
        nlp.get_pipe("sentencizer")(eg.predicted)
    train(nlp, examples, steps=3)
    doc = make_doc(nlp.vocab, "I like ham . She eats . Eggs !")
    nlp.get_pipe("sentencizer")(doc)
    pipe = only_pipe(nlp)
    found = compute_saliency(pipe, doc, method=method, label="LIKE", steps=200)
    assert found.tokens == ["I", "like", "Eggs", "!"]
    assert found.value == pytest.approx(answer(pipe, doc, {}, "LIKE"), abs=1e-4)
    if method == "integrated_gradients":
        assert abs(found.gap) < 0.02


@pytest.mark.parametrize("factory", ["rnn_ner", "rnn_textcat"])
def test_the_vectors_of_a_tok2vec_are_part_of_the_input(factory):
    nlp = make_pipeline(factory, {"embedding": None, "tok2vec": LISTENER})
    nlp.add_pipe("tok2vec", config={"model": TOK2VEC}, first=True)
    train(nlp, make_examples(nlp), steps=5)
    pipe, doc, asked = only_pipe(nlp), nlp.get_pipe("tok2vec")(doc_of(nlp)), ASKED[factory]
    found = compute_saliency(pipe, doc, **asked, steps=200)
    expected = answer(pipe, doc, asked, predicted(pipe, doc, asked))
    assert found.value == pytest.approx(expected, abs=1e-4)
    assert abs(found.gap) < 5e-3 and (found.scores != 0).all()


@pytest.mark.parametrize("factory", ["rnn_tagger", "rnn_regressor"])
def test_contextual_string_embeddings_are_part_of_the_input(factory, tmp_path):
    nlp = with_context(factory, save_lm(tmp_path / "lm"))
    train(nlp, make_examples(nlp), steps=5)
    pipe, doc, asked = only_pipe(nlp), doc_of(nlp), ASKED[factory]
    found = compute_saliency(pipe, doc, **asked, steps=200)
    expected = answer(pipe, doc, asked, predicted(pipe, doc, asked))
    assert found.value == pytest.approx(expected, abs=1e-4)
    assert abs(found.gap) < 5e-3 and (found.scores != 0).all()


def test_sentences_are_translated_one_by_one():
    nlp = trained("rnn_translator", 40)
    nlp.add_pipe("sentencizer", first=True)
    pipe = only_pipe(nlp)
    doc = Doc(nlp.vocab, words=f"Eggs ! {TEXT}".split(), sent_starts=[1, 0, 1, 0, 0, 0, 0])
    first, second = (best[0].pieces for best in pipe.translate(["Eggs !", TEXT]))
    found = compute_saliency(pipe, doc, token=len(first) + 1)
    assert found.prediction == f"piece 1 of the translation, '{second[1]}'"
    assert "".join(found.tokens).replace("▁", " ").strip() == TEXT
    assert "".join(compute_saliency(pipe, doc, token=len(first) - 1).tokens).endswith("!")
    with pytest.raises(ValueError, match=f"valid are 0 to {len(first + second) - 1}"):
        compute_saliency(pipe, doc, token=len(first + second))


@every_kind
def test_weights_do_not_change_and_batches_do_not_matter(factory):
    nlp = trained(factory)
    pipe, doc, asked = only_pipe(nlp), doc_of(nlp), ASKED[factory]
    before = nlp.to_bytes()
    with torch.no_grad():
        found = [compute_saliency(pipe, doc, **asked, method=method) for method in METHODS]
    pipe.model.attrs["limits"] = pipe.model.attrs["limits"].__class__(1, 5000, 200)
    one_by_one = [compute_saliency(pipe, doc, **asked, method=method) for method in METHODS]
    for each, other in zip(found, one_by_one, strict=True):
        np.testing.assert_allclose(each.scores, other.scores, atol=1e-4)
    assert nlp.to_bytes() == before
    module = pipe.shim.module
    assert all(parameter.grad is None for parameter in module.parameters())
    assert not module.training


@pytest.mark.parametrize("cell", ["rnn_tanh", "rnn_relu", "gru", "lstm", "none"])
def test_with_every_encoder_and_dropout(cell, device):
    """Dropout is only applied in training, not when saliency is computed."""
    options = {"cell": cell, "depth": 2, "recurrent_dropout": 0.5}
    nlp = make_pipeline("rnn_tagger", {"encoder": options if cell != "none" else {"cell": cell}})
    train(nlp, make_examples(nlp), steps=3)
    found = compute_saliency(only_pipe(nlp), doc_of(nlp), token=2, steps=300)
    assert abs(found.gap) < 0.01


# Empty texts and wrong arguments


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factory", ["rnn_textcat", "rnn_textcat_multilabel", "rnn_regressor"])
def test_an_empty_text_has_a_prediction_but_no_scores(factory, method):
    nlp = trained(factory)
    pipe, doc = only_pipe(nlp), nlp.make_doc("")
    found = compute_saliency(pipe, doc, method=method)
    expected = answer(pipe, doc, {}, predicted(pipe, doc, {}))
    assert found.tokens == [] and found.scores.shape == (0,)
    assert found.value == found.baseline == pytest.approx(expected, abs=1e-4)
    assert found.gap == (0.0 if method == "integrated_gradients" else None)


@every_method
def test_nothing_is_read_before_the_first_token(method):
    nlp = trained("rnn_lm")
    found = compute_saliency(only_pipe(nlp), doc_of(nlp), token=0, method=method)
    assert found.tokens == [] and found.value == found.baseline
    assert compute_saliency(only_pipe(nlp), nlp.make_doc(""), token=0, method=method).tokens == []


@every_kind
@every_method
def test_one_token(factory, method):
    nlp = trained(factory)
    asked = {name: 0 for name in ASKED[factory]} | ({"token": 1} if factory == "rnn_lm" else {})
    found = compute_saliency(only_pipe(nlp), doc_of(nlp, "Eggs"), **asked, method=method)
    if factory != "rnn_translator":
        assert len(found.tokens) == 1
    assert np.isfinite(found.scores).all()


@pytest.mark.parametrize(
    "factory, text, asked, message",
    [
        ("rnn_tagger", TEXT, {}, r"'rnn_tagger' has a prediction for each .* --token N.*token=N"),
        ("rnn_tagger", TEXT, {"token": 5}, "5 of the token is out of range: valid are 0 to 4"),
        ("rnn_tagger", TEXT, {"token": -1}, "-1 of the token is out"),
        ("rnn_tagger", "", {"token": 0}, "0 of the token is out of range: there are none"),
        ("rnn_tagger", TEXT, {"token": 0, "label": "X"}, "no label 'X'. Its labels: .*CD, .*JJ"),
        ("rnn_tagger", TEXT, {"token": 0, "target": "pos"}, r"no target 'pos'.*\['tag'\]"),
        ("rnn_ner", TEXT, {"token": 0, "label": "FOOD"}, "no label 'FOOD'. Its labels: O, B-FOOD"),
        ("rnn_ner", TEXT, {"token": 0, "label": "I-FOOD"}, "to explain.*I-FOOD of 'She' is -inf"),
        ("rnn_ner", TEXT, {"token": 0, "target": "tag"}, "unexpected keyword argument 'target'"),
        ("rnn_ner", "", {"token": 0}, "there are none"),
        ("rnn_textcat", TEXT, {"token": 0}, "are 'label': .*keyword argument 'token'"),
        ("rnn_textcat", TEXT, {"label": "X"}, "no label 'X'. Its labels: EAT, LIKE"),
        ("rnn_regressor", TEXT, {"label": "X"}, "no label 'X'. Its labels: rating"),
        ("rnn_translator", TEXT, {}, "with --token N"),
        ("rnn_translator", TEXT, {"token": 99}, "99 of the piece of the translation"),
        ("rnn_translator", "", {"token": 0}, "there are none"),
        ("rnn_lm", TEXT, {"token": 6}, "6 of the token is out of range: valid are 0 to 5"),
        ("rnn_lm", TEXT, {"token": 1, "label": "X"}, "unexpected keyword argument 'label'"),
        ("rnn_tagger", TEXT, {"token": 0, "method": "x"}, "gradients, occlusion; got 'x'"),
        ("rnn_tagger", TEXT, {"token": 0, "steps": 0}, "'steps' must be .*at least 1"),
    ],
)  # fmt: skip
def test_bad_arguments(factory, text, asked, message):
    nlp = trained(factory)
    with pytest.raises(ValueError, match=message):
        compute_saliency(only_pipe(nlp), doc_of(nlp, text), **asked)


def test_a_regressor_of_several_numbers_needs_a_label():
    nlp = trained("rnn_regressor")
    pipe = only_pipe(nlp)
    pipe.add_label("other", mean=3.0, std=2.0)
    randomize(pipe.shim.module)
    doc = doc_of(nlp)
    with pytest.raises(ValueError, match="several numbers.*rating, other"):
        compute_saliency(pipe, doc)
    value = compute_saliency(pipe, doc, label="other").value
    assert value == pytest.approx(answer(pipe, doc, {}, "other"), abs=1e-4)


def test_a_token_inside_a_unit_has_no_probability():
    pieces = {"@architectures": "spacy_rnn.SentencePieces.v1", "vocab_size": 45}
    nlp = make_pipeline("rnn_lm", {"units": pieces})
    train(nlp, make_examples(nlp), steps=1)
    # The last two tokens are one piece, "he".
    doc = Doc(nlp.vocab, words=["S", "h", "e"], spaces=[False, False, False])
    with pytest.raises(ValueError, match="Token 1, 'h', has no unit of its own"):
        compute_saliency(only_pipe(nlp), doc, token=1)
    assert compute_saliency(only_pipe(nlp), doc, token=2).tokens == ["▁", "S"]


def test_untrained_components_and_those_of_spacy():
    nlp = make_pipeline("rnn_textcat")
    with pytest.raises(ValueError, match="no weights yet"):
        compute_saliency(only_pipe(nlp), nlp.make_doc(TEXT))
    nlp = spacy.blank("xx")
    stock = nlp.add_pipe("tagger")
    for other in (stock, nlp, None):
        with pytest.raises(ValueError, match="is not a spacy-rnn component"):
            compute_saliency(other, nlp.make_doc(TEXT), token=0)


def test_the_tag_of_a_memorized_verb_depends_on_the_verb():
    """In four memorized sentences, the verb has the largest effect on its tag."""
    nlp = trained("rnn_tagger", 40)
    pipe = only_pipe(nlp)
    for method in METHODS:
        for text, tags, *_ in SENTENCES:
            found = compute_saliency(pipe, doc_of(nlp, text), token=1, method=method)
            assert tags.split()[1] in found.prediction
            assert found.scores.argmax() == 1
