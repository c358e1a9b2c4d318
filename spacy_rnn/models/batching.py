"""Cutting documents into batches for prediction, and putting the results together again."""

from dataclasses import dataclass
from typing import Callable, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np
import torch
from spacy.attrs import ORTH
from spacy.tokens import Doc
from torch import Tensor, nn

from ..features.tokens import TokenArrays
from ..nn.tagger import Batch
from ..training.shim import TorchShim

#: what a network gives for a batch: named arrays with one row a token
Outputs = Dict[str, np.ndarray]


@dataclass(frozen=True)
class Limits:
    """Bounds on the memory of a prediction, in tokens.

    batch_tokens: the most in a batch, padding counted.
    window: documents longer than this are read in windows of this size.
    overlap: context read on both sides of a window and thrown away, where both directions are read.
        With one direction the state is carried from window to window, which is exact.
    """

    batch_tokens: int
    window: int
    overlap: int


class Window(NamedTuple):
    """Tokens [start, end) of a document are read, the results of [keep_start, keep_end) kept."""

    doc: int
    start: int
    end: int
    keep_start: int
    keep_end: int


def collate(shim: TorchShim, sequences: Sequence[np.ndarray], docs: Sequence[Doc]) -> Batch:
    """Sequences of word hashes as tensors on the model's device."""
    arrays = shim.features(sequences, docs[0].vocab)
    return _to_batch(arrays, shim.device)


def word_hashes(doc: Doc) -> np.ndarray:
    """The hash of each token's text, uint64 (tokens,)."""
    return doc.to_array([ORTH]).reshape(-1)


def predict_tokens(
    shim: TorchShim,
    docs: Sequence[Doc],
    limits: Limits,
    read: Callable[[Dict[str, Tensor]], Dict[str, Tensor]],
) -> List[Outputs]:
    """What `read` makes of the network's outputs, for each document in its order.

    Documents are sorted by length and cut by padded tokens, so that the size of the batches they
    come in does not matter.
    """
    sequences = [word_hashes(doc) for doc in docs]
    if getattr(shim.module, "direction", "both") == "both":
        carried: List[int] = []
        windows = [w for i, s in enumerate(sequences) for w in _overlapping(i, len(s), limits)]
    else:
        carried = [i for i, s in enumerate(sequences) if len(s) > limits.window]
        windows = [Window(i, 0, len(s), 0, len(s)) for i, s in enumerate(sequences)]
        windows = [w for w in windows if w.doc not in set(carried)]
    starts = np.cumsum([0] + [len(sequence) for sequence in sequences])
    # All results in arrays made at once: kept piece by piece between the large arrays that come
    # and go, they would keep the allocator from using the space of those again.
    results: Outputs = {}

    def keep(doc: int, start: int, end: int, outputs: Outputs) -> None:
        for name, array in outputs.items():
            if name not in results:
                results[name] = np.empty((starts[-1], *array.shape[1:]), dtype=array.dtype)
            results[name][starts[doc] + start : starts[doc] + end] = array

    for batch_windows in _batches(windows, limits.batch_tokens):
        parts = [sequences[w.doc][w.start : w.end] for w in batch_windows]
        batch = collate(shim, parts, docs)
        outputs = shim.predict(lambda module: _to_numpy(read(module(batch)[0])))  # noqa: B023
        first = 0
        for window in batch_windows:
            kept = slice(
                first + window.keep_start - window.start, first + window.keep_end - window.start
            )
            mine = {name: array[kept] for name, array in outputs.items()}
            keep(window.doc, window.keep_start, window.keep_end, mine)
            first += window.end - window.start
    for i in carried:
        for start, end, outputs in _carry(shim, sequences[i], docs, limits, read):
            keep(i, start, end, outputs)
    return [
        {name: array[starts[i] : starts[i + 1]] for name, array in results.items()}
        for i in range(len(docs))
    ]


def _overlapping(doc: int, n: int, limits: Limits) -> List[Window]:
    if n <= limits.window:
        return [Window(doc, 0, n, 0, n)]
    return [
        Window(
            doc,
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
    ordered = sorted(windows, key=lambda w: w.start - w.end)
    batch: List[Window] = []
    for window in ordered:
        longest = (batch[0].end - batch[0].start) if batch else 0
        if batch and longest * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch


def _carry(
    shim: TorchShim,
    sequence: np.ndarray,
    docs: Sequence[Doc],
    limits: Limits,
    read: Callable[[Dict[str, Tensor]], Dict[str, Tensor]],
) -> Iterator[Tuple[int, int, Outputs]]:
    """A long sequence in pieces, the state carried from each to the next: start, end, outputs."""
    starts = range(0, len(sequence), limits.window)
    state = None
    for start in reversed(starts) if shim.module.direction == "backward" else starts:
        piece = sequence[start : start + limits.window]
        batch = collate(shim, [piece], docs)

        def run(module: nn.Module, batch=batch, state=state):
            logits, after = module(batch, state, stateful=True)
            return _to_numpy(read(logits)), after

        outputs, state = shim.predict(run)
        yield start, start + len(piece), outputs


def _to_numpy(outputs: Dict[str, Tensor]) -> Outputs:
    return {name: tensor.cpu().numpy() for name, tensor in outputs.items()}


def _to_batch(arrays: TokenArrays, device: torch.device) -> Batch:
    words = {}
    for name, array in arrays.words.items():
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        words[name] = tensor if name.endswith("_lengths") else tensor.to(device, non_blocking=True)
    tokens = torch.from_numpy(arrays.tokens).to(device, non_blocking=True)
    return Batch(words, tokens, torch.from_numpy(arrays.lengths))
