"""Dropout for recurrent networks.

The rate of `LockedDropout` is set from outside for each training step (spaCy's
``training.dropout``); weight-drop, and the dropout of words in `spacy_rnn.nn.embedding`, have rates
of their own because they mean something else.
"""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Hashable, Iterator

import torch
from torch import Tensor, nn


def bernoulli_mask(shape: tuple[int, ...], rate: float, like: Tensor) -> Tensor:
    """Sample a mask that is 0 with probability `rate` and 1 / (1 - rate) otherwise, so that means
    are kept.

    shape (Tuple[int, ...]): Shape of the mask.
    rate (float): The dropout rate.
    like (Tensor): A tensor of the same type and device.
    """
    keep = 1.0 - rate
    return torch.empty(shape, dtype=like.dtype, device=like.device).bernoulli_(keep).div_(keep)


class LockedDropout(nn.Module):
    """Variational dropout: each sequence has one mask, shared by its time steps and by no other
    sequence of the batch.

    Gal and Ghahramani 2016, "A theoretically grounded application of dropout in recurrent neural
    networks", section 4; the name is of Merity et al. 2018 (AWD-LSTM), section 4.2.
    """

    rate: float = 0.0
    #: the values that are shared inside `shared_masks`, by key
    _shared: dict[Hashable, Any] | None = None

    def mask(self, n_rows: int, size: int, like: Tensor, key: int = 0) -> Tensor | None:
        """Return a mask, or None if nothing is dropped.

        n_rows (int): Number of sequences, B.
        size (int): Width of a vector, D.
        like (Tensor): A tensor of the same type and device.
        key (int): Tells the masks apart that one forward pass needs.
        RETURNS (Optional[Tensor]): (B, D).
        """
        if not self.training or self.rate == 0.0:
            return None
        return self.cached(key, lambda: bernoulli_mask((n_rows, size), self.rate, like))

    def cached(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return a new value; inside `shared_masks`, the first one made there for this key.

        key (Hashable): Name of the value.
        make (Callable[[], Any]): Makes the value.
        """
        if self._shared is None:
            return make()
        if key not in self._shared:
            self._shared[key] = make()
        return self._shared[key]


@contextlib.contextmanager
def shared_masks(module: nn.Module) -> Iterator[None]:
    """Share masks between all calls inside the context, for sequences that are read step by step.

    module (nn.Module): The module with the `LockedDropout` layers.
    """
    dropouts = [
        child
        for child in module.modules()
        if isinstance(child, LockedDropout) and child._shared is None
    ]
    for dropout in dropouts:
        dropout._shared = {}
    try:
        yield
    finally:
        for dropout in dropouts:
            dropout._shared = None


def set_dropout_rate(module: nn.Module, rate: float) -> None:
    """Set the rate of every `LockedDropout` inside a module.

    module (nn.Module): The module.
    rate (float): The rate.
    RAISES (ValueError): If the rate is not in [0, 1).
    """
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"A dropout rate lies in [0, 1), got {rate}. Check [training] dropout.")
    for child in module.modules():
        if isinstance(child, LockedDropout):
            child.rate = rate


def training_view(module: nn.Module, rate: float) -> nn.Module:
    """Make a view of a module in training mode, which shares its parameters and buffers. The module
    itself stays in its mode, for other threads.

    module (nn.Module): The module.
    rate (float): The rate of every `LockedDropout` in the view.
    RETURNS (nn.Module): The view.
    """
    view = _view(module, {})
    set_dropout_rate(view, rate)
    return view.train()


def _view(module: nn.Module, views: dict[nn.Module, nn.Module]) -> nn.Module:
    if module not in views:
        view = views[module] = module.__new__(type(module))
        view.__dict__ = dict(module.__dict__)
        view._modules = {
            name: child if child is None else _view(child, views)
            for name, child in module._modules.items()
        }
    return views[module]


def drop_weights(weight: Tensor, rate: float, training: bool) -> Tensor:
    """Apply DropConnect to a recurrent weight matrix, with one mask for all time steps of a pass.

    Merity et al. 2018 (AWD-LSTM), section 2. The stored weight stays as it is and receives the
    gradient; only the returned copy has zeros.

    weight (Tensor): Hidden-to-hidden weights.
    rate (float): The dropout rate.
    training (bool): Nothing is dropped outside of training.
    """
    return nn.functional.dropout(weight, rate, training) if rate else weight
