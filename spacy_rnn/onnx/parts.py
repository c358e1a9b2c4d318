"""The parts of a network that have a graph: those of its embedding, encoders, and linear layers.
What lies between (windows, pooling, decoding) is the same code for all engines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from ..nn.embedding import TokenModule, WordModule
from ..nn.rnn import Encoder


def parts_of(network: nn.Module, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the parts of a network, with their paths."""
    for name, child in network.named_children():
        if isinstance(child, (WordModule, TokenModule, Encoder, nn.Linear)):
            yield path + name, child
        else:
            yield from parts_of(child, f"{path}{name}.")
