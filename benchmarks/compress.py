"""The effect of compressing a tagger, with one thread: `rnn_tagger` with its default config on UD
English EWT, run by torch and by ONNX Runtime, in float32 and with 8-bit integers. This measures

* the words/s of `nlp.pipe` over the test set, compared with bare torch of the same shapes
  (benchmarks/bare_tagger.py, the fastest of its variants). Ratios are of processor time; the sides
  take turns, and a figure is the median over rounds;
* the share of equal tags, and the accuracy, after a training of a few passes over the training set;
* whether the scores of texts alone and in batches are bit-identical;
* the size of the graphs divided by that of the weights that they replace.

The keys are explained in benchmarks/README.md.

    python benchmarks/compress.py [--quick]
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
from common import Size, adamw, by_turns, n_words, prediction, ratio, show, show_speeds, speed
from spacy.language import Language
from spacy.tokens import Doc
from tagger_speed import tagged

from spacy_rnn.analysis.compression import agreement
from spacy_rnn.architectures.tagger import predict_scores

NAME = "rnn_tagger"
FULL, QUICK = Size(None, None, 400, 5), Size(600, 300, 30, 2)
#: number of texts that are predicted alone and in batches
N_ALONE = 2000
Result = dict[str, Any]


def trained(train: list[Doc], size: Size) -> Language:
    """The tagger after training on `size.batches` batches."""
    nlp = common.pipeline(train, NAME)
    batches = common.padded_batches(common.examples(train, nlp.vocab))
    optimizer, rng = adamw(), random.Random(0)
    for _ in range(size.batches):
        nlp.update(rng.choice(batches), drop=common.DROPOUT, sgd=optimizer)
    return nlp


def against_bare(
    engines: dict[str, Language], train: list[Doc], test: list[Doc], rounds: int
) -> Result:
    sides = {name: prediction(nlp, test) for name, nlp in engines.items()}
    preparation = bare_tagger.Preparation(tagged(train))
    limit = engines["torch"].get_pipe(NAME).model.attrs["limits"].batch_tokens
    for ways in product(WAYS, WAYS):
        tagger = preparation.tagger(ways)
        groups = bare_tagger.by_budget(tagged(test), limit)
        batches = [preparation.batch(group, ways, "cpu") for group in groups]
        run = partial(bare_tagger.predict, tagger, batches)
        sides["bare, characters {}, words {}".format(*ways)] = speed(n_words(test), run)
    speeds = by_turns(sides, rounds)
    show_speeds("nlp.pipe by each engine against bare torch", speeds, "int8")
    bare = speeds[common.fastest(speeds, "bare")]
    return {f"{name}_vs_bare": ratio(speeds[name], bare) for name in engines}


def tags_of(engines: dict[str, Language], test: Sequence[Doc]) -> Result:
    annotated = {
        name: list(nlp.pipe(common.blank(doc, nlp.vocab) for doc in test))
        for name, nlp in engines.items()
    }
    pipe = engines["torch"].get_pipe(NAME)
    result, rows = {}, []
    for name, docs in annotated.items():
        same, correct = (agreement(pipe, gold, docs) for gold in (annotated["torch"], test))
        rows.append([name, same, correct])
        result |= {f"{name}_agreement": round(same, 5), f"{name}_accuracy": round(correct, 5)}
    show("Tags", ["", "same as torch", "correct"], rows)
    return result


def alone_equals_batch(nlp: Language, docs: Sequence[Doc]) -> bool:
    """True if the scores of each text alone and in batches are bit-identical."""
    texts = [common.blank(doc, nlp.vocab) for doc in docs[:N_ALONE]]
    model = nlp.get_pipe(NAME).model
    together = predict_scores(model, texts)
    return all(
        np.array_equal(predict_scores(model, [text])[0]["tag"], scores["tag"])
        for text, scores in zip(texts, together, strict=True)
    )


def main() -> None:
    options = common.parser(__doc__).parse_args()
    common.one_thread()
    size = QUICK if options.quick else FULL
    vocab = spacy.blank("en").vocab
    train = common.treebank("train", vocab, size.train)
    test = common.treebank("test", vocab, size.test)
    nlp = trained(train, size)
    weights = len(nlp.get_pipe(NAME).shim.to_bytes())
    engines = {"torch": nlp}
    result: Result = {}
    for name, int8 in (("onnx", False), ("int8", True)):
        engines[name] = common.compressed(nlp, train, int8)
        graphs = engines[name].get_pipe(NAME).shim.network.graphs
        result["size_ratio"] = round(sum(map(len, graphs.values())) / weights, 3)
        result[f"{name}_alone_equals_batch"] = alone_equals_batch(engines[name], test)
    result |= tags_of(engines, test)
    result |= against_bare(engines, train, test, size.rounds)
    common.finish(result)


if __name__ == "__main__":
    main()
