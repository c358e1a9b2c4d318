"""python -m spacy rnn evaluate: the scores of a pipeline on data of any form."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Iterator, List, Optional, Sequence

from spacy.cli._util import import_code
from spacy.language import Language
from spacy.training import Corpus, Example
from typer import Argument, Option
from wasabi import msg

from .data_options import DataOptions, TargetOption, TaskOption, detect_data, with_options
from .io import code_option, gpu_option, load, output_option, use_gpu, write
from .scores import print_scores, print_scores_per_label, remove_missing_cats

if TYPE_CHECKING:
    from ..readers.data_file import DataFile

#: the maximum number of labels that a warning names
MOST_LABELS = 10


@with_options(DataOptions)
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
    task: TaskOption = None,
    target_path: TargetOption = None,
    code: Annotated[Optional[Path], code_option()] = None,
    gpu_id: Annotated[int, gpu_option()] = -1,
    *,
    options: DataOptions,
) -> None:
    """Print the scores of a pipeline on annotated data.

    Prints every score that the components compute: shares in percent; perplexities, bits, errors
    and correlations as they are; and the speed. Reads all formats of 'rnn convert'.
    """
    from ..pipeline.base import RNNPipe

    import_code(code)
    use_gpu(gpu_id)
    nlp = load(model)
    file = detect_data(data, task or task_of(nlp), options, target_path)
    for line in file.describe():
        msg.info(line)
    pipes = [pipe for _, pipe in nlp.pipeline if isinstance(pipe, RNNPipe)]
    examples = read_examples(file, nlp, gold_preproc)
    for warning in (each for pipe in pipes for each in warnings_about(pipe, examples)):
        msg.warn(warning)
    scores = nlp.evaluate(examples)
    missing = remove_missing_cats(scores, examples)
    if missing:
        msg.warn(
            f"The data has no text with these labels: {_shorten(missing)}. They have no scores of "
            f"their own, and count as 0 in averages over all labels (macro)."
        )
    print_scores(scores)
    if per_type:
        print_scores_per_label(scores)
    if output is not None:
        write(output, scores)


def task_of(nlp: Language) -> Optional[str]:
    """Find out the task of a pipeline.

    nlp (Language): The pipeline.
    RETURNS (Optional[str]): The task, if one component of this package has one; None for others.
    """
    from ..readers.data_file import TASKS

    factories = [nlp.get_pipe_meta(name).factory for name in nlp.pipe_names]
    tasks = [task for task in TASKS if f"rnn_{task}" in factories]
    return tasks[0] if len(tasks) == 1 else None


def read_examples(file: "DataFile", nlp: Language, gold_preproc: bool = False) -> List[Example]:
    """Read examples, and print problems of the data.

    file (DataFile): The file with all settings.
    nlp (Language): The pipeline.
    gold_preproc (bool): Keep the tokens and sentences of the data.
    RETURNS (List[Example]): The examples.
    RAISES (ValueError): If there are none, or the data is malformed.
    """
    names = file.label_names
    if names is not None:
        # Labels that no text of the file has are absent, not unknown.
        classifiers = [n for n in nlp.pipe_names if "doc.cats" in nlp.get_pipe_meta(n).assigns]
        known = [label for name in classifiers for label in nlp.pipe_labels[name]]
        file = replace(file, labels=list(dict.fromkeys([*names, *known])))
    # spaCy's corpus only makes the examples.
    corpus = Corpus(file.path)
    make = corpus.make_examples_gold_preproc if gold_preproc else corpus.make_examples
    examples = list(make(nlp, file.read(nlp)))
    numbers, *others = file.counts.lines()
    msg.info(numbers)
    for line in others:
        (msg.info if line.startswith("labels") else msg.warn)(line)
    if not examples:
        raise ValueError(f"{file.path} has no texts to evaluate on. Check the path.")
    return examples


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
        counted = [f"{label} ({n})" for label, n in unknown.most_common()]
        yield (
            f"The data has labels that '{pipe.name}' does not know and never predicts: "
            f"{_shorten(counted)}."
        )


def _shorten(labels: Sequence[str]) -> str:
    n_more = len(labels) - MOST_LABELS
    return ", ".join(labels[:MOST_LABELS]) + (f" and {n_more} more" if n_more > 0 else "")


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
