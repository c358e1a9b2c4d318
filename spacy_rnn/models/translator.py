"""The translator's architecture."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Dict, Iterator, List, Literal, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import Model

from ..features.pairs import PairFeatures
from ..features.pieces import Pieces
from ..nn import decoder as nn_decoder
from ..nn import search as nn_search
from ..nn import translator as nn_translator
from ..training.shim import TorchShim
from .batching import Limits, batches_of, lengths_of
from .checks import at_least, rate
from .encoder import RNNEncoder
from .network import Architecture, Gold, Precision, make_model


@dataclass(frozen=True)
class SentencePieces:
    """spacy_rnn.SentencePieces.v1: a vocabulary of pieces of words, trained on the training texts
    or loaded (see `spacy_rnn.features.pieces.Pieces`).

    vocab_size, kind, character_coverage, byte_fallback: of a model that is trained.
    alpha: draw the pieces of training texts at random, by this parameter of `Pieces.sample`, so
        that a word is seen in several ways (Kudo 2018); null takes the best.
    path: a SentencePiece model to load at initialization instead; it is saved with the component.
    """

    vocab_size: int = 8000
    kind: Literal["unigram", "bpe", "char"] = "unigram"
    character_coverage: float = 1.0
    byte_fallback: bool = False
    alpha: Optional[float] = None
    path: Optional[Path] = None

    def __post_init__(self) -> None:
        at_least(0, alpha=self.alpha or 0.0)

    def features(self) -> Pieces:
        return Pieces(self.vocab_size, self.kind, self.character_coverage, self.byte_fallback)

    def initialize(self, pieces: Pieces, texts: Sequence[str]) -> None:
        if self.path is None:
            pieces.train(texts)
        else:
            pieces.load(self.path)

    def encode(self, pieces: Pieces, texts: Sequence[str]) -> List[np.ndarray]:
        """The pieces of training texts."""
        if self.alpha is None:
            return pieces.encode(texts)
        # spaCy seeds numpy's generator.
        return pieces.sample(texts, self.alpha, np.random.randint(1 << 31))


@dataclass(frozen=True)
class RNNDecoder:
    """spacy_rnn.RNNDecoder.v1: a recurrent decoder (see `spacy_rnn.nn.decoder.Decoder`).

    cell: "lstm", "gru" or "rnn_tanh", "rnn_relu".
    hidden_size: width of its states.
    depth: number of layers.
    attention: "general", "dot" (Luong), "bahdanau", or null for the fixed-vector model.
    input_feeding: each step reads what attention made of the one before.
    recurrent_dropout, residual, layer_norm: see `spacy_rnn.RNNEncoder.v1`.
    """

    cell: Literal["rnn_tanh", "rnn_relu", "gru", "lstm"] = "lstm"
    hidden_size: int = 256
    depth: int = 1
    attention: Optional[Literal["bahdanau", "dot", "general"]] = "general"
    input_feeding: bool = False
    recurrent_dropout: float = 0.0
    residual: bool = False
    layer_norm: bool = False

    def __post_init__(self) -> None:
        at_least(1, hidden_size=self.hidden_size, depth=self.depth)
        rate(recurrent_dropout=self.recurrent_dropout)

    def module(self, embedding_size: int, memory_size: int) -> nn_decoder.Decoder:
        return nn_decoder.Decoder(
            embedding_size,
            memory_size,
            attention=self.attention,
            input_feeding=self.input_feeding,
            cell=self.cell,
            hidden_size=self.hidden_size,
            depth=self.depth,
            recurrent_dropout=self.recurrent_dropout,
            residual=self.residual,
            layer_norm=self.layer_norm,
        )


class Translation(NamedTuple):
    """A translation of a text.

    text: with its own spelling and spacing.
    score: what it is ranked by among others; log_probability: without penalties.
    attention: float32 (target pieces, source pieces), None where the network has none.
    """

    text: str
    score: float
    log_probability: float
    attention: Optional[np.ndarray]


@dataclass(frozen=True)
class Search:
    """spacy_rnn.Search.v1: how translations are searched (see `spacy_rnn.nn.search`).

    beam: hypotheses kept a text; 1 is greedy.
    length_penalty, coverage_penalty: alpha and beta of Wu et al. 2016, section 7; 0 for none.
    min_ratio, max_ratio: the least and the most pieces of a translation for each piece of its
        source; ten more are allowed.
    block_ngrams: no n-gram of pieces of this size twice; 0 allows all.
    """

    beam: int = 5
    length_penalty: float = 0.6
    coverage_penalty: float = 0.0
    min_ratio: float = 0.0
    max_ratio: float = 2.0
    block_ngrams: int = 0

    def __post_init__(self) -> None:
        at_least(1, beam=self.beam)
        at_least(
            0,
            length_penalty=self.length_penalty,
            coverage_penalty=self.coverage_penalty,
            min_ratio=self.min_ratio,
            max_ratio=self.max_ratio,
            block_ngrams=self.block_ngrams,
        )

    def options(self, n_best: int) -> nn_search.SearchOptions:
        return nn_search.SearchOptions(
            beam=max(self.beam, n_best),
            n_best=n_best,
            length_penalty=self.length_penalty,
            coverage_penalty=self.coverage_penalty,
            block_ngrams=self.block_ngrams,
        )

    def bounds(self, lengths: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        """The least and the most pieces of translations of sources of these lengths."""
        return (self.min_ratio * lengths).long(), (self.max_ratio * lengths).long() + 10


@dataclass(frozen=True)
class TranslatorArchitecture(Architecture):
    """The parts of a translator."""

    embedding_size: int
    source_pieces: SentencePieces
    target_pieces: Optional[SentencePieces]
    encoder: RNNEncoder
    decoder: RNNDecoder
    tied: bool

    def features(self) -> PairFeatures:
        target = None if self.target_pieces is None else self.target_pieces.features()
        return PairFeatures(self.source_pieces.features(), target)

    def initialize(self, shim: TorchShim, X: Sequence[str], Y: Sequence[str]) -> None:
        """X: the texts. Y: their translations."""
        features = shim.features
        if self.target_pieces is None:
            self.source_pieces.initialize(features.source, [*X, *Y])
        else:
            self.source_pieces.initialize(features.source, X)
            self.target_pieces.initialize(features.target, Y)
        shim.build({"source": len(features.source), "target": len(features.target)})

    def module(
        self,
        features: PairFeatures,
        outputs: Dict[str, int],
        vectors: Optional[np.ndarray] = None,
    ) -> nn_translator.Translator:
        encoder = self.encoder.module(self.embedding_size)
        return nn_translator.Translator(
            outputs["source"],
            outputs["target"],
            self.embedding_size,
            encoder,
            self.decoder.module(self.embedding_size, encoder.output_size),
            joint=features.joint,
            tied=self.tied,
        )

    def batch(self, shim: TorchShim, docs: Sequence[Doc]) -> nn_translator.Sources:
        # The white space around a text is not translated.
        texts = [doc.text.strip() for doc in docs]
        return _collate(shim, self.source_pieces.encode(shim.features.source, texts))

    def targets(self, shim: TorchShim, texts: Sequence[str]) -> List[np.ndarray]:
        """The pieces of translations in training."""
        config = self.source_pieces if self.target_pieces is None else self.target_pieces
        return config.encode(shim.features.target, texts)

    def predict(
        self,
        shim: TorchShim,
        docs: Sequence[str],
        limits: Limits,
        search: Search = Search(),  # noqa: B008
        n_best: int = 1,
    ) -> List[List[Translation]]:
        """The best translations of each text."""
        features: PairFeatures = shim.features
        pieces = features.source.encode(docs)
        results: List[List[Translation]] = [[] for _ in docs]
        lengths = lengths_of(pieces)
        not_empty = np.flatnonzero(lengths)
        for batch in batches_of(lengths[not_empty], limits.batch_tokens):
            places = not_empty[batch].tolist()
            found = self._search(shim, [pieces[i] for i in places], search, n_best)
            for place, hypotheses in zip(places, found, strict=True):
                results[place] = list(_translations(features, lengths[place], hypotheses))
        return results

    def _search(
        self, shim: TorchShim, pieces: List[np.ndarray], search: Search, n_best: int
    ) -> List[List[nn_search.Hypothesis]]:
        target = shim.features.target
        sources = _collate(shim, pieces)
        bounds = search.bounds(sources.lengths.to(shim.device))
        return shim.predict(
            lambda module: module.translate(
                sources,
                bounds,
                search.options(n_best),
                begin=target.bos,
                end=target.eos,
                never=[target.pad, target.bos],
            )
        )


def _collate(shim: TorchShim, pieces: Sequence[np.ndarray]) -> nn_translator.Sources:
    """Pieces of sources as tensors."""
    together = torch.from_numpy(np.concatenate(pieces)).to(shim.device)
    return nn_translator.Sources(together, torch.from_numpy(lengths_of(pieces)))


def _translations(
    features: PairFeatures, length: int, hypotheses: Sequence[nn_search.Hypothesis]
) -> Iterator[Translation]:
    texts = features.target.decode([h.pieces.tolist() for h in hypotheses])
    for text, h in zip(texts, hypotheses, strict=True):
        attention = None if h.attention is None else h.attention[:, :length].numpy()
        yield Translation(text.strip(" "), h.score, h.log_probability, attention)


def make_translator_model(
    source_pieces: SentencePieces,
    target_pieces: Optional[SentencePieces],
    encoder: RNNEncoder,
    decoder: RNNDecoder,
    embedding_size: int = 256,
    tied: bool = True,
    mixed_precision: Precision = "none",
    batch_tokens: int = 4096,
) -> Model:
    """spacy_rnn.Translator.v1: an encoder-decoder network that translates texts.

    source_pieces: spacy_rnn.SentencePieces.v1, of the texts.
    target_pieces: of the translations; null for one vocabulary and embedding of both.
    encoder: spacy_rnn.RNNEncoder.v1.
    decoder: spacy_rnn.RNNDecoder.v1.
    embedding_size: width of the vectors of pieces.
    tied: the output layer has the weights of the target's embedding, which must then be as wide as
        the decoder's states.
    mixed_precision: train and predict in half precision on a GPU; quietly off on a CPU.
    batch_tokens: pieces in a batch of sources in prediction, padding counted. Bounds memory;
        results do not depend on it.
    """
    architecture = TranslatorArchitecture(
        embedding_size, source_pieces, target_pieces, encoder, decoder, tied
    )
    return make_model("rnn_translator", architecture, mixed_precision, batch_tokens, 1, 0)


def predict_translations(
    model: Model, texts: Sequence[str], search: Search, n_best: int
) -> List[List[Translation]]:
    """The best translations of each text, best first; none of a text without pieces."""
    shim: Any = model.shims[0]
    return shim.network.predict(shim, texts, model.attrs["limits"], search, n_best)


def translation_gold(model: Model, texts: Sequence[str], label_smoothing: float) -> Gold:
    """Translations as the network reads and predicts them."""
    shim: Any = model.shims[0]
    pieces = shim.network.targets(shim, texts)
    inputs, after = shim.features.teacher_forcing(pieces)
    loss = partial(nn_translator.translation_loss, label_smoothing=label_smoothing)
    return Gold({"pieces": after}, len(after), loss, inputs)
