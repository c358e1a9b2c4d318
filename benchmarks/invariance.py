"""Whether a document gets the same labels whatever else is in its batch. After a brief training,
the probabilities of all labels of 2,000 sentences of UD English EWT, each predicted alone, are
compared with those of

* 20 random batchings: shuffled, cut into batches of random sizes;
* 4 threads that predict at once;
* `nlp.pipe(n_process=2)`, which returns the probabilities in a Doc extension.

`max_abs_diff` is the largest difference of a probability in all of these, `tags_equal` whether
every tag is the same.

    python benchmarks/invariance.py [--quick] [--full]

--full repeats everything for every cell and direction.
"""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import common
import numpy as np
import spacy
from common import show
from spacy.language import Language
from spacy.tokens import Doc

CELLS = ("lstm", "gru", "rnn_tanh", "rnn_relu", "none")
DIRECTIONS = ("both", "forward", "backward")
UPDATES = 60
BATCHINGS = 20
THREADS = 4
ATTRIBUTE = "probabilities"

#: for each document, the probability of each label, (tokens, labels)
Probabilities = list[np.ndarray]


def train(gold: Sequence[Doc], cell: str, direction: str, updates: int) -> Language:
    encoder = {"cell": cell, "direction": direction, "hidden_size": 100}
    nlp = common.pipeline(gold, "rnn_tagger", {"encoder": encoder}, probabilities_attr=ATTRIBUTE)
    optimizer = spacy.registry.get("optimizers", "spacy_rnn.AdamW.v1")(use_averages=False)
    batches = common.padded_batches(common.examples(gold, nlp.vocab))
    for batch in random.Random(0).choices(batches, k=updates):
        nlp.update(batch, drop=0.1, sgd=optimizer)
    return nlp


def predict(nlp: Language, docs: Sequence[Doc]) -> Probabilities:
    predicted = nlp.get_pipe("rnn_tagger").predict_probabilities(docs)
    return [probabilities["tag"] for probabilities in predicted]


def alone(nlp: Language, docs: Sequence[Doc]) -> Probabilities:
    return [predict(nlp, [doc])[0] for doc in docs]


def in_random_batches(nlp: Language, docs: Sequence[Doc], seed: int) -> Probabilities:
    rng = random.Random(seed)
    order = rng.sample(range(len(docs)), len(docs))
    found: dict[int, np.ndarray] = {}
    start = 0
    while start < len(order):
        batch = order[start : start + rng.choice([1, 2, 5, 20, 100, 500, len(docs)])]
        found.update(zip(batch, predict(nlp, [docs[i] for i in batch]), strict=True))
        start += len(batch)
    return [found[i] for i in range(len(docs))]


def in_threads(nlp: Language, docs: Sequence[Doc]) -> list[Probabilities]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda seed: in_random_batches(nlp, docs, seed), range(THREADS)))


def in_processes(nlp: Language, docs: Sequence[Doc]) -> Probabilities:
    copies = [common.blank(doc, nlp.vocab) for doc in docs]
    tagged = list(nlp.pipe(copies, n_process=2, batch_size=100))
    labels = nlp.get_pipe("rnn_tagger").labels_of("tag")
    for doc in tagged:
        best = np.array(doc._.get(ATTRIBUTE)["tag"]).argmax(axis=1)
        assert [token.tag_ for token in doc] == [labels[i] for i in best]
    return [np.array(doc._.get(ATTRIBUTE)["tag"], dtype="float32") for doc in tagged]


def compare(reference: Probabilities, others: Sequence[Probabilities]) -> tuple[float, bool]:
    """The largest difference, and whether the best labels are all the same."""
    expected = np.concatenate(reference)
    difference, equal = 0.0, True
    for other in map(np.concatenate, others):
        difference = max(difference, float(np.abs(other - expected).max()))
        equal = equal and bool((other.argmax(axis=1) == expected.argmax(axis=1)).all())
    return difference, equal


def measure(
    gold: Sequence[Doc], cell: str, direction: str, updates: int, batchings: int
) -> list[tuple[str, float, bool]]:
    """For each way to predict: its name, the largest difference, and whether all tags are the
    same."""
    nlp = train(gold, cell, direction, updates)
    docs = [common.blank(doc, nlp.vocab) for doc in gold]
    reference = alone(nlp, docs)
    ways: dict[str, Callable[[], list[Probabilities]]] = {
        f"{batchings} random batchings": lambda: [
            in_random_batches(nlp, docs, seed) for seed in range(batchings)
        ],
        f"{THREADS} threads": lambda: in_threads(nlp, docs),
        "2 processes": lambda: [in_processes(nlp, docs)],
    }
    return [
        (f"{cell}, {direction}: {way}", *compare(reference, run())) for way, run in ways.items()
    ]


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--full", action="store_true", help="every cell and direction")
    options = parser.parse_args()
    common.one_thread()
    sentences, updates, batchings = (300, 10, 5) if options.quick else (2000, UPDATES, BATCHINGS)
    gold = common.treebank("train", spacy.blank("en").vocab, sentences)
    rows = []
    for cell, direction in product(CELLS, DIRECTIONS) if options.full else [("lstm", "both")]:
        rows += measure(gold, cell, direction, updates, batchings)
    show(
        f"Each of {sentences} sentences, compared with predicting it alone",
        ["", "largest difference", "same tags"],
        rows,
    )
    common.finish(
        {"max_abs_diff": max(row[1] for row in rows), "tags_equal": all(row[2] for row in rows)}
    )


if __name__ == "__main__":
    main()
