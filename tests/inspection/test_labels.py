"""How annotation is distributed."""

import pytest

from spacy_rnn.inspection.labels import Counts, Labels, Numbers, Spread, targets


def test_labels_by_hand():
    train = [{"tag": ["DT", "NN"]}, {"tag": ["NN"]}, {}, {"tag": []}]
    dev = [{"tag": ["NN", "VB", "VB"]}]
    (found,) = targets(train, dev, {"tag": ["DT", "NN", "XX"]}).values()
    assert found == Labels(
        train=Counts(documents=3, counts={"NN": 2, "DT": 1, "XX": 0}, per_document=1.0),
        dev=Counts(documents=1, counts={"VB": 2, "NN": 1, "DT": 0, "XX": 0}, per_document=3.0),
        unseen=["VB"],
    )


def test_several_targets():
    train = [{"tag": ["DT"], "pos": ["DET"]}, {"pos": ["NOUN"]}]
    found = targets(train, [], {})
    assert list(found) == ["tag", "pos"]
    assert found["pos"].train.counts == {"DET": 1, "NOUN": 1}
    assert found["pos"].dev == Counts(0, {}, 0.0)


def test_numbers_by_hand():
    found = targets([{"age": [1.0]}, {"age": [4]}, {}], [{"size": [2.0]}], {})
    assert found["age"] == Numbers(Spread(2, 2.5, 1.5, 1.0, 4.0), None)
    assert found["size"] == Numbers(None, Spread(1, 2.0, 0.0, 2.0, 2.0))


@pytest.mark.parametrize("known", [{}, {"text": ["A"]}])
def test_without_annotation(known):
    found = targets([{}], [{}], known)
    assert list(found) == list(known)
    assert all(target.train.documents == 0 for target in found.values())
