"""Texts continued by a language model: generation, and suggestions while someone types."""

import hashlib
import re
from collections import Counter
from functools import partial
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from thinc.api import Model
from torch import Tensor

from ..features.normalization import required_text
from ..features.streams import FORWARD
from ..features.units import Characters, PieceUnits, Tokenizer, Units, Words
from ..nn.decoder import State
from ..nn.language_model import LanguageModel, Searched
from ..nn.search import SearchOptions, search
from ..runtime.shim import TorchShim, shim_of
from ..validation import at_least
from .language_model import networks_of

#: units that are read at a time
CHUNK = 2048
#: the longest word that is suggested, in units, and how many ways to go on are followed for each
#: suggestion that is asked for
LONGEST, WIDTH = 25, 4


class Suggestion(NamedTuple):
    """A word that may come next, or that completes what was typed of it."""

    word: str
    probability: float


class Context(NamedTuple):
    """What was read: the state before the last unit (S, depth, 1, H), and that unit.

    rest: what stands after it and is not read yet; the next unit begins with it.
    """

    state: Tensor
    last: int
    rest: str = ""


def begin(model: Model, condition: Optional[np.ndarray]) -> Context:
    """Before a document, of which a vector (C,) may be known."""
    shim = shim_of(model)
    if FORWARD not in networks_of(shim):
        raise ValueError(
            'A language model of direction "backward" cannot continue a text. Train one with '
            '"forward" or "both".'
        )
    given = None if condition is None else torch.from_numpy(condition).to(shim.device)
    state = shim.predict(
        lambda modules: modules[FORWARD].start(1, None if given is None else given.unsqueeze(0))
    )
    return Context(state, shim.features.boundary)


def read(model: Model, context: Context, units: np.ndarray) -> Context:
    """Go on reading."""
    shim = shim_of(model)
    state, last, _ = context
    inputs = np.concatenate([[last], units])
    for start in range(0, len(units), CHUNK):
        some = torch.from_numpy(inputs[start : min(start + CHUNK, len(units))]).to(shim.device)
        state = shim.predict(partial(_read, units=some, state=state))
    return Context(state, int(inputs[-1]))


def _read(modules: Any, units: Tensor, state: Tensor) -> Tensor:
    module: LanguageModel = modules[FORWARD]
    return module.encoder.step(module.table(), torch.tensor([len(units)]), units, state)[1]


def generate(
    model: Model,
    prompts: Sequence[str],
    start: Context,
    tokenizer: Tokenizer,
    max_units: int,
    options: SearchOptions,
    seed: Optional[int],
) -> List[str]:
    """The continuation of each prompt, the best one or, with a seed, a drawn one.

    start: before each of them.
    """
    shim = shim_of(model)
    units: Units = shim.features
    before, contexts = [], []
    for prompt in prompts:
        rest = _rest(units, prompt)
        before.append(units.read(prompt.removesuffix(rest), tokenizer))
        contexts.append(read(model, start, before[-1])._replace(rest=rest))
    draws = None if seed is None else _draws(prompts, seed, max_units)
    found = _continue(shim, contexts, max_units, options, draws)
    return [
        units.write_after(prompt, ids, more)
        for prompt, ids, more in zip(prompts, before, found, strict=True)
    ]


def _rest(units: Units, prompt: str) -> str:
    """The end of a prompt that is read with what comes next: the blank before a word is a part of
    the word's first piece."""
    ends_in_blank = prompt.endswith(" ") and prompt.strip(" ")
    return " " if ends_in_blank and isinstance(units, PieceUnits) else ""


def _draws(prompts: Sequence[str], seed: int, max_units: int) -> np.ndarray:
    """Random numbers for each prompt (B, 1, steps): those of the seed, the prompt and how often it
    stands in the batch before, so that the other prompts change nothing."""
    seen: Counter[str] = Counter()
    drawn = []
    for prompt in prompts:
        digest = hashlib.blake2b(prompt.encode(), digest_size=16).digest()
        rng = np.random.default_rng([seed, seen[prompt], int.from_bytes(digest, "big")])
        drawn.append(rng.random((1, max_units + 1)))
        seen[prompt] += 1
    return np.stack(drawn)


def _continue(
    shim: TorchShim,
    contexts: Sequence[Context],
    max_units: int,
    options: SearchOptions,
    draws: Optional[np.ndarray],
) -> List[np.ndarray]:
    """The units that follow each context."""
    units: Units = shim.features
    surfaces = units.surfaces
    first = None
    if any(context.rest for context in contexts):
        may_end = np.arange(len(surfaces)) == units.boundary
        begins = [[s.startswith(context.rest) for s in surfaces] for context in contexts]
        first = torch.from_numpy(may_end | np.array(begins)).to(shim.device)
    state = torch.cat([context.state for context in contexts], dim=2)
    most = torch.full((len(contexts),), max_units, device=shim.device)
    found = shim.predict(
        lambda modules: search(
            Searched(modules[FORWARD], first),
            State(state, None),
            (torch.zeros_like(most), most),
            options,
            begin=torch.tensor([context.last for context in contexts], device=shim.device),
            end=units.boundary,
            never=[i for i, s in enumerate(surfaces) if not s and i != units.boundary],
            draws=None if draws is None else torch.from_numpy(draws).to(shim.device),
        )
    )
    return [hypotheses[0].pieces.numpy() for hypotheses in found]


class Session:
    """A text that someone is typing: what was read of it stays read, so that a keystroke costs the
    same after ten characters as after ten thousand.

    tokenizer: of the pipeline.
    """

    def __init__(self, model: Model, tokenizer: Tokenizer, condition: Optional[np.ndarray] = None):
        self.model = model
        self.tokenizer = tokenizer
        shim = shim_of(model)
        self._shim: TorchShim = shim
        self._units: Units = shim.features
        self._surfaces = np.array(self._units.surfaces, dtype=object)
        self._in_word = np.array([_is_word(s[:1]) for s in self._surfaces])
        self._is_blank = np.array([s == " " for s in self._surfaces])
        self._begins_word = np.array([_is_word(s[1:2]) and s[0] == " " for s in self._surfaces])
        self._parts: List[str] = []
        self._context = begin(model, condition)
        #: the end of the text, which is not read yet
        self._unread = ""
        #: of characters, which are read at once, the word that is being typed
        self._typed = ""
        self._has_read = False

    @property
    def text(self) -> str:
        """What was typed."""
        return "".join(self._parts)

    def type(self, text: str) -> None:
        """Go on with a character, or with more."""
        text = required_text(text, "The text that was typed")
        self._parts.append(text)
        self._unread += text
        finished = self._units.finished(self._unread)
        if finished:
            self._unread = self._unread[len(finished) :]
            ids = self._units.read(self._without_gap(finished), self.tokenizer)
            self._context = read(self.model, self._context, ids)
            self._has_read = True
        if isinstance(self._units, Characters):
            self._typed = _last_word(self._typed + text)

    def _without_gap(self, text: str) -> str:
        """A text that goes on with what was read, but for the blank between two words, which is
        read with them also where a text begins without one."""
        if not self._has_read or isinstance(self._units, Characters):
            return text
        return text.removeprefix(" ")

    def suggest(self, n: int = 5) -> List[Suggestion]:
        """The n most probable next words, or those that complete the one that is being typed, most
        probable first. Their probabilities are those among all that begin with what was typed."""
        at_least(1, n=n)
        return self._complete(*self._begun(), n)

    def _begun(self) -> Tuple[Context, str, str]:
        """What was read, and of the word that is being typed what was not read and what was."""
        if isinstance(self._units, Characters):
            return self._context, "", self._typed
        if not isinstance(self._units, Words):
            word = _last_word(self._unread)
            before = self._unread.removesuffix(word)
            # The piece that begins a word has the blank before it.
            if not before.strip(" "):
                return self._context, " " + word, ""
            ids = self._units.read(self._without_gap(before), self.tokenizer)
            return read(self.model, self._context, ids), word, ""
        # Tokens before the last one are finished, and so is one that does not go on as a word.
        doc = self.tokenizer(self._without_gap(self._unread))
        word = doc[-1].text if _is_word(self._unread[-1:]) else ""
        (ids,) = self._units.encode([doc])
        return read(self.model, self._context, ids[: len(ids) - bool(word)]), " " + word, ""

    def _complete(self, context: Context, wanted: str, typed: str, n: int) -> List[Suggestion]:
        """Words that begin with `typed`, which was read, and `wanted`, which was not: a beam search
        in which the probability of a word is that of its units and of a word's end."""
        n_ways = WIDTH * n
        texts, log_p = [""], np.zeros(1)
        state, last = context.state, np.array([context.last])
        finished: Dict[str, float] = {}
        # The probability of all texts that begin as wanted.
        covered = -np.inf if wanted else 0.0
        for _ in range(LONGEST):
            scores, state = self._step(state, last)
            ways: List[Tuple[float, int, int]] = []
            for k, (text, before, after) in enumerate(zip(texts, log_p, scores, strict=True)):
                rest, word = wanted[len(text) :], (typed + text).strip()
                if rest:
                    allowed = self._beginning_with(rest)
                    whole = [i for i in allowed if len(self._surfaces[i]) >= len(rest)]
                    covered = np.logaddexp(covered, before + _log_sum(after[whole]))
                elif word:
                    allowed = np.flatnonzero(self._in_word)
                    end = before + _log_sum(after[~self._in_word])
                    finished[word] = np.logaddexp(finished.get(word, -np.inf), end)
                else:
                    begins = self._in_word | self._is_blank
                    allowed = np.flatnonzero(begins if text else begins | self._begins_word)
                ways += [(before + after[i], k, int(i)) for i in _best(after, allowed, n_ways)]
            ways = sorted(ways, reverse=True)[:n_ways]
            enough = sorted(finished.values(), reverse=True)[n - 1 : n]
            # A word only loses probability.
            if not ways or (enough and enough[0] >= ways[0][0]):
                break
            log_p = np.array([p for p, _, _ in ways])
            texts = [texts[k] + self._surfaces[i] for _, k, i in ways]
            last = np.array([i for _, _, i in ways])
            rows = torch.tensor([k for _, k, _ in ways], device=state.device)
            state = state.index_select(2, rows)
        best = sorted(finished.items(), key=lambda item: -item[1])[:n]
        # Rounding may lift a sum of probabilities a little.
        return [Suggestion(word, float(np.exp(min(p - covered, 0.0)))) for word, p in best]

    def _beginning_with(self, rest: str) -> np.ndarray:
        """The units that begin with a text or are a beginning of it."""
        found = [
            i
            for i, surface in enumerate(self._surfaces)
            if surface and (surface.startswith(rest) or rest.startswith(surface))
        ]
        return np.array(found, dtype="int64")

    def _step(self, state: Tensor, last: np.ndarray) -> Tuple[np.ndarray, Tensor]:
        """Read a unit a row: the log-probabilities of those that may follow, float64 (K, V)."""
        units = torch.from_numpy(last).to(self._shim.device).unsqueeze(0)

        def run(modules: Any) -> Tuple[Tensor, State]:
            rows = state.expand(-1, -1, len(last), -1).contiguous()
            scores, _, after = Searched(modules[FORWARD]).step(units, State(rows, None))
            return scores[0].double().log_softmax(dim=1), after

        scores, after = self._shim.predict(run)
        return scores.cpu().numpy(), after.recurrent


def _last_word(text: str) -> str:
    """The word that a text ends in; empty if it ends in none."""
    return re.split(r"[^\w'’-]", text)[-1]


def _is_word(character: str) -> bool:
    """Whether a character goes on with a word."""
    return character.isalnum() or character in ("_", "'", "’", "-")


def _best(scores: np.ndarray, allowed: np.ndarray, n: int) -> np.ndarray:
    """Those of the allowed places that have the n highest scores."""
    if len(allowed) <= n:
        return allowed
    return allowed[np.argpartition(-scores[allowed], n)[:n]]


def _log_sum(log_p: np.ndarray) -> float:
    return float(np.logaddexp.reduce(log_p)) if len(log_p) else -np.inf
