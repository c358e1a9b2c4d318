"""The architecture of text classifiers and regressors."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Literal, Optional, Sequence, Tuple

import numpy as np
import torch
from spacy.attrs import SENT_START
from spacy.tokens import Doc
from thinc.api import Model
from torch import Tensor

from ..config.encoder import RNNEncoder
from ..config.pooling import Pooling, SentenceEncoder
from ..config.signature import with_fields_of
from ..features.tokens import TokenFeatures
from ..nn.layout import offsets
from ..nn.many_to_one import ManyToOne
from ..nn.pooling import PooledEncoder
from ..nn.rnn import Encoder
from ..nn.token_network import Batch
from ..runtime.attribution import EncoderInput, input_of_tokens
from ..runtime.batching import (
    Limits,
    Source,
    VectorSource,
    WordSource,
    lengths_of,
    pool_sequences,
    predict_rows,
)
from ..runtime.model import collate, make_model, vocabs_of, word_hashes
from ..runtime.shim import TorchShim, shim_of
from ..runtime.tok2vec import Texts, Tok2Vec, read_texts
from ..validation import at_least
from .base import TokenArchitecture, needs_input

Keep = Literal["head", "tail", "both"]


@dataclass(frozen=True)
class ManyToOneArchitecture(TokenArchitecture):
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

    def module(self, features: TokenFeatures, outputs: Dict[str, int]) -> ManyToOne:
        embedding = self.token_embedding(features)
        tokens = self.pooling.module(self.encoder.module(embedding.output_size))
        sentences = None if self.sentences is None else self.sentences.module(tokens.output_size)
        return ManyToOne(embedding, tokens, sentences, outputs)

    def batch(self, shim: TorchShim, texts: Texts) -> Batch:
        sequences, counts = self._sequences(texts.docs)
        vocabs = vocabs_of(texts.docs, counts.tolist())
        return collate(shim, sequences, vocabs, counts, self._vectors(texts))

    def predict(self, shim: TorchShim, texts: Texts, limits: Limits) -> np.ndarray:
        """The outputs for each doc, float32 (docs, outputs), before any softmax or sigmoid."""
        sequences, counts = self._sequences(texts.docs)
        source = self._source(shim, sequences, counts, texts)
        lengths = lengths_of(sequences)
        vectors = pool_sequences(shim, _tokens, lengths, source, limits)
        if self.sentences is not None:
            source = VectorSource(vectors)
            vectors = pool_sequences(shim, _sentences, counts, source, limits)
        (outputs,) = shim.predict(lambda module: module.outputs(vectors)).values()
        return outputs.float().cpu().numpy()

    def attention(self, shim: TorchShim, texts: Texts, limits: Limits) -> List[np.ndarray]:
        """The weight of each token of each doc, float32 (tokens,); they sum to 1. By sentences, it
        is that within the sentence times that of the sentence. Tokens that are not read have 0."""
        sequences, counts = self._sequences(texts.docs)
        source = self._source(shim, sequences, counts, texts)
        lengths = lengths_of(sequences)
        weights = _attention(shim, _tokens, lengths, source, limits)
        if self.sentences is not None:
            vectors = pool_sequences(shim, _tokens, lengths, source, limits)
            source = VectorSource(vectors)
            of_sentences = _attention(shim, _sentences, counts, source, limits)
            factors = np.concatenate(of_sentences)
            weights = [part * factor for part, factor in zip(weights, factors, strict=True)]
        found = []
        for doc, start, n in zip(texts.docs, offsets(counts), counts, strict=True):
            array = np.zeros(len(doc), dtype="float32")
            array[self._kept(len(doc))] = np.concatenate(weights[start : start + n])
            found.append(array)
        return found

    def encoder_input(self, shim: TorchShim, texts: Texts) -> EncoderInput:
        """What the encoder of tokens reads of one document."""
        (doc,) = texts.docs
        sequences, _ = self._sequences([doc])
        names = [doc[i].text for i in self._kept(len(doc)).tolist()]
        return input_of_tokens(shim, _encoder, names, sequences, doc, self._vectors(texts))

    def _source(
        self, shim: TorchShim, sequences: List[np.ndarray], counts: np.ndarray, texts: Texts
    ) -> Source:
        vocabs = vocabs_of(texts.docs, counts.tolist())
        return WordSource(shim, sequences, vocabs, self._vectors(texts))

    def _vectors(self, texts: Texts) -> Optional[Tensor]:
        """Of the vectors that tokens come with, those of the tokens that are read."""
        if texts.vectors is None or not self.max_length:
            return texts.vectors
        lengths = np.array([len(doc) for doc in texts.docs])
        starts = offsets(lengths)
        kept = [self._kept(n) + start for n, start in zip(lengths, starts, strict=True)]
        places = torch.from_numpy(np.concatenate(kept))
        return texts.vectors.index_select(0, places.to(texts.vectors.device))

    def _sequences(self, docs: Sequence[Doc]) -> Tuple[List[np.ndarray], np.ndarray]:
        """The word hashes of each sequence, and how many sequences each doc has: one, or one a
        sentence."""
        sequences: List[np.ndarray] = []
        counts = []
        for doc in docs:
            parts = [word_hashes(doc)]
            if self.max_length:
                parts = [parts[0][self._kept(len(doc))]]
            if self.sentences is not None:
                parts = np.split(parts[0], _sentence_starts(doc, self._kept(len(doc))))
            sequences += parts
            counts.append(len(parts))
        return sequences, np.array(counts, dtype="int64")

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
) -> Model[List[Doc], np.ndarray]:
    """spacy_rnn.ManyToOne.v1: a network that reads a text into one vector, and outputs from it. It
    predicts, for a list of docs, float32 (docs, outputs).

    architecture (ManyToOneArchitecture): Its fields are arguments of the function.
    tok2vec (Optional[Model]): As of spacy_rnn.Tagger.v1.
    """
    needs_input(architecture.embedding, tok2vec)
    return make_model("rnn_many_to_one", architecture, tok2vec)


def predict_attention(model: Model, docs: Sequence[Doc]) -> List[np.ndarray]:
    """The attention to each token of each doc, float32 (tokens,), which sums to 1."""
    shim = shim_of(model)
    texts, _ = read_texts(model, docs)
    return shim.architecture.attention(shim, texts, model.attrs["limits"])


def output_score(
    module: Any,
    vectors: Tensor,
    *,
    lengths: Tensor,
    to_score: Callable[[Tensor], Tensor],
) -> Tensor:
    """A score of a text, (B,), from vectors of its tokens (B, N, D).

    lengths: tokens of each of the text's sequences, (S,) on the CPU.
    to_score: makes the score of the network's outputs (B, outputs).
    """
    n = len(vectors)
    counts = torch.full((n,), len(lengths))
    (outputs,) = module.read(vectors.flatten(0, 1), lengths.repeat(n), counts).values()
    return to_score(outputs.float())


def _encoder(module: Any) -> Encoder:
    return module.tokens.encoder


def _tokens(module: Any) -> PooledEncoder:
    return module.tokens


def _sentences(module: Any) -> PooledEncoder:
    return module.sentences


def _attention(
    shim: TorchShim,
    level: Callable[[Any], PooledEncoder],
    lengths: np.ndarray,
    source: Source,
    limits: Limits,
) -> List[np.ndarray]:
    """The weights within each sequence, float32 (length,)."""
    if "attention" not in level(shim.module).pooling.ways:
        raise ValueError(
            'The model pools without attention, so there are no weights to show. Add "attention" '
            "to 'ways' of spacy_rnn.Pooling.v1 and train again, or set attention_attr = null."
        )

    def scores(module: Any, states: Tensor) -> Dict[str, Tensor]:
        attention: Any = level(module).pooling.ways["attention"]
        return {"score": attention.scores(states.float()).float()}

    rows = predict_rows(shim, lambda module: level(module).encoder, lengths, source, limits, scores)
    return [_softmax(row["score"][:, 0]) for row in rows]


def _softmax(scores: np.ndarray) -> np.ndarray:
    exponentials = np.exp(scores - scores.max(initial=-np.inf)) if len(scores) else scores
    return exponentials / max(1.0, exponentials.sum())


def _sentence_starts(doc: Doc, kept: np.ndarray) -> np.ndarray:
    """Where, among the tokens that are read, a new sentence starts after the first one."""
    if len(doc) > 1 and not doc.has_annotation("SENT_START"):
        raise ValueError(
            "A text is to be read by sentences, but has none. Put a component that sets them, such "
            'as "sentencizer", before this one, and for training name it in [training] '
            "annotating_components; or set 'sentences' of spacy_rnn.ManyToOne.v1 to null."
        )
    starts = doc.to_array([SENT_START]).reshape(-1)[kept] == 1
    # Where tokens are left out, what follows is no part of the sentence before.
    gaps = np.diff(kept, prepend=-1) > 1
    return np.flatnonzero((starts | gaps)[1:]) + 1
