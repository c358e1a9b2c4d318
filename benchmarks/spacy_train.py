"""Trainings by `spacy train` in separate processes."""

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import common


def training_parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser for the arguments of scripts that train; see `common.parser`."""
    made = common.parser(doc)
    made.add_argument("--work", type=Path, help="directory to keep; by default a temporary one")
    made.add_argument(
        "--vectors",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="more word vectors, besides those of the data; use a separate --work with them",
    )
    return made


def parser(doc: str | None) -> argparse.ArgumentParser:
    """The same for scripts that also train spaCy's components."""
    made = training_parser(doc)
    made.add_argument("--ours", action="store_true", help="leave out spaCy's components")
    return made


def cpu_minutes(pid: int | None = None) -> float:
    """Processor time of a process, or of all child processes that have ended."""
    if pid is None:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (used.ru_utime + used.ru_stime) / 60
    # The fields from the third on, which follow the name, which may contain spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") / 60


def python(*arguments: str | Path, minutes: float | None = None) -> None:
    """Run Python with arguments; after `minutes` of processor time, interrupt it like Ctrl+C."""
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)], env=common.one_thread(), stdout=sys.stderr
    )
    while process.poll() is None:
        if minutes is not None and cpu_minutes(process.pid) > minutes:
            process.send_signal(signal.SIGINT)
            process.wait()
            return
        time.sleep(0.5)
    if process.returncode:
        raise SystemExit(f"'python {' '.join(map(str, arguments))}' failed.")


def train(
    config: Path, output: Path, settings: Mapping[str, str], minutes: float | None = None
) -> tuple[Path, float]:
    """Train with settings of a config; returns the best model and the minutes it took.

    minutes: interrupt the training after this processor time; the best model so far is used.
    """
    arguments = [part for key, value in settings.items() for part in (f"--{key}", value)]
    start = time.perf_counter()
    python("-m", "spacy", "train", config, "--output", output, *arguments, minutes=minutes)
    return output / "model-best", (time.perf_counter() - start) / 60


def train_once(
    config: Path, output: Path, settings: Mapping[str, str], minutes: float | None = None
) -> tuple[Path, float | None]:
    """The same, unless the model is already there; then the minutes are unknown (None)."""
    if (output / "model-best").exists():
        return output / "model-best", None
    return train(config, output, settings, minutes)


def stock_config(path: Path, pipeline: str, optimize: str) -> Path:
    """Write the config that spaCy recommends for an English pipeline of these components."""
    options = ["--lang", "en", "--pipeline", pipeline, "--optimize", optimize, "--force"]
    python("-m", "spacy", "init", "config", *options, path)
    return path


def glove(directory: Path, more: Sequence[Path] = ()) -> Path:
    """A pipeline with all GloVe vectors concatenated for each word, made once in the directory.

    more: other files of vectors, which come first.
    """
    path = directory / "vectors"
    if not path.exists():
        text = directory / "vectors.txt"
        sources = [*more, *sorted((common.DATA / "vectors-glove").glob("*.txt.xz"))]
        python(common.REPO / "corpora" / "vectors.py", *sources, text)
        python("-m", "spacy", "init", "vectors", "en", text, path)
    return path


@contextmanager
def workplace(directory: Path | None) -> Iterator[Path]:
    """The directory, which is created if needed; without one, a temporary directory."""
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        yield directory
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)


def mind_interrupts() -> None:
    """Handle interrupts, which background jobs and the trainings they start would ignore."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
