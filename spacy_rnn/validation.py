"""Checks of the ranges of numbers in configs."""

import math
from numbers import Integral


def at_least(minimum: int, **values: int) -> None:
    """Raise a ValueError for the first setting that is not a whole number of at least `minimum`."""
    for name, value in values.items():
        if not isinstance(value, Integral) or value < minimum:
            raise ValueError(
                f"'{name}' must be a whole number of at least {minimum}, got {value!r}."
            )


def number_at_least(minimum: float, **values: float) -> None:
    """Raise a ValueError for the first setting that is not a number of at least `minimum`."""
    for name, value in values.items():
        if not isinstance(value, (int, float)) or value < minimum:
            raise ValueError(f"'{name}' must be a number of at least {minimum}, got {value!r}.")


def rate(**values: float) -> None:
    """Raise a ValueError for the first setting that is not in [0, 1)."""
    for name, value in values.items():
        if not isinstance(value, (int, float)) or not 0 <= value < 1:
            raise ValueError(f"'{name}' is a rate and must be in [0, 1), got {value!r}.")


def probability(**values: float) -> None:
    """Raise a ValueError for the first setting that is not in [0, 1]."""
    for name, value in values.items():
        if not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ValueError(f"'{name}' is a probability and must be in [0, 1], got {value!r}.")


def above_zero(**values: float) -> None:
    """Raise a ValueError for the first setting that is not a finite number above 0."""
    for name, value in values.items():
        if not isinstance(value, (int, float)) or not 0 < value < math.inf:
            raise ValueError(f"'{name}' must be a finite number above 0, got {value!r}.")
