"""Teacher forcing, scheduled sampling and the fast scores of the translator's training."""

import copy
import itertools
import math
import pickle

import pytest
import spacy
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as train_loop
from spacy.util import load_config_from_str, registry
from thinc.api import fix_random_seed

from spacy_rnn.training.callbacks import make_decode_every
from spacy_rnn.training.schedules import make_inverse_sigmoid, make_linear

from ..helpers.paths import ROOT
from ..helpers.pipelines import make_examples, train
from ..helpers.translators import (
    SOURCES,
    TARGETS,
    features_of,
    load,
    make,
    make_trained,
    pair,
    pipe_of,
    shared,
)


def test_schedules():
    assert list(itertools.islice(make_linear(1.0, 0.2, 4), 6)) == pytest.approx(
        [1.0, 0.8, 0.6, 0.4, 0.2, 0.2]
    )
    k = 10.0
    values = list(itertools.islice(make_inverse_sigmoid(k), 100_000))
    assert values[:50] == pytest.approx([k / (k + math.exp(i / k)) for i in range(50)])
    assert values[round(k * math.log(k))] == pytest.approx(0.5, abs=0.01)
    assert values[-1] == pytest.approx(0, abs=1e-9)
    assert all(a >= b for a, b in itertools.pairwise(values))


def test_schedules_are_registered_copied_and_pickled():
    for name, settings in (
        ("linear", {"start": 1.0, "stop": 0.0, "steps": 10}),
        ("inverse_sigmoid", {"steps": 3.0}),
    ):
        schedule = registry.get("schedules", f"spacy_rnn.{name}.v1")(**settings)
        next(schedule)
        ahead = [copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule))]
        expected = next(schedule)
        assert [next(other) for other in ahead] == [expected] * 2


@pytest.mark.parametrize(
    "make_schedule, settings",
    [
        (make_linear, {"start": 1.0, "stop": 0.0, "steps": 0}),
        (make_inverse_sigmoid, {"steps": 0.0}),
    ],
)
def test_schedules_without_steps(make_schedule, settings):
    with pytest.raises(ValueError, match="'steps'"):
        make_schedule(**settings)


def predicted(nlp, n):
    """The share of decoder inputs that are predictions in each of n steps."""
    pipe, found = pipe_of(nlp), []
    examples = make_examples(nlp)
    for _ in range(n):
        inputs = pipe.get_targets(examples).inputs
        found.append(inputs["use_prediction"].mean() if "use_prediction" in inputs else 0.0)
    return found


def test_teacher_forcing_by_a_number():
    assert predicted(load(make(), shared().to_bytes()), 2) == [0.0, 0.0]
    (share,) = predicted(load(make(teacher_forcing=0.5), shared().to_bytes()), 1)
    assert 0.3 < share < 0.7
    assert predicted(load(make(teacher_forcing=0.0), shared().to_bytes()), 1) == [1.0]


@pytest.mark.parametrize(
    "schedule, expected",
    [
        ({"@schedules": "spacy_rnn.linear.v1", "start": 1.0, "stop": 0.0, "steps": 2}, [0, 0.5, 1]),
        ({"@schedules": "constant.v1", "rate": 0.0}, [1, 1, 1]),
        (
            {"@schedules": "compounding.v1", "start": 1.0, "stop": 0.1, "compound": 0.5},
            [0, 0.5, 0.75],
        ),
    ],
)
def test_teacher_forcing_by_a_schedule(schedule, expected):
    found = predicted(load(make(teacher_forcing=schedule), shared().to_bytes()), 3)
    assert found == pytest.approx(expected, abs=0.15)


def test_learns_from_predictions():
    nlp = make(
        teacher_forcing={
            "@schedules": "spacy_rnn.linear.v1",
            "start": 1.0,
            "stop": 0.5,
            "steps": 40,
        }
    )
    train(nlp, make_examples(nlp), steps=60)
    assert nlp.evaluate(make_examples(nlp))["piece_acc"] > 0.9


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_teacher_forcing_out_of_range(share):
    """A number is checked when the config is read, a schedule in training."""
    with pytest.raises(ValueError, match="'teacher_forcing' is a probability"):
        make(teacher_forcing=share)
    schedule = {"@schedules": "spacy_rnn.linear.v1", "start": share, "stop": share, "steps": 1}
    nlp = load(make(teacher_forcing=schedule), shared().to_bytes())
    with pytest.raises(ValueError, match="'teacher_forcing' of 'rnn_translator' must be a share"):
        nlp.update(make_examples(nlp))


# Scores


def test_perplexity_and_accuracy_of_pieces():
    """The scores are compared with those of one example at a time."""
    nlp = shared()
    examples = [
        *make_examples(nlp),
        pair(nlp, "  ", "x"),
        pair(nlp, "x", ""),
        pair(nlp, SOURCES[0], "something else"),
    ]
    scores = nlp.evaluate(examples)
    loss, n_pieces, n_right = 0.0, 0, 0.0
    for eg in examples:
        alone = nlp.evaluate([eg])
        if eg.x.text.strip() and eg.y._.translation:
            n = len(features_of(nlp).target.encode([eg.y._.translation])[0]) + 1
            loss += n * math.log(alone["piece_ppl"])
            n_right += n * alone["piece_acc"]
            n_pieces += n
        else:
            assert "piece_ppl" not in alone
    assert scores["piece_ppl"] == pytest.approx(math.exp(loss / n_pieces), rel=1e-3)
    assert scores["piece_acc"] == pytest.approx(n_right / n_pieces, abs=1e-6)
    well = nlp.evaluate(make_examples(nlp))
    assert well["piece_acc"] > 0.99 and 1 <= well["piece_ppl"] < 2


def test_perplexity_agrees_with_the_probability_of_the_search():
    nlp = shared()
    ((best,),) = pipe_of(nlp).translate(SOURCES[:1])
    found = nlp.evaluate([pair(nlp, SOURCES[0], best.text)])["piece_ppl"]
    (pieces,) = features_of(nlp).target.encode([best.text])
    if len(pieces) == len(best.pieces):
        expected = math.exp(-best.log_probability / (len(pieces) + 1))
        assert found == pytest.approx(expected, rel=1e-3)


def test_without_a_scorer_there_are_no_scores():
    nlp = load(make(scorer=None), shared().to_bytes())
    assert pipe_of(nlp).score(make_examples(nlp)) == {}


def test_translates_after_an_evaluation_that_does_not_decode():
    nlp = make_trained()
    before_update = make_decode_every(evaluations=2, eval_frequency=1)
    before_update(nlp, {"step": 1})
    assert nlp.evaluate(make_examples(nlp))["bleu"] == 0.0
    assert nlp(SOURCES[0])._.translation == TARGETS[0]


def test_decodes_at_each_nth_evaluation(tmp_path, capsys):
    text = (ROOT / "configs" / "translator_small.cfg").read_text(encoding="utf8")
    lines = (ROOT / "corpora" / "parallel" / "train.tsv").read_text(encoding="utf8").split("\n")
    corpus = tmp_path / "pairs.tsv"
    corpus.write_text("\n".join(lines[:60]) + "\n", encoding="utf8")
    config = load_config_from_str(
        text,
        interpolate=False,
        overrides={
            "paths.train": str(corpus),
            "paths.dev": str(corpus),
            "training.max_steps": 6,
            "training.eval_frequency": 2,
            "components.translator.model.source_pieces.vocab_size": 120,
            "components.translator.model.target_pieces.vocab_size": 120,
        },
    )
    config["training"]["before_update"] = {
        "@callbacks": "spacy_rnn.decode_every.v1",
        "evaluations": 2,
        "eval_frequency": 2,
    }
    fix_random_seed(0)
    nlp = init_nlp(config.interpolate())
    decoded = []
    evaluate = nlp.evaluate

    def watched(examples, **kwargs):
        decoded.append(nlp.get_pipe("translator").decodes)
        scores = evaluate(examples, **kwargs)
        assert scores["piece_acc"] is not None
        assert decoded[-1] or scores["bleu"] == scores["chrf"] == 0.0
        return scores

    nlp.evaluate = watched
    (tmp_path / "out").mkdir()
    train_loop(nlp, tmp_path / "out")
    # After the steps 0, 2, 4 and 6.
    assert decoded == [False, False, True, False]
    assert nlp.get_pipe("translator").decodes
    assert spacy.load(tmp_path / "out" / "model-best").get_pipe("translator").decodes


def test_pairs_with_a_very_long_text_are_left_out_and_counted(caplog):
    """The memory of attention is the product of both lengths."""
    nlp = make(max_length=10)
    examples = make_examples(nlp)
    words = "I like green eggs . " * 100
    examples += [pair(nlp, words, "Des œufs"), pair(nlp, "Eggs", words)]
    optimizer = nlp.initialize(lambda: examples)
    (warning,) = [r.getMessage() for r in caplog.records if "leaves out" in r.getMessage()]
    assert "more than 500 characters: 2 of 6, the first of them 'I like" in warning
    assert "max_length = 10" in warning
    losses = nlp.update(examples, sgd=optimizer)
    assert 0 < losses["rnn_translator"] < 1000
    assert nlp.evaluate(examples)["piece_ppl"] > 1
