"""Pretrained vectors: rows of a table or of a batch, and the vector of unknown words."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_rnn.nn.vectors import GivenVectors, TableVectors

TABLE = np.random.default_rng(0).normal(size=(7, 3)).astype("float32")
SHAPE = (7, 3)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def make_rows(words):
    """The arrays of words, which are given as lists of rows."""
    columns = max([1, *map(len, words)])
    rows = [word + [0] * (columns - len(word)) for word in words]
    return {
        "v": torch.tensor(rows, dtype=torch.int64).reshape(-1, columns),
        "v_lengths": torch.tensor([len(word) for word in words], dtype=torch.int64),
    }


@pytest.mark.parametrize("trained", [False, True])
@given(words=st.lists(st.lists(st.integers(0, 6), max_size=3), max_size=5))
@settings(max_examples=30)
def test_a_word_has_its_row_or_the_mean_of_several_or_the_unknown_vector(trained, words):
    part = TableVectors("v", TABLE.copy(), trained).eval()
    vectors = part(make_rows(words))
    assert vectors.shape == (len(words), part.output_size) == (len(words), 3)
    for word, vector in zip(words, vectors.detach().numpy(), strict=True):
        expected = TABLE[word].mean(axis=0) if word else part.unknown.detach().numpy()
        np.testing.assert_allclose(vector, expected, rtol=1e-6, atol=1e-6)


def test_a_frozen_table_has_no_gradient_and_the_unknown_vector_has_one():
    part = TableVectors("v", TABLE.copy(), trained=False).train()
    part(make_rows([[0], [], [5], []])).sum().backward()
    assert part.table.weight.grad is None and not part.table.weight.requires_grad
    assert part.unknown.grad.tolist() == [2, 2, 2]


def test_a_trained_table_has_a_gradient_where_words_have_rows():
    part = TableVectors("v", TABLE.copy(), trained=True).train()
    part(make_rows([[0], [], [5], [5]])).sum().backward()
    assert part.table.weight.grad.sum(dim=1).tolist() == [3, 0, 0, 0, 0, 6, 0]
    assert part.unknown.grad.tolist() == [1, 1, 1]


def test_vectors_of_the_batch():
    part = GivenVectors("v", TABLE)
    vectors, lengths = torch.randn(3, 3), torch.tensor([1, 0, 1])
    found = part({"v": vectors, "v_lengths": lengths})
    assert torch.equal(found, torch.stack([vectors[0], part.unknown, vectors[2]]))
    found.sum().backward()
    assert part.unknown.grad.tolist() == [1, 1, 1]
    assert list(part.state_dict()) == ["unknown"]


@pytest.mark.parametrize("make", [GivenVectors, lambda *args: TableVectors(*args, False)])
def test_the_unknown_vector_is_drawn_with_the_mean_and_variance_of_each_column(make):
    """The mean and variance of many draws."""
    table = (TABLE * [1, 10, 0] + [0, -5, 2]).astype("float32")
    draws = torch.stack([make("v", table).unknown.detach() for _ in range(2000)]).numpy()
    mean, deviation = table.mean(axis=0), table.std(axis=0)
    assert (np.abs(draws.mean(axis=0) - mean) <= 0.1 * deviation).all()
    np.testing.assert_allclose(draws.std(axis=0), deviation, rtol=0.1)
    torch.manual_seed(1)
    first = make("v", table).unknown
    torch.manual_seed(1)
    assert torch.equal(make("v", table).unknown, first)


def test_one_row_is_enough_to_draw_from():
    assert TableVectors("v", TABLE[:1].copy(), True).unknown.tolist() == TABLE[0].tolist()


def test_parts_made_from_a_shape_load_saved_weights():
    for make in (lambda t: GivenVectors("v", t), lambda t: TableVectors("v", t, True)):
        saved = make(TABLE.copy())
        loaded = make(SHAPE)
        loaded.load_state_dict(saved.state_dict())
        for name, weight in saved.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], weight)


def test_a_pipeline_without_vectors_leaves_the_part_empty():
    part = GivenVectors("v", (0, 0))
    empty = {"v": torch.zeros(2, 0), "v_lengths": torch.zeros(2, dtype=torch.int64)}
    assert part(empty).shape == (2, 0) and part.output_size == 0
