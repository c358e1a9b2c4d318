"""The states of all random number generators that a training uses."""

from __future__ import annotations

import random
from typing import Any, Dict, Iterator, TypeVar

import numpy as np
import torch
from torch import Tensor

ItemT = TypeVar("ItemT")


def get_random_state() -> Dict[str, Any]:
    """Return the states of the generators of Python, numpy and torch, also on its GPUs, as data for
    msgpack."""
    version, numbers, gauss = random.getstate()
    name, keys, *rest = np.random.get_state(legacy=True)
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [name, np.asarray(keys), *rest],
        "torch": _to_array(torch.get_rng_state()),
        # Asking for them would start a GPU that is not used.
        "cuda": [
            _to_array(state)
            for state in (torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [])
        ],
    }


def set_random_state(state: Dict[str, Any]) -> None:
    """Restore what `get_random_state` returned.

    state (Dict[str, Any]): The states.
    """
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    np.random.set_state(tuple(state["numpy"]))
    torch.set_rng_state(_to_tensor(state["torch"]))
    if state["cuda"]:
        torch.cuda.set_rng_state_all([_to_tensor(one) for one in state["cuda"]])


def with_own_randomness(items: Iterator[ItemT]) -> Iterator[ItemT]:
    """Take items in random states of their own. They begin as copies of the present ones, and
    continue from item to item, whatever happens between them.

    items (Iterator[ItemT]): Draws random numbers to make each item.
    RETURNS (Iterator[ItemT]): The items.
    """
    inner = get_random_state()

    def take() -> Iterator[ItemT]:
        nonlocal inner
        while True:
            outer = get_random_state()
            set_random_state(inner)
            try:
                item = next(items)
            except StopIteration:
                return
            finally:
                inner = get_random_state()
                set_random_state(outer)
            yield item

    return take()


def _to_array(tensor: Tensor) -> np.ndarray:
    return tensor.cpu().numpy().copy()


def _to_tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array, dtype="uint8"))
