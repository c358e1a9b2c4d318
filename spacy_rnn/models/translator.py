"""The translator's architecture."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, Dict, List, Literal, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from thinc.api import Model
from torch import Tensor
from tqdm import tqdm

from ..features.pairs import PairFeatures
from ..nn import decoder as nn_decoder
from ..nn import search as nn_search
from ..nn import translator as nn_translator
from ..nn.rnn import Encoder
from ..training.shim import TorchShim
from .batching import Limits, batches_of, lengths_of
from .checks import at_least, rate
from .encoder import RNNEncoder, settings_of
from .explanation import EncoderInput, Question
from .network import Architecture, Gold, Precision, make_model
from .pieces import SentencePieces
from .search import Search
from .texts import Texts


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
    pieces: of the translation, as SentencePiece writes them.
    attention: float32 (pieces, pieces of the source), None where the network has none.
    """

    text: str
    score: float
    log_probability: float
    pieces: List[str]
    attention: Optional[np.ndarray]


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
        return _collate(shim, self.source_pieces.encode(shim.features.source, _sources(texts)))

    def targets(self, shim: TorchShim, texts: Sequence[str]) -> List[np.ndarray]:
        """The pieces of translations in training."""
        config = self.source_pieces if self.target_pieces is None else self.target_pieces
        return config.encode(shim.features.target, texts)

    def predict(self, shim: TorchShim, texts: Texts, limits: Limits) -> List[List[Translation]]:
        """The best translation of each doc, read as one sentence, in a list; none of a doc without
        a piece."""
        return self.translate(shim, _sources(texts), limits)

    def translate(
        self,
        shim: TorchShim,
        docs: Sequence[str],
        limits: Limits,
        search: Search = Search(),  # noqa: B008
        n_best: int = 1,
        progress_bar: bool = False,
    ) -> List[List[Translation]]:
        """The best translations of each text."""
        pieces = shim.features.source.encode(docs)
        results: List[List[Translation]] = [[] for _ in docs]
        lengths = lengths_of(pieces)
        not_empty = np.flatnonzero(lengths)
        # Every hypothesis of a beam takes as much as a source.
        size = max(1, limits.batch_tokens // search.options(n_best).beam)
        with tqdm(total=len(docs), unit="text", disable=not progress_bar, leave=False) as progress:
            progress.update(len(docs) - len(not_empty))
            for batch in batches_of(lengths[not_empty], size):
                places = not_empty[batch].tolist()
                found = self._search(shim, [pieces[i] for i in places], search, n_best)
                for place, hypotheses in zip(places, found, strict=True):
                    length = int(lengths[place])
                    many = _translations(shim.features, docs[place], length, hypotheses, search)
                    distinct: Dict[str, Translation] = {}
                    for translation in many:
                        # One text may come in several segmentations; the first is the best.
                        distinct.setdefault(translation.text, translation)
                    results[place] = list(distinct.values())[:n_best]
                progress.update(len(places))
        return results

    def encoder_input(self, shim: TorchShim, texts: Sequence[str]) -> EncoderInput:
        """See `input_of_texts`."""
        source = shim.features.source
        pieces, names = source.encode(texts), source.pieces()
        ids = np.concatenate([np.zeros(0, dtype="int64"), *pieces])
        on_device = torch.from_numpy(ids).to(shim.device)
        vectors = shim.predict(lambda module: module.source_embedding(on_device))
        lengths = torch.from_numpy(lengths_of(pieces))
        return EncoderInput(_encoder, [names[i] for i in ids.tolist()], vectors, lengths)

    def _search(
        self, shim: TorchShim, pieces: List[np.ndarray], search: Search, n_best: int
    ) -> List[List[nn_search.Hypothesis]]:
        target = shim.features.target
        sources = _collate(shim, pieces)
        bounds = search.bounds(sources.lengths.to(shim.device))
        options = search.options(n_best)
        draws = search.draws(pieces, options, bounds[1])
        return shim.predict(
            lambda module: module.translate(
                sources,
                bounds,
                options,
                begin=target.bos,
                end=target.eos,
                never=[target.pad, target.bos],
                draws=draws,
            )
        )

    def compare(
        self, shim: TorchShim, texts: Sequence[str], translations: Sequence[str], limits: Limits
    ) -> "TeacherForced":
        """How well the network foretells translations of texts, neither of them empty."""
        sources = shim.features.source.encode(texts)
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


def _encoder(module: Any) -> Encoder:
    return module.encoder


def _sources(texts: Texts) -> List[str]:
    """The texts of docs as they are translated: without the white space around them."""
    return [doc.text.strip() for doc in texts.docs]


class TeacherForced(NamedTuple):
    """How well pieces of translations are foretold from those before them.

    accuracy: share of the pieces, ends among them, that have the highest score.
    perplexity: exp of the mean negative log-probability of a piece.
    """

    accuracy: float
    perplexity: float


def _collate(shim: TorchShim, pieces: Sequence[np.ndarray]) -> nn_translator.Sources:
    """Pieces of sources as tensors."""
    together = torch.from_numpy(np.concatenate(pieces)).to(shim.device)
    return nn_translator.Sources(together, torch.from_numpy(lengths_of(pieces)))


def _translations(
    features: PairFeatures,
    text: str,
    length: int,
    hypotheses: Sequence[nn_search.Hypothesis],
    search: Search,
) -> List[Translation]:
    """Of a text of so many pieces, from hypotheses of those of its translation."""
    target, names = features.target, features.target.pieces()
    found = []
    for h in hypotheses:
        ids = h.pieces.numpy()
        attention = None
        if h.attention is not None:
            # The source was padded in its batch.
            attention = h.attention[:, :length].numpy()
        if search.replace_unknown and (ids == target.unk).any():
            replacements = _most_attended(features, text, ids, attention)
            written = target.decode_with(ids.tolist(), replacements)
        else:
            (written,) = target.decode([ids.tolist()])
        pieces = [names[i] for i in ids]
        found.append(Translation(written.strip(" "), h.score, h.log_probability, pieces, attention))
    return found


def _most_attended(
    features: PairFeatures, text: str, ids: np.ndarray, attention: Optional[np.ndarray]
) -> List[str]:
    """Of each unknown piece of a translation the source piece it looked at most."""
    if attention is None:
        raise ValueError(
            "'replace_unknown' needs a network with attention. Set it to false, or train with "
            'attention = "general".'
        )
    _, starts, ends = features.source.offsets(text)
    places = attention[ids == features.target.unk].argmax(axis=1)
    return [text[starts[i] : ends[i]].strip() for i in places]


def make_translator_model(
    source_pieces: SentencePieces,
    target_pieces: Optional[SentencePieces],
    encoder: Model,
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

    The model predicts, for a list of docs, a list of lists: the best translation of each doc, read
    as one sentence and with the default search; none of a doc without a piece.
    """
    architecture = TranslatorArchitecture(
        embedding_size, source_pieces, target_pieces, settings_of(encoder), decoder, tied
    )
    return make_model("rnn_translator", architecture, mixed_precision, batch_tokens, 1, 0)


def predict_translations(
    model: Model, texts: Sequence[str], search: Search, n_best: int, progress_bar: bool
) -> List[List[Translation]]:
    """The best translations of each text, best first; none of a text without pieces."""
    shim: Any = model.shims[0]
    limits = model.attrs["limits"]
    return shim.network.translate(shim, texts, limits, search, n_best, progress_bar)


def compare_translations(
    model: Model, texts: Sequence[str], translations: Sequence[str]
) -> TeacherForced:
    """How well translations of texts are foretold, neither of them empty."""
    shim: Any = model.shims[0]
    return shim.network.compare(shim, texts, translations, model.attrs["limits"])


def translation_gold(
    model: Model, texts: Sequence[str], label_smoothing: float, teacher_forcing: float = 1.0
) -> Gold:
    """Translations as the network reads and predicts them.

    teacher_forcing: the share of their pieces that it reads; for the others it reads its own best
        guesses, drawn for each text and piece.
    """
    shim: Any = model.shims[0]
    pieces = shim.network.targets(shim, texts)
    inputs, after = shim.features.teacher_forcing(pieces)
    if teacher_forcing < 1.0:
        inputs["own"] = np.random.random(inputs["before"].shape) >= teacher_forcing
    loss = partial(nn_translator.translation_loss, label_smoothing=label_smoothing)
    return Gold({"pieces": after}, len(after), loss, inputs)


def input_of_texts(model: Model, texts: Sequence[str]) -> EncoderInput:
    """What the encoder reads of texts, none of them empty."""
    shim: Any = model.shims[0]
    return shim.network.encoder_input(shim, texts)


def ask_piece(model: Model, text: str, pieces: Sequence[str], place: int) -> Question:
    """Why a piece of a text's translation comes after those before it.

    pieces: of the translation. place: of the piece among them.
    """
    shim: Any = model.shims[0]
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
