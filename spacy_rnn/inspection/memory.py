"""How much memory training and prediction take, measured on some documents before they start."""

import weakref
from dataclasses import dataclass
from itertools import chain, cycle, islice
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np
from spacy.training import Example
from thinc.api import Optimizer, set_dropout_rate
from torch import Tensor, UntypedStorage
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..pipeline.base import RNNPipe

#: tokens of a batch that training is measured on; of larger batches it is reckoned
MOST_TOKENS = 4000
#: windows on streams that are measured
N_WINDOWS = 4

#: sets on documents what components set that come before
Annotate = Callable[[Sequence[Example]], None]


@dataclass(frozen=True)
class Memory:
    """Memory in bytes, but for the first four numbers.

    parameters, trained: numbers in the network, and those of them that are trained.
    batch: tokens of the largest batch of training, or units that are read at once on streams.
    prediction_batch: tokens of a batch of prediction.
    weights: of the parameters.
    gradients, optimizer: of those that are trained; the optimizer has two moments of each, and an
        average where averages are kept.
    activations: of the largest batch; None where nothing can be learned from any.
    prediction: of a batch of prediction.
    vectors: of the pipeline's table of vectors, which its components share.
    """

    parameters: int
    trained: int
    batch: int
    prediction_batch: int
    weights: int
    gradients: int
    optimizer: int
    activations: Optional[int]
    prediction: int
    vectors: int


def estimate(
    pipe: RNNPipe,
    batches: Sequence[List[Example]],
    dropout: float,
    optimizer: Optimizer,
    annotate: Annotate,
) -> Memory:
    """The memory that torch asks for to train a component that is initialized.

    Activations are measured in a step of the largest batch, or if that has more than `MOST_TOKENS`
    tokens, in one of a smaller batch, and are taken to grow with the tokens. A CPU takes less than
    torch asks for where kernels ask for more than they need, and some more for itself.

    batches: those of an epoch.
    """
    parameters = list(pipe.shim.module.parameters())
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    gradients = sum(parameter.nbytes for parameter in trained)
    vectors: Any = pipe.vocab.vectors.data
    return Memory(
        parameters=sum(parameter.numel() for parameter in parameters),
        trained=sum(parameter.numel() for parameter in trained),
        batch=max(_size(pipe, batch) for batch in batches),
        prediction_batch=pipe.read_limits.batch,
        weights=sum(parameter.nbytes for parameter in parameters),
        gradients=gradients,
        optimizer=gradients * (2 if optimizer.averages is None else 3),
        activations=_activations(pipe, batches, dropout, annotate),
        prediction=_prediction(pipe, list(chain.from_iterable(batches)), annotate),
        vectors=vectors.nbytes,
    )


class PeakMemory(TorchDispatchMode):
    """Within it, tensors that were made there take `now` bytes, and took `most` at once."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 0
        self.now = 0
        self._sizes: Dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        outputs = func(*args, **(kwargs or {}))
        for output in tree_leaves(outputs):
            if isinstance(output, Tensor):
                self._add(output.untyped_storage())
        return outputs

    def _add(self, storage: UntypedStorage) -> None:
        # Several tensors may be views of one storage.
        key = storage._cdata
        if key not in self._sizes:
            self._sizes[key] = storage.nbytes()
            self.now += self._sizes[key]
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self._remove, key)

    def _remove(self, key: int) -> None:
        self.now -= self._sizes.pop(key)


def _size(pipe: RNNPipe, batch: Sequence[Example]) -> int:
    """How much training reads at once."""
    return pipe.read_limits.step or sum(len(eg.predicted) for eg in batch)


def _activations(
    pipe: RNNPipe, batches: Sequence[List[Example]], dropout: float, annotate: Annotate
) -> Optional[int]:
    sizes = [_size(pipe, batch) for batch in batches]
    # The largest of those that are small enough, and so on, then the smallest of the others.
    order = sorted(
        range(len(batches)), key=lambda i: (sizes[i] > MOST_TOKENS, abs(sizes[i] - MOST_TOKENS))
    )
    set_dropout_rate(pipe.model, dropout)
    for i in order:
        with PeakMemory() as memory:
            updates = _step(pipe, batches[i], annotate)
        gradients = _take_gradients(pipe)
        if updates:
            # Documents may have waited on streams for those of this batch.
            return round(max(memory.most - gradients, 0) * max(sizes) / max(sizes[i], 1))
    return None


def _step(pipe: RNNPipe, batch: Sequence[Example], annotate: Annotate) -> int:
    """Compute gradients from a batch; returns how often."""
    some = [eg for eg in batch if pipe.can_train_on(eg)]
    if not some:
        return 0
    annotate(some)
    n = 0
    for _, backprop in islice(pipe.iter_losses(some), N_WINDOWS):
        backprop(1.0)
        n += 1
    return n


def _take_gradients(pipe: RNNPipe) -> int:
    """Remove the gradients; returns how many bytes they took."""
    n = 0
    for parameter in pipe.shim.module.parameters():
        if parameter.grad is not None:
            n += parameter.grad.nbytes
            parameter.grad = None
    return n


def _prediction(pipe: RNNPipe, examples: Sequence[Example], annotate: Annotate) -> int:
    batch = pipe.read_limits.batch
    sizes = [len(eg.predicted) for eg in examples]
    fitting = [eg for eg, n in zip(examples, sizes, strict=True) if 0 < n <= batch]
    if not fitting:
        fitting = [examples[int(np.argmin(sizes))]]
    chosen: List[Example] = []
    n = 0
    for eg in cycle(fitting):
        chosen.append(eg)
        n += len(eg.predicted)
        if n >= batch or not n:
            break
    annotate(chosen)
    with PeakMemory() as memory:
        pipe.predict([eg.predicted for eg in chosen])
    return memory.most
