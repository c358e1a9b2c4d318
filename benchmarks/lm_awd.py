"""The perplexity that configs/lm_awd.cfg reaches on WikiText-2 in two minutes of `spacy train`,
with evaluations every 200 steps; on a GPU in half precision, bf16.

    python benchmarks/lm_awd.py [--quick] [--gpu] [--minutes N]

Keys, which end in `_gpu` on a GPU:

* steps: the number of steps at the last evaluation;
* valid_perplexity: the perplexity per word at that evaluation, with averaged weights;
* words_per_second: the speed of training including evaluations and saving, the median over
  evaluations.

--quick: a small network and few articles, within a minute on a CPU.
"""

import statistics
from itertools import islice
from pathlib import Path
from typing import Any

import common
import spacy
import srsly
from plain import wikitext
from spacy.tokens import DocBin
from spacy_train import mind_interrupts, train, workplace

CONFIG = common.REPO / "configs" / "lm_awd.cfg"
SETTINGS = {"components.lm.model.mixed_precision": "bf16", "training.eval_frequency": 200}
GPU_SETTINGS = {"gpu-id": 0, "system.gpu_allocator": "pytorch"}
QUICK_ARTICLES = 10
QUICK_SETTINGS = {
    "components.lm.streams": 8,
    "components.lm.bptt_length": 20,
    "components.lm.model.embedding_size": 32,
    "components.lm.model.encoder.hidden_size": 32,
    "training.batcher.size": 160,
    "training.max_steps": 20,
    "training.eval_frequency": 10,
}


def measure(work: Path, settings: dict[str, Any], articles: int | None, minutes: float) -> None:
    """Train in a folder, and write the curves there."""
    vocab = spacy.blank("en").vocab
    for name, part in (("train", "train"), ("dev", "valid")):
        docs = islice(wikitext(common.DATA / "lm-wikitext2" / f"{part}.txt.xz", vocab), articles)
        settings[f"paths.{name}"] = work / f"{part}.spacy"
        DocBin(docs=docs).to_disk(settings[f"paths.{name}"])
    config = spacy.util.load_config(CONFIG)
    config["training"]["logger"] = {
        "@loggers": "spacy_rnn.CurveLogger.v1",
        "path": str(work / "curves.jsonl"),
    }
    config.to_disk(work / "config.cfg")
    arguments = {key: str(value) for key, value in settings.items()}
    train(work / "config.cfg", work / "training", arguments, minutes)


def main() -> None:
    parser = common.parser(__doc__, gpu=True)
    parser.add_argument("--minutes", type=float, default=2.0, help="minutes of training")
    options = parser.parse_args()
    mind_interrupts()
    settings: dict[str, Any] = {**SETTINGS}
    if options.gpu:
        settings |= GPU_SETTINGS
    if options.quick:
        settings |= QUICK_SETTINGS
    with workplace(None) as work:
        measure(work, settings, QUICK_ARTICLES if options.quick else None, options.minutes)
        rows = list(srsly.read_jsonl(work / "curves.jsonl"))
    columns = ("step", "words_per_second", "ppl")
    common.show("Evaluations", columns, [[row[name] for name in columns] for row in rows])
    # The first evaluation is before training.
    speeds = [row["words_per_second"] for row in rows[1:]]
    result = {
        "steps": rows[-1]["step"],
        "valid_perplexity": round(rows[-1]["ppl"], 2),
        "words_per_second": round(statistics.median(speeds)) if speeds else None,
    }
    common.finish(result, options.gpu)


if __name__ == "__main__":
    main()
