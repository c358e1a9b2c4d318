"""Arguments, options and output that commands share."""

import json
import shutil
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, List, NoReturn, Optional, Type, TypeVar

import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.util import load_model, logger
from thinc.api import ConfigValidationError
from typer.core import TyperGroup
from wasabi import Printer, msg

from .. import display
from ..atomic import replace_file
from ..display.heatmap import HeatMap, render_heatmap, save_png
from ..display.table import render_table

PipeT = TypeVar("PipeT")

#: file types of numbers or their plot, and of heat maps
PLOT_ENDINGS = (".json", ".png", ".svg")
HEATMAP_ENDINGS = (".html", ".svg", ".png")
HEATMAP_OUTPUT = (
    "Write to this file instead: .html with all heat maps, or .svg or .png with one heat map in "
    "each of several numbered files"
)
PLOT_OUTPUT = "Also write to this file: .json with the numbers, or .png or .svg with a plot"
#: the name of standard input and output
STANDARD = "-"
#: packages whose errors say what to do
EXPLAINING = ("spacy_rnn", "spacy", "confection")


class Commands(TyperGroup):
    """Commands that end with a message, without a traceback, at an error that says what to do: one
    of files or missing libraries, or a ValueError that this package or spaCy raised. With `train
    --verbose`, the traceback is shown, too."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # The program that reads standard output has ended.
            raise
        except (ImportError, OSError, ValueError) as error:
            if isinstance(error, ValueError) and _package_of(error) not in EXPLAINING:
                raise
            logger.debug("The error was raised here:", exc_info=error)
            fail(_message_of(error))


def _package_of(error: Exception) -> str:
    """The name of the package that raised an error."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    name: str = frame.f_globals["__name__"]
    return name.partition(".")[0]


def _message_of(error: Exception) -> str:
    """The message of an error; of settings that do not fit, without the whole config."""
    if not isinstance(error, ConfigValidationError):
        return str(error) or type(error).__name__
    name = (error.config or {}).get("name", error.parent)
    wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors]
    return f"{error.title}, settings of '{name}': {'; '.join(wrong) or error.desc}"


def model_argument(contents: str) -> Any:
    """The argument for a pipeline.

    contents (str): A description of the component that it needs.
    RETURNS (Any): The argument, for `Annotated[str, ...]`.
    """
    return typer.Argument(help=f"Pipeline with {contents}: path or name of a package")


def output_option(meaning: str) -> Any:
    """The option for an output file, for `Annotated[Optional[Path], ...]`."""
    return typer.Option("--output", "-o", help=meaning)


def component_option(kind: str) -> Any:
    """The option for the name of a component, for `Annotated[Optional[str], ...]`."""
    return typer.Option("--component", help=f"Name of the {kind}, if the pipeline has several")


def batch_size_option(meaning: str) -> Any:
    """The option for the number of items in a batch, for `Annotated[Optional[int], ...]`."""
    return typer.Option("--batch-size", min=1, help=meaning)


def n_process_option() -> Any:
    """The option for a number of processes, for `Annotated[int, ...]`."""
    return typer.Option(
        "--n-process",
        help="Number of processes of a pipeline; -1 for one on each core",
        callback=_check_n_process,
    )


def _check_n_process(number: int) -> int:
    if number != -1 and number < 1:
        raise typer.BadParameter(f"{number} is not -1 or at least 1.")
    return number


def code_option() -> Any:
    """The option for code to import, for `Annotated[Optional[Path], ...]`."""
    return typer.Option(
        "--code-path", "--code", "-c", help="Python file with registered functions to import"
    )


def gpu_option() -> Any:
    """The option for a GPU, for `Annotated[int, ...]`."""
    return typer.Option("--gpu-id", "-g", help="GPU ID or -1 for CPU")


def fail(message: str) -> NoReturn:
    """Print an error message to standard error, and exit without a traceback."""
    with redirect_stdout(sys.stderr):
        # Not `msg`, which all processes of a training but the first one silence.
        Printer().fail(message)
    raise typer.Exit(1)


def use_gpu(gpu_id: int, silent: Optional[bool] = None) -> None:
    """Compute on a GPU, or exit with an error if that is not possible.

    gpu_id (int): The GPU; -1 for the CPU.
    silent (Optional[bool]): Do not print what is used; None to print GPUs only.
    """
    try:
        setup_gpu(gpu_id, silent=gpu_id < 0 if silent is None else silent)
    except (RuntimeError, ValueError) as error:
        fail(
            f"GPU {gpu_id} cannot be used: {error}. Leave out --gpu-id to use the CPU. A GPU needs "
            f"its driver, torch for CUDA, and CuPy, such as of pip install 'spacy-rnn[cuda12x]'."
        )


def check_pipeline(path: Path) -> None:
    """Exit with an error if a folder is that of a training, which has its pipelines in it.

    path (Path): The path.
    """
    best = path / "model-best"
    if best.is_dir() and not (path / "meta.json").exists():
        fail(f"'{path}' is the folder of a training. Give one of its pipelines: {best}")


def load(model: str, exclude: Sequence[str] = ()) -> Language:
    """Load a pipeline, or exit with an error.

    model (str): The path or the name of a package.
    exclude (Sequence[str]): The names of components to leave out.
    RETURNS (Language): The pipeline.
    RAISES (OSError): If there is no pipeline.
    RAISES (ValueError): If it is damaged, or its config does not fit.
    """
    check_pipeline(Path(model))
    try:
        return load_model(model, exclude=exclude)
    except Exception as error:  # spaCy and its parts raise many kinds for a damaged file.
        is_missing = isinstance(error, OSError)
        if is_missing and not Path(model).is_dir():
            raise
        message = f"'{model}' can't be loaded: {_message_of(error)}"
        if is_missing or _package_of(error) not in EXPLAINING:
            message += ". One of its files is missing or damaged. Copy it again, or train it again."
        raise ValueError(message) from error


def get_component(nlp: Language, kind: Type[PipeT], factory: str, name: Optional[str]) -> PipeT:
    """Get a component of a pipeline, or exit with an error.

    nlp (Language): The pipeline.
    kind (Type[PipeT]): The class of the component.
    factory (str): A description of the class, for messages.
    name (Optional[str]): The name of the component; None for the only one.
    RETURNS (PipeT): The component.
    """
    found = {other: pipe for other, pipe in nlp.components if isinstance(pipe, kind)}
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name in found:
        return found[name]
    available = f"Its components: {', '.join(nlp.component_names) or 'none'}."
    if not found:
        fail(f"The pipeline has no {factory}. {available}")
    choice = f"Choose one with --component: {', '.join(found)}."
    if name is None:
        fail(f"The pipeline has more than one {factory}. {choice}")
    fail(f"The pipeline has no {factory} '{name}'. {choice} {available}")


def size_of(folder: Path) -> int:
    """The size of all files in a folder, in bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def check_ending(output: Optional[Path], endings: Sequence[str]) -> None:
    """Exit with an error if an output file has none of these endings."""
    if output is not None and output.suffix.lower() not in endings:
        fail(f"'{output}' does not end in one of {', '.join(endings)}.")


def write(path: Path, data: Any, render: Optional[Callable[[Path], None]] = None) -> None:
    """Write the result of a command to a file, and print its path.

    path (Path): The file. Its folder is created.
    data (Any): The result, written as JSON.
    render (Optional[Callable[[Path], None]]): Writes the result to files that do not end in .json.
    """
    with replace_file(path) as part:
        if render is None or path.suffix.lower() == ".json":
            part.write_text(json.dumps(data, indent=2), encoding="utf8")
        else:
            render(part)
    msg.good(f"Wrote {path}")


def show_heatmaps(heatmaps: Sequence[HeatMap], output: Optional[Path]) -> None:
    """Print heat maps as tables, or write them to one or more files.

    heatmaps (Sequence[HeatMap]): The heat maps.
    output (Optional[Path]): The file; None to print tables.
    """
    if output is not None:
        for path in _write_heatmaps(heatmaps, output):
            msg.good(f"Wrote {path}")
    else:
        line = shutil.get_terminal_size().columns
        # Not printed by wasabi, which wraps lines.
        print("\n\n".join(render_table(heatmap, line) for heatmap in heatmaps))


def _write_heatmaps(heatmaps: Sequence[HeatMap], output: Path) -> List[Path]:
    """Write heat maps and return the paths of the files."""
    output.parent.mkdir(parents=True, exist_ok=True)
    ending = output.suffix.lower()
    if ending == ".html":
        svgs = map(render_heatmap, heatmaps)
        output.write_text(display.render(svgs, page=True, jupyter=False), encoding="utf8")
        return [output]
    paths = [
        output.with_name(f"{output.stem}-{n + 1}{output.suffix}") for n in range(len(heatmaps))
    ]
    if len(heatmaps) == 1:
        paths = [output]
    for path, heatmap in zip(paths, heatmaps, strict=True):
        if ending == ".svg":
            path.write_text(render_heatmap(heatmap), encoding="utf8")
        else:
            save_png(path, heatmap)
    return paths
