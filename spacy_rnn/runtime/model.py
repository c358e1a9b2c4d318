"""What all architectures share: a thinc model around one torch module, which computes its loss."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Literal, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from spacy.attrs import ORTH
from spacy.tokens import Doc
from thinc.api import Model
from torch import Tensor, nn

from ..features.tokens import Vocabs
from ..nn.token_network import Batch
from ..validation import at_least
from .batching import Limits, strings_to_tensors, to_tensors
from .shim import TorchShim, shim_of
from .tok2vec import TOK2VEC, Texts, Tok2Vec, init_tok2vec, read_texts

Precision = Literal["none", "bf16", "fp16"]


class Gold(NamedTuple):
    """What a training step learns from.

    arrays: the annotation of the batch, which goes to the model's device.
    n_items: annotated tokens or texts.
    loss: of the network's outputs and the arrays, summed over the items.
    inputs: what the network itself reads of the annotation, as a decoder does of targets.
    """

    arrays: Dict[str, np.ndarray]
    n_items: int
    loss: Callable[[Any, Dict[str, Tensor]], Tensor]
    inputs: Optional[Dict[str, np.ndarray]] = None


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Base of the architectures, which are the settings of a network, and the parts that they stand
    for.

    mixed_precision (str): Train and predict in half precision on a GPU ("bf16", "fp16"); ignored
        on a CPU.
    batch_tokens (int): Tokens in a batch of prediction, padding counted. Bounds memory; results do
        not depend on it.
    """

    mixed_precision: Precision = "none"
    batch_tokens: int = 4096

    def __post_init__(self) -> None:
        at_least(1, batch_tokens=self.batch_tokens)

    @property
    def limits(self) -> Limits:
        """Bounds on the memory of a prediction; by default nothing is read in windows."""
        return Limits(self.batch_tokens, window=1, overlap=0)

    def features(self) -> Any:
        """What turns documents into arrays, not yet built."""
        raise NotImplementedError

    def initialize(self, shim: TorchShim, X: Sequence[Any], Y: Any) -> None:
        """Build features and weights from all training data."""
        raise NotImplementedError

    def module(self, features: Any, outputs: Dict[str, int]) -> nn.Module:
        """The torch module, for features that are built."""
        raise NotImplementedError

    def batch(self, shim: TorchShim, texts: Texts) -> Any:
        """Documents as the module takes them in training."""
        raise NotImplementedError

    def predict(self, shim: TorchShim, texts: Texts, limits: Limits) -> Any:
        """The model's prediction for documents."""
        raise NotImplementedError


def make_model(
    name: str,
    architecture: Architecture,
    tok2vec: Optional[Tok2Vec] = None,
) -> Model:
    """Make a thinc model around the architecture's module.

    name (str): The name of the model.
    architecture (Architecture): The settings of the network.
    tok2vec (Optional[Tok2Vec]): A layer whose vectors are part of those of tokens.
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


def init(model: Model, X: Optional[Sequence[Any]] = None, Y: Any = None) -> Model:
    """Build features and weights; see the architecture's `initialize`."""
    if X is not None and Y is not None:
        shim = shim_of(model)
        docs = list(X)
        if model.has_ref(TOK2VEC):
            shim.features.tok2vec_size = init_tok2vec(model, docs)
        shim.architecture.initialize(shim, docs, Y)
    return model


def forward(model: Model, X: Sequence[Doc], is_train: bool) -> Tuple[Any, Callable[[Any], Any]]:
    """Docs -> the architecture's prediction, the same in training. It has no gradient: components
    learn by `begin_update`."""
    shim = shim_of(model)
    if not len(X):
        return [], _no_gradient
    texts, _ = read_texts(model, X)
    return shim.architecture.predict(shim, texts, model.attrs["limits"]), _no_gradient


def _no_gradient(d_outputs: Any) -> None:
    raise NotImplementedError(
        "The predictions of this model have no gradient. Train it by its component: nlp.update, or "
        "the component's own 'update'."
    )


def begin_update(
    model: Model, docs: Sequence[Doc], gold: Gold
) -> Tuple[float, Callable[[float], None]]:
    """The loss of docs, summed over the items of the annotation, and a callback that adds its
    gradient up."""
    shim = shim_of(model)
    texts, hand_on = read_texts(model, docs, is_train=True)
    batch = shim.architecture.batch(shim, texts)
    arrays, inputs = (
        {name: torch.from_numpy(a).to(shim.device) for name, a in (some or {}).items()}
        for some in (gold.arrays, gold.inputs)
    )
    loss, backprop_loss = shim.begin_update(
        lambda module: gold.loss(module(batch, **inputs), arrays),
        gold.n_items,
        model.attrs["dropout_rate"],
    )

    def backprop(d_loss: float) -> None:
        backprop_loss(d_loss)
        hand_on()

    return loss, backprop


def outputs_of(model: Model, docs: Sequence[Doc]) -> Any:
    """The outputs of the network for docs that losses are of, without dropout and gradients."""
    shim = shim_of(model)
    texts, _ = read_texts(model, docs)
    batch = shim.architecture.batch(shim, texts)
    return shim.predict(lambda module: module(batch))


def word_hashes(doc: Doc) -> np.ndarray:
    """The hash of each token's text, uint64 (tokens,)."""
    return doc.to_array(ORTH)


def vocabs_of(docs: Sequence[Doc], counts: Optional[Sequence[int]] = None) -> Vocabs:
    """The vocabulary of documents or, where they have several, that of each of their sequences.

    counts: how many sequences each document has; None if each is one.
    """
    vocabs = [doc.vocab for doc in docs]
    if all(vocab is vocabs[0] for vocab in vocabs):
        return vocabs[0]
    if counts is None:
        return vocabs
    return [vocab for vocab, n in zip(vocabs, counts, strict=True) for _ in range(n)]


def collate(
    shim: TorchShim,
    sequences: List[np.ndarray],
    vocab: Vocabs,
    counts: Optional[np.ndarray] = None,
    vectors: Optional[Tensor] = None,
) -> Batch:
    """Sequences of word hashes as tensors on the model's device; see `Batch`.

    vectors: those that a tok2vec layer gives for their tokens.
    """
    arrays = shim.features(sequences, vocab)
    return Batch(
        to_tensors(arrays.words, shim.device),
        torch.from_numpy(arrays.tokens).to(shim.device, non_blocking=True),
        torch.from_numpy(arrays.lengths),
        None if counts is None else torch.from_numpy(counts),
        strings_to_tensors(shim.features.strings(arrays), shim.device),
        vectors,
    )
