"""What the encoder of a network reads of a document, and why the network predicts what it does."""

from typing import Any, Callable, List, NamedTuple, Optional, Sequence

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import Model
from torch import Tensor

from ..nn.rnn import Encoder
from .batching import Rows, WordSource, lengths_of
from .shim import TorchShim, shim_of
from .tok2vec import read_texts


class EncoderInput(NamedTuple):
    """What an encoder reads of a document.

    encoder: the one inside the torch module.
    names: of the rows, such as the texts of tokens, (N,).
    vectors: of the rows, (N, D), those of one sequence after those of another.
    lengths: rows of each sequence, int64 (S,) on the CPU.
    start: the state before the first row of the only sequence, (1 or 2, depth, 1, H); None for
        zeros.
    backward: whether the rows are those of the text in reverse.
    """

    encoder: Callable[[Any], Encoder]
    names: List[str]
    vectors: Tensor
    lengths: Tensor
    start: Optional[Tensor] = None
    backward: bool = False


class Question(NamedTuple):
    """Why a network predicts something of a document.

    rows: what its encoder reads.
    prediction: in words, what its score is of.
    score: of the torch module and of vectors in the place of the rows', (B, N, D): the score
        that it gives the prediction, (B,), differentiable.
    """

    rows: EncoderInput
    prediction: str
    score: Callable[[Any, Tensor], Tensor]


def input_of_doc(model: Model, doc: Doc) -> EncoderInput:
    """What the encoder of a network of tokens reads of a document."""
    shim = shim_of(model)
    texts, _ = read_texts(model, [doc])
    return shim.architecture.encoder_input(shim, texts)


def input_of_tokens(
    shim: TorchShim,
    encoder: Callable[[Any], Encoder],
    names: List[str],
    sequences: Sequence[np.ndarray],
    doc: Doc,
    vectors: Optional[Tensor],
) -> EncoderInput:
    """What an encoder reads of sequences of a document's tokens.

    sequences: their word hashes. vectors: those that a tok2vec layer gives for them.
    """
    lengths = lengths_of(sequences)
    source = WordSource(shim, sequences, doc.vocab, vectors)
    ((x, tokens),) = source([Rows(np.arange(lengths.sum()), lengths)])
    x = x if tokens is None else x.index_select(0, tokens)
    return EncoderInput(encoder, names, x, torch.from_numpy(lengths))


def check_place(place: int, n: int, what: str) -> None:
    """Raise a ValueError unless there is a place of this number among n."""
    if not 0 <= place < n:
        there = f"they are numbered from 0 to {n - 1}" if n else "there are none"
        raise ValueError(f"There is no {what} {place}: {there}.")


def number_of(label: str, labels: Sequence[str], name: str) -> int:
    """The number of a label of the component of this name. Raises a ValueError if it has none."""
    if label not in labels:
        raise ValueError(f"'{name}' has no label '{label}'. Its labels: {', '.join(labels)}.")
    return labels.index(label)
