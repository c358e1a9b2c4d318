"""Random phrases of the parallel corpus, in both languages at once."""

from collections.abc import Iterable, Mapping
from random import Random

import french
from bilingual import Nominal, Pair, Unfit, clause, hour, joined, number
from french import (
    ADJECTIVES,
    DAYS,
    DETERMINERS,
    MONTHS,
    NAMES,
    NOUNS,
    OBJECTS,
    PLACES,
    POSSESSIVES,
    PRONOUNS,
    TIMES,
    VERBS,
    Adjective,
    Noun,
    Verb,
)

DEFINITE = {"the": 6, "my": 3, "this": 1.5, "whose": 1.5}
ANY = {**DEFINITE, "a": 4, "number": 1.5}
SUBJECTS = {"the": 6, "this": 1.5, "a": 1, "number": 0.7, "my": 0.7}
FEW = {"a": 4, "number": 3}
GENERAL = {"the": 3, "my": 2, "this": 2, "all": 4}  # objects of "like"
KIN = {"my": 6, "whose": 2}
TENSES = {"present": 5, "past": 5, "future": 2, "want": 1.7, "can": 1.5}
STATES = {"see", "find", "lose", "like", "have"}  # verbs without a progressive
GIVING = ["give"]
LASTING = {"like", "have"}  # verbs that are only used in the present


class Phrases:
    """Random phrases, in both languages at once."""

    def __init__(self, rng: Random):
        self.rng = rng
        self.mentioned: list[str] = []  # the pronouns for the noun phrases of the sentence
        self.resumed: list[str] = []  # the pronouns that stand for one of them
        self.used: set[str] = set()  # content words

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def pick(self, options: Mapping[str, float]) -> str:
        return self.rng.choices(list(options), list(options.values()))[0]

    def use(self, word: str) -> None:
        """Note a content word; none is used twice."""
        if word in self.used:
            raise Unfit
        self.used.add(word)

    def verb(self, names: Iterable[str]) -> Verb:
        verb = VERBS[self.rng.choice(list(names))]
        self.use(verb.name)
        return verb

    def tense(self, verb: Verb) -> str:
        tense = self.pick(TENSES)
        if verb.name in LASTING:
            return "present"
        if tense in ("want", "can", "future") and verb.name == "lose":
            raise Unfit
        if verb.moves and self.chance(0.35):
            return "past"
        # The present of "read" rarely shows its tense.
        active = tense == "present" and verb.name not in STATES
        return (
            "progressive" if active and self.chance(0.8 if verb.name == "read" else 0.4) else tense
        )

    def middle(self, verb: Verb, tense: str) -> str:
        options = {"": 7.5, "not": 2.0}
        if tense in ("present", "past") and verb.name not in LASTING:
            options["never"] = 0.7
        if tense == "present" and verb.name not in LASTING:
            options |= {"often": 0.7, "always": 0.7}
        return self.pick(options)

    # Noun phrases.

    def noun(self, kinds: str, plural: bool) -> Noun:
        nouns = [noun for noun in NOUNS if not set(kinds).isdisjoint(noun.kinds)]
        fitting = [noun for noun in nouns if noun.plural == plural] or nouns
        noun = self.rng.choice(fitting)
        self.use(noun.name)
        return noun

    def adjective(self, places: str, kinds: str) -> Adjective | None:
        fitting = [
            adjective
            for adjective in ADJECTIVES
            if adjective.place in places.split()
            and not set(kinds).isdisjoint(adjective.kinds)
            and adjective.english not in self.used
        ]
        if not fitting:
            return None
        adjective = self.rng.choice(fitting)
        self.use(adjective.english)
        return adjective

    def described(self, noun: Noun, share: float) -> tuple[Pair, bool]:
        """The noun with adjectives, and whether one is before it in French."""
        before = after = None
        if self.chance(share):
            if self.chance(0.6):
                before = self.adjective("before", noun.kinds)
                after = self.adjective("color", noun.kinds) if self.chance(0.5) else None
            else:
                after = self.adjective("after color", noun.kinds)
        words = Pair(noun.english, noun.french)
        if after:
            words = Pair(f"{after.english} {words[0]}", f"{words[1]} {after.french[noun.form]}")
        if before:
            vowel = noun.form == "ms" and french.begins_with_vowel(words.french)
            form = "mv" if vowel else noun.form
            words = joined((before.english, before.french[form]), words)
        return words, before is not None

    def nominal(
        self,
        kinds: str,
        determiners: Mapping[str, float],
        adjectives: float = 0.4,
        some: str = "some",
        plural: float = 0.4,
    ) -> Nominal:
        """A noun phrase of the third person.

        determiners (Mapping[str, float]): `DETERMINERS` and their weights; "my" is any
            possessive, "whose" a genitive, "all" none (French "les").
        some (str): The word for "some"; it is "any" under negation.
        """
        article = self.pick(determiners)
        noun = self.noun(kinds, self.chance(0.95 if article in ("number", "all") else plural))
        countable = not set(noun.kinds) & set("md")
        if noun.kinds == "k":
            article = self.pick(KIN)
        elif article in ("my", "whose") and set(noun.kinds) & set("pz"):
            article = "the"
        if article == "all" and countable and not noun.plural:
            raise Unfit
        if article in ("a", "number") and not countable or article == "a" and noun.plural:
            article = "some"
        words, fronted = self.described(noun, 0.1 if "k" in noun.kinds else adjectives)
        index = 2 if noun.plural else int(noun.form[0] == "f")
        pronoun = "it"
        if noun.plural:
            pronoun = "they"
        elif set(noun.kinds) & set("pk"):
            pronoun = "she" if noun.form[0] == "f" else "he"
        self.mentioned.append(pronoun)
        owner = ("", "")
        if article == "number":
            english, translation = self.amount(noun)
        elif article == "whose":
            english, of = self.owner()
            owner = ("", f"de {of}")
            translation = DETERMINERS["the"][index]
        elif article == "all":
            english, translation = "", DETERMINERS["the"][index]
        else:
            key = self.rng.choice(list(POSSESSIVES)) if article == "my" else article
            english = "these" if key == "this" and noun.plural else key
            translation = DETERMINERS[key][index]
        if article == "some":
            english = "any" if some == "no" else some
        if article in ("a", "some") and (some == "no" or fronted and noun.plural):
            translation = "de"
        words = joined((english, translation), words, owner)
        person = "3p" if noun.plural else "3s"
        return Nominal(*words, person, noun.form, pronoun, article, noun.kinds)

    def amount(self, noun: Noun) -> Pair:
        """A number before a noun."""
        small = bool(set(noun.kinds) & set("pal"))
        value = 1
        if noun.plural:
            value = self.rng.randint(2, 12) if small or self.chance(0.3) else self.value()
        return self.figure(value, noun.form[0])

    def value(self) -> int:
        low, high = self.rng.choice(((2, 20), (13, 19), (21, 99), (21, 99), (21, 99), (80, 100)))
        return self.rng.randint(low, high)

    def figure(self, value: int, gender: str = "m") -> Pair:
        if value > 12 and self.chance(0.3):
            return Pair(str(value), str(value))
        return Pair(number(value), french.number(value, gender))

    def name(self) -> Nominal:
        english, translation, gender = self.rng.choice(NAMES)
        self.use(english)
        self.mentioned.append("he" if gender == "m" else "she")
        return Nominal(english, translation, "3s", gender + "s", self.mentioned[-1], kinds="pb")

    def owner(self) -> Pair:
        """A genitive, and its French translation after "de"."""
        owner = self.name() if self.chance(0.6) else self.nominal("p", {"the": 1}, 0)
        return Pair(
            owner.english + ("'" if owner.english.endswith("s") and owner.person == "3p" else "'s"),
            owner.french,
        )

    def couple(self) -> Nominal:
        """Two persons joined by "and"."""
        kind = self.rng.choice("nnk")
        pair = [self.name() if kind == "n" else self.nominal("k", KIN, 0) for _ in range(2)]
        form = "fp" if all(one.form[0] == "f" for one in pair) else "mp"
        self.mentioned.append("they")
        return Nominal(*joined(pair[0], ("and", "et"), pair[1]), "3p", form, "they", kinds="pb")

    def persons(self, speaker: bool, ask: bool = False) -> dict[str, float]:
        """Kinds of subjects; with `speaker`, "I", "we" and "you" are possible."""
        options = {"name": 5.0, "nominal": 8.0, "couple": 2.0, "he": 1.8, "she": 1.8}
        if speaker:
            options |= {"you": 5.0} if ask else {"I": 5.0, "we": 2.0, "you": 0.6}
        return options

    def subject(self, verb: Verb, tense: str, ask: bool = False) -> Nominal:
        """A subject of the verb."""
        options = self.persons(not (verb.moves and tense == "past"), ask)
        kind = self.pick(options)
        if kind in ("we", "you") and tense in ("present", "progressive"):
            kind = "nominal" if ask else "I"
        subject = self.person(kind, verb.subjects)
        if ask and subject.article in ("a", "some"):
            raise Unfit
        return subject

    def person(self, kind: str, kinds: str) -> Nominal:
        if kind == "name":
            return self.name()
        if kind == "couple":
            return self.couple()
        if kind == "nominal":
            subject = self.nominal(kinds, SUBJECTS, plural=0.5)
            if subject.article != "the" or not self.chance(0.1):
                return subject
            english, translation = joined(subject, self.relative(subject))
            return subject._replace(english=english, french=translation)
        translation, person, form = PRONOUNS[kind]
        self.mentioned.append(kind)
        return Nominal(kind, translation, person, form, kind, kinds="pb")

    def resume(self, antecedent: Nominal) -> Nominal:
        """The pronoun for a noun phrase, as a subject."""
        self.resumed.append(antecedent.pronoun)
        translation = {"ms": "il", "fs": "elle", "mp": "ils", "fp": "elles"}[antecedent.form]
        return antecedent._replace(english=antecedent.pronoun, french=translation)

    # The words after the verb.

    def pronoun_object(self, thing: Nominal) -> dict:
        """The pronoun for a noun phrase as an object, as arguments of `clause`."""
        self.resumed.append(thing.pronoun)
        clitic = "les" if thing.form[1] == "p" else "la" if thing.form[0] == "f" else "le"
        after = (OBJECTS[thing.pronoun], "")
        return {"after": after, "clitic": clitic, "preceding": thing.form}

    def complement(self, verb: Verb, tense: str, middle: str, ask: bool = False) -> dict:
        """The object or place of a verb, as arguments of `clause`."""
        if verb.objects == "-":
            return {"after": self.place(verb.name)}
        if "p" in verb.objects and self.chance(0.3):
            return self.person_object(tense)
        some = "no" if middle in ("not", "never") else "any" if ask else "some"
        determiners = {"like": GENERAL, "have": FEW}.get(verb.name, ANY)
        first = self.nominal(verb.objects, determiners, some=some)
        words = Pair(first.english, first.french)
        if some == "some" and self.chance(0.06):
            kinds = "md" if first.article == "some" and first.person == "3s" else verb.objects
            second = self.nominal(kinds, {first.article: 1})
            words = joined(words, ("and", "et"), second)
        elif first.article == "the" and self.chance(0.35):
            words = joined(words, self.relative(first))
        return {"after": words}

    def person_object(self, tense: str) -> dict:
        """Somebody as a pronoun."""
        person = self.pick({"he": 2, "she": 2, "they": 0 if tense == "past" else 1})
        self.mentioned.append(person)
        clitic = {"he": "le", "she": "la", "they": "les"}[person]
        form = "fs" if person == "she" else "ms"
        return {"after": (OBJECTS[person], ""), "clitic": clitic, "preceding": form}

    def place(self, name: str = "") -> Pair:
        """A place that somebody is at, goes to or comes from."""
        if name == "go":
            return self.position("to", "à", "z")
        if name == "come":
            return self.position("from", "de", "lz")
        if name == "arrive":
            return self.position("at", "à", "z")
        if name == "leave" or name and name != "stay" and self.chance(0.4):
            return Pair()
        preposition = self.pick({"in": 3, "at": 3, "behind": 1, "in front of": 1, "near": 1.5})
        return self.position(preposition, *PLACES[preposition])

    def position(self, preposition: str, translation: str, kinds: str) -> Pair:
        place = self.nominal(
            kinds, {"the": 6, "my": 1.5, "this": 1, "whose": 0.8}, 0.15, plural=0.15
        )
        return joined((preposition, translation), place)

    def relative(self, head: Nominal) -> Pair:
        """A relative clause."""
        if "k" in head.kinds:
            return Pair()
        if "p" in head.kinds:
            verb = self.verb(name for name, verb in VERBS.items() if verb.objects == "-")
            tense = self.tense(verb)
            subject = head._replace(english="who", french="qui")
            return clause(subject, verb, tense, self.middle(verb, tense), self.place(verb.name))
        verb = self.verb(
            name
            for name, verb in VERBS.items()
            if name not in ("give", "have") and set(verb.objects) & set(head.kinds)
        )
        tense = self.tense(verb)
        if tense == "present" and verb.name not in LASTING:
            tense = "past"
        subject = self.person(self.pick({"name": 5, "he": 1, "she": 1, "I": 2}), "p")
        middle = self.middle(verb, tense)
        words = clause(subject, verb, tense, middle, preceding=head.form)
        return joined(("that", "que"), words)

    def time(self, tense: str, name: str = "") -> Pair:
        """A time expression for the tense of the verb."""
        if tense == "present" and name in STATES:
            return Pair()
        if name in ("arrive", "leave", "come", "go") and self.chance(0.5):
            return joined(("at", "à"), hour(self.rng))
        tense = {"want": "future", "can": "future"}.get(tense, tense)
        kind = self.pick({"adverb": 6, "day": 3, "date": 3, "month": 4})
        if kind == "adverb" or tense == "progressive":
            return Pair(*self.rng.choice(list(TIMES[tense].items())))
        day, jour = self.rng.choice(list(DAYS.items()))
        if tense == "present":
            return Pair(f"every {day}", f"chaque {jour}")
        month, mois = self.rng.choice(list(MONTHS.items()))
        date = self.rng.choice((1, self.rng.randint(2, 28)))
        return {
            "day": Pair(f"on {day}", jour),
            "date": Pair(f"on {date} {month}", f"le {date}{'er' * (date == 1)} {mois}"),
            "month": Pair(f"in {month}", f"en {mois}"),
        }[kind]

    def timed(self, words: Pair, tense: str, middle: str, name: str, share: float = 0.55) -> Pair:
        """A clause with a time before or after it."""
        if middle in ("never", "often", "always") or not self.chance(share):
            return words
        time = self.time(tense, name)
        if time.english and self.chance(0.3):
            return joined(time, (",", ","), words)
        return joined(words, time)
