"""Recurrent language models, which predict each unit of a sequence from those before it."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence, Union

import numpy as np
import torch
from torch import Tensor, nn

from .decoder import DecoderState
from .dropout import bernoulli_mask
from .linear import Linear, xavier_linear
from .losses import log_softmax
from .ragged import offsets
from .rnn import Encoder
from .softmax import AdaptiveSoftmax, Softmax


class EncoderOutput(NamedTuple):
    """The states of a language model.

    states (Tensor): The state after each unit, from which the next one is predicted, (N, H).
    final (Tensor): The states of the layers after each row, (S, depth, B, H).
    """

    states: Tensor
    final: Tensor


class LanguageModel(nn.Module):
    """A recurrent language model of one direction (Mikolov et al. 2010); a backward one is the same
    over reversed sequences.

    n_units (int): Size of the vocabulary.
    embedding_size (int): Width of the vectors of units.
    encoder (Encoder): A forward encoder of those vectors.
    tied (bool): The output layer shares the weights of the embedding.
    cutoffs (Sequence[int]): Cutoffs of an adaptive softmax; none for a full one.
    embedding_dropout (float): Rate at which units are dropped in a training step, in all their
        places (Merity et al. 2018, section 4.3).
    condition_size (int): Width of the vector that each document may have, such as its labels, from
        which the state before its first unit is computed. 0 for none: states start from zeros.
    """

    def __init__(
        self,
        n_units: int,
        embedding_size: int,
        encoder: Encoder,
        *,
        tied: bool = True,
        cutoffs: Sequence[int] = (),
        embedding_dropout: float = 0.0,
        condition_size: int = 0,
    ):
        super().__init__()
        if encoder.direction != "forward":
            raise ValueError(
                f"The encoder of a language model must have the direction 'forward', got "
                f"'{encoder.direction}'. For a backward model, reverse the sequences."
            )
        self.encoder = encoder
        self.embedding_dropout = embedding_dropout
        self.embedding = nn.Embedding(n_units, embedding_size)
        nn.init.normal_(self.embedding.weight, std=embedding_size**-0.5)
        self.project: Optional[Linear] = None
        size = encoder.output_size
        if tied and size != embedding_size:
            # Back to the width of the embedding.
            self.project = xavier_linear(size, embedding_size)
            size = embedding_size
        self.output: Union[Softmax, AdaptiveSoftmax]
        weight = self.embedding.weight if tied else None
        if cutoffs:
            self.output = AdaptiveSoftmax(size, n_units, cutoffs, weight)
        else:
            self.output = Softmax(size, n_units, weight)
        self.condition: Optional[nn.Linear] = None
        if condition_size:
            n_states, depth, _, hidden = encoder.state_size(0)
            self.condition = nn.Linear(condition_size, n_states * depth * hidden)
            nn.init.xavier_uniform_(self.condition.weight)
            nn.init.zeros_(self.condition.bias)

    def initial_state(self, n_rows: int, condition: Optional[Tensor] = None) -> Tensor:
        """The state before documents.

        n_rows (int): The number of documents, B.
        condition (Tensor): The vector of each document (B, C), if they have any.
        RETURNS (Tensor): The states of the layers (S, depth, B, H).
        """
        n_states, depth, _, hidden = self.encoder.state_size(n_rows)
        if self.condition is None or condition is None:
            return self.embedding.weight.new_zeros(n_states, depth, n_rows, hidden)
        states = torch.tanh(self.condition(condition.to(self.condition.weight.dtype)))
        return states.view(n_rows, n_states, depth, hidden).permute(1, 2, 0, 3)

    def forward(
        self,
        units: Tensor,
        lengths: Tensor,
        state: Tensor,
        only_longest: bool = False,
    ) -> EncoderOutput:
        """Read rows of units.

        units (Tensor): The units of all rows, concatenated, (N,).
        lengths (Tensor): Units per row, int64 (B,) on the CPU.
        state (Tensor): The state before the rows (S, depth, B, H).
        only_longest (bool): See `Encoder.forward_stateful`.
        RETURNS (EncoderOutput): The states after the units.
        """
        states, final = self.encoder.forward_stateful(
            self.embedding_matrix(), lengths, units, state, only_longest
        )
        return EncoderOutput(self._to_output(states), final)

    def log_prob(self, vectors: Tensor, state: Tensor, targets: Tensor) -> Tensor:
        """The log-probability of a sequence of units after what is read.

        vectors (Tensor): The vectors of what is read, (B, N, E).
        state (Tensor): The state before it (S, depth, B, H).
        targets (Tensor): The units (T,), T <= N: the last one follows all that is read, the one
            before it all but the last unit, and so on.
        RETURNS (Tensor): The sum of their log-probabilities (B,).
        """
        n, length, _ = vectors.shape
        lengths = torch.full((n,), length)
        states, _ = self.encoder.forward_stateful(vectors.flatten(0, 1), lengths, None, state)
        last = states.unflatten(0, (n, length))[:, length - len(targets) :]
        scores = log_softmax(self.output(self._to_output(last.flatten(0, 1))))
        found = scores.gather(1, targets.repeat(n).unsqueeze(1))
        return found.view(n, len(targets)).sum(1)

    def step(
        self, units: Tensor, source: None, state: DecoderState
    ) -> tuple[Tensor, None, DecoderState]:
        """Read one unit per hypothesis, without a source; see `StepwiseModel.step`."""
        vectors = self.embedding_matrix().index_select(0, units.flatten()).unsqueeze(0)
        states, after = self.encoder.step_uniform(vectors, state.recurrent)
        scores = self.output(self._to_output(states.squeeze(0))).view(*units.shape, -1)
        return scores, None, DecoderState(after, None)

    def embedding_matrix(self) -> Tensor:
        """The vectors of all units, (V, E), with dropout in training."""
        weight = self.embedding.weight
        if not self.training or not self.embedding_dropout:
            return weight
        return weight * bernoulli_mask((len(weight), 1), self.embedding_dropout, weight)

    def _to_output(self, states: Tensor) -> Tensor:
        return states if self.project is None else self.project(states)


def language_loss(
    module: LanguageModel,
    states: Tensor,
    targets: Tensor,
    lengths: np.ndarray,
    activation: float = 0.0,
    temporal: float = 0.0,
) -> Tensor:
    """The loss of a language model, summed over units.

    module (LanguageModel): The model.
    states (Tensor): Its states before the targets (N, H), row after row.
    targets (Tensor): The units that come next (N,).
    lengths (np.ndarray): Units per row (B,).
    activation (float): Weight of the mean square of the states, added for each unit to keep them
        small (Merity et al. 2017, section 3.1).
    temporal (float): Weight of the mean square of their change from unit to unit, added to keep it
        small (section 3.2).
    RETURNS (Tensor): The cross-entropy and these penalties, a scalar.
    """
    loss = module.output.loss(states, targets)
    if activation:
        loss = loss + len(states) * activation * states.pow(2).mean()
    if temporal and len(states) > len(lengths):
        # All units but the first of each row.
        later = np.delete(np.arange(len(states)), offsets(lengths))
        index = torch.from_numpy(later).to(states.device)
        change = states.index_select(0, index) - states.index_select(0, index - 1)
        loss = loss + len(states) * temporal * change.pow(2).mean()
    return loss
