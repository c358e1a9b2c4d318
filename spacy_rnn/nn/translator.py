"""Many to many at another length: an encoder-decoder network over pieces of words."""

from __future__ import annotations

from typing import NamedTuple, Optional

import torch
from torch import Tensor, nn

from .decoder import Decoder, Source, State
from .dropout import LockedDropout, one_pass
from .linear import Linear
from .losses import Scores, vocabulary_loss
from .rnn import Encoder, final_states
from .search import Hypothesis, SearchOptions, search


class Sources(NamedTuple):
    """A batch of sources.

    pieces: of all sources, one after the other, int64 (N,).
    lengths: pieces of each, int64 (B,) on the CPU; none may be empty.
    """

    pieces: Tensor
    lengths: Tensor


class Translator(nn.Module):
    """Read a source, write a target (Sutskever et al. 2014; Bahdanau et al. 2015).

    n_source, n_target: sizes of the vocabularies.
    encoder: reads `embedding_size` wide vectors of source pieces.
    decoder: as wide in its states as in its vectors where `tied`.
    joint: sources and targets have one vocabulary and one embedding.
    tied: the output layer's weights are the target's embedding (Press and Wolf 2017).
    """

    def __init__(
        self,
        n_source: int,
        n_target: int,
        embedding_size: int,
        encoder: Encoder,
        decoder: Decoder,
        *,
        joint: bool = False,
        tied: bool = True,
    ):
        super().__init__()
        if joint and n_source != n_target:
            raise ValueError(
                f"A joint embedding needs one vocabulary, not sizes {n_source} and {n_target}."
            )
        if tied and decoder.hidden_size != embedding_size:
            raise ValueError(
                f"'tied' needs a decoder as wide as the embedding: set the decoder's hidden_size "
                f"({decoder.hidden_size}) and embedding_size ({embedding_size}) to one number, or "
                f"tied to false."
            )
        self.encoder = encoder
        self.decoder = decoder
        self.source_embedding = _make_embedding(n_source, embedding_size)
        self.target_embedding = (
            self.source_embedding if joint else _make_embedding(n_target, embedding_size)
        )
        self.output = Linear(decoder.hidden_size, n_target)
        nn.init.zeros_(self.output.bias)
        if tied:
            self.output.weight = self.target_embedding.weight
        else:
            nn.init.xavier_uniform_(self.output.weight)
        self.dropout = LockedDropout()

    def encode(self, sources: Sources) -> tuple[Source, State]:
        """What the decoder needs of the sources, and where it starts."""
        pieces, lengths = sources
        # Each distinct piece is looked up once.
        distinct, tokens = pieces.unique(return_inverse=True)
        return self.read(self.source_embedding(distinct), lengths, tokens)

    def read(
        self, vectors: Tensor, lengths: Tensor, tokens: Optional[Tensor] = None
    ) -> tuple[Source, State]:
        """The same from what the encoder reads; see `Encoder.forward`."""
        states = self.encoder(vectors, lengths, tokens)
        mask = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)
        # Found on the host, which would otherwise wait for the device.
        places = mask.flatten().nonzero().squeeze(1).to(states.device)
        mask = mask.to(states.device)
        memory = states.new_zeros(mask.numel(), states.shape[1]).index_copy(0, places, states)
        memory = memory.view(*mask.shape, -1)
        summary = final_states(states, lengths, self.encoder.direction)
        return self.decoder.source(memory, mask), self.decoder.start(summary)

    def forward(
        self, sources: Sources, before: Tensor, places: Tensor, own: Optional[Tensor] = None
    ) -> Scores:
        """Scores of each piece that comes next in a target, of M places.

        before: pieces of the targets that the decoder reads, int64 (B, T), with the beginning and
            without the end, padded on the right by any piece.
        places: of `before`, flattened, those that are no padding, int64 (M,).
        own: bool (B, T), where the decoder reads its own best guess instead of the target
            (scheduled sampling, Bengio et al. 2015, section 2.4).
        """
        source, state = self.encode(sources)
        if own is None:
            states, _, _ = self.decoder(self._vectors(before), source, state)
        else:
            with one_pass(self):
                states = self._read_own(before, own, source, state)
        states = states.flatten(0, 1).index_select(0, places)
        return Scores(states, self.output.weight, self.output.bias)

    def foretell(self, vectors: Tensor, lengths: Tensor, before: Tensor) -> Tensor:
        """The log-probability of each piece that may come next in targets, (B, V).

        vectors: of the pieces of sources, (N, E). lengths: pieces of each, int64 (B,) on the CPU.
        before: pieces of the targets so far, int64 (B, T), with the beginning.
        """
        source, state = self.read(vectors, lengths)
        states, _, _ = self.decoder(self._vectors(before), source, state)
        return self.output(states[:, -1]).float().log_softmax(dim=1)

    def _vectors(self, pieces: Tensor) -> Tensor:
        """(B, T) -> (B, T, E)."""
        vectors = self.target_embedding(pieces)
        mask = self.dropout.mask(len(pieces), vectors.shape[2], vectors)
        return vectors if mask is None else vectors * mask.unsqueeze(1)

    def _read_own(self, before: Tensor, own: Tensor, source: Source, state: State) -> Tensor:
        """The decoder's states where it reads some of its own guesses, (B, T, H)."""
        pieces, outputs = before[:, :1], []
        for t in range(before.shape[1]):
            output, _, state = self.decoder(self._vectors(pieces), source, state)
            outputs.append(output)
            if t + 1 < before.shape[1]:
                with torch.no_grad():
                    guesses = self.output(output).argmax(dim=2)
                pieces = torch.where(own[:, t + 1 : t + 2], guesses, before[:, t + 1 : t + 2])
        return torch.cat(outputs, dim=1)

    def translate(
        self,
        sources: Sources,
        bounds: tuple[Tensor, Tensor],
        options: SearchOptions,
        *,
        begin: int,
        end: int,
        never: list[int],
        draws: Optional[Tensor] = None,
    ) -> list[list[Hypothesis]]:
        """The best targets of sources that are not empty; see `search`.

        bounds: the least and the most pieces of each target, int64 (B,).
        """
        encoded, state = self.encode(sources)
        return search(
            _Searched(self, encoded),
            state,
            bounds,
            options,
            begin=torch.full_like(bounds[0], begin),
            end=end,
            never=never,
            draws=draws,
        )


class _Searched:
    """A translator with encoded sources, as `search` reads it."""

    def __init__(self, translator: Translator, source: Source):
        self.translator = translator
        self.source = source

    def step(self, pieces: Tensor, state: State) -> tuple[Tensor, Optional[Tensor], State]:
        vectors = self.translator.target_embedding(pieces.flatten()).unsqueeze(1)
        states, attention, state = self.translator.decoder(vectors, self.source, state)
        scores = self.translator.output(states.squeeze(1)).view(*pieces.shape, -1)
        if attention is not None:
            attention = attention.reshape(*pieces.shape, -1)
        return scores, attention, state

    def keep(self, sources: Tensor) -> None:
        self.source = self.source.select(sources)


def translation_loss(
    scores: Scores, gold: dict[str, Tensor], label_smoothing: float = 0.0
) -> Tensor:
    """Cross-entropy summed over the pieces of targets and their ends, gold["pieces"] (M,)."""
    return vocabulary_loss(scores, gold["pieces"], label_smoothing)


def n_right(scores: Scores, pieces: Tensor) -> Tensor:
    """How many of the pieces (M,) have the best score of all."""
    return (scores.logits().argmax(dim=1) == pieces).sum()


def _make_embedding(n_pieces: int, size: int) -> nn.Embedding:
    embedding = nn.Embedding(n_pieces, size)
    # Of the size that suits an output layer with the same weights, too.
    nn.init.normal_(embedding.weight, std=size**-0.5)
    return embedding
