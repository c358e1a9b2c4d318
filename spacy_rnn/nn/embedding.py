"""The vector of a token: what is known of its word, concatenated.

Every part but one is a function of the word alone. A batch therefore embeds each of its *distinct*
words once, and a token only points at its word. The other one is the word's context.
"""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Optional, Union

import numpy as np
import torch
from torch import Tensor, nn

from .dropout import drop_words
from .layout import Carry, FlatBatch, Overlap, offsets
from .rnn import Encoder, final_states

#: named arrays with one row for each distinct word
Words = dict[str, Tensor]


class WordEmbedding(nn.Module):
    """A trained vector a word; id 0 is the unknown word, which training words become at random.

    n_words: size of the vocabulary, the unknown word included.
    """

    def __init__(self, name: str, n_words: int, width: int, unknown_dropout: float):
        super().__init__()
        self.name = name
        self.unknown_dropout = unknown_dropout
        self.table = nn.Embedding(n_words, width)
        nn.init.normal_(self.table.weight, std=width**-0.5)
        self.output_size = width

    def forward(self, words: Words) -> Tensor:
        ids = words[self.name]
        if self.training:
            ids = drop_words(ids, self.unknown_dropout, True)
        return self.table(ids)


class SubwordRNN(nn.Module):
    """The last states of a bidirectional recurrent network over a word's characters or pieces.

    Ling et al. 2015, "Finding function in form", section 3. The last state of the backward
    direction is the one at the first unit. A word without any gives zeros.

    n_units: size of their vocabulary.
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

    def forward(self, words: Words) -> Tensor:
        units, lengths = _units(words, self.name)
        return final_states(self.encoder(self.table(units), lengths), lengths, "both")


class SubwordMean(nn.Module):
    """The mean of the vectors of a word's pieces. A word without any gives zeros.

    n_units: size of their vocabulary.
    """

    def __init__(self, name: str, n_units: int, width: int):
        super().__init__()
        self.name = name
        self.table = nn.EmbeddingBag(n_units, width, mode="mean")
        nn.init.normal_(self.table.weight, std=width**-0.5)
        self.output_size = width

    def forward(self, words: Words) -> Tensor:
        return mean_vectors(self.table, words, self.name)


def mean_vectors(table: nn.EmbeddingBag, words: Words, name: str) -> Tensor:
    """The mean of the vectors of each word's units, zeros for a word without any: (U, width)."""
    units, lengths = _units(words, name)
    starts = torch.from_numpy(offsets(lengths.numpy()))
    return table(units, starts.to(units.device, non_blocking=True))


def _units(words: Words, name: str) -> tuple[Tensor, Tensor]:
    """The characters, pieces or rows of words, flat, and how many each has, (U,) on the CPU."""
    ids, lengths = words[name], words[name + "_lengths"]
    # Which places hold units is worked out on the host: a device would have to be awaited.
    places = (torch.arange(ids.shape[1]) < lengths.unsqueeze(1)).flatten().nonzero().squeeze(1)
    # shape: (U, L) -> flat (units,)
    return ids.flatten().index_select(0, places.to(ids.device)), lengths


class CharacterCNN(nn.Module):
    """Convolutions over a word's characters, the maximum of each filter over the word.

    Ma and Hovy 2016, section 2.1. What lies beyond a word's ends counts as zero, however long the
    other words are. A word without characters gives zeros.
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

    def forward(self, words: Words) -> Tensor:
        ids, lengths = words[self.name], words[self.name + "_lengths"].to(words[self.name].device)
        # shape: (U, L, width) -> (U, filters, L)
        features = self.convolution(self.table(ids).transpose(1, 2))
        columns = torch.arange(ids.shape[1], device=ids.device)
        padding = columns >= lengths.unsqueeze(1)
        features = features.masked_fill(padding.unsqueeze(1), -torch.inf)
        best = features.amax(dim=2).masked_fill((lengths == 0).unsqueeze(1), 0.0)
        return torch.relu(best)


class HashEmbedding(nn.Module):
    """Vectors of hashed properties of a word (affixes, shape), one table for each, concatenated.

    Svenstrup et al. 2017, "Hash embeddings", with one hash a property.
    """

    first_row: Tensor

    def __init__(self, name: str, n_properties: int, rows: int, width: int):
        super().__init__()
        self.name = name
        self.table = nn.Embedding(n_properties * rows, width)
        nn.init.normal_(self.table.weight, std=width**-0.5)
        self.register_buffer("first_row", torch.arange(n_properties) * rows, persistent=False)
        self.output_size = n_properties * width

    def forward(self, words: Words) -> Tensor:
        # shape: (U, properties) -> (U, properties * width)
        return self.table(words[self.name] + self.first_row).flatten(1)


class Strings(NamedTuple):
    """Sequences of words as characters; see `spacy_rnn.features.contextual_strings.Strings`.

    units (C,), ends (N,): on the network's device. lengths: on the CPU.
    """

    units: Tensor
    lengths: Tensor
    ends: Tensor


#: for each direction in which the characters are read
Context = dict[str, Strings]


class CharacterReader(nn.Module):
    """The part of a language model that reads characters.

    encoder: reads vectors forward, of whatever order they are.
    """

    def __init__(self, n_characters: int, encoder: Encoder):
        super().__init__()
        self.embedding = nn.Embedding(n_characters, encoder.input_size)
        self.encoder = encoder

    def forward(self, strings: Strings) -> Tensor:
        """The state after each word, (N, H)."""
        states = self.encoder(self.embedding.weight, strings.lengths, strings.units)
        return states.index_select(0, strings.ends)


class ContextualStrings(nn.Module):
    """The states of language models of characters, forward and backward, once they have read a
    word and the blank next to it (Akbik et al. 2018, "Contextual string embeddings for sequence
    labeling", section 2.2).

    readers: of each direction.
    trained: fine-tune them; otherwise they stay as they are, and have no dropout either.
    """

    def __init__(self, readers: dict[str, CharacterReader], trained: bool):
        super().__init__()
        self.readers = nn.ModuleDict(readers)
        self.trained = trained
        self.requires_grad_(trained)
        self.output_size = sum(reader.encoder.output_size for reader in readers.values())

    def train(self, mode: bool = True) -> ContextualStrings:
        return super().train(mode and self.trained)

    def forward(self, context: Context) -> Tensor:
        """The states at each token, concatenated: (N, output_size)."""
        return torch.cat([read(context[name]) for name, read in self.readers.items()], dim=1)


class TokenBatch(NamedTuple):
    """Sequences of tokens as a network reads them, or windows of sequences.

    words (Union[Words, Tensor]): Arrays of the U distinct words, or their vectors (U, width) where
        they are already embedded.
    tokens (Tensor): Distinct word of each token, int64 (N,).
    lengths (Tensor): Tokens of each sequence, int64 (S,) on the CPU.
    counts (Optional[Tensor]): Sequences of each text, int64 (B,) on the CPU, where texts are read
        by sentences.
    context (Optional[Context]): The sequences as characters, where the embedding reads them.
    vectors (Optional[Tensor]): Vectors that the tokens come with, (N, D), where the embedding takes
        some.
    carry (Optional[Carry]), overlap (Optional[Overlap]): Of windows; see `FlatBatch`.
    """

    words: Union[Words, Tensor]
    tokens: Tensor
    lengths: Tensor
    counts: Optional[Tensor] = None
    context: Optional[Context] = None
    vectors: Optional[Tensor] = None
    carry: Optional[Carry] = None
    overlap: Optional[Overlap] = None


def words_to_device(words: Mapping[str, np.ndarray], device: torch.device) -> Words:
    """Arrays of words as tensors. Lengths stay on the CPU."""
    tensors = {}
    for name, array in words.items():
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        stays = name.endswith("_lengths")
        tensors[name] = tensor if stays else tensor.to(device, non_blocking=True)
    return tensors


def context_to_device(
    strings: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]], device: torch.device
) -> Context:
    """Sequences as characters, each direction's units, lengths and ends, as tensors."""
    return {
        name: Strings(
            torch.from_numpy(units).to(device, non_blocking=True),
            torch.from_numpy(lengths),
            torch.from_numpy(ends).to(device, non_blocking=True),
        )
        for name, (units, lengths, ends) in strings.items()
    }


class TokenEmbedding(nn.Module):
    """The vectors of tokens: those of a token's word, its context, and those that it comes with,
    concatenated.

    parts (dict[str, Any]): Modules that embed words, by name.
    context (Optional[ContextualStrings]): Embeds tokens in their context.
    tok2vec_size (int): Width of the vectors that tokens come with; 0 for none.
    """

    def __init__(
        self,
        parts: dict[str, Any],
        context: Optional[ContextualStrings] = None,
        tok2vec_size: int = 0,
    ):
        super().__init__()
        self.parts = nn.ModuleDict(parts)
        self.context = context
        self.output_size: int = sum(part.output_size for part in parts.values()) + tok2vec_size
        if context is not None:
            self.output_size += context.output_size

    def embed_words(self, words: Words) -> Tensor:
        """Embed distinct words: U words -> (U, width)."""
        if not self.parts:
            return torch.empty(0, 0)
        return torch.cat([part(words) for part in self.parts.values()], dim=1)

    def forward(self, batch: TokenBatch) -> FlatBatch:
        """Embed tokens.

        batch (TokenBatch): Sequences of N tokens.
        RETURNS (FlatBatch): The vectors, of width `output_size`: a vector for each distinct word
            where nothing else is embedded, else a vector for each token.
        """
        words, tokens, lengths, _, context, vectors, carry, overlap = batch
        embedded = words if isinstance(words, Tensor) else self.embed_words(words)
        of_tokens = [] if vectors is None else [vectors]
        if self.context is not None and context is not None:
            of_tokens.append(self.context(context))
        if not of_tokens:
            return FlatBatch(embedded, lengths, tokens, carry, overlap)
        if self.parts:
            of_tokens.insert(0, embedded.index_select(0, tokens))
        return FlatBatch(torch.cat(of_tokens, dim=1), lengths, None, carry, overlap)
