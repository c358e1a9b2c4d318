"""Reading documents of any length in bounded memory, and putting the results together again."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np
import torch
from spacy.vocab import Vocab
from torch import Tensor

from ..nn.layout import offsets
from ..nn.pooling import PooledEncoder, Summaries
from ..nn.rnn import Encoder
from ..training.shim import TorchShim

#: what a network gives for each document: named arrays with one row a token
Outputs = Dict[str, np.ndarray]
#: batches whose distinct words are embedded together, once
CHUNK_BATCHES = 16
#: distinct words embedded at a time
MAX_WORDS = 8192


@dataclass(frozen=True)
class Limits:
    """Bounds on the memory of a prediction, in tokens.

    batch_tokens: the most in a batch, padding counted.
    window: sequences longer than this are read in windows of this size.
    overlap: context read on both sides of a window and thrown away, where both directions are read.
        With one direction the state is carried from window to window, which is exact.
    """

    batch_tokens: int
    window: int
    overlap: int


class Window(NamedTuple):
    """Rows [start, end) of a sequence are read, the results of [keep_start, keep_end) kept."""

    sequence: int
    start: int
    end: int
    keep_start: int
    keep_end: int

    @property
    def size(self) -> int:
        return self.end - self.start


#: gives the input (N, D) of each of several batches of windows
Source = Callable[[Sequence[List[Window]]], Iterator[Tensor]]


def lengths_of(sequences: Sequence[np.ndarray]) -> np.ndarray:
    """int64 (B,)."""
    return np.array([len(sequence) for sequence in sequences], dtype="int64")


def words_source(shim: TorchShim, sequences: Sequence[np.ndarray], vocab: Vocab) -> Source:
    """The vectors of words, from sequences of their hashes. Each distinct word of several batches
    is embedded once."""

    def source(batches: Sequence[List[Window]]) -> Iterator[Tensor]:
        parts = [sequences[w.sequence][w.start : w.end] for batch in batches for w in batch]
        arrays = shim.features(parts, vocab)
        embedded = _embed(shim, arrays.words)
        ends = np.cumsum([sum(window.size for window in batch) for batch in batches])
        for tokens in np.split(arrays.tokens, ends[:-1]):
            yield embedded.index_select(0, torch.from_numpy(tokens).to(shim.device))

    return source


def vectors_source(vectors: Tensor, lengths: np.ndarray) -> Source:
    """Sequences of vectors that are there: (N, D), rows of one sequence after those of another."""
    starts = offsets(lengths)

    def source(batches: Sequence[List[Window]]) -> Iterator[Tensor]:
        for batch in batches:
            places = [np.arange(w.start, w.end) + starts[w.sequence] for w in batch]
            index = torch.from_numpy(np.concatenate(places)).to(vectors.device)
            yield vectors.index_select(0, index)

    return source


def read_sequences(
    shim: TorchShim,
    encoder_of: Callable[[Any], Encoder],
    lengths: np.ndarray,
    source: Source,
    limits: Limits,
    read: Callable[[Any, Tensor, Tensor], Any],
) -> Iterator[Tuple[List[Window], Any]]:
    """Encode sequences of these lengths, batch by batch; yields windows and what `read` makes of
    them, in no particular order.

    Sequences are sorted by length and cut by padded tokens, so that the size of the batches they
    come in does not matter.

    encoder_of: the encoder inside the torch module.
    source: gives their rows.
    read: makes something of the module, the states (N, D) that are kept and how many each window
        has, int64 on the CPU.
    """
    both = encoder_of(shim.module).direction == "both"
    windows, carried = [], []
    for i, n in enumerate(lengths.tolist()):
        if n > limits.window and not both:
            carried.append(i)
        else:
            windows += _overlapping(i, n, limits)
    batches = list(_batches(windows, limits.batch_tokens))
    for first in range(0, len(batches), CHUNK_BATCHES):
        chunk = batches[first : first + CHUNK_BATCHES]
        for batch, x in zip(chunk, source(chunk), strict=True):
            sizes = torch.tensor([window.size for window in batch])

            def run(module: Any, batch=batch, x=x, sizes=sizes) -> Any:
                return read(module, *_kept(batch, encoder_of(module)(x, sizes)))

            yield batch, shim.predict(run)
    for i in carried:
        yield from _carry(shim, encoder_of, i, int(lengths[i]), source, limits, read)


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
        places = np.concatenate(
            [np.arange(w.keep_start, w.keep_end) + starts[w.sequence] for w in windows]
        )
        for name, tensor in outputs.items():
            array = tensor.cpu().numpy()
            if name not in results:
                results[name] = np.empty((lengths.sum(), *array.shape[1:]), dtype=array.dtype)
            results[name][places] = array
    return [
        {name: array[start : start + n] for name, array in results.items()}
        for start, n in zip(starts, lengths, strict=True)
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
    windows: List[Window] = []
    parts: List[Summaries] = []
    batches = read_sequences(
        shim,
        lambda module: level(module).encoder,
        lengths,
        source,
        limits,
        lambda module, states, sizes: level(module).pooling.summarize(states, sizes),
    )
    for batch, summaries in batches:
        windows += batch
        parts.append(summaries)
    order = sorted(range(len(windows)), key=lambda i: windows[i][:2])
    counts = np.bincount([window.sequence for window in windows], minlength=len(lengths))

    def put_together(module: Any) -> Tensor:
        pooling = level(module).pooling
        index = torch.tensor(order, device=shim.device)
        summaries = {
            way: {
                name: torch.cat([part[way][name] for part in parts]).index_select(0, index)
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
    n = len(next(iter(words.values())))

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


def _overlapping(sequence: int, n: int, limits: Limits) -> List[Window]:
    if n <= limits.window:
        return [Window(sequence, 0, n, 0, n)]
    return [
        Window(
            sequence,
            max(0, start - limits.overlap),
            min(n, start + limits.window + limits.overlap),
            start,
            min(n, start + limits.window),
        )
        for start in range(0, n, limits.window)
    ]


def _batches(windows: List[Window], batch_tokens: int) -> Iterator[List[Window]]:
    """Batches of windows of similar length, longest first, of at most `batch_tokens` padded tokens
    (or one window)."""
    batch: List[Window] = []
    for window in sorted(windows, key=lambda w: -w.size):
        if batch and batch[0].size * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch


def _kept(windows: List[Window], states: Tensor) -> Tuple[Tensor, Tensor]:
    """Of the states of windows those that are kept, and how many each window has."""
    sizes = np.array([w.keep_end - w.keep_start for w in windows], dtype="int64")
    if sizes.sum() < len(states):
        starts = offsets(np.array([w.size for w in windows]))
        places = [
            np.arange(w.keep_start - w.start, w.keep_end - w.start) + start
            for w, start in zip(windows, starts, strict=True)
        ]
        index = torch.from_numpy(np.concatenate(places)).to(states.device)
        states = states.index_select(0, index)
    return states, torch.from_numpy(sizes)


def _carry(
    shim: TorchShim,
    encoder_of: Callable[[Any], Encoder],
    sequence: int,
    n: int,
    source: Source,
    limits: Limits,
    read: Callable[[Any, Tensor, Tensor], Any],
) -> Iterator[Tuple[List[Window], Any]]:
    """A long sequence in pieces, the state carried from each to the next."""
    starts = range(0, n, limits.window)
    state = None
    backward = encoder_of(shim.module).direction == "backward"
    for start in reversed(starts) if backward else starts:
        end = min(n, start + limits.window)
        windows = [Window(sequence, start, end, start, end)]
        (x,) = source([windows])
        sizes = torch.tensor([end - start])

        def run(module: Any, x=x, sizes=sizes, state=state) -> Tuple[Any, Tensor]:
            states, after = encoder_of(module).step(x, sizes, state)
            return read(module, states, sizes), after

        outputs, state = shim.predict(run)
        yield windows, outputs
