"""Short news with named entities whose names are ambiguous without their context.

    python corpora/news.py OUT_DIR [--seed 0] [--train 1600] [--dev 200] [--test 300]

writes `train.jsonl`, `dev.jsonl` and `test.jsonl`. The entities of a sentence are
`[start, end, label]`, with character offsets from 0 and the labels of `LABELS`. An article or a
title before a name is not part of it ("the Lantern", "Mrs Kelby"), except in organizations with
"of" ("the Bank of Kelby").

The same words are names of people, organizations, places and products, and some are also common
nouns; the sentence disambiguates them. It is only kept if the grammar finds one set of entities in
it when names are read as capitalized words that could have any label. In dev and test, the share
`NEW` of the names is built from first names, surnames and nouns that are in no name of train. The
same seed gives the same files.
"""

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from random import Random

import generation
from inflection import Word
from pcfg import Grammar, Token
from writing import forms, spaces_after, text

LABELS = ("PERSON", "ORG", "PLACE", "PRODUCT")
LONGEST = 40  # tokens of a sentence
N_NAMES = 110  # names of each label that a part can use
NEW = 0.43  # share of names in dev and test that are new
SHARES = {"train": 0.6, "dev": 0.15, "test": 0.25}  # of the words that names are built from
NAME = "Xx"  # replaces every capitalized word of a name in `readings`

Stock = dict[str, list[list[str]]]  # names of every label, as lists of words

# The label of a name (l, m).
VALUES = {
    variable: {"PERSON": 0.3, "ORG": 0.28, "PLACE": 0.22, "PRODUCT": 0.2} for variable in "lm"
}

# A symbol in lower case stands for itself.
RULES = """
S  8  (Time) NP:l VP:l .
S  2  NP:l VP:l Time .
S  2  NP:PERSON Said NP:l VP:l .
S  .8 NP:PERSON told Name:PERSON Name:l VP:l .
S  2  List:l (Too) Both:l .
S  1  neither Name:l nor Name:l VP:l .
S  2  Heard Name:l , Which:l .
S  2  Heard Name:l until Cue:l .
S  3  the Owned:l of List:l Acted .
S  2  the Owned:l of Name:l Moved , and so did the Owned:m of Name:m .
S  3  Name:l 's Owned:l Acted (Time) .
S  1  Name:ORG 's Name:PRODUCT VP:PRODUCT .
S  1  Nation police searched for Name:l , Which:l .
S  2  Noun makers from Name:PLACE met (Time) .
S  .5 Noun makers sued Name:ORG over Name:PRODUCT .
S  .6 to Name:PERSON Name:PERSON seemed Mood .
S  .6 like Name:l Name:l VP:l .
S  .6 in Name:PLACE Name:l VP:l .
S  6  Plain .

NP:l        5   Name:l
NP:l        2   Kind:l Name:l
NP:l        1.5 Name:l , Aside ,
NP:l        1   Name:l , Which:l ,
NP:PERSON   1.5 Name:PERSON , Role of Name:ORG ,
NP:PERSON   .5  Name:PERSON , mayor of Name:PLACE ,
NP:PERSON   .5  Name:PERSON of Name:ORG
NP:ORG      1   Name:ORG , Maker of Name:PRODUCT ,
NP:ORG      .5  Name:PLACE 's Name:ORG
NP:PLACE    1   Name:PLACE , Home to Name:ORG ,
NP:PRODUCT  4   the Name:PRODUCT
NP:PRODUCT  1   the Name:PRODUCT by Name:ORG
List:l      4   Name:l and Name:l
List:l      3   Name:l , Name:l and Name:l
List:l      1   Name:l , Name:l , Name:l and Name:l

VP:l        2   Act:l
VP:l        1   Neutral and Act:l
Act:PERSON  2   Lived
Act:PERSON  1   was born in Name:PLACE
Act:PERSON  1   moved from Name:PLACE to Name:PLACE
Act:PERSON  1   left Name:ORG after a quarrel
Act:PERSON  1   married Name:PERSON
Act:PERSON  1   put the new Name:PRODUCT on the desk
Act:ORG     2   Traded
Act:ORG     1   hired Name:PERSON as Role
Act:ORG     1   took over Name:ORG
Act:ORG     1   opened a Site in Name:PLACE
Act:ORG     1   stopped making the Name:PRODUCT
Act:ORG     1   withdrew the Name:PRODUCT from shops in Name:PLACE
Act:PLACE   3   Changed
Act:PLACE   1   elected Name:PERSON
Act:PLACE   1   built a road to Name:PLACE
Act:PLACE   1   lured Name:ORG with low rents
Act:PRODUCT 3   Worked
Act:PRODUCT 1   was invented by Name:PERSON
Act:PRODUCT 1   sold better than the Name:PRODUCT
Act:PRODUCT 1   went on sale in Name:PLACE

Too           1  Neutral and
Both:PERSON   2  Done
Both:PERSON   1  were born in Name:PLACE
Both:PERSON   1  founded Name:ORG
Both:ORG      2  Managed
Both:ORG      1  opened branches in Name:PLACE
Both:ORG      1  hired Name:PERSON
Both:PLACE    2  Suffered
Both:PLACE    1  were not far from Name:PLACE
Both:PRODUCT  2  Failed
Both:PRODUCT  1  were invented by Name:PERSON
Both:PRODUCT  1  went on sale in Name:PLACE

Which:PERSON   1  who VP:PERSON
Which:ORG      1  which VP:ORG
Which:PLACE    1  where it Weather
Which:PLACE    1  where Name:PERSON VP:PERSON
Which:PRODUCT  1  which VP:PRODUCT
Cue:PERSON     1  He VP:PERSON
Cue:ORG        1  it VP:ORG
Cue:PLACE      1  it VP:PLACE
Cue:PRODUCT    1  it VP:PRODUCT

Heard  1  Few had heard of
Heard  1  nobody in the Street knew anything about
Heard  1  the Nation papers wrote Much about
Few    1  few people
Few    1  not many
Said   1  said (Time) that
Said   1  denied that
Said   1  knew that
Aside  1  little known until Recently
Aside  1  once the pride of the region
Aside  1  like so many others
Aside  1  despite all the Nation warnings
Neutral  1  made headlines
Neutral  1  had a Bad year
Neutral  1  became famous
Neutral  1  caused a stir (Time)
Neutral  1  lost some admirers
Kind:PERSON   1  Title
Kind:PERSON   1  the Nation Job
Kind:PERSON   1  Job
Kind:ORG      1  the Nation Trade
Kind:ORG      1  Trade
Kind:PLACE    1  nearby
Kind:PLACE    1  the town of
Kind:PLACE    1  the Nation port of
Kind:PRODUCT  1  the new Gadget
Kind:PRODUCT  1  a Gadget called
Moved    1  made headlines
Moved    1  caused a stir
Acted    2  Moved
Acted    1  were much discussed
Acted    1  were a topic again

Plain  1  Noun makers Met (Time)
Plain  1  Noun prices rose (Time)
Plain  1  the Job found the Noun near the Street
Plain  1  the Noun and the Noun were found in the Street
Plain  1  Few bought the Noun (Time)
Plain  1  Nation Trades dismissed Many workers
Plain  1  the Owned:l of the Trade Acted
Plain  1  (Time) the Nation Job Lived
Plain  1  the old Trade Traded (Time)
Plain  1  their Gadget Worked
Met    1  met
Met    1  went on strike
Met    1  hoped for a better year
"""

# A name: its parts and, in lower case or as a sign, words of its own.
NAMES = """
PERSON   10  Base
PERSON   2   First
PERSON   8   First Base
PERSON   1   Initial Base
PERSON   2   First Initial Base
PERSON   2   First Particle Base
PERSON   1   First Base-Base
PERSON   1   First First Base
ORG      12  Base
ORG      1   First
ORG      1   Letters
ORG      5   Base Business
ORG      2   Base & Base
ORG      1   Base-Base
ORG      3   the Body of Base
ORG      1   the Body of New Base
PLACE    12  Base
PLACE    1   First
PLACE    3   New Base
PLACE    2   Base Ground
PLACE    1   Base-Base
PRODUCT  12  Base
PRODUCT  2   First
PRODUCT  3   Base Number
PRODUCT  3   Base Variant
PRODUCT  2   Base Base
"""

# The parts of names that train, dev and test share.
SHARED = """
Initial   A. B. D. F. J. K. L. M. P. R. T. V.
Particle  da de van von
Business  Motors Foods Airlines Energy Media Group Holdings
Body      Bank University Bishopric Press
New       New Port Saint North Lake
Ground    Bay Falls Heights Park Hill
Number    2 3 4 5 7 8 9
Variant   Mini Max Plus One Air
"""

# The other parts: every word belongs to one of train, dev and test. Surnames and places are
# joined from two halves; nouns also name things in the sentences.
FIRST = """
Ada Amina Anton Bela Carla Chen Clara Dario Edda Elif Emil Farid Greta Hanna Igor Ines Ivo Jana
Jonas Kira Lena Leo Luca Maria Marta Milan Nadia Nico Olga Oscar Paula Petra Rosa Samir Sofia
Tara Tomas Vera Viktor Yusuf
"""
FRONT = "Ash Bel Bram Carn Dal Dor Fen Gar Hal Kel Lin Mar Nor Os Pen Quin Rad Sel Tarn Wex"
BACK = "bury by coln den dale ford gate ham ley low mond rick stone ton ver wick"
NOUNS = """
acorn anchor arrow beacon bison breeze candle canyon cedar cloud comet compass coral crane crown
drum eagle echo falcon feather fern flint fox garnet glacier hammer hazel heron ivory jasmine
kettle lantern lark lily lotus maple meadow mirror nettle oak orchid otter owl pearl pebble pepper
pilot prism quartz raven ribbon robin saddle sparrow spruce thistle tulip walnut willow
"""

# The words of the rules by category, phrases with a space written as _.
WORDS = """
Time      yesterday on_Monday on_Tuesday on_Friday last_week this_spring in_1998 two_years_ago
Recently  recently last_year Monday
Nation    Danish Kenyan Spanish Peruvian Welsh Polish
Street    old_town village market_square
Much      much little
Many      30 200 hundreds_of
Bad       bad hard busy good
He        he she
Title     Mr Mrs Dr Professor Judge
Job       singer painter lawyer goalkeeper driver novelist
Role      chairman director spokeswoman chief_accountant
Trade     carmaker insurer retailer brewery airline publisher
Trades    carmakers insurers retailers breweries airlines publishers
Maker     maker seller inventor
Home      home host
Site      plant branch warehouse laboratory
Gadget    phone tablet scooter vacuum_cleaner camera
Mood      tired cheerful rude unusually_quiet
Weather   rained_for_days snowed was_hot_again
Lived     resigned fell_ill slept_badly broke_a_leg apologised married_again learned_to_swim
Traded    cut_its_dividend reported_a_loss raised_capital dismissed_30_workers went_bankrupt
Changed   was_flooded closed_its_harbour lost_its_last_school grew_by_200_inhabitants got_a_mayor
Worked    ran_out_of_battery came_in_red weighed_too_much could_be_charged_by_cable broke_in_half
Done      resigned fell_ill apologised broke_their_promises learned_to_swim
Managed   cut_their_dividends reported_losses merged dismissed_30_workers went_bankrupt
Suffered  were_flooded closed_their_harbours lost_their_schools grew_by_200_inhabitants
Failed    ran_out_of_battery came_in_red were_too_heavy broke_in_half
Owned:PERSON   friends parents children lawyers memoirs
Owned:ORG      shareholders factories dividends customers
Owned:PLACE    streets bridges inhabitants outskirts
Owned:PRODUCT  buttons batteries users spare_parts
"""


def lexicon() -> tuple[str, dict[str, list[Word]]]:
    """The rules with those of the phrases, and the words by category, names as one word."""
    rules = RULES
    words = {f"Name:{label}": [word(label)] for label in LABELS}
    for line in WORDS.strip().splitlines():
        category, *entries = line.split()
        for entry in entries:
            rules += f"{category} 1 {entry.replace('_', ' ')}\n"
    words["Noun"] = [word(noun) for noun in NOUNS.split()]
    known = {line.split()[0] for line in filter(None, rules.splitlines())} | words.keys()
    for line in filter(None, rules.splitlines()):
        for symbol in (symbol.strip("()") for symbol in line.split()[2:]):
            if ":" not in symbol and symbol not in known:
                words[symbol] = [word(symbol)]
    return rules, words


def word(form: str, tag: str = "_") -> Word:
    """A word whose XPOS is its tag: B- or I- and a label, `_` outside of names."""
    return Word(form, form, "X", tag)


def shape(form: str) -> str:
    """Replace a word of a name by the form that `readings` reads, which only shows that it is
    capitalized."""
    return NAME if form[0].isupper() else "9" if form.isdecimal() else form


def name_parts(rng: Random) -> dict[str, dict[str, list[str]]]:
    """The words that the names of train, of dev and of test are built from, by category."""
    halves = [front + back for front, back in product(FRONT.split(), BACK.split())]
    stems = rng.sample(halves, len(halves) // 2)
    kinds = {"First": FIRST.split(), "Stem": stems, "Noun": NOUNS.title().split()}
    parts: dict[str, dict[str, list[str]]] = {part: {} for part in SHARES}
    for kind, entries in kinds.items():
        entries = rng.sample(entries, len(entries))
        end = 0.0
        for part, share in SHARES.items():
            start, end = end, end + share * len(entries)
            parts[part][kind] = entries[round(start) : round(end)]
    return parts


def names(rng: Random, parts: dict[str, list[str]]) -> Stock:
    """Names of every label, built from some words."""
    rows = [line.split() for line in SHARED.strip().splitlines()]
    words = {category: [word(form) for form in entries] for category, *entries in rows}
    # A small stock of bare names, so that they occur with several labels.
    stems = rng.sample(parts["Stem"], len(parts["Stem"]) // 2)
    words["Base"] = [word(form) for form in stems + parts["Noun"]]
    words["First"] = [word(form) for form in parts["First"]]
    letters = "".join(form[0] for form in parts["Stem"])
    words["Letters"] = [word(letters[i : i + 3].upper()) for i in range(0, len(letters) - 2, 3)]
    words["Base-Base"] = [word("-".join(rng.sample(stems, 2))) for _ in stems]
    for form in ("the", "of", "&"):
        words[form] = [word(form)]
    grammar = Grammar(NAMES, words, {})
    return {
        label: [
            [token.word.form for token in grammar.sample(rng, label).tokens] for _ in range(N_NAMES)
        ]
        for label in LABELS
    }


def reader(rules: str, words: dict[str, list[Word]]) -> Grammar:
    """Make the grammar of the same sentences in which every name may have every label."""
    words = {category: entries for category, entries in words.items() if "Name:" not in category}
    rows = [line.split() for line in SHARED.strip().splitlines()]
    shapes = {category: sorted(set(map(shape, entries))) for category, *entries in rows}
    for line in NAMES.strip().splitlines():
        parts = [shapes.get(symbol, [shape(symbol)]) for symbol in line.split()[2:]]
        for name, label in product(product(*parts), LABELS):
            tags = ["B-" + label] + ["I-" + label] * (len(name) - 1)
            symbols = [f"{tag}/{form}" for tag, form in zip(tags, name, strict=True)]
            words |= {
                symbol: [word(form, tag)]
                for symbol, form, tag in zip(symbols, name, tags, strict=True)
            }
            rules += f"Name:{label} 1 {' '.join(symbols)}\n"
    return Grammar(rules, words, VALUES)


def readings(grammar: Grammar, tokens: Sequence[Token]) -> set[tuple[str, ...]]:
    """The tags with which the grammar of `reader` can read a sentence."""
    shapes = [shape(token.word.form) if tagged(token) else token.word.form for token in tokens]
    # At the beginning of a sentence, where both are capitalized, a noun could also be a name.
    starts = {shapes[0], NAME} if shapes[0] in NOUNS.split() else {shapes[0]}
    return {
        tuple(word.xpos for word in reading)
        for start in starts
        for reading in grammar.taggings([start, *shapes[1:]])
    }


def tagged(token: Token) -> bool:
    """Return True if a token belongs to a name."""
    return token.word.xpos != "_"


def named(tokens: Sequence[Token], rng: Random, stocks: Sequence[Stock]) -> list[Token]:
    """The sentence with names for its labels, the share `NEW` of them from the second stock."""
    words: list[Word] = []
    for token in tokens:
        label = token.word.form
        if label not in LABELS:
            words.append(token.word)
            continue
        stock = stocks[1] if rng.random() < NEW else stocks[0]
        first, *rest = rng.choice(stock[label])
        words += [word(first, "B-" + label), *(word(form, "I-" + label) for form in rest)]
    return [Token(word) for word in words]


def annotated(tokens: Sequence[Token]) -> dict:
    """The text of a sentence and its entities."""
    entities: list[list] = []
    start = 0
    for token, form, space in zip(tokens, forms(tokens), spaces_after(tokens), strict=True):
        if tagged(token):
            prefix, _, label = token.word.xpos.partition("-")
            if prefix == "B":
                entities.append([start, start, label])
            entities[-1][1] = start + len(form)
        start += len(form) + space
    return {"text": text(tokens), "entities": entities}


def sentences(seed: int, sizes: dict[str, int]) -> dict[str, list[dict]]:
    """Sentences for every part, `sizes` of each, all different."""
    rng = Random(seed)
    stocks = {part: names(rng, parts) for part, parts in name_parts(rng).items()}
    rules, words = lexicon()
    grammar, reading = Grammar(rules, words, VALUES), reader(rules, words)
    found: dict[str, list[dict]] = {part: [] for part in sizes}
    seen = set()
    for part, size in sizes.items():
        while len(found[part]) < size:
            tokens = named(grammar.sample(rng).tokens, rng, (stocks["train"], stocks[part]))
            tags = tuple(token.word.xpos for token in tokens)
            if len(tags) > LONGEST or readings(reading, tokens) != {tags}:
                continue
            sentence = annotated(tokens)
            if sentence["text"] not in seen:
                seen.add(sentence["text"])
                found[part].append(sentence)
    return found


def write_corpus(directory: Path, seed: int, sizes: dict[str, int]) -> None:
    """Write `sizes` sentences of every part to `PART.jsonl`."""
    directory.mkdir(parents=True, exist_ok=True)
    for part, found in sentences(seed, sizes).items():
        lines = [json.dumps(sentence) + "\n" for sentence in found]
        path = directory / f"{part}.jsonl"
        path.write_text("".join(lines), encoding="utf-8", newline="\n")


def main(arguments: Sequence[str] | None = None) -> None:
    generation.run("news", write_corpus, arguments)


if __name__ == "__main__":
    main()
