"""The library that predicts with a network: torch, or ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..onnx.session import Graphs

if TYPE_CHECKING:
    from torch import nn

EngineName = Literal["torch", "onnx"]

_SET_TORCH = 'set engine = "torch" in [components.NAME] of the config.'
#: the cure where more than prediction is asked of a compressed component
USE_ORIGINAL = "use the pipeline that the compressed one was made from."


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """Settings of all components.

    engine (str): The library that predicts: "torch", or "onnx" for ONNX Runtime, where the command
        ``compress`` has written graphs for it.
    """

    engine: EngineName = "torch"


class Engine:
    """Predicts with a torch module.

    name (str): "torch", or "onnx" to run graphs of the module's parts instead of them.
    graphs (Graphs): The graphs, if they were written since the module's weights last changed.
    """

    def __init__(self) -> None:
        self.name: EngineName = "torch"
        self.graphs: Graphs = {}
        self._with_graphs: Any = None

    def replace_graphs(self, graphs: Graphs) -> None:
        """Take the graphs of another state of the module, or none."""
        self.graphs, self._with_graphs = graphs, None

    def predictor(self, module: nn.Module) -> Any:
        """The module as it predicts.

        RAISES (ValueError): If the engine cannot run it.
        """
        if self.name == "torch":
            return module
        if self._with_graphs is None:
            self._with_graphs = self._make_predictor(module)
        return self._with_graphs

    def _make_predictor(self, module: nn.Module) -> Any:
        if not self.graphs:
            raise ValueError(
                f"The engine 'onnx' has no graphs to run: write them with python -m spacy rnn "
                f"compress MODEL OUTPUT, or {_SET_TORCH}"
            )
        if next(module.parameters()).device.type != "cpu":
            raise ValueError(f"The engine 'onnx' runs on the CPU only: {_SET_TORCH}")
        from ..onnx.engine import with_graphs

        return with_graphs(module, self.graphs)

    def begin_change(self) -> None:
        """Forget the graphs of weights that will change.

        RAISES (ValueError): If they are run.
        """
        if self.name != "torch":
            raise ValueError(
                f"The engine '{self.name}' only predicts. To train or add labels, {USE_ORIGINAL}"
            )
        self.replace_graphs({})
