"""Settings of the parts of a token's embedding that learn a vector from the word's spelling."""

from dataclasses import dataclass
from typing import Literal

from .. import nn
from ..features.affixes import AffixHashes
from ..features.characters import CharacterIds
from ..features.word_pieces import WordPieces
from ..features.words import WordIds
from ..validation import at_least, rate
from .encoder import check_cell
from .pieces import SentencePieces


@dataclass(frozen=True)
class WordEmbedding:
    """spacy_rnn.WordEmbedding.v1: a trained vector for each frequent word.

    width (int): Size of the vector.
    min_freq (int): Words that occur less often in the training data share the unknown word's
        vector.
    lowercase (bool): "The" and "the" share a vector (characters or affixes still see the case).
    unknown_dropout (float): Rate at which words are replaced by the unknown word in training.
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

    def module(self, feature: WordIds) -> "nn.embedding.WordModule":
        return nn.embedding.WordEmbedding(
            feature.name, len(feature), self.width, self.unknown_dropout
        )


@dataclass(frozen=True)
class CharacterRNN:
    """spacy_rnn.CharacterRNN.v1: the last states of a bidirectional RNN over the characters.

    width (int): Size of a character's vector.
    hidden_size (int): Size of each direction's state; the part is twice as wide.
    cell (str): As in spacy_rnn.RNNEncoder.v1.
    max_length (int): Of longer words, the first and last characters are read.
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

    def module(self, feature: CharacterIds) -> "nn.embedding.WordModule":
        return nn.embedding.SubwordRNN(
            feature.name, len(feature), self.width, self.hidden_size, self.cell
        )


@dataclass(frozen=True)
class CharacterCNN:
    """spacy_rnn.CharacterCNN.v1: convolutions over the characters, the maximum of each filter.

    width (int): Size of a character's vector.
    filters (int): Number of filters, which is the size of the part.
    kernel_size (int): Number of characters that a filter covers; odd.
    max_length (int): Of longer words, the first and last characters are read.
    """

    width: int = 50
    filters: int = 50
    kernel_size: int = 3
    max_length: int = 24

    def __post_init__(self) -> None:
        at_least(
            1,
            width=self.width,
            filters=self.filters,
            kernel_size=self.kernel_size,
            max_length=self.max_length,
        )
        if self.kernel_size % 2 == 0:
            raise ValueError(f"'kernel_size' must be odd, got {self.kernel_size}.")

    def feature(self, name: str) -> CharacterIds:
        return CharacterIds(name, self.max_length)

    def module(self, feature: CharacterIds) -> "nn.embedding.WordModule":
        return nn.embedding.CharacterCNN(
            feature.name, len(feature), self.width, self.filters, self.kernel_size
        )


@dataclass(frozen=True)
class AffixEmbedding:
    """spacy_rnn.AffixEmbedding.v1: trained vectors of hashed prefixes, suffixes and the shape.

    Much cheaper than characters, and nearly as good for tagging.

    width (int): Size of the vector of one affix; the part is as many times as wide as there are
        affixes.
    rows (int): Rows of each affix's table; affixes that share a row share a vector.
    prefixes (int): Length of the longest prefix; all shorter ones are read too. 0 for none.
    suffixes (int): Length of the longest suffix; all shorter ones are read too. 0 for none.
    shape (bool): Read the word's shape ("Xxxx", "dd.d") too.
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

    def module(self, feature: AffixHashes) -> "nn.embedding.WordModule":
        return nn.embedding.HashEmbedding(feature.name, feature.n_properties, self.rows, self.width)


@dataclass(frozen=True)
class PieceEmbedding:
    """spacy_rnn.PieceEmbedding.v1: trained vectors of a word's SentencePiece pieces, pooled.

    The model is trained on the training words, or loaded, when training starts; then it is saved
    with the component. A word has the same pieces wherever it stands; of a word of more than 64
    pieces, the first and the last are read.

    pieces (SentencePieces): spacy_rnn.SentencePieces.v1, with alpha = null.
    width (int): Size of a piece's vector.
    pooling (str): "mean", or "rnn" for the last states of a bidirectional RNN over the pieces.
    hidden_size (int): With "rnn", size of each direction's state; the part is twice as wide.
    cell (str): With "rnn", as in spacy_rnn.RNNEncoder.v1.
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
                f"spacy_rnn.PieceEmbedding.v1 does not sample the pieces of a word: set "
                f"alpha = null in its pieces, got {self.pieces.alpha}."
            )

    def feature(self, name: str) -> WordPieces:
        return WordPieces(name, self.pieces.features(), self.pieces.initialize)

    def module(self, feature: WordPieces) -> "nn.embedding.WordModule":
        if self.pooling == "mean":
            return nn.embedding.SubwordMean(feature.name, len(feature), self.width)
        return nn.embedding.SubwordRNN(
            feature.name, len(feature), self.width, self.hidden_size, self.cell
        )
