"""The state of an optimizer as named tensors and numbers.

thinc's optimizers keep moments and averages under the numbers of layers, which differ from process
to process. Here they are named by component, layer and parameter.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, Tuple

import torch
from spacy.language import Language
from thinc.api import Model, Optimizer, get_current_ops, to_numpy
from torch import Tensor

from ..runtime.optimizer import AdamW, parameter_key
from ..runtime.shim import TorchShim

#: the attributes of a thinc optimizer that hold an array, and those that hold a number, for each
#: parameter
ARRAYS = ("mom1", "mom2", "averages")
NUMBERS = ("nr_update", "last_seen")
#: the moments of a torch module
MOMENTS = "moments"


def get_optimizer_state(
    nlp: Language, optimizer: Optimizer
) -> Tuple[Dict[str, Tensor], Dict[str, Dict[str, int]]]:
    """Collect what an optimizer knows of the parameters of a pipeline.

    nlp (Language): The pipeline.
    optimizer (Optimizer): The optimizer.
    RETURNS (Tuple[Dict[str, Tensor], Dict[str, Dict[str, int]]]): Tensors by name, and numbers by
        attribute and name.
    """
    tensors: Dict[str, Tensor] = {}
    numbers: Dict[str, Dict[str, int]] = {attribute: {} for attribute in NUMBERS}
    for name, key in _keys(nlp):
        for attribute in ARRAYS:
            found = (getattr(optimizer, attribute) or {}).get(key)
            if found is not None:
                tensors[f"{attribute}/{name}"] = _to_tensor(found)
        for attribute in NUMBERS:
            # Not by a look-up, with which a defaultdict makes an entry.
            if key in getattr(optimizer, attribute):
                numbers[attribute][name] = int(getattr(optimizer, attribute)[key])
    if isinstance(optimizer, AdamW):
        for name, shim in _shims(nlp):
            for kind, tensor in optimizer.get_moments(shim.id, shim.module).items():
                tensors[f"{MOMENTS}/{name}/{kind}"] = _to_tensor(tensor)
    return tensors, numbers


def set_optimizer_state(
    nlp: Language,
    optimizer: Optimizer,
    tensors: Dict[str, Tensor],
    numbers: Dict[str, Dict[str, int]],
) -> None:
    """Restore what `get_optimizer_state` returned.

    nlp (Language): The same pipeline, of any process.
    optimizer (Optimizer): An optimizer with the same settings, not used yet.
    tensors (Dict[str, Tensor]): Tensors by name.
    numbers (Dict[str, Dict[str, int]]): Numbers by attribute and name.
    """
    devices = {name: shim.device for name, shim in _shims(nlp)}
    for name, key in _keys(nlp):
        for attribute in ARRAYS:
            tensor = tensors.get(f"{attribute}/{name}")
            if tensor is not None:
                # The averages of torch modules by AdamW are tensors, all else is thinc's arrays.
                module = name.rpartition("/")[0]
                if isinstance(optimizer, AdamW) and module in devices:
                    value: Any = tensor.to(devices[module])
                else:
                    array: Any = tensor.numpy()
                    value = get_current_ops().asarray(array)
                getattr(optimizer, attribute)[key] = value
        for attribute in NUMBERS:
            if name in numbers[attribute]:
                getattr(optimizer, attribute)[key] = numbers[attribute][name]
    if isinstance(optimizer, AdamW):
        for name, shim in _shims(nlp):
            prefix = f"{MOMENTS}/{name}/"
            moments = {
                n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)
            }
            if moments:
                optimizer.set_moments(shim.id, shim.module, moments)


def _models(nlp: Language) -> Iterator[Tuple[str, Any]]:
    """The layers of all components, each with a name that is the same in every process."""
    for name, pipe in nlp.pipeline:
        model = getattr(pipe, "model", None)
        if isinstance(model, Model):
            for i, layer in enumerate(model.walk()):
                yield f"{name}/{i}", layer


def _shims(nlp: Language) -> Iterator[Tuple[str, TorchShim]]:
    """The torch modules of this package's networks."""
    for name, layer in _models(nlp):
        for i, shim in enumerate(layer.shims):
            if isinstance(shim, TorchShim) and shim.is_built:
                yield f"{name}.{i}", shim


def _keys(nlp: Language) -> Iterator[Tuple[str, Any]]:
    """The keys of all parameters, each with a name that is the same in every process."""
    for name, layer in _models(nlp):
        for parameter in layer.param_names:
            yield f"{name}/{parameter}", (layer.id, parameter)
        for i, shim in enumerate(layer.shims):
            module = shim._model
            if isinstance(module, torch.nn.Module):
                ours = isinstance(shim, TorchShim)
                names = [parameter for parameter, _ in module.named_parameters()]
                # AdamW counts its steps of a module under the empty name.
                for parameter in [*names, ""]:
                    key = parameter_key(shim.id, parameter) if ours else (shim.id, parameter)
                    yield f"{name}.{i}/{parameter}", key


def _to_tensor(array: Any) -> Tensor:
    if isinstance(array, Tensor):
        # One that may be a view is saved as its own values.
        return array.detach().cpu().clone().contiguous()
    return torch.from_numpy(to_numpy(array).copy())
