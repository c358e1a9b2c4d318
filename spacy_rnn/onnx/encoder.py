"""The recurrent encoder as part of an ONNX graph."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import Any, Iterator, Optional, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..nn.cells import CELLS
from ..nn.rnn import Encoder
from .graph import Graph
from .int8 import int8_lstm
from .layers import array, layer_norm, linear
from .parts import parts_of
from .recurrent import recurrent_layer

#: the largest magnitude of each input of each layer, float32 (D,)
Bounds = Sequence[np.ndarray]


@contextmanager
def measured_bounds(network: nn.Module) -> Iterator[dict[str, Bounds]]:
    """Measure the bounds of a network's encoders on all sequences that they read in the block.

    YIELDS (dict[str, Bounds]): Those of each encoder that has read a sequence.
    """
    found: dict[str, Bounds] = {}

    def measure(name: str, encoder: Any, inputs: Any) -> None:
        if not inputs[1].any():
            return
        bounds = input_bounds(encoder, *inputs)
        before = found.get(name, bounds)
        found[name] = [np.maximum(*both) for both in zip(before, bounds, strict=True)]

    hooks = [
        encoder.register_forward_pre_hook(partial(measure, name))
        for name, encoder in parts_of(network)
        if isinstance(encoder, Encoder)
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def input_bounds(
    encoder: Encoder, x: Tensor, lengths: Tensor, tokens: Optional[Tensor] = None
) -> Bounds:
    """Measure the bounds on sequences; see `Encoder.forward`."""
    # Called by their method: the layers share the hooks of the whole.
    each_depth = [encoder.first_layers(depth).forward for depth in range(1, len(encoder.layers))]
    with torch.no_grad():
        inputs = [x, *(forward(x, lengths, tokens) for forward in each_depth)]
    return [array(each.abs().amax(dim=0)) for each in inputs]


def encode(
    graph: Graph,
    encoder: Encoder,
    x: str,
    lengths: str,
    state: Optional[str] = None,
    bounds: Optional[Bounds] = None,
) -> tuple[str, Optional[str]]:
    """Run all layers over padded sequences.

    x (str): float32 (T, B, input_size). lengths (str): int32 (B,).
    state (Optional[str]): The state before the first step, see `Encoder.state_size`; zeros without.
    bounds (Optional[Bounds]): Run an LSTM with 8-bit integers, on inputs within these bounds. Other
        cells have no such operator and stay in float32, as all do without bounds.
    RETURNS (tuple[str, Optional[str]]): The states, float32 (T, B, output_size), which past the end
        of a sequence mean nothing, and the state after the last step; None without `state`.
    """
    width = encoder.input_size
    finals = []
    layers: Any = zip(encoder.layers, encoder.norms, strict=True)
    for k, (layer, norm) in enumerate(layers):
        before = [] if state is None else _of_layer(graph, encoder, state, k)
        if not encoder.is_recurrent:
            y = graph.add("Tanh", linear(graph, layer.linear, x))
        elif encoder.cell == "lstm" and bounds is not None:
            y, last = int8_lstm(graph, layer, encoder.direction, x, lengths, bounds[k], before)
            finals.append(last)
        else:
            cell, direction = encoder.cell, encoder.direction
            y, last = recurrent_layer(graph, layer, cell, direction, x, lengths, before)
            finals.append(last)
        if isinstance(norm, nn.LayerNorm):
            y = layer_norm(graph, norm, y)
        if encoder.residual and width == encoder.output_size:
            y = graph.add("Add", y, x)
        x, width = y, encoder.output_size
    if state is None:
        return x, None
    # shape: (1, B, H) of each layer and state -> (S, depth, B, H)
    by_layer = [graph.add("Concat", *last, axis=0) for last in finals]
    stacked = [graph.add("Unsqueeze", last, graph.integers(1)) for last in by_layer]
    return x, graph.add("Concat", *stacked, axis=1)


def _of_layer(graph: Graph, encoder: Encoder, state: str, k: int) -> list[str]:
    """The states of a layer, (1, B, H) each."""
    of_layer = graph.add("Gather", state, graph.constant(k, "int64"), axis=1)
    rows = [graph.integers(n) for n in range(CELLS[encoder.cell].n_states)]
    return [graph.add("Gather", of_layer, row, axis=0) for row in rows]
