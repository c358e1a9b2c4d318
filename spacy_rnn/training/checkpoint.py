"""Checkpoints: everything that a training needs to continue as if it had not stopped."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

import srsly
from safetensors import SafetensorError
from safetensors.torch import load, save
from spacy.language import Language
from spacy.util import dict_to_dot
from thinc.api import Config, Optimizer

from ..atomic import replace_folder
from ..checksums import checksum, checksum_of_files
from ..pipeline.base import RNNPipe
from ..runtime.distributed import group
from .optimizer_state import get_optimizer_state, set_optimizer_state
from .random_state import get_random_state, set_random_state

FOLDER = "checkpoint"
#: newer formats are refused
FORMAT = 1
_STATE, _TENSORS, _PIPELINE = "state.msgpack", "optimizer.safetensors", "pipeline"
#: settings that may change when a training continues
CHANGEABLE = ("training.max_steps", "training.max_epochs", "training.patience", "training.logger")
#: vocabulary and vectors do not change in training
EXCLUDED = ["vocab", "tokenizer"]


@dataclass
class Progress:
    """How far a training has come.

    step (int): The number of steps that are done.
    words (int): The number of words in them.
    seconds (float): The time that they took.
    results (List[Tuple[float, int]]): The score and the step of each evaluation.
    losses (Dict[str, float]): The losses since the last evaluation, by component.
    corpora (Dict[str, str]): The checksums of the corpora, as of `corpora_checksums`.
    """

    step: int = 0
    words: int = 0
    seconds: float = 0.0
    results: List[Tuple[float, int]] = field(default_factory=list)
    losses: Dict[str, float] = field(default_factory=dict)
    corpora: Dict[str, str] = field(default_factory=dict)


def get_process_state(nlp: Language, progress: Progress) -> Dict[str, Any]:
    """Get what differs between processes that train together, between two steps.

    nlp (Language): The pipeline.
    progress (Progress): How far the training has come.
    RETURNS (Dict[str, Any]): The state of this process, as data for msgpack.
    """
    return {
        "progress": asdict(progress),
        "components": {name: pipe.get_training_state() for name, pipe in _pipes(nlp)},
        "random": get_random_state(),
    }


def save_checkpoint(
    output: Path, nlp: Language, optimizer: Optimizer, processes: List[Dict[str, Any]]
) -> None:
    """Write the checkpoint of a training, between two steps. It takes the place of the last one.

    output (Path): The output folder of the training.
    nlp (Language): The pipeline.
    optimizer (Optimizer): The optimizer.
    processes (List[Dict[str, Any]]): The `get_process_state` of each process.
    """
    tensors, numbers = get_optimizer_state(nlp, optimizer)
    data = save(tensors)
    state = {
        "format": FORMAT,
        "checksum": checksum([data]),
        "config": nlp.config.to_str(interpolate=False),
        "optimizer": numbers,
        "processes": processes,
    }
    with replace_folder(output / FOLDER) as folder:
        nlp.to_disk(folder / _PIPELINE, exclude=EXCLUDED)
        (folder / _TENSORS).write_bytes(data)
        srsly.write_msgpack(folder / _STATE, state)


def corpora_checksums(config: Config) -> Dict[str, str]:
    """Compute a checksum of the files of each corpus, by which changed ones are noticed.

    config (Config): The config.
    RETURNS (Dict[str, str]): The checksum for each setting in `corpora` that is the path of a file
        or folder.
    """
    return {
        f"corpora.{name}": checksum_of_files(Path(value))
        for name, value in dict_to_dot(config.interpolate()["corpora"]).items()
        if name.endswith("path") and isinstance(value, (str, Path)) and Path(value).exists()
    }


def load_checkpoint(
    output: Path, nlp: Language, optimizer: Optimizer, corpora: Mapping[str, str]
) -> Optional[Progress]:
    """Restore the checkpoint of a training.

    output (Path): The output folder of the training.
    nlp (Language): The pipeline, initialized with the same config.
    optimizer (Optimizer): An optimizer with the same settings, not used yet.
    corpora (Mapping[str, str]): The checksums of the corpora.
    RETURNS (Optional[Progress]): How far the training had come; None if there is no checkpoint.
    RAISES (ValueError): If the checkpoint is damaged, or one of another config, other data or
        another number of processes.
    """
    folder = output / FOLDER
    if not folder.exists():
        return None
    try:
        state = srsly.read_msgpack(folder / _STATE)
        data = (folder / _TENSORS).read_bytes()
        tensors = load(data)
        newer = state["format"] > FORMAT
        if state["checksum"] != checksum([data]):
            raise ValueError(f"{_TENSORS} is not the one that was saved")
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ValueError(
            f"The checkpoint in '{folder}' is damaged ({error}). Start the training without "
            f"--resume, which replaces it."
        ) from error
    if newer:
        raise ValueError(
            f"The checkpoint in '{folder}' was written by a newer spacy-rnn. Upgrade: pip install "
            f"--upgrade spacy-rnn"
        )
    _check_config(nlp.config, Config().from_str(state["config"], interpolate=False))
    (rank, size), n_saved = group(), len(state["processes"])
    if n_saved != size:
        raise ValueError(
            f"The checkpoint is one of {n_saved} processes, but there are {size} now. Continue "
            f"with torchrun and {n_saved} processes"
            + ", or without torchrun" * (n_saved == 1)
            + ", or train without --resume."
        )
    own = state["processes"][rank]
    progress = Progress(**own["progress"])
    _check_corpora(corpora, progress.corpora)
    nlp.from_disk(folder / _PIPELINE, exclude=EXCLUDED)
    set_optimizer_state(nlp, optimizer, tensors, state["optimizer"])
    for name, pipe in _pipes(nlp):
        pipe.set_training_state(own["components"][name])
    set_random_state(own["random"])
    progress.results = [(score, step) for score, step in progress.results]
    return progress


def _pipes(nlp: Language) -> List[Tuple[str, RNNPipe]]:
    return [(name, pipe) for name, pipe in nlp.pipeline if isinstance(pipe, RNNPipe)]


def _check_config(config: Config, saved: Config) -> None:
    now, then = dict_to_dot(config), dict_to_dot(saved)
    changed = sorted(
        name
        for name in {*now, *then}
        if now.get(name) != then.get(name) and not name.startswith(CHANGEABLE)
    )
    if changed:
        raise ValueError(
            f"The checkpoint is one of another config. Settings that differ: {', '.join(changed)}. "
            f"Use the same config to continue, or train without --resume. Only these settings may "
            f"change: {', '.join(CHANGEABLE)}."
        )


def _check_corpora(now: Mapping[str, str], then: Mapping[str, str]) -> None:
    changed = sorted(name for name in {*now, *then} if now.get(name) != then.get(name))
    if changed:
        raise ValueError(
            f"The data has changed since the training began: {', '.join(changed)}. A training "
            f"cannot continue with other data. Restore the files, or train without --resume."
        )
