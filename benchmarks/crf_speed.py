"""How fast the conditional random field and the entity recognizer are, with one thread:

* only the conditional random field, against pytorch-crf: its loss with gradients, and decoding, for
  batches of 32 sentences of 30 tokens with 20 tags (benchmarks/peer_crf.py, which first checks that
  both compute the same). If this Python cannot import torchcrf, --peer-python names one that can;
* `rnn_ner` with its default shapes and the decoders "softmax" (the tokens' distributions are
  independent, and only tags that form entities are allowed) and "crf", against bare torch of the
  same shapes: the fastest variant of benchmarks/bare_tagger.py, which takes the best tag of each
  token and makes no entities;
* configs/ner_small.cfg and configs/ner.cfg without vectors, against spaCy's `ner` with the config
  from `spacy init config --pipeline ner --optimize efficiency`.

The last two measure the words/s of the whole `nlp.pipe` on WNUT17 test, after a short training on
WNUT17 train, so that entities are predicted. All sides of a comparison take turns; a figure is the
median over rounds of ours divided by theirs. The keys are explained in benchmarks/README.md.

    python benchmarks/crf_speed.py [--quick] [--gpu] [--peer-python PATH] [--only PART ...]
"""

import importlib.util
import random
import sys
from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any

import bare_tagger
import common
from common import adamw, by_turns, n_words, prediction, ratio, show, show_speeds, speed, training
from spacy.cli.init_config import init_config
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training.iob_utils import doc_to_biluo_tags
from spacy.util import load_model_from_config
from thinc.api import Config, Optimizer

PARTS = ("crf", "bare", "spacy")
#: number of training documents, of documents to predict, of epochs, and of rounds
FULL, QUICK = (None, None, 2, 11), (600, 200, 1, 3)
CRF_ROUNDS, CRF_QUICK = 51, 5
#: many small steps, because entities are predicted only after a few hundred
PADDED_TOKENS, LEARN_RATE = 300, 0.005
Result = dict[str, Any]


class Data:
    """WNUT17, and pipelines that are briefly trained on it."""

    def __init__(self, train: int | None, test: int | None, epochs: int, rounds: int):
        self.train = common.wnut17("train", train)
        self.test = common.wnut17("test", test)
        self.epochs = epochs
        self.rounds = rounds
        gold = common.examples(self.train, self.train[0].vocab)
        batches = common.padded_batches(gold, PADDED_TOKENS)
        self.batches = [[eg.reference for eg in batch] for batch in batches]

    def teach(self, nlp: Language, optimizer: Optimizer) -> Language:
        rng = random.Random(0)
        for _ in range(self.epochs):
            batches = rng.sample(self.batches, len(self.batches))
            training(nlp, batches, optimizer, common.DROPOUT)()
        return nlp

    def ours(self, component: dict[str, Any]) -> Language:
        return self.teach(common.pipeline(self.train, **component), adamw(learn_rate=LEARN_RATE))

    def stock(self) -> Language:
        """spaCy's entity recognizer, with the optimizer of its config."""
        config = init_config(lang="en", pipeline=["ner"], optimize="efficiency", silent=True)
        nlp = load_model_from_config(config, auto_fill=True)
        gold = common.examples(self.train, nlp.vocab)
        return self.teach(nlp, nlp.initialize(lambda: gold))

    def show_entities(self, pipelines: dict[str, Language]) -> None:
        """Print how many entities each pipeline predicts."""
        gold = sum(len(doc.ents) for doc in self.test)
        rows: list[list[Any]] = [["gold", gold]]
        for name, nlp in pipelines.items():
            docs = nlp.pipe([common.blank(doc, nlp.vocab) for doc in self.test])
            rows.append([name, sum(len(doc.ents) for doc in docs)])
        show("Entities in test", ["", "entities"], rows)


def against_pytorch_crf(rounds: int, python: str | None) -> Result:
    if python is None:
        print("\npytorch-crf is left out: this Python cannot import it; give --peer-python PATH.")
        return {"decode_vs_pytorch_crf": None, "loss_vs_pytorch_crf": None}
    speeds = common.output_of([common.HERE / "peer_crf.py", rounds], python)
    result = {}
    for name in ("decode", "loss"):
        show_speeds(f"{name}: spacy_rnn against pytorch-crf", speeds[name], "spacy_rnn")
        result[f"{name}_vs_pytorch_crf"] = ratio(*speeds[name].values())
    return result


def tagged(docs: Sequence[Doc]) -> list[bare_tagger.Sentence]:
    return [(common.words_of(doc), doc_to_biluo_tags(doc)) for doc in docs]


def against_bare(data: Data, device: str) -> Result:
    pipelines = {
        decoder: data.ours({"factory": "rnn_ner", "model": {"decoder": decoder}})
        for decoder in ("softmax", "crf")
    }
    data.show_entities(pipelines)
    sides = {decoder: prediction(nlp, data.test) for decoder, nlp in pipelines.items()}
    limit = pipelines["crf"].get_pipe("rnn_ner").model.attrs["limits"].batch_tokens  # type: ignore[attr-defined]
    preparation = bare_tagger.Preparation(tagged(data.train))
    budgeted = bare_tagger.by_budget(tagged(data.test), limit)
    for ways in product(bare_tagger.WAYS, bare_tagger.WAYS):
        tagger = preparation.tagger(ways)
        tagger.layers = tagger.layers[:1]  # as in `rnn_ner`
        tagger.to(device)
        batches = [preparation.batch(group, ways, device) for group in budgeted]
        run = partial(bare_tagger.predict, tagger, batches)
        sides["bare, characters {}, words {}".format(*ways)] = speed(n_words(data.test), run)
    speeds = by_turns(sides, data.rounds)
    show_speeds("nlp.pipe of rnn_ner against bare torch", speeds, "softmax")
    bare = speeds[common.fastest(speeds, "bare")]
    return {
        "infer_ratio": ratio(speeds["softmax"], bare),
        "infer_ratio_crf": ratio(speeds["crf"], bare),
    }


def against_spacy(data: Data) -> Result:
    pipelines = {}
    for name in ("ner_small", "ner"):
        config = Config().from_disk(common.REPO / "configs" / f"{name}.cfg")
        pipelines[f"configs/{name}.cfg"] = data.ours(config["components"]["ner"])
    pipelines["spacy"] = data.stock()
    data.show_entities(pipelines)
    speeds = by_turns(
        {
            name: prediction(nlp, data.test, common.SPACY_BATCH if name == "spacy" else None)
            for name, nlp in pipelines.items()
        },
        data.rounds,
    )
    small, accurate, _ = speeds
    show_speeds("nlp.pipe against spaCy's ner", speeds, small)
    return {
        "infer_vs_spacy_ner": ratio(speeds[small], speeds["spacy"]),
        "infer_vs_spacy_ner_accurate": ratio(speeds[accurate], speeds["spacy"]),
    }


def main() -> None:
    parser = common.parser(__doc__, gpu=True)
    parser.add_argument("--peer-python", help="a Python that can import torchcrf")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    common.one_thread()
    python = options.peer_python
    if python is None and importlib.util.find_spec("torchcrf"):
        python = sys.executable
    device = common.choose_device(options.gpu)
    result: Result = {}
    if "crf" in options.only and not options.gpu:
        result |= against_pytorch_crf(CRF_QUICK if options.quick else CRF_ROUNDS, python)
    if {"bare", "spacy"} & set(options.only):
        data = Data(*(QUICK if options.quick else FULL))
        if "bare" in options.only:
            result |= against_bare(data, device)
        if "spacy" in options.only and not options.gpu:
            result |= against_spacy(data)
    common.finish(result, options.gpu)


if __name__ == "__main__":
    main()
