"""How accurate and how fast a whole pipeline is, from raw text: configs/pipeline.cfg against
spaCy's components with spacy.HashEmbedCNN.v2 and the settings of `spacy init config`, both trained
by `spacy train` on UD English EWT for the same processor time.

    python benchmarks/pipeline_accuracy.py [--quick] [--steps N] [--work DIR]

Scores are those of the CoNLL 2018 shared task on the test part, F1 in percent, by udtools: from the
raw text of each paragraph, and with gold tokens and sentences. Both sides use spaCy's English
tokenizer, have no vectors, and select their model on dev. Words/s are those of `nlp.pipe` over raw
texts; the sides take turns. Models that are already in --work are only scored.
"""

import json
import lzma
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import common
import spacy
from common import show
from conllu import METRICS, raw_texts, scores, to_conllu
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import load_config
from spacy_train import cpu_minutes, mind_interrupts, python, stock_config, train, workplace

from spacy_rnn.cli.io import size_of

CONFIG = common.REPO / "configs" / "pipeline.cfg"
#: spaCy's components for the annotation that configs/pipeline.cfg predicts
PEERS = "tagger,morphologizer,trainable_lemmatizer,parser"
CNN = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "pretrained_vectors": None,
    "width": 96,
    "depth": 4,
    "embed_size": 2000,
    "window_size": 1,
    "maxout_pieces": 3,
    "subword_features": True,
}
LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": CNN["width"]}
#: number of sentences in each training document
N_SENTENCES = 5
STEPS = ("training.max_steps", "training.optimizer.learn_rate.total_steps")
#: prefixes of each side's figures
PREFIXES = {"ours": "", "cnn": "cnn_"}
ROUNDS, QUICK_ROUNDS = 5, 2
QUICK_SENTENCES, QUICK_STEPS = 300, 20


def prepare(work: Path, quick: bool) -> None:
    """Write each part of the treebank, unchanged and in spaCy's format."""
    for part in ("train", "dev", "test"):
        path = work / f"{part}.conllu"
        if path.exists():
            continue
        text = lzma.open(str(common.TREEBANKS["en"]).format(part), "rt", encoding="utf8").read()
        if quick:
            text = "\n\n".join([*text.split("\n\n")[:QUICK_SENTENCES], ""])
        path.write_text(text, encoding="utf8")
        options = ["-n", str(N_SENTENCES)]
        python("-m", "spacy", "rnn", "convert", path, work / f"{part}.spacy", *options)


def cnn_config(path: Path) -> Path:
    """Write the config of spaCy's components, which share one CNN."""
    config = load_config(stock_config(path, PEERS, "efficiency"))
    config["components"]["tok2vec"]["model"] = CNN
    for name in PEERS.split(","):
        config["components"][name]["model"]["tok2vec"] = LISTENER
    config.to_disk(path)
    return path


def trained(
    config: Path, output: Path, settings: Mapping[str, str], minutes: float | None = None
) -> tuple[Path, float]:
    """Train, unless it was done already; returns the best model, and the minutes of processor time,
    which are written to a file beside the model."""
    note = output / "cpu_minutes.json"
    if not note.exists():
        before = cpu_minutes()
        train(config, output, settings, minutes)
        note.write_text(json.dumps(cpu_minutes() - before))
    return output / "model-best", json.loads(note.read_text())


def of_sentence(gold: Doc, nlp: Language) -> Doc:
    """The words of a gold document, as one sentence without other annotation."""
    spaces = [bool(token.whitespace_) for token in gold]
    starts = [i == 0 for i in range(len(gold))]
    return Doc(nlp.vocab, common.words_of(gold), spaces, sent_starts=starts)


def measure(nlp: Language, treebank: str, gold: Sequence[Doc]) -> dict[str, dict[str, float]]:
    """The scores from raw text and with gold tokens."""
    from_raw = to_conllu(nlp.pipe(raw_texts(treebank)))
    from_gold = to_conllu(nlp.pipe([of_sentence(doc, nlp) for doc in gold]), one_sentence=True)
    return {"raw": scores(treebank, from_raw), "gold": scores(treebank, from_gold)}


def report(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, float]:
    """Print the scores side by side; returns them, and how much better ours are."""
    ours, cnn = found["ours"], found["cnn"]
    for kind, title in (("raw", "from raw text"), ("gold", "with gold tokens")):
        rows = [
            [metric, f"{ours[kind][metric]:.2f}", f"{cnn[kind][metric]:.2f}"] for metric in METRICS
        ]
        show(f"F1 on test {title}", ["", "ours", "CNN"], rows)
    result = {
        f"{PREFIXES[side]}{kind}_{metric.lower()}": score
        for side, kinds in found.items()
        for kind, all_scores in kinds.items()
        for metric, score in all_scores.items()
    }
    result["las_vs_cnn"] = ours["raw"]["LAS"] - cnn["raw"]["LAS"]
    # Tokens and words come from the same tokenizer on both sides.
    predicted = [m for m in METRICS if m not in ("Tokens", "Words")]
    result["least_vs_cnn"] = min(ours["raw"][m] - cnn["raw"][m] for m in predicted)
    return {key: round(value, 2) for key, value in result.items()}


def train_both(work: Path, steps: int | None, quick: bool) -> tuple[dict[str, Path], float]:
    """Train both sides; returns the best model of each, and the minutes of processor time that each
    had."""
    settings = {f"paths.{part}": str(work / f"{part}.spacy") for part in ("train", "dev")}
    if quick:
        settings["training.eval_frequency"] = str(QUICK_STEPS)
    of_steps = {} if steps is None else {name: str(steps) for name in STEPS}
    ours, minutes = trained(CONFIG, work / "ours", {**settings, **of_steps})
    endless = {"training.max_steps": "0", "training.patience": "0"}
    config = cnn_config(work / "cnn.cfg")
    cnn, _ = trained(config, work / "cnn", {**settings, **endless}, minutes)
    return {"ours": ours, "cnn": cnn}, minutes


def measure_speed(
    pipelines: Mapping[str, Language], texts: Sequence[str], n_words: int, rounds: int
) -> dict[str, float]:
    """The words/s from raw text."""

    def side(nlp: Language, batch_size: int | None) -> common.Side:
        return common.speed(n_words, lambda: list(nlp.pipe(texts, batch_size=batch_size)))

    sides = {
        "ours": side(pipelines["ours"], None),
        "cnn": side(pipelines["cnn"], common.SPACY_BATCH),
    }
    speeds = common.by_turns(sides, rounds)
    common.show_speeds("From raw text", speeds, "ours")
    result = {"words_vs_cnn": common.ratio(speeds["ours"], speeds["cnn"])}
    for name, values in speeds.items():
        result[f"{PREFIXES[name]}words_per_second"] = round(statistics.median(values))
    return result


def run(work: Path, steps: int | None, quick: bool) -> dict[str, float]:
    prepare(work, quick)
    models, minutes = train_both(work, steps, quick)
    pipelines = {side: spacy.load(model) for side, model in models.items()}
    treebank = (work / "test.conllu").read_text("utf8")
    gold = common.treebank("test", spacy.blank("en").vocab, QUICK_SENTENCES if quick else None)
    result = report({side: measure(nlp, treebank, gold) for side, nlp in pipelines.items()})
    result["cpu_minutes"] = round(minutes, 1)
    rounds = QUICK_ROUNDS if quick else ROUNDS
    result |= measure_speed(pipelines, raw_texts(treebank), common.n_words(gold), rounds)
    for side, model in models.items():
        result[f"{PREFIXES[side]}size_mb"] = round(size_of(model) / 1e6, 1)
    return result


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--steps", type=int, help="steps of our training; default: the config's")
    parser.add_argument("--work", type=Path, help="directory to keep; by default a temporary one")
    options = parser.parse_args()
    common.one_thread()
    mind_interrupts()
    steps = options.steps or (QUICK_STEPS if options.quick else None)
    with workplace(options.work) as work:
        common.finish(run(work, steps, options.quick))


if __name__ == "__main__":
    main()
