"""Training of a language model on streams of documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Optional, Sequence, Tuple

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model

from .. import nn
from ..config.units import encode_for_training
from ..features.streams import BACKWARD, BPTTStreams, BPTTWindow
from ..optional import torch
from ..runtime import distributed
from ..runtime.shim import architecture_of, shim_of
from .language_model import (
    InT,
    LanguageModelArchitecture,
    LanguageModelShim,
    OutT,
    networks_of,
    to_tensor,
    with_boundaries,
)

if TYPE_CHECKING:
    from torch import Tensor


class StreamTrainer:
    """Computes the losses of a language model on parallel streams of documents, and holds the state
    of a training between two updates: the streams and the networks' states on them.

    Where several processes train together, each of them gets all documents and lays out the streams
    of all processes in the same way, but reads only its own.

    model (Model): The model.
    n_streams (int): The number of streams of each process.
    bptt_length, carry_state: See `BPTTStreams`.
    random_bptt_length (bool): Sample the lengths of windows.
    """

    def __init__(
        self,
        model: Model[InT, OutT],
        n_streams: int,
        bptt_length: int,
        carry_state: bool,
        random_bptt_length: bool,
    ):
        self._device = shim_of(model).device
        group = distributed.group()
        self._own_rows = group.rank * n_streams, (group.rank + 1) * n_streams
        # spaCy seeds numpy's generator. All directions sample the same lengths.
        seed = np.random.randint(1 << 31)
        #: the documents that are still to be read, by direction
        self.streams = {
            name: BPTTStreams(
                n_streams * group.size,
                bptt_length,
                carry_state,
                np.random.default_rng(seed) if random_bptt_length else None,
            )
            for name in architecture_of(model, LanguageModelArchitecture).directions
        }
        #: the states of this process' streams after the last window, by direction
        self.states: Dict[str, Tensor] = {}

    def begin_updates(
        self,
        model: Model[InT, OutT],
        docs: Sequence[Doc],
        conditions: Optional[np.ndarray],
    ) -> Iterator[Tuple[float, Callable[[float], None]]]:
        """Add documents to the streams and read the windows that are complete.

        model (Model): The model that was given at first.
        docs (Sequence[Doc]): The documents.
        conditions (Optional[np.ndarray]): The vector of each document, float32 (docs, C), if they
            have any.
        YIELDS (Tuple[float, Callable]): The summed loss of each window and a callback that
            accumulates its gradient.
        """
        shim: LanguageModelShim = shim_of(model)
        architecture = architecture_of(model, LanguageModelArchitecture)
        encoded = encode_for_training(architecture.units, shim.features, docs)
        for i, ids in enumerate(encoded):
            condition = None if conditions is None else conditions[i]
            units = with_boundaries(shim.features, ids)
            for name, streams in self.streams.items():
                streams.push(units[::-1] if name == BACKWARD else units, condition)
        directions = [streams.windows() for streams in self.streams.values()]
        for windows in zip(*directions, strict=True):
            own = [window.rows(*self._own_rows) for window in windows]
            by_name = dict(zip(self.streams, own, strict=True))
            n_units = sum(len(window.targets) for window in own)
            with shim.training(model.attrs["dropout_rate"]) as module:
                loss = self._loss(architecture, by_name, module)
            yield shim.begin_update(loss, n_units)

    def get_state(self) -> Dict[str, Any]:
        """Return the streams and the networks' states on them, as data for msgpack."""
        return {
            "streams": {name: streams.get_state() for name, streams in self.streams.items()},
            "states": {name: state.cpu().numpy() for name, state in self.states.items()},
        }

    def set_state(self, state: Dict[str, Any]) -> None:
        """Restore what `get_state` returned."""
        for name, streams in self.streams.items():
            streams.set_state(state["streams"][name])
        self.states = {
            name: torch.from_numpy(array.copy()).to(self._device)
            for name, array in state["states"].items()
        }

    def _loss(
        self,
        architecture: LanguageModelArchitecture,
        windows: Dict[str, BPTTWindow],
        module: torch.nn.ModuleDict,
    ) -> Tensor:
        """The loss of the networks of all directions, each on its window."""
        losses = []
        for name, network in networks_of(module).items():
            window, device = windows[name], network.embedding.weight.device
            state = network.initial_state(len(window.lengths), to_tensor(window.conditions, device))
            if name in self.states:
                resets = torch.from_numpy(window.resets).to(device).view(1, 1, -1, 1)
                state = torch.where(resets, state, self.states[name])
            inputs, targets = (
                torch.from_numpy(units).to(device) for units in (window.inputs, window.targets)
            )
            # Only rows as long as the window continue in the next one.
            output = network(inputs, torch.from_numpy(window.lengths), state, only_longest=True)
            self.states[name] = output.final.detach().to(state.dtype)
            losses.append(
                nn.language_model.language_loss(
                    network,
                    output.states,
                    targets,
                    window.lengths,
                    architecture.activation_regularization,
                    architecture.temporal_regularization,
                )
            )
        return torch.stack(losses).sum()
