"""Files that are annotated block by block."""

import gzip
import json
import os
from errno import ENOSPC
from itertools import cycle

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spacy_rnn.scale import Annotator
from spacy_rnn.scale.job import Job

from ..helpers.pipelines import make_trained
from ..helpers.scale import assert_predicted, make_texts, rows_of, write_lines

#: texts, some with multi-byte characters and quotes
TEXTS = [*make_texts(40), 'œufs "verts"', "日本, a\tb"]


@pytest.fixture(scope="module")
def annotator(model):
    return Annotator(str(model), ["tags"])


def run(source, output, annotator, size=200):
    """Annotates in this process; returns the counts of each block."""
    job = Job(source, output, annotator, size)
    return [job.annotate(number) for number in job.missing()]


def table(texts=TEXTS):
    return pa.table({"id": range(len(texts)), "text": texts})


def write_parquet(path):
    pq.write_table(table(), path, row_group_size=7)


def write_saved(path):
    datasets.Dataset(table()).save_to_disk(path)


def write_compressed(path):
    write_lines(path.with_suffix(""), TEXTS)
    path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))
    path.with_suffix("").unlink()


WRITERS = {
    "a.jsonl": lambda path: write_lines(path, TEXTS),
    "a.parquet": write_parquet,
    "saved": write_saved,
    "a.jsonl.gz": write_compressed,
}


@pytest.mark.parametrize("size", [57, 200, 10**6])
@pytest.mark.parametrize("name", WRITERS)
def test_every_row_is_annotated_once(name, size, model, annotator, tmp_path):
    WRITERS[name](tmp_path / name)
    counts = run(tmp_path / name, tmp_path / "out", Annotator(str(model)), size)
    assert sum(each.rows for each in counts) == len(TEXTS) and not any(x.failed for x in counts)
    assert (len(counts) == 1) == (size > 10**5 or name.endswith(".gz"))
    rows = rows_of(tmp_path / "out")
    assert [row["text"] for row in rows] == TEXTS
    assert_predicted(rows, model, TEXTS)
    assert sum(each.words for each in counts) == sum(len(row["tokens"]) for row in rows)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
def test_lines_of_text(ends, mark, last, annotator, tmp_path):
    texts = ["", "a", *TEXTS[-4:], "", "œ"]
    (tmp_path / "a.txt").write_bytes((mark + ends.join(texts) + ends * last).encode())
    for size in (1, 10, 1000):
        run(tmp_path / "a.txt", tmp_path / str(size), annotator, size)
        assert [row["text"] for row in rows_of(tmp_path / str(size))] == texts


def test_values_in_tables_are_text(annotator, tmp_path):
    (tmp_path / "a.csv").write_text('n,text\n01,"A ""b"",\nc"\n,\n3\n4,d,e\n')
    (counts,) = run(tmp_path / "a.csv", tmp_path / "out", annotator)
    rows = rows_of(tmp_path / "out")
    assert [(row["n"], row["text"]) for row in rows] == [
        ("01", 'A "b",\nc'),
        ("", ""),
        ("3", None),
        ("4", "d"),
    ]
    assert counts.failed == 2 and rows[0]["error"] is rows[1]["error"] is None
    assert rows[2]["error"].endswith("a.csv has 1 fields, not 2: ['3']")
    assert rows[3]["error"].endswith("a.csv has 3 fields, not 2: ['4', 'd', 'e']")


def test_folders_and_their_order(annotator, tmp_path):
    (tmp_path / "in").mkdir()
    for name, text in (("b", "2"), ("a", "1"), ("c", "3")):
        (tmp_path / "in" / f"{name}.txt").write_text(text)
    (tmp_path / "in" / "README.md").touch()
    run(tmp_path / "in", tmp_path / "out", annotator)
    assert [row["text"] for row in rows_of(tmp_path / "out")] == ["1", "2", "3"]
    (tmp_path / "in" / "d.jsonl").touch()
    with pytest.raises(ValueError, match="but it has .jsonl, .txt"):
        run(tmp_path / "in", tmp_path / "other", annotator)


def write_json(path, *rows):
    path.write_text(
        "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
    )


def test_mixed_types_and_nulls(annotator, tmp_path):
    """Types are those of the first thousand rows. Later values that do not fit are in the error."""
    kept = {"n": 1, "x": 0.5, "ok": True, "list": [1], "mixed": 1}
    first = [{"text": "a", **kept, "mixed": value, "none": None} for value in (1, "b") * 500]
    later = [
        {"text": "a", **kept, "n": 2**70, "none": "now"},
        {"text": "b", **kept, "n": "2", "new": {"a": 1}},
        {"text": "c", "x": 2, "list": {"b": None}},
        {"text": "d", "ok": 1},
        {"text": 5},
        {"text": None, "n": 7},
        "[1]\n",
        "{bad\n",
        "\n",
    ]
    write_json(tmp_path / "a.jsonl", *first, *later)
    counts = run(tmp_path / "a.jsonl", tmp_path / "out", annotator, 10**6)
    rows = rows_of(tmp_path / "out")
    assert sum(each.rows for each in counts) == len(rows) == 1008
    assert sum(each.failed for each in counts) == 7
    assert rows[0] == {
        "text": "a",
        "n": 1,
        "x": 0.5,
        "ok": True,
        "list": "[1]",
        "mixed": "1",
        "none": None,
        "tags": rows[0]["tags"],
        "error": None,
    }
    assert rows[1]["mixed"] == '"b"'
    big, strings, missing, number, no_text, null, array, bad = rows[1000:]
    assert f"has {2**70} as 'n', which must be a int64" in big["error"] and big["none"] == "now"
    assert """has "2" as 'n'""" in strings["error"] and strings["tags"]
    assert """has {"a": 1} as 'new', which the first 1000 rows do not have""" in strings["error"]
    assert missing["error"] is None and missing["x"] == 2.0 and missing["list"] == '{"b": null}'
    assert "has 1 as 'ok', which must be a bool" in number["error"]
    assert "has 5 as 'text', which must be a string" in no_text["error"]
    assert null["error"] == "The text is missing." and null["n"] == 7
    assert array["error"].endswith("a.jsonl is not a JSON object: [1]")
    assert "is not valid JSON" in bad["error"] and bad["error"].endswith("The line: {bad")


def test_bytes_that_are_not_text(annotator, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"I\n\xff!\nham")
    run(tmp_path / "a.txt", tmp_path / "out", annotator)
    rows = rows_of(tmp_path / "out")
    assert [row["text"] for row in rows] == ["I", None, "ham"]
    assert "line at byte 2 of" in rows[1]["error"] and r"b'\xff!'" in rows[1]["error"]


def test_columns_and_types_of_other_sources_are_kept(annotator, tmp_path):
    nested = pa.table(
        {"text": ["a"], "deep": [{"x": [1, None]}], "day": pa.array([1], pa.date32())}
    )
    pq.write_table(nested, tmp_path / "a.parquet")
    run(tmp_path / "a.parquet", tmp_path / "out", annotator)
    (file,) = (tmp_path / "out").glob("*.parquet")
    assert pq.read_table(file).select(nested.column_names).equals(nested)


@pytest.mark.parametrize(
    "name, data, message",
    [
        ("no.jsonl", None, "does not exist. Check"),
        ("a.jsonl", '{"body": "a"}\n', "no column 'text', but 'body'. Choose"),
        ("a.jsonl", "", "no column 'text', but none. Choose"),
        ("a.txt", "", "has no rows"),
        ("a.csv", "text,n,n\na,b,c\n", r"\['n'\] more than once"),
        ("a.parquet", "no Parquet", "is damaged, or not a Parquet file"),
        ("a.spacy", "", "must be a file that ends in one of .parquet, .jsonl"),
        ("a.txt", "\ufeffa".encode("utf-16-le"), "Convert it to UTF-8"),
        ("a.jsonl", '{"text": "a", "error": 3}\n', "already is a column 'error'"),
    ],
)
def test_bad_input(name, data, message, annotator, tmp_path):
    if data is not None:
        (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(ValueError, match=message):
        Job(tmp_path / name, tmp_path / "out", annotator)
    assert not (tmp_path / "out").exists()


def test_files_with_other_columns(annotator, tmp_path):
    (tmp_path / "in").mkdir()
    for name, column in (("a", "text"), ("b", "body")):
        pq.write_table(pa.table({column: ["a"]}), tmp_path / "in" / f"{name}.parquet")
    with pytest.raises(ValueError, match=r"b.parquet has other columns than .*a.parquet: body"):
        Job(tmp_path / "in", tmp_path / "out", annotator)


def test_the_splits_of_a_dataset(annotator, tmp_path):
    datasets.DatasetDict(train=datasets.Dataset(table())).save_to_disk(tmp_path / "saved")
    with pytest.raises(ValueError, match="splits, train. Choose the folder"):
        Job(tmp_path / "saved", tmp_path / "out", annotator)
    run(tmp_path / "saved" / "train", tmp_path / "out", annotator)
    assert len(rows_of(tmp_path / "out")) == len(TEXTS)


# Interrupted jobs


def test_a_job_is_continued(model, annotator, tmp_path):
    source = write_lines(tmp_path / "a.jsonl", TEXTS)
    job = Job(source, tmp_path / "out", annotator, 200)
    blocks = job.missing()
    assert len(blocks) > 5
    done = [job.annotate(number) for number in blocks[:6:2]]
    (tmp_path / "out" / ".tmpabc.part-0000001.parquet").write_text("half")
    job = Job(source, tmp_path / "out", annotator, 200)
    assert job.missing() == sorted({*blocks} - {0, 2, 4})
    assert [x[:4] for x in job.done()] == [x[:4] for x in done]
    for number in job.missing():
        job.annotate(number)
    # A worker that was considered lost annotates its block after all.
    job.annotate(1)
    rows = rows_of(tmp_path / "out")
    assert [row["id"] for row in rows] == [*range(len(TEXTS))]
    assert not [path for path in (tmp_path / "out").iterdir() if "tmp" in path.name]


def test_a_folder_with_other_files(annotator, tmp_path):
    source = write_lines(tmp_path / "a.jsonl", TEXTS)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty, and has no manifest.json"):
        Job(source, tmp_path / "out", annotator)
    assert [*(tmp_path / "out").iterdir()] == [tmp_path / "out" / "mine.txt"]


def test_a_job_with_other_settings(model, annotator, tmp_path):
    source = write_lines(tmp_path / "a.jsonl", TEXTS)
    Job(source, tmp_path / "out", annotator)
    with pytest.raises(ValueError, match="another 'schema'"):
        Job(source, tmp_path / "out", Annotator(str(model), ["ents", "tags"]))
    with pytest.raises(ValueError, match="another 'block_size'"):
        Job(source, tmp_path / "out", annotator, 10)
    make_trained("rnn_tagger", steps=2).to_disk(tmp_path / "other")
    with pytest.raises(ValueError, match="another 'model'"):
        Job(source, tmp_path / "out", Annotator(str(tmp_path / "other"), ["tags"]))
    write_lines(source, TEXTS[1:])
    with pytest.raises(ValueError, match="another 'input'.*use the same settings, model and input"):
        Job(source, tmp_path / "out", annotator)


def test_another_model_on_a_worker(tmp_path, monkeypatch):
    make_trained("rnn_tagger").to_disk(tmp_path / "model")
    source = write_lines(tmp_path / "a.jsonl", TEXTS)
    annotator = Annotator(str(tmp_path / "model"))
    job = Job(source, tmp_path / "out", annotator)
    monkeypatch.setattr(annotator, "checksum", lambda: "0")
    with pytest.raises(ValueError, match="is another one than where the job was started"):
        job.annotate(0)
    assert job.missing() == [0]


@pytest.mark.parametrize("when", ["write_table", "close"])
def test_a_full_disk(when, annotator, tmp_path, monkeypatch):
    source = write_lines(tmp_path / "a.jsonl", TEXTS)
    job = Job(source, tmp_path / "out", annotator, 500)
    job.annotate(0)
    failing = cycle([OSError(ENOSPC, os.strerror(ENOSPC))])

    def fail(*args):
        raise next(failing)

    with monkeypatch.context() as patch:
        patch.setattr(pq.ParquetWriter, when, fail)
        with pytest.raises(OSError, match="No space left"):
            job.annotate(1)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["manifest.json", "part-0000000.parquet"]
    for number in job.missing():
        job.annotate(number)
    assert [row["id"] for row in rows_of(tmp_path / "out")] == [*range(len(TEXTS))]


def test_a_block_that_kills_its_processes(annotator, tmp_path):
    source = write_lines(tmp_path / "a.jsonl", TEXTS)
    job = Job(source, tmp_path / "out", annotator)
    for i in range(3):
        (tmp_path / "out" / f".tmp{i}.part-0000000.parquet").touch()
    with pytest.raises(RuntimeError, match="3 processes died .* use fewer processes or smaller"):
        job.annotate(0)
    # The job can be started again, for example with more memory.
    assert run(source, tmp_path / "out", annotator, 4 << 20)
