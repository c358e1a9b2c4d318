"""The bridge between a thinc model and a torch module.

thinc's own PyTorchShim switches the module between training and evaluation at each prediction
(wrong answers in threads), clips each tensor's gradient alone, cannot average torch weights and
pickles them. This one keeps the module in evaluation mode but for the moment of a training step,
normalizes and clips the gradient as a whole, averages, and stores weights as safetensors.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
from typing import Any, Callable, Iterator, Protocol

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from thinc.api import Model, Optimizer, get_torch_default_device, torch2xp, xp2torch
from thinc.shims import Shim
from torch import Tensor, nn

from ..forks import computing
from ..nn.dropout import set_dropout_rate
from .optimizer import AdamW, parameter_key
from .process import prepare_process

logger = logging.getLogger("spacy_rnn")

#: version of the saved state; newer ones are refused
FORMAT = 1
_METADATA = "spacy_rnn"
#: steps without an overflow after which the scale of a float16 loss is doubled
STEPS_TO_GROW = 2000
_PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16}


_numbers = itertools.count(1)


class ShimId(int):
    """A number under which an optimizer keeps its state of a module. No two modules share one: a
    copy or an unpickled shim has a new number. An optimizer that is copied or pickled together with
    the shim gets the same new one."""

    def __reduce__(self) -> Any:
        return new_id, ()


def new_id() -> ShimId:
    """A number that no module has."""
    return ShimId(next(_numbers))


class Architecture(Protocol):
    """The parts of a network as a config names them: makes the features, then the module."""

    def features(self) -> Any: ...

    def module(self, features: Any, outputs: dict[str, int]) -> nn.Module: ...


class TorchShim(Shim):
    """Holds the features and the torch module of one component.

    mixed_precision: "none", "bf16" or "fp16"; on a CPU it is quietly off.

    gradient_norm: of the last step, the norm of the whole gradient before clipping, which is not
        finite where the step was skipped; None before the first step and where nothing was learnt.
    skipped_steps: how many steps were skipped, but for those that set the scale of a float16 loss.
    """

    def __init__(self, architecture: Architecture, mixed_precision: str = "none"):
        super().__init__(None)
        self.id = new_id()
        self.architecture: Any = architecture
        self.mixed_precision = mixed_precision
        self.features: Any = architecture.features()
        self.outputs: dict[str, int] = {}
        #: items (tokens) in the loss since the last step: the gradient is of their mean
        self.n_items = 0.0
        #: scales a float16 loss so that its gradients do not vanish; halved when they overflow
        self._loss_scale = 2.0**12
        self._steps_since_overflow = 0
        self.gradient_norm: float | None = None
        self.skipped_steps = 0
        self.skipped_in_a_row = 0

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._model is not None:
            # cuDNN wants a layer's weights side by side, which a copy's are not.
            for module in self._model.modules():
                if isinstance(module, nn.RNNBase):
                    module.flatten_parameters()

    # Building

    @property
    def is_built(self) -> bool:
        return self._model is not None

    @property
    def module(self) -> nn.Module:
        if self._model is None:
            raise ValueError(
                "The model has no weights yet. Train it, or call nlp.initialize() with examples, "
                "or load a trained pipeline."
            )
        return self._model

    def build(self, outputs: dict[str, int]) -> None:
        """Make the module, once the features are built.

        outputs: sizes of the output layers.
        """
        prepare_process()
        self.outputs = dict(outputs)
        # What an optimizer knows of an earlier module is of no use to this one.
        self.id = new_id()
        module = self.architecture.module(self.features, self.outputs)
        self._model = module.to(get_torch_default_device()).eval()

    def resize(self, outputs: dict[str, int]) -> None:
        """Make room for more labels."""
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

    def _autocast(self) -> contextlib.AbstractContextManager:
        dtype = _PRECISIONS.get(self.mixed_precision)
        if dtype is None or self.device.type != "cuda":
            return contextlib.nullcontext()
        return torch.autocast("cuda", dtype=dtype)

    def predict(self, function: Callable[[Any], Any]) -> Any:
        """`function` of the module, without gradients. Any number of threads may be in here."""
        with computing, torch.inference_mode(), self._autocast():
            return function(self.module)

    @contextlib.contextmanager
    def inference(self) -> Iterator[nn.Module]:
        """Use the module without gradients, in a `with` block. Any number of threads may be in
        here; a fork waits until they are out, so let blocks be short."""
        with computing, torch.inference_mode(), self._autocast():
            yield self.module

    def train(self, function: Callable[[Any], Tensor], dropout: float) -> Tensor:
        """`function` of the module in training mode, with gradients."""
        set_dropout_rate(self.module, dropout)
        self.module.train()
        try:
            with computing, self._autocast():
                return function(self.module)
        finally:
            self.module.eval()

    def begin_update(  # type: ignore[override]
        self, function: Callable[[Any], Tensor], n_items: float, dropout: float
    ) -> tuple[float, Callable[[float], None]]:
        """Compute a loss, summed over `n_items`, and a callback that adds its gradient up.

        Losses of several batches before one step are weighted by their items, so that cutting a
        batch in pieces changes nothing.
        """
        loss = self.train(function, dropout)
        self.n_items += n_items

        def backprop(d_loss: float) -> None:
            if loss.requires_grad:
                with computing:
                    (loss * (d_loss * self.scale)).backward()

        return float(loss.detach()), backprop

    @property
    def scale(self) -> float:
        """By how much gradients are too large until the next step."""
        return self._loss_scale if self.scales_loss else 1.0

    @property
    def scales_loss(self) -> bool:
        """Whether gradients are computed in float16."""
        return self.mixed_precision == "fp16" and self.device.type == "cuda"

    def finish_update(self, optimizer: Optimizer) -> None:
        """One step by the gradient of the mean loss, clipped as a whole.

        A step whose gradient is not finite is skipped and counted; after as many in a row as the
        optimizer allows, a ValueError ends training. The weights are then the last good ones.
        """
        parameters = [p for p in self.module.parameters() if p.grad is not None]
        divisor = max(self.n_items, 1.0) * self.scale
        self.n_items = 0.0
        self.gradient_norm = None
        if not parameters:
            return
        try:
            with computing:
                self._step_or_skip(parameters, divisor, optimizer)
        finally:
            for parameter in parameters:
                parameter.grad = None

    def _step_or_skip(
        self, parameters: list[nn.Parameter], divisor: float, optimizer: Optimizer
    ) -> None:
        gradients = [p.grad for p in parameters if p.grad is not None]
        norms = torch.stack(torch._foreach_norm(gradients))
        norm = float(torch.linalg.vector_norm(norms)) / divisor
        self.gradient_norm = norm
        if np.isfinite(norm):
            self._skip_ended()
            limit = optimizer.grad_clip
            factor = min(1.0, limit / (norm + 1e-6)) if limit else 1.0
            torch._foreach_mul_(gradients, factor / divisor)
            self._step(optimizer)
        else:
            self._skip(optimizer)

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
                _forget_resized(optimizer, key, data.size)
                weights, _ = optimizer(key, data, gradient)
                # Stays in the storage that cuDNN has flattened.
                parameter.data.copy_(xp2torch(weights, device=parameter.device))

    def _skip_ended(self) -> None:
        self.skipped_in_a_row = 0
        self._steps_since_overflow += 1
        if self.scales_loss and self._steps_since_overflow % STEPS_TO_GROW == 0:
            self._loss_scale *= 2.0

    def _skip(self, optimizer: Optimizer) -> None:
        self._steps_since_overflow = 0
        if self.scale > 1.0:
            self._loss_scale /= 2.0
            return
        self.skipped_steps += 1
        self.skipped_in_a_row += 1
        logger.warning("Skipped a training step: its loss or gradient was not finite.")
        allowed = getattr(optimizer, "max_skipped_steps", 20)
        if self.skipped_in_a_row >= allowed:
            raise ValueError(
                f"Training stopped: the loss or its gradient was not finite (NaN or infinity) in "
                f"{self.skipped_in_a_row} steps in a row, {self.skipped_steps} in all. Usually "
                f"the learning rate is too high: lower [training.optimizer] learn_rate or let it "
                f"warm up, and keep grad_clip at 1.0 or below. If it happens from the first step, "
                f"look for NaN in pretrained vectors or class weights, and set mixed_precision "
                f'to "none".'
            )

    @contextlib.contextmanager
    def use_params(self, params: dict) -> Iterator[None]:
        """Use averaged weights (those of `params` that are this module's) inside the block."""
        backup = {}
        if self._model is not None:
            for name, parameter in self._model.named_parameters():
                average = params.get(parameter_key(self.id, name))
                if average is not None and average.shape == parameter.shape:
                    backup[parameter] = parameter.data.clone()
                    parameter.data.copy_(_as_tensor(average))
        try:
            yield
        finally:
            for parameter, values in backup.items():
                parameter.data.copy_(values)

    # Serialization

    def to_bytes(self) -> bytes:
        """The whole state in safetensors form; what is no weight is JSON in its metadata."""
        if self._model is None:
            return b""
        state = {
            "format": FORMAT,
            "outputs": self.outputs,
            "features": self.features.to_dict(),
        }
        tied = _tied(self._model)
        weights = {
            name: tensor.detach().cpu().contiguous()
            for name, tensor in self._model.state_dict().items()
            if name not in tied
        }
        return save_safetensors(weights, {_METADATA: json.dumps(state, sort_keys=True)})

    def from_bytes(self, data: bytes) -> TorchShim:
        if not data:
            return self
        state = _read_metadata(data)
        if state["format"] > FORMAT:
            raise ValueError(
                f"The model was saved in format {state['format']}, by a newer spacy-rnn; this one "
                f"reads formats up to {FORMAT}. Upgrade: pip install --upgrade spacy-rnn"
            )
        try:
            weights = load_safetensors(data)
        except SafetensorError as error:
            raise _corrupt(error) from error
        try:
            self.features.from_dict(state["features"])
            self.build(state["outputs"])
            for name, other in _tied(self.module).items():
                if name in weights:
                    raise KeyError(name)
                weights[name] = weights[other]
            self.module.load_state_dict(weights)
        except (KeyError, RuntimeError) as error:
            raise ValueError(
                f"The saved weights do not fit the component's [model] config: use the config.cfg "
                f"that was saved beside them. {error}"
            ) from error
        return self


def shim_of(model: Model) -> TorchShim:
    """The shim that holds a model's torch module.

    RAISES (ValueError): If the model is no network of spacy-rnn.
    """
    for shim in model.shims:
        if isinstance(shim, TorchShim):
            return shim
    raise ValueError(f"The model '{model.name}' has no torch module of spacy-rnn.")


def _tied(module: nn.Module) -> dict[str, str]:
    """Other names of weights that have several, and the name under which each is saved."""
    saved = {parameter: name for name, parameter in module.named_parameters()}
    every_name = module.named_parameters(remove_duplicate=False)
    return {name: saved[p] for name, p in every_name if saved[p] != name}


def _read_metadata(data: bytes) -> dict[str, Any]:
    """The JSON in the header of a safetensors file: 8 bytes of length, then the header."""
    try:
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size])
        return json.loads(header["__metadata__"][_METADATA])
    except (ValueError, KeyError, TypeError) as error:
        raise _corrupt(error) from error


def _corrupt(error: Exception) -> ValueError:
    return ValueError(
        f"The model's weights are damaged or incomplete ({error}). Copy or download the pipeline "
        f"again, or train it again."
    )


def _forget_resized(optimizer: Optimizer, key: Any, size: int) -> None:
    """Start anew the moments and averages of a layer that was resized."""
    if key in optimizer.mom1 and optimizer.mom1[key].size != size:
        for kept in (optimizer.mom1, optimizer.mom2, optimizer.averages, optimizer.nr_update):
            if kept is not None:
                kept.pop(key, None)


def _as_tensor(array: Any) -> Tensor:
    return array if isinstance(array, Tensor) else xp2torch(array)
