"""Weights and learned features as bytes: a safetensors file with JSON in its header."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Mapping

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors

from ..onnx.session import Graphs
from ..optional import torch

if TYPE_CHECKING:
    from torch import nn

#: weights by name
Weights = Mapping[str, np.ndarray]

#: versions of the saved state and of graphs; newer ones are refused
FORMAT = 1
GRAPHS_FORMAT = 1
_METADATA = "spacy_rnn"
#: what the name of a graph begins with, in contrast to that of a weight
_GRAPH = "onnx/"


def weights_of(module: nn.Module) -> Weights:
    """The weights of a module, each under one name.

    module (nn.Module): The module.
    RETURNS (Weights): The weights.
    """
    tied = _tied(module)
    return {
        name: np.ascontiguousarray(tensor.detach().cpu().numpy())
        for name, tensor in module.state_dict().items()
        if name not in tied
    }


def network_to_bytes(weights: Weights, state: Mapping[str, Any], graphs: Graphs) -> bytes:
    """Serialize a network.

    weights (Weights): The weights.
    state (Mapping[str, Any]): What else is saved, as JSON.
    graphs (Graphs): The graphs of its parts, if there are any.
    RETURNS (bytes): The serialized form.
    """
    arrays = dict(weights)
    for name, graph in graphs.items():
        arrays[_GRAPH + name] = np.frombuffer(graph, dtype="uint8")
    formats = {"format": FORMAT, "graphs_format": GRAPHS_FORMAT}
    metadata = {_METADATA: json.dumps({**formats, **state}, sort_keys=True)}
    return save_safetensors(arrays, metadata)


def read_state(data: bytes) -> dict[str, Any]:
    """Read what `network_to_bytes` saved beside the weights.

    data (bytes): The serialized form.
    RETURNS (dict[str, Any]): The state.
    RAISES (ValueError): If the data are damaged or of a newer format.
    """
    try:
        # A safetensors file begins with the length of its header in 8 bytes.
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size])
        state: dict[str, Any] = json.loads(header["__metadata__"][_METADATA])
    except (ValueError, KeyError, TypeError) as error:
        raise _corrupt(error) from error
    if state["format"] > FORMAT:
        raise ValueError(
            f"The model was saved in format {state['format']}, by a newer spacy-rnn; this one "
            f"reads formats up to {FORMAT}. Upgrade: pip install --upgrade spacy-rnn"
        )
    return state


def read_graphs(state: Mapping[str, Any], weights: dict[str, np.ndarray]) -> Graphs:
    """Take the graphs of `network_to_bytes` from among the weights.

    state (Mapping[str, Any]): The state that was saved with them.
    weights (dict[str, np.ndarray]): What `read_weights` returned; only the weights are left in it.
    RETURNS (Graphs): The graphs.
    RAISES (ValueError): If they are of a newer format.
    """
    names = [name for name in weights if name.startswith(_GRAPH)]
    graphs = {name.removeprefix(_GRAPH): weights.pop(name).tobytes() for name in names}
    if graphs and state["graphs_format"] > GRAPHS_FORMAT:
        raise ValueError(
            f"The pipeline was compressed by a newer spacy-rnn, into graphs of format "
            f"{state['graphs_format']}; this one reads formats up to {GRAPHS_FORMAT}. Upgrade: pip "
            f"install --upgrade spacy-rnn"
        )
    return graphs


def read_weights(data: bytes) -> dict[str, np.ndarray]:
    """Read the weights of `network_to_bytes`.

    data (bytes): The serialized form.
    RETURNS (dict[str, np.ndarray]): The weights by name.
    RAISES (ValueError): If the data are damaged, or a weight is not finite.
    """
    try:
        weights: dict[str, np.ndarray] = load_safetensors(data)
    except SafetensorError as error:
        raise _corrupt(error) from error
    for name, array in weights.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise _corrupt(f"'{name}' has values that are not finite")
    return weights


def check_shapes(module: nn.Module, weights: Weights) -> None:
    """Check that weights are those of a module.

    module (nn.Module): The module, whose own weights may be without memory.
    weights (Weights): The weights, each under one name.
    RAISES (ValueError): If their names or shapes differ.
    """
    tied = _tied(module)
    own = {n: tuple(tensor.shape) for n, tensor in module.state_dict().items() if n not in tied}
    saved = {name: array.shape for name, array in weights.items()}
    for name in sorted({*own, *saved}):
        if own.get(name) != saved.get(name):
            raise ValueError(
                f"The weights '{name}' were saved with the shape {saved.get(name)}, but those of "
                f"the network have {own.get(name)}. Use the config.cfg that was saved beside them."
            )


def load_weights(module: nn.Module, weights: Weights) -> None:
    """Fill a module with weights.

    module (nn.Module): The module.
    weights (Weights): Its weights, each under one name.
    RAISES (ValueError): If they are not those of this module.
    """
    check_shapes(module, weights)
    tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
    tensors.update({name: tensors[other] for name, other in _tied(module).items()})
    module.load_state_dict(tensors)


def _tied(module: nn.Module) -> dict[str, str]:
    """Other names of weights that have several, and the name under which each is saved."""
    saved = {parameter: name for name, parameter in module.named_parameters()}
    every_name = module.named_parameters(remove_duplicate=False)
    return {name: saved[p] for name, p in every_name if saved[p] != name}


def _corrupt(error: object) -> ValueError:
    return ValueError(
        f"The model's weights are damaged or incomplete ({error}). Copy or download the pipeline "
        f"again, or train it again."
    )
