"""Predictions of a pipeline as columns of tables, in any process."""

import platform
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, NamedTuple, Optional, Sequence

import spacy
from spacy.language import Language
from spacy.util import import_file, load_model
from thinc.compat import has_torch

from ..checksums import checksum_of_files
from ..forks import ForkSafeLock
from ..optional import optional_import, torch
from ..pipeline.predictions import forms_of, predictions_of

if TYPE_CHECKING:
    from pandas import DataFrame

#: the column with the reason why a row has no predictions
ERROR = "error"
#: pipelines are loaded, and predict, in one thread at a time
_LOCK = ForkSafeLock()


class Answer(NamedTuple):
    """Predictions for a text.

    values (Dict[str, Any]): The value of each column, None for each if there is an error.
    error (Optional[str]): The reason why there are no values.
    n_words (int): The number of tokens.
    """

    values: Dict[str, Any]
    error: Optional[str]
    n_words: int = 0


class Annotator:
    """Adds the predictions of a pipeline to tables, as columns with the values that `python -m
    spacy rnn apply` writes to JSON lines, and the column "error". A row whose text cannot be read
    has a message there and no predictions.

    Only the arguments are sent to other processes. Each process loads the pipeline once, when it
    is first needed, and predicts in one thread.

    model (str): The path of the pipeline or the name of its package.
    columns (Optional[Sequence[str]]): The predictions to write, such as "ents"; None for all.
    text_column (str): The column with the texts.
    code (Optional[Path]): A Python file with registered functions to import first.
    gpu (bool): Predict on the first GPU that the process sees.
    """

    def __init__(
        self,
        model: str,
        columns: Optional[Sequence[str]] = None,
        text_column: str = "text",
        code: Optional[Path] = None,
        gpu: bool = False,
    ):
        self.model = str(model)
        self.columns = None if columns is None else tuple(columns)
        self.text_column = text_column
        self._code = code
        self._gpu = gpu

    def forms(self) -> Dict[str, Any]:
        """Get the columns that are added.

        RETURNS (Dict[str, Any]): The form of the values of each, see
            `spacy_rnn.pipeline.predictions.Prediction`.
        RAISES (ValueError): If the pipeline does not load or does not predict a column.
        """
        pipeline = self._load()
        known = {name: form for name, form in pipeline.forms.items() if name != self.text_column}
        if self.columns is None:
            return {**known, ERROR: str}
        for name in self.columns:
            if name not in known:
                raise ValueError(
                    f"The pipeline '{self.model}' does not predict {name!r}. Choose from "
                    f"{', '.join(known) or 'nothing'}."
                )
        return {**{name: known[name] for name in self.columns}, ERROR: str}

    def check_columns(self, names: Iterable[str]) -> None:
        """Check that a table has a column of texts, and none that would be added.

        names (Iterable[str]): The names of its columns.
        RAISES (ValueError): If it does not, or as of `forms`.
        """
        names = [*names]
        if self.text_column not in names:
            raise ValueError(
                f"There is no column {self.text_column!r}, but "
                f"{', '.join(map(repr, names)) or 'none'}. Choose the one with the texts."
            )
        for name in self.forms():
            if name in names:
                raise ValueError(
                    f"There already is a column {name!r}, which the predictions would replace. "
                    f"Rename it, or leave out {name!r} from the columns to predict."
                )

    def checksum(self) -> str:
        """Get the checksum of the files of the pipeline."""
        return self._load().checksum

    def annotate(self, texts: Sequence[Any]) -> List[Answer]:
        """Predict for texts.

        texts (Sequence[Any]): The texts. Values that are not strings get an error.
        RETURNS (List[Answer]): The predictions for each.
        """
        names = [name for name in self.forms() if name != ERROR]
        failed = [_why_unreadable(text) for text in texts]
        readable = [text for text, error in zip(texts, failed, strict=True) if error is None]
        pipeline = self._load()
        with _LOCK:
            found = iter(pipeline.answers(readable, names))
        nothing = dict.fromkeys(names)
        return [next(found) if error is None else Answer(nothing, error) for error in failed]

    def __call__(self, frame: "DataFrame") -> "DataFrame":
        """Add the columns to a table.

        frame (DataFrame): The table, of pandas.
        RETURNS (DataFrame): A table with the same rows.
        RAISES (ValueError): As of `check_columns`.
        """
        with optional_import("pandas", "Annotating data frames"):
            from pandas import Series

        self.check_columns(frame.columns)
        texts = frame[self.text_column].astype("object")
        # There are several kinds of missing values.
        answers = self.annotate(texts.where(texts.notna(), None).tolist())
        added = {}
        for name, form in self.forms().items():
            values = [x.error if name == ERROR else x.values[name] for x in answers]
            dtype = "float64" if form is float else "object"
            added[name] = Series(values, index=frame.index, dtype=dtype)
        return frame.assign(**added)

    def _load(self) -> "_Pipeline":
        with _LOCK:
            return _load(self.model, self._code, self._gpu)


class _Pipeline:
    """A loaded pipeline.

    nlp (Language): The pipeline.
    """

    def __init__(self, nlp: Language):
        self._nlp = nlp
        predictions = predictions_of(nlp)
        self.forms = forms_of(predictions)
        self._values = {prediction.name: prediction.value for prediction in predictions}
        self.checksum = checksum_of_files(Path(nlp.path))

    def answers(self, texts: Sequence[str], names: Sequence[str]) -> List[Answer]:
        """Predict for texts. If that fails, predict for each half, until a failing text is alone.

        texts (Sequence[str]): The texts.
        names (Sequence[str]): The predictions.
        RETURNS (List[Answer]): The predictions for each.
        """
        try:
            # The vocabulary forgets their new words.
            with self._nlp.memory_zone():
                return [
                    Answer({name: self._values[name](doc) for name in names}, None, len(doc))
                    for doc in self._nlp.pipe(texts)
                ]
        except Exception as error:
            if len(texts) == 1:
                return [Answer(dict.fromkeys(names), _message(error))]
        half = len(texts) // 2
        return [*self.answers(texts[:half], names), *self.answers(texts[half:], names)]


@cache
def _load(model: str, code: Optional[Path], gpu: bool) -> _Pipeline:
    try:
        if code is not None:
            import_file("python_code", code)
        if gpu:
            spacy.require_gpu()
        if has_torch:
            # Several processes share the cores.
            torch.set_num_threads(1)
        return _Pipeline(load_model(model))
    except Exception as error:  # spaCy and its parts raise many kinds for a damaged file.
        raise ValueError(
            f"The pipeline '{model}' can't be loaded on {platform.node()}: "
            f"{_message(error).removesuffix('.')}. Every computer must have it at this path, or "
            f"installed as a package."
        ) from error


def _why_unreadable(text: Any) -> Optional[str]:
    """The reason why a value is not a text."""
    if text is None:
        return "The text is missing."
    if not isinstance(text, str):
        return f"The text must be a string, but it is {text!r}."
    return None


def _message(error: Exception) -> str:
    return str(error) or type(error).__name__
