"""The length of a training by the size of its corpus."""

import math
from typing import Any, Dict, NamedTuple

from .recipes import Training

#: no training is shorter, as a network needs some hundred steps to learn anything
MIN_STEPS = 500
#: a small corpus has at least this number of batches, but none smaller than that size
BATCHES, MIN_BATCH = 100, 200
#: the share of steps in which the learning rate rises
WARMUP = 0.05


class CorpusSize(NamedTuple):
    """The size of a training corpus.

    docs (int): The number of texts, or of pairs of texts.
    words (int): The number of their words, those of translations included.
    """

    docs: int
    words: int


class Schedule(NamedTuple):
    """The numbers of steps of a training, and the size of its batches.

    max_steps (int): The number of steps, a multiple of `eval_frequency`, so that the last one is
        evaluated.
    eval_frequency (int): The number of steps between evaluations.
    patience (int): The number of steps without a better score after which training stops: half of
        all evaluations.
    warmup_steps (int): The number of steps in which the learning rate rises.
    batch_size (int): The size of the batcher.
    """

    max_steps: int
    eval_frequency: int
    patience: int
    warmup_steps: int
    batch_size: int

    def settings(self, learn_rate: float) -> Dict[str, Any]:
        """Get the settings of a config.

        learn_rate (float): The highest learning rate.
        RETURNS (Dict[str, Any]): The settings by dotted name.
        """
        return {
            "training.max_steps": self.max_steps,
            "training.eval_frequency": self.eval_frequency,
            "training.patience": self.patience,
            "training.batcher.size": self.batch_size,
            # Not a variable for total_steps, because spaCy also reads this block on its own.
            "training.optimizer.learn_rate": {
                "@schedules": "warmup_linear.v1",
                "warmup_steps": self.warmup_steps,
                "total_steps": self.max_steps,
                "initial_rate": learn_rate,
            },
        }


def schedule_for(training: Training, words: int) -> Schedule:
    """Choose the length of a training.

    The number of steps grows with the square root of the corpus: a corpus four times as large is
    trained on for twice as many steps, and so for half as many epochs.

    training (Training): The settings for a corpus of its own size.
    words (int): The number of words of the corpus.
    RETURNS (Schedule): The settings for the corpus.
    """
    steps = max(MIN_STEPS, training.max_steps * math.sqrt(words / training.words))
    # A round number of steps between evaluations is easier to read.
    eval_frequency = 10 * math.ceil(steps / training.evaluations / 10)
    max_steps = eval_frequency * training.evaluations
    patience = eval_frequency * math.ceil(training.evaluations / 2)
    small = max(MIN_BATCH, 100 * math.ceil(words / BATCHES / 100))
    size = min(training.size, small)
    return Schedule(max_steps, eval_frequency, patience, math.ceil(WARMUP * max_steps), size)
