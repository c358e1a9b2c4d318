"""python -m spacy rnn agreement: whether verbs agree with subjects that stand far away."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional, Sequence

from typer import Argument, Option
from wasabi import msg, table

from .io import check_ending, component, fail, load

if TYPE_CHECKING:
    from ..analysis.agreement import Judged, Summary

ENDINGS = (".json", ".png", ".svg")


def agreement_cli(
    model: Annotated[
        str,
        Argument(help="Pipeline with a language model or a tagger: path or name of a package"),
    ],
    data: Annotated[Path, Argument(help="Cases, JSON lines")],
    name: Annotated[
        Optional[str],
        Option(
            "--component",
            "-c",
            help="Name of the language model, if there are several, or of a tagger, if there is a "
            "language model too",
        ),
    ] = None,
    output: Annotated[
        Optional[Path],
        Option("--output", "-o", help="Write the figures as .json, or a plot as .png or .svg"),
    ] = None,
) -> None:
    """Show how often verbs have the number of their subjects, by the words and the nouns of the other
    number between the two. Of a language model it is the verb's form that has, of a tagger the
    Number in token.morph.
    """
    from ..analysis.agreement import judge_language_model, judge_tagger, read_cases, summarize
    from ..pipeline.language_model import RNNLanguageModel

    check_ending(output, ENDINGS)
    nlp = load(model)
    language_models = [n for n, pipe in nlp.components if isinstance(pipe, RNNLanguageModel)]
    # Any other component may have a part in what the pipeline says of a token.
    others = set(nlp.pipe_names).difference(language_models)
    try:
        cases = read_cases(data)
        if name in others or (name is None and not language_models):
            judged = judge_tagger(nlp, cases)
        else:
            pipe = component(nlp, RNNLanguageModel, "rnn_lm", name)
            judged = judge_language_model(pipe, cases)
        by_distance = summarize(judged, "distance")
        by_attractors = summarize(judged, "attractors")
        _print(judged, by_distance, by_attractors)
        if output is not None:
            _write(output, judged, by_distance, by_attractors)
            msg.good(f"Wrote {output}")
    except (ImportError, OSError, ValueError) as error:
        fail(str(error))


def _print(
    judged: "Judged", by_distance: Sequence["Summary"], by_attractors: Sequence["Summary"]
) -> None:
    for header, summaries in (("words between", by_distance), ("attractors", by_attractors)):
        rows = [(each.value, each.cases, f"{each.accuracy:.3f}") for each in summaries]
        aligns: Any = ("r", "r", "r")
        print(table(rows, header=(header, "cases", "right"), divider=True, aligns=aligns))
    print(f"{judged.accuracy:.3f} of {len(judged.cases)} cases")
    for reason, n in judged.left_out.items():
        msg.warn(f"{n} cases {reason} are left out")


def _write(
    path: Path,
    judged: "Judged",
    by_distance: Sequence["Summary"],
    by_attractors: Sequence["Summary"],
) -> None:
    from ..analysis.agreement import plot

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() != ".json":
        plot(path, {"all cases": by_distance})
        return
    found = {
        "accuracy": judged.accuracy,
        "cases": len(judged.cases),
        "left_out": dict(judged.left_out),
        "distance": [each._asdict() for each in by_distance],
        "attractors": [each._asdict() for each in by_attractors],
    }
    path.write_text(json.dumps(found, indent=2), encoding="utf8")
