"""Networks of which ONNX Runtime runs the parts that take the time."""

from __future__ import annotations

import copy
from typing import Any, Optional, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ..nn.decoder import Decoder, DecoderState, EncodedSource
from ..nn.embedding import Arrays, WordModule
from ..nn.layout import Grid, LayoutName, Padded
from ..nn.rnn import Encoder
from .parts import parts_of
from .session import COMPRESS_AGAIN, STEP_OVERHEAD, Graphs, Session, check_complete, word_vectors

NetworkT = TypeVar("NetworkT", bound=nn.Module)

#: Sources are padded to a multiple of this many tokens: products of attention are computed in
#: blocks of so many, and the rest of them in another way.
TOKENS = 16


def with_graphs(network: NetworkT, graphs: Graphs) -> NetworkT:
    """Make a network for prediction on a CPU that shares the weights of another. A text gets the
    same bits alone and in any batch.

    network (NetworkT): The network.
    graphs (Graphs): Those of its parts; see `spacy_rnn.onnx.networks.write_graphs`.
    RETURNS (NetworkT): A network of the same class.
    RAISES (ValueError): If a graph is missing, damaged, or of another network.
    """
    parts = dict(parts_of(network))
    check_complete(graphs, parts)
    return _replaced(network, {name: _part(name, part, graphs) for name, part in parts.items()})


def _part(name: str, part: Any, graphs: Graphs) -> nn.Module:
    session = Session(graphs[name])
    width = _width(part)
    if session.width != width:
        raise ValueError(
            f"The graph of '{name}' has {session.width} outputs, but the network {width}: it was "
            f"written for other settings or labels. {COMPRESS_AGAIN}"
        )
    if isinstance(part, WordModule):
        return GraphWords(session)
    if isinstance(part, Encoder):
        return GraphEncoder(part, session)
    return GraphDecoder(part, session) if isinstance(part, Decoder) else GraphLinear(part, session)


def _width(part: Any) -> int:
    """The width of the first output of a part's graph."""
    if isinstance(part, Decoder):
        return part.hidden_size
    return part.out_features if isinstance(part, nn.Linear) else part.output_size


def _replaced(network: Any, parts: dict[str, nn.Module], path: str = "") -> Any:
    """A copy of a module with other parts, which shares everything else."""
    copied = copy.copy(network)
    copied._modules = {
        name: child and _replacement(child, parts, path + name)
        for name, child in network._modules.items()
    }
    return copied


def _replacement(child: nn.Module, parts: dict[str, nn.Module], path: str) -> nn.Module:
    part = parts.get(path)
    if part is None or isinstance(part, GraphDecoder):
        # Layers of a decoder have their own graphs.
        replaced: nn.Module = _replaced(part or child, parts, path + ".")
        return replaced
    return part


class GraphWords(WordModule):
    """A part of an embedding that a graph computes for distinct words.

    session (Session): The graph.
    """

    def __init__(self, session: Session):
        super().__init__()
        self.output_size = session.width
        self._session = session

    def forward(self, words: Arrays) -> Tensor:
        arrays = {name: words[name].numpy() for name in self._session.inputs}
        return torch.from_numpy(word_vectors(self._session, arrays))


class GraphEncoder(Encoder):
    """An encoder that a graph runs. Single layers are run by torch.

    encoder (Encoder): Has the graph.
    session (Session): The graph.
    """

    def __init__(self, encoder: Encoder, session: Session):
        nn.Module.__init__(self)
        vars(self).update(vars(encoder))
        self._encoder = (encoder,)  # no module of this one
        self._session = session

    def first_layers(self, depth: int) -> Encoder:
        return self._encoder[0].first_layers(depth)

    def _choose_layout(self, device: torch.device) -> LayoutName:
        return "padded"

    def _steps_of_one(self, length: int) -> int:
        return length

    def _step_overhead(self) -> float:
        return STEP_OVERHEAD

    def _encode_group(
        self, layout: Grid, x: Tensor, weights: Any, state: Optional[Tensor]
    ) -> tuple[Tensor, Optional[Tensor]]:
        # Others are rows of one length.
        lengths = layout.lengths if isinstance(layout, Padded) else np.full(x.shape[1], len(x))
        before = x.new_zeros(self.state_size(x.shape[1])) if state is None else state
        arrays = {
            "x": x.numpy(),
            "lengths": lengths.astype("int32"),
            "state": before.contiguous().numpy(),
        }
        y, *final = map(torch.from_numpy, self._session.run(arrays))
        return y, final[0] if final and state is not None else state


class GraphDecoder(Decoder):
    """A decoder of which a graph takes each step.

    decoder (Decoder): Has the graph.
    session (Session): The graph.
    """

    def __init__(self, decoder: Decoder, session: Session):
        nn.Module.__init__(self)
        vars(self).update(vars(decoder))
        self.stepwise = True
        self._session = session

    def prepare_source(self, memory: Tensor, mask: Tensor) -> EncodedSource:
        padding = -mask.shape[1] % TOKENS
        memory = nn.functional.pad(memory, (0, 0, 0, padding))
        return super().prepare_source(memory, nn.functional.pad(mask, (0, padding)))

    def _decode(
        self, vectors: Tensor, source: EncodedSource, state: DecoderState
    ) -> tuple[Tensor, Optional[Tensor], DecoderState]:
        tensors = {
            "x": vectors.squeeze(1),
            "state": state.recurrent,
            "fed": state.fed,
            "memory": source.memory,
            "keys": source.keys,
            "mask": source.mask,
        }
        arrays = {
            name: tensor.contiguous().numpy()
            for name, tensor in tensors.items()
            if tensor is not None
        }
        y, final, *weights = map(torch.from_numpy, self._session.run(arrays))
        fed = y if self.input_feeding else None
        return y.unsqueeze(1), weights[0] if weights else None, DecoderState(final, fed)


class GraphLinear(nn.Linear):
    """A linear layer that a graph computes.

    layer (nn.Linear): Has the graph.
    session (Session): The graph.
    """

    def __init__(self, layer: nn.Linear, session: Session):
        nn.Module.__init__(self)
        vars(self).update(vars(layer))
        self._session = session

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        y = torch.from_numpy(self._session({"x": rows.numpy()}))
        return y.unflatten(0, x.shape[:-1])
