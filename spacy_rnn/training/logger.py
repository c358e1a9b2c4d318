"""Loggers for spaCy's training loop."""

import contextlib
import csv
import json
import math
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
from wasabi import Printer

from ..atomic import replace_file
from ..display.curves import Panel, figure_class, save_curves
from ..pipeline.base import RNNPipe
from .checkpoint import Progress
from .loop import past_progress
from .rising import rising_hint

Row = Dict[str, Any]
LogStep = Callable[[Optional[Dict[str, Any]]], None]
SetUpLogger = Callable[..., Tuple[LogStep, Callable[[], None]]]
#: beginnings of formulas in spreadsheets
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def make_console_logger(progress_bar: Optional[str] = None) -> SetUpLogger:
    """spacy_rnn.ConsoleLogger.v1: print spaCy's table, and advice at the end if the score was still
    rising.

    progress_bar (Optional[str]): As in spacy.ConsoleLogger.v3.
    RETURNS (Callable): The function that sets up the logger.
    """
    console = console_logger_v3(progress_bar)

    def setup_logger(
        nlp: Language, stdout: IO = sys.stdout, stderr: IO = sys.stderr
    ) -> Tuple[LogStep, Callable[[], None]]:
        log_table, finalize_table = console(nlp, stdout, stderr)
        checkpoints: Sequence[Tuple[float, int]] = []

        def log_step(info: Optional[Dict[str, Any]]) -> None:
            nonlocal checkpoints
            log_table(info)
            if info is not None:
                checkpoints = info["checkpoints"]

        def finalize() -> None:
            finalize_table()
            hint = rising_hint(nlp, checkpoints) if checkpoints else None
            if hint is not None:
                stdout.write(Printer(no_print=True).info(hint) + "\n")

        return log_step, finalize

    return setup_logger


def make_curve_logger(
    path: Union[str, Path],
    plot: Optional[Union[str, Path]] = None,
    progress_bar: Optional[str] = None,
    console_output: bool = True,
) -> SetUpLogger:
    """spacy_rnn.CurveLogger.v1: write a row of numbers to a file at each evaluation, and plot them,
    in addition to what spacy_rnn.ConsoleLogger.v1 prints. Files of an earlier training are
    replaced; a resumed training continues with its own.

    The columns are:

    * step, epoch, seconds and score.
    * words_per_second: the speed since the last row, including evaluation and saving.
    * learn_rate: the learning rate of the step.
    * all other scores that are numbers, by name.
    * loss_NAME: the loss of each component, summed since the last row as in spaCy. The plot shows
      the mean loss per step.
    * gradient_norm_NAME and gradient_norm_max_NAME, for components of this package: the mean and
      the maximum of the global gradient norm before clipping since the last row, over the steps
      where it is finite.
    * skipped_steps_NAME, for components of this package: the total number of skipped steps.

    path (Union[str, Path]): A .csv or .jsonl file.
    plot (Optional[Union[str, Path]]): An .svg or .png file, plotted by matplotlib at each
        evaluation; None for no plot.
    progress_bar (Optional[str]): As in spacy.ConsoleLogger.v3.
    console_output (bool): As in spacy.ConsoleLogger.v3. Set it to False if a logger that prints is
        chained by spacy.ChainLogger.v1.
    RETURNS (Callable): The function that sets up the logger.
    """
    path = _checked("path", path, (".csv", ".jsonl"))
    if plot is not None:
        plot = _checked("plot", plot, (".svg", ".png"))
        figure_class()
    # Even without output, spaCy's logger requires a loss for each component.
    console = make_console_logger(progress_bar) if console_output else _no_console

    def setup_logger(
        nlp: Language, stdout: IO = sys.stdout, stderr: IO = sys.stderr
    ) -> Tuple[LogStep, Callable[[], None]]:
        log_console, finalize = console(nlp, stdout, stderr)
        past = past_progress.get()
        curves = Curves(nlp, past)
        with _writing(path):
            rows = Rows(path, past.step if past else 0)
        if plot is not None:
            with _writing(plot):
                plot.parent.mkdir(parents=True, exist_ok=True)
                plot.unlink(missing_ok=True)
            title = f"Training of {', '.join(nlp.pipe_names)} ({nlp.lang})"

        def log_step(info: Optional[Dict[str, Any]]) -> None:
            log_console(info)
            row = curves.log_step(info)
            if row is None:
                return
            with _writing(path):
                rows.append(row)
            if plot is not None:
                steps = [row["step"] for row in rows.rows]
                with _writing(plot), replace_file(plot) as drawn:
                    save_curves(drawn, steps, curves.panels(rows.rows), title=title, x="step")

        return log_step, finalize

    return setup_logger


def _no_console(nlp: Language, stdout: IO, stderr: IO) -> Tuple[LogStep, Callable[[], None]]:
    return lambda info: None, lambda: None


class Curves:
    """Collects the numbers of a training from the training loop and from the pipeline.

    nlp (Language): The pipeline, without frozen components.
    past (Optional[Progress]): How far a resumed training had come before.
    """

    def __init__(self, nlp: Language, past: Optional[Progress] = None):
        past = past or Progress()
        config = nlp.config.interpolate()["training"]
        # The optimizer of the loop is not accessible. This one follows the same schedules.
        self.optimizer = registry.resolve({"optimizer": config["optimizer"]})["optimizer"]
        for _ in range(past.step):
            self.optimizer.step_schedules()
        weights = config["score_weights"]
        #: the scores of the plot, which are those of spaCy's table
        self.scores = ["score", *(name for name, weight in weights.items() if weight is not None)]
        #: the names of losses, in order of appearance
        self.losses: Dict[str, None] = {}
        self.shims = {name: pipe.shim for name, pipe in nlp.pipeline if isinstance(pipe, RNNPipe)}
        self.norms: Dict[str, List[float]] = {name: [] for name in self.shims}
        self.words = past.words
        self.time = timer()

    def log_step(self, info: Optional[Dict[str, Any]]) -> Optional[Row]:
        """Record a step.

        info (Optional[Dict[str, Any]]): The results of an evaluation; None for a step without one.
        RETURNS (Optional[Dict[str, Any]]): The row of an evaluation.
        """
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
            row[f"skipped_steps_{name}"] = shim.steps.skipped
            norms.clear()
        self.words, self.time = info["words"], now
        return row

    def panels(self, rows: Sequence[Row]) -> List[Panel]:
        """Make the panels of the plot.

        rows (Sequence[Dict[str, Any]]): All rows so far.
        RETURNS (List[Panel]): The panels.
        """

        def curves(names: Iterable[str]) -> Dict[str, np.ndarray]:
            return {
                name: np.array([row.get(name) for row in rows], dtype=float)
                for name in names
                if any(name in row for row in rows)
            }

        # Losses are summed since the last row. The first row is the sum of step 0 only.
        spans = np.diff([row["step"] for row in rows], prepend=-1)
        losses = {name: loss / spans for name, loss in curves(self.losses).items()}
        norms = [f"gradient_norm_{way}{name}" for name in self.shims for way in ("", "max_")]
        return [
            Panel("loss, mean per step", losses),
            Panel("scores", curves(self.scores), dashed=["score"]),
            Panel("learning rate", curves(["learn_rate"])),
            Panel("gradient norm before clipping", curves(norms), log=True),
        ]


class Rows:
    """A file of rows, written one at a time. Of an existing file only the rows of steps that were
    done before are kept.

    The columns of a CSV file are those of the first row. If a later row has other columns, the file
    is written again.

    path (Path): The file, .csv or .jsonl.
    n_done (int): The number of steps that were done before.
    """

    def __init__(self, path: Path, n_done: int = 0):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        old = read_rows(path) if n_done and path.exists() else []
        self.rows: List[Row] = []
        self.columns: List[str] = []
        path.write_bytes(b"")
        for row in old:
            if row["step"] < n_done:
                self.append(row)

    def append(self, row: Row) -> None:
        """Append a row to the file."""
        self.rows.append(row)
        if self.path.suffix == ".jsonl":
            with self.path.open("a", encoding="utf8") as file:
                file.write(json.dumps(_finite(row), ensure_ascii=False) + "\n")
            return
        new = [name for name in row if name not in self.columns]
        self.columns += new
        if new:
            with replace_file(self.path) as written:
                self._write_csv(written, "w", self.rows)
        else:
            self._write_csv(self.path, "a", [row])

    def _write_csv(self, path: Path, mode: str, rows: Sequence[Row]) -> None:
        with path.open(mode, encoding="utf8", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            if mode == "w":
                writer.writerow({name: _as_text(name) for name in self.columns})
            writer.writerows(rows)


def read_rows(path: Path) -> List[Row]:
    """Read a file of rows."""
    with path.open(encoding="utf8", newline="") as file:
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in file]
        return [
            {_from_text(name): _number(value) if value else None for name, value in row.items()}
            for row in csv.DictReader(file)
        ]


def _as_text(name: str) -> str:
    """Mark a name that a spreadsheet would run as a formula as text, as OWASP's "CSV injection"
    says."""
    return f"'{name}" if name.startswith(_FORMULA) else name


def _from_text(name: str) -> str:
    return name[1:] if name.startswith(tuple(f"'{start}" for start in _FORMULA)) else name


def _number(text: str) -> Union[int, float]:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _finite(row: Row) -> Row:
    """Replace NaN and infinity, which JSON does not have, by None."""
    return {n: x if x is None or math.isfinite(x) else None for n, x in row.items()}


def _checked(setting: str, path: Union[str, Path], suffixes: Sequence[str]) -> Path:
    path = Path(path)
    if path.suffix not in suffixes:
        raise ValueError(
            f"'{setting}' of [training.logger] must be a file that ends in "
            f"{' or '.join(suffixes)}, got '{path}'."
        )
    return path


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(
            f"Can't write '{path}': {error}. Set [training.logger] to a file in a writable folder "
            f"with free space."
        ) from error
