"""Pretrained vectors as a part of a token's embedding."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, Literal, Optional, Union

from torch import nn

from ..features import torchtext_vectors, vector_files
from ..features.lookup import Table, variants
from ..features.vectors import PipelineVectors, StoredVectors
from ..nn import vectors as layers
from ..validation import at_least


@dataclass(frozen=True)
class VectorFile:
    """spacy_rnn.VectorFile.v1: vectors of a file, which is read when training starts and not needed
    after that: GloVe, word2vec (text and binary) and fastText's .vec, which may be compressed (see
    `spacy_rnn.features.vector_files`).

    path: the file.
    extra_words: the first words of the file are kept beside those that the training words need,
        so many of them: usually the most frequent ones, whose vectors are there when texts have
        them later. Each costs 4 bytes a number, in the saved model and in memory. null keeps all.
    """

    path: Union[str, Path]
    extra_words: Optional[int] = 50_000

    def __post_init__(self) -> None:
        at_least(0, extra_words=self.extra_words or 0)

    def read(self, words: Iterable[str]) -> Table:
        """The vectors that words need, and the extra ones."""
        needed = {variant for word in words for variant in variants(word)}
        return vector_files.read_vectors(self.path, needed, self.extra_words)


@dataclass(frozen=True)
class TorchtextVectors:
    """spacy_rnn.TorchtextVectors.v1: vectors of `torchtext.vocab`, which are read when training
    starts. It needs the extra "torchtext", with torch 2.3.

    name: the class. Words of CharNGram are the mean of their n-grams, so that nearly all have one.
    arguments: those of the class, such as name, dim, language, cache and max_vectors: GloVe of
        {"name": "6B", "dim": 100}, Vectors of {"name": "path/of/a/file"}.
    extra_words: as in spacy_rnn.VectorFile.v1; of CharNGram it counts n-grams.
    """

    name: Literal["GloVe", "FastText", "CharNGram", "Vectors"]
    arguments: Optional[Dict[str, Any]] = None
    extra_words: Optional[int] = 50_000

    def __post_init__(self) -> None:
        at_least(0, extra_words=self.extra_words or 0)

    def read(self, words: Iterable[str]) -> Table:
        """The vectors that words need, and the extra ones."""
        return torchtext_vectors.read_vectors(
            self.name, self.arguments or {}, words, self.extra_words
        )


@dataclass(frozen=True)
class VectorEmbedding:
    """spacy_rnn.VectorEmbedding.v1: pretrained vectors.

    A word is looked up as it is, in lower case, and both with its digits as "0" and as "#". One
    that is not found has a trained vector for unknown words. When training starts, it is logged how
    many words have a vector.

    source: spacy_rnn.VectorFile.v1 or spacy_rnn.TorchtextVectors.v1, whose vectors become a part
        of the model; null for the pipeline's (``[initialize] vectors``), which are stored once
        for all components. Without any the part is left out, with a warning.
    trained: fine-tune the table, of which the model then has a copy of its own.
    """

    source: Optional[Union[VectorFile, TorchtextVectors]] = None
    trained: bool = False

    def feature(self, name: str) -> Union[PipelineVectors, StoredVectors]:
        if self.source is None:
            return PipelineVectors(name, self.trained)
        return StoredVectors(name, self.source.read)

    def module(self, feature: Union[PipelineVectors, StoredVectors]) -> nn.Module:
        table = feature.take_table()
        if self.source is None and not (self.trained and feature.shape[1]):
            return layers.GivenVectors(feature.name, table)
        return layers.TableVectors(feature.name, table, self.trained)
