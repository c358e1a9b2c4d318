"""The embedding of a token: named parts, each a block of the config."""

from typing import Any, Dict, Mapping, Optional, Protocol, Union

from thinc.compat import has_torch

from .. import nn
from ..features.feature import Feature
from ..features.tokens import TokenFeatures
from ..nn.options import TOK2VEC
from ..optional import torch


class Part(Protocol):
    """A part of the embedding, as a registered function returns it: a feature (numpy, in
    `spacy_rnn.features`) and the module that embeds it (torch, in `spacy_rnn.nn`)."""

    def feature(self, name: str) -> Feature:
        """Return the feature, which learns its vocabulary when training starts.

        name (str): Name of the part.
        """

    def module(self, feature: Any) -> "Union[nn.embedding.WordModule, nn.embedding.TokenModule]":
        """Return the module that embeds the feature, once its vocabulary is known."""


#: The parts by name; None leaves out a part of the default config.
Parts = Mapping[str, Optional[Part]]

# Configs are saved with their blocks sorted, so the order of the parts, which is that of the
# columns of the encoder's weights, is not that of the config.
_FIRST = ("words", "characters", "affixes", "pieces", "vectors")


def named_parts(embedding: Optional[Parts]) -> Dict[str, Part]:
    """Return the parts of an embedding in the order of their vectors.

    embedding (Optional[Parts]): The parts as in the config.
    RETURNS (Dict[str, Part]): The parts that are not None.
    RAISES (ValueError): If a part cannot have its name, or is not a part of an embedding.
    """
    parts = {name: part for name, part in (embedding or {}).items() if part is not None}
    for name, part in parts.items():
        # Without torch, the pipeline has been trained elsewhere.
        taken = has_torch and hasattr(torch.nn.ModuleDict(), name)
        taken = taken or name.startswith(TOK2VEC)
        if taken or not name.isidentifier() or name.endswith("_lengths"):
            raise ValueError(
                f"The embedding has a part with the name '{name}', which a part cannot have. Use "
                f"another one, such as 'my_words', of letters, digits and underscores."
            )
        if not (hasattr(part, "feature") and hasattr(part, "module")):
            raise ValueError(
                f"The embedding has {part!r} as its part '{name}'. Each part must be null or a "
                f'block such as @architectures = "spacy_rnn.WordEmbedding.v1".'
            )
    first = [name for name in _FIRST if name in parts]
    return {name: parts[name] for name in [*first, *sorted(parts.keys() - {*first})]}


def token_features(embedding: Optional[Parts]) -> TokenFeatures:
    """Return the features of the parts of an embedding, not yet built."""
    return TokenFeatures([part.feature(name) for name, part in named_parts(embedding).items()])


def token_embedding(
    embedding: Optional[Parts], features: TokenFeatures
) -> "nn.embedding.TokenEmbedding":
    """Return the module that embeds tokens, for features that are built."""
    parts = named_parts(embedding)
    modules = {feature.name: parts[feature.name].module(feature) for feature in features.parts}
    if features.tok2vec_size:
        modules = {TOK2VEC: nn.embedding.Tok2VecVectors(features.tok2vec_size), **modules}
    return nn.embedding.TokenEmbedding(modules)
