"""python -m spacy rnn attention: what a translator looks at."""

from pathlib import Path
from typing import Annotated, List, Optional

from typer import Argument, Option

from .. import viz
from .io import PICTURES, check_ending, component, fail, load, show_heatmaps


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
    """Show what a translator looks at: for each sentence a table of percentages or a heat map, with a
    row for each piece of the translation and a column for each token.
    """
    from ..pipeline.translator import RNNTranslator

    check_ending(output, PICTURES)
    nlp = load(model)
    translator = component(nlp, RNNTranslator, "rnn_translator", name)
    try:
        found = translator.align(nlp.pipe(texts))
        for number, alignments in enumerate(found, 1):
            if not alignments:
                fail(f"There is nothing to translate in text {number}.")
        matrices = [viz.attention_matrix(each) for alignments in found for each in alignments]
        show_heatmaps(matrices, output)
    except (ImportError, OSError, ValueError) as error:
        fail(str(error))
