"""The config of a pipeline that learns from answers."""

from dataclasses import fields
from pathlib import Path
from typing import Any, Dict, Iterable, Optional

from spacy.util import dot_to_object, set_dot_to_object
from thinc.api import Config

from ..readers.distilled import Distilled

READER = "spacy_rnn.Distilled.v1"
#: what a distillation sets itself
_GIVEN = ("@readers", "path", "gold")
#: settings of other readers that this one has too
_SETTINGS = [field.name for field in fields(Distilled) if field.name not in ("_", *_GIVEN)]


def reader_of(config: Config, path: Path) -> Dict[str, Any]:
    """Make the settings of a reader of answers. Those of the config's reader of training data that
    it has too hold for it.

    config (Config): The config, not interpolated.
    path (Path): The answers.
    RETURNS (Dict[str, Any]): The settings.
    RAISES (ValueError): If the config's reader is this one, and has a setting that does not exist.
    """
    name = config["training"]["train_corpus"]
    train = dot_to_object(config, name)
    if train["@readers"] == READER:
        check_settings(name, train.keys() - {*_GIVEN})
    settings = {name: train[name] for name in _SETTINGS if name in train}
    if not isinstance(settings.get("labels", {}), dict):
        # Other readers have the names of all labels there.
        del settings["labels"]
    return {"@readers": READER, "path": str(path), **settings}


def check_settings(corpus: str, names: Iterable[str]) -> None:
    """Check that settings of the reader of training data are those of a reader of answers.

    corpus (str): The name of the reader in the config.
    names (Iterable[str]): The names of the settings.
    RAISES (ValueError): If one is not.
    """
    unknown = sorted({*names} - {*_SETTINGS})
    if unknown:
        raise ValueError(
            f"'{corpus}.{unknown[0]}' is not a setting of the student's reader, {READER}. "
            f"Those that can be set: {', '.join(_SETTINGS)}."
        )


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
