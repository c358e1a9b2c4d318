"""Datasets of the library `datasets`, from wherever they are."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple, Union

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

#: Words such as "None" or "NA" are text; only an empty field is missing.
CSV = {"keep_default_na": False, "na_values": [""]}
#: what reads a file, and with which settings, by the end of its name
FORMATS: Dict[str, Tuple[str, Dict[str, Any]]] = {
    ".csv": ("csv", CSV),
    ".tsv": ("csv", {"sep": "\t", **CSV}),
    ".json": ("json", {}),
    ".jsonl": ("json", {}),
    ".parquet": ("parquet", {}),
    ".arrow": ("arrow", {}),
    ".txt": ("text", {}),
}
COMPRESSED = (".gz", ".xz", ".bz2", ".zst")


def is_saved(path: Path) -> bool:
    """Whether `save_to_disk` wrote this folder."""
    return (path / "state.json").exists() or (path / "dataset_dict.json").exists()


def open_dataset(
    path: str, config_name: Optional[str], split: Optional[str], streaming: bool
) -> Union["Dataset", "IterableDataset"]:
    """One split of a dataset; see `spacy_rnn.readers.hf_dataset.HFDataset`. Raises an OSError if
    there is none or the Hub can't be reached, and a ValueError if it is malformed."""
    from datasets import load_dataset, load_from_disk
    from datasets.exceptions import DatasetGenerationError

    local = Path(path)
    settings: Dict[str, Any] = {"name": config_name, "split": split, "streaming": streaming}
    if is_saved(local):
        return _choose_split(load_from_disk(path), path, split)
    name = local.name.lower()
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    ending = Path(name).suffix
    if local.is_file():
        if ending not in FORMATS:
            raise ValueError(
                f"The name of {path} does not tell its format: it must end in one of "
                f"{list(FORMATS)}, each also with one of {list(COMPRESSED)} after it."
            )
        builder, options = FORMATS[ending]
        settings.update(options, data_files=path)
    else:
        if not local.exists() and (local.is_absolute() or ending in FORMATS):
            raise FileNotFoundError(f"There is no file or folder {path}. Check the path.")
        builder = path
    try:
        return _choose_split(load_dataset(builder, **settings), path, split)
    except DatasetGenerationError as error:
        raise ValueError(f"{path} can't be read: {error.__cause__ or error}") from error
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


def _choose_split(dataset: Any, path: str, split: Optional[str]) -> Any:
    """The split of this name, or the only one."""
    if not isinstance(dataset, dict):
        return dataset
    if split is None and len(dataset) == 1:
        return next(iter(dataset.values()))
    if split not in dataset:
        raise ValueError(
            f"{path} has the splits {list(dataset)}, and split is {split!r}. Set split to one of "
            f"them."
        )
    return dataset[split]
