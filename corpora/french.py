"""French words and their English translations: inflection, numbers, spelling.

The forms of adjectives and participles are named by gender and number: `ms`, `fs`, `mp`, `fp`.
The entry of a word has its forms, separated by slashes; omitted forms are regular.
"""

import re
from typing import NamedTuple

import inflection

FORMS = ("ms", "fs", "mp", "fp")
PERSONS = ("1s", "3s", "1p", "2p", "3p")
UNITS = (
    "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize "
    "dix-sept dix-huit dix-neuf"
).split()
TENS = {20: "vingt", 30: "trente", 40: "quarante", 50: "cinquante", 60: "soixante"}

# A word is elided before these. An h is mute in all other words of the corpus.
VOWEL = r"(?!huit\b|onze\b)[aâàeéèêhiîoôuyœAH]"

# English/plural, French/plural, gender, kinds. Plurals: regular if omitted, none with "-". Kinds:
# p persons (w women; b adults, as "old" changes its meaning before boys and girls), k relatives,
# a animals, f food, m food without plural, d drinks, h food and drinks that are served hot,
# c clothes, t texts (e if somebody wrote them), o things, l buildings one can be in, z places one
# can be at, v other things that can be seen.
NOUN_ENTRIES = """
boy garçon m p
girl fille f pw
man/men homme m pb
woman/women femme f pwb
king roi m pb
queen reine f pwb
actor acteur m pb
actress actrice f pwb
brother frère m k
sister sœur f k
uncle oncle m k
aunt tante f k
mother/- mère f k
father/- père m k
cat chat m a
dog chien m a
horse cheval/chevaux m a
bird oiseau/oiseaux m a
apple pomme f f
tomato/tomatoes tomate f f
cake gâteau/gâteaux m f
egg œuf m f
bread/- pain m m
cheese/- fromage m m
soup/- soupe f mh
water/- eau f dh
lemonade/- limonade f d
milk/- lait m dh
coffee/- café m dh
coat manteau/manteaux m c
shirt chemise f c
hat chapeau/chapeaux m c
dress robe f c
scarf/scarves écharpe f c
book livre m te
letter lettre f te
story histoire f te
newspaper journal/journaux m t
key clé f o
bag sac m o
umbrella parapluie m o
flower fleur f o
car voiture f o
picture image f o
house maison f l
garden jardin m l
church église f lz
hotel hôtel m lz
hospital hôpital/hôpitaux m lz
school école f lz
market marché m z
station gare f z
beach plage f z
tree arbre m v
"""

# English, French, place, kinds of nouns. The place is before the noun, after it, after it even if
# another adjective is before it ("small red": color), or only after "be" (alone).
ADJECTIVE_ENTRIES = """
small petit before paftcol
big grand before aftcol
young jeune before pa
old vieux/vieille/vieux/vieil before bkatcolv
beautiful beau/belle/beaux/bel before wacolv
new nouveau/nouvelle/nouveaux/nouvel before tco
good bon/bonne before fmdt
bad mauvais before fmdt
red rouge color co
green vert color co
black noir color aco
white blanc/blanche color aco
sad triste after pkat
happy heureux/heureuse after pka
tired fatigué after pka
clever intelligent after pk
hot chaud after h
tall grand alone pk
"""

# English, French, auxiliary, kinds of subjects, kinds of objects. The present of "nous" and "vous"
# is omitted.
VERB_ENTRIES = """
eat/ate manger avoir pka fm
buy/bought acheter/achète/achète/achètent/acheté avoir pk fmdcto
drink/drank boire/bois/boit/boivent/bu avoir pka d
see/saw voir/vois/voit/voient/vu avoir pka pkafctolv
find/found trouver avoir pk afctov
lose/lost perdre/perds/perd/perdent/perdu avoir pk cteo
look chercher avoir pk pkacteo
wash laver avoir pk c
wear/wore porter avoir pk c
read/read lire/lis/lit/lisent/lu avoir pk t
write/wrote écrire/écris/écrit/écrivent/écrit avoir pk e
like aimer avoir pka afmdol
listen écouter avoir pk pk
have avoir/ai/a/ont/eu avoir pk acto
give/gave donner avoir pk fcto
sleep/slept dormir/dors/dort/dorment/dormi avoir pka -
work travailler avoir pk -
sing/sang chanter avoir pk -
go/went aller/vais/va/vont/allé être pka -
come/came venir/viens/vient/viennent/venu être pka -
arrive arriver être pk -
leave/left partir/pars/part/partent/parti être pk -
stay rester être pka -
"""

# English, French, gender.
NAMES = [
    ("Paul", "Paul", "m"),
    ("Hugo", "Hugo", "m"),
    ("Leo", "Léo", "m"),
    ("Anna", "Anna", "f"),
    ("Marie", "Marie", "f"),
    ("Alice", "Alice", "f"),
]

# French subject, person, form; the persons of a conversation show no gender.
PRONOUNS = {
    "I": ("je", "1s", "ms"),
    "we": ("nous", "1p", "mp"),
    "you": ("vous", "2p", "mp"),
    "he": ("il", "3s", "ms"),
    "she": ("elle", "3s", "fs"),
}
OBJECTS = {"he": "him", "she": "her", "it": "it", "they": "them"}
RECIPIENTS = {"me": "me", "you": "vous", "us": "nous", "him": "lui", "her": "lui", "them": "leur"}
POSSESSIVES = {
    "my": ("mon", "ma", "mes"),
    "his": ("son", "sa", "ses"),
    "her": ("son", "sa", "ses"),
    "our": ("notre", "notre", "nos"),
    "your": ("votre", "votre", "vos"),
    "their": ("leur", "leur", "leurs"),
}
DETERMINERS = {
    "the": ("le", "la", "les"),
    "this": ("ce", "cette", "ces"),
    "a": ("un", "une", "des"),
    "some": ("de le", "de la", "des"),
    "no": ("de", "de", "de"),
    **POSSESSIVES,
}

PLACES = {
    "in": ("dans", "l"),
    "at": ("à", "z"),
    "behind": ("derrière", "lv"),
    "in front of": ("devant", "lv"),
    "near": ("près de", "lzv"),
}
DAYS = {
    "Monday": "lundi",
    "Tuesday": "mardi",
    "Wednesday": "mercredi",
    "Thursday": "jeudi",
    "Friday": "vendredi",
    "Saturday": "samedi",
    "Sunday": "dimanche",
}
MONTHS = {
    "January": "janvier",
    "February": "février",
    "March": "mars",
    "April": "avril",
    "May": "mai",
    "June": "juin",
    "July": "juillet",
    "August": "août",
    "September": "septembre",
    "October": "octobre",
    "November": "novembre",
    "December": "décembre",
}
TIMES = {
    "present": {"every day": "tous les jours", "in the evening": "le soir"},
    "progressive": {"today": "aujourd'hui", "now": "maintenant"},
    "past": {
        "yesterday": "hier",
        "last week": "la semaine dernière",
        "this morning": "ce matin",
    },
    "future": {
        "tomorrow": "demain",
        "next week": "la semaine prochaine",
        "this evening": "ce soir",
    },
}


class Noun(NamedTuple):
    """A noun, its forms of one number in both languages."""

    english: str
    french: str
    form: str
    kinds: str
    name: str

    @property
    def plural(self) -> bool:
        return self.form[1] == "p"


class Adjective(NamedTuple):
    """An adjective: its French forms, its place and the kinds of its nouns."""

    english: str
    french: dict[str, str]
    place: str
    kinds: str


class Verb(NamedTuple):
    """A verb: its forms, whether its auxiliary is "être", the kinds of its subjects and objects."""

    english: dict[str, str]
    french: dict[str, str]
    moves: bool
    subjects: str
    objects: str

    @property
    def name(self) -> str:
        return self.english["inf"]


def conjugated(*forms: str) -> dict[str, str]:
    """The present of a verb for all `PERSONS`."""
    return dict(zip(PERSONS, forms, strict=True))


AVOIR = conjugated("ai", "a", "avons", "avez", "ont")
ETRE = conjugated("suis", "est", "sommes", "êtes", "sont")
ALLER = conjugated("vais", "va", "allons", "allez", "vont")
VOULOIR = conjugated("veux", "veut", "voulons", "voulez", "veulent")
POUVOIR = conjugated("peux", "peut", "pouvons", "pouvez", "peuvent")


def agreeing(entry: str) -> dict[str, str]:
    """The `FORMS` of an adjective or participle from its masculine, feminine and plural.

    A fourth form of the entry, as in `beau/belle/beaux/bel`, is used before vowels (`mv`).
    """
    masculine, *rest = entry.split("/")
    feminine, plural, before_vowel = rest + [""] * (3 - len(rest))
    feminine = feminine or masculine.removesuffix("e") + "e"
    plural = plural or masculine + "s" * (masculine[-1] not in "sx")
    forms = dict(zip(FORMS, (masculine, feminine, plural, feminine + "s"), strict=True))
    return {**forms, "mv": before_vowel or masculine}


def conjugation(entry: str) -> dict[str, str]:
    """The infinitive, three persons of the present and the participle; -er verbs are regular."""
    infinitive, *rest = entry.split("/")
    stem = infinitive.removesuffix("er")
    first, third, plural, participle = rest or (stem + "e", stem + "e", stem + "ent", stem + "é")
    return {"inf": infinitive, "1s": first, "3s": third, "3p": plural, "part": participle}


def number(value: int, gender: str = "m") -> str:
    """A number from 0 to 100 in words."""
    if value == 100:
        return "cent"
    if value < 20:
        return UNITS[value] + "e" * (value == 1 and gender == "f")
    # Numbers with "soixante" and "quatre-vingt" continue to 79 and 99.
    ten = value // 10 * 10 if value < 60 else value // 20 * 20
    if ten == 80:
        return f"quatre-vingt-{number(value - 80, gender)}" if value > 80 else "quatre-vingts"
    rest = value - ten
    linked = " et " if rest in (1, 11) else "-"
    return TENS[ten] + (linked + number(rest, gender) if rest else "")


def begins_with_vowel(word: str) -> bool:
    return re.match(VOWEL, word) is not None


def spelled(words: str) -> str:
    """Words with their elisions and contractions: "de le ami que il a" is "de l'ami qu'il a"."""
    words = re.sub(rf"\b([mts])a (?={VOWEL})", r"\1on ", words)
    words = re.sub(rf"\bce (?={VOWEL})", "cet ", words)
    words = re.sub(rf"\b(je|le|ne|que|de|me) (?={VOWEL})", lambda word: word[1][:-1] + "'", words)
    words = re.sub(rf"\bla (?={VOWEL})", "l'", words)
    for apart, together in ("de le", "du"), ("de les", "des"), ("à le", "au"), ("à les", "aux"):
        words = re.sub(rf"\b{apart} ", f"{together} ", words)
    return words


def nouns() -> list[Noun]:
    words = []
    for line in NOUN_ENTRIES.strip().splitlines():
        english, entry, gender, kinds = line.split()
        name = english.split("/")[0]
        singular, _, plural = entry.partition("/")
        words.append(Noun(name, singular, gender + "s", kinds, name))
        if not english.endswith("/-"):
            plural = plural or singular + "s" * (singular[-1] != "s")
            form = inflection.noun(english)["3p"].form
            words.append(Noun(form, plural, gender + "p", kinds, name))
    return words


def adjectives() -> list[Adjective]:
    lines = [line.split() for line in ADJECTIVE_ENTRIES.strip().splitlines()]
    return [
        Adjective(english, agreeing(entry), place, kinds) for english, entry, place, kinds in lines
    ]


def verbs() -> dict[str, Verb]:
    words = {}
    for line in VERB_ENTRIES.strip().splitlines():
        english, entry, auxiliary, subjects, objects = line.split()
        present, past = (inflection.verb(english, tense) for tense in ("Pres", "Past"))
        forms = {name: present[name].form for name in ("inf", "1s", "3s", "3p", "ing")}
        forms["past"] = past["3s"].form
        verb = Verb(forms, conjugation(entry), auxiliary == "être", subjects, objects)
        words[verb.name] = verb
    return words


NOUNS = nouns()
ADJECTIVES = adjectives()
VERBS = verbs()
