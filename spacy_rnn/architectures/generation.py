"""Generation of texts by a language model."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, List, NamedTuple, Optional, Sequence

import numpy as np
from thinc.api import Model

from .. import nn
from ..features.streams import FORWARD
from ..features.units import PieceUnits, Tokenizer, Units
from ..optional import torch
from ..runtime.shim import shim_of
from .language_model import InT, LanguageModelShim, OutT, is_backward, networks_of, to_tensor

if TYPE_CHECKING:
    from torch import Tensor

    from ..nn.search import SearchOptions

#: units that are read at a time
CHUNK = 2048


class GenerationState(NamedTuple):
    """The state of a language model in a text that it continues.

    state (Tensor): The state before the last unit (S, depth, 1, H).
    last (int): The last unit.
    rest (str): The end of the text, which is not read yet; the next unit begins with it.
    """

    state: Tensor
    last: int
    rest: str = ""


def initial_state(model: Model[InT, OutT], condition: Optional[np.ndarray]) -> GenerationState:
    """The state before a document.

    model (Model): The language model.
    condition (Optional[np.ndarray]): The vector of the document (C,), if it has one.
    RETURNS (GenerationState): The state.
    RAISES (ValueError): If the model reads texts from their end.
    """
    if is_backward(model):
        raise ValueError(
            'A language model of direction "backward" cannot continue a text. Train one with '
            '"forward" or "both".'
        )
    shim: LanguageModelShim = shim_of(model)
    given = None if condition is None else condition[None]
    with shim.inference() as module:
        state = networks_of(module)[FORWARD].initial_state(1, to_tensor(given, shim.device))
    return GenerationState(state, shim.features.boundary_id)


def read(model: Model[InT, OutT], state: GenerationState, units: np.ndarray) -> GenerationState:
    """The state after more units (N,)."""
    shim: LanguageModelShim = shim_of(model)
    recurrent = state.state
    inputs = np.concatenate([[state.last], units])
    for start in range(0, len(units), CHUNK):
        part = torch.from_numpy(inputs[start : min(start + CHUNK, len(units))]).to(shim.device)
        with shim.inference() as module:
            network = networks_of(module)[FORWARD]
            recurrent = network(part, torch.tensor([len(part)]), recurrent).final
    return GenerationState(recurrent, int(inputs[-1]))


def generate(
    model: Model[InT, OutT],
    prompts: Sequence[str],
    state: GenerationState,
    tokenizer: Tokenizer,
    max_units: int,
    options: SearchOptions,
    seed: Optional[int],
) -> List[str]:
    """Continue prompts.

    model (Model): The language model.
    prompts (Sequence[str]): The prompts.
    state (GenerationState): The state before each of them.
    tokenizer (Tokenizer): Splits a text into tokens.
    max_units (int): Maximum number of units to add.
    options (SearchOptions): The options of the search.
    seed (Optional[int]): Sample continuations with this seed; None searches for the best ones.
    RETURNS (List[str]): The continuation of each prompt.
    """
    shim: LanguageModelShim = shim_of(model)
    units = shim.features
    encoded, states = [], []
    for prompt in prompts:
        rest = _trailing_space(units, prompt)
        encoded.append(units.encode_text(prompt.removesuffix(rest), tokenizer))
        states.append(read(model, state, encoded[-1])._replace(rest=rest))
    uniforms = None if seed is None else _uniforms(prompts, seed, max_units)
    continued = _continue(shim, states, max_units, options, uniforms)
    return [
        units.decode_continuation(prompt, ids, new_ids)
        for prompt, ids, new_ids in zip(prompts, encoded, continued, strict=True)
    ]


def _trailing_space(units: Units, prompt: str) -> str:
    """The space at the end of a prompt that is read with what comes next: the space before a word
    is a part of the word's first piece."""
    ends_in_space = prompt.endswith(" ") and prompt.strip(" ")
    return " " if ends_in_space and isinstance(units, PieceUnits) else ""


def _uniforms(prompts: Sequence[str], seed: int, max_units: int) -> np.ndarray:
    """Random numbers for each prompt (B, 1, steps). They depend on the seed, the prompt and the
    number of equal prompts before it in the batch, not on the other prompts."""
    seen: Counter[str] = Counter()
    numbers = []
    for prompt in prompts:
        digest = hashlib.blake2b(prompt.encode(), digest_size=16).digest()
        rng = np.random.default_rng([seed, seen[prompt], int.from_bytes(digest, "big")])
        numbers.append(rng.random((1, max_units + 1)))
        seen[prompt] += 1
    return np.stack(numbers)


def _continue(
    shim: LanguageModelShim,
    states: Sequence[GenerationState],
    max_units: int,
    options: SearchOptions,
    uniforms: Optional[np.ndarray],
) -> List[np.ndarray]:
    """The units that follow each state."""
    units = shim.features
    strings, device = units.strings, shim.device
    first = None
    if any(state.rest for state in states):
        may_end = np.arange(len(strings)) == units.boundary_id
        begins = [[string.startswith(state.rest) for string in strings] for state in states]
        first = torch.from_numpy(may_end | np.array(begins)).to(device)
    recurrent = torch.cat([state.state for state in states], dim=2)
    max_length = torch.full((len(states),), max_units, device=device)
    with shim.inference() as module:
        hypotheses = nn.search.search(
            networks_of(module)[FORWARD],
            None,
            nn.decoder.DecoderState(recurrent, None),
            (torch.zeros_like(max_length), max_length),
            options,
            begin=torch.tensor([state.last for state in states], device=device),
            end=units.boundary_id,
            forbidden=[i for i, s in enumerate(strings) if not s and i != units.boundary_id],
            first=first,
            uniforms=to_tensor(uniforms, device),
        )
    return [best.pieces.numpy() for best, *_ in hypotheses]
