"""Language models: each unit of a sequence from those before it."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence, Union

import numpy as np
import torch
from torch import Tensor, nn

from .decoder import State
from .dropout import bernoulli_mask
from .layout import offsets
from .linear import Linear
from .losses import Scores, log_probabilities, vocabulary_loss
from .rnn import Encoder


class Softmax(nn.Module):
    """Scores of a whole vocabulary. weight: of an embedding, to share it (Press and Wolf 2017)."""

    def __init__(self, size: int, n_units: int, weight: Optional[Tensor] = None):
        super().__init__()
        self.linear = Linear(size, n_units)
        nn.init.zeros_(self.linear.bias)
        if weight is None:
            nn.init.xavier_uniform_(self.linear.weight)
        else:
            self.linear.weight = weight  # type: ignore[assignment]

    def scores(self, states: Tensor) -> Scores:
        return Scores(states, self.linear.weight, self.linear.bias)

    def loss(self, states: Tensor, targets: Tensor) -> Tensor:
        """Summed cross-entropy."""
        return vocabulary_loss(self.scores(states), targets)

    def log_probabilities(self, states: Tensor, targets: Tensor) -> Tensor:
        """Of targets (N,) after states (N, H)."""
        return log_probabilities(self.scores(states), targets)

    def forward(self, states: Tensor) -> Tensor:
        """Scores, of which a softmax makes probabilities, (N, V)."""
        return self.linear(states)


class AdaptiveSoftmax(nn.Module):
    """The same for a large vocabulary, frequent units first: rare ones are in clusters of narrower
    vectors, which are looked into where they are the target (Grave et al. 2017).

    cutoffs: the first unit of each cluster.
    """

    def __init__(self, size: int, n_units: int, cutoffs: Sequence[int]):
        super().__init__()
        self.clusters = nn.AdaptiveLogSoftmaxWithLoss(size, n_units, list(cutoffs), head_bias=True)
        for layer in self.clusters.modules():
            if type(layer) is nn.Linear:
                # The same layer, multiplied faster.
                layer.__class__ = Linear

    def loss(self, states: Tensor, targets: Tensor) -> Tensor:
        return -self.log_probabilities(states, targets).sum()

    def log_probabilities(self, states: Tensor, targets: Tensor) -> Tensor:
        # In full precision, whatever the network ran in: torch mixes up the two.
        with torch.autocast(states.device.type, enabled=False):
            return self.clusters(self._full(states), targets).output

    def forward(self, states: Tensor) -> Tensor:
        with torch.autocast(states.device.type, enabled=False):
            return self.clusters.log_prob(self._full(states))

    def _full(self, states: Tensor) -> Tensor:
        return states.to(self.clusters.head.weight.dtype)


class Read(NamedTuple):
    """What a language model made of units.

    states: after each unit, (N, H). final: of the layers after each row, (S, depth, B, H).
    """

    states: Tensor
    final: Tensor


class LanguageModel(nn.Module):
    """A recurrent language model of one direction (Mikolov et al. 2010); a backward one is the same
    over reversed sequences.

    n_units: size of the vocabulary.
    encoder: reads vectors of `embedding_size`, forward.
    tied: the output layer's weights are the embedding.
    cutoffs: of an adaptive softmax; none for a full one.
    embedding_dropout: rate at which the vectors of units are dropped in a training step, wherever
        they stand in it (Merity et al. 2018, section 4.3).
    condition_size: width of a vector that each document may have, such as of its labels: the state
        before its first unit is a function of it. 0 for none, which starts from zeros.
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
                f"A language model reads in one direction, not '{encoder.direction}': a backward "
                f"one reads reversed sequences forward."
            )
        if tied and cutoffs:
            raise ValueError(
                "An adaptive softmax has no weights that could be tied to the embedding: set tied "
                "to false, or cutoffs to []."
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
        if cutoffs:
            self.output = AdaptiveSoftmax(size, n_units, cutoffs)
        else:
            self.output = Softmax(size, n_units, self.embedding.weight if tied else None)
        self.condition: Optional[nn.Linear] = None
        if condition_size:
            n_states, depth, _, hidden = encoder.state_size(0)
            self.condition = nn.Linear(condition_size, n_states * depth * hidden)
            nn.init.xavier_uniform_(self.condition.weight)
            nn.init.zeros_(self.condition.bias)

    def start(self, n_rows: int, condition: Optional[Tensor] = None) -> Tensor:
        """The state before a document, (S, depth, B, H). condition: (B, C), where there is one."""
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
        longest: bool = False,
    ) -> Read:
        """Read rows of units, (N,) flat, from a state (S, depth, B, H).

        lengths: int64 (B,) on the CPU. longest: see `Encoder.step`.
        """
        states, final = self.encoder.step(self.table(), lengths, units, state, longest)
        return Read(self.to_output(states), final)

    def foretell(self, vectors: Tensor, state: Tensor, targets: Tensor) -> Tensor:
        """The log-probability of units together, (B,), the last of which comes after all that was
        read, the one before it after all but the last unit read, and so on.

        vectors: of what is read, (B, N, E), from a state (S, depth, B, H). targets: (T,), T <= N.
        """
        n, length, _ = vectors.shape
        states, _ = self.encoder.step(vectors.flatten(0, 1), torch.full((n,), length), None, state)
        last = states.unflatten(0, (n, length))[:, length - len(targets) :]
        scores = self.output(self.to_output(last.flatten(0, 1))).float().log_softmax(dim=1)
        found = scores.gather(1, targets.repeat(n).unsqueeze(1))
        return found.view(n, len(targets)).sum(1)

    def table(self) -> Tensor:
        """The vectors of all units, (V, E)."""
        weight = self.embedding.weight
        if not self.training or not self.embedding_dropout:
            return weight
        return weight * bernoulli_mask((len(weight), 1), self.embedding_dropout, weight)

    def to_output(self, states: Tensor) -> Tensor:
        return states if self.project is None else self.project(states)


class Searched:
    """A language model as `search` reads it; its sources are what was read before.

    first: the units that may come first after each source, bool (B, V); None allows all.
    """

    def __init__(self, module: LanguageModel, first: Optional[Tensor] = None):
        self.module = module
        self.first = first

    def step(self, pieces: Tensor, state: State) -> tuple[Tensor, None, State]:
        module = self.module
        vectors = module.table().index_select(0, pieces.flatten()).unsqueeze(0)
        states, after = module.encoder.read(vectors, state.recurrent)
        scores = module.output(module.to_output(states.squeeze(0))).view(*pieces.shape, -1)
        if self.first is not None:
            scores = scores.masked_fill(~self.first.unsqueeze(1), -torch.inf)
            self.first = None
        return scores, None, State(after, None)

    def keep(self, sources: Tensor) -> None:
        """All that it knows of them is in the state."""


def language_loss(
    module: LanguageModel,
    states: Tensor,
    targets: Tensor,
    lengths: np.ndarray,
    activation: float = 0.0,
    temporal: float = 0.0,
) -> Tensor:
    """Cross-entropy summed over units (N,), rows of these lengths; and, a unit, `activation` times
    the mean square of the states (N, H) and `temporal` times that of their change from unit to
    unit, which keep them small and slow (Merity et al. 2017, sections 3.1 and 3.2)."""
    loss = module.output.loss(states, targets)
    if activation:
        loss = loss + len(states) * activation * states.pow(2).mean()
    if temporal and len(states) > len(lengths):
        # All places but the first of each row.
        later = np.delete(np.arange(len(states)), offsets(lengths))
        places = torch.from_numpy(later).to(states.device)
        change = states.index_select(0, places) - states.index_select(0, places - 1)
        loss = loss + len(states) * temporal * change.pow(2).mean()
    return loss
