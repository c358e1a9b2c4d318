"""Opening of datasets of the library `datasets`: saved ones, Parquet and Arrow files, the Hub."""

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Union

from ..optional import optional_import
from ..text_files import ending_of, read_lines

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict, IterableDataset

logger = logging.getLogger("spacy_rnn")

#: the builder of `datasets` for each ending
BUILDERS = {".parquet": "parquet", ".arrow": "arrow"}
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
    path: str, config_name: Optional[str], split: Optional[str], streaming: bool
) -> Union["Dataset", "IterableDataset"]:
    """Open one split of a dataset.

    path, config_name, split, streaming: see `spacy_rnn.readers.hf_dataset.HFDataset`.
    RETURNS (Union[Dataset, IterableDataset]): The split.
    RAISES (OSError): If the dataset does not exist, or the Hub cannot be reached.
    RAISES (ValueError): If it is malformed, or a file is neither Parquet nor Arrow.
    RAISES (ImportError): If the library `datasets` is not installed.
    """
    with optional_import("datasets", f"Reading {path}"):
        from datasets import load_dataset
        from datasets.exceptions import DatasetGenerationError
        from pyarrow import ArrowInvalid

    local = Path(path)
    if config_name is not None and (is_saved_dataset(local) or local.is_file()):
        raise ValueError(
            f"config_name is {config_name!r}, but {path} has no configurations. Leave it out."
        )
    if is_saved_dataset(local):
        return _choose_split(load_saved_dataset(local), path, split)
    settings: Dict[str, Any] = {"name": config_name, "split": split, "streaming": streaming}
    builder = path
    if local.is_file():
        _check_ending(local)
        builder = BUILDERS[ending_of(local)]
        settings["data_files"] = path
    elif not local.exists() and (local.is_absolute() or ending_of(local) in BUILDERS):
        raise FileNotFoundError(f"The file or folder {path} does not exist. Check the path.")
    try:
        if local.is_dir():
            _check_folder(local, config_name)
        dataset = load_dataset(builder, **settings)
        return _choose_split(dataset, path, split) if split is None else dataset
    except (DatasetGenerationError, ArrowInvalid) as error:
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


def _check_ending(file: Path) -> None:
    """Raise a ValueError for a file that another reader reads."""
    if ending_of(file) not in BUILDERS:
        raise ValueError(
            f"{file} is not a Parquet or Arrow file. Read it with spacy_rnn.Corpus.v1: in the "
            f'block of the config, set @readers = "spacy_rnn.Corpus.v1" and path = "{file}".'
        )


def _check_folder(path: Path, config_name: Optional[str]) -> None:
    """Check the endings of the files of a folder that `datasets` reads, and log the files that it
    ignores."""
    from datasets import load_dataset_builder
    from datasets.data_files import resolve_pattern

    parts = load_dataset_builder(str(path), name=config_name).config.data_files or {}
    files = {Path(file) for part in parts.values() for file in part}
    for file in sorted(files):
        _check_ending(file)
    if any(_has_configurations(path / name) for name in CARDS):
        return
    found = map(Path, resolve_pattern("**", str(path.resolve())))
    unread = [file for file in found if ending_of(file) in BUILDERS and file not in files]
    if unread:
        logger.warning(
            "%s: these files are not read, because other files have the name of a split or "
            "another format: %s. Rename them, such as to train-2.parquet, or set the path to one "
            "of them.",
            path,
            sorted(str(file.relative_to(path.resolve())) for file in unread),
        )


def _has_configurations(card: Path) -> bool:
    return card.is_file() and any(re.match("configs:", line) for line in read_lines(card))


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
