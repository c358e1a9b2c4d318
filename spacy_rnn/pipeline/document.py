"""What components that read a text as a whole share."""

from dataclasses import replace
from functools import partial
from typing import Any, Callable, Iterable, List, NamedTuple, Optional

import numpy as np
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Config, Model
from torch import Tensor

from ..architectures.many_to_one import output_score, predict_attention
from ..extensions import set_token_extension, total
from ..runtime.attribution import Question, number_of
from .base import Bounds, RNNPipe

#: the one target of the network
TARGET = "text"

DEFAULT_MODEL = Config().from_str(
    """
    [model]
    @architectures = "spacy_rnn.ManyToOne.v1"
    tok2vec = null
    sentences = null
    max_length = 0
    keep = "head"
    mixed_precision = "none"
    batch_tokens = 4096
    window = 5000
    overlap = 200

    [model.embedding]
    @architectures = "spacy_rnn.TokenEmbedding.v1"
    characters = null
    affixes = null
    vectors = null

    [model.embedding.words]
    @architectures = "spacy_rnn.WordEmbedding.v1"
    width = 100
    min_freq = 2
    lowercase = true
    unknown_dropout = 0.1

    [model.encoder]
    @architectures = "spacy_rnn.RNNEncoder.v1"
    cell = "lstm"
    direction = "both"
    hidden_size = 100
    depth = 1
    recurrent_dropout = 0.0
    residual = false
    layer_norm = false
    chrono_length = 0

    [model.pooling]
    @architectures = "spacy_rnn.Pooling.v1"
    ways = ["max", "mean"]
    attention_size = 64
    """
)["model"]


class TextPrediction(NamedTuple):
    """scores: float32 (docs, labels). attention: on request, float32 (tokens,) of each doc."""

    scores: np.ndarray
    attention: Optional[List[np.ndarray]] = None


class TextPipe(RNNPipe):
    """Base of the components that predict numbers for a text.

    A subclass says how outputs of the network become scores (`to_scores`), where they are set
    (`set_scores`) and what of them is explained (`to_explained`).
    """

    #: what `to_explained` gives, of a label
    EXPLAINED = "log-odds of {}"

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str,
        *,
        attention_attr: Optional[str],
        scorer: Optional[Callable],
        **cfg: Any,
    ):
        super().__init__(vocab, model, name, scorer=scorer, attention_attr=attention_attr, **cfg)

    def register_extensions(self) -> None:
        if self.cfg["attention_attr"] is not None:
            set_token_extension(self.cfg["attention_attr"], total)

    @property
    def labels(self) -> tuple:
        """The labels, in the order of the scores (Tuple[str])."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> Any:
        """What ``spacy init labels`` saves."""
        return self.cfg["labels"]

    @property
    def outputs(self) -> dict:
        return {TARGET: len(self.labels)}

    @property
    def bounds(self) -> Bounds:
        network: Any = self.shim.architecture
        return replace(super().bounds, max_length=network.max_length or None)

    def to_scores(self, outputs: np.ndarray) -> np.ndarray:
        """Scores from the network's outputs, both (docs, labels)."""
        raise NotImplementedError

    def to_explained(self, outputs: Tensor, label: int) -> Tensor:
        """From the network's outputs (docs, labels) the number that is explained, (docs,)."""
        raise NotImplementedError

    def question(self, doc: Doc, label: Optional[str] = None) -> Question:
        """Why a text gets the score that it gets for a label.

        label (Optional[str]): By default the one with the highest score.
        """
        if label is None:
            label = self.labels[self.to_scores(self.model.predict([doc]))[0].argmax()]
        rows = self.encoder_inputs(doc)[0]
        score = partial(
            output_score,
            lengths=rows.lengths,
            to_score=partial(self.to_explained, label=number_of(label, self.labels, self.name)),
        )
        return Question(rows, self.EXPLAINED.format(label), score)

    def set_scores(self, doc: Doc, scores: List[float]) -> None:
        """Write the score of each label to a document."""
        raise NotImplementedError

    def predict(self, docs: Iterable[Doc]) -> TextPrediction:
        """The score of each label for each doc. Texts without tokens get the network's answer to
        no evidence."""
        docs = list(docs)
        if not docs:
            return TextPrediction(np.zeros((0, len(self.labels)), dtype="float32"))
        attention = None if self.cfg["attention_attr"] is None else self.predict_attention(docs)
        return TextPrediction(self.to_scores(self.model.predict(docs)), attention)

    def predict_attention(self, docs: Iterable[Doc]) -> List[np.ndarray]:
        """How much each token of each doc counts, float32 (tokens,), for a model that pools by
        attention."""
        docs = list(docs)
        return predict_attention(self.model, docs) if docs else []

    def set_annotations(self, docs: Iterable[Doc], prediction: TextPrediction) -> None:
        """Write predictions to docs.

        docs (Iterable[Doc]): The documents to modify.
        prediction: What `predict` returned for them.
        """
        for i, (doc, scores) in enumerate(zip(docs, prediction.scores.tolist(), strict=True)):
            self.set_scores(doc, scores)
            if prediction.attention is not None:
                doc._.set(self.cfg["attention_attr"], prediction.attention[i].tolist())


def excerpt(example: Example, length: int = 60) -> str:
    """The beginning of an example's text, for messages."""
    text = example.reference.text
    return repr(text if len(text) <= length else text[:length] + "...")
