"""python -m spacy rnn agreement: long-distance subject-verb agreement."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional, Sequence

from typer import Argument, Option
from wasabi import msg, table

from .io import (
    PLOT_ENDINGS,
    PLOT_OUTPUT,
    check_ending,
    get_component,
    load,
    model_argument,
    output_option,
    write,
)

if TYPE_CHECKING:
    from ..analysis.agreement import AgreementGroup, AgreementResult


def agreement_cli(
    model: Annotated[str, model_argument("a language model or a tagger")],
    data: Annotated[Path, Argument(help="Test cases, JSON lines")],
    name: Annotated[
        Optional[str],
        Option(
            "--component",
            help="Name of the language model, if the pipeline has several, or of the tagger, if it "
            "has a language model too",
        ),
    ] = None,
    output: Annotated[Optional[Path], output_option(PLOT_OUTPUT)] = None,
) -> None:
    """Evaluate long-distance subject-verb agreement.

    Prints accuracy by the number of words and by the number of attractors (nouns with another
    number) between subject and verb. A language model must prefer the correct form of the verb; a
    tagger must predict its Number in token.morph.
    """
    from ..analysis.agreement import (
        evaluate_language_model,
        evaluate_tagger,
        group_cases,
        plot_agreement,
        read_cases,
    )
    from ..pipeline.language_model import RNNLanguageModel

    check_ending(output, PLOT_ENDINGS)
    nlp = load(model)
    language_models = [n for n, pipe in nlp.components if isinstance(pipe, RNNLanguageModel)]
    # The prediction for a token may come from any of the other components.
    others = set(nlp.pipe_names).difference(language_models)
    cases = read_cases(data)
    if name in others or (name is None and not language_models):
        result = evaluate_tagger(nlp, cases)
    else:
        pipe = get_component(nlp, RNNLanguageModel, "rnn_lm", name)
        result = evaluate_language_model(pipe, cases)
    by_distance = group_cases(result, "distance")
    by_attractors = group_cases(result, "attractors")
    _print(result, by_distance, by_attractors)
    if output is not None:
        data_of_groups = _data(result, by_distance, by_attractors)
        write(output, data_of_groups, lambda p: plot_agreement(p, {"all cases": by_distance}))


def _print(
    result: "AgreementResult",
    by_distance: Sequence["AgreementGroup"],
    by_attractors: Sequence["AgreementGroup"],
) -> None:
    for header, groups in (("words between", by_distance), ("attractors", by_attractors)):
        rows = [(group.value, group.cases, f"{group.accuracy:.3f}") for group in groups]
        aligns: Any = ("r", "r", "r")
        print(table(rows, header=(header, "cases", "accuracy"), divider=True, aligns=aligns))
    print(f"Accuracy of {len(result.cases)} cases: {result.accuracy:.3f}")
    for reason, n in result.excluded.items():
        msg.warn(f"{n} cases {reason} are excluded")


def _data(
    result: "AgreementResult",
    by_distance: Sequence["AgreementGroup"],
    by_attractors: Sequence["AgreementGroup"],
) -> Any:
    return {
        "accuracy": result.accuracy,
        "cases": len(result.cases),
        "excluded": dict(result.excluded),
        "distance": [group._asdict() for group in by_distance],
        "attractors": [group._asdict() for group in by_attractors],
    }
