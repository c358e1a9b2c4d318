"""The networks: torch only, nothing of spaCy or thinc. One idea a file.

``from .. import nn`` does not import torch: a module, such as `nn.rnn`, is imported when it is
first used.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from ..optional import import_torch

if TYPE_CHECKING:
    from . import attention as attention
    from . import cells as cells
    from . import contextual_strings as contextual_strings
    from . import crf as crf
    from . import decoder as decoder
    from . import dropout as dropout
    from . import embedding as embedding
    from . import language_model as language_model
    from . import layout as layout
    from . import linear_chain as linear_chain
    from . import losses as losses
    from . import many_to_one as many_to_one
    from . import onednn as onednn
    from . import pooling as pooling
    from . import precision as precision
    from . import rnn as rnn
    from . import search as search
    from . import tag_scores as tag_scores
    from . import tagger as tagger
    from . import translator as translator
    from . import vectors as vectors


def __getattr__(name: str) -> ModuleType:
    if name.startswith("__"):
        raise AttributeError(name)
    import_torch()
    return import_module(f"{__name__}.{name}")
