"""The corpora of a config that is made for given data."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Sequence

from spacy.language import Language

from .data_options import DataOptions, detect_data, language_of
from .io import fail

if TYPE_CHECKING:
    from ..readers.data_file import DataFile


class TrainingData(NamedTuple):
    """The training data of a config.

    tasks (List[str]): The tasks, given or inferred.
    words (int): The number of words, those of translations included.
    settings (Dict[str, Any]): The settings of the corpora, by dotted name.
    lines (List[str]): Descriptions of the data.
    """

    tasks: List[str]
    words: int
    settings: Dict[str, Any]
    lines: List[str]


def find_data(
    train: Path,
    dev: Optional[Path],
    tasks: Optional[Sequence[str]],
    lang: str,
    options: DataOptions,
) -> TrainingData:
    """Find out how the training data is read and count its words, or exit with an error.

    train (Path): The training data.
    dev (Optional[Path]): The development data, read as the training data if its format is the same.
    tasks (Optional[Sequence[str]]): The tasks; None to infer one.
    lang (str): The code of the language, whose tokenizer is used.
    options (DataOptions): The options of both files.
    RETURNS (TrainingData): The data.
    """
    from ..readers.data_file import detect

    file = detect_data(train, None if tasks is None else tasks[0], options)
    if dev is None:
        fail(
            "There is no development data, which selects the best pipeline. Give it with --dev, or "
            f"split the training data: python -m spacy rnn convert {train} corpus --split 0.1 "
            f"--lang {lang}, and then --data corpus/train.spacy --dev corpus/dev.spacy"
        )
    dev_file = detect_data(dev, file.task, options)
    is_same = dev_file.format == file.format
    if is_same:
        try:
            dev_file = detect(dev, **file.settings)
        except ValueError as error:
            raise ValueError(
                f"{error} The development data must have the columns of the training data, unless "
                f"one of the two is converted to .spacy first."
            ) from error
    found = [*(tasks or [str(file.task)])]
    nlp = language_of(lang)()
    words = _count_words(file, found, nlp)
    _count_words(dev_file, found, nlp)
    has_labels = file.label_names is not None
    settings: Dict[str, Any] = {
        "paths.train": str(train),
        "paths.dev": str(dev),
        "corpora.train": file.reader_config("${paths.train}"),
        "corpora.dev": dev_file.reader_config("${paths.dev}"),
    }
    if is_same and has_labels:
        # A label that is rare may be missing in the development data.
        settings["corpora.dev"]["labels"] = "${corpora.train}"
    lines = [*file.describe(), *file.counts.lines()]
    return TrainingData(found, words, settings, lines)


def _count_words(file: "DataFile", tasks: Sequence[str], nlp: Language) -> int:
    """Count the words of all texts and of their translations, as batches are measured, or exit with
    an error if no text has the annotation of a task."""
    from ..readers.formats.docbin import tasks_of

    words, annotated = 0, {"lm"}
    for doc in file.read(nlp):
        annotated.update(tasks_of(doc))
        words += len(doc) + len((doc._.translation or "").split())
    # A text with one label may have had several.
    if annotated & {"textcat", "textcat_multilabel"}:
        annotated |= {"textcat", "textcat_multilabel"}
    missing = [task for task in tasks if task not in annotated]
    if missing:
        cure = "Leave out the task, or use other data."
        if "columns" in file.form.settings:
            cure = (
                "Give the column of each content with --columns, such as "
                "tokens=0,tags=1,entities=2 or text=NAME,label=NAME."
            )
        fail(
            f"{file.path} has no annotation for {', '.join(missing)} as it is read "
            f"({'; '.join(file.describe())}). {cure}"
        )
    return words
