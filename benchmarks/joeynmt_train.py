"""Trainings by JoeyNMT with the settings of one of our translators: the same pieces, widths, tied
output layer, dropout, label smoothing, highest learning rate, clipping of gradients, number of
updates, average number of pairs in a batch, and search. What differs is JoeyNMT's attention
(Bahdanau's, with input feeding), its batches of random lengths, and its schedule, which lowers the
learning rate by the square root of the step.

JoeyNMT's command line runs in the Python of an environment in which it is installed (`pip install
torch==2.13.0 joeynmt==2.3.0 importlib_metadata sentencepiece==0.2.0`).
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import common
import spacy
from spacy.language import Language
from thinc.api import Config

SIDES = ("source", "target")


def train_once(
    python: str, nlp: Language, parts: Mapping[str, Sequence[tuple[str, str]]], folder: Path
) -> float | None:
    """Train with the settings of `nlp`; returns the minutes it took, None if it was done already.

    parts: the pairs of train, dev and test.
    """
    if (folder / "model" / "best.ckpt").exists():
        return None
    folder.mkdir(exist_ok=True)
    features = nlp.get_pipe("translator").model.shims[0].features  # type: ignore[attr-defined]
    for i, side in enumerate(SIDES):
        (folder / f"{side}.model").write_bytes(getattr(features, side).to_bytes())
        for part, pairs in parts.items():
            lines = "".join(f"{pair[i]}\n" for pair in pairs)
            (folder / f"{part}.{side}").write_text(lines, "utf8")
    settings = settings_of(nlp.config.interpolate(), pairs_in_batch(nlp), folder)
    # JSON is valid YAML.
    (folder / "config.yaml").write_text(json.dumps(settings, indent=2), "utf8")
    start = time.perf_counter()
    run(python, "train", folder / "config.yaml", "--skip-test")
    return (time.perf_counter() - start) / 60


def translate(python: str, folder: Path) -> list[str]:
    """Translate the sources of test with the model that was best on dev."""
    run(python, "test", folder / "config.yaml", "--output-path", folder / "translations")
    return (folder / "translations.test").read_text("utf8").removesuffix("\n").split("\n")


def run(python: str, *arguments: str | Path) -> None:
    command = [python, "-m", "joeynmt", *map(str, arguments)]
    subprocess.run(command, env=common.one_thread(), stdout=sys.stderr, check=True)


def settings_of(config: Config, batch_size: int, folder: Path) -> dict[str, Any]:
    """JoeyNMT's settings that correspond to a pipeline's config."""
    translator, training = config["components"]["translator"], config["training"]
    model, search = translator["model"], translator["search"]
    rate = training["optimizer"]["learn_rate"]
    dropout = training["dropout"]
    layers = {
        "type": "recurrent",
        "num_layers": 1,
        "embeddings": {"embedding_dim": model["embedding_size"], "dropout": dropout},
    }
    return {
        "name": "translator",
        "model_dir": str(folder / "model"),
        "use_cuda": False,
        "random_seed": training["seed"],
        "data": {
            **{part: str(folder / part) for part in ("train", "dev", "test")},
            "dataset_type": "plain",
            **{
                key: {
                    "lang": side,
                    "level": "bpe",
                    "tokenizer_type": "sentencepiece",
                    "tokenizer_cfg": {"model_file": str(folder / f"{side}.model")},
                }
                for key, side in zip(("src", "trg"), SIDES, strict=True)
            },
        },
        "model": {
            "tied_softmax": model["tied"],
            "encoder": {
                **layers,
                "rnn_type": model["encoder"]["cell"],
                "hidden_size": model["encoder"]["hidden_size"],
                "bidirectional": True,
            },
            "decoder": {
                **layers,
                "rnn_type": model["decoder"]["cell"],
                "hidden_size": model["decoder"]["hidden_size"],
                "hidden_dropout": dropout,
                "attention": "bahdanau",
                "input_feeding": True,
                "init_hidden": "bridge",
            },
        },
        "training": {
            "optimizer": "adamw",
            "learning_rate": rate["initial_rate"],
            "learning_rate_warmup": rate["warmup_steps"],
            "scheduling": "warmupinversesquareroot",
            "clip_grad_norm": 1.0,
            "normalization": "tokens",
            "label_smoothing": translator["label_smoothing"],
            "batch_size": batch_size,
            "epochs": 1000,
            "updates": training["max_steps"],
            "validation_freq": training["eval_frequency"],
            "logging_freq": training["eval_frequency"] // 5,
            "early_stopping_metric": "bleu",
            "keep_best_ckpts": 1,
            "overwrite": True,
        },
        "testing": {
            "beam_size": search["beam"],
            "beam_alpha": search["length_penalty"],
            "max_output_length": 100,
            "eval_metrics": ["bleu"],
        },
    }


def pairs_in_batch(nlp: Language) -> int:
    """The average number of pairs in a batch of the pipeline's training."""
    config = nlp.config.interpolate()
    blocks = {"corpus": config["corpora"]["train"], "batcher": config["training"]["batcher"]}
    made = spacy.registry.resolve(blocks)
    examples = list(made["corpus"](nlp))
    random.Random(0).shuffle(examples)
    return round(len(examples) / len(list(made["batcher"](examples))))
