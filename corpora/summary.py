"""Sum up the workflow `all`: the score of each pipeline beside that of a simple baseline.

    python corpora/summary.py OUT.json

Reads the corpora, the pipelines and their scores from the project's folder, and computes the
baselines from the same data. Prints a table and writes it to OUT.json.
"""

import argparse
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import spacy
import srsly
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from wasabi import msg, table

from spacy_rnn.cli.io import size_of
from spacy_rnn.scorers import translation_score

ROOT = Path(__file__).resolve().parents[1]
VOCAB = spacy.blank("en").vocab
LONGEST_NAME = 5  # tokens
NEXT = (
    ("Use one in Python", "spacy.load('training/news/model-best')"),
    ("Train on your own data", "python -m spacy rnn init-config ner.cfg --task ner"),
    ("Train on public data", "python -m spacy project assets && python -m spacy project run ud"),
)


def docs(name: str, part: str) -> list[Doc]:
    return list(DocBin().from_disk(ROOT / "corpus" / name / f"{part}.spacy").get_docs(VOCAB))


def pairs(name: str, part: str) -> list[list[str]]:
    path = ROOT / "corpora" / name / f"{part}.tsv"
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]


def modes(items: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The most frequent value for each key."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for key, value in items:
        counts[key][value] += 1
    return {key: counter.most_common(1)[0][0] for key, counter in counts.items()}


def most_frequent_tag(name: str) -> float:
    """Accuracy of the most frequent tag of each word, or of all words for a new word."""
    tokens = [(token.text, token.tag_) for doc in docs(name, "train") for token in doc]
    known, default = modes(tokens), modes(("", tag) for _, tag in tokens)[""]
    gold = [token for doc in docs(name, "test") for token in doc]
    return sum(known.get(token.text, default) == token.tag_ for token in gold) / len(gold)


def most_frequent_class(name: str) -> float:
    """Accuracy of the most frequent class."""
    train, test = ([max(d.cats, key=d.cats.get) for d in docs(name, p)] for p in ("train", "test"))
    return test.count(Counter(train).most_common(1)[0][0]) / len(test)


def known_names(name: str) -> float:
    """F1 of the longest names that are known, each with its most frequent label."""
    labels = modes((ent.text, ent.label_) for doc in docs(name, "train") for ent in doc.ents)

    def found(doc: Doc) -> Iterator[Span]:
        start = 0
        while start < len(doc):
            spans = (doc[start : start + length] for length in range(LONGEST_NAME, 0, -1))
            span = next((span for span in spans if span.text in labels), None)
            if span is not None:
                yield Span(doc, span.start, span.end, labels[span.text])
            start = start + 1 if span is None else span.end

    right = n_found = n_gold = 0
    for doc in docs(name, "test"):
        predicted, gold = set(found(doc)), set(doc.ents)
        right += len(predicted & gold)
        n_found, n_gold = n_found + len(predicted), n_gold + len(gold)
    return 2 * right / (n_found + n_gold)


def word_by_word(name: str) -> float:
    """BLEU of translating word by word: each English word by the French word that occurs most often
    in the same pairs, measured by Dice's coefficient."""
    english: Counter[str] = Counter()
    french: Counter[str] = Counter()
    both: dict[str, Counter[str]] = defaultdict(Counter)
    for pair in pairs(name, "train"):
        source, target = (set(text.split()) for text in pair)
        english.update(source)
        french.update(target)
        for word in source:
            both[word].update(target)
    lexicon = {
        word: max(counts, key=lambda other: 2 * counts[other] / (english[word] + french[other]))
        for word, counts in both.items()
    }
    examples = []
    Doc.set_extension("translation", default=None, force=True)
    for source, target in pairs(name, "test"):
        predicted, reference = (Doc(VOCAB, words=source.split()) for _ in range(2))
        predicted._.translation = " ".join(lexicon.get(word, word) for word in source.split())
        reference._.translation = target
        examples.append(Example(predicted, reference))
    return translation_score(examples)["bleu"]


def word_frequencies(name: str) -> float:
    """Perplexity of a unigram model of words with add-one smoothing, in which all new words are one
    word and the end of a text is a word."""
    train, test = (
        [word for doc in docs(name, part) for word in (*(token.text for token in doc), "")]
        for part in ("train", "test")
    )
    counts = Counter(train)
    total = len(train) + len(counts) + 1
    return math.exp(-sum(math.log((counts[word] + 1) / total) for word in test) / len(test))


class Task(NamedTuple):
    """A component, its score, and a baseline: a function of the name of the corpus."""

    component: str
    score: str
    baseline: Callable[[str], float]


TASKS = {
    "agreement": Task("rnn_tagger", "tag_acc", most_frequent_tag),
    "reviews": Task("rnn_textcat", "cats_micro_f", most_frequent_class),
    "news": Task("rnn_ner", "ents_f", known_names),
    "parallel": Task("rnn_translator", "bleu", word_by_word),
    "text": Task("rnn_lm", "ppl", word_frequencies),
}


def summary() -> Iterator[dict]:
    """The rows of the table."""
    for name, task in TASKS.items():
        metrics = srsly.read_json(ROOT / "metrics" / f"{name}.json")
        folder = Path("training") / name / "model-best"
        yield {
            "component": task.component,
            "score": task.score,
            "value": metrics[task.score],
            "baseline": task.baseline.__name__.replace("_", " "),
            "baseline_value": task.baseline(name),
            "bytes": size_of(ROOT / folder),
            "words_per_second": metrics["speed"],
            "pipeline": folder.as_posix(),
        }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", type=Path, metavar="OUT.json")
    target = parser.parse_args(arguments).target
    rows = list(summary())
    srsly.write_json(target, rows)
    msg.divider("Summary: scores on unseen texts")
    print(
        table(
            [
                (
                    row["component"],
                    row["score"],
                    f"{row['value']:.3f}",
                    f"{row['baseline_value']:.3f} {row['baseline']}",
                    f"{row['bytes'] / 1e6:.1f} MB",
                    f"{row['words_per_second']:,.0f}",
                    row["pipeline"],
                )
                for row in rows
            ],
            header=("Component", "Score", "", "Baseline", "Size", "Words/s", "Pipeline"),
            divider=True,
            aligns=("l", "l", "r", "l", "r", "r", "l"),
        )
    )
    print("The perplexity (ppl) is better the lower it is, the other scores the higher.")
    msg.divider("Next steps")
    print(table(NEXT))


if __name__ == "__main__":
    main()
