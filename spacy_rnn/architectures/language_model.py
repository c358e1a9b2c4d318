"""The language model's architecture."""

from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, cast

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model

from .. import nn
from ..config.encoder import RNNEncoder
from ..config.signature import with_fields_of
from ..config.units import UnitsConfig, fit_units, make_units
from ..features.streams import BACKWARD, FORWARD
from ..features.units import Units
from ..optional import torch
from ..runtime.architecture import Architecture
from ..runtime.batching import MemoryLimits, batches_of, lengths_of
from ..runtime.model import make_model
from ..runtime.shim import TorchShim, architecture_of, shim_of
from ..runtime.tok2vec import DocBatch
from ..validation import at_least, number_at_least, rate

if TYPE_CHECKING:
    from torch import Tensor

    from ..nn.language_model import LanguageModel

InT = List[Doc]
OutT = List[np.ndarray]
LanguageModelShim = TorchShim[Units, "torch.nn.ModuleDict"]

#: names of the networks that each direction has
DIRECTIONS = {"forward": [FORWARD], "backward": [BACKWARD], "both": [FORWARD, BACKWARD]}


@dataclass(frozen=True)
class LanguageModelArchitecture(Architecture[Units, "torch.nn.ModuleDict", OutT]):
    """spacy_rnn.LanguageModel.v1: a recurrent language model, or one for each direction. It
    predicts, for each doc, the log-probability of each unit and of the end, float32 (units + 1,).

    units (UnitsConfig): spacy_rnn.CharacterUnits.v1, spacy_rnn.SentencePieces.v1 or
        spacy_rnn.WordUnits.v1.
    encoder (RNNEncoder): spacy_rnn.RNNEncoder.v1. With direction "both" there are two models, which
        share only the units.
    embedding_size (int): Width of the vectors of units.
    tied (bool): The output layer shares the weights of the embedding. If the encoder has another
        width, there is a linear layer between them.
    cutoffs (Sequence[int]): The first unit, by frequency, of each cluster of an adaptive softmax,
        for vocabularies of tens of thousands; none for a full softmax.
    embedding_dropout (float): Rate at which units are dropped in a training step.
    activation_regularization, temporal_regularization (float): Weights of penalties on large states
        and on their change (AR and TAR, Merity et al. 2017).
    mixed_precision, batch_tokens: See `Architecture`.
    window (int): Units of a text that are read at a time in prediction. The state is carried, so
        that results do not depend on it.
    """

    units: UnitsConfig
    encoder: RNNEncoder
    embedding_size: int = 128
    tied: bool = True
    cutoffs: Sequence[int] = ()
    embedding_dropout: float = 0.0
    activation_regularization: float = 0.0
    temporal_regularization: float = 0.0
    _: KW_ONLY
    window: int = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, embedding_size=self.embedding_size, window=self.window)
        number_at_least(
            0,
            activation_regularization=self.activation_regularization,
            temporal_regularization=self.temporal_regularization,
        )
        rate(embedding_dropout=self.embedding_dropout)
        cutoffs = list(self.cutoffs)
        if cutoffs != sorted(set(cutoffs)) or any(cut < 1 for cut in cutoffs):
            raise ValueError(f"'cutoffs' must be ascending numbers of at least 1, got {cutoffs}.")

    @property
    def limits(self) -> MemoryLimits:
        """Bounds on the memory of a prediction."""
        return MemoryLimits(self.batch_tokens, self.window, overlap=0)

    @property
    def directions(self) -> List[str]:
        """The names of the networks, one for each direction of reading."""
        return DIRECTIONS[self.encoder.direction]

    def features(self) -> Units:
        """Make units without a vocabulary."""
        return make_units(self.units)

    def initialize(self, shim: LanguageModelShim, X: Sequence[Doc], Y: Dict[str, int]) -> None:
        """Make the vocabulary and the networks.

        shim (LanguageModelShim): The shim that holds them.
        X (Sequence[Doc]): The training documents.
        Y (Dict[str, int]): "condition": the width of the vector that each document has.
        """
        fit_units(self.units, shim.features, X)
        shim.build({"units": len(shim.features), **Y})

    def module(self, features: Units, outputs: Dict[str, int]) -> "torch.nn.ModuleDict":
        """Make the network of each direction."""
        # A backward one reads reversed sequences.
        encoder = replace(self.encoder, direction="forward")
        return torch.nn.ModuleDict(
            {
                name: nn.language_model.LanguageModel(
                    outputs["units"],
                    self.embedding_size,
                    encoder.module(self.embedding_size),
                    tied=self.tied,
                    # A small vocabulary does not reach all of them.
                    cutoffs=[cut for cut in self.cutoffs if cut < outputs["units"] - 1],
                    embedding_dropout=self.embedding_dropout,
                    condition_size=outputs["condition"],
                )
                for name in self.directions
            }
        )

    def predict(
        self,
        shim: LanguageModelShim,
        texts: DocBatch,
        limits: MemoryLimits,
        conditions: Optional[np.ndarray] = None,
    ) -> List[np.ndarray]:
        """Predict the probabilities of documents by the forward network, or by the backward one if
        it is the only one.

        shim (LanguageModelShim): The shim that holds the networks.
        texts (DocBatch): The documents.
        limits (MemoryLimits): Bounds on memory.
        conditions (Optional[np.ndarray]): The vector of each document, float32 (docs, C); zeros by
            default.
        RETURNS (List[np.ndarray]): For each document, the log-probability of each unit and of the
            boundary after the last one, or before the first one for a backward network, in the
            order of the text, float32 (units + 1,).
        """
        if conditions is None and shim.outputs["condition"]:
            conditions = np.zeros((len(texts.docs), shim.outputs["condition"]), dtype="float32")
        name = self.directions[0]
        step = -1 if name == BACKWARD else 1
        sequences = [
            with_boundaries(shim.features, ids)[::step] for ids in shim.features.encode(texts.docs)
        ]
        lengths = lengths_of(sequences) - 1
        results = [np.empty(n, dtype="float32") for n in lengths]
        for batch in batches_of(np.minimum(lengths, limits.window), limits.batch_tokens):
            state: Optional[Tensor] = None
            for start in range(0, int(lengths[batch].max()), limits.window):
                continues = np.flatnonzero(lengths[batch] > start)
                batch = batch[continues]
                rows = [sequences[i][start : start + limits.window + 1] for i in batch]
                with shim.inference() as module:
                    network = networks_of(module)[name]
                    if state is None:
                        given = None if conditions is None else conditions[batch]
                        state = network.initial_state(len(batch), to_tensor(given, shim.device))
                    else:
                        state = state.index_select(2, torch.from_numpy(continues).to(shim.device))
                    read, targets = (
                        torch.from_numpy(np.concatenate(parts)).to(shim.device)
                        for parts in ([row[:-1] for row in rows], [row[1:] for row in rows])
                    )
                    sizes = lengths_of(rows) - 1
                    output = network(read, torch.from_numpy(sizes), state, only_longest=True)
                    log_p = network.output.log_probabilities(output.states, targets).cpu().numpy()
                    state = output.final
                for i, part in zip(batch, np.split(log_p, np.cumsum(sizes)[:-1]), strict=True):
                    results[i][start : start + len(part)] = part
        return [log_p[::step] for log_p in results]


@with_fields_of(LanguageModelArchitecture)
def make_language_model(architecture: LanguageModelArchitecture) -> Model[InT, OutT]:
    return make_model("rnn_lm", architecture)


def networks_of(module: "torch.nn.ModuleDict") -> "Dict[str, LanguageModel]":
    """The networks of a language model, by the names of their directions."""
    return cast("Dict[str, LanguageModel]", dict(module.items()))


def with_boundaries(units: Units, ids: np.ndarray) -> np.ndarray:
    """Units with the boundary before and after them."""
    return np.concatenate([[units.boundary_id], ids, [units.boundary_id]])


def to_tensor(array: Optional[np.ndarray], device: "torch.device") -> "Optional[Tensor]":
    """An array on a device, if there is one."""
    return None if array is None else torch.from_numpy(array).to(device)


def log_probabilities(
    model: Model[InT, OutT],
    docs: Sequence[Doc],
    conditions: Optional[np.ndarray],
) -> List[np.ndarray]:
    """Predict the probabilities of documents; see `LanguageModelArchitecture.predict`."""
    limits = model.attrs["limits"]
    return architecture_of(model, LanguageModelArchitecture).predict(
        shim_of(model), DocBatch(docs), limits, conditions
    )


def is_backward(model: Model[InT, OutT]) -> bool:
    """Return True if the only network reads texts from their end."""
    return architecture_of(model, LanguageModelArchitecture).directions == [BACKWARD]
