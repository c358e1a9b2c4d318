"""Lengths of examples for spaCy's batchers."""

from functools import partial
from typing import Callable

from spacy.training import Example


def pair_length(example: Example, attr: str) -> int:
    """Count the tokens of the source and the words of its translation, separated by spaces.

    example (Example): The example.
    attr (str): The name of the Doc extension with the translation.
    RETURNS (int): The sum of both.
    """
    return len(example.predicted) + len((example.reference._.get(attr) or "").split())


def make_pair_length(attr: str = "translation") -> Callable[[Example], int]:
    """spacy_rnn.pair_length.v1: the length of a text with its translation, as `get_length` of
    spacy.batch_by_padded.v1 and spacy.batch_by_sequence.v1, so that the size of a batch includes
    both languages.

    attr (str): The name of the Doc extension with the translation.
    RETURNS (Callable[[Example], int]): The function.
    """
    return partial(pair_length, attr=attr)
