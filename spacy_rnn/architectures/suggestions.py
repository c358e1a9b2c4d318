"""Suggestions by a language model for a text that is being typed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional, Tuple

import numpy as np
from thinc.api import Model

from .. import nn
from ..features.normalization import required_text
from ..features.streams import FORWARD
from ..features.units import Characters, Tokenizer, Words
from ..optional import torch
from ..runtime.shim import shim_of
from ..validation import at_least
from .generation import GenerationState, initial_state, read
from .language_model import InT, LanguageModelShim, OutT, networks_of

if TYPE_CHECKING:
    from torch import Tensor

#: maximum length of a suggested word, in units
MAX_UNITS = 25
#: hypotheses of the search for each suggestion
BEAM_FACTOR = 4


class Suggestion(NamedTuple):
    """A word that may come next, or that completes the word that is being typed.

    word (str): The word.
    probability (float): Its probability.
    """

    word: str
    probability: float


class Session:
    """A text that is being typed. What was read of it is not read again, so that a keystroke has
    the same cost after ten characters as after ten thousand.

    model (Model): The language model.
    tokenizer (Tokenizer): The tokenizer of the pipeline.
    condition (Optional[np.ndarray]): The vector of the document (C,), if it has one.
    """

    def __init__(
        self,
        model: Model[InT, OutT],
        tokenizer: Tokenizer,
        condition: Optional[np.ndarray] = None,
    ):
        self.model = model
        self.tokenizer = tokenizer
        self._shim: LanguageModelShim = shim_of(model)
        self._units = self._shim.features
        self._strings = np.array(self._units.strings, dtype=object)
        self._in_word = np.array([_is_word(s[:1]) for s in self._strings])
        self._is_space = np.array([s == " " for s in self._strings])
        self._begins_word = np.array([_is_word(s[1:2]) and s[0] == " " for s in self._strings])
        self._parts: List[str] = []
        self._state = initial_state(model, condition)
        #: the end of the text, which is not read yet
        self._unread = ""
        #: for characters, which are read at once, the word that is being typed
        self._typed = ""
        self._has_read = False

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._parts)

    def type(self, text: str) -> None:
        """Add text.

        text (str): One character or more.
        """
        text = required_text(text, "The text that was typed")
        self._parts.append(text)
        self._unread += text
        stable = self._units.stable_prefix(self._unread)
        if stable:
            self._unread = self._unread[len(stable) :]
            ids = self._units.encode_text(self._without_gap(stable), self.tokenizer)
            self._state = read(self.model, self._state, ids)
            self._has_read = True
        if isinstance(self._units, Characters):
            self._typed = _last_word(self._typed + text)

    def _without_gap(self, text: str) -> str:
        """A text that continues what was read, without the space between two words: units other
        than characters add it, also at the beginning of a text."""
        if not self._has_read or isinstance(self._units, Characters):
            return text
        return text.removeprefix(" ")

    def suggest(self, n: int = 5) -> List[Suggestion]:
        """Suggest next words, or words that complete the one that is being typed.

        n (int): The number of words.
        RETURNS (List[Suggestion]): The most probable words, most probable first. Their
            probabilities are those among all words that begin with what was typed.
        """
        at_least(1, n=n)
        return self._complete(*self._current_word(), n)

    def _current_word(self) -> Tuple[GenerationState, str, str]:
        """The state from which the word that is being typed is completed, and the parts of the word
        that were not read and that were."""
        if isinstance(self._units, Characters):
            return self._state, "", self._typed
        if not isinstance(self._units, Words):
            word = _last_word(self._unread)
            before = self._unread.removesuffix(word)
            # The piece that begins a word begins with a space.
            if not before.strip(" "):
                return self._state, " " + word, ""
            ids = self._units.encode_text(self._without_gap(before), self.tokenizer)
            return read(self.model, self._state, ids), word, ""
        # Tokens before the last one are complete, and so is one that cannot continue as a word.
        doc = self.tokenizer(self._without_gap(self._unread))
        word = doc[-1].text if _is_word(self._unread[-1:]) else ""
        (ids,) = self._units.encode([doc])
        return read(self.model, self._state, ids[: len(ids) - bool(word)]), " " + word, ""

    def _complete(
        self, start: GenerationState, unread: str, typed: str, n: int
    ) -> List[Suggestion]:
        """Words that begin with `typed`, which was read, and `unread`, which was not: a beam search
        in which the probability of a word is that of its units and of the end of a word."""
        beam = BEAM_FACTOR * n
        texts, log_p = [""], np.zeros(1)
        state, last = start.state, np.array([start.last])
        finished: Dict[str, float] = {}
        # The probability of all texts that begin with `unread`.
        covered = -np.inf if unread else 0.0
        for _ in range(MAX_UNITS):
            scores, state = self._step(state, last)
            candidates: List[Tuple[float, int, int]] = []
            for k, (text, before, after) in enumerate(zip(texts, log_p, scores, strict=True)):
                rest, word = unread[len(text) :], (typed + text).strip()
                if rest:
                    allowed = self._beginning_with(rest)
                    whole = [i for i in allowed if len(self._strings[i]) >= len(rest)]
                    covered = np.logaddexp(covered, before + _log_sum(after[whole]))
                elif word:
                    allowed = np.flatnonzero(self._in_word)
                    end = before + _log_sum(after[~self._in_word])
                    finished[word] = np.logaddexp(finished.get(word, -np.inf), end)
                else:
                    begins = self._in_word | self._is_space
                    allowed = np.flatnonzero(begins if text else begins | self._begins_word)
                candidates += [(before + after[i], k, int(i)) for i in _best(after, allowed, beam)]
            candidates = sorted(candidates, reverse=True)[:beam]
            enough = sorted(finished.values(), reverse=True)[n - 1 : n]
            # A word only loses probability.
            if not candidates or (enough and enough[0] >= candidates[0][0]):
                break
            log_p = np.array([p for p, _, _ in candidates])
            texts = [texts[k] + self._strings[i] for _, k, i in candidates]
            last = np.array([i for _, _, i in candidates])
            rows = torch.tensor([k for _, k, _ in candidates], device=state.device)
            state = state.index_select(2, rows)
        best = sorted(finished.items(), key=lambda item: -item[1])[:n]
        # Rounding may raise a sum of probabilities a little.
        return [Suggestion(word, float(np.exp(min(p - covered, 0.0)))) for word, p in best]

    def _beginning_with(self, rest: str) -> np.ndarray:
        """The units that begin with a text or are a beginning of it."""
        found = [
            i
            for i, string in enumerate(self._strings)
            if string and (string.startswith(rest) or rest.startswith(string))
        ]
        return np.array(found, dtype="int64")

    def _step(self, state: Tensor, last: np.ndarray) -> Tuple[np.ndarray, Tensor]:
        """Read one unit per row: the log-probabilities of those that may follow, float64 (K, V),
        and the state after it."""
        units = torch.from_numpy(last).to(self._shim.device).unsqueeze(0)
        with self._shim.inference() as module:
            rows = state.expand(-1, -1, len(last), -1).contiguous()
            network = networks_of(module)[FORWARD]
            scores, _, after = network.step(units, None, nn.decoder.DecoderState(rows, None))
            log_p = scores[0].double().log_softmax(dim=1)
        return log_p.cpu().numpy(), after.recurrent


def _last_word(text: str) -> str:
    """The word at the end of a text; empty if it does not end in one."""
    return re.split(r"[^\w'’-]", text)[-1]


def _is_word(character: str) -> bool:
    """Return True if a character can be part of a word."""
    return character.isalnum() or character in ("_", "'", "’", "-")


def _best(scores: np.ndarray, allowed: np.ndarray, n: int) -> np.ndarray:
    """Return the n of the allowed indices with the highest scores."""
    if len(allowed) <= n:
        return allowed
    best: np.ndarray = allowed[np.argpartition(-scores[allowed], n)[:n]]
    return best


def _log_sum(log_p: np.ndarray) -> float:
    return float(np.logaddexp.reduce(log_p)) if len(log_p) else -np.inf
