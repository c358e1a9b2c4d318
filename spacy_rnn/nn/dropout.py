"""Dropout for recurrent networks.

The rate of `LockedDropout` is set from outside before each training step (spaCy's
``training.dropout``); weight-drop and unknown-word dropout have rates of their own because they
mean something else.
"""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Hashable, Iterator

import torch
from torch import Tensor, nn


def bernoulli_mask(shape: tuple[int, ...], rate: float, like: Tensor) -> Tensor:
    """A mask of 0 with probability `rate` and 1 / (1 - rate) otherwise, so that means are kept."""
    keep = 1.0 - rate
    return torch.empty(shape, dtype=like.dtype, device=like.device).bernoulli_(keep).div_(keep)


class LockedDropout(nn.Module):
    """Variational dropout: one mask a sequence, shared by its time steps, not by the batch.

    Gal and Ghahramani 2016, "A theoretically grounded application of dropout in recurrent neural
    networks", section 4; the name is of Merity et al. 2018 (AWD-LSTM), section 4.2.
    """

    rate: float = 0.0
    #: what was drawn inside `one_pass`
    _drawn: dict[Hashable, Any] | None = None

    def mask(self, n_rows: int, size: int, like: Tensor, place: int = 0) -> Tensor | None:
        """The mask (B, D) of one pass, or None where nothing is dropped.

        place: tells several masks of a pass apart.
        """
        if not self.training or self.rate == 0.0:
            return None
        return self.once(place, lambda: bernoulli_mask((n_rows, size), self.rate, like))

    def once(self, key: Hashable, draw: Callable[[], Any]) -> Any:
        """What `draw` returns; inside `one_pass` what it returned there first."""
        if self._drawn is None:
            return draw()
        if key not in self._drawn:
            self._drawn[key] = draw()
        return self._drawn[key]


@contextlib.contextmanager
def one_pass(module: nn.Module) -> Iterator[None]:
    """Inside, all calls of the `LockedDropout` in `module` are one pass: for sequences that are
    read step by step."""
    dropouts = [
        child
        for child in module.modules()
        if isinstance(child, LockedDropout) and child._drawn is None
    ]
    for dropout in dropouts:
        dropout._drawn = {}
    try:
        yield
    finally:
        for dropout in dropouts:
            dropout._drawn = None


def set_dropout_rate(module: nn.Module, rate: float) -> None:
    """Set the rate of every `LockedDropout` inside `module`."""
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"A dropout rate lies in [0, 1), got {rate}. Check [training] dropout.")
    for child in module.modules():
        if isinstance(child, LockedDropout):
            child.rate = rate


def drop_weights(weight: Tensor, rate: float, training: bool) -> Tensor:
    """DropConnect on a recurrent weight matrix: one mask for all time steps of a pass.

    Merity et al. 2018 (AWD-LSTM), section 2. The stored weight is left as it is and receives the
    gradient; only the returned copy has zeros.
    """
    return nn.functional.dropout(weight, rate, training) if rate else weight


def drop_words(ids: Tensor, rate: float, training: bool) -> Tensor:
    """Replace ids by 0, the unknown word, with probability `rate`.

    This is how the vector of unknown words is trained, and what makes the network look at the
    characters (Dyer et al. 2015, section 3.2, drop words at random in the same way).
    """
    if not training or rate == 0.0:
        return ids
    return ids.masked_fill(torch.rand(ids.shape, device=ids.device) < rate, 0)
