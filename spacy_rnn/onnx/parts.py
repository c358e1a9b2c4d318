"""The parts of a network that have a graph: those of its embedding, encoders, decoders, and linear
layers. What lies between (windows, pooling, search) is the same code for all engines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from ..nn.attention import GeneralAttention
from ..nn.decoder import Decoder
from ..nn.embedding import TokenModule, WordModule
from ..nn.rnn import Encoder


def parts_of(network: nn.Module, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the parts of a network, with their paths."""
    for name, child in network.named_children():
        if isinstance(child, (WordModule, TokenModule, Encoder, nn.Linear)):
            yield path + name, child
        elif isinstance(child, Decoder):
            yield path + name, child
            yield from _source_layers(child, f"{path}{name}.")
        else:
            yield from parts_of(child, f"{path}{name}.")


def _source_layers(decoder: Decoder, path: str) -> Iterator[tuple[str, Any]]:
    """The layers of a decoder that read the source, once, and not at each step."""
    yield path + "bridge", decoder.bridge
    if isinstance(decoder.attention, GeneralAttention):
        yield path + "attention.memory", decoder.attention.memory
