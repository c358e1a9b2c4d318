"""What networks do, shown as displaCy shows annotation: markup, or pictures in Jupyter."""

from collections.abc import Iterable, Sequence
from typing import Any, Dict, Optional, Union

import numpy as np
from spacy.tokens import Doc

from .analysis.saliency import Method, Saliency
from .analysis.saliency import saliency as explain
from .analysis.states import States
from .analysis.states import states as explore
from .display import heatmap, render
from .display.shading import shading
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
    """Show what a translator looks at: for each sentence a heat map, with a row for each piece of
    its translation and a column for each of its tokens.

    docs (Union[Iterable[Doc], Doc]): Docs with sentence starts, as the translator gets them.
    translator (RNNTranslator): Translates them anew.
    page (bool): Render a whole HTML page.
    jupyter (bool): Override the detection of Jupyter.
    RETURNS (str): The markup, SVG or HTML; None in Jupyter, where it is shown.
    """
    docs = [docs] if isinstance(docs, Doc) else docs
    alignments = (alignment for of_doc in translator.align(docs) for alignment in of_doc)
    svgs = [heatmap.heatmap(**attention_matrix(alignment)) for alignment in alignments]
    return render(svgs, page=page, jupyter=jupyter)


def attention_matrix(alignment: Alignment) -> Dict[str, Any]:
    """The attention of a translation, as arguments of `heatmap`, `save_png` and `table`."""
    return {
        "matrix": alignment.weights,
        "rows": alignment.pieces,
        "columns": [token.text for token in alignment.source],
        "title": alignment.source.text,
    }


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
    """Show which tokens moved a component's prediction for each text: blue ones raised its score,
    orange ones lowered it.

    docs, pipe, token, label, target, method, steps: see `spacy_rnn.analysis.saliency.saliency`.
    page, jupyter, RETURNS: see `attention`.
    """
    docs = [docs] if isinstance(docs, Doc) else docs
    names: Any = {"token": token, "label": label, "target": target}
    found = (explain(pipe, doc, **names, method=method, steps=steps) for doc in docs)
    texts = [shading(**saliency_text(each)) for each in found]
    return render(texts, page=page, jupyter=jupyter)


def saliency_text(found: Saliency) -> Dict[str, Any]:
    """What moved a prediction, as arguments of `shading`."""
    title = f"{found.prediction}: {found.value:.3f}"
    return {"tokens": found.tokens, "scores": found.scores, "title": title}


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
    """Show the activations of a component's hidden units over each text: a heat map with a row for
    each unit and a column for each token.

    docs, pipe, layer: see `spacy_rnn.analysis.states.states`.
    units, top, start, end: see `states_matrix`.
    page, jupyter, RETURNS: see `attention`.
    """
    docs = [docs] if isinstance(docs, Doc) else docs
    found = (explore(pipe, doc, layer) for doc in docs)
    matrices = (states_matrix(each, units, top, start, end) for each in found)
    return render([heatmap.heatmap(**m) for m in matrices], page=page, jupyter=jupyter)


def states_matrix(
    found: States,
    units: Optional[Sequence[str]] = None,
    top: int = 20,
    start: int = 0,
    end: Optional[int] = None,
) -> Dict[str, Any]:
    """The activations of some units as arguments of `heatmap`, `save_png` and `table`. Those that
    leave [-1, 1] are divided by the largest, which the title then says.

    units: the names of the units; by default those that vary most over the text, most first.
    top: how many those are.
    start, end: the first token that is shown, and the one after the last.
    RAISES (ValueError): If there is no unit of a name, or more is to be shown than can be read, or
        nothing.
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
                f"There is no unit {unknown[0]!r} in layer {found.layer}: its "
                f"{len(found.units)} units are {found.units[0]!r} to {found.units[-1]!r}."
            )
        chosen = [found.units.index(unit) for unit in units]
    tokens = found.tokens[start:end]
    if max(len(tokens), len(chosen)) > heatmap.LARGEST:
        raise ValueError(
            f"{len(chosen)} units of {len(tokens)} tokens are too many to read. Choose at most "
            f"{heatmap.LARGEST} tokens by 'start' and 'end', and as many units by 'units' or 'top'."
        )
    matrix = found.activations[start:end, chosen].T
    most = np.abs(matrix).max(initial=0.0)
    title = f"Layer {found.layer}"
    if most > 1.0:
        matrix, title = matrix / most, f"{title}, divided by {most:.2f}"
    rows = [found.units[i] for i in chosen]
    return {"matrix": matrix, "rows": rows, "columns": tokens, "title": title}
