"""Networks of which ONNX Runtime runs the parts that take the time."""

from __future__ import annotations

import copy
from typing import Any, Optional, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ..nn.embedding import Arrays, WordModule
from ..nn.layout import Grid, LayoutName, Padded
from ..nn.ragged import group_by_length
from ..nn.rnn import Encoder
from .parts import parts_of
from .session import Graphs, Session

NetworkT = TypeVar("NetworkT", bound=nn.Module)

#: the fixed price of one time step of a graph, in rows
STEP_OVERHEAD = 3.0


def with_graphs(network: NetworkT, graphs: Graphs) -> NetworkT:
    """Make a network for prediction on a CPU that shares the weights of another. A text gets the
    same bits alone and in any batch.

    network (NetworkT): The network.
    graphs (Graphs): Those of its parts; see `spacy_rnn.onnx.networks.write_graphs`.
    RETURNS (NetworkT): A network of the same class.
    RAISES (ValueError): If a graph is missing, damaged, or of another network.
    """
    parts = dict(parts_of(network))
    missing = [name for name in parts if name not in graphs]
    if missing:
        raise ValueError(f"There is no graph of {', '.join(missing)}.{_AGAIN}")
    return _replaced(network, {name: _part(name, part, graphs) for name, part in parts.items()})


_AGAIN = " Write the graphs again: python -m spacy rnn compress MODEL OUTPUT"


def _part(name: str, part: Any, graphs: Graphs) -> nn.Module:
    session = Session(graphs[name])
    width = part.out_features if isinstance(part, nn.Linear) else part.output_size
    if session.width != width:
        raise ValueError(
            f"The graph of '{name}' has {session.width} outputs, but the network {width}: it was "
            f"written for other settings or labels.{_AGAIN}"
        )
    if isinstance(part, WordModule):
        return GraphWords(session)
    return GraphEncoder(part, session) if isinstance(part, Encoder) else GraphLinear(session)


def _replaced(network: Any, parts: dict[str, nn.Module], path: str = "") -> Any:
    """A copy of a module with other parts, which shares everything else."""
    copied = copy.copy(network)
    copied._modules = {
        name: parts[path + name]
        if path + name in parts
        else child and _replaced(child, parts, f"{path}{name}.")
        for name, child in network._modules.items()
    }
    return copied


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
        units = [
            name
            for name, array in arrays.items()
            if name + "_lengths" in arrays and array.dtype == np.int64
        ]
        if not units:
            return torch.from_numpy(self._session(arrays))
        # Words with a similar number of units are read together.
        (name,) = units
        lengths = np.maximum(arrays[name + "_lengths"], 1)
        vectors = np.empty((len(lengths), self.output_size), dtype="float32")
        for group in group_by_length(lengths, STEP_OVERHEAD):
            some = {name: array[group] for name, array in arrays.items()}
            some[name] = some[name][:, : lengths[group[0]]]
            vectors[group] = self._session(some)
        return torch.from_numpy(vectors)


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


class GraphLinear(nn.Module):
    """A linear layer that a graph computes: (N, K) -> (N, M).

    session (Session): The graph.
    """

    def __init__(self, session: Session):
        super().__init__()
        self._session = session

    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(self._session({"x": x.numpy()}))
