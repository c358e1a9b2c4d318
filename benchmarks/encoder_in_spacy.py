"""spaCy's tagger with spacy_rnn.RNNEncoder.v1, compared with the same tagger with
spacy.TorchBiLSTMEncoder.v1 and with spaCy's CNN: XPOS of UD English EWT with gold tokens, one
thread; the same embedding, width, batches, optimizer and number of steps.

    python benchmarks/encoder_in_spacy.py [--quick] [--steps N] [--seeds N ...]

Words/s are those of the whole `nlp.pipe` and `nlp.update`; the sides take turns. Accuracies are on
dev after the last step, the mean over the seeds. `max_diff` is the largest difference between the
states of a sentence alone and in a batch.
"""

import random
import statistics
from collections.abc import Callable, Iterator
from itertools import chain, count, islice

import common
import numpy as np
import spacy
from common import Size, by_turns, ratio, show_speeds
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Config, compounding

WIDTH, DROPOUT = 96, 0.1
TAGGER = Config().from_str(
    f"""
    [model]
    @architectures = "spacy.Tagger.v2"

    [model.tok2vec]
    @architectures = "spacy.Tok2Vec.v2"

    [model.tok2vec.embed]
    @architectures = "spacy.MultiHashEmbed.v2"
    width = {WIDTH}
    attrs = ["NORM", "PREFIX", "SUFFIX", "SHAPE"]
    rows = [5000, 1000, 2500, 2500]
    include_static_vectors = false
    """
)
ENCODERS = {
    "ours": {
        "@architectures": "spacy_rnn.RNNEncoder.v1",
        "cell": "lstm",
        "hidden_size": WIDTH // 2,
        "depth": 1,
        "residual": True,
        "layer_norm": True,
    },
    "torchbilstm": {
        "@architectures": "spacy.TorchBiLSTMEncoder.v1",
        "width": WIDTH,
        "depth": 1,
        "dropout": 0.0,
    },
    "cnn": {
        "@architectures": "spacy.MaxoutWindowEncoder.v2",
        "width": WIDTH,
        "depth": 4,
        "window_size": 1,
        "maxout_pieces": 3,
    },
}
FULL, QUICK = Size(None, None, 40, 5), Size(1200, 300, 6, 2)
QUICK_STEPS = 60


def make(encoder: str, train: list[Doc]) -> Language:
    model = TAGGER.merge({"model": {"tok2vec": {"encode": ENCODERS[encoder]}}})["model"]
    return common.pipeline(train, "tagger", model)


def batches(train: list[Doc], size: int | Iterator[float]) -> Iterator[list[Doc]]:
    """Endless batches of `size` words by spaCy's batcher; each epoch has another random order."""
    by_words = spacy.registry.get("batchers", "spacy.batch_by_words.v1")
    shuffled = (random.Random(epoch).sample(train, len(train)) for epoch in count())
    return by_words(size=size, tolerance=0.2, discard_oversize=False, get_length=len)(
        chain.from_iterable(shuffled)
    )


def accuracy(encoder: str, train: list[Doc], dev: list[Doc], steps: int, seed: int) -> float:
    spacy.util.fix_random_seed(seed)
    nlp = make(encoder, train)
    optimizer = nlp.create_optimizer()
    # As in the configs of `spacy init config`.
    for batch in islice(batches(train, compounding(100, 1000, 1.001)), steps):
        nlp.update(common.examples(batch, nlp.vocab), drop=DROPOUT, sgd=optimizer)
    return nlp.evaluate(common.examples(dev, nlp.vocab))["tag_acc"]


def difference(nlp: Language, docs: list[Doc]) -> float:
    tok2vec = nlp.get_pipe("tagger").model.get_ref("tok2vec")
    together = tok2vec.predict(docs)
    alone = (tok2vec.predict([doc])[0] for doc in docs)
    return max(float(np.abs(a - b).max()) for a, b in zip(together, alone, strict=True))


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--steps", type=int, default=4000, help="steps of each training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    common.one_thread()
    size, steps = (QUICK, QUICK_STEPS) if options.quick else (FULL, options.steps)
    vocab = spacy.blank("en").vocab
    train = common.treebank("train", vocab, size.train)
    dev = common.treebank("dev", vocab, size.test)
    pipelines = {name: make(name, train) for name in ENCODERS}
    result = {}
    batch_docs = list(islice(batches(train, 1000), size.batches))
    sides: dict[str, Callable] = {
        "infer": lambda nlp: common.prediction(nlp, dev, common.SPACY_BATCH),
        "train": lambda nlp: common.training(nlp, batch_docs, nlp.create_optimizer(), DROPOUT),
    }
    for what, side in sides.items():
        speeds = by_turns({name: side(nlp) for name, nlp in pipelines.items()}, size.rounds)
        show_speeds(f"{what}: spaCy's tagger", speeds, "ours")
        for peer in ("torchbilstm", "cnn"):
            result[f"{what}_vs_{peer}"] = ratio(speeds["ours"], speeds[peer])
    docs = [common.blank(doc, vocab) for doc in dev[:256]]
    rows = []
    for name, nlp in pipelines.items():
        suffix = "" if name == "ours" else f"_{name}"
        result[f"max_diff{suffix}"] = difference(nlp, docs)
        found = [accuracy(name, train, dev, steps, seed) for seed in options.seeds]
        result[f"acc{suffix}"] = round(statistics.mean(found), 4)
        rows.append([name, *(f"{a:.4f}" for a in found)])
    header = ["", *(f"seed {seed}" for seed in options.seeds)]
    common.show(f"XPOS on dev after {steps} steps", header, rows)
    common.finish(result)


if __name__ == "__main__":
    main()
