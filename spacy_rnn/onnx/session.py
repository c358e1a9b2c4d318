"""Running graphs without torch: distinct words, and sequences of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..optional import optional_import

#: tokens in a call, padding counted, which bounds its memory
BATCH_TOKENS = 4096
#: The price of one more call, in steps of one row: so many, and a share of the call's steps.
_CALL, _STEP = 3.0, 0.7

#: arrays by name
Arrays = dict[str, np.ndarray]


class Session:
    """A graph that is ready to run, in one thread each time it is called. Several threads may call
    it at once; it can be pickled.

    model (bytes): The serialized graph.
    RAISES (ValueError): If ONNX Runtime cannot read the graph or lacks one of its operators.
    """

    def __init__(self, model: bytes):
        with optional_import("onnxruntime", "Prediction with ONNX graphs"):
            import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # Its errors have no base class.
            raise ValueError(
                f"ONNX Runtime {onnxruntime.__version__} cannot run this graph: {error}. Write it "
                f"again, with a version of onnxruntime that has all of its operators."
            ) from error
        self._model = model
        self._session: Any = session
        self.inputs = [value.name for value in session.get_inputs()]
        #: the width of each output
        self.outputs = {value.name: value.shape[-1] for value in session.get_outputs()}

    def __call__(self, arrays: Arrays) -> Arrays:
        """Compute all outputs. Arrays that the graph does not read are left out."""
        found = self._session.run(None, {name: arrays[name] for name in self.inputs})
        return dict(zip(self.outputs, found, strict=True))

    def __reduce__(self) -> tuple[Any, ...]:
        return Session, (self._model,)


def embed_words(session: Session, words: Arrays) -> np.ndarray:
    """Embed distinct words with the graph of `words_graph`.

    words (Arrays): One row for each of the U distinct words.
    RETURNS (np.ndarray): float32 (U, width).
    """
    units = [array for name, array in words.items() if name.endswith("_lengths")]
    n_words = len(next(iter(words.values())))
    lengths = np.max([np.ones(n_words, dtype="int64"), *units], axis=0)
    vectors = np.empty((n_words, session.outputs["vectors"]), dtype="float32")
    for group in group_by_length(lengths):
        longest = lengths[group[0]]
        # Vectors that come with words have no padding to cut off.
        mine = {
            name: array[group, :longest]
            if name + "_lengths" in words and array.dtype == "int64"
            else array[group]
            for name, array in words.items()
        }
        vectors[group] = session(mine)["vectors"]
    return vectors


def read_tokens(
    session: Session, vectors: np.ndarray, tokens: np.ndarray, lengths: np.ndarray
) -> Arrays:
    """Read sequences with the graph of `tagger_graph`.

    vectors (np.ndarray): float32 (M, D). tokens (np.ndarray): The vector of each token, int64 (N,).
    lengths (np.ndarray): int64 (B,).
    RETURNS (Arrays): The outputs of each target, float32 (N, labels).
    """
    starts = np.cumsum(lengths) - lengths
    results = {
        target: np.empty((len(tokens), width), dtype="float32")
        for target, width in session.outputs.items()
    }
    for group in group_by_length(lengths):
        places, real = padded(starts[group], lengths[group])
        found = session(
            {
                "vectors": vectors,
                "tokens": tokens[places],
                "lengths": lengths[group].astype("int32"),
            }
        )
        for target, scores in found.items():
            results[target][places[real]] = scores[real]
    return results


def padded(starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places of sequences in a padded grid, int64 (T, B), and where it is no padding, bool.
    Padding repeats a sequence's last place.

    starts (np.ndarray): The first place of each sequence, (B,).
    lengths (np.ndarray): (B,), at least 1.
    """
    time = np.arange(lengths.max())[:, None]
    return starts + np.minimum(time, lengths - 1), time < lengths


def group_by_length(lengths: np.ndarray) -> list[np.ndarray]:
    """Split rows into calls of similar length, the longest first. A call ends where its padding
    costs more than one more call, or at `BATCH_TOKENS`. Rows of length 0 are in none."""
    order = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]
    cuts, start, padding = [], 0, 0
    sizes = lengths[order].tolist()
    for i, size in enumerate(sizes):
        steps = sizes[start]
        padding += steps - size
        if padding > _CALL + _STEP * steps or steps * (i - start + 1) > max(BATCH_TOKENS, steps):
            cuts.append(i)
            start, padding = i, 0
    return np.split(order, cuts) if len(order) else []
