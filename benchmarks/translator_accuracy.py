"""How accurate the translator is: configs trained by `spacy train`, each on one core. The model is
selected on the dev part and scored once on all pairs of the test part, by BLEU and chrF of
sacrebleu, 0 to 100.

    python benchmarks/translator_accuracy.py [--only RUN ...] [--minutes N] [--keep DIR]
    python benchmarks/translator_accuracy.py --quick [--peer-python PATH] [--keep DIR]

The runs: "enfr" and "deen", configs/translator.cfg on Tatoeba, from English to French and from
German to English, split by a hash of the English side (corpora/tatoeba.py), for --minutes at most;
and "length", configs/translator_small.cfg with attention and without, about 4 minutes each, on
corpora/parallel and 2,000 more long sentences of the same grammar: BLEU by the length of the
source, over corpora/parallel/test.tsv and long.tsv.

--quick trains a smaller translator with fewer steps on 30,000 pairs from English to French; it
takes about 5 minutes, not one as in other benchmarks. With --peer-python, a Python that can import
joeynmt, JoeyNMT's recurrent network of the same size is trained on the same pairs for comparison,
in about 20 minutes (benchmarks/joeynmt_train.py lists what else is the same, and what differs).

CPU minutes are the processor time of the trainings; on a busy machine it is less than wall time.
Models that are already in --keep are only scored.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import common
import joeynmt_train
import spacy
from common import show
from sacrebleu import BLEU, CHRF
from spacy_train import cpu_minutes, mind_interrupts, train_once, workplace

from spacy_rnn.text_files import read_lines

CONFIGS = common.REPO / "configs"
PARALLEL = common.REPO / "corpora" / "parallel"
#: the smallest number of words of an English sentence in each bin
LENGTHS = (1, 7, 10, 16, 21, 26)
#: number of long training sentences, and the seed that they are drawn with
N_LONG, LONG_SEED = 2000, 1
QUICK_PAIRS = {"train": 30_000, "dev": 300}
QUICK_STEPS = 3000
QUICK = {
    "training.max_steps": str(QUICK_STEPS),
    "training.optimizer.learn_rate.total_steps": str(QUICK_STEPS),
    "training.optimizer.learn_rate.initial_rate": "0.004",
    "training.eval_frequency": str(QUICK_STEPS // 4),
    "training.batcher.size": "500",
    **{
        f"components.translator.model.{name}": value
        for name, value in {
            "embedding_size": "128",
            "encoder.hidden_size": "128",
            "decoder.hidden_size": "128",
            "source_pieces.vocab_size": "2000",
            "target_pieces.vocab_size": "2000",
        }.items()
    },
}

Pair = tuple[str, str]


class Tatoeba(NamedTuple):
    """A folder and a file of pairs with English, whether the target is English, and the language of
    the source."""

    folder: str
    file: str
    into_english: bool
    lang: str


TATOEBA = {
    "enfr": Tatoeba("mt-tatoeba-en-fr", "fra.txt", False, "en"),
    "deen": Tatoeba("mt-tatoeba-en-de", "deu.txt", True, "de"),
}
RUNS = (*TATOEBA, "length")


class Trained(NamedTuple):
    """A trained pipeline, and the time of its training if that is known."""

    model: Path
    minutes: float | None
    cpu_minutes: float | None

    def figures(self, prefix: str) -> dict[str, float | None]:
        """The times for the report, under `{prefix}_minutes` and `{prefix}_cpu_minutes`."""
        known = None if self.minutes is None else round(self.minutes, 1)
        cpu = None if self.cpu_minutes is None else round(self.cpu_minutes, 1)
        return {f"{prefix}_minutes": known, f"{prefix}_cpu_minutes": cpu}


# Pairs and scores


def read(path: Path) -> list[Pair]:
    """The pairs of a .tsv file."""
    return [(source, target) for source, target in (line.split("\t") for line in read_lines(path))]


def write(path: Path, pairs: Sequence[Pair]) -> None:
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), "utf8")


def tatoeba(name: str, work: Path) -> Path:
    """The folder of train.tsv, dev.tsv and test.tsv, made once."""
    from tatoeba import main as split

    folder = work / f"{name}-pairs"
    if not folder.exists():
        source, file, into_english, _ = TATOEBA[name]
        options = ["--reverse"] if into_english else []
        split([str(common.DATA / source), file, str(folder), *options])
    return folder


def translate(model: Path, pairs: Sequence[Pair]) -> list[str]:
    """The translations of the sources by a trained pipeline."""
    nlp = spacy.load(model)
    return [doc._.translation for doc in nlp.pipe([source for source, _ in pairs])]


def score(metric: BLEU | CHRF, translations: Sequence[str], pairs: Sequence[Pair]) -> float:
    return round(metric.corpus_score(translations, [[target for _, target in pairs]]).score, 2)


# Trainings


def train(
    config: str, data: Path, output: Path, settings: Mapping[str, str], minutes: float | None = None
) -> Trained:
    """Train on the pairs of a folder, unless it was done already."""
    paths = {f"paths.{part}": str(data / f"{part}.tsv") for part in ("train", "dev")}
    before = cpu_minutes()
    model, took = train_once(CONFIGS / config, output, {**paths, **settings}, minutes)
    return Trained(model, took, None if took is None else cpu_minutes() - before)


def measure(name: str, work: Path, minutes: float) -> dict[str, Any]:
    """Train and score one direction of Tatoeba."""
    data = tatoeba(name, work)
    settings = {"nlp.lang": TATOEBA[name].lang}
    trained = train("translator.cfg", data, work / name, settings, minutes)
    pairs = read(data / "test.tsv")
    translations = translate(trained.model, pairs)
    result: dict[str, Any] = trained.figures(name)
    for key, metric in (("bleu", BLEU()), ("chrf", CHRF())):
        result[f"{name}_{key}"] = score(metric, translations, pairs)
        result[f"{key}_signature"] = str(metric.get_signature())
    keys = [f"{name}_{key}" for key in ("bleu", "chrf", "minutes", "cpu_minutes")]
    show(
        f"Tatoeba, {len(pairs)} pairs of test",
        ["", "BLEU", "chrF", "minutes", "CPU minutes"],
        [[name, *(result[key] for key in keys)]],
    )
    for key in ("bleu", "chrf"):
        print(result[f"{key}_signature"])
    return result


# Attention by the length of the source


def by_length(pairs: Sequence[Pair]) -> list[list[int]]:
    """The indices of the pairs in each bin of `LENGTHS`."""
    bins: list[list[int]] = [[] for _ in LENGTHS]
    for place, (source, _) in enumerate(pairs):
        words = len(source.split())
        bins[sum(words >= least for least in LENGTHS) - 1].append(place)
    return bins


def with_long_pairs(folder: Path) -> Path:
    """The folder, with the pairs of corpora/parallel and others as long as those of long.tsv."""
    from parallel import long_pairs

    if not folder.exists():
        unseen = {source for source, _ in read(PARALLEL / "long.tsv")}
        more = [pair for pair in long_pairs(LONG_SEED, N_LONG) if pair.english not in unseen]
        folder.mkdir()
        write(folder / "train.tsv", read(PARALLEL / "train.tsv") + more)
        write(folder / "dev.tsv", read(PARALLEL / "dev.tsv"))
    return folder


def measure_length(work: Path) -> dict[str, Any]:
    data = with_long_pairs(work / "length-pairs")
    pairs = read(PARALLEL / "test.tsv") + read(PARALLEL / "long.tsv")
    bins = by_length(pairs)
    columns = []
    for side, settings in (
        ("attention", {}),
        ("none", {"components.translator.model.decoder.attention": "null"}),
    ):
        trained = train("translator_small.cfg", data, work / f"length-{side}", settings)
        found = translate(trained.model, pairs)
        columns.append(
            [score(BLEU(), [found[i] for i in some], [pairs[i] for i in some]) for some in bins]
        )
    gaps = [round(ours - none, 2) for ours, none in zip(*columns, strict=True)]
    ends = [f"to {least - 1}" for least in LENGTHS[1:]] + ["and more"]
    labels = [f"{least} {end}" for least, end in zip(LENGTHS, ends, strict=True)]
    show(
        "With and without attention: BLEU by the length of the source in words",
        ["words", "pairs", "attention", "none", "gap"],
        list(zip(labels, map(len, bins), *columns, gaps, strict=True)),
    )
    return {"gap_short": gaps[0], "gap_long": gaps[-1]}


# Comparison with JoeyNMT


def spread(pairs: Sequence[Pair], number: int) -> list[Pair]:
    """That many pairs at equal distances, because Tatoeba is sorted by length."""
    return [pairs[i * len(pairs) // number] for i in range(number)]


def measure_quick(work: Path, python: str | None) -> dict[str, Any]:
    whole, data = tatoeba("enfr", work), work / "quick-pairs"
    data.mkdir(exist_ok=True)
    for part, number in QUICK_PAIRS.items():
        write(data / f"{part}.tsv", spread(read(whole / f"{part}.tsv"), number))
    pairs = read(whole / "test.tsv")
    ours = train("translator.cfg", data, work / "quick", QUICK)
    result: dict[str, Any] = {"quick_bleu": score(BLEU(), translate(ours.model, pairs), pairs)}
    result |= ours.figures("quick")
    rows = [["spacy_rnn", result["quick_bleu"], ours.minutes, ours.cpu_minutes]]
    result["quick_bleu_joeynmt"] = None
    if python is None:
        print("\nJoeyNMT is left out: name a Python that can import it with --peer-python.")
    else:
        took, translations = joeynmt(python, ours.model, data, pairs, work / "joeynmt")
        result["quick_bleu_joeynmt"] = score(BLEU(), translations, pairs)
        result |= took.figures("quick_joeynmt")
        rows.append(["JoeyNMT", result["quick_bleu_joeynmt"], took.minutes, took.cpu_minutes])
    show(
        f"{QUICK_PAIRS['train']:,} pairs from English to French, {QUICK_STEPS:,} updates",
        ["", "BLEU", "minutes", "CPU minutes"],
        rows,
    )
    return result


def joeynmt(
    python: str, model: Path, data: Path, test: Sequence[Pair], folder: Path
) -> tuple[Trained, list[str]]:
    """Train JoeyNMT with the settings of `model`, unless it was done already, and translate the
    test part."""
    parts = {part: read(data / f"{part}.tsv") for part in QUICK_PAIRS} | {"test": test}
    before = cpu_minutes()
    took = joeynmt_train.train_once(python, spacy.load(model), parts, folder)
    trained = Trained(folder, took, None if took is None else cpu_minutes() - before)
    return trained, joeynmt_train.translate(python, folder)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a small model and fewer pairs")
    parser.add_argument("--peer-python", metavar="PATH", help="a Python that can import joeynmt")
    parser.add_argument("--only", nargs="+", choices=RUNS, default=RUNS, metavar="RUN")
    parser.add_argument("--minutes", type=float, default=75.0, help="limit of a Tatoeba training")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="by default a temporary directory")
    options = parser.parse_args()
    common.one_thread()
    mind_interrupts()
    result: dict[str, Any] = {}
    with workplace(options.keep) as work:
        if options.quick:
            result |= measure_quick(work, options.peer_python)
        else:
            for name in options.only:
                if name == "length":
                    result |= measure_length(work)
                else:
                    result |= measure(name, work, options.minutes)
    common.finish(result)


if __name__ == "__main__":
    main()
