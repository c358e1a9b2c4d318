"""Peak memory of the tagger: of a process that tags UD English EWT test once or twenty times, of
one that trains on batches of 1000, 2000 and 4000 padded tokens, and of one that trains
configs/tagger.cfg for 100 or 3000 steps (on 2,000 sentences of EWT train, evaluated on 500 of dev).

    python benchmarks/tagger_memory.py [--quick]

Each figure is measured in a separate process, which this script starts as

    python benchmarks/tagger_memory.py --measure pipe|train|steps --amount N
"""

import argparse
import resource
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import common
import spacy
from common import output_of, show
from spacy.cli.train import train
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

PASSES = 20
SIZES = (1000, 2000, 4000)
STEPS = (100, 3000)
SENTENCES, DEV_SENTENCES = 2000, 500
MEGABYTE = 1 << (20 if sys.platform == "darwin" else 10)


def peak() -> float:
    """The peak memory of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE


def measure_pipe(passes: int) -> float:
    """Tag a stream of documents without keeping them."""
    train = common.treebank("train", Vocab(), SENTENCES)
    test = common.treebank("test", Vocab())
    nlp = common.pipeline(train, "rnn_tagger")

    def stream() -> Iterator[Doc]:
        for _ in range(passes):
            for doc in test:
                yield common.blank(doc, nlp.vocab)

    for _ in nlp.pipe(stream()):
        pass
    return peak()


def measure_train(padded_tokens: int) -> float:
    """Train on sentences in batches of the given number of padded tokens."""
    train = common.treebank("train", spacy.blank("en").vocab, SENTENCES)
    nlp = common.pipeline(train, "rnn_tagger")
    optimizer = spacy.registry.get("optimizers", "spacy_rnn.AdamW.v1")()
    gold = common.examples(train, nlp.vocab)
    for batch in common.padded_batches(gold, padded_tokens):
        nlp.update(batch, drop=common.DROPOUT, sgd=optimizer)
    return peak()


def measure_steps(steps: int) -> float:
    """Train configs/tagger.cfg by `spacy train`."""
    with tempfile.TemporaryDirectory() as directory:
        paths = {}
        for split, limit in (("train", SENTENCES), ("dev", DEV_SENTENCES)):
            path = Path(directory, f"{split}.spacy")
            DocBin(docs=common.treebank(split, Vocab(), limit)).to_disk(path)
            paths[f"paths.{split}"] = str(path)
        overrides = {**paths, "training.max_steps": steps, "training.patience": 0}
        train(common.REPO / "configs" / "tagger.cfg", overrides=overrides)
    return peak()


MEASURES = {"pipe": measure_pipe, "train": measure_train, "steps": measure_steps}


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--measure", choices=MEASURES, help=argparse.SUPPRESS)
    parser.add_argument("--amount", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    common.one_thread()
    if options.measure:
        common.finish({"peak": MEASURES[options.measure](options.amount)})
        return

    def run(what: str, amount: int) -> float:
        return output_of([__file__, "--measure", what, "--amount", amount])["peak"]

    passes = 5 if options.quick else PASSES
    once, often = run("pipe", 1), run("pipe", passes)
    show(
        "Peak memory of nlp.pipe over EWT test",
        ["passes", "MB"],
        [["1", once], [str(passes), often]],
    )
    result = {"pipe_memory_ratio": round(often / once, 3)}
    if not options.quick:
        peaks = {size: run("train", size) for size in SIZES}
        rows = [[str(size), mb] for size, mb in peaks.items()]
        show("Peak memory of training", ["padded tokens per batch", "MB"], rows)
        result |= {f"train_memory_mb_{size}": round(mb) for size, mb in peaks.items()}
        few, many = (run("steps", steps) for steps in STEPS)
        rows = [[str(steps), mb] for steps, mb in zip(STEPS, (few, many), strict=True)]
        show("Peak memory of training configs/tagger.cfg", ["steps", "MB"], rows)
        result["train_memory_growth"] = round(many / few, 3)
    common.finish(result)


if __name__ == "__main__":
    main()
