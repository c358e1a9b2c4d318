"""Recurrent language models, which predict each unit of a sequence from those before it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple, Optional, Sequence, Union, cast

import numpy as np
import torch
from torch import Tensor, nn

from .decoder import DecoderState
from .dropout import bernoulli_mask
from .linear import Linear, output_layer
from .losses import Scores, log_probabilities, log_softmax, vocabulary_loss
from .ragged import offsets
from .rnn import Encoder


class Softmax(nn.Module):
    """The output layer of a vocabulary.

    size (int): Width of the states.
    n_units (int): Size of the vocabulary.
    weight (Tensor): The weights of an embedding to share (Press and Wolf 2017).
    """

    def __init__(self, size: int, n_units: int, weight: Optional[Tensor] = None):
        super().__init__()
        if weight is None:
            self.linear = output_layer(size, n_units)
        else:
            self.linear = Linear(weight.shape[1], n_units)
            self.linear.weight = weight  # type: ignore[assignment]
            nn.init.zeros_(self.linear.bias)

    def loss(self, states: Tensor, targets: Tensor) -> Tensor:
        """The summed cross-entropy of targets (N,) after states (N, H)."""
        return vocabulary_loss(Scores(states, self.linear), targets)

    def log_probabilities(self, states: Tensor, targets: Tensor) -> Tensor:
        """The log-probability of each target (N,) after states (N, H)."""
        return log_probabilities(Scores(states, self.linear), targets)

    def forward(self, states: Tensor) -> Tensor:
        """The scores of all units, of which a softmax makes probabilities, (N, V)."""
        return self.linear(states)


class AdaptiveSoftmax(nn.Module):
    """The output layer of a large vocabulary, frequent units first: rare ones are in clusters,
    which are computed only where they are the target (Grave et al. 2017, section 4).

    size (int): Width of the states.
    n_units (int): Size of the vocabulary.
    cutoffs (Sequence[int]): The first unit of each cluster.
    weight (Tensor): The weights of an embedding to share. Without them, the vectors of each cluster
        are a quarter as wide as those of the one before.
    """

    def __init__(
        self, size: int, n_units: int, cutoffs: Sequence[int], weight: Optional[Tensor] = None
    ):
        super().__init__()
        starts, ends = list(cutoffs), [*cutoffs[1:], n_units]
        #: the first unit of each cluster, and the end of the last one
        self.cutoffs = [*starts, n_units]
        #: of the frequent units and, after them, of the clusters
        self.head: Linear
        #: of the units of each cluster
        self.tail: nn.ModuleList
        if weight is None:
            widths = [max(1, size // 4**i) for i in range(1, len(starts) + 1)]
            self.head = output_layer(size, starts[0] + len(starts))
            self.narrow = nn.ModuleList(Linear(size, width, bias=False) for width in widths)
            self.tail = nn.ModuleList(
                output_layer(width, end - start)
                for width, start, end in zip(widths, starts, ends, strict=True)
            )
        else:
            self.head = SharedRows(weight, 0, starts[0], len(starts))
            self.narrow = nn.ModuleList(nn.Identity() for _ in starts)
            self.tail = nn.ModuleList(
                SharedRows(weight, start, end) for start, end in zip(starts, ends, strict=True)
            )

    def loss(self, states: Tensor, targets: Tensor) -> Tensor:
        """See `Softmax.loss`."""
        loss = vocabulary_loss(Scores(states, self.head), self._in_head(targets))
        for scores, _, target in self._in_clusters(states, targets):
            loss = loss + vocabulary_loss(scores, target)
        return loss

    def log_probabilities(self, states: Tensor, targets: Tensor) -> Tensor:
        """See `Softmax.log_probabilities`."""
        found = log_probabilities(Scores(states, self.head), self._in_head(targets))
        for scores, places, target in self._in_clusters(states, targets):
            found[places] += log_probabilities(scores, target)
        return found

    def forward(self, states: Tensor) -> Tensor:
        """The log-probabilities of all units, (N, V)."""
        head = log_softmax(self.head(states))
        parts = [head[:, : self.cutoffs[0]]]
        for i, (narrow, layer) in enumerate(zip(self.narrow, self.tail, strict=True)):
            in_cluster = log_softmax(layer(narrow(states)))
            parts.append(head[:, self.cutoffs[0] + i, None] + in_cluster)
        return torch.cat(parts, dim=1)

    def _in_head(self, targets: Tensor) -> Tensor:
        """The output of the head for each target: itself, or its cluster."""
        cluster = torch.bucketize(targets, targets.new_tensor(self.cutoffs[:-1]), right=True)
        return torch.where(cluster == 0, targets, self.cutoffs[0] + cluster - 1)

    def _in_clusters(
        self, states: Tensor, targets: Tensor
    ) -> Iterator[tuple[Scores, Tensor, Tensor]]:
        """For each cluster the scores of its units after some of the states, the places of those
        states, and the targets as numbers within the cluster."""
        for narrow, layer, (start, end) in zip(
            self.narrow, self.tail, pairwise(self.cutoffs), strict=True
        ):
            places = ((targets >= start) & (targets < end)).nonzero().squeeze(1)
            if len(places):
                scores = Scores(narrow(states.index_select(0, places)), cast(Linear, layer))
                yield scores, places, targets.index_select(0, places) - start


class SharedRows(Linear):
    """A linear layer whose weights are rows of an embedding and, after them, some of its own.

    table (Tensor): The weights of the embedding (V, size).
    start, end (int): The rows.
    n_own (int): The number of other outputs.
    """

    def __init__(self, table: Tensor, start: int, end: int, n_own: int = 0):
        nn.Module.__init__(self)
        self.in_features, self.out_features = table.shape[1], end - start + n_own
        self.start, self.end = start, end
        self.table = table
        self.own: Optional[nn.Parameter] = None
        if n_own:
            own = torch.empty(n_own, self.in_features)
            self.own = nn.Parameter(nn.init.normal_(own, std=self.in_features**-0.5))
        self.bias = nn.Parameter(torch.zeros(self.out_features))

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """The weights of all outputs."""
        rows = self.table[self.start : self.end]
        return rows if self.own is None else torch.cat([rows, self.own])


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
            self.project = Linear(size, embedding_size)
            nn.init.xavier_uniform_(self.project.weight)
            nn.init.zeros_(self.project.bias)
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
        scores = self.output(self._to_output(last.flatten(0, 1))).float().log_softmax(dim=1)
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
