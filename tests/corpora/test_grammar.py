"""Tests of the generated agreement corpus."""

import importlib
import lzma
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

CORPORA = Path(__file__).parents[2] / "corpora"
sys.path.insert(0, str(CORPORA))
grammar = importlib.import_module("grammar")
lexicon = importlib.import_module("lexicon")
pcfg = importlib.import_module("pcfg")

SIZES = {"train": 1600, "dev": 200, "test": 300}
COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")


def read(path: Path) -> list[tuple[dict, list[dict]]]:
    """The sentences of a generated file: comments, and the tokens by column name."""
    sentences = []
    for block in path.read_text("utf-8").removesuffix("\n\n").split("\n\n"):
        lines = block.split("\n")
        comments = dict(line[2:].split(" = ", 1) for line in lines if line.startswith("#"))
        rows = [line.split("\t") for line in lines if not line.startswith("#")]
        sentences.append((comments, [dict(zip(COLUMNS, row, strict=True)) for row in rows]))
    return sentences


def pairs(value: str) -> dict[str, str]:
    """FEATS or MISC as a dictionary."""
    return {} if value == "_" else dict(pair.split("=") for pair in value.split("|"))


@pytest.fixture(scope="module")
def corpus() -> dict[str, list[tuple[dict, list[dict]]]]:
    return {name: read(CORPORA / "agreement" / f"{name}.conllu") for name in SIZES}


@pytest.fixture(scope="module")
def sentences(corpus) -> list[list[dict]]:
    return [tokens for split in corpus.values() for _, tokens in split]


@pytest.fixture(scope="module")
def taggings():
    grammars = [
        pcfg.Grammar(grammar.RULES, lexicon.lexicon(tense), grammar.VALUES)
        for tense in ("Past", "Pres")
    ]
    return lambda text: set().union(*(one.taggings(text.split()) for one in grammars))


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("The sheep near the barn was asleep .", 1, "sheep/NN"),
        ("The sheep near the barn were asleep .", 1, "sheep/NNS"),
        ("That sheep slept .", 0, "that/DT"),
        ("The dogs like the cats .", 2, "like/VBP"),
        ("The dogs like the cats slept .", 2, "like/IN"),
        ("The dog trained the cat .", 2, "train/VBD"),
        ("The dog trained by the cat slept .", 2, "train/VBN"),
        ("She 's trained the cat .", 1, "have/VBZ"),
        ("She 's trained by the cat .", 1, "be/VBZ"),
        ("She wants to watch the saw .", 5, "saw/NN"),
        ("She saw the watch .", 1, "see/VBD"),
        ("They watch me after the dance .", 3, "after/IN"),
        ("Will we watch her duck ?", 0, "will/MD"),
        ("Will watched her duck .", 0, "Will/NNP"),
        ("The dog ran faster than the cat .", 3, "fast/RBR"),
        ("The dog was faster than the cat .", 3, "fast/JJR"),
        ("The men hit the dog because they were afraid .", 2, "hit/VBD"),
    ],
)
def test_the_sentence_decides_the_tag(taggings, text, position, expected):
    (reading,) = taggings(text)
    word = reading[position]
    assert f"{word.lemma}/{word.xpos}" == expected


def test_undecided_sentences_have_several_taggings(taggings):
    readings = taggings("The sheep slept .")
    assert sorted((words[1].xpos, pairs(words[2].feats)["Number"]) for words in readings) == [
        ("NN", "Sing"),
        ("NNS", "Plur"),
    ]
    assert {words[2].xpos for words in taggings("The men hit the dog .")} == {"VBD", "VBP"}
    assert taggings("The sheep were was .") == set()


@pytest.mark.slow
def test_every_sentence_of_the_corpus_has_one_tagging(sentences, taggings):
    for tokens in sentences:
        (reading,) = taggings(" ".join(token["form"] for token in tokens))
        assert [word[1:] for word in reading] == [
            (token["lemma"], token["upos"], token["xpos"], token["feats"]) for token in tokens
        ]


@pytest.mark.slow
def test_generating_again_gives_the_same_bytes(tmp_path):
    command = [sys.executable, str(CORPORA / "grammar.py"), str(tmp_path / "out")]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "1"})
    for name in SIZES:
        committed = (CORPORA / "agreement" / f"{name}.conllu").read_bytes()
        assert (tmp_path / "out" / f"{name}.conllu").read_bytes() == committed


def test_seed_and_sizes_can_be_chosen(tmp_path):
    options = ["--train", "3", "--dev", "2", "--test", "1"]
    texts = []
    for seed in ("0", "1"):
        grammar.main([str(tmp_path), "--seed", seed, *options])
        splits = [read(tmp_path / f"{name}.conllu") for name in SIZES]
        assert [len(split) for split in splits] == [3, 2, 1]
        texts.append([comments["text"] for split in splits for comments, _ in split])
    assert set(texts[0]).isdisjoint(texts[1])


def test_splits_have_their_sizes_and_no_sentence_twice(corpus):
    assert {name: len(split) for name, split in corpus.items()} == SIZES
    texts = [comments["text"] for split in corpus.values() for comments, _ in split]
    assert len(set(texts)) == len(texts)
    assert [comments["sent_id"] for comments, _ in corpus["dev"][:2]] == ["dev-1", "dev-2"]


def test_text_consists_of_the_tokens(corpus):
    for comments, tokens in (sentence for split in corpus.values() for sentence in split):
        text = "".join(
            token["form"] + " " * ("SpaceAfter" not in pairs(token["misc"])) for token in tokens
        )
        assert text == comments["text"] + " "
        assert text[0] == text[0].upper()
        for wrong in (" n't", " 's", " .", " ,", " ?", " !", " a a", " a e", " a o", " an b"):
            assert wrong not in text.rstrip(), text
        assert [token["id"] for token in tokens] == [str(i + 1) for i in range(len(tokens))]
        assert all(token["head"] == token["deprel"] == "_" for token in tokens)


# Verb forms that show the number of their subject.
SINGULAR_FORMS = {"is", "was", "'s", "has", "does"}
PLURAL_FORMS = {"are", "were", "'re"}


def disagreements(tokens: list[dict]) -> list[str]:
    """The finite verbs of a sentence whose subject is missing or of another number or person."""
    wrong = []
    for token in tokens:
        feats, subject = pairs(token["feats"]), pairs(token["misc"]).get("Subj")
        if feats.get("VerbForm") != "Fin" or feats.get("Mood") == "Imp":
            if subject is not None:
                wrong.append(token["form"])
            continue
        head = tokens[int(subject) - 1] if subject else None
        if head is None or head["upos"] not in {"NOUN", "PROPN", "PRON"}:
            wrong.append(token["form"])
            continue
        features = pairs(head["feats"])
        number, person = features["Number"], features.get("Person", "3")
        singular = number == "Sing"
        right = (
            features.get("Case") != "Acc"
            and feats.get("Number", number) == number
            and feats.get("Person", person) == person
            and (token["xpos"] != "VBZ" or (singular and person == "3"))
            and (token["xpos"] != "VBP" or not singular or person == "1")
            and (token["form"].lower() not in SINGULAR_FORMS or singular)
            and (token["form"].lower() not in PLURAL_FORMS or not singular)
            and (token["form"].lower() not in {"am", "'m"} or (singular and person == "1"))
        )
        if not right:
            wrong.append(token["form"])
    return wrong


def test_the_agreement_checker_finds_errors():
    def sentence(verb: str, feats: str, misc: str) -> list[dict]:
        rows = (
            ("1", "The", "the", "DET", "DT", "_", "_", "_", "_", "_"),
            ("2", "cat", "cat", "NOUN", "NN", "Number=Sing", "_", "_", "_", "_"),
            ("3", verb, verb, "VERB", "VBD", f"{feats}VerbForm=Fin", "_", "_", "_", misc),
        )
        return [dict(zip(COLUMNS, row, strict=True)) for row in rows]

    assert disagreements(sentence("was", "Number=Sing|", "Subj=2")) == []
    assert disagreements(sentence("was", "Number=Plur|", "Subj=2")) == ["was"]
    assert disagreements(sentence("were", "", "Subj=2")) == ["were"]
    assert disagreements(sentence("was", "", "_")) == ["was"]
    assert disagreements(sentence("was", "", "Subj=1")) == ["was"]
    assert disagreements(sentence("was", "Mood=Imp|", "Subj=2")) == ["was"]


def test_every_finite_verb_agrees_with_its_subject(sentences):
    assert [tokens for tokens in sentences if disagreements(tokens)] == []


def test_agreement_is_often_distant_and_misleading(sentences):
    distant = attracted = verbs = 0
    for tokens in sentences:
        for position, token in enumerate(tokens):
            if "Subj" not in token["misc"]:
                continue
            subject = int(pairs(token["misc"])["Subj"]) - 1
            first, last = sorted((subject, position))
            numbers = {
                pairs(other["feats"])["Number"]
                for other in tokens[first + 1 : last]
                if other["upos"] in {"NOUN", "PROPN"}
            }
            verbs += 1
            distant += last - first >= 4
            attracted += bool(numbers - {pairs(tokens[subject]["feats"])["Number"]})
    assert distant / verbs > 0.25
    assert attracted / verbs > 0.1


def accuracy(train: list, test: list, column: str) -> float:
    """Accuracy of giving every form its most frequent value in the training sentences."""
    counts = defaultdict(Counter)
    for token in (token for _, tokens in train for token in tokens):
        counts[token["form"]][token[column]] += 1
    tokens = [token for _, tokens in test for token in tokens]
    best = {form: values.most_common(1)[0][0] for form, values in counts.items()}
    return sum(best.get(token["form"]) == token[column] for token in tokens) / len(tokens)


def test_the_word_alone_does_not_determine_the_tag(corpus):
    assert 0.90 < accuracy(corpus["train"], corpus["test"], "xpos") < 0.95


def test_tags_are_those_of_the_english_web_treebank(sentences, data_dir):
    path = data_dir / "ud-en-ewt" / "en_ewt-ud-train.conllu.xz"
    with lzma.open(path, "rt", encoding="utf-8") as file:
        rows = [line.split("\t") for line in file if line[0].isdecimal()]
    known = {tuple(row[3:6]) for row in rows}
    used = {
        (token["upos"], token["xpos"], token["feats"]) for tokens in sentences for token in tokens
    }
    assert used - known == set()
