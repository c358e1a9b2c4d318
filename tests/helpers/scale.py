"""Tables of texts to annotate, and the expected results."""

import json
from pathlib import Path

import pyarrow.dataset
import pytest
import spacy

from spacy_rnn.pipeline.predictions import as_json, predictions_of

from .pipelines import SENTENCES, make_trained

WORDS = [word for words, *_ in SENTENCES for word in words.split()]


def save_model(folder, *factories):
    """A trained pipeline with these components."""
    first, *others = factories or ("rnn_tagger", "rnn_ner", "rnn_textcat")
    nlp = make_trained(first)
    for factory in others:
        nlp.add_pipe(factory, source=make_trained(factory))
    nlp.to_disk(folder)
    return folder


def make_texts(n):
    """Different texts of 0 to 11 words."""
    return [" ".join(WORDS[(i * j) % len(WORDS)] for j in range(i % 12)) for i in range(n)]


def write_lines(path, texts):
    """JSON lines with an id and a text."""
    rows = ({"id": i, "text": text} for i, text in enumerate(texts))
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf8")
    return path


def predicted(model, texts):
    """The predictions of one process, as `spacy rnn apply` writes them."""
    nlp = spacy.load(model)
    return [json.loads(line) for line in as_json(nlp.pipe(texts), predictions_of(nlp))]


def rows_of(folder):
    """The rows of all Parquet files of a folder."""
    files = sorted(map(str, Path(folder).glob("*.parquet")))
    return pyarrow.dataset.dataset(files, format="parquet").to_table().to_pylist()


def assert_same(found, expected):
    """Check that values are equal, except for the rounding of numbers."""
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for name, value in expected.items():
            assert_same(found[name], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for pair in zip(found, expected, strict=True):
            assert_same(*pair)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)
    else:
        assert found == expected


def assert_predicted(rows, model, texts):
    """Check that the rows have every text once, with the predictions of one process and without
    errors."""
    rows = sorted(rows, key=lambda row: row["id"])
    assert [row["id"] for row in rows] == list(range(len(texts)))
    for i, (row, record) in enumerate(zip(rows, predicted(model, texts), strict=True)):
        assert_same(row, {"id": i, **record, "error": None})
