"""How fast the translator trains and decodes, on sentences of Tatoeba from English to French with
8,000 pieces a side and one thread:

* training against JoeyNMT (--peer-python: a Python that can import joeynmt): batches of 64 random
  sentences, a bidirectional LSTM layer and an LSTM decoder of 320 with tied embeddings of 320, once
  with Bahdanau's attention and input feeding, as in JoeyNMT's recurrent configs, and once with
  Luong's attention and without input feeding, as in configs/translator.cfg. Adam, dropout, and no
  label smoothing, because JoeyNMT is slower with it;
* decoding against JoeyNMT with the same weights, from one short training with the shapes of
  configs/translator.cfg: 32 sentences at a time, a beam of 5. Speed is measured in sentences/s,
  where each side decides when to stop and nearly all translations are the same, and in target
  pieces/s, where each side takes exactly 11 steps (10 pieces and the end symbol, Tatoeba's
  average). Our side runs by torch, and compressed, with 8-bit integers;
* the engines with the weights of that training, by torch and by ONNX Runtime, in float32 and with
  8-bit integers: sentences/s with a beam of 5 and greedily, BLEU, and the share of equal
  translations;
* `nlp.update` against bare torch (benchmarks/bare_translator.py, the fastest of its variants): the
  same shapes over batches that are prepared beforehand, the batches of configs/translator.cfg;
* `translate` with a beam of 5, and greedily, against the bare kernel; both take 11 steps.

Our side is all of `nlp.update` and of `translate`, from texts to texts. The others start from
tensors: JoeyNMT's decoding from pieces, the bare kernel from encoded sources. Target pieces include
end symbols. All sides of a comparison take turns; a figure is the median over rounds of ours
divided by theirs. The keys are explained in benchmarks/README.md.

    python benchmarks/translator_speed.py [--quick] [--gpu] [--peer-python PATH] [--only PART ...]
"""

import json
import random
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import bare_translator
import common
import spacy
import torch
from bare_tagger import WAYS
from common import Side, adamw, by_turns, examples, ratio, speed
from sacrebleu import BLEU
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from tatoeba import pairs
from thinc.api import Config

from spacy_rnn.config.search import Search
from spacy_rnn.extensions import set_doc_extension
from spacy_rnn.features.subwords import SubwordModel

PARTS = ("joeynmt", "engines", "train", "steps")
CONFIG = Config().from_disk(common.REPO / "configs" / "translator.cfg")
COMPONENT, TRAINING = CONFIG["components"]["translator"], CONFIG["training"]
DROPOUT = TRAINING["dropout"]
SIDES = ("source", "target")
#: number of pieces of each side, of pairs that they are learned from, and of training pairs
N_PIECES, N_PAIRS, N_TRAIN = 8000, 60_000, 8192
#: number of sentences in a batch, for training compared with JoeyNMT and for decoding
TRAIN_BATCH, TEST_BATCH = 64, 32
BEAM = 5
#: number of steps for translations of exactly 10 pieces and the end symbol
STEPS = 11
#: settings of the decoder, by JoeyNMT's names of its attention
DECODERS: dict[str, dict[str, Any]] = {
    "bahdanau": {"attention": "bahdanau", "input_feeding": True},
    "luong": {"attention": "general", "input_feeding": False},
}
#: learning rate of the short training
LEARN_RATE = 0.003
#: number of documents on which compression measures ranges
N_TYPICAL = 200
#: names of the figures for decoding compared with JoeyNMT
DECODING = ("decode", "decode_steps", "decode_int8", "decode_steps_int8")
Batches = Sequence[Sequence[Doc]]
Result = dict[str, Any]


class Size(NamedTuple):
    """The number of batches per round and of rounds, in comparisons with JoeyNMT, which is slow,
    and in those with bare torch; of epochs in the short training; and of sentences for BLEU."""

    peer_batches: int
    peer_rounds: int
    batches: int
    rounds: int
    epochs: int
    bleu: int


FULL, QUICK = Size(4, 5, 10, 11, 4, 2000), Size(1, 2, 1, 3, 1, 100)


class Data:
    """Sentences of Tatoeba in a random order, and SentencePiece models, saved in a folder.

    train: gold documents. test: English sentences, all different. references: a translation of
    each.
    """

    def __init__(self, folder: Path, epochs: int):
        self.epochs = epochs
        parts: dict[str, list[tuple[str, str]]] = {"train": [], "dev": [], "test": []}
        for part, english, french in pairs(common.DATA / "mt-tatoeba-en-fr", "fra.txt"):
            parts[part].append((english, french))
        rng = random.Random(0)
        learned = rng.sample(parts["train"], N_PAIRS)
        self.test = list(dict.fromkeys(english for english, _ in parts["test"]))
        rng.shuffle(self.test)
        self.references = dict(parts["test"])
        self.pieces = {side: SubwordModel(N_PIECES) for side in SIDES}
        self.paths = {side: folder / f"{side}.model" for side in SIDES}
        for side, texts in zip(SIDES, zip(*learned, strict=True), strict=True):
            self.pieces[side].train(texts)
            self.paths[side].write_bytes(self.pieces[side].to_bytes())
        nlp = spacy.blank("en")
        set_doc_extension("translation")
        self.train = []
        for english, french in learned[:N_TRAIN]:
            self.train.append(nlp.make_doc(english))
            self.train[-1]._.translation = french

    def ids(self, docs: Sequence[Doc]) -> list[bare_translator.Pair]:
        target = self.pieces["target"]
        sources = self.pieces["source"].encode([doc.text for doc in docs])
        targets = target.encode([doc._.translation for doc in docs])
        return [
            (x.tolist(), [target.bos, *y.tolist(), target.eos])
            for x, y in zip(sources, targets, strict=True)
        ]

    def n_targets(self, batches: Batches) -> int:
        """The number of target pieces, including end symbols."""
        return sum(len(target) - 1 for batch in batches for _, target in self.ids(batch))

    def random_batches(self, n: int) -> Batches:
        return [self.train[i * TRAIN_BATCH : (i + 1) * TRAIN_BATCH] for i in range(n)]

    def config_batches(self) -> Batches:
        """The batches of configs/translator.cfg, with sentences of similar length."""
        make = spacy.registry.resolve({"batcher": TRAINING["batcher"]})["batcher"]
        made = list(make(examples(self.train, self.train[0].vocab)))
        return [
            [eg.reference for eg in batch] for batch in random.Random(0).sample(made, len(made))
        ]

    def test_batches(self, n: int) -> list[list[str]]:
        return [self.test[i * TEST_BATCH : (i + 1) * TEST_BATCH] for i in range(n)]

    def pipeline(
        self, decoder: str = "luong", label_smoothing: float = 0.0, **search: Any
    ) -> Language:
        """An untrained translator: configs/translator.cfg with these settings."""
        component = CONFIG.copy()["components"]["translator"]
        component["label_smoothing"] = label_smoothing
        # A source is not split, as on the other sides.
        component["split_sentences"] = False
        component["max_length"] = 0
        component["search"].update(search)
        # So that all sentences that are passed together are one batch.
        component["model"]["batch_tokens"] = 100_000
        component["model"]["decoder"].update(DECODERS[decoder])
        for side, path in self.paths.items():
            component["model"][f"{side}_pieces"]["path"] = str(path)
        return common.pipeline(self.train, **component)

    @cached_property
    def taught(self) -> dict[str, Language]:
        """The pipeline for each engine, after a short training."""
        nlp = self.pipeline(label_smoothing=COMPONENT["label_smoothing"])
        epoch = updates(nlp, self.config_batches(), self, LEARN_RATE)
        for _ in range(self.epochs):
            epoch()
        return self.by_engine(nlp)

    def by_engine(self, nlp: Language) -> dict[str, Language]:
        typical = self.train[:N_TYPICAL]
        compressed = {
            name: common.compressed(nlp, typical, int8)
            for name, int8 in (("onnx", False), ("int8", True))
        }
        return {"torch": nlp, **compressed}


def translator(nlp: Language) -> Any:
    (name,) = nlp.pipe_names
    return nlp.get_pipe(name)


# Sides


def updates(nlp: Language, batches: Batches, data: Data, learn_rate: float = 0.001) -> Side:
    """A side that measures the target pieces/s of `nlp.update` on new examples."""
    optimizer = adamw(learn_rate=learn_rate)

    def update(prepared: Sequence[list[Example]]) -> None:
        for batch in prepared:
            nlp.update(batch, drop=DROPOUT, sgd=optimizer)

    return speed(
        data.n_targets(batches),
        update,
        lambda: ([examples(batch, nlp.vocab) for batch in batches],),
    )


def sentences(nlp: Language, batches: Sequence[list[str]], beam: int = BEAM) -> Side:
    """A side that measures the sentences/s of `translate`."""

    def translate() -> None:
        pipe = translator(nlp)
        pipe.search = replace(pipe.search, beam=beam)
        for batch in batches:
            pipe.translate(batch)

    return speed(sum(map(len, batches)), translate)


def pieces(nlp: Language, batches: Sequence[list[str]], beam: int = BEAM) -> Side:
    """A side that measures the target pieces/s of `translate` when each translation has exactly
    `STEPS - 1` pieces, which no setting can demand.

    RAISES (ValueError): If a translation has another number of pieces.
    """

    def length_bounds(search: Search, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return (torch.full_like(lengths, STEPS - 1),) * 2

    exactly = patch.object(Search, "length_bounds", length_bounds)
    with exactly:
        for (best,) in translator(nlp).translate(batches[0]):
            if len(best.pieces) + 1 != STEPS:
                raise ValueError(f"{len(best.pieces)} pieces were decoded, not {STEPS - 1}.")
    side = sentences(nlp, batches, beam)

    def run() -> float:
        with exactly:
            return STEPS * side()

    return run


def compare(
    title: str, unit: str, sides: Mapping[str, Side], rounds: int
) -> dict[str, list[float]]:
    """Let the sides take turns, and print the speed of the first side divided by that of each."""
    speeds = by_turns(sides, rounds)
    ours = next(iter(speeds))
    rows = [
        [name, statistics.median(values), ratio(speeds[ours], values)]
        for name, values in speeds.items()
    ]
    common.show(title, ["side", unit, f"{ours} / side"], rows)
    return speeds


# Comparisons


def against_joeynmt(data: Data, size: Size, folder: Path, python: str | None) -> Result:
    if python is None:
        print("\nJoeyNMT is left out: give --peer-python PATH.")
        keys = ("train", "train_default", "train_luong", *DECODING)
        return {f"{key}_vs_joeynmt": None for key in keys}
    batches, test = data.random_batches(size.peer_batches), data.test_batches(size.peer_batches)
    write_for_joeynmt(data, batches, test, data.taught["torch"], folder)

    def joeynmt(what: str, attention: str) -> Side:
        command = [common.HERE / "peer_joeynmt.py", what, attention, folder]
        return partial(common.output_of, command, python)

    sides = {name: updates(data.pipeline(name), batches, data) for name in DECODERS}
    sides |= {f"JoeyNMT, {name}": joeynmt("train", name) for name in DECODERS}
    trained = compare("Training", "target pieces/s", sides, size.peer_rounds)
    sides = {name: sentences(nlp, test) for name, nlp in data.taught.items()}
    sides["JoeyNMT"] = joeynmt("decode", "luong")
    decoded = compare("Decoding", "sentences/s", sides, size.peer_rounds)
    exact = data.by_engine(data.pipeline(beam=BEAM))
    sides = {name: pieces(nlp, test) for name, nlp in exact.items()}
    sides["JoeyNMT"] = joeynmt("steps", "luong")
    stepped = compare(f"Decoding in {STEPS} steps", "target pieces/s", sides, size.peer_rounds)
    over_joeynmt = [
        ratio(speeds[engine], speeds["JoeyNMT"])
        for engine in ("torch", "int8")
        for speeds in (decoded, stepped)
    ]
    return {
        "train_vs_joeynmt": ratio(trained["bahdanau"], trained["JoeyNMT, bahdanau"]),
        "train_default_vs_joeynmt": ratio(trained["luong"], trained["JoeyNMT, bahdanau"]),
        "train_luong_vs_joeynmt": ratio(trained["luong"], trained["JoeyNMT, luong"]),
        **{f"{key}_vs_joeynmt": n for key, n in zip(DECODING, over_joeynmt, strict=True)},
    }


def write_for_joeynmt(
    data: Data, batches: Batches, test: Sequence[list[str]], nlp: Language, folder: Path
) -> None:
    """Write the files that benchmarks/peer_joeynmt.py reads."""
    source, target = (data.pieces[side].pieces for side in SIDES)
    encoded = [data.pieces["source"].encode(batch) for batch in test]
    written = {
        "vocabularies": [source, target],
        # JoeyNMT adds begin and end symbols.
        "train": [
            [([source[i] for i in x], [target[i] for i in y[1:-1]]) for x, y in data.ids(batch)]
            for batch in batches
        ],
        "test": [[[source[i] for i in ids] for ids in batch] for batch in encoded],
        "found": [[best.pieces for (best,) in translator(nlp).translate(batch)] for batch in test],
        "beam": BEAM,
        "steps": STEPS,
        "dropout": DROPOUT,
    }
    (folder / "data.json").write_text(json.dumps(written))
    torch.save(translator(nlp).shim.module.state_dict(), folder / "weights.pt")


def of_engines(data: Data, size: Size) -> Result:
    result: Result = {}
    test = data.test_batches(size.batches)
    for key, beam in (("speed", BEAM), ("greedy", 1)):
        sides = {name: sentences(nlp, test, beam) for name, nlp in data.taught.items()}
        speeds = compare(f"Engines, a beam of {beam}", "sentences/s", sides, size.rounds)
        for name in ("onnx", "int8"):
            result[f"{name}_{key}_ratio"] = ratio(speeds[name], speeds["torch"])
    texts = data.test[: size.bleu]
    gold = [[data.references[text] for text in texts]]
    found = {}
    for name, nlp in data.taught.items():
        pipe = translator(nlp)
        pipe.search = replace(pipe.search, beam=BEAM)
        found[name] = [best.text for (best,) in pipe.translate(texts)]
        result[f"{name}_bleu"] = round(BLEU().corpus_score(found[name], gold).score, 2)
        same = sum(one == other for one, other in zip(found[name], found["torch"], strict=True))
        result[f"{name}_same"] = round(same / len(texts), 4)
    return result


def training_against_bare(data: Data, size: Size, device: str) -> Result:
    batches = data.config_batches()[: size.batches]
    smoothing = COMPONENT["label_smoothing"]
    sides = {"nlp.update": updates(data.pipeline(label_smoothing=smoothing), batches, data)}
    for ways in product(WAYS, WAYS):
        network = bare_translator.BareTranslator(ways, N_PIECES, N_PIECES).to(device)
        learner = bare_translator.Learner(network, DROPOUT, smoothing)
        prepared = [bare_translator.prepare(data.ids(batch), ways, device) for batch in batches]
        run = partial(learner.update, prepared)
        sides["bare, encoder {}, decoder {}".format(*ways)] = speed(data.n_targets(batches), run)
    speeds = compare("Training against bare torch", "target pieces/s", sides, size.rounds)
    return {"train_ratio": ratio(speeds["nlp.update"], speeds[common.fastest(speeds, "bare")])}


def steps_against_bare(data: Data, size: Size, device: str) -> Result:
    result = {}
    test = data.test_batches(size.batches)
    lengths = [list(map(len, data.pieces["source"].encode(batch))) for batch in test]
    n_pieces = STEPS * sum(map(len, test))
    for key, beam in (("step_ratio", BEAM), ("step_ratio_greedy", 1)):
        sides = {"translate": pieces(data.pipeline(beam=beam), test, beam)}
        prepared = [bare_translator.sources(sizes, beam, STEPS, device) for sizes in lengths]
        for cell in bare_translator.CELLS:
            decoder = bare_translator.BareDecoder(cell, N_PIECES).to(device)
            sides[f"bare, {cell}"] = speed(n_pieces, partial(decoder.decode, prepared))
        title = f"Decoding with a beam of {beam} against the bare kernel"
        speeds = compare(title, "target pieces/s", sides, size.rounds)
        result[key] = ratio(speeds["translate"], speeds[common.fastest(speeds, "bare")])
    return result


def main() -> None:
    parser = common.parser(__doc__, gpu=True)
    parser.add_argument("--peer-python", metavar="PATH", help="a Python that can import joeynmt")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    common.one_thread()
    size = QUICK if options.quick else FULL
    device = common.choose_device(options.gpu)
    result: Result = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data = Data(folder, size.epochs)
        if "joeynmt" in options.only and not options.gpu:
            result |= against_joeynmt(data, size, folder, options.peer_python)
        if "engines" in options.only and not options.gpu:
            result |= of_engines(data, size)
        if "train" in options.only:
            result |= training_against_bare(data, size, device)
        if "steps" in options.only:
            result |= steps_against_bare(data, size, device)
    common.finish(result, options.gpu)


if __name__ == "__main__":
    main()
