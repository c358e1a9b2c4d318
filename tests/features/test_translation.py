"""Pieces of sources and targets: the decoder's input and targets, and saving."""

import io
import json

import numpy as np
import pytest
from sentencepiece import SentencePieceTrainer

from spacy_rnn.features.subword_training import BOS, EOS, PAD
from spacy_rnn.features.subwords import SubwordModel
from spacy_rnn.features.translation import TranslationVocabularies

ENGLISH = ["green eggs", "one ham", "eggs and ham"]
FRENCH = ["des œufs verts", "un jambon", "des œufs et du jambon"]


def trained(texts):
    pieces = SubwordModel(100, "char")
    pieces.train(texts)
    return pieces


def make(joint=False):
    if joint:
        return TranslationVocabularies(trained(ENGLISH + FRENCH))
    return TranslationVocabularies(trained(ENGLISH), trained(FRENCH))


def empty(joint=False):
    return TranslationVocabularies(SubwordModel(), None if joint else SubwordModel())


def ids(*rows):
    return [np.array(row, dtype="int64") for row in rows]


def check(features, targets, decoder_input, valid_positions, decoder_target):
    found = features.decoder_arrays(targets)
    for array, expected in zip(
        found, (decoder_input, valid_positions, decoder_target), strict=True
    ):
        assert array.dtype == np.int64
        assert array.tolist() == expected


both = pytest.mark.parametrize("joint", [False, True])


@both
def test_teacher_forcing(joint):
    check(
        make(joint),
        ids([7, 8, 9], [5], [6, 7]),
        decoder_input=[[BOS, 7, 8, 9], [BOS, 5, PAD, PAD], [BOS, 6, 7, PAD]],
        valid_positions=[0, 1, 2, 3, 4, 5, 8, 9, 10],
        decoder_target=[7, 8, 9, EOS, 5, EOS, 6, 7, EOS],
    )


@both
def test_teacher_forcing_of_empty_targets(joint):
    features = make(joint)
    check(features, ids([]), decoder_input=[[BOS]], valid_positions=[0], decoder_target=[EOS])
    check(
        features,
        ids([], []),
        decoder_input=[[BOS], [BOS]],
        valid_positions=[0, 1],
        decoder_target=[EOS, EOS],
    )
    check(
        features,
        ids([], [5, 6], []),
        decoder_input=[[BOS, PAD, PAD], [BOS, 5, 6], [BOS, PAD, PAD]],
        valid_positions=[0, 3, 4, 5, 6],
        decoder_target=[EOS, 5, 6, EOS, EOS],
    )


def test_control_pieces_inside_a_target_are_not_padding():
    check(
        make(),
        ids([PAD, 5], [BOS, EOS, PAD]),
        decoder_input=[[BOS, PAD, 5, PAD], [BOS, BOS, EOS, PAD]],
        valid_positions=[0, 1, 2, 4, 5, 6, 7],
        decoder_target=[PAD, 5, EOS, BOS, EOS, PAD, EOS],
    )


def test_control_pieces_are_those_of_the_target():
    proto = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(FRENCH),
        model_writer=proto,
        model_type="char",
        vocab_size=30,
        hard_vocab_limit=False,
        minloglevel=2,
        pad_id=3,
        unk_id=0,
        bos_id=1,
        eos_id=2,
    )
    target = SubwordModel()
    target.from_bytes(proto.getvalue())
    check(
        TranslationVocabularies(trained(ENGLISH), target),
        ids([7], []),
        decoder_input=[[1, 7], [1, 3]],
        valid_positions=[0, 1, 2],
        decoder_target=[7, 2, 2],
    )


@both
def test_valid_positions_give_the_piece_before_each_target(joint):
    features = make(joint)
    targets = features.target.encode([*FRENCH, "", "œ"])
    found = features.decoder_arrays(targets)
    read, after = found.decoder_input.flatten()[found.valid_positions], found.decoder_target
    starts = np.flatnonzero(read == BOS)
    assert len(starts) == len(targets) and (after[starts[1:] - 1] == EOS).all()
    inside = read != BOS
    assert (read[inside] == after[:-1][inside[1:]]).all()
    assert np.setdiff1d(found.decoder_input.flatten(), read).tolist() == [PAD]


def test_joint():
    source, target = trained(ENGLISH), trained(FRENCH)
    together, apart = TranslationVocabularies(source), TranslationVocabularies(source, target)
    assert together.joint and together.target is together.source is source
    assert not apart.joint and apart.target is target and apart.source is source
    # Two models with the same vocabulary are still separate.
    assert not TranslationVocabularies(source, trained(ENGLISH)).joint


@both
def test_saved_as_json(joint):
    features = make(joint)
    state = json.loads(json.dumps(features.to_dict()))
    assert set(state) == ({"source"} if joint else {"source", "target"})
    loaded = empty(joint)
    loaded.from_dict(state)
    assert loaded.joint == joint and loaded.to_dict() == features.to_dict()
    assert (loaded.target is loaded.source) == joint
    for name in ("source", "target"):
        left, right = getattr(loaded, name), getattr(features, name)
        assert left.pieces == right.pieces
        for a, b in zip(left.encode(ENGLISH + FRENCH), right.encode(ENGLISH + FRENCH), strict=True):
            assert a.tolist() == b.tolist()


@both
def test_saved_without_models(joint):
    loaded = make(joint)
    loaded.from_dict(json.loads(json.dumps(empty(joint).to_dict())))
    assert len(loaded.source) == len(loaded.target) == 0


@both
def test_joint_and_separate_vocabularies_do_not_load_each_other(joint):
    features = make(joint)
    before = features.to_dict()
    with pytest.raises(KeyError, match="target"):
        features.from_dict(make(not joint).to_dict())
    assert features.to_dict() == before
