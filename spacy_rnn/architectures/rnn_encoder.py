"""The recurrent encoder as a thinc layer, for spaCy's own components too."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np
import torch
from thinc.api import Model, torch2xp, xp2torch
from thinc.types import Floats2d
from torch import Tensor

from ..config.encoder import LAYER, RNNEncoder
from ..config.signature import with_fields_of
from ..nn import rnn
from ..nn.layout import offsets, spans
from ..runtime.batching import Limits, VectorSource, read_sequences
from ..runtime.shim import TorchShim, shim_of

#: bounds on the memory of a prediction, as the other architectures' defaults
LIMITS = Limits(batch_tokens=4096, window=5000, overlap=200)


class NoFeatures:
    """The layer's input is vectors already."""

    def to_dict(self) -> Dict[str, Any]:
        return {}

    def from_dict(self, state: Dict[str, Any]) -> None:
        pass


@dataclass(frozen=True)
class EncoderNetwork:
    """The one part of the network."""

    settings: RNNEncoder

    def features(self) -> NoFeatures:
        return NoFeatures()

    def module(self, features: NoFeatures, outputs: Dict[str, int]) -> rnn.Encoder:
        return self.settings.module(outputs["nI"])


@with_fields_of(RNNEncoder)
def make_rnn_encoder(settings: RNNEncoder) -> Model[List[Floats2d], List[Floats2d]]:
    return Model(
        LAYER,
        forward,
        init=init,
        dims={"nI": None, "nO": settings.output_size},
        attrs={"dropout_rate": 0.0},
        shims=[TorchShim(EncoderNetwork(settings))],
    )


def init(model: Model, X: Optional[List[Floats2d]] = None, Y: Any = None) -> Model:
    """Make the weights, once the width of the input is known."""
    if X:
        model.set_dim("nI", X[0].shape[1])
    if model.has_dim("nI"):
        shim = shim_of(model)
        shim.build({"nI": model.get_dim("nI")})
    return model


def forward(
    model: Model, X: List[Floats2d], is_train: bool
) -> Tuple[List[Floats2d], Callable[[List[Floats2d]], List[Floats2d]]]:
    """(tokens, nI) of each text -> (tokens, nO)."""
    shim = shim_of(model)
    lengths = np.array([len(array) for array in X], dtype="int64")

    def to_tensor(arrays: List[Floats2d], requires_grad: bool = False) -> Tensor:
        together: Any = model.ops.flatten(arrays)
        return xp2torch(together, requires_grad=requires_grad, device=shim.device)

    def to_arrays(tensor: Tensor) -> List[Floats2d]:
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
        rate = model.attrs["dropout_rate"]
        states = shim.train(lambda module: module(x, torch.from_numpy(lengths)), rate).float()
    else:
        states = predict(shim, x, lengths)
    return to_arrays(states), backprop


def predict(shim: TorchShim, x: Tensor, lengths: np.ndarray) -> Tensor:
    """The states of texts of any length, (N, nI) -> (N, nO)."""
    module: Any = shim.module
    states = x.new_empty(len(x), module.output_size)
    starts = offsets(lengths)
    batches = read_sequences(
        shim,
        lambda module: module,
        lengths,
        VectorSource(x),
        LIMITS,
        lambda module, states, sizes: states,
    )
    for windows, found in batches:
        places = spans(starts[windows.sequence] + windows.keep_start, windows.kept)
        states.index_copy_(0, torch.from_numpy(places).to(x.device), found.to(states.dtype))
    return states
