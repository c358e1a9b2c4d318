"""The architecture of components that label tokens."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import Model
from torch import Tensor

from ..config.encoder import RNNEncoder
from ..config.signature import with_fields_of
from ..features.tokens import TokenFeatures
from ..nn import tagger as nn_tagger
from ..nn.crf import Chain
from ..nn.rnn import Encoder
from ..nn.token_network import Batch
from ..runtime.attribution import EncoderInput, input_of_tokens
from ..runtime.batching import Limits, Outputs, WordSource, batches_of, lengths_of, predict_rows
from ..runtime.model import collate, make_model, vocabs_of, word_hashes
from ..runtime.shim import TorchShim, shim_of
from ..runtime.tok2vec import Texts, Tok2Vec, read_texts
from .base import TokenArchitecture, needs_input

Decode = Callable[[Dict[str, Chain]], Dict[str, Tensor]]


@dataclass(frozen=True)
class TaggerArchitecture(TokenArchitecture):
    """A network that labels tokens.

    embedding, window, overlap, mixed_precision, batch_tokens: See `TokenArchitecture`.
    encoder (RNNEncoder): spacy_rnn.RNNEncoder.v1.
    decoder (str): "softmax" chooses the label of each token independently; "crf", a conditional
        random field, learns which labels follow each other and chooses those of a document
        together.
    """

    encoder: RNNEncoder
    decoder: nn_tagger.Decoder = "softmax"

    def module(self, features: TokenFeatures, outputs: Dict[str, int]) -> nn_tagger.Tagger:
        embedding = self.token_embedding(features)
        encoder = self.encoder.module(embedding.output_size)
        return nn_tagger.Tagger(embedding, encoder, outputs, self.decoder)

    def batch(self, shim: TorchShim, texts: Texts) -> Batch:
        docs = texts.docs
        sequences = [word_hashes(doc) for doc in docs]
        return collate(shim, sequences, vocabs_of(docs), vectors=texts.vectors)

    def predict(
        self,
        shim: TorchShim,
        texts: Texts,
        limits: Limits,
        decode: Decode = nn_tagger.decode,
    ) -> List[Outputs]:
        if self.decoder == "softmax":
            return self._predict_rows(
                shim,
                texts,
                limits,
                # Every token is decoded by itself, in whatever window it lies.
                lambda module, states: decode(
                    module.chains(module.outputs(states), torch.tensor([len(states)]))
                ),
            )
        scores = self.scores(shim, texts, limits)
        return by_doc(len(scores), decode_chains(shim, scores, limits, decode))

    def encoder_input(self, shim: TorchShim, texts: Texts) -> EncoderInput:
        """What the encoder reads of one document."""
        (doc,) = texts.docs
        names = [token.text for token in doc]
        return input_of_tokens(shim, _encoder, names, [word_hashes(doc)], doc, texts.vectors)

    def scores(self, shim: TorchShim, texts: Texts, limits: Limits) -> List[Outputs]:
        """The scores of the labels of each token, for each target (tokens, labels)."""
        return self._predict_rows(
            shim,
            texts,
            limits,
            lambda module, states: {n: x.float() for n, x in module.outputs(states).items()},
        )

    def _predict_rows(
        self,
        shim: TorchShim,
        texts: Texts,
        limits: Limits,
        read: Callable[[Any, Tensor], Dict[str, Tensor]],
    ) -> List[Outputs]:
        sequences = [word_hashes(doc) for doc in texts.docs]
        return predict_rows(
            shim,
            _encoder,
            lengths_of(sequences),
            WordSource(shim, sequences, vocabs_of(texts.docs), texts.vectors),
            limits,
            read,
        )


def _encoder(module: Any) -> Encoder:
    return module.encoder


def decode_chains(
    shim: TorchShim,
    scores: Sequence[Outputs],
    limits: Limits,
    decode: Callable[[Dict[str, Chain]], Any],
) -> Iterator[Tuple[List[int], List[int], Any]]:
    """Decode whole documents from the scores of their tokens; yields, batch by batch and in no
    particular order, which documents, their lengths, and what `decode` makes of their chains."""
    lengths = np.array([len(next(iter(doc_scores.values()))) for doc_scores in scores])
    for places in batches_of(lengths, limits.batch_tokens):
        rows = {
            name: torch.from_numpy(np.concatenate([scores[i][name] for i in places]))
            for name in scores[0]
        }

        def run(module: Any, places=places, rows=rows) -> Any:
            on_device = {name: x.to(shim.device) for name, x in rows.items()}
            return decode(module.chains(on_device, torch.from_numpy(lengths[places])))

        yield places.tolist(), lengths[places].tolist(), shim.predict(run)


def by_doc(
    n_docs: int, batches: Iterator[Tuple[List[int], List[int], Dict[str, Any]]]
) -> List[Dict[str, Any]]:
    """What `decode_chains` yields, for each doc: its part of the tensors, which have a row a token,
    and its item of the lists, which have one a doc."""
    found: List[Dict[str, Any]] = [{} for _ in range(n_docs)]
    for places, sizes, decoded in batches:
        for name, values in decoded.items():
            if isinstance(values, Tensor):
                values = np.split(values.cpu().numpy(), np.cumsum(sizes)[:-1])
            for place, value in zip(places, values, strict=True):
                found[place][name] = value
    return found


@with_fields_of(TaggerArchitecture)
def make_tagger_model(
    architecture: TaggerArchitecture, tok2vec: Optional[Tok2Vec] = None
) -> Model[List[Doc], List[Outputs]]:
    """spacy_rnn.Tagger.v1: a network that labels each token. It predicts, for a list of docs, a
    list of dicts: for each target the label of each token.

    architecture (TaggerArchitecture): Its fields are arguments of the function.
    tok2vec (Optional[Model]): A layer from docs to vectors of their tokens, which are concatenated
        with those of the embedding: a listener of the pipeline's "tok2vec" or transformer
        component, which this one then trains too, or a spacy.Tok2Vec.v2 of its own.
    """
    needs_input(architecture.embedding, tok2vec)
    return make_model("rnn_tagger", architecture, tok2vec)


def decoder_of(model: Model) -> nn_tagger.Decoder:
    """How the model chooses labels."""
    shim = shim_of(model)
    return shim.architecture.decoder


def predict_probabilities(model: Model, docs: Sequence[Doc]) -> List[Outputs]:
    """For each doc and target its labels, NAME (tokens,), and the probability of each label,
    NAME_probabilities, float32 (tokens, labels)."""
    shim = shim_of(model)
    texts, _ = read_texts(model, docs)
    return shim.architecture.predict(
        shim, texts, model.attrs["limits"], nn_tagger.decode_with_probabilities
    )


def label_score(module: Any, vectors: Tensor, *, target: str, token: int, label: int) -> Tensor:
    """The log-odds of a label of a token, (B,), from vectors of the tokens (B, N, D)."""
    n, length, _ = vectors.shape
    chains = module.read(vectors.flatten(0, 1), torch.full((n,), length))
    return nn_tagger.log_odds(chains[target], token, label)


def predict_chains(
    model: Model,
    docs: Sequence[Doc],
    decode: Callable[[Dict[str, Chain]], Any],
    prepare: Callable[[Doc, Outputs], None],
) -> Iterator[Tuple[List[int], List[int], Any]]:
    """Decode documents whole; see `decode_chains`.

    prepare: may change the scores of a document before, as to rule labels out.
    """
    shim = shim_of(model)
    limits = model.attrs["limits"]
    texts, _ = read_texts(model, docs)
    scores = shim.architecture.scores(shim, texts, limits)
    for doc, doc_scores in zip(docs, scores, strict=True):
        prepare(doc, doc_scores)
    return decode_chains(shim, scores, limits, decode)
