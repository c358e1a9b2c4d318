"""Complete configs for training."""

from typing import Any, Dict, List, Mapping, Optional, Sequence

from spacy.util import (
    combine_score_weights,
    load_config_from_str,
    load_model_from_config,
    set_dot_to_object,
)
from thinc.api import Config

from .data_options import language_of
from .recipes import NOT_SHARED, RECIPES, SHARED, TASKS, Recipe
from .schedule import schedule_for

#: factors of the batch sizes on a GPU, in training and in prediction
GPU_TRAINING, GPU_PREDICTION = 2, 4

#: settings of all configs
COMMON = """
[paths]

[system]

[nlp]
lang = "{lang}"
pipeline = []

[nlp.before_creation]
@callbacks = "spacy_rnn.torch_threads.v1"
threads = 1

[components]

[corpora]

[training]
max_epochs = 0

[training.batcher]
@batchers = "spacy.batch_by_padded.v1"
size = 1200
buffer = 512
discard_oversize = false

[training.optimizer]
@optimizers = "spacy_rnn.AdamW.v1"

[training.logger]
@loggers = "spacy_rnn.ConsoleLogger.v1"
"""


def make_config(
    tasks: Sequence[str],
    lang: str = "en",
    optimize: str = "efficiency",
    gpu: bool = False,
    words: Optional[int] = None,
    settings: Mapping[str, Any] = {},
) -> Config:
    """Make a complete config for training a pipeline of one component for each task. Several
    components share an encoder.

    tasks (Sequence[str]): The tasks, which are also the names of the components. The factory of
        each is ``rnn_TASK``.
    lang (str): The language code.
    optimize (str): "efficiency" or "accuracy".
    gpu (bool): Make a config for a GPU: half precision and larger batches.
    words (Optional[int]): The number of words of the training corpus; None for one of typical size.
    settings (Mapping[str, Any]): Other settings, by dotted name.
    RETURNS (Config): The config.
    RAISES (ValueError): If spaCy lacks the language, a task is unknown or given twice, or tasks
        cannot be in one pipeline.
    RAISES (ImportError): If the language needs a package that is not installed.
    """
    _check(tasks)
    recipes = {task: RECIPES[task, optimize] for task in tasks}
    config = load_config_from_str(COMMON.format(lang=language_of(lang).lang))
    components: Dict[str, Dict[str, Any]] = {task: {"factory": f"rnn_{task}"} for task in tasks}
    shared = SHARED[optimize] if len(tasks) > 1 else None
    if shared is not None:
        components = {"tok2vec": {"factory": "tok2vec", "model": shared.tok2vec}, **components}
    config["components"] = components
    config["nlp"]["pipeline"] = list(components)
    config = load_model_from_config(config, auto_fill=True).config
    for task, recipe in recipes.items():
        own = recipe.component
        if shared is not None:
            others = {name: own[name] for name in own if not name.startswith("model.")}
            own = {**others, **shared.component}
        _set(config, {f"components.{task}.{name}": value for name, value in own.items()})
        _set(config, recipe.sections)
    training = recipes[tasks[0]].training if shared is None else shared.training
    schedule = schedule_for(training, training.words if words is None else words)
    _set(config, schedule.settings(training.learn_rate))
    config["training"]["dropout"] = training.dropout
    config["training"]["score_weights"] = _score_weights(config, recipes)
    _set(config, settings)
    # The streams of a language model fill a batch.
    factor = schedule.batch_size / training.size
    for task in tasks:
        _scale_streams(config["components"][task], factor)
    if gpu:
        _set_gpu(config, [config["components"][task] for task in tasks])
    return load_model_from_config(config, auto_fill=True).config


def _check(tasks: Sequence[str]) -> None:
    unknown = [task for task in tasks if task not in TASKS]
    if unknown or not tasks or len(set(tasks)) < len(tasks):
        raise ValueError(
            f"Tasks must be one or more of {', '.join(TASKS)}, each once; got '{','.join(tasks)}'."
        )
    alone = [task for task in tasks if task in NOT_SHARED]
    if alone and len(tasks) > 1:
        raise ValueError(
            f"A component for '{alone[0]}' does not read the tokens that other components share, "
            f"so it needs a pipeline of its own: --task {alone[0]}. These can be together: "
            f"{', '.join(task for task in TASKS if task not in NOT_SHARED)}."
        )
    if {"textcat", "textcat_multilabel"} <= set(tasks):
        raise ValueError(
            "'textcat' and 'textcat_multilabel' both set doc.cats. Choose one: textcat if exactly "
            "one label is true of each text, otherwise textcat_multilabel."
        )


def _set(config: Config, settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        set_dot_to_object(config, name, value)


def _score_weights(config: Config, recipes: Mapping[str, Recipe]) -> Dict[str, Optional[float]]:
    """Combine the score weights of all components; together they are 1."""
    language = language_of(config["nlp"]["lang"])
    weights: List[Dict[str, Optional[float]]] = []
    for task, recipe in recipes.items():
        own = language.get_factory_meta(f"rnn_{task}").default_score_weights
        weights.append({**(own or {}), **recipe.score_weights})
    return combine_score_weights(weights)


def _scale_streams(component: Dict[str, Any], factor: float) -> None:
    if "streams" in component:
        component["streams"] = max(1, round(component["streams"] * factor))


def _set_gpu(config: Config, components: Sequence[Dict[str, Any]]) -> None:
    config["system"]["gpu_allocator"] = "pytorch"
    config["training"]["batcher"]["size"] *= GPU_TRAINING
    for component in components:
        _scale_streams(component, GPU_TRAINING)
        component["model"]["batch_tokens"] *= GPU_PREDICTION
        component["model"]["mixed_precision"] = "bf16"
