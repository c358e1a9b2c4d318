"""English words with their tags, and the regular spelling of their inflected forms.

Tags are those of the English Web Treebank: UPOS, XPOS (Penn) and FEATS. The entry of a word has its
principal parts, separated by slashes; omitted ones are regular: `mouse/mice`,
`see/saw/seen/seeing`, `big/bigger/biggest`, `walk`.
"""

from itertools import zip_longest
from typing import NamedTuple

# Person and number that a finite verb shares with its subject.
AGREEMENT = {
    "1s": "Number=Sing|Person=1",
    "3s": "Number=Sing|Person=3",
    "1p": "Number=Plur|Person=1",
    "3p": "Number=Plur|Person=3",
}
NONFINITE = {
    "inf": ("VB", "VerbForm=Inf"),
    "imp": ("VB", "Mood=Imp|VerbForm=Fin"),
    "en": ("VBN", "Tense=Past|VerbForm=Part"),
    "pass": ("VBN", "Tense=Past|VerbForm=Part|Voice=Pass"),
    "ing": ("VBG", "Tense=Pres|VerbForm=Part"),
}
IRREGULAR_THIRD = {"have": "has", "go": "goes"}


class Word(NamedTuple):
    """A word form with its lemma and tags; FEATS `_` means no features."""

    form: str
    lemma: str
    upos: str
    xpos: str
    feats: str = "_"


def suffixed(stem: str, suffix: str) -> str:
    """`stem` with the ending s, ed, er, est or ing."""
    consonant_y = stem.endswith("y") and stem[-2] not in "aeiou"
    if suffix == "s":
        if consonant_y:
            return stem[:-1] + "ies"
        return stem + ("es" if stem.endswith(("s", "x", "z", "ch", "sh")) else "s")
    if suffix == "ing":
        return stem.removesuffix("e") + "ing"
    if consonant_y:
        stem = stem[:-1] + "i"
    return stem.removesuffix("e") + suffix


def principal_parts(entry: str, *suffixes: str) -> list[str]:
    """The forms of an entry, the lemma first, then one for every suffix."""
    lemma, *parts = entry.split("/")
    return [lemma] + [
        part or suffixed(lemma, suffix) for part, suffix in zip_longest(parts, suffixes)
    ]


def noun(entry: str) -> dict[str, Word]:
    """The singular (`3s`) and the plural (`3p`) of a noun."""
    singular, plural = principal_parts(entry, "s")
    return {
        "3s": Word(singular, singular, "NOUN", "NN", "Number=Sing"),
        "3p": Word(plural, singular, "NOUN", "NNS", "Number=Plur"),
    }


def finite(form: str, lemma: str, upos: str, agreement: str, tense: str) -> Word:
    """A finite verb form, `tense` being `Past` or `Pres`."""
    xpos = "VBD" if tense == "Past" else "VBZ" if agreement == "3s" else "VBP"
    feats = f"Mood=Ind|{AGREEMENT[agreement]}|Tense={tense}|VerbForm=Fin"
    return Word(form, lemma, upos, xpos, feats)


def verb(entry: str, tense: str) -> dict[str, Word]:
    """The forms of a full verb: the finite ones of a tense by `AGREEMENT`, then `NONFINITE`."""
    lemma, past, participle, gerund = principal_parts(entry, "ed", "ed", "ing")
    third = IRREGULAR_THIRD.get(lemma) or suffixed(lemma, "s")
    forms = {}
    for agreement in AGREEMENT:
        form = past if tense == "Past" else third if agreement == "3s" else lemma
        forms[agreement] = finite(form, lemma, "VERB", agreement, tense)
    spelling = {"VB": lemma, "VBN": participle, "VBG": gerund}
    for name, (xpos, feats) in NONFINITE.items():
        forms[name] = Word(spelling[xpos], lemma, "VERB", xpos, feats)
    return forms


def compared(entry: str, upos: str) -> dict[str, Word]:
    """The positive, comparative and superlative of an adjective (`ADJ`) or adverb (`ADV`)."""
    xpos = "JJ" if upos == "ADJ" else "RB"
    degrees = {"": ("", "Pos"), "er": ("R", "Cmp"), "est": ("S", "Sup")}
    forms = principal_parts(entry, "er", "est")
    return {
        name: Word(form, forms[0], upos, xpos + letter, f"Degree={degree}")
        for form, (name, (letter, degree)) in zip(forms, degrees.items(), strict=True)
    }
