"""How far back recurrent networks remember: cells compared on tasks that need it."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np
import torch
from torch import Tensor, nn

from ..config.encoder import RNNEncoder
from ..display.curves import Panel, save_curves
from ..nn.cells import CELLS, check_cell
from ..nn.linear import Linear
from ..nn.rnn import REVERSED, Direction
from ..validation import at_least, number_at_least
from .tasks import TASKS, Name, Task

#: steps over which a score is averaged to say that a task is solved, and that it is not
WINDOW, END = 20, 50


@dataclass(frozen=True)
class Variant:
    """A network to compare.

    chrono: start with memories of 1 to as many steps as the task has (see
        `spacy_rnn.nn.init.init_recurrent`).
    clip: the largest norm of the gradient; 0 for no clipping.
    """

    cell: str
    direction: Direction = "forward"
    depth: int = 1
    chrono: bool = False
    clip: float = 1.0

    def __post_init__(self) -> None:
        check_cell(self.cell)
        if self.direction not in REVERSED:
            raise ValueError(
                f"'direction' must be one of {', '.join(REVERSED)}, got {self.direction!r}."
            )
        at_least(1, depth=self.depth)
        number_at_least(0, clip=self.clip)

    def __str__(self) -> str:
        others = [
            "" if self.direction == "forward" else self.direction,
            "" if self.depth == 1 else f"depth {self.depth}",
            "chrono" if self.chrono else "",
            "" if self.clip else "no clipping",
        ]
        return ", ".join([self.cell, *filter(None, others)])


@dataclass(frozen=True)
class Settings:
    """How networks are trained.

    steps: at most so many; a training ends where the task is solved.
    """

    hidden_size: int = 64
    batch_size: int = 64
    steps: int = 1500
    learn_rate: float = 2e-3

    def __post_init__(self) -> None:
        at_least(1, hidden_size=self.hidden_size, batch_size=self.batch_size, steps=self.steps)


class Run(NamedTuple):
    """One training.

    length: steps to remember.
    solved_at: the step at which the mean score of 20 steps solved the task; None for never.
    score: that mean, else the one of the last 50 steps: a squared error or the share of right
        symbols; not a number where a gradient was not finite.
    """

    variant: Variant
    length: int
    seed: int
    solved_at: Optional[int]
    score: float


class Learner(nn.Module):
    """An encoder and a linear layer that tells something at the last steps."""

    def __init__(self, task: Task, variant: Variant, length: int, hidden_size: int):
        super().__init__()
        self.encoder = RNNEncoder(
            cell=variant.cell,
            direction=variant.direction,
            hidden_size=hidden_size,
            depth=variant.depth,
            chrono_length=length if variant.chrono else 0,
        ).module(task.input_size)
        self.output = Linear(self.encoder.output_size, task.outputs)

    def forward(self, x: Tensor, last: int) -> Tensor:
        """(B, T, input_size) -> (B, last, outputs)."""
        n, length, _ = x.shape
        states = self.encoder(x.flatten(0, 1), torch.full((n,), length))
        return self.output(states.view(n, length, -1)[:, length - last :])


def variants(
    cells: Sequence[str],
    directions: Sequence[Direction] = ("forward",),
    depths: Sequence[int] = (1,),
    chrono: Sequence[bool] = (False,),
    clips: Sequence[float] = (1.0,),
) -> list[Variant]:
    """Every combination; a plain cell has no gates that chrono initialization would set."""
    combined = (Variant(*parts) for parts in product(cells, directions, depths, chrono, clips))
    return [each for each in combined if not each.chrono or CELLS[each.cell].keep_gate]


def measure(
    task: Name,
    compared: Sequence[Variant],
    lengths: Sequence[int],
    seeds: Sequence[int],
    settings: Settings,
    device: torch.device,
) -> Iterator[Run]:
    """Train every variant at every length with every seed."""
    for length, variant, seed in product(lengths, compared, seeds):
        yield train(task, variant, length, seed, settings, device)


def train(
    name: Name,
    variant: Variant,
    length: int,
    seed: int,
    settings: Settings,
    device: torch.device,
) -> Run:
    """One training, which a gradient that is not finite ends."""
    if length < 2:
        raise ValueError(f"There is nothing to remember in {length} step: take 2 or more.")
    task = TASKS[name]
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        learner = Learner(task, variant, length, settings.hidden_size).to(device)
    optimizer = torch.optim.Adam(learner.parameters(), lr=settings.learn_rate)
    learner.train()
    scores: deque[float] = deque(maxlen=END)
    for step in range(1, settings.steps + 1):
        batch = task.draw(settings.batch_size, length, generator)
        y = batch.y.to(device)
        outputs = learner(batch.x.to(device), task.last or length)
        optimizer.zero_grad()
        task.loss(outputs, y).backward()
        limit = variant.clip or float("inf")
        norm = nn.utils.clip_grad_norm_(learner.parameters(), limit)
        scores.append(task.score(outputs.detach(), y))
        if not norm.isfinite():
            return Run(variant, length, seed, None, float("nan"))
        optimizer.step()
        recent = float(np.mean(list(scores)[-WINDOW:]))
        if step >= WINDOW and task.is_solved(recent):
            return Run(variant, length, seed, step, recent)
    return Run(variant, length, seed, None, float(np.mean(scores)))


class Summary(NamedTuple):
    """The runs of a variant at a length.

    solved: how many of the seeds solved the task. step: the median of those at which they did.
    score: the mean. low, high: the seeds' lowest and highest.
    """

    variant: Variant
    length: int
    seeds: int
    solved: int
    step: Optional[float]
    score: float
    low: float
    high: float


def summarize(runs: Sequence[Run]) -> dict[Variant, list[Summary]]:
    """What the seeds of each variant and length have in common, lengths rising."""
    groups: dict[tuple[Variant, int], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.variant, run.length), []).append(run)
    found: dict[Variant, list[Summary]] = {}
    for (variant, length), group in sorted(groups.items(), key=lambda item: item[0][1]):
        steps = [run.solved_at for run in group if run.solved_at is not None]
        scores = [run.score for run in group]
        step = float(np.median(steps)) if steps else None
        bounds = float(np.mean(scores)), min(scores), max(scores)
        summary = Summary(variant, length, len(group), len(steps), step, *bounds)
        found.setdefault(variant, []).append(summary)
    return found


def stops_at(summaries: Sequence[Summary]) -> Optional[int]:
    """The first length that no more than half of the seeds solved; None if there is none."""
    return next((each.length for each in summaries if 2 * each.solved <= each.seeds), None)


def plot(path: Path, task: Name, found: Mapping[Variant, Sequence[Summary]]) -> None:
    """Draw the mean scores against the steps to remember, with the spread over the seeds, as a
    picture of the kind that the suffix names.

    RAISES (ImportError): If matplotlib is not installed.
    """
    lengths = [summary.length for summary in next(iter(found.values()))]
    means = {str(v): np.array([each.score for each in group]) for v, group in found.items()}
    spreads = {
        str(v): np.array([[each.low for each in group], [each.high for each in group]])
        for v, group in found.items()
    }
    what = "share of right symbols" if TASKS[task].symbols else "mean squared error"
    chance = np.full(len(lengths), TASKS[task].chance)
    panel = Panel(f"{task}: {what}", {**means, "chance": chance}, spreads=spreads)
    save_curves(path, lengths, [panel], x="steps to remember")
