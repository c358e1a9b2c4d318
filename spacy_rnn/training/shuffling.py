"""Shuffled batches of a corpus that is streamed."""

import random
from itertools import islice
from typing import Callable, Iterable, Iterator, List, TypeVar

from ..validation import at_least

ItemT = TypeVar("ItemT")
Batcher = Callable[[Iterable[ItemT]], Iterable[List[ItemT]]]


def make_shuffled_batches(batcher: Batcher, buffer: int = 10000) -> Batcher:
    """spacy_rnn.batch_shuffled.v1: shuffle a stream of examples in a buffer and make batches of
    them. spaCy itself does not shuffle a corpus that is streamed (max_epochs = -1).

    batcher (Callable): Makes the batches, such as spacy.batch_by_words.v1.
    buffer (int): The number of examples in memory, of which a random one is next.
    RETURNS (Callable): The batcher.
    """
    at_least(1, buffer=buffer)
    return lambda items: batcher(shuffled(items, buffer))


def shuffled(items: Iterable[ItemT], size: int) -> Iterator[ItemT]:
    """Shuffle items in a buffer. An item may come much later than in its place, but not more than
    `size` places earlier.

    items (Iterable[ItemT]): The items, of any number.
    size (int): The number of items in the buffer.
    YIELDS (ItemT): The items.
    """
    rest = iter(items)
    buffer = list(islice(rest, size))
    for item in rest:
        place = random.randrange(size)
        yield buffer[place]
        buffer[place] = item
    random.shuffle(buffer)
    yield from buffer
