"""AdamW for torch modules and thinc layers alike."""

import itertools
from typing import Any, Dict, List, Mapping, Optional, Union

import torch
from thinc.api import Optimizer
from thinc.types import Generator
from torch import nn

from ..validation import at_least

FloatOrSchedule = Union[float, List[float], Generator]


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2).

    Torch modules are stepped in place by torch's own fused kernel; thinc's layers, of other
    components of the same pipeline, by thinc's. Weight decay of torch modules leaves out biases,
    norms and embeddings.

    learn_rate, weight_decay, beta1, beta2, eps, grad_clip, use_averages: See `make_adamw`.
    max_skipped_steps (int): Steps in a row that may be skipped because a loss or gradient was not
        finite before training stops.

    torch_optimizers (Dict[int, torch.optim.AdamW]): The optimizer of each module, by its key.
    """

    def __init__(
        self,
        learn_rate: FloatOrSchedule,
        *,
        weight_decay: FloatOrSchedule,
        beta1: FloatOrSchedule,
        beta2: FloatOrSchedule,
        eps: FloatOrSchedule,
        grad_clip: FloatOrSchedule,
        use_averages: bool,
        max_skipped_steps: int,
    ):
        super().__init__(
            learn_rate,
            L2=weight_decay,
            beta1=beta1,
            beta2=beta2,
            eps=eps,
            grad_clip=grad_clip,
            use_averages=use_averages,
            L2_is_weight_decay=True,
        )
        self.max_skipped_steps = max_skipped_steps
        self.torch_optimizers: Dict[int, torch.optim.AdamW] = {}

    def step_module(self, key: int, module: nn.Module) -> None:
        """Take one step of the parameters of a module by their gradients.

        key (int): Identifies the module; its moments are kept under it.
        module (nn.Module): The module.
        """
        optimizer = self.torch_optimizers.get(key)
        if optimizer is None or not _owns(optimizer, module):
            optimizer = self.torch_optimizers[key] = self._make(module, optimizer)
        for group in optimizer.param_groups:
            group["lr"] = self.learn_rate
            group["betas"] = (self.b1, self.b2)
            group["eps"] = self.eps
            group["weight_decay"] = self.L2 if group["decays"] else 0.0
        optimizer.step()

    def update_averages(self, key: int, module: nn.Module) -> None:
        """Move the running average of each parameter, where averages are kept. The decay
        (1 + t) / (10 + t), as thinc's, averages over a span that grows with training.

        key (int): Identifies the module.
        module (nn.Module): The module.
        """
        if self.averages is None:
            return
        averages: Dict[Any, Any] = self.averages
        self.nr_update[parameter_key(key, "")] += 1
        t = self.nr_update[parameter_key(key, "")]
        moved, towards = [], []
        for name, parameter in module.named_parameters():
            if not parameter.requires_grad:
                continue
            average = averages.get(parameter_key(key, name))
            if average is None or average.shape != parameter.shape:
                averages[parameter_key(key, name)] = parameter.detach().clone()
            else:
                moved.append(average)
                towards.append(parameter.detach())
        if moved:
            torch._foreach_lerp_(moved, towards, 1.0 - min(0.9999, (1.0 + t) / (10.0 + t)))

    def get_moments(self, key: int, module: nn.Module) -> Dict[str, torch.Tensor]:
        """Get the moments of a module, and its numbers of steps; none before the first step.

        key (int): Identifies the module.
        module (nn.Module): The module.
        RETURNS (Dict[str, torch.Tensor]): Tensors by kind and parameter.
        """
        optimizer = self.torch_optimizers.get(key)
        if optimizer is None:
            return {}
        return {
            f"{kind}/{name}": value
            for name, parameter in module.named_parameters()
            for kind, value in optimizer.state.get(parameter, {}).items()
        }

    def set_moments(self, key: int, module: nn.Module, moments: Mapping[str, torch.Tensor]) -> None:
        """Restore what `get_moments` returned.

        key (int): Identifies the module.
        module (nn.Module): The module.
        moments (Mapping[str, torch.Tensor]): Tensors by kind and parameter.
        """
        optimizer = self.torch_optimizers[key] = self._make(module, None)
        parameters = dict(module.named_parameters())
        for kind_and_name, value in moments.items():
            kind, _, name = kind_and_name.partition("/")
            parameter = parameters[name]
            # The number of steps is on the parameter's device for a fused kernel only.
            fused = optimizer.defaults["fused"]
            device = parameter.device if fused or kind != "step" else torch.device("cpu")
            optimizer.state[parameter][kind] = value.to(device)

    def _make(self, module: nn.Module, old: Optional[torch.optim.AdamW]) -> torch.optim.AdamW:
        decays: Dict[nn.Parameter, bool] = {}
        for child in module.modules():
            for parameter in child.parameters(recurse=False):
                own = parameter.ndim > 1 and not isinstance(child, (nn.Embedding, nn.EmbeddingBag))
                # An embedding may be the weight of another layer too.
                decays[parameter] = own and decays.get(parameter, True)
        groups: List[Dict[str, Any]] = [
            {"params": [p for p, its in decays.items() if its == decayed], "decays": decayed}
            for decayed in (True, False)
        ]
        made = torch.optim.AdamW(
            [group for group in groups if group["params"]], fused=_has_fused(module)
        )
        if old is not None:
            # A layer was resized: all other parameters keep their moments.
            for group in made.param_groups:
                for parameter in group["params"]:
                    if parameter in old.state:
                        made.state[parameter] = old.state[parameter]
        return made


def parameter_key(module_key: int, name: str) -> Any:
    """The key of a torch parameter in a thinc optimizer; thinc's own keys are pairs."""
    return ("torch", module_key, name)


def _owns(optimizer: torch.optim.Optimizer, module: nn.Module) -> bool:
    owned = {id(p) for group in optimizer.param_groups for p in group["params"]}
    return owned == {id(p) for p in module.parameters()}


def _has_fused(module: nn.Module) -> bool:
    """Return True if torch has a fused kernel for the module's device; for CPUs since 2.4."""
    device = next(module.parameters()).device.type
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    return device == "cuda" or (device == "cpu" and version >= (2, 4))


def make_adamw(
    learn_rate: FloatOrSchedule = 0.001,
    *,
    weight_decay: FloatOrSchedule = 0.01,
    beta1: FloatOrSchedule = 0.9,
    beta2: FloatOrSchedule = 0.999,
    eps: FloatOrSchedule = 1e-8,
    grad_clip: FloatOrSchedule = 1.0,
    use_averages: bool = True,
    max_skipped_steps: int = 20,
) -> Optimizer:
    """spacy_rnn.AdamW.v1: see `AdamW`. Each number may be a schedule.

    learn_rate (FloatOrSchedule): Step size.
    weight_decay (FloatOrSchedule): Decoupled decay; 0 for none.
    beta1, beta2, eps (FloatOrSchedule): As in Kingma and Ba 2015, algorithm 1.
    grad_clip (FloatOrSchedule): Largest norm of all gradients of a component together (Pascanu et
        al. 2013, algorithm 1); 0 for none.
    use_averages (bool): Evaluate and save running averages of the weights.
    max_skipped_steps (int): See `AdamW`.
    RETURNS (Optimizer): The optimizer.
    """
    at_least(1, max_skipped_steps=max_skipped_steps)
    return AdamW(
        learn_rate,
        weight_decay=weight_decay,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        grad_clip=grad_clip,
        use_averages=use_averages,
        max_skipped_steps=max_skipped_steps,
    )


def forget_resized(optimizer: Optimizer, key: Any, size: int) -> None:
    """Drop the moments and averages of a layer that was resized."""
    if key in optimizer.mom1 and optimizer.mom1[key].size != size:
        for kept in (optimizer.mom1, optimizer.mom2, optimizer.averages, optimizer.nr_update):
            if kept is not None:
                kept.pop(key, None)


_numbers = itertools.count(1)


class ShimId(int):
    """A number under which an optimizer keeps its state of a module. No two modules share one: a
    copy or an unpickled shim has a new number. An optimizer that is copied or pickled together with
    the shim gets the same new one."""

    def __reduce__(self) -> Any:
        return new_id, ()


def new_id() -> ShimId:
    """Return a number that no module has."""
    return ShimId(next(_numbers))
