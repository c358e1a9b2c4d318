"""Experiments that compare recurrent networks on tasks that require memory."""

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
from ..nn.options import REVERSED, Direction
from ..validation import at_least, number_at_least
from .tasks import TASKS, Task, TaskName

#: steps over which the score is averaged: of a solved task, and at the end of an unsolved one
WINDOW, END = 20, 50


@dataclass(frozen=True)
class Variant:
    """A network to compare.

    cell (str): The cell of the encoder.
    direction (str): The direction of the encoder.
    depth (int): The number of layers.
    chrono (bool): Initialize the gates for memories of 1 up to as many steps as the task has (see
        `spacy_rnn.nn.init.init_recurrent`).
    clip (float): The maximum norm of the gradient; 0 for no clipping.
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
class TrainingSettings:
    """Settings of training that all networks share.

    hidden_size (int): The size of the hidden state.
    batch_size (int): The number of sequences in each step.
    steps (int): The maximum number of steps; training stops when the task is solved.
    learn_rate (float): The learning rate of Adam.
    """

    hidden_size: int = 64
    batch_size: int = 64
    steps: int = 1500
    learn_rate: float = 2e-3

    def __post_init__(self) -> None:
        at_least(1, hidden_size=self.hidden_size, batch_size=self.batch_size, steps=self.steps)


class Run(NamedTuple):
    """The result of training a network once.

    variant (Variant): The network.
    length (int): The number of steps to remember.
    seed (int): The random seed.
    solved_at (Optional[int]): The step at which the mean score of 20 steps solved the task; None if
        it was not solved.
    score (float): That mean if solved, else the mean of the last 50 steps: a squared error or an
        accuracy; NaN if a gradient was not finite.
    """

    variant: Variant
    length: int
    seed: int
    solved_at: Optional[int]
    score: float


class Learner(nn.Module):
    """An encoder with a linear output layer at the last steps.

    task (Task): The task, which determines the sizes of input and output.
    variant (Variant): The network.
    length (int): The number of steps to remember.
    hidden_size (int): The size of the hidden state.
    """

    def __init__(self, task: Task, variant: Variant, length: int, hidden_size: int):
        super().__init__()
        self.encoder = RNNEncoder(
            cell=variant.cell,
            direction=variant.direction,
            hidden_size=hidden_size,
            depth=variant.depth,
            chrono_length=length if variant.chrono else 0,
        ).module(task.input_size)
        self.output = Linear(self.encoder.output_size, task.output_size)

    def forward(self, x: Tensor, last: int) -> Tensor:
        """Compute the outputs at the last steps: (B, T, input_size) -> (B, last, output_size)."""
        n, length, _ = x.shape
        states = self.encoder(x.flatten(0, 1), torch.full((n,), length))
        return self.output(states.view(n, length, -1)[:, length - last :])


def make_variants(
    cells: Sequence[str],
    directions: Sequence[Direction] = ("forward",),
    depths: Sequence[int] = (1,),
    chrono: Sequence[bool] = (False,),
    clips: Sequence[float] = (1.0,),
) -> list[Variant]:
    """Combine all settings. Chrono initialization applies to cells with gates only.

    cells (Sequence[str]), directions (Sequence[str]), depths (Sequence[int]), chrono
        (Sequence[bool]), clips (Sequence[float]): The values of each field of `Variant`.
    RETURNS (List[Variant]): All combinations.
    """
    combined = (Variant(*parts) for parts in product(cells, directions, depths, chrono, clips))
    return [each for each in combined if not each.chrono or CELLS[each.cell].keep_gate]


def train_all(
    task: TaskName,
    variants: Sequence[Variant],
    lengths: Sequence[int],
    seeds: Sequence[int],
    settings: TrainingSettings,
    device: torch.device,
) -> Iterator[Run]:
    """Train every variant with every length and seed.

    task (str): The name of the task.
    variants (Sequence[Variant]): The networks.
    lengths (Sequence[int]): The numbers of steps to remember.
    seeds (Sequence[int]): The random seeds.
    settings (TrainingSettings): The settings of training.
    device (torch.device): The device to train on.
    YIELDS (Run): The result of each training.
    """
    for length, variant, seed in product(lengths, variants, seeds):
        yield train(task, variant, length, seed, settings, device)


def train(
    name: TaskName,
    variant: Variant,
    length: int,
    seed: int,
    settings: TrainingSettings,
    device: torch.device,
) -> Run:
    """Train a network on a task. Training stops at a gradient that is not finite.

    name (str): The name of the task.
    variant (Variant): The network.
    length (int): The number of steps to remember, at least 2.
    seed (int): The random seed of the weights and the sequences.
    settings (TrainingSettings): The settings of training.
    device (torch.device): The device to train on.
    RETURNS (Run): The result.
    """
    if length < 2:
        raise ValueError(f"The number of steps to remember must be at least 2, got {length}.")
    task = TASKS[name]
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        learner = Learner(task, variant, length, settings.hidden_size).to(device)
    optimizer = torch.optim.Adam(learner.parameters(), lr=settings.learn_rate)
    learner.train()
    scores: deque[float] = deque(maxlen=END)
    for step in range(1, settings.steps + 1):
        batch = task.sample(settings.batch_size, length, generator)
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


class RunSummary(NamedTuple):
    """The runs of a variant with the same length.

    variant (Variant): The network.
    length (int): The number of steps to remember.
    seeds (int): The number of runs.
    solved (int): The number of runs that solved the task.
    step (Optional[float]): The median step at which they solved it; None if none did.
    score (float): The mean score.
    low (float), high (float): The lowest and the highest score.
    """

    variant: Variant
    length: int
    seeds: int
    solved: int
    step: Optional[float]
    score: float
    low: float
    high: float


def summarize_runs(runs: Sequence[Run]) -> dict[Variant, list[RunSummary]]:
    """Summarize the runs of each variant and length over seeds.

    runs (Sequence[Run]): The runs, in any order.
    RETURNS (Dict[Variant, List[RunSummary]]): For each variant the summaries by increasing length.
    """
    groups: dict[tuple[Variant, int], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.variant, run.length), []).append(run)
    found: dict[Variant, list[RunSummary]] = {}
    for (variant, length), group in sorted(groups.items(), key=lambda item: item[0][1]):
        steps = [run.solved_at for run in group if run.solved_at is not None]
        scores = [run.score for run in group]
        step = float(np.median(steps)) if steps else None
        bounds = float(np.mean(scores)), min(scores), max(scores)
        summary = RunSummary(variant, length, len(group), len(steps), step, *bounds)
        found.setdefault(variant, []).append(summary)
    return found


def first_unsolved_length(summaries: Sequence[RunSummary]) -> Optional[int]:
    """Return the first length that at most half of the seeds solved, None if there is none."""
    return next((each.length for each in summaries if 2 * each.solved <= each.seeds), None)


def plot_memory(path: Path, task: TaskName, found: Mapping[Variant, Sequence[RunSummary]]) -> None:
    """Plot mean scores against the number of steps to remember, with the spread over seeds.

    path (Path): The picture to write; its suffix determines the format.
    task (str): The name of the task.
    found (Mapping[Variant, Sequence[RunSummary]]): The result of `summarize_runs`.
    RAISES (ImportError): If matplotlib is not installed.
    """
    lengths = [summary.length for summary in next(iter(found.values()))]
    means = {str(v): np.array([each.score for each in group]) for v, group in found.items()}
    spreads = {
        str(v): np.array([[each.low for each in group], [each.high for each in group]])
        for v, group in found.items()
    }
    metric = "share of right symbols" if TASKS[task].symbols else "mean squared error"
    chance = np.full(len(lengths), TASKS[task].chance)
    curves = {**means, "chance": chance}
    panel = Panel(metric, curves, spreads=spreads, dashed=["chance"])
    save_curves(path, lengths, [panel], title=f"Memory: {task}", x="steps to remember")
