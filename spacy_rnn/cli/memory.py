"""python -m spacy rnn memory: experiments on tasks that require memory."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, List, Optional

from tqdm import tqdm
from typer import Option
from wasabi import table

from .io import (
    PLOT_ENDINGS,
    PLOT_OUTPUT,
    batch_size_option,
    check_ending,
    fail,
    gpu_option,
    output_option,
    write,
)

if TYPE_CHECKING:
    from ..analysis.memory import RunSummary, Variant

#: the values of `--init`: whether to use chrono initialization
INITS = {"default": False, "chrono": True}
#: defaults of options that can be repeated
LENGTHS = [10, 20, 50]
CELLS = ["rnn_tanh", "gru", "lstm"]
DIRECTIONS = ["forward"]
DEPTHS = [1]
BOTH_INITS = list(INITS)
CLIPS = [1.0]


def memory_cli(
    task: Annotated[
        str,
        Option(
            "--task",
            "-t",
            help="adding (sum of two marked numbers), recall (first symbol), copy (ten symbols) or "
            "letters (next letter of a repeated word)",
        ),
    ] = "adding",
    lengths: Annotated[
        List[int], Option("--length", help="Number of steps to remember; can be repeated")
    ] = LENGTHS,
    cells: Annotated[
        List[str],
        Option("--cell", help="rnn_tanh, rnn_relu, gru, lstm or none; can be repeated"),
    ] = CELLS,
    directions: Annotated[
        List[str],
        Option("--direction", help="forward, backward or both; can be repeated"),
    ] = DIRECTIONS,
    depths: Annotated[
        List[int], Option("--depth", help="Number of layers; can be repeated")
    ] = DEPTHS,
    inits: Annotated[
        List[str],
        Option("--init", help="Initialization of gates, default or chrono; can be repeated"),
    ] = BOTH_INITS,
    clips: Annotated[
        List[float],
        Option("--clip", help="Maximum norm of the gradient, 0 for no clipping; can be repeated"),
    ] = CLIPS,
    seeds: Annotated[int, Option("--seeds", help="Number of random seeds per setting")] = 1,
    steps: Annotated[int, Option("--steps", help="Maximum number of training steps")] = 1500,
    hidden_size: Annotated[int, Option("--hidden-size", help="Size of the hidden state")] = 64,
    batch_size: Annotated[int, batch_size_option("Sequences in each step")] = 64,
    learn_rate: Annotated[float, Option("--learn-rate", help="Learning rate of Adam")] = 2e-3,
    output: Annotated[Optional[Path], output_option(PLOT_OUTPUT)] = None,
    gpu_id: Annotated[int, gpu_option()] = -1,
) -> None:
    """Train networks on a task that requires memory.

    Prints, for each network and number of steps to remember, the step that solved the task or the
    score, and the length at which the network stops learning the task.
    """
    import torch

    from ..analysis.memory import (
        TrainingSettings,
        make_variants,
        plot_memory,
        summarize_runs,
        train_all,
    )
    from ..analysis.tasks import TASKS

    _check_choices("task", [task], TASKS)
    _check_choices("init", inits, INITS)
    check_ending(output, PLOT_ENDINGS)
    chrono = [INITS[name] for name in inits]
    options: Any = (cells, directions, depths, chrono, clips)
    variants = make_variants(*options)
    lengths = sorted(set(lengths))
    settings = TrainingSettings(hidden_size, batch_size, steps, learn_rate)
    if gpu_id >= torch.cuda.device_count():
        fail(f"torch finds no GPU {gpu_id}. Leave out --gpu-id to use the CPU.")
    device = torch.device("cpu" if gpu_id < 0 else f"cuda:{gpu_id}")
    name: Any = task
    trainings = train_all(name, variants, lengths, range(seeds), settings, device)
    total = len(lengths) * len(variants) * seeds
    runs = list(tqdm(trainings, total=total, unit="run", leave=False))
    found = summarize_runs(runs)
    print(_table(found, lengths))
    if output is not None:
        data = [run._asdict() | {"variant": asdict(run.variant)} for run in runs]
        write(
            output,
            {"task": task, "runs": data},
            lambda path: plot_memory(path, name, found),
        )


def _check_choices(option: str, values: Sequence[str], choices: Iterable[str]) -> None:
    for value in values:
        if value not in choices:
            fail(f"--{option} must be one of {', '.join(choices)}, got '{value}'.")


def _table(found: Mapping["Variant", Sequence["RunSummary"]], lengths: Sequence[int]) -> str:
    """Make a row for each variant: for each length the step that solved the task, or the score if
    most seeds did not; and the first length that was not solved."""
    from ..analysis.memory import first_unsolved_length

    rows = []
    for variant, summaries in found.items():
        length = first_unsolved_length(summaries)
        rows.append([str(variant), *map(_cell, summaries), "" if length is None else str(length)])
    header = ["", *map(str, lengths), "fails from"]
    aligns: Any = ("l", *("r" for _ in header[1:]))
    return table(rows, header=header, divider=True, aligns=aligns, max_col=60)


def _cell(summary: "RunSummary") -> str:
    of_seeds = f" ({summary.solved}/{summary.seeds})" if summary.seeds > 1 else ""
    if 2 * summary.solved > summary.seeds:
        return f"{summary.step:.0f}{of_seeds}"
    spread = f" ± {(summary.high - summary.low) / 2:.3f}" if summary.seeds > 1 else ""
    return f"✗ {summary.score:.3f}{spread}{of_seeds}"
