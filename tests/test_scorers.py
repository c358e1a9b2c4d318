"""The scores of regressors against worked values and the formulas of Python's own statistics."""

import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_rnn.pipeline.base import set_doc_extension
from spacy_rnn.scorers import make_regression_scorer, regression_score

VOCAB = Vocab()
METRICS = ("mae", "rmse", "pearson", "spearman")

some_numbers = st.floats(-9, 9).map(lambda number: round(number, 2))
#: predicted and gold values, many of them equal
some_pairs = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(-3, 3) | some_numbers), min_size=1, max_size=9
)


def make_example(predicted, gold, attr="regression"):
    """An example from two dicts of values, or None where nothing is set."""
    set_doc_extension(attr)
    docs = [Doc(VOCAB, words=["fine"]) for _ in range(2)]
    for doc, values in zip(docs, (predicted, gold), strict=True):
        if values is not None:
            doc._.set(attr, values)
    return Example(*docs)


def score(predicted, gold):
    """The four scores of one target, from its values."""
    pairs = zip(predicted, gold, strict=True)
    examples = [make_example({"rating": p}, {"rating": g}) for p, g in pairs]
    scores = regression_score(examples, labels=["rating"])
    found = [scores[f"regression_{metric}"] for metric in METRICS]
    assert scores["regression_per_target"] == {"rating": dict(zip(METRICS, found, strict=True))}
    assert all(type(value) is float for value in found)
    return found


def correlation(x, y):
    try:
        return statistics.correlation(x, y)
    except statistics.StatisticsError:  # one value, or all of one side equal
        return 0.0


def ranks(values):
    """One more than there are smaller values, and half the others that are equal."""
    return [
        1 + sum(v < value for v in values) + (sum(v == value for v in values) - 1) / 2
        for value in values
    ]


@pytest.mark.parametrize(
    ("predicted", "gold", "expected"),
    [
        ([1, 2, 3], [1, 2, 3], [0, 0, 1, 1]),
        ([3, 2, 1], [1, 2, 3], [4 / 3, math.sqrt(8 / 3), -1, -1]),
        # 30 is the sum of products, 2 and 1400 / 3 those of squares.
        ([10, 20, 40], [1, 2, 3], [64 / 3, math.sqrt(1774 / 3), 30 / math.sqrt(2800 / 3), 1]),
        ([1, 3, 2, 10], [1, 2, 3, 4], [2, math.sqrt(38 / 4), 13 / math.sqrt(5 * 50), 0.8]),
        # Ranks of 4, 1.5, 1.5, 3 and of 1, 2.5, 2.5, 4.
        ([3, 1, 1, 2], [1, 2, 2, 4], [1.5, math.sqrt(10 / 4), -3 / math.sqrt(209), -1 / 3]),
    ],
)
def test_worked_values(predicted, gold, expected):
    assert score(predicted, gold) == pytest.approx(expected)


@given(some_pairs)
@settings(deadline=None, max_examples=80)
def test_formulas(pairs):
    predicted, gold = map(list, zip(*pairs, strict=True))
    errors = [abs(p - g) for p, g in pairs]
    expected = [
        statistics.fmean(errors),
        math.sqrt(statistics.fmean(error**2 for error in errors)),
        correlation(predicted, gold),
        correlation(ranks(predicted), ranks(gold)),
    ]
    assert score(predicted, gold) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_correlations_are_those_of_scipy():
    predicted, gold = [3, 1, 1, 2, 2.5, -1], [1, 2, 2, 4, -0.5, 2]
    expected = [stats.pearsonr(predicted, gold)[0], stats.spearmanr(predicted, gold)[0]]
    assert score(predicted, gold)[2:] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("predicted", "gold", "mae"),
    [
        ([2, 2, 2], [1, 2, 3], 2 / 3),
        ([1, 2, 3], [0.1, 0.1, 0.1], 1.9),
        ([0.3, 0.3], [0.3, 0.3], 0.0),
        ([5], [3], 2.0),
    ],
)
def test_a_constant_side_has_a_correlation_of_zero(predicted, gold, mae):
    scores = score(predicted, gold)
    assert scores[0] == pytest.approx(mae) and scores[2:] == [0.0, 0.0]


@pytest.mark.parametrize("gold", [None, {}, {"other": 5.0}])
def test_texts_without_a_gold_value_do_not_count(gold):
    known = [make_example({"rating": p}, {"rating": g}) for p, g in [(1, 2), (4, 3), (2, 2)]]
    expected = regression_score(known, labels=["rating"])
    examples = [*known, make_example({"rating": 100.0}, gold)]
    assert regression_score(examples, labels=["rating"]) == expected
    assert expected["regression_mae"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("predicted", [None, {}, {"other": 5.0}])
def test_a_missing_prediction_is_an_error_of_the_gold_values_size(predicted):
    examples = [make_example(predicted, {"rating": -3.0}), make_example(*[{"rating": 1.0}] * 2)]
    scores = regression_score(examples, labels=["rating"])
    assert scores["regression_mae"] == 1.5
    assert scores["regression_rmse"] == pytest.approx(math.sqrt(4.5))
    assert scores["regression_pearson"] == scores["regression_spearman"] == pytest.approx(1.0)


def test_targets_are_averaged_and_each_counts_its_own_texts():
    """Labels that are not asked for do not count, those without gold values neither."""
    examples = [
        make_example({"a": 1.0, "b": 2.0, "x": 9.0}, {"a": 2.0, "b": 2.0, "x": 0.0}),
        make_example({"a": 3.0, "b": 4.0}, {"a": 1.0}),
        make_example({"b": 1.0, "none": 1.0}, {"b": 4.0}),
    ]
    scores = regression_score(examples, labels=["a", "b", "none"])
    expected = {
        "a": {"mae": 1.5, "rmse": math.sqrt(2.5), "pearson": -1.0, "spearman": -1.0},
        "b": {"mae": 1.5, "rmse": math.sqrt(4.5), "pearson": -1.0, "spearman": -1.0},
    }
    assert scores["regression_per_target"] == {
        label: pytest.approx(values) for label, values in expected.items()
    }
    for metric in METRICS:
        mean = (expected["a"][metric] + expected["b"][metric]) / 2
        assert scores[f"regression_{metric}"] == pytest.approx(mean)


@pytest.mark.parametrize(
    ("examples", "labels"),
    [
        ([], ["rating"]),
        ([({"rating": 1.0}, None), ({"rating": 1.0}, {})], ["rating"]),
        ([({"rating": 1.0}, {"rating": 2.0})], []),
    ],
)
def test_without_gold_values_there_are_no_scores(examples, labels):
    scores = regression_score([make_example(*pair) for pair in examples], labels=labels)
    expected = dict.fromkeys((f"regression_{metric}" for metric in METRICS), None)
    assert scores == {**expected, "regression_per_target": {}}


def test_the_values_of_another_extension():
    examples = [make_example({"rating": 1.0}, {"rating": 4.0}, "stars")]
    assert regression_score(examples, attr="stars", labels=["rating"])["regression_mae"] == 3.0
    set_doc_extension("regression")
    assert regression_score(examples, labels=["rating"])["regression_mae"] is None


def test_the_registered_scorer_takes_what_a_component_gives():
    """Its settings beside the attr and the labels, and examples that come once."""
    examples = (make_example({"rating": p}, {"rating": 2.0}) for p in (1.0, 4.0))
    scorer = make_regression_scorer()
    scores = scorer(examples, attr="regression", labels=("rating",), attention_attr=None)
    assert scores["regression_mae"] == 1.5
