"""What is specific to the translator: pieces, sentences, search, vocabularies."""

import io
import itertools
import math

import numpy as np
import pytest
import spacy
from safetensors.torch import load as load_safetensors
from sentencepiece import SentencePieceTrainer
from spacy.tokens import Doc
from spacy.training import Example

from spacy_rnn.config.decoder import RNNDecoder
from spacy_rnn.config.search import Search
from spacy_rnn.features.subwords import SubwordModel

from ..helpers.paths import ROOT
from ..helpers.pipelines import make_doc, make_examples, make_pipeline, train
from ..helpers.translators import (
    JOINT,
    NAME,
    SOURCES,
    TARGETS,
    features_of,
    load,
    make,
    make_trained,
    pair,
    pipe_of,
    shared,
    shared_by_sentences,
    trained_bytes,
    translations,
    warnings_of,
)

TEXTS = [*SOURCES, "", "ham", "x", "She likes the green ham that they eat ."]
numbers = itertools.count()


@pytest.fixture
def attr():
    """The name of an extension, which is removed after the test."""
    name = f"translation_{next(numbers)}"
    yield name
    if Doc.has_extension(name):
        Doc.remove_extension(name)


# Learning


def test_learns_spelling_and_spacing():
    """Capitals, punctuation, accents, and spaces beside apostrophes are learned."""
    nlp = shared()
    assert translations(nlp) == TARGETS
    assert [nlp(text)._.translation for text in SOURCES] == TARGETS
    scores = nlp.evaluate(make_examples(nlp))
    assert scores["bleu"] == scores["chrf"] == 1.0


@pytest.mark.parametrize(
    "decoder",
    [
        {"attention": None},
        {"attention": "bahdanau"},
        {"attention": "dot"},
        {"attention": "general", "input_feeding": True},
    ],
    ids=str,
)
def test_learns_with_every_decoder(decoder):
    nlp = make({"decoder": decoder}, {"beam": 1})
    train(nlp, make_examples(nlp), steps=40 if decoder["attention"] else 60)
    assert translations(nlp) == TARGETS
    (best,) = pipe_of(nlp).translate(SOURCES[:1], attention=True)[0]
    assert (best.attention is None) == (decoder["attention"] is None)


def test_input_feeding_needs_attention():
    nlp = make({"decoder": {"attention": None, "input_feeding": True}})
    with pytest.raises(ValueError, match="attention"):
        nlp.initialize(lambda: make_examples(nlp))


def test_extension_named_in_the_config(attr, tmp_path):
    nlp = make(attr=attr)
    examples = [pair(nlp, *texts, attr) for texts in zip(SOURCES, TARGETS, strict=True)]
    train(nlp, examples[:1], steps=20)
    doc = nlp(SOURCES[0])
    assert doc._.get(attr) == TARGETS[0]
    assert not Doc.has_extension("translation") or doc._.translation is None
    nlp.to_disk(tmp_path)
    Doc.remove_extension(attr)
    assert spacy.load(tmp_path)(SOURCES[0])._.get(attr) == TARGETS[0]


def test_two_translators_in_one_pipeline(attr):
    nlp = make()
    config = {**nlp.config["components"][NAME], "attr": attr}
    config.pop("factory")
    nlp.add_pipe(NAME, name="other", config=config)
    examples = [pair(nlp, *texts) for texts in zip(SOURCES, TARGETS, strict=True)]
    for example, target in zip(examples, reversed(TARGETS), strict=True):
        example.reference._.set(attr, target)
    losses = train(nlp, examples)
    assert set(losses) == {NAME, "other"}
    docs = list(nlp.pipe(SOURCES))
    assert [doc._.translation for doc in docs] == TARGETS
    assert [doc._.get(attr) for doc in docs] == TARGETS[::-1]


def test_examples_without_translation_have_no_loss():
    nlp = make_trained()
    before = pipe_of(nlp).model.to_bytes()
    nothing = [pair(nlp, "eggs", target) for target in (None, "", " \n")]
    nothing += [pair(nlp, source, "des œufs") for source in ("", "  ")]
    assert nlp.update(nothing, sgd=nlp.resume_training()) == {NAME: 0.0}
    assert pipe_of(nlp).model.to_bytes() == before

    examples = make_examples(nlp)
    alone = nlp.update(examples, sgd=False)[NAME]
    assert nlp.update(nothing + examples, sgd=False)[NAME] == alone


def test_examples_without_translation_are_ignored_in_initialization():
    def initialized(*more):
        nlp = make()
        spacy.util.fix_random_seed(0)
        nlp.initialize(lambda: make_examples(nlp) + [pair(nlp, *texts) for texts in more])
        return pipe_of(nlp).model.to_bytes()

    alone = initialized()
    assert initialized(("Zß", None), ("Zß", ""), ("Zß", "  "), ("", "Zß"), (" ", "Zß")) == alone
    assert initialized(("Zß", "Zß")) != alone


def test_no_translation_at_all(attr):
    nlp = make(attr=attr)
    examples = [pair(nlp, "eggs", target, attr) for target in (None, "", " ")]
    with pytest.raises(ValueError, match=rf"{NAME}.*doc\._\.{attr}.*ParallelCorpus"):
        nlp.initialize(lambda: examples)


def test_very_different_lengths():
    """One text has one word, the other has fifty."""
    words = " ".join(f"{a}{b}" for a in "bdfgl" for b in ("a", "e", "i", "o", "u") * 2)
    nlp = make({"source_pieces": {"model_type": "char"}, "target_pieces": {"model_type": "char"}})
    examples = [pair(nlp, "x", words), pair(nlp, words, "Y")]
    losses = train(nlp, examples, steps=30)
    assert math.isfinite(losses[NAME])
    long, short = pipe_of(nlp).translate(["x", words], attention=True)
    # The limit of the search: twice the two pieces of the source, plus ten.
    assert len(long[0].attention) <= 14
    assert short[0].text == "Y" and short[0].attention.shape == (2, 150)


def test_trains_on_a_parallel_corpus():
    path = str(ROOT / "corpora" / "parallel" / "dev.tsv")
    reader = {"@readers": "spacy_rnn.ParallelCorpus.v1", "path": path, "limit": 20}
    corpus = spacy.registry.resolve({"corpus": reader})["corpus"]
    sizes = {"vocab_size": 150}
    nlp = make({"source_pieces": sizes, "target_pieces": sizes})
    optimizer = nlp.initialize(lambda: corpus(nlp))
    optimizer.learn_rate = 0.03
    passes = []
    for _ in range(6):
        losses = {}
        for batch in spacy.util.minibatch(corpus(nlp), 5):
            nlp.update(batch, sgd=optimizer, losses=losses)
        passes.append(losses[NAME])
    assert passes[-1] < 0.85 * passes[0]
    scores = nlp.evaluate(list(corpus(nlp)))
    assert 0 <= scores["bleu"] <= 1 and 0 < scores["chrf"] <= 1


# Texts


@pytest.mark.parametrize("byte_fallback", [False, True])
def test_unseen_characters(byte_fallback):
    nlp = shared()
    if byte_fallback:
        pieces = {"vocab_size": 330, "byte_fallback": True}
        nlp = make({"source_pieces": pieces, "target_pieces": pieces}, {"beam": 1})
        train(nlp, make_examples(nlp), steps=3)
    texts = ["日本", "🥚 eggs", "Ω!", "\0", "\u2581", "\ufeff", "e\u0301", "ham\u200bham", "Q" * 30]
    for text, found in zip(texts, translations(nlp, texts), strict=True):
        assert isinstance(found, str) and found == nlp(text)._.translation
    # They are allowed in training too.
    examples = [pair(nlp, text, text) for text in texts]
    assert math.isfinite(nlp.update(examples, sgd=False)[NAME])


def test_a_source_without_characters_after_normalization(tmp_path):
    """The normalization of a loaded model may remove all characters of a text."""
    path = tmp_path / "nfkc.model"
    path.write_bytes(_elsewhere([*SOURCES, *TARGETS]))
    nlp = make({"source_pieces": {"path": str(path)}, "target_pieces": None})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    assert not len(features_of(nlp).source.encode(["\ufffd"])[0])
    assert nlp("\ufffd")._.translation == "\ufffd"
    assert nlp.update([*examples, pair(nlp, "\ufffd", "rien")], sgd=False)[NAME] > 0


def _elsewhere(texts):
    """A SentencePiece model with the default normalization of its trainer."""
    proto = io.BytesIO()
    ids = {"pad_id": 0, "unk_id": 1, "bos_id": 2, "eos_id": 3}
    SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=proto, vocab_size=45, minloglevel=2, **ids
    )
    return proto.getvalue()


@pytest.mark.parametrize("of", [shared, shared_by_sentences])
def test_white_space_is_kept(of):
    nlp = of()
    for text in ("", " ", "   ", "\n", " \n\t ", "\u3000\n"):
        assert nlp(text)._.translation == text
        assert translations(nlp, [text, "Eggs !", text]) == [text, "Des œufs !", text]
        assert nlp(f"{text}Eggs !{text}")._.translation == f"{text}Des œufs !{text}"


def test_white_space_around_pairs_is_not_learned():
    """A translation has the white space around its source."""

    def weights(before, after):
        nlp = make()
        pairs = zip(SOURCES, TARGETS, strict=True)
        texts = [[before + text + after for text in pair] for pair in pairs]
        train(nlp, [pair(nlp, *both) for both in texts], steps=2)
        return pipe_of(nlp).model.to_bytes()

    assert weights(" \n", "\t ") == weights("", "")


def test_sentence_by_sentence():
    nlp = shared_by_sentences()
    eggs, ham = "Eggs !", "She eats one ham ."
    french = dict(zip(SOURCES, TARGETS, strict=True))
    for pattern in ("{} {}", "{}\n{}", "{}  \n\n {}\n", "\n{}\n\n\n{} {}", " {} {} {} "):
        for order in ([eggs, ham, eggs], [ham, eggs, ham]):
            doc = nlp(pattern.format(*order))
            expected = pattern.format(*(french[text] for text in order))
            assert doc._.translation == expected, pattern


def test_sentences_are_translated_separately():
    """Unseen sentences are also translated separately, whatever else is in the batch."""
    nlp = shared_by_sentences()
    texts = ["They like ham.\nOne egg? I eat eggs !  She likes", "", "ham . \n\n ham . ham"]
    for doc in nlp.pipe(texts):
        expected = ""
        for sent in doc.sents:
            text = sent.text_with_ws
            core = text.strip()
            before, _, after = text.partition(core) if core else (text, "", "")
            (found,) = pipe_of(nlp).translate([core])
            expected += before + "".join(translation.text for translation in found) + after
        assert doc._.translation == expected


def test_sentence_starts_of_the_doc_are_used():
    nlp = shared()
    words = ["Eggs", "!", "She", "eats", "one", "ham", "."]
    doc = Doc(nlp.vocab, words=words, sent_starts=[1, 0, 1, 0, 0, 0, 0])
    assert nlp(doc)._.translation == "Des œufs ! Elle mange un seul jambon. "


# Search


def test_n_best_is_sorted_and_has_no_duplicates():
    pipe = pipe_of(shared())
    for n_best in (1, 3, 9):  # The beam is 3.
        for found in pipe.translate([*SOURCES[:2], "x Q"], n_best):
            assert 1 <= len(found) <= n_best
            scores = [translation.score for translation in found]
            assert scores == sorted(scores, reverse=True)
            assert len({t.text for t in found}) == len(found)
            assert all(t.log_probability <= t.score <= 0 for t in found)


def test_n_best_starts_with_the_best():
    pipe = pipe_of(shared())
    for few, many in zip(pipe.translate(TEXTS, 2), pipe.translate(TEXTS, 3), strict=True):
        assert [t.text for t in few] == [t.text for t in many[:2]]


def test_translate_nothing():
    pipe = pipe_of(shared())
    assert pipe.translate([]) == [] and pipe.translate([], 3) == []
    assert pipe.translate([""]) == [[]] and pipe.translate(["", ""], 3) == [[], []]
    first, second, third = pipe.translate(iter(["", SOURCES[0], ""]), 2)
    assert first == third == [] and len(second) == 2


def test_translate_one_text():
    with pytest.raises(ValueError, match="list"):
        pipe_of(shared()).translate(SOURCES[0])


@pytest.mark.parametrize("n_best", [0, -1])
def test_translate_no_translations(n_best):
    with pytest.raises(ValueError, match=f"n_best.*{n_best}"):
        pipe_of(shared()).translate(SOURCES, n_best)


@pytest.mark.parametrize("attention", ["general", "bahdanau"])
def test_attention_is_of_target_pieces_on_source_pieces(attention):
    nlp = shared()
    if attention != "general":
        nlp = make({"decoder": {"attention": attention}})
        train(nlp, make_examples(nlp), steps=10)
    source = features_of(nlp).source
    lengths = [len(pieces) for pieces in source.encode(TEXTS)]
    assert len(set(lengths)) > 3
    for length, found in zip(
        lengths, pipe_of(nlp).translate(TEXTS, 3, attention=True), strict=True
    ):
        for translation in found:
            weights = translation.attention
            assert weights.dtype == np.float32 and weights.shape[1] == length
            assert weights.min(initial=0.0) >= 0 and np.allclose(weights.sum(1), 1, atol=1e-5)
    (best,) = pipe_of(shared()).translate(SOURCES[:1], attention=True)[0]
    (pieces,) = features_of(shared()).target.encode(TARGETS[:1])
    # As many as the best pieces of the text, or more in another segmentation.
    assert len(pieces) <= len(best.attention) <= len(TARGETS[0]) + 1


def test_batches_change_nothing():
    other = pipe_of(make_trained(model={"batch_tokens": 40}))
    together, alone = (p.translate(TEXTS, 2, attention=True) for p in (pipe_of(shared()), other))
    for left, right in zip(together, alone, strict=True):
        assert [t.text for t in left] == [t.text for t in right]
        for a, b in zip(left, right, strict=True):
            assert a.score == pytest.approx(b.score, abs=1e-4)
            np.testing.assert_allclose(a.attention, b.attention, atol=1e-5)


@pytest.mark.parametrize(
    "setting, value",
    [
        ("beam", 0),
        ("length_penalty", -0.1),
        ("coverage_penalty", -1.0),
        ("min_ratio", -0.5),
        ("max_ratio", -2.0),
        ("no_repeat_ngram_size", -1),
        ("top_k", -1),
        ("seed", -1),
        ("temperature", 0.0),
        ("temperature", math.inf),
        ("top_p", 0.0),
    ],
)
def test_search_settings_out_of_range(setting, value):
    with pytest.raises(ValueError, match=f"'{setting}' must be .* got {value}"):
        Search(**{setting: value})


@pytest.mark.parametrize("setting", ["hidden_size", "depth", "recurrent_dropout"])
def test_decoder_settings_out_of_range(setting):
    with pytest.raises(ValueError, match=f"'{setting}'"):
        RNNDecoder(**{setting: -1})


def test_settings_of_the_config_out_of_range():
    for model, search in ((None, {"beam": 0}), ({"decoder": {"depth": 0}}, {})):
        with pytest.raises(ValueError, match="'(beam|depth)' must be"):
            make(model, search=search)


def test_search_can_be_changed_after_training(tmp_path):
    nlp = shared()
    nlp.to_disk(tmp_path)
    change = f"components.{NAME}.search"
    greedy = spacy.load(tmp_path, config={f"{change}.beam": 1})
    assert pipe_of(greedy).search.beam == 1 and pipe_of(nlp).search.beam == 3
    assert translations(greedy) == TARGETS
    # At most ten pieces.
    cut = spacy.load(tmp_path, config={f"{change}.max_ratio": 0.001})
    assert pipe_of(cut).cfg == pipe_of(nlp).cfg
    for short, long in zip(*(pipe_of(p).translate(SOURCES[:1]) for p in (cut, nlp)), strict=True):
        assert len(short[0].pieces) <= 10 < len(long[0].pieces)
    # The change is kept when the pipeline is saved again.
    cut.to_disk(tmp_path)
    assert pipe_of(spacy.load(tmp_path)).search == pipe_of(cut).search


def test_search_respects_its_settings():
    long = pipe_of(make_trained(search={"min_ratio": 3.0, "max_ratio": 3.0}))
    no_repeats = pipe_of(make_trained(search={"no_repeat_ngram_size": 1}))
    lengths = [len(pieces) for pieces in features_of(shared()).source.encode(SOURCES)]
    for length, found in zip(lengths, long.translate(SOURCES), strict=True):
        assert 3 * length <= len(found[0].pieces) <= 3 * length + 10
    for found in no_repeats.translate(SOURCES):
        letters = found[0].text.replace(" ", "")
        assert len(found[0].pieces) <= len(features_of(shared()).target) and letters


def test_coverage_penalty_lowers_scores():
    with_penalty = pipe_of(make_trained(search={"coverage_penalty": 0.2}))
    for left, right in zip(
        with_penalty.translate(SOURCES), pipe_of(shared()).translate(SOURCES), strict=True
    ):
        assert left[0].score <= right[0].score + 1e-5


# Vocabularies


def weights_of(nlp):
    return load_safetensors(pipe_of(nlp).shim.to_bytes())


EMBEDDINGS = {"source_embedding.weight", "target_embedding.weight", "output.weight"}


@pytest.mark.parametrize(
    "joint, tied, n_saved", [(True, True, 1), (True, False, 2), (False, True, 2), (False, False, 3)]
)
def test_weights_are_saved_once(joint, tied, n_saved, tmp_path):
    model = {**(JOINT if joint else {}), "tied": tied}
    search = {"beam": 1, "max_ratio": 0.5}
    nlp = make(model, search)
    train(nlp, make_examples(nlp), steps=3)
    assert len(EMBEDDINGS & set(weights_of(nlp))) == n_saved
    module = pipe_of(nlp).shim.module
    assert (module.source_embedding is module.target_embedding) == joint
    assert (module.output.weight is module.target_embedding.weight) == tied

    data, expected = pipe_of(nlp).model.to_bytes(), translations(nlp)
    copies = [load(make(model, search), nlp.to_bytes())]
    if joint and tied:
        nlp.to_disk(tmp_path)
        copies.append(spacy.load(tmp_path))
    for copied in copies:
        assert pipe_of(copied).model.to_bytes() == data
        assert translations(copied) == expected
        module = pipe_of(copied).shim.module
        assert (module.source_embedding is module.target_embedding) == joint
        assert (module.output.weight is module.target_embedding.weight) == tied


def test_joint_vocabulary():
    nlp = shared(joint=True)
    assert translations(nlp) == TARGETS
    features = features_of(nlp)
    assert features.joint and features.target is features.source
    assert {"œ", "g"} <= set("".join(features.source.pieces))


def test_separate_vocabularies():
    features = features_of(shared())
    assert not features.joint
    assert "œ" not in "".join(features.source.pieces)
    assert "œ" in "".join(features.target.pieces)


@pytest.mark.parametrize("joint", [False, True])
def test_saved_vocabularies_that_do_not_fit_the_config(joint):
    other = make(None if joint else JOINT)
    with pytest.raises(ValueError, match="config.cfg"):
        load(other, trained_bytes(joint))


@pytest.mark.parametrize("target_pieces", [{}, None])
def test_tied_weights_need_one_width(target_pieces):
    nlp = make({"embedding_size": 8, "target_pieces": target_pieces})
    with pytest.raises(ValueError, match=r"'tied'.*hidden_size.*16.*embedding_size.*8"):
        nlp.initialize(lambda: make_examples(nlp))
    nlp = make({"embedding_size": 8, "target_pieces": target_pieces, "tied": False})
    losses = train(nlp, make_examples(nlp), steps=2)
    assert math.isfinite(losses[NAME])


def test_a_vocabulary_larger_than_the_texts_allow_is_a_warning(caplog):
    nlp = make({"source_pieces": {"vocab_size": 8000}, "target_pieces": {"vocab_size": 8000}})
    train(nlp, make_examples(nlp), steps=1)
    assert len(warnings_of(caplog)) == 2
    assert all("vocab_size = 8000" in message for message in warnings_of(caplog))
    assert len(features_of(nlp).source) < 100


def test_initializing_again_learns_new_pieces():
    nlp = make()
    train(nlp, make_examples(nlp), steps=2)
    first = features_of(nlp).target.pieces
    other = [pair(nlp, *texts) for texts in zip(TARGETS, SOURCES, strict=True)]
    train(nlp, other, steps=40)
    assert features_of(nlp).target.pieces != first
    assert "œ" not in "".join(features_of(nlp).target.pieces)
    assert translations(nlp, TARGETS) == SOURCES


# Models from files


@pytest.fixture
def model_file(tmp_path):
    pieces = SubwordModel(70, "bpe")
    pieces.train([*SOURCES, *TARGETS])
    path = tmp_path / "bpe.model"
    path.write_bytes(pieces.to_bytes())
    return path


@pytest.mark.parametrize("joint", [False, True])
def test_model_from_a_file(joint, model_file, tmp_path):
    path = {"path": str(model_file)}
    nlp = make({"source_pieces": path, "target_pieces": None if joint else path}, {"beam": 1})
    train(nlp, make_examples(nlp), steps=15)
    for side in (features_of(nlp).source, features_of(nlp).target):
        assert side.to_bytes() == model_file.read_bytes()
    expected = translations(nlp, TEXTS)
    nlp.to_disk(tmp_path / "nlp")
    model_file.unlink()
    loaded = spacy.load(tmp_path / "nlp")
    assert translations(loaded, TEXTS) == expected
    assert math.isfinite(loaded.update(make_examples(loaded), sgd=loaded.resume_training())[NAME])
    load(loaded, nlp.to_bytes())
    assert translations(loaded, TEXTS) == expected
    assert loaded.config["components"][NAME]["model"]["source_pieces"]["path"] == str(model_file)


@pytest.mark.parametrize(
    "side, share", [("source_pieces", 0.0), ("target_pieces", 0.5), ("source_pieces", None)]
)
def test_damaged_model_file(side, share, model_file):
    data = model_file.read_bytes()
    model_file.write_bytes(b"no model\n" * 50 if share is None else data[: int(len(data) * share)])
    nlp = make({side: {"path": str(model_file)}})
    with pytest.raises(ValueError, match=f"(?s){model_file.name}.*(corrupt|lacks)"):
        nlp.initialize(lambda: make_examples(nlp))


def test_missing_model_file(tmp_path):
    nlp = make({"target_pieces": {"path": str(tmp_path / "none.model")}})
    with pytest.raises(FileNotFoundError, match="none.model.*Correct the path"):
        nlp.initialize(lambda: make_examples(nlp))


# Subword sampling


def with_alpha(alpha, side="target_pieces"):
    return make({side: {"alpha": alpha}})


def test_sampled_pieces_differ():
    nlp = with_alpha(0.01)
    nlp.initialize(lambda: make_examples(nlp))
    pipe = pipe_of(nlp)
    drawn = {tuple(pipe.get_targets(make_examples(nlp)).arrays["pieces"]) for _ in range(5)}
    assert len(drawn) > 1
    # All samples are of the same text.
    end, text = features_of(nlp).target.eos, " ".join(TARGETS)
    assert end in next(iter(drawn))
    assert {features_of(nlp).target.decode([pieces])[0].strip() for pieces in drawn} == {text}

    def seeded():
        spacy.util.fix_random_seed(7)
        return pipe.get_targets(make_examples(nlp)).arrays["pieces"].tolist()

    assert seeded() == seeded()
    # Prediction uses the best pieces.
    assert translations(nlp) == translations(nlp)


@pytest.mark.parametrize("side", ["source_pieces", "target_pieces"])
def test_sampling_depends_only_on_the_seed(side):
    def run(alpha):
        nlp = with_alpha(alpha, side)
        train(nlp, make_examples(nlp), steps=2)
        return pipe_of(nlp).model.to_bytes()

    assert run(0.01) == run(0.01)
    assert run(0.01) != run(None)


def test_sampling_of_a_joint_vocabulary():
    nlp = make({"source_pieces": {"alpha": 0.01}, **JOINT})
    nlp.initialize(lambda: make_examples(nlp))
    examples = make_examples(nlp)
    drawn = {tuple(pipe_of(nlp).get_targets(examples).arrays["pieces"]) for _ in range(5)}
    assert len(drawn) > 1


def test_sampling_with_a_negative_alpha():
    with pytest.raises(ValueError, match="'alpha' must be a number of at least 0"):
        with_alpha(-1.0)


def test_tokens_do_not_matter():
    """The source is the text, not its tokens."""
    nlp = shared()
    split = Doc(nlp.vocab, words=["Eg", "gs", " ", "!"], spaces=[False] * 4)
    assert nlp(split)._.translation == "Des œufs !"
    reference = make_doc(nlp.vocab, "Eggs !", translation="Des œufs !")
    losses = [
        nlp.update([Example(predicted, reference)], sgd=False)[NAME]
        for predicted in (nlp.make_doc("Eggs !"), split)
    ]
    assert losses[0] == losses[1]


def test_untied_weights_do_not_fit_a_tied_config():
    nlp = make_pipeline("rnn_translator", {"tied": False})
    train(nlp, make_examples(nlp), steps=1)
    with pytest.raises(ValueError, match="config.cfg"):
        make_pipeline("rnn_translator", {"tied": True}).from_bytes(nlp.to_bytes())


def test_a_translation_must_be_a_string():
    nlp = shared()
    reference = make_doc(nlp.vocab, "Eggs !", translation=5)
    with pytest.raises(
        ValueError, match=r"doc._.translation of the text 'Eggs ! ?': 5 is not a st"
    ):
        nlp.update([Example(nlp.make_doc("Eggs !"), reference)], sgd=False)
