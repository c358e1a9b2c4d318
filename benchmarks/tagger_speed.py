"""How fast the tagger runs and trains, in words/s on UD English EWT with one thread, against

* bare torch: benchmarks/bare_tagger.py, the same shapes over batches that are prepared beforehand,
  in the fastest of its variants. Our side is the whole `nlp.pipe` over new documents and the whole
  `nlp.update`;
* Flair's SequenceTagger of the same shapes (--peer-python: a Python that can import flair);
* spaCy's default tagger (HashEmbedCNN) and its TorchBiLSTMEncoder, compared with
  configs/tagger_small.cfg;

and, without --quick, how much memory it takes (benchmarks/tagger_memory.py). All sides of a
comparison take turns; a figure is the median over rounds of ours divided by theirs. The keys are
explained in benchmarks/README.md.

    python benchmarks/tagger_speed.py [--quick] [--gpu] [--peer-python PATH] [--only PART ...]
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain, product
from typing import Any

import bare_tagger
import common
import spacy
from common import (
    Size,
    adamw,
    by_turns,
    n_words,
    prediction,
    ratio,
    show_speeds,
    some_batches,
    speed,
    training,
)
from spacy.tokens import Doc
from thinc.api import Config

PARTS = ("bare", "flair", "small", "memory")
FULL, QUICK = Size(None, None, 20, 5), Size(1200, 300, 3, 2)
Result = dict[str, Any]


def tagged(docs: Sequence[Doc]) -> list[bare_tagger.Sentence]:
    return [(common.words_of(doc), [token.tag_ for token in doc]) for doc in docs]


# Against bare torch


def against_bare(train: list[Doc], test: list[Doc], size: Size, device: str) -> Result:
    nlp = common.pipeline(train, "rnn_tagger")
    batches = some_batches(train, size.batches)
    limit = nlp.get_pipe("rnn_tagger").model.attrs["limits"].batch_tokens
    preparation = bare_tagger.Preparation(tagged(train))
    predicting = {"nlp.pipe": prediction(nlp, test)}
    updating = {"nlp.update": training(nlp, batches, adamw(), common.DROPOUT)}
    for ways in product(bare_tagger.WAYS, bare_tagger.WAYS):
        name = "bare, characters {}, words {}".format(*ways)
        tagger = preparation.tagger(ways).to(device)
        budgeted = bare_tagger.by_budget(tagged(test), limit)
        test_batches = [preparation.batch(group, ways, device) for group in budgeted]
        train_batches = [preparation.batch(tagged(batch), ways, device) for batch in batches]
        learner = bare_tagger.Learner(tagger, common.DROPOUT)
        predicting[name] = speed(n_words(test), partial(bare_tagger.predict, tagger, test_batches))
        updating[name] = speed(n_words(chain(*batches)), partial(learner.update, train_batches))
    return common.over_bare(predicting, updating, size.rounds)


# Against Flair


@contextmanager
def flair_process(python: str, data: Any) -> Iterator[Callable[[Any], Any]]:
    """Start benchmarks/peer_flair.py; gives a function that sends a line of JSON and returns the
    answer."""
    process = subprocess.Popen(
        [python, str(common.HERE / "peer_flair.py")],
        env=common.one_thread(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def ask(question: Any) -> Any:
        assert process.stdin and process.stdout
        print(json.dumps(question), file=process.stdin, flush=True)
        return json.loads(process.stdout.readline())

    try:
        ask(data)
        yield ask
    finally:
        process.communicate()


def against_flair(train: list[Doc], test: list[Doc], size: Size, python: str | None) -> Result:
    if python is None:
        print("\nFlair is left out: this Python cannot import it; give --peer-python PATH.")
        return {"infer_vs_flair": None, "infer_int8_vs_flair": None, "train_vs_flair": None}
    nlp = common.pipeline(train, "rnn_tagger")
    int8 = common.compressed(common.pipeline(train, "rnn_tagger"), train, int8=True)
    # Flair's usual batch is 32 sentences; here both sides are trained on the same batches.
    batches = [batch[:32] for batch in some_batches(train, size.batches)[:10]]
    data = {"train": list(map(tagged, batches)), "test": tagged(test)}
    result = {}
    with flair_process(python, data) as ask:
        sides = {
            "nlp.pipe": prediction(nlp, test),
            "nlp.pipe, int8": prediction(int8, test),
            "flair": lambda: ask("predict"),
        }
        speeds = by_turns(sides, size.rounds)
        show_speeds("nlp.pipe against Flair", speeds, "nlp.pipe")
        result["infer_vs_flair"] = ratio(speeds["nlp.pipe"], speeds["flair"])
        result["infer_int8_vs_flair"] = ratio(speeds["nlp.pipe, int8"], speeds["flair"])
        ours = training(nlp, batches, adamw(), common.DROPOUT)
        speeds = by_turns({"nlp.update": ours, "flair": lambda: ask("train")}, size.rounds)
        show_speeds("nlp.update against Flair", speeds, "nlp.update")
        result["train_vs_flair"] = ratio(speeds["nlp.update"], speeds["flair"])
    return result


# The small tagger against spaCy's taggers

TORCH_BILSTM = Config().from_str(
    """
    [model]
    @architectures = "spacy.Tagger.v2"

    [model.tok2vec]
    @architectures = "spacy.Tok2Vec.v2"

    [model.tok2vec.embed]
    @architectures = "spacy.MultiHashEmbed.v2"
    width = 96
    attrs = ["NORM", "PREFIX", "SUFFIX", "SHAPE"]
    rows = [2000, 1000, 1000, 1000]
    include_static_vectors = false

    [model.tok2vec.encode]
    @architectures = "spacy.TorchBiLSTMEncoder.v1"
    width = 96
    depth = 1
    dropout = 0.0
    """
)["model"]


def against_spacy(train: list[Doc], test: list[Doc], size: Size) -> Result:
    config = Config().from_disk(common.REPO / "configs" / "tagger_small.cfg")
    small = config["components"]["tagger"]["model"]
    pipelines = {
        "small": common.pipeline(train, "rnn_tagger", small),
        "cnn": common.pipeline(train, "tagger"),
        "torchbilstm": common.pipeline(train, "tagger", TORCH_BILSTM),
    }
    batches = some_batches(train, size.batches)
    dropout = config["training"]["dropout"]
    predicting, updating = {}, {}
    for name, nlp in pipelines.items():
        optimizer = adamw() if name == "small" else nlp.create_optimizer()
        predicting[name] = prediction(nlp, test, None if name == "small" else common.SPACY_BATCH)
        updating[name] = training(nlp, batches, optimizer, dropout)
    return common.over_peers("tagger_small.cfg", predicting, updating, size.rounds, "small_")


def main() -> None:
    parser = common.parser(__doc__, gpu=True)
    parser.add_argument("--peer-python", help="a Python that can import flair")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    common.one_thread()
    size = QUICK if options.quick else FULL
    python = options.peer_python
    if python is None and importlib.util.find_spec("flair"):
        python = sys.executable
    device = common.choose_device(options.gpu)
    vocab = spacy.blank("en").vocab
    train = common.treebank("train", vocab, size.train)
    test = common.treebank("test", vocab, size.test)
    result: Result = {}
    if "bare" in options.only:
        result |= against_bare(train, test, size, device)
    if options.gpu:
        common.finish(result, options.gpu)
        return
    if "flair" in options.only:
        result |= against_flair(train, test, size, python)
    if "small" in options.only:
        result |= against_spacy(train, test, size)
    if "memory" in options.only and not options.quick:
        result |= common.output_of([common.HERE / "tagger_memory.py"])
    common.finish(result)


if __name__ == "__main__":
    main()
