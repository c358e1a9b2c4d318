"""python -m spacy rnn states: the activations of hidden units."""

from pathlib import Path
from typing import Annotated, List, Optional

from typer import Argument, Option

from .io import (
    HEATMAP_ENDINGS,
    HEATMAP_OUTPUT,
    check_ending,
    component_option,
    get_component,
    load,
    model_argument,
    output_option,
    show_heatmaps,
)


def states_cli(
    model: Annotated[str, model_argument("a component of spacy-rnn")],
    texts: Annotated[List[str], Argument(help="Texts to read")],
    layer: Annotated[
        int, Option("--layer", help="Layer of the encoder: 0 is the lowest, -1 the highest")
    ] = -1,
    units: Annotated[
        Optional[List[str]],
        Option("--unit", help="Unit to show, such as 'forward 3'; can be repeated"),
    ] = None,
    top: Annotated[
        int, Option("--top", help="Number of units with the highest variance, without --unit")
    ] = 20,
    start: Annotated[int, Option("--start", help="Index of the first token to show")] = 0,
    end: Annotated[
        Optional[int], Option("--end", help="Index after the last token to show")
    ] = None,
    output: Annotated[Optional[Path], output_option(HEATMAP_OUTPUT)] = None,
    name: Annotated[Optional[str], component_option("component")] = None,
) -> None:
    """Show the activations of hidden units.

    Prints a table of percentages for each text, or writes heat maps, with a row for each unit and a
    column for each token.
    """
    from .. import viz
    from ..analysis.states import compute_states
    from ..pipeline.base import RNNPipe

    check_ending(output, HEATMAP_ENDINGS)
    nlp = load(model)
    pipe = get_component(nlp, RNNPipe, "component of spacy-rnn", name)
    found = (compute_states(pipe, doc, layer) for doc in nlp.pipe(texts))
    heatmaps = [viz.states_heatmap(each, units or None, top, start, end) for each in found]
    show_heatmaps(heatmaps, output)
