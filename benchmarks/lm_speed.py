"""How fast the language model trains, and what a keystroke costs, with one thread on WikiText-2:

* `nlp.update` against bare torch (benchmarks/bare_lm.py, the fastest of its variants): the same
  network over the same windows, which are prepared beforehand, with forward pass, loss, backward
  pass, clipping and AdamW. Our side also includes the preparation from documents and averages of
  weights;
* `nlp.update` in half precision against single precision. On a CPU, only those with AMX
  instructions train so; on others both are the same;
* `session.type` of a character and `session.suggest(5)`, after a short training of
  configs/lm_small.cfg: the cost late in a text divided by that early in a text. The same characters
  are typed in both.

All sides of a comparison take turns; a ratio of training is the median over rounds of our units/s
divided by those of bare torch.

    python benchmarks/lm_speed.py [--quick] [--gpu] [--only PART ...]

Keys:

* train_ratio: configs/lm.cfg, whose units are words;
* characters_train_ratio: configs/lm_characters.cfg, only the forward one of its two networks, which
  share nothing;
* small_train_ratio: configs/lm_small.cfg, whose units are characters, too;
* bf16_ratio: configs/lm.cfg with mixed_precision = "bf16" over the same with "none";
* keystroke_ratio: the median cost of a keystroke after 10,000 characters divided by that after 10.
"""

import statistics
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import bare_lm
import common
import spacy
from bare_lm import Part
from bare_tagger import WAYS
from common import Side, adamw, by_turns, clock, examples, ratio, speed
from plain import paragraphs, wikitext
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

#: a config for each figure
TRAININGS = {
    "train_ratio": "lm.cfg",
    "characters_train_ratio": "lm_characters.cfg",
    "small_train_ratio": "lm_small.cfg",
}
SMALL = "lm_small.cfg"
#: the config that is timed in half precision
HALF = "lm.cfg"
PARTS = ("train", "half", "keystrokes")
ONE_NETWORK = {"components.lm.model.encoder.direction": "forward"}
TRAIN = common.DATA / "lm-wikitext2" / "train.txt.xz"
#: number of characters that are typed before the timed ones
EARLY, LATE = 10, 10_000


class Size(NamedTuple):
    """The number of articles, for models of words, and of paragraphs, for models of characters; of
    windows in a round (at least) and of rounds; of windows in the short training; and of
    keystrokes."""

    articles: int | None
    paragraphs: int
    windows: int
    rounds: int
    taught: int
    keystrokes: int


FULL, QUICK = Size(None, 8000, 10, 7, 2000, 500), Size(100, 1000, 2, 2, 200, 50)


class Round(NamedTuple):
    """Batches of documents, and what each step reads from these and earlier documents."""

    batches: list[list[Doc]]
    steps: list[list[list[Part]]]

    def n_units(self) -> int:
        return sum(len(ids) - 1 for step in self.steps for parts in step for ids, _ in parts)


class Data:
    """A config, the documents that it is trained on, and their units."""

    def __init__(self, config: str, size: Size):
        path = common.REPO / "configs" / config
        self.config = spacy.util.load_config(path, overrides=ONE_NETWORK, interpolate=True)
        self.settings = bare_lm.settings_of(self.config)
        self.component: dict[str, Any] = self.config["components"]["lm"]
        units = self.component["model"]["units"]
        self.unit = "words" if "WordUnits" in units["@architectures"] else "characters"
        vocab = spacy.blank("en").vocab
        if self.unit == "words":
            self.docs = list(islice(wikitext(TRAIN, vocab), size.articles))
        else:
            self.docs = list(islice(paragraphs(TRAIN, vocab), size.paragraphs))
        texts = map(self.units, self.docs)
        self.vocabulary = bare_lm.Vocabulary(texts, units.get("min_freq", 2))

    def units(self, doc: Doc) -> Sequence[str]:
        return common.words_of(doc) if self.unit == "words" else doc.text

    def pipeline(self, **model: Any) -> Language:
        """A pipeline with other settings of the model."""
        settings = {**self.component, "model": {**self.component["model"], **model}}
        return common.pipeline(self.docs, **settings)

    def rounds(self, n_rounds: int, n_windows: int) -> list[Round]:
        """Consecutive rounds of one training. In the first one, the streams are filled."""
        batcher = self.config["training"]["batcher"]
        make = spacy.registry.resolve({"batcher": batcher})["batcher"]
        batches = bare_lm.shuffled(self.docs, make, self.settings.seed)
        streams = bare_lm.Streams(self.settings.streams, self.settings.window)
        made = []
        for _ in range(n_rounds):
            made.append(Round([], []))
            while sum(map(len, made[-1].steps)) < n_windows:
                batch = next(batches)
                made[-1].batches.append(batch)
                for doc in batch:
                    streams.push(self.vocabulary.encode(self.units(doc)))
                if windows := list(streams.windows()):
                    made[-1].steps.append(windows)
        return made


# Training


def ours(nlp: Language, data: Data, rounds: Sequence[Round], learn_rate: float = 0.001) -> Side:
    """A side that measures the units/s of our training, each time on the next round."""
    optimizer = adamw(learn_rate=learn_rate)

    def update(prepared: Sequence[list[Example]]) -> None:
        for batch in prepared:
            nlp.update(batch, drop=data.settings.dropout, sgd=optimizer)

    def sides() -> Iterator[Side]:
        for part in rounds:
            prepared = [examples(batch, nlp.vocab) for batch in part.batches]
            yield speed(part.n_units(), partial(update, prepared))

    remaining = sides()
    return lambda: next(remaining)()


def bare(data: Data, rounds: Sequence[Round], way: str, device: str) -> Side:
    """The same for bare torch."""
    settings = data.settings
    network = bare_lm.BareLM(len(data.vocabulary), settings).to(device)
    learner = bare_lm.Learner(network, settings.streams, settings.dropout)

    def sides() -> Iterator[Side]:
        for part in rounds:
            prepared = [
                [bare_lm.prepare(parts, way, device) for parts in step] for step in part.steps
            ]
            yield speed(part.n_units(), partial(learner.update, prepared))

    remaining = sides()
    return lambda: next(remaining)()


def against_bare(config: str, size: Size, device: str) -> float:
    data = Data(config, size)
    # The first round is the warm-up.
    rounds = data.rounds(1 + size.rounds, size.windows)
    sides = {"nlp.update": ours(data.pipeline(), data, rounds)}
    sides |= {f"bare, {way}": bare(data, rounds, way, device) for way in WAYS}
    speeds = by_turns(sides, size.rounds)
    rows = [
        [name, statistics.median(values), ratio(speeds["nlp.update"], values)]
        for name, values in speeds.items()
    ]
    title = f"Training with configs/{config}"
    common.show(title, ["side", f"{data.unit}/s", "nlp.update / side"], rows)
    return ratio(speeds["nlp.update"], speeds[common.fastest(speeds, "bare")])


def in_half_precision(size: Size) -> float:
    """The speed of training in half precision divided by that in single precision."""
    data = Data(HALF, size)
    rounds = data.rounds(1 + size.rounds, size.windows)
    sides = {
        precision: ours(data.pipeline(mixed_precision=precision), data, rounds)
        for precision in ("none", "bf16")
    }
    speeds = by_turns(sides, size.rounds)
    rows = [[name, statistics.median(values)] for name, values in speeds.items()]
    common.show(f"Training with configs/{HALF}", ["precision", f"{data.unit}/s"], rows)
    return ratio(speeds["bf16"], speeds["none"])


# Keystrokes


def keystrokes(size: Size) -> float:
    """The cost of a keystroke late in a text divided by that of one early in a text."""
    data = Data(SMALL, size)
    nlp = data.pipeline()
    rate = data.settings.learn_rate
    ours(nlp, data, data.rounds(1, size.taught), rate)()
    component: Any = nlp.get_pipe(nlp.pipe_names[0])
    text = " ".join(doc.text for doc in data.docs)
    sessions = {before: component.session() for before in (EARLY, LATE)}
    for before, session in sessions.items():
        session.type(text[LATE - before : LATE])
    seconds: dict[int, list[float]] = {before: [] for before in sessions}
    for character in text[LATE : LATE + size.keystrokes]:
        for before, session in sessions.items():
            start = clock()
            session.type(character)
            session.suggest(5)
            seconds[before].append(clock() - start)
    costs = {before: statistics.median(values) for before, values in seconds.items()}
    rows = [[f"after {before:,} characters", 1000 * cost] for before, cost in costs.items()]
    common.show(f"A keystroke with configs/{SMALL}", ["", "milliseconds"], rows)
    return round(costs[LATE] / costs[EARLY], 3)


def main() -> None:
    parser = common.parser(__doc__, gpu=True)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    common.one_thread()
    size = QUICK if options.quick else FULL
    device = common.choose_device(options.gpu)
    result: dict[str, float] = {}
    if "train" in options.only:
        for key, config in TRAININGS.items():
            result[key] = against_bare(config, size, device)
    if "half" in options.only and not options.gpu:
        result["bf16_ratio"] = in_half_precision(size)
    if "keystrokes" in options.only and not options.gpu:
        result["keystroke_ratio"] = keystrokes(size)
    common.finish(result, options.gpu)


if __name__ == "__main__":
    main()
