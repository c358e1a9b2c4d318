"""Pooling of the states of a sequence into one vector.

Each way of pooling is a summary that can be merged: what is kept of two windows of a text gives
what is kept of both. So a text of any length is pooled window by window, with the result of the
whole. Everything works on flat sequences, so that there is no padding to leak in. A sequence
without tokens gives zeros.
"""

from __future__ import annotations

from typing import Sequence

import torch
from torch import Tensor, nn

from .layout import FlatBatch
from .linear import Linear
from .options import Direction, Way
from .rnn import Encoder, final_states
from .segments import segment_max, segment_sum, sequence_of

#: named tensors with one row for each sequence
Summary = dict[str, Tensor]
#: the summary of each way of pooling
Summaries = dict[str, Summary]


class LastState(nn.Module):
    """The true last state of each direction: of the backward one, that at the first token."""

    def __init__(self, size: int, direction: Direction):
        super().__init__()
        self.direction = direction
        self.output_size = size

    def summarize(self, x: Tensor, lengths: Tensor) -> Summary:
        return {"state": final_states(x, lengths, self.direction)}

    def merge(self, summary: Summary, counts: Tensor) -> Summary:
        return {"state": final_states(summary["state"], counts, self.direction)}

    def finish(self, summary: Summary) -> Tensor:
        return summary["state"]


class Mean(nn.Module):
    """The mean over the sequence's own tokens."""

    def __init__(self, size: int):
        super().__init__()
        self.output_size = size

    def summarize(self, x: Tensor, lengths: Tensor) -> Summary:
        total = segment_sum(x, sequence_of(lengths, x.device), len(lengths))
        return {"total": total, "count": lengths.to(x.device, x.dtype).unsqueeze(1)}

    def merge(self, summary: Summary, counts: Tensor) -> Summary:
        return _sums(summary, counts)

    def finish(self, summary: Summary) -> Tensor:
        return summary["total"] / summary["count"].clamp(min=1.0)


class Max(nn.Module):
    """The largest value of each dimension (Collobert and Weston 2008, "max over time")."""

    def __init__(self, size: int):
        super().__init__()
        self.output_size = size

    def summarize(self, x: Tensor, lengths: Tensor) -> Summary:
        return {"largest": segment_max(x, sequence_of(lengths, x.device), len(lengths))}

    def merge(self, summary: Summary, counts: Tensor) -> Summary:
        return self.summarize(summary["largest"], counts)

    def finish(self, summary: Summary) -> Tensor:
        largest = summary["largest"]
        return largest.masked_fill(largest == torch.finfo(largest.dtype).min, 0.0)


class AttentionPooling(nn.Module):
    """The mean weighted by a softmax of learned scores u . tanh(W h + b).

    Yang et al. 2016, "Hierarchical attention networks", equations 5 to 7. The softmax is kept as
    its largest score, the sum of exponentials below it, and the weighted sum, which merge exactly
    (Milakov and Gimelshein 2018, section 3.1).
    """

    def __init__(self, size: int, hidden_size: int):
        super().__init__()
        self.hidden = Linear(size, hidden_size)
        self.context = nn.Linear(hidden_size, 1, bias=False)
        for layer in (self.hidden, self.context):
            nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(self.hidden.bias)
        self.output_size = size

    def scores(self, x: Tensor) -> Tensor:
        """The score of each token, before the softmax: (N, D) -> (N, 1)."""
        return self.context(torch.tanh(self.hidden(x)))

    def summarize(self, x: Tensor, lengths: Tensor) -> Summary:
        scores = self.scores(x).float()
        sequences = sequence_of(lengths, x.device)
        peak = segment_max(scores.detach(), sequences, len(lengths))
        weights = (scores - peak.index_select(0, sequences)).exp()
        return {
            "peak": peak,
            "total": segment_sum(weights * x, sequences, len(lengths)),
            "count": segment_sum(weights, sequences, len(lengths)),
        }

    def merge(self, summary: Summary, counts: Tensor) -> Summary:
        peaks = summary["peak"]
        sequences = sequence_of(counts, peaks.device)
        peak = segment_max(peaks, sequences, len(counts))
        factor = (peaks - peak.index_select(0, sequences)).exp()
        parts = {name: summary[name] * factor for name in ("total", "count")}
        return {"peak": peak, **_sums(parts, counts)}

    def finish(self, summary: Summary) -> Tensor:
        # The count is at least 1: the best token's own weight. Without tokens it is 0.
        return summary["total"] / summary["count"].clamp(min=1.0)


class Pooling(nn.Module):
    """The ways of pooling, their vectors concatenated: (N, D) -> (B, output_size).

    size (int): Width of a token's state.
    direction (str): Direction of the encoder that made the states.
    ways (Sequence[str]): One or more of "last", "mean", "max" and "attention".
    attention_size (int): Width of the hidden layer of the attention.
    """

    def __init__(self, size: int, direction: Direction, ways: Sequence[Way], attention_size: int):
        super().__init__()
        makers = {
            "last": lambda: LastState(size, direction),
            "mean": lambda: Mean(size),
            "max": lambda: Max(size),
            "attention": lambda: AttentionPooling(size, attention_size),
        }
        self.ways = nn.ModuleDict({way: makers[way]() for way in ways})
        self.output_size: int = sum(way.output_size for way in self.ways.values())  # type: ignore

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Pool sequences.

        x (Tensor): Flat states, (N, D).
        lengths (Tensor): Tokens of each sequence, int64 (B,) on the CPU.
        RETURNS (Tensor): The vector of each sequence, (B, output_size).
        """
        return self.finish(self.summarize(x, lengths))

    def summarize(self, x: Tensor, lengths: Tensor) -> Summaries:
        """Return what each way needs of each sequence."""
        x = x.float()
        return {name: way.summarize(x, lengths) for name, way in self.ways.items()}  # type: ignore

    def merge(self, summaries: Summaries, counts: Tensor) -> Summaries:
        """Combine the windows of each text, `counts` consecutive rows."""
        return {name: way.merge(summaries[name], counts) for name, way in self.ways.items()}  # type: ignore

    def finish(self, summaries: Summaries) -> Tensor:
        """The vectors of the summarized sequences, (B, output_size)."""
        return torch.cat([way.finish(summaries[name]) for name, way in self.ways.items()], dim=1)  # type: ignore


class PooledEncoder(nn.Module):
    """Vectors of a sequence into one vector: an encoder, and a pooling of its states.

    encoder (Encoder): Reads the vectors.
    pooling (Pooling): Pools the states.
    """

    def __init__(self, encoder: Encoder, pooling: Pooling):
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling
        self.output_size = pooling.output_size

    def forward(self, batch: FlatBatch) -> Tensor:
        """The vector of each sequence, (B, output_size)."""
        return self.pooling.finish(self.summarize(batch))

    def summarize(self, batch: FlatBatch) -> Summaries:
        """Summarize each sequence, or each window of one."""
        return self.pooling.summarize(*self.states(batch))

    def states(self, batch: FlatBatch) -> tuple[Tensor, Tensor]:
        """The states that are pooled, (N, size), and how many each sequence has, int64 (B,) on the
        CPU."""
        return self.encoder.read_batch(batch)


def _sums(summary: Summary, counts: Tensor) -> Summary:
    return {
        name: segment_sum(value, sequence_of(counts, value.device), len(counts))
        for name, value in summary.items()
    }
