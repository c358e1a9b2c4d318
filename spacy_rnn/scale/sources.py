"""Files whose rows are annotated, in blocks that any process can read."""

from abc import ABC, abstractmethod
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, List, NamedTuple, Optional, Tuple

from ..readers.sources import load_saved_dataset

if TYPE_CHECKING:
    import pyarrow as pa

#: the most rows that are annotated at once
ROWS = 2000


class Rows(NamedTuple):
    """Rows of a source.

    table (pyarrow.Table): Their columns.
    errors (List[Optional[str]]): For each row the reason why it could not be read, None if it was.
    """

    table: "pa.Table"
    errors: List[Optional[str]]


class Source(ABC):
    """A file or folder with rows, which can be read from any of its positions.

    path (Path): The file or folder.
    """

    def __init__(self, path: Path):
        self.path = path

    @abstractmethod
    def schema(self) -> "pa.Schema":
        """Get the columns.

        RAISES (ValueError): If they cannot be read.
        """

    @abstractmethod
    def size(self) -> Tuple[int, int]:
        """Get the number of positions, and of bytes."""

    @abstractmethod
    def read(self, start: int, stop: int, schema: "pa.Schema") -> Iterator[Rows]:
        """Read the rows from one position to another.

        start, stop (int): The first position, and the one after the last.
        schema (pyarrow.Schema): The columns of the tables.
        YIELDS (Rows): The rows, not more than `ROWS` at once.
        RAISES (ValueError): If the file is damaged.
        """

    def blocks(self, size: int) -> List[Tuple[int, int]]:
        """Cut the source into blocks.

        size (int): About the bytes of a block.
        RETURNS (List[Tuple[int, int]]): The first position of each, and the one after the last.
        """
        n, n_bytes = self.size()
        step = max(1, n * size // max(n_bytes, 1))
        return [(start, min(start + step, n)) for start in range(0, n, step)]


class ParquetSource(Source):
    """A Parquet file. Positions are rows."""

    def schema(self) -> "pa.Schema":
        return self._file().schema_arrow.remove_metadata()

    def size(self) -> Tuple[int, int]:
        meta = self._file().metadata
        groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
        return meta.num_rows, sum(group.total_byte_size for group in groups)

    def read(self, start: int, stop: int, schema: "pa.Schema") -> Iterator[Rows]:
        import pyarrow as pa

        file = self._file()
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        ends = [*accumulate(sizes)]
        groups = [
            i for i, end in enumerate(ends) if sizes[i] and end > start and end - sizes[i] < stop
        ]
        position = ends[groups[0]] - sizes[groups[0]]
        for batch in file.iter_batches(batch_size=ROWS, row_groups=groups):
            end = position + len(batch)
            first, last = max(start, position), min(stop, end)
            if first < last:
                part = pa.Table.from_batches([batch.slice(first - position, last - first)])
                yield Rows(part.cast(schema), [None] * len(part))
            position = end

    def _file(self) -> Any:
        import pyarrow.parquet as pq

        try:
            return pq.ParquetFile(self.path)
        except ValueError as error:
            raise ValueError(f"{self.path} is damaged, or not a Parquet file ({error}).") from error


class DatasetSource(Source):
    """A folder that was written by `save_to_disk` of the library `datasets`. Positions are rows."""

    def schema(self) -> "pa.Schema":
        return self._dataset().features.arrow_schema.remove_metadata()

    def size(self) -> Tuple[int, int]:
        dataset = self._dataset()
        return len(dataset), dataset.data.nbytes

    def read(self, start: int, stop: int, schema: "pa.Schema") -> Iterator[Rows]:
        dataset = self._dataset().with_format("arrow")
        for first in range(start, stop, ROWS):
            table = dataset[first : min(first + ROWS, stop)]
            yield Rows(table.cast(schema), [None] * len(table))

    def _dataset(self) -> Any:
        found = load_saved_dataset(self.path)
        if isinstance(found, dict):
            raise ValueError(
                f"{self.path} has several splits, {', '.join(found)}. Choose the folder of one."
            )
        return found
