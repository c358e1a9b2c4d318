"""The recurrent encoder as part of an ONNX graph."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import Any, Iterator, Optional, Sequence

import numpy as np
import torch
from torch import Tensor, nn

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
    bounds: Optional[Bounds] = None,
    state: str = "",
) -> tuple[str, str]:
    """Run all layers over padded sequences.

    x (str): float32 (T, B, input_size). lengths (str): int32 (B,).
    bounds (Optional[Bounds]): Run an LSTM with 8-bit integers, on inputs within these bounds. Other
        cells have no such operator and stay in float32, as all do without bounds.
    state (str): The states before the sequences, float32 (S, depth, B, H); zeros by default.
    RETURNS (tuple[str, str]): The outputs, float32 (T, B, output_size), which mean nothing past the
        end of a sequence, and the states after the last steps, (S, depth, B, H), if `state` is
        given.
    """
    width = encoder.input_size
    finals = []
    layers: Any = zip(encoder.layers, encoder.norms, strict=True)
    for k, (layer, norm) in enumerate(layers):
        if not encoder.is_recurrent:
            y = graph.add("Tanh", linear(graph, layer.linear, x))
        else:
            arguments = (layer, encoder.direction, x, lengths)
            initial = _states_of_layer(graph, encoder, state, k) if state else []
            if encoder.cell == "lstm" and bounds is not None:
                y, final = int8_lstm(graph, *arguments, bounds[k], initial)
            else:
                y, final = recurrent_layer(graph, encoder.cell, *arguments, initial)
            finals.append(final)
        if isinstance(norm, nn.LayerNorm):
            y = layer_norm(graph, norm, y)
        if encoder.residual and width == encoder.output_size:
            y = graph.add("Add", y, x)
        x, width = y, encoder.output_size
    return x, _stacked(graph, finals) if state else ""


def _states_of_layer(graph: Graph, encoder: Encoder, state: str, k: int) -> list[str]:
    """The states of a layer, (1, B, H) each."""
    n_states, _, _, _ = encoder.state_size(0)
    of_layer = graph.add("Gather", state, graph.integers(k), axis=1)
    return [
        graph.add("Gather", of_layer, graph.constant(i, "int64"), axis=0) for i in range(n_states)
    ]


def _stacked(graph: Graph, finals: list[list[str]]) -> str:
    """The states of each layer, (1, B, H) each -> (S, depth, B, H)."""
    of_kinds = [graph.add("Concat", *kind, axis=0) for kind in zip(*finals, strict=True)]
    axis = graph.integers(0)
    return graph.add("Concat", *(graph.add("Unsqueeze", k, axis) for k in of_kinds), axis=0)
