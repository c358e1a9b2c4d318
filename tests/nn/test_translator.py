"""The encoder-decoder network: training and search see the same scores."""

import itertools

import numpy as np
import pytest
import torch

from spacy_rnn.config.decoder import RNNDecoder
from spacy_rnn.config.encoder import RNNEncoder
from spacy_rnn.nn.dropout import set_dropout_rate
from spacy_rnn.nn.search import SearchOptions, search
from spacy_rnn.nn.translator import SourceBatch, Translator, translation_loss

PAD, BEGIN, END, FIRST = range(4)
N_PIECES, SIZE = 9, 8
WAYS = [(None, False), ("bahdanau", True), ("general", False), ("general", True)]
every_way = pytest.mark.parametrize("attention, input_feeding", WAYS)


def make(attention="general", input_feeding=False, seed=0, cell="lstm", **options):
    torch.manual_seed(seed)
    encoder = RNNEncoder(cell=cell, hidden_size=5, depth=1).module(SIZE)
    decoder = RNNDecoder(cell, SIZE, attention=attention, input_feeding=input_feeding)
    translator = Translator(N_PIECES, N_PIECES, SIZE, encoder, decoder.module(SIZE, 10), **options)
    return translator.eval()


def random_pieces(generator, lengths):
    return [generator.integers(FIRST, N_PIECES, n) for n in lengths]


def batch_of(sources, targets):
    """The input of the network, and the target pieces."""
    steps = max(map(len, targets)) + 1
    decoder_input = torch.full((len(targets), steps), PAD)
    decoder_input[:, 0] = BEGIN
    for row, target in zip(decoder_input, targets, strict=True):
        row[1 : len(target) + 1] = torch.from_numpy(np.array(target))
    lengths = torch.tensor([len(target) + 1 for target in targets])
    valid_positions = (torch.arange(steps) < lengths.unsqueeze(1)).flatten().nonzero().squeeze(1)
    decoder_target = torch.cat([torch.tensor([*target, END]) for target in targets])
    return (sources_of(sources), decoder_input, valid_positions), {"pieces": decoder_target}


def sources_of(sources):
    lengths = torch.tensor([len(source) for source in sources])
    return SourceBatch(torch.from_numpy(np.concatenate(sources)), lengths)


def translate(translator, sources, max_length=6, **options):
    max_length = torch.full((len(sources),), max_length)
    source, state = translator.encode(sources_of(sources))
    return search(
        translator, source, state, (torch.zeros_like(max_length), max_length),
        SearchOptions(attention=True, **options),
        begin=torch.full_like(max_length, BEGIN), end=END, forbidden=[PAD, BEGIN],
    )  # fmt: skip


@every_way
def test_scores_of_search_equal_those_of_training(attention, input_feeding):
    translator = make(attention, input_feeding)
    sources = random_pieces(np.random.default_rng(0), [3, 1, 5, 4])
    found = translate(translator, sources, beam=4, n_best=4)
    for source, hypotheses in zip(sources, found, strict=True):
        for h in hypotheses:
            batch, gold = batch_of([source], [h.pieces.numpy()])
            with torch.no_grad():
                loss = translation_loss(translator(*batch), gold)
            assert h.log_probability == pytest.approx(-loss.item(), abs=1e-4)
            if attention is None:
                assert h.attention is None
            else:
                assert h.attention.shape[0] == len(h.pieces)
                inside, outside = h.attention.split([len(source), 5 - len(source)], dim=1)
                torch.testing.assert_close(inside.sum(1), torch.ones(len(h.pieces)))
                assert not outside.any()


@every_way
def test_next_log_probs_equal_those_of_training(attention, input_feeding):
    translator = make(attention, input_feeding, seed=2)
    sources = random_pieces(np.random.default_rng(0), [3, 5])
    (batch, decoder_input, valid_positions), _ = batch_of(
        sources, random_pieces(np.random.default_rng(1), [4, 4])
    )
    expected = (
        translator(batch, decoder_input, valid_positions)
        .logits()
        .log_softmax(1)
        .view(2, 5, N_PIECES)
    )
    vectors = translator.source_embedding(batch.pieces)
    for t in range(5):
        found = translator.next_log_probs(vectors, batch.lengths, decoder_input[:, : t + 1])
        torch.testing.assert_close(found, expected[:, t], atol=1e-5, rtol=1e-5)


@every_way
def test_a_batch_is_translated_like_its_sources_alone(attention, input_feeding):
    translator = make(attention, input_feeding, seed=1)
    sources = random_pieces(np.random.default_rng(1), [5, 2, 1, 7, 3])
    targets = random_pieces(np.random.default_rng(2), [0, 4, 2, 6, 1])
    for beam in (1, 3):
        together = translate(translator, sources, beam=beam, n_best=beam)
        for source, hypotheses in zip(sources, together, strict=True):
            (alone,) = translate(translator, [source], beam=beam, n_best=beam)
            assert [h.pieces.tolist() for h in alone] == [h.pieces.tolist() for h in hypotheses]
            scores = [h.score for h in hypotheses]
            assert [h.score for h in alone] == pytest.approx(scores, abs=1e-5)
    batch, _ = batch_of(sources, targets)
    alone = [
        translator(*batch_of([s], [t])[0]).logits() for s, t in zip(sources, targets, strict=True)
    ]
    together = translator(*batch).logits()
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-5)


def test_a_beam_as_wide_as_the_space_finds_the_best():
    translator = make("bahdanau", True, seed=4)
    sources = random_pieces(np.random.default_rng(3), [3, 2])
    found = translate(translator, sources, max_length=2, beam=60, n_best=3)
    pieces = range(FIRST, N_PIECES)
    targets = [t for n in range(3) for t in itertools.product(pieces, repeat=n)]
    for source, hypotheses in zip(sources, found, strict=True):
        log_p = {}
        for target in targets:
            batch, gold = batch_of([source], [np.array(target, dtype="int64")])
            with torch.no_grad():
                log_p[target] = -translation_loss(translator(*batch), gold).item()
        best = sorted(log_p, key=log_p.get, reverse=True)[:3]
        assert [tuple(h.pieces.tolist()) for h in hypotheses] == best


@pytest.mark.slow
@every_way
def test_learns_to_reverse_sources(attention, input_feeding):
    """Attention makes this possible; without it, short sources fit into the state."""
    translator = make(attention, input_feeding, cell="gru").train()
    optimizer = torch.optim.Adam(translator.parameters(), lr=0.02)
    generator = np.random.default_rng(0)
    for _ in range(250):
        sources = random_pieces(generator, generator.integers(1, 4, 16))
        batch, gold = batch_of(sources, [source[::-1] for source in sources])
        optimizer.zero_grad()
        (translation_loss(translator(*batch), gold) / len(gold["pieces"])).backward()
        optimizer.step()
    sources = random_pieces(generator, [1, 2, 3] * 6)
    found = translate(translator.eval(), sources, beam=3)
    right = [h.pieces.tolist() == s[::-1].tolist() for s, (h,) in zip(sources, found, strict=True)]
    assert np.mean(right) > 0.7


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_scheduled_sampling_reads_predictions(share):
    """Where this is requested, the input is the best-scored piece of the step before, elsewhere
    that of the target."""
    translator = make(seed=5).train()
    sources = random_pieces(np.random.default_rng(4), [4, 2])
    targets = random_pieces(np.random.default_rng(5), [5, 5])
    use_prediction = torch.rand(2, 6, generator=torch.Generator().manual_seed(0)) < share
    read = []
    embed = translator.target_embedding.forward
    translator.target_embedding.forward = lambda pieces: read.append(pieces) or embed(pieces)
    scores = translator(*batch_of(sources, targets)[0], use_prediction).logits()
    pieces = torch.cat(read, dim=1)[:, :6].tolist()
    guesses = scores.view(2, 6, N_PIECES).argmax(2).tolist()
    for row, target, guess, guessed in zip(
        pieces, targets, guesses, use_prediction.tolist(), strict=True
    ):
        assert row[0] == BEGIN
        expected = [
            g if is_own else t for t, g, is_own in zip(target, guess[:-1], guessed[1:], strict=True)
        ]
        assert row[1:] == expected


@every_way
def test_reading_no_prediction_is_teacher_forcing(attention, input_feeding):
    """Step by step gives the same as all steps at once."""
    translator = make(attention, input_feeding)
    sources = random_pieces(np.random.default_rng(6), [3, 5])
    targets = random_pieces(np.random.default_rng(7), [4, 4])
    batch, _ = batch_of(sources, targets)
    step_by_step = translator(*batch, torch.zeros(2, 5, dtype=torch.bool)).logits()
    torch.testing.assert_close(step_by_step, translator(*batch).logits())


def test_predictions_are_read_with_locked_dropout():
    """The same numbers are dropped from the states of all steps."""
    translator = make("general", True).train()
    set_dropout_rate(translator, 0.5)
    sources, targets = [np.array([5, 6])], [np.array([5, 6, 7, 5])]
    states = translator(*batch_of(sources, targets)[0], torch.ones(1, 5, dtype=torch.bool)).states
    dropped = states == 0
    assert dropped.any() and (dropped == dropped[:1]).all()


def test_shared_weights():
    tied = make(joint=True, tied=True)
    assert tied.output.weight is tied.target_embedding.weight is tied.source_embedding.weight
    apart = make(tied=False)
    assert apart.output.weight is not apart.target_embedding.weight
    assert apart.target_embedding.weight is not apart.source_embedding.weight


def test_sizes_that_do_not_fit():
    encoder = RNNEncoder(hidden_size=3, depth=1).module(4)
    with pytest.raises(ValueError, match="tied to false"):
        Translator(5, 5, 4, encoder, RNNDecoder(hidden_size=3).module(4, 6))
    with pytest.raises(ValueError, match="one vocabulary"):
        Translator(5, 6, 4, encoder, RNNDecoder(hidden_size=4).module(4, 6), joint=True)
