"""python -m spacy rnn gradients: norms of gradients over time steps."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Mapping, Optional, Sequence

import numpy as np
from spacy.util import load_config, load_model_from_config
from typer import Argument, Option
from wasabi import table

from .io import (
    PLOT_ENDINGS,
    PLOT_OUTPUT,
    check_ending,
    component_option,
    get_component,
    load,
    output_option,
    write,
)

if TYPE_CHECKING:
    from ..analysis.gradients import LayerGradients

#: steps back that have a row
STEPS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


def gradients_cli(
    model: Annotated[
        str,
        Argument(
            help="Pipeline (path or name of a package), or config (.cfg) for an untrained encoder"
        ),
    ],
    texts: Annotated[
        List[str], Argument(help="Texts to read; with a config, only their lengths matter")
    ],
    compare: Annotated[
        Optional[List[str]],
        Option(
            "--compare", help="Another pipeline or config to show side by side; can be repeated"
        ),
    ] = None,
    output: Annotated[Optional[Path], output_option(PLOT_OUTPUT)] = None,
    seed: Annotated[
        int, Option("--seed", help="Random seed of the weights and inputs of a config")
    ] = 0,
    name: Annotated[Optional[str], component_option("component")] = None,
) -> None:
    """Show whether gradients vanish or explode.

    Prints, for each layer and direction of an encoder, the norm of the gradient of the last state's
    loss with respect to the input k steps back.
    """
    check_ending(output, PLOT_ENDINGS)
    found = {each: _gradients(each, texts, seed, name) for each in (model, *(compare or ()))}
    curves = {
        f"{Path(each).stem}, {layer.name}" if len(found) > 1 else layer.name: layer.norms
        for each, layers in found.items()
        for layer in layers
    }
    print(_table(curves))
    if output is not None:
        data = {title: norms.tolist() for title, norms in curves.items()}
        write(output, data, lambda path: _plot(path, curves))


def _gradients(
    model: str, texts: Sequence[str], seed: int, name: Optional[str]
) -> List["LayerGradients"]:
    from ..analysis.gradients import compute_gradients, initial_gradients
    from ..pipeline.base import RNNPipe

    is_config = Path(model).suffix == ".cfg"
    nlp = load_model_from_config(load_config(model), auto_fill=True) if is_config else load(model)
    pipe = get_component(nlp, RNNPipe, "component of spacy-rnn", name)
    if not is_config:
        return compute_gradients(pipe, nlp.pipe(texts))
    architecture: Any = pipe.shim.architecture
    lengths = [len(nlp.make_doc(text)) for text in texts]
    return initial_gradients(architecture.encoder, lengths, seed)


def _table(curves: Mapping[str, np.ndarray]) -> str:
    last = max(map(len, curves.values())) - 1
    steps = [*(step for step in STEPS if step < last), last]
    rows = [
        [str(k), *(f"{norms[k]:.1e}" if k < len(norms) else "" for norms in curves.values())]
        for k in steps
    ]
    header = ["steps back", *curves]
    return table(rows, header=header, divider=True, aligns=["r"] * len(header), max_col=60)


def _plot(path: Path, curves: Mapping[str, np.ndarray]) -> None:
    from ..display.curves import Panel, save_curves

    longest = max(map(len, curves.values()))
    padded: Dict[str, np.ndarray] = {
        name: np.pad(norms, (0, longest - len(norms)), constant_values=np.nan)
        for name, norms in curves.items()
    }
    panel = Panel("norm with respect to the input", padded, log=True)
    title = "Gradient of the last state's loss"
    save_curves(path, range(longest), [panel], title=title, x="steps back")
