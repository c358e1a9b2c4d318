"""The architecture of components that label tokens."""

from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model

from .. import nn
from ..config.encoder import RNNEncoder
from ..config.signature import with_fields_of
from ..features.tokens import TokenFeatures, TokenSequences
from ..nn.options import Decoder
from ..onnx import linear_chain
from ..onnx.linear_chain import Potentials
from ..optional import torch
from ..runtime.batching import (
    MemoryLimits,
    Outputs,
    TokenResults,
    batches_of,
    doc_batch,
    to_array,
    token_batches,
)
from ..runtime.model import make_model
from ..runtime.shim import TorchShim, architecture_of, shim_of
from ..runtime.tok2vec import DocBatch, Tok2Vec
from .base import TokenArchitecture, needs_input

if TYPE_CHECKING:
    from torch import Tensor

    from ..nn.rnn import Encoder
    from ..nn.tagger import Tagger
    from ..runtime.graphs import GraphNetwork

TaggerShim = TorchShim[TokenFeatures, "Tagger"]
TaggerModel = Model[List[Doc], List[Outputs]]
#: the scores of a target, of torch or of graphs
TagScores = Union["nn.tag_scores.TagScores", linear_chain.TagScores]
#: outputs of a batch, with one row for each token
Decoded = Dict[str, Union["Tensor", np.ndarray]]
#: from the scores of targets to what follows from them
Decode = Callable[[Dict[str, TagScores]], Decoded]


@dataclass(frozen=True)
class TaggerArchitecture(TokenArchitecture["Tagger", List[Outputs]]):
    """A network that labels tokens.

    embedding, window, overlap, mixed_precision, batch_tokens: See `TokenArchitecture`.
    encoder (RNNEncoder): spacy_rnn.RNNEncoder.v1.
    decoder (str): "softmax" chooses the label of each token independently; "crf", a conditional
        random field, learns which labels follow each other and chooses those of a document
        together.
    """

    encoder: RNNEncoder
    decoder: Decoder = "softmax"

    @property
    def encoder_paths(self) -> List[str]:
        return ["encoder"]

    def token_encoder(self, module: "Tagger") -> "Encoder":
        return module.encoder

    def module(self, features: TokenFeatures, outputs: Dict[str, int]) -> "Tagger":
        embedding = self.token_embedding(features)
        encoder = self.encoder.module(embedding.output_size)
        return nn.tagger.Tagger(embedding, encoder, outputs, self.decoder)

    def predict(
        self,
        shim: TaggerShim,
        docs: DocBatch,
        limits: MemoryLimits,
        probabilities: bool = False,
    ) -> List[Outputs]:
        """Predict for documents of any length.

        shim (TaggerShim): Holds the features and the module.
        docs (DocBatch): The documents.
        limits (MemoryLimits): The size of batches and windows.
        probabilities (bool): Compute the probabilities of all labels.
        RETURNS (List[Outputs]): For each document and target the labels, NAME (tokens,), and the
            probability of each label, NAME_probabilities, float32 (tokens, labels).
        """
        decode = _decode_with_probabilities if probabilities else _decode
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
        network = shim.network
        if network is not None:
            batches = network.read_tokens("encoder", shim.features, sequences, direction, limits)
            for windows, states, lengths in batches:
                scores = network.heads(states)
                results.add(windows, decode(_graph_scores(network, scores, lengths)))
            return results.by_sequence()
        for windows, batch in token_batches(shim, sequences, docs.vectors, direction, limits):
            with shim.inference() as module:
                outputs = decode(module(batch))
            results.add(windows, outputs)
        return results.by_sequence()


def _scores(tag_scores: Dict[str, TagScores]) -> Decoded:
    return {name: scores.scores for name, scores in tag_scores.items()}


def _decode(tag_scores: Dict[str, TagScores]) -> Decoded:
    return {name: scores.best() for name, scores in tag_scores.items()}


def _decode_with_probabilities(tag_scores: Dict[str, TagScores]) -> Decoded:
    decoded = _decode(tag_scores)
    for name, scores in tag_scores.items():
        decoded[name + "_probabilities"] = scores.probabilities()
    return decoded


def _graph_scores(
    network: "GraphNetwork", scores: Dict[str, np.ndarray], lengths: np.ndarray
) -> Dict[str, TagScores]:
    """Join scores with the transitions that are learned, as `Tagger.tag_scores`."""
    found: Dict[str, TagScores] = {}
    for name, of_target in scores.items():
        paths = [f"crfs.{name}.{field}" for field in Potentials._fields]
        crf = [network.weights[path] for path in paths if path in network.weights]
        found[name] = linear_chain.TagScores(of_target, lengths, Potentials(*crf) if crf else None)
    return found


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
        if shim.network is not None:
            yield docs, _graph_scores(shim.network, joined, lengths[docs])
            continue
        device = shim.device
        on_device = {name: torch.from_numpy(array).to(device) for name, array in joined.items()}
        module: Any = shim.module
        yield docs, module.tag_scores(on_device, torch.from_numpy(lengths[docs]))


def split_by_doc(decoded: Decoded, lengths: "Union[Tensor, np.ndarray]") -> List[Outputs]:
    """Divide the outputs of a batch.

    decoded (Decoded): Outputs with one row for each token.
    lengths (Union[Tensor, np.ndarray]): Tokens of each document, int64 (docs,).
    RETURNS (List[Outputs]): The arrays of each document.
    """
    ends = np.cumsum(to_array(lengths))[:-1]
    columns = {name: np.split(to_array(x), ends) for name, x in decoded.items()}
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


def decoder_of(model: TaggerModel) -> Decoder:
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
        probabilities=True,
    )


def label_score(
    module: "Tagger", vectors: "Tensor", *, target: str, token: int, label: int
) -> "Tensor":
    """The log-odds of a label of a token.

    module (Tagger): The module.
    vectors (Tensor): Vectors of a document's tokens, (B, N, D).
    target (str): The target.
    token (int), label (int): The indices of the token and of the label.
    RETURNS (Tensor): The log-odds, (B,).
    """
    n, length, _ = vectors.shape
    scores = module.read(nn.layout.FlatBatch(vectors.flatten(0, 1), torch.full((n,), length)))
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
