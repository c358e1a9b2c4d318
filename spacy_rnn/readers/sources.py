"""Datasets of the library `datasets`, from wherever they are."""

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

#: what reads a file, by the end of its name
FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".txt": "text",
}
TEXTS = (*RULES, ".json", ".jsonl", ".txt")
#: Words such as "None" or "NA" are text; only an empty field is missing.
MISSING = {"keep_default_na": False, "na_values": [""]}
#: encodings in which `datasets` reads no JSON, as it splits bytes into lines
WIDE = ("utf-16", "utf-32")
#: what `datasets` says of a dataset without rows
NO_ROWS = "corresponds to no data"
#: files of a folder that may list its configurations and their files
CARDS = ("README.md", ".huggingface.yaml")


def is_saved(path: Path) -> bool:
    """Whether `save_to_disk` wrote this folder."""
    return (path / "state.json").exists() or (path / "dataset_dict.json").exists()


def load_saved(path: Path) -> Union["Dataset", "DatasetDict"]:
    """What `save_to_disk` wrote into this folder."""
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
    """One split of a dataset; see `spacy_rnn.readers.hf_dataset.HFDataset`. Raises an OSError if
    there is none or the Hub can't be reached, and a ValueError if it is malformed.

    form (TableFormat): The format of local files of text.
    """
    with optional_import("datasets", f"Reading {path}"):
        from datasets import load_dataset
        from datasets.exceptions import DatasetGenerationError

    local = Path(path)
    if config_name is not None and (is_saved(local) or local.is_file()):
        raise ValueError(
            f"config_name is {config_name!r}, but {path} has no configurations. Leave it out."
        )
    if is_saved(local):
        form.check_unused(path)
        return _choose_split(load_saved(local), path, split)
    settings: Dict[str, Any] = {"name": config_name, "split": split, "streaming": streaming}
    builder = path
    if local.is_file():
        if ending_of(local) not in FORMATS:
            raise ValueError(
                f"The name of {path} does not tell its format: it must end in one of "
                f"{list(FORMATS)}, each also with one of {list(COMPRESSED)} after it."
            )
        builder = FORMATS[ending_of(local)]
        settings["data_files"] = path
    elif not local.exists() and (local.is_absolute() or ending_of(local) in FORMATS):
        raise FileNotFoundError(f"There is no file or folder {path}. Check the path.")
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
            f"There is no file or folder {path}, and the Hugging Face Hub, which may have a "
            f"dataset of this name, can't be reached: {error}. Check the path, or the connection, "
            f"or copy the dataset where there is one, with save_to_disk or to_parquet."
        ) from error
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"No dataset is found at {path}: {error}. Check the path or the name; private datasets "
            f"need a login (hf auth login)."
        ) from error


def _files_of(path: Path, config_name: Optional[str]) -> List[Path]:
    """The files that a local path is or has; none of a name on the Hub."""
    if not path.is_dir():
        return [path] if path.exists() else []
    from datasets import load_dataset_builder

    # The library's rules tell which files of a folder are read.
    parts = load_dataset_builder(str(path), name=config_name).config.data_files or {}
    files = [Path(file) for part in parts.values() for file in part]
    if not any(_has_configurations(path / name) for name in CARDS):
        _check_unread(path, files)
    return files


def _has_configurations(card: Path) -> bool:
    return card.is_file() and any(re.match("configs:", line) for line in read_lines(card))


def _check_unread(path: Path, files: List[Path]) -> None:
    """Raise a ValueError if `datasets` leaves files of a folder out as they have another format,
    and log which others it leaves out.

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
            "%s: these files are not read, as the names of others tell a split: %s. Give them such "
            "a name, as train-2.csv, or set the path to one of them.",
            path,
            sorted(str(file.relative_to(path.resolve())) for file in unread),
        )


def _several_formats(path: Any, endings: Iterable[str]) -> ValueError:
    return ValueError(
        f"{path} has files of several formats, {sorted(endings)}, which are not read together. Set "
        f"the path to one of the files, or move those of other formats out of the folder."
    )


def _options_for(path: str, files: List[Path], form: TableFormat) -> Dict[str, Any]:
    """The options by which `datasets` reads local files of text as their ending says. Raises a
    ValueError where it would read them wrongly."""
    endings = sorted({ending_of(file) for file in files})
    if not RULES.keys() & set(endings):
        form.check_unused(path)
    if not set(TEXTS) & set(endings):
        return {}
    if len(endings) > 1 and RULES.keys() & set(endings):
        raise _several_formats(path, endings)
    encodings = {encoding_of(file, form.encoding) for file in files}
    if len(encodings) > 1:
        # Without a mark it reads the same as utf-8.
        encodings = {"utf-8-sig" if encoding == UTF8 else encoding for encoding in encodings}
    if len(encodings) > 1:
        raise ValueError(
            f"The files of {path} differ in their encodings, {sorted(encodings)}. Convert them to "
            f"UTF-8."
        )
    (encoding,) = encodings
    if endings[0] in RULES:
        return {**_table_options(files, form), "encoding": encoding}
    if endings[0] != ".txt" and encoding.lower().replace("_", "-").startswith(WIDE):
        raise ValueError(
            f"{path} is {encoding.upper()}, of which `datasets` reads no JSON. Convert it to "
            f"UTF-8, as by iconv -f {encoding.upper()} -t UTF-8."
        )
    read = read_lines if endings[0] == ".txt" else read_json
    for file in files:
        # To the end: what `datasets` finds wrong in a file, it does not name by the line.
        if not sum(1 for _ in read(file, encoding)):
            raise ValueError(f"{file} has no rows. Check the path.")
    return {"encoding": encoding}


def _table_options(files: List[Path], form: TableFormat) -> Dict[str, Any]:
    """How pandas reads tables, which are checked for what it would take in silence: it moves all
    columns where the rows have more fields than the header, and fills up shorter rows. All fields
    are read as text: as numbers, the labels 01 and 1.0 would be one."""
    from datasets import Features, Value

    columns = [_names(check_table(file, form), form) for file in files]
    for file, names in zip(files, columns, strict=True):
        repeated = [name for name, n in Counter(names).items() if n > 1]
        if repeated:
            raise ValueError(
                f"The header of {file} has the names {repeated} more than once (a column without a "
                f"name has its number). Rename these columns."
            )
        if names != columns[0]:
            raise ValueError(
                f"{file} has the columns {names}, but {files[0]} has {columns[0]}. Set the path to "
                f"one of the files, or give all of them the same columns."
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
    """The names of columns by the first row; numbers for those that it does not name."""
    return [name if form.header and name else str(i) for i, name in enumerate(first)]


def _choose_split(dataset: Any, path: str, split: Optional[str]) -> Any:
    """The split of this name, or the only one. A dataset that was saved alone may be a split."""
    if not isinstance(dataset, dict):
        if split in (None, str(dataset.split)):
            return dataset
        raise ValueError(
            f"{path} is one dataset without splits, but split is {split!r}. Leave split out if all "
            f"rows are meant; if not, set the path to where this split is saved."
        )
    if split is None and len(dataset) == 1:
        return next(iter(dataset.values()))
    if split not in dataset:
        raise ValueError(
            f"{path} has the splits {list(dataset)}, and split is {split!r}. Set split to one of "
            f"them."
        )
    return dataset[split]
