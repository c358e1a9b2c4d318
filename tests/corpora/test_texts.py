"""Tests of the conversion of corpora of classified and rated texts."""

import hashlib
import importlib
import io
import json
import lzma
import shutil
import sys
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin

sys.path.insert(0, str(Path(__file__).parents[2] / "corpora"))
texts = importlib.import_module("texts")

PACKINGS = ["plain", "xz", "zip", "tar.gz"]

POLARITY = {
    "rt-polarity.pos": 'the new " conan " \n\nwe love it , 100% \n',
    "rt-polarity.neg": "naïve , silly and tedious . \nno end of line",
}
BANKING = {
    "train.csv": 'text,category\r\n"Is it lost, or ""late""?",card_arrival\r\n'
    '"Why was I\ncharged?\n",fees\r\nWhere is it?,card_arrival\r\n',
    "test.csv": "text,category\r\nWhat are fees?,fees\r\n",
}
EMOTIONS = {
    "train.tsv": '"Never, she said\t27\tid1\nThat\'s "great"\t0,17\tid2\n',
    "dev.tsv": '""\t26\tid3\n',
    "test.tsv": "So sad 😢\t25,2,9\tid4\n",
}
RATINGS = {
    "amazonReviewSnippets_GroundTruth.txt": '1_1\t-0.9\tno picture. \r\n1_2\t-0.15\tI "see" it\r\n'
    "2_1\t3\tgreat: good",
    "movieReviewSnippets_GroundTruth.txt": "1\t2.26666666667\tA new ''Conan''.\r\n2\t-3.5\tDull",
}
FILES = {
    "polarity": POLARITY,
    "banking": BANKING,
    "emotions": EMOTIONS,
    "ratings": RATINGS,
}


def by_hash(key):
    """The part of a key, by the last decimal digit of its hash."""
    digits = str(int.from_bytes(hashlib.sha1(key.encode("utf-8")).digest(), "big"))
    return {"0": "test", "1": "dev"}.get(digits[-1], "train")


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


@pytest.fixture
def write(tmp_path):
    def write(files, packing="plain") -> Path:
        """Write files as they are or packed, in a folder of an archive, beside other files."""
        folder = tmp_path / "corpus"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "LICENSE").write_text("Free.")
        (folder / "empty").mkdir()
        packed = {name: text.encode("utf-8") for name, text in files.items()}
        if packing == "zip":
            with zipfile.ZipFile(folder / "corpus.zip", "w") as archive:
                archive.writestr("corpus/readme.txt", "Read me.")
                for name, data in packed.items():
                    archive.writestr(f"corpus/{name}", data)
        elif packing == "tar.gz":
            with tarfile.open(folder / "corpus.tar.gz", "w:gz") as archive:
                for name, data in packed.items():
                    directory = tarfile.TarInfo(f"corpus/old/{name}")
                    directory.type = tarfile.DIRTYPE
                    archive.addfile(directory)
                    member = tarfile.TarInfo(f"corpus/{name}")
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
        else:
            for name, data in packed.items():
                if packing == "xz":
                    name, data = name + ".xz", lzma.compress(data)
                (folder / name).write_bytes(data)
        return folder

    return write


def read(name, folder):
    return list(texts.FORMATS[name](folder))


def test_every_format_is_tested():
    assert texts.FORMATS.keys() == FILES.keys()


# Formats


@pytest.mark.parametrize("packing", PACKINGS)
def test_polarity(write, packing):
    """The hash is computed with the blank at the end of the line; the text has no such blank."""
    positive, negative = {"POSITIVE": 1.0, "NEGATIVE": 0.0}, {"POSITIVE": 0.0, "NEGATIVE": 1.0}
    assert read("polarity", write(POLARITY, packing)) == [
        (by_hash('the new " conan " '), 'the new " conan "', positive, None),
        (by_hash("we love it , 100% "), "we love it , 100%", positive, None),
        (by_hash("naïve , silly and tedious . "), "naïve , silly and tedious .", negative, None),
        (by_hash("no end of line"), "no end of line", negative, None),
    ]


@pytest.mark.parametrize("packing", PACKINGS)
def test_banking(write, packing):
    """Quoted fields hold quotes and line breaks; a line break at the end is not part of a text."""
    found = read("banking", write(BANKING, packing))
    arrival, fees = {"card_arrival": 1.0, "fees": 0.0}, {"card_arrival": 0.0, "fees": 1.0}
    assert [(text.text, text.cats, text.rating) for text in found] == [
        ('Is it lost, or "late"?', arrival, None),
        ("Why was I\ncharged?", fees, None),
        ("Where is it?", arrival, None),
        ("What are fees?", fees, None),
    ]
    assert found[3].part == "test"


@pytest.mark.parametrize("packing", PACKINGS)
def test_emotions(write, packing):
    """Quotes are literal, even unpaired ones."""
    found = read("emotions", write(EMOTIONS, packing))
    assert [(text.part, text.text, text.rating) for text in found] == [
        ("train", '"Never, she said', None),
        ("train", 'That\'s "great"', None),
        ("dev", '""', None),
        ("test", "So sad 😢", None),
    ]
    assert all(list(text.cats) == texts.EMOTIONS for text in found)
    assert [[label for label, value in text.cats.items() if value] for text in found] == [
        ["neutral"],
        ["admiration", "joy"],
        ["surprise"],
        ["anger", "disappointment", "sadness"],
    ]
    assert {value for text in found for value in text.cats.values()} == {0.0, 1.0}


@pytest.mark.parametrize("packing", PACKINGS)
def test_ratings(write, packing):
    assert read("ratings", write(RATINGS, packing)) == [
        (by_hash("amazon 1"), "no picture.", {}, -0.9),
        (by_hash("amazon 1"), 'I "see" it', {}, -0.15),
        (by_hash("amazon 2"), "great: good", {}, 3.0),
        (by_hash("movie 1"), "A new ''Conan''.", {}, 2.26666666667),
        (by_hash("movie 2"), "Dull", {}, -3.5),
    ]


@pytest.mark.parametrize("odd", ["\u2028", "\x85"])
@pytest.mark.parametrize("name", ["polarity", "emotions", "ratings"])
def test_only_line_feeds_end_a_line(write, name, odd):
    """Other line separators of Unicode can be part of a text."""
    files = {
        "polarity": {"rt-polarity.pos": f"a{odd}b\n", "rt-polarity.neg": f"a{odd}b\n"},
        "emotions": {f"{part}.tsv": f"a{odd}b\t1\tid\n" for part in ("train", "dev", "test")},
        "ratings": {file: f"1\t1.0\ta{odd}b\r\n2\t1.0\ta{odd}b" for file in RATINGS},
    }
    found = read(name, write(files[name]))
    assert {text.text for text in found} == {f"a{odd}b"}


# Files


@pytest.mark.parametrize("packing", ["plain", "xz", "zip"])
@pytest.mark.parametrize(
    ("name", "missing"), [(name, missing) for name, files in FILES.items() for missing in files]
)
def test_a_missing_file_is_an_error_that_names_it(write, name, missing, packing):
    folder = write({file: FILES[name][file] for file in FILES[name] if file != missing}, packing)
    with pytest.raises(FileNotFoundError, match="download it there") as error:
        read(name, folder)
    assert f"{folder} has no file {missing}," in str(error.value)


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("name", FILES)
def test_a_byte_order_mark_is_ignored(write, name, packing):
    expected = list(texts.FORMATS[name](write(FILES[name], packing)))
    folder = write({file: "\ufeff" + text for file, text in FILES[name].items()}, packing)
    assert list(texts.FORMATS[name](folder)) == expected


@pytest.mark.parametrize("row", ["Well, what is it?,fees", "What is it?"])
def test_rows_of_another_length_than_the_header_are_an_error(write, row):
    folder = write({**BANKING, "test.csv": f"text,category\n{row}\n"})
    with pytest.raises(ValueError, match="test.csv, line 2: more or fewer fields"):
        read("banking", folder)


def test_another_encoding_is_an_error(write):
    folder = write({})
    (folder / "a.txt").write_bytes("a\né".encode("latin-1"))
    with pytest.raises(ValueError, match="Line 2 of a.txt is not UTF-8"):
        texts.content(folder, "a.txt")


def test_a_file_can_be_in_one_of_several_archives(write):
    folder = write({"a.txt": "of the zip"}, "zip")
    with tarfile.open(folder / "b.tar", "w") as archive:
        archive.add(folder / "LICENSE", "deep/down/b.txt")
    assert texts.content(folder, "a.txt") == "of the zip"
    assert texts.content(folder, "b.txt") == "Free."
    with pytest.raises(FileNotFoundError, match="c.txt"):
        texts.content(folder, "c.txt")


def test_a_plain_file_is_preferred_to_a_packed_one(write):
    folder = write({"a.txt": "of the zip"}, "zip")
    (folder / "a.txt.xz").write_bytes(lzma.compress(b"of the xz file"))
    assert texts.content(folder, "a.txt") == "of the xz file"
    (folder / "a.txt").write_bytes(b"plain\r\n")
    assert texts.content(folder, "a.txt") == "plain\r\n"


# The split


@pytest.mark.parametrize(
    ("key", "part"), [("4", "test"), ("19", "dev"), ("22", "dev"), ("abc", "train"), ("", "train")]
)
def test_the_part_of_a_text_never_changes(key, part):
    """The numbers of "4", "19", "22", "abc" and "" end in 0, 1, 1, 7 and 5."""
    assert texts.part_of(key) == part


def test_parts_are_tenths():
    """Without a test part, its tenth is part of train."""
    keys = [f"text {i}" for i in range(2000)]
    parts = [texts.part_of(key) for key in keys]
    assert parts == [by_hash(key) for key in keys]
    sizes = Counter(parts)
    assert 150 < sizes["test"] < 250 and 150 < sizes["dev"] < 250
    without = [texts.part_of(key, test=False) for key in keys]
    assert without == ["train" if part == "test" else part for part in parts]


def test_a_tenth_of_bankings_train_is_dev(write):
    files = {
        "train.csv": "text,category\r\n" + "".join(f"text {i},fees\r\n" for i in range(100)),
        "test.csv": "text,category\r\n" + "".join(f"text {i},fees\r\n" for i in range(100)),
    }
    found = read("banking", write(files))
    assert [text.part for text in found[100:]] == ["test"] * 100
    expected = [by_hash(f"text {i}").replace("test", "train") for i in range(100)]
    assert [text.part for text in found[:100]] == expected and "dev" in expected


def test_sentences_of_one_review_stay_together(write):
    files = {
        name: "\n".join(f"{i // 7}_{i}\t1.0\ttext {i // 7}" for i in range(400)) for name in RATINGS
    }
    found = read("ratings", write(files))
    parts = {}
    for text in found[:400]:
        parts.setdefault(text.text, set()).add(text.part)
    assert all(len(part) == 1 for part in parts.values())
    assert set.union(*parts.values()) == {"train", "dev", "test"}


# Documents


def docs_of(folder, part, nlp):
    return list(DocBin().from_disk(folder / f"{part}.spacy").get_docs(nlp.vocab))


@pytest.mark.parametrize("name", FILES)
def test_command_line_writes_docs_that_spacy_reads(write, tmp_path, capsys, nlp, name):
    source, target = write(FILES[name]), tmp_path / "new" / "out"
    texts.main([name, str(source), str(target)])
    docs = {part: docs_of(target, part, nlp) for part in texts.PARTS}
    sizes = [f"{part}: {len(found)} texts\n" for part, found in docs.items()]
    assert capsys.readouterr().out == "".join(sizes)
    expected = read(name, source)
    for part, found in docs.items():
        mine = [text for text in expected if text.part == part]
        assert [doc.text for doc in found] == [text.text for text in mine]
        assert [doc.cats for doc in found] == [text.cats for text in mine]
        if name == "ratings":
            ratings = [{"rating": text.rating} for text in mine]
            assert [doc._.regression for doc in found] == ratings
        else:
            assert not any(doc.user_data for doc in found)
        assert all([*map(str, doc)] == [*map(str, nlp(doc.text))] for doc in found)


def test_the_language_determines_the_tokens(write, tmp_path, nlp):
    """English splits "can't", the language without rules does not."""
    source = write({**POLARITY, "rt-polarity.pos": "I can't\n"})
    part = by_hash("I can't")
    for lang, n_tokens in (("en", 3), ("xx", 2)):
        texts.convert("polarity", source, tmp_path / lang, lang)
        docs = docs_of(tmp_path / lang, part, nlp)
        assert [len(doc) for doc in docs if doc.text.startswith("I")] == [n_tokens]


def test_an_unknown_format_is_an_error(tmp_path, capsys):
    with pytest.raises(SystemExit):
        texts.main(["novels", str(tmp_path), str(tmp_path / "out")])
    assert "novels" in capsys.readouterr().err


# Real data


@pytest.mark.parametrize(
    ("name", "folder", "sizes"),
    [
        ("polarity", "textcat-sentence-polarity", (8509, 1053, 1100)),
        ("banking", "textcat-banking77", (9035, 968, 3080)),
        ("emotions", "textcat-goemotions", (43410, 5426, 5427)),
        ("ratings", "regression-vader", (11621, 1334, 1358)),
    ],
)
def test_real_corpora_are_read_whole(data_dir, name, folder, sizes):
    found = read(name, data_dir / folder)
    counts = Counter(text.part for text in found)
    assert tuple(counts[part] for part in texts.PARTS) == sizes
    assert all(text.text.strip() for text in found)
    if name == "ratings":  # of the two files, the mean and the extremes
        values = [text.rating for text in found]
        means = [sum(part) / len(part) for part in (values[:3708], values[3708:])]
        assert means == pytest.approx([0.38, 0.0], abs=0.005)
        assert (min(values), max(values)) == pytest.approx((-3.88, 3.94), abs=0.01)
    else:
        assert len({frozenset(text.cats) for text in found}) == 1


def test_labels_of_real_corpora(data_dir):
    numbered = (data_dir / "textcat-goemotions" / "emotions.txt").read_text(encoding="utf-8")
    assert texts.EMOTIONS == numbered.splitlines()
    found = read("emotions", data_dir / "textcat-goemotions")[:43410]
    counts = Counter(label for text in found for label, value in text.cats.items() if value)
    assert (counts["neutral"], counts["grief"]) == (14219, 77)
    categories = json.loads((data_dir / "textcat-banking77" / "categories.json").read_bytes())
    found = read("banking", data_dir / "textcat-banking77")
    assert list(found[0].cats) == sorted(categories)
    tested = Counter(
        label
        for text in found
        for label, value in text.cats.items()
        if value and text.part == "test"
    )
    assert tested == dict.fromkeys(categories, 40)
