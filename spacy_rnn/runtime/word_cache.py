"""The vectors of words, kept from one prediction to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Sequence

from .. import nn
from ..features.tokens import DistinctWords, TokenFeatures
from ..forks import ForkSafeLock
from ..optional import torch

if TYPE_CHECKING:
    from torch import Tensor

    from ..nn.embedding import Arrays, TokenEmbedding

#: distinct words that are embedded at a time
MAX_WORDS = 2048
#: bytes of the vectors that are kept, or those of `MAX_WORDS` words, if that is more
MAX_BYTES = 1 << 25


class WordCache:
    """The vectors of words, kept while the weights that they come from stay the same.

    Only vectors of parts that are functions of the word alone are kept. The features of other
    parts, such as the pipeline's vectors, may change, and are read in each prediction. A copy or an
    unpickled cache is empty.
    """

    def __init__(self) -> None:
        self._n_cleared = 0
        self.clear()
        self._lock = ForkSafeLock()

    def __reduce__(self) -> Any:
        return WordCache, ()

    def clear(self) -> None:
        """Forget all vectors. Called by those who change weights: the kernel of an optimizer's step
        leaves no trace in the tensors."""
        self._n_cleared += 1
        self._table = _Table(None, 0)

    def embed(
        self,
        embedding: TokenEmbedding,
        features: TokenFeatures,
        words: DistinctWords,
        device: torch.device,
    ) -> Tensor:
        """Embed distinct words, a bounded number at a time. Called inside `TorchShim.inference`.

        embedding (TokenEmbedding): Embeds the words that are new.
        features (TokenFeatures): The features that it reads.
        words (DistinctWords): The words.
        device (torch.device): The device of the embedding.
        RETURNS (Tensor): Their vectors, (U, width).
        """
        lasting = [name for name in embedding.word_parts if name not in features.finished]
        changing = [name for name in embedding.word_parts if name in features.finished]

        def compute(some: DistinctWords, parts: Sequence[str]) -> Arrays:
            arrays = nn.embedding.to_device(features.arrays(some, parts), device)
            return embedding.embed_parts(arrays, parts)

        pieces = []
        for some in words.pieces(MAX_WORDS):
            vectors = compute(some, changing)
            if lasting:
                vectors.update(self._look_up(embedding, some, lasting, compute))
            pieces.append(embedding.join(vectors))
        return torch.cat(pieces) if len(pieces) > 1 else pieces[0]

    def _look_up(
        self, embedding: TokenEmbedding, words: DistinctWords, parts: Sequence[str], compute: Any
    ) -> Arrays:
        """The vectors of each part, computing those of new words."""
        # Read before vectors are computed: if another thread changes the weights meanwhile, the
        # vectors are kept under a state that never comes back.
        weights = _Weights([embedding.parts[name] for name in parts], self._n_cleared)
        keys = words.keys.tolist()
        table = self._table
        rows = table.find(keys) if table.weights == weights else [-1]
        if -1 in rows:
            # A thread that waits here or holds the lock is inside `inference` already, so that it
            # does not wait for a fork, which waits for all of them.
            with self._lock:
                table = self._table
                if table.weights != weights or not table.has_room(keys):
                    row = 4 * sum(embedding.word_parts[name] for name in parts)
                    table = _Table(weights, max(MAX_WORDS, MAX_BYTES // max(row, 1)))
                new = words.take([row < 0 for row in table.find(keys)])
                table.add(new.keys.tolist(), compute(new, parts))
                self._table = table
            rows = table.find(keys)
        return table.read(rows)


class _Weights:
    """Tensors of modules, equal to the same tensors in the same state only.

    n_cleared (int): How often the cache was cleared before.
    """

    def __init__(self, modules: Sequence[torch.nn.Module], n_cleared: int):
        self._n_cleared = n_cleared
        # Held, so that no other tensor gets the ID of one of them.
        self._tensors = [tensor for module in modules for tensor in _tensors(module)]
        self._state = [(id(x), _version(x), x.data_ptr(), x.device) for x in self._tensors]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Weights):
            return False
        return self._n_cleared == other._n_cleared and self._state == other._state


class _Table:
    """Vectors of words; a row never changes once it is found.

    weights (Optional[_Weights]): The weights that they come from; None for a table without room.
    capacity (int): The most words.
    """

    def __init__(self, weights: Optional[_Weights], capacity: int):
        self.weights = weights
        self._capacity = capacity
        self._rows: dict[int, int] = {}
        self._vectors: Arrays = {}

    def has_room(self, keys: Sequence[int]) -> bool:
        return len(self._rows) + self.find(keys).count(-1) <= self._capacity

    def find(self, keys: Sequence[int]) -> list[int]:
        """The row of each word, -1 for one that is not kept."""
        return [self._rows.get(key, -1) for key in keys]

    def add(self, keys: Sequence[int], vectors: Arrays) -> None:
        """Add the vectors of words that are not kept yet."""
        start, end = len(self._rows), len(self._rows) + len(keys)
        for name, new in vectors.items():
            if name not in self._vectors:
                # On a CPU, only rows that are written take up memory.
                self._vectors[name] = new.new_empty(self._capacity, new.shape[1])
            self._vectors[name][start:end] = new
        # Only now, for others who read without the lock.
        self._rows.update(zip(keys, range(start, end), strict=True))

    def read(self, rows: Sequence[int]) -> Arrays:
        """The vectors in rows, by part."""
        places: Optional[Tensor] = None
        found = {}
        for name, vectors in self._vectors.items():
            if places is None:
                places = torch.tensor(rows, dtype=torch.int64, device=vectors.device)
            found[name] = vectors.index_select(0, places)
        return found


def _version(tensor: Tensor) -> int:
    """The number of changes in place that torch has counted; it counts none of inference tensors,
    as of a pipeline that was loaded in inference mode."""
    return 0 if tensor.is_inference() else tensor._version


def _tensors(module: torch.nn.Module) -> list[Tensor]:
    """The parameters and buffers of a module, in a tenth of the time of its own iterators."""
    own = [*module._parameters.values(), *module._buffers.values()]
    found = [tensor for tensor in own if tensor is not None]
    for child in module._modules.values():
        if child is not None:
            found += _tensors(child)
    return found
