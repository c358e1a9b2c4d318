"""The annotation of files, cut into blocks that are annotated in any process."""

import os
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, Optional

import spacy

from .. import __version__
from ..optional import optional_import
from ..readers.sources import is_saved_dataset
from ..readers.tables import RULES
from ..text_files import ending_of
from .annotator import ERROR, Annotator
from .blocks import BlockStore
from .lines import JsonSource, LineSource, TableSource, TextSource
from .sources import DatasetSource, ParquetSource, Source

if TYPE_CHECKING:
    import pyarrow as pa

#: the readers of text files, by ending
_LINES: Dict[str, Callable[[Path, str], LineSource]] = {
    ".jsonl": JsonSource,
    ".txt": TextSource,
    **dict.fromkeys(RULES, TableSource),
}
ENDINGS = (".parquet", *_LINES)
#: bytes of input in a block: some 700,000 words, which take a core ten seconds to some minutes
BLOCK_SIZE = 4 << 20


class Block(NamedTuple):
    """Rows of a source, from one position to another."""

    source: Source
    start: int
    stop: int


class Counts(NamedTuple):
    """The counts of a block.

    block (int): Its number.
    rows, failed, words (int): The number of rows, of those with an error, and of tokens.
    started, ended (float): The times when its annotation started and ended.
    worker (str): The process that annotated it.
    problem (Optional[str]): The reason why it could not be annotated, if so.
    """

    block: int
    rows: int = 0
    failed: int = 0
    words: int = 0
    started: float = 0.0
    ended: float = 0.0
    worker: str = ""
    problem: Optional[str] = None


class Job:
    """Annotates the rows of files, and writes a Parquet file for each block of them. The files have
    the columns of the input and those of the predictions.

    source (Path): A file (.parquet, .jsonl, .csv, .tsv or .txt; text files may be compressed), a
        folder with files of one kind, or one written by `save_to_disk` of the library `datasets`.
    output (Path): The folder of the results: a new or empty one, or that of a job with the same
        arguments, which is continued.
    annotator (Annotator): Predicts.
    block_size (int): About the bytes of a block.

    blocks (List[Block]): The blocks.
    schema (pyarrow.Schema): The columns of the input.
    RAISES (ValueError): If the input cannot be read, columns are missing, or the output has other
        files.
    """

    def __init__(
        self, source: Path, output: Path, annotator: Annotator, block_size: int = BLOCK_SIZE
    ):
        with optional_import("pyarrow", "Annotating files"):
            import pyarrow as pa
        source = Path(source).absolute()
        sources = _open(source, annotator.text_column)
        self.schema = sources[0].schema()
        _check_same(sources, self.schema)
        annotator.check_columns(self.schema.names)
        self._annotator = annotator
        self._checksum = annotator.checksum()
        self._forms = annotator.forms()
        added = [pa.field(name, arrow_type(form)) for name, form in self._forms.items()]
        inputs = [field.remove_metadata() for field in self.schema]
        self._written = pa.schema([*inputs, *added])
        self.blocks = [Block(each, *ends) for each in sources for ends in each.blocks(block_size)]
        if not self.blocks:
            raise ValueError(f"{source} has no rows. Check the path.")
        self._store = BlockStore(Path(output).absolute())
        files = [
            [each.path.relative_to(source.parent).as_posix(), *_version_of(each.path)]
            for each in sources
        ]
        self._store.begin(
            {
                "model": self._checksum,
                "spacy": spacy.__version__,
                "spacy_rnn": __version__,
                "text_column": annotator.text_column,
                "schema": _described(self._written),
                "block_size": block_size,
                "input": files,
            }
        )

    def missing(self) -> List[int]:
        """Get the numbers of the blocks that have no file yet."""
        done = self._store.done()
        return [number for number in range(len(self.blocks)) if number not in done]

    def clean(self) -> None:
        """Remove what workers that died have left in the output. No worker may be running."""
        self._store.clean()

    def done(self) -> List[Counts]:
        """Get the counts of the blocks that have a file."""
        import pyarrow.parquet as pq

        found = []
        for number in sorted(self._store.done()):
            meta = pq.read_metadata(self._store.path(number))
            failed, words = int(meta.metadata[b"failed"]), int(meta.metadata[b"words"])
            found.append(Counts(number, meta.num_rows, failed, words))
        return found

    def annotate(self, number: int) -> Counts:
        """Annotate a block and write its file.

        number (int): The number of the block.
        RETURNS (Counts): Its counts.
        RAISES (OSError): If its file cannot be written or its source not be read.
        RAISES (ValueError): If its source is damaged, or the pipeline does not load.
        """
        import pyarrow.parquet as pq

        # The first call in a process loads the pipeline, which is not a part of the time.
        if self._annotator.checksum() != self._checksum:
            raise ValueError(
                f"The pipeline '{self._annotator.model}' on {platform.node()} is another one than "
                f"where the job was started. Copy it to every computer."
            )
        started = time.time()
        block = self.blocks[number]
        rows = failed = words = 0
        with self._store.write(number) as path, pq.ParquetWriter(path, self._written) as writer:
            for table, errors in block.source.read(block.start, block.stop, self.schema):
                answers = self._annotator.annotate(table[self._annotator.text_column].to_pylist())
                errors = [
                    error or answer.error for error, answer in zip(errors, answers, strict=True)
                ]
                values = {
                    name: [answer.values[name] for answer in answers]
                    for name in self._forms
                    if name != ERROR
                }
                writer.write_table(self._with(table, {**values, ERROR: errors}))
                rows += len(table)
                failed += sum(error is not None for error in errors)
                words += sum(answer.n_words for answer in answers)
            writer.add_key_value_metadata({"failed": str(failed), "words": str(words)})
        worker = f"{platform.node()}:{os.getpid()}"
        return Counts(number, rows, failed, words, started, time.time(), worker)

    def _with(self, table: "pa.Table", values: Dict[str, List[Any]]) -> "pa.Table":
        import pyarrow as pa

        added = [pa.array(values[name], self._written.field(name).type) for name in self._forms]
        columns = [column.combine_chunks() for column in table.columns]
        return pa.Table.from_arrays([*columns, *added], schema=self._written)


def arrow_type(form: Any) -> "pa.DataType":
    """Get the type of a column in Parquet.

    form (Any): The form of its values, see `spacy_rnn.pipeline.predictions.Prediction`.
    RETURNS (pyarrow.DataType): The type.
    """
    import pyarrow as pa

    if isinstance(form, list):
        return pa.list_(arrow_type(form[0]))
    if isinstance(form, dict):
        return pa.struct([(name, arrow_type(each)) for name, each in form.items()])
    return {str: pa.string(), int: pa.int64(), float: pa.float64()}[form]


def _open(path: Path, text_column: str) -> List[Source]:
    """The sources of a file or folder, in the order of their names."""
    if is_saved_dataset(path):
        return [DatasetSource(path)]
    files = [path]
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if ending_of(each) in ENDINGS)
    elif not path.exists():
        raise ValueError(f"The file or folder {path} does not exist. Check the path.")
    endings = {ending_of(each) for each in files}
    if len(endings) != 1 or not endings <= {*ENDINGS}:
        raise ValueError(
            f"{path} must be a file that ends in one of {', '.join(ENDINGS)}, or a folder with "
            f"files of one of these kinds, but it has {', '.join(sorted(endings)) or 'none'}."
        )
    return [_source(each, text_column) for each in files]


def _source(path: Path, text_column: str) -> Source:
    if ending_of(path) == ".parquet":
        return ParquetSource(path)
    return _LINES[ending_of(path)](path, text_column)


def _check_same(sources: List[Source], schema: "pa.Schema") -> None:
    """Check that all sources have the same columns. The values of JSON lines are checked one by
    one."""
    for other in sources[1:]:
        if not isinstance(other, JsonSource) and not other.schema().equals(schema):
            raise ValueError(
                f"{other.path} has other columns than {sources[0].path}: "
                f"{', '.join(_described(other.schema()))}, not {', '.join(_described(schema))}. "
                f"Annotate them one by one."
            )


def _version_of(path: Path) -> List[int]:
    """The size and the time of the last change of a file or of the files of a folder."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    stats = [file.stat() for file in files]
    return [sum(stat.st_size for stat in stats), max(stat.st_mtime_ns for stat in stats)]


def _described(schema: "pa.Schema") -> List[str]:
    return [f"{field.name}: {field.type}" for field in schema]
