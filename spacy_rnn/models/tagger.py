"""The tagger's architecture."""

from dataclasses import dataclass
from typing import Any, Dict, List, Literal, NamedTuple, Optional, Sequence

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import Model

from ..features.tokens import TokenFeatures
from ..nn import tagger as nn_tagger
from ..training.shim import TorchShim
from .batching import Limits, collate, predict_tokens, word_hashes
from .checks import at_least
from .embedding import TokenEmbedding
from .encoder import RNNEncoder


class Gold(NamedTuple):
    """What a training step learns from.

    targets: of each target, the label of each token of the batch, int64 (N,).
    n_items: annotated tokens.
    label_smoothing, class_weights: see `spacy_rnn.nn.losses.cross_entropy`.
    """

    targets: Dict[str, np.ndarray]
    n_items: int
    label_smoothing: float
    class_weights: Dict[str, np.ndarray]


class Training(NamedTuple):
    """Input of a training pass; the output is the loss."""

    docs: Sequence[Doc]
    gold: Gold


@dataclass(frozen=True)
class TaggerNetwork:
    """The parts of a tagger's network; see `spacy_rnn.training.shim.Network`."""

    embedding: TokenEmbedding
    encoder: RNNEncoder

    def features(self) -> TokenFeatures:
        return self.embedding.features()

    def module(
        self,
        features: TokenFeatures,
        outputs: Dict[str, int],
        vectors: Optional[np.ndarray] = None,
    ) -> nn_tagger.Tagger:
        embedding = self.embedding.module(features, vectors)
        return nn_tagger.Tagger(embedding, self.encoder.module(embedding.output_size), outputs)


def make_tagger_model(
    embedding: TokenEmbedding,
    encoder: RNNEncoder,
    mixed_precision: Literal["none", "bf16", "fp16"] = "none",
    batch_tokens: int = 4096,
    window: int = 5000,
    overlap: int = 200,
) -> Model:
    """spacy_rnn.Tagger.v1: a network that labels each token.

    embedding: spacy_rnn.TokenEmbedding.v1.
    encoder: spacy_rnn.RNNEncoder.v1.
    mixed_precision: train and predict in half precision on a GPU; quietly off on a CPU.
    batch_tokens: tokens in a batch of prediction, padding counted. Bounds memory; results do not
        depend on it.
    window: longer documents are read in windows of this many tokens.
    overlap: tokens of context on both sides of a window. With an encoder of one direction windows
        carry the state on instead and give exactly what the whole document gives.

    The model predicts, for a list of docs, a list of dicts: for each target the label of each token
    and, under NAME_probability, its probability.
    """
    at_least(1, batch_tokens=batch_tokens, window=window)
    at_least(0, overlap=overlap)
    shim = TorchShim(TaggerNetwork(embedding, encoder), mixed_precision)
    attrs = {"dropout_rate": 0.0, "limits": Limits(batch_tokens, window, overlap)}
    return Model("rnn_tagger", forward, init=init, attrs=attrs, shims=[shim])


def init(
    model: Model, X: Optional[Sequence[Doc]] = None, Y: Optional[Dict[str, int]] = None
) -> Model:
    """Build features and weights from all training docs and the number of labels a target."""
    if X is None or Y is None:
        return model
    shim: Any = model.shims[0]
    docs = list(X)
    vocab = docs[0].vocab
    shim.features.build([word_hashes(doc) for doc in docs], vocab)
    vectors = vocab.vectors.data if vocab.vectors.size else None
    shim.build(Y, None if vectors is None else model.ops.to_numpy(vectors))
    return model


def forward(model: Model, X: Any, is_train: bool) -> Any:
    """Docs -> outputs, or in training `Training` -> loss (see `make_tagger_model`)."""
    shim: Any = model.shims[0]
    if not is_train:
        outputs = predict_tokens(shim, X, model.attrs["limits"], nn_tagger.decode)
        return outputs, lambda d_outputs: []
    docs, gold = X
    batch = collate(shim, [word_hashes(doc) for doc in docs], docs)
    targets = {name: torch.from_numpy(ids).to(shim.device) for name, ids in gold.targets.items()}
    weights = {
        name: torch.from_numpy(factors).to(shim.device)
        for name, factors in gold.class_weights.items()
    }
    return shim.begin_update(
        lambda module: module.loss(batch, targets, gold.label_smoothing, weights),
        gold.n_items,
        model.attrs["dropout_rate"],
    )


def predict_probabilities(model: Model, docs: Sequence[Doc]) -> List[Dict[str, np.ndarray]]:
    """For each doc and target the probability of each label, float32 (tokens, labels)."""
    shim: Any = model.shims[0]
    return predict_tokens(shim, docs, model.attrs["limits"], nn_tagger.probabilities)
