"""The ranges of numbers in a network, which 8-bit integers need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial, singledispatch
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..nn.language_model import LanguageModel
from ..nn.layout import Grid
from ..nn.rnn import Encoder
from ..nn.translator import Translator
from .graph import Bounds
from .layers import array


@contextmanager
def measured_bounds(network: nn.Module) -> Iterator[Bounds]:
    """Measure the bounds of a network's encoders and linear layers on all that they read in the
    block. Vectors of pieces and of units are all within them, those that nothing has read, too.

    YIELDS (Bounds): Those of each module that has read something, complete after the block.
    """
    measured: dict[Any, dict[int, Tensor]] = {}
    bounds: dict[Any, list[np.ndarray]] = {}
    modules: list[Any] = list(network.modules())
    encoders: list[Any] = [module for module in modules if isinstance(module, Encoder)]
    for encoder in encoders:
        encoder.__class__ = _MeasuredEncoder
        encoder.measured = measured
    hooks = [
        module.register_forward_pre_hook(partial(_measure_inputs, measured))
        for module in modules
        if isinstance(module, nn.Linear)
    ]
    try:
        yield bounds
    finally:
        for hook in hooks:
            hook.remove()
        for encoder in encoders:
            encoder.__class__ = Encoder
            del encoder.measured
        for encoder, table in chain.from_iterable(map(_tables, modules)):
            if encoder in measured:
                others = encoder.input_size - table.embedding_dim
                _measure(measured, encoder, 0, nn.functional.pad(table.weight, (0, others)))
        for module, of_layers in measured.items():
            bounds[module] = [array(of_layers[k]) for k in sorted(of_layers)]


@singledispatch
def _tables(network: nn.Module) -> list[tuple[Encoder, nn.Embedding]]:
    """The encoders of a network that read rows of a table, alone or before other inputs."""
    return []


@_tables.register
def _(network: LanguageModel) -> list[tuple[Encoder, nn.Embedding]]:
    return [(network.encoder, network.embedding)]


@_tables.register
def _(network: Translator) -> list[tuple[Encoder, nn.Embedding]]:
    return [
        (network.encoder, network.source_embedding),
        (network.decoder.layers, network.target_embedding),
    ]


class _MeasuredEncoder(Encoder):
    """An encoder that measures what its layers read.

    measured (dict[Any, dict[int, Tensor]]): The bounds of each module's layers, (D,).
    """

    measured: dict[Any, dict[int, Tensor]]

    def _drop(self, layout: Grid, x: Tensor, place: int) -> Tensor:
        if place < len(self.layers):
            _measure(self.measured, self, place, x)
        return x


def _measure_inputs(measured: dict[Any, dict[int, Tensor]], layer: nn.Module, inputs: Any) -> None:
    _measure(measured, layer, 0, inputs[0])


def _measure(measured: dict[Any, dict[int, Tensor]], module: Any, place: int, x: Tensor) -> None:
    if not x.numel():
        return
    largest = x.detach().flatten(0, -2).abs().amax(dim=0)
    of_layers = measured.setdefault(module, {})
    of_layers[place] = torch.maximum(of_layers.get(place, largest), largest)
