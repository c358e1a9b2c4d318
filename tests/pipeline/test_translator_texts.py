"""Unusual texts: odd white space, several sentences, long texts, halves of surrogate pairs."""

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc
from spacy.training import Example

from spacy_rnn.analysis.saliency import compute_saliency
from spacy_rnn.features.subwords import SubwordModel
from spacy_rnn.nn.translator import SourceBatch, translation_loss
from spacy_rnn.pipeline.sentences import gaps_of, sentences_of

from ..helpers.pipelines import make_examples, train
from ..helpers.translators import (
    NAME,
    SOURCES,
    TARGETS,
    features_of,
    make,
    make_trained,
    pair,
    pipe_of,
    shared,
    translations,
    warnings_of,
)

EGGS, HAM = "Eggs !", "She eats one ham ."
TWO = f"{EGGS} {HAM}"
FRENCH = "Des œufs ! Elle mange un seul jambon."
SPACES = ["\t", "\n", "\r\n", "\xa0", "\u3000", "\u200b", "  ", " \n ", "\x1c", "\u2028"]


def texts_of(found):
    return [[translation.text for translation in translations] for translations in found]


# White space and control characters


@pytest.mark.parametrize("space", [*SPACES, "\xad \x07", "\0 "], ids=ascii)
def test_white_space_of_every_kind_is_read_as_a_space(space):
    nlp = shared()
    texts = [source.replace(" ", space, 1) for source in SOURCES]
    assert translations(nlp, texts) == TARGETS
    assert texts_of(pipe_of(nlp).translate(texts)) == [[target] for target in TARGETS]
    scores = nlp.evaluate([pair(nlp, *both) for both in zip(texts, TARGETS, strict=True)])
    expected = nlp.evaluate(make_examples(nlp))
    assert scores["piece_ppl"] == expected["piece_ppl"]


def trained_on(pairs, **model):
    nlp = make(model)
    train(nlp, [pair(nlp, *both) for both in pairs], steps=2)
    return pipe_of(nlp).model.to_bytes()


def test_white_space_is_normalized_in_training():
    plain = list(zip(SOURCES, TARGETS, strict=True))
    odd = [(f"\t{source}\n".replace(" ", "\xa0\x07"), target) for source, target in plain]
    assert trained_on(odd) == trained_on(plain)
    joint = {"target_pieces": None}
    assert trained_on(odd, **joint) == trained_on(plain, **joint)


def test_a_setting_composes_characters():
    composed, apart = ("un bébé", "a baby"), ("un be\u0301be\u0301", "a baby")
    assert trained_on([composed]) == trained_on([apart])
    assert trained_on([composed], nfc=False) != trained_on([apart], nfc=False)


def test_translations_keep_their_own_white_space():
    nlp = make()
    examples = [pair(nlp, "Eggs !", "Des œufs\xa0!"), pair(nlp, "ham", "le\u202fjambon")]
    train(nlp, examples, steps=40)
    assert translations(nlp, ["Eggs !", "ham"]) == ["Des œufs\xa0!", "le\u202fjambon"]


def test_white_space_around_a_text():
    nlp = shared()
    pipe = pipe_of(nlp)
    nothing = ["", "   ", "\n\t", "\xa0", "\u200b", "\0"]
    assert pipe.translate(nothing, 2) == [[]] * 6
    assert translations(nlp, nothing) == nothing
    for around in (" ", " \n", "\t", "\xa0\xa0"):
        padded = [around + source + around for source in SOURCES]
        assert texts_of(pipe.translate(padded)) == texts_of(pipe.translate(SOURCES))
        assert translations(nlp, padded) == [around + target + around for target in TARGETS]


# Sentences


@pytest.mark.parametrize("gap", [" ", "\n\n", "  ", "\t", ""])
def test_a_text_without_sentence_starts_is_split(gap):
    nlp = shared()
    text = f" {EGGS}{gap}{HAM}\n"
    doc = nlp(text)
    assert doc._.translation == f" Des œufs !{gap}Elle mange un seul jambon.\n"
    assert not doc.has_annotation("SENT_START")
    (found,) = pipe_of(nlp).translate([text])
    assert [translation.text for translation in found] == [doc._.translation.strip()]


def test_a_setting_keeps_texts_whole():
    nlp = make_trained(split_sentences=False)
    assert translations(nlp) == TARGETS
    whole = translations(nlp, [TWO])
    assert whole != [FRENCH]
    spaces = [True] * 6 + [False]
    as_one = Doc(nlp.vocab, words=TWO.split(), spaces=spaces, sent_starts=[1] + [-1] * 6)
    for other in (nlp, shared()):
        assert [doc._.translation for doc in other.pipe([as_one.copy()])] == whole


def test_sentence_starts_that_are_set_are_kept():
    doc = Doc(shared().vocab, words=TWO.split(), sent_starts=[1, -1, -1, -1, 1, -1, -1])
    found = sentences_of(doc, split=True, max_length=100, name=NAME)
    assert [sentence.text for sentence in found] == ["Eggs ! She eats", "one ham ."]


def test_unknown_sentence_starts_are_found():
    nlp = shared()
    joined = Doc.from_docs([nlp.make_doc(TWO), nlp.make_doc(HAM)])
    assert joined[len(nlp.make_doc(TWO))].is_sent_start and joined.has_annotation("SENT_START")
    assert translations(nlp, [joined]) == [f"{FRENCH} Elle mange un seul jambon."]
    # A token that does not start a sentence gives no information about other tokens.
    doc = nlp.make_doc(TWO)
    doc[1].is_sent_start = False
    assert translations(nlp, [doc]) == [FRENCH]
    kept = nlp.make_doc(TWO)
    kept[2].is_sent_start = False
    assert len(sentences_of(kept, True, 0, NAME)) == 1


def test_pairs_of_several_sentences_are_not_split_in_training():
    nlp = make_trained()
    one = Doc(nlp.vocab, words=TWO.split(), sent_starts=[1] + [-1] * 6)
    reference = pair(nlp, TWO, FRENCH).reference
    losses = [
        nlp.update([Example(predicted, reference)], sgd=False)[NAME]
        for predicted in (one, nlp.make_doc(TWO))
    ]
    assert losses[0] == losses[1]


def test_translations_of_several_sentences_are_combined():
    pipe = pipe_of(shared())
    (found,) = pipe.translate([f"{TWO} \n {EGGS}"], 6, attention=True)
    first, second, third = pipe.translate([EGGS, HAM, EGGS], 6, attention=True)
    every = [(a, b, c) for a in first for b in second for c in third]
    every.sort(key=lambda way: -sum(translation.score for translation in way))
    assert len(found) == 6 and len({translation.text for translation in found}) == 6
    for translation, (a, b, c) in zip(found, every[:6], strict=True):
        assert translation.text == f"{a.text} {b.text} \n {c.text}"
        assert translation.pieces == a.pieces + b.pieces + c.pieces
        for name in ("score", "log_probability"):
            expected = sum(getattr(part, name) for part in (a, b, c))
            assert getattr(translation, name) == pytest.approx(expected)
        blocks = np.split(translation.attention, np.cumsum([len(a.pieces), len(b.pieces)]))
        start = 0
        for block, part in zip(blocks, (a, b, c), strict=True):
            end = start + part.attention.shape[1]
            np.testing.assert_allclose(block[:, start:end], part.attention, atol=1e-5)
            assert not block[:, :start].any() and not block[:, end:].any()
            start = end


@pytest.mark.parametrize("space", [" ", "\n\n", "\xa0\t "], ids=ascii)
def test_alignment_and_saliency_of_texts_with_odd_white_space(space):
    """Alignments and saliency are those of the sentences translated separately."""
    nlp = shared()
    pipe = pipe_of(nlp)
    ((alone,),) = pipe.align([nlp.make_doc(HAM)])
    doc = nlp.make_doc(f" {EGGS}{space}" + HAM.replace(" ", space))
    _, second = pipe.align([doc])[0]
    assert second.pieces == alone.pieces
    words = [i for i, token in enumerate(second.source) if token.text in HAM.split()]
    np.testing.assert_allclose(second.weights[:, words], alone.weights, atol=1e-5)
    texts = [[doc[i].text for i in second.links], [alone.source.doc[i].text for i in alone.links]]
    assert texts[0] == texts[1]

    expected = compute_saliency(pipe, nlp.make_doc(HAM), token=2)
    n_before = len(pipe.translate([EGGS])[0][0].pieces)
    found = compute_saliency(pipe, doc, token=n_before + 2)
    assert found.tokens == expected.tokens and found.prediction == expected.prediction
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)


# Segmentations


def spelled(pieces, text):
    """The pieces of a text, one for each character."""
    names = pieces.pieces
    return np.array([names.index(character) for character in f" {text}".replace(" ", "\u2581")])


@pytest.fixture(scope="module")
def with_segmentations():
    """A translator that generates a text in its best pieces or letter by letter."""

    def sample(pieces, texts, alpha, rng):
        if rng % 2:
            return pieces.encode(texts)
        return [spelled(pieces, text) for text in texts]

    nlp = make({"target_pieces": {"alpha": 0.0}}, {"beam": 5})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SubwordModel, "sample", sample)
        train(nlp, make_examples(nlp), steps=120)
    return nlp


@pytest.mark.parametrize("n_best", [1, 3, 5, 8])
def test_the_best_translations_are_different_texts(with_segmentations, n_best):
    for found in pipe_of(with_segmentations).translate(SOURCES, n_best):
        assert len({translation.text for translation in found}) == len(found) == n_best
        scores = [translation.score for translation in found]
        assert scores == sorted(scores, reverse=True)
        assert sum(np.exp(translation.log_probability) for translation in found) <= 1 + 1e-6


@torch.no_grad()
def test_a_text_has_the_probability_of_its_segmentations(with_segmentations):
    """The segmentations that the search finds are scored separately, and summed."""
    pipe, features = pipe_of(with_segmentations), features_of(with_segmentations)
    (ids,) = features.source.encode(SOURCES[:1])
    sources = SourceBatch(torch.from_numpy(ids), torch.tensor([len(ids)]))
    log_p = {}
    for pieces in (features.target.encode(TARGETS[:1])[0], spelled(features.target, TARGETS[0])):
        arrays = map(torch.from_numpy, features.decoder_arrays([pieces]))
        decoder_input, valid_positions, decoder_target = arrays
        scores = pipe.shim.module(sources, decoder_input, valid_positions)
        loss = translation_loss(scores, {"pieces": decoder_target})
        log_p[tuple(features.target.pieces[i] for i in pieces)] = -float(loss)
    ((best, *_),) = pipe.translate(SOURCES[:1], 5)
    assert best.text == TARGETS[0] and log_p[tuple(best.pieces)] == max(log_p.values())
    together = np.logaddexp(*log_p.values())
    # The search may find rarer segmentations too.
    assert max(log_p.values()) + 0.02 < together < best.log_probability + 1e-4 < together + 0.5


# Too long


def test_sentences_that_are_too_long_are_cut(caplog):
    nlp = make_trained(max_length=5)
    doc = nlp(f"{EGGS} {HAM}")
    assert doc._.translation == FRENCH and not warnings_of(caplog)
    text = f"{HAM[:-2]} and green ham and eggs ."
    found = nlp(text)._.translation
    (message,) = warnings_of(caplog)
    for part in (NAME, "into 2 parts (tokens: 10, ", "She eats one ham and", "max_length = 5"):
        assert part in message
    parts = ["She eats one ham and", "green ham and eggs ."]
    assert found == " ".join(t for (t,) in texts_of(pipe_of(nlp).translate(parts)))
    assert [a.source.text for a in pipe_of(nlp).align([nlp.make_doc(text)])[0]] == parts


@pytest.mark.parametrize("max_length", [1, 2, 7])
@pytest.mark.parametrize(
    "text",
    [
        "x" * 95,
        f"{'x' * 41} a b {'y' * 30}\n\nc d e f",
        "a b c d e f g. h i j",
        "\n" * 99 + "a",
        "",
    ],
)
def test_parts_together_are_the_text(max_length, text):
    doc = spacy.blank("xx").make_doc(text)
    found = sentences_of(doc, split=True, max_length=max_length, name=NAME)
    gaps = gaps_of(found)
    written = gaps[0] + "".join(s.text + gap for s, gap in zip(found, gaps[1:], strict=True))
    assert written == text
    for sentence in found:
        assert len(sentence.span) <= max_length or not sentence.text
        assert len(sentence.text) <= 10 * max_length
        end = sentence.start + len(sentence.text)
        assert text[sentence.start : end] == sentence.text
        assert (
            not sentence.text
            or doc.char_span(sentence.start, end, alignment_mode="expand").text.strip()
            in sentence.span.text
        )


def test_one_endless_token_is_cut(caplog):
    nlp = make_trained(max_length=2, split_sentences=False)
    assert nlp("Q" * 50)._.translation is not None
    assert "into 3 parts (tokens: 1, characters: 50)" in warnings_of(caplog)[0]
    caplog.clear()
    make_trained(max_length=0)("Q" * 50)
    assert not warnings_of(caplog)


def test_a_long_text_keeps_no_attention_unless_it_is_requested():
    ((best,),) = pipe_of(shared()).translate([f"{HAM} " * 300])
    assert best.attention is None and best.text.count("mange") == 300


def test_without_a_progress_bar_tqdm_is_not_used(monkeypatch):
    monkeypatch.setattr("spacy_rnn.architectures.translator.tqdm", None)
    assert translations(shared()) == TARGETS


def test_a_length_below_zero():
    with pytest.raises(ValueError, match="'max_length' must be a whole number of at least 0"):
        make(max_length=-1)


# Halves of surrogate pairs


def test_half_of_a_surrogate_pair_is_an_error():
    nlp = make_trained()
    with pytest.raises(ValueError, match="Text 2: .*half of a surrogate pair.*'replace'"):
        pipe_of(nlp).translate([EGGS, "Eggs \ud83d !"])
    for target in ("\udc00", "des œufs \ud83d"):
        with pytest.raises(ValueError, match="half of a surrogate pair.*'replace'"):
            nlp.update([pair(nlp, EGGS, target)])
        with pytest.raises(ValueError, match="half of a surrogate pair.*'replace'"):
            make().initialize(lambda target=target: [pair(nlp, EGGS, target)])
    with pytest.raises(ValueError, match="None is not a string"):
        pipe_of(nlp).translate([None])
