"""The translator's architecture."""

import math
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Literal,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

import numpy as np
import torch
from thinc.api import Model
from torch import Tensor
from tqdm import tqdm

from ..config.encoder import RNNEncoder, settings_of
from ..config.pieces import SentencePieces
from ..config.search import Search
from ..features.translation import PairFeatures
from ..nn import decoder as nn_decoder
from ..nn import search as nn_search
from ..nn import translator as nn_translator
from ..nn.rnn import Encoder
from ..runtime.attribution import EncoderInput, Question
from ..runtime.batching import Limits, batches_of, lengths_of
from ..runtime.model import Architecture, Gold, Precision, make_model
from ..runtime.shim import TorchShim, shim_of
from ..runtime.tok2vec import Texts
from ..validation import at_least, rate
from .translation import Translation, translations_of


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


@dataclass(frozen=True)
class TranslatorArchitecture(Architecture):
    """The parts of a translator."""

    embedding_size: int
    source_pieces: SentencePieces
    target_pieces: Optional[SentencePieces]
    encoder: RNNEncoder
    decoder: RNNDecoder
    tied: bool
    nfc: bool

    def features(self) -> PairFeatures:
        target = None if self.target_pieces is None else self.target_pieces.features()
        return PairFeatures(self.source_pieces.features(), target, self.nfc)

    def initialize(self, shim: TorchShim, X: Sequence[str], Y: Sequence[str]) -> None:
        """X: the texts. Y: their translations."""
        features = shim.features
        sources = features.normalize(X)
        if self.target_pieces is None:
            self.source_pieces.initialize(features.source, [*sources, *Y])
        else:
            self.source_pieces.initialize(features.source, sources)
            self.target_pieces.initialize(features.target, Y)
        shim.build({"source": len(features.source), "target": len(features.target)})

    def module(self, features: PairFeatures, outputs: Dict[str, int]) -> nn_translator.Translator:
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

    def batch(self, shim: TorchShim, texts: Texts) -> nn_translator.Sources:
        sources = shim.features.normalize([doc.text for doc in texts.docs])
        return _collate(shim, self.source_pieces.encode(shim.features.source, sources))

    def targets(self, shim: TorchShim, texts: Sequence[str]) -> List[np.ndarray]:
        """The pieces of translations in training."""
        config = self.source_pieces if self.target_pieces is None else self.target_pieces
        return config.encode(shim.features.target, texts)

    def predict(self, shim: TorchShim, texts: Texts, limits: Limits) -> List[List[Translation]]:
        """The best translation of each doc, read as one sentence, in a list; none of a doc without
        a piece."""
        return self.translate(shim, [doc.text for doc in texts.docs], limits)

    def translate(
        self,
        shim: TorchShim,
        docs: Sequence[str],
        limits: Limits,
        search: Search = Search(),  # noqa: B008
        n_best: int = 1,
        attention: bool = False,
        progress_bar: bool = False,
    ) -> List[List[Translation]]:
        """The best translations of each text."""
        sources = shim.features.normalize(docs)
        pieces = shim.features.source.encode(sources)
        results: List[List[Translation]] = [[] for _ in docs]
        left = np.flatnonzero(lengths_of(pieces))
        with _progress(len(docs), progress_bar) as advance:
            advance(len(docs) - len(left))
            for options in search.tries(n_best, attention):
                again = []
                for i, hypotheses in self._search(shim, pieces, left, limits, search, options):
                    # A text counts once, at its first try.
                    advance(not results[i])
                    results[i] = translations_of(
                        shim.features, sources[i], len(pieces[i]), hypotheses, search, n_best
                    )
                    if len(results[i]) < n_best and len(hypotheses) == options.beam:
                        again.append(i)
                left = np.array(again, dtype="int64")
        return results

    def encoder_input(self, shim: TorchShim, texts: Sequence[str]) -> EncoderInput:
        """See `input_of_texts`."""
        source = shim.features.source
        pieces = [ids for ids in source.encode(shim.features.normalize(texts)) if len(ids)]
        ids = np.concatenate([np.zeros(0, dtype="int64"), *pieces])
        on_device = torch.from_numpy(ids).to(shim.device)
        vectors = shim.predict(lambda module: module.source_embedding(on_device))
        lengths = torch.from_numpy(lengths_of(pieces))
        return EncoderInput(_encoder, source.names(ids), vectors, lengths)

    def _search(
        self,
        shim: TorchShim,
        pieces: Sequence[np.ndarray],
        places: np.ndarray,
        limits: Limits,
        search: Search,
        options: nn_search.SearchOptions,
    ) -> Iterator[Tuple[int, List[nn_search.Hypothesis]]]:
        """Yield the hypotheses of the sources in these places, in no particular order."""
        target = shim.features.target
        # Every hypothesis of a beam takes as much as a source.
        size = max(1, limits.batch_tokens // options.beam)
        for batch in batches_of(lengths_of([pieces[i] for i in places]), size):
            some = [pieces[i] for i in places[batch]]
            sources = _collate(shim, some)
            bounds = search.bounds(sources.lengths.to(shim.device))

            def run(module: Any, some=some, sources=sources, bounds=bounds) -> Any:
                return module.translate(
                    sources,
                    bounds,
                    options,
                    begin=target.bos,
                    end=target.eos,
                    never=[target.pad, target.bos],
                    draws=search.draws(some, options, bounds[1]),
                )

            yield from zip(places[batch].tolist(), shim.predict(run), strict=True)

    def compare(
        self, shim: TorchShim, texts: Sequence[str], translations: Sequence[str], limits: Limits
    ) -> "TeacherForced":
        """How well the network predicts the pieces of translations of texts, neither of them
        empty."""
        sources = shim.features.source.encode(shim.features.normalize(texts))
        targets = shim.features.target.encode(translations)
        loss, n_right, n_pieces = 0.0, 0, 0
        sizes = lengths_of(sources) + lengths_of(targets)
        for batch in batches_of(sizes, limits.batch_tokens):
            some = _collate(shim, [sources[i] for i in batch])
            inputs, after = shim.features.teacher_forcing([targets[i] for i in batch])
            read = {name: torch.from_numpy(a).to(shim.device) for name, a in inputs.items()}
            gold = torch.from_numpy(after).to(shim.device)

            def run(module: Any, some=some, read=read, gold=gold) -> Tuple[float, int]:
                scores = module(some, **read)
                lost = nn_translator.translation_loss(scores, {"pieces": gold})
                return float(lost), int(nn_translator.n_right(scores, gold))

            lost, right = shim.predict(run)
            loss, n_right, n_pieces = loss + lost, n_right + right, n_pieces + len(after)
        return TeacherForced(n_right / n_pieces, math.exp(loss / n_pieces))


@contextmanager
def _progress(n_texts: int, shown: bool) -> Iterator[Callable[[int], Any]]:
    """Count the texts that are done, in a progress bar if it is to be shown. Without it there is no
    tqdm either, which takes a lock of the whole process that a fork may leave held."""
    if not shown:
        yield lambda n: None
        return
    with tqdm(total=n_texts, unit="text", leave=False) as bar:
        yield bar.update


def _encoder(module: Any) -> Encoder:
    return module.encoder


class TeacherForced(NamedTuple):
    """How well pieces of translations are predicted from those before them.

    accuracy: share of the pieces, ends among them, that have the highest score.
    perplexity: exp of the mean negative log-probability of a piece.
    """

    accuracy: float
    perplexity: float


def _collate(shim: TorchShim, pieces: Sequence[np.ndarray]) -> nn_translator.Sources:
    """Pieces of sources as tensors."""
    together = torch.from_numpy(np.concatenate(pieces)).to(shim.device)
    return nn_translator.Sources(together, torch.from_numpy(lengths_of(pieces)))


def make_translator_model(
    source_pieces: SentencePieces,
    target_pieces: Optional[SentencePieces],
    encoder: Model,
    decoder: RNNDecoder,
    embedding_size: int = 256,
    tied: bool = True,
    nfc: bool = True,
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

    The model predicts, for a list of docs, a list of lists: the best translation of each doc, read
    as one sentence and with the default search; none of a doc without a piece.
    """
    architecture = TranslatorArchitecture(
        embedding_size, source_pieces, target_pieces, settings_of(encoder), decoder, tied, nfc
    )
    return make_model("rnn_translator", architecture, mixed_precision, batch_tokens, 1, 0)


def predict_translations(
    model: Model,
    texts: Sequence[str],
    search: Search,
    n_best: int,
    attention: bool,
    progress_bar: bool,
) -> List[List[Translation]]:
    """The best translations of each text, best first; none of a text without pieces.

    attention: whether they have their attention.
    """
    shim = shim_of(model)
    limits = model.attrs["limits"]
    return shim.architecture.translate(shim, texts, limits, search, n_best, attention, progress_bar)


def compare_translations(
    model: Model, texts: Sequence[str], translations: Sequence[str]
) -> TeacherForced:
    """How well the pieces of translations of texts are predicted, neither of them empty."""
    shim = shim_of(model)
    return shim.architecture.compare(shim, texts, translations, model.attrs["limits"])


def translation_gold(
    model: Model, texts: Sequence[str], label_smoothing: float, teacher_forcing: float = 1.0
) -> Gold:
    """Translations as the network reads and predicts them.

    teacher_forcing: the share of their pieces that it reads; for the others it reads its own best
        guesses, drawn for each text and piece.
    """
    shim = shim_of(model)
    pieces = shim.architecture.targets(shim, texts)
    inputs, after = shim.features.teacher_forcing(pieces)
    if teacher_forcing < 1.0:
        inputs["own"] = np.random.random(inputs["before"].shape) >= teacher_forcing
    loss = partial(nn_translator.translation_loss, label_smoothing=label_smoothing)
    return Gold({"pieces": after}, len(after), loss, inputs)


def input_of_texts(model: Model, texts: Sequence[str]) -> EncoderInput:
    """The input of the encoder for texts; those that are empty have none."""
    shim = shim_of(model)
    return shim.architecture.encoder_input(shim, texts)


def ask_piece(model: Model, text: str, pieces: Sequence[str], place: int) -> Question:
    """Why a piece of a text's translation comes after those before it.

    pieces: of the translation. place: of the piece among them.
    """
    shim = shim_of(model)
    target = shim.features.target
    ids = {name: i for i, name in enumerate(target.pieces())}
    before = torch.tensor([target.bos, *(ids[piece] for piece in pieces[:place])])
    score = partial(_piece_score, before=before.to(shim.device), piece=ids[pieces[place]])
    prediction = f"log-probability of '{pieces[place]}', piece {place} of the translation"
    return Question(input_of_texts(model, [text]), prediction, score)


def _piece_score(module: Any, vectors: Tensor, *, before: Tensor, piece: int) -> Tensor:
    n, length, _ = vectors.shape
    lengths = torch.full((n,), length)
    return module.foretell(vectors.flatten(0, 1), lengths, before.expand(n, -1))[:, piece]
