"""Translators whose decoder is a graph, compared with torch; and results alone compared with those
in batches."""

import numpy as np
import onnx
import pytest
import torch

from spacy_rnn.config.decoder import RNNDecoder
from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn.attention import ATTENTIONS, DotAttention
from spacy_rnn.nn.search import SearchOptions, search
from spacy_rnn.nn.translator import SourceBatch, Translator
from spacy_rnn.onnx import linear
from spacy_rnn.onnx.bounds import measured_bounds
from spacy_rnn.onnx.engine import with_graphs
from spacy_rnn.onnx.networks import write_graphs

CELLS = ["rnn_tanh", "rnn_relu", "gru", "lstm"]
KINDS = [None, *ATTENTIONS]
#: sizes of the vocabularies and of the beam, and lengths of sources
N_SOURCE, N_TARGET, BEAM = 11, 13, 3
LENGTHS = [3, 7, 1, 12, 3, 5, 33, 1]
#: (residual, layer_norm)
EXTRAS = [(False, False), (True, True)]


def make(randomized, size=6, joint=False, tied=True, **decoder):
    encoder = RNNEncoder(cell="gru", hidden_size=size // 2, depth=1).module(size)
    n_target = N_SOURCE if joint else N_TARGET
    module = RNNDecoder(hidden_size=size, **decoder).module(size, encoder.output_size)
    network = Translator(N_SOURCE, n_target, size, encoder, module, joint=joint, tied=tied)
    return randomized(network)


def by_graphs(network, int8=False):
    with measured_bounds(network) as bounds:
        translate(network, sources_of(LENGTHS))
        steps(network, LENGTHS)
    return with_graphs(network, write_graphs(network, bounds if int8 else None))


def sources_of(lengths):
    generator = torch.Generator().manual_seed(2)
    return list(torch.randint(N_SOURCE, (sum(lengths),), generator=generator).split(lengths))


def batch_of(sources):
    return SourceBatch(torch.cat(sources), torch.tensor([len(source) for source in sources]))


def translate(network, sources, beam=BEAM):
    options = SearchOptions(beam=beam, n_best=beam, attention=True)
    maximum = torch.tensor([len(source) for source in sources]) + 3
    with torch.inference_mode():
        source, state = network.encode(batch_of(sources))
    return search(
        network,
        source,
        state,
        (torch.zeros_like(maximum), maximum),
        options,
        begin=torch.zeros_like(maximum),
        end=1,
        forbidden=[0],
    )


def steps(network, lengths):
    """The scores, the attention and the states of three steps of a beam."""
    generator = torch.Generator().manual_seed(3)
    found = []
    with torch.inference_mode():
        source, state = network.encode(batch_of(sources_of(lengths)))
        state = state.select(torch.arange(len(lengths)).repeat_interleave(BEAM))
        for _ in range(3):
            pieces = torch.randint(N_SOURCE, (len(lengths), BEAM), generator=generator)
            scores, attention, state = network.step(pieces, source, state)
            if attention is not None:
                # Graphs pad sources to more tokens.
                found.append(attention[..., : max(lengths)])
            found += [scores, *state]
    return [tensor.numpy() for tensor in found if tensor is not None]


def check_near(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, 1e-5, 1e-5)


@pytest.mark.parametrize("attention", KINDS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("depth", [1, 2])
def test_a_step_equals_that_of_torch(cell, depth, attention, randomized):
    for input_feeding in [False, True][: 1 + (attention is not None)]:
        for residual, layer_norm in EXTRAS:
            network = make(
                randomized,
                cell=cell,
                depth=depth,
                attention=attention,
                input_feeding=input_feeding,
                residual=residual,
                layer_norm=layer_norm,
            )
            found = steps(with_graphs(network, write_graphs(network)), LENGTHS)
            assert len(found) == 3 * (2 + (attention is not None) + input_feeding)
            check_near(found, steps(network, LENGTHS))


@pytest.mark.parametrize("joint, tied", [(True, True), (False, False)])
def test_shared_vectors(joint, tied, randomized):
    network = make(randomized, joint=joint, tied=tied)
    check_near(steps(by_graphs(network), LENGTHS), steps(network, LENGTHS))


@pytest.mark.parametrize("attention", [None, "general"])
def test_whole_targets_are_read_step_by_step(attention, randomized):
    network = make(randomized, attention=attention)
    targets = torch.randint(N_SOURCE, (len(LENGTHS), 4))
    arguments = batch_of(sources_of(LENGTHS)), targets, torch.arange(targets.numel())
    with torch.inference_mode():
        expected, found = (each(*arguments).logits() for each in (network, by_graphs(network)))
    np.testing.assert_allclose(found, expected, 1e-5, 1e-5)


@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize("attention", KINDS)
def test_a_translation_is_bit_equal_alone_and_in_any_batch(
    attention, int8, randomized, monkeypatch
):
    monkeypatch.setattr(linear, "LARGE", 0)
    feeding = attention is not None
    for size, beam in ((6, 1), (64, 1), (64, BEAM)):
        network = make(randomized, size, attention=attention, input_feeding=feeding)
        network, sources = by_graphs(network, int8), sources_of(LENGTHS)
        together = translate(network, sources, beam)
        for source, expected in zip(sources, together, strict=True):
            (alone,) = translate(network, [source], beam)
            for one, other in zip(alone, expected, strict=True):
                assert one.pieces.tolist() == other.pieces.tolist()
                assert one.log_probability == other.log_probability
                if feeding:
                    of_source = [each.attention[:, : len(source)] for each in (one, other)]
                    assert torch.equal(*of_source)


@pytest.mark.parametrize("attention", KINDS)
def test_int8_is_close_to_torch(attention, monkeypatch):
    monkeypatch.setattr(linear, "LARGE", 0)
    torch.manual_seed(0)
    network = make(lambda network: network.eval(), 64, attention=attention)
    small = by_graphs(network, int8=True)
    place = 0 if attention is None else 1
    found, expected = (steps(each, LENGTHS)[place] for each in (small, network))
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()
    assert not np.array_equal(found, expected)


def test_each_part_has_a_valid_graph(randomized):
    network = make(randomized, attention="bahdanau")
    graphs = write_graphs(network)
    parts = ["decoder", "decoder.attention.memory", "decoder.bridge", "encoder", "output"]
    assert sorted(graphs) == parts
    for graph in graphs.values():
        onnx.checker.check_model(onnx.load_from_string(graph), full_check=True)


def test_an_attention_without_a_graph_is_an_error(randomized, monkeypatch):
    class Scaled(DotAttention):
        def scores(self, query, keys):
            return super().scores(query, keys) / 2

    monkeypatch.setitem(ATTENTIONS, "scaled", Scaled)
    with pytest.raises(TypeError, match="attention of type Scaled has no ONNX graph"):
        write_graphs(make(randomized, attention="scaled"))


@pytest.mark.parametrize("joint, attention", [(True, None), (False, "general")])
def test_int8_does_not_clip_pieces_that_were_not_measured(joint, attention, randomized):
    network = make(randomized, 64, joint, attention=attention, input_feeding=attention is not None)
    with measured_bounds(network) as bounds:
        translate(network, [torch.tensor([2, 3])])
    found = [bounds[encoder][0] for encoder in (network.encoder, network.decoder.layers)]
    tables = [network.source_embedding.weight, network.target_embedding.weight]
    for bound, table in zip(found, tables, strict=True):
        largest = table.detach().abs().amax(0).numpy()
        np.testing.assert_array_equal(bound[: len(largest)], largest)
        assert (bound[len(largest) :] <= 1).all()
