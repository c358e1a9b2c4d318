"""Base of the components that predict numbers for a document."""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, NamedTuple, Optional

import numpy as np
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Config

from ..architectures.many_to_one import output_score, predict_attention
from ..extensions import set_token_extension, sum_values
from ..runtime.attribution import AttributionTarget, Scale, label_index
from ..runtime.engine import EngineSettings
from ..validation import extension_name
from .labels import LabelPipe
from .reports import ReadLimits

if TYPE_CHECKING:
    from torch import Tensor

#: the one target of the network
TARGET = "text"

DEFAULT_MODEL = Config().from_str(
    """
    [model]
    @architectures = "spacy_rnn.ManyToOne.v1"

    [model.embedding]

    [model.embedding.words]
    @architectures = "spacy_rnn.WordEmbedding.v1"

    [model.encoder]
    @architectures = "spacy_rnn.RNNEncoder.v1"
    hidden_size = 100
    depth = 1

    [model.pooling]
    @architectures = "spacy_rnn.Pooling.v1"
    ways = ["max", "mean"]
    """
)["model"]


@dataclass(frozen=True, kw_only=True)
class DocumentSettings(EngineSettings):
    """Settings of all components that predict numbers for a document.

    attention_attr (Optional[str]): Name of a Doc and Token extension for the attention on each
        token: a list of numbers. The model must pool by attention.
    engine: See `EngineSettings`.
    """

    attention_attr: Optional[str] = None

    def __post_init__(self) -> None:
        extension_name(attention_attr=self.attention_attr)


class DocumentPrediction(NamedTuple):
    """A prediction for documents.

    scores (np.ndarray): The score of each label, float32 (docs, labels).
    attention (Optional[List[np.ndarray]]): If requested, the weight of each token of each doc,
        float32 (tokens,).
    """

    scores: np.ndarray
    attention: Optional[List[np.ndarray]] = None


class DocumentPipe(LabelPipe):
    """Base of the components that predict a number for each label of a document.

    A subclass adds to what `LabelPipe` needs, in the order in which they are called:

    to_scores: Turns the network's outputs into scores.
    set_scores: Writes scores to a doc.
    explained_score: The number that attributions explain, as a function of the network's outputs.
    """

    #: the scale of `explained_score`
    SCALE: Scale = "log-odds"

    def register_extensions(self) -> None:
        """Register the extension of the setting `attention_attr`."""
        if self.cfg["attention_attr"] is not None:
            set_token_extension(self.cfg["attention_attr"], sum_values)

    @property
    def output_sizes(self) -> Dict[str, int]:
        """The number of labels, the outputs of the only target (Dict[str, int])."""
        return {TARGET: len(self.labels)}

    @property
    def read_limits(self) -> ReadLimits:
        """Limits on what is read of a document and at once (ReadLimits)."""
        architecture: Any = self.shim.architecture
        return replace(super().read_limits, max_length=architecture.max_length or None)

    def to_scores(self, outputs: np.ndarray) -> np.ndarray:
        """Compute scores from the network's outputs.

        outputs (np.ndarray): The outputs, float32 (docs, labels).
        RETURNS (np.ndarray): The scores, float32 (docs, labels).
        """
        raise NotImplementedError

    def set_scores(self, doc: Doc, scores: List[float]) -> None:
        """Write the score of each label to a document.

        doc (Doc): The document to modify.
        scores (List[float]): The scores, in the order of `labels`.
        """
        raise NotImplementedError

    def explained_score(self, outputs: "Tensor", label: int) -> "Tensor":
        """Compute the number that an attribution explains.

        outputs (Tensor): The network's outputs, (docs, labels).
        label (int): The index of the label.
        RETURNS (Tensor): The number for each doc, (docs,), differentiable.
        """
        raise NotImplementedError

    def predict(self, docs: Iterable[Doc]) -> DocumentPrediction:
        """Predict the score of each label for each doc. Docs without tokens get the prediction for
        empty input.

        docs (Iterable[Doc]): The documents.
        RETURNS (DocumentPrediction): The scores.
        """
        docs = list(docs)
        if not docs:
            return DocumentPrediction(np.zeros((0, len(self.labels)), dtype="float32"))
        attention = None if self.cfg["attention_attr"] is None else self.predict_attention(docs)
        return DocumentPrediction(self.to_scores(self.model.predict(docs)), attention)

    def predict_attention(self, docs: Iterable[Doc]) -> List[np.ndarray]:
        """Compute the attention on each token, for a model that pools by attention.

        docs (Iterable[Doc]): The documents.
        RETURNS (List[np.ndarray]): The weight of each token of each doc, float32 (tokens,).
        """
        docs = list(docs)
        return predict_attention(self.model, docs) if docs else []

    def set_annotations(self, docs: Iterable[Doc], prediction: DocumentPrediction) -> None:
        """Write predictions to docs.

        docs (Iterable[Doc]): The documents to modify.
        prediction (DocumentPrediction): The prediction for them, from `predict`.
        """
        for i, (doc, scores) in enumerate(zip(docs, prediction.scores.tolist(), strict=True)):
            self.set_scores(doc, scores)
            if prediction.attention is not None:
                doc._.set(self.cfg["attention_attr"], prediction.attention[i].tolist())

    def attribution_target(self, doc: Doc, label: Optional[str] = None) -> AttributionTarget:
        """Make the score of a label a target for attribution.

        doc (Doc): The document.
        label (Optional[str]): The label; by default the one with the highest score.
        RETURNS (AttributionTarget): The score as a function of the encoder's input.
        """
        kind = "value" if self.SCALE == "value" else "label"
        if label is None:
            kind = f"predicted {kind}"
            label = self.labels[self.to_scores(self.model.predict([doc]))[0].argmax()]
        rows = self.encoder_inputs(doc)[0]
        score = partial(
            output_score,
            lengths=rows.lengths,
            to_score=partial(
                self.explained_score, label=label_index(label, self.labels, self.name)
            ),
        )
        return AttributionTarget(rows, f"{kind} {label}", self.SCALE, score)


def excerpt(example: Example, length: int = 60) -> str:
    """Quote the beginning of an example's text, for messages.

    example (Example): The example.
    length (int): The number of characters.
    RETURNS (str): The text in quotes.
    """
    text = example.reference.text
    return repr(text if len(text) <= length else text[:length] + "...")
