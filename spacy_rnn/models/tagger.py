"""The tagger's architecture."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model
from torch import Tensor

from ..features.tokens import TokenFeatures
from ..nn import tagger as nn_tagger
from ..nn.network import Batch
from ..training.shim import TorchShim
from .batching import Limits, Outputs, lengths_of, predict_rows, words_source
from .embedding import TokenEmbedding
from .encoder import RNNEncoder
from .network import Architecture, Precision, collate, make_model, word_hashes

Read = Callable[[Dict[str, Tensor]], Dict[str, Tensor]]


@dataclass(frozen=True)
class TaggerArchitecture(Architecture):
    """The parts of a tagger."""

    encoder: RNNEncoder

    def module(
        self,
        features: TokenFeatures,
        outputs: Dict[str, int],
        vectors: Optional[np.ndarray] = None,
    ) -> nn_tagger.Tagger:
        embedding = self.embedding.module(features, vectors)
        return nn_tagger.Tagger(embedding, self.encoder.module(embedding.output_size), outputs)

    def batch(self, shim: TorchShim, docs: Sequence[Doc]) -> Batch:
        return collate(shim, [word_hashes(doc) for doc in docs], docs)

    def predict(
        self,
        shim: TorchShim,
        docs: Sequence[Doc],
        limits: Limits,
        read: Read = nn_tagger.decode,
    ) -> List[Outputs]:
        sequences = [word_hashes(doc) for doc in docs]
        return predict_rows(
            shim,
            lambda module: module.encoder,
            lengths_of(sequences),
            words_source(shim, sequences, docs[0].vocab),
            limits,
            lambda module, states: read(module.outputs(states)),
        )


def make_tagger_model(
    embedding: TokenEmbedding,
    encoder: RNNEncoder,
    mixed_precision: Precision = "none",
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
    architecture = TaggerArchitecture(embedding, encoder)
    return make_model("rnn_tagger", architecture, mixed_precision, batch_tokens, window, overlap)


def predict_probabilities(model: Model, docs: Sequence[Doc]) -> List[Dict[str, np.ndarray]]:
    """For each doc and target the probability of each label, float32 (tokens, labels)."""
    shim: Any = model.shims[0]
    return shim.network.predict(shim, docs, model.attrs["limits"], nn_tagger.probabilities)
