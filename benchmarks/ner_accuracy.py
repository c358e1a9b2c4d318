"""How accurate the entity recognizer is, and how reliable its probabilities are: configs/ner.cfg
trained by `spacy train`, compared with spaCy's `ner` on the same sentences and tokens. The model is
selected on the dev part and scored once on the test part, by the F-score of entities whose tokens
and label are both right. Our recognizer then predicts with the threshold that is best on dev.

    python benchmarks/ner_accuracy.py [--quick] [--only RUN ...] [--minutes N] [--work DIR]
        [--ours] [--vectors FILE ...] [--plot FILE]

The runs: "wnut", WNUT17 with its published split, and "wikigold", both without pretrained vectors;
"wnut_vectors" and "wikigold_vectors", the same with the GloVe vectors of the data and those of
--vectors, such as all of GloVe. Wikigold is published without a split. It is split by a hash of the
first line of each article, with a tenth of the articles as test and a tenth as dev
(corpora/wikigold.py): the split is always the same, but other published figures use other splits.

spaCy's configs are made by `spacy init config --pipeline ner`, with `--optimize efficiency` for
runs without vectors and `--optimize accuracy`, which reads vectors, for the others. Both sides use
the tokens of the corpora and train for --minutes at most, or with "--minutes inf" until their
patience ends. Models that are already in --work are only scored. --ours leaves out spaCy's side.

Calibration compares the probabilities of the entities that our recognizer predicts on test
(`confidence_attr`) with the share that is right, in ten bins of equal width, over all runs. The
expected calibration error is the mean over entities of the gap between the two in their bin. Both
are computed as trained ("raw") and after `calibrate` on the dev part, which changes no entity.
--plot draws the bins (it needs matplotlib).
"""

import importlib.util
import math
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import common
import numpy as np
import spacy
from common import show
from spacy.language import Language
from spacy.scorer import get_ner_prf
from spacy.tokens import DocBin
from spacy.training import Corpus, Example
from spacy_train import glove, mind_interrupts, parser, stock_config, train_once, workplace

from spacy_rnn.readers.data_file import detect

NER = common.REPO / "configs" / "ner.cfg"
CORPORA = ("wnut", "wikigold")
BINS = 10
THRESHOLDS = (0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1)
CONFIDENCE = "confidence"
WITH_CONFIDENCE = {"components": {"ner": {"confidence_attr": CONFIDENCE}}}
QUICK_SENTENCES = 200
QUICK = {
    "training.max_steps": "30",
    "training.eval_frequency": "30",
    "corpora.train.limit": str(QUICK_SENTENCES),
    "corpora.dev.limit": str(QUICK_SENTENCES),
}
QUICK_RUNS = ["wnut"]


class Run(NamedTuple):
    """A corpus, with or without vectors. suffix: the end of its figures' names."""

    corpus: str
    suffix: str

    def key(self, figure: str) -> str:
        return f"{self.corpus}_{figure}{self.suffix}"


RUNS = {
    f"{corpus}{suffix}": Run(corpus, suffix) for corpus in CORPORA for suffix in ("", "_vectors")
}


class Believed(NamedTuple):
    """Predicted entities: the probability of each, and whether it is right, (E,)."""

    confidence: np.ndarray
    right: np.ndarray


class Bin(NamedTuple):
    """Entities of similar probability; the means are nan if there are no entities."""

    low: float
    high: float
    entities: int
    confidence: float
    precision: float


# Scores


def predicted(nlp: Language, part: Path, limit: int) -> list[Example]:
    """The sentences of a part, with the predictions of the pipeline."""
    examples: list[Example] = list(Corpus(part, gold_preproc=True, limit=limit)(nlp))
    docs = nlp.pipe([eg.predicted for eg in examples])
    return [Example(doc, eg.reference) for doc, eg in zip(docs, examples, strict=True)]


def f_score(examples: Sequence[Example]) -> float:
    """The F-score of spaCy's scorer; 0 if nothing is predicted."""
    return float(get_ner_prf(examples)["ents_f"] or 0.0)


def set_best_threshold(nlp: Language, dev: Path, limit: int) -> None:
    """Set our recognizer's threshold to the one with the best F-score on dev."""
    settings = nlp.get_pipe("ner").cfg  # type: ignore[attr-defined]

    def at(threshold: float) -> float:
        settings["threshold"] = threshold
        return f_score(predicted(nlp, dev, limit))

    settings["threshold"] = max(THRESHOLDS, key=at)


def believed(examples: Sequence[Example]) -> Believed:
    confidence, right = [], []
    for eg in examples:
        gold = {(span.start, span.end, span.label_) for span in eg.reference.ents}
        for span in eg.predicted.ents:
            confidence.append(span._.get(CONFIDENCE))
            right.append((span.start, span.end, span.label_) in gold)
    return Believed(np.array(confidence, dtype="float64"), np.array(right, dtype="float64"))


def believed_of(nlp: Language, data: Path, limit: int) -> dict[str, Believed]:
    """The entities that ours predicts on test, as trained ("_raw") and calibrated on dev ("")."""
    raw = believed(predicted(nlp, data / "test.spacy", limit))
    dev: list[Example] = list(Corpus(data / "dev.spacy", gold_preproc=True, limit=limit)(nlp))
    nlp.get_pipe("ner").calibrate(dev)  # type: ignore[attr-defined]
    return {"": believed(predicted(nlp, data / "test.spacy", limit)), "_raw": raw}


def pool(found: Sequence[Believed]) -> Believed:
    return Believed(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def bins_of(found: Believed) -> list[Bin]:
    number = np.minimum((found.confidence * BINS).astype("int64"), BINS - 1)
    bins = []
    for i in range(BINS):
        inside = number == i
        means = (float(x[inside].mean()) if inside.any() else math.nan for x in found)
        bins.append(Bin(i / BINS, (i + 1) / BINS, int(inside.sum()), *means))
    return bins


def calibration_error(found: Believed) -> float | None:
    """The expected calibration error; None if there are no entities."""
    n = len(found.confidence)
    if not n:
        return None
    gaps = (b.entities * abs(b.confidence - b.precision) for b in bins_of(found) if b.entities)
    return round(sum(gaps) / n, 4)


# Tables and plots of the bins


def show_bins(bins: Sequence[Bin], title: str) -> None:
    rows = [
        [f"{b.low:.1f} to {b.high:.1f}", *map(fraction, (b.confidence, b.precision)), b.entities]
        for b in bins
    ]
    header = ["confidence", "mean", "precision", "entities"]
    show(f"Confidence and precision of the entities of all runs, {title}", header, rows)


def fraction(value: float) -> str | None:
    return None if math.isnan(value) else f"{value:.3f}"


def plot(bins: Sequence[Bin], raw: Sequence[Bin], error: float | None, path: Path) -> None:
    """Draw a reliability diagram: the precision of each bin, also before calibration, and below it
    the number of entities in the bin."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (upper, lower) = pyplot.subplots(
        2, 1, sharex=True, figsize=(5, 6), height_ratios=(3, 1), layout="constrained"
    )
    places = [(b.low + b.high) / 2 for b in bins]
    precision = [b.precision for b in bins]
    upper.bar(places, precision, 0.9 / BINS, color="lightsteelblue")
    upper.plot([0, 1], [0, 1], color="black", linestyle="--", label="precision = confidence")
    confidence = [b.confidence for b in bins]
    upper.plot(confidence, precision, "o", color="tab:orange", label="mean confidence of the bin")
    before = [b.confidence for b in raw], [b.precision for b in raw]
    upper.plot(*before, "x", color="black", label="before calibration")
    upper.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="precision")
    if error is not None:
        upper.set_title(f"expected calibration error {error:.3f}")
    upper.legend(loc="upper left")
    bars = lower.bar(places, [b.entities for b in bins], 0.9 / BINS, color="tab:gray")
    lower.bar_label(bars, fontsize="small")
    lower.margins(y=0.25)
    lower.set(xlabel="confidence", ylabel="entities")
    figure.savefig(path)
    pyplot.close(figure)


def check_plot(path: Path) -> None:
    """Check before the trainings that the plot can be drawn.

    RAISES (SystemExit): If it cannot.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise SystemExit("--plot needs matplotlib: pip install matplotlib, or leave out --plot.")
    if not path.parent.is_dir():
        raise SystemExit(f"--plot: there is no directory {path.parent}; make it first.")


# Runs


def convert(corpus: str, folder: Path) -> None:
    """Write the parts of a corpus to .spacy files."""
    sources = {part: common.DATA / path for part, path in common.WNUT17.items()}
    if corpus == "wikigold":
        from wikigold import main

        main([str(common.DATA / "ner-wikigold"), str(folder)])
        sources = {part: folder / f"{part}.conll" for part in sources}
    folder.mkdir(exist_ok=True)
    for part, source in sources.items():
        docs = DocBin(docs=detect(source).read(spacy.blank("en")))
        docs.to_disk(folder / f"{part}.spacy")


def measure(run: Run, work: Path, options: Namespace) -> tuple[dict[str, Any], dict[str, Believed]]:
    """The figures of a run, and the entities that our recognizer predicts; see `believed_of`."""
    data = work / run.corpus
    if not data.exists():
        convert(run.corpus, data)
    optimize = "accuracy" if run.suffix else "efficiency"
    sides: dict[str, tuple[Path, dict[str, Any]]] = {"f": (NER, WITH_CONFIDENCE)}
    if not options.ours:
        sides["spacy"] = stock_config(work / f"ner-{optimize}.cfg", "ner", optimize), {}
    settings = {f"paths.{part}": str(data / f"{part}.spacy") for part in ("train", "dev")}
    settings |= {f"corpora.{part}.gold_preproc": "true" for part in ("train", "dev")}
    if run.suffix:
        settings["paths.vectors"] = str(glove(work, options.vectors))
    settings |= QUICK if options.quick else {}
    result: dict[str, Any] = {}
    rows = []
    ours: dict[str, Believed] = {}
    limit = QUICK_SENTENCES if options.quick else 0
    for side, (config, overrides) in sides.items():
        model, took = train_once(config, work / run.key(side), settings, options.minutes)
        nlp = spacy.load(model, config=overrides)
        if side == "f":
            set_best_threshold(nlp, data / "dev.spacy", limit)
        examples = predicted(nlp, data / "test.spacy", limit)
        figure = f_score(examples)
        result[run.key(side)] = round(figure, 4)
        n = sum(len(eg.predicted.ents) for eg in examples)
        rows.append([side, f"{figure:.4f}", n, took])
        if side == "f":
            ours = believed_of(nlp, data, limit)
    for name, entities in ours.items():
        result[run.key("ece" + name)] = calibration_error(entities)
    show(f"{run.corpus}{run.suffix}", ["", "test F", "entities", "minutes"], rows)
    return result, ours


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--only", nargs="+", choices=RUNS, metavar="RUN")
    arguments.add_argument("--minutes", type=float, default=20.0, help="limit of each training")
    arguments.add_argument("--plot", type=Path, metavar="FILE", help="draw the bins, .svg or .png")
    options = arguments.parse_args()
    if options.plot:
        check_plot(options.plot)
    common.one_thread()
    mind_interrupts()
    only: Sequence[str] = options.only or (QUICK_RUNS if options.quick else list(RUNS))
    result: dict[str, Any] = {}
    found = []
    with workplace(options.work) as work:
        for name in only:
            figures, entities = measure(RUNS[name], work, options)
            result |= figures
            found.append(entities)
    bins = {}
    for name, title in (("_raw", "as trained"), ("", "calibrated")):
        everything = pool([entities[name] for entities in found])
        bins[name] = bins_of(everything)
        result["ece" + name] = calibration_error(everything)
        show_bins(bins[name], title)
    if options.plot:
        plot(bins[""], bins["_raw"], result["ece"], options.plot)
    common.finish(result)


if __name__ == "__main__":
    main()
