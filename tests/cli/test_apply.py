"""python -m spacy rnn apply."""

import gzip
import json
import lzma
from errno import ENOSPC

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_rnn.cli.annotate import BATCHES_PER_ZONE, annotate

from ..helpers.cli import run, shown
from ..helpers.kinds import KINDS
from ..helpers.pipelines import SENTENCES, make_trained

#: with an empty text, quotes, and letters that are not ASCII
TEXTS = [SENTENCES[0][0], "", SENTENCES[1][0], 'œufs "verts"']
#: the keys of each component in JSON, besides the text
NAMES = {
    "rnn_tagger": ["tokens", "tags"],
    "rnn_ner": ["ents"],
    "rnn_textcat": ["cats"],
    "rnn_textcat_multilabel": ["cats"],
    "rnn_regressor": ["regression"],
    "rnn_translator": ["translation"],
    "rnn_lm": ["perplexity"],
}
#: the columns of a table, for components whose predictions can be in one
COLUMNS = {
    "rnn_textcat": ["label", "probability"],
    "rnn_textcat_multilabel": ["labels"],
    "rnn_regressor": ["rating"],
    "rnn_translator": ["translation"],
    "rnn_lm": ["perplexity"],
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with a trained pipeline for each component."""
    folder = tmp_path_factory.mktemp("models")
    for factory in KINDS:
        settings = {"confidence_attr": "confidence"} if factory == "rnn_ner" else {}
        make_trained(factory, **settings).to_disk(folder / factory)
    return folder


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("\r\n".join(TEXTS) + "\n", encoding="utf8")
    return path


def apply(models, factory, texts, output, *options, **expected):
    return shown(run("rnn", "apply", models / factory, texts, "-o", output, *options, **expected))


def read(path):
    return path.read_text(encoding="utf8").splitlines()


def expected_docs(models, factory):
    return list(spacy.load(models / factory).pipe(TEXTS))


@pytest.mark.parametrize("factory", KINDS)
def test_json_has_all_predictions_line_by_line(factory, models, lines, tmp_path):
    printed = apply(models, factory, lines, tmp_path / "new" / "out.jsonl")
    assert "Wrote" in printed
    records = [json.loads(line) for line in read(tmp_path / "new" / "out.jsonl")]
    assert [record["text"] for record in records] == TEXTS
    for record, doc in zip(records, expected_docs(models, factory), strict=True):
        assert list(record) == ["text", *NAMES[factory]]
        values = {
            "tokens": [token.text for token in doc],
            "tags": [token.tag_ for token in doc],
            "ents": [
                {
                    "start": ent.start_char,
                    "end": ent.end_char,
                    "label": ent.label_,
                    "text": ent.text,
                    "confidence": ent._.confidence,
                }
                for ent in doc.ents
                if factory == "rnn_ner"
            ],
            "cats": doc.cats,
        }
        for name in NAMES[factory]:
            expected = values[name] if name in values else doc._.get(name)
            assert record[name] == expected, name


@pytest.mark.parametrize("factory", KINDS)
def test_tables_have_predictions_of_whole_texts(factory, models, lines, tmp_path):
    output = tmp_path / "out.tsv"
    if factory not in COLUMNS:
        printed = apply(models, factory, lines, output, code=1)
        assert ".jsonl" in printed and NAMES[factory][-1] in printed and not output.exists()
        return
    apply(models, factory, lines, output)
    header, *rows = [line.split("\t") for line in read(output)]
    assert header == ["text", *COLUMNS[factory]] and [row[0] for row in rows] == TEXTS
    for row, doc in zip(rows, expected_docs(models, factory), strict=True):
        if factory == "rnn_textcat":
            best = max(doc.cats, key=doc.cats.get)
            assert row[1] == best and float(row[2]) == pytest.approx(doc.cats[best], rel=1e-5)
        elif factory == "rnn_textcat_multilabel":
            assert row[1] == "|".join(label for label, p in doc.cats.items() if p >= 0.5)
        elif factory == "rnn_translator":
            assert row[1] == doc._.translation
        else:
            value = doc._.regression["rating"] if "regress" in factory else doc._.perplexity
            assert float(row[1]) == pytest.approx(value, rel=1e-5)


def test_table_of_texts_with_tabs_and_line_ends(models, tmp_path):
    (tmp_path / "in.jsonl").write_text(json.dumps({"text": "I\tlike\r\neggs"}))
    apply(models, "rnn_textcat", tmp_path / "in.jsonl", tmp_path / "out.tsv")
    assert [line.split("\t")[0] for line in read(tmp_path / "out.tsv")] == ["text", "I like eggs"]


def test_translations_as_lines(models, lines, tmp_path):
    apply(models, "rnn_translator", lines, tmp_path / "out.txt")
    expected = [doc._.translation for doc in expected_docs(models, "rnn_translator")]
    assert read(tmp_path / "out.txt") == expected and expected[:2] == ["J'aime les œufs verts", ""]
    printed = apply(models, "rnn_ner", lines, tmp_path / "ents.txt", code=1)
    assert "predicts ents. Write a .jsonl file." in printed
    printed = apply(models, "rnn_textcat", lines, tmp_path / "cats.txt", code=1)
    assert ".jsonl file, or a .tsv file" in printed


def test_docs_keep_extensions(models, lines, tmp_path):
    apply(models, "rnn_regressor", lines, tmp_path / "out.spacy")
    vocab = spacy.blank("xx").vocab
    docs = list(DocBin().from_disk(tmp_path / "out.spacy").get_docs(vocab))
    expected = expected_docs(models, "rnn_regressor")
    assert [doc._.regression for doc in docs] == [doc._.regression for doc in expected]


def test_standard_input_and_output(models, lines, tmp_path):
    data = lines.read_bytes()
    printed = run("rnn", "apply", models / "rnn_translator", "-", "-o", "-", stdin=data)
    apply(models, "rnn_translator", lines, tmp_path / "out.txt")
    assert printed == (tmp_path / "out.txt").read_text(encoding="utf8")
    printed = run("rnn", "apply", models / "rnn_ner", "-", "-o", "-", stdin=data)
    apply(models, "rnn_ner", lines, tmp_path / "out.jsonl")
    assert printed == (tmp_path / "out.jsonl").read_text(encoding="utf8")
    printed = run("rnn", "apply", models / "rnn_ner", "-", "-o", "-", stdin=b"a\n\xff\n", code=1)
    assert "Line 2 of standard input is not UTF-8" in shown(printed)


def test_compressed_lines_tables_and_json(models, lines, tmp_path):
    files = {
        "a.txt.gz": gzip.compress(lines.read_bytes()),
        "a.txt.xz": lzma.compress(lines.read_bytes()),
        "a.csv": "id,sentence\n" + "".join(f'{i},"{t}"\n' for i, t in enumerate(TEXTS[:3])),
        "a.tsv.gz": gzip.compress(
            "".join(f"{text}\t{i}\n" for i, text in enumerate(["sentence", *TEXTS])).encode()
        ),
        "b.tsv": "".join(f"{i}\t{text}\n" for i, text in enumerate(TEXTS)),
        "a.jsonl": "".join(json.dumps({"sentence": text}) + "\n" for text in TEXTS),
    }
    apply(models, "rnn_textcat", lines, tmp_path / "expected.jsonl")
    expected = read(tmp_path / "expected.jsonl")
    for name, data in files.items():
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        column = "1" if name == "b.tsv" else "sentence"
        column = () if ".txt" in name else ("--text-column", column)
        apply(models, "rnn_textcat", path, tmp_path / "out.jsonl", *column)
        found = read(tmp_path / "out.jsonl")
        assert found == expected[: len(found)] and len(found) in (3, 4), name


@pytest.mark.parametrize(
    "name, contents, message",
    [
        ("a.csv", "id,sentence\n1,a\n", "'text', but 'id', 'sentence'. Choose"),
        ("a.tsv", "text\tid\na\t1\nb\n", "Line 3 of"),
        ("a.jsonl", '{"text": "a"}\n{"body": "b"}\n', "has no 'text', but 'body'. Choose"),
        ("a.jsonl", '{"text": 3}\n', "has 3 as 'text', which must be a string"),
        ("a.jsonl", "[1]\n", "has no 'text', but nothing"),
        ("a.spacy", "", "Use 'spacy apply'"),
        ("a.parquet", "PAR1", "is not a text file. Use 'spacy rnn apply-ray' for Parquet"),
        ("a.conll", "EU B-ORG", "has annotated tokens, not texts. Convert it with"),
        ("a.txt", b"I like eggs\n\xff\n", "Line 2 of"),
    ],
)
def test_bad_input_keeps_the_old_output(name, contents, message, models, tmp_path):
    data = contents if isinstance(contents, bytes) else contents.encode()
    (tmp_path / name).write_bytes(data)
    output = tmp_path / "out" / "out.jsonl"
    output.parent.mkdir()
    output.write_text("old")
    assert message in apply(models, "rnn_textcat", tmp_path / name, output, code=1)
    assert output.read_text() == "old" and [*output.parent.iterdir()] == [output]


def test_tables_as_written_by_excel(models, tmp_path):
    """Tables with semicolons, in the Western European encoding."""
    texts = ["œufs", "verts; été", 'a "b"']
    rows = [f'{i};"{text}"\r\n' for i, text in enumerate(["text", texts[0], texts[1], 'a ""b""'])]
    (tmp_path / "in.csv").write_bytes("".join(rows).encode("cp1252"))
    (tmp_path / "out.jsonl").touch()
    arguments = (models, "rnn_textcat", tmp_path / "in.csv", tmp_path / "out.jsonl")
    assert "--encoding cp1252" in apply(*arguments, code=1)
    for delimiter in ((), ("--delimiter", ";")):
        apply(*arguments, "--encoding", "cp1252", *delimiter)
        assert [json.loads(line)["text"] for line in read(tmp_path / "out.jsonl")] == texts
    (tmp_path / "in.csv").write_text('text\tn\n"a"\t1\n', encoding="utf-16")
    apply(*arguments, "--delimiter", "\\t", "--no-quotes")
    assert [json.loads(line)["text"] for line in read(tmp_path / "out.jsonl")] == ['"a"']
    (tmp_path / "in.csv").write_text("")
    assert "in.csv is empty" in apply(*arguments, code=1)
    data = "œufs\n".encode("cp1252")
    options = ("rnn", "apply", models / "rnn_textcat", "-", "-o", "-")
    assert "--encoding cp1252" in shown(run(*options, stdin=data, code=1))
    assert '"œufs"' in run(*options, "--encoding", "cp1252", stdin=data)


def test_names_with_spaces_and_nested_keys(models, tmp_path):
    output = tmp_path / "out.jsonl"
    (tmp_path / "in.csv").write_text("id, text\n1,a\n")
    apply(models, "rnn_textcat", tmp_path / "in.csv", output)
    (tmp_path / "in.jsonl").write_text('{"data": {"body": "b"}}\n')
    texts = [json.loads(line)["text"] for line in read(output)]
    apply(models, "rnn_textcat", tmp_path / "in.jsonl", output, "--text-column", "data.body")
    assert [*texts, *(json.loads(line)["text"] for line in read(output))] == ["a", "b"]


def test_a_full_disk_keeps_the_old_output(models, lines, tmp_path, monkeypatch):
    def to_disk(self, path):
        path.write_bytes(b"half")
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr(DocBin, "to_disk", to_disk)
    output = tmp_path / "out" / "out.spacy"
    output.parent.mkdir()
    output.write_text("old")
    printed = apply(models, "rnn_textcat", lines, output, code=1)
    assert f"No space left on device: '{output}'" in printed
    assert output.read_text() == "old" and [*output.parent.iterdir()] == [output]


def test_unknown_endings_and_models(models, lines, tmp_path):
    printed = apply(models, "rnn_textcat", lines, tmp_path / "out.csv", code=1)
    assert "does not end in one of .jsonl, .tsv, .txt, .spacy" in printed
    printed = apply(models, "nothing", lines, tmp_path / "out.jsonl", code=1)
    assert "Can't find model" in printed
    printed = apply(models, "rnn_ner", tmp_path / "no.txt", tmp_path / "out.jsonl", code=1)
    assert "No such file" in printed


def test_several_components(models, lines, tmp_path):
    nlp = make_trained("rnn_tagger")
    for factory in ("rnn_ner", "rnn_textcat"):
        nlp.add_pipe(factory, source=make_trained(factory))
    nlp.to_disk(tmp_path / "all")
    apply(tmp_path, "all", lines, tmp_path / "out.jsonl")
    record = json.loads(read(tmp_path / "out.jsonl")[0])
    assert list(record) == ["text", "tokens", "tags", "ents", "cats"]
    apply(tmp_path, "all", lines, tmp_path / "out.tsv")
    assert read(tmp_path / "out.tsv")[0] == "text\tlabel\tprobability"
    nlp.add_pipe("rnn_textcat", "again", source=make_trained("rnn_textcat"))
    nlp.to_disk(tmp_path / "twice")
    printed = apply(tmp_path, "twice", lines, tmp_path / "out.tsv", code=1)
    assert "Several columns have the name 'label'. Write a .jsonl file." in printed


def test_batches_and_processes_change_nothing(models, lines, tmp_path):
    apply(models, "rnn_tagger", lines, tmp_path / "expected.jsonl")
    for options in (("--batch-size", 1), ("--n-process", 2, "--batch-size", 2)):
        apply(models, "rnn_tagger", lines, tmp_path / "out.jsonl", *options)
        assert read(tmp_path / "out.jsonl") == read(tmp_path / "expected.jsonl")


def test_memory_does_not_grow_with_the_texts():
    nlp = make_trained("rnn_tagger", steps=1)
    next(annotate(nlp, ["warm up"], 1))
    n_strings, n_read = len(nlp.vocab.strings), 0

    def texts():
        nonlocal n_read
        for n_read in range(1, 1001):
            yield f"word{n_read} other{n_read}"

    for n_written, doc in enumerate(annotate(nlp, texts(), batch_size=4), start=1):
        assert doc[0].text == f"word{n_written}"
        assert n_read <= n_written + 4
        assert len(nlp.vocab.strings) <= n_strings + 4 * BATCHES_PER_ZONE * 10
    assert n_written == 1000
    assert len(nlp.vocab.strings) == n_strings
