"""Language models of characters that read words in their sequence (Akbik et al. 2018,
"Contextual string embeddings for sequence labeling")."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .embedding import TokenBatch, TokenModule
from .rnn import Encoder


class CharacterSequences(NamedTuple):
    """Sequences of words as characters, with the boundary of documents before the first word and a
    space after each.

    units (Tensor): IDs of the characters of all sequences, int64 (C,).
    lengths (Tensor): Characters of each sequence, int64 (S,) on the CPU.
    ends (Tensor): Place of the space after each word, int64 (N,).
    """

    units: Tensor
    lengths: Tensor
    ends: Tensor


def spell(
    ids: Tensor, sizes: Tensor, tokens: Tensor, lengths: Tensor, marks: Tensor, backward: bool
) -> CharacterSequences:
    """Spell sequences of words.

    ids (Tensor): Characters of the distinct words, int64 (U, L).
    sizes (Tensor): Number of characters of each distinct word, int64 (U,) on the CPU.
    tokens (Tensor): The distinct word of each token, int64 (N,).
    lengths (Tensor): Tokens of each sequence, int64 (S,) on the CPU.
    marks (Tensor): IDs of the space and of the boundary, int64 (2,).
    backward (bool): Read everything from the end, so that the space comes after the first character
        of a word.
    RETURNS (CharacterSequences): The sequences, in reverse order if they are read backward.
    """
    # Indices are computed on the host, for the encoder needs the lengths there.
    rows, n_tokens = tokens.cpu().numpy(), lengths.numpy()
    if backward:
        rows, n_tokens = rows[::-1], n_tokens[::-1]
    n_characters = sizes.numpy()[rows]
    # shape: (N,) -> a row for each character or space
    word_ends = np.cumsum(n_characters + 1)
    word = np.repeat(np.arange(len(rows)), n_characters + 1)
    place = np.arange(len(word)) - (word_ends - n_characters - 1)[word]
    column = n_characters[word] - 1 - place if backward else place
    space, boundary = ids.numel(), ids.numel() + 1
    source = np.where(place == n_characters[word], space, rows[word] * ids.shape[1] + column)
    # The boundary before each sequence moves everything after it.
    starts = np.concatenate([[0], word_ends])[np.cumsum(n_tokens) - n_tokens]
    source = np.insert(source, starts, boundary)
    ends = word_ends + np.repeat(np.arange(len(n_tokens)), n_tokens)
    if backward:
        ends = ends[::-1].copy()
    return CharacterSequences(
        torch.cat([ids.flatten(), marks]).index_select(0, torch.from_numpy(source).to(ids.device)),
        torch.from_numpy(np.diff(starts, append=len(word)) + 1),
        torch.from_numpy(ends).to(ids.device),
    )


class CharacterReader(nn.Module):
    """The part of a language model that reads characters.

    n_characters (int): Size of the alphabet.
    encoder (Encoder): Reads vectors of characters forward, in whichever order they come.
    """

    def __init__(self, n_characters: int, encoder: Encoder):
        super().__init__()
        self.embedding = nn.Embedding(n_characters, encoder.input_size)
        self.encoder = encoder

    def forward(self, sequences: CharacterSequences) -> Tensor:
        """Return the state after each word, (N, H)."""
        states = self.encoder(self.embedding.weight, sequences.lengths, sequences.units)
        return states.index_select(0, sequences.ends)


class ContextualStrings(TokenModule):
    """The states of language models of characters after a word and the space next to it
    (section 2.2).

    name (str): Name of the part.
    readers (dict[str, CharacterReader]): The language model of each direction.
    backward (str): Name of the one that reads backward.
    marks (tuple[int, int]): IDs of the space and of the boundary of documents.
    trained (bool): Fine-tune the language models; otherwise they are frozen, without dropout.
    """

    in_context = True
    marks: Tensor

    def __init__(
        self,
        name: str,
        readers: dict[str, CharacterReader],
        backward: str,
        marks: tuple[int, int],
        trained: bool,
    ):
        super().__init__()
        self.name = name
        self.readers = nn.ModuleDict(readers)
        self.backward = backward
        self.register_buffer("marks", torch.tensor(marks), persistent=False)
        self.trained = trained
        self.requires_grad_(trained)
        self.output_size = sum(reader.encoder.output_size for reader in readers.values())

    def train(self, mode: bool = True) -> ContextualStrings:
        return super().train(mode and self.trained)

    def forward(self, batch: TokenBatch) -> Tensor:
        ids, sizes = batch.arrays[self.name], batch.arrays[self.name + "_lengths"]
        states = []
        for direction, reader in self.readers.items():
            backward = direction == self.backward
            states.append(
                reader(spell(ids, sizes, batch.tokens, batch.lengths, self.marks, backward))
            )
        # shape: (N, H) for each direction -> (N, output_size)
        return torch.cat(states, dim=1)
