"""The parts of a token's embedding, as they are written in a config.

Each part names a feature (numpy, in `spacy_rnn.features`) and the module that embeds it (torch, in
`spacy_rnn.nn.embedding`); sizes that come from the training data are known once the feature is
built.
"""

from dataclasses import dataclass
from typing import Any, Dict, Literal, Optional, Union

from torch import nn

from ..features.affixes import AffixHashes
from ..features.characters import CharacterIds
from ..features.tokens import TokenFeatures
from ..features.word_pieces import WordPieces
from ..features.words import WordIds
from ..nn import embedding as layers
from ..nn.cells import check_cell
from ..validation import at_least, rate
from .contextual_strings import ContextualStrings
from .pieces import SentencePieces
from .vectors import VectorEmbedding


@dataclass(frozen=True)
class WordEmbedding:
    """spacy_rnn.WordEmbedding.v1: a trained vector for each frequent word.

    width: size of the vector.
    min_freq: words that occur less often in the training data share the unknown word's vector.
    lowercase: whether "The" and "the" share a vector (characters or affixes still see the case).
    unknown_dropout: how often a word becomes the unknown word in training.
    """

    width: int = 100
    min_freq: int = 2
    lowercase: bool = True
    unknown_dropout: float = 0.1

    def __post_init__(self) -> None:
        at_least(1, width=self.width, min_freq=self.min_freq)
        rate(unknown_dropout=self.unknown_dropout)

    def feature(self, name: str) -> WordIds:
        return WordIds(name, self.min_freq, self.lowercase)

    def module(self, feature: WordIds) -> nn.Module:
        return layers.WordEmbedding(feature.name, len(feature), self.width, self.unknown_dropout)


@dataclass(frozen=True)
class CharacterRNN:
    """spacy_rnn.CharacterRNN.v1: the last states of a bidirectional RNN over the characters.

    width: size of a character's vector.
    hidden_size: size of each direction's state; the word's part is twice as wide.
    cell: as in spacy_rnn.RNNEncoder.v1.
    max_length: of longer words, the first and last characters are read.
    """

    width: int = 50
    hidden_size: int = 25
    cell: str = "lstm"
    max_length: int = 24

    def __post_init__(self) -> None:
        check_cell(self.cell, recurrent=True)
        at_least(1, width=self.width, hidden_size=self.hidden_size, max_length=self.max_length)

    def feature(self, name: str) -> CharacterIds:
        return CharacterIds(name, self.max_length)

    def module(self, feature: CharacterIds) -> nn.Module:
        return layers.SubwordRNN(
            feature.name, len(feature), self.width, self.hidden_size, self.cell
        )


@dataclass(frozen=True)
class CharacterCNN:
    """spacy_rnn.CharacterCNN.v1: convolutions over the characters, the maximum of each filter.

    width: size of a character's vector.
    filters: size of the word's part.
    kernel_size: characters that a filter sees; odd.
    max_length: of longer words, the first and last characters are read.
    """

    width: int = 50
    filters: int = 50
    kernel_size: int = 3
    max_length: int = 24

    def __post_init__(self) -> None:
        at_least(1, width=self.width, filters=self.filters, max_length=self.max_length)
        if self.kernel_size % 2 == 0 or self.kernel_size < 1:
            raise ValueError(f"'kernel_size' must be odd and positive, got {self.kernel_size}.")

    def feature(self, name: str) -> CharacterIds:
        return CharacterIds(name, self.max_length)

    def module(self, feature: CharacterIds) -> nn.Module:
        return layers.CharacterCNN(
            feature.name, len(feature), self.width, self.filters, self.kernel_size
        )


@dataclass(frozen=True)
class AffixEmbedding:
    """spacy_rnn.AffixEmbedding.v1: trained vectors of hashed prefixes, suffixes and the shape.

    Much cheaper than characters, and nearly as good for tagging.

    width: size of the vector of one affix; the word's part is as many times as wide as there are
        affixes.
    rows: rows of each affix's table; affixes that share a row share a vector.
    prefixes: the longest prefix; all shorter ones are read too. 0 for none.
    suffixes: the longest suffix, likewise.
    shape: whether the word's shape ("Xxxx", "dd.d") is read too.
    """

    width: int = 16
    rows: int = 5000
    prefixes: int = 2
    suffixes: int = 4
    shape: bool = True

    def __post_init__(self) -> None:
        at_least(1, width=self.width, rows=self.rows)
        at_least(0, prefixes=self.prefixes, suffixes=self.suffixes)
        if not self.prefixes + self.suffixes + self.shape:
            raise ValueError("Set one of 'prefixes', 'suffixes' and 'shape', or affixes = null.")

    def feature(self, name: str) -> AffixHashes:
        return AffixHashes(name, self.rows, self.prefixes, self.suffixes, self.shape)

    def module(self, feature: AffixHashes) -> nn.Module:
        return layers.HashEmbedding(feature.name, feature.n_properties, self.rows, self.width)


@dataclass(frozen=True)
class PieceEmbedding:
    """spacy_rnn.PieceEmbedding.v1: trained vectors of a word's SentencePiece pieces, pooled.

    The model is trained on the training words, or loaded, when training starts; then it is saved
    with the component. A word has the same pieces wherever it stands; of one of more than 64
    pieces the first and the last are read.

    pieces: spacy_rnn.SentencePieces.v1, with alpha = null.
    width: size of a piece's vector.
    pooling: "mean", or "rnn": the last states of a bidirectional RNN over the pieces.
    hidden_size: of "rnn", size of each direction's state; the word's part is twice as wide.
    cell: of "rnn", as in spacy_rnn.RNNEncoder.v1.
    """

    pieces: SentencePieces
    width: int = 50
    pooling: Literal["mean", "rnn"] = "mean"
    hidden_size: int = 25
    cell: str = "lstm"

    def __post_init__(self) -> None:
        check_cell(self.cell, recurrent=True)
        at_least(1, width=self.width, hidden_size=self.hidden_size)
        if self.pieces.alpha is not None:
            raise ValueError(
                f"spacy_rnn.PieceEmbedding.v1 finds the pieces of a word once and draws none at "
                f"random: set alpha = null in its pieces, got {self.pieces.alpha}."
            )

    def feature(self, name: str) -> WordPieces:
        return WordPieces(name, self.pieces.features(), self.pieces.initialize)

    def module(self, feature: WordPieces) -> nn.Module:
        if self.pooling == "mean":
            return layers.SubwordMean(feature.name, len(feature), self.width)
        return layers.SubwordRNN(
            feature.name, len(feature), self.width, self.hidden_size, self.cell
        )


Part = Union[
    WordEmbedding, CharacterRNN, CharacterCNN, AffixEmbedding, PieceEmbedding, VectorEmbedding
]


@dataclass(frozen=True)
class TokenEmbedding:
    """spacy_rnn.TokenEmbedding.v1: the vector of a token, its parts concatenated.

    Each part may be null; at least one is needed.

    words: spacy_rnn.WordEmbedding.v1.
    characters: spacy_rnn.CharacterRNN.v1 or spacy_rnn.CharacterCNN.v1.
    affixes: spacy_rnn.AffixEmbedding.v1.
    pieces: spacy_rnn.PieceEmbedding.v1.
    vectors: spacy_rnn.VectorEmbedding.v1.
    context: spacy_rnn.ContextualStrings.v1.
    """

    words: Optional[WordEmbedding] = None
    characters: Optional[Union[CharacterRNN, CharacterCNN]] = None
    affixes: Optional[AffixEmbedding] = None
    pieces: Optional[PieceEmbedding] = None
    vectors: Optional[VectorEmbedding] = None
    context: Optional[ContextualStrings] = None

    def __post_init__(self) -> None:
        if not self._parts() and self.context is None:
            raise ValueError(
                "spacy_rnn.TokenEmbedding.v1 has no part. Set at least one of 'words', "
                "'characters', 'affixes', 'pieces', 'vectors' and 'context' in the model's "
                "embedding."
            )

    def _parts(self) -> Dict[str, Part]:
        parts = {
            "words": self.words,
            "characters": self.characters,
            "affixes": self.affixes,
            "pieces": self.pieces,
            "vectors": self.vectors,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def features(self) -> TokenFeatures:
        context = None if self.context is None else self.context.feature("context")
        return TokenFeatures([part.feature(name) for name, part in self._parts().items()], context)

    def module(self, features: TokenFeatures) -> layers.TokenEmbedding:
        named: Dict[str, Any] = {feature.name: feature for feature in features.parts}
        return layers.TokenEmbedding(
            {name: part.module(named[name]) for name, part in self._parts().items()},
            None if self.context is None else self.context.module(features.context),
            features.tok2vec_size,
        )
