"""How accurate the text classifiers and the regressor are: the shipped configs trained by
`spacy train`, compared with spaCy's text classifiers on the same texts. The model is selected on
the dev part and scored once on the test part.

    python benchmarks/textcat_accuracy.py [--quick] [--only CORPUS ...] [--minutes N] [--work DIR]
        [--ours] [--vectors FILE ...]

The corpora: "polarity", film-review sentences of two classes; "banking", questions of 77 intents,
trained as in the workflow `intents`; "emotions", comments with any of 28 labels; "ratings", the
mean rating of review sentences, compared with the mean of the dev ratings as the baseline. Our
models and TextCatEnsemble use the GloVe vectors of the data, and those of --vectors, such as all of
GloVe. spaCy's configs are made by `spacy init config --pipeline textcat` (or textcat_multilabel):
`--optimize accuracy` gives TextCatEnsemble, `--optimize efficiency` TextCatBOW. spaCy's classifiers
train for --minutes at most, or with "--minutes inf" until their patience ends. Models that are
already in --work are only scored. --ours leaves out spaCy's classifiers.

The score is the accuracy if classes are exclusive. For "emotions" it is the macro-averaged F-score,
for every side at the threshold that is best on dev.
"""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import common
import numpy as np
import spacy
from common import show
from spacy.training import Corpus, Example
from spacy_train import glove, mind_interrupts, parser, stock_config, train_once, workplace

CORPORA = {
    "polarity": "textcat-sentence-polarity",
    "banking": "textcat-banking77",
    "emotions": "textcat-goemotions",
    "ratings": "regression-vader",
}
QUICK_TEXTS = 100
QUICK = {
    "training.max_steps": "10",
    "training.eval_frequency": "10",
    "corpora.train.limit": str(QUICK_TEXTS),
    "corpora.dev.limit": str(QUICK_TEXTS),
}
#: settings that the workflow `intents` changes in its config, because it has many classes
INTENTS = {
    "components.textcat.model.encoder.hidden_size": "200",
    "training.optimizer.learn_rate.initial_rate": "0.005",
    "training.optimizer.learn_rate.total_steps": "3000",
    "training.max_steps": "3000",
}
THRESHOLDS = np.linspace(0.02, 0.9, 45)


class Side(NamedTuple):
    """A training: the end of its figure's name, its config, the settings that are changed in it,
    and the maximum of minutes."""

    name: str
    config: Path
    settings: dict[str, str]
    minutes: float | None = None


class Scores(NamedTuple):
    """Predicted and gold probabilities or values of the texts of a part: (texts, labels)."""

    predicted: np.ndarray
    gold: np.ndarray


def sides(corpus: str, work: Path, options: Namespace) -> list[Side]:
    """All trainings on a corpus, ours first."""
    vectors = {"paths.vectors": str(glove(work, options.vectors))}
    configs = common.REPO / "configs"
    if corpus == "ratings":
        return [Side("pearson", configs / "regressor.cfg", vectors)]
    pipeline = "textcat_multilabel" if corpus == "emotions" else "textcat"
    settings = vectors | INTENTS if corpus == "banking" else vectors
    ours = [Side("f" if corpus == "emotions" else "acc", configs / f"{pipeline}.cfg", settings)]
    if corpus == "polarity":
        ours.append(Side("small", configs / "textcat_small.cfg", vectors))
    if options.ours:
        return ours
    peers = []
    for name, optimize, settings in (("bow", "efficiency", {}), ("ensemble", "accuracy", vectors)):
        config = stock_config(work / f"{pipeline}-{name}.cfg", pipeline, optimize)
        peers.append(Side(name, config, settings, options.minutes))
    return ours + peers


def scores(model: Path, part: Path, limit: int) -> Scores:
    """The predictions of a trained pipeline for the texts of a part."""
    nlp = spacy.load(model)
    gold: list[Example] = list(Corpus(part, limit=limit)(nlp))
    labels = nlp.get_pipe(nlp.pipe_names[-1]).labels  # type: ignore[attr-defined]
    docs = list(nlp.pipe([example.predicted for example in gold]))

    def values(doc: Any) -> list[float]:
        found = doc.cats or doc._.regression
        return [found[label] for label in labels]

    return Scores(
        np.array([values(doc) for doc in docs]), np.array([values(eg.reference) for eg in gold])
    )


def accuracy(dev: Scores, test: Scores) -> float:
    return float((test.predicted.argmax(1) == test.gold.argmax(1)).mean())


def macro_f(found: Scores, threshold: float) -> float:
    positive = found.predicted >= threshold
    both = (positive * found.gold).sum(0)
    either = positive.sum(0) + found.gold.sum(0)
    return float((2 * both / np.maximum(either, 1)).mean())


def best_macro_f(dev: Scores, test: Scores) -> float:
    return macro_f(test, max(THRESHOLDS, key=lambda threshold: macro_f(dev, threshold)))


def pearson(dev: Scores, test: Scores) -> float:
    return float(np.corrcoef(test.predicted[:, 0], test.gold[:, 0])[0, 1])


METRICS = {"emotions": best_macro_f, "ratings": pearson}


def measure(corpus: str, work: Path, options: Namespace) -> dict[str, Any]:
    from texts import convert

    data = work / corpus
    if not data.exists():
        convert(corpus, common.DATA / CORPORA[corpus], data)
    result: dict[str, Any] = {}
    rows = []
    for side in sides(corpus, work, options):
        output = work / f"{corpus}-{side.name}"
        paths = {f"paths.{part}": str(data / f"{part}.spacy") for part in ("train", "dev")}
        settings: Mapping[str, str] = {**paths, **side.settings, **(QUICK if options.quick else {})}
        model, took = train_once(side.config, output, settings, side.minutes)
        limit = QUICK_TEXTS if options.quick else 0
        dev, test = (scores(model, data / f"{part}.spacy", limit) for part in ("dev", "test"))
        figure = METRICS.get(corpus, accuracy)(dev, test)
        result[f"{corpus}_{side.name}"] = round(figure, 4)
        rows.append([side.name, f"{figure:.4f}", took])
        if corpus == "ratings":
            errors = test.predicted - test.gold, dev.gold.mean() - test.gold
            for name, error in zip(("ratings_rmse", "ratings_rmse_mean"), errors, strict=True):
                result[name] = round(float(np.sqrt((error**2).mean())), 4)
                rows.append([name, f"{result[name]:.4f}", None])
    show(corpus, ["", "test", "minutes"], rows)
    return result


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--only", nargs="+", choices=CORPORA, metavar="CORPUS")
    arguments.add_argument(
        "--minutes", type=float, default=15.0, help="limit of each of spaCy's trainings"
    )
    options = arguments.parse_args()
    common.one_thread()
    mind_interrupts()
    only: Sequence[str] = options.only or (["polarity"] if options.quick else list(CORPORA))
    with workplace(options.work) as work:
        result: dict[str, Any] = {}
        for corpus in only:
            result |= measure(corpus, work, options)
        common.finish(result)


if __name__ == "__main__":
    main()
