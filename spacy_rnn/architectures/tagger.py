"""The architecture of components that label tokens."""

from dataclasses import dataclass
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import Model
from torch import Tensor

from ..config.encoder import RNNEncoder
from ..config.signature import with_fields_of
from ..features.tokens import TokenFeatures, TokenSequences
from ..nn import tagger as nn_tagger
from ..nn.layout import FlatBatch
from ..nn.rnn import Encoder
from ..nn.tag_scores import TagScores
from ..runtime.batching import (
    MemoryLimits,
    Outputs,
    TokenResults,
    batches_of,
    doc_batch,
    token_batches,
)
from ..runtime.model import make_model
from ..runtime.shim import TorchShim, architecture_of, shim_of
from ..runtime.tok2vec import DocBatch, Tok2Vec
from .base import TokenArchitecture, needs_input

TaggerShim = TorchShim[TokenFeatures, nn_tagger.Tagger]
TaggerModel = Model[List[Doc], List[Outputs]]
#: from the scores of targets to tensors with one row for each token
Decode = Callable[[Dict[str, TagScores]], Dict[str, Tensor]]


@dataclass(frozen=True)
class TaggerArchitecture(TokenArchitecture[nn_tagger.Tagger, List[Outputs]]):
    """A network that labels tokens.

    embedding, window, overlap, mixed_precision, batch_tokens: See `TokenArchitecture`.
    encoder (RNNEncoder): spacy_rnn.RNNEncoder.v1.
    decoder (str): "softmax" chooses the label of each token independently; "crf", a conditional
        random field, learns which labels follow each other and chooses those of a document
        together.
    """

    encoder: RNNEncoder
    decoder: nn_tagger.Decoder = "softmax"

    def token_encoder(self, module: nn_tagger.Tagger) -> Encoder:
        return module.encoder

    def module(self, features: TokenFeatures, outputs: Dict[str, int]) -> nn_tagger.Tagger:
        embedding = self.token_embedding(features)
        encoder = self.encoder.module(embedding.output_size)
        return nn_tagger.Tagger(embedding, encoder, outputs, self.decoder)

    def predict(
        self,
        shim: TaggerShim,
        docs: DocBatch,
        limits: MemoryLimits,
        decode: Decode = nn_tagger.decode,
    ) -> List[Outputs]:
        """Predict for documents of any length.

        shim (TaggerShim): Holds the features and the module.
        docs (DocBatch): The documents.
        limits (MemoryLimits): The size of batches and windows.
        decode (Decode): Chooses the labels.
        RETURNS (List[Outputs]): The tensors of `decode` for each document, as arrays.
        """
        if self.decoder == "softmax":
            # Every token is decoded by itself, in whatever window it lies.
            return self._predict_tokens(shim, docs, limits, decode)
        scores = self.scores(shim, docs, limits)
        results: List[Outputs] = [{} for _ in scores]
        for batch, tag_scores in score_batches(shim, scores, limits):
            with shim.inference():
                decoded = decode(tag_scores)
            lengths = next(iter(tag_scores.values())).lengths
            for doc, found in zip(batch.tolist(), split_by_doc(decoded, lengths), strict=True):
                results[doc] = found
        return results

    def scores(self, shim: TaggerShim, docs: DocBatch, limits: MemoryLimits) -> List[Outputs]:
        """The scores of the labels of each document's tokens, for each target float32
        (tokens, labels)."""
        return self._predict_tokens(shim, docs, limits, _scores)

    def _predict_tokens(
        self, shim: TaggerShim, docs: DocBatch, limits: MemoryLimits, decode: Decode
    ) -> List[Outputs]:
        sequences, direction = TokenSequences(docs.docs), self.encoder.direction
        results = TokenResults(sequences.lengths)
        for windows, batch in token_batches(shim, sequences, docs.vectors, direction, limits):
            with shim.inference() as module:
                outputs = decode(module(batch))
            results.add(windows, outputs)
        return results.by_sequence()


def _scores(tag_scores: Dict[str, TagScores]) -> Dict[str, Tensor]:
    return {name: scores.scores.float() for name, scores in tag_scores.items()}


def score_batches(
    shim: TaggerShim, scores: Sequence[Outputs], limits: MemoryLimits
) -> Iterator[Tuple[np.ndarray, Dict[str, TagScores]]]:
    """Yield the scores of whole documents in batches, to be decoded.

    shim (TaggerShim): Holds the module, with the transitions that it has learned.
    scores (Sequence[Outputs]): Scores of each document's tokens; see `TaggerArchitecture.scores`.
    limits (MemoryLimits): The size of batches.
    YIELDS (Tuple[np.ndarray, Dict[str, TagScores]]): The indices of the documents, in no particular
        order, and the scores of each target on the module's device.
    """
    lengths = np.array([len(next(iter(of_doc.values()))) for of_doc in scores])
    for docs in batches_of(lengths, limits.batch_tokens):
        joined = {name: np.concatenate([scores[i][name] for i in docs]) for name in scores[0]}
        device = shim.device
        on_device = {name: torch.from_numpy(array).to(device) for name, array in joined.items()}
        yield docs, shim.module.tag_scores(on_device, torch.from_numpy(lengths[docs]))


def split_by_doc(decoded: Dict[str, Tensor], lengths: Tensor) -> List[Outputs]:
    """Divide the tensors of a batch.

    decoded (Dict[str, Tensor]): Tensors with one row for each token.
    lengths (Tensor): Tokens of each document, int64 (docs,) on the CPU.
    RETURNS (List[Outputs]): The arrays of each document.
    """
    ends = np.cumsum(lengths.numpy())[:-1]
    columns = {name: np.split(x.cpu().numpy(), ends) for name, x in decoded.items()}
    return [{name: columns[name][i] for name in columns} for i in range(len(lengths))]


@with_fields_of(TaggerArchitecture)
def make_tagger_model(
    architecture: TaggerArchitecture, tok2vec: Optional[Tok2Vec] = None
) -> TaggerModel:
    """spacy_rnn.Tagger.v1: a network that labels each token. It predicts, for a list of docs, a
    list of dicts: for each target the label of each token.

    architecture (TaggerArchitecture): Its fields are arguments of the function.
    tok2vec (Optional[Model]): A layer from docs to vectors of their tokens, which are concatenated
        with those of the embedding: a listener of the pipeline's "tok2vec" or transformer
        component, which this one then trains too, or a spacy.Tok2Vec.v2 of its own.
    """
    needs_input(architecture.embedding, tok2vec)
    return make_model("rnn_tagger", architecture, tok2vec)


def decoder_of(model: TaggerModel) -> nn_tagger.Decoder:
    """The decoder by which the model chooses labels: "softmax" or "crf"."""
    return architecture_of(model, TaggerArchitecture).decoder


def predict_probabilities(model: TaggerModel, docs: Sequence[Doc]) -> List[Outputs]:
    """Predict labels with their probabilities.

    model (TaggerModel): The model.
    docs (Sequence[Doc]): The documents, at least one.
    RETURNS (List[Outputs]): For each document and target the labels, NAME (tokens,), and the
        probability of each label, NAME_probabilities, float32 (tokens, labels).
    """
    return architecture_of(model, TaggerArchitecture).predict(
        shim_of(model),
        doc_batch(model, docs),
        model.attrs["limits"],
        nn_tagger.decode_with_probabilities,
    )


def label_score(
    module: nn_tagger.Tagger, vectors: Tensor, *, target: str, token: int, label: int
) -> Tensor:
    """The log-odds of a label of a token.

    module (nn_tagger.Tagger): The module.
    vectors (Tensor): Vectors of a document's tokens, (B, N, D).
    target (str): The target.
    token (int), label (int): The indices of the token and of the label.
    RETURNS (Tensor): The log-odds, (B,).
    """
    n, length, _ = vectors.shape
    scores = module.read(FlatBatch(vectors.flatten(0, 1), torch.full((n,), length)))
    return scores[target].log_odds(token, label)


def predict_scores(model: TaggerModel, docs: Sequence[Doc]) -> List[Outputs]:
    """Predict the scores of labels; see `TaggerArchitecture.scores`.

    model (TaggerModel): The model.
    docs (Sequence[Doc]): The documents, at least one.
    RETURNS (List[Outputs]): For each document and target the scores, NAME, float32
        (tokens, labels).
    """
    architecture = architecture_of(model, TaggerArchitecture)
    return architecture.scores(shim_of(model), doc_batch(model, docs), model.attrs["limits"])
