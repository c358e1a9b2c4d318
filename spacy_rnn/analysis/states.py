"""States: the activations of hidden units over a text."""

from __future__ import annotations

from functools import partial
from typing import Any, List, NamedTuple

import numpy as np
from spacy.tokens import Doc
from torch import Tensor

from ..nn.rnn import Encoder
from ..pipeline.base import RNNPipe
from ..runtime.attribution import EncoderInput
from .component import module_of


class States(NamedTuple):
    """What a layer of an encoder makes of a text.

    tokens: what the encoder reads: tokens, of a translator pieces, of a language model units.
    units: names of the hidden units, such as "forward 3" and "backward 3"; "unit 3" without
        recurrence.
    activations: float32 (tokens, units), each after its token has been read.
    layer: its number, the lowest being 0.
    """

    tokens: List[str]
    units: List[str]
    activations: np.ndarray
    layer: int


def states(pipe: RNNPipe, doc: Doc, layer: int = -1) -> States:
    """The output of a layer of a component's encoder for each token of a text, as what is above it
    reads it: with layer norm and residual connections where the encoder has them. The text is read
    at once, however long it is.

    pipe (RNNPipe): Any component of spacy-rnn, trained. Of a translator the states are those of its
        encoder, of a language model those of each direction, of a network that reads by sentences
        those over the tokens of each sentence.
    doc (Doc): The text, with what components before this one have set.
    layer (int): The lowest is 0; -1 is the highest, -2 the one below it.
    RETURNS (States): An activation for each token and unit.
    RAISES (ValueError): If the component is untrained or none of spacy-rnn, or has no such layer.
    """
    module = module_of(pipe)
    inputs = pipe.encoder_inputs(doc)
    depth = len(inputs[0].encoder(module).layers)
    if not -depth <= layer < depth:
        raise ValueError(
            f"The encoder of '{pipe.name}' has no layer {layer}: it has {depth}, from 0, the "
            f"lowest, to {depth - 1}, which is also -1."
        )
    layer %= depth
    units, activations = [], []
    for rows in inputs:
        units += _units(rows.encoder(module), rows.backward)
        found = pipe.shim.predict(partial(_encode, rows=rows, layer=layer))
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
    """The names of an encoder's units. backward: it reads texts in reverse."""
    if not encoder.is_recurrent:
        return [f"unit {i}" for i in range(encoder.output_size)]
    directions = ["forward", "backward"]
    if encoder.direction != "both":
        directions = ["backward"] if backward else [encoder.direction]
    return [f"{name} {i}" for name in directions for i in range(encoder.hidden_size)]
