"""Schedules by training step, in addition to thinc's.

`linear`, `inverse_sigmoid` and, for an exponential schedule, thinc's compounding.v1 are the
schedules of teacher forcing in Bengio et al. 2015, section 2.4.
"""

import math
from functools import partial
from typing import Callable, Iterator

from ..validation import above_zero, at_least


class Schedule(Iterator[float]):
    """An iterator over the values of a function of the step. Unlike a generator it can be copied
    and pickled.

    value (Callable[[int], float]): The function. The first step is 0.
    """

    def __init__(self, value: Callable[[int], float]):
        self.value = value
        self.step = 0

    def __next__(self) -> float:
        self.step += 1
        return self.value(self.step - 1)


def make_linear(start: float, stop: float, steps: int) -> Schedule:
    """spacy_rnn.linear.v1: linear interpolation from `start` to `stop`, then constant.

    start (float): The first value.
    stop (float): The last value.
    steps (int): The number of steps from `start` to `stop`.
    RETURNS (Schedule): The schedule.
    """
    at_least(1, steps=steps)
    return Schedule(partial(_linear, start, stop, steps))


def _linear(start: float, stop: float, steps: int, step: int) -> float:
    return start + (stop - start) * min(1.0, step / steps)


def make_inverse_sigmoid(steps: float) -> Schedule:
    """spacy_rnn.inverse_sigmoid.v1: decay from 1 to 0, k / (k + exp(i / k)) at step i.

    steps (float): k. The value is 1/2 at step k ln k.
    RETURNS (Schedule): The schedule.
    """
    above_zero(steps=steps)
    return Schedule(partial(_inverse_sigmoid, steps))


def _inverse_sigmoid(k: float, step: int) -> float:
    # The minimum avoids an overflow of exp.
    return 1.0 / (1.0 + math.exp(min(step / k, 700.0)) / k)
