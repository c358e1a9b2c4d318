"""English sentences with their French translations, from one grammar for both languages.

    python corpora/parallel.py OUT_DIR [--seed 0] [--train 6000] [--dev 200] [--test 300]

writes `train.tsv`, `dev.tsv` and `test.tsv` with one sentence per line: English, a tab, French; and
`long.tsv`, 300 sentences that are longer than all of these: two to four statements, joined by "and"
or "but".

An English sentence has exactly one translation in the grammar. The grammar avoids sentences in
which English does not express what French must express:

- "it" and "they" only refer to a noun phrase of the same sentence, and only if it is unambiguous;
- "I", "we" and "you" are not subjects if French shows their gender: "I am sad" (triste) is
  possible, "I am tired" and "we went" are not; "you" is always "vous";
- "read" is only used if its tense is unambiguous.

The same seed gives the same files.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

import french
import generation
from bilingual import Nominal, Pair, Unfit, be, clause, copula, hour, joined
from french import AVOIR, RECIPIENTS, VERBS, Verb
from inflection import principal_parts
from phrases import ANY, DEFINITE, GIVING, KIN, LASTING, Phrases

SHORTEST, LONGEST = 3, 15  # words of an English sentence
N_LONG, LONGEST_LONG = 300, 45  # long sentences, and the words of one
CANDIDATES = 4  # sentences sampled for each one that is used
WORD = re.compile(r"\d|[^\W\d]+")
# The methods of `Sentences` that make a sentence, and how often.
SENTENCES = {
    "statement": 30,
    "gift": 8,
    "sequence": 14,
    "description": 8,
    "location": 4,
    "contrast": 8,
    "reason": 9,
    "moment": 5,
    "question": 11,
    "open_question": 8,
    "how_many": 10,
    "exclamation": 4,
    "existence": 5,
    "age": 4,
    "clock": 2,
    "price": 4,
    "comparison": 8,
}
# The methods whose sentences can be joined.
STATEMENTS = {
    name: weight
    for name, weight in SENTENCES.items()
    if name not in ("question", "open_question", "how_many", "exclamation")
}
# Verbs that can follow another verb with the same object.
SEQUENCES = {
    "buy": "eat drink drink wear wash read lose",
    "find": "eat wear wash read lose",
    "see": "buy eat",
    "lose": "look",
    "write": "lose",
    "wash": "wear lose",
    "look": "find",
}
# Verbs that are rare in other kinds of sentences.
RARER = "listen drink read wash write arrive leave".split()
COMPARED = "small big/bigger young old sad/sadder happy hot/hotter tall".split()
COMPARATIVES = dict(principal_parts(entry, "er") for entry in COMPARED)
# What a good thing is used for, and moods that are reasons for sleeping or leaving.
USING = ["eat", "drink", "buy", "wear", "read", "like"]
MOODS = {"happy", "sad", "tired"}
FAULTS = {"bad", "old"}  # reasons not to use a thing, besides "too"
EXCESSIVE = {"small", "big", "old", "young", "hot", "tired", "sad"}  # possible after "too"
DEGREES = {"": "", "very": "très", "too": "trop"}
THINGS = "fmdcteoal"  # the kinds of nouns that "it" stands for


class Sentences(Phrases):
    """Random sentences, in both languages at once."""

    def sentence(self) -> Pair:
        """A random sentence with its translation."""
        return self.sampled(lambda: self.one_of(SENTENCES), SHORTEST, LONGEST)

    def long_sentence(self) -> Pair:
        """Several statements in one sentence, with their translation."""
        number = self.rng.randint(2, 4)
        return self.sampled(lambda: self.statements(number), LONGEST + 1, LONGEST_LONG)

    def sampled(self, sample: Callable[[], Pair], shortest: int, longest: int) -> Pair:
        """Sample until a sentence is natural, unambiguous and of the right length. Return it with
        the right spelling."""
        while True:
            self.mentioned, self.resumed, self.used = [], [], set()
            try:
                words = sample()
            except Unfit:
                continue
            english, translation = (" ".join(text.split()) for text in words)
            english = re.sub(r"\ba (?=[aeiou])", "an ", re.sub(" (?=[.,?!])", "", english))
            translation = french.spelled(re.sub(" (?=[.,])", "", translation))
            clear = all(self.mentioned.count(pronoun) == 1 for pronoun in self.resumed)
            if clear and shortest <= len(english.split()) <= longest:
                return Pair(*(text[0].upper() + text[1:] for text in (english, translation)))

    def one_of(self, kinds: Mapping[str, float]) -> Pair:
        return getattr(self, self.pick(kinds))()

    def statements(self, number: int) -> Pair:
        """Statements joined by "and", or once by "but"."""
        words = self.one_of(STATEMENTS)
        for _ in range(number - 1):
            opposed = " but " not in words.english and self.chance(0.3)
            conjunction = ("but", "mais") if opposed else ("and", "et")
            start = Pair(*(text.removesuffix(".") for text in words))
            words = joined(start, (",", ","), conjunction, self.one_of(STATEMENTS))
        return words

    def any_verb(self) -> Verb:
        return self.verb([*(name for name in VERBS if name not in GIVING), *RARER])

    def doing(self, kinds: str, but: Iterable[str] = ()) -> list[str]:
        """The verbs with objects of some kinds, "-" for none, except for those in `but`."""
        return [
            name
            for name, verb in VERBS.items()
            if set(kinds) & set(verb.objects) and name not in {*GIVING, *but}
        ]

    def statement(self) -> Pair:
        verb = self.any_verb()
        tense = self.tense(verb)
        middle = self.middle(verb, tense)
        subject = self.subject(verb, tense)
        words = clause(subject, verb, tense, middle, **self.complement(verb, tense, middle))
        return ended(self.timed(words, tense, middle, verb.name))

    def gift(self) -> Pair:
        """Somebody gives something to somebody."""
        verb = self.verb(GIVING)
        tense = self.tense(verb)
        middle = self.middle(verb, tense)
        subject = self.subject(verb, tense)
        some = "no" if middle in ("not", "never") else "some"
        thing = self.nominal(verb.objects, ANY, 0.2, some)
        if self.chance(0.5):
            other = self.person(self.pick({"name": 1, "nominal": 2}), "pk")
            after = joined(thing, ("to", "à"), other)
            return ended(clause(subject, verb, tense, middle, after))
        # A pronoun of the same person as the subject would be reflexive.
        own = {"I": ("me", "us"), "we": ("me", "us"), "you": ("you",)}
        barred = own.get(subject.english, ())
        other = self.pick({word: 1 + (word == "me") for word in RECIPIENTS if word not in barred})
        after = Pair(f"{other} {thing.english}", thing.french)
        return ended(clause(subject, verb, tense, middle, after, RECIPIENTS[other]))

    def sequence(self) -> Pair:
        """Two things done with the same object: "Paul finds the key and loses it."."""
        first = self.verb(sorted(SEQUENCES))
        second = self.verb(SEQUENCES[first.name].split())
        kinds = "".join(kind for kind in first.objects if kind in second.objects)
        tense = self.rng.choice(("present", "past", "past"))
        # Animals see, but they do not buy.
        subject = self.subject(min(first, second, key=lambda verb: len(verb.subjects)), tense)
        thing = self.nominal(kinds, ANY)
        opposed = second.name not in ("find", "lose", "look") and self.chance(0.4)
        start = clause(subject, first, tense, after=thing)
        again = subject
        # French would not drop "je", "nous" and "vous".
        if subject.english not in ("I", "we", "you"):
            again = subject._replace(english="", french="")
        negation = "not" if opposed else ""
        end = clause(again, second, tense, negation, **self.pronoun_object(thing))
        return ended(joined(start, ("but", "mais") if opposed else ("and", "et"), end))

    def quality(self, subject: Nominal, degree: bool = True, moods: bool = False) -> Pair:
        """An adjective that can be said of the subject, after "be"."""
        adjective = self.adjective("before after color alone", subject.kinds)
        # After "be", "new" has another French translation.
        if adjective is None or adjective.english == "new":
            raise Unfit
        if subject.english == "I" and len(set(adjective.french.values())) > 2:
            raise Unfit
        if moods and adjective.english not in MOODS:
            raise Unfit
        options = {"": 4, "very": 2, "too": 2 * (adjective.english in EXCESSIVE)}
        english = self.pick(options) if degree and adjective.place != "color" else ""
        words = (adjective.english, adjective.french[subject.form])
        return joined((english, DEGREES[english]), words)

    def description(self) -> Pair:
        kind = self.pick(
            {"thing": 6, "person": 3, "name": 2, "couple": 1, "he": 1, "she": 1, "I": 1}
        )
        if kind in ("thing", "person"):
            subject = self.nominal(THINGS if kind == "thing" else "pk", DEFINITE, 0)
        else:
            subject = self.person(kind, "p")
        past = subject.english != "I" and self.chance(0.4)
        middle = self.pick({"": 7, "not": 2, "never": 0.5})
        return ended(copula(subject, self.quality(subject, middle != "never"), past, middle))

    def location(self) -> Pair:
        """The location of somebody or something; it shows no gender of the speaker."""
        kind = self.pick(
            {"thing": 4, "name": 2, "couple": 1, "he": 1, "I": 3, "we": 1.5, "you": 1.5}
        )
        subject = self.nominal("afcteopk", DEFINITE) if kind == "thing" else self.person(kind, "p")
        past = kind not in ("I", "we", "you") and self.chance(0.3)
        return ended(copula(subject, self.place("stay"), past, self.pick({"": 3, "not": 1})))

    def opinion(self, thing: Nominal) -> tuple[Pair, bool]:
        """A quality of a thing, and whether it is a reason to use the thing."""
        quality = self.quality(thing)
        *degree, adjective = quality.english.split()
        return quality, adjective not in FAULTS and "too" not in degree

    def user(self, kinds: str) -> Verb:
        return self.verb(
            name for name in [*USING, "write", "write"] if set(VERBS[name].objects) & set(kinds)
        )

    def contrast(self) -> Pair:
        """A thing and what somebody does with it: "The bag is old, but Paul buys it."."""
        thing = self.nominal("afmdcto", DEFINITE, 0)
        verb = self.user(thing.kinds)
        tense = "present" if verb.name in LASTING else self.rng.choice(("present", "past"))
        quality, fine = self.opinion(thing)
        start = copula(thing, quality, tense == "past")
        subject = self.subject(verb, tense)
        negation = "not" if fine else ""
        end = clause(subject, verb, tense, negation, **self.pronoun_object(thing))
        return ended(joined(start, (",", ","), ("but", "mais"), end))

    def reason(self) -> Pair:
        """An action, and its reason: "because it is good"."""
        if self.chance(0.6):
            verb = self.verb(self.doing("-"))
            tense = self.tense(verb)
            kind = self.pick({"name": 3, "nominal": 4, "couple": 1})
            resumed = subject = self.person(kind, verb.subjects)
            after, negation = self.place(verb.name), self.pick({"": 3, "not": 1})
            because = self.quality(subject, moods=True)
        else:
            verb = self.verb(USING)
            tense = self.tense(verb)
            subject = self.subject(verb, tense)
            resumed = after = self.nominal(verb.objects, DEFINITE, 0)
            because, fine = self.opinion(resumed)
            negation = "" if fine else "not"
        start = clause(subject, verb, tense, negation, after)
        cause = copula(self.resume(resumed), because, tense == "past")
        return ended(joined(start, ("because", "parce que"), cause))

    def moment(self) -> Pair:
        """Two things that happen at the same time or one after the other."""
        tense = self.rng.choice(("present", "past"))
        first, second = (self.verb(self.doing("-")) for _ in range(2))
        start = clause(self.subject(first, tense), first, tense, after=self.place(first.name))
        end = clause(self.subject(second, tense), second, tense, after=self.place(second.name))
        return ended(joined(("when", "quand"), start, (",", ","), end))

    def question(self) -> Pair:
        if self.chance(0.2):
            subject = self.nominal(THINGS + "pk", DEFINITE, 0)
            past = self.chance(0.3)
            words = copula(subject, self.quality(subject, False), past, ask=True)
        else:
            verb = self.any_verb()
            tense = self.tense(verb)
            subject = self.subject(verb, tense, ask=True)
            complement = self.complement(verb, tense, "", ask=True)
            words = clause(subject, verb, tense, ask=True, **complement)
            if self.chance(0.2):
                words = joined(words, self.time(tense, verb.name))
        return ended(joined(("", "est-ce que"), words), "?")

    def open_question(self) -> Pair:
        """A question with an interrogative word."""
        kind = self.pick({"be": 1, "why": 1, "who": 2, "what": 2, "where": 2, "when": 2})
        if kind == "be":
            subject = self.nominal(THINGS + "pk", DEFINITE)
            verb = "sont" if subject.person == "3p" else "est"
            english = f"where {be(subject.person)} {subject.english}"
            return ended(Pair(english, f"où {verb} {subject.french}"), "?")
        if kind == "why":
            subject = self.person(self.pick({"name": 2, "nominal": 2, "he": 1, "she": 1}), "pk")
            words = copula(subject, self.quality(subject, False), self.chance(0.4), ask=True)
            return ended(joined(("why", "pourquoi est-ce que"), words), "?")
        if kind == "who":
            verb = self.any_verb()
            tense = self.tense(verb)
            complement = self.complement(verb, tense, "", ask=True)
            who = Nominal("who", "qui", "3s", "ms", "who")
            return ended(clause(who, verb, tense, **complement), "?")
        if kind == "what":
            verb = self.verb(self.doing(THINGS, {"like", "have"}))
            interrogative = ("what", "qu'est-ce que")
        elif kind == "where":
            verb = self.verb(self.doing("-", {"come", "arrive", "leave"}))
            interrogative = ("where", "où est-ce que")
        else:
            verb = self.verb(["go", "come", "arrive", "leave"])
            when = [("when", "quand est-ce que"), ("what time", "à quelle heure est-ce que")]
            interrogative = self.rng.choice(when)
        place = self.place(verb.name) if kind == "when" else Pair()
        tense = self.tense(verb)
        subject = self.subject(verb, tense, ask=True)
        words = clause(subject, verb, tense, after=place, ask=True)
        return ended(joined(interrogative, words), "?")

    def how_many(self) -> Pair:
        verb = self.verb(self.doing("facteol", {"like"}))
        tense = "present" if verb.name in LASTING else self.rng.choice(("present", "past", "past"))
        kinds = "".join(kind for kind in verb.objects if kind in "facteolv")
        if not kinds:
            raise Unfit
        noun = self.noun(kinds, plural=True)
        words, _ = self.described(noun, 0.2)
        subject = self.subject(verb, tense, ask=True)
        asked = clause(subject, verb, tense, preceding=noun.form, ask=True)
        return ended(joined(("how many", "combien de"), words, ("", "est-ce que"), asked), "?")

    def exclamation(self) -> Pair:
        noun = self.noun(THINGS + "w", self.chance(0.4))
        words, fronted = self.described(noun, 1)
        if not fronted:
            raise Unfit
        article = "a" if not noun.plural and not set(noun.kinds) & set("md") else ""
        what = french.agreeing("quel/quelle")[noun.form]
        return ended(joined((f"what {article}", what), words), "!")

    def existence(self) -> Pair:
        negated = self.chance(0.25)
        past = self.chance(0.3)
        some = "no" if negated else "some"
        thing = self.nominal("pacfmdtov", {"a": 2, "number": 0 if negated else 1}, some=some)
        english = f"no {thing.english.split(' ', 1)[1]}" if negated else thing.english
        il_y_a = f"il {'ne' * negated} y {'avait' if past else 'a'} {'pas' * negated}"
        there = Pair(f"there {be(thing.person, past)} {english}", f"{il_y_a} {thing.french}")
        return ended(joined(there, self.place("stay")))

    def age(self) -> Pair:
        kind = self.pick({"name": 3, "relative": 3, "he": 1, "she": 1, "I": 0.5})
        someone = self.nominal("k", KIN, 0) if kind == "relative" else self.person(kind, "p")
        value = self.rng.randint(21, 100) if kind == "relative" else self.value()
        words, mots = self.figure(value)
        english = f"{someone.english} {be(someone.person)} {words} years old"
        return ended(Pair(english, f"{someone.french} {AVOIR[someone.person]} {mots} ans"))

    def clock(self) -> Pair:
        return ended(joined(("it is", "il est"), hour(self.rng)))

    def price(self) -> Pair:
        thing = self.nominal("ctof", {"the": 2, "this": 2, "my": 1})
        amount = joined(self.figure(self.value()), ("euros", "euros"))
        verb = ("cost", "coûtent") if thing.person == "3p" else ("costs", "coûte")
        return ended(joined(thing, verb, amount))

    def comparison(self) -> Pair:
        kind = self.rng.choice("nnkpactol")
        subject, other = (
            self.name() if kind == "n" else self.nominal(kind, DEFINITE, 0) for _ in range(2)
        )
        adjective = self.adjective("before after alone", subject.kinds)
        if adjective is None or adjective.english in ("new", "good", "bad"):
            raise Unfit
        english, comment = f"as {adjective.english} as", "aussi"
        if self.chance(0.75):
            comment = "plus"
            comparative = COMPARATIVES.get(adjective.english, f"more {adjective.english}")
            english = f"{comparative} than"
        rest = joined((english, f"{comment} {adjective.french[subject.form]} que"), other)
        return ended(copula(subject, rest, self.chance(0.3)))


def ended(words: Pair, mark: str = ".") -> Pair:
    """A sentence with its final mark; French has a space before "?" and "!"."""
    return Pair(f"{words.english}{mark}", f"{words.french}{'' if mark == '.' else ' '}{mark}")


def pairs(seed: int) -> Iterator[Pair]:
    """Sample sentences and their translations without end, no English sentence twice.

    Out of a few candidates, the one with the rarest word so far is chosen, so that every word has
    examples.
    """
    sentences = Sentences(Random(seed))
    seen: set[str] = set()
    counts: Counter[str] = Counter()
    while True:
        drawn = [sentences.sentence() for _ in range(CANDIDATES)]
        words = {pair: WORD.findall(" ".join(pair).lower()) for pair in drawn}
        new = [pair for pair in words if pair.english not in seen]
        if new:
            pair = min(new, key=lambda pair: min(counts[word] for word in words[pair]))
            seen.add(pair.english)
            counts.update(words[pair])
            yield pair


def long_pairs(seed: int, number: int = N_LONG) -> list[Pair]:
    """Long sentences and their translations, no English sentence twice."""
    sentences = Sentences(Random(seed))
    found: dict[str, Pair] = {}
    while len(found) < number:
        pair = sentences.long_sentence()
        found.setdefault(pair.english, pair)
    return list(found.values())


def write_corpus(directory: Path, seed: int, sizes: dict[str, int]) -> None:
    """Write the first pairs to `NAME.tsv`, `sizes` for each name, and long ones."""
    directory.mkdir(parents=True, exist_ok=True)
    stream = pairs(seed)
    parts = {name: [next(stream) for _ in range(size)] for name, size in sizes.items()}
    parts["long"] = long_pairs(seed)
    for name, part in parts.items():
        lines = ["\t".join(pair) + "\n" for pair in part]
        path = directory / f"{name}.tsv"
        path.write_text("".join(lines), encoding="utf-8", newline="\n")


def main(arguments: Sequence[str] | None = None) -> None:
    generation.run("parallel", write_corpus, arguments, train=6000)


if __name__ == "__main__":
    main()
