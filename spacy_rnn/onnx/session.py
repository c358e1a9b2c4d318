"""Graphs that are ready to run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..nn.ragged import group_by_length
from ..optional import optional_import

#: the serialized graph of each part of a network, by its path there, such as "tokens.encoder"
Graphs = Mapping[str, bytes]
#: the cure for graphs that do not fit
COMPRESS_AGAIN = "Write the graphs again: python -m spacy rnn compress MODEL OUTPUT"
#: the fixed price of one time step of a graph, in rows
STEP_OVERHEAD = 3.0


def check_complete(graphs: Graphs, names: Iterable[str]) -> None:
    """Check that there are graphs of all parts of a network.

    graphs (Graphs): The graphs.
    names (Iterable[str]): The paths of the parts.
    RAISES (ValueError): If one is missing.
    """
    missing = [name for name in names if name not in graphs]
    if missing:
        raise ValueError(f"There is no graph of {', '.join(missing)}. {COMPRESS_AGAIN}")


class Session:
    """A graph that is ready to run, in one thread each time it is called. Several threads may call
    it at once; it can be pickled.

    model (bytes): The serialized graph.

    shapes (dict[str, list[Any]]): Shapes of the arrays that the graph reads.
    inputs (list[str]): Their names.
    width (int): Width of the first output.
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
        self.shapes: dict[str, list[Any]] = {v.name: v.shape for v in session.get_inputs()}
        self._session: Any = session
        self.inputs = list(self.shapes)
        self.width: int = session.get_outputs()[0].shape[-1]

    def __call__(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """Compute the first output; see `run`."""
        return self.run(arrays)[0]

    def run(self, arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Compute all outputs. Arrays that the graph does not read are left out."""
        outputs: list[np.ndarray] = self._session.run(
            None, {name: arrays[name] for name in self.inputs}
        )
        return outputs

    def __reduce__(self) -> tuple[Any, ...]:
        return Session, (self._model,)


def word_vectors(session: Session, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Embed distinct words. Those with a similar number of units are read together.

    session (Session): The graph of one part of the embedding.
    arrays (Mapping[str, np.ndarray]): The arrays of the words.
    RETURNS (np.ndarray): float32 (U, width).
    """
    mine = {name: np.ascontiguousarray(arrays[name]) for name in session.inputs}
    units = [name for name in mine if name + "_lengths" in mine and mine[name].dtype == np.int64]
    if not units:
        return session(mine)
    (name,) = units
    lengths = np.maximum(mine[name + "_lengths"], 1)
    vectors = np.empty((len(lengths), session.width), dtype="float32")
    for group in group_by_length(lengths, STEP_OVERHEAD):
        some = {name: array[group] for name, array in mine.items()}
        some[name] = some[name][:, : lengths[group[0]]]
        vectors[group] = session(some)
    return vectors
