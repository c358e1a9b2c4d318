"""A thinc model around a torch module: predictions for documents, and updates from targets."""

from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model

from ..optional import torch
from .architecture import Architecture, OutT
from .batching import doc_batch
from .shim import TorchShim, shim_of
from .tok2vec import TOK2VEC, DocBatch, Tok2Vec, embed_docs, init_tok2vec

if TYPE_CHECKING:
    from torch import Tensor


class Targets(NamedTuple):
    """The annotation that a training step learns from.

    arrays (Dict[str, np.ndarray]): The annotation of the batch, which goes to the model's device.
    n_items (int): Annotated tokens or texts.
    loss (Callable[[Any, Dict[str, Tensor]], Tensor]): Computes the loss, summed over the items,
        from the network's output and the arrays.
    inputs (Optional[Dict[str, np.ndarray]]): Annotation that the network itself reads, as a decoder
        reads the beginning of a target.
    """

    arrays: Dict[str, np.ndarray]
    n_items: int
    loss: "Callable[[Any, Dict[str, Tensor]], Tensor]"
    inputs: Optional[Dict[str, np.ndarray]] = None


def make_model(
    name: str,
    architecture: Architecture[Any, Any, OutT],
    tok2vec: Optional[Tok2Vec] = None,
) -> Model[List[Doc], OutT]:
    """Make a thinc model around the module of an architecture.

    name (str): Name of the model.
    architecture (Architecture[Any, Any, OutT]): The settings of the network.
    tok2vec (Optional[Tok2Vec]): A layer whose vectors are part of those of tokens.
    RETURNS (Model[List[Doc], OutT]): The model.
    """
    return Model(
        name,
        forward,
        init=init,
        attrs={"dropout_rate": 0.0, "limits": architecture.limits},
        layers=[] if tok2vec is None else [tok2vec],
        refs={TOK2VEC: tok2vec},
        shims=[TorchShim(architecture, architecture.mixed_precision)],
    )


def init(
    model: Model[List[Doc], OutT], X: Optional[Sequence[Any]] = None, Y: Any = None
) -> Model[List[Doc], OutT]:
    """Build features and weights; see `Architecture.initialize`."""
    if X is not None and Y is not None:
        shim = shim_of(model)
        shim.engine.begin_change()
        docs = list(X)
        if model.layers:
            shim.features.tok2vec_size = init_tok2vec(model, docs)
        shim.architecture.initialize(shim, docs, Y)
    return model


def forward(
    model: Model[List[Doc], OutT], X: List[Doc], is_train: bool
) -> Tuple[OutT, Callable[[OutT], List[Doc]]]:
    """Predict for documents; see `Architecture.predict`. The prediction is the same in training
    and has no gradient: components learn by `begin_update`."""
    if not X:
        nothing: Any = []
        return nothing, _no_gradient
    shim = shim_of(model)
    return (
        shim.architecture.predict(shim, doc_batch(model, X), model.attrs["limits"]),
        _no_gradient,
    )


def _no_gradient(d_outputs: Any) -> List[Doc]:
    raise NotImplementedError(
        "The predictions of this model have no gradient. Train it by its component: nlp.update, or "
        "the component's own 'update'."
    )


def begin_update(
    model: Model[List[Doc], Any], docs: Sequence[Doc], targets: Targets
) -> Tuple[float, Callable[[float], None]]:
    """Compute the loss of documents.

    model (Model[List[Doc], Any]): The model.
    docs (Sequence[Doc]): The documents.
    targets (Targets): Their annotation.
    RETURNS (Tuple[float, Callable[[float], None]]): The loss, summed over the items of the
        annotation, and a callback that adds up its gradient.
    """
    shim = shim_of(model)
    if model.layers:
        batch_of_docs, backprop_tok2vec = embed_docs(model, docs, is_train=True)
    else:
        batch_of_docs, backprop_tok2vec = DocBatch(docs), None
    batch = shim.architecture.batch(shim, batch_of_docs)
    device = shim.device
    arrays = {name: torch.from_numpy(a).to(device) for name, a in targets.arrays.items()}
    inputs = {name: torch.from_numpy(a).to(device) for name, a in (targets.inputs or {}).items()}
    with shim.training(model.attrs["dropout_rate"]) as module:
        summed = targets.loss(module(batch, **inputs), arrays)
    loss, backprop_loss = shim.begin_update(summed, targets.n_items)
    if backprop_tok2vec is None:
        return loss, backprop_loss

    def backprop(d_loss: float) -> None:
        backprop_loss(d_loss)
        backprop_tok2vec()

    return loss, backprop


def outputs_of(model: Model[List[Doc], Any], docs: Sequence[Doc]) -> Any:
    """The network's output for documents, as losses take it, without dropout and gradients."""
    shim = shim_of(model)
    batch = shim.architecture.batch(shim, doc_batch(model, docs))
    with shim.inference() as module:
        return module(batch)
