"""Settings of the search for the best sequence of pieces."""

from dataclasses import dataclass, replace
from typing import Iterator, Optional, Sequence, Tuple

import numpy as np
import torch

from ..nn import search as nn_search
from ..validation import above_zero, at_least, number_at_least

#: how often a beam that finds too few different texts is made twice as wide
N_WIDENED = 3


@dataclass(frozen=True)
class Search:
    """spacy_rnn.Search.v1: how translations are searched (see `spacy_rnn.nn.search`).

    beam: hypotheses kept a text; 1 is greedy.
    length_penalty, coverage_penalty: alpha and beta of Wu et al. 2016, section 7; 0 for none.
    min_ratio, max_ratio: the least and the most pieces of a translation for each piece of its
        source; ten more are allowed.
    block_ngrams: no n-gram of pieces of this size twice; 0 allows all.
    replace_unknown: write the piece of the source that got most attention where the translation
        has an unknown one.
    sample: draw translations, as many as `beam` says, and take the best, instead of searching.
    temperature, top_k, top_p: of samples: flattens the distribution; draws among the k most
        probable pieces, 0 for all; among the most probable ones that make up p.
    seed: of samples. With the same one a text gets the same translation, whatever its batch.
    """

    beam: int = 5
    length_penalty: float = 0.6
    coverage_penalty: float = 0.0
    min_ratio: float = 0.0
    max_ratio: float = 2.0
    block_ngrams: int = 0
    replace_unknown: bool = False
    sample: bool = False
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(1, beam=self.beam)
        at_least(0, block_ngrams=self.block_ngrams, top_k=self.top_k, seed=self.seed)
        number_at_least(
            0,
            length_penalty=self.length_penalty,
            coverage_penalty=self.coverage_penalty,
            min_ratio=self.min_ratio,
            max_ratio=self.max_ratio,
        )
        above_zero(temperature=self.temperature, top_p=self.top_p)
        if self.top_p > 1:
            raise ValueError(f"'top_p' is a probability of at most 1, got {self.top_p}.")

    def options(self, n_best: int, attention: bool = False) -> nn_search.SearchOptions:
        """For so many results of each source.

        attention: whether they have their attention.
        """
        beam = max(self.beam, n_best)
        return nn_search.SearchOptions(
            beam=beam,
            # Some may be the same text, in other pieces.
            n_best=beam,
            certain=1 if n_best == 1 else None,
            attention=attention or self.replace_unknown,
            length_penalty=self.length_penalty,
            coverage_penalty=self.coverage_penalty,
            block_ngrams=self.block_ngrams,
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
        )

    def tries(self, n_best: int, attention: bool) -> Iterator[nn_search.SearchOptions]:
        """`options`, and wider and wider beams for sources of which those find too few texts. There
        are as many samples as the settings say."""
        options = self.options(n_best, attention)
        yield options
        for _ in range(0 if self.sample else N_WIDENED):
            beam = 2 * options.beam
            options = replace(options, beam=beam, n_best=beam)
            yield options

    def draws(
        self, pieces: Sequence[np.ndarray], options: nn_search.SearchOptions, most: torch.Tensor
    ) -> Optional[torch.Tensor]:
        """What the samples of sources are drawn by (see `search`), None without."""
        if not self.sample:
            return None
        shape = (options.beam, int(most.max()) + 1)
        drawn = [np.random.default_rng([self.seed, *ids]).random(shape[::-1]).T for ids in pieces]
        return torch.from_numpy(np.stack(drawn)).to(most.device)

    def bounds(self, lengths: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        """The least and the most pieces of translations of sources of these lengths."""
        return (self.min_ratio * lengths).long(), (self.max_ratio * lengths).long() + 10
