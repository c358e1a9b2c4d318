"""Activations of hidden units over a text."""

from __future__ import annotations

from typing import Any, List, NamedTuple

import numpy as np
from spacy.tokens import Doc
from torch import Tensor

from ..nn.rnn import Encoder
from ..pipeline.base import RNNPipe
from ..runtime.attribution import EncoderInput
from .component import module_of


class States(NamedTuple):
    """The output of a layer of an encoder for a text.

    tokens (List[str]): The inputs of the encoder: tokens, pieces (translator) or units (language
        model).
    units (List[str]): Names of the hidden units, such as "forward 3" and "backward 3"; "unit 3"
        without recurrence.
    activations (ndarray): float32 (tokens, units), each after its token has been read.
    layer (int): The index of the layer; 0 is the lowest.
    """

    tokens: List[str]
    units: List[str]
    activations: np.ndarray
    layer: int


def compute_states(pipe: RNNPipe, doc: Doc, layer: int = -1) -> States:
    """Compute the output of a layer of a component's encoder for each token of a text, with layer
    normalization and residual connections if the encoder has them. The whole text is read at once.

    pipe (RNNPipe): Any trained component of spacy-rnn. The states are those of the encoder
        (translator), of both directions (language model), or of the tokens of each sentence
        (networks that read sentence by sentence).
    doc (Doc): The text, with the annotation of the components that run before this one.
    layer (int): The index of the layer: 0 is the lowest, -1 the highest, -2 the one below it.
    RETURNS (States): An activation for each token and unit.
    RAISES (ValueError): If it is not a trained spacy-rnn component, or has no such layer.
    """
    module = module_of(pipe)
    inputs = pipe.encoder_inputs(doc)
    depth = len(inputs[0].encoder(module).layers)
    if not -depth <= layer < depth:
        raise ValueError(
            f"Layer {layer} of the encoder of '{pipe.name}' is out of range: it must be from "
            f"{-depth} to {depth - 1}. 0 is the lowest layer, -1 the highest."
        )
    layer %= depth
    units, activations = [], []
    for rows in inputs:
        units += _units(rows.encoder(module), rows.backward)
        with pipe.shim.inference() as module:
            found = _encode(module, rows, layer)
        array = found.float().cpu().numpy()
        activations.append(array[::-1] if rows.backward else array)
    names = inputs[0].names[:: -1 if inputs[0].backward else 1]
    return States(names, units, np.concatenate(activations, axis=1), layer)


def _encode(module: Any, rows: EncoderInput, layer: int) -> Tensor:
    encoder = rows.encoder(module).first_layers(layer + 1)
    if rows.start is None:
        return encoder(rows.vectors, rows.lengths)
    start = rows.start[:, : layer + 1]
    return encoder.forward_stateful(rows.vectors, rows.lengths, None, start)[0]


def _units(encoder: Encoder, backward: bool) -> List[str]:
    """The names of an encoder's units. backward: True if it reads texts in reverse."""
    if not encoder.is_recurrent:
        return [f"unit {i}" for i in range(encoder.output_size)]
    directions = ["forward", "backward"]
    if encoder.direction != "both":
        directions = ["backward"] if backward else [encoder.direction]
    return [f"{name} {i}" for name in directions for i in range(encoder.hidden_size)]
