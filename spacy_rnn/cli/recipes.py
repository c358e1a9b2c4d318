"""Complete configs for training: the settings of each task beyond the defaults.

Sizes and schedules are those of the configs of the repository, tuned on public corpora.
"""

from typing import Any, Dict, Mapping, NamedTuple, Tuple

from spacy.util import (
    get_lang_class,
    load_config_from_str,
    load_model_from_config,
    set_dot_to_object,
)
from thinc.api import Config

#: factors of the batch sizes on a GPU, in training and in prediction
GPU_TRAINING, GPU_PREDICTION = 2, 4

#: settings of all configs
COMMON = """
[paths]

[system]

[nlp]
lang = "{lang}"
pipeline = ["{task}"]

[nlp.before_creation]
@callbacks = "spacy_rnn.torch_threads.v1"
threads = 1

[components]

[components.{task}]
factory = "rnn_{task}"

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
"""


class Training(NamedTuple):
    """Settings of the [training] block.

    dropout (float), max_steps (int), patience (int), eval_frequency (int): As in the block.
    size (int): The size of the batcher.
    learn_rate (float): The learning rate, reached after `warmup_steps` and then reduced to 0 at the
        last step.
    warmup_steps (int): The number of steps; 0 for a constant learning rate.
    """

    dropout: float
    max_steps: int
    patience: int
    eval_frequency: int
    size: int
    learn_rate: float
    warmup_steps: int


class Recipe(NamedTuple):
    """Settings of a task that differ from the defaults.

    training (Training): Settings of the [training] block.
    component (Mapping[str, Any]): Settings of the component, by dotted name.
    sections (Mapping[str, Any]): Other settings of the config, by dotted name.
    """

    training: Training
    component: Mapping[str, Any]
    sections: Mapping[str, Any] = {}


VECTORS = {"@architectures": "spacy_rnn.VectorEmbedding.v1"}
AFFIXES = {"@architectures": "spacy_rnn.AffixEmbedding.v1"}
PIECES = {"@architectures": "spacy_rnn.SentencePieces.v1"}

SMALL_TOKENS = {
    "model.embedding.words.width": 64,
    "model.embedding.characters": None,
    "model.embedding.affixes": {**AFFIXES, "prefixes": 1, "suffixes": 3},
    "model.encoder.hidden_size": 128,
    "model.encoder.depth": 1,
}
LARGE_TOKENS = {
    "model.embedding.characters.hidden_size": 50,
    "model.embedding.affixes": {**AFFIXES, "prefixes": 3, "suffixes": 4},
    "model.embedding.vectors": VECTORS,
}
SMALL_TEXTS = {
    "model.batch_tokens": 16384,
    "model.embedding.words.width": 32,
    "model.embedding.vectors": VECTORS,
    "model.encoder.cell": "rnn_tanh",
    "model.encoder.hidden_size": 32,
}
LARGE_TEXTS = {
    "model.embedding.affixes": {**AFFIXES, "prefixes": 3, "suffixes": 3, "shape": False},
    "model.embedding.vectors": VECTORS,
}
SMOOTH = {"label_smoothing": 0.1}
#: cats_micro_f is the accuracy if classes are mutually exclusive
ACCURACY = {
    "training.score_weights.cats_score": 0.0,
    "training.score_weights.cats_micro_f": 1.0,
}
PAIRS = {
    "corpora.train": {
        "@readers": "spacy_rnn.ParallelCorpus.v1",
        "path": "${paths.train}",
        "max_length": 60,
    },
    "corpora.dev": {"@readers": "spacy_rnn.ParallelCorpus.v1", "path": "${paths.dev}"},
    "training.batcher.buffer": 1024,
    "training.batcher.get_length": {"@misc": "spacy_rnn.pair_length.v1"},
}
#: documents are concatenated to streams, so nothing is padded
WORDS = {
    "training.batcher": {
        "@batchers": "spacy.batch_by_words.v1",
        "tolerance": 0.2,
        "discard_oversize": False,
    }
}

RECIPES: Dict[Tuple[str, str], Recipe] = {
    ("tagger", "efficiency"): Recipe(
        Training(0.3, 2000, 1000, 100, 1200, 0.005, 0),
        SMALL_TOKENS,
    ),
    ("tagger", "accuracy"): Recipe(
        Training(0.4, 4500, 2000, 200, 1200, 0.003, 200),
        {**LARGE_TOKENS, **SMOOTH},
    ),
    ("ner", "efficiency"): Recipe(
        Training(0.3, 2000, 1000, 100, 1200, 0.005, 0),
        SMALL_TOKENS,
    ),
    ("ner", "accuracy"): Recipe(
        Training(0.5, 1600, 0, 200, 500, 0.003, 100),
        LARGE_TOKENS,
    ),
    ("textcat", "efficiency"): Recipe(
        Training(0.3, 1000, 1000, 100, 1200, 0.005, 100),
        {**SMALL_TEXTS, **SMOOTH},
        ACCURACY,
    ),
    ("textcat", "accuracy"): Recipe(
        Training(0.5, 2000, 1000, 100, 1200, 0.002, 100),
        {**LARGE_TEXTS, **SMOOTH},
        ACCURACY,
    ),
    ("textcat_multilabel", "efficiency"): Recipe(
        Training(0.3, 2000, 1000, 200, 1200, 0.005, 100),
        SMALL_TEXTS,
    ),
    ("textcat_multilabel", "accuracy"): Recipe(
        Training(0.4, 4000, 2000, 400, 1200, 0.002, 100),
        LARGE_TEXTS,
    ),
    ("regressor", "efficiency"): Recipe(
        Training(0.3, 1000, 1000, 100, 1200, 0.005, 100),
        SMALL_TEXTS,
    ),
    ("regressor", "accuracy"): Recipe(
        Training(0.4, 2000, 1000, 100, 1200, 0.002, 100),
        LARGE_TEXTS,
    ),
    ("translator", "efficiency"): Recipe(
        Training(0.1, 4000, 0, 1000, 1600, 0.004, 200),
        {
            "model.embedding_size": 128,
            "model.source_pieces.vocab_size": 2000,
            "model.target_pieces": {**PIECES, "vocab_size": 2000},
            "model.encoder.cell": "gru",
            "model.encoder.hidden_size": 128,
            "model.decoder.cell": "gru",
            "model.decoder.hidden_size": 128,
        },
        PAIRS,
    ),
    ("translator", "accuracy"): Recipe(
        Training(0.2, 8500, 0, 1700, 1600, 0.002, 200),
        {
            "model.source_pieces.vocab_size": 4000,
            "model.target_pieces": {**PIECES, "vocab_size": 4000},
        },
        PAIRS,
    ),
    ("lm", "efficiency"): Recipe(
        Training(0.1, 2000, 0, 500, 180, 0.006, 50),
        {
            "streams": 8,
            "bptt_length": 100,
            "model.embedding_size": 48,
            "model.tied": False,
            "model.encoder.hidden_size": 160,
        },
        WORDS,
    ),
    ("lm", "accuracy"): Recipe(
        Training(0.3, 4200, 0, 600, 3200, 0.003, 100),
        {
            "streams": 64,
            "bptt_length": 50,
            "model.embedding_size": 256,
            "model.tied": False,
            "model.cutoffs": [2000, 10000],
            "model.units": {"@architectures": "spacy_rnn.WordUnits.v1", "min_freq": 1},
            "model.encoder.hidden_size": 512,
        },
        WORDS,
    ),
}


def make_config(
    task: str, lang: str = "en", optimize: str = "efficiency", gpu: bool = False
) -> Config:
    """Make a complete config for training a pipeline of one component.

    task (str): The task, which is also the name of the component. Its factory is ``rnn_TASK``.
    lang (str): The language code.
    optimize (str): "efficiency" or "accuracy".
    gpu (bool): Make a config for a GPU: half precision and larger batches.
    RETURNS (Config): The config.
    RAISES (ValueError): If spaCy lacks the language.
    RAISES (ImportError): If the language needs a package that is not installed.
    """
    recipe = RECIPES[task, optimize]
    config = load_config_from_str(COMMON.format(lang=_code(lang), task=task))
    config = load_model_from_config(config, auto_fill=True).config
    component = {f"components.{task}.{name}": value for name, value in recipe.component.items()}
    for some in (component, recipe.sections, _training(recipe.training)):
        for name, value in some.items():
            set_dot_to_object(config, name, value)
    if gpu:
        _set_gpu(config, config["components"][task])
    return load_model_from_config(config, auto_fill=True).config


def _code(lang: str) -> str:
    """Get spaCy's code of a language."""
    try:
        found: Any = get_lang_class(lang)
        return found.lang
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"spaCy has no language '{lang}'. Use the code of one that it has, such as 'de' "
            f"(https://spacy.io/usage/models#languages), or 'xx' for any other."
        ) from error


def _training(training: Training) -> Dict[str, Any]:
    settings = training._asdict()
    size, rate, warmup = (settings.pop(name) for name in ("size", "learn_rate", "warmup_steps"))
    if warmup:
        # Not a variable for total_steps, because spaCy also reads this block on its own.
        rate = {
            "@schedules": "warmup_linear.v1",
            "warmup_steps": warmup,
            "total_steps": training.max_steps,
            "initial_rate": rate,
        }
    return {
        **{f"training.{name}": value for name, value in settings.items()},
        "training.batcher.size": size,
        "training.optimizer.learn_rate": rate,
    }


def _set_gpu(config: Config, component: Dict[str, Any]) -> None:
    config["system"]["gpu_allocator"] = "pytorch"
    config["training"]["batcher"]["size"] *= GPU_TRAINING
    if "streams" in component:
        component["streams"] *= GPU_TRAINING
    component["model"]["batch_tokens"] *= GPU_PREDICTION
    component["model"]["mixed_precision"] = "bf16"
