"""The base of the architectures that read spaCy's tokens."""

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

from spacy.tokens import Doc
from thinc.api import Model

from .. import nn
from ..config.token_embedding import Parts, named_parts, token_embedding, token_features
from ..features.tokens import TokenFeatures, TokenSequences
from ..nn.options import TOK2VEC
from ..optional import torch
from ..runtime.architecture import Architecture, OutT
from ..runtime.attribution import EncoderInput
from ..runtime.batching import MemoryLimits, doc_batch
from ..runtime.shim import ModuleT, TorchShim, architecture_of, shim_of
from ..runtime.tok2vec import DocBatch, Tok2Vec
from ..validation import at_least

if TYPE_CHECKING:
    from ..nn.embedding import TokenBatch, TokenEmbedding
    from ..nn.rnn import Encoder


@dataclass(frozen=True)
class TokenArchitecture(Architecture[TokenFeatures, ModuleT, OutT]):
    """Base of the architectures that read spaCy's tokens.

    embedding (Optional[Dict[str, Any]]): Parts of the embedding by name, such as
        spacy_rnn.WordEmbedding.v1; null if a tok2vec layer is the only input.
    window (int): Longer documents are read in windows of this many tokens when predicting.
    overlap (int): Tokens of context on both sides of a window. With an encoder of one direction,
        and no context in the embedding, windows carry the state instead and give exactly what the
        whole document gives.
    """

    embedding: Optional[Dict[str, Any]]
    _: KW_ONLY
    window: int = 5000
    overlap: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, window=self.window)
        at_least(0, overlap=self.overlap)

    @property
    def limits(self) -> MemoryLimits:
        """Bounds on the memory of a prediction."""
        return MemoryLimits(self.batch_tokens, self.window, self.overlap)

    def token_encoder(self, module: ModuleT) -> "Encoder":
        """The encoder of tokens inside the module."""
        raise NotImplementedError

    def sequences(self, docs: Sequence[Doc]) -> TokenSequences:
        """The sequences of tokens that are read of documents."""
        return TokenSequences(docs)

    def features(self) -> TokenFeatures:
        return token_features(self.embedding)

    def token_embedding(self, features: TokenFeatures) -> "TokenEmbedding":
        """Make the module that embeds tokens, for features that are built."""
        return token_embedding(self.embedding, features)

    def graph_names(self, features: TokenFeatures, outputs: Dict[str, int]) -> List[str]:
        if features.token_parts or features.tok2vec_size:
            return []
        parts = [f"embedding.parts.{part.name}" for part in features.word_parts]
        return [*parts, *self.encoder_paths, *(f"heads.{target}" for target in outputs)]

    @property
    def encoder_paths(self) -> List[str]:
        """The paths of the encoders and of layers above them (List[str])."""
        raise NotImplementedError

    def initialize(
        self, shim: TorchShim[TokenFeatures, ModuleT], X: Sequence[Doc], Y: Dict[str, int]
    ) -> None:
        shim.features.build(X)
        shim.build(Y)

    def batch(self, shim: TorchShim[TokenFeatures, ModuleT], docs: DocBatch) -> "TokenBatch":
        sequences, device = self.sequences(docs.docs), shim.device
        features = shim.features
        found = features(sequences)
        arrays = found.words
        if features.token_parts:
            arrays = {**arrays, **features.token_arrays(sequences)}
        tensors = nn.embedding.to_device(arrays, device)
        if docs.vectors is not None:
            places = torch.from_numpy(sequences.tokens).to(device)
            tensors[TOK2VEC] = docs.vectors.index_select(0, places)
        return nn.embedding.TokenBatch(
            tensors,
            torch.from_numpy(found.tokens).to(device, non_blocking=True),
            torch.from_numpy(sequences.lengths),
            None if sequences.counts is None else torch.from_numpy(sequences.counts),
        )


def input_of_doc(model: Model[List[Doc], Any], doc: Doc) -> EncoderInput:
    """The input of the encoder of tokens for a document.

    model (Model[List[Doc], Any]): A model that reads tokens.
    doc (Doc): The document.
    RETURNS (EncoderInput): The vectors of its tokens.
    """
    shim = shim_of(model)
    architecture: TokenArchitecture[Any, Any] = architecture_of(model, TokenArchitecture)
    docs = doc_batch(model, [doc])
    batch = architecture.batch(shim, docs)
    with shim.inference() as module:
        flat = module.embedding(batch)
    x = flat.vectors if flat.tokens is None else flat.vectors.index_select(0, flat.tokens)
    names = [doc[i].text for i in architecture.sequences([doc]).tokens.tolist()]
    return EncoderInput(architecture.token_encoder, names, x, batch.lengths)


def needs_input(embedding: Optional[Parts], tok2vec: Optional[Tok2Vec]) -> None:
    """Check that a model reads something.

    RAISES (ValueError): If it has neither a part of an embedding nor a tok2vec layer.
    """
    if not named_parts(embedding) and tok2vec is None:
        raise ValueError(
            "The model has no input: add a part such as spacy_rnn.WordEmbedding.v1 to its "
            "'embedding', or set its 'tok2vec' to a listener such as spacy.Tok2VecListener.v1."
        )
