"""Trainings that are killed (SIGKILL) at random moments and resumed, compared with trainings that
are not killed: every component, with tiny networks. In the end, `model-best` and `model-last` must
have the same bytes.

* resumed_equal: the number of kills after which both models are the same;
* models_loadable: the number of kills that left every model folder loadable.

Each training runs in a separate process, forked from one that has imported everything.

    python benchmarks/resume.py [--quick]
"""

import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import common
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training.initialize import init_nlp
from thinc.api import Config

from spacy_rnn.extensions import set_doc_extension
from spacy_rnn.training.loop import train

COMPONENTS = ("tagger", "ner", "textcat", "textcat_multilabel", "regressor", "translator", "lm")
KILLS, QUICK_KILLS = 10, 1
SENTENCES = 60
SMALL = {"model": {"encoder": {"hidden_size": 8, "depth": 1}}}
PIECES = {"@architectures": "spacy_rnn.SentencePieces.v1", "vocab_size": 40, "alpha": 0.3}
SETTINGS: dict[str, dict[str, Any]] = {
    "translator": {
        "model": {
            **SMALL["model"],
            "embedding_size": 8,
            "source_pieces": PIECES,
            "target_pieces": PIECES,
            "decoder": {"hidden_size": 8},
        },
        "search": {"beam": 1, "max_ratio": 0.5},
    },
    "lm": {"streams": 4, "bptt_length": 8, "random_bptt_length": True},
}
WORDS = ["red", "green", "blue", "one", "two", "three", "dog", "dogs", "sleeps", "sleep"]


def corpus(path: Path) -> None:
    """Sentences of random words with every annotation, derived from the words."""
    rng = random.Random(0)
    vocab = spacy.blank("xx").vocab
    for name in ("translation", "regression"):
        set_doc_extension(name)
    docs = []
    for _ in range(SENTENCES):
        words = rng.choices(WORDS, k=rng.randint(2, 9))
        doc = Doc(vocab, words=words, tags=[word[0].upper() for word in words])
        doc.ents = [doc.char_span(0, len(words[0]), label="FIRST")]
        doc.cats = {"COLOR": float(words[0] in WORDS[:3]), "OTHER": float(words[0] in WORDS[3:])}
        doc._.regression = {"length": float(len(words))}
        doc._.translation = " ".join(word[::-1] for word in words)
        docs.append(doc)
    DocBin(docs=docs, store_user_data=True).to_disk(path)


def config_of(component: str, data: Path) -> Config:
    """The config of a training that takes about a second."""
    nlp = spacy.blank("xx")
    settings = Config(SMALL).merge(SETTINGS.get(component, {}))
    nlp.add_pipe(f"rnn_{component}", name=component, config=settings)
    config = nlp.config.copy()
    reader = {"@readers": "spacy.Corpus.v1", "path": str(data)}
    config["corpora"] = {"train": reader, "dev": {**reader, "limit": 10}}
    config["training"].update(
        {
            "seed": 1,
            "dropout": 0.2,
            "max_steps": 60,
            "eval_frequency": 20,
            "logger": {"@loggers": "spacy.ConsoleLogger.v3"},
            "batcher": {
                "@batchers": "spacy.batch_by_padded.v1",
                "size": 60,
                "buffer": 32,
                "discard_oversize": False,
            },
            "optimizer": {"@optimizers": "spacy_rnn.AdamW.v1", "learn_rate": 0.01},
        }
    )
    return config


def start(config: Config, output: Path) -> int:
    """Start or resume a training in a forked process; returns its process id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        silent = io.StringIO()
        nlp = init_nlp(config)
        train(nlp, output, checkpoint_every=7, resume=True, stdout=silent, stderr=silent)
        code = 0
    except Exception:  # noqa: BLE001
        traceback.print_exc()
    finally:
        os._exit(code)


def finish(child: int) -> None:
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(f"a training ended with status {status}")


def content(output: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(output)): path.read_bytes()
        for model in ("model-best", "model-last")
        for path in sorted((output / model).rglob("*"))
        if path.is_file()
    }


def loadable(output: Path) -> bool:
    """True if every existing model folder can be loaded."""
    try:
        for model in output.glob("model-*"):
            spacy.load(model)
    except Exception as error:  # noqa: BLE001
        print(f"{output}: {error}", file=sys.stderr)
        return False
    return True


def killed(config: Config, folder: Path, kills: int, rng: random.Random) -> tuple[int, int]:
    """The number of kills after which the models are loadable, and the number after which the final
    models are the same."""
    whole = folder / "whole"
    whole.mkdir()
    began = time.monotonic()
    finish(start(config, whole))
    seconds = time.monotonic() - began
    n_loadable = n_equal = 0
    for i in range(kills):
        output = folder / str(i)
        output.mkdir()
        child = start(config, output)
        time.sleep(rng.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        n_loadable += loadable(output)
        finish(start(config, output))
        n_equal += content(output) == content(whole)
        shutil.rmtree(output)
    return n_loadable, n_equal


def main() -> None:
    options = common.parser(__doc__).parse_args()
    common.one_thread()
    kills = QUICK_KILLS if options.quick else KILLS
    rng = random.Random(0)
    n_loadable = n_equal = 0
    rows = []
    with tempfile.TemporaryDirectory() as work:
        data = Path(work) / "data.spacy"
        corpus(data)
        for component in COMPONENTS:
            folder = Path(work) / component
            folder.mkdir()
            found = killed(config_of(component, data), folder, kills, rng)
            rows.append([component, kills, *found])
            n_loadable, n_equal = n_loadable + found[0], n_equal + found[1]
    common.show("Killed and resumed", ["", "kills", "loadable", "equal"], rows)
    n = kills * len(COMPONENTS)
    common.finish({"kills": n, "models_loadable": n_loadable, "resumed_equal": n_equal})


if __name__ == "__main__":
    main()
