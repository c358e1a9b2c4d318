"""python -m spacy rnn threshold: the confidence from which labels can be trusted."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Optional

from spacy.cli._util import import_code
from typer import Argument, Option
from wasabi import msg

from ..display.strings import shorten
from .data_options import DataOptions, TaskOption, detect_data, with_options
from .evaluate import read_examples
from .io import (
    code_option,
    component_option,
    fail,
    get_component,
    gpu_option,
    load,
    output_option,
    use_gpu,
    write,
)

if TYPE_CHECKING:
    from ..analysis.thresholds import Interval, Threshold

HEADER = ("", "confidence", "predictions", "precision", "95 %", "gold", "recall", "95 %")


@with_options(DataOptions)
def threshold_cli(
    model: Annotated[str, Argument(help="Pipeline: path or name of a package")],
    data: Annotated[Path, Argument(help="Annotated data that was not trained on", exists=True)],
    precision: Annotated[
        Optional[float], Option("--precision", help="Wanted precision, from 0 to 1")
    ] = None,
    recall: Annotated[
        Optional[float], Option("--recall", help="Wanted recall instead, from 0 to 1")
    ] = None,
    per_label: Annotated[
        bool, Option("--per-label", help="Also print a threshold for each label alone")
    ] = False,
    output: Annotated[Optional[Path], output_option("Also write the results as JSON")] = None,
    component: Annotated[Optional[str], component_option("component")] = None,
    task: TaskOption = None,
    code: Annotated[Optional[Path], code_option()] = None,
    gpu_id: Annotated[int, gpu_option()] = -1,
    *,
    options: DataOptions,
) -> None:
    """Find the lowest confidence at which the labels of a component have a given precision.

    Prints this confidence and the recall that remains, both with confidence intervals. Reads all
    formats of 'rnn convert'.
    """
    from ..analysis.thresholds import find_threshold, judge
    from ..analysis.uncertainty import LABELING

    if (precision is None) == (recall is None):
        fail("Give one of --precision and --recall, such as --precision 0.95.")
    import_code(code)
    use_gpu(gpu_id)
    nlp = load(model)
    kinds: Any = LABELING
    names = "tagger, entity recognizer or text classifier of this package"
    pipe = get_component(nlp, kinds, names, component)
    known_task = nlp.get_pipe_meta(pipe.name).factory.removeprefix("rnn_")
    file = detect_data(data, task or known_task, options)
    for line in file.describe():
        msg.info(line)
    judged = judge(nlp, pipe.name, read_examples(file, nlp))
    if not any(each.gold or each.labels for each in judged.values()):
        needed = " or ".join(pipe.gold_annotation)
        raise ValueError(f"{data} has no {needed}, with which '{pipe.name}' is compared.")
    wanted = {"precision": precision, "recall": recall}
    found: Dict[str, Any] = {
        kind: {
            "all": find_threshold(each, **wanted),
            "labels": {
                label: find_threshold(of_label, **wanted)
                for label, of_label in each.by_label().items()
            },
        }
        for kind, each in judged.items()
    }
    name, value = ("recall", recall) if precision is None else ("precision", precision)
    for kind, results in found.items():
        rows = {kind: results["all"]}
        if per_label:
            rows.update(results["labels"])
        _print(rows, f"{name} of {value}")
    if output is not None:
        write(output, {"component": pipe.name, name: value, "thresholds": _as_json(found)})


def _print(rows: Dict[str, "Threshold"], wanted: str) -> None:
    table = [_row(name, threshold) for name, threshold in rows.items()]
    aligns: Any = ["l", *"rrrrrrr"]
    msg.table(table, header=HEADER, divider=True, aligns=aligns, max_col=60)
    missed = [shorten(name) for name, threshold in rows.items() if not threshold.reached]
    if missed:
        msg.warn(
            f"No confidence gives a {wanted} for {', '.join(missed)}: their rows show what comes "
            f"closest."
        )


def _row(name: str, found: "Threshold") -> List[str]:
    value = "-" if found.threshold is None else f"{found.threshold:.15g}"
    return [
        shorten(name),
        value,
        f"{found.predictions:,}",
        f"{100 * found.precision:.2f}" if found.predictions else "-",
        _interval(found.precision_interval),
        f"{found.gold:,}",
        f"{100 * found.recall:.2f}" if found.gold else "-",
        _interval(found.recall_interval),
    ]


def _interval(ends: "Interval") -> str:
    return " - ".join(f"{100 * end:.1f}" for end in ends)


def _as_json(found: Dict[str, Any]) -> Dict[str, Any]:
    return {
        kind: {
            **asdict(results["all"]),
            "labels": {label: asdict(each) for label, each in results["labels"].items()},
        }
        for kind, results in found.items()
    }
