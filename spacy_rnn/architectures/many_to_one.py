"""The architecture of text classifiers and regressors."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Literal, Optional, Sequence, Tuple

import numpy as np
from spacy.attrs import SENT_START
from spacy.tokens import Doc
from thinc.api import Model

from .. import nn
from ..config.encoder import RNNEncoder
from ..config.pooling import Pooling, SentenceEncoder
from ..config.signature import with_fields_of
from ..features.tokens import TokenFeatures, TokenSequences
from ..nn.ragged import offsets
from ..optional import torch
from ..runtime.batching import (
    MemoryLimits,
    TokenResults,
    Windows,
    doc_batch,
    lengths_of,
    token_batches,
    vector_batches,
)
from ..runtime.model import make_model
from ..runtime.shim import TorchShim, architecture_of, shim_of
from ..runtime.tok2vec import DocBatch, Tok2Vec
from ..validation import at_least
from .base import TokenArchitecture, needs_input
from .many_to_one_graphs import ManyToOneGraphs

if TYPE_CHECKING:
    from torch import Tensor

    from ..nn.many_to_one import ManyToOne
    from ..nn.pooling import AttentionPooling, PooledEncoder, Summaries
    from ..nn.rnn import Encoder

Keep = Literal["head", "tail", "both"]
ManyToOneShim = TorchShim[TokenFeatures, "ManyToOne"]
ManyToOneModel = Model[List[Doc], np.ndarray]


@dataclass(frozen=True)
class ManyToOneArchitecture(TokenArchitecture["ManyToOne", np.ndarray]):
    """A network that reads a text into one vector, and outputs from it.

    embedding, window, overlap, mixed_precision, batch_tokens: See `TokenArchitecture`.
    encoder (RNNEncoder): spacy_rnn.RNNEncoder.v1.
    pooling (Pooling): spacy_rnn.Pooling.v1.
    sentences (Optional[SentenceEncoder]): spacy_rnn.SentenceEncoder.v1 to read a text by sentences:
        encoder and pooling make a vector of each, from which this makes that of the text. null
        reads it as one sequence. Sentences must be set, as by a "sentencizer" before the component,
        which in training must be among [training] annotating_components.
    max_length (int): Only so many tokens of a longer text are read; 0 for all.
    keep (str): The tokens of a longer text that are read: its "head", its "tail", or half of them
        at "both" ends.
    """

    encoder: RNNEncoder
    pooling: Pooling
    sentences: Optional[SentenceEncoder] = None
    max_length: int = 0
    keep: Keep = "head"

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(0, max_length=self.max_length)

    @property
    def encoder_paths(self) -> List[str]:
        above = [] if self.sentences is None else self.sentences.pooling.paths("sentences")
        return [*self.pooling.paths("tokens"), *above]

    def token_encoder(self, module: "ManyToOne") -> "Encoder":
        return module.tokens.encoder

    def module(self, features: TokenFeatures, outputs: Dict[str, int]) -> "ManyToOne":
        embedding = self.token_embedding(features)
        tokens = self.pooling.module(self.encoder.module(embedding.output_size))
        sentences = None if self.sentences is None else self.sentences.module(tokens.output_size)
        return nn.many_to_one.ManyToOne(embedding, tokens, sentences, outputs)

    def sequences(self, docs: Sequence[Doc]) -> TokenSequences:
        """The tokens that are read of each document, as one sequence or one for each sentence."""
        if not self.max_length and self.sentences is None:
            return TokenSequences(docs)
        kept = [self._kept(len(doc)) for doc in docs]
        first = offsets(np.array([len(doc) for doc in docs]))
        tokens = np.concatenate([some + start for some, start in zip(kept, first, strict=True)])
        if self.sentences is None:
            return TokenSequences(docs, tokens, lengths_of(kept))
        starts = [_sentence_starts(doc, some) for doc, some in zip(docs, kept, strict=True)]
        lengths = [
            np.diff(some, prepend=0, append=n)
            for some, n in zip(starts, lengths_of(kept).tolist(), strict=True)
        ]
        return TokenSequences(docs, tokens, np.concatenate(lengths), lengths_of(starts) + 1)

    def predict(self, shim: ManyToOneShim, docs: DocBatch, limits: MemoryLimits) -> np.ndarray:
        """Predict for texts of any length.

        shim (ManyToOneShim): Holds the features and the module.
        docs (DocBatch): The texts.
        limits (MemoryLimits): The size of batches and windows.
        RETURNS (np.ndarray): The outputs for each text, float32 (docs, outputs), before any softmax
            or sigmoid.
        """
        sequences = self.sequences(docs.docs)
        if shim.network is not None:
            return self._graphs(shim).outputs(sequences, limits)
        vectors = _pool_tokens(shim, sequences, docs.vectors, limits)
        sentences = shim.predictor.sentences
        if sentences is not None:
            vectors = _pool_sentences(shim, sentences, vectors, sequences, limits)
        with shim.inference() as module:
            (outputs,) = module.heads(vectors).values()
        found: np.ndarray = outputs.float().cpu().numpy()
        return found

    def attention(
        self, shim: ManyToOneShim, docs: DocBatch, limits: MemoryLimits
    ) -> List[np.ndarray]:
        """The attention to the tokens of texts of any length.

        shim (ManyToOneShim): Holds the features and the module.
        docs (DocBatch): The texts.
        limits (MemoryLimits): The size of batches and windows.
        RETURNS (List[np.ndarray]): The weight of each token of each text, float32 (tokens,). The
            weights sum to 1; tokens that are not read have 0. By sentences, a weight is that within
            the sentence times that of the sentence.
        RAISES (ValueError): If the network pools without attention.
        """
        for pooling in self._poolings:
            if "attention" not in pooling.ways:
                raise ValueError(
                    "The model pools without attention, so there are no weights to show. Add "
                    "\"attention\" to 'ways' of spacy_rnn.Pooling.v1 and train again, or set "
                    "attention_attr = null."
                )
        sequences = self.sequences(docs.docs)
        if shim.network is not None:
            scores, of_sentences = self._graphs(shim).attention(sequences, limits)
        else:
            scores, of_sentences = _attention_scores(shim, sequences, docs.vectors, limits)
        weights = _softmaxes(scores)
        if of_sentences is not None:
            factors = np.concatenate(_softmaxes(of_sentences))
            weights = [part * factor for part, factor in zip(weights, factors, strict=True)]
        n_tokens = [len(doc) for doc in docs.docs]
        found = np.zeros(sum(n_tokens), dtype="float32")
        found[sequences.tokens] = np.concatenate(weights)
        return np.split(found, np.cumsum(n_tokens)[:-1])

    def _graphs(self, shim: ManyToOneShim) -> ManyToOneGraphs:
        assert shim.network is not None
        readers = [(self.encoder, self.pooling)]
        if self.sentences is not None:
            readers.append((self.sentences.encoder, self.sentences.pooling))
        return ManyToOneGraphs(shim.network, shim.features, readers)

    @property
    def _poolings(self) -> List[Pooling]:
        above = [] if self.sentences is None else [self.sentences.pooling]
        return [self.pooling, *above]

    def _kept(self, n: int) -> np.ndarray:
        """The tokens that are read of a text of n tokens."""
        tokens = np.arange(n)
        if not self.max_length or n <= self.max_length:
            return tokens
        head = {"head": self.max_length, "tail": 0, "both": (self.max_length + 1) // 2}[self.keep]
        return np.concatenate([tokens[:head], tokens[n - (self.max_length - head) :]])


@with_fields_of(ManyToOneArchitecture)
def make_many_to_one_model(
    architecture: ManyToOneArchitecture, tok2vec: Optional[Tok2Vec] = None
) -> ManyToOneModel:
    """spacy_rnn.ManyToOne.v1: a network that reads a text into one vector, and outputs from it. It
    predicts, for a list of docs, float32 (docs, outputs).

    architecture (ManyToOneArchitecture): Its fields are arguments of the function.
    tok2vec (Optional[Model]): As of spacy_rnn.Tagger.v1.
    """
    needs_input(architecture.embedding, tok2vec)
    return make_model("rnn_many_to_one", architecture, tok2vec)


def predict_attention(model: ManyToOneModel, docs: Sequence[Doc]) -> List[np.ndarray]:
    """The attention to the tokens of texts; see `ManyToOneArchitecture.attention`.

    model (ManyToOneModel): The model.
    docs (Sequence[Doc]): The texts, at least one.
    RETURNS (List[np.ndarray]): The weight of each token of each text, float32 (tokens,).
    """
    architecture = architecture_of(model, ManyToOneArchitecture)
    return architecture.attention(shim_of(model), doc_batch(model, docs), model.attrs["limits"])


def output_score(
    module: "ManyToOne",
    vectors: "Tensor",
    *,
    lengths: "Tensor",
    to_score: "Callable[[Tensor], Tensor]",
) -> "Tensor":
    """A score of a text.

    module (ManyToOne): The module.
    vectors (Tensor): Vectors of the text's tokens, (B, N, D).
    lengths (Tensor): Tokens of each of the text's sequences, int64 (S,) on the CPU.
    to_score (Callable[[Tensor], Tensor]): Computes the score from the network's outputs,
        (B, outputs).
    RETURNS (Tensor): The score, (B,).
    """
    n = len(vectors)
    batch = nn.layout.FlatBatch(vectors.flatten(0, 1), lengths.repeat(n))
    (outputs,) = module.read(batch, torch.full((n,), len(lengths))).values()
    return to_score(outputs.float())


def _pool_tokens(
    shim: ManyToOneShim,
    sequences: TokenSequences,
    vectors: "Optional[Tensor]",
    limits: MemoryLimits,
) -> "Tensor":
    """The vector of each sequence, (S, D), however long it is."""
    direction = shim.module.tokens.encoder.direction
    parts = []
    for windows, batch in token_batches(shim, sequences, vectors, direction, limits):
        with shim.inference() as module:
            parts.append((windows, module.summarize(batch)))
    with shim.inference() as module:
        return _pool_windows(module.tokens, parts, len(sequences.lengths))


def _pool_sentences(
    shim: ManyToOneShim,
    sentences: "PooledEncoder",
    vectors: "Tensor",
    sequences: TokenSequences,
    limits: MemoryLimits,
) -> "Tensor":
    """The vector of each text, (B, D), from those of its sentences."""
    counts = _counts(sequences)
    parts = []
    for windows, batch in vector_batches(vectors, counts, sentences.encoder.direction, limits):
        with shim.inference():
            parts.append((windows, sentences.summarize(batch)))
    with shim.inference():
        return _pool_windows(sentences, parts, len(counts))


def _pool_windows(
    encoder: "PooledEncoder", parts: "Sequence[Tuple[Windows, Summaries]]", n_sequences: int
) -> "Tensor":
    """The vector of each sequence, (n_sequences, D), from the summaries of its windows."""
    windows = Windows.concatenate([some for some, _ in parts])
    order = torch.from_numpy(windows.order)
    counts = windows.counts(n_sequences)
    first = parts[0][1]
    summaries = {
        way: {
            name: torch.cat([part[way][name] for _, part in parts]).index_select(
                0, order.to(tensor.device)
            )
            for name, tensor in first[way].items()
        }
        for way in first
    }
    if counts.max() > 1:
        summaries = encoder.pooling.merge(summaries, torch.from_numpy(counts))
    return encoder.pooling.finish(summaries)


def _counts(sequences: TokenSequences) -> np.ndarray:
    assert sequences.counts is not None
    return sequences.counts


def _attention_scores(
    shim: ManyToOneShim,
    sequences: TokenSequences,
    vectors: "Optional[Tensor]",
    limits: MemoryLimits,
) -> Tuple[TokenResults, Optional[TokenResults]]:
    """The scores of tokens and, where there are any, those of sentences."""
    tokens, sentences = shim.predictor.tokens, shim.predictor.sentences
    scores = TokenResults(sequences.lengths)
    direction = tokens.encoder.direction
    for windows, batch in token_batches(shim, sequences, vectors, direction, limits):
        with shim.inference() as module:
            states, _ = tokens.states(module.embedding(batch))
            scores.add(windows, {"score": _attention_of(tokens).scores(states.float())})
    if sentences is None:
        return scores, None
    pooled = _pool_tokens(shim, sequences, vectors, limits)
    counts = _counts(sequences)
    of_sentences = TokenResults(counts)
    for windows, flat in vector_batches(pooled, counts, sentences.encoder.direction, limits):
        with shim.inference():
            states, _ = sentences.states(flat)
            of_sentences.add(windows, {"score": _attention_of(sentences).scores(states.float())})
    return scores, of_sentences


def _attention_of(encoder: "PooledEncoder") -> "AttentionPooling":
    attention: Any = encoder.pooling.ways["attention"]
    return attention  # type: ignore[no-any-return]


def _softmaxes(results: TokenResults) -> List[np.ndarray]:
    """The weights within each sequence, float32 (length,)."""
    return [_softmax(found["score"][:, 0]) for found in results.by_sequence()]


def _softmax(scores: np.ndarray) -> np.ndarray:
    exponentials = np.exp(scores - scores.max(initial=-np.inf)) if len(scores) else scores
    weights: np.ndarray = exponentials / max(1.0, exponentials.sum())
    return weights


def _sentence_starts(doc: Doc, kept: np.ndarray) -> np.ndarray:
    """The places among the kept tokens at which a sentence starts, but for the first one."""
    if len(doc) > 1 and not doc.has_annotation("SENT_START"):
        raise ValueError(
            "A text is to be read by sentences, but has none. Put a component that sets them, such "
            'as "sentencizer", before this one, and for training name it in [training] '
            "annotating_components; or set 'sentences' of spacy_rnn.ManyToOne.v1 to null."
        )
    starts = doc.to_array([SENT_START]).reshape(-1)[kept] == 1
    # Where tokens are left out, what follows does not belong to the sentence before.
    gaps = np.diff(kept, prepend=-1) > 1
    return np.flatnonzero((starts | gaps)[1:]) + 1
