"""Functions that the config system calls, whose arguments are the fields of a dataclass."""

import inspect
from dataclasses import fields
from functools import wraps
from typing import Any, Callable, Dict, List, TypeVar, get_type_hints

from thinc.api import Model

from .encoder import RNNEncoder, settings_of

Result = TypeVar("Result")


def with_fields_of(settings: type) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Make a decorator that replaces the parameter of this type by its fields.

    The config system reads the names, types and defaults of settings from the signature of the
    function that it calls; so they are written in the dataclass only. A field that is an
    `RNNEncoder` is given as the layer that stands for it, spacy_rnn.RNNEncoder.v1.

    settings (type): A dataclass.
    RETURNS (Callable): The decorator. A function without a docstring gets that of the dataclass.
    """
    hints = get_type_hints(settings)
    names = [field.name for field in fields(settings)]
    encoders = [name for name in names if hints[name] is RNNEncoder]

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        own = inspect.signature(function).parameters
        own_hints = get_type_hints(function)
        (replaced,) = (name for name in own if own_hints[name] is settings)
        annotations = {**own_hints, **hints, **dict.fromkeys(encoders, Model)}
        parameters: List[inspect.Parameter] = []
        for name, parameter in own.items():
            if name == replaced:
                parameters.extend(inspect.signature(settings).parameters.values())
            else:
                parameters.append(parameter)
        signature = inspect.Signature(
            [
                p.replace(annotation=annotations[p.name], default=as_in_config(p.default))
                # Parameters by keyword come last, those of a dataclass too.
                for p in sorted(parameters, key=lambda p: p.kind)
            ],
            return_annotation=annotations["return"],
        )

        @wraps(function)
        def with_fields(*args: Any, **kwargs: Any) -> Result:
            given = signature.bind(*args, **kwargs).arguments
            values = {name: given.pop(name) for name in names if name in given}
            for name in encoders:
                values[name] = settings_of(values[name])
            return function(**{replaced: settings(**values)}, **given)

        with_fields.__signature__ = signature  # type: ignore[attr-defined]
        with_fields.__annotations__ = {name: annotations[name] for name in signature.parameters}
        with_fields.__doc__ = function.__doc__ or settings.__doc__
        return with_fields

    return decorate


def defaults_of(settings: type) -> Dict[str, Any]:
    """Return the defaults of a dataclass's fields, by name, as a config has them.

    settings (type): A dataclass whose fields all have a default.
    """
    return {name: as_in_config(value) for name, value in vars(settings()).items()}


def as_in_config(value: Any) -> Any:
    """Return a default as a config has it, which knows no tuples."""
    return list(value) if isinstance(value, tuple) else value
