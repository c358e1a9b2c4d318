"""What all architectures share: a thinc model around one torch module, which computes its loss."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Literal, NamedTuple, Optional, Sequence

import numpy as np
import torch
from spacy.attrs import ORTH
from spacy.tokens import Doc
from thinc.api import Model
from torch import Tensor

from ..features.tokens import TokenFeatures
from ..nn.network import Batch, Network
from ..training.shim import TorchShim
from .batching import Limits, to_tensors
from .checks import at_least
from .embedding import TokenEmbedding

Precision = Literal["none", "bf16", "fp16"]


class Gold(NamedTuple):
    """What a training step learns from.

    arrays: the annotation of the batch, which goes to the model's device.
    n_items: annotated tokens or texts.
    loss: of the network's outputs and the arrays, summed over the items.
    """

    arrays: Dict[str, np.ndarray]
    n_items: int
    loss: Callable[[Dict[str, Any], Dict[str, Tensor]], Tensor]


class Training(NamedTuple):
    """Input of a training pass; the output is the loss."""

    docs: Sequence[Doc]
    gold: Gold


@dataclass(frozen=True)
class Architecture:
    """The parts of a network, as the config names them: base of the architectures."""

    embedding: TokenEmbedding

    def features(self) -> TokenFeatures:
        """What turns words into arrays, not yet built."""
        return self.embedding.features()

    def module(
        self,
        features: TokenFeatures,
        outputs: Dict[str, int],
        vectors: Optional[np.ndarray] = None,
    ) -> Network:
        """The torch module, for features that are built."""
        raise NotImplementedError

    def batch(self, shim: TorchShim, docs: Sequence[Doc]) -> Batch:
        """Documents as the module takes them in training."""
        raise NotImplementedError

    def predict(self, shim: TorchShim, docs: Sequence[Doc], limits: Limits) -> Any:
        """The model's prediction for documents."""
        raise NotImplementedError


def make_model(
    name: str,
    architecture: Architecture,
    mixed_precision: Precision,
    batch_tokens: int,
    window: int,
    overlap: int,
) -> Model:
    """A thinc model of this name around the architecture's module; see `Limits` for the numbers."""
    at_least(1, batch_tokens=batch_tokens, window=window)
    at_least(0, overlap=overlap)
    shim = TorchShim(architecture, mixed_precision)
    attrs = {"dropout_rate": 0.0, "limits": Limits(batch_tokens, window, overlap)}
    return Model(name, forward, init=init, attrs=attrs, shims=[shim])


def init(
    model: Model, X: Optional[Sequence[Doc]] = None, Y: Optional[Dict[str, int]] = None
) -> Model:
    """Build features and weights from all training docs and the number of outputs a target."""
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
    """Docs -> the architecture's prediction, or in training `Training` -> loss."""
    shim: Any = model.shims[0]
    if not is_train:
        outputs = shim.network.predict(shim, X, model.attrs["limits"])
        return outputs, lambda d_outputs: []
    docs, gold = X
    batch = shim.network.batch(shim, docs)
    arrays = {name: torch.from_numpy(a).to(shim.device) for name, a in gold.arrays.items()}
    return shim.begin_update(
        lambda module: gold.loss(module(batch), arrays), gold.n_items, model.attrs["dropout_rate"]
    )


def word_hashes(doc: Doc) -> np.ndarray:
    """The hash of each token's text, uint64 (tokens,)."""
    return doc.to_array(ORTH)


def collate(
    shim: TorchShim,
    sequences: List[np.ndarray],
    docs: Sequence[Doc],
    counts: Optional[np.ndarray] = None,
) -> Batch:
    """Sequences of word hashes as tensors on the model's device; see `Batch`."""
    arrays = shim.features(sequences, docs[0].vocab)
    return Batch(
        to_tensors(arrays.words, shim.device),
        torch.from_numpy(arrays.tokens).to(shim.device, non_blocking=True),
        torch.from_numpy(arrays.lengths),
        None if counts is None else torch.from_numpy(counts),
    )
