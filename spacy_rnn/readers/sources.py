"""Opening of datasets of the library `datasets`, from local files or the Hub."""

import csv
import logging
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional, Union

from ..optional import optional_import
from ..text_files import COMPRESSED, UTF8, encoding_of, ending_of, read_json, read_lines
from .tables import RULES, TableFormat, check_table

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict, IterableDataset

logger = logging.getLogger("spacy_rnn")

#: the builder of `datasets` for each ending
FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".txt": "text",
}
TEXT_ENDINGS = (*RULES, ".json", ".jsonl", ".txt")
#: only empty fields are missing; words such as "None" or "NA" are text
MISSING = {"keep_default_na": False, "na_values": [""]}
#: encodings in which `datasets` cannot read JSON because it splits bytes into lines
WIDE_ENCODINGS = ("utf-16", "utf-32")
#: a part of the message of `datasets` for a dataset without rows
NO_ROWS = "corresponds to no data"
#: files of a folder that may list its configurations and their files
CARDS = ("README.md", ".huggingface.yaml")


def is_saved_dataset(path: Path) -> bool:
    """Return True if a folder was written by `save_to_disk`."""
    return (path / "state.json").exists() or (path / "dataset_dict.json").exists()


def load_saved_dataset(path: Path) -> Union["Dataset", "DatasetDict"]:
    """Load a dataset that was written by `save_to_disk`.

    path (Path): The folder.
    RETURNS (Union[Dataset, DatasetDict]): The dataset, or one for each split.
    RAISES (ImportError): If the library `datasets` is not installed.
    """
    with optional_import("datasets", f"Reading {path}"):
        from datasets import load_from_disk

    return load_from_disk(str(path))


def open_dataset(
    path: str,
    config_name: Optional[str],
    split: Optional[str],
    streaming: bool,
    form: TableFormat,
) -> Union["Dataset", "IterableDataset"]:
    """Open one split of a dataset.

    path, config_name, split, streaming: see `spacy_rnn.readers.hf_dataset.HFDataset`.
    form (TableFormat): The format of local text files.
    RETURNS (Union[Dataset, IterableDataset]): The split.
    RAISES (OSError): If the dataset does not exist, or the Hub cannot be reached.
    RAISES (ValueError): If it is malformed.
    RAISES (ImportError): If the library `datasets` is not installed.
    """
    with optional_import("datasets", f"Reading {path}"):
        from datasets import load_dataset
        from datasets.exceptions import DatasetGenerationError

    local = Path(path)
    if config_name is not None and (is_saved_dataset(local) or local.is_file()):
        raise ValueError(
            f"config_name is {config_name!r}, but {path} has no configurations. Leave it out."
        )
    if is_saved_dataset(local):
        form.check_unused(path)
        return _choose_split(load_saved_dataset(local), path, split)
    settings: Dict[str, Any] = {"name": config_name, "split": split, "streaming": streaming}
    builder = path
    if local.is_file():
        if ending_of(local) not in FORMATS:
            raise ValueError(
                f"The ending of {path} is unknown. It must be one of {list(FORMATS)}, optionally "
                f"followed by one of {list(COMPRESSED)}."
            )
        builder = FORMATS[ending_of(local)]
        settings["data_files"] = path
    elif not local.exists() and (local.is_absolute() or ending_of(local) in FORMATS):
        raise FileNotFoundError(f"The file or folder {path} does not exist. Check the path.")
    try:
        settings |= _options_for(path, _files_of(local, config_name), form)
        dataset = load_dataset(builder, **settings)
        return _choose_split(dataset, path, split) if split is None else dataset
    except DatasetGenerationError as error:
        raise ValueError(f"{path} can't be read: {error.__cause__ or error}") from error
    except ValueError as error:
        if NO_ROWS not in str(error):
            raise
        raise ValueError(f"{path} has no rows. Check the path and the split.") from error
    except ConnectionError as error:
        raise ConnectionError(
            f"The file or folder {path} does not exist, and the Hugging Face Hub, which may have a "
            f"dataset with this name, can't be reached: {error}. Check the path or the connection, "
            f"or copy the dataset from a computer with a connection (save_to_disk, to_parquet)."
        ) from error
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"No dataset was found at {path}: {error}. Check the path or the name; private "
            f"datasets need a login (hf auth login)."
        ) from error


def _files_of(path: Path, config_name: Optional[str]) -> List[Path]:
    """The files of a local path, none for a name on the Hub."""
    if not path.is_dir():
        return [path] if path.exists() else []
    from datasets import load_dataset_builder

    # The library determines the files of a folder that it reads.
    parts = load_dataset_builder(str(path), name=config_name).config.data_files or {}
    files = [Path(file) for part in parts.values() for file in part]
    if not any(_has_configurations(path / name) for name in CARDS):
        _check_unread(path, files)
    return files


def _has_configurations(card: Path) -> bool:
    return card.is_file() and any(re.match("configs:", line) for line in read_lines(card))


def _check_unread(path: Path, files: List[Path]) -> None:
    """Raise a ValueError if `datasets` ignores files of a folder because they have another format,
    and log other files that it ignores.

    files: The files that it reads.
    """
    from datasets.data_files import resolve_pattern

    found = {Path(file) for file in resolve_pattern("**", str(path.resolve()))}
    unread = [file for file in found.difference(files) if ending_of(file) in FORMATS]
    endings = {ending_of(file) for file in files}
    if any(ending_of(file) not in endings for file in unread):
        raise _several_formats(path, endings.union(map(ending_of, unread)))
    if unread:
        logger.warning(
            "%s: these files are not read, because other files have the name of a split: %s. "
            "Rename them, such as to train-2.csv, or set the path to one of them.",
            path,
            sorted(str(file.relative_to(path.resolve())) for file in unread),
        )


def _several_formats(path: Any, endings: Iterable[str]) -> ValueError:
    return ValueError(
        f"{path} has files of several formats, {sorted(endings)}, which cannot be read together. "
        f"Set the path to one of the files, or move files of other formats out of the folder."
    )


def _options_for(path: str, files: List[Path], form: TableFormat) -> Dict[str, Any]:
    """The options with which `datasets` reads local text files by the rules of their ending.

    RAISES (ValueError): If it would read them incorrectly.
    """
    endings = sorted({ending_of(file) for file in files})
    if not RULES.keys() & set(endings):
        form.check_unused(path)
    if not set(TEXT_ENDINGS) & set(endings):
        return {}
    if len(endings) > 1 and RULES.keys() & set(endings):
        raise _several_formats(path, endings)
    encodings = {encoding_of(file, form.encoding) for file in files}
    if len(encodings) > 1:
        # Without a mark, utf-8-sig is the same as utf-8.
        encodings = {"utf-8-sig" if encoding == UTF8 else encoding for encoding in encodings}
    if len(encodings) > 1:
        raise ValueError(
            f"The files of {path} have different encodings, {sorted(encodings)}. Convert them to "
            f"UTF-8."
        )
    (encoding,) = encodings
    if endings[0] in RULES:
        return {**_table_options(files, form), "encoding": encoding}
    if endings[0] != ".txt" and encoding.lower().replace("_", "-").startswith(WIDE_ENCODINGS):
        raise ValueError(
            f"{path} is {encoding.upper()}, in which `datasets` cannot read JSON. Convert it to "
            f"UTF-8, such as with iconv -f {encoding.upper()} -t UTF-8."
        )
    read = read_lines if endings[0] == ".txt" else read_json
    for file in files:
        # Read to the end, because errors of `datasets` do not name the line.
        if not sum(1 for _ in read(file, encoding)):
            raise ValueError(f"{file} has no rows. Check the path.")
    return {"encoding": encoding}


def _table_options(files: List[Path], form: TableFormat) -> Dict[str, Any]:
    """The options with which pandas reads tables. The tables are checked first, because pandas
    silently shifts all columns if rows have more fields than the header, and pads shorter rows. All
    fields are read as text, so that the labels 01 and 1.0 remain different."""
    from datasets import Features, Value

    columns = [_names(check_table(file, form), form) for file in files]
    for file, names in zip(files, columns, strict=True):
        repeated = [name for name, n in Counter(names).items() if n > 1]
        if repeated:
            raise ValueError(
                f"The header of {file} has the names {repeated} more than once (the name of an "
                f"unnamed column is its index). Rename these columns."
            )
        if names != columns[0]:
            raise ValueError(
                f"{file} has the columns {names}, but {files[0]} has {columns[0]}. Set the path to "
                f"one of the files, or use the same columns in all of them."
            )
    form = form.of(files[0])
    return {
        "sep": form.delimiter,
        "quoting": csv.QUOTE_MINIMAL if form.quotes else csv.QUOTE_NONE,
        "header": 0 if form.header else None,
        "names": columns[0],
        "features": Features({name: Value("string") for name in columns[0]}),
        **MISSING,
    }


def _names(first: List[str], form: TableFormat) -> List[str]:
    """The names of columns in the first row; the index of unnamed columns."""
    return [name if form.header and name else str(i) for i, name in enumerate(first)]


def _choose_split(dataset: Any, path: str, split: Optional[str]) -> Any:
    """Get the split with this name, or the only one."""
    if not isinstance(dataset, dict):
        if split in (None, str(dataset.split)):
            return dataset
        raise ValueError(
            f"{path} is a dataset without splits, but split is {split!r}. Leave split out to read "
            f"all rows, or set the path to the folder of this split."
        )
    if split is None and len(dataset) == 1:
        return next(iter(dataset.values()))
    if split not in dataset:
        raise ValueError(
            f"{path} has the splits {list(dataset)}, but split is {split!r}. Set split to one of "
            f"them."
        )
    return dataset[split]
