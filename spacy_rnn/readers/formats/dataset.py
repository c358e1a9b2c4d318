"""Datasets of the library `datasets`."""

from itertools import islice
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional

from spacy.language import Language
from spacy.tokens import Doc

from ..hf_dataset import HFDataset
from ..sources import BUILDERS, is_saved_dataset
from .base import Format, ReadCounts, Start
from .docbin import N_DOCS, task_of

if TYPE_CHECKING:
    from ..data_file import DataFile


class Datasets(Format):
    """A Parquet or Arrow file, or a folder written by `save_to_disk`."""

    name = "dataset"
    endings = tuple(BUILDERS)
    settings = ("columns", "separator")

    def fits(self, start: Start) -> bool:
        return start.ending in self.endings or is_saved_dataset(start.path)

    def complete(self, file: "DataFile") -> "DataFile":
        if file.task is not None:
            return file
        examples = islice(_reader(file)(Language()), N_DOCS)
        return file.guessed(task=task_of(example.reference for example in examples))

    def docs(self, file: "DataFile", nlp: Language, counts: ReadCounts) -> Iterator[Doc]:
        # The reader logs which columns it reads, and how many rows it drops.
        for example in _reader(file)(nlp):
            yield example.reference

    def labels(self, file: "DataFile") -> Optional[List[str]]:
        return _reader(file).label_names if "textcat" in str(file.task) else None

    def reader_config(self, file: "DataFile", path: str) -> Dict[str, Any]:
        found: Dict[str, Any] = {"@readers": "spacy_rnn.HFDataset.v1", "path": path}
        given = {"columns": file.columns, "separator": file.separator}
        return {**found, **{name: value for name, value in given.items() if value}}


def _reader(file: "DataFile") -> HFDataset:
    return HFDataset(
        file.path,
        columns=file.columns,
        separator=file.separator or "",
        labels=file.labels,
    )
