"""Agreement of verbs with distant subjects, on sentences of the shipped grammar, by language models
and taggers with one forward recurrent layer: an LSTM, a GRU or a plain RNN.

    python benchmarks/agreement.py [--quick] [--plots DIR]

All are trained on the same sentences of `corpora/grammar.py`, for one epoch. They are evaluated on
cases of `corpora/distances.py`, sampled with another seed: the words before the verb determine its
number, and no earlier verb reveals it. Language models must prefer the right form of a verb with
two forms, and taggers must predict the Number of a verb with only one form. `python -m spacy rnn
agreement` does the same for any pipeline.
"""

import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import common
import distances
import spacy
from grammar import MAX_WORDS, grammars, sample_sentences
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab
from writing import forms

from spacy_rnn.analysis.agreement import (
    AgreementCase,
    AgreementResult,
    GroupBy,
    evaluate_language_model,
    evaluate_tagger,
    group_cases,
    plot_agreement,
)

#: the learning rate for each cell
CELLS = {"lstm": 0.008, "gru": 0.006, "rnn_tanh": 0.003}
WIDTH, HIDDEN = 64, 200
#: number of sentences in a step, and of those that the vocabulary is built from
BATCH, KNOWN = 32, 20_000
TRAIN_SEED, TEST_SEED = 0, 1
#: number of words between subject and verb for which the figures are reported
FAR = 10

LANGUAGE_MODEL = {
    "model": {
        "@architectures": "spacy_rnn.LanguageModel.v1",
        "embedding_size": WIDTH,
        "tied": False,
        "units": {"@architectures": "spacy_rnn.WordUnits.v1", "min_freq": 1},
    },
    # A step is a window with a whole sentence on each stream.
    "streams": BATCH,
    "window": MAX_WORDS + 1,
}
TAGGER = {
    "model": {
        "@architectures": "spacy_rnn.Tagger.v1",
        "embedding": {
            "words": {
                "@architectures": "spacy_rnn.WordEmbedding.v1",
                "width": WIDTH,
                "min_freq": 1,
            },
            "characters": None,
            "affixes": None,
            "vectors": None,
        },
    },
    "targets": ["morph"],
}


class Kind(NamedTuple):
    """A component that is evaluated.

    key: the prefix of its figures' names. one_form: whether the verbs of its cases have only one
    form.
    """

    factory: str
    config: dict[str, Any]
    key: str
    one_form: bool
    evaluate: Callable[[Language, list[AgreementCase]], AgreementResult]


KINDS = {
    "language model": Kind(
        "rnn_lm",
        LANGUAGE_MODEL,
        "agreement",
        False,
        lambda nlp, cases: evaluate_language_model(nlp.get_pipe("rnn_lm"), cases),
    ),
    "tagger": Kind("rnn_tagger", TAGGER, "agreement_tagger", True, evaluate_tagger),
}


class Size(NamedTuple):
    """The number of training sentences of each kind of component; the number of cases for each
    number (singular and plural) at each distance; and the distances."""

    sentences: dict[str, int]
    cases: int
    distances: Sequence[int]


FULL = Size({"language model": 240_000, "tagger": 60_000}, 100, range(13))
QUICK = Size({"language model": 16_000, "tagger": 8_000}, 20, (0, 2, 5, FAR))


class Sentence(NamedTuple):
    words: list[str]
    morphs: list[str]

    def example(self, vocab: Vocab) -> Example:
        gold = Doc(vocab, words=self.words, morphs=self.morphs)
        return Example(Doc(vocab, words=self.words), gold)


def train(kind: Kind, cell: str, sentences: Sequence[Sentence]) -> Language:
    """A pipeline that is trained on each sentence once."""
    encoder = {
        "@architectures": "spacy_rnn.RNNEncoder.v1",
        "cell": cell,
        "direction": "forward",
        "hidden_size": HIDDEN,
        "depth": 1,
    }
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe(
        kind.factory, config={**kind.config, "model": {**kind.config["model"], "encoder": encoder}}
    )
    known = [sentence.example(nlp.vocab) for sentence in sentences[:KNOWN]]
    nlp.initialize(lambda: known)
    steps = len(sentences) // BATCH
    rate = spacy.registry.get("schedules", "warmup_linear.v1")(CELLS[cell], steps // 50, steps)
    optimizer = common.adamw(learn_rate=rate, use_averages=False)
    for start in range(0, steps * BATCH, BATCH):
        batch = [sentence.example(nlp.vocab) for sentence in sentences[start : start + BATCH]]
        nlp.update(batch, sgd=optimizer, drop=0.0)
        optimizer.step_schedules()
    return nlp


def show(title: str, results: dict[str, AgreementResult], key: GroupBy) -> None:
    """Print a table with a row for each distance or number of attractors, and a column for each
    cell."""
    columns = [group_cases(each, key) for each in results.values()]
    rows = [
        [str(row[0].value), str(row[0].cases), *(f"{each.accuracy:.3f}" for each in row)]
        for row in zip(*columns, strict=True)
    ]
    common.show(title, [key, "cases", *results], rows)


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--plots", type=Path, metavar="DIR", help="a directory for the plots")
    options = parser.parse_args()
    common.one_thread()
    size = QUICK if options.quick else FULL
    stream = islice(sample_sentences(grammars(), TRAIN_SEED), max(size.sentences.values()))
    sentences = [Sentence(forms(ts), [token.word.feats for token in ts]) for ts in stream]
    result: dict[str, float] = {}
    for name, kind in KINDS.items():
        made = distances.cases(TEST_SEED, size.cases, size.distances, kind.one_form)
        cases = [AgreementCase(**case) for case in made]
        learned = sentences[: size.sentences[name]]
        results = {cell: kind.evaluate(train(kind, cell, learned), cases) for cell in CELLS}
        for key in ("distance", "attractors"):
            show(f"{name}: share of correct verbs", results, key)
        found = {cell: group_cases(each, "distance") for cell, each in results.items()}
        for cell, summaries in found.items():
            (far,) = (each for each in summaries if each.value == FAR)
            result[f"{kind.key}_{cell}"] = round(far.accuracy, 4)
        if options.plots is not None:
            options.plots.mkdir(parents=True, exist_ok=True)
            plot_agreement(options.plots / f"{kind.key}.svg", found)
    result["cpu_minutes"] = round(time.process_time() / 60, 1)
    common.finish(result)


if __name__ == "__main__":
    main()
