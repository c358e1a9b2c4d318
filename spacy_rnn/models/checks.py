"""Checks of numbers in configs, which the config system reads but does not bound."""

import math


def at_least(minimum: float, **values: float) -> None:
    """Raise a ValueError that names the first setting below `minimum`."""
    for name, value in values.items():
        if not isinstance(value, (int, float)) or value < minimum:
            raise ValueError(f"'{name}' must be a number of at least {minimum}, got {value!r}.")


def rate(**values: float) -> None:
    """Raise a ValueError that names the first setting outside [0, 1)."""
    for name, value in values.items():
        if not isinstance(value, (int, float)) or not 0 <= value < 1:
            raise ValueError(f"'{name}' is a rate and must lie in [0, 1), got {value!r}.")


def above_zero(**values: float) -> None:
    """Raise a ValueError that names the first setting that is not a finite number above 0."""
    for name, value in values.items():
        if not isinstance(value, (int, float)) or not 0 < value < math.inf:
            raise ValueError(f"'{name}' must be a finite number above 0, got {value!r}.")
