"""python -m spacy rnn attention: what a translator looks at."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Dict, List, Optional

from typer import Argument, Option
from wasabi import msg

from .. import display
from ..display.heatmap import heatmap, save_png
from ..display.table import table
from .common import component, fail, load

FORMATS = (".html", ".svg", ".png")


def attention_cli(
    model: Annotated[str, Argument(help="Pipeline with a translator: path or name of a package")],
    texts: Annotated[List[str], Argument(help="Texts to translate")],
    output: Annotated[
        Optional[Path],
        Option(
            "--output",
            "-o",
            help="Write a file instead: .html with all sentences; .svg or .png, where several "
            "sentences have a numbered file each",
        ),
    ] = None,
    name: Annotated[
        Optional[str],
        Option("--component", "-c", help="Name of the translator, if there are several"),
    ] = None,
) -> None:
    """
    Show what a translator looks at: for each sentence a table of percentages or a heat map, with a
    row for each piece of the translation and a column for each token.
    """
    from ..pipeline.translator import RNNTranslator

    if output is not None and output.suffix.lower() not in FORMATS:
        fail(f"'{output}' does not end in one of {', '.join(FORMATS)}.")
    nlp = load(model)
    translator = component(nlp, RNNTranslator, "rnn_translator", name)
    try:
        found = translator.align(nlp.pipe(texts))
        for number, alignments in enumerate(found, 1):
            if not alignments:
                fail(f"There is nothing to translate in text {number}.")
        matrices = [display.attention_matrix(each) for alignments in found for each in alignments]
        if output is not None:
            for path in _write(matrices, output):
                msg.good(f"Wrote {path}")
        else:
            line = shutil.get_terminal_size().columns
            # Not by wasabi, which would wrap the lines.
            print("\n\n".join(table(**matrix, line=line) for matrix in matrices))
    except (ImportError, OSError, ValueError) as error:
        fail(str(error))


def _write(matrices: Sequence[Dict[str, Any]], output: Path) -> List[Path]:
    """Write one file, or one for each sentence where a file holds one picture; returns the
    paths."""
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
