"""The perplexity of the language model on WikiText-2: configs/lm.cfg, trained by `spacy train` on
one core, beside the same network in a bare torch loop (benchmarks/bare_lm.py), which reads the same
windows of the same articles in the same order, with the same steps, dropout and averages of
weights. Both keep the averages that are best on valid.

    python benchmarks/lm_perplexity.py [--quick] [--output DIR] [--only SIDE ...]

A perplexity is exp of the mean negative log-likelihood of a word. Words are those of the publishers
of the corpus, `<unk>` among them, and the end of each line, as in published figures: 217,646 of
valid and 245,569 of test. Both sides read each article from its beginning to its end with one
state. The end of an article is not a word: its probability is not counted. (Published models read a
whole part as one text; they are not told where an article begins, and need not predict ends.)

Keys:

* valid_perplexity, test_perplexity: ours;
* bare_valid_perplexity, bare_test_perplexity: bare torch;
* valid_ratio, test_ratio: ours over bare torch.

Networks and figures that --output already has are not computed again, so that `--only ours` and
`--only bare` can run at the same time, each on its own core, and then the whole without --only.
Each takes most of an hour. --quick: a smaller network, fewer articles and steps, in two
minutes.
"""

import json
import math
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import bare_lm
import common
import spacy
import torch
from plain import wikitext
from spacy.tokens import Doc, DocBin
from spacy_train import mind_interrupts, train_once, workplace

CONFIG = common.REPO / "configs" / "lm.cfg"
PARTS = ("train", "valid", "test")
SCORED = ("valid", "test")
#: articles of each part
QUICK_ARTICLES = {"train": 60, "valid": 10, "test": 10}
QUICK_STEPS = 240
QUICK = {
    "components.lm.streams": 8,
    "components.lm.model.embedding_size": 64,
    "components.lm.model.encoder.hidden_size": 128,
    "training.max_steps": QUICK_STEPS,
    "training.eval_frequency": QUICK_STEPS // 4,
    "training.optimizer.learn_rate.total_steps": QUICK_STEPS,
    "training.optimizer.learn_rate.warmup_steps": 20,
}

Articles = dict[str, list[Doc]]
Figures = dict[str, float]


def read(quick: bool) -> Articles:
    vocab = spacy.blank("en").vocab
    return {
        part: list(
            islice(
                wikitext(common.DATA / "lm-wikitext2" / f"{part}.txt.xz", vocab),
                QUICK_ARTICLES[part] if quick else None,
            )
        )
        for part in PARTS
    }


def measure_ours(articles: Articles, changes: dict[str, Any], work: Path) -> Figures:
    settings = {key: str(value) for key, value in changes.items()}
    for name, part in (("train", "train"), ("dev", "valid")):
        path = work / f"{part}.spacy"
        DocBin(docs=articles[part]).to_disk(path)
        settings[f"paths.{name}"] = str(path)
    model, _ = train_once(CONFIG, work / "ours", settings)
    nlp = spacy.load(model)

    def perplexity(docs: Sequence[Doc]) -> float:
        read = nlp.pipe(common.blank(doc, nlp.vocab) for doc in docs)
        # The last number is of the end of the article.
        total = sum(sum(doc._.log_probability[:-1]) for doc in read)
        return math.exp(-total / common.n_words(docs))

    return {part: perplexity(articles[part]) for part in SCORED}


def measure_bare(articles: Articles, changes: dict[str, Any], work: Path) -> Figures:
    config = spacy.util.load_config(CONFIG, overrides=changes, interpolate=True)
    settings = bare_lm.settings_of(config)
    words = {part: [common.words_of(doc) for doc in docs] for part, docs in articles.items()}
    vocabulary = bare_lm.Vocabulary(
        words["train"], config["components"]["lm"]["model"]["units"]["min_freq"]
    )
    texts = {part: [vocabulary.encode(text) for text in docs] for part, docs in words.items()}
    # As spaCy does before it makes a network, and again before it trains one.
    torch.manual_seed(settings.seed)
    network = bare_lm.BareLM(len(vocabulary), settings)
    path = work / "bare.pt"
    if path.exists():
        network.load_state_dict(torch.load(path))
    else:
        batcher = spacy.registry.resolve({"batcher": config["training"]["batcher"]})["batcher"]
        batches = bare_lm.shuffled(texts["train"], batcher, settings.seed)
        torch.manual_seed(settings.seed)
        bare_lm.train(
            network, batches, settings, lambda found: bare_lm.perplexity(found, texts["valid"])
        )
        torch.save(network.state_dict(), path)
    return {part: bare_lm.perplexity(network, texts[part]) for part in SCORED}


SIDES: dict[str, Callable[[Articles, dict[str, Any], Path], Figures]] = {
    "ours": measure_ours,
    "bare": measure_bare,
}


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--output", type=Path, metavar="DIR", help="else a temporary directory")
    parser.add_argument("--only", nargs="+", choices=SIDES, default=list(SIDES))
    options = parser.parse_args()
    common.one_thread()
    mind_interrupts()
    articles = read(options.quick)
    found: dict[str, Figures] = {}
    with workplace(options.output) as folder:
        # A quick run has a folder of its own, so that its results are not taken for a full run's.
        work = folder / "quick" if options.quick else folder
        work.mkdir(exist_ok=True)
        for side in options.only:
            path = work / f"{side}.json"
            if not path.exists():
                figures = SIDES[side](articles, QUICK if options.quick else {}, work)
                path.write_text(json.dumps(figures))
            found[side] = json.loads(path.read_text())
    common.show(
        "Perplexity of a word",
        ["", *(f"{part}: {common.n_words(articles[part]):,} words" for part in SCORED)],
        [[side, *(f"{figures[part]:.2f}" for part in SCORED)] for side, figures in found.items()],
    )
    result: Figures = {}
    for side, figures in found.items():
        prefix = "" if side == "ours" else "bare_"
        result |= {f"{prefix}{part}_perplexity": round(figures[part], 2) for part in SCORED}
    if len(found) == len(SIDES):
        for part in SCORED:
            result[f"{part}_ratio"] = round(found["ours"][part] / found["bare"][part], 4)
    common.finish(result)


if __name__ == "__main__":
    main()
