"""Clauses in English and French, built from the same words."""

from random import Random
from typing import NamedTuple

import french
from french import ALLER, AVOIR, ETRE, POUVOIR, VOULOIR, Verb

UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()

# Adverbs of frequency and negation; in French they follow the finite verb.
MIDDLE = {"": "", "not": "pas", "never": "jamais", "often": "souvent", "always": "toujours"}
PARTICLES = {"look": "for", "listen": "to"}


class Pair(NamedTuple):
    """The same words in both languages."""

    english: str = ""
    french: str = ""


class Nominal(NamedTuple):
    """A noun phrase or pronoun, its person, gender and number, and the pronoun for it."""

    english: str
    french: str
    person: str
    form: str
    pronoun: str
    article: str = ""
    kinds: str = ""


class Unfit(Exception):
    """The choices give no natural sentence with exactly one translation."""


def joined(*pairs: Pair | Nominal | tuple[str, str]) -> Pair:
    """Join words, without the empty ones."""
    return Pair(*(" ".join(filter(None, (pair[i] for pair in pairs))) for i in (0, 1)))


def be(person: str, past: bool = False) -> str:
    if past:
        return "was" if person in ("1s", "3s") else "were"
    return {"1s": "am", "3s": "is"}.get(person, "are")


def number(value: int) -> str:
    """A number from 0 to 100 in words."""
    if value == 100:
        return "one hundred"
    ten, unit = divmod(value, 10)
    if ten < 2:
        return UNITS[value]
    return TENS[ten] + (f"-{UNITS[unit]}" if unit else "")


def english_verb(verb: Verb, person: str, tense: str, middle: str, ask: bool) -> Pair:
    """The auxiliary, which a subject can follow, and the rest of a verb."""
    base, third = verb.english["inf"], verb.english["3s"]
    if tense == "want":
        base, third = f"want to {base}", f"wants to {base}"
    if tense == "progressive":
        auxiliary, main = be(person), verb.english["ing"]
    elif tense == "future":
        auxiliary, main = be(person), f"going to {base}"
    elif tense == "can":
        auxiliary, main = ("cannot", base) if middle == "not" else ("can", base)
        middle = ""
    elif ask or middle == "not":
        auxiliary = "did" if tense == "past" else "does" if person == "3s" else "do"
        main = base
    else:
        present = third if person == "3s" else base
        auxiliary, main = "", verb.english["past"] if tense == "past" else present
    return Pair(auxiliary, f"{middle} {main} {PARTICLES.get(verb.english['inf'], '')}")


def clause(
    subject: Nominal,
    verb: Verb,
    tense: str,
    middle: str = "",
    after: tuple[str, str] = ("", ""),
    clitic: str = "",
    preceding: str = "ms",
    ask: bool = False,
) -> Pair:
    """A finite clause.

    after (tuple[str, str]): The words after the verb in English and in French.
    clitic (str): The French pronoun before the verb.
    preceding (str): The form of a French object before the verb, with which participles agree.
    ask (bool): True if the English auxiliary precedes the subject.
    """
    if verb.name == "read" and tense == "present" and subject.person != "3s":
        raise Unfit
    auxiliary, rest = english_verb(verb, subject.person, tense, middle, ask)
    first, second = (auxiliary, subject.english) if ask else (subject.english, auxiliary)
    negation = "ne" if middle in ("not", "never") else ""
    if tense == "past":
        finite = (ETRE if verb.moves else AVOIR)[subject.person]
        form = subject.form if verb.moves else preceding
        tail = french.agreeing(verb.french["part"])[form]
    elif tense in ("future", "want", "can"):
        finite = {"future": ALLER, "want": VOULOIR, "can": POUVOIR}[tense][subject.person]
        clitic, tail = "", f"{clitic} {verb.french['inf']}"
    else:
        finite, tail = verb.french[subject.person], ""
    before = f"{subject.french} {negation} {clitic} {finite} {MIDDLE[middle]} {tail}"
    return Pair(f"{first} {second} {rest} {after[0]}", f"{before} {after[1]}")


def copula(
    subject: Nominal, rest: tuple[str, str], past: bool, middle: str = "", ask: bool = False
) -> Pair:
    """A clause with "be"."""
    verb = be(subject.person, past)
    imparfait = "étaient" if subject.person == "3p" else "était"
    finite = imparfait if past else ETRE[subject.person]
    first, second = (verb, subject.english) if ask else (subject.english, verb)
    negation = "ne" if middle in ("not", "never") else ""
    return Pair(
        f"{first} {second} {middle} {rest[0]}",
        f"{subject.french} {negation} {finite} {MIDDLE[middle]} {rest[1]}",
    )


def hour(rng: Random) -> Pair:
    """A time of day."""
    if rng.random() < 0.25:
        return Pair("noon", "midi")
    hour = rng.randint(1, 11)
    kind = rng.choice(("o'clock", "o'clock", "o'clock", "half", "quarter", "to", "past"))
    hours = french.number(hour, "f") + (" heure" if hour == 1 else " heures")
    minutes = rng.choice((5, 10, 20))
    return {
        "o'clock": Pair(f"{number(hour)} o'clock", hours),
        "half": Pair(f"half past {number(hour)}", f"{hours} et demie"),
        "quarter": Pair(f"a quarter past {number(hour)}", f"{hours} et quart"),
        "to": Pair(
            f"{number(minutes)} to {number(hour)}", f"{hours} moins {french.number(minutes)}"
        ),
        "past": Pair(f"{number(minutes)} past {number(hour)}", f"{hours} {french.number(minutes)}"),
    }[kind]
