"""Search compared with enumeration of every target, for models whose next piece depends on all
pieces before it."""

import itertools
import math
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from spacy_rnn.nn.candidates import blockwise_topk
from spacy_rnn.nn.search import SearchOptions, search

BEGIN, END, FIRST = 0, 1, 2
LONGEST = 3
few = settings(max_examples=40)


class Sources(NamedTuple):
    """The number of each row's source."""

    numbers: torch.Tensor

    def select(self, rows):
        return Sources(self.numbers[rows])


class State(NamedTuple):
    """The number of each row's history."""

    codes: torch.Tensor

    def select(self, rows):
        return State(self.codes[rows])


class Toy:
    """Random scores and attention for every history of pieces."""

    def __init__(self, seed, n_sources, n_pieces=4, n_tokens=3, scale=1.5):
        generator = torch.Generator().manual_seed(seed)
        n_codes = (n_pieces + 1) ** (LONGEST + 2)
        shape = (n_sources, n_codes)
        self.scores = scale * torch.randn(*shape, n_pieces, generator=generator)
        self.attention = torch.rand(*shape, n_tokens, generator=generator).softmax(-1)
        self.n_pieces = n_pieces

    def code(self, codes, pieces):
        return codes * (self.n_pieces + 1) + pieces + 1

    def step(self, pieces, source, state):
        codes = self.code(state.codes.view(pieces.shape), pieces)
        places = source.numbers.unsqueeze(1), codes
        return self.scores[places], self.attention[places], State(codes.flatten())

    def search(
        self, max_length, min_length=0, seed=None, forbidden=(BEGIN,), uniforms=None, **options
    ):
        options = SearchOptions(**{"attention": True, **options})
        state = State(torch.zeros(len(max_length), dtype=torch.int64))
        lengths = torch.full((len(max_length),), min_length), torch.tensor(max_length)
        if seed is not None:
            generator = torch.Generator().manual_seed(seed)
            shape = (len(max_length), options.beam, max(max_length) + 1)
            uniforms = torch.rand(shape, generator=generator, dtype=torch.float64)
        return search(
            self, Sources(torch.arange(len(max_length))), state, lengths, options,
            begin=torch.full((len(max_length),), BEGIN), end=END,
            forbidden=list(forbidden), uniforms=uniforms,
        )  # fmt: skip

    def alone(self, source):
        other = Toy(0, 1, self.n_pieces)
        other.scores = self.scores[source : source + 1]
        other.attention = self.attention[source : source + 1]
        return other

    def log_p(self, source, pieces):
        """The log-probability of a target with its end, piece by piece."""
        code, total = 0, 0.0
        for before, after in itertools.pairwise([BEGIN, *pieces, END]):
            code = int(self.code(code, before))
            total += float(self.scores[source, code].double().log_softmax(0)[after])
        return total

    def rows(self, source, pieces):
        """The attention that led to each piece and to the end."""
        code, rows = 0, []
        for piece in [BEGIN, *pieces]:
            code = int(self.code(code, piece))
            rows.append(self.attention[source, code])
        return torch.stack(rows)

    def targets(self, max_length):
        pieces = range(FIRST, self.n_pieces)
        for n in range(max_length + 1):
            yield from itertools.product(pieces, repeat=n)

    def greedy(self, source, max_length):
        code, pieces = 0, []
        before = BEGIN
        while len(pieces) < max_length:
            code = int(self.code(code, before))
            scores = self.scores[source, code].clone()
            scores[BEGIN] = -math.inf
            before = int(scores.argmax())
            if before == END:
                break
            pieces.append(before)
        return pieces


def pieces_of(hypotheses):
    return [tuple(h.pieces.tolist()) for h in hypotheses]


lengths = st.lists(st.integers(0, LONGEST), min_size=1, max_size=4)


@few
@given(st.integers(0, 1000), lengths, st.sampled_from([0.0, 0.6, 1.5]), st.integers(1, 4))
def test_a_beam_as_wide_as_the_space_finds_the_best(seed, max_length, alpha, n_best):
    toy = Toy(seed, len(max_length))
    found = toy.search(max_length, beam=20, n_best=n_best, length_penalty=alpha)
    for source, (hypotheses, limit) in enumerate(zip(found, max_length, strict=True)):
        everything = [
            (toy.log_p(source, pieces) / ((6 + len(pieces)) / 6) ** alpha, pieces)
            for pieces in toy.targets(limit)
        ]
        expected = sorted(everything, reverse=True)[:n_best]
        assert pieces_of(hypotheses) == [pieces for _, pieces in expected]
        assert [h.score for h in hypotheses] == pytest.approx([s for s, _ in expected], abs=1e-4)


class Chain(Toy):
    """Random scores of a larger vocabulary. Each history has one of a few numbers, on which its
    scores depend."""

    N_CODES = 97

    def __init__(self, seed, n_sources, n_pieces):
        generator = torch.Generator().manual_seed(seed)
        self.scores = 2.0 * torch.randn(n_sources, self.N_CODES, n_pieces, generator=generator)
        # The end is likely enough to come at any length.
        self.scores[..., END] += 4.0
        self.attention = torch.ones(n_sources, self.N_CODES, 1)

    def code(self, codes, pieces):
        return (31 * codes + pieces + 1) % self.N_CODES

    def beam_search(self, source, max_length, beam, alpha):
        """Extend one hypothesis after another, up to the greatest length: no source stops early."""
        alive, finished = [(0.0, 0, [BEGIN])], []
        for n in range(max_length + 1):
            ways = []
            for total, code, pieces in alive:
                code = int(self.code(code, pieces[-1]))
                log_p = self.scores[source, code].double().log_softmax(0)
                allowed = [END] if n == max_length else range(END, len(log_p))
                ways += [(total + float(log_p[i]), code, [*pieces, i]) for i in allowed]
            ways.sort(reverse=True)
            ended = [way for way in ways[:beam] if way[2][-1] == END]
            finished += [(p / ((6 + n) / 6) ** alpha, pieces[1:-1]) for p, _, pieces in ended]
            alive = [way for way in ways if way[2][-1] != END][:beam]
        return sorted(finished, reverse=True)


@few
@given(
    st.integers(0, 1000),
    st.lists(st.integers(0, 8), min_size=1, max_size=3),
    st.sampled_from([2, 63, 64, 65, 150]),
    st.integers(1, 6),
    st.sampled_from([0.0, 0.6, 1.5]),
)
def test_equals_beam_search_of_one_hypothesis_at_a_time(seed, max_length, n_more, beam, alpha):
    chain = Chain(seed, len(max_length), END + 1 + n_more)
    for n_best in {1, beam}:
        found = chain.search(max_length, beam=beam, n_best=n_best, length_penalty=alpha)
        for source, (hypotheses, limit) in enumerate(zip(found, max_length, strict=True)):
            expected = chain.beam_search(source, limit, beam, alpha)[:n_best]
            assert [h.pieces.tolist() for h in hypotheses] == [pieces for _, pieces in expected]
            scores = [score for score, _ in expected]
            assert [h.score for h in hypotheses] == pytest.approx(scores, abs=1e-4)


class FlatThenCertain(Chain):
    """For two steps all pieces are equally likely, and the end a little more likely. Then one piece
    is certain, and after the longest target the end is."""

    def __init__(self, max_length):
        super().__init__(0, len(max_length), 10)
        # Indexed by the number of pieces that were read, including the one before a target.
        self.scores[:] = 0.0
        self.scores[:, 1:3, END] = 0.1
        for scores, limit in zip(self.scores, max_length, strict=True):
            scores[3 : limit + 1, FIRST] = 20.0
            scores[limit + 1, END] = 20.0

    def code(self, codes, pieces):
        return codes + 1


def test_a_search_waits_for_targets_that_gain_by_their_length():
    """The empty target ends first, and has a better score than targets of two pieces would have."""
    max_length = [12, 9, 0]
    toy = FlatThenCertain(max_length)
    found = toy.search(max_length, beam=3, length_penalty=1.5)
    for source, ((best,), limit) in enumerate(zip(found, max_length, strict=True)):
        score, _ = toy.beam_search(source, limit, 3, 1.5)[0]
        assert len(best.pieces) == limit
        assert best.score == pytest.approx(score, abs=1e-4)


@few
@given(st.integers(0, 1000), st.integers(1, 3), st.integers(1, 700), st.integers(1, 12), st.data())
def test_blockwise_topk(seed, n_rows, size, n, data):
    """Compared with torch, with some numbers that are equal and some that are ruled out."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n_rows, size, generator=generator)
    if data.draw(st.booleans()):
        x = x.round()
    x[x > data.draw(st.sampled_from([0.0, 9.0]))] = -math.inf
    n = min(n, size)
    values, places = blockwise_topk(x, n)
    torch.testing.assert_close(values, x.topk(n, dim=1).values, atol=0, rtol=0)
    torch.testing.assert_close(x.gather(1, places), values, atol=0, rtol=0)
    assert all(len(set(row)) == n for row in places.tolist())


@few
@given(st.integers(0, 1000), lengths)
def test_a_beam_of_one_is_greedy(seed, max_length):
    toy = Toy(seed, len(max_length))
    found = toy.search(max_length, beam=1)
    expected = [toy.greedy(source, limit) for source, limit in enumerate(max_length)]
    assert [h.pieces.tolist() for (h,) in found] == expected


@few
@given(st.integers(0, 1000), lengths, st.integers(1, 5), st.sampled_from([0.0, 1.0]), st.booleans())
def test_scores_and_attention_of_every_search(seed, max_length, beam, alpha, sample):
    """Scores and attention are those of reading the target again, alone and in a batch."""
    toy = Toy(seed, len(max_length))
    options = {"beam": beam, "n_best": beam, "length_penalty": alpha}
    found = toy.search(max_length, seed=seed if sample else None, **options)
    for source, (hypotheses, limit) in enumerate(zip(found, max_length, strict=True)):
        assert hypotheses
        scores = [h.score for h in hypotheses]
        assert scores == sorted(scores, reverse=True)
        if not sample:
            assert len(set(pieces_of(hypotheses))) == len(hypotheses)
            (alone,) = toy.alone(source).search([limit], **options)
            assert pieces_of(alone) == pieces_of(hypotheses)
        for h in hypotheses:
            pieces = h.pieces.tolist()
            assert len(pieces) <= limit and BEGIN not in pieces and END not in pieces
            # If only the end may follow, it still has the probability that the model gives it.
            assert h.log_probability == pytest.approx(toy.log_p(source, pieces), abs=1e-4)
            penalty = ((6 + len(pieces)) / 6) ** alpha
            assert h.score == pytest.approx(h.log_probability / penalty, abs=1e-4)
            torch.testing.assert_close(h.attention, toy.rows(source, pieces)[:-1])


@few
@given(st.integers(0, 1000), st.integers(0, 3), st.integers(0, 3), st.integers(1, 4))
def test_lengths(seed, min_length, max_length, beam):
    toy = Toy(seed, 2)
    for hypotheses in toy.search(
        [max_length, LONGEST], min_length=min_length, beam=beam, n_best=beam
    ):
        assert all(len(h.pieces) >= min(min_length, max_length) for h in hypotheses)


@pytest.mark.parametrize("n", [1, 2])
def test_no_ngram_twice(n):
    for seed in range(20):
        toy = Toy(seed, 1, n_pieces=3, scale=0.1)
        for beam in (1, 3):
            options = {"beam": beam, "n_best": beam, "no_repeat_ngram_size": n}
            (hypotheses,) = toy.search([3], min_length=3, **options)
            for pieces in pieces_of(hypotheses):
                ngrams = [pieces[i : i + n] for i in range(len(pieces) - n + 1)]
                assert len(set(ngrams)) == len(ngrams)


def test_coverage_penalty():
    """Wu et al. 2016, equation 14: beta times the sum of log min(total attention, 1)."""
    toy = Toy(3, 1)
    (plain,) = toy.search([LONGEST], beam=20, n_best=12)
    (covered,) = toy.search([LONGEST], beam=20, n_best=12, coverage_penalty=0.7)
    for h in covered:
        total = toy.rows(0, h.pieces.tolist()).sum(0).clamp(max=1.0)
        expected = h.log_probability + 0.7 * float(total.log().sum())
        assert h.score == pytest.approx(expected, abs=1e-4)
    assert pieces_of(plain) != pieces_of(covered)


def test_samples_follow_the_model():
    toy = Toy(5, 1, scale=1.0)
    n = 4000
    (hypotheses,) = toy.search([2], beam=n, n_best=n, seed=1, forbidden=())
    found = pieces_of(hypotheses)
    # A target that is cut off at its greatest length stands for all targets that begin with it.
    for pieces in [(), (FIRST,), (FIRST, FIRST), (FIRST + 1, FIRST)]:
        log_p = toy.log_p(0, pieces)
        if len(pieces) == 2:
            code = 0
            for piece in [BEGIN, *pieces]:
                code = int(toy.code(code, piece))
            log_p -= float(toy.scores[0, code].log_softmax(0)[END])
        share = found.count(pieces) / n
        assert share == pytest.approx(math.exp(log_p), abs=4 * math.sqrt(0.25 / n))


def test_a_seed_repeats_the_samples():
    toy = Toy(6, 3)
    options = {"beam": 4, "n_best": 4}
    first, second, other = (toy.search([3, 3, 3], seed=seed, **options) for seed in (1, 1, 2))
    assert list(map(pieces_of, first)) == list(map(pieces_of, second))
    assert list(map(pieces_of, first)) != list(map(pieces_of, other))


def test_samples_of_a_source_do_not_depend_on_the_batch():
    toy, max_length = Toy(9, 3), [3, 1, 2]
    uniforms = torch.rand(3, 5, 4, dtype=torch.float64)
    together = toy.search(max_length, uniforms=uniforms, beam=5, n_best=5)
    for source, limit in enumerate(max_length):
        part = uniforms[source : source + 1, :, : limit + 1]
        (alone,) = toy.alone(source).search([limit], uniforms=part, beam=5, n_best=5)
        assert pieces_of(alone) == pieces_of(together[source])


def test_pieces_without_probability_are_never_drawn():
    toy = Toy(10, 1)
    for draw in (0.0, 1.0 - 1e-16):
        uniforms = torch.full((1, 1, 4), draw, dtype=torch.float64)
        ((h,),) = toy.search([3], uniforms=uniforms, beam=1, forbidden=(BEGIN, FIRST))
        assert not {BEGIN, FIRST} & set(h.pieces.tolist())


@pytest.mark.parametrize("options", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-4}])
def test_sharp_samples_are_greedy(options):
    toy = Toy(7, 4)
    found = toy.search([3] * 4, beam=2, n_best=2, seed=0, **options)
    expected = [toy.greedy(source, 3) for source in range(4)]
    assert [[h.pieces.tolist() for h in hypotheses] for hypotheses in found] == [
        [pieces, pieces] for pieces in expected
    ]


def test_top_k_and_top_p_cut_the_tail():
    toy = Toy(8, 1, n_pieces=6, scale=1.0)
    first = toy.scores[0, int(toy.code(0, BEGIN))].clone()
    first[BEGIN] = -math.inf
    order = first.argsort(descending=True).tolist()
    p = first.softmax(0)[order]
    for options, n in (({"top_k": 3}, 3), ({"top_p": float(p[:2].sum()) - 0.01}, 2)):
        (hypotheses,) = toy.search([1], beam=500, n_best=500, seed=0, **options)
        starts = {h.pieces[0].item() if len(h.pieces) else END for h in hypotheses}
        assert starts == set(order[:n])


def test_the_first_result_can_be_exact_before_the_others():
    for seed in range(20):
        toy = Toy(seed, 3)
        (one, few), all_certain = (
            [toy.search([3, 2, 3], beam=5, n_best=n, n_exact=1) for n in (1, 5)],
            toy.search([3, 2, 3], beam=5, n_best=5),
        )
        for first, some, every in zip(one, few, all_certain, strict=True):
            assert pieces_of(some)[:1] == pieces_of(first) == pieces_of(every)[:1]
            assert len(some) <= len(every) == 5


def test_attention_is_kept_only_on_request():
    toy = Toy(0, 2)
    with_it, without = (toy.search([3, 3], beam=2, attention=a) for a in (True, False))
    assert list(map(pieces_of, with_it)) == list(map(pieces_of, without))
    assert all(h.attention is None for (h,) in without)
    assert all(len(h.attention) == len(h.pieces) for (h,) in with_it)


class Written(TorchDispatchMode):
    """Counts the numbers that torch writes."""

    n = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        for tensor in found if isinstance(found, (tuple, list)) else [found]:
            if isinstance(tensor, torch.Tensor):
                self.n += tensor.numel()
        return found


@pytest.mark.parametrize("attention", [False, True])
def test_long_targets_take_linear_time(attention):
    """A step after 200 pieces costs as much as a step after 50."""

    def cost(n):
        chain = Chain(0, 2, 70)
        with Written() as written:
            found = chain.search([n, n], min_length=n, beam=3, attention=attention)
        assert all(len(h.pieces) == n for (h,) in found)
        return written.n

    few, many, more = map(cost, (40, 80, 240))
    assert (more - many) / (many - few) == pytest.approx(4.0, rel=0.02)
