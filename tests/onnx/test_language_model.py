"""Language models whose parts are graphs, compared with torch; and results alone compared with
those in batches."""

import numpy as np
import pytest
import torch

from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn.decoder import DecoderState
from spacy_rnn.nn.language_model import LanguageModel
from spacy_rnn.onnx import linear
from spacy_rnn.onnx.bounds import measured_bounds
from spacy_rnn.onnx.engine import with_graphs
from spacy_rnn.onnx.networks import write_graphs

CELLS = ["rnn_tanh", "rnn_relu", "gru", "lstm"]
N_UNITS, SIZE = 17, 6
LENGTHS = [3, 7, 1, 12, 3, 5, 1]
#: tied with a projection, tied, untied; and clusters, untied and with a projection
OUTPUTS = {
    "projected": {"embedding_size": 4},
    "tied": {"embedding_size": SIZE},
    "untied": {"embedding_size": 4, "tied": False},
    "adaptive": {"embedding_size": 4, "tied": False, "cutoffs": [5]},
    "adaptive_projected": {"embedding_size": 4, "cutoffs": [5]},
}


def make(randomized, output="projected", size=SIZE, condition_size=0, **encoder):
    settings = {"hidden_size": size, "depth": 1, "direction": "forward", **encoder}
    embedding_size, *_ = OUTPUTS[output].values()
    module = RNNEncoder(**settings).module(embedding_size)
    network = LanguageModel(
        N_UNITS, encoder=module, condition_size=condition_size, **OUTPUTS[output]
    )
    return randomized(network)


def by_graphs(network, int8=False):
    with measured_bounds(network) as bounds:
        read(network, rows_of(LENGTHS))
    return with_graphs(network, write_graphs(network, bounds if int8 else None))


def rows_of(lengths):
    generator = torch.Generator().manual_seed(2)
    return list(torch.randint(N_UNITS, (sum(lengths),), generator=generator).split(lengths))


def read(network, rows, window=4):
    """The log-probabilities of the units of each row, which is read in windows."""
    found = [[] for _ in rows]
    with torch.inference_mode():
        state = network.initial_state(len(rows), torch.ones(len(rows), 2))
        for start in range(0, max(map(len, rows)), window):
            parts = [row[start : start + window] for row in rows]
            lengths = torch.tensor([len(part) for part in parts])
            output = network(torch.cat(parts), lengths, state)
            log_p = network.output.log_probabilities(output.states, torch.cat(parts))
            state = output.final
            for of_row, part in zip(found, log_p.split(lengths.tolist()), strict=True):
                of_row.append(part.numpy())
    return [np.concatenate(parts) for parts in found]


def steps(network, n_rows=3):
    generator = torch.Generator().manual_seed(3)
    found = []
    with torch.inference_mode():
        state = DecoderState(network.initial_state(n_rows, torch.ones(n_rows, 2)), None)
        for _ in range(3):
            units = torch.randint(N_UNITS, (n_rows, 1), generator=generator)
            scores, _, state = network.step(units, None, state)
            found += [scores.log_softmax(2).numpy(), state.recurrent.numpy()]
    return found


def check_near(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, 1e-5, 1e-5)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("depth", [1, 2])
def test_graphs_equal_torch(cell, depth, output, randomized):
    for residual, layer_norm in [(False, False), (True, True)]:
        network = make(
            randomized, output, cell=cell, depth=depth, residual=residual, layer_norm=layer_norm
        )
        graphs = with_graphs(network, write_graphs(network))
        check_near(read(graphs, rows_of(LENGTHS)), read(network, rows_of(LENGTHS)))
        check_near(steps(graphs), steps(network))


def test_a_state_from_a_condition(randomized):
    network = make(randomized, condition_size=2)
    check_near(steps(by_graphs(network)), steps(network))


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_a_text_is_bit_equal_alone_and_in_any_batch(cell, int8, output, randomized, monkeypatch):
    monkeypatch.setattr(linear, "LARGE", 0)
    for size in (6, 64):
        if output == "tied" and size != SIZE:
            continue
        network = by_graphs(make(randomized, output, size, cell=cell, depth=2), int8)
        rows = rows_of(LENGTHS)
        for row, expected in zip(rows, read(network, rows), strict=True):
            (alone,) = read(network, [row])
            assert np.array_equal(alone, expected)


@pytest.mark.parametrize("output", OUTPUTS)
def test_int8_is_close_to_torch(output, monkeypatch):
    monkeypatch.setattr(linear, "LARGE", 0)
    torch.manual_seed(0)
    size = SIZE if output == "tied" else 64
    network = make(lambda network: network.eval(), output, size, depth=2)
    small = by_graphs(network, int8=True)
    found, expected = (np.concatenate(read(each, rows_of(LENGTHS))) for each in (small, network))
    assert np.abs(found - expected).max() < 0.05
    assert not np.array_equal(found, expected)


def test_int8_does_not_clip_units_that_were_not_measured():
    torch.manual_seed(0)
    network = make(lambda network: network.eval(), "untied", 64)
    rare = torch.full((5,), 3)
    network.embedding.weight.data[3] *= 8
    with measured_bounds(network) as bounds:
        read(network, [torch.arange(4, N_UNITS)])
    small = with_graphs(network, write_graphs(network, bounds))
    (found,), (expected,) = (read(each, [rare]) for each in (small, network))
    np.testing.assert_allclose(found, expected, atol=0.02)
