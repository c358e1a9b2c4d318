"""The encoder-decoder network of the translator, over pieces of words."""

from __future__ import annotations

from typing import NamedTuple, Optional

import torch
from torch import Tensor, nn

from .decoder import Decoder, DecoderState, EncodedSource
from .dropout import LockedDropout, shared_masks
from .linear import xavier_linear
from .losses import Scores, log_softmax, vocabulary_loss
from .rnn import Encoder, final_states


class SourceBatch(NamedTuple):
    """A batch of sources.

    pieces (Tensor): The pieces of all sources, concatenated, int64 (N,).
    lengths (Tensor): Pieces per source, int64 (B,) on the CPU; none may be empty.
    """

    pieces: Tensor
    lengths: Tensor


class Translator(nn.Module):
    """Encode a source, decode a target (Sutskever et al. 2014; Bahdanau et al. 2015).

    n_source, n_target (int): Sizes of the vocabularies.
    embedding_size (int): Width of the vectors of pieces.
    encoder (Encoder): Encodes the vectors of source pieces.
    decoder (Decoder): Decodes targets; with `tied` its states are as wide as the vectors of pieces.
    joint (bool): Sources and targets share one vocabulary and one embedding.
    tied (bool): The output layer shares the weights of the target's embedding (Press and Wolf
        2017).
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
                f"A joint embedding needs one vocabulary, but source and target have {n_source} "
                f"and {n_target} pieces. Set 'joint' to false."
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
        shared = self.target_embedding.weight if tied else None
        self.output = xavier_linear(decoder.hidden_size, n_target, shared)
        self.dropout = LockedDropout()

    def encode(self, sources: SourceBatch) -> tuple[EncodedSource, DecoderState]:
        """Encode sources.

        sources (SourceBatch): The sources.
        RETURNS (tuple): The encoded sources and the decoder's state before the first piece.
        """
        pieces, lengths = sources
        # Each distinct piece is looked up once.
        distinct, tokens = pieces.unique(return_inverse=True)
        return self.encode_vectors(self.source_embedding(distinct), lengths, tokens)

    def encode_vectors(
        self, vectors: Tensor, lengths: Tensor, tokens: Optional[Tensor] = None
    ) -> tuple[EncodedSource, DecoderState]:
        """The same as `encode`, from the vectors that the encoder reads; see `Encoder.forward`."""
        states = self.encoder(vectors, lengths, tokens)
        mask = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)
        # Found on the host, which would otherwise wait for the device.
        places = mask.flatten().nonzero().squeeze(1).to(states.device)
        mask = mask.to(states.device)
        memory = states.new_zeros(mask.numel(), states.shape[1]).index_copy(0, places, states)
        memory = memory.view(*mask.shape, -1)
        summary = final_states(states, lengths, self.encoder.direction)
        return self.decoder.prepare_source(memory, mask), self.decoder.initial_state(summary)

    def forward(
        self,
        sources: SourceBatch,
        decoder_input: Tensor,
        valid_positions: Tensor,
        use_prediction: Optional[Tensor] = None,
    ) -> Scores:
        """Score each piece that may come next, at M positions of targets.

        sources (SourceBatch): The sources.
        decoder_input (Tensor): The pieces of the targets that the decoder reads, int64 (B, T), with
            the beginning and without the end, padded on the right by any piece.
        valid_positions (Tensor): The positions of `decoder_input`, flattened, that are not padding,
            int64 (M,).
        use_prediction (Tensor): True where the decoder reads its own prediction instead of the
            target's piece (scheduled sampling, Bengio et al. 2015, section 2.4), bool (B, T).
        RETURNS (Scores): The scores at the valid positions.
        """
        source, state = self.encode(sources)
        if use_prediction is None:
            states, _, _ = self.decoder(self._target_vectors(decoder_input), source, state)
        else:
            with shared_masks(self):
                states = self._decode_predictions(decoder_input, use_prediction, source, state)
        states = states.flatten(0, 1).index_select(0, valid_positions)
        return Scores(states, self.output)

    def next_log_probs(self, vectors: Tensor, lengths: Tensor, decoder_input: Tensor) -> Tensor:
        """The log-probabilities of the piece that comes next in targets.

        vectors (Tensor): The vectors of the pieces of sources, (N, E).
        lengths (Tensor): Pieces per source, int64 (B,) on the CPU.
        decoder_input (Tensor): The pieces of the targets so far, int64 (B, T), with the beginning.
        RETURNS (Tensor): Of each piece of the vocabulary, (B, V).
        """
        source, state = self.encode_vectors(vectors, lengths)
        states, _, _ = self.decoder(self._target_vectors(decoder_input), source, state)
        return log_softmax(self.output(states[:, -1]))

    def step(
        self, pieces: Tensor, source: EncodedSource, state: DecoderState
    ) -> tuple[Tensor, Optional[Tensor], DecoderState]:
        """Read one piece per hypothesis of each source; see `StepwiseModel.step`."""
        vectors = self.target_embedding(pieces.flatten()).unsqueeze(1)
        states, attention, state = self.decoder(vectors, source, state)
        scores = self.output(states.squeeze(1)).view(*pieces.shape, -1)
        if attention is not None:
            attention = attention.reshape(*pieces.shape, -1)
        return scores, attention, state

    def _target_vectors(self, pieces: Tensor) -> Tensor:
        """(B, T) -> (B, T, E)."""
        vectors = self.target_embedding(pieces)
        mask = self.dropout.mask(len(pieces), vectors.shape[2], vectors)
        return vectors if mask is None else vectors * mask.unsqueeze(1)

    def _decode_predictions(
        self,
        decoder_input: Tensor,
        use_prediction: Tensor,
        source: EncodedSource,
        state: DecoderState,
    ) -> Tensor:
        """The decoder's states where it reads some of its own predictions, (B, T, H)."""
        pieces = decoder_input[:, :1]
        outputs: list[Tensor] = []
        for t in range(decoder_input.shape[1]):
            if t:
                with torch.no_grad():
                    predicted = self.output(outputs[-1]).argmax(dim=2)
                given, use = decoder_input[:, t : t + 1], use_prediction[:, t : t + 1]
                pieces = torch.where(use, predicted, given)
            output, _, state = self.decoder(self._target_vectors(pieces), source, state)
            outputs.append(output)
        return torch.cat(outputs, dim=1)


def translation_loss(
    scores: Scores, targets: dict[str, Tensor], label_smoothing: float = 0.0
) -> Tensor:
    """The cross-entropy, summed over the pieces of targets and their ends, targets["pieces"]
    (M,)."""
    states, layer = scores
    return vocabulary_loss(states, layer.weight, layer.bias, targets["pieces"], label_smoothing)


def n_correct(scores: Scores, pieces: Tensor) -> Tensor:
    """The number of the pieces (M,) that have the highest score of all."""
    return (scores.logits().argmax(dim=1) == pieces).sum()


def _make_embedding(n_pieces: int, size: int) -> nn.Embedding:
    embedding = nn.Embedding(n_pieces, size)
    # A size that also suits an output layer with the same weights.
    nn.init.normal_(embedding.weight, std=size**-0.5)
    return embedding
