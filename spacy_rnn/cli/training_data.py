"""The corpora of a config that is made for given data."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, NoReturn, Optional, Sequence

from spacy.tokens import Doc
from spacy.util import get_lang_class

from .data_options import detect_or_fail
from .io import fail


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
    columns: Optional[str],
    **options: Any,
) -> TrainingData:
    """Find out how the training data is read and count its words, or exit with an error.

    train (Path): The training data.
    dev (Optional[Path]): The development data, read as the training data if its format is the same.
    tasks (Optional[Sequence[str]]): The tasks; None to infer one.
    lang (str): The code of the language, whose tokenizer is used.
    columns (Optional[str]): The option for columns.
    **options (Any): The other options, named as the settings of `detect`.
    RETURNS (TrainingData): The data.
    """
    file = detect_or_fail(train, tasks and tasks[0], columns, **options)
    if dev is None:
        _fail_without_dev(train)
    dev_file = detect_or_fail(dev, file.task, columns, **options)
    if dev_file.format == file.format:
        dev_file = replace(file, path=dev)
    try:
        words = sum(map(_n_words, file.read(get_lang_class(lang)())))
    except (AttributeError, ImportError, OSError, ValueError) as error:
        fail(str(error))
    corpora = {
        "train": file.reader_config("${paths.train}"),
        "dev": dev_file.reader_config("${paths.dev}"),
    }
    if "labels" in _settings_of(corpora["dev"]) and file.label_names is not None:
        # A label that is rare may be missing in the development data.
        corpora["dev"]["labels"] = "${corpora.train}"
    settings = {f"corpora.{part}": block for part, block in corpora.items()}
    paths = {"paths.train": str(train), "paths.dev": str(dev)}
    lines = [*file.describe(), *file.counts.lines()]
    return TrainingData([*(tasks or [file.task])], words, {**paths, **settings}, lines)
