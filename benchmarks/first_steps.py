"""How accurate a first training on custom files is, with the commands of the documentation and only
their default settings.

    python benchmarks/first_steps.py [--quick] [--only CORPUS ...] [--work DIR]

The corpora, in their published form: "banking", Banking77, a CSV file of questions with 77 intents;
"wnut", WNUT17, CoNLL files of posts with six types of entities; "pairs", 30,000 random lines of
Tatoeba, a table of English sentences with their French translations. If there is no dev file,
`convert --split 0.1` makes one. `init-config --data` then makes the config, and `spacy train` and
`evaluate` use it. The processor time is that of all commands. Models that are already in --work are
only evaluated.
"""

import json
import lzma
import random
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import common
from spacy_train import cpu_minutes, mind_interrupts, python, workplace

RNN = ("-m", "spacy", "rnn")
QUICK = ("--training.max_steps", "10", "--training.eval_frequency", "10")
N_PAIRS, QUICK_LINES = 30_000, 300


class Corpus(NamedTuple):
    """A corpus: its files by the name of each part, the score, and the name of the figure."""

    folder: str
    files: dict[str, str]
    score: str
    figure: str
    factor: float = 1.0


CORPORA = {
    "banking": Corpus(
        "textcat-banking77",
        {"train.csv": "train.csv", "test.csv": "test.csv"},
        "cats_micro_f",
        "banking_acc",
    ),
    "wnut": Corpus(
        "ner-wnut17",
        {
            "train.conll": "wnut17train.conll",
            "dev.conll": "emerging.dev.conll",
            "test.conll": "emerging.test.annotated",
        },
        "ents_f",
        "wnut_f",
    ),
    "pairs": Corpus("mt-tatoeba-en-fr", {}, "bleu", "bleu", 100.0),
}


def write_files(corpus: Corpus, folder: Path, quick: bool) -> None:
    """Write the unpacked files of a corpus; in a quick run only their first lines."""
    folder.mkdir(parents=True)
    for name, source in corpus.files.items():
        with lzma.open(common.DATA / corpus.folder / f"{source}.xz", "rt", encoding="utf8") as file:
            text = file.read()
        if quick:
            # CoNLL files have many lines for each sentence, which ends at a blank line.
            lines = text.splitlines()[: 10 * QUICK_LINES if name.endswith("conll") else QUICK_LINES]
            text = "\n".join(lines) + "\n"
        (folder / name).write_text(text, encoding="utf8")
    if not corpus.files:
        write_pairs(folder, QUICK_LINES if quick else N_PAIRS)


def write_pairs(folder: Path, n: int) -> None:
    """Write random pairs for training, and all pairs of the test part."""
    from tatoeba import pairs

    parts: dict[str, list[str]] = {}
    for part, english, translation in pairs(common.DATA / "mt-tatoeba-en-fr", "fra.txt"):
        parts.setdefault(part, []).append(f"{english}\t{translation}\n")
    tables = {"train.tsv": random.Random(0).sample(parts["train"], n), "test.tsv": parts["test"]}
    for name, lines in tables.items():
        (folder / name).write_text("".join(lines[:n]), encoding="utf8")


def measure(name: str, work: Path, quick: bool) -> dict[str, Any]:
    """The score of a pipeline that is made by the commands, and the processor time they took."""
    corpus, folder = CORPORA[name], work / name
    if not folder.exists():
        write_files(corpus, folder, quick)
    before = cpu_minutes()
    (train,), (test,) = folder.glob("train.*"), folder.glob("test.*")
    dev = folder / f"dev{train.suffix}"
    if not dev.exists():
        python(*RNN, "convert", train, folder / "corpus", "--split", "0.1")
        train, dev = folder / "corpus" / "train.spacy", folder / "corpus" / "dev.spacy"
    config, output = folder / "config.cfg", folder / "training"
    is_new = not (output / "model-best").exists()
    if is_new:
        python(*RNN, "init-config", config, "--data", train, "--dev", dev, "--force")
        steps = QUICK if quick else ()
        python("-m", "spacy", "train", config, "--output", output, *steps)
    scores = folder / "scores.json"
    python(*RNN, "evaluate", output / "model-best", test, "--output", scores)
    score = json.loads(scores.read_text())[corpus.score]
    figures = {corpus.figure: round(corpus.factor * score, 4)}
    if is_new:
        figures[f"{name}_cpu_minutes"] = round(cpu_minutes() - before, 1)
    return figures


def arguments() -> Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--only", nargs="+", choices=CORPORA, metavar="CORPUS")
    parser.add_argument("--work", type=Path, help="directory to keep; by default a temporary one")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    common.one_thread()
    mind_interrupts()
    only: Sequence[str] = options.only or list(CORPORA)
    with workplace(options.work) as work:
        result: dict[str, Any] = {}
        for name in only:
            result |= measure(name, work, options.quick)
        rows = [[name, f"{figure:.4g}"] for name, figure in result.items()]
        common.show("defaults only, scores on test", ["", "figure"], rows)
        common.finish(result)


if __name__ == "__main__":
    main()
