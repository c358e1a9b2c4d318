"""Pretrained vectors in the embedding of components."""

import logging
import pickle
import re
import sys

import numpy as np
import pytest
import spacy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.vectors import Vectors

from spacy_rnn.config.vectors import TorchtextVectors, VectorFile
from spacy_rnn.runtime.optimizer import make_adamw

from ..helpers.kinds import KINDS, TOKEN_KINDS
from ..helpers.pipelines import SENTENCES, make_examples, make_pipeline, train
from ..helpers.slow import slow_but

over_token_kinds = pytest.mark.parametrize("factory", slow_but(["rnn_textcat"], TOKEN_KINDS))

TEXTS = [sentence[0] for sentence in SENTENCES]
TRAINED = {word.lower() for text in TEXTS for word in text.split()} - {".", "!"}
#: "plums" is in no training text, and has the vector of "eggs"; "." and "!" have none
WORDS = [*sorted(TRAINED), "plums"]
WIDTH = 6
TABLE = np.random.default_rng(0).normal(size=(len(WORDS), WIDTH)).astype("float32")
TABLE[-1] = TABLE[WORDS.index("eggs")]


def write(path):
    rows = zip(WORDS, TABLE.tolist(), strict=True)
    path.write_text("".join(f"{word} {' '.join(map(repr, row))}\n" for word, row in rows))
    return path


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "vectors.txt")


def with_vectors(factory, source=None, trained=False):
    """A pipeline whose embedding has only vectors."""
    part = {"@architectures": "spacy_rnn.VectorEmbedding.v1", "source": source, "trained": trained}
    embedding = {"words": None, "characters": None, "vectors": part}
    return make_pipeline(factory, {"embedding": embedding})


def of_file(path, **settings):
    return {"@architectures": "spacy_rnn.VectorFile.v1", "path": str(path), **settings}


def part_of(nlp):
    """The feature and the module of the vectors."""
    (name,) = nlp.component_names
    shim = nlp.get_pipe(name).shim
    return shim.features.parts[0], shim.module.embedding.parts["vectors"]


def outputs_of(kind, nlp, texts):
    return kind.output(nlp, [Doc(nlp.vocab, words=text.split()) for text in texts])


def same(left, right, tolerance=1e-6):
    for one, other in zip(left, right, strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance)


# Vectors that are a part of the model


@pytest.mark.parametrize("trained", [False, True])
@over_token_kinds
def test_components_learn_with_a_file_and_do_not_need_it_later(
    factory, trained, path, tmp_path, device
):
    kind = KINDS[factory]
    nlp = with_vectors(factory, of_file(path), trained)
    examples = make_examples(nlp)
    train(nlp, examples, steps=80)
    assert kind.fits(nlp, examples)
    texts = [*TEXTS, "I like plums"]
    expected = outputs_of(kind, nlp, texts)
    nlp.to_disk(tmp_path / "nlp")
    path.unlink()
    from_bytes = with_vectors(factory, of_file(path), trained).from_bytes(nlp.to_bytes())
    for loaded in [spacy.load(tmp_path / "nlp"), from_bytes, pickle.loads(pickle.dumps(nlp))]:
        same(outputs_of(kind, loaded, texts), expected)
        feature, module = part_of(loaded)
        assert feature.coverage == part_of(nlp)[0].coverage
        assert module.table.weight.requires_grad == trained
        losses = loaded.update(make_examples(loaded), sgd=loaded.resume_training())
        assert np.isfinite(losses[factory])


@over_token_kinds
def test_a_word_outside_the_training_data_finds_its_vector(factory, path):
    """Words with equal vectors have equal predictions; unknown words have another vector."""
    kind = KINDS[factory]
    nlp = with_vectors(factory, of_file(path))
    train(nlp, make_examples(nlp), steps=5)
    words = ["eggs", "plums", "Plums", "PLUMS", ".", "zebras"]
    eggs, *plums, unknown, zebras = outputs_of(kind, nlp, [f"I like {word}" for word in words])
    same(plums, [eggs] * 3)
    same([zebras], [unknown])
    assert np.abs(zebras - eggs).max() > 1e-4


@pytest.mark.parametrize("extra_words, n", [(0, 0), (1, 1), (2, 2), (None, 3)])
def test_extra_words_are_the_first_of_the_file(extra_words, n, path):
    """Words of the training data are read wherever they are in the file."""
    extra = ["zebras", "lions", "bears"]
    path.write_text("".join(f"{word}{' 1' * WIDTH}\n" for word in extra) + path.read_text())
    nlp = with_vectors("rnn_tagger", of_file(path, extra_words=extra_words))
    nlp.initialize(lambda: make_examples(nlp))
    feature, module = part_of(nlp)
    found = feature.arrays([*extra, "eggs"], nlp.vocab)["vectors_lengths"]
    assert found.tolist() == [1] * n + [0] * (3 - n) + [1]
    expected = n + len(TRAINED) + (extra_words is None)
    assert len(module.table.weight) == feature.shape[0] == expected


def test_a_frozen_table_does_not_change_and_the_unknown_vector_is_trained(path):
    """The optimizer has no state for the table either."""
    nlp = with_vectors("rnn_tagger", of_file(path))
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    _, module = part_of(nlp)
    unknown = module.unknown.detach().clone()
    optimizer = make_adamw()
    for _ in range(3):
        nlp.update(examples, sgd=optimizer)
    np.testing.assert_array_equal(module.table.weight.numpy(), TABLE)
    assert not torch.equal(module.unknown, unknown)
    (adamw,) = optimizer.torch_optimizers.values()
    assert module.unknown in adamw.state and module.table.weight not in adamw.state
    shapes = [average.shape for average in optimizer.averages.values()]
    assert module.unknown.shape in shapes and module.table.weight.shape not in shapes


def test_a_trained_table_changes_where_the_training_data_has_words(path):
    nlp = with_vectors("rnn_tagger", of_file(path), trained=True)
    train(nlp, make_examples(nlp), steps=3, optimizer=make_adamw())
    changed = (part_of(nlp)[1].table.weight.detach().numpy() != TABLE).all(axis=1)
    assert dict(zip(WORDS, changed, strict=True)) == {word: word in TRAINED for word in WORDS}


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    path = write(tmp_path_factory.mktemp("vectors") / "vectors.txt")
    nlp = with_vectors("rnn_tagger", of_file(path))
    train(nlp, make_examples(nlp), steps=3)
    return nlp


words = st.lists(st.sampled_from([*WORDS, "Eggs", "?", "7", "日本"]), max_size=6)


@settings(max_examples=20)
@given(st.lists(words, min_size=1, max_size=5))
def test_a_text_gets_the_same_predictions_in_any_batch(tagger, batch):
    pipe = tagger.get_pipe("rnn_tagger")
    docs = [Doc(tagger.vocab, words=words) for words in batch]
    for doc, together in zip(docs, pipe.predict_probabilities(docs), strict=True):
        (alone,) = pipe.predict_probabilities([doc])
        assert len(together["tag"]) == len(doc) and np.isfinite(together["tag"]).all()
        np.testing.assert_allclose(together["tag"], alone["tag"], atol=1e-5)


# Vectors of the pipeline


def add_vectors(nlp, floret=False):
    """Give the pipeline vectors: those of the table, or random vectors of subwords."""
    if floret:
        settings = {"mode": "floret", "hash_count": 2, "minn": 2, "maxn": 3}
        nlp.vocab.vectors = Vectors(data=TABLE, strings=nlp.vocab.strings, **settings)
    else:
        keys = [nlp.vocab.strings.add(word) for word in WORDS]
        nlp.vocab.vectors = Vectors(data=TABLE.copy(), keys=keys)


@pytest.mark.parametrize("floret, trained", [(False, False), (False, True), (True, False)])
@over_token_kinds
def test_components_learn_with_vectors_of_the_pipeline(factory, floret, trained, tmp_path, device):
    kind = KINDS[factory]
    nlp = with_vectors(factory, trained=trained)
    add_vectors(nlp, floret)
    examples = make_examples(nlp)
    train(nlp, examples, steps=80)
    assert kind.fits(nlp, examples)
    assert part_of(nlp)[0].coverage.of_words == (1.0 if floret else 11 / 13)
    texts = [*TEXTS, "I like plums", "zebras"]
    expected = outputs_of(kind, nlp, texts)
    nlp.to_disk(tmp_path)
    from_bytes = with_vectors(factory, trained=trained).from_bytes(nlp.to_bytes())
    for loaded in [spacy.load(tmp_path), from_bytes]:
        same(outputs_of(kind, loaded, texts), expected)


def test_floret_vectors_are_not_trained():
    nlp = with_vectors("rnn_tagger", trained=True)
    add_vectors(nlp, floret=True)
    with pytest.raises(ValueError, match="mode 'floret'.*trained = false"):
        nlp.initialize(lambda: make_examples(nlp))


# Both sources


@pytest.mark.parametrize("from_file", [False, True])
def test_the_unknown_vector_depends_on_the_seed(from_file, path):
    drawn = []
    for seed in (0, 0, 1):
        nlp = with_vectors("rnn_tagger", of_file(path) if from_file else None)
        add_vectors(nlp)
        spacy.util.fix_random_seed(seed)
        nlp.initialize(lambda nlp=nlp: make_examples(nlp))
        drawn.append(part_of(nlp)[1].unknown.tolist())
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("from_file", [False, True])
def test_training_starts_by_logging_the_coverage(from_file, path, caplog):
    """The handler of spaCy's logger gets it, whose level `spacy train` leaves at warnings."""
    assert spacy.util.logger.handlers and not spacy.util.logger.isEnabledFor(logging.INFO)
    nlp = with_vectors("rnn_tagger", of_file(path) if from_file else None)
    add_vectors(nlp)
    examples = make_examples(nlp)
    train(nlp, examples, steps=2)
    nlp(examples[0].predicted.copy())
    messages = [
        "vectors: 84.6% of 13 words and 86.7% of 15 tokens have a vector "
        "(exact 53.8%, lower 30.8%)",
        "vectors: 11 vectors of width 6 are a part of the model (0.0 MB)",
    ]
    expected = [("spacy.rnn", logging.INFO, message) for message in messages[: 1 + from_file]]
    assert caplog.record_tuples == expected


# Errors


def test_a_missing_file_is_an_error(tmp_path):
    nlp = with_vectors("rnn_tagger", of_file(tmp_path / "none.txt"))
    with pytest.raises(FileNotFoundError, match="none.txt. Correct the path"):
        nlp.initialize(lambda: make_examples(nlp))


def test_a_file_of_another_language(path):
    path.write_text("日本 1 2\n")
    nlp = with_vectors("rnn_tagger", of_file(path, extra_words=0))
    with pytest.raises(ValueError, match="None of the training words, such as .*same language"):
        nlp.initialize(lambda: make_examples(nlp))


@pytest.mark.parametrize(
    "make", [lambda n: VectorFile("v", n), lambda n: TorchtextVectors("GloVe", None, n)]
)
def test_settings_that_make_no_sense(make):
    with pytest.raises(ValueError, match="'extra_words' must be a whole number .* 0, got -1"):
        make(-1)


def test_an_invalid_source_is_an_error():
    with pytest.raises(ValueError, match="source"):
        with_vectors("rnn_tagger", "vectors.txt")


ONE_SENTENCE = re.compile(
    r"spacy_rnn.TorchtextVectors.v1 needs the library torchtext, which is not installed or does "
    r'not load \(.+\): install it with pip install "spacy-rnn\[torchtext\]" \(with torch 2.3\), '
    r"or read the file of the vectors with spacy_rnn.VectorFile.v1."
)


@pytest.mark.parametrize("broken", [False, True])
def test_the_error_without_a_working_torchtext_is_one_sentence(broken, tmp_path, monkeypatch, hide):
    """torchtext is not installed, or its library does not load, which is an OSError."""
    if broken:
        monkeypatch.delitem(sys.modules, "torchtext", raising=False)
        (tmp_path / "torchtext.py").write_text("raise OSError('undefined symbol')")
        monkeypatch.syspath_prepend(tmp_path)
    else:
        hide("torchtext")
    source = {"@architectures": "spacy_rnn.TorchtextVectors.v1", "name": "GloVe"}
    nlp = with_vectors("rnn_tagger", source)
    with pytest.raises(ImportError) as error:
        nlp.initialize(lambda: make_examples(nlp))
    assert ONE_SENTENCE.fullmatch(str(error.value))
