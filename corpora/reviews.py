"""Short reviews with a sentiment, a rating and long-distance negation.

    python corpora/reviews.py OUT_DIR [--seed 0] [--train 1600] [--dev 200] [--test 300]

writes `train.jsonl`, `dev.jsonl` and `test.jsonl`. A review is one to three sentences about a
film, a book, a hotel or a phone. Every sentence has one opinion that counts, and its rating is
the product of

- the grade of the opinion: 3 for "great", 2 for "good", 1 for "decent", -1 for "bland",
  -2 for "dull", -3 for "awful", and so on (`OPINIONS`);
- 1.25 for "very", "really" or "truly", 0.75 for "rather";
- -0.5 for every negation above it: "I can't say that the songs in the last scene were great."

Opinions of other people do not count ("the film that nobody loved", "the critics called it dull,
but"), and neither do negations without effect ("I have no doubt that"). The rating of a review is
the mean of its sentences, and its sign is the sentiment. Reviews with a rating closer to 0 than
`LEAST` are dropped. The same seed gives the same files.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import prod
from pathlib import Path
from random import Random
from statistics import fmean

import generation
from inflection import Word, suffixed
from pcfg import Grammar
from writing import set_articles, text

LENGTHS = {1: 6, 2: 3, 3: 1}  # sentences in a review: how often
LEAST = 0.25  # the smallest distance of a rating from 0

# The number of a noun phrase (n, m); whether an opinion is negated, because "rather" would be odd
# in a negated one (p).
NUMBER = {"3s": 0.5, "3p": 0.5}
VALUES = {"n": NUMBER, "m": NUMBER, "p": {"pos": 0.5, "neg": 0.5}}

# An opinion is affirmed in `Yes` and negated in `No`. A symbol in lower case stands for itself;
# with the mark ~ it is a negation. Symbols that begin with "His" are opinions of others.
RULES = """
S  4  Yes .
S  1.3  No .
S  .4 Hearsay , but Yes .
S  .13 Hearsay , but No .

Yes  4  Claim:pos
Yes  1  I Can say that Claim:pos
Yes  1  I would not be lying if I said that Claim:pos
Yes  1  I Always thought that Plain:pos
Yes  1  I have no doubt that Plain:pos
Yes  1  nobody can deny that Plain:pos
Yes  1  everybody (Company) Belief:pos
Yes  1  it is the truth that Claim:pos
Yes  1  it would be fair to call NP:n Opinion:pos
Yes  1  there was something Adj about NP:n
Yes  1  Adj is the word for NP:n
Yes  1  both NP:n and NP:m were Opinion:pos
Yes  1  NP:n Be:n nothing short of Extreme
Yes  1  I ca n't~ say that Denial
Yes  1  nobody~ (Company) thought that NP:n Be:n n't~ Opinion:neg

No   2  Denial
No   2  I ca n't~ say that Claim:neg
No   1  I would be lying~ if I said that Claim:neg
No   1  I never~ (once) thought that Plain:neg
No   1  I do n't~ think that Plain:neg
No   2  nobody~ (Company) Belief:neg
No   1  it is a lie~ that Claim:neg
No   1  it would be wrong~ to call NP:n Opinion:neg
No   1  there was nothing~ Adj about NP:n
No   1  Adj is not~ the word for NP:n
No   1  neither~ NP:n nor NP:m Be:m Opinion:neg
No   1  NP:n Be:n far~ from Bare
No   1  NP:n Be:n anything but~ Bare

Claim:p  3  Plain:p
Claim:p  1  I Loved NP:n
Plain:p  5  NP:n Be:n Opinion:p
Plain:p  1  this was Art Adj Top
Denial   3  NP:n Be:n Not Opinion:neg
Denial   1  I did Not Love NP:n
Belief:p 2  called NP:n Opinion:p
Belief:p 1  thought that Plain:p
Belief:p 2  Loved NP:n
Company  1  who Saw it with me
Company  1  that I know
Not      1  not~
Not      1  n't~

Opinion:p  5  Adj
Opinion:p  2  Degree:p Adj
Opinion:p  1  Very Mild
Opinion:p  2  Art Noun
Bare       3  Adj
Bare       1  Art Noun
Extreme    3  Strong
Extreme    1  Art Noun
Adj        2  Mild
Adj        1  Strong

NP:3s  4  the Top
NP:3s  1  the Top Rel
NP:n   4  the Part:n (Inside)
NP:n   1  the Part:n (Inside) Rel
NP:n   .5 the Part:n of the Top Rel
Inside 1  in the First Place
Rel    4  that Other called HisAdj
Rel    2  that Other HisLoved
Rel    1  that Other did n't HisLove
Rel    1  that nobody HisLoved
Rel    1  that nobody told me about
Rel    1  that I had never heard of
Rel    1  that everybody talks about
HisAdj 2  HisMild
HisAdj 1  HisStrong

Hearsay  2  Other called it HisAdj
Hearsay  1  Other HisLoved it
Hearsay  1  Other did n't HisLove it
Other    1  my Relative
Other    1  the critics
Other    1  some people
"""

# The adjectives, nouns and verbs of every grade.
OPINIONS = {
    3: ("great wonderful", "triumph", "love"),
    2: ("good charming", "delight", "enjoy"),
    1: ("decent pleasant", "", ""),
    -1: ("weak bland", "", ""),
    -2: ("dull bad", "disappointment", "dislike"),
    -3: ("awful terrible", "disaster", "hate"),
}

# Category, UPOS, FEATS, the words as `form/lemma`. Words with a FEATS value multiply by it.
CLOSED = """
I          X    _            I
Art        X    _            a an/a
Be:3s      X    _            was
Be:3p      X    _            were
Can        X    _            can must
Always     X    _            always often
First      X    _            first second last other
Relative   NOUN _            brother sister wife father friends neighbours
Degree:pos X    Degree=1.25  really truly
Degree:pos X    Degree=0.75  rather
Degree:neg  X    Degree=1.25  really truly
Very       X    Degree=1.25  very
"""

# What a review is about, its parts, places in it, and verbs for getting to know it.
SUBJECTS = (
    {
        "Top": "film movie sequel",
        "Part:3s": "story ending music dialogue",
        "Part:3p": "songs actors jokes costumes",
        "Place": "scene half",
        "Saw": "saw watched",
    },
    {
        "Top": "book novel thriller",
        "Part:3s": "plot ending style cover",
        "Part:3p": "characters pictures jokes poems",
        "Place": "chapter half",
        "Saw": "read discussed",
    },
    {
        "Top": "hotel hostel guesthouse",
        "Part:3s": "room breakfast view pool",
        "Part:3p": "beds waiters showers meals",
        "Place": "building wing",
        "Saw": "visited booked",
    },
    {
        "Top": "phone tablet laptop",
        "Part:3s": "screen battery camera keyboard",
        "Part:3p": "speakers buttons pictures icons",
        "Place": "model version",
        "Saw": "tried tested",
    },
)


def lexicon(subject: dict[str, str]) -> dict[str, list[Word]]:
    """The words by category for reviews of one subject, and the words that are in the rules."""
    words = defaultdict(list)
    for category, forms in subject.items():
        upos = "VERB" if category == "Saw" else "NOUN"
        words[category] = [Word(form, form, upos, "_") for form in forms.split()]
    for line in CLOSED.strip().splitlines():
        category, upos, feats, *entries = line.split()
        for entry in entries:
            form, _, lemma = entry.partition("/")
            words[category].append(Word(form, lemma or form, upos, "_", feats))
    for grade, (adjectives, nouns, verbs) in OPINIONS.items():
        mild = "Mild" if abs(grade) < 3 else "Strong"
        entries = [(mild, form, form, "ADJ") for form in adjectives.split()]
        entries += [("Noun", form, form, "NOUN") for form in nouns.split()]
        entries += [("Love", form, form, "VERB") for form in verbs.split()]
        entries += [("Loved", suffixed(form, "ed"), form, "VERB") for form in verbs.split()]
        for category, form, lemma, upos in entries:
            words[category].append(Word(form, lemma, upos, "_", f"Grade={grade}"))
            words["His" + category].append(Word(form, lemma, upos, "_"))
    for line in filter(None, RULES.splitlines()):
        for symbol in line.split()[2:]:
            form = symbol.strip("()").removesuffix("~")
            if form.islower() or form in ".,":
                feats = "Negation=-0.5" if "~" in symbol else "_"
                words[symbol.strip("()")] = [Word(form, form, "X", "_", feats)]
    return dict(words)


def rating(words: Iterable[Word]) -> float:
    """The rating of a sentence: the product of its grade, its degree and its negations."""
    return prod(float(word.feats.partition("=")[2]) for word in words if word.feats != "_")


def reviews(seed: int) -> Iterator[dict]:
    """Sample different reviews without end, none with a content word twice."""
    grammars = [Grammar(RULES, lexicon(subject), VALUES) for subject in SUBJECTS]
    rng = Random(seed)
    seen = set()
    while True:
        grammar = rng.choices(grammars)[0]
        length = rng.choices(list(LENGTHS), list(LENGTHS.values()))[0]
        sentences = [grammar.sample(rng).tokens for _ in range(length)]
        words = [token.word for tokens in sentences for token in tokens]
        content = [word.lemma for word in words if word.upos != "X"]
        mean = fmean(rating(token.word for token in tokens) for tokens in sentences)
        if len(set(content)) < len(content) or abs(mean) < LEAST:
            continue
        for tokens in sentences:
            set_articles(tokens)
        review = " ".join(map(text, sentences))
        if review not in seen:
            seen.add(review)
            cats = {"POSITIVE": float(mean > 0), "NEGATIVE": float(mean < 0)}
            yield {"text": review, "cats": cats, "rating": round(mean, 2)}


def write_corpus(directory: Path, seed: int, sizes: dict[str, int]) -> None:
    """Write the first reviews to `NAME.jsonl`, `sizes` for each name."""
    directory.mkdir(parents=True, exist_ok=True)
    stream = reviews(seed)
    for name, size in sizes.items():
        lines = [json.dumps(next(stream)) + "\n" for _ in range(size)]
        path = directory / f"{name}.jsonl"
        path.write_text("".join(lines), encoding="utf-8", newline="\n")


def main(arguments: Sequence[str] | None = None) -> None:
    generation.run("reviews", write_corpus, arguments)


if __name__ == "__main__":
    main()
