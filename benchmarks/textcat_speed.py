"""How fast the text classifiers run and train, in words/s on sentence polarity with one thread:

* configs/textcat.cfg against bare torch: benchmarks/bare_text.py, the same shapes over batches that
  are prepared beforehand, in the faster of its two variants. Our side is the whole `nlp.pipe` over
  new documents and the whole `nlp.update`;
* configs/textcat_small.cfg against spaCy's `textcat` with its default model (TextCatEnsemble) and
  as a bag of words (TextCatBOW). benchmarks/textcat_accuracy.py measures how accurate each is.

Our side uses the GloVe vectors if the config asks for vectors. All sides of a comparison take
turns; a figure is the median over rounds of ours divided by theirs. The keys are explained in
benchmarks/README.md.

    python benchmarks/textcat_speed.py [--quick] [--gpu] [--only PART ...]
"""

from collections.abc import Sequence
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import Any

import bare_text
import common
from bare_tagger import WAYS, Learner, by_budget, predict
from common import Size, adamw, n_words, prediction, speed, training
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Config

PARTS = ("bare", "spacy")
CONFIG = Config().from_disk(common.REPO / "configs" / "textcat.cfg")
SMALL = Config().from_disk(common.REPO / "configs" / "textcat_small.cfg")
DROPOUT = CONFIG["training"]["dropout"]
BATCHER = CONFIG["training"]["batcher"]
FULL, QUICK = Size(None, None, 20, 11), Size(1200, 400, 4, 3)
BOW = {
    "@architectures": "spacy.TextCatBOW.v3",
    "exclusive_classes": True,
    "length": 262144,
    "ngram_size": 1,
    "no_output_layer": False,
}
Result = dict[str, Any]
Batches = list[list[Doc]]


def ours(train: Sequence[Doc], config: Config) -> Language:
    component = config["components"]["textcat"]
    wants_vectors = component["model"]["embedding"].get("vectors") is not None
    return common.pipeline(train, vectors=common.glove() if wants_vectors else None, **component)


def classified(docs: Sequence[Doc]) -> list[bare_text.Text]:
    return [(common.words_of(doc), max(doc.cats.items(), key=itemgetter(1))[0]) for doc in docs]


def against_bare(
    train: list[Doc], test: list[Doc], batches: Batches, rounds: int, device: str
) -> Result:
    nlp = ours(train, CONFIG)
    (name,) = nlp.pipe_names
    pipe: Any = nlp.get_pipe(name)
    preparation = bare_text.Preparation(nlp.get_pipe_config(name)["model"], pipe)
    budgeted = by_budget(classified(test), pipe.model.attrs["limits"].batch_tokens)
    predicting = {"nlp.pipe": prediction(nlp, test)}
    updating = {"nlp.update": training(nlp, batches, adamw(), DROPOUT)}
    for way in WAYS:
        network = preparation.network(way).to(device)
        test_batches = [preparation.batch(group, way, device) for group in budgeted]
        train_batches = [preparation.batch(classified(batch), way, device) for batch in batches]
        learner = Learner(network, DROPOUT)
        predicting[f"bare, {way}"] = speed(n_words(test), partial(predict, network, test_batches))
        updating[f"bare, {way}"] = speed(
            n_words(chain(*batches)), partial(learner.update, train_batches)
        )
    return common.over_bare(predicting, updating, rounds)


def against_spacy(train: list[Doc], test: list[Doc], batches: Batches, rounds: int) -> Result:
    nlp = ours(train, SMALL)
    predicting = {"rnn": prediction(nlp, test)}
    updating = {"rnn": training(nlp, batches, adamw(), DROPOUT)}
    for name, model in (("ensemble", None), ("bow", BOW)):
        peer = common.pipeline(train, "textcat", model)
        predicting[name] = prediction(peer, test, common.SPACY_BATCH)
        updating[name] = training(peer, batches, peer.create_optimizer(), DROPOUT)
    return common.over_peers("textcat_small.cfg", predicting, updating, rounds)


def main() -> None:
    parser = common.parser(__doc__, gpu=True)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    common.one_thread()
    size = QUICK if options.quick else FULL
    device = common.choose_device(options.gpu)
    train = common.polarity("train", size.train)
    test = common.polarity("test", size.test)
    batches = common.some_batches(train, size.batches, BATCHER["size"], BATCHER["buffer"])
    result: Result = {}
    if "bare" in options.only:
        result |= against_bare(train, test, batches, size.rounds, device)
    if "spacy" in options.only and not options.gpu:
        result |= against_spacy(train, test, batches, size.rounds)
    common.finish(result, options.gpu)


if __name__ == "__main__":
    main()
