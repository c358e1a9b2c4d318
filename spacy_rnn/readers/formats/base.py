"""The interface of formats, and the contents of a file that they share."""

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Dict, Iterator, List, Mapping, Optional, Tuple

from spacy.language import Language
from spacy.tokens import Doc

from ..columns import Column
from ..labels import names_of_labels
from ..rows import RowReader

if TYPE_CHECKING:
    from ..data_file import DataFile

#: the annotation that shows a task, by role
TASKS = {
    "translation": "translator",
    "spans": "ner",
    "entities": "ner",
    "tags": "tagger",
    "pos": "tagger",
    "morph": "tagger",
    "label": "textcat",
    "labels": "textcat_multilabel",
    "cats": "textcat_multilabel",
    "regression": "regressor",
}
#: the last characters of sentences
SENTENCE_ENDS = tuple('.!?…"”»。！？')
#: the place of a row, such as "line 3", and the values of its columns
Row = Tuple[str, Mapping[str, Any]]
#: the number of labels and of places that a message lists
N_LABELS = 10
N_PLACES = 3


@dataclass
class ReadCounts:
    """Numbers of what was read.

    docs (int): Number of documents.
    tokens (int): Number of their tokens.
    labels (Counter[str]): Number of entities, tokens or documents with each label.
    problems (Dict[str, List[str]]): The places, such as "line 3", of each kind of problem.
    """

    docs: int = 0
    tokens: int = 0
    labels: "Counter[str]" = field(default_factory=Counter)
    problems: Dict[str, List[str]] = field(default_factory=dict)

    def add(self, doc: Doc, task: Optional[str]) -> None:
        """Count a doc.

        doc (Doc): The annotated doc.
        task (Optional[str]): The task, whose labels are counted.
        """
        self.docs += 1
        self.tokens += len(doc)
        self.labels.update(_labels_of(doc, task))

    def note(self, problem: str, place: str) -> None:
        """Count a problem, such as a text that is left out.

        problem (str): The problem.
        place (str): Its place.
        """
        self.problems.setdefault(problem, []).append(place)

    def lines(self) -> List[str]:
        """Describe the numbers, in one line for each."""
        found = [f"{self.docs} documents, {self.tokens} tokens"]
        if self.labels:
            shown = [f"{label} {n}" for label, n in self.labels.most_common(N_LABELS)]
            n_more = len(self.labels) - len(shown)
            found.append(f"labels: {', '.join(shown)}" + f" and {n_more} more" * bool(n_more))
        for problem, places in self.problems.items():
            more = ", ..." if len(places) > N_PLACES else ""
            shown_places = ", ".join(places[:N_PLACES])
            found.append(f"{problem}: {len(places)} ({shown_places}{more})")
        return found


def _labels_of(doc: Doc, task: Optional[str]) -> List[str]:
    if task == "ner":
        return [ent.label_ for ent in doc.ents]
    if task == "tagger":
        return [token.tag_ or token.pos_ for token in doc if token.tag or token.pos]
    if task == "regressor":
        return list(doc._.regression or ())
    return [label for label, value in doc.cats.items() if value >= 0.5]


@dataclass(frozen=True)
class Start:
    """The beginning of a file, from which its format is recognized.

    path (Path): The file or folder.
    ending (str): The ending of its name without that of compression, in lower case.
    lines (Tuple[str, ...]): The first lines; none of a folder or of a file that is not text.
    """

    path: Path
    ending: str
    lines: Tuple[str, ...]


class Format(ABC):
    """A format of files, which are recognized, described and read."""

    #: the value of the setting `format`
    name: ClassVar[str]
    #: the endings of its files
    endings: ClassVar[Tuple[str, ...]] = ()
    #: the settings that the format reads, besides `format`, `task` and `encoding`
    settings: ClassVar[Tuple[str, ...]]

    @abstractmethod
    def fits(self, start: Start) -> bool:
        """Return True if a file looks like this format.

        start (Start): The beginning of the file.
        """

    @abstractmethod
    def complete(self, file: "DataFile") -> "DataFile":
        """Fill in the settings that are not given, by looking at the file.

        file (DataFile): The file with the given settings.
        RETURNS (DataFile): The file with all settings, and what was guessed.
        RAISES (ValueError): If the settings do not fit the file.
        """

    @abstractmethod
    def docs(self, file: "DataFile", nlp: Language, counts: ReadCounts) -> Iterator[Doc]:
        """Read the docs of a file.

        file (DataFile): The file with all settings.
        nlp (Language): The pipeline, whose tokenizer is used.
        counts (ReadCounts): Problems are added to it.
        YIELDS (Doc): The annotated docs.
        """

    def labels(self, file: "DataFile") -> Optional[List[str]]:
        """The names of all labels in `doc.cats`, None if the file has none or they are unknown."""
        return None

    def reader_config(self, file: "DataFile", path: str) -> Dict[str, Any]:
        """The block of a config that reads files like this one.

        file (DataFile): The file with all settings.
        path (str): The value of `path`.
        RETURNS (Dict[str, Any]): The block.
        """
        return {"@readers": "spacy_rnn.Corpus.v1", "path": path, **file.settings}


class RowFormat(Format):
    """A format whose documents are rows with columns."""

    @abstractmethod
    def rows(self, file: "DataFile", counts: ReadCounts) -> Iterator[Row]:
        """Read the rows of a file.

        file (DataFile): The file with all settings.
        counts (ReadCounts): Problems are added to it.
        YIELDS (Row): The place of each row, and its values.
        """

    def docs(self, file: "DataFile", nlp: Language, counts: ReadCounts) -> Iterator[Doc]:
        reader = file.row_reader
        for place, row in self.rows(file, counts):
            try:
                doc = reader.read(nlp, row)
            except ValueError as error:
                raise ValueError(f"{place.capitalize()} of {file.path}: {error}") from error
            for problem in reader.problems:
                counts.note(problem, place)
            if doc is None:
                counts.note("rows without a text, left out", place)
            elif file.task == "translator" and not doc._.translation:
                counts.note("texts without a translation, left out", place)
            else:
                if reader.columns.keys() & {"label", "labels", "cats"} and not doc.cats:
                    counts.note("texts without a label, read without it", place)
                yield doc
        reader.report()

    def labels(self, file: "DataFile") -> Optional[List[str]]:
        names = file.row_reader.label_names
        return None if names is None else list(names)

    def make_reader(self, file: "DataFile") -> RowReader:
        """Make the reader of rows. The names of labels are collected from the file if they are not
        given.

        file (DataFile): The file with all settings.
        RETURNS (RowReader): The reader.
        """
        columns = {
            role: [Column((name,), None) for name in ([names] if isinstance(names, str) else names)]
            for role, names in (file.columns or {}).items()
        }
        names = names_of_labels(file.labels, file.path)
        reader = RowReader(columns, file.path, names, file.separator or "")
        reader.collect_names(self.rows(file, ReadCounts()))
        return reader


def pair_config(file: "DataFile", path: str, **settings: Any) -> Dict[str, Any]:
    """The block of a config that reads texts with translations.

    file (DataFile): The file with all settings.
    path (str): The value of `path`.
    **settings (Any): Settings of the format.
    RETURNS (Dict[str, Any]): The block.
    """
    block = {"@readers": "spacy_rnn.ParallelCorpus.v1", "path": path, **settings}
    return {**block, "encoding": file.encoding}
