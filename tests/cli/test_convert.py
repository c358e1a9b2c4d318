"""python -m spacy rnn convert: annotated texts in spaCy's format."""

import spacy
from spacy.tokens import DocBin

from ..helpers.cli import run, shown
from ..helpers.paths import ROOT

DATA = ROOT / "tests" / "data"


def read(path):
    return list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))


def test_the_output_is_a_file_or_a_folder(tmp_path):
    output = shown(run("rnn", "convert", DATA / "intents.csv", tmp_path / "new" / "out.spacy"))
    assert "columns used: text = text, label = category; ignored: id" in output
    assert "labels: card_arrival 3, change_pin 3" in output
    assert "Read 6 documents, 45 tokens" in output
    docs = read(tmp_path / "new" / "out.spacy")
    assert docs[0].cats == {"card_arrival": 1.0, "change_pin": 0.0}
    run("rnn", "convert", DATA / "iob1.conll", tmp_path, "-n", "2")
    assert [len(doc.ents) for doc in read(tmp_path / "iob1.spacy")] == [3, 1]


def test_extensions_are_kept(tmp_path):
    target = DATA / "aligned.fr"
    run("rnn", "convert", DATA / "aligned.en", tmp_path / "out.spacy", "--target", target)
    assert read(tmp_path / "out.spacy")[0]._.translation == "Le chat dort."
    run("rnn", "convert", DATA / "ratings.tsv", tmp_path / "out.spacy")
    assert read(tmp_path / "out.spacy")[0]._.regression == {"stars": 4.5}


def test_options_replace_guesses(tmp_path):
    options = ("--task", "tagger", "--columns", "tokens=0,tags=1")
    run("rnn", "convert", DATA / "iob1.conll", tmp_path / "out.spacy", *options)
    assert [token.tag_ for token in read(tmp_path / "out.spacy")[1]] == ["PRP", "VBZ"]
    options = ("--columns", "text=comment,cats=rude,cats=spam", "--delimiter", ",", "--header")
    run("rnn", "convert", DATA / "flags.csv", tmp_path / "out.spacy", *options)
    assert read(tmp_path / "out.spacy")[0].cats == {"rude": 0.0, "spam": 1.0}


def test_a_dev_part_is_split_off_by_the_text(tmp_path):
    source = tmp_path / "lines.txt"
    texts = [f"This is text number {i}." for i in range(400)]
    source.write_text("\n".join([*texts, *texts]) + "\n")
    for name in ("a", "b"):
        run("rnn", "convert", source, tmp_path / name, "--split", "0.25")
    train, dev = ([d.text for d in read(tmp_path / "a" / f"{p}.spacy")] for p in ("train", "dev"))
    assert len(train) + len(dev) == 800 and 150 < len(dev) < 250
    assert not set(train) & set(dev)
    assert dev == [doc.text for doc in read(tmp_path / "b" / "dev.spacy")]


def test_problems_are_shown(tmp_path):
    output = shown(run("rnn", "convert", DATA / "label_studio.json", tmp_path))
    assert "texts without a finished annotation, left out: 1 (item 3)" in output


def test_errors_are_messages(tmp_path):
    def fails(*arguments):
        return shown(run("rnn", "convert", *arguments, code=1))

    assert "does not exist" in fails(tmp_path / "no.csv", tmp_path)
    assert "is not a role and a column" in fails(DATA / "flags.csv", tmp_path, "--columns", "text")
    assert "--split must be" in fails(DATA / "flags.csv", tmp_path, "--split", "1")
    file = tmp_path / "out.spacy"
    for name in ("b.csv", "b.jsonl.gz", "b.conllu"):
        printed = fails(DATA / "flags.csv", tmp_path / name)
        assert f"{tmp_path / name} has the name of an input" in printed
        assert not (tmp_path / name).exists()
    assert "the output is a folder" in fails(DATA / "flags.csv", file, "--split", "0.1")
    bad = tmp_path / "bad.conll"
    bad.write_text("Anna B-PER\nsleeps\n\nHere O\n")
    assert "Line 2 of" in fails(bad, file)
    assert not file.exists()
    assert "has no language 'zz9'" in fails(DATA / "flags.csv", file, "--lang", "zz9")
    assert "a folder of its path is a file" in fails(DATA / "flags.csv", bad / "out.spacy")
    damaged = tmp_path / "damaged.spacy"
    run("rnn", "convert", DATA / "flags.csv", damaged)
    damaged.write_bytes(damaged.read_bytes()[:-20])
    assert f"{damaged} is damaged" in fails(damaged, file)
