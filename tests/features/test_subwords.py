"""Pieces of words: training, encoding and decoding, offsets, saving."""

import copy
import functools
import io
import itertools
import logging
import pickle
import random
import re
import subprocess
import sys
import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from spacy_rnn.features.subword_training import BOS, EOS, PAD, UNK
from spacy_rnn.features.subwords import MODEL_TYPES, SubwordModel

WORDS = "the cat sat on a mat and then that dog ran to its house, it was there all day."
#: characters of one to four bytes, some of which are special to SentencePiece or to Unicode
STRANGE = (
    "\t\n\r\x01\x0b\x1f\x85\xa0\xad\u0301\u2028\u2585\u3000\ue000\ufeff\ufffd\ufffe\U0010ffff"
    "éßİ日本ｱﬁ㍿😀𝔘"
)
MARKUP = ["<s>", "</s>", "<pad>", "<unk>", "<0x41>", "a<s>b"]
TEXTS = [
    *(" ".join(words) for words in itertools.permutations(WORDS.split()[:4])),
    *(WORDS[i:] for i in range(0, len(WORDS), 3)),
    *(f"a{character}b {character} c" for character in STRANGE),
    *MARKUP,
]
ALPHABET = sorted(set("".join(TEXTS)))
SEEN = st.lists(
    st.one_of(
        st.sampled_from(ALPHABET), st.sampled_from([" ", "  ", "\n", *WORDS.split(), *MARKUP])
    ),
    max_size=30,
).map("".join)
ANY_KIND = pytest.mark.parametrize("kind", MODEL_TYPES)


@functools.cache
def trained(kind, byte_fallback=False):
    pieces = SubwordModel(
        {"char": 400}.get(kind, 120) + 256 * byte_fallback, kind, 1.0, byte_fallback
    )
    pieces.train(TEXTS)
    return pieces


def train_elsewhere(texts=TEXTS, **options):
    """The bytes of a model that sentencepiece trains with its own defaults."""
    proto = io.BytesIO()
    options = {"vocab_size": 60, "pad_id": 0, "unk_id": 1, "bos_id": 2, "eos_id": 3, **options}
    SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=proto, minloglevel=2, **options
    )
    return proto.getvalue()


@functools.cache
def normalizing():
    """A model with normalization and other ids."""
    pieces = SubwordModel()
    pieces.from_bytes(train_elsewhere(unk_id=0, bos_id=3, eos_id=1, pad_id=2))
    return pieces


def assert_same_ids(actual, expected):
    assert [ids.tolist() for ids in actual] == [list(ids) for ids in expected]


# Text and back


@ANY_KIND
@given(texts=st.lists(SEEN, max_size=3))
@settings(max_examples=150)
def test_seen_characters_are_decoded_unchanged(kind, texts):
    pieces = trained(kind)
    encoded = pieces.encode(texts)
    assert pieces.decode(encoded) == texts
    assert all(ids.dtype == np.int64 and ids.ndim == 1 for ids in encoded)
    assert not np.isin(np.concatenate([*encoded, []]), [0, 1, 2, 3]).any()


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\u2581")))
@settings(max_examples=100)
def test_with_byte_fallback_all_characters_are_decoded_unchanged(kind, text):
    pieces = trained(kind, byte_fallback=True)
    assert pieces.decode(pieces.encode([text])) == [text]


@ANY_KIND
@given(texts=st.lists(st.text(min_size=1), min_size=1, max_size=4))
@settings(max_examples=25)
def test_training_texts_are_decoded_unchanged(kind, texts):
    """Texts of any characters, except for the two that are documented."""
    assume(any(character.isalnum() for character in "".join(texts)))
    pieces = SubwordModel(1000, kind)
    pieces.train(texts)
    expected = [text.replace("\0", "").replace("\u2581", " ") for text in texts]
    assert pieces.decode(pieces.encode([t.replace("\0", "") for t in texts])) == expected


def test_the_documented_characters_that_are_lost():
    pieces = trained("unigram")
    assert pieces.decode(pieces.encode(["the\u2581cat"])) == ["the cat"]
    assert pieces.decode(pieces.encode(["the\0cat"])) == ["the ⁇ cat"]


@ANY_KIND
def test_encoding_equals_that_of_sentencepiece(kind):
    pieces = trained(kind)
    oracle = SentencePieceProcessor(model_proto=pieces.to_bytes())
    assert_same_ids(pieces.encode(TEXTS), [oracle.encode(text) for text in TEXTS])
    assert list(pieces.pieces) == [oracle.id_to_piece(i) for i in range(len(oracle))]
    assert len(pieces) == len(oracle) == len(set(pieces.pieces))


@ANY_KIND
def test_no_texts_and_empty_texts(kind):
    pieces = trained(kind)
    assert pieces.encode([]) == pieces.sample([], 0.1, 0) == pieces.decode([]) == []
    assert [ids.shape for ids in pieces.encode(["", ""])] == [(0,), (0,)]
    assert pieces.decode([[], np.zeros(0, dtype="int64")]) == ["", ""]


@ANY_KIND
def test_control_pieces_are_left_out_of_texts(kind):
    pieces = trained(kind)
    ids = pieces.encode(["the cat"])[0].tolist()
    padded = [pieces.bos, pieces.pad, *ids[:1], pieces.pad, *ids[1:], pieces.eos, pieces.pad]
    assert pieces.decode([padded, np.array(padded, dtype="int32"), [0, 2, 3]]) == [
        "the cat",
        "the cat",
        "",
    ]


@ANY_KIND
@given(text=st.lists(st.one_of(SEEN, st.just("Ω"))).map("".join))
@settings(max_examples=50)
def test_unknown_characters_are_decoded_as_requested(kind, text):
    pieces = trained(kind)
    ids = pieces.encode([text])
    assert (ids[0] == pieces.unk).any() == ("Ω" in text)
    for unknown in ["", "?", "<unk>", "a", "\u2581", "日😀"]:
        n_unknown = int((ids[0] == pieces.unk).sum())
        written = pieces.decode_with(ids[0], [unknown] * n_unknown)
        assert written == re.sub("Ω+", unknown, text)  # a run of them is one piece
        numbers = [str(i) for i in range(n_unknown)]
        between = re.split("Ω+", text)
        expected = between[0] + "".join(map("".join, zip(numbers, between[1:], strict=True)))
        assert pieces.decode_with(ids[0], numbers) == expected
    assert [pieces.decode_with(ids[0], [" ⁇ "] * n_unknown)] == pieces.decode(ids)


def test_ids_of_another_vocabulary_are_an_error():
    pieces = trained("char")
    for wrong in [len(pieces), -1, 2**40]:
        with pytest.raises(ValueError, match=f"{wrong} is not an id"):
            pieces.decode([[5, wrong]])


def test_one_text_or_half_a_character_is_an_error():
    pieces = trained("char")
    for use in [pieces.encode, SubwordModel().train, lambda text: pieces.sample(text, 0.1)]:
        with pytest.raises(ValueError, match="Put it into a list"):
            use("the cat")
        with pytest.raises(ValueError, match="Text 1: .*half of a surrogate pair"):
            use(["the \ud800 cat"])


# Offsets


@ANY_KIND
@pytest.mark.parametrize("byte_fallback", [False, True])
@given(text=st.one_of(SEEN, st.text(), st.text("a Ωé😀\n\0")))
@settings(max_examples=60)
def test_offsets_tile_the_text(kind, byte_fallback, text):
    pieces = trained(kind, byte_fallback)
    ids, starts, ends = pieces.offsets(text)
    assert ids.dtype == starts.dtype == ends.dtype == np.int64
    assert_same_ids([ids], pieces.encode([text]))
    assert [0, *ends] == [*starts, len(text)]
    for piece, start, end in zip(ids, starts, ends, strict=True):
        covered = text[start:end].replace(" ", "\u2581")
        if piece != pieces.unk and not pieces.pieces[piece].startswith("<0x"):
            assert pieces.pieces[piece].removeprefix("\u2581" if start == 0 else "") in (
                covered,
                covered.removeprefix("\u2581"),
            )


def test_offsets_by_hand():
    pieces = trained("char")
    ids, starts, ends = pieces.offsets("é😀 \U0001f680\U0001f680\n")
    assert [pieces.pieces[i] for i in ids] == ["▁", "é", "😀", "▁", "<unk>", "\n"]
    assert starts.tolist() == [0, 0, 1, 2, 3, 5]
    assert ends.tolist() == [0, 1, 2, 3, 5, 6]
    assert [array.tolist() for array in pieces.offsets("")] == [[], [], []]


@given(text=st.one_of(SEEN, st.text(), st.text("a ﬁ㍿é\u0301\xad\u200bｶﾞ")))
@settings(max_examples=100)
def test_offsets_if_the_model_normalizes(text):
    """Characters that are dropped may be missing; all others are in order."""
    pieces = normalizing()
    ids, starts, ends = pieces.offsets(text)
    assert_same_ids([ids], pieces.encode([text]))
    edges = np.stack([starts, ends], axis=1).reshape(-1)
    assert (np.diff(edges) >= 0).all()
    assert ((edges >= 0) & (edges <= len(text))).all()
    covered = {i for start, end in zip(starts, ends, strict=True) for i in range(start, end)}
    assert covered.issuperset(i for i, character in enumerate(text) if character.isalnum())


def test_offsets_if_one_character_becomes_four():
    """Of the pieces that begin within the character, the last one covers all of it, and the others
    cover nothing."""
    pieces = SubwordModel()
    pieces.from_bytes(train_elsewhere(["株 式 会 社 a"], model_type="char", vocab_size=10))
    ids, starts, ends = pieces.offsets("a㍿a")
    assert [pieces.pieces[i] for i in ids] == list("▁a株式会社a")
    assert starts.tolist() == [0, 0, 1, 1, 1, 1, 2]
    assert ends.tolist() == [0, 1, 1, 1, 1, 2, 3]


# Sampling


@ANY_KIND
@given(texts=st.lists(SEEN, max_size=3), alpha=st.floats(0, 1), seed=st.integers(0, 99))
@settings(max_examples=25)
def test_samples_are_spellings_of_their_text(kind, texts, alpha, seed):
    pieces = trained(kind)
    sampled = pieces.sample(texts, alpha, seed)
    assert pieces.decode(sampled) == texts
    assert all(ids.dtype == np.int64 for ids in sampled)
    assert_same_ids(pieces.sample(texts, alpha, seed), sampled)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_samples_differ_and_a_seed_repeats_them(kind):
    pieces = trained(kind)
    texts = [WORDS] * 3
    first, second = pieces.sample(texts, 0.3, 1), pieces.sample(texts, 0.3, 2)
    assert len({tuple(ids) for ids in first + second}) == 6
    assert_same_ids(pieces.sample(texts, 0.3, 1), first)
    rng, same = np.random.default_rng(1), np.random.default_rng(1)
    drawn = [pieces.sample(texts, 0.3, rng) for _ in range(2)]
    assert drawn[0][0].tolist() != drawn[1][0].tolist()
    for sampled in drawn:
        assert_same_ids(pieces.sample(texts, 0.3, same), sampled)
    assert len({tuple(pieces.sample(texts, 0.3)[0]) for _ in range(4)}) > 1  # without a seed


def test_bpe_omits_no_merges_or_all_merges():
    pieces = trained("bpe")
    assert_same_ids(pieces.sample(TEXTS, 0.0, 0), pieces.encode(TEXTS))
    spelled = pieces.sample([WORDS], 1.0, 0)[0]
    assert [pieces.pieces[i] for i in spelled] == list("▁" + WORDS.replace(" ", "▁"))


def test_characters_have_one_spelling():
    assert_same_ids(trained("char").sample(TEXTS, 0.5, 0), trained("char").encode(TEXTS))


@pytest.mark.parametrize("alpha", [0.0, 0.2, 1.0])
def test_unigram_samples_follow_their_probabilities(alpha):
    """Compared with all segmentations of a text, weighted by their probability to the power of
    alpha."""
    pieces = SubwordModel(14)
    pieces.train(["abab ab abb", "ab abab aab ba", "aba bab"] * 3)
    oracle = SentencePieceProcessor(model_proto=pieces.to_bytes())
    ids = {piece: i for i, piece in enumerate(pieces.pieces) if i > 3}

    def segmentations(text):
        if not text:
            yield ()
        for end in range(1, len(text) + 1):
            if text[:end] in ids:
                yield from ((ids[text[:end]], *rest) for rest in segmentations(text[end:]))

    expected = {
        way: np.exp(alpha * sum(oracle.get_score(i) for i in way))
        for way in segmentations("▁abab▁ab")
    }
    assert len(expected) > 10
    total, n = sum(expected.values()), 4000
    counts = Counter(tuple(way.tolist()) for way in pieces.sample(["abab ab"] * n, alpha, 0))
    assert counts.keys() <= expected.keys()
    means = {way: n * weight / total for way, weight in expected.items()}
    often = {way: mean for way, mean in means.items() if mean >= 10}
    found = [counts[way] for way in often] + [sum(counts[w] for w in means if w not in often)]
    # Each of the rare segmentations may occur by chance, but not all of them together.
    wanted = [*often.values(), sum(mean for w, mean in means.items() if w not in often)]
    assert len(often) > 5
    np.testing.assert_array_less(np.abs(np.subtract(found, wanted)), 6 * np.sqrt(wanted) + 1)


@pytest.mark.parametrize("alpha", [0.1, 0.6])
@pytest.mark.parametrize("byte_fallback", [False, True])
@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_samples_are_distributed_as_those_of_sentencepiece(kind, byte_fallback, alpha):
    """With unknown characters, an additional space, and pieces that are never split."""
    proto = train_elsewhere(
        ["abab ab abb", "ab abab aab ba", "aba bab"] * 3,
        model_type=kind,
        vocab_size=20 + 256 * byte_fallback,
        byte_fallback=byte_fallback,
        user_defined_symbols=["<b>", "ba<"],
        hard_vocab_limit=False,
        remove_extra_whitespaces=False,
    )
    pieces = SubwordModel()
    pieces.from_bytes(proto)
    oracle = SentencePieceProcessor(model_proto=proto)
    text, n = "aba  ba<b>üxab", 3000
    options = {"enable_sampling": True, "nbest_size": -1, "alpha": alpha}
    theirs = Counter(tuple(oracle.encode(text, **options)) for _ in range(n))
    ours = Counter(tuple(way.tolist()) for way in pieces.sample([text] * n, alpha, 0))
    assert len(theirs) > 3
    for way in {*theirs, *ours}:
        a, b = ours[way], theirs[way]
        assert abs(a - b) <= 6 * np.sqrt(a + b) + 1, (way, a, b)


def test_another_process_samples_the_same():
    program = (
        "import sys; from spacy_rnn.features.subwords import SubwordModel; m = SubwordModel(); "
        "m.from_bytes(sys.stdin.buffer.read()); "
        f"print([ids.tolist() for ids in m.sample([{WORDS!r}], 0.3, 5)])"
    )
    for kind in ("unigram", "bpe"):
        found = subprocess.run(
            [sys.executable, "-c", program],
            input=trained(kind).to_bytes(),
            capture_output=True,
            check=True,
        )
        expected = [ids.tolist() for ids in trained(kind).sample([WORDS], 0.3, 5)]
        assert found.stdout.decode().strip() == str(expected)


@pytest.mark.parametrize(
    ("kind", "alpha"),
    [("unigram", -0.1), ("unigram", float("nan")), ("unigram", float("inf")), ("bpe", 1.1)],
)
def test_an_alpha_out_of_range_is_an_error(kind, alpha):
    with pytest.raises(ValueError, match=f"alpha = {alpha}.* Try 0"):
        trained(kind).sample(["a"], alpha, 0)


# Training


@ANY_KIND
def test_the_same_texts_give_the_same_bytes(kind):
    again = SubwordModel(trained(kind).vocab_size, kind)
    again.train(text for text in TEXTS)
    assert again.to_bytes() == trained(kind).to_bytes()


@pytest.mark.slow
def test_another_process_gives_the_same_bytes():
    texts = [WORDS, "a\nb"]
    pieces = SubwordModel(60)
    pieces.train(texts)
    program = (
        "import sys; from spacy_rnn.features.subwords import SubwordModel; p = SubwordModel(60); "
        f"p.train({texts!r}); sys.stdout.buffer.write(p.to_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == pieces.to_bytes()


@ANY_KIND
def test_ids_of_control_pieces(kind):
    pieces = trained(kind)
    assert (pieces.pad, pieces.unk, pieces.bos, pieces.eos) == (0, 1, 2, 3)
    assert (PAD, UNK, BOS, EOS) == (0, 1, 2, 3)
    assert pieces.pieces[:4] == ("<pad>", "<unk>", "<s>", "</s>")


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_vocabulary_of_the_wanted_size_needs_no_warning(kind, caplog):
    pieces = SubwordModel(25, kind)
    pieces.train([WORDS])
    assert len(pieces) == 25 and not caplog.records


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_vocabulary_size_larger_than_the_texts_allow(kind, caplog):
    pieces = SubwordModel(5000, kind)
    pieces.train(["the cat", "the dog"])
    assert 11 < len(pieces) < 40
    assert f"has {len(pieces)} pieces instead of vocab_size = 5000" in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert pieces.decode(pieces.encode(["the god act"])) == ["the god act"]


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_vocabulary_smaller_than_the_alphabet_is_an_error(kind):
    """Four control pieces, ten letters and the blank."""
    with pytest.raises(ValueError, match="vocab_size = 14 is too small.* 15 pieces"):
        SubwordModel(14, kind).train(["abc defg", "hij"])
    SubwordModel(15, kind).train(["abc defg", "hij"])


def test_the_most_frequent_characters_are_kept():
    pieces = SubwordModel(7, "char")
    pieces.train(["aaa bb c"])
    assert pieces.pieces[4:] == ("a", "▁", "b")


def test_character_coverage():
    pieces = SubwordModel(100, "char", character_coverage=0.98)
    pieces.train(["abab " * 100 + "xyz"])
    assert set(pieces.pieces[4:]) == {"a", "b", "▁"}
    assert pieces.decode(pieces.encode(["abx"])) == ["ab ⁇ "]


@pytest.mark.parametrize("texts", [[], [""], ["", "  ", "\n\t\0"], iter([])])
def test_nothing_to_train_on_is_an_error(texts):
    pieces = SubwordModel()
    with pytest.raises(ValueError, match="no text to train .* corpus is not empty"):
        pieces.train(texts)
    assert len(pieces) == 0


@pytest.mark.parametrize("blank", [" ", "", "\n"])
@ANY_KIND
def test_long_lines_are_not_left_out(kind, blank):
    """The characters of one line, in which each character is repeated many times."""
    alphabet = "aé日😀" + "".join(map(chr, range(0x4E00, 0x4E0A)))
    text = blank.join(character * 1500 for character in alphabet)
    pieces = SubwordModel(100, kind)
    pieces.train([text])
    assert set(alphabet) <= set("".join(pieces.pieces))
    assert pieces.decode(pieces.encode([text])) == [text]


def test_words_of_long_lines_are_whole():
    """A long line is only cut between words."""
    choose = random.Random(0)
    words = ["".join(choose.choices("abc", k=choose.randint(1, 6))) for _ in range(3000)]
    one, many = SubwordModel(100, "bpe"), SubwordModel(100, "bpe")
    one.train([" ".join(words)])
    many.train(words)
    assert one.pieces == many.pieces


def test_training_is_silent(capfd):
    for kind in MODEL_TYPES:
        pieces = SubwordModel(60, kind)
        pieces.train([WORDS, "a\0b", "▅", "x" * 10_000])
        pieces.sample([WORDS], 0.1, 0)
    with pytest.raises(ValueError):
        SubwordModel(5).train([WORDS])
    with pytest.raises(ValueError):
        SubwordModel().from_bytes(b"garbage")
    assert capfd.readouterr() == ("", "")


def test_an_error_of_the_texts_is_raised():
    def texts():
        yield "the cat"
        raise OSError("the disk is gone")

    pieces = copy.copy(trained("char"))
    with pytest.raises(OSError, match="disk"):
        pieces.train(texts())
    assert pieces.decode(pieces.encode(["the cat"])) == ["the cat"]  # the old model is still there


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model_type": "word"}, "not one of unigram, bpe, char"),
        ({"vocab_size": 4}, "no room"),
        ({"character_coverage": 0.97}, "from 0.98"),
        ({"character_coverage": 1.1}, "to 1"),
        ({"character_coverage": float("nan")}, "to 1"),
    ],
)
def test_wrong_arguments_are_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        SubwordModel(**arguments)


# Files and copies


@ANY_KIND
def test_saved_pieces_are_the_same(kind, tmp_path):
    pieces = trained(kind)
    path = tmp_path / "pieces.model"
    path.write_bytes(pieces.to_bytes())
    loaded, read = SubwordModel(), SubwordModel()
    loaded.load(path)
    read.from_bytes(pieces.to_bytes())
    for same in [loaded, read, copy.deepcopy(pieces), pickle.loads(pickle.dumps(pieces))]:
        assert same.to_bytes() == pieces.to_bytes()
        assert same.pieces == pieces.pieces
        assert_same_ids(same.encode(TEXTS), pieces.encode(TEXTS))
        assert_same_ids(same.sample(TEXTS, 0.3, 5), pieces.sample(TEXTS, 0.3, 5))
    loaded.load(str(path))


def test_without_a_model():
    pieces = SubwordModel(50, "bpe", 0.99, True)
    for same in [copy.deepcopy(pieces), pickle.loads(pickle.dumps(pieces))]:
        assert vars(same) == vars(pieces)
        assert len(same) == 0 and same.to_bytes() == b""
        for use in [lambda p: p.pad, lambda p: p.pieces, lambda p: p.encode(["a"])]:
            with pytest.raises(ValueError, match="no SentencePiece model yet"):
                use(same)
    again = copy.deepcopy(trained("char"))
    again.from_bytes(b"")
    assert len(again) == 0


def test_models_from_elsewhere_may_have_other_ids():
    pieces = normalizing()
    assert (pieces.unk, pieces.eos, pieces.pad, pieces.bos) == (0, 1, 2, 3)
    assert pieces.decode([[2, 3, *pieces.encode(["the cat"])[0], 1]]) == ["the cat"]
    assert [pieces.decode_with(ids, ["?"]) for ids in ([0], [3, 0, 2, 1])] == ["?", "?"]


def test_words_have_one_spelling():
    pieces = SubwordModel()
    pieces.from_bytes(train_elsewhere(model_type="word", vocab_size=15, hard_vocab_limit=False))
    assert_same_ids(pieces.sample(["the cat"], 0.1, 0), pieces.encode(["the cat"]))


def test_models_without_control_pieces_are_an_error(tmp_path):
    path = tmp_path / "plain.model"
    for options, message in [
        ({"pad_id": -1}, "pad_id = -1, unk_id = 1"),
        ({"bos_id": -1, "eos_id": 2}, "bos_id = -1"),
        ({"eos_id": -1}, "eos_id = -1"),
    ]:
        path.write_bytes(train_elsewhere(**options))
        with pytest.raises(ValueError, match=f"plain.model lacks .*{message}.* --pad_id=0"):
            SubwordModel().load(path)


@pytest.mark.parametrize("path", [".", "missing.model"])
def test_a_missing_file_is_an_error(path, tmp_path):
    with pytest.raises(FileNotFoundError, match="Correct the path"):
        SubwordModel().load(tmp_path / path)


def test_corrupt_models_are_errors(tmp_path):
    proto = trained("char").to_bytes()
    path = tmp_path / "corrupt.model"
    pieces = copy.deepcopy(trained("unigram"))
    name = "▅".encode()
    damaged = [proto[:size] for size in range(1, len(proto), 7)]
    damaged += [b"garbage", b"\0" * 50, proto + b"\1", proto.replace(name, b"\xff" * 3)]
    for data in damaged:
        with pytest.raises(ValueError, match="is corrupt.* Train it again or copy the file again"):
            pieces.from_bytes(data)
    for data in [b"", proto[:-1]]:
        path.write_bytes(data)
        with pytest.raises(ValueError, match="corrupt.model is corrupt"):
            pieces.load(path)
    assert_same_ids(pieces.encode([WORDS]), trained("unigram").encode([WORDS]))


def test_threads_get_the_right_pieces():
    pieces = {kind: trained(kind) for kind in MODEL_TYPES}
    encoded = {kind: pieces[kind].encode(TEXTS) for kind in MODEL_TYPES}
    sampled = {
        (kind, seed): pieces[kind].sample(TEXTS, 0.3, seed)
        for kind in MODEL_TYPES
        for seed in (0, 1)
    }
    failures = []

    def hammer(seed):
        try:
            for kind in MODEL_TYPES * 3:
                assert_same_ids(pieces[kind].encode(TEXTS), encoded[kind])
                assert pieces[kind].decode(encoded[kind]) == TEXTS
                actual = pieces[kind].sample(TEXTS, 0.3, seed)
                assert_same_ids(actual, sampled[kind, seed])
        except BaseException as error:  # an error in a thread would not fail the test
            failures.append(error)

    threads = [threading.Thread(target=hammer, args=(i % 2,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
