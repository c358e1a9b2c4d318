"""The translator's architecture."""

import math
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model
from tqdm import tqdm

from .. import nn
from ..config.decoder import RNNDecoder
from ..config.encoder import RNNEncoder
from ..config.pieces import SentencePieces
from ..config.search import Search
from ..config.signature import with_fields_of
from ..features.translation import TranslationVocabularies
from ..optional import torch
from ..runtime.architecture import Architecture
from ..runtime.batching import MemoryLimits, batches_of, lengths_of
from ..runtime.model import Targets, make_model
from ..runtime.shim import TorchShim, architecture_of, shim_of
from ..runtime.tok2vec import DocBatch
from ..validation import at_least
from .translation import Translation, translations_of

if TYPE_CHECKING:
    from ..nn.search import Hypothesis, SearchOptions
    from ..nn.translator import SourceBatch, Translator

InT = List[Doc]
OutT = List[List[Translation]]
TranslatorShim = TorchShim[TranslationVocabularies, "Translator"]


@dataclass(frozen=True)
class TranslatorArchitecture(Architecture[TranslationVocabularies, "Translator", OutT]):
    """spacy_rnn.Translator.v1: an encoder-decoder network that translates texts. It predicts, for
    each doc, a list with its best translation, read as one sentence and with the default search; an
    empty list for a doc without pieces.

    source_pieces (SentencePieces): spacy_rnn.SentencePieces.v1, for the texts.
    target_pieces (Optional[SentencePieces]): The same for the translations; null for one vocabulary
        and embedding of both.
    encoder (RNNEncoder): spacy_rnn.RNNEncoder.v1.
    decoder (RNNDecoder): spacy_rnn.RNNDecoder.v1.
    embedding_size (int): Width of the vectors of pieces.
    tied (bool): The output layer shares the weights of the target's embedding, which must then be
        as wide as the decoder's states.
    nfc (bool): Compose characters of the texts (Unicode's normalization form C).
    mixed_precision, batch_tokens: See `Architecture`.
    """

    source_pieces: SentencePieces
    target_pieces: Optional[SentencePieces]
    encoder: RNNEncoder
    decoder: RNNDecoder
    embedding_size: int = 256
    tied: bool = True
    nfc: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, embedding_size=self.embedding_size)

    def features(self) -> TranslationVocabularies:
        """Make the vocabularies, not trained yet."""
        target = None if self.target_pieces is None else self.target_pieces.features()
        return TranslationVocabularies(self.source_pieces.features(), target, self.nfc)

    def initialize(self, shim: TranslatorShim, X: Sequence[str], Y: Sequence[str]) -> None:
        """Make the vocabularies and the network.

        shim (TranslatorShim): The shim that holds them.
        X (Sequence[str]): The training texts.
        Y (Sequence[str]): Their translations.
        """
        features = shim.features
        sources = features.normalize(X)
        if self.target_pieces is None:
            self.source_pieces.initialize(features.source, [*sources, *Y])
        else:
            self.source_pieces.initialize(features.source, sources)
            self.target_pieces.initialize(features.target, Y)
        shim.build({"source": len(features.source), "target": len(features.target)})

    def module(self, features: TranslationVocabularies, outputs: Dict[str, int]) -> "Translator":
        """Make the network."""
        encoder = self.encoder.module(self.embedding_size)
        return nn.translator.Translator(
            outputs["source"],
            outputs["target"],
            self.embedding_size,
            encoder,
            self.decoder.module(self.embedding_size, encoder.output_size),
            joint=features.joint,
            tied=self.tied,
        )

    def batch(self, shim: TranslatorShim, texts: DocBatch) -> "SourceBatch":
        """The input of the network in training."""
        sources = shim.features.normalize([doc.text for doc in texts.docs])
        return _collate(shim, self.source_pieces.encode_for_training(shim.features.source, sources))

    def encode_targets(self, shim: TranslatorShim, texts: Sequence[str]) -> List[np.ndarray]:
        """The pieces of translations in training."""
        config = self.source_pieces if self.target_pieces is None else self.target_pieces
        return config.encode_for_training(shim.features.target, texts)

    def predict(self, shim: TranslatorShim, texts: DocBatch, limits: MemoryLimits) -> OutT:
        """The best translation of each doc, read as one sentence, in a list; an empty list for a
        doc without pieces."""
        return self.translate(shim, [doc.text for doc in texts.docs], limits, Search())

    def translate(
        self,
        shim: TranslatorShim,
        texts: Sequence[str],
        limits: MemoryLimits,
        search: Search,
        n_best: int = 1,
        attention: bool = False,
        progress_bar: bool = False,
    ) -> OutT:
        """Translate texts.

        shim (TranslatorShim): The shim that holds the network.
        texts (Sequence[str]): The texts, each read as one sentence.
        limits (MemoryLimits): Bounds on memory.
        search (Search): The settings of the search.
        n_best (int): Maximum number of translations per text.
        attention (bool): Keep their attention.
        progress_bar (bool): Show a progress bar.
        RETURNS (List[List[Translation]]): The best translations of each text, best first; none of a
            text without pieces.
        """
        sources = shim.features.normalize(texts)
        pieces = shim.features.source.encode(sources)
        results: OutT = [[] for _ in texts]
        remaining = np.flatnonzero(lengths_of(pieces))
        with _progress(len(texts), progress_bar) as advance:
            advance(len(texts) - len(remaining))
            for options in search.attempts(n_best, attention):
                again = []
                for i, hypotheses in _search(shim, pieces, remaining, limits, search, options):
                    # A text counts once, at its first attempt.
                    advance(not results[i])
                    results[i] = translations_of(
                        shim.features, sources[i], len(pieces[i]), hypotheses, search, n_best
                    )
                    if len(results[i]) < n_best and len(hypotheses) == options.beam:
                        again.append(i)
                remaining = np.array(again, dtype="int64")
        return results

    def evaluate(
        self,
        shim: TranslatorShim,
        texts: Sequence[str],
        translations: Sequence[str],
        limits: MemoryLimits,
    ) -> "TeacherForcedScores":
        """Evaluate the network with teacher forcing.

        shim (TranslatorShim): The shim that holds the network.
        texts (Sequence[str]): The texts, none of them empty.
        translations (Sequence[str]): Their gold translations, none of them empty.
        limits (MemoryLimits): Bounds on memory.
        RETURNS (TeacherForcedScores): The scores.
        """
        sources = shim.features.source.encode(shim.features.normalize(texts))
        targets = shim.features.target.encode(translations)
        loss, correct, n_pieces = 0.0, 0, 0
        sizes = lengths_of(sources) + lengths_of(targets)
        for batch in batches_of(sizes, limits.batch_tokens):
            arrays = shim.features.decoder_arrays([targets[i] for i in batch])
            decoder_input, valid_positions, decoder_target = (
                torch.from_numpy(array).to(shim.device) for array in arrays
            )
            with shim.inference() as network:
                batch_sources = _collate(shim, [sources[i] for i in batch])
                scores = network(batch_sources, decoder_input, valid_positions)
                log_p = nn.losses.log_probabilities(scores, decoder_target)
                loss -= float(log_p.sum())
                correct += int(nn.translator.n_correct(scores, decoder_target))
            n_pieces += len(decoder_target)
        return TeacherForcedScores(correct / n_pieces, math.exp(loss / n_pieces))


class TeacherForcedScores(NamedTuple):
    """The fit of gold translations: how well each piece is predicted from those before it.

    accuracy (float): Share of the pieces, including ends, that have the highest score.
    perplexity (float): Exponential of the mean negative log-probability of a piece.
    """

    accuracy: float
    perplexity: float


def _search(
    shim: TranslatorShim,
    pieces: Sequence[np.ndarray],
    indices: np.ndarray,
    limits: MemoryLimits,
    settings: Search,
    options: "SearchOptions",
) -> "Iterator[Tuple[int, List[Hypothesis]]]":
    """Yield the index and the hypotheses of each of these sources, in no particular order."""
    target = shim.features.target
    # Every hypothesis of a beam takes as much memory as a source.
    size = max(1, limits.batch_tokens // options.beam)
    for batch in batches_of(lengths_of([pieces[i] for i in indices]), size):
        batch_pieces = [pieces[i] for i in indices[batch]]
        sources = _collate(shim, batch_pieces)
        length_bounds = settings.length_bounds(sources.lengths.to(shim.device))
        _, max_length = length_bounds
        with shim.inference() as network:
            source, state = network.encode(sources)
            hypotheses = nn.search.search(
                network,
                source,
                state,
                length_bounds,
                options,
                begin=torch.full_like(max_length, target.bos),
                end=target.eos,
                forbidden=[target.pad, target.bos],
                uniforms=settings.uniforms(batch_pieces, options, max_length),
            )
        yield from zip(indices[batch].tolist(), hypotheses, strict=True)


def _collate(shim: TranslatorShim, pieces: Sequence[np.ndarray]) -> "SourceBatch":
    """The pieces of sources as tensors."""
    flat = torch.from_numpy(np.concatenate(pieces)).to(shim.device)
    return nn.translator.SourceBatch(flat, torch.from_numpy(lengths_of(pieces)))


@contextmanager
def _progress(n_texts: int, shown: bool) -> Iterator[Callable[[int], Any]]:
    """Count texts in a progress bar, if it is shown. Otherwise tqdm is not used at all: it takes a
    lock of the whole process, which a fork may leave held."""
    if not shown:
        yield lambda n: None
        return
    with tqdm(total=n_texts, unit="text", leave=False) as bar:
        yield bar.update


@with_fields_of(TranslatorArchitecture)
def make_translator_model(architecture: TranslatorArchitecture) -> Model[InT, OutT]:
    return make_model("rnn_translator", architecture)


def predict_translations(
    model: Model[InT, OutT],
    texts: Sequence[str],
    search: Search,
    n_best: int,
    attention: bool,
    progress_bar: bool,
) -> OutT:
    """Translate texts; see `TranslatorArchitecture.translate`."""
    limits = model.attrs["limits"]
    return architecture_of(model, TranslatorArchitecture).translate(
        shim_of(model), texts, limits, search, n_best, attention, progress_bar
    )


def evaluate_translations(
    model: Model[InT, OutT], texts: Sequence[str], translations: Sequence[str]
) -> TeacherForcedScores:
    """Evaluate a translator with teacher forcing; see `TranslatorArchitecture.evaluate`."""
    limits = model.attrs["limits"]
    return architecture_of(model, TranslatorArchitecture).evaluate(
        shim_of(model), texts, translations, limits
    )


def translation_gold(
    model: Model[InT, OutT],
    texts: Sequence[str],
    label_smoothing: float,
    teacher_forcing: float = 1.0,
) -> Targets:
    """Translations as a training step reads and predicts them.

    model (Model): The translator.
    texts (Sequence[str]): The gold translations.
    label_smoothing (float): Share of the probability spread over all pieces.
    teacher_forcing (float): Share of the pieces that the decoder reads; for the others, sampled for
        each text and piece, it reads its own best prediction.
    RETURNS (Targets): The targets of the step.
    """
    shim: TranslatorShim = shim_of(model)
    pieces = architecture_of(model, TranslatorArchitecture).encode_targets(shim, texts)
    arrays = shim.features.decoder_arrays(pieces)
    inputs = {
        "decoder_input": arrays.decoder_input,
        "valid_positions": arrays.valid_positions,
    }
    if teacher_forcing < 1.0:
        shape = arrays.decoder_input.shape
        inputs["use_prediction"] = np.random.random(shape) >= teacher_forcing
    loss = partial(nn.translator.translation_loss, label_smoothing=label_smoothing)
    target = arrays.decoder_target
    return Targets({"pieces": target}, len(target), loss, inputs)
