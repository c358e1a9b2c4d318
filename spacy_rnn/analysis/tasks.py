"""Synthetic tasks that cannot be done without remembering, with any number of steps between."""

from typing import Callable, Literal, NamedTuple, Optional

import torch
from torch import Generator, Tensor, nn

Name = Literal["adding", "recall", "copy", "letters"]

#: symbols to remember, and as many that say nothing
SYMBOLS = 8
#: symbols to copy
COPIED = 10
LETTERS = 26


class Batch(NamedTuple):
    """Sequences of one length.

    x: (B, T, input_size), on the CPU.
    y: what is to be told at each of the last steps: float (B, last) for numbers, int64 for symbols.
    """

    x: Tensor
    y: Tensor


class Task(NamedTuple):
    """A task that is learned from fresh sequences at each step.

    draw: of how many sequences, how many steps to remember and a generator makes a batch.
    input_size: width of a step's vector.
    outputs: numbers that are told at a step.
    last: at how many steps, the last ones, something is told; None for as many as there are to
        remember.
    symbols: whether it is symbols that are told, which are counted, or numbers, whose squared error
        is taken.
    chance: the score of who remembers nothing.
    """

    draw: Callable[[int, int, Generator], Batch]
    input_size: int
    outputs: int
    last: Optional[int]
    symbols: bool
    chance: float

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Mean cross-entropy, or mean squared error: (B, last, outputs), (B, last) -> ()."""
        if self.symbols:
            return nn.functional.cross_entropy(outputs.flatten(0, 1), y.flatten())
        return nn.functional.mse_loss(outputs.squeeze(2), y)

    def score(self, outputs: Tensor, y: Tensor) -> float:
        """The share of right symbols, or the mean squared error."""
        if self.symbols:
            return float((outputs.argmax(dim=2) == y).float().mean())
        return float(nn.functional.mse_loss(outputs.squeeze(2), y))

    def is_solved(self, score: float) -> bool:
        return score > 0.99 if self.symbols else score < 0.01


def draw_adding(n: int, length: int, generator: Generator) -> Batch:
    """Numbers in [0, 1], two of which are marked, one in each half: what is their sum?"""
    values = torch.rand(n, length, generator=generator)
    half = length // 2
    first = torch.randint(0, half, (n, 1), generator=generator)
    second = torch.randint(half, length, (n, 1), generator=generator)
    marks = torch.zeros(n, length).scatter_(1, torch.cat([first, second], dim=1), 1.0)
    return Batch(torch.stack([values, marks], dim=2), (values * marks).sum(dim=1, keepdim=True))


def draw_recall(n: int, length: int, generator: Generator) -> Batch:
    """A symbol, and others after it that say nothing: which was the first?"""
    first = torch.randint(0, SYMBOLS, (n, 1), generator=generator)
    others = torch.randint(SYMBOLS, 2 * SYMBOLS, (n, length - 1), generator=generator)
    return Batch(_one_hot(torch.cat([first, others], dim=1), 2 * SYMBOLS), first)


def draw_copy(n: int, length: int, generator: Generator) -> Batch:
    """Ten symbols, blanks, and a sign that calls for the ten, which are told after it."""
    symbols = torch.randint(0, SYMBOLS, (n, COPIED), generator=generator)
    blank, call = SYMBOLS, SYMBOLS + 1
    blanks = torch.full((n, length - 1), blank)
    end = torch.full((n, COPIED), blank)
    sequence = torch.cat([symbols, blanks, torch.full((n, 1), call), end], dim=1)
    return Batch(_one_hot(sequence, SYMBOLS + 2), symbols)


def draw_letters(n: int, length: int, generator: Generator) -> Batch:
    """A word of random letters, again and again: which letter comes next?"""
    word = torch.randint(0, LETTERS, (n, length), generator=generator)
    # The first letter of the third time follows the last of the second.
    return Batch(_one_hot(torch.cat([word, word], dim=1), LETTERS), word.roll(-1, dims=1))


def _one_hot(symbols: Tensor, n: int) -> Tensor:
    return nn.functional.one_hot(symbols, n).float()


#: The adding problem (Hochreiter and Schmidhuber 1997, section 5.4; chance is the variance of the
#: sum), recall of the first symbol, copy memory (Arjovsky et al. 2016, section 5.1), next letter
TASKS: dict[Name, Task] = {
    "adding": Task(draw_adding, 2, 1, 1, False, 1 / 6),
    "recall": Task(draw_recall, 2 * SYMBOLS, SYMBOLS, 1, True, 1 / SYMBOLS),
    "copy": Task(draw_copy, SYMBOLS + 2, SYMBOLS, COPIED, True, 1 / SYMBOLS),
    "letters": Task(draw_letters, LETTERS, LETTERS, None, True, 1 / LETTERS),
}
