"""How much of a gradient arrives steps back: whether it vanishes, lasts or explodes."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..nn.rnn import Encoder


class LayerGradients(NamedTuple):
    """One direction of one layer.

    layer: from 1, the one that reads the input.
    norms: float64 (T,), that of the gradient with respect to the layer's input k steps before the
        last one that this direction reads, for k from 0.
    """

    layer: int
    direction: str
    norms: np.ndarray

    @property
    def name(self) -> str:
        return f"layer {self.layer}, {self.direction}"


def gradient_norms(encoder: Encoder, x: Tensor) -> list[LayerGradients]:
    """For each layer and direction the norm of the gradient of the last state's loss, half the
    square of its length, with respect to each of the layer's inputs (Pascanu et al. 2013, section
    2: a product of one Jacobian a step).

    Each layer is looked at by itself: it reads what the layers below make of x, and the gradient
    goes through its own recurrence only.

    x: (T, input_size), on the encoder's device.
    RAISES (ValueError): If there is no token, or nothing recurrent.
    """
    if encoder.cell == "none":
        raise ValueError(
            'The encoder has no recurrent layer (cell = "none"): nothing goes from step to step.'
        )
    if not len(x):
        raise ValueError("There are no tokens, and so no steps to look at.")
    found = []
    for k, layer in enumerate(encoder.layers):
        with torch.no_grad():
            inputs = encoder.lowest(k)(x, torch.tensor([len(x)])) if k else x
        inputs = inputs.detach().float().requires_grad_()
        for direction, last in _last_states(encoder, layer, inputs).items():
            loss = 0.5 * last.square().sum()
            (gradient,) = torch.autograd.grad(loss, inputs, retain_graph=True)
            norms = gradient.double().norm(dim=1).cpu().numpy()
            steps_back = norms if direction == "backward" else norms[::-1]
            found.append(LayerGradients(k + 1, direction, steps_back.copy()))
    return found


def _last_states(encoder: Encoder, layer: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Of each direction of a layer the state after the whole sequence, (H,)."""
    with torch.backends.cudnn.flags(enabled=False):
        # cuDNN gives no gradients outside of training.
        states, _ = layer((x.flip(0) if encoder.direction == "backward" else x).unsqueeze(1))
    if encoder.direction != "both":
        return {encoder.direction: states[-1, 0]}
    size = encoder.hidden_size
    return {"forward": states[-1, 0, :size], "backward": states[0, 0, size:]}
