"""Documents with the vectors that a tok2vec layer gives for their tokens."""

from typing import TYPE_CHECKING, Any, Callable, List, NamedTuple, Optional, Sequence, Tuple

from spacy.tokens import Doc
from thinc.api import Model, torch2xp, xp2torch
from thinc.types import Floats2d

from ..optional import torch
from .shim import shim_of

if TYPE_CHECKING:
    from torch import Tensor

#: name under which a model refers to its tok2vec layer
TOK2VEC = "tok2vec"
#: documents from which the width of the layer's vectors is learned, as many as spaCy takes
SAMPLE = 10

#: a layer from docs to the vectors of their tokens, such as spacy.Tok2VecListener.v1
Tok2Vec = Model[List[Doc], List[Floats2d]]


class DocBatch(NamedTuple):
    """Documents to read.

    docs (Sequence[Doc]): The documents.
    vectors (Optional[Tensor]): The vectors that a tok2vec layer gives for all of their tokens,
        float32 (N, D); None without a layer.
    """

    docs: Sequence[Doc]
    vectors: "Optional[Tensor]" = None


def embed_docs(
    model: Model[List[Doc], Any], docs: Sequence[Doc], is_train: bool
) -> Tuple[DocBatch, Callable[[], None]]:
    """Run the model's tok2vec layer.

    model (Model[List[Doc], Any]): A model that has one.
    docs (Sequence[Doc]): The documents.
    is_train (bool): Gradients of the vectors are needed.
    RETURNS (Tuple[DocBatch, Callable[[], None]]): The documents with their vectors, and a callback
        that passes the gradient of the vectors to the layer.
    """
    layer: Tok2Vec = model.get_ref(TOK2VEC)
    shim = shim_of(model)
    arrays, backprop = layer(list(docs), is_train)
    joined: Any = layer.ops.flatten(arrays)
    _check_width(joined.shape[1], shim.features.tok2vec_size)
    vectors = xp2torch(joined, requires_grad=is_train, device=shim.device)

    def backprop_tok2vec() -> None:
        zeros = torch.zeros_like(vectors)
        gradient = zeros if vectors.grad is None else vectors.grad / shim.scale
        # The step of this model will be skipped; the other components' gradients must stay finite.
        gradient = torch.where(gradient.isfinite().all(), gradient, zeros)
        d_arrays: Any = torch2xp(gradient, ops=layer.ops)
        # The layer may have been given empty docs as well, which the model does not learn from.
        lengths: Any = [len(array) for array in arrays]
        backprop(layer.ops.unflatten(d_arrays, lengths))

    return DocBatch(docs, vectors), backprop_tok2vec


def init_tok2vec(model: Model[List[Doc], Any], docs: Sequence[Doc]) -> int:
    """Make the weights of the model's tok2vec layer from documents.

    RETURNS (int): Width of the layer's vectors.
    """
    layer: Tok2Vec = model.get_ref(TOK2VEC)
    sample = list(docs[:SAMPLE])
    layer.initialize(X=sample)
    return layer.get_dim("nO") if layer.has_dim("nO") else layer.predict(sample)[0].shape[1]


def _check_width(width: int, trained: int) -> None:
    if width != trained:
        raise ValueError(
            f"The tok2vec layer gives vectors of width {width}, but the model was trained with "
            f"{trained}. Use the pipeline with the 'tok2vec' or transformer component that it was "
            f"trained with, and let no other component after it set doc.tensor."
        )
