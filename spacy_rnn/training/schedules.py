"""Schedules of numbers by training step, beside thinc's own.

Those of teacher forcing are of Bengio et al. 2015, section 2.4: `linear`, `inverse_sigmoid`, and
for an exponential one compounding.v1 of thinc.
"""

import math
from functools import partial
from typing import Callable, Iterator

from ..validation import above_zero, at_least


class Schedule(Iterator[float]):
    """The values of a function of the step, from step 0 on. Unlike a generator it can be copied and
    pickled."""

    def __init__(self, value: Callable[[int], float]):
        self.value = value
        self.step = 0

    def __next__(self) -> float:
        self.step += 1
        return self.value(self.step - 1)


def make_linear(start: float, stop: float, steps: int) -> Schedule:
    """spacy_rnn.linear.v1: from `start` to `stop` in so many steps, then `stop`."""
    at_least(1, steps=steps)
    return Schedule(partial(_linear, start, stop, steps))


def _linear(start: float, stop: float, steps: int, step: int) -> float:
    return start + (stop - start) * min(1.0, step / steps)


def make_inverse_sigmoid(steps: float) -> Schedule:
    """spacy_rnn.inverse_sigmoid.v1: from 1 to 0 as k / (k + exp(i / k)) at step i.

    steps: k; at step k ln k half the way is gone.
    """
    above_zero(steps=steps)
    return Schedule(partial(_inverse_sigmoid, steps))


def _inverse_sigmoid(k: float, step: int) -> float:
    # exp(i / k) would overflow.
    return 1.0 / (1.0 + math.exp(min(step / k, 700.0)) / k)
