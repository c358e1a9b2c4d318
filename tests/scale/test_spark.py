"""Annotation of Spark's data frames."""

import os
import shutil
import sys

import pytest

from spacy_rnn.scale import spark_annotator

from ..helpers.scale import assert_predicted, make_texts

pytestmark = pytest.mark.scale
TEXTS = make_texts(300)


@pytest.fixture(scope="module")
def spark():
    reason = "needs Java, such as Debian's package default-jre-headless"
    if shutil.which("java") is None:
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    sql = pytest.importorskip("pyspark.sql", reason="needs the extra spark")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = builder.getOrCreate()
    yield session
    session.stop()


def test_equal_to_one_process(spark, model):
    frame = spark.createDataFrame(list(enumerate([*TEXTS, None])), "id: bigint, text: string")
    annotator = spark_annotator(str(model))
    found = frame.mapInPandas(annotator, annotator.schema(frame.schema)).collect()
    *rows, bad = sorted((row.asDict(recursive=True) for row in found), key=lambda row: row["id"])
    assert_predicted(rows, model, TEXTS)
    assert bad["error"] == "The text is missing." and bad["tags"] is bad["cats"] is None


def test_names_with_special_characters(spark, model):
    frame = spark.createDataFrame([("a b",)], "`my text` string")
    annotator = spark_annotator(str(model), ["ents"], "my text")
    (row,) = frame.mapInPandas(annotator, annotator.schema(frame.schema)).collect()
    assert row.asDict() == {"my text": "a b", "ents": row.ents, "error": None}


def test_wrong_columns(spark, model):
    frame = spark.createDataFrame([("a",)], "body string")
    with pytest.raises(ValueError, match="no column 'text', but 'body'"):
        spark_annotator(str(model)).schema(frame.schema)
    with pytest.raises(ValueError, match="does not predict 'lemmas'"):
        spark_annotator(str(model), ["lemmas"], "body").schema(frame.schema)


def test_a_model_that_does_not_load():
    with pytest.raises(ValueError, match="'nothing' can't be loaded on"):
        spark_annotator("nothing").schema(type("Schema", (), {"names": ["text"]})())
