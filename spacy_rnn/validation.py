"""Checks of the ranges of numbers and of names in configs."""

import math
from numbers import Integral, Real
from typing import Any, Mapping, Optional

#: the largest number that a setting can be
LARGEST = 2**31 - 1


def at_least(minimum: int, **values: int) -> None:
    """Raise a ValueError for the first setting that is not a whole number from `minimum` to
    `LARGEST`."""
    for name, value in values.items():
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not whole or not minimum <= value <= LARGEST:
            raise ValueError(
                f"'{name}' must be a whole number of at least {minimum}{_below(value)}, got "
                f"{value!r}."
            )


def number_at_least(minimum: float, **values: float) -> None:
    """Raise a ValueError for the first setting that is not a number from `minimum` to `LARGEST`."""
    for name, value in values.items():
        if not _is_between(minimum, value, LARGEST):
            raise ValueError(
                f"'{name}' must be a number of at least {minimum}{_below(value)}, got {value!r}."
            )


def rate(**values: float) -> None:
    """Raise a ValueError for the first setting that is not in [0, 1)."""
    for name, value in values.items():
        if not _is_between(0, value, 1) or value == 1:
            raise ValueError(f"'{name}' is a rate and must be in [0, 1), got {value!r}.")


def probability(**values: float) -> None:
    """Raise a ValueError for the first setting that is not in [0, 1]."""
    for name, value in values.items():
        if not _is_between(0, value, 1):
            raise ValueError(f"'{name}' is a probability and must be in [0, 1], got {value!r}.")


def above_zero(maximum: float = LARGEST, **values: float) -> None:
    """Raise a ValueError for the first setting that is not a number above 0 and at most
    `maximum`."""
    for name, value in values.items():
        if not _is_between(0, value, maximum) or value == 0:
            raise ValueError(
                f"'{name}' must be a number above 0 and at most {maximum}, got {value!r}."
            )


def label_weights(**values: Optional[Mapping[str, float]]) -> None:
    """Raise a ValueError for the first setting that has a label whose weight is not a number of at
    least 0."""
    for name, weights in values.items():
        for label, weight in (weights or {}).items():
            if not _is_between(0, weight, LARGEST):
                raise ValueError(
                    f"'{name}' must have a number of at least 0 for each label, got {weight!r} for "
                    f"'{label}'."
                )


def extension_name(**values: Optional[str]) -> None:
    """Raise a ValueError for the first setting that is neither the name of an extension, which is
    an attribute in Python, nor None."""
    for name, value in values.items():
        if value is not None and not value.isidentifier():
            raise ValueError(
                f"'{name}' names an extension, as in doc._.NAME, and must be of letters, digits "
                f"and underscores, got {value!r}."
            )


def _is_between(minimum: float, value: Any, maximum: float) -> bool:
    number = isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)
    return number and bool(minimum <= value <= maximum)


def _below(value: Any) -> str:
    """The upper bound, for the message of a value above it."""
    too_large = isinstance(value, Real) and float(value) > LARGEST
    return f" and at most {LARGEST}" if too_large else ""
