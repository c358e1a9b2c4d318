"""Parts of an embedding that a plugin defines: a feature of words, and features of tokens."""

from dataclasses import dataclass
from typing import Any, List

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import registry
from torch import nn

from spacy_rnn.features.feature import TokenFeature, WordFeature
from spacy_rnn.nn.embedding import TokenModule, WordModule
from spacy_rnn.runtime.batching import MemoryLimits

from ..helpers.pipelines import make_pipeline, train

# A part that depends on the word: its length


class LengthFeature(WordFeature):
    def arrays(self, words, vocab):
        return {self.name: np.array([min(len(word), 9) for word in words], dtype="int64")}


class EmbeddedWords(WordModule):
    def __init__(self, name, size, width):
        super().__init__()
        self.name = name
        self.table = nn.Embedding(size, width)
        self.output_size = width

    def forward(self, words):
        return self.table(words[self.name])


@registry.architectures("test.LengthEmbedding.v1")
@dataclass(frozen=True)
class LengthEmbedding:
    width: int = 4

    def feature(self, name):
        return LengthFeature(name)

    def module(self, feature):
        return EmbeddedWords(feature.name, 10, self.width)


# Parts that depend on the document: phrases of two words, and the position of a token


class PhraseFeature(TokenFeature):
    """1 for the tokens of phrases, which are case-sensitive."""

    def __init__(self, name, phrases):
        super().__init__(name)
        self.phrases = phrases
        self.found: List[str] = []

    def build(self, docs):
        texts = " ".join(doc.text for doc in docs)
        self.found = [phrase for phrase in self.phrases if phrase in texts]

    def arrays(self, docs):
        return {self.name: np.concatenate([self._flags(doc) for doc in docs])}

    def _flags(self, doc):
        flags = np.zeros(len(doc), dtype="int64")
        for i in range(len(doc) - 1):
            if f"{doc[i].text} {doc[i + 1].text}" in self.found:
                flags[i : i + 2] = 1
        return flags

    def to_dict(self):
        return {"found": self.found}

    def from_dict(self, state):
        self.found = state["found"]


class PlaceFeature(TokenFeature):
    def arrays(self, docs):
        return {self.name: np.concatenate([np.minimum(np.arange(len(doc)), 19) for doc in docs])}


class EmbeddedTokens(TokenModule):
    def __init__(self, name, size, width):
        super().__init__()
        self.name = name
        self.table = nn.Embedding(size, width)
        self.output_size = width
        self.seen: List[Any] = []

    def forward(self, batch):
        self.seen.append(batch.arrays[self.name].tolist())
        return self.table(batch.arrays[self.name])


@registry.architectures("test.Gazetteer.v1")
@dataclass(frozen=True)
class Gazetteer:
    phrases: List[str]
    width: int = 4

    def feature(self, name):
        return PhraseFeature(name, self.phrases)

    def module(self, feature):
        return EmbeddedTokens(feature.name, 2, self.width)


@registry.architectures("test.PlaceEmbedding.v1")
@dataclass(frozen=True)
class PlaceEmbedding:
    width: int = 4

    def feature(self, name):
        return PlaceFeature(name)

    def module(self, feature):
        return EmbeddedTokens(feature.name, 20, self.width)


LENGTH = {"@architectures": "test.LengthEmbedding.v1"}
GAZETTEER = {"@architectures": "test.Gazetteer.v1", "phrases": ["new york", "los angeles"]}
PLACE = {"@architectures": "test.PlaceEmbedding.v1"}
ONLY = {"words": None, "characters": None}
#: an encoder that reads each token separately, so that only the parts of a token are known
ENCODER = {"cell": "none", "direction": "forward"}

#: The labels cannot be predicted from words, their lengths or their positions alone.
TEXTS = ["a new york new", "york a", "new a york", "a los angeles", "los a angeles", "a a a"]
TAGS = ["O L L O", "O O", "O O O", "O L L", "O O O", "O O O"]


def make(factory, parts, encoder=ENCODER, **settings):
    model = {"embedding": {**ONLY, **parts}, "encoder": encoder, **settings}
    return make_pipeline(factory, model)


def make_examples(nlp, texts=TEXTS, tags=TAGS):
    examples = []
    for text, text_tags in zip(texts, tags, strict=True):
        words = text.split()
        gold = Doc(nlp.vocab, words=words, tags=text_tags.split())
        gold.cats = {"YES": float("L" in text_tags), "NO": float("L" not in text_tags)}
        examples.append(Example(Doc(nlp.vocab, words=words), gold))
    return examples


SCORES = {"rnn_tagger": "tag_acc", "rnn_textcat": "cats_score"}


def answers(nlp, docs):
    """The predictions of the component for each doc."""
    (name,) = nlp.component_names
    pipe = nlp.get_pipe(name)
    if name == "rnn_tagger":
        return [found["tag"] for found in pipe.predict_probabilities(docs)]
    return list(pipe.predict(docs).scores)


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("factory", SCORES)
def test_a_feature_of_tokens_is_learned_saved_and_independent_of_the_batch(factory, tmp_path):
    nlp = make(factory, {"gazetteer": GAZETTEER})
    examples = make_examples(nlp)
    train(nlp, examples, steps=60)
    assert nlp.evaluate(examples)[SCORES[factory]] == 1.0
    docs = [eg.reference for eg in examples] + [Doc(nlp.vocab), Doc(nlp.vocab, words=["new"])]
    expected = answers(nlp, docs)
    for doc, answer in zip(docs, expected, strict=True):
        assert_same(answers(nlp, [doc]), [answer])
    nlp.to_disk(tmp_path)
    assert_same(answers(spacy.load(tmp_path), docs), expected)


@pytest.mark.parametrize("factory", SCORES)
def test_a_feature_of_words_is_learned_and_saved(factory, tmp_path):
    """Long words have a label that no other part can predict."""
    nlp = make(factory, {"length": LENGTH})
    texts, tags = ["a bb ccc", "d ee fff", "g hh", "ii j"], ["O O L", "O O L", "O O", "O O"]
    examples = make_examples(nlp, texts, tags)
    train(nlp, examples, steps=60)
    assert nlp.evaluate(examples)[SCORES[factory]] == 1.0
    docs = [Doc(nlp.vocab, words=["xxx", "y"]), Doc(nlp.vocab, words=["zz"])]
    expected = answers(nlp, docs)
    assert_same([answers(nlp, [doc])[0] for doc in docs], expected)
    nlp.to_disk(tmp_path)
    assert_same(answers(spacy.load(tmp_path), docs), expected)


LONG = "a new york los angeles".split() * 20


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_windows_with_a_carried_state_do_not_change_predictions(direction):
    encoder = {"cell": "gru", "direction": direction, "hidden_size": 6}
    nlp = make("rnn_tagger", {"place": PLACE, "gazetteer": GAZETTEER, "length": LENGTH}, encoder)
    train(nlp, make_examples(nlp), steps=5)
    doc = Doc(nlp.vocab, words=LONG)
    expected = answers(nlp, [doc])
    nlp.get_pipe("rnn_tagger").model.attrs["limits"] = MemoryLimits(4096, window=8, overlap=0)
    assert_same(answers(nlp, [doc]), expected)


def test_overlapping_windows_have_the_features_of_the_document():
    encoder = {"cell": "gru", "direction": "both", "hidden_size": 6}
    nlp = make("rnn_tagger", {"place": PLACE}, encoder)
    train(nlp, make_examples(nlp), steps=1)
    pipe = nlp.get_pipe("rnn_tagger")
    # Each batch is one window.
    pipe.model.attrs["limits"] = MemoryLimits(batch_tokens=1, window=8, overlap=3)
    seen = pipe.shim.module.embedding.parts["place"].seen
    seen.clear()
    answers(nlp, [Doc(nlp.vocab, words=LONG)])
    places = np.minimum(np.arange(100), 19).tolist()
    assert sorted(seen) == sorted(places[max(0, k - 3) : k + 11] for k in range(0, 100, 8))


@pytest.mark.parametrize("keep, places", [("head", [0, 1]), ("tail", [3, 4]), ("both", [0, 4])])
def test_tokens_that_are_not_read_are_left_out(keep, places):
    nlp = make("rnn_textcat", {"place": PLACE}, max_length=2, keep=keep)
    train(nlp, make_examples(nlp), steps=1)
    pipe = nlp.get_pipe("rnn_textcat")
    seen = pipe.shim.module.embedding.parts["place"].seen
    seen.clear()
    answers(nlp, [Doc(nlp.vocab, words=["a"] * 5), Doc(nlp.vocab, words=["a"])])
    assert seen == [[*places, 0]]


def test_parts_of_all_kinds_together(tmp_path):
    nlp = make("rnn_tagger", {"words": {}, "gazetteer": GAZETTEER, "length": LENGTH, "at": PLACE})
    examples = make_examples(nlp)
    train(nlp, examples, steps=40)
    assert nlp.evaluate(examples)["tag_acc"] == 1.0
    nlp.to_disk(tmp_path)
    docs = [eg.reference for eg in examples]
    assert_same(answers(spacy.load(tmp_path), docs), answers(nlp, docs))


# Bad input


def error_of(parts):
    with pytest.raises(ValueError) as error:
        make("rnn_tagger", parts)
    return str(error.value)


def test_errors_say_what_to_do():
    assert "add a part such as" in error_of({})
    assert "the name 'keys'" in error_of({"keys": LENGTH})
    assert "the name 'a b'" in error_of({"a b": LENGTH})
    assert "3 as its part 'width'" in error_of({"width": 3})


@pytest.mark.parametrize("name", ["tok2vec_size", "chars_lengths", "training", "keys", "a b"])
def test_names_of_arrays_or_modules_are_errors(name):
    part = {"@architectures": "spacy_rnn.WordEmbedding.v1"}
    assert f"with the name '{name}', which a part cannot have" in error_of({name: part})
