"""Attention of translations (alignment with tokens, replaced unknown pieces), and samples."""

import dataclasses

import numpy as np
import pytest

from spacy_rnn.architectures.translator import predict_translations
from spacy_rnn.features.subwords import SubwordModel

from ..helpers.pipelines import make_examples, train
from ..helpers.translators import (
    SOURCES,
    TARGETS,
    features_of,
    make,
    make_trained,
    pair,
    pipe_of,
    shared,
    shared_by_sentences,
    translations,
)


def test_attention_on_tokens_is_the_sum_over_their_pieces():
    nlp = shared()
    docs = [nlp.make_doc(text) for text in [*SOURCES, "\n " + SOURCES[0] + "  "]]
    found = pipe_of(nlp).align(docs)
    source = features_of(nlp).source
    for doc, alignments in zip(docs, found, strict=True):
        (alignment,) = alignments
        assert alignment.source.doc is doc and len(alignment.source) == len(doc)
        ((best,),) = pipe_of(nlp).translate([doc.text.strip()], attention=True)
        assert alignment.pieces == best.pieces
        assert alignment.weights.shape == (len(best.pieces), len(doc))
        # The expected weights, where a piece is in a token or has only white space.
        _, starts, ends = source.offsets(doc.text.strip())
        shift = len(doc.text) - len(doc.text.lstrip())
        expected = np.zeros_like(alignment.weights)
        for k, (start, end) in enumerate(zip(starts + shift, ends + shift, strict=True)):
            characters = set(range(start, end))
            common = [len(characters & set(range(t.idx, t.idx + len(t)))) for t in doc]
            for i, n in enumerate(common):
                expected[:, i] += best.attention[:, k] * n / max(sum(common), 1)
        np.testing.assert_allclose(alignment.weights, expected, atol=1e-5)
        assert alignment.weights.sum(1).max() <= 1 + 1e-5
        assert alignment.links == alignment.weights.argmax(1).tolist()


def test_the_text_of_the_pieces_is_the_translation():
    nlp = shared()
    for text, target in zip(SOURCES, TARGETS, strict=True):
        ((best,),) = pipe_of(nlp).translate([text], attention=True)
        assert "".join(best.pieces).replace("\u2581", " ").strip() == best.text == target
        assert len(best.pieces) == len(best.attention)


def test_sentences_are_aligned_separately():
    nlp = shared_by_sentences()
    texts = ["Eggs !", "She eats one ham ."]
    doc = nlp(f" {texts[0]}  {texts[1]} \n")
    alignments = pipe_of(nlp).align([doc])[0]
    assert [a.source.text.strip() for a in alignments] == texts
    for alignment in alignments:
        assert all(doc[i] in alignment.source for i in alignment.links)
        assert alignment.weights.shape == (len(alignment.pieces), len(alignment.source))
    (alone,) = pipe_of(shared()).align([nlp.make_doc(texts[1])])[0]
    # The first token is white space.
    weights = alignments[1].weights[:, 1 : 1 + len(alone.source)]
    np.testing.assert_allclose(alone.weights, weights, atol=1e-5)


def test_nothing_to_align():
    pipe = pipe_of(shared())
    make_doc = shared().make_doc
    assert pipe.align([]) == []
    assert pipe.align([make_doc(""), make_doc("  ")]) == [[], []]


def test_alignment_needs_attention():
    nlp = make({"decoder": {"attention": None}})
    train(nlp, make_examples(nlp), steps=2)
    with pytest.raises(ValueError, match="has no attention.*Train one"):
        pipe_of(nlp).align([nlp.make_doc(SOURCES[0])])
    assert pipe_of(nlp).translate(SOURCES[:1], attention=True)[0][0].attention is None


# Unknown pieces


@pytest.fixture(scope="module")
def without_omega(tmp_path_factory):
    """A vocabulary that lacks a character of the translations."""
    path = tmp_path_factory.mktemp("pieces") / "target.model"
    pieces = SubwordModel(model_type="char")
    pieces.train(["ab ba"])
    path.write_bytes(pieces.to_bytes())
    return {"@architectures": "spacy_rnn.SentencePieces.v1", "path": str(path)}


def test_unknown_pieces_are_replaced_by_the_source_with_most_attention(without_omega):
    nlp = make({"target_pieces": without_omega})
    texts = [f"{word} {other}" for word in ("ab", "ba", "aab", "bab") for other in ("Ω", "ab", "b")]
    train(nlp, [pair(nlp, text, text) for text in texts], steps=80)
    pipe = pipe_of(nlp)
    plain = pipe.translate(["ab Ω"])[0][0]
    assert plain.pieces.count("<unk>") == 1 and "⁇" in plain.text
    pipe.search = dataclasses.replace(pipe.search, replace_unknown=True)
    replaced = pipe.translate(["ab Ω"], attention=True)[0][0]
    assert replaced.pieces == plain.pieces
    _, starts, ends = features_of(nlp).source.offsets("ab Ω")
    looked_at = replaced.attention[replaced.pieces.index("<unk>")].argmax()
    source_piece = "ab Ω"[starts[looked_at] : ends[looked_at]].strip()
    assert replaced.text.split() == plain.text.replace("⁇", source_piece).split()
    assert pipe.translate(["ab b"])[0][0].text == "ab b"


def test_replacing_unknown_pieces_needs_attention(without_omega):
    model = {"decoder": {"attention": None}, "target_pieces": without_omega}
    nlp = make(model, search={"replace_unknown": True})
    train(nlp, [pair(nlp, "ab", "Ω")], steps=30)
    with pytest.raises(ValueError, match="'replace_unknown' needs a network with attention"):
        pipe_of(nlp).translate(["ab"])


# Samples


def test_samples_depend_only_on_seed_and_text():
    texts = [*SOURCES, SOURCES[0]]
    one, same, other = (
        make_trained(search={"sample": True, "temperature": 2.0, "beam": 1, "seed": seed})
        for seed in (1, 1, 2)
    )
    together = translations(one, texts)
    assert together == translations(same, texts)
    assert [one(text)._.translation for text in texts] == together
    assert together[0] == together[-1] and together != translations(other, texts)


def test_a_sample_of_the_best_piece_is_the_greedy_translation():
    sharp = make_trained(search={"sample": True, "top_k": 1, "beam": 1})
    greedy = make_trained(search={"beam": 1})
    assert translations(sharp) == translations(greedy)


def test_the_best_sample_is_taken():
    nlp = make_trained(search={"sample": True, "temperature": 1.5, "beam": 6})
    for found in pipe_of(nlp).translate(SOURCES, 6):
        scores = [t.score for t in found]
        assert scores == sorted(scores, reverse=True)
    best = [found[0].text for found in pipe_of(nlp).translate(SOURCES, 6)]
    assert best == translations(nlp)


def test_progress_bar(capsys):
    nlp = make_trained(progress_bar=True)
    translations(nlp, [*SOURCES, ""])
    assert f"/{len(SOURCES)}" in capsys.readouterr().err
    pipe_of(nlp).cfg["progress_bar"] = False
    translations(nlp)
    assert not capsys.readouterr().err
    assert predict_translations(pipe_of(nlp).model, [], pipe_of(nlp).search, 1, False, True) == []
