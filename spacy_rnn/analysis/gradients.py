"""How much of a gradient arrives steps back: whether it vanishes, lasts or explodes."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np
import torch
from spacy.tokens import Doc
from torch import Tensor

from ..config.encoder import RNNEncoder
from ..nn.cells import CELLS
from ..nn.layout import Together
from ..nn.rnn import REVERSED, Encoder
from ..pipeline.base import RNNPipe
from .component import module_of

#: tokens of a sequence; of longer ones the graph of gradients would not fit into memory
LONGEST = 5000
#: width of the random input of an encoder that is not trained
WIDTH = 64


class LayerGradients(NamedTuple):
    """One direction of one layer.

    layer: its number, the lowest being 0.
    norms: float64 (T,), that of the gradient with respect to the layer's input k steps before the
        last one that this direction reads, for k from 0.
    """

    layer: int
    direction: str
    norms: np.ndarray

    @property
    def name(self) -> str:
        return f"layer {self.layer}, {self.direction}"


def gradients(pipe: RNNPipe, docs: Iterable[Doc]) -> list[LayerGradients]:
    """See `gradient_norms`: the mean over texts, k steps back over those that have as many.

    pipe (RNNPipe): Any component of spacy-rnn, trained. Of a translator it is the encoder, of a
        language model each direction, of a network that reads by sentences what reads each.
    docs (Iterable[Doc]): The texts, with what components before this one have set.
    RETURNS (List[LayerGradients]): One for each layer and direction.
    RAISES (ValueError): If the component is untrained or none of spacy-rnn, has nothing recurrent,
        or the texts have no token or too many.
    """
    module = module_of(pipe)
    found = []
    for doc in docs:
        for rows in pipe.encoder_inputs(doc):
            encoder = rows.encoder(module)
            for x in filter(len, rows.vectors.split(rows.lengths.tolist())):
                # Out of inference mode, where gradients could not go through them.
                start = None if rows.start is None else rows.start.clone()
                norms = gradient_norms(encoder, x.clone(), start)
                if rows.backward:
                    norms = [each._replace(direction="backward") for each in norms]
                found.append(norms)
    return mean_gradients(found)


def fresh_gradients(
    settings: RNNEncoder, lengths: Sequence[int], seed: int = 0
) -> list[LayerGradients]:
    """The mean of `gradient_norms` of an encoder as it starts, over random input of these
    lengths."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = settings.module(WIDTH).eval()
        inputs = [torch.randn(n, WIDTH) for n in lengths if n]
    return mean_gradients([gradient_norms(encoder, x) for x in inputs])


def mean_gradients(found: Sequence[Sequence[LayerGradients]]) -> list[LayerGradients]:
    """The mean over sequences of those of each layer and direction."""
    groups: dict[tuple[int, str], list[np.ndarray]] = {}
    for of_sequence in found:
        for each in of_sequence:
            groups.setdefault((each.layer, each.direction), []).append(each.norms)
    if not groups:
        raise ValueError("There are no tokens, and so no steps to look at.")
    means = []
    for (layer, direction), norms in groups.items():
        longest = max(map(len, norms))
        padded = np.full((len(norms), longest), np.nan)
        for row, some in zip(padded, norms, strict=True):
            row[: len(some)] = some
        means.append(LayerGradients(layer, direction, np.nanmean(padded, axis=0)))
    return means


def gradient_norms(
    encoder: Encoder, x: Tensor, start: Optional[Tensor] = None
) -> list[LayerGradients]:
    """For each layer and direction the norm of the gradient of the last state's loss, half the
    square of its length, with respect to each of the layer's inputs (Pascanu et al. 2013, section
    2: a product of one Jacobian a step).

    Each layer is looked at by itself: it reads what the layers below make of x, and the gradient
    goes through its own recurrence only.

    x: (T, input_size), on the encoder's device.
    start: the state before it, see `Encoder.forward_stateful`; None for zeros.
    RAISES (ValueError): If there is no token, too many of them, or nothing recurrent.
    """
    if not encoder.is_recurrent:
        raise ValueError(
            f"The encoder has no recurrent layer (cell = {encoder.cell!r}): no step depends on the "
            f"one before it."
        )
    if not 0 < len(x) <= LONGEST:
        raise ValueError(
            f"Gradients are shown of 1 to {LONGEST:,} tokens, but there are {len(x):,}. Give a "
            f"part of the text."
        )
    found = []
    for k, layer in enumerate(encoder.layers):
        inputs = _input_of_layer(encoder, k, x, start).detach().float().requires_grad_()
        state = None if start is None else start[:, k]
        for direction, last in _last_states(encoder, layer, inputs, state).items():
            loss = 0.5 * last.square().sum()
            (gradient,) = torch.autograd.grad(loss, inputs, retain_graph=True)
            norms = gradient.double().norm(dim=1).cpu().numpy()
            steps_back = norms if direction == "backward" else norms[::-1]
            found.append(LayerGradients(k, direction, steps_back.copy()))
    return found


@torch.no_grad()
def _input_of_layer(encoder: Encoder, k: int, x: Tensor, start: Optional[Tensor]) -> Tensor:
    if not k:
        return x
    below, lengths = encoder.first_layers(k), torch.tensor([len(x)])
    if start is None:
        return below(x, lengths)
    return below.forward_stateful(x, lengths, None, start[:, :k])[0]


def _last_states(
    encoder: Encoder, layer: Any, x: Tensor, state: Optional[Tensor]
) -> dict[str, Tensor]:
    """Of each direction of a layer the state after the whole sequence, (H,).

    state: the one before it, (S, 1, H).
    """
    cell = CELLS[encoder.cell]
    assert cell.kernel is not None
    if state is None:
        state = x.new_zeros(cell.n_states, 1, encoder.hidden_size)
    initial = [part.unsqueeze(0) for part in state.float()]
    found = {}
    for reverse, weights in zip(REVERSED[encoder.direction], layer.all_weights, strict=True):
        source = (x.flip(0) if reverse else x).unsqueeze(1)
        # cuDNN gives no gradients outside of training.
        with torch.backends.cudnn.flags(enabled=False):
            states, _ = cell.kernel(Together(1), source, initial, weights)
        found["backward" if reverse else "forward"] = states[-1, 0]
    return found
