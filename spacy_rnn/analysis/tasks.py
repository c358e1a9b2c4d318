"""Synthetic tasks that require memory over any number of steps."""

from typing import Callable, Literal, NamedTuple, Optional

import torch
from torch import Generator, Tensor, nn

TaskName = Literal["adding", "recall", "copy", "letters"]

#: the number of symbols to remember; distractors have as many
SYMBOLS = 8
#: the number of symbols to copy
COPIED = 10
LETTERS = 26


class TaskBatch(NamedTuple):
    """Sequences of the same length.

    x (Tensor): The inputs (B, T, input_size), on the CPU.
    y (Tensor): The targets at the last steps (B, last): float for numbers, int64 for symbols.
    """

    x: Tensor
    y: Tensor


class Task(NamedTuple):
    """A task that is learned from newly sampled sequences at each step.

    sample (Callable[[int, int, Generator], TaskBatch]): Samples a batch, given the number of
        sequences, the number of steps to remember and a random generator.
    input_size (int): The size of the input at each step.
    output_size (int): The size of the output at each step.
    last (Optional[int]): The number of steps at the end that have a target; None for as many as
        there are to remember.
    symbols (bool): True if targets are symbols, scored by accuracy; False if they are numbers,
        scored by squared error.
    chance (float): The score of a network without memory (chance level).
    """

    sample: Callable[[int, int, Generator], TaskBatch]
    input_size: int
    output_size: int
    last: Optional[int]
    symbols: bool
    chance: float

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Compute the mean cross-entropy, or the mean squared error:
        (B, last, output_size), (B, last) -> ()."""
        if self.symbols:
            return nn.functional.cross_entropy(outputs.flatten(0, 1), y.flatten())
        return nn.functional.mse_loss(outputs.squeeze(2), y)

    def score(self, outputs: Tensor, y: Tensor) -> float:
        """Compute the accuracy of symbols, or the mean squared error of numbers."""
        if self.symbols:
            return float((outputs.argmax(dim=2) == y).float().mean())
        return float(nn.functional.mse_loss(outputs.squeeze(2), y))

    def is_solved(self, score: float) -> bool:
        """Return True if a score counts as a solution of the task."""
        return score > 0.99 if self.symbols else score < 0.01


def sample_adding(n: int, length: int, generator: Generator) -> TaskBatch:
    """Sample numbers in [0, 1], two of which are marked, one in each half. The target is the sum of
    the marked ones."""
    values = torch.rand(n, length, generator=generator)
    half = length // 2
    first = torch.randint(0, half, (n, 1), generator=generator)
    second = torch.randint(half, length, (n, 1), generator=generator)
    marks = torch.zeros(n, length).scatter_(1, torch.cat([first, second], dim=1), 1.0)
    return TaskBatch(torch.stack([values, marks], dim=2), (values * marks).sum(dim=1, keepdim=True))


def sample_recall(n: int, length: int, generator: Generator) -> TaskBatch:
    """Sample a symbol followed by distractors. The target is the first symbol."""
    first = torch.randint(0, SYMBOLS, (n, 1), generator=generator)
    others = torch.randint(SYMBOLS, 2 * SYMBOLS, (n, length - 1), generator=generator)
    return TaskBatch(_one_hot(torch.cat([first, others], dim=1), 2 * SYMBOLS), first)


def sample_copy(n: int, length: int, generator: Generator) -> TaskBatch:
    """Sample ten symbols, blanks, and a delimiter. The targets after it are the ten symbols."""
    symbols = torch.randint(0, SYMBOLS, (n, COPIED), generator=generator)
    blank, delimiter = SYMBOLS, SYMBOLS + 1
    blanks = torch.full((n, length - 1), blank)
    end = torch.full((n, COPIED), blank)
    sequence = torch.cat([symbols, blanks, torch.full((n, 1), delimiter), end], dim=1)
    return TaskBatch(_one_hot(sequence, SYMBOLS + 2), symbols)


def sample_letters(n: int, length: int, generator: Generator) -> TaskBatch:
    """Sample a word of random letters, repeated. The targets are the next letters."""
    word = torch.randint(0, LETTERS, (n, length), generator=generator)
    # The last letter of the second repetition is followed by the first letter of the third.
    return TaskBatch(_one_hot(torch.cat([word, word], dim=1), LETTERS), word.roll(-1, dims=1))


def _one_hot(symbols: Tensor, n: int) -> Tensor:
    return nn.functional.one_hot(symbols, n).float()


#: The adding problem (Hochreiter and Schmidhuber 1997, section 5.4; chance is the variance of the
#: sum), recall of the first symbol, copy memory (Arjovsky et al. 2016, section 5.1), next letter
TASKS: dict[TaskName, Task] = {
    "adding": Task(sample_adding, 2, 1, 1, False, 1 / 6),
    "recall": Task(sample_recall, 2 * SYMBOLS, SYMBOLS, 1, True, 1 / SYMBOLS),
    "copy": Task(sample_copy, SYMBOLS + 2, SYMBOLS, COPIED, True, 1 / SYMBOLS),
    "letters": Task(sample_letters, LETTERS, LETTERS, None, True, 1 / LETTERS),
}
