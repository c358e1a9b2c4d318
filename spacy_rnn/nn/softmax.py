"""Output layers of a vocabulary: a full and an adaptive softmax."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Optional, cast

import torch
from torch import Tensor, nn

from .linear import Linear, xavier_linear
from .losses import Scores, log_probabilities, log_softmax, vocabulary_loss


class Softmax(nn.Module):
    """The output layer of a vocabulary.

    size (int): Width of the states.
    n_units (int): Size of the vocabulary.
    weight (Tensor): The weights of an embedding to share (Press and Wolf 2017).
    """

    def __init__(self, size: int, n_units: int, weight: Optional[Tensor] = None):
        super().__init__()
        self.linear = xavier_linear(size, n_units, weight)

    def loss(self, states: Tensor, targets: Tensor) -> Tensor:
        """The summed cross-entropy of targets (N,) after states (N, H)."""
        return vocabulary_loss(states, self.linear.weight, self.linear.bias, targets)

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
        n_frequent, n_clusters = cutoffs[0], len(cutoffs)
        #: the first unit of each cluster, and the end of the last one
        self.cutoffs = [*cutoffs, n_units]
        spans = list(pairwise(self.cutoffs))
        #: the layer of the frequent units and, after them, of the clusters
        self.head: Linear
        #: the layers of the units of each cluster
        self.tail: nn.ModuleList
        if weight is None:
            widths = [max(1, size // 4**i) for i in range(1, n_clusters + 1)]
            self.head = xavier_linear(size, n_frequent + n_clusters)
            self.narrow = nn.ModuleList(Linear(size, width, bias=False) for width in widths)
            self.tail = nn.ModuleList(
                xavier_linear(width, end - start)
                for width, (start, end) in zip(widths, spans, strict=True)
            )
        else:
            self.head = SharedRows(weight, 0, n_frequent, n_clusters)
            self.narrow = nn.ModuleList(nn.Identity() for _ in spans)
            self.tail = nn.ModuleList(SharedRows(weight, *span) for span in spans)

    def loss(self, states: Tensor, targets: Tensor) -> Tensor:
        """See `Softmax.loss`."""
        head, *tail = self._weights()
        loss = vocabulary_loss(states, head, self.head.bias, self._in_head(targets))
        for i, some, _, target in self._in_clusters(states, targets):
            loss = loss + vocabulary_loss(some, tail[i], self._cluster(i).bias, target)
        return loss

    def log_probabilities(self, states: Tensor, targets: Tensor) -> Tensor:
        """See `Softmax.log_probabilities`."""
        found = log_probabilities(Scores(states, self.head), self._in_head(targets))
        for i, some, places, target in self._in_clusters(states, targets):
            found[places] += log_probabilities(Scores(some, self._cluster(i)), target)
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
    ) -> Iterator[tuple[int, Tensor, Tensor, Tensor]]:
        """For each cluster with a target its number, what its layer reads, the places of those
        states, and the targets as numbers within the cluster."""
        for i, (start, end) in enumerate(pairwise(self.cutoffs)):
            places = ((targets >= start) & (targets < end)).nonzero().squeeze(1)
            if len(places):
                narrowed = self.narrow[i](states.index_select(0, places))
                yield i, narrowed, places, targets.index_select(0, places) - start

    def _cluster(self, i: int) -> Linear:
        return cast(Linear, self.tail[i])

    def _weights(self) -> list[Tensor]:
        """The weights of the head and of each cluster."""
        if not isinstance(self.head, SharedRows):
            return [cast(Linear, layer).weight for layer in (self.head, *self.tail)]
        # All at once: the gradient of each part by itself would be as large as the table.
        sizes = [end - start for start, end in pairwise([0, *self.cutoffs])]
        frequent, *tail = self.head.table.split(sizes)
        return [self.head.with_own(frequent), *tail]


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
        return self.with_own(self.table[self.start : self.end])

    def with_own(self, rows: Tensor) -> Tensor:
        """Append the weights of the layer's own outputs to its rows of the embedding."""
        return rows if self.own is None else torch.cat([rows, self.own])
