"""python -m spacy rnn evaluate: the scores of a pipeline on data of any form."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Iterator, Optional, Sequence

from spacy.cli._util import import_code, setup_gpu
from spacy.training import Corpus, Example
from typer import Argument, Option
from wasabi import msg

from .io import code_option, fail, gpu_option, load, output_option, write
from .scores import print_scores, print_scores_per_label

#: the maximum number of unknown labels that a warning names
MOST_LABELS = 10


def evaluate_cli(
    model: Annotated[str, Argument(help="Pipeline: path or name of a package")],
    data: Annotated[Path, Argument(help="Annotated data", exists=True)],
    output: Annotated[Optional[Path], output_option("Also write all scores to this file")] = None,
    per_type: Annotated[
        bool, Option("--per-type", help="Also print the scores of each label, feature or target")
    ] = False,
    gold_preproc: Annotated[
        bool, Option("--gold-preproc", help="Predict from the tokens and sentences of the data")
    ] = False,
    code: Annotated[Optional[Path], code_option()] = None,
    gpu_id: Annotated[int, gpu_option()] = -1,
) -> None:
    """Print the scores of a pipeline on annotated data.

    Prints every score that the components compute: shares in percent; perplexities, bits, errors
    and correlations as they are; and the speed.
    """
    from ..pipeline.base import RNNPipe

    import_code(code)
    setup_gpu(gpu_id, silent=gpu_id < 0)
    nlp = load(model)
    try:
        examples = list(Corpus(data, gold_preproc=gold_preproc)(nlp))
        if not examples:
            fail(f"{data} has no texts to evaluate on.")
        for name in nlp.pipe_names:
            pipe = nlp.get_pipe(name)
            if isinstance(pipe, RNNPipe):
                for warning in warnings_about(pipe, examples):
                    msg.warn(warning)
        scores = nlp.evaluate(examples)
    except (ImportError, OSError, ValueError) as error:
        fail(str(error))
    print_scores(scores)
    if per_type:
        print_scores_per_label(scores)
    if output is not None:
        write(output, scores)


def warnings_about(pipe: Any, examples: Sequence[Example]) -> Iterator[str]:
    """Find annotation that a component cannot be scored on.

    pipe (RNNPipe): The component.
    examples (Sequence[Example]): The examples.
    YIELDS (str): The warnings.
    """
    if all(map(pipe.lacks_annotation, examples)):
        names = " or ".join(pipe.gold_annotation)
        yield f"'{pipe.name}' has no scores, because the data has no {names}."
    unknown = unknown_labels(pipe, examples)
    if unknown:
        most = [f"{label} ({n})" for label, n in unknown.most_common(MOST_LABELS)]
        more = f" and {len(unknown) - len(most)} more" if len(unknown) > len(most) else ""
        yield (
            f"The data has labels that '{pipe.name}' does not know and never predicts: "
            f"{', '.join(most)}{more}."
        )


def unknown_labels(pipe: Any, examples: Sequence[Example]) -> Counter[str]:
    """Count the labels of examples that a component does not have.

    pipe (RNNPipe): The component.
    examples (Sequence[Example]): The examples.
    RETURNS (Counter[str]): How often each is annotated.
    """
    known = set(getattr(pipe, "labels", ()))
    counts: Counter[str] = Counter()
    for eg in examples:
        for target, values in pipe.example_stats(eg).labels.items():
            # Numbers stand under the name of what they measure.
            labels = [target if isinstance(value, (int, float)) else value for value in values]
            counts.update(label for label in labels if label not in known)
    return counts
