"""Show what a pipeline of the workflow `all` has learned, and check it.

    python corpora/demonstration.py NAME PIPELINE

NAME is one of `DEMONSTRATIONS`, PIPELINE a folder or an installed package. The pipeline reads
sentences whose right answers are known and which are not in the training data. Each is printed with
the answer of the pipeline; a wrong answer is an error.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import spacy
from spacy.language import Language
from wasabi import msg

ROOT = Path(__file__).resolve().parents[1]


def tags(nlp: Language, text: str) -> str:
    return " ".join(f"{token.text}/{token.tag_}" for token in nlp(text))


def label(nlp: Language, text: str) -> str:
    cats = nlp(text).cats
    return max(cats, key=cats.__getitem__)


def entities(nlp: Language, text: str) -> str:
    return ", ".join(f"{ent.text}/{ent.label_}" for ent in nlp(text).ents)


def translation(nlp: Language, text: str) -> str:
    return nlp(text)._.translation


def verb(nlp: Language, text: str) -> str:
    """The more probable of "was" and "were" after a text."""
    docs = {word: nlp(f"{text} {word}") for word in ("was", "were")}
    return max(docs, key=lambda word: sum(token._.log_probability for token in docs[word]))


class Demonstration(NamedTuple):
    """Sentences with their right answers.

    shows (str): What the pipeline has to do.
    answer (Callable[[Language, str], str]): Computes the answer of a pipeline.
    train (str): The training data, a file of the project.
    cases (dict[str, str]): The right answer for each sentence.
    """

    shows: str
    answer: Callable[[Language, str], str]
    train: str
    cases: dict[str, str]


DEMONSTRATIONS = {
    "agreement": Demonstration(
        'The verb after it tells whether "sheep" is singular (NN) or plural (NNS).',
        tags,
        "corpus/agreement/train.conllu",
        {
            "The sheep was asleep.": "The/DT sheep/NN was/VBD asleep/JJ ./.",
            "The sheep were asleep.": "The/DT sheep/NNS were/VBD asleep/JJ ./.",
        },
    ),
    "reviews": Demonstration(
        "Negations turn the sentiment around, from far away and also twice.",
        label,
        "corpus/reviews/train.jsonl",
        {
            "The songs in the last scene were great.": "POSITIVE",
            "I can't say that the songs in the last scene were great.": "NEGATIVE",
            "I can't say that the view wasn't great.": "POSITIVE",
        },
    ),
    "news": Demonstration(
        "The same name is a person, a place, an organization or a product: the context tells.",
        entities,
        "corpora/news/train.jsonl",
        {
            "Lincoln resigned on Monday.": "Lincoln/PERSON",
            "Lincoln was flooded last week.": "Lincoln/PLACE",
            "Lincoln had a busy year and withdrew the Lincoln from shops in Lincoln.": (
                "Lincoln/ORG, Lincoln/PRODUCT, Lincoln/PLACE"
            ),
        },
    ),
    "parallel": Demonstration(
        "French has genders, another order of words and other questions than English.",
        translation,
        "corpora/parallel/train.tsv",
        {
            "What time did the old queen leave?": (
                "À quelle heure est-ce que la vieille reine est partie ?"
            ),
            "Alice found the dress and washed it.": "Alice a trouvé la robe et l'a lavée.",
            "My sister bought three green apples.": "Ma sœur a acheté trois pommes vertes.",
        },
    ),
    "text": Demonstration(
        'The subject makes one form of the verb, "was" or "were", more probable.',
        verb,
        "corpus/agreement/train.conllu",
        {
            "The happy old dogs": "were",
            "The happy old dog": "was",
        },
    ),
}


def show(demonstration: Demonstration, nlp: Language) -> bool:
    """Print the sentences with the answers. RETURNS (bool): True if all are right."""
    msg.divider(demonstration.shows)
    right = True
    for text, expected in demonstration.cases.items():
        found = demonstration.answer(nlp, text)
        if found == expected:
            msg.good(text, found)
        else:
            msg.fail(text, f"expected: {expected}\nfound:    {found}")
            right = False
    return right


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=DEMONSTRATIONS)
    parser.add_argument("pipeline")
    options = parser.parse_args(arguments)
    demonstration = DEMONSTRATIONS[options.name]
    training = (ROOT / demonstration.train).read_text(encoding="utf-8")
    if seen := [text for text in demonstration.cases if text in training]:
        msg.fail(f"{demonstration.train} contains sentences of the demonstration", seen, exits=1)
    if not show(demonstration, spacy.load(options.pipeline)):
        msg.fail(f"{options.pipeline} has not learned what it should show", exits=1)


if __name__ == "__main__":
    main()
