"""Streamed corpora are shuffled in a buffer, and memory does not grow."""

import gc
import io
import random
import tracemalloc

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training.initialize import init_nlp

from spacy_rnn.training.loop import train

from ..helpers.pipelines import make_tagger
from ..helpers.trainings import HOOKS, make_config

make = spacy.registry.get("batchers", "spacy_rnn.batch_shuffled.v1")
by_two = spacy.registry.get("batchers", "spacy.batch_by_sequence.v1")(size=2)


def flat(batches):
    return [item for batch in batches for item in batch]


@pytest.mark.parametrize("n", [0, 1, 4, 5, 6, 100])
def test_each_item_comes_once_at_most_a_buffer_early(n):
    found = flat(make(by_two, buffer=5)(range(n)))
    assert sorted(found) == list(range(n))
    assert all(item - place < 5 for place, item in enumerate(found))


def test_the_order_depends_on_the_seed():
    def order(seed):
        random.seed(seed)
        return flat(make(by_two, buffer=10)(range(50)))

    assert order(1) == order(1) != order(2)
    assert order(1) != list(range(50))


def test_all_places_in_a_buffer_are_equally_likely():
    """The first item of the output is one of the first five items of the input."""
    random.seed(0)
    counts = [0] * 5
    for _ in range(1000):
        counts[flat(make(by_two, buffer=5)(range(9)))[0]] += 1
    assert all(150 < count < 250 for count in counts)


def test_an_empty_buffer_is_refused():
    with pytest.raises(ValueError, match="buffer"):
        make(by_two, buffer=0)


@pytest.fixture
def no_hooks():
    HOOKS.clear()
    yield
    HOOKS.clear()


PARTS, IN_PART, STEPS = 10, 100, 50


@pytest.mark.parametrize("reader", ["spacy.Corpus.v1", "spacy_rnn.Corpus.v1"])
def test_memory_does_not_grow(reader, tmp_path, no_hooks):
    """A corpus of ten files takes as much memory in its last part as in its first."""
    nlp = make_tagger()
    words = [f"word{i}" for i in range(20)]
    parts = tmp_path / "parts"
    parts.mkdir()
    for part in range(PARTS):
        docs = [
            Doc(nlp.vocab, words=words, tags=["A", "B"] * (len(words) // 2)) for _ in range(IN_PART)
        ]
        DocBin(docs=docs).to_disk(parts / f"{part:02}.spacy")
    batches = {"@batchers": "spacy.batch_by_sequence.v1", "size": PARTS * IN_PART // STEPS}
    config = make_config(
        nlp,
        tmp_path,
        max_epochs=-1,
        max_steps=STEPS - 1,
        eval_frequency=1000,
        batcher={"@batchers": "spacy_rnn.batch_shuffled.v1", "buffer": 100, "batcher": batches},
    )
    config["corpora"]["train"] = {"@readers": reader, "path": str(parts)}
    sizes = []

    def measure(step):
        if step % 5 == 0:
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])

    HOOKS.append(measure)
    # Existing objects are not searched at each measurement.
    gc.freeze()
    tracemalloc.start()
    try:
        train(init_nlp(config), stdout=io.StringIO())
    finally:
        tracemalloc.stop()
        gc.unfreeze()
    assert len(sizes) == STEPS // 5
    # All examples at once would take 10 MB.
    assert max(sizes) - sizes[0] < 2**19
