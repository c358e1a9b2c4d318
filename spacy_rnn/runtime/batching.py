"""Documents of any length in batches of bounded memory, and their results put together again."""

from dataclasses import dataclass, field, replace
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import Model
from torch import Tensor

from ..features.tokens import TokenFeatures, TokenSequences, stacked
from ..nn.embedding import TOK2VEC, TokenBatch, to_device
from ..nn.layout import Carry, FlatBatch, Overlap, offsets, ranges
from ..nn.rnn import Direction
from .shim import TorchShim
from .tok2vec import DocBatch, embed_docs

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

    def overlap(self, device: torch.device) -> Optional[Overlap]:
        """The tokens of the batch that are kept; None if they all are."""
        if (self.kept == self.size).all():
            return None
        tokens = ranges(offsets(self.size) + self.keep_start - self.start, self.kept)
        return Overlap(torch.from_numpy(tokens).to(device), torch.from_numpy(self.kept))

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


def token_batches(
    shim: TorchShim[TokenFeatures, Any],
    sequences: TokenSequences,
    vectors: Optional[Tensor],
    direction: Direction,
    limits: MemoryLimits,
) -> Iterator[Tuple[Windows, TokenBatch]]:
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
    for first in range(0, len(batches), CHUNK_BATCHES):
        chunk = batches[first : first + CHUNK_BATCHES]
        rows = [windows.rows for windows in chunk]
        words, tokens = features.distinct_words(sequences, np.concatenate(rows))
        with shim.inference():
            of_vocabs = [shim.word_cache.embed(embedding, features, some, device) for some in words]
            embedded = torch.cat(of_vocabs) if len(of_vocabs) > 1 else of_vocabs[0]
        in_context = stacked([features.arrays(some, embedding.in_context) for some in words])
        shared = to_device(in_context, device)
        end = 0
        for windows, some in zip(chunk, rows, strict=True):
            start, end = end, end + len(some)
            tensors = dict(shared)
            if token_arrays:
                of_batch = {name: array[some] for name, array in token_arrays.items()}
                tensors.update(to_device(of_batch, device))
            if vectors is not None:
                places = torch.from_numpy(sequences.tokens[some]).to(device)
                tensors[TOK2VEC] = vectors.index_select(0, places)
            yield (
                windows,
                TokenBatch(
                    tensors,
                    torch.from_numpy(tokens[start:end]).to(device),
                    torch.from_numpy(windows.size),
                    None,
                    embedded,
                    windows.carry,
                    windows.overlap(device),
                ),
            )


def vector_batches(
    vectors: Tensor, lengths: np.ndarray, direction: Direction, limits: MemoryLimits
) -> Iterator[Tuple[Windows, FlatBatch]]:
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
        yield windows, FlatBatch(vectors, size, rows, windows.carry, overlap)


class TokenResults:
    """The results of the tokens of sequences, which come window by window.

    lengths (np.ndarray): Tokens of each sequence, int64 (B,).
    """

    def __init__(self, lengths: np.ndarray):
        self._ends = np.cumsum(lengths)
        # All results in arrays made at once: kept piece by piece between the large arrays that come
        # and go, they would keep the allocator from using the space of those again.
        self._arrays: Outputs = {}

    def add(self, windows: Windows, outputs: Dict[str, Tensor]) -> None:
        """Add the results of the kept tokens of windows, with one row for each."""
        for name, tensor in outputs.items():
            array = tensor.cpu().numpy()
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
