"""Visualizers of attention, saliency and hidden states, in the style of displaCy."""

from collections.abc import Iterable, Sequence
from typing import Any, Dict, Optional, Union

import numpy as np
from spacy.tokens import Doc

from .analysis.saliency import Method, Saliency, compute_saliency
from .analysis.states import States, compute_states
from .display import heatmap, render
from .display.shading import render_shading
from .pipeline.base import RNNPipe
from .pipeline.translator import Alignment, RNNTranslator
from .validation import at_least


def attention(
    docs: Union[Iterable[Doc], Doc],
    translator: RNNTranslator,
    *,
    page: bool = False,
    jupyter: Optional[bool] = None,
) -> str:
    """Visualize the attention of a translator: for each sentence a heat map with a row for each
    piece of its translation and a column for each token of the source.

    docs (Union[Iterable[Doc], Doc]): Docs with sentence starts. They are translated again.
    translator (RNNTranslator): The translator.
    page (bool): Render a whole HTML page.
    jupyter (Optional[bool]): Override the detection of Jupyter.
    RETURNS (str): The markup, SVG or HTML; None in Jupyter, which displays it.
    """
    docs = [docs] if isinstance(docs, Doc) else docs
    alignments = (alignment for of_doc in translator.align(docs) for alignment in of_doc)
    svgs = [heatmap.render_heatmap(attention_heatmap(alignment)) for alignment in alignments]
    return render(svgs, page=page, jupyter=jupyter)


def attention_heatmap(alignment: Alignment) -> heatmap.HeatMap:
    """Make the heat map of a translation's attention.

    alignment (Alignment): The translation with its attention.
    RETURNS (HeatMap): The heat map.
    """
    return heatmap.HeatMap(
        alignment.weights,
        rows=alignment.pieces,
        columns=[token.text for token in alignment.source],
        title=f"{alignment.source.text} → {alignment.translation}",
        row_name="translation",
        column_name="source",
        value_name="attention",
    )


def saliency(
    docs: Union[Iterable[Doc], Doc],
    pipe: RNNPipe,
    *,
    token: Optional[int] = None,
    label: Optional[str] = None,
    target: Optional[str] = None,
    method: Method = "integrated_gradients",
    steps: int = 50,
    page: bool = False,
    jupyter: Optional[bool] = None,
) -> str:
    """Visualize the contribution of each token to a component's prediction: blue tokens raised its
    score, orange tokens lowered it.

    docs (Union[Iterable[Doc], Doc]): The texts.
    pipe, token, label, target, method, steps: see `spacy_rnn.analysis.saliency.compute_saliency`.
    page, jupyter: see `attention`.
    RETURNS (str): The HTML markup; None in Jupyter, which displays it.
    """
    docs = [docs] if isinstance(docs, Doc) else docs
    options: Any = {
        "token": token,
        "label": label,
        "target": target,
        "method": method,
        "steps": steps,
    }
    found = (compute_saliency(pipe, doc, **options) for doc in docs)
    texts = [render_shading(**saliency_text(each)) for each in found]
    return render(texts, page=page, jupyter=jupyter)


def saliency_text(found: Saliency) -> Dict[str, Any]:
    """Convert the saliency of a prediction to the arguments of `render_shading`.

    found (Saliency): The saliency.
    RETURNS (Dict[str, Any]): The arguments.
    """
    return {
        "tokens": found.tokens,
        "scores": found.scores,
        "title": found.summary,
        "score_name": found.scale,
    }


def states(
    docs: Union[Iterable[Doc], Doc],
    pipe: RNNPipe,
    *,
    layer: int = -1,
    units: Optional[Sequence[str]] = None,
    top: int = 20,
    start: int = 0,
    end: Optional[int] = None,
    page: bool = False,
    jupyter: Optional[bool] = None,
) -> str:
    """Visualize the activations of a component's hidden units: for each text a heat map with a row
    for each unit and a column for each token.

    docs (Union[Iterable[Doc], Doc]): The texts.
    pipe, layer: see `spacy_rnn.analysis.states.compute_states`.
    units, top, start, end: see `states_heatmap`.
    page, jupyter: see `attention`.
    RETURNS (str): The markup, SVG or HTML; None in Jupyter, which displays it.
    """
    docs = [docs] if isinstance(docs, Doc) else docs
    found = (compute_states(pipe, doc, layer) for doc in docs)
    heatmaps = (states_heatmap(each, units, top, start, end) for each in found)
    return render(map(heatmap.render_heatmap, heatmaps), page=page, jupyter=jupyter)


def states_heatmap(
    found: States,
    units: Optional[Sequence[str]] = None,
    top: int = 20,
    start: int = 0,
    end: Optional[int] = None,
) -> heatmap.HeatMap:
    """Make the heat map of the activations of some units. If some are not in [-1, 1], all are
    divided by the largest absolute value, which is part of the name of the values.

    found (States): The activations.
    units (Optional[Sequence[str]]): The names of the units; None for those with the highest
        variance over the text.
    top (int): The number of units if `units` is None.
    start (int), end (Optional[int]): The first token to show, and the one after the last.
    RETURNS (HeatMap): The heat map.
    RAISES (ValueError): If there is no unit with a given name, or too many units or tokens.
    """
    at_least(1, top=top)
    if units is None:
        a = found.activations
        variation = a.std(axis=0) if len(a) else np.zeros(len(found.units))
        chosen = np.argsort(-variation, kind="stable")[:top].tolist()
    else:
        unknown = [unit for unit in units if unit not in found.units]
        if unknown:
            raise ValueError(
                f"Layer {found.layer} has no unit {unknown[0]!r}. Its {len(found.units)} units are "
                f"{found.units[0]!r} to {found.units[-1]!r}."
            )
        chosen = [found.units.index(unit) for unit in units]
    tokens = found.tokens[start:end]
    if max(len(tokens), len(chosen)) > heatmap.LARGEST:
        raise ValueError(
            f"A heat map of {len(chosen)} units and {len(tokens)} tokens is too large to read. "
            f"Choose at most {heatmap.LARGEST} tokens with 'start' and 'end', and as many units "
            f"with 'units' or 'top'."
        )
    matrix = found.activations[start:end, chosen].T
    largest = np.abs(matrix).max(initial=0.0)
    value_name = "activation"
    if largest > 1.0:
        matrix, value_name = matrix / largest, f"activation, divided by {largest:.2f}"
    return heatmap.HeatMap(
        matrix,
        rows=[found.units[i] for i in chosen],
        columns=tokens,
        title=f"Hidden states of layer {found.layer}",
        row_name="unit",
        column_name="token",
        value_name=value_name,
    )
