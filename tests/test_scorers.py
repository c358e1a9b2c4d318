"""The scores of regressors are compared with worked examples and the formulas of Python's
statistics, those of translators with sacrebleu, and those of language models with worked examples.
"""

import logging
import math
import pickle
import statistics
import subprocess
import sys

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_rnn import scorers
from spacy_rnn.extensions import set_doc_extension, set_token_extension, sum_values
from spacy_rnn.scorers import (
    language_model_score,
    make_language_model_scorer,
    make_regression_scorer,
    make_translation_scorer,
    regression_score,
    translation_score,
)

VOCAB = Vocab()
METRICS = ("mae", "rmse", "pearson", "spearman")

some_numbers = st.floats(-9, 9).map(lambda number: round(number, 2))
#: predicted and gold values, many of them equal
some_pairs = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(-3, 3) | some_numbers), min_size=1, max_size=9
)


def make_example(predicted, gold, attr="regression"):
    """An example from two dicts of values; None leaves a value unset."""
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
    found = [scores[metric] for metric in METRICS]
    assert scores["regression_per_target"] == {"rating": dict(zip(METRICS, found, strict=True))}
    assert all(type(value) is float for value in found)
    return found


def correlation(x, y):
    try:
        return statistics.correlation(x, y)
    except statistics.StatisticsError:  # only one value, or all values of one side are equal
        return 0.0


def ranks(values):
    """One plus the number of smaller values, plus half the number of other equal values."""
    return [
        1 + sum(v < value for v in values) + (sum(v == value for v in values) - 1) / 2
        for value in values
    ]


@pytest.mark.parametrize(
    ("predicted", "gold", "expected"),
    [
        ([1, 2, 3], [1, 2, 3], [0, 0, 1, 1]),
        ([3, 2, 1], [1, 2, 3], [4 / 3, math.sqrt(8 / 3), -1, -1]),
        # 30 is the sum of products, 2 and 1400 / 3 are the sums of squares.
        ([10, 20, 40], [1, 2, 3], [64 / 3, math.sqrt(1774 / 3), 30 / math.sqrt(2800 / 3), 1]),
        ([1, 3, 2, 10], [1, 2, 3, 4], [2, math.sqrt(38 / 4), 13 / math.sqrt(5 * 50), 0.8]),
        # The ranks are 4, 1.5, 1.5, 3 and 1, 2.5, 2.5, 4.
        ([3, 1, 1, 2], [1, 2, 2, 4], [1.5, math.sqrt(10 / 4), -3 / math.sqrt(209), -1 / 3]),
    ],
)
def test_worked_values(predicted, gold, expected):
    assert score(predicted, gold) == pytest.approx(expected)


@given(some_pairs)
@settings(max_examples=80)
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
def test_constant_values_have_a_correlation_of_zero(predicted, gold, mae):
    scores = score(predicted, gold)
    assert scores[0] == pytest.approx(mae) and scores[2:] == [0.0, 0.0]


@pytest.mark.parametrize("gold", [None, {}, {"other": 5.0}])
def test_texts_without_a_gold_value_do_not_count(gold):
    known = [make_example({"rating": p}, {"rating": g}) for p, g in [(1, 2), (4, 3), (2, 2)]]
    expected = regression_score(known, labels=["rating"])
    examples = [*known, make_example({"rating": 100.0}, gold)]
    assert regression_score(examples, labels=["rating"]) == expected
    assert expected["mae"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("predicted", [None, {}, {"other": 5.0}])
def test_a_missing_prediction_counts_as_zero(predicted):
    examples = [make_example(predicted, {"rating": -3.0}), make_example(*[{"rating": 1.0}] * 2)]
    scores = regression_score(examples, labels=["rating"])
    assert scores["mae"] == 1.5
    assert scores["rmse"] == pytest.approx(math.sqrt(4.5))
    assert scores["pearson"] == scores["spearman"] == pytest.approx(1.0)


def test_each_target_is_scored_on_its_texts_and_targets_are_averaged():
    """Labels that are not requested and labels without gold values do not count."""
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
        assert scores[metric] == pytest.approx(mean)


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
    expected = dict.fromkeys(METRICS, None)
    assert scores == {**expected, "regression_per_target": {}}


def test_the_values_of_another_extension():
    examples = [make_example({"rating": 1.0}, {"rating": 4.0}, "stars")]
    assert regression_score(examples, attr="stars", labels=["rating"])["mae"] == 3.0
    set_doc_extension("regression")
    assert regression_score(examples, labels=["rating"])["mae"] is None


def test_the_registered_scorer_accepts_what_a_component_passes():
    """A component also passes its other settings, and the examples may be a generator."""
    examples = (make_example({"rating": p}, {"rating": 2.0}) for p in (1.0, 4.0))
    scorer = make_regression_scorer()
    scores = scorer(examples, attr="regression", labels=("rating",), attention_attr=None)
    assert scores["mae"] == 1.5


HYPOTHESES = ["Le chat dort sur le lit.", "Il a mangé deux pommes hier soir !", "Où est-elle ?"]
REFERENCES = ["Le chat dort dans le lit.", "Il mangea deux pommes hier soir !", "Où est-elle ?"]


def translations(predicted, gold, attr="translation"):
    """Examples from pairs of strings; None leaves a translation unset."""
    return [make_example(*pair, attr) for pair in zip(predicted, gold, strict=True)]


def test_scores_of_translations_are_those_of_sacrebleu():
    scores = translation_score(translations(HYPOTHESES, REFERENCES))
    bleu = sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES])
    chrf = sacrebleu.corpus_chrf(HYPOTHESES, [REFERENCES])
    assert scores == {
        "bleu": pytest.approx(bleu.score / 100, abs=1e-12),
        "chrf": pytest.approx(chrf.score / 100, abs=1e-12),
    }
    assert all(type(score) is float and 0.3 < score < 0.9 for score in scores.values())


def test_worked_value_of_bleu():
    """In the first text, 5 of 6 words, 4 of 5 bigrams, 3 of 4 trigrams and 2 of 3 4-grams are
    correct; the second text is 2 words too short."""
    examples = translations(["a b c d e x", "a b"], ["a b c d e f", "a b c d"])
    matched = (7 / 8) * (5 / 6) * (3 / 4) * (2 / 3)
    score = translation_score(examples)["bleu"]
    assert score == pytest.approx(math.exp(1 - 10 / 8) * matched ** (1 / 4))


def test_perfect_translations_score_one():
    scores = translation_score(translations(REFERENCES, REFERENCES))
    assert scores == {"bleu": 1.0, "chrf": 1.0}


@pytest.mark.parametrize("tokenize", ["intl", "char", "zh", "none"])
def test_words_are_found_by_the_given_tokenizer(tokenize):
    predicted, gold = ["我很喜欢吃苹果。", *HYPOTHESES], ["我喜欢吃红苹果。", *REFERENCES]
    scores = make_translation_scorer(tokenize)(translations(predicted, gold))
    expected = sacrebleu.corpus_bleu(predicted, [gold], tokenize=tokenize).score / 100
    assert scores["bleu"] == pytest.approx(expected)
    assert scores != translation_score(translations(predicted, gold))


def test_an_unknown_tokenizer_is_an_error():
    with pytest.raises(ValueError, match="'tokenize' must be one of .*'13a'.*, got 'french'"):
        make_translation_scorer("french")
    with pytest.raises(ValueError, match="'tokenize' must be"):
        translation_score([], tokenize="french")


@pytest.mark.parametrize("gold", [None, ""])
def test_texts_without_a_gold_translation_do_not_count(gold):
    examples = translations([*HYPOTHESES, "Quoi ?"], [*REFERENCES, gold])
    assert translation_score(examples) == translation_score(translations(HYPOTHESES, REFERENCES))


@pytest.mark.parametrize("predicted", [None, ""])
def test_a_missing_translation_is_an_empty_one(predicted):
    scores = translation_score(translations([predicted, *HYPOTHESES[1:]], REFERENCES))
    expected = sacrebleu.corpus_bleu(["", *HYPOTHESES[1:]], [REFERENCES]).score / 100
    assert scores["bleu"] == pytest.approx(expected)
    nothing = translation_score(translations([predicted] * 3, REFERENCES))
    assert nothing == {"bleu": 0.0, "chrf": 0.0}


@pytest.mark.parametrize("pairs", [[], [("Quoi ?", None)]])
def test_without_gold_translations_there_are_no_scores(pairs):
    scores = translation_score([make_example(*pair, "translation") for pair in pairs])
    assert scores == {"bleu": None, "chrf": None}


def test_the_translations_of_another_extension():
    examples = translations(REFERENCES, REFERENCES, "french")
    assert translation_score(examples, attr="french")["bleu"] == 1.0
    assert translation_score(examples)["bleu"] is None


def test_signatures_are_logged_once(caplog):
    scorers._log_signature.cache_clear()
    caplog.set_level(logging.INFO, "spacy_rnn")
    for tokenize in ("13a", "13a", "char"):
        make_translation_scorer(tokenize)(translations(HYPOTHESES, REFERENCES))
    logged = [record.getMessage() for record in caplog.records]
    assert len(logged) == 3
    assert "bleu: nrefs:1|case:mixed|eff:no|tok:13a|" in logged[0]
    assert "chrf: nrefs:1|" in logged[1] and "|nc:6|nw:0|" in logged[1]
    assert "|tok:char|" in logged[2]


def test_the_registered_translation_scorer_accepts_what_a_component_passes():
    """A component also passes other settings; examples are an iterator, and the scorer a copy."""
    scorer = pickle.loads(pickle.dumps(make_translation_scorer("char")))
    scores = scorer(iter(translations(HYPOTHESES, REFERENCES)), attr="translation", labels=())
    expected = sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES], tokenize="char").score / 100
    assert scores["bleu"] == pytest.approx(expected)


@pytest.mark.slow
def test_the_default_translation_scorer_is_made_without_sacrebleu():
    code = (
        "import sys; from spacy_rnn.scorers import make_translation_scorer as make; make(); "
        "print('sacrebleu' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def predicted(*texts, attr="log_probability"):
    """Examples from words and the probabilities of each token and of the end."""
    set_token_extension(attr, sum_values, n_ends=1)
    examples = []
    for words, probabilities in texts:
        docs = [Doc(VOCAB, words=words, spaces=[False] * len(words)) for _ in range(2)]
        if probabilities is not None:
            docs[0]._.set(attr, [math.log(p) for p in probabilities])
        examples.append(Example(*docs))
    return examples


@pytest.mark.parametrize(
    ("texts", "probability", "bits", "saved"),
    [
        # sqrt(1/4 * 1/9) = 1/6
        ([(["abcd"], [1 / 4, 1 / 9])], 1 / 6, math.log2(36) / 4, 1 - math.log2(36) / 32),
        ([(["ab", "c"], [1 / 2, 1 / 8, 1 / 4])], 1 / 4, 6 / 3, 1 - 6 / 24),
        # All texts together, not a mean over texts: 2 + 3 + 3 bits, 5 tokens, 3 characters.
        (
            [(["a"], [1 / 2, 1 / 2]), (["b", "c"], [1 / 8, 1 / 4, 1 / 2])],
            2 ** (-8 / 5),
            8 / 3,
            2 / 3,
        ),
        # An empty text has an end, but no characters.
        ([([], [1 / 4])], 1 / 4, 2.0, 0.75),
        ([([], [1 / 4]), (["a"], [1.0, 1.0])], (1 / 4) ** (1 / 3), 2.0, 0.75),
        ([(["sure"], [1.0, 1.0])], 1.0, 0.0, 1.0),
        # Two characters of three bytes each: 6 of 48 bits.
        ([(["你好"], [1 / 16, 1 / 4])], 1 / 8, 3.0, 1 - 6 / 48),
    ],
)
def test_worked_values_of_a_language_model(texts, probability, bits, saved):
    scores = language_model_score(predicted(*texts))
    assert scores == {
        "ppl": pytest.approx(1 / probability),
        "bpc": pytest.approx(bits),
        "lm_score": pytest.approx(saved),
    }
    assert all(type(score) is float for score in scores.values())


def test_texts_that_were_not_read_do_not_count():
    read = [(["ab"], [1 / 4, 1 / 9]), (["c"], [1 / 2, 1 / 8])]
    scores = language_model_score(predicted(*read))
    assert language_model_score(predicted(read[0], (["xyz"], None), read[1])) == scores


@pytest.mark.parametrize("texts", [[], [(["a"], None)], [(["a"], None), ([], None)]])
def test_without_log_probabilities_there_are_no_scores(texts):
    scores = language_model_score(predicted(*texts))
    assert scores == dict.fromkeys(("ppl", "bpc", "lm_score"))


def test_very_improbable_texts_have_finite_scores():
    (example,) = predicted((["a"], [1.0, 1.0]))
    example.predicted._.log_probability = [-1e4, -1e4]
    scores = language_model_score([example])
    assert scores["ppl"] == pytest.approx(math.exp(700))
    assert scores["bpc"] == pytest.approx(2e4 / math.log(2))
    assert scores["lm_score"] == pytest.approx(1 - 2e4 / math.log(2) / 8)


def test_the_registered_scorer_of_language_models_accepts_what_a_component_passes():
    """A component also passes its other settings, and the examples may be an iterator."""
    examples = predicted((["ab"], [1 / 4, 1 / 9]), attr="log_p")
    scorer = pickle.loads(pickle.dumps(make_language_model_scorer()))
    scores = scorer(iter(examples), attr="log_p", perplexity_attr="perplexity", labels=(), window=7)
    assert scores["ppl"] == pytest.approx(6.0)
    assert language_model_score(examples)["ppl"] is None
