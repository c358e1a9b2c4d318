"""A logger for spaCy's training loop that writes the curves of a training."""

import contextlib
import csv
import json
import math
import os
import sys
from numbers import Real
from pathlib import Path
from statistics import fmean
from timeit import default_timer as timer
from typing import (
    IO,
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import numpy as np
from spacy.language import Language
from spacy.training.loggers import console_logger_v3
from spacy.util import registry

from ..display.curves import Panel, figure_class, save_curves
from ..pipeline.base import RNNPipe

Row = Dict[str, Any]
LogStep = Callable[[Optional[Dict[str, Any]]], None]


def make_curve_logger(
    path: Union[str, Path],
    plot: Optional[Union[str, Path]] = None,
    progress_bar: Optional[str] = None,
    console_output: bool = True,
) -> Callable[..., Tuple[LogStep, Callable[[], None]]]:
    """spacy_rnn.CurveLogger.v1: write a row of numbers at each evaluation, beside spaCy's console
    table, and draw them. A new training replaces the files of an old one.

    A row has: step, epoch, seconds and score; words_per_second since the last row, with the time of
    evaluations and of saving; learn_rate of the step; all other scores that are numbers, by their
    names; loss_NAME of each component, summed since the last row, as spaCy gives it. Of each
    component of this package: gradient_norm_NAME and gradient_norm_max_NAME, mean and maximum
    since the last row of the norm of the whole gradient before clipping, over the steps where it
    is finite; skipped_steps_NAME, so far. The plot shows mean losses of a step.

    path: a .csv or .jsonl file.
    plot: an .svg or .png file, drawn anew at each evaluation by matplotlib; None for none.
    progress_bar, console_output: as of spacy.ConsoleLogger.v3; without output where that one is
        chained by spacy.ChainLogger.v1.
    """
    path = _checked("path", path, (".csv", ".jsonl"))
    if plot is not None:
        plot = _checked("plot", plot, (".svg", ".png"))
        figure_class()
    # Even without output, spaCy's logger would want a loss of each component.
    console = console_logger_v3(progress_bar) if console_output else _no_console

    def setup_logger(
        nlp: Language, stdout: IO = sys.stdout, stderr: IO = sys.stderr
    ) -> Tuple[LogStep, Callable[[], None]]:
        log_console, finalize = console(nlp, stdout, stderr)
        curves = Curves(nlp)
        with _writing(path):
            rows = Rows(path)
        if plot is not None:
            with _writing(plot):
                plot.parent.mkdir(parents=True, exist_ok=True)
                plot.unlink(missing_ok=True)

        def log_step(info: Optional[Dict[str, Any]]) -> None:
            log_console(info)
            row = curves.log_step(info)
            if row is None:
                return
            with _writing(path):
                rows.append(row)
            if plot is not None:
                steps = [row["step"] for row in rows.rows]
                with _writing(plot), _replacing(plot) as drawn:
                    save_curves(drawn, steps, curves.panels(rows.rows))

        return log_step, finalize

    return setup_logger


def _no_console(nlp: Language, stdout: IO, stderr: IO) -> Tuple[LogStep, Callable[[], None]]:
    return lambda info: None, lambda: None


class Curves:
    """Gathers the numbers of a training from what the loop tells a logger, and from the pipeline.

    nlp: without frozen components.
    """

    def __init__(self, nlp: Language):
        config = nlp.config.interpolate()["training"]
        # The loop's own optimizer is out of reach: this one goes through the same schedules.
        self.optimizer = registry.resolve({"optimizer": config["optimizer"]})["optimizer"]
        weights = config["score_weights"]
        #: what the plot shows: the scores of spaCy's table
        self.scores = ["score", *(name for name, weight in weights.items() if weight is not None)]
        #: names of losses in the order in which they came
        self.losses: Dict[str, None] = {}
        self.shims = {name: pipe.shim for name, pipe in nlp.pipeline if isinstance(pipe, RNNPipe)}
        self.norms: Dict[str, List[float]] = {name: [] for name in self.shims}
        self.words = 0
        self.time = timer()

    def log_step(self, info: Optional[Dict[str, Any]]) -> Optional[Row]:
        """Take note of a step. Returns the row of an evaluation, at which there is an info."""
        for name, shim in self.shims.items():
            if shim.gradient_norm is not None and math.isfinite(shim.gradient_norm):
                self.norms[name].append(shim.gradient_norm)
        learn_rate = float(self.optimizer.learn_rate)
        self.optimizer.step_schedules()
        return None if info is None else self._row(info, learn_rate)

    def _row(self, info: Dict[str, Any], learn_rate: float) -> Row:
        now = timer()
        scores = {n: float(s) for n, s in info["other_scores"].items() if isinstance(s, Real)}
        losses = {f"loss_{name}": float(loss) for name, loss in info["losses"].items()}
        self.losses.update(dict.fromkeys(losses))
        row = {
            "step": info["step"],
            "epoch": info["epoch"],
            "seconds": info["seconds"],
            "words_per_second": (info["words"] - self.words) / (now - self.time),
            "learn_rate": learn_rate,
            "score": float(info["score"]),
            **scores,
            **losses,
        }
        for name, shim in self.shims.items():
            norms = self.norms[name]
            row[f"gradient_norm_{name}"] = fmean(norms) if norms else None
            row[f"gradient_norm_max_{name}"] = max(norms, default=None)
            row[f"skipped_steps_{name}"] = shim.skipped_steps
            norms.clear()
        self.words, self.time = info["words"], now
        return row

    def panels(self, rows: Sequence[Row]) -> List[Panel]:
        """The plot of these rows."""

        def curves(names: Iterable[str]) -> Dict[str, np.ndarray]:
            return {
                name: np.array([row.get(name) for row in rows], dtype=float)
                for name in names
                if any(name in row for row in rows)
            }

        # Losses add up from row to row; the first row is of step 0 alone.
        spans = np.diff([row["step"] for row in rows], prepend=-1)
        losses = {name: loss / spans for name, loss in curves(self.losses).items()}
        norms = [f"gradient_norm_{way}{name}" for name in self.shims for way in ("", "max_")]
        return [
            Panel("loss, mean of a step", losses),
            Panel("scores", curves(self.scores)),
            Panel("learning rate", curves(["learn_rate"])),
            Panel("norm of the gradient", curves(norms), log=True),
        ]


class Rows:
    """Rows in a file, which has each as soon as it is there; an old file is emptied.

    Of a CSV file, the columns are those of the first row. If a later row has others, the file is
    written anew.
    """

    def __init__(self, path: Path):
        self.path = path
        self.rows: List[Row] = []
        self.columns: List[str] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")

    def append(self, row: Row) -> None:
        self.rows.append(row)
        if self.path.suffix == ".jsonl":
            with self.path.open("a", encoding="utf8") as file:
                file.write(json.dumps(_finite(row), ensure_ascii=False) + "\n")
            return
        new = [name for name in row if name not in self.columns]
        self.columns += new
        if new:
            with _replacing(self.path) as written:
                self._write_csv(written, "w", self.rows)
        else:
            self._write_csv(self.path, "a", [row])

    def _write_csv(self, path: Path, mode: str, rows: Sequence[Row]) -> None:
        with path.open(mode, encoding="utf8", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            if mode == "w":
                writer.writeheader()
            writer.writerows(rows)


def _finite(row: Row) -> Row:
    """JSON knows no NaN and no infinity."""
    return {n: x if x is None or math.isfinite(x) else None for n, x in row.items()}


def _checked(setting: str, path: Union[str, Path], suffixes: Sequence[str]) -> Path:
    path = Path(path)
    if path.suffix not in suffixes:
        raise ValueError(
            f"'{setting}' of [training.logger] is a file whose name ends with "
            f"{' or '.join(suffixes)}, not '{path}'."
        )
    return path


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file to write that then takes the place of another, so that nobody finds half of it, even
    after an interruption."""
    written = path.with_name(f".tmp.{path.name}")
    yield written
    os.replace(written, path)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(
            f"Can't write '{path}': {error}. Name a file in [training.logger], in a folder that "
            f"can be written and has room."
        ) from error
