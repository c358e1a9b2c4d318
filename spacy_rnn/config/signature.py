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
    names = [field.name for field in fields(settings)]
    hints = get_type_hints(settings)
    encoders = [name for name in names if hints[name] is RNNEncoder]

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        signature = inspect.signature(function)
        own_hints = dict(function.__annotations__)
        (replaced,) = (name for name in signature.parameters if own_hints.get(name) is settings)
        signature = signature.replace(parameters=_replaced(signature, replaced, settings))

        @wraps(function)
        def with_fields(*args: Any, **kwargs: Any) -> Result:
            given = signature.bind(*args, **kwargs).arguments
            values = {name: given.pop(name) for name in names if name in given}
            for name in encoders:
                values[name] = settings_of(values[name])
            return function(**{replaced: settings(**values)}, **given)

        del own_hints[replaced]
        with_fields.__annotations__ = {**own_hints, **hints, **dict.fromkeys(encoders, Model)}
        with_fields.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[
                p.replace(annotation=with_fields.__annotations__.get(name, p.annotation))
                for name, p in signature.parameters.items()
            ]
        )
        with_fields.__doc__ = function.__doc__ or settings.__doc__
        return with_fields

    return decorate


def _replaced(
    signature: inspect.Signature, replaced: str, settings: type
) -> List[inspect.Parameter]:
    """The parameters of a function, the fields of a dataclass in place of one of them."""
    parameters = []
    for name, parameter in signature.parameters.items():
        if name != replaced:
            parameters.append(parameter)
            continue
        for field in inspect.signature(settings).parameters.values():
            kind, default = max(parameter.kind, field.kind), as_in_config(field.default)
            parameters.append(field.replace(kind=kind, default=default))
    # Those by keyword come last, as fields can be among them.
    return sorted(parameters, key=lambda parameter: parameter.kind)


def to_config(settings: Any) -> Dict[str, Any]:
    """Return the fields of a dataclass, by name, as a config has them.

    settings (Any): An instance.
    """
    return {name: as_in_config(value) for name, value in vars(settings).items()}


def as_in_config(value: Any) -> Any:
    """Return a value as a config has it, which knows no tuples."""
    return list(value) if isinstance(value, tuple) else value
