"""Sampling and tagging with a probabilistic context-free grammar that has agreement.

A rule is a line `LEFT WEIGHT RIGHT...`: a symbol, the weight of the rule among the rules of the
same symbol, and the symbols that it is replaced by. A right-hand symbol in parentheses is optional.
A symbol may have a form: `NP:3s`. A form may be a variable, whose value is the same everywhere in
the rule: with the values 3s and 3p for n, `Clause 1 NP:n VP:n` is short for two rules. A symbol
without rules is a category of the lexicon.

Verbs agree with the subject with which they share a form. Nominal symbols begin with `N`. The first
nominal symbol with a form is the subject of the finite verbs of the other symbols with this form;
they agree with its head, a noun or pronoun.

No symbol may begin with itself, not even through other rules (no left recursion).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from random import Random
from typing import NamedTuple

from inflection import Word

OPTIONAL_SHARE = 0.3  # how often an optional symbol is used

Lexicon = Mapping[str, Sequence[Word]]
Values = Mapping[str, Mapping[str, float]]
Tagging = tuple[Word, ...]


@dataclass(eq=False)
class Token:
    """A word in a sentence and, for a finite verb, the token it agrees with."""

    word: Word
    subject: "Token | None" = None


class Phrase(NamedTuple):
    """The tokens of a phrase, its nominal head, its finite verbs still without a subject."""

    tokens: list[Token]
    head: Token | None
    verbs: list[Token]


class Rule(NamedTuple):
    """A rule with its variables filled in; `forms` are the forms as they were written."""

    weight: float
    left_form: str
    symbols: tuple[str, ...]
    forms: tuple[str, ...]


class Grammar:
    """A grammar over a lexicon.

    text (str): The rules, one per line; empty lines are skipped.
    lexicon (Mapping[str, Sequence[Word]]): The words of every category.
    values (Mapping[str, Mapping[str, float]]): The values of every variable, with the
        probability of each, used if the left side of the rule does not set the variable.
    """

    def __init__(self, text: str, lexicon: Lexicon, values: Values):
        self.lexicon = lexicon
        rules = defaultdict(list)
        for line in filter(str.strip, text.splitlines()):
            left, weight, *right = line.split()
            for share, symbols in with_options(right):
                for name, rule in instances(left, float(weight) * share, symbols, values):
                    rules[name].append(rule)
        self.rules = productive(rules, lexicon)
        self.first = first_forms(self.rules, lexicon)

    def sample(self, rng: Random, symbol: str = "S") -> Phrase:
        """A random phrase of the grammar."""
        if symbol in self.lexicon:
            token = Token(rng.choices(self.lexicon[symbol])[0])
            return Phrase([token], token, [token] if "VerbForm=Fin" in token.word.feats else [])
        rules = self.rules[symbol]
        rule = rng.choices(rules, [rule.weight for rule in rules])[0]
        phrases = [self.sample(rng, child) for child in rule.symbols]
        head, verbs = None, []
        for form in filter(None, dict.fromkeys(rule.forms)):
            sharing = [i for i, other in enumerate(rule.forms) if other == form]
            subject = next((i for i in sharing if rule.symbols[i].startswith("N")), None)
            open_verbs = [verb for i in sharing for verb in phrases[i].verbs]
            if subject is not None:
                for verb in open_verbs:
                    verb.subject = phrases[subject].head
            if form == rule.left_form:
                head = phrases[subject].head if subject is not None else None
                verbs = open_verbs if subject is None else []
        return Phrase([token for phrase in phrases for token in phrase.tokens], head, verbs)

    def taggings(self, forms: Sequence[str], symbol: str = "S") -> set[Tagging]:
        """Every way to read a sequence of forms as words of a phrase of the grammar.

        The first form may be capitalized. RETURNS (set[tuple[Word, ...]]): The readings, which
        differ in a lemma or tag; derivations that give the same words count once.
        """
        spellings = [*spellings_of(forms), set()]

        @cache
        def spans(symbol: str, start: int) -> set[tuple[int, Tagging]]:
            if self.first[symbol].isdisjoint(spellings[start]):
                return set()
            if symbol in self.lexicon:
                words = self.lexicon[symbol]
                return {(start + 1, (word,)) for word in words if word.form in spellings[start]}
            found = set()
            for rule in self.rules[symbol]:
                ends: set[tuple[int, Tagging]] = {(start, ())}
                for child in rule.symbols:
                    ends = {
                        (end, words + more)
                        for middle, words in ends
                        for end, more in spans(child, middle)
                    }
                found |= ends
            return found

        return {words for end, words in spans(symbol, 0) if end == len(forms)}

    def last_words(self, forms: Sequence[str], symbol: str = "S") -> set[Word]:
        """Find the words that the last of a sequence of forms can be in phrases that begin with
        these forms; none if no phrase does.

        The first form may be capitalized.
        """
        spellings, length = spellings_of(forms), len(forms)

        @cache
        def spans(symbol: str, start: int) -> set[tuple[int, Word | None]]:
            if self.first[symbol].isdisjoint(spellings[start]):
                return set()
            if symbol in self.lexicon:
                words = [word for word in self.lexicon[symbol] if word.form in spellings[start]]
                return {(start + 1, word if start + 1 == length else None) for word in words}
            found = set()
            for rule in self.rules[symbol]:
                ends: set[tuple[int, Word | None]] = {(start, None)}
                for child in rule.symbols:
                    # After the last form, any phrase may follow.
                    over = {(end, last) for end, last in ends if end == length}
                    ends = over.union(*(spans(child, end) for end, _ in ends if end < length))
                found |= ends
            return found

        return {last for end, last in spans(symbol, 0) if last is not None}


def spellings_of(forms: Sequence[str]) -> list[set[str]]:
    """List the spellings of each form in the lexicon: the first form may be capitalized."""
    first, *rest = forms
    return [{first, first[:1].lower() + first[1:]}, *({form} for form in rest)]


def with_options(symbols: Sequence[str]) -> Iterator[tuple[float, list[str]]]:
    """The right-hand sides with and without the optional symbols, and the share of each."""
    choices = [
        [(1 - OPTIONAL_SHARE, []), (OPTIONAL_SHARE, [symbol[1:-1]])]
        if symbol.startswith("(")
        else [(1.0, [symbol])]
        for symbol in symbols
    ]
    for choice in product(*choices):
        share = 1.0
        for part, _ in choice:
            share *= part
        yield share, [symbol for _, chosen in choice for symbol in chosen]


def instances(
    left: str, weight: float, right: Sequence[str], values: Values
) -> Iterator[tuple[str, Rule]]:
    """The rules a line stands for: one for every combination of values of its variables."""
    names, forms = zip(*(symbol.partition(":")[::2] for symbol in (left, *right)), strict=True)
    variables = [form for form in dict.fromkeys(forms) if form in values]
    for chosen in product(*(values[variable] for variable in variables)):
        value = dict(zip(variables, chosen, strict=True))
        probability = weight
        for variable in variables:
            if variable != forms[0]:
                probability *= values[variable][value[variable]]
        symbols = [
            f"{name}:{value.get(form, form)}" if form else name
            for name, form in zip(names, forms, strict=True)
        ]
        yield symbols[0], Rule(probability, forms[0], tuple(symbols[1:]), forms[1:])


def productive(rules: Mapping[str, list[Rule]], lexicon: Lexicon) -> dict[str, list[Rule]]:
    """The rules that can end in words: not every category has a word in every form."""
    known = set(lexicon)
    size = -1
    while size != len(known):
        size = len(known)
        known |= {
            name
            for name, options in rules.items()
            if any(known.issuperset(rule.symbols) for rule in options)
        }
    kept = {
        name: [rule for rule in options if known.issuperset(rule.symbols)]
        for name, options in rules.items()
    }
    return {name: options for name, options in kept.items() if options}


def first_forms(rules: Mapping[str, list[Rule]], lexicon: Lexicon) -> dict[str, set[str]]:
    """The forms that a phrase of every symbol can begin with."""
    first = {category: {word.form for word in words} for category, words in lexicon.items()}
    first |= {name: set() for name in rules}
    size = -1
    while size != sum(map(len, first.values())):
        size = sum(map(len, first.values()))
        for name, options in rules.items():
            first[name].update(*(first[rule.symbols[0]] for rule in options))
    return first
