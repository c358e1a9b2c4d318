"""The distribution of annotation."""

import pytest

from spacy_rnn.inspection.labels import (
    LabelCounts,
    LabelTarget,
    NumberStats,
    NumberTarget,
    describe_targets,
)


def test_labels_by_hand():
    train = [{"tag": ["DT", "NN"]}, {"tag": ["NN"]}, {}, {"tag": []}]
    dev = [{"tag": ["NN", "VB", "VB"]}]
    (found,) = describe_targets(train, dev, {"tag": ["DT", "NN", "XX"]}).values()
    assert found == LabelTarget(
        train=LabelCounts(documents=3, counts={"NN": 2, "DT": 1, "XX": 0}, per_document=1.0),
        dev=LabelCounts(documents=1, counts={"VB": 2, "NN": 1, "DT": 0, "XX": 0}, per_document=3.0),
        unseen=["VB"],
    )


def test_several_targets():
    train = [{"tag": ["DT"], "pos": ["DET"]}, {"pos": ["NOUN"]}]
    found = describe_targets(train, [], {})
    assert list(found) == ["tag", "pos"]
    assert found["pos"].train.counts == {"DET": 1, "NOUN": 1}
    assert found["pos"].dev == LabelCounts(0, {}, 0.0)


def test_numbers_by_hand():
    found = describe_targets([{"age": [1.0]}, {"age": [4]}, {}], [{"size": [2.0]}], {})
    assert found["age"] == NumberTarget(NumberStats(2, 2.5, 1.5, 1.0, 4.0), None)
    assert found["size"] == NumberTarget(None, NumberStats(1, 2.0, 0.0, 2.0, 2.0))


@pytest.mark.parametrize("known", [{}, {"text": ["A"]}])
def test_without_annotation(known):
    found = describe_targets([{}], [{}], known)
    assert list(found) == list(known)
    assert all(target.train.documents == 0 for target in found.values())
