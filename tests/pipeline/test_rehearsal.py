"""Components that rehearse what they learned before."""

import numpy as np
import pytest
import torch
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Adam

from spacy_rnn.runtime.optimizer import make_adamw

from ..helpers.kinds import FEW_KINDS, KINDS
from ..helpers.pipelines import make_doc, make_examples, make_pipeline, make_trained, train
from ..helpers.slow import slow_but

REHEARSING = ["rnn_tagger", "rnn_ner", "rnn_textcat", "rnn_textcat_multilabel"]
OTHERS = [name for name in KINDS if name not in REHEARSING]

over_rehearsing = pytest.mark.parametrize("name", slow_but(FEW_KINDS, REHEARSING))


def resumed(name):
    """A trained pipeline to train further, its examples, these without annotation, an optimizer."""
    nlp = make_trained(name)
    examples = make_examples(nlp)
    optimizer = nlp.resume_training(sgd=make_adamw(0.03))
    raw = [Example(eg.x.copy(), Doc(nlp.vocab, words=[t.text for t in eg.x])) for eg in examples]
    return nlp, examples, raw, optimizer


def new_examples(nlp):
    """Texts that all have the same annotation."""
    return [
        Example(
            make_doc(nlp.vocab, text),
            make_doc(nlp.vocab, text, tags="NN NN NN", category="EAT", ents="B-FOOD B-FOOD B-FOOD"),
        )
        for text in ("Oh dear dear", "I eats blue")
    ]


def weights(model):
    return {name: w.clone() for name, w in model.shims[0].module.state_dict().items()}


def same_weights(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def score(nlp, name, examples):
    """The score of copies of the examples, so that the examples do not change."""
    copies = [Example(eg.predicted.copy(), eg.reference) for eg in examples]
    return nlp.evaluate(copies)[KINDS[name].score]


@over_rehearsing
def test_the_loss_is_zero_at_first(name):
    nlp, _, raw, _ = resumed(name)
    pipe = nlp.get_pipe(name)
    losses = pipe.rehearse(raw)
    assert losses[name] == pytest.approx(0.0, abs=1e-4)
    gradients = [p.grad for p in pipe.shim.module.parameters() if p.grad is not None]
    assert gradients and all(gradient.abs().max() < 1e-4 for gradient in gradients)


@over_rehearsing
def test_old_predictions_are_kept(name, device):
    kept = {}
    for rehearses in (False, True):
        nlp, examples, raw, optimizer = resumed(name)
        assert score(nlp, name, examples) == 1.0
        new = new_examples(nlp)
        for _ in range(20):
            nlp.update(new, sgd=optimizer)
            if rehearses:
                losses = nlp.rehearse(raw, sgd=optimizer)
        kept[rehearses] = score(nlp, name, examples)
        assert score(nlp, name, new) == 1.0
    assert kept[False] < 0.9 and kept[True] == 1.0
    assert 0.0 < losses[name] < 1.0


@over_rehearsing
def test_the_copy_owns_its_weights(name):
    nlp, _, raw, optimizer = resumed(name)
    pipe = nlp.get_pipe(name)
    before = weights(pipe.model)
    for _ in range(3):
        nlp.update(new_examples(nlp), sgd=optimizer)
        nlp.rehearse(raw, sgd=optimizer)
    assert same_weights(before, weights(pipe._rehearsal_model))
    assert not same_weights(before, weights(pipe.model))
    assert all(p.grad is None for p in pipe._rehearsal_model.shims[0].module.parameters())
    # From here on, the new state is rehearsed.
    nlp.resume_training()
    assert pipe.rehearse(raw)[name] == pytest.approx(0.0, abs=1e-4)


@over_rehearsing
def test_labels_that_were_added_later(name):
    """New labels are learned while old predictions are kept."""
    nlp, examples, raw, optimizer = resumed(name)
    nlp.get_pipe(name).add_label("NEW")
    text = "Oh dear dear"
    doc = make_doc(nlp.vocab, text, tags="NEW NEW NEW", ents="B-NEW B-NEW B-NEW")
    doc.cats = {"EAT": 0.0, "LIKE": 0.0, "NEW": 1.0}
    new = [Example(make_doc(nlp.vocab, text), doc)]
    if name.startswith("rnn_textcat"):
        for eg in examples:
            eg.reference.cats = {**eg.reference.cats, "NEW": 0.0}
    for _ in range(20):
        nlp.update(new, sgd=optimizer)
        nlp.rehearse(raw, sgd=optimizer)
    assert score(nlp, name, new) == 1.0
    losses = nlp.get_pipe(name).rehearse(raw)
    assert losses[name] < 0.5


def test_the_loss_is_the_divergence():
    """The divergence from the earlier probabilities is summed over tokens."""
    nlp, _, raw, optimizer = resumed("rnn_tagger")
    pipe = nlp.get_pipe("rnn_tagger")
    docs = [eg.predicted for eg in raw]
    before = np.concatenate([p["tag"] for p in pipe.predict_probabilities(docs)])
    for _ in range(5):
        nlp.update(new_examples(nlp), sgd=optimizer)
    after = np.concatenate([p["tag"] for p in pipe.predict_probabilities(docs)])
    expected = (before * (np.log(before) - np.log(after))).sum()
    assert pipe.rehearse(raw)["rnn_tagger"] == pytest.approx(expected, rel=1e-3)


def test_a_loss_that_is_not_finite_does_not_hide_the_others():
    nlp, _, raw, optimizer = resumed("rnn_tagger")
    pipe = nlp.get_pipe("rnn_tagger")
    nlp.update(new_examples(nlp), sgd=optimizer)
    module, losses, found = pipe.shim.module, {}, []
    before = weights(pipe.model)
    for factor in (1.0, float("nan"), 1.0):
        module.load_state_dict({name: factor * values for name, values in before.items()})
        pipe.rehearse(raw, losses=losses)
        found.append(losses["rnn_tagger"])
    assert 0 < found[0] == found[1] < found[2] < np.inf


@pytest.mark.parametrize("make", [Adam, make_adamw])
def test_any_optimizer_changes_weights(make):
    """The optimizer is passed to the component directly, or by the pipeline."""
    nlp, _, raw, _ = resumed("rnn_textcat")
    pipe, optimizer = nlp.get_pipe("rnn_textcat"), make(0.01)
    nlp.update(new_examples(nlp), sgd=optimizer)
    for rehearse in (pipe.rehearse, nlp.rehearse):
        before = weights(pipe.model)
        rehearse(raw, sgd=optimizer)
        assert not same_weights(before, weights(pipe.model))


def test_without_an_optimizer_gradients_add_up():
    nlp, _, raw, optimizer = resumed("rnn_tagger")
    pipe = nlp.get_pipe("rnn_tagger")
    nlp.update(new_examples(nlp), sgd=optimizer)
    before = weights(pipe.model)
    pipe.rehearse(raw)
    assert same_weights(before, weights(pipe.model))
    pipe.finish_update(optimizer)
    assert not same_weights(before, weights(pipe.model))


def test_every_component_of_a_pipeline_is_updated():
    """spaCy's own loop uses only the gradients of one randomly drawn component."""
    nlp = make_pipeline("rnn_tagger")
    for name in ("rnn_ner", "rnn_textcat"):
        nlp.add_pipe(name, source=make_pipeline(name))
    train(nlp, make_examples(nlp), steps=3)
    optimizer = nlp.resume_training()
    nlp.update(new_examples(nlp), sgd=optimizer)
    before = {name: weights(pipe.model) for name, pipe in nlp.pipeline}
    losses = nlp.rehearse(make_examples(nlp), sgd=optimizer)
    assert losses.keys() == before.keys()
    for name, pipe in nlp.pipeline:
        assert not same_weights(before[name], weights(pipe.model))


@over_rehearsing
def test_without_tokens(name):
    nlp, _, _, _ = resumed(name)
    losses = nlp.rehearse([Example(nlp.make_doc(""), nlp.make_doc(""))])
    assert losses == {name: 0.0}


@over_rehearsing
def test_without_an_earlier_state(name):
    nlp = make_pipeline(name)
    train(nlp, make_examples(nlp), steps=1)
    message = f"'{name}' has no earlier state to rehearse. Call optimizer = nlp.resume_training()"
    with pytest.raises(ValueError, match=message):
        nlp.rehearse(make_examples(nlp))


@pytest.mark.parametrize("name", OTHERS)
def test_components_that_cannot_rehearse(name):
    nlp = make_pipeline(name)
    train(nlp, make_examples(nlp), steps=1)
    nlp.resume_training()
    with pytest.raises(NotImplementedError, match=f"'{name}' cannot rehearse: only taggers"):
        nlp.rehearse(make_examples(nlp))
    assert nlp.rehearse(make_examples(nlp), exclude=[name]) == {}


def test_a_shared_tok2vec():
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 96}
    nlp = make_pipeline("rnn_tagger", {"embedding": None, "tok2vec": listener})
    nlp.add_pipe("tok2vec", first=True)
    examples = make_examples(nlp)
    train(nlp, examples, steps=2)
    nlp.resume_training()
    with pytest.raises(ValueError, match="cannot rehearse while it listens"):
        nlp.rehearse(examples)
    nlp.replace_listeners("tok2vec", "rnn_tagger", ["model.tok2vec"])
    optimizer = nlp.resume_training()
    nlp.update(new_examples(nlp), sgd=optimizer)
    tok2vec = nlp.get_pipe("rnn_tagger").model.get_ref("tok2vec")
    before = [node.get_param("W").copy() for node in tok2vec.walk() if node.has_param("W")]
    assert nlp.rehearse(examples, sgd=optimizer, exclude=["tok2vec"])["rnn_tagger"] > 0.0
    after = [node.get_param("W") for node in tok2vec.walk() if node.has_param("W")]
    assert all((w != v).any() for w, v in zip(before, after, strict=True))
