"""What commands have in common."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Dict, List, NoReturn, Optional, Type, TypeVar

import typer
from spacy.language import Language
from spacy.util import load_model
from wasabi import msg

from .. import display
from ..display.heatmap import heatmap, save_png
from ..display.table import table

PipeT = TypeVar("PipeT")

#: endings of files with heat maps
PICTURES = (".html", ".svg", ".png")


def fail(message: str) -> NoReturn:
    """End a command with what is wrong, without a traceback."""
    msg.fail(message)
    raise typer.Exit(1)


def load(model: str) -> Language:
    """A pipeline, by its path or the name of its package."""
    try:
        return load_model(model)
    except OSError as error:
        fail(str(error))


def component(nlp: Language, kind: Type[PipeT], factory: str, name: Optional[str]) -> PipeT:
    """A pipeline's component of a kind, the one with this name or the only one."""
    found = {other: pipe for other, pipe in nlp.components if isinstance(pipe, kind)}
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name in found:
        return found[name]
    there = f"Its components: {', '.join(nlp.component_names) or 'none'}."
    if not found:
        fail(f"The pipeline has no {factory}. {there}")
    choice = f"Choose one with --component: {', '.join(found)}."
    if name is None:
        fail(f"The pipeline has more than one {factory}. {choice}")
    fail(f"The pipeline has no {factory} '{name}'. {choice} {there}")


def check_ending(output: Optional[Path], endings: Sequence[str]) -> None:
    """End a command unless a file that it is to write has one of these endings."""
    if output is not None and output.suffix.lower() not in endings:
        fail(f"'{output}' does not end in one of {', '.join(endings)}.")


def show_heatmaps(matrices: Sequence[Dict[str, Any]], output: Optional[Path]) -> None:
    """Write heat maps to a file, or one for each where a file holds one picture; without one, print
    them as tables.

    matrices: arguments of `heatmap`.
    """
    if output is not None:
        for path in _write(matrices, output):
            msg.good(f"Wrote {path}")
    else:
        line = shutil.get_terminal_size().columns
        # Not by wasabi, which would wrap the lines.
        print("\n\n".join(table(**matrix, line=line) for matrix in matrices))


def _write(matrices: Sequence[Dict[str, Any]], output: Path) -> List[Path]:
    """Returns the paths."""
    output.parent.mkdir(parents=True, exist_ok=True)
    ending = output.suffix.lower()
    if ending == ".html":
        svgs = [heatmap(**matrix) for matrix in matrices]
        output.write_text(display.render(svgs, page=True, jupyter=False), encoding="utf8")
        return [output]
    paths = [
        output.with_name(f"{output.stem}-{n + 1}{output.suffix}") for n in range(len(matrices))
    ]
    if len(matrices) == 1:
        paths = [output]
    for path, matrix in zip(paths, matrices, strict=True):
        if ending == ".svg":
            path.write_text(heatmap(**matrix), encoding="utf8")
        else:
            save_png(path, **matrix)
    return paths
