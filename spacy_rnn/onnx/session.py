"""Graphs that are ready to run."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..optional import optional_import


class Session:
    """A graph that is ready to run, in one thread each time it is called. Several threads may call
    it at once; it can be pickled.

    model (bytes): The serialized graph.

    inputs (list[str]): Names of the arrays that the graph reads.
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
        self._session: Any = session
        self.inputs = [value.name for value in session.get_inputs()]
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
