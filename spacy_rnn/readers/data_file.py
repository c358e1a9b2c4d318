"""Data files of any known format: what they contain, and their annotated docs."""

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

from spacy.language import Language
from spacy.tokens import Doc

from ..text_files import UTF8, check_encoding, ending_of, open_text
from ..validation import at_least
from .formats import FORMATS
from .formats.base import Format, ReadCounts, RowFormat, Start
from .formats.dataset import Datasets
from .formats.docbin import DocBins
from .rows import RowReader

#: the tasks of components
TASKS = ("tagger", "ner", "textcat", "textcat_multilabel", "regressor", "translator", "lm")
#: the value of the setting `format` for a format that is recognized
AUTO = "auto"
#: the number of lines from which the format is recognized
N_LINES = 1000
#: endings of files that are not text
BINARY = (*DocBins.endings, *Datasets.endings)


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """A data file, and the settings with which it is read.

    path (Path): The file or folder.
    form (Format): The format.
    task (Optional[str]): The task of the component that learns from it.
    columns (Optional[Dict[str, Union[str, List[str]]]]): The name of the column of each role, such
        as {"text": "sentence", "label": "intent"}; its index, from 0, without a header.
    labels (Any): The names of all labels in `doc.cats`, or a reader that has them; None for those
        of the file.
    separator (Optional[str]): The separator of labels in one field; "" if a field is one label.
    delimiter (Optional[str]): The separator of columns.
    header (Optional[bool]): The first row has the names of the columns.
    quotes (Optional[bool]): Fields may be quoted by double quotes.
    encoding (str): The encoding of text files without a byte-order mark.
    target_path (Optional[Path]): The file with the translation of each line.
    n_sents (int): The number of sentences of a document.
    merge_subtokens (bool): Make one token of each multi-word token of CoNLL-U.
    guesses (Tuple[str, ...]): Descriptions of the settings that were guessed.
    counts (ReadCounts): The numbers of the latest pass.
    """

    path: Path
    form: Format
    task: Optional[str] = None
    columns: Optional[Dict[str, Union[str, List[str]]]] = None
    labels: Any = None
    separator: Optional[str] = None
    delimiter: Optional[str] = None
    header: Optional[bool] = None
    quotes: Optional[bool] = None
    encoding: str = UTF8
    target_path: Optional[Path] = None
    n_sents: int = 1
    merge_subtokens: bool = False
    guesses: Tuple[str, ...] = ()
    counts: ReadCounts = field(default_factory=ReadCounts, compare=False)

    @property
    def format(self) -> str:
        """The name of the format."""
        return self.form.name

    def read(self, nlp: Language) -> Iterator[Doc]:
        """Read the docs. Their number and all problems are in `counts` afterwards.

        nlp (Language): The pipeline, whose tokenizer is used.
        YIELDS (Doc): The annotated docs.
        RAISES (ValueError): If the file is malformed, or has no docs.
        """
        vars(self.counts).update(vars(ReadCounts()))
        for doc in self.form.docs(self, nlp, self.counts):
            self.counts.add(doc, self.task)
            yield doc
        if not self.counts.docs:
            found = "; ".join([*self.describe(), *self.counts.lines()[1:]])
            raise ValueError(
                f"Read 0 documents from {self.path}: {found}. Check the path, the format and the "
                f"columns."
            )

    def describe(self) -> List[str]:
        """Describe how the file is read, in one line for each guess."""
        return [f"format: {self.format}, task: {self.task}", *self.guesses]

    def guessed(self, *guesses: str, **settings: Any) -> "DataFile":
        """Set settings that were guessed.

        *guesses (str): Their descriptions.
        **settings (Any): The settings.
        RETURNS (DataFile): A copy of this one with the settings.
        """
        return replace(self, guesses=(*self.guesses, *guesses), **settings)

    def reader_config(self, path: str) -> Dict[str, Any]:
        """The block of a config that reads this file, or another one of the same kind.

        path (str): The value of `path`, such as "${paths.train}".
        RETURNS (Dict[str, Any]): The block.
        """
        return self.form.reader_config(self, path)

    @property
    def settings(self) -> Dict[str, Any]:
        """The settings of `spacy_rnn.Corpus.v1` that differ from its defaults."""
        found = {name: getattr(self, name) for name in (*self.form.settings, "encoding")}
        defaults = {field.name: field.default for field in fields(self)}
        chosen = {name: value for name, value in found.items() if value != defaults[name]}
        return {"format": self.format, "task": self.task, **chosen}

    @property
    def label_names(self) -> Optional[List[str]]:
        """The names of all labels in `doc.cats`, None if there are none."""
        return self.form.labels(self)

    @cached_property
    def row_reader(self) -> RowReader:
        """The reader of the rows of a file that has rows."""
        if not isinstance(self.form, RowFormat):
            raise TypeError(f"{self.path} has no rows.")
        return self.form.make_reader(self)


def detect(
    path: Union[str, Path], task: Optional[str] = None, *, format: str = AUTO, **settings: Any
) -> DataFile:
    """Find out how a data file is read.

    path (Union[str, Path]): The file or folder.
    task (Optional[str]): The task of the component that learns from it; None to guess.
    format (str): The name of the format, "auto" to guess.
    **settings (Any): The settings of `DataFile`; those that are missing or None are guessed.
    RETURNS (DataFile): The file with all settings.
    RAISES (ValueError): If no format fits, or the settings do not fit the file.
    RAISES (FileNotFoundError): If the file does not exist.
    """
    path = Path(path)
    known = {form.name: form for form in FORMATS}
    if format not in (AUTO, *known):
        raise ValueError(f"'format' must be one of {[AUTO, *known]}, got {format!r}.")
    if task not in (None, *TASKS):
        raise ValueError(f"'task' must be one of {list(TASKS)}, got {task!r}.")
    if not path.exists():
        raise FileNotFoundError(f"The file or folder {path} does not exist. Check the path.")
    defaults = {field.name: field.default for field in fields(DataFile)}
    given = {name: value for name, value in settings.items() if value != defaults[name]}
    at_least(1, n_sents=given.get("n_sents", 1))
    check_encoding(given.get("encoding", UTF8))
    start = _read_start(path, given.get("encoding", UTF8))
    form = known.get("aligned" if "target_path" in given else format)
    form = form or next((form for form in FORMATS if form.fits(start)), None)
    if form is None:
        raise ValueError(
            f"The folder {path} has no data of a known format: .spacy files, the files of "
            f"save_to_disk, or a folder for each label with texts in .txt files. If it has a "
            f"folder for each part, such as train and test, choose one of these."
        )
    unused = [name for name in given if name not in (*form.settings, "encoding", "labels")]
    if unused:
        raise ValueError(
            f"The settings {unused} do not apply to {path}, whose format is '{form.name}'. Leave "
            f"them out, or set format to one of {list(known)}."
        )
    return form.complete(DataFile(path=path, form=form, task=task, **given))


def _read_start(path: Path, encoding: str) -> Start:
    """The first lines of a file."""
    ending = ending_of(path)
    if path.is_dir() or ending in BINARY:
        return Start(path, ending, ())
    # Not read_lines, for which carriage returns within quoted fields are an error.
    with open_text(path, encoding) as file:
        lines = tuple(line.rstrip("\r\n") for line in islice(file, N_LINES))
    if not any(line.strip() for line in lines):
        raise ValueError(f"{path} is empty. Check the path.")
    return Start(path, ending, lines)
