"""The baseline: a text classifier in plain torch, over batches that are prepared beforehand.

The shapes are those of a `spacy_rnn.ManyToOne.v1` model, read from its config: trained word
embeddings, hashed affixes and frozen vectors, bidirectional LSTM layers, max and mean pooling over
each text, and a linear layer. Every distinct word of a batch is embedded once. What a batch needs
(features, sorting, padding, packing, indices) is computed when the batch is made, so that a pass
only runs the kernels. The recurrent part has the two variants of benchmarks/bare_tagger.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from bare_tagger import BiLSTM, Packed, Padded, Rows
from spacy.tokens import Doc
from torch import Tensor, nn

from spacy_rnn.features.tokens import TokenSequences
from spacy_rnn.pipeline.textcat import RNNTextCategorizer

#: the words and the label of a text
Text = tuple[list[str], str]
#: settings that the baseline does not support, and the only values that it accepts for them
FIXED = {
    "sentences": None,
    "max_length": 0,
    "embedding.characters": None,
    "embedding.vectors.source": None,
    "embedding.vectors.trained": False,
    "encoder.cell": "lstm",
    "encoder.direction": "both",
    "encoder.recurrent_dropout": 0.0,
    "encoder.residual": False,
    "encoder.layer_norm": False,
}
POOLINGS = {"max", "mean"}


class Batch(NamedTuple):
    """words: features of the U distinct words, ids (U,) or (U, n) or vectors (U, width). tokens:
    the index of each token's word in the distinct words. texts: the text at each position; padding
    counts as one more text. places: (T, B), the positions of each text's tokens, the last one
    repeated. lengths: (B, 1). gold: (B,)."""

    words: dict[str, Tensor]
    tokens: Rows
    texts: Tensor
    places: Tensor
    lengths: Tensor
    gold: Tensor


class BareText(nn.Module):
    """model: the config of the model. tables: the rows and the width of each trained part's table.
    width: the width of all parts together."""

    def __init__(
        self,
        way: str,
        model: Mapping[str, Any],
        tables: Mapping[str, tuple[int, int]],
        width: int,
        n_labels: int,
    ):
        super().__init__()
        self.tables = nn.ModuleDict({name: nn.Embedding(*size) for name, size in tables.items()})
        hidden, depth = model["encoder"]["hidden_size"], model["encoder"]["depth"]
        widths = [width] + [2 * hidden] * (depth - 1)
        self.layers = nn.ModuleList(BiLSTM(way, size, hidden) for size in widths)
        self.ways = model["pooling"]["ways"]
        self.labels = nn.Linear(2 * hidden * len(self.ways), n_labels)

    def forward(self, batch: Batch, dropout: float = 0.0) -> Tensor:
        """The logits of each text."""
        parts = [
            self.tables[name](ids).flatten(1) if name in self.tables else ids
            for name, ids in batch.words.items()
        ]
        x = nn.functional.embedding(batch.tokens.ids, torch.cat(parts, dim=1))
        for layer in self.layers:
            x = layer(batch.tokens.drop(x, dropout) if dropout else x, batch.tokens)
        x = batch.tokens.flat(batch.tokens.drop(x, dropout) if dropout else x)
        return self.labels(torch.cat([getattr(self, way)(x, batch) for way in self.ways], dim=1))

    def max(self, x: Tensor, batch: Batch) -> Tensor:
        steps = x.index_select(0, batch.places.flatten()).view(*batch.places.shape, -1)
        # `max` is faster with a gradient, `amax` without.
        return steps.max(dim=0).values if x.requires_grad else steps.amax(dim=0)

    def mean(self, x: Tensor, batch: Batch) -> Tensor:
        n = len(batch.lengths)
        return x.new_zeros(n + 1, x.shape[1]).index_add(0, batch.texts, x)[:n] / batch.lengths


# Preparing batches


class Preparation:
    """Turns texts into batches for the shapes and features of a component.

    model: the complete config of the component's model.
    RAISES (ValueError): If the baseline does not support it.
    """

    def __init__(self, model: Mapping[str, Any], pipe: RNNTextCategorizer):
        _check(model)
        self.model = model
        self.vocab = pipe.vocab
        self.features = pipe.shim.features
        self.labels = {label: i for i, label in enumerate(pipe.labels)}

    def network(self, way: str) -> BareText:
        features: Any = {part.name: part for part in self.features.parts}
        tables, width = {}, 0
        for name, feature in features.items():
            if name == "vectors":
                width += feature.shape[1]
                continue
            part = self.model["embedding"][name]
            n = feature.n_properties if name == "affixes" else 1
            tables[name] = (n * part["rows"] if name == "affixes" else len(feature), part["width"])
            width += n * part["width"]
        return BareText(way, self.model, tables, width, len(self.labels))

    def batch(self, texts: Sequence[Text], way: str, device: str) -> Batch:
        ordered = sorted(texts, key=lambda text: -len(text[0]))
        sequences = TokenSequences([Doc(self.vocab, words=words) for words, _ in ordered])
        arrays = self.features(sequences)
        words = {
            name: torch.from_numpy(array)
            for name, array in arrays.words.items()
            if name != "vectors_lengths"
        }
        if "affixes" in words:
            n = words["affixes"].shape[1]
            words["affixes"] += torch.arange(n) * self.model["embedding"]["affixes"]["rows"]
        kind = Padded if way == "padded" else Packed
        sizes = sequences.lengths.tolist()
        tokens = kind(torch.from_numpy(arrays.tokens).split(sizes), device)
        # The position of each token, text by text.
        numbers = kind(torch.arange(sum(sizes)).split(sizes), "cpu")
        place = torch.empty(sum(sizes), dtype=torch.int64)
        place[numbers.ids.flatten()[numbers.real]] = numbers.real.nonzero().squeeze(1)
        lengths = torch.tensor(sizes)
        within = torch.arange(max(sizes)).unsqueeze(1).minimum(lengths - 1)
        texts_of = torch.full_like(numbers.real, len(sizes), dtype=torch.int64)
        texts_of[place] = torch.arange(len(sizes)).repeat_interleave(lengths)
        return Batch(
            {name: tensor.to(device) for name, tensor in words.items()},
            tokens,
            texts_of.to(device),
            place[lengths.cumsum(0) - lengths + within].to(device),
            lengths.unsqueeze(1).to(device),
            torch.tensor([self.labels[label] for _, label in ordered], device=device),
        )


def _check(model: Mapping[str, Any]) -> None:
    for path, value in FIXED.items():
        found: Any = model
        for key in path.split("."):
            found = found and found[key]
        # The settings of a part that is missing do not matter.
        if found is not None and found != value:
            raise ValueError(f"The bare text classifier has {path} = {value}, not {found}.")
    others = set(model["pooling"]["ways"]) - POOLINGS
    if others:
        raise ValueError(f"The bare text classifier does not pool by {', '.join(sorted(others))}.")
