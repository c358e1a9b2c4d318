"""Annotation of Dask's data frames."""

import pandas as pd
import pytest

from spacy_rnn.scale import Annotator

from ..helpers.scale import assert_predicted, make_texts

pytestmark = pytest.mark.scale
TEXTS = make_texts(300)


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_equal_to_one_process(scheduler, model):
    dask = pytest.importorskip("dask.dataframe", reason="needs dask[dataframe]")
    frame = pd.DataFrame({"id": range(len(TEXTS) + 1), "text": [*TEXTS, None]})
    parts = dask.from_pandas(frame, npartitions=4)
    found = parts.map_partitions(Annotator(str(model))).compute(scheduler=scheduler)
    *rows, bad = found.to_dict("records")
    assert_predicted(rows, model, TEXTS)
    assert bad["error"] == "The text is missing." and bad["tags"] is bad["cats"] is None
    assert list(found.columns) == list(rows[0])


def test_wrong_columns(model):
    dask = pytest.importorskip("dask.dataframe", reason="needs dask[dataframe]")
    parts = dask.from_pandas(pd.DataFrame({"body": ["a"]}), npartitions=1)
    with pytest.raises(ValueError, match="no column 'text', but 'body'"):
        parts.map_partitions(Annotator(str(model)))
