"""python -m spacy rnn saliency: which tokens moved a prediction."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, List, Optional

import srsly
from typer import Argument, Option
from wasabi import msg, table

from .. import display, viz
from ..display.labels import printable, short
from ..display.shading import shading
from .io import check_ending, component, fail, load

if TYPE_CHECKING:
    from ..analysis.saliency import Saliency

FORMATS = (".html", ".json")


def saliency_cli(
    model: Annotated[
        str, Argument(help="Pipeline with a component of spacy-rnn: path or name of a package")
    ],
    texts: Annotated[List[str], Argument(help="Texts for which predictions are explained")],
    token: Annotated[
        Optional[int],
        Option(
            "--token",
            "-t",
            help="Number, from 0, of the token that is labeled, or foretold by a language model, "
            "or of the piece of a translation",
        ),
    ] = None,
    label: Annotated[
        Optional[str],
        Option("--label", "-l", help="Label that is explained instead of the predicted one"),
    ] = None,
    target: Annotated[
        Optional[str], Option("--target", help="Of a tagger with several targets, the label's")
    ] = None,
    method: Annotated[
        str, Option("--method", "-m", help="integrated_gradients or occlusion")
    ] = "integrated_gradients",
    steps: Annotated[int, Option("--steps", "-s", help="Points at which gradients are taken")] = 50,
    output: Annotated[
        Optional[Path],
        Option("--output", "-o", help="Write a file instead: .html with all texts, or .json"),
    ] = None,
    name: Annotated[
        Optional[str],
        Option("--component", "-c", help="Name of the component, if there are several"),
    ] = None,
) -> None:
    """Show which tokens moved a prediction: for each text a table of scores, above 0 where a token
    raised that of the prediction, or a page with shaded texts.
    """
    from ..analysis.saliency import saliency
    from ..pipeline.base import RNNPipe

    check_ending(output, FORMATS)
    options: Any = {
        "token": token,
        "label": label,
        "target": target,
        "method": method,
        "steps": steps,
    }
    nlp = load(model)
    pipe = component(nlp, RNNPipe, "component of spacy-rnn", name)
    try:
        found = [saliency(pipe, doc, **options) for doc in nlp.pipe(texts)]
        if output is None:
            print("\n".join(map(_table, found)))
        else:
            _write(found, output)
            msg.good(f"Wrote {output}")
    except (OSError, ValueError) as error:
        fail(str(error))


def _write(found: List["Saliency"], output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.suffix.lower() == ".json":
        numbers = [{**each._asdict(), "scores": each.scores.tolist()} for each in found]
        srsly.write_json(output, numbers)
    else:
        texts = [shading(**viz.saliency_text(each)) for each in found]
        output.write_text(display.render(texts, page=True, jupyter=False), encoding="utf8")


def _table(found: "Saliency") -> str:
    rows = [
        (short(token), f"{score:+.3f}")
        for token, score in zip(found.tokens, found.scores.tolist(), strict=True)
    ]
    title = f"{printable(found.prediction)}: {found.value:.3f}"
    if found.gap is not None:
        title += f" (without tokens {found.baseline:.3f}, gap {found.gap:+.3f})"
    return title + table(rows, aligns=("l", "r"))
