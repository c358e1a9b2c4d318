"""How accurate the tagger is: configs/tagger.cfg trained by `spacy train` on the training part of
a treebank. The model is selected on the dev part and scored once on the test part, with gold
tokens.

    python benchmarks/tagger_accuracy.py [--quick] [--only RUN ...] [--minutes N]
        [--vectors FILE ...] [--work DIR]

The runs: "ewt", tags, parts of speech and morphology of UD English EWT by one model, with the GloVe
vectors of the data and those of --vectors, such as all of GloVe; "pt" and "cs", parts of speech of
UD Portuguese Bosque and Czech CLTT without vectors, with the same config except for targets,
language and paths; "small", configs/tagger_small.cfg against spaCy's default tagger (`spacy init
config --pipeline tagger`), XPOS on EWT dev after the same time of training (--minutes). --quick
leaves out "pt" and "cs" unless they are named.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import common
import spacy
from common import show
from spacy.tokens import DocBin
from spacy.training import Corpus
from spacy_train import glove, mind_interrupts, python, train, training_parser, workplace

TAGGER = common.REPO / "configs" / "tagger.cfg"
SMALL = common.REPO / "configs" / "tagger_small.cfg"
#: settings of trainings with --quick, and the number of sentences that it reads of each part
QUICK = {"training.max_steps": "40", "training.eval_frequency": "20"}
QUICK_SENTENCES = 300
QUICK_MINUTES = 0.2
QUICK_RUNS = ["ewt", "small"]


class Run(NamedTuple):
    """A training: the language of the treebank, the targets with the names of their figures, and
    whether vectors are used."""

    lang: str
    targets: dict[str, str]
    vectors: bool


RUNS = {
    "ewt": Run("en", {"tag": "xpos", "pos": "upos", "morph": "morph"}, True),
    "pt": Run("pt", {"pos": "pt_upos"}, False),
    "cs": Run("cs", {"pos": "cs_upos"}, False),
}


class Workplace:
    """Makes the files that trainings need in a directory, each file once.

    limit: number of sentences of each part of a treebank; None for all.
    vectors: files of word vectors besides those of the data.
    """

    def __init__(self, directory: Path, limit: int | None, vectors: Sequence[Path] = ()):
        self.directory = directory
        self.limit = limit
        self.vectors = vectors

    def part(self, lang: str, split: str) -> Path:
        """A part of a treebank in spaCy's format, with one sentence per document."""
        path = self.directory / f"{lang}-{split}.spacy"
        if not path.exists():
            docs = common.treebank(split, spacy.blank(lang).vocab, self.limit, lang)
            DocBin(docs=docs).to_disk(path)
        return path

    def train(
        self, name: str, config: Path, lang: str, overrides: dict[str, str], minutes: float | None
    ) -> tuple[Path, float]:
        """Train; returns the best model and the minutes it took."""
        settings = {
            "nlp.lang": lang,
            "paths.train": str(self.part(lang, "train")),
            "paths.dev": str(self.part(lang, "dev")),
            **overrides,
        }
        return train(config, self.directory / name, settings, minutes)

    def scores(self, model: Path, lang: str, split: str) -> dict[str, Any]:
        nlp = spacy.load(model)
        return nlp.evaluate(list(Corpus(self.part(lang, split), gold_preproc=True)(nlp)))


def measure(work: Workplace, name: str, run: Run, quick: bool) -> dict[str, float]:
    overrides = {
        "components.tagger.targets": json.dumps(list(run.targets)),
        **(QUICK if quick else {}),
    }
    if run.vectors:
        overrides["paths.vectors"] = str(glove(work.directory, work.vectors))
    model, minutes = work.train(name, TAGGER, run.lang, overrides, None)
    scores = {split: work.scores(model, run.lang, split) for split in ("dev", "test")}
    result = {
        f"{figure}_{split}": round(scores[split][f"{target}_acc"], 4)
        for target, figure in run.targets.items()
        for split in scores
    }
    rows = [[key, f"{value:.4f}"] for key, value in result.items()]
    show(f"{name}, after {minutes:.1f} minutes", ["", "accuracy"], rows)
    return {**result, f"{name}_minutes": round(minutes, 1)}


def measure_small(work: Workplace, minutes: float, quick: bool) -> dict[str, float]:
    """Train the small tagger and spaCy's for the same time, and score both on dev."""
    cnn = work.directory / "cnn.cfg"
    python("-m", "spacy", "init", "config", "--force", "--lang", "en", "--pipeline", "tagger", cnn)
    gold_tokens = {f"corpora.{part}.gold_preproc": "true" for part in ("train", "dev")}
    endless = {"training.max_steps": "0", "training.patience": "0"}
    result = {}
    for name, config in (("small", SMALL), ("cnn", cnn)):
        overrides = {**gold_tokens, **endless, **({**QUICK, **endless} if quick else {})}
        model, _ = work.train(name, config, "en", overrides, minutes)
        result[f"{name}_xpos_dev"] = round(work.scores(model, "en", "dev")["tag_acc"], 4)
    rows = [[key, f"{value:.4f}"] for key, value in result.items()]
    show(f"XPOS on dev after {minutes} minutes", ["", "accuracy"], rows)
    return result


def run_all(work: Workplace, only: Sequence[str], minutes: float, quick: bool) -> dict[str, float]:
    result: dict[str, float] = {}
    for name, run in RUNS.items():
        if name in only:
            result |= measure(work, name, run, quick)
    if "small" in only:
        result |= measure_small(work, minutes, quick)
    return result


def main() -> None:
    names = [*RUNS, "small"]
    parser = training_parser(__doc__)
    parser.add_argument("--only", nargs="+", choices=names, metavar="RUN")
    parser.add_argument("--minutes", type=float, default=7.0, help="for each training of 'small'")
    options = parser.parse_args()
    only = options.only or (QUICK_RUNS if options.quick else names)
    common.one_thread()
    mind_interrupts()
    limit = QUICK_SENTENCES if options.quick else None
    minutes = QUICK_MINUTES if options.quick else options.minutes
    with workplace(options.work) as directory:
        work = Workplace(directory, limit, options.vectors)
        common.finish(run_all(work, only, minutes, options.quick))


if __name__ == "__main__":
    main()
