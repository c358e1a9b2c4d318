"""Base of the architectures that read spaCy's tokens."""

from dataclasses import KW_ONLY, dataclass
from typing import Dict, Optional, Sequence

from spacy.tokens import Doc

from ..config.embedding import TokenEmbedding
from ..features.tokens import TokenFeatures
from ..nn import embedding as nn_embedding
from ..runtime.batching import Limits
from ..runtime.model import Architecture, vocabs_of, word_hashes
from ..runtime.shim import TorchShim
from ..runtime.tok2vec import Tok2Vec
from ..validation import at_least


@dataclass(frozen=True)
class TokenArchitecture(Architecture):
    """Base of the architectures that read spaCy's tokens.

    embedding (Optional[TokenEmbedding]): spacy_rnn.TokenEmbedding.v1; null if a tok2vec layer is
        the only input.
    window (int): Longer documents are read in windows of this many tokens when predicting.
    overlap (int): Tokens of context on both sides of a window. With an encoder of one direction,
        and no context in the embedding, windows carry the state instead and give exactly what the
        whole document gives.
    """

    embedding: Optional[TokenEmbedding]
    _: KW_ONLY
    window: int = 5000
    overlap: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, window=self.window)
        at_least(0, overlap=self.overlap)

    @property
    def limits(self) -> Limits:
        """Bounds on the memory of a prediction."""
        return Limits(self.batch_tokens, self.window, self.overlap)

    def features(self) -> TokenFeatures:
        return TokenFeatures([]) if self.embedding is None else self.embedding.features()

    def token_embedding(self, features: TokenFeatures) -> nn_embedding.TokenEmbedding:
        """What makes the vector of a token, for features that are built."""
        if self.embedding is None:
            return nn_embedding.TokenEmbedding({}, tok2vec_size=features.tok2vec_size)
        return self.embedding.module(features)

    def initialize(self, shim: TorchShim, X: Sequence[Doc], Y: Dict[str, int]) -> None:
        """X: the docs. Y: the number of outputs a target."""
        shim.features.build([word_hashes(doc) for doc in X], vocabs_of(X))
        shim.build(Y)


def needs_input(embedding: Optional[TokenEmbedding], tok2vec: Optional[Tok2Vec]) -> None:
    """Raise a ValueError unless there is something to read."""
    if embedding is None and tok2vec is None:
        raise ValueError(
            "The model has no input: set its 'embedding' to spacy_rnn.TokenEmbedding.v1, or its "
            "'tok2vec' to a listener such as spacy.Tok2VecListener.v1."
        )
