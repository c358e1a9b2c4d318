"""Settings of the search for translations."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Iterator, Optional, Sequence, Tuple

import numpy as np

from .. import nn
from ..optional import torch
from ..validation import above_zero, at_least, number_at_least

if TYPE_CHECKING:
    from torch import Tensor

    from ..nn.search import SearchOptions

#: how often a beam that finds too few different texts is doubled
N_WIDENED = 3


@dataclass(frozen=True)
class Search:
    """spacy_rnn.Search.v1: the search for translations (see `spacy_rnn.nn.search`).

    beam (int): Hypotheses kept per text; 1 is greedy.
    length_penalty, coverage_penalty (float): Alpha and beta of Wu et al. 2016, section 7; 0 for
        none.
    min_ratio, max_ratio (float): The minimum and the maximum number of pieces of a translation per
        piece of its source; ten more are allowed.
    no_repeat_ngram_size (int): No n-gram of pieces of this size occurs twice; 0 allows all.
    replace_unknown (bool): Replace an unknown piece of the translation by the piece of the source
        with the most attention.
    sample (bool): Sample as many translations as `beam` says and take the best, instead of
        searching.
    temperature (float): Of sampling; below 1 it sharpens the distribution, above 1 it flattens it.
    top_k (int): Sample from the k most probable pieces; 0 for all.
    top_p (float): Sample from the most probable pieces that make up the probability p.
    seed (int): Of sampling. With the same one a text gets the same translation in any batch.
    """

    beam: int = 5
    length_penalty: float = 0.6
    coverage_penalty: float = 0.0
    min_ratio: float = 0.0
    max_ratio: float = 2.0
    no_repeat_ngram_size: int = 0
    replace_unknown: bool = False
    sample: bool = False
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(1, beam=self.beam)
        at_least(
            0, no_repeat_ngram_size=self.no_repeat_ngram_size, top_k=self.top_k, seed=self.seed
        )
        number_at_least(
            0,
            length_penalty=self.length_penalty,
            coverage_penalty=self.coverage_penalty,
            min_ratio=self.min_ratio,
        )
        above_zero(temperature=self.temperature)
        above_zero(1, top_p=self.top_p)
        above_zero(100, max_ratio=self.max_ratio)
        if self.min_ratio > self.max_ratio:
            raise ValueError(
                f"'min_ratio' must be at most 'max_ratio', got {self.min_ratio} and "
                f"{self.max_ratio}."
            )

    def options(self, n_best: int, attention: bool = False) -> "SearchOptions":
        """The options of a search.

        n_best (int): The number of results per source.
        attention (bool): Keep their attention.
        RETURNS (SearchOptions): The options.
        """
        beam = max(self.beam, n_best)
        return nn.search.SearchOptions(
            beam=beam,
            # Several may be the same text in different pieces.
            n_best=beam,
            n_exact=1 if n_best == 1 else None,
            attention=attention or self.replace_unknown,
            length_penalty=self.length_penalty,
            coverage_penalty=self.coverage_penalty,
            no_repeat_ngram_size=self.no_repeat_ngram_size,
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
        )

    def attempts(self, n_best: int, attention: bool) -> "Iterator[SearchOptions]":
        """The options of a search and of the searches that follow for sources for which it finds
        too few texts, with wider and wider beams. Sampling has only one.

        n_best, attention: See `options`.
        YIELDS (SearchOptions): The options of the next search.
        """
        options = self.options(n_best, attention)
        yield options
        for _ in range(0 if self.sample else N_WIDENED):
            beam = 2 * options.beam
            options = replace(options, beam=beam, n_best=beam)
            yield options

    def uniforms(
        self, pieces: Sequence[np.ndarray], options: "SearchOptions", max_length: "Tensor"
    ) -> "Optional[Tensor]":
        """The random numbers by which targets are sampled; see `spacy_rnn.nn.search.search`.

        pieces (Sequence[np.ndarray]): The pieces of each source.
        options (SearchOptions): The options of the search.
        max_length (Tensor): The maximum number of pieces of each target (B,).
        RETURNS (Optional[Tensor]): The numbers (B, beam, steps); None without sampling.
        """
        if not self.sample:
            return None
        shape = (int(max_length.max()) + 1, options.beam)
        numbers = [np.random.default_rng([self.seed, *ids]).random(shape).T for ids in pieces]
        return torch.from_numpy(np.stack(numbers)).to(max_length.device)

    def length_bounds(self, lengths: "Tensor") -> "Tuple[Tensor, Tensor]":
        """The minimum and the maximum number of pieces of translations, for sources of these
        lengths (B,)."""
        return (self.min_ratio * lengths).long(), (self.max_ratio * lengths).long() + 10
