"""The recurrent encoder as a thinc layer, for spaCy's own components too."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

import numpy as np
from thinc.api import Model, torch2xp, xp2torch
from thinc.types import Floats2d

from ..config.encoder import LAYER, RNNEncoder
from ..config.signature import with_fields_of
from ..nn.ragged import offsets
from ..optional import torch
from ..runtime.architecture import Architecture
from ..runtime.batching import MemoryLimits, vector_batches
from ..runtime.shim import TorchShim, shim_of

if TYPE_CHECKING:
    from torch import Tensor

    from ..nn.rnn import Encoder

#: bounds on the memory of a prediction, as the other architectures' defaults
LIMITS = MemoryLimits(batch_tokens=4096, window=5000, overlap=200)


class NoFeatures:
    """The features of a layer whose input is already vectors."""

    def to_dict(self) -> Dict[str, Any]:
        return {}

    def from_dict(self, state: Dict[str, Any]) -> None:
        pass


@dataclass(frozen=True)
class EncoderArchitecture(Architecture[NoFeatures, "Encoder", "Tensor"]):
    """An encoder as the only part of a network.

    settings (RNNEncoder): Its settings.
    """

    settings: RNNEncoder

    def features(self) -> NoFeatures:
        return NoFeatures()

    def module(self, features: NoFeatures, outputs: Dict[str, int]) -> "Encoder":
        return self.settings.module(outputs["nI"])


EncoderModel = Model[List[Floats2d], List[Floats2d]]
EncoderShim = TorchShim[NoFeatures, "Encoder"]


@with_fields_of(RNNEncoder)
def make_rnn_encoder(settings: RNNEncoder) -> EncoderModel:
    return Model(
        LAYER,
        forward,
        init=init,
        dims={"nI": None, "nO": settings.output_size},
        attrs={"dropout_rate": 0.0},
        shims=[TorchShim(EncoderArchitecture(settings))],
    )


def init(model: EncoderModel, X: Optional[List[Floats2d]] = None, Y: Any = None) -> EncoderModel:
    """Make the weights, once the width of the input is known."""
    if X:
        model.set_dim("nI", X[0].shape[1])
    if model.has_dim("nI"):
        shim_of(model).build({"nI": model.get_dim("nI")})
    return model


def forward(
    model: EncoderModel, X: List[Floats2d], is_train: bool
) -> Tuple[List[Floats2d], Callable[[List[Floats2d]], List[Floats2d]]]:
    """(tokens, nI) of each text -> (tokens, nO)."""
    shim: EncoderShim = shim_of(model)
    lengths = np.array([len(array) for array in X], dtype="int64")

    def to_tensor(arrays: List[Floats2d], requires_grad: bool = False) -> "Tensor":
        joined: Any = model.ops.flatten(arrays)
        return xp2torch(joined, requires_grad=requires_grad, device=shim.device)

    def to_arrays(tensor: "Tensor") -> List[Floats2d]:
        array: Any = torch2xp(tensor.detach(), ops=model.ops)
        # Slices, as numpy's split takes a tenth of a prediction's time.
        starts = offsets(lengths).tolist()
        return [array[start : start + n] for start, n in zip(starts, lengths.tolist(), strict=True)]

    def backprop(d_states: List[Floats2d]) -> List[Floats2d]:
        if states.requires_grad:
            torch.autograd.backward([states], [to_tensor(d_states)])
        return to_arrays(torch.zeros_like(x) if x.grad is None else x.grad)

    if not X:
        return [], lambda d_states: []
    x = to_tensor(X, is_train)
    if is_train:
        with shim.training(model.attrs["dropout_rate"]) as encoder:
            states = encoder(x, torch.from_numpy(lengths)).float()
    else:
        states = predict(shim, x, lengths)
    return to_arrays(states), backprop


def predict(shim: EncoderShim, x: "Tensor", lengths: np.ndarray) -> "Tensor":
    """The states of texts of any length.

    shim (EncoderShim): Holds the encoder.
    x (Tensor): The vectors of all texts, one text after the other, (N, nI).
    lengths (np.ndarray): Tokens of each text, int64 (B,).
    RETURNS (Tensor): The states, (N, nO).
    """
    encoder = shim.module
    states = x.new_empty(len(x), encoder.output_size)
    for windows, batch in vector_batches(x, lengths, encoder.direction, LIMITS):
        with shim.inference():
            kept, _ = encoder.read_batch(batch)
        rows = torch.from_numpy(windows.kept_rows).to(x.device)
        states.index_copy_(0, rows, kept.to(states.dtype))
    return states
