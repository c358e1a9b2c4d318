"""Norms of gradients over time steps, which show if they vanish or explode."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np
import torch
from spacy.tokens import Doc
from torch import Tensor

from ..config.encoder import RNNEncoder
from ..nn.cells import CELLS
from ..nn.layout import UniformBatch
from ..nn.options import REVERSED
from ..nn.rnn import Encoder, run_cell
from ..pipeline.base import RNNPipe
from .component import module_of

#: tokens of a sequence: the graph of a longer one might not fit into memory
LONGEST = 5000
#: the size of the random inputs of an untrained encoder
WIDTH = 64


class LayerGradients(NamedTuple):
    """The gradients of one direction of one layer.

    layer (int): The index of the layer; 0 is the lowest.
    direction (str): "forward" or "backward".
    norms (ndarray): float64 (T,). Entry k is the norm of the gradient with respect to the layer's
        input k steps before the last one that this direction reads.
    """

    layer: int
    direction: str
    norms: np.ndarray

    @property
    def name(self) -> str:
        """The layer and the direction, as text."""
        return f"layer {self.layer}, {self.direction}"


def compute_gradients(pipe: RNNPipe, docs: Iterable[Doc]) -> list[LayerGradients]:
    """Compute the `gradient_norms` of a component's encoder, averaged over texts. The mean at k
    steps back is over the texts that have as many steps.

    pipe (RNNPipe): Any trained component of spacy-rnn. The gradients are those of the encoder
        (translator), of both directions (language model), or of the encoder that reads each
        sentence (networks that read sentence by sentence).
    docs (Iterable[Doc]): The texts, with the annotation of the components that run before this one.
    RETURNS (List[LayerGradients]): One for each layer and direction.
    RAISES (ValueError): If it is not a trained spacy-rnn component, has no recurrent layer, or the
        texts have no tokens or too many.
    """
    module = module_of(pipe)
    found = []
    for doc in docs:
        for rows in pipe.encoder_inputs(doc):
            encoder = rows.encoder(module)
            for x in filter(len, rows.vectors.split(rows.lengths.tolist())):
                # Cloned, because gradients cannot flow through tensors of inference mode.
                start = None if rows.start is None else rows.start.clone()
                norms = gradient_norms(encoder, x.clone(), start)
                if rows.backward:
                    norms = [each._replace(direction="backward") for each in norms]
                found.append(norms)
    return mean_gradients(found)


def initial_gradients(
    settings: RNNEncoder, lengths: Sequence[int], seed: int = 0
) -> list[LayerGradients]:
    """Compute the `gradient_norms` of a newly initialized encoder, averaged over random inputs.

    settings (RNNEncoder): The settings of the encoder.
    lengths (Sequence[int]): The lengths of the inputs.
    seed (int): The random seed of the weights and the inputs.
    RETURNS (List[LayerGradients]): One for each layer and direction.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = settings.module(WIDTH).eval()
        inputs = [torch.randn(n, WIDTH) for n in lengths if n]
    return mean_gradients([gradient_norms(encoder, x) for x in inputs])


def mean_gradients(found: Sequence[Sequence[LayerGradients]]) -> list[LayerGradients]:
    """Average the gradients of each layer and direction over sequences.

    found (Sequence[Sequence[LayerGradients]]): For each sequence its gradients.
    RETURNS (List[LayerGradients]): One for each layer and direction.
    """
    groups: dict[tuple[int, str], list[np.ndarray]] = {}
    for of_sequence in found:
        for each in of_sequence:
            groups.setdefault((each.layer, each.direction), []).append(each.norms)
    if not groups:
        raise ValueError("The texts have no tokens. Pass at least one that is not empty.")
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
    """Compute, for each layer and direction, the norm of the gradient of a loss with respect to
    each of the layer's inputs (Pascanu et al. 2013, section 2: a product of one Jacobian per step).
    The loss is half the squared norm of the last state.

    Each layer is examined separately: its input is the output of the layers below, and the gradient
    flows through its own recurrence only.

    encoder (Encoder): The encoder.
    x (Tensor): The inputs (T, input_size), on the encoder's device.
    start (Optional[Tensor]): The initial state, see `Encoder.forward_stateful`; None for zeros.
    RETURNS (List[LayerGradients]): One for each layer and direction.
    RAISES (ValueError): If there are no tokens, too many of them, or no recurrent layer.
    """
    if not encoder.is_recurrent:
        raise ValueError(
            f"The encoder has no recurrent layer (cell = {encoder.cell!r}), so it has no gradients "
            f"over steps."
        )
    if not 0 < len(x) <= LONGEST:
        raise ValueError(
            f"Gradients can be computed for 1 to {LONGEST:,} tokens, got {len(x):,}. Pass a part "
            f"of the text."
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
    """The state of each direction of a layer after the whole sequence, (H,).

    state: the initial state, (S, 1, H).
    """
    cell = CELLS[encoder.cell]
    if state is None:
        state = x.new_zeros(cell.n_states, 1, encoder.hidden_size)
    initial = [part.unsqueeze(0) for part in state.float()]
    found = {}
    for reverse, weights in zip(REVERSED[encoder.direction], layer.all_weights, strict=True):
        source = (x.flip(0) if reverse else x).unsqueeze(1)
        # cuDNN computes no gradients in evaluation mode.
        with torch.backends.cudnn.flags(enabled=False):
            states, _ = run_cell(cell, UniformBatch(1), source, initial, weights)
        found["backward" if reverse else "forward"] = states[-1, 0]
    return found
