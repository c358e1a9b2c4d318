"""The bridge between a thinc model and a torch module.

thinc's own PyTorchShim switches the module between training and evaluation at each prediction
(wrong predictions in threads), clips each tensor's gradient alone, cannot average torch weights and
pickles them. This one keeps the module in evaluation mode and trains a view of its weights,
normalizes and clips the gradient as a whole, averages, and stores weights as safetensors.
"""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Callable, Generic, Iterator, Protocol, TypeVar

import numpy as np
from thinc.api import Model, Optimizer, get_torch_default_device, torch2xp, xp2torch
from thinc.shims import Shim

from .. import nn
from ..forks import computing
from ..onnx.session import COMPRESS_AGAIN
from ..optional import torch
from . import distributed
from .engine import USE_ORIGINAL, Engine
from .optimizer import AdamW, forget_resized, new_id, parameter_key
from .process import prepare_process
from .serialization import (
    Weights,
    check_shapes,
    load_weights,
    network_to_bytes,
    read_graphs,
    read_state,
    read_weights,
    weights_of,
)
from .step_counts import StepCounts
from .word_cache import WordCache

if TYPE_CHECKING:
    from torch import Tensor

    from ..onnx.session import Graphs
    from .architecture import Architecture
    from .graphs import GraphNetwork

_PRECISIONS = {"fp16": "float16", "bf16": "bfloat16"}


class Features(Protocol):
    """Turns documents into arrays; what it learns is saved with the weights."""

    def to_dict(self) -> dict[str, Any]:
        """Return what was learned, as JSON."""

    def from_dict(self, state: dict[str, Any]) -> None:
        """Restore the state returned by `to_dict`."""


FeaturesT = TypeVar("FeaturesT", bound=Features)
ModuleT = TypeVar("ModuleT", bound="torch.nn.Module")
ArchitectureT = TypeVar("ArchitectureT")


class TorchShim(Shim, Generic[FeaturesT, ModuleT]):
    """Holds the features and the torch module of one component.

    architecture (Architecture[FeaturesT, ModuleT, Any]): Makes them.
    mixed_precision (str): "none", "bf16" or "fp16"; see `Architecture`.

    features (FeaturesT): Turns documents into arrays.
    engine (Engine): Predicts with the module.
    network (Optional[GraphNetwork]): Predicts in place of the module in a compressed component.
    word_cache (WordCache): The vectors of words that predictions have computed.
    gradient_norm (float | None): Norm of the whole gradient of the last step before clipping, which
        is not finite where the step was skipped; None before the first step and where nothing was
        learned.
    steps (StepCounts): The steps that were skipped, and the scale of a float16 loss.
    """

    def __init__(
        self, architecture: Architecture[FeaturesT, ModuleT, Any], mixed_precision: str = "none"
    ):
        super().__init__(None)
        self.id = new_id()
        self.architecture = architecture
        self.mixed_precision = mixed_precision
        self.features = architecture.features()
        self.word_cache = WordCache()
        self.outputs: dict[str, int] = {}
        self.engine = Engine()
        self.network: GraphNetwork | None = None
        #: items (tokens) in the loss since the last step: the gradient is of their mean
        self.n_items = 0.0
        self.gradient_norm: float | None = None
        self.steps = StepCounts()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._model is not None:
            # cuDNN wants a layer's weights side by side, which a copy's are not.
            for module in self._model.modules():
                if isinstance(module, torch.nn.RNNBase):
                    module.flatten_parameters()

    # Building

    @property
    def is_built(self) -> bool:
        """True if there is a network."""
        return self._model is not None or self.network is not None

    @property
    def module(self) -> ModuleT:
        """The torch module.

        RAISES (ValueError): If it has not been made yet, or the component is compressed.
        """
        if self.network is not None:
            raise ValueError(
                f"The component is compressed: it only predicts, by ONNX Runtime. For all else "
                f"{USE_ORIGINAL}"
            )
        if self._model is None:
            raise ValueError(
                "The model has no weights yet. Train it, or call nlp.initialize() with examples, "
                "or load a trained pipeline."
            )
        module: ModuleT = self._model
        return module

    @property
    def predictor(self) -> ModuleT:
        """The module as the engine predicts with it.

        RAISES (ValueError): If it has not been made yet, or the engine cannot run it.
        """
        predictor: ModuleT = self.engine.predictor(self.module)
        return predictor

    def build(self, outputs: dict[str, int]) -> None:
        """Make the module, once the features are built.

        outputs (dict[str, int]): Sizes of the output layers.
        """
        prepare_process()
        self.outputs = dict(outputs)
        # What an optimizer knows of an earlier module is of no use to this one.
        self.id = new_id()
        module = self.architecture.module(self.features, self.outputs)
        self._model = module.to(get_torch_default_device()).eval()
        self.word_cache.clear()

    def resize(self, outputs: dict[str, int]) -> None:
        """Make room for more labels.

        outputs (dict[str, int]): New sizes of the output layers.
        """
        self.engine.begin_change()
        self.outputs = dict(outputs)
        module: Any = self.module
        module.resize(self.outputs)

    @property
    def device(self) -> torch.device:
        return next(self.module.parameters()).device

    def to_device(self, device_type: str, device_id: int) -> None:
        if self._model is not None:
            self._model.to("cpu" if device_type == "cpu" else torch.device("cuda", device_id))

    # Prediction and training

    def _autocast(self, training: bool) -> contextlib.AbstractContextManager[Any]:
        dtype, device = _PRECISIONS.get(self.mixed_precision), self.device.type
        if device == "cpu":
            is_faster = training and dtype == "bfloat16" and nn.precision.has_fast_bfloat16()
        else:
            is_faster = device == "cuda"
        if dtype is None or not is_faster:
            return contextlib.nullcontext()
        return torch.autocast(device, dtype=getattr(torch, dtype))

    @contextlib.contextmanager
    def inference(self) -> Iterator[Any]:
        """Compute with the module without gradients. Any number of threads may be in here; a fork
        waits until they are out, so let blocks be short.

        YIELDS (ModuleT): The `predictor`, in evaluation mode; the `network`, if there is one.
        """
        if self.network is not None:
            with computing.lock:
                yield self.network
            return
        predictor = self.predictor
        with computing.lock, torch.inference_mode(), self._autocast(False):
            yield predictor

    @contextlib.contextmanager
    def training(self, dropout: float) -> Iterator[ModuleT]:
        """Compute with the module with gradients.

        dropout (float): The rate of locked dropout.
        YIELDS (ModuleT): The module in training mode, as a view of its weights: the module itself
            stays in evaluation mode, for threads that predict.
        """
        self.engine.begin_change()
        view: Any = nn.dropout.training_view(self.module, dropout)
        with computing.lock, self._autocast(True):
            yield view

    def begin_update(  # type: ignore[override]
        self, loss: Tensor, n_items: float
    ) -> tuple[float, Callable[[float], None]]:
        """Take a loss into account for the next step.

        Losses of several batches before one step are weighted by their items, so that cutting a
        batch in pieces changes nothing.

        loss (Tensor): The loss, summed over its items.
        n_items (float): The number of its items.
        RETURNS (tuple[float, Callable[[float], None]]): The loss, and a callback that adds up its
            gradient.
        """
        self.n_items += n_items

        def backprop(d_loss: float) -> None:
            if loss.requires_grad:
                with computing.lock:
                    torch.autograd.backward([loss * (d_loss * self.scale)])

        return float(loss.detach()), backprop

    @property
    def scale(self) -> float:
        """The factor of all gradients before the next step."""
        return self.steps.loss_scale if self.scales_loss else 1.0

    @property
    def scales_loss(self) -> bool:
        """True if gradients are computed in float16."""
        return self.mixed_precision == "fp16" and self.device.type == "cuda"

    def finish_update(self, optimizer: Optimizer) -> None:
        """Take one step by the gradient of the mean loss, over all processes that train together,
        clipped as a whole.

        optimizer (Optimizer): The optimizer.
        RAISES (ValueError): If the gradient was not finite in as many steps in a row as the
            optimizer allows to skip. The weights are then the last good ones.
        """
        trained = [p for p in self.module.parameters() if p.requires_grad]
        n_items = distributed.sum_gradients(trained, self.n_items)
        parameters = [p for p in trained if p.grad is not None]
        divisor = max(n_items, 1.0) * self.scale
        self.n_items = 0.0
        self.gradient_norm = None
        if not parameters:
            return
        try:
            with computing.lock:
                self._step_or_skip(parameters, divisor, optimizer)
        finally:
            for parameter in parameters:
                parameter.grad = None

    def _step_or_skip(
        self, parameters: list[torch.nn.Parameter], divisor: float, optimizer: Optimizer
    ) -> None:
        gradients = [p.grad for p in parameters if p.grad is not None]
        norms = torch.stack(torch._foreach_norm(gradients))
        norm = float(torch.linalg.vector_norm(norms)) / divisor
        self.gradient_norm = norm
        if np.isfinite(norm):
            self.steps.take(self.scales_loss)
            limit = optimizer.grad_clip
            factor = min(1.0, limit / (norm + 1e-6)) if limit else 1.0
            torch._foreach_mul_(gradients, factor / divisor)
            self._step(optimizer)
            self.word_cache.clear()
        else:
            self.steps.skip(self.scales_loss, getattr(optimizer, "max_skipped_steps", 20))

    def _step(self, optimizer: Optimizer) -> None:
        if isinstance(optimizer, AdamW):
            optimizer.step_module(self.id, self.module)
            optimizer.update_averages(self.id, self.module)
            return
        for name, parameter in self.module.named_parameters():
            if parameter.grad is not None:
                key = parameter_key(self.id, name)
                data: Any = torch2xp(parameter.data)
                gradient: Any = torch2xp(parameter.grad)
                forget_resized(optimizer, key, data.size)
                weights, _ = optimizer(key, data, gradient)
                # Stays in the storage that cuDNN has flattened.
                parameter.data.copy_(xp2torch(weights, device=parameter.device))

    @contextlib.contextmanager
    def use_params(self, params: dict[Any, Any]) -> Iterator[None]:
        """Use averaged weights inside the block. They take the place of the weights, also for
        threads that predict meanwhile, which get a mixture while they are copied: let these wait,
        or predict with a copy of the pipeline.

        params (dict[Any, Any]): Averages by the key of a parameter, also of other modules.
        """
        backup = {}
        if self._model is not None:
            for name, parameter in self._model.named_parameters():
                average = params.get(parameter_key(self.id, name))
                if average is not None and average.shape == parameter.shape:
                    backup[parameter] = parameter.data.clone()
                    parameter.data.copy_(_as_tensor(average))
        self.word_cache.clear()
        try:
            yield
        finally:
            for parameter, values in backup.items():
                parameter.data.copy_(values)
            self.word_cache.clear()

    # Serialization

    def get_training_state(self) -> dict[str, Any]:
        """Return what only training needs beside the weights and the optimizer, between two
        steps."""
        return asdict(self.steps)

    def set_training_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_training_state` returned."""
        self.steps = StepCounts(**state)

    def to_bytes(self) -> bytes:
        """Serialize the network and the features; nothing if there is no network. Weights that
        graphs hold are left out if these predict without torch."""
        if not self.is_built:
            return b""
        state = {
            "settings": self.architecture.network_settings,
            "outputs": self.outputs,
            "features": self.features.to_dict(),
        }
        if self.network is not None:
            graphs, weights = self.network.graphs, self.network.weights
        else:
            graphs, weights = self.engine.graphs, weights_of(self.module)
        if graphs:
            own = self.architecture.graph_names(self.features, self.outputs)
            paths = tuple(f"{name}." for name in own)
            weights = {n: weight for n, weight in weights.items() if not n.startswith(paths)}
        return network_to_bytes(weights, state, graphs)

    def from_bytes(self, data: bytes) -> TorchShim[FeaturesT, ModuleT]:
        """Restore what `to_bytes` returned.

        RAISES (ValueError): If the data are damaged, of a newer format, of another architecture, or
            without graphs that the engine needs.
        """
        if not data:
            return self
        state, weights = read_state(data), read_weights(data)
        graphs = read_graphs(state, weights)
        self.architecture.check_settings(state["settings"])
        try:
            self.features.from_dict(state["features"])
            if graphs and self.engine.name == "onnx":
                self.architecture.check_graphs(graphs, self.features, state["outputs"])
            if graphs and self.architecture.graph_names(self.features, state["outputs"]):
                return self._take_graphs(graphs, weights, state["outputs"])
            self._check_sizes(weights, state["outputs"])
            self.build(state["outputs"])
            load_weights(self.module, weights)
        except (KeyError, RuntimeError) as error:
            raise ValueError(
                f"The saved weights do not fit the component's [model] config: use the config.cfg "
                f"that was saved beside them. {error}"
            ) from error
        self.engine.replace_graphs(graphs)
        # At once, so that loading says what is wrong with the graphs.
        self.engine.predictor(self.module)
        return self

    def _check_sizes(self, weights: Weights, outputs: dict[str, int]) -> None:
        """Compare the sizes of the network with those of weights before it takes up memory."""
        try:
            with torch.device("meta"):
                module = self.architecture.module(self.features, outputs)
        except RuntimeError:
            # A part of another package can read numbers that it has not without memory.
            return
        check_shapes(module, weights)

    def _take_graphs(
        self, graphs: Graphs, weights: Weights, outputs: dict[str, int]
    ) -> TorchShim[FeaturesT, ModuleT]:
        """Become the shim of a compressed component."""
        from .graphs import GraphNetwork

        if self.engine.name == "torch":
            raise ValueError(
                f'The pipeline is compressed and has no weights for torch: set engine = "onnx" in '
                f"[components.NAME] of the config, or {USE_ORIGINAL}"
            )
        self.network = GraphNetwork(graphs, weights)
        self.outputs = outputs
        for target, n in self.outputs.items():
            width = self.network.outputs[target]
            if width != n:
                raise ValueError(
                    f"The graph of '{target}' has {width} outputs, but there are {n} labels. "
                    f"{COMPRESS_AGAIN}"
                )
        return self


def shim_of(model: Model[Any, Any]) -> TorchShim[Any, Any]:
    """The shim that holds a model's torch module.

    RAISES (ValueError): If the model is not a network of spacy-rnn.
    """
    for shim in model.shims:
        if isinstance(shim, TorchShim):
            return shim
    raise ValueError(f"The model '{model.name}' has no torch module of spacy-rnn.")


def architecture_of(model: Model[Any, Any], kind: type[ArchitectureT]) -> ArchitectureT:
    """The architecture of a model.

    model (Model[Any, Any]): The model.
    kind (type[ArchitectureT]): The class that it must have.
    RETURNS (ArchitectureT): The architecture.
    RAISES (ValueError): If the model has another one.
    """
    architecture = shim_of(model).architecture
    if not isinstance(architecture, kind):
        raise ValueError(
            f"The model '{model.name}' has a {type(architecture).__name__}, but a {kind.__name__} "
            f"is needed: set [components.NAME.model] @architectures to that of the component's "
            f"default config."
        )
    return architecture


def _as_tensor(array: Any) -> Tensor:
    return array if isinstance(array, torch.Tensor) else xp2torch(array)
