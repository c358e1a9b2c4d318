"""The baseline: a translator in plain torch, over batches that are prepared beforehand.

The shapes are those of configs/translator.cfg: piece embeddings of 320, a bidirectional LSTM of
2 x 320 as encoder, an LSTM of 320 as decoder, which starts from the encoder's last states,
"general" attention, and an output layer with tied weights (the target's embedding).

`BareTranslator` is for training: the decoder runs over a whole batch of targets at once, attention
is one batched matrix product, and the output layer skips padding. Encoder and decoder each have the
two variants of benchmarks/bare_tagger.py.

`BareDecoder` is the kernel of step-by-step decoding: cell, attention, output layer and the best
pieces of each row, over given vectors and encoded sources. It does not keep track of what was
decoded, and does not add up or normalize probabilities.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from bare_tagger import BiLSTM, Packed, Padded, Rows, Ways
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

SIZE = 320
#: ids of the pieces of a source, and of its target with begin and end symbols
Pair = tuple[list[int], list[int]]


class Batch(NamedTuple):
    """The kernels may read rows in another order and return flat states; everywhere else, rows are
    in the order of the targets.

    source, target: the ids that encoder and decoder read. source_places, target_places: (B, S) and
    (B, T), the indices of each row's flat states, the last one repeated. ruled_out: (B, 1, S), true
    after the end of a source. grid, flat, rows: (M,), for each piece to predict: its index in the
    flattened (B, T), the index of its flat state, and its row. gold: (M,).
    """

    source: Rows
    source_places: Tensor
    ruled_out: Tensor
    target: Rows
    target_places: Tensor
    grid: Tensor
    flat: Tensor
    rows: Tensor
    gold: Tensor


class BareTranslator(nn.Module):
    def __init__(self, ways: Ways, n_source: int, n_target: int):
        super().__init__()
        self.source, self.target = nn.Embedding(n_source, SIZE), nn.Embedding(n_target, SIZE)
        self.encoder = BiLSTM(ways[0], SIZE, SIZE)
        self.start = nn.Linear(2 * SIZE, 2 * SIZE)
        self.decoder = nn.LSTM(SIZE, SIZE)
        self.keys = nn.Linear(2 * SIZE, SIZE, bias=False)
        self.combine = nn.Linear(3 * SIZE, SIZE, bias=False)
        self.output = nn.Linear(SIZE, n_target)
        self.output.weight = self.target.weight
        # Larger weights make probabilities so small that arithmetic with them is slow.
        nn.init.normal_(self.target.weight, std=SIZE**-0.5)

    def forward(self, batch: Batch, dropout: float) -> Tensor:
        """The logits of each piece to predict, (M, V)."""
        source, target = batch.source, batch.target
        x = self.encoder(source.drop(self.source(source.ids), dropout), source)
        memory = _take(source.flat(source.drop(x, dropout)), batch.source_places)
        summary = torch.cat([memory[:, -1, :SIZE], memory[:, 0, SIZE:]], dim=1)
        h, c = torch.tanh(self.start(summary)).chunk(2, dim=1)
        state = h.unsqueeze(0).contiguous(), c.unsqueeze(0).contiguous()

        y = target.drop(self.target(target.ids), dropout)
        if isinstance(target, Packed):
            y = self.decoder(PackedSequence(y, target.sizes), state)[0].data
        else:
            y = self.decoder(y, state)[0]
        y = target.flat(target.drop(y, dropout))
        scores = _take(y, batch.target_places) @ self.keys(memory).transpose(1, 2)
        weights = scores.masked_fill(batch.ruled_out, -torch.inf).softmax(dim=2)
        context = (weights @ memory).flatten(0, 1).index_select(0, batch.grid)
        y = torch.tanh(self.combine(torch.cat([context, y.index_select(0, batch.flat)], dim=1)))
        mask = y.new_empty(len(memory), SIZE).bernoulli_(1 - dropout).div_(1 - dropout)
        return self.output(y * mask.index_select(0, batch.rows))


class Learner:
    """A training loop: loss, gradient, clipping of the gradient's norm, torch's fused AdamW."""

    def __init__(self, network: BareTranslator, dropout: float, label_smoothing: float):
        self.network = network
        self.dropout = dropout
        self.loss = nn.CrossEntropyLoss(label_smoothing=label_smoothing)
        self.optimizer = torch.optim.AdamW(network.parameters(), fused=True)

    def update(self, batches: Sequence[Batch]) -> None:
        self.network.train()
        for batch in batches:
            self.optimizer.zero_grad()
            self.loss(self.network(batch, self.dropout), batch.gold).backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()


# Decoding


class OneStep(nn.Module):
    """An `nn.LSTM` with the interface of an `nn.LSTMCell`."""

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.layer = nn.LSTM(input_size, hidden_size)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        h, c = (part.unsqueeze(0) for part in state)
        h, c = self.layer(x.unsqueeze(0), (h, c))[1]
        return h.squeeze(0), c.squeeze(0)


CELLS = {"cell": nn.LSTMCell, "layer": OneStep}


class Sources(NamedTuple):
    """Encoded sources. memory: (B, S, 2 * SIZE). keys: (B, SIZE, S). ended: (B, 1, S), 0, or -inf
    after the end of a source. vectors: (T, B * K, SIZE), those of the pieces that the K hypotheses
    of each source read."""

    memory: Tensor
    keys: Tensor
    ended: Tensor
    vectors: Tensor


class BareDecoder(nn.Module):
    def __init__(self, cell: str, n_target: int):
        super().__init__()
        self.cell = CELLS[cell](SIZE, SIZE)
        self.combine = nn.Linear(3 * SIZE, SIZE, bias=False)
        self.output = nn.Linear(SIZE, n_target)

    @torch.inference_mode()
    def decode(self, batches: Sequence[Sources]) -> list[list[Tensor]]:
        """The K best next pieces of each row, for each batch and step."""
        return [self._decode(*sources) for sources in batches]

    def _decode(self, memory: Tensor, keys: Tensor, ended: Tensor, vectors: Tensor) -> list[Tensor]:
        n_sources, n_rows = len(memory), vectors.shape[1]
        best = []
        state = torch.zeros_like(vectors[0]), torch.zeros_like(vectors[0])
        for x in vectors:
            state = self.cell(x, state)
            # In the attention, the hypotheses of one source are like the steps of one target.
            scores = torch.baddbmm(ended, state[0].view(n_sources, -1, SIZE), keys)
            context = (scores.softmax(dim=2) @ memory).view(n_rows, -1)
            y = torch.tanh(self.combine(torch.cat([context, state[0]], dim=1)))
            best.append(self.output(y).topk(n_rows // n_sources, dim=1).indices)
        return best


# Preparing batches


def prepare(pairs: Sequence[Pair], ways: Ways, device: str) -> Batch:
    """A batch of pairs for a `BareTranslator` of the same variants."""
    encoder, decoder = (Padded if way == "padded" else Packed for way in ways)
    ordered = sorted(pairs, key=lambda pair: -len(pair[1]))
    sources = [torch.tensor(source) for source, _ in ordered]
    targets = [torch.tensor(target) for _, target in ordered]
    before = [target[:-1] for target in targets]
    by_source = sorted(range(len(pairs)), key=lambda i: -len(sources[i]))
    source_places, n_source = _places(encoder, sources, by_source)
    target_places, n_before = _places(decoder, before, range(len(pairs)))
    real = torch.arange(target_places.shape[1]) < n_before.unsqueeze(1)
    return Batch(
        encoder([sources[i] for i in by_source], device),
        source_places.to(device),
        (torch.arange(source_places.shape[1]) >= n_source.unsqueeze(1)).unsqueeze(1).to(device),
        decoder(before, device),
        target_places.to(device),
        real.flatten().nonzero().squeeze(1).to(device),
        target_places[real].to(device),
        real.nonzero()[:, 0].to(device),
        torch.cat([target[1:] for target in targets]).to(device),
    )


def _places(
    kind: type[Rows], sequences: Sequence[Tensor], order: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """The positions (B, T) at which a kernel that reads sequences in this order puts the items of
    each sequence, the last one repeated; and the lengths (B,) of the sequences."""
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    numbers = torch.arange(int(lengths.sum())).split(lengths.tolist())
    rows = kind([numbers[i] for i in order], "cpu")
    place = torch.empty(int(lengths.sum()), dtype=torch.int64)
    place[rows.ids.flatten()[rows.real]] = rows.real.nonzero().squeeze(1)
    within = torch.arange(int(lengths.max())).minimum(lengths.unsqueeze(1) - 1)
    return place[(lengths.cumsum(0) - lengths).unsqueeze(1) + within], lengths


def sources(lengths: Sequence[int], beam: int, n_steps: int, device: str) -> Sources:
    """A batch of random vectors for sources of these lengths."""
    n, longest = len(lengths), max(lengths)
    ended = torch.zeros(n, 1, longest)
    for row, length in zip(ended, lengths, strict=True):
        row[:, length:] = -torch.inf
    return Sources(
        torch.randn(n, longest, 2 * SIZE, device=device),
        torch.randn(n, SIZE, longest, device=device),
        ended.to(device),
        torch.randn(n_steps, n * beam, SIZE, device=device),
    )


def _take(x: Tensor, places: Tensor) -> Tensor:
    """The rows of x (N, D) at the indices `places` (B, T), as (B, T, D)."""
    return x.index_select(0, places.flatten()).view(*places.shape, -1)
