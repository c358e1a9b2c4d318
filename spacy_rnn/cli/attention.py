"""python -m spacy rnn attention: the attention of a translator."""

from pathlib import Path
from typing import Annotated, List, Optional

from typer import Argument

from .io import (
    HEATMAP_ENDINGS,
    HEATMAP_OUTPUT,
    check_ending,
    component_option,
    fail,
    get_component,
    load,
    model_argument,
    output_option,
    show_heatmaps,
)


def attention_cli(
    model: Annotated[str, model_argument("a translator")],
    texts: Annotated[List[str], Argument(help="Texts to translate")],
    output: Annotated[Optional[Path], output_option(HEATMAP_OUTPUT)] = None,
    name: Annotated[Optional[str], component_option("translator")] = None,
) -> None:
    """Show the attention of a translator.

    Prints a table of percentages for each sentence, or writes heat maps, with a row for each piece
    of the translation and a column for each token.
    """
    from .. import viz
    from ..pipeline.translator import RNNTranslator

    check_ending(output, HEATMAP_ENDINGS)
    nlp = load(model)
    translator = get_component(nlp, RNNTranslator, "rnn_translator", name)
    found = translator.align(nlp.pipe(texts))
    for number, alignments in enumerate(found, 1):
        if not alignments:
            fail(f"Text {number} has nothing to translate.")
    heatmaps = [viz.attention_heatmap(each) for alignments in found for each in alignments]
    show_heatmaps(heatmaps, output)
