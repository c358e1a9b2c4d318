"""The vector of a token: the vectors of its parts, concatenated.

Most parts are functions of the word alone. A batch embeds each of its *distinct* words once, and a
token only points at its word. Other parts embed a token in its document.
"""

from __future__ import annotations

from typing import Iterable, Mapping, NamedTuple, Optional, Union

import numpy as np
import torch
from torch import Tensor, nn

from .layout import FlatBatch, Overlap
from .options import TOK2VEC
from .ragged import Carry, offsets
from .rnn import Encoder, final_states

#: named arrays with one row for each distinct word, or for each token
Arrays = dict[str, Tensor]


class TokenBatch(NamedTuple):
    """Sequences of tokens as a network reads them, or windows of sequences.

    arrays (Arrays): The arrays that parts read, of the U distinct words or of the N tokens. Where
        the words are already embedded, there are arrays of words for parts in context only.
    tokens (Tensor): Distinct word of each token, int64 (N,).
    lengths (Tensor): Tokens of each sequence, int64 (S,) on the CPU.
    counts (Optional[Tensor]): Sequences of each text, int64 (B,) on the CPU, where texts are read
        by sentences.
    embedded (Optional[Tensor]): The vectors of the words, (U, width), where they are already
        embedded.
    carry (Optional[Carry]), overlap (Optional[Overlap]): Of windows; see `FlatBatch`.
    """

    arrays: Arrays
    tokens: Tensor
    lengths: Tensor
    counts: Optional[Tensor] = None
    embedded: Optional[Tensor] = None
    carry: Optional[Carry] = None
    overlap: Optional[Overlap] = None


class WordModule(nn.Module):
    """Base of the parts that embed words: named arrays of U words -> (U, output_size).

    output_size (int): Width of the vectors.
    """

    output_size: int


class TokenModule(nn.Module):
    """Base of the parts that embed tokens: a `TokenBatch` of N tokens -> (N, output_size).

    output_size (int): Width of the vectors.
    in_context (bool): The part reads the words of whole sequences, so that its vectors in a window
        depend on where the window begins and ends. False for a part that reads only arrays of
        tokens, which are those of the whole document in every window.
    """

    output_size: int
    in_context = False


class WordEmbedding(WordModule):
    """A trained vector for each word. ID 0 is the unknown word, which replaces training words at
    random.

    name (str): Name of the part.
    n_words (int): Size of the vocabulary, including the unknown word.
    width (int): Size of a vector.
    unknown_dropout (float): Rate at which words are replaced in training.
    """

    def __init__(self, name: str, n_words: int, width: int, unknown_dropout: float):
        super().__init__()
        self.name = name
        self.unknown_dropout = unknown_dropout
        self.table = nn.Embedding(n_words, width)
        nn.init.normal_(self.table.weight, std=width**-0.5)
        self.output_size = width

    def forward(self, words: Arrays) -> Tensor:
        ids = words[self.name]
        if self.training:
            ids = drop_words(ids, self.unknown_dropout, True)
        return self.table(ids)


class SubwordRNN(WordModule):
    """The last states of a bidirectional recurrent network over a word's characters or pieces.

    Ling et al. 2015, "Finding function in form", section 3. The last state of the backward
    direction is the one at the first unit. A word without units has zeros.

    name (str): Name of the part.
    n_units (int): Size of the vocabulary of characters or pieces.
    width (int): Size of the vector of a unit.
    hidden_size (int): Size of each direction's state.
    cell (Cell): Cell of the network.
    """

    def __init__(self, name: str, n_units: int, width: int, hidden_size: int, cell: str):
        super().__init__()
        self.name = name
        self.table = nn.Embedding(n_units, width)
        nn.init.normal_(self.table.weight, std=width**-0.5)
        self.encoder = Encoder(
            width,
            cell=cell,
            direction="both",
            hidden_size=hidden_size,
            depth=1,
            recurrent_dropout=0.0,
            residual=False,
            layer_norm=False,
            chrono_length=0,
        )
        self.output_size = self.encoder.output_size

    def forward(self, words: Arrays) -> Tensor:
        units, lengths = _units(words, self.name)
        return final_states(self.encoder(self.table(units), lengths), lengths, "both")


class SubwordMean(WordModule):
    """The mean of the vectors of a word's pieces. A word without pieces has zeros.

    name (str): Name of the part.
    n_units (int): Size of the vocabulary of pieces.
    width (int): Size of the vector of a piece.
    """

    def __init__(self, name: str, n_units: int, width: int):
        super().__init__()
        self.name = name
        self.table = nn.EmbeddingBag(n_units, width, mode="mean")
        nn.init.normal_(self.table.weight, std=width**-0.5)
        self.output_size = width

    def forward(self, words: Arrays) -> Tensor:
        return mean_vectors(self.table, words, self.name)


def mean_vectors(table: nn.EmbeddingBag, words: Arrays, name: str) -> Tensor:
    """Return the mean of the vectors of each word's units, zeros for a word without units:
    (U, width)."""
    units, lengths = _units(words, name)
    starts = torch.from_numpy(offsets(lengths.numpy()))
    return table(units, starts.to(units.device, non_blocking=True))


def _units(words: Arrays, name: str) -> tuple[Tensor, Tensor]:
    """Return the characters, pieces or rows of all words, flat, and the number of each word's, (U,)
    on the CPU."""
    ids, lengths = words[name], words[name + "_lengths"]
    # The places of units are computed on the host: indexing by a mask would force a device sync.
    places = (torch.arange(ids.shape[1]) < lengths.unsqueeze(1)).flatten().nonzero().squeeze(1)
    # shape: (U, L) -> flat (units,)
    return ids.flatten().index_select(0, places.to(ids.device)), lengths


class CharacterCNN(WordModule):
    """Convolutions over a word's characters, the maximum of each filter over the word.

    Ma and Hovy 2016, section 2.1. The vectors beyond a word's ends are zeros, whatever the length
    of the other words. A word without characters has zeros.

    name (str): Name of the part.
    n_characters (int): Size of the alphabet.
    width (int): Size of the vector of a character.
    filters (int): Number of filters.
    kernel_size (int): Number of characters that a filter covers.
    """

    def __init__(self, name: str, n_characters: int, width: int, filters: int, kernel_size: int):
        super().__init__()
        self.name = name
        self.table = nn.Embedding(n_characters, width, padding_idx=0)
        with torch.no_grad():
            nn.init.normal_(self.table.weight, std=width**-0.5)
            self.table.weight[0].zero_()
        self.convolution = nn.Conv1d(width, filters, kernel_size, padding=kernel_size // 2)
        self.output_size = filters

    def forward(self, words: Arrays) -> Tensor:
        ids, lengths = words[self.name], words[self.name + "_lengths"].to(words[self.name].device)
        # shape: (U, L, width) -> (U, filters, L)
        features = self.convolution(self.table(ids).transpose(1, 2))
        columns = torch.arange(ids.shape[1], device=ids.device)
        padding = columns >= lengths.unsqueeze(1)
        features = features.masked_fill(padding.unsqueeze(1), -torch.inf)
        best = features.amax(dim=2).masked_fill((lengths == 0).unsqueeze(1), 0.0)
        return torch.relu(best)


class HashEmbedding(WordModule):
    """Vectors of hashed properties of a word (affixes, shape), one table for each, concatenated.

    Svenstrup et al. 2017, "Hash embeddings", with one hash function for each property.

    name (str): Name of the part.
    n_properties (int): Number of properties of a word.
    rows (int): Rows of each table.
    width (int): Size of the vector of a property.
    """

    first_row: Tensor

    def __init__(self, name: str, n_properties: int, rows: int, width: int):
        super().__init__()
        self.name = name
        self.table = nn.Embedding(n_properties * rows, width)
        nn.init.normal_(self.table.weight, std=width**-0.5)
        self.register_buffer("first_row", torch.arange(n_properties) * rows, persistent=False)
        self.output_size = n_properties * width

    def forward(self, words: Arrays) -> Tensor:
        # shape: (U, properties) -> (U, properties * width)
        return self.table(words[self.name] + self.first_row).flatten(1)


class Tok2VecVectors(TokenModule):
    """The vectors that a tok2vec layer gives for tokens.

    width (int): Their width.
    """

    def __init__(self, width: int):
        super().__init__()
        self.output_size = width

    def forward(self, batch: TokenBatch) -> Tensor:
        return batch.arrays[TOK2VEC]


class TokenEmbedding(nn.Module):
    """The vector of a token: the vectors of its parts, concatenated. The vectors of all parts that
    embed words precede those of the parts that embed tokens.

    parts (dict[str, Union[WordModule, TokenModule]]): The parts by name.
    """

    def __init__(self, parts: Mapping[str, Union[WordModule, TokenModule]]):
        super().__init__()
        self.parts = nn.ModuleDict(parts)
        token_parts = {name: part for name, part in parts.items() if isinstance(part, TokenModule)}
        #: widths of the parts that embed words
        self.word_parts = {
            name: part.output_size for name, part in parts.items() if name not in token_parts
        }
        self._token_parts = list(token_parts)
        #: names of the parts whose vectors depend on the words around a token
        self.in_context = {name for name, part in token_parts.items() if part.in_context}
        self.output_size = sum(part.output_size for part in parts.values())

    def embed_parts(self, words: Arrays, parts: Iterable[str]) -> Arrays:
        """Embed U distinct words by some of the parts, (U, output_size) each."""
        return {name: self.parts[name](words) for name in parts}

    def join(self, vectors: Arrays) -> Tensor:
        """Concatenate the vectors that the parts give of distinct words, (U, width)."""
        if not self.word_parts:
            return torch.empty(0, 0)
        return torch.cat([vectors[name] for name in self.word_parts], dim=1)

    def embed_words(self, words: Arrays) -> Tensor:
        """Embed distinct words: U words -> (U, width)."""
        return self.join(self.embed_parts(words, self.word_parts))

    def forward(self, batch: TokenBatch) -> FlatBatch:
        """Embed tokens.

        batch (TokenBatch): Sequences of N tokens.
        RETURNS (FlatBatch): The vectors, of width `output_size`: a vector for each distinct word
            if there is no part that embeds tokens, else a vector for each token.
        """
        embedded = self.embed_words(batch.arrays) if batch.embedded is None else batch.embedded
        if not self._token_parts:
            return FlatBatch(embedded, batch.lengths, batch.tokens, batch.carry, batch.overlap)
        vectors = [self.parts[name](batch) for name in self._token_parts]
        if self.word_parts:
            vectors.insert(0, embedded.index_select(0, batch.tokens))
        x = torch.cat(vectors, dim=1)
        return FlatBatch(x, batch.lengths, None, batch.carry, batch.overlap)


def to_device(arrays: Mapping[str, np.ndarray], device: torch.device) -> Arrays:
    """Convert named arrays to tensors. Lengths stay on the CPU."""
    tensors = {}
    for name, array in arrays.items():
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        stays = name.endswith("_lengths")
        tensors[name] = tensor if stays else tensor.to(device, non_blocking=True)
    return tensors


def drop_words(ids: Tensor, rate: float, training: bool) -> Tensor:
    """Replace ids by 0, the unknown word, at random.

    This trains the vector of unknown words, and makes the network use the characters (Dyer et al.
    2015, section 3.2, drop words at random in the same way).

    ids (Tensor): Words, int64 of any shape.
    rate (float): Probability of replacing a word.
    training (bool): Nothing is dropped outside of training.
    """
    if not training or rate == 0.0:
        return ids
    return ids.masked_fill(torch.rand(ids.shape, device=ids.device) < rate, 0)
