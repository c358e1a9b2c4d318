"""Reading documents of any length in bounded memory, and putting the results together again."""

from dataclasses import dataclass, fields, replace
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Protocol,
    Sequence,
    Tuple,
)

import numpy as np
import torch
from spacy.vocab import Vocab
from torch import Tensor

from ..features import contextual_strings as strings_features
from ..features.tokens import TokenArrays, Vocabs
from ..nn.embedding import Context, Strings
from ..nn.layout import offsets, spans
from ..nn.pooling import PooledEncoder, Summaries
from ..nn.rnn import Encoder
from .shim import TorchShim

#: what a network gives for each document: named arrays with one row a token
Outputs = Dict[str, np.ndarray]
#: batches whose distinct words are embedded together, once
CHUNK_BATCHES = 16
#: distinct words embedded at a time
MAX_WORDS = 2048


@dataclass(frozen=True)
class Limits:
    """Bounds on the memory of a prediction, in tokens.

    batch_tokens: the most in a batch, padding counted.
    window: sequences longer than this are read in windows of this size.
    overlap: context read on both sides of a window and thrown away, where both directions are read
        or tokens embedded in their context. With one direction the state is carried from window to
        window, which is exact.
    """

    batch_tokens: int
    window: int
    overlap: int


class Rows(NamedTuple):
    """Rows of a batch: their places among those of all sequences, (N,), and how many each of the
    batch's sequences has, (B,)."""

    places: np.ndarray
    lengths: np.ndarray


@dataclass(frozen=True)
class Windows:
    """Stretches of sequences, int64 arrays with one row each: rows [start, end) of a sequence are
    read, the results of [keep_start, keep_end) kept."""

    sequence: np.ndarray
    start: np.ndarray
    end: np.ndarray
    keep_start: np.ndarray
    keep_end: np.ndarray

    @property
    def size(self) -> np.ndarray:
        return self.end - self.start

    @property
    def kept(self) -> np.ndarray:
        """How many rows are kept."""
        return self.keep_end - self.keep_start

    def take(self, rows: np.ndarray) -> "Windows":
        return Windows(*(getattr(self, field.name)[rows] for field in fields(self)))


class Source(Protocol):
    """Gives the rows of sequences."""

    @property
    def in_context(self) -> bool:
        """Whether a row is what it is by those around it."""

    def __call__(self, batches: Sequence[Rows]) -> Iterator[Tuple[Tensor, Optional[Tensor]]]:
        """The input of several batches: vectors (U, D), and which of them each row is, int64 (N,);
        None if each is its own."""


def lengths_of(sequences: Sequence[np.ndarray]) -> np.ndarray:
    """int64 (B,)."""
    return np.array([len(sequence) for sequence in sequences], dtype="int64")


def batches_of(lengths: np.ndarray, batch_tokens: int) -> List[np.ndarray]:
    """Batches of sequences of similar length, longest first, of at most `batch_tokens` padded
    tokens (or one sequence), as index arrays."""
    order = np.argsort(-lengths, kind="stable")
    cuts, first = [], 0
    sizes = lengths[order].tolist()
    for i in range(len(sizes)):
        if i > first and sizes[first] * (i - first + 1) > batch_tokens:
            cuts.append(i)
            first = i
    return [batch for batch in np.split(order, cuts) if len(batch)]


class WordSource:
    """The vectors of words, from sequences of their hashes. Each distinct word of several batches
    is embedded once.

    vectors: those that a tok2vec layer gives for their tokens.
    """

    def __init__(
        self,
        shim: TorchShim,
        sequences: Sequence[np.ndarray],
        vocab: Vocabs,
        vectors: Optional[Tensor] = None,
    ):
        self._shim = shim
        self._sequences = sequences
        self._keys = np.concatenate(sequences)
        self._vocab = vocab
        self._vectors = vectors

    @property
    def in_context(self) -> bool:
        return self._shim.features.context is not None

    def __call__(self, batches: Sequence[Rows]) -> Iterator[Tuple[Tensor, Optional[Tensor]]]:
        shim = self._shim
        arrays = self._read(np.concatenate([rows.places for rows in batches]))
        embedded = _embed(shim, arrays.words)
        ends = np.cumsum([len(rows.places) for rows in batches])
        for rows, tokens in zip(batches, np.split(arrays.tokens, ends[:-1]), strict=True):
            strings = shim.features.strings(arrays._replace(tokens=tokens, lengths=rows.lengths))
            context = strings_to_tensors(strings, shim.device)
            on_device = torch.from_numpy(tokens).to(shim.device)
            given = None
            if self._vectors is not None:
                places = torch.from_numpy(rows.places).to(shim.device)
                given = self._vectors.index_select(0, places)

            def read(module: Any, tokens=on_device, context=context, given=given) -> Any:
                return module.embedding.in_context(embedded, tokens, context, given)

            yield shim.predict(read)

    def _read(self, places: np.ndarray) -> TokenArrays:
        keys = self._keys[places]
        if isinstance(self._vocab, Vocab):
            return self._shim.features([keys], self._vocab)
        # Cut where another sequence goes on.
        ends = np.cumsum(lengths_of(self._sequences))
        sequence = np.searchsorted(ends, places, side="right")
        cuts = np.flatnonzero(np.diff(sequence)) + 1
        first = sequence[np.concatenate([[0], cuts])] if len(places) else [0]
        return self._shim.features(np.split(keys, cuts), [self._vocab[i] for i in first])


class VectorSource:
    """Vectors that are there: (N, D), rows of one sequence after those of another."""

    in_context = False

    def __init__(self, vectors: Tensor):
        self._vectors = vectors

    def __call__(self, batches: Sequence[Rows]) -> Iterator[Tuple[Tensor, Optional[Tensor]]]:
        for rows in batches:
            yield self._vectors, torch.from_numpy(rows.places).to(self._vectors.device)


def read_sequences(
    shim: TorchShim,
    encoder_of: Callable[[Any], Encoder],
    lengths: np.ndarray,
    source: Source,
    limits: Limits,
    read: Callable[[Any, Tensor, Tensor], Any],
) -> Iterator[Tuple[Windows, Any]]:
    """Encode sequences of these lengths, batch by batch; yields windows and what `read` makes of
    them, in no particular order.

    Sequences are sorted by length and cut by padded tokens, so that the size of the batches they
    come in does not matter.

    encoder_of: the encoder inside the torch module.
    source: gives their rows.
    read: makes something of the module, the states (N, D) that are kept and how many each window
        has, int64 on the CPU.
    """
    overlapping = encoder_of(shim.module).direction == "both" or source.in_context
    long = lengths > limits.window
    short = np.flatnonzero(~long)
    windows = [Windows(short, short * 0, lengths[short], short * 0, lengths[short])]
    if overlapping:
        windows += [_overlapping(i, int(lengths[i]), limits) for i in np.flatnonzero(long).tolist()]
    starts = offsets(lengths)
    all_windows = _together(windows)
    batches = [all_windows.take(rows) for rows in batches_of(all_windows.size, limits.batch_tokens)]
    for first in range(0, len(batches), CHUNK_BATCHES):
        chunk = batches[first : first + CHUNK_BATCHES]
        rows = [
            Rows(spans(starts[batch.sequence] + batch.start, batch.size), batch.size)
            for batch in chunk
        ]
        for batch, (x, tokens) in zip(chunk, source(rows), strict=True):

            def run(module: Any, batch=batch, x=x, tokens=tokens) -> Any:
                states = encoder_of(module)(x, torch.from_numpy(batch.size), tokens)
                return read(module, *_kept(batch, states))

            yield batch, shim.predict(run)
    for i in [] if overlapping else np.flatnonzero(long).tolist():
        yield from _carry(shim, encoder_of, i, lengths, source, limits, read)


def predict_rows(
    shim: TorchShim,
    encoder_of: Callable[[Any], Encoder],
    lengths: np.ndarray,
    source: Source,
    limits: Limits,
    read: Callable[[Any, Tensor], Dict[str, Tensor]],
) -> List[Outputs]:
    """For each sequence, what `read` makes of the module and the state of each of its rows."""
    starts = offsets(lengths)
    # All results in arrays made at once: kept piece by piece between the large arrays that come
    # and go, they would keep the allocator from using the space of those again.
    results: Outputs = {}
    batches = read_sequences(
        shim,
        encoder_of,
        lengths,
        source,
        limits,
        lambda module, states, sizes: read(module, states),
    )
    for windows, outputs in batches:
        places = spans(starts[windows.sequence] + windows.keep_start, windows.kept)
        for name, tensor in outputs.items():
            array = tensor.cpu().numpy()
            if name not in results:
                results[name] = np.empty((lengths.sum(), *array.shape[1:]), dtype=array.dtype)
            results[name][places] = array
    return [
        {name: array[start : start + n] for name, array in results.items()}
        for start, n in zip(starts.tolist(), lengths.tolist(), strict=True)
    ]


def pool_sequences(
    shim: TorchShim,
    level: Callable[[Any], PooledEncoder],
    lengths: np.ndarray,
    source: Source,
    limits: Limits,
) -> Tensor:
    """The vector of each sequence (B, D), however long it is.

    level: what reads the sequences, inside the torch module.
    """
    read = list(
        read_sequences(
            shim,
            lambda module: level(module).encoder,
            lengths,
            source,
            limits,
            lambda module, states, sizes: level(module).pooling.summarize(states, sizes),
        )
    )
    windows = _together([batch for batch, _ in read])
    parts: List[Summaries] = [summaries for _, summaries in read]
    order = torch.from_numpy(np.lexsort((windows.start, windows.sequence))).to(shim.device)
    counts = np.bincount(windows.sequence, minlength=len(lengths))

    def put_together(module: Any) -> Tensor:
        pooling = level(module).pooling
        summaries = {
            way: {
                name: torch.cat([part[way][name] for part in parts]).index_select(0, order)
                for name in parts[0][way]
            }
            for way in parts[0]
        }
        if counts.max() > 1:
            summaries = pooling.merge(summaries, torch.from_numpy(counts))
        return pooling.finish(summaries)

    return shim.predict(put_together)


def _embed(shim: TorchShim, words: Dict[str, np.ndarray]) -> Tensor:
    """The vectors of distinct words, a bounded number at a time."""
    n = max(map(len, words.values()), default=0)

    def embed(module: Any) -> Tensor:
        pieces = []
        for start in range(0, max(n, 1), MAX_WORDS):
            some = {name: array[start : start + MAX_WORDS] for name, array in words.items()}
            pieces.append(module.embedding(to_tensors(some, shim.device)))
        return torch.cat(pieces) if len(pieces) > 1 else pieces[0]

    return shim.predict(embed)


def to_tensors(words: Dict[str, np.ndarray], device: torch.device) -> Dict[str, Tensor]:
    """Features of words as tensors; lengths stay on the host."""
    tensors = {}
    for name, array in words.items():
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        stays = name.endswith("_lengths")
        tensors[name] = tensor if stays else tensor.to(device, non_blocking=True)
    return tensors


def strings_to_tensors(
    strings: Optional[Mapping[str, strings_features.Strings]], device: torch.device
) -> Optional[Context]:
    """Sequences as characters; lengths stay on the host."""
    if strings is None:
        return None
    return {
        name: Strings(
            torch.from_numpy(of.units).to(device, non_blocking=True),
            torch.from_numpy(of.lengths),
            torch.from_numpy(of.ends).to(device, non_blocking=True),
        )
        for name, of in strings.items()
    }


def _overlapping(sequence: int, n: int, limits: Limits) -> Windows:
    """The windows of a long sequence."""
    keep_start = np.arange(0, n, limits.window)
    keep_end = np.minimum(n, keep_start + limits.window)
    start = np.maximum(0, keep_start - limits.overlap)
    end = np.minimum(n, keep_end + limits.overlap)
    return Windows(np.full(len(start), sequence), start, end, keep_start, keep_end)


def _together(windows: Sequence[Windows]) -> Windows:
    return Windows(
        *(np.concatenate([getattr(w, field.name) for w in windows]) for field in fields(Windows))
    )


def _kept(windows: Windows, states: Tensor) -> Tuple[Tensor, Tensor]:
    """Of the states of windows those that are kept, and how many each window has."""
    if windows.kept.sum() < len(states):
        starts = offsets(windows.size) + windows.keep_start - windows.start
        index = torch.from_numpy(spans(starts, windows.kept)).to(states.device)
        states = states.index_select(0, index)
    return states, torch.from_numpy(windows.kept)


def _carry(
    shim: TorchShim,
    encoder_of: Callable[[Any], Encoder],
    sequence: int,
    lengths: np.ndarray,
    source: Source,
    limits: Limits,
    read: Callable[[Any, Tensor, Tensor], Any],
) -> Iterator[Tuple[Windows, Any]]:
    """A long sequence in pieces, the state carried from each to the next."""
    first, n = int(offsets(lengths)[sequence]), int(lengths[sequence])
    windows = _overlapping(sequence, n, replace(limits, overlap=0))
    pieces = range(len(windows.start))
    backward = encoder_of(shim.module).direction == "backward"
    state = None
    for i in reversed(pieces) if backward else pieces:
        piece = windows.take(np.array([i]))
        ((x, tokens),) = source([Rows(spans(first + piece.start, piece.size), piece.size)])

        def run(module: Any, piece=piece, x=x, tokens=tokens, state=state) -> Tuple[Any, Tensor]:
            sizes = torch.from_numpy(piece.size)
            states, after = encoder_of(module).forward_stateful(x, sizes, tokens, state)
            return read(module, states, sizes), after

        outputs, state = shim.predict(run)
        yield piece, outputs
