"""Documents of any length in batches of bounded memory, and their results put together again."""

from dataclasses import dataclass, field, replace
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
)

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model

from .. import nn
from ..features.tokens import DistinctWords, TokenFeatures, TokenSequences, stacked
from ..nn.options import TOK2VEC, Direction
from ..nn.ragged import Carry, offsets, ranges
from ..optional import torch
from .shim import TorchShim
from .tok2vec import DocBatch, embed_docs

if TYPE_CHECKING:
    from torch import Tensor

EmbeddedT = TypeVar("EmbeddedT")

#: predictions for a document: named arrays with one row for each token
Outputs = Dict[str, np.ndarray]
#: batches whose distinct words are embedded together, once
CHUNK_BATCHES = 16


def doc_batch(model: Model[List[Doc], Any], docs: Sequence[Doc]) -> DocBatch:
    """Documents to predict for, with the vectors of the model's tok2vec layer if it has one."""
    return embed_docs(model, docs, is_train=False)[0] if model.layers else DocBatch(docs)


@dataclass(frozen=True)
class MemoryLimits:
    """Bounds on the memory of a prediction, in tokens.

    batch_tokens (int): The most in a batch, padding counted.
    window (int): Sequences longer than this are read in windows of this size.
    overlap (int): Context that is read on both sides of a window and not kept, where both
        directions are read or tokens are embedded in their context. With one direction the state is
        carried from window to window instead, which is exact.
    """

    batch_tokens: int
    window: int
    overlap: int


@dataclass(frozen=True)
class Windows:
    """A batch of windows: rows [start, end) are read, the results of [keep_start, keep_end) are
    kept. Rows are counted through all sequences; all arrays are int64 (windows,).

    sequence (np.ndarray): The sequence of each window.
    start (np.ndarray), end (np.ndarray): The rows that are read.
    keep_start (np.ndarray), keep_end (np.ndarray): The rows that are kept.
    carry (Optional[Carry]): The state that this window takes over from the one before.
    """

    sequence: np.ndarray
    start: np.ndarray
    end: np.ndarray
    keep_start: np.ndarray
    keep_end: np.ndarray
    carry: Optional[Carry] = field(default=None, kw_only=True)

    @property
    def size(self) -> np.ndarray:
        """The number of rows that are read of each window."""
        size: np.ndarray = self.end - self.start
        return size

    @property
    def kept(self) -> np.ndarray:
        """The number of rows that are kept of each window."""
        kept: np.ndarray = self.keep_end - self.keep_start
        return kept

    @property
    def rows(self) -> np.ndarray:
        """The rows that are read, int64 (N,)."""
        return ranges(self.start, self.size)

    @property
    def kept_rows(self) -> np.ndarray:
        """The rows that are kept, int64 (K,)."""
        return ranges(self.keep_start, self.kept)

    @property
    def order(self) -> np.ndarray:
        """The windows by sequence, those of a sequence from left to right, int64 (windows,)."""
        order: np.ndarray = np.lexsort((self.start, self.sequence))
        return order

    def counts(self, n_sequences: int) -> np.ndarray:
        """The number of windows of each sequence, int64 (n_sequences,)."""
        return np.bincount(self.sequence, minlength=n_sequences)

    @property
    def kept_tokens(self) -> Optional[np.ndarray]:
        """The places of the kept rows among those that are read, int64 (K,); None if they all
        are."""
        if (self.kept == self.size).all():
            return None
        return ranges(offsets(self.size) + self.keep_start - self.start, self.kept)

    def overlap(self, device: "torch.device") -> "Optional[nn.layout.Overlap]":
        """The kept rows as the encoder takes them."""
        tokens = self.kept_tokens
        if tokens is None:
            return None
        return nn.layout.Overlap(torch.from_numpy(tokens).to(device), torch.from_numpy(self.kept))

    @property
    def _arrays(self) -> List[np.ndarray]:
        return [self.sequence, self.start, self.end, self.keep_start, self.keep_end]

    def take(self, windows: np.ndarray) -> "Windows":
        """Select some of the windows."""
        return Windows(*(array[windows] for array in self._arrays), carry=self.carry)

    @classmethod
    def concatenate(cls, windows: Sequence["Windows"]) -> "Windows":
        """Join batches of windows."""
        columns = zip(*(some._arrays for some in windows), strict=True)
        return cls(*(np.concatenate(column) for column in columns))

    @classmethod
    def of_sequence(cls, sequence: int, start: int, end: int, size: int, overlap: int) -> "Windows":
        """The windows of a long sequence.

        sequence (int): The sequence.
        start (int), end (int): Its rows.
        size (int): Rows that are kept of a window.
        overlap (int): Rows that are read on both sides of them.
        """
        keep_start = np.arange(start, end, size)
        keep_end = np.minimum(end, keep_start + size)
        read_start = np.maximum(start, keep_start - overlap)
        read_end = np.minimum(end, keep_end + overlap)
        sequences = np.full(len(keep_start), sequence)
        return cls(sequences, read_start, read_end, keep_start, keep_end)


def lengths_of(sequences: Sequence[np.ndarray]) -> np.ndarray:
    """The length of each sequence, int64 (B,)."""
    return np.array([len(sequence) for sequence in sequences], dtype="int64")


def batches_of(lengths: np.ndarray, batch_tokens: int) -> List[np.ndarray]:
    """Batches of sequences of similar length, longest first.

    lengths (np.ndarray): Tokens of each sequence, int64 (B,).
    batch_tokens (int): The most in a batch of several sequences, padding counted.
    RETURNS (List[np.ndarray]): The sequences of each batch.
    """
    if len(lengths) == 1:
        return [np.zeros(1, dtype="int64")]
    order = np.argsort(-lengths, kind="stable")
    cuts, first = [], 0
    sizes = lengths[order].tolist()
    for i in range(len(sizes)):
        if i > first and sizes[first] * (i - first + 1) > batch_tokens:
            cuts.append(i)
            first = i
    return [batch for batch in np.split(order, cuts) if len(batch)]


def plan_windows(
    lengths: np.ndarray, direction: Direction, limits: MemoryLimits, in_context: bool = False
) -> List[Windows]:
    """Divide sequences into batches of windows.

    Sequences are sorted by length and batches are bounded by padded tokens, so that results do not
    depend on the batches that documents come in.

    lengths (np.ndarray): Tokens of each sequence, int64 (B,).
    direction (str): The direction of the encoder that reads them.
    limits (MemoryLimits): The size of batches and windows.
    in_context (bool): The vector of a token depends on the tokens around it.
    RETURNS (List[Windows]): The batches. Those that carry a state come in the order in which the
        encoder must read them.
    """
    if len(lengths) == 1 and lengths[0] <= limits.window:
        first = np.zeros(1, dtype="int64")
        return [Windows(first, first, lengths, first, lengths)]
    overlapping = in_context or direction == "both"
    ends = np.cumsum(lengths)
    starts = ends - lengths
    is_long = lengths > limits.window
    short, long = np.flatnonzero(~is_long), np.flatnonzero(is_long)
    overlap = limits.overlap if overlapping else 0
    of_long = [
        Windows.of_sequence(i, int(starts[i]), int(ends[i]), limits.window, overlap)
        for i in long.tolist()
    ]
    whole = Windows(short, starts[short], ends[short], starts[short], ends[short])
    joined = Windows.concatenate([whole, *of_long] if overlapping else [whole])
    batches = [joined.take(some) for some in batches_of(joined.size, limits.batch_tokens)]
    for windows in [] if overlapping else of_long:
        order = np.arange(len(windows.start))[:: -1 if direction == "backward" else 1]
        carried = replace(windows, carry=Carry())
        batches += [carried.take(order[k : k + 1]) for k in range(len(order))]
    return batches


def word_batches(
    features: TokenFeatures,
    sequences: TokenSequences,
    batches: Sequence[Windows],
    embed: Callable[[List[DistinctWords]], EmbeddedT],
) -> Iterator[Tuple[Windows, EmbeddedT, np.ndarray]]:
    """Yield batches of windows with the vectors of their words. Each distinct word of several
    batches is embedded once.

    features (TokenFeatures): The features.
    sequences (TokenSequences): The sequences.
    batches (Sequence[Windows]): The batches.
    embed (Callable[[List[DistinctWords]], EmbeddedT]): Embeds distinct words.
    YIELDS (Tuple[Windows, EmbeddedT, np.ndarray]): The windows, the vectors, and which of them each
        token has, int64 (N,).
    """
    for first in range(0, len(batches), CHUNK_BATCHES):
        chunk = batches[first : first + CHUNK_BATCHES]
        words, tokens = features.distinct_words(
            sequences, np.concatenate([windows.rows for windows in chunk])
        )
        embedded = embed(words)
        ends = np.cumsum([windows.size.sum() for windows in chunk])
        for windows, of_tokens in zip(chunk, np.split(tokens, ends[:-1]), strict=True):
            yield windows, embedded, of_tokens


def token_batches(
    shim: TorchShim[TokenFeatures, Any],
    sequences: TokenSequences,
    vectors: "Optional[Tensor]",
    direction: Direction,
    limits: MemoryLimits,
) -> "Iterator[Tuple[Windows, nn.embedding.TokenBatch]]":
    """Yield sequences of tokens in batches of windows. Each distinct word of several batches is
    embedded once.

    shim (TorchShim[TokenFeatures, Any]): Holds the features and the module.
    sequences (TokenSequences): The sequences.
    vectors (Optional[Tensor]): The vectors that a tok2vec layer gives for all tokens of the
        documents, (tokens, D).
    direction (str): The direction of the encoder that reads them.
    limits (MemoryLimits): The size of batches and windows.
    YIELDS (Tuple[Windows, TokenBatch]): The windows, in no particular order, and their tokens.
    """
    features, device, embedding = shim.features, shim.device, shim.predictor.embedding
    token_arrays = features.token_arrays(sequences) if features.token_parts else {}
    batches = plan_windows(sequences.lengths, direction, limits, bool(embedding.in_context))

    def embed(words: List[DistinctWords]) -> "Tuple[nn.embedding.Arrays, Tensor]":
        with shim.inference():
            of_vocabs = [shim.word_cache.embed(embedding, features, some, device) for some in words]
            embedded = torch.cat(of_vocabs) if len(of_vocabs) > 1 else of_vocabs[0]
        in_context = stacked([features.arrays(some, embedding.in_context) for some in words])
        return nn.embedding.to_device(in_context, device), embedded

    for windows, (shared, embedded), tokens in word_batches(features, sequences, batches, embed):
        tensors, rows = dict(shared), windows.rows
        if token_arrays:
            of_batch = {name: array[rows] for name, array in token_arrays.items()}
            tensors.update(nn.embedding.to_device(of_batch, device))
        if vectors is not None:
            places = torch.from_numpy(sequences.tokens[rows]).to(device)
            tensors[TOK2VEC] = vectors.index_select(0, places)
        yield (
            windows,
            nn.embedding.TokenBatch(
                tensors,
                torch.from_numpy(tokens).to(device),
                torch.from_numpy(windows.size),
                None,
                embedded,
                windows.carry,
                windows.overlap(device),
            ),
        )


def vector_batches(
    vectors: "Tensor", lengths: np.ndarray, direction: Direction, limits: MemoryLimits
) -> "Iterator[Tuple[Windows, nn.layout.FlatBatch]]":
    """Yield sequences of vectors in batches of windows.

    vectors (Tensor): The vectors of all sequences, one sequence after the other, (N, D).
    lengths (np.ndarray): Vectors of each sequence, int64 (B,).
    direction (str): The direction of the encoder that reads them.
    limits (MemoryLimits): The size of batches and windows.
    YIELDS (Tuple[Windows, FlatBatch]): The windows, in no particular order, and their vectors.
    """
    for windows in plan_windows(lengths, direction, limits):
        rows = torch.from_numpy(windows.rows).to(vectors.device)
        size = torch.from_numpy(windows.size)
        overlap = windows.overlap(vectors.device)
        yield windows, nn.layout.FlatBatch(vectors, size, rows, windows.carry, overlap)


def to_array(output: "Union[Tensor, np.ndarray]") -> np.ndarray:
    """An output of a network as an array, numbers in float32."""
    if isinstance(output, np.ndarray):
        return output
    full = output.float() if output.is_floating_point() else output
    array: np.ndarray = full.cpu().numpy()
    return array


class TokenResults:
    """The results of the tokens of sequences, which come window by window.

    lengths (np.ndarray): Tokens of each sequence, int64 (B,).
    """

    def __init__(self, lengths: np.ndarray):
        self._ends = np.cumsum(lengths)
        # All results in arrays made at once: kept piece by piece between the large arrays that come
        # and go, they would keep the allocator from using the space of those again.
        self._arrays: Outputs = {}

    def add(self, windows: Windows, outputs: "Mapping[str, Union[Tensor, np.ndarray]]") -> None:
        """Add the results of the kept tokens of windows, with one row for each."""
        for name, output in outputs.items():
            array = to_array(output)
            if name not in self._arrays:
                shape = (self._ends[-1], *array.shape[1:])
                self._arrays[name] = np.empty(shape, dtype=array.dtype)
            self._arrays[name][windows.kept_rows] = array

    def by_sequence(self) -> List[Outputs]:
        """The results of each sequence."""
        starts = [0, *self._ends.tolist()]
        return [
            {name: array[start:end] for name, array in self._arrays.items()}
            for start, end in zip(starts, starts[1:], strict=False)
        ]
