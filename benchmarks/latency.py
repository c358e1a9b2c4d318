"""The latency of single texts, with one thread: the sentences of UD English EWT test are predicted
one at a time, as in a web service. Ratios are of processor time; the sides take turns, and a figure
is the median over rounds.

* `rnn_tagger` with its default config against bare torch of the same shapes
  (benchmarks/bare_tagger.py, the fastest of its variants), which starts from tensors. Our side is
  all of `nlp` over a tokenized document, run by torch, by ONNX Runtime, and by ONNX Runtime with
  8-bit integers;
* the first, the last and configs/tagger_small.cfg against spaCy's default tagger (HashEmbedCNN);
* for all seven components, the milliseconds of `nlp(text)`, including the tokenizer: the median
  (p50) and the 99th percentile (p99), after a training that is too short to be useful.

The keys are explained in benchmarks/README.md.

    python benchmarks/latency.py [--quick] [--only PART ...]
"""

import random
from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any

import bare_tagger
import common
import numpy as np
import spacy
from bare_tagger import WAYS
from common import (
    Side,
    Size,
    adamw,
    by_turns,
    clock,
    n_words,
    ratio,
    show,
    show_speeds,
    speed,
    training,
)
from spacy.language import Language
from spacy.tokens import Doc, Span
from tagger_speed import tagged
from thinc.api import Config

from spacy_rnn.extensions import set_doc_extension

PARTS = ("bare", "spacy", "components")
FULL, QUICK = Size(None, None, 5, 7), Size(600, 200, 2, 2)
#: number of training sentences of each component, and of updates
N_LEARNED, UPDATES = 2000, 20
#: number of timed texts, and of those for the warm-up
N_TEXTS, WARM_UP = 400, 20
#: each with its default config
COMPONENTS: dict[str, dict[str, Any]] = {
    "rnn_tagger": {},
    "rnn_ner": {},
    "rnn_textcat": {},
    "rnn_textcat_multilabel": {},
    "rnn_regressor": {},
    "rnn_lm": {},
    "rnn_translator": {},
}
Result = dict[str, Any]


def one_by_one(nlp: Language, gold: Sequence[Doc]) -> Side:
    """A side that runs the whole pipeline over new documents, one at a time, in a new order."""
    rng = random.Random(0)

    def documents() -> tuple[list[Doc]]:
        return ([common.blank(doc, nlp.vocab) for doc in rng.sample(gold, len(gold))],)

    def run(docs: Sequence[Doc]) -> None:
        for doc in docs:
            nlp(doc)

    return speed(n_words(gold), run, documents)


def against_bare(train: list[Doc], test: list[Doc], size: Size) -> Result:
    nlp = common.pipeline(train, "rnn_tagger")
    sides = {"nlp": one_by_one(nlp, test)}
    for engine, int8 in (("onnx", False), ("int8", True)):
        sides[engine] = one_by_one(common.compressed(nlp, train, int8), test)
    preparation = bare_tagger.Preparation(tagged(train))
    for ways in product(WAYS, WAYS):
        tagger = preparation.tagger(ways)
        prepared = [preparation.batch([one], ways, "cpu") for one in tagged(test)]
        run = partial(bare_tagger.predict, tagger, prepared)
        sides["bare, characters {}, words {}".format(*ways)] = speed(n_words(test), run)
    speeds = by_turns(sides, size.rounds)
    show_speeds("One text through rnn_tagger against bare torch", speeds, "nlp")
    bare = speeds[common.fastest(speeds, "bare")]
    keys = {"latency_ratio": "nlp", "latency_ratio_onnx": "onnx", "latency_ratio_int8": "int8"}
    return {key: ratio(speeds[side], bare) for key, side in keys.items()}


def against_spacy(train: list[Doc], test: list[Doc], size: Size) -> Result:
    config = Config().from_disk(common.REPO / "configs" / "tagger_small.cfg")
    pipelines = {
        "default": common.pipeline(train, "rnn_tagger"),
        "small": common.pipeline(train, "rnn_tagger", config["components"]["tagger"]["model"]),
        "cnn": common.pipeline(train, "tagger"),
    }
    pipelines["int8"] = common.compressed(pipelines["default"], train, int8=True)
    sides = {name: one_by_one(nlp, test) for name, nlp in pipelines.items()}
    speeds = by_turns(sides, size.rounds)
    show_speeds("One text through taggers against spaCy's tagger", speeds, "cnn")
    return {
        f"latency_vs_cnn_{name}": ratio(speeds[name], speeds["cnn"])
        for name in ("default", "small", "int8")
    }


# All components


def annotated(doc: Doc) -> Doc:
    """A copy with an annotation of every kind, derived from its words and tags."""
    doc = doc.copy()
    names = [token.tag_.startswith("NNP") for token in doc]
    starts = [i for i, name in enumerate(names) if name and not names[i - 1 : i] == [True]]
    doc.set_ents([Span(doc, i, _end(names, i), "NAME") for i in starts])
    question = float(doc[-1].text == "?")
    doc.cats = {"QUESTION": question, "STATEMENT": 1.0 - question}
    doc._.regression = {"tokens": float(len(doc))}
    doc._.translation = doc.text.lower()
    return doc


def _end(names: Sequence[bool], start: int) -> int:
    return next((i for i in range(start, len(names)) if not names[i]), len(names))


def milliseconds(nlp: Language, texts: Sequence[str]) -> np.ndarray:
    """The milliseconds of `nlp(text)` for each text, after a warm-up."""
    for text in texts[:WARM_UP]:
        nlp(text)
    taken = []
    for text in texts:
        start = clock()
        nlp(text)
        taken.append(1000 * (clock() - start))
    return np.array(taken)


def of_components(train: list[Doc], test: list[Doc], size: Size) -> Result:
    set_doc_extension("regression")
    set_doc_extension("translation")
    learned = [annotated(doc) for doc in train[:N_LEARNED]]
    made = common.padded_batches(common.examples(learned, train[0].vocab))[:UPDATES]
    batches = [[eg.reference for eg in batch] for batch in made]
    texts = [doc.text for doc in random.Random(0).sample(test, min(len(test), N_TEXTS))]
    result: Result = {}
    rows = []
    for factory, config in COMPONENTS.items():
        nlp = common.pipeline(learned, factory, **config)
        training(nlp, batches, adamw(), common.DROPOUT)()
        taken = milliseconds(nlp, texts)
        p50, p99 = (round(float(np.percentile(taken, p)), 2) for p in (50, 99))
        result |= {f"{factory}_p50_ms": p50, f"{factory}_p99_ms": p99}
        rows.append([factory, p50, p99])
    show("One text through each component, milliseconds", ["", "p50", "p99"], rows)
    return result


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    common.one_thread()
    size = QUICK if options.quick else FULL
    vocab = spacy.blank("en").vocab
    train = common.treebank("train", vocab, size.train)
    test = common.treebank("test", vocab, size.test)
    measures = {"bare": against_bare, "spacy": against_spacy, "components": of_components}
    result: Result = {}
    for part in options.only:
        result |= measures[part](train, test, size)
    common.finish(result)


if __name__ == "__main__":
    main()
