"""The corpora of a config that is made for given data."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from spacy.tokens import Doc
from spacy.util import get_lang_class

from .data_options import detect_data
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
    file = detect_data(train, None if tasks is None else tasks[0], columns, **options)
    if dev is None:
        fail(
            "There is no development data, which selects the best pipeline. Give it with --dev, or "
            f"split the training data: python -m spacy rnn convert {train} corpus --split 0.1 "
            f"--lang {lang}, and then --data corpus/train.spacy --dev corpus/dev.spacy"
        )
    dev_file = detect_data(dev, file.task, columns, **options)
    is_same = dev_file.format == file.format
    if is_same:
        dev_file = replace(file, path=dev)
    words = sum(map(_n_words, file.read(get_lang_class(lang)())))
    has_labels = file.label_names is not None
    settings = {
        "paths.train": str(train),
        "paths.dev": str(dev),
        "corpora.train": file.reader_config("${paths.train}"),
        "corpora.dev": dev_file.reader_config("${paths.dev}"),
    }
    if is_same and has_labels:
        # A label that is rare may be missing in the development data.
        settings["corpora.dev"]["labels"] = "${corpora.train}"
    lines = [*file.describe(), *file.counts.lines()]
    return TrainingData([*(tasks or [file.task])], words, settings, lines)


def _n_words(doc: Doc) -> int:
    """The words of a text and of its translation, as batches are measured."""
    translation = doc._.translation if doc.has_extension("translation") else None
    return len(doc) + len((translation or "").split())
