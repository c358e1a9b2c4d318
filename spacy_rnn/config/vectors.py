"""Settings of pretrained vectors as a part of a token's embedding."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, Literal, Optional, Union

from .. import nn
from ..features import torchtext_vectors, vector_files
from ..features.lookup import VectorTable, variants
from ..features.vectors import PipelineVectors, StoredVectors
from ..validation import at_least


@dataclass(frozen=True)
class VectorFile:
    """spacy_rnn.VectorFile.v1: vectors from a file, which is read when training starts and not
    needed after that: GloVe, word2vec (text and binary) and fastText's .vec, which may be
    compressed (see `spacy_rnn.features.vector_files`).

    path (Union[str, Path]): The file.
    extra_words (Optional[int]): Number of words at the beginning of the file, usually the most
        frequent ones, whose vectors are kept in addition to those of the training words, for texts
        that have them later. Each number takes 4 bytes in the saved model and in memory. null keeps
        all words.
    """

    path: Union[str, Path]
    extra_words: Optional[int] = 50_000

    def __post_init__(self) -> None:
        at_least(0, extra_words=self.extra_words or 0)

    def read(self, words: Iterable[str]) -> VectorTable:
        """Read the vectors that words need, and the extra ones."""
        needed = {variant for word in words for variant in variants(word)}
        return vector_files.read_vectors(self.path, needed, self.extra_words)


@dataclass(frozen=True)
class TorchtextVectors:
    """spacy_rnn.TorchtextVectors.v1: vectors of `torchtext.vocab`, which are read when training
    starts. It needs the extra "torchtext", with torch 2.3.

    name (str): The class. With CharNGram, the vector of a word is the mean of those of its n-grams,
        so nearly all words have one.
    arguments (Optional[Dict[str, Any]]): Arguments of the class, such as name, dim, language, cache
        and max_vectors: {"name": "6B", "dim": 100} for GloVe, {"name": "path/of/a/file"} for
        Vectors.
    extra_words (Optional[int]): As in spacy_rnn.VectorFile.v1; with CharNGram, number of n-grams.
    """

    name: Literal["GloVe", "FastText", "CharNGram", "Vectors"]
    arguments: Optional[Dict[str, Any]] = None
    extra_words: Optional[int] = 50_000

    def __post_init__(self) -> None:
        at_least(0, extra_words=self.extra_words or 0)

    def read(self, words: Iterable[str]) -> VectorTable:
        """Read the vectors that words need, and the extra ones."""
        return torchtext_vectors.read_vectors(
            self.name, self.arguments or {}, words, self.extra_words
        )


@dataclass(frozen=True)
class VectorEmbedding:
    """spacy_rnn.VectorEmbedding.v1: pretrained vectors.

    A word is looked up as it is, in lower case, and both with its digits as "0" and as "#". Words
    that are not found share a trained vector. When training starts, the share of words with a
    vector is logged.

    source (Optional[Union[VectorFile, TorchtextVectors]]): spacy_rnn.VectorFile.v1 or
        spacy_rnn.TorchtextVectors.v1, whose vectors become a part of the model; null for the
        pipeline's vectors (``[initialize] vectors``), which are stored once for all components. If
        the pipeline has none, the part is left out, with a warning.
    trained (bool): Fine-tune the table, of which the model then has its own copy.
    """

    source: Optional[Union[VectorFile, TorchtextVectors]] = None
    trained: bool = False

    def feature(self, name: str) -> Union[PipelineVectors, StoredVectors]:
        if self.source is None:
            return PipelineVectors(name, self.trained)
        return StoredVectors(name, self.source.read)

    def module(
        self, feature: Union[PipelineVectors, StoredVectors]
    ) -> "nn.vectors.PretrainedVectors":
        table = feature.take_table()
        if self.source is None and not (self.trained and feature.shape[1]):
            return nn.vectors.GivenVectors(feature.name, table)
        return nn.vectors.TableVectors(feature.name, table, self.trained)
