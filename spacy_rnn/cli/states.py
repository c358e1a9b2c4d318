"""python -m spacy rnn states: the activations of hidden units over a text."""

from pathlib import Path
from typing import Annotated, List, Optional

from typer import Argument, Option

from .. import viz
from .io import PICTURES, check_ending, component, fail, load, show_heatmaps


def states_cli(
    model: Annotated[
        str, Argument(help="Pipeline with a component of spacy-rnn: path or name of a package")
    ],
    texts: Annotated[List[str], Argument(help="Texts to read")],
    layer: Annotated[
        int, Option("--layer", help="Layer of the encoder: 0 is the lowest, -1 the highest")
    ] = -1,
    units: Annotated[
        Optional[List[str]],
        Option("--units", "-u", help="A unit, such as 'forward 3'; once for each of several"),
    ] = None,
    top: Annotated[
        int, Option("--top", "-n", help="Without --units, how many of those that vary most")
    ] = 20,
    start: Annotated[int, Option("--start", help="First token that is shown, from 0")] = 0,
    end: Annotated[Optional[int], Option("--end", help="The token after the last one")] = None,
    output: Annotated[
        Optional[Path],
        Option(
            "--output",
            "-o",
            help="Write a file instead: .html with all texts; .svg or .png, where several texts "
            "have a numbered file each",
        ),
    ] = None,
    name: Annotated[
        Optional[str],
        Option("--component", "-c", help="Name of the component, if there are several"),
    ] = None,
) -> None:
    """Show the activations of hidden units over texts: for each text a table of percentages or a heat
    map, with a row for each unit and a column for each token.
    """
    from ..analysis.states import states
    from ..pipeline.base import RNNPipe

    check_ending(output, PICTURES)
    nlp = load(model)
    pipe = component(nlp, RNNPipe, "component of spacy-rnn", name)
    try:
        found = (states(pipe, doc, layer) for doc in nlp.pipe(texts))
        matrices = [viz.states_matrix(each, units or None, top, start, end) for each in found]
        show_heatmaps(matrices, output)
    except (ImportError, OSError, ValueError) as error:
        fail(str(error))
