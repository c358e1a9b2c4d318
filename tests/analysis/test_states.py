"""Hidden states compared with the modules of torch, and with the inputs of output layers."""

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc
from torch import nn

from spacy_rnn.analysis.states import compute_states
from spacy_rnn.features.streams import BACKWARD, FORWARD
from spacy_rnn.runtime.tok2vec import DocBatch

from ..helpers.answers import ASKED, TEXT, doc_of, only_pipe, randomize, trained
from ..helpers.kinds import FEW_KINDS
from ..helpers.pipelines import make_doc, make_examples, make_pipeline, train
from ..helpers.slow import slow_but
from ..helpers.tok2vec import LISTENER, TOK2VEC

NAMES = {FORWARD: "forward", BACKWARD: "backward"}
CELLS = ["rnn_tanh", "rnn_relu", "gru", "lstm"]
every_kind = pytest.mark.parametrize("factory", slow_but(FEW_KINDS, ASKED))


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def make(factory, encoder, model=None, **config):
    """A pipeline with random weights."""
    nlp = make_pipeline(factory, {"encoder": encoder, **(model or {})}, **config)
    train(nlp, make_examples(nlp), steps=1)
    randomize(only_pipe(nlp).shim.module)
    return nlp


def torchs_own(encoder, x, depth, start=None):
    """The states of the lowest layers over one sequence, (n, D) -> (n, H or 2H), computed by one
    module of torch. start: hidden state, and cell state of an LSTM, (S, depth, 1, H)."""
    both = encoder.direction == "both"
    classes = {"lstm": nn.LSTM, "gru": nn.GRU}
    options = {} if encoder.cell in classes else {"nonlinearity": encoder.cell[4:]}
    module = classes.get(encoder.cell, nn.RNN)(
        x.shape[1], encoder.hidden_size, depth, bidirectional=both, **options
    )
    weights = {
        name.replace("_l0", f"_l{k}"): value
        for k, layer in enumerate(list(encoder.layers)[:depth])
        for name, value in layer.state_dict().items()
    }
    module.load_state_dict(weights)
    backward = encoder.direction == "backward"
    if start is not None:
        start = tuple(part[:depth, 0] for part in start) if len(start) == 2 else start[0, :depth, 0]
    with torch.no_grad():
        found = module(x.flip(0) if backward else x, start)[0]
    return (found.flip(0) if backward else found).numpy()


def input_of(pipe, doc):
    """The vectors of the tokens, computed as in training."""
    shim = pipe.shim
    batch = shim.architecture.batch(shim, DocBatch([doc]))
    with torch.no_grad():
        x, _, tokens, *_ = shim.module.embedding(batch)
    return x[tokens]


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
@pytest.mark.parametrize("cell", CELLS)
def test_every_layer_equals_torch(cell, direction):
    nlp = make("rnn_tagger", {"cell": cell, "direction": direction, "hidden_size": 5, "depth": 3})
    pipe, doc = only_pipe(nlp), doc_of(nlp)
    x, encoder = input_of(pipe, doc), pipe.shim.module.encoder
    for layer in range(3):
        expected = torchs_own(encoder, x, layer + 1)
        for number in (layer, layer - 3):
            found = compute_states(pipe, doc, number)
            close(found.activations, expected)
            assert found.tokens == TEXT.split() and found.layer == layer
    assert found.activations.dtype == np.float32
    names = ["forward", "backward"] if direction == "both" else [direction]
    assert found.units == [f"{name} {i}" for name in names for i in range(5)]


@pytest.mark.parametrize("factory", ["rnn_tagger", "rnn_ner"])
@pytest.mark.parametrize(
    "encoder",
    [
        {"depth": 2, "residual": True, "layer_norm": True},
        {"depth": 1, "cell": "none"},
        {"depth": 2, "cell": "none", "direction": "forward"},
    ],
)
def test_the_highest_layer_is_the_input_of_the_output_layer(factory, encoder, device):
    nlp = make(factory, encoder)
    pipe, doc = only_pipe(nlp), doc_of(nlp)
    (head,) = pipe.shim.module.heads.values()
    seen = []
    head.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0].cpu().numpy()))
    pipe.predict([doc])
    close(compute_states(pipe, doc).activations, seen[0])
    if encoder.get("cell") == "none":
        assert compute_states(pipe, doc).units[3] == "unit 3"


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_sentence_encoder_resets_the_state_at_each_sentence(cell):
    sentences = {
        "@architectures": "spacy_rnn.SentenceEncoder.v1",
        "encoder": {"@architectures": "spacy_rnn.RNNEncoder.v1", "hidden_size": 4, "depth": 1},
        "pooling": {"@architectures": "spacy_rnn.Pooling.v1", "ways": ["last"]},
    }
    nlp = make_pipeline("rnn_textcat", {"sentences": sentences, "encoder": {"cell": cell}})
    examples = make_examples(nlp)
    for eg in examples:
        for token in eg.predicted:
            token.is_sent_start = token.i == 0
    train(nlp, examples, steps=1)
    pipe = only_pipe(nlp)
    doc = Doc(nlp.vocab, words=TEXT.split(), sent_starts=[1, 0, 1, 0, 0])
    x, encoder = input_of(pipe, doc), pipe.shim.module.tokens.encoder
    expected = np.concatenate([torchs_own(encoder, part, 1) for part in (x[:2], x[2:])])
    close(compute_states(pipe, doc).activations, expected)


def test_truncated_tokens_have_no_states():
    nlp = make("rnn_textcat", {}, {"max_length": 3, "keep": "tail"})
    found = compute_states(only_pipe(nlp), doc_of(nlp))
    assert found.tokens == ["one", "ham", "."] and found.activations.shape == (3, 16)


@pytest.mark.parametrize("cell", CELLS)
def test_states_of_a_translator_are_those_of_its_encoder(cell):
    nlp = make("rnn_translator", {"cell": cell, "depth": 2})
    pipe = only_pipe(nlp)
    doc = Doc(nlp.vocab, words=["Eggs", "!", *TEXT.split(), " "], sent_starts=[1, 0, 1] + [0] * 5)
    source, module = pipe.shim.features.source, pipe.shim.module
    for layer in (0, 1):
        rows, names = [], []
        for ids in source.encode(["Eggs !", TEXT]):
            with torch.no_grad():
                x = module.source_embedding(torch.from_numpy(ids))
            rows.append(torchs_own(module.encoder, x, layer + 1))
            names += [source.pieces[i] for i in ids]
        found = compute_states(pipe, doc, layer)
        assert found.tokens == names
        close(found.activations, np.concatenate(rows))


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
@pytest.mark.parametrize("cell", slow_but(["gru"], CELLS))
@pytest.mark.parametrize("condition", [None, "cats"])
def test_states_of_both_directions_of_a_language_model(cell, direction, condition):
    encoder = {"cell": cell, "direction": direction, "depth": 2, "hidden_size": 6}
    nlp = make("rnn_lm", encoder, condition=condition)
    pipe, doc = only_pipe(nlp), doc_of(nlp)
    doc.cats = {"EAT": 0.5, "LIKE": -1.0}
    ids = torch.from_numpy(pipe.shim.features.encode([doc])[0])
    boundary = torch.tensor([pipe.shim.features.boundary_id])
    given = torch.tensor([[0.5, -1.0]]) if condition else None
    for layer in (0, 1):
        columns, units = [], []
        for name, module in pipe.shim.module.items():
            order = ids.flip(0) if name == BACKWARD else ids
            with torch.no_grad():
                x = module.embedding(torch.cat([boundary, order]))
                start = module.initial_state(1, given)
            # The first state, after the boundary, is from before the text.
            rows = torchs_own(module.encoder, x, layer + 1, start)[1:]
            columns.append(rows[::-1] if name == BACKWARD else rows)
            units += [f"{NAMES[name]} {i}" for i in range(6)]
        found = compute_states(pipe, doc, layer)
        close(found.activations, np.concatenate(columns, axis=1))
        assert found.units == units
        assert found.tokens == [f"▁{word}" for word in TEXT.split()]


def test_the_vectors_of_a_tok2vec_are_the_input():
    nlp = make_pipeline("rnn_tagger", {"embedding": None, "tok2vec": LISTENER})
    nlp.add_pipe("tok2vec", config={"model": TOK2VEC}, first=True)
    train(nlp, make_examples(nlp), steps=1)
    doc = nlp.get_pipe("tok2vec")(doc_of(nlp))
    expected = torchs_own(only_pipe(nlp).shim.module.encoder, torch.from_numpy(doc.tensor), 1)
    close(compute_states(only_pipe(nlp), doc).activations, expected)


def test_a_long_text_is_not_divided_into_windows():
    nlp = make("rnn_tagger", {}, {"window": 4, "overlap": 1})
    doc = make_doc(nlp.vocab, " ".join(TEXT.split() * 5))
    pipe = only_pipe(nlp)
    expected = torchs_own(pipe.shim.module.encoder, input_of(pipe, doc), 1)
    close(compute_states(pipe, doc).activations, expected)


@every_kind
def test_the_pipeline_is_not_changed(factory, device):
    nlp = trained(factory)
    before = nlp.to_bytes()
    assert np.isfinite(compute_states(only_pipe(nlp), doc_of(nlp)).activations).all()
    assert nlp.to_bytes() == before


@every_kind
@pytest.mark.parametrize("n", [0, 1])
def test_zero_or_one_token(factory, n):
    nlp = trained(factory)
    found = compute_states(only_pipe(nlp), doc_of(nlp, "Eggs" * n))
    assert found.activations.shape == (len(found.tokens), 16) and len(found.units) == 16
    assert bool(found.tokens) == bool(n)


@every_kind
@pytest.mark.parametrize("layer", [1, -2, 7])
def test_a_layer_that_does_not_exist(factory, layer):
    nlp = trained(factory)
    with pytest.raises(ValueError, match=rf"Layer {layer} .* '{factory}' .* from -1 to 0"):
        compute_states(only_pipe(nlp), doc_of(nlp), layer)


def test_untrained_components_and_those_of_spacy():
    nlp = make_pipeline("rnn_lm")
    with pytest.raises(ValueError, match="no weights yet"):
        compute_states(only_pipe(nlp), nlp.make_doc(TEXT))
    stock = spacy.blank("xx").add_pipe("tagger")
    with pytest.raises(ValueError, match="'tagger' is not a spacy-rnn component"):
        compute_states(stock, nlp.make_doc(TEXT))
