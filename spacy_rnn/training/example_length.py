"""How large an example is, for spaCy's batchers."""

from functools import partial
from typing import Callable

from spacy.training import Example


def pair_length(example: Example, attr: str) -> int:
    """Tokens of the source and words of its translation, as blanks separate them."""
    return len(example.predicted) + len((example.reference._.get(attr) or "").split())


def make_pair_length(attr: str = "translation") -> Callable[[Example], int]:
    """spacy_rnn.pair_length.v1: the length of a text with its translation, as `get_length` of
    spacy.batch_by_padded.v1 and spacy.batch_by_sequence.v1: batches by padded tokens of both sides.

    attr: name of the Doc extension of translations.
    """
    return partial(pair_length, attr=attr)
