"""python -m spacy rnn gradients: how much of a gradient arrives steps back."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Mapping, Optional, Sequence

import numpy as np
from spacy.util import load_config, load_model_from_config
from typer import Argument, Option
from wasabi import msg, table

from .io import check_ending, component, fail, load

if TYPE_CHECKING:
    from ..analysis.gradients import LayerGradients

ENDINGS = (".json", ".png", ".svg")
#: steps back that have a row
STEPS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


def gradients_cli(
    models: Annotated[
        str,
        Argument(
            help="Pipelines, paths or names of packages, or configs (.cfg) of encoders as they "
            "start; several, separated by commas, are shown side by side"
        ),
    ],
    texts: Annotated[List[str], Argument(help="Texts to read; of a config, how many tokens")],
    output: Annotated[
        Optional[Path],
        Option("--output", "-o", help="Write .json with all steps, or a plot as .png or .svg"),
    ] = None,
    seed: Annotated[int, Option("--seed", "-s", help="Of the weights and input of a config")] = 0,
    name: Annotated[
        Optional[str],
        Option("--component", "-c", help="Name of the component, if there are several"),
    ] = None,
) -> None:
    """Show whether gradients vanish: for each layer and direction of an encoder, the norm of the
    gradient of the last state's loss with respect to the input k steps back.
    """
    check_ending(output, ENDINGS)
    try:
        found: Dict[str, List[LayerGradients]] = {}
        for model in models.split(","):
            found[model] = _of_model(model.strip(), texts, seed, name)
        curves = {
            f"{Path(model).stem}, {each.name}" if len(found) > 1 else each.name: each.norms
            for model, of_model in found.items()
            for each in of_model
        }
        print(_table(curves))
        if output is not None:
            _write(output, curves)
            msg.good(f"Wrote {output}")
    except (ImportError, OSError, ValueError) as error:
        fail(str(error))


def _of_model(
    model: str, texts: Sequence[str], seed: int, name: Optional[str]
) -> List["LayerGradients"]:
    from ..analysis.gradients import fresh_gradients, gradients
    from ..pipeline.base import RNNPipe

    is_config = Path(model).suffix == ".cfg"
    nlp = load_model_from_config(load_config(model), auto_fill=True) if is_config else load(model)
    pipe = component(nlp, RNNPipe, "component of spacy-rnn", name)
    if not is_config:
        return gradients(pipe, nlp.pipe(texts))
    network: Any = pipe.shim.architecture
    return fresh_gradients(network.encoder, [len(nlp.make_doc(text)) for text in texts], seed)


def _table(curves: Mapping[str, np.ndarray]) -> str:
    last = max(map(len, curves.values())) - 1
    steps = [*(step for step in STEPS if step < last), last]
    rows = [
        [str(k), *(f"{norms[k]:.1e}" if k < len(norms) else "" for norms in curves.values())]
        for k in steps
    ]
    header = ["steps back", *curves]
    return table(rows, header=header, divider=True, aligns=["r"] * len(header), max_col=60)


def _write(path: Path, curves: Mapping[str, np.ndarray]) -> None:
    from ..display.curves import Panel, save_curves

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".json":
        data = {name: norms.tolist() for name, norms in curves.items()}
        path.write_text(json.dumps(data, indent=2), encoding="utf8")
        return
    longest = max(map(len, curves.values()))
    padded = {
        name: np.pad(norms, (0, longest - len(norms)), constant_values=np.nan)
        for name, norms in curves.items()
    }
    panel = Panel("norm of the gradient", padded, log=True)
    save_curves(path, range(longest), [panel], x="steps back")
