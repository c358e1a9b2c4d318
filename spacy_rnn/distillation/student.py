"""The config of a pipeline that learns from answers."""

from dataclasses import fields
from pathlib import Path
from typing import Any, Dict, Optional

from spacy.util import dot_to_object, set_dot_to_object
from thinc.api import Config

from ..readers.distilled import Distilled

READER = "spacy_rnn.Distilled.v1"
#: settings of other readers that this one has too
_SETTINGS = [field.name for field in fields(Distilled) if field.name not in ("_", "path", "gold")]


def reader_of(config: Config, path: Path) -> Dict[str, Any]:
    """Make the settings of a reader of answers. Those of the config's reader of training data that
    it has too hold for it.

    config (Config): The config, not interpolated.
    path (Path): The answers.
    RETURNS (Dict[str, Any]): The settings.
    """
    train = dot_to_object(config, config["training"]["train_corpus"])
    settings = {name: train[name] for name in _SETTINGS if name in train}
    if not isinstance(settings.get("labels", {}), dict):
        # Other readers have the names of all labels there.
        del settings["labels"]
    return {"@readers": READER, "path": str(path), **settings}


def student_config(
    config: Config, path: Path, held_out: Path, gold: Optional[Path], dev: Optional[Path]
) -> Config:
    """Make a config learn from answers.

    config (Config): The config, not interpolated.
    path (Path): The answers to learn from.
    held_out (Path): The answers that select the best model, if there is no `dev`.
    gold (Optional[Path]): Gold examples with answers.
    dev (Optional[Path]): Gold examples that select the best model, as the config's reader of
        development data reads them.
    RETURNS (Config): A copy.
    RAISES (ValueError): If the config reads training and development data by the same reader.
    """
    config, reader = config.copy(), reader_of(config, path)
    dev_corpus = config["training"]["dev_corpus"]
    if dev_corpus == config["training"]["train_corpus"]:
        raise ValueError(
            f"The config reads both training and development data by '{dev_corpus}'. Give "
            f"training.dev_corpus a reader of its own."
        )
    set_dot_to_object(config, config["training"]["train_corpus"], reader)
    if gold is not None:
        reader["gold"] = str(gold)
    if dev is None:
        reader = {**reader_of(config, held_out), "augmenter": None, "limit": 0}
    else:
        reader = {**dot_to_object(config, dev_corpus), "path": str(dev)}
    set_dot_to_object(config, dev_corpus, reader)
    return config
