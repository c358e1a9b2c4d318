"""A graph of ONNX operators, built node by node."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence, Union

import numpy as np

from ..optional import optional_import

#: The first with layer normalization. Every ONNX Runtime since 1.13 reads it, in browsers too.
OPSET = 17
IR_VERSION = 8
#: operators of ONNX Runtime that are not in the standard
CONTRIB = "com.microsoft"

#: for each module that computes with 8-bit integers, the largest magnitude of each of its inputs,
#: float32 (D,), one array for each of its layers
Bounds = Mapping[Any, Sequence[np.ndarray]]
#: an axis of an array: its size, or a name where it differs from call to call
Axis = Union[int, str]


class Graph:
    """A graph that grows by one operator at a time. Each value has a name, by which later operators
    read it.

    name (str): The graph's name, shown by tools.
    bounds (Optional[Bounds]): Compute with 8-bit integers, and store tables so; the inputs of
        encoders and linear layers are within these bounds.
    """

    def __init__(self, name: str, bounds: Optional[Bounds] = None):
        with optional_import("onnx", "Writing ONNX graphs"):
            import onnx
        self.bounds = bounds
        self._onnx = onnx
        self._name = name
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._domains = {"": OPSET}

    def input(self, name: str, dtype: str, *axes: Axis) -> str:
        """Declare an input; returns its name."""
        self._inputs.append(self._value(name, dtype, axes))
        return name

    def output(self, name: str, value: str, dtype: str, *axes: Axis) -> None:
        """Declare a value as an output under another name."""
        self._nodes.append(self._onnx.helper.make_node("Identity", [value], [name]))
        self._outputs.append(self._value(name, dtype, axes))

    def constant(self, array: Any, dtype: str = "float32") -> str:
        """Store an array, such as a weight; returns its name."""
        stored = np.array(array, dtype=dtype, order="C")
        name = f"constant_{len(self._constants)}"
        self._constants.append(self._onnx.numpy_helper.from_array(stored, name))
        return name

    def integers(self, *values: int) -> str:
        """Store a vector of integers, such as axes or a shape."""
        return self.constant(values, "int64")

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add an operator of one output; returns the output's name. An input "" is left out."""
        return self.add_many(operator, 1, *inputs, domain=domain, **attributes)[0]

    def cast(self, value: str, dtype: str) -> str:
        """Convert to another type."""
        return self.add("Cast", value, to=self._type(dtype))

    def add_many(
        self, operator: str, n: int, *inputs: str, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add an operator of which the first n outputs are used; returns their names."""
        if domain:
            self._domains[domain] = 1
        number = len(self._nodes)
        names = [f"{operator}_{number}_{i}" for i in range(n)]
        self._nodes.append(
            self._onnx.helper.make_node(operator, list(inputs), names, domain=domain, **attributes)
        )
        return names

    def to_bytes(self) -> bytes:
        """The whole graph, checked and serialized."""
        onnx, helper = self._onnx, self._onnx.helper
        graph = helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, self._constants
        )
        opsets = [helper.make_opsetid(domain, n) for domain, n in self._domains.items()]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="spacy-rnn")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model, full_check=True)
        serialized: bytes = model.SerializeToString()
        return serialized

    def _value(self, name: str, dtype: str, axes: Sequence[Axis]) -> Any:
        return self._onnx.helper.make_tensor_value_info(name, self._type(dtype), list(axes))

    def _type(self, dtype: str) -> Any:
        return self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
