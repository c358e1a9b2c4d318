"""python -m spacy rnn saliency: the contribution of each token to a prediction."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, List, Optional

from typer import Argument, Option
from wasabi import table

from .. import display
from ..display.shading import render_shading
from ..display.strings import printable, shorten
from .io import (
    check_ending,
    component_option,
    get_component,
    load,
    model_argument,
    output_option,
    write,
)

if TYPE_CHECKING:
    from ..analysis.saliency import Saliency

ENDINGS = (".html", ".json")


def saliency_cli(
    model: Annotated[str, model_argument("a component of spacy-rnn")],
    texts: Annotated[List[str], Argument(help="Texts whose predictions are explained")],
    token: Annotated[
        Optional[int],
        Option(
            "--token",
            help="Index of the labeled token, of the token that a language model predicts, or of "
            "the piece of a translation; 0 is the first",
        ),
    ] = None,
    label: Annotated[
        Optional[str],
        Option("--label", help="Label to explain; omit for the predicted one"),
    ] = None,
    target: Annotated[
        Optional[str],
        Option("--target", help="Target of the label, for a tagger with several targets"),
    ] = None,
    method: Annotated[
        str, Option("--method", help="integrated_gradients or occlusion")
    ] = "integrated_gradients",
    steps: Annotated[
        int, Option("--steps", help="Number of points at which gradients are computed")
    ] = 50,
    output: Annotated[
        Optional[Path],
        output_option("Write to this file instead: .html with shaded texts, or .json"),
    ] = None,
    name: Annotated[Optional[str], component_option("component")] = None,
) -> None:
    """Show the contribution of each token to a prediction.

    Prints a table of scores for each text, positive where a token raised the score of the
    prediction, or writes a page with shaded texts.
    """
    from ..analysis.saliency import compute_saliency
    from ..pipeline.base import RNNPipe

    check_ending(output, ENDINGS)
    options: Any = {
        "token": token,
        "label": label,
        "target": target,
        "method": method,
        "steps": steps,
    }
    nlp = load(model)
    pipe = get_component(nlp, RNNPipe, "component of spacy-rnn", name)
    found = [compute_saliency(pipe, doc, **options) for doc in nlp.pipe(texts)]
    if output is None:
        print("\n".join(map(_table, found)))
    else:
        data = [{**each._asdict(), "scores": each.scores.tolist()} for each in found]
        write(output, data, lambda path: _write_page(path, found))


def _write_page(path: Path, found: List["Saliency"]) -> None:
    from .. import viz

    texts = [render_shading(**viz.saliency_text(each)) for each in found]
    path.write_text(display.render(texts, page=True, jupyter=False), encoding="utf8")


def _table(found: "Saliency") -> str:
    rows = [
        (shorten(token), f"{score:+.3f}")
        for token, score in zip(found.tokens, found.scores.tolist(), strict=True)
    ]
    title = printable(found.summary)
    if found.gap is not None:
        title += f"; without tokens {found.baseline:.3f}, gap {found.gap:+.3f}"
    return title + table(rows, aligns=("l", "r"))
