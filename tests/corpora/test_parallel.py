"""Tests of the generated parallel corpus."""

import importlib
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

CORPORA = Path(__file__).parents[2] / "corpora"
sys.path.insert(0, str(CORPORA))
french = importlib.import_module("french")
bilingual = importlib.import_module("bilingual")
parallel = importlib.import_module("parallel")

SIZES = {"train": 6000, "dev": 200, "test": 300}
# Each digit is a word, because numbers are composed of digits.
WORD = re.compile(r"\d|[^\W\d]+")


def read(path: Path) -> list[tuple[str, ...]]:
    return [tuple(line.split("\t")) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def corpus() -> dict[str, list[tuple[str, ...]]]:
    return {name: read(CORPORA / "parallel" / f"{name}.tsv") for name in SIZES}


@pytest.fixture(scope="module")
def everything(corpus) -> list[tuple[str, ...]]:
    return [pair for split in corpus.values() for pair in split]


@pytest.fixture(scope="module")
def long() -> list[tuple[str, ...]]:
    return read(CORPORA / "parallel" / "long.tsv")


@pytest.fixture(scope="module")
def translations() -> dict[str, set[str]]:
    """The translations of many sentences of the grammar."""
    sentences = parallel.Sentences(Random(1))
    found: dict[str, set[str]] = {}
    for _ in range(10_000):
        english, translation = sentences.sentence()
        found.setdefault(english, set()).add(translation)
    return found


@pytest.mark.parametrize(
    ("value", "masculine", "feminine"),
    [
        (1, "un", "une"),
        (16, "seize", "seize"),
        (17, "dix-sept", "dix-sept"),
        (20, "vingt", "vingt"),
        (21, "vingt et un", "vingt et une"),
        (32, "trente-deux", "trente-deux"),
        (61, "soixante et un", "soixante et une"),
        (70, "soixante-dix", "soixante-dix"),
        (71, "soixante et onze", "soixante et onze"),
        (79, "soixante-dix-neuf", "soixante-dix-neuf"),
        (80, "quatre-vingts", "quatre-vingts"),
        (81, "quatre-vingt-un", "quatre-vingt-une"),
        (90, "quatre-vingt-dix", "quatre-vingt-dix"),
        (91, "quatre-vingt-onze", "quatre-vingt-onze"),
        (99, "quatre-vingt-dix-neuf", "quatre-vingt-dix-neuf"),
        (100, "cent", "cent"),
    ],
)
def test_french_number(value, masculine, feminine):
    assert [french.number(value, gender) for gender in "mf"] == [masculine, feminine]


def test_french_numbers_differ():
    assert len({french.number(value) for value in range(101)}) == 101


@pytest.mark.parametrize(
    ("value", "words"),
    [(1, "one"), (12, "twelve"), (20, "twenty"), (21, "twenty-one"), (100, "one hundred")],
)
def test_english_number(value, words):
    assert bilingual.number(value) == words


@pytest.mark.parametrize(
    ("entry", "forms"),
    [
        ("petit", "petit petite petits petites petit"),
        ("rouge", "rouge rouge rouges rouges rouge"),
        ("mauvais", "mauvais mauvaise mauvais mauvaises mauvais"),
        ("blanc/blanche", "blanc blanche blancs blanches blanc"),
        ("heureux/heureuse", "heureux heureuse heureux heureuses heureux"),
        ("beau/belle/beaux/bel", "beau belle beaux belles bel"),
        ("mangé", "mangé mangée mangés mangées mangé"),
        ("lu", "lu lue lus lues lu"),
    ],
)
def test_agreement(entry, forms):
    assert list(french.agreeing(entry).values()) == forms.split()


@pytest.mark.parametrize(
    ("apart", "together"),
    [
        ("le arbre", "l'arbre"),
        ("la école", "l'école"),
        ("la maison", "la maison"),
        ("de le pain", "du pain"),
        ("de la eau", "de l'eau"),
        ("de le hôtel", "de l'hôtel"),
        ("de les rois", "des rois"),
        ("de œufs", "d'œufs"),
        ("de Anna", "d'Anna"),
        ("à le marché", "au marché"),
        ("à la gare", "à la gare"),
        ("à le hôpital", "à l'hôpital"),
        ("à les filles", "aux filles"),
        ("sa écharpe", "son écharpe"),
        ("ce homme", "cet homme"),
        ("ce matin", "ce matin"),
        ("est-ce que il ne a", "est-ce qu'il n'a"),
        ("est-ce que onze rois", "est-ce que onze rois"),
        ("je écoute", "j'écoute"),
        ("elle le a vu", "elle l'a vu"),
        ("il me a donné", "il m'a donné"),
        ("il ne y a pas", "il n'y a pas"),
    ],
)
def test_elision_and_contraction(apart, together):
    assert french.spelled(apart) == together


GIRLS = bilingual.Nominal("the girls", "les filles", "3p", "fp", "they")
PAUL = bilingual.Nominal("Paul", "Paul", "3s", "ms", "he")


@pytest.mark.parametrize(
    ("subject", "verb", "arguments", "english", "translation"),
    [
        (PAUL, "sleep", {"tense": "present"}, "Paul sleeps", "Paul dort"),
        (PAUL, "sleep", {"tense": "progressive"}, "Paul is sleeping", "Paul dort"),
        (GIRLS, "go", {"tense": "past"}, "the girls went", "les filles sont allées"),
        (GIRLS, "sing", {"tense": "past"}, "the girls sang", "les filles ont chanté"),
        (
            GIRLS,
            "leave",
            {"tense": "past", "middle": "not"},
            "the girls did not leave",
            "les filles ne sont pas parties",
        ),
        (
            PAUL,
            "see",
            {"tense": "past", "after": ("her", ""), "clitic": "la", "preceding": "fs"},
            "Paul saw her",
            "Paul l'a vue",
        ),
        (
            PAUL,
            "look",
            {"tense": "future", "middle": "not", "after": ("it", ""), "clitic": "le"},
            "Paul is not going to look for it",
            "Paul ne va pas le chercher",
        ),
        (
            GIRLS,
            "sleep",
            {"tense": "want", "ask": True},
            "do the girls want to sleep",
            "les filles veulent dormir",
        ),
        (PAUL, "sing", {"tense": "can", "ask": True}, "can Paul sing", "Paul peut chanter"),
        (
            PAUL,
            "sing",
            {"tense": "can", "middle": "not"},
            "Paul cannot sing",
            "Paul ne peut pas chanter",
        ),
        (
            PAUL,
            "eat",
            {"tense": "past", "middle": "never"},
            "Paul never ate",
            "Paul n'a jamais mangé",
        ),
        (
            GIRLS,
            "work",
            {"tense": "present", "middle": "often"},
            "the girls often work",
            "les filles travaillent souvent",
        ),
    ],
)
def test_clause(subject, verb, arguments, english, translation):
    words = bilingual.clause(subject, french.VERBS[verb], **arguments)
    assert " ".join(words.english.split()) == english
    assert french.spelled(" ".join(words.french.split())) == translation


def test_the_present_of_read_is_left_out_where_it_looks_like_the_past():
    with pytest.raises(bilingual.Unfit):
        bilingual.clause(GIRLS, french.VERBS["read"], "present")
    words = bilingual.clause(PAUL, french.VERBS["read"], "present")
    assert words.english.split() == ["Paul", "reads"]


EXAMPLES = """
What a beautiful hotel! | Quel bel hôtel !
What an old hotel! | Quel vieil hôtel !
What big scarves! | Quelles grandes écharpes !
The queen has a small red dress. | La reine a une petite robe rouge.
Where is the beautiful green umbrella? | Où est le beau parapluie vert ?
I write some old stories in the evening. | J'écris de vieilles histoires le soir.
There is some bad cheese in the houses. | Il y a du mauvais fromage dans les maisons.
I can drink some milk. | Je peux boire du lait.
Does your aunt drink any hot water? | Est-ce que votre tante boit de l'eau chaude ?
There were no birds near the market. | Il n'y avait pas d'oiseaux près du marché.
He does not buy an egg every day. | Il n'achète pas d'œuf tous les jours.
He never gave me any umbrellas. | Il ne m'a jamais donné de parapluies.
I like cats. | J'aime les chats.
I give her Anna's tomatoes. | Je lui donne les tomates d'Anna.
I am giving them the old keys. | Je leur donne les vieilles clés.
Who looked for her? | Qui l'a cherchée ?
What time did she leave? | À quelle heure est-ce qu'elle est partie ?
Why is Leo happy? | Pourquoi est-ce que Léo est heureux ?
What are the boys writing? | Qu'est-ce que les garçons écrivent ?
Did you eat the small tomatoes? | Est-ce que vous avez mangé les petites tomates ?
How many coats did she wash? | Combien de manteaux est-ce qu'elle a lavés ?
I never lose these green coats. | Je ne perds jamais ces manteaux verts.
Alice found the shirt and washed it. | Alice a trouvé la chemise et l'a lavée.
I see a cake but I do not eat it. | Je vois un gâteau mais je ne le mange pas.
His uncles found Anna's story and read it. | Ses oncles ont trouvé l'histoire d'Anna et l'ont lue.
The letter is sad, but I do not write it. | La lettre est triste, mais je ne l'écris pas.
Anna's brothers sing because they are sad. | Les frères d'Anna chantent parce qu'ils sont tristes.
The women did not arrive at the hotel. | Les femmes ne sont pas arrivées à l'hôtel.
Every Friday, I work in the beautiful hotel. | Chaque vendredi, je travaille dans le bel hôtel.
The actress's sister is seventy-one years old. | La sœur de l'actrice a soixante et onze ans.
The cats are staying at the hotels now. | Les chats restent aux hôtels maintenant.
I lost his red scarf and I looked for it. | J'ai perdu son écharpe rouge et je l'ai cherchée.
Hugo is taller than Alice. | Hugo est plus grand qu'Alice.
Anna is as sad as Leo. | Anna est aussi triste que Léo.
The queen was as clever as the men. | La reine était aussi intelligente que les hommes.
It is ten to two. | Il est deux heures moins dix.
It is half past six. | Il est six heures et demie.
I sang on 1 March. | J'ai chanté le 1er mars.
The egg costs eighty euros. | L'œuf coûte quatre-vingts euros.
He is 73 years old. | Il a 73 ans.
I am at the schools. | Je suis aux écoles.
Hugo is not going to find her cat. | Hugo ne va pas trouver son chat.
"""


@pytest.mark.parametrize("line", EXAMPLES.strip().splitlines())
def test_example(everything, line):
    english, translation = line.split(" | ")
    assert dict(everything)[english] == translation


@pytest.mark.slow
def test_every_sentence_has_one_translation(translations, everything):
    assert {len(found) for found in translations.values()} == {1}
    for english, translation in everything:
        assert translations.get(english, {translation}) == {translation}


def test_pronouns_have_one_antecedent():
    sentences = parallel.Sentences(Random(2))
    resumed = Counter()
    for _ in range(3000):
        english, _ = sentences.sentence()
        for pronoun in sentences.resumed:
            assert sentences.mentioned.count(pronoun) == 1, english
            resumed[pronoun] += 1
    assert resumed.keys() == {"he", "she", "it", "they"}


def test_splits_have_their_sizes_and_no_english_sentence_twice(corpus, everything):
    assert {name: len(split) for name, split in corpus.items()} == SIZES
    assert len({english for english, _ in everything}) == len(everything)


@pytest.mark.parametrize("language", [0, 1])
def test_every_word_has_examples_in_train(corpus, everything, language):
    def words(split: list[tuple[str, ...]]) -> Counter:
        return Counter(word for pair in split for word in WORD.findall(pair[language].lower()))

    assert min(words(corpus["train"]).values()) >= 10
    assert words(everything).keys() == words(corpus["train"]).keys()
    assert len(words(everything)) < 500


def test_english_is_written_properly(everything):
    for english, _ in everything:
        assert re.fullmatch(r"[A-Z](\w|'(?=s? |clock)|-(?=\w)|,? (?=\w))*[.?!]", english), english
        assert not re.search(r"\b(a [aeiou]|an [^aeiou])", english), english
        assert 3 <= len(english.split()) <= 15, english


def test_french_is_written_properly(everything):
    for _, translation in everything:
        assert re.fullmatch(r"[A-ZÀÉŒ](\w|['-](?=\w)|,? (?=\w))*(\.| \?| !)", translation)
        assert not re.search(r"\b(je|ne|de|le|que|la|ce) (?!onze)[aeéêiîoôuœ]", translation)
        assert not re.search(r"\b(de|à) les? ", translation), translation
        assert not re.search(r"\b[ms]a [aeiouéêœh]", translation), translation
        assert not re.search(r"\b(beau|vieux|ce) (acteur|arbre|homme|hô\w+l|oiseau)\b", translation)


def test_marks_agree(everything):
    for english, translation in everything:
        assert english[-1] == translation[-1]
        assert (" n" in translation and " not " in english) or " not " not in english


def words_of(pairs: list[tuple[str, ...]]) -> set[str]:
    return {word for pair in pairs for text in pair for word in WORD.findall(text.lower())}


def test_long_sentences_are_longer_than_all_others(everything, long):
    lengths = [len(english.split()) for english, _ in long]
    assert len(long) == len({english for english, _ in long}) == 300
    assert min(lengths) > max(len(english.split()) for english, _ in everything)
    # There are enough sentences of several lengths to compare.
    assert all(sum(least <= n < least + 5 for n in lengths) >= 40 for least in (16, 21, 26))
    assert sum(n > 25 for n in lengths) >= 100
    assert max(lengths) > 35


def test_long_sentences_are_joined_statements(everything, long):
    assert words_of(long) <= words_of(everything)
    for english, translation in long:
        assert english[-1] == translation[-1] == "."
        assert re.fullmatch(r"[A-Z](\w|'(?=s? |clock)|-(?=\w)|,? (?=\w))*\.", english), english
        assert re.fullmatch(r"[A-ZÀÉŒ](\w|['-](?=\w)|,? (?=\w))*\.", translation), translation
        joints = [
            len(re.findall(pattern, text))
            for pattern, text in ((", (and|but) ", english), (", (et|mais) ", translation))
        ]
        # Sentences of the kind "contrast" already contain a conjunction.
        assert joints[0] == joints[1] >= 1, english
        assert not re.search(r"\b(a [aeiou]|an [^aeiou])", english), english
        assert not re.search(r"\b(je|ne|de|le|que|la|ce) (?!onze)[aeéêiîoôuœ]", translation)


EXAMPLES_LONG = """
I am going to find the old horse on Tuesday, and this small bag was in the big school. | Je vais \
trouver le vieux cheval mardi, et ce petit sac était dans la grande école.
I worked at the market, and she was very tired, but Marie can eat the cake on 28 May. | J'ai \
travaillé au marché, et elle était très fatiguée, mais Marie peut manger le gâteau le 28 mai.
"""


@pytest.mark.parametrize("line", EXAMPLES_LONG.strip().splitlines())
def test_long_example(long, line):
    english, translation = line.split(" | ")
    assert dict(long)[english] == translation


def test_pronouns_of_long_sentences_have_one_antecedent():
    sentences = parallel.Sentences(Random(2))
    resumed = Counter()
    for _ in range(300):
        english, _ = sentences.long_sentence()
        for pronoun in sentences.resumed:
            assert sentences.mentioned.count(pronoun) == 1, english
            resumed[pronoun] += 1
    assert resumed.keys() == {"he", "she", "it", "they"}


@pytest.mark.slow
def test_generating_again_gives_the_same_bytes(tmp_path):
    command = [sys.executable, str(CORPORA / "parallel.py"), str(tmp_path / "out")]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "1"})
    for name in (*SIZES, "long"):
        committed = (CORPORA / "parallel" / f"{name}.tsv").read_bytes()
        assert (tmp_path / "out" / f"{name}.tsv").read_bytes() == committed


def test_seed_and_sizes_can_be_chosen(tmp_path):
    options = ["--train", "30", "--dev", "2", "--test", "1"]
    texts = []
    for seed in ("0", "1"):
        parallel.main([str(tmp_path), "--seed", seed, *options])
        splits = [read(tmp_path / f"{name}.tsv") for name in SIZES]
        assert [len(split) for split in splits] == [30, 2, 1]
        texts.append([pair for split in splits for pair in split])
    assert texts[0] != texts[1]


@pytest.mark.parametrize("arguments", [[], ["out", "--train", "many"], ["out", "--seed", "x"]])
def test_wrong_arguments_are_errors(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        parallel.main(arguments)
    assert not list(tmp_path.iterdir())
