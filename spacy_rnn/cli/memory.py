"""python -m spacy rnn memory: how far back cells remember."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

from tqdm import tqdm
from typer import Option
from wasabi import msg, table

from .io import check_ending, fail

if TYPE_CHECKING:
    from ..analysis.memory import Run, Summary, Variant
    from ..analysis.tasks import Name

ENDINGS = (".json", ".png", ".svg")
INITS = {"default": False, "chrono": True}


def memory_cli(
    task: Annotated[
        str,
        Option(
            "--task",
            "-t",
            help="adding: the sum of two marked numbers; recall: the first symbol; copy: ten "
            "symbols; letters: the next letter of a repeated word",
        ),
    ] = "adding",
    lengths: Annotated[
        str, Option("--lengths", "-l", help="Steps to remember, separated by commas")
    ] = "10,20,50",
    cells: Annotated[
        str, Option("--cells", help="Any of rnn_tanh, rnn_relu, gru, lstm and none")
    ] = "rnn_tanh,gru,lstm",
    directions: Annotated[
        str, Option("--directions", help="Any of forward, backward and both")
    ] = "forward",
    depths: Annotated[str, Option("--depths", help="Numbers of layers")] = "1",
    init: Annotated[
        str, Option("--init", help="Initialization of gates: default, chrono or both of them")
    ] = "default,chrono",
    clip: Annotated[
        str, Option("--clip", help="Largest norms of the gradient; 0 for no clipping")
    ] = "1.0",
    seeds: Annotated[
        int, Option("--seeds", "-s", help="Trainings of each, whose seeds differ")
    ] = 1,
    steps: Annotated[int, Option("--steps", help="The most steps of a training")] = 1500,
    hidden_size: Annotated[int, Option("--hidden-size", help="Width of a state")] = 64,
    batch_size: Annotated[int, Option("--batch-size", help="Sequences in a step")] = 64,
    learn_rate: Annotated[float, Option("--learn-rate", help="Of Adam")] = 2e-3,
    output: Annotated[
        Optional[Path],
        Option("--output", "-o", help="Write the runs as .json, or a plot of them as .png or .svg"),
    ] = None,
    gpu_id: Annotated[int, Option("--gpu-id", "-g", help="GPU ID or -1 for CPU")] = -1,
) -> None:
    """Train networks on a task that needs memory, and show at which length each stops learning it.
    """
    import torch

    from ..analysis.memory import Settings, measure, summarize, variants
    from ..analysis.tasks import TASKS

    if task not in TASKS:
        fail(f"There is no task '{task}', only {', '.join(TASKS)}.")
    check_ending(output, ENDINGS)
    try:
        compared = variants(
            _split(cells, str),
            _split(directions, str),
            _split(depths, int),
            [INITS[name] for name in _split(init, str)],
            _split(clip, float),
        )
        wanted = sorted(set(_split(lengths, int)))
        settings = Settings(hidden_size, batch_size, steps, learn_rate)
        device = torch.device("cpu" if gpu_id < 0 else f"cuda:{gpu_id}")
        trainings = measure(task, compared, wanted, range(seeds), settings, device)
        total = len(wanted) * len(compared) * seeds
        runs = list(tqdm(trainings, total=total, unit="run", leave=False))
        found = summarize(runs)
        print(_table(found, wanted))
        if output is not None:
            _write(output, task, runs, found)
            msg.good(f"Wrote {output}")
    except KeyError as error:
        fail(f"There is no initialization {error}, only {', '.join(INITS)}.")
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        fail(str(error))


def _split(text: str, convert: Callable[[str], Any]) -> list[Any]:
    return [convert(part.strip()) for part in text.split(",")]


def _table(found: Mapping["Variant", Sequence["Summary"]], lengths: Sequence[int]) -> str:
    """A row for each variant: the step that solved the task, or the score where most seeds did
    not; and from which length on."""
    from ..analysis.memory import stops_at

    rows = []
    for variant, summaries in found.items():
        stop = stops_at(summaries)
        rows.append([str(variant), *map(_cell, summaries), "" if stop is None else str(stop)])
    header = ["", *map(str, lengths), "stops at"]
    aligns: Any = ("l", *("r" for _ in header[1:]))
    return table(rows, header=header, divider=True, aligns=aligns, max_col=60)


def _cell(summary: "Summary") -> str:
    of_seeds = f" ({summary.solved}/{summary.seeds})" if summary.seeds > 1 else ""
    if 2 * summary.solved > summary.seeds:
        return f"{summary.step:.0f}{of_seeds}"
    spread = f" ± {(summary.high - summary.low) / 2:.3f}" if summary.seeds > 1 else ""
    return f"✗ {summary.score:.3f}{spread}{of_seeds}"


def _write(
    path: Path, task: "Name", runs: Sequence["Run"], found: Mapping["Variant", Sequence["Summary"]]
) -> None:
    from ..analysis.memory import plot

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".json":
        data = [run._asdict() | {"variant": asdict(run.variant)} for run in runs]
        path.write_text(json.dumps({"task": task, "runs": data}, indent=2), encoding="utf8")
    else:
        plot(path, task, found)
