"""The baseline: a tagger in plain torch, over batches that are prepared beforehand.

The shapes are those of `rnn_tagger` with its default config: word embeddings of 100 and character
features of 2 x 25, two bidirectional LSTM layers of 200, and a linear layer. Every distinct word of
a batch is embedded once. What a batch needs (sorting, padding, packing, indices) is computed when
the batch is made, so that a pass only runs the kernels.

Each of the two recurrent parts, over characters and over words, has two variants that give the same
values: "packed" (`nn.LSTM` over a `PackedSequence`) and "padded" (a separate `nn.LSTM` for each
direction over a padded grid, which on a CPU uses oneDNN; the backward one reads reversed rows).
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence, pad_sequence

#: the variants of the parts over characters and over words
Ways = tuple[str, str]
WAYS = ("padded", "packed")
#: label of the padding in a grid, which the loss ignores
MISSING = -100


class Padded:
    """Sequences of ids in a (T, B) grid, the longest first."""

    def __init__(self, sequences: Sequence[Tensor], device: str):
        lengths = torch.tensor([len(sequence) for sequence in sequences])
        ids = pad_sequence(list(sequences))
        time = torch.arange(len(ids)).unsqueeze(1)
        real = time < lengths
        rows = torch.arange(len(lengths))
        reverse = torch.where(real, lengths - 1 - time, time) * len(lengths) + rows
        self.n_rows = len(lengths)
        self.real = real.flatten().to(device)
        self.ids = ids.to(device)
        self.reverse = reverse.flatten().to(device)
        #: the position of each row's last id in the flattened grid
        self.last = ((lengths - 1) * len(lengths) + rows).to(device)

    def turned(self, x: Tensor) -> Tensor:
        """Each row reversed within its length: (T, B, D) -> (T, B, D)."""
        return x.flatten(0, 1).index_select(0, self.reverse).view_as(x)

    def drop(self, x: Tensor, rate: float) -> Tensor:
        keep = 1 - rate
        mask = x.new_empty(1, self.n_rows, x.shape[-1]).bernoulli_(keep).div_(keep)
        return x * mask

    def flat(self, x: Tensor) -> Tensor:
        return x.flatten(0, 1)


class Packed:
    """Sequences of ids packed step by step, the longest first."""

    def __init__(self, sequences: Sequence[Tensor], device: str):
        packed = pack_sequence(list(sequences))
        rows = pack_sequence([torch.full_like(s, i) for i, s in enumerate(sequences)])
        self.n_rows = len(sequences)
        self.sizes = packed.batch_sizes
        self.ids, self.rows = packed.data.to(device), rows.data.to(device)
        self.real = torch.ones_like(self.ids, dtype=torch.bool)

    def drop(self, x: Tensor, rate: float) -> Tensor:
        keep = 1 - rate
        mask = x.new_empty(self.n_rows, x.shape[-1]).bernoulli_(keep).div_(keep)
        return x * mask.index_select(0, self.rows)

    def flat(self, x: Tensor) -> Tensor:
        return x


Rows = Padded | Packed


class BiLSTM(nn.Module):
    """One layer; `way`, the variant, determines which kernels run it."""

    def __init__(self, way: str, input_size: int, hidden_size: int):
        super().__init__()
        if way == "packed":
            self.both = nn.LSTM(input_size, hidden_size, bidirectional=True)
        else:
            self.forward_lstm = nn.LSTM(input_size, hidden_size)
            self.backward_lstm = nn.LSTM(input_size, hidden_size)

    def forward(self, x: Tensor, rows: Rows) -> Tensor:
        if isinstance(rows, Packed):
            return self.both(PackedSequence(x, rows.sizes))[0].data
        ahead = self.forward_lstm(x)[0]
        back = self.backward_lstm(rows.turned(x))[0]
        return torch.cat([ahead, rows.turned(back)], dim=-1)

    def last(self, x: Tensor, rows: Rows) -> Tensor:
        """The last state of each direction, (B, 2H)."""
        if isinstance(rows, Packed):
            final = self.both(PackedSequence(x, rows.sizes))[1][0]
            return torch.cat([final[0], final[1]], dim=-1)
        ahead = self.forward_lstm(x)[0].flatten(0, 1)
        back = self.backward_lstm(rows.turned(x))[0].flatten(0, 1)
        return torch.cat([ahead[rows.last], back[rows.last]], dim=-1)


class Batch(NamedTuple):
    """words: (U,), the distinct words, the longest first. characters: the characters of these
    words, in groups of words. tokens: the index of each token's word in the distinct words. gold:
    the label of each token, flat."""

    words: Tensor
    characters: list[Rows]
    tokens: Rows
    gold: Tensor


class BareTagger(nn.Module):
    def __init__(self, ways: Ways, n_words: int, n_characters: int, n_labels: int):
        super().__init__()
        self.words = nn.Embedding(n_words, 100)
        self.characters = nn.Embedding(n_characters, 50)
        self.spelling = BiLSTM(ways[0], 50, 25)
        self.layers = nn.ModuleList([BiLSTM(ways[1], 150, 200), BiLSTM(ways[1], 400, 200)])
        self.labels = nn.Linear(400, n_labels)

    def forward(self, batch: Batch, dropout: float = 0.0) -> Tensor:
        """The logits of each token, or of each position in a padded grid."""
        pieces = [self.spelling.last(self.characters(c.ids), c) for c in batch.characters]
        distinct = torch.cat([self.words(batch.words), torch.cat(pieces)], dim=1)
        x = nn.functional.embedding(batch.tokens.ids, distinct)
        for layer in self.layers:
            x = layer(batch.tokens.drop(x, dropout) if dropout else x, batch.tokens)
        x = batch.tokens.drop(x, dropout) if dropout else x
        return self.labels(batch.tokens.flat(x))


def predict(network: nn.Module, batches: Sequence[Any]) -> list[Tensor]:
    """The predicted label of each token or position, on the CPU."""
    network.eval()
    with torch.inference_mode():
        return [network(batch).argmax(dim=1).cpu() for batch in batches]


class Learner:
    """A training loop: loss, gradient, clipping of the gradient's norm, torch's fused AdamW."""

    def __init__(self, network: nn.Module, dropout: float):
        self.network = network
        self.dropout = dropout
        self.optimizer = torch.optim.AdamW(network.parameters(), fused=True)

    def update(self, batches: Sequence[Any]) -> None:
        self.network.train()
        for batch in batches:
            self.optimizer.zero_grad()
            logits = self.network(batch, self.dropout)
            nn.functional.cross_entropy(logits, batch.gold, ignore_index=MISSING).backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()


# Preparing batches

Sentence = tuple[list[str], list[str]]
#: a sentence, or another tuple that starts with the words
Item = TypeVar("Item", bound=tuple)


class Preparation:
    """Turns sentences, which are pairs of words and tags, into batches. Words, characters and tags
    of the training data have ids; others have the id 0."""

    def __init__(self, train: Sequence[Sentence]):
        words = [word for sentence, _ in train for word in sentence]
        tags = [tag for _, sentence_tags in train for tag in sentence_tags]
        self.words, self.characters, self.labels = map(_ids, (words, "".join(words), tags))

    def tagger(self, ways: Ways) -> BareTagger:
        return BareTagger(
            ways, *(len(ids) + 1 for ids in (self.words, self.characters, self.labels))
        )

    def batch(self, sentences: Sequence[Sentence], ways: Ways, device: str) -> Batch:
        spelling, context = (Padded if way == "padded" else Packed for way in ways)
        ordered = sorted(sentences, key=lambda sentence: -len(sentence[0]))
        distinct = sorted({word for words, _ in ordered for word in words}, key=lambda w: -len(w))
        number = _ids(distinct, first=0)
        tokens = [torch.tensor([number[word] for word in words]) for words, _ in ordered]
        tags = context([_tensor(self.labels, tags) for _, tags in ordered], device)
        return Batch(
            torch.tensor([self.words.get(word, 0) for word in distinct], device=device),
            [
                spelling([_tensor(self.characters, word) for word in piece], device)
                for piece in (_pieces(distinct) if spelling is Padded else [distinct])
            ],
            context(tokens, device),
            tags.ids.flatten().masked_fill(~tags.real, MISSING),
        )


def by_budget(items: Sequence[Item], padded_tokens: int) -> list[list[Item]]:
    """Batches of items of similar length, the longest first, with at most `padded_tokens` tokens
    including padding."""
    batches: list[list[Item]] = []
    for item in sorted(items, key=lambda item: -len(item[0])):
        if batches and len(batches[-1][0][0]) * (len(batches[-1]) + 1) <= padded_tokens:
            batches[-1].append(item)
        else:
            batches.append([item])
    return batches


def _pieces(words: Sequence[str]) -> list[list[str]]:
    """Words, the longest first, in groups of similar length, which need little padding and few
    steps."""
    pieces: list[list[str]] = []
    for word in words:
        if pieces and len(word) >= 0.75 * len(pieces[-1][0]):
            pieces[-1].append(word)
        else:
            pieces.append([word])
    return pieces


def _ids(items: Iterable[str], first: int = 1) -> dict[str, int]:
    return {item: i for i, item in enumerate(dict.fromkeys(items), start=first)}


def _tensor(ids: dict[str, int], items: Iterable[str]) -> Tensor:
    return torch.tensor([ids.get(item, 0) for item in items])
