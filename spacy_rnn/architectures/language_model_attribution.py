"""Inputs and predictions of a language model, as attribution methods need them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, List, Optional

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model

from ..features.streams import BACKWARD
from ..optional import torch
from ..runtime.attribution import AttributionTarget, EncoderInput, check_index
from ..runtime.shim import architecture_of, shim_of
from .language_model import (
    InT,
    LanguageModelArchitecture,
    LanguageModelShim,
    OutT,
    networks_of,
    to_tensor,
)

if TYPE_CHECKING:
    from torch import Tensor

    from ..nn.rnn import Encoder

#: replaces spaces in the names of units, and the name of units without a string
SPACE, UNKNOWN = "\u2581", "<unk>"


def encoder_inputs(
    model: Model[InT, OutT], doc: Doc, conditions: Optional[np.ndarray]
) -> List[EncoderInput]:
    """The input of the network of each direction for a document, after the boundary before it.

    model (Model): The language model.
    doc (Doc): The document.
    conditions (Optional[np.ndarray]): The vector of the document, float32 (1, C), if it has one.
    RETURNS (List[EncoderInput]): The inputs.
    """
    shim: LanguageModelShim = shim_of(model)
    (ids,) = shim.features.encode([doc])
    boundary = torch.tensor([shim.features.boundary_id], device=shim.device)
    inputs = []
    for name in architecture_of(model, LanguageModelArchitecture).directions:
        rows = _rows(shim, name, ids[::-1] if name == BACKWARD else ids)
        with shim.inference() as module:
            network = networks_of(module)[name]
            state = network.initial_state(1, to_tensor(conditions, shim.device))
            output = network(boundary, torch.tensor([1]), state)
        inputs.append(rows._replace(start=output.final))
    return inputs


def attribution_target(
    model: Model[InT, OutT],
    doc: Doc,
    token: int,
    conditions: Optional[np.ndarray],
) -> AttributionTarget:
    """The prediction of a token from its left context, by the forward network; or from its right
    context, if the only network is a backward one.

    model (Model): The language model.
    doc (Doc): The document.
    token (int): The index of the token; the number of tokens for the end of the document, or for
        its beginning with a backward network.
    conditions (Optional[np.ndarray]): See `encoder_inputs`.
    RETURNS (AttributionTarget): The prediction.
    RAISES (ValueError): If there is no such token, or if it has no unit of its own.
    """
    check_index(token, len(doc) + 1, "token")
    shim: LanguageModelShim = shim_of(model)
    name = architecture_of(model, LanguageModelArchitecture).directions[0]
    step = -1 if name == BACKWARD else 1
    ids = np.append(shim.features.encode([doc])[0][::step], shim.features.boundary_id)
    tokens = np.append(shim.features.token_indices(doc)[::step], len(doc))
    positions = np.flatnonzero(tokens == token)
    if not len(positions):
        raise ValueError(
            f"Token {token}, '{doc[token].text}', has no unit of its own: the model reads it as a "
            f"part of its neighbor. Choose that token instead."
        )
    score = partial(
        _log_prob,
        name=name,
        boundary=shim.features.boundary_id,
        targets=torch.from_numpy(ids[positions]).to(shim.device),
        condition=to_tensor(conditions, shim.device),
    )
    if token < len(doc):
        what = f"token '{doc[token].text}'"
    else:
        what = "the beginning of the text" if name == BACKWARD else "the end of the text"
    rows = _rows(shim, name, ids[: positions[-1]])
    return AttributionTarget(rows, what, "log-probability", score)


def _rows(shim: LanguageModelShim, name: str, ids: np.ndarray) -> EncoderInput:
    """Units in the order in which the network of a direction reads them."""
    strings = shim.features.strings
    names = [strings[i].replace(" ", SPACE) or UNKNOWN for i in ids.tolist()]
    index = torch.from_numpy(ids.copy()).to(shim.device)
    with shim.inference() as module:
        vectors = networks_of(module)[name].embedding_matrix().index_select(0, index)
    lengths = torch.tensor([len(ids)])
    backward = name == BACKWARD
    return EncoderInput(partial(_encoder, name=name), names, vectors, lengths, backward=backward)


def _encoder(module: torch.nn.ModuleDict, name: str) -> Encoder:
    return networks_of(module)[name].encoder


def _log_prob(
    module: torch.nn.ModuleDict,
    vectors: Tensor,
    *,
    name: str,
    boundary: int,
    targets: Tensor,
    condition: Optional[Tensor],
) -> Tensor:
    network = networks_of(module)[name]
    n = len(vectors)
    boundaries = network.embedding_matrix()[boundary].expand(n, 1, -1)
    state = network.initial_state(n, None if condition is None else condition.expand(n, -1))
    return network.log_prob(torch.cat([boundaries, vectors], dim=1), state, targets)
