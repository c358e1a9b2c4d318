"""Sentences in which a verb agrees with a subject at a given distance before it.

    python corpora/distances.py OUT.jsonl [--seed 1] [--cases 50] [--distances 0 1 ...] [--one-form]

Each line is a case for `python -m spacy rnn agreement`, in its format:

    {"words": ["The", "dogs", "near", "her", "barn", "are", "asleep", "."],
     "spaces": [true, true, true, true, true, true, false, true],
     "subject": 1, "verb": 5, "number": "Plur", "other": "is", "attractors": 1}

The sentences are those of `grammar.py`. The distance is the number of words between subject and
verb. Each distance has the same number of singular and plural subjects, and no sentence beginning,
up to the verb, occurs twice. The words before the verb determine its number: no sentence of the
grammar begins with them and the other form of the verb. No earlier verb shows the number of the
same subject ("The dogs that are old are asleep"). With `--one-form`, for taggers, the verb has the
same form for both numbers ("slept", "had"), and all its readings in sentences with this beginning
have the number of the subject. Attractors are nouns of the other number between subject and verb.
The same seed gives the same file.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from grammar import grammars, sample_sentences
from inflection import Word
from pcfg import Grammar, Token
from writing import forms, spaces_after

NUMBERS = ("Sing", "Plur")
#: longer distances are too rare in the grammar
DISTANCES = range(16)
DEFAULT = range(13)


class Agreement(NamedTuple):
    """A verb and its subject, by their positions in a sentence."""

    tokens: list[Token]
    subject: int
    verb: int

    @property
    def distance(self) -> int:
        return self.verb - self.subject - 1

    @property
    def number(self) -> str:
        return number_of(self.tokens[self.verb].word)

    @property
    def attractors(self) -> int:
        between = (token.word for token in self.tokens[self.subject + 1 : self.verb])
        nouns = [word for word in between if word.upos in ("NOUN", "PROPN")]
        return sum(number_of(noun) != self.number for noun in nouns)

    @property
    def opening(self) -> tuple[str, ...]:
        """The words up to the verb."""
        return tuple(forms(self.tokens)[: self.verb + 1])


def number_of(word: Word) -> str:
    features = dict(pair.split("=") for pair in word.feats.split("|") if "=" in pair)
    return features.get("Number", "")


def other_numbers(lexicon: Mapping[str, Sequence[Word]]) -> dict[Word, Word]:
    """Map each finite third-person verb with a number to the same verb in the other number."""
    others = {}
    for category, words in lexicon.items():
        if category.endswith(":3s"):
            for word, plural in zip(words, lexicon.get(f"{category[:-1]}p", ()), strict=False):
                if "VerbForm=Fin" in word.feats and number_of(word):
                    others |= {word: plural, plural: word}
    return others


def agreements(tokens: list[Token], others: Mapping[Word, Word]) -> Iterator[Agreement]:
    """Find the verbs after a subject whose number is not shown by an earlier verb."""
    places = {token: i for i, token in enumerate(tokens)}
    told = set()
    for verb, token in enumerate(tokens):
        subject = token.subject
        if subject is None or token.word not in others:
            continue
        if places[subject] < verb and subject not in told:
            yield Agreement(tokens, places[subject], verb)
        if others[token.word].form != token.word.form:
            told.add(subject)


def is_decided(found: Agreement, other: Word, tenses: Sequence[Grammar]) -> bool:
    """Return True if the words up to the verb allow only one number, and the sentence only one
    tagging."""
    if len(set().union(*(grammar.taggings(forms(found.tokens)) for grammar in tenses))) > 1:
        return False
    *before, form = found.opening
    readings = set().union(*(grammar.last_words([*before, other.form]) for grammar in tenses))
    if other.form != form:
        return not readings
    return {number_of(word) for word in readings} == {found.number}


def cases(
    seed: int, size: int, distances: Sequence[int] = DEFAULT, one_form: bool = False
) -> list[dict[str, Any]]:
    """Sample the same number of cases for each number at each distance, as JSON objects."""
    tenses = grammars()
    others: dict[Word, Word] = {}
    for grammar in tenses:
        others |= other_numbers(grammar.lexicon)
    found: dict[tuple[int, str], list[dict[str, Any]]] = {
        key: [] for key in product(distances, NUMBERS)
    }
    missing, seen = set(found), set()
    sentences = sample_sentences(tenses, seed)
    while missing:
        tokens = next(sentences)
        for each in agreements(tokens, others):
            other = others[tokens[each.verb].word]
            key = each.distance, each.number
            if (
                key in missing
                and (other.form == tokens[each.verb].word.form) == one_form
                and each.opening not in seen
                and is_decided(each, other, tenses)
            ):
                seen.add(each.opening)
                found[key].append(to_json(each, None if one_form else other.form))
                if len(found[key]) == size:
                    missing.remove(key)
    return [case for group in found.values() for case in group]


def to_json(found: Agreement, other: str | None) -> dict[str, Any]:
    return {
        "words": forms(found.tokens),
        "spaces": spaces_after(found.tokens),
        "subject": found.subject,
        "verb": found.verb,
        "number": found.number,
        "other": other,
        "attractors": found.attractors,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", type=Path, metavar="OUT.jsonl")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--cases", type=int, default=50, help="cases of each number at each distance"
    )
    parser.add_argument("--distances", type=int, nargs="+", choices=DISTANCES, default=DEFAULT)
    parser.add_argument("--one-form", action="store_true", help="verbs with one form, for taggers")
    options = parser.parse_args(arguments)
    made = cases(options.seed, options.cases, options.distances, options.one_form)
    options.target.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(case) + "\n" for case in made]
    options.target.write_text("".join(lines), encoding="utf8", newline="\n")
    print(f"{len(made)} cases")


if __name__ == "__main__":
    main()
