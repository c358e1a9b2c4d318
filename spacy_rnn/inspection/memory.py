"""Memory of training and prediction, measured on some documents before they start."""

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

#: tokens of a batch that training is measured on; the memory of larger batches is extrapolated
MOST_TOKENS = 4000
#: windows of streams that are measured
N_WINDOWS = 4

#: sets the annotation of earlier components on documents
Annotate = Callable[[Sequence[Example]], None]


@dataclass(frozen=True)
class Memory:
    """Memory of training and prediction.

    parameters (int): Number of parameters.
    trained (int): Number of parameters that are trained.
    batch (int): Tokens of the largest training batch, or units of a window of streams.
    prediction_batch (int): Tokens of a batch in prediction.
    weights (int): Bytes of the parameters.
    gradients (int): Bytes of their gradients.
    optimizer (int): Bytes of the optimizer: two moments of each parameter that is trained, and an
        average if averages are kept.
    activations (Optional[int]): Bytes of the activations of the largest batch; None if no batch can
        be learned from.
    prediction (int): Bytes of a batch in prediction, with room for the vectors of words that are
        kept.
    vectors (int): Bytes of the pipeline's vectors, which its components share.
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


def estimate_memory(
    pipe: RNNPipe,
    batches: Sequence[List[Example]],
    dropout: float,
    optimizer: Optimizer,
    annotate: Annotate,
) -> Memory:
    """Estimate the memory that torch allocates to train a component that is initialized.

    Activations are measured in a step of the largest batch or, if that has more than `MOST_TOKENS`
    tokens, of a smaller batch, and extrapolated by tokens. On a CPU, the memory that is used may be
    less, because some kernels allocate more than they need.

    pipe (RNNPipe): The component.
    batches (Sequence[List[Example]]): Batches of an epoch.
    dropout (float): Dropout rate of training.
    optimizer (Optimizer): Optimizer of training.
    annotate (Annotate): Sets the annotation of earlier components.
    RETURNS (Memory): The estimate.
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
    """Context manager that measures the bytes of the tensors made inside: `now`, and `most` at
    once."""

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
    """Return the tokens or units that training reads at once."""
    return pipe.read_limits.step or sum(len(eg.predicted) for eg in batch)


def _activations(
    pipe: RNNPipe, batches: Sequence[List[Example]], dropout: float, annotate: Annotate
) -> Optional[int]:
    sizes = [_size(pipe, batch) for batch in batches]
    # Batches that are small enough from the largest down, then the others from the smallest up.
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
    """Compute gradients from a batch; return the number of backward passes."""
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
    """Remove the gradients; return their size in bytes."""
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
    # The room for vectors is measured, too.
    pipe.shim.word_cache.clear()
    with PeakMemory() as memory:
        pipe.predict([eg.predicted for eg in chosen])
    return memory.most
