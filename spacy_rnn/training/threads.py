"""The number of threads that torch uses on CPU."""

from typing import Callable, Optional, Type

from spacy.language import Language
from thinc.compat import has_torch

from ..optional import torch
from ..validation import at_least


def set_torch_threads(threads: int = 1) -> Callable[[Type[Language]], Optional[Type[Language]]]:
    """spacy_rnn.torch_threads.v1: set the number of threads that torch uses in this process.

    For ``[nlp.before_creation]``, so that training and every later load use it. One thread is best
    on a machine that is shared or runs several processes. Where torch is not installed, it does
    nothing.

    threads (int): The number of threads.
    RETURNS (Callable): The callback.
    """
    at_least(1, threads=threads)

    def callback(language: Type[Language]) -> Type[Language]:
        if has_torch:
            torch.set_num_threads(threads)
        return language

    return callback
