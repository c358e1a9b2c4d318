"""Tests of the conversion of corpora of named entities."""

import importlib
import json
import lzma
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin

CORPORA = Path(__file__).parents[2] / "corpora"
sys.path.insert(0, str(CORPORA))
entities = importlib.import_module("entities")
texts = importlib.import_module("texts")

NEWS = {
    "train.jsonl": '{"text": "Kelby\'s Maria can\'t.", "entities": '
    '[[0, 5, "ORG"], [8, 13, "PERSON"]]}\n\n{"text": "No names.", "entities": []}\n',
    "dev.jsonl": '{"text": "To Kelby Lake Otter", "entities": '
    '[[3, 8, "PLACE"], [9, 19, "PLACE"]]}\r\n',
    "test.jsonl": '{"text": "\u2028The Owl", "entities": [[1, 8, "PRODUCT"]]}',
}
WNUT17 = {
    "wnut17train.conll": "\nBig\tB-creative-work\nOwl\tI-creative-work\nin\tO\nRome\tB-location\n"
    "Kelby\tB-location\n\t\n:)\tO\n\n\t\n  \nOwl\tI-product\n",
    "emerging.dev.conll": "Mr\tO\r\nOwl\tI-person\r\nLtd\tI-group\r\nBank\tI-group\r\n\r\n",
    "emerging.test.annotated": "a\u2028b\tB-person\n\u00a0c\tI-person",
}
WIKIGOLD = {
    "wikigold.conll.txt": "The I-MISC\nOwl I-MISC\nRome I-LOC\nKelby I-LOC\n\nis O\n\n"
    "-DOCSTART- O\n\n4 O\n\nOwl I-PER\n-DOCSTART- O\n-DOCSTART- O\n\n19 O\n",
}
FILES = {"news": NEWS, "wnut17": WNUT17, "wikigold": WIKIGOLD}


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


@pytest.fixture
def write(tmp_path):
    def write(files, packing="plain") -> Path:
        """Write files as they are or packed."""
        folder = tmp_path / "corpus"
        folder.mkdir()
        for name, text in files.items():
            data = text.encode("utf-8")
            if packing == "zip":
                with zipfile.ZipFile(folder / "corpus.zip", "a") as archive:
                    archive.writestr(f"deep/{name}", data)
            elif packing == "xz":
                (folder / f"{name}.xz").write_bytes(lzma.compress(data))
            else:
                (folder / name).write_bytes(data)
        return folder

    return write


@pytest.fixture
def read(nlp):
    def read(name, folder) -> list[tuple[str, list[str], list[tuple[str, str]]]]:
        """The part, the tokens and the entities of every sentence."""
        found = []
        for part, doc in entities.FORMATS[name](folder, nlp):
            assert all(token.ent_iob_ for token in doc), "a token without annotation"
            found.append((part, [*map(str, doc)], [(str(ent), ent.label_) for ent in doc.ents]))
        return found

    return read


# Formats


def test_every_format_is_tested():
    assert entities.FORMATS.keys() == FILES.keys()


@pytest.mark.parametrize("packing", ["plain", "xz", "zip"])
def test_news(write, read, packing):
    assert read("news", write(NEWS, packing)) == [
        ("train", ["Kelby", "'s", "Maria", "ca", "n't", "."],
         [("Kelby", "ORG"), ("Maria", "PERSON")]),
        ("train", ["No", "names", "."], []),
        ("dev", ["To", "Kelby", "Lake", "Otter"], [("Kelby", "PLACE"), ("Lake Otter", "PLACE")]),
        ("test", ["\u2028", "The", "Owl"], [("The Owl", "PRODUCT")]),
    ]  # fmt: skip


@pytest.mark.parametrize("packing", ["plain", "xz", "zip"])
def test_wnut17(write, read, packing):
    """Lines of white space end sentences; a label may have a hyphen; I- may begin an entity."""
    assert read("wnut17", write(WNUT17, packing)) == [
        ("train", ["Big", "Owl", "in", "Rome", "Kelby"],
         [("Big Owl", "creative-work"), ("Rome", "location"), ("Kelby", "location")]),
        ("train", [":)"], []),
        ("train", ["Owl"], [("Owl", "product")]),
        ("dev", ["Mr", "Owl", "Ltd", "Bank"], [("Owl", "person"), ("Ltd Bank", "group")]),
        ("test", ["a\u2028b", "\u00a0c"], [("a\u2028b \u00a0c", "person")]),
    ]  # fmt: skip


@pytest.mark.parametrize("packing", ["plain", "xz", "zip"])
def test_wikigold(write, read, packing):
    """Adjacent tokens of one type are one entity; articles stay together."""
    part = texts.part_of("The Owl Rome Kelby")
    assert read("wikigold", write(WIKIGOLD, packing)) == [
        (part, ["The", "Owl", "Rome", "Kelby"], [("The Owl", "MISC"), ("Rome Kelby", "LOC")]),
        (part, ["is"], []),
        ("test", ["4"], []),
        ("test", ["Owl"], [("Owl", "PER")]),
        ("dev", ["19"], []),
    ]


# Malformed files


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("Owl", "a token and its tag, separated by one {kind}"),
        ("Owl{sep}O{sep}O", "a token and its tag, separated by one {kind}"),
        ("Owl{other}O", "a token and its tag, separated by one {kind}"),
        ("{sep}O", "a token and its tag, separated by one {kind}"),
        ("Owl{sep}", "tag ''; write O, or B- or I- and the type"),
        ("Owl{sep}o", "tag 'o'; write O, or B- or I- and the type"),
        ("Owl{sep}B-", "tag 'B-'; write O, or B- or I- and the type"),
        ("Owl{sep}E-person", "tag 'E-person'; write O, or B- or I- and the type"),
        ("Owl{sep}person", "tag 'person'; write O, or B- or I- and the type"),
    ],
)
@pytest.mark.parametrize("name", ["wnut17", "wikigold"])
def test_a_malformed_line_is_an_error_that_names_it(write, read, name, line, problem):
    sep, other, kind = ("\t", " ", "tab") if name == "wnut17" else (" ", "\t", "space")
    file = "emerging.dev.conll" if name == "wnut17" else "wikigold.conll.txt"
    text = f"a{sep}O\n\n" + line.format(sep=sep, other=other) + f"\nb{sep}O\n"
    with pytest.raises(ValueError) as error:
        read(name, write({**FILES[name], file: text}))
    assert str(error.value).startswith(f"{file}, line 3: ")
    assert problem.format(kind=kind) in str(error.value)


@pytest.mark.parametrize(
    "line",
    [
        '{"text": "Owl", "entities": [[0, 2, "ORG"]]}',  # within a token
        '{"text": "Owl", "entities": [[0, 9, "ORG"]]}',
        '{"text": "Owl", "entities": [[1, 1, "ORG"]]}',
        '{"text": "Owl", "entities": [[0, 3, "ORG"], [0, 3, "PLACE"]]}',
        '{"text": "Owl", "entities": [[0, 3]]}',
        '{"text": "Owl", "entities": [["0", 3, "ORG"]]}',
        '{"text": "Owl", "entities": null}',
        '{"text": "Owl"}',
        '{"text": 3, "entities": []}',
        "[]",
        '{"text": "Owl", ',
    ],
)
def test_a_malformed_object_is_an_error_that_names_its_line(write, read, line):
    text = '{"text": "Owl", "entities": []}\n\n' + line
    with pytest.raises(ValueError, match=r"^dev.jsonl, line 3: .*; write an object with a text"):
        read("news", write({**NEWS, "dev.jsonl": text}))


@pytest.mark.parametrize(
    ("name", "missing"), [(name, file) for name, files in FILES.items() for file in files]
)
def test_a_missing_file_is_an_error_that_names_it(write, read, name, missing):
    folder = write({file: text for file, text in FILES[name].items() if file != missing})
    with pytest.raises(FileNotFoundError, match=f"has no file {missing},"):
        read(name, folder)


# Documents


@pytest.mark.parametrize("name", FILES)
def test_command_line_writes_docs_that_spacy_reads(write, read, tmp_path, capsys, nlp, name):
    source, target = write(FILES[name]), tmp_path / "new" / "out"
    entities.main([name, str(source), str(target)])
    found, sizes = [], ""
    for part in texts.PARTS:
        docs = list(DocBin().from_disk(target / f"{part}.spacy").get_docs(nlp.vocab))
        assert all(token.ent_iob_ for doc in docs for token in doc)
        found += [
            (part, [*map(str, doc)], [(str(ent), ent.label_) for ent in doc.ents]) for doc in docs
        ]
        sizes += f"{part}: {len(docs)} sentences\n"
    assert capsys.readouterr().out == sizes
    order = texts.PARTS.index
    assert found == sorted(read(name, source), key=lambda sentence: order(sentence[0]))


def test_the_language_is_that_of_the_tokens(write, tmp_path):
    """English splits "can't", the language without rules does not."""
    source = write({**NEWS, "train.jsonl": '{"text": "I can\'t", "entities": []}'})
    for lang, n_tokens in (("en", 3), ("xx", 2)):
        docs = entities.convert("news", source, tmp_path / lang, lang)["train"]
        assert len(next(docs.get_docs(spacy.blank(lang).vocab))) == n_tokens


def test_an_unknown_format_is_an_error(tmp_path, capsys):
    with pytest.raises(SystemExit):
        entities.main(["novels", str(tmp_path), str(tmp_path / "out")])
    assert "novels" in capsys.readouterr().err


# Whole corpora


def test_the_news_corpus_is_read_whole(read):
    found = read("news", CORPORA / "news")
    assert Counter(part for part, _, _ in found) == {"train": 1600, "dev": 200, "test": 300}
    for part, _, names in found[:10]:
        assert part == "train" and {label for _, label in names} <= {
            "PERSON", "ORG", "PLACE", "PRODUCT"
        }  # fmt: skip
    lines = (CORPORA / "news" / "test.jsonl").read_text("utf-8").splitlines()
    n_entities = sum(len(json.loads(line)["entities"]) for line in lines)
    assert sum(len(names) for part, _, names in found if part == "test") == n_entities


@pytest.mark.parametrize(
    ("name", "folder", "counts", "n_types"),
    [
        ("wnut17", "ner-wnut17",
         {"train": (3394, 62730, 1975), "dev": (1009, 15733, 836), "test": (1287, 23394, 1079)}, 6),
        ("wikigold", "ner-wikigold",
         {"train": (1245, 28807, 2762), "dev": (283, 6246, 455), "test": (168, 3954, 341)}, 4),
    ],
)  # fmt: skip
def test_real_corpora_are_read_whole(data_dir, read, name, folder, counts, n_types):
    """Sentences, tokens and entities; those of wikigold are 1,696, 39,007 and 3,558 in all."""
    found = read(name, data_dir / folder)
    for part, expected in counts.items():
        mine = [(words, names) for other, words, names in found if other == part]
        n_tokens, n_entities = (sum(map(len, column)) for column in zip(*mine, strict=True))
        assert (len(mine), n_tokens, n_entities) == expected
    assert len({label for _, _, names in found for _, label in names}) == n_types
