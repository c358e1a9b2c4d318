"""Inputs and predictions of a translator, as attribution methods need them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Sequence

import numpy as np
from thinc.api import Model

from ..optional import torch
from ..runtime.attribution import AttributionTarget, EncoderInput
from ..runtime.batching import lengths_of
from ..runtime.shim import shim_of
from .translator import InT, OutT, TranslatorShim

if TYPE_CHECKING:
    from torch import Tensor

    from ..nn.rnn import Encoder
    from ..nn.translator import Translator


def encoder_input(model: Model[InT, OutT], texts: Sequence[str]) -> EncoderInput:
    """The input of the encoder for texts.

    model (Model): The translator.
    texts (Sequence[str]): The texts; those without pieces have no input.
    RETURNS (EncoderInput): The input.
    """
    shim: TranslatorShim = shim_of(model)
    source = shim.features.source
    pieces = [ids for ids in source.encode(shim.features.normalize(texts)) if len(ids)]
    ids = np.concatenate([np.zeros(0, dtype="int64"), *pieces])
    index = torch.from_numpy(ids).to(shim.device)
    with shim.inference() as network:
        vectors = network.source_embedding(index)
    names = [source.pieces[i] for i in ids]
    return EncoderInput(_encoder, names, vectors, torch.from_numpy(lengths_of(pieces)))


def attribution_target(
    model: Model[InT, OutT], text: str, pieces: Sequence[str], position: int
) -> AttributionTarget:
    """The prediction of a piece of a translation from those before it.

    model (Model): The translator.
    text (str): The text that is translated.
    pieces (Sequence[str]): The pieces of its translation.
    position (int): The position of the piece among them.
    RETURNS (AttributionTarget): The prediction.
    """
    shim: TranslatorShim = shim_of(model)
    target = shim.features.target
    ids = {piece: i for i, piece in enumerate(target.pieces)}
    decoder_input = torch.tensor([target.bos, *(ids[piece] for piece in pieces[:position])])
    score = partial(
        _log_prob, decoder_input=decoder_input.to(shim.device), piece=ids[pieces[position]]
    )
    prediction = f"piece {position} of the translation, '{pieces[position]}'"
    return AttributionTarget(encoder_input(model, [text]), prediction, "log-probability", score)


def _encoder(network: Translator) -> Encoder:
    return network.encoder


def _log_prob(network: Translator, vectors: Tensor, *, decoder_input: Tensor, piece: int) -> Tensor:
    n, length, _ = vectors.shape
    lengths = torch.full((n,), length)
    log_probs = network.next_log_probs(vectors.flatten(0, 1), lengths, decoder_input.expand(n, -1))
    return log_probs[:, piece]
