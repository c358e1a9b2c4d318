"""The text classifier for any number of labels."""

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Optional

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Model

from .. import nn
from ..config.signature import to_config, with_fields_of
from ..runtime.model import Targets
from ..validation import probability
from .annotation import ZERO_FOR_OTHERS
from .document import DEFAULT_MODEL
from .textcat import SCORE_WEIGHTS, TextCategorizerPipe, TextCategorizerSettings

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger("spacy_rnn")


@dataclass(frozen=True)
class MultiLabelTextCategorizerSettings(TextCategorizerSettings):
    """Settings of "rnn_textcat_multilabel".

    label_smoothing (float): Share of each label's 0 or 1 that is split between both in training.
    class_weights (Optional[Dict[str, float]]): Factors on the loss of labels in texts where they
        hold, 1 for others; more than 1 finds more of a rare label.
    threshold (float): Labels at least so probable count as found in the scores.
    attention_attr, engine: See `DocumentSettings`.
    """

    threshold: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        probability(threshold=self.threshold)


@Language.factory(
    "rnn_textcat_multilabel",
    assigns=["doc.cats"],
    default_config={
        "model": DEFAULT_MODEL,
        **to_config(MultiLabelTextCategorizerSettings()),
        "scorer": {"@scorers": "spacy.textcat_multilabel_scorer.v2"},
    },
    default_score_weights=SCORE_WEIGHTS,
)
@with_fields_of(MultiLabelTextCategorizerSettings)
def make_textcat_multilabel(
    nlp: Language,
    name: str,
    model: Model,
    *,
    settings: MultiLabelTextCategorizerSettings,
    scorer: Optional[Callable],
) -> "RNNMultiLabelTextCategorizer":
    """Make an RNN text classifier for any number of labels; see `RNNMultiLabelTextCategorizer`."""
    return RNNMultiLabelTextCategorizer(nlp.vocab, model, name, **vars(settings), scorer=scorer)


class RNNMultiLabelTextCategorizer(TextCategorizerPipe):
    """Find any number of labels of a text with a recurrent network.

    The probability of each label is set in `doc.cats`. Labels missing in the `doc.cats` of a text
    learned from are unknown, not 0.

    vocab (Vocab): The shared vocabulary.
    model (Model): The thinc model, spacy_rnn.ManyToOne.v1.
    name (str): The component's name in the pipeline.
    settings (MultiLabelTextCategorizerSettings): Its fields are arguments by keyword.
    scorer (Optional[Callable]): The scoring method.
    """

    #: True after scoring has warned of labels without negative examples
    _warned_of_scores = False

    @with_fields_of(MultiLabelTextCategorizerSettings)
    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "rnn_textcat_multilabel",
        *,
        settings: MultiLabelTextCategorizerSettings,
        scorer: Optional[Callable] = None,
    ):
        super().__init__(vocab, model, name, settings, scorer, labels=[])

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        labels: Optional[Iterable[str]] = None,
    ) -> None:
        """Collect labels and vocabularies, and build the network.

        get_examples (Callable[[], Iterable[Example]]): Returns the training examples. All of them
            are read: words that are not in them will be unknown.
        nlp (Language): The current nlp object.
        labels (Optional[Iterable[str]]): The labels, usually from ``spacy init labels``. If not
            set, they are collected from the examples.
        RAISES (ValueError): If there are no examples or labels, or an example has bad annotation.
        """
        examples = self._read_labels(get_examples, labels)
        if not self.labels:
            raise self.missing_data_error(
                get_examples,
                f"'{self.name}' has no labels.",
                "Annotate doc.cats in the training data, or add labels with add_label.",
            )
        self.get_targets(examples)
        without_negatives = self.labels_without_negatives(examples)
        if without_negatives:
            logger.warning(
                "'%s': no training example lacks the labels %s, so that they will be predicted for "
                "all texts. %s",
                self.name,
                without_negatives,
                ZERO_FOR_OTHERS,
            )
        self.model.initialize(X=[eg.x for eg in examples], Y=self.output_sizes)

    def get_targets(self, examples: List[Example]) -> Targets:
        """Get the labels of each text of a batch, and the probabilities that a teacher gives
        (`doc._.soft_labels`). Labels that are not annotated have no loss.

        examples (List[Example]): The examples.
        RETURNS (Targets): 0, 1 or NaN for each text and label, the probabilities, and the loss.
        RAISES (ValueError): If a label is unknown, or a value other than 0 and 1.
        """
        values = self._gold_values(examples)
        annotated = (~np.isnan(values)).any(axis=1)
        loss = nn.losses.multilabel_loss
        return self._targets(examples, {"truth": values}, annotated, loss, exclusive=False)

    def get_rehearsal_targets(self, docs: List[Doc], teacher: Any) -> Targets:
        """Get the earlier network's labels of each text; see `RehearsingPipe`.

        docs (List[Doc]): The documents, none of them empty.
        teacher (Any): The outputs of the earlier network for them.
        RETURNS (Targets): The targets, with the divergence from the teacher as their loss.
        """
        return Targets({}, len(docs), partial(nn.losses.multilabel_divergence, teacher=teacher))

    def to_scores(self, outputs: np.ndarray) -> np.ndarray:
        """Compute the sigmoid, the probability of each label.

        outputs (np.ndarray): The network's outputs, float32 (docs, labels).
        RETURNS (np.ndarray): The probabilities, float32 (docs, labels).
        """
        return 0.5 * (1.0 + np.tanh(0.5 * outputs))

    def score(self, examples: Iterable[Example], **kwargs: Any) -> Dict[str, Any]:
        """Score examples. Warns once of labels without negative examples.

        examples (Iterable[Example]): The examples to score.
        **kwargs: Settings of the scorer.
        RETURNS (Dict[str, Any]): The scores.
        """
        examples = list(examples)
        if not self._warned_of_scores:
            without_negatives = self.labels_without_negatives(examples)
            self._warned_of_scores = bool(without_negatives)
            if without_negatives:
                logger.warning(
                    "'%s': no example to score lacks the labels %s, so that predicting them is "
                    "never counted as wrong. %s",
                    self.name,
                    without_negatives,
                    ZERO_FOR_OTHERS,
                )
        return super().score(examples, **kwargs)

    def labels_without_negatives(self, examples: Iterable[Example]) -> List[str]:
        """Find labels for which there is no negative example, so that predicting them everywhere
        would not be an error.

        examples (Iterable[Example]): The examples of a corpus.
        RETURNS (List[str]): The labels, sorted.
        """
        annotated = [eg.reference.cats for eg in examples if eg.reference.cats]
        labels = set(self.labels) if len(annotated) > 1 else set()
        for cats in annotated:
            if not labels:
                break
            labels -= {label for label in labels if cats.get(label) == 0}
        return sorted(labels)

    def explained_score(self, outputs: "Tensor", label: int) -> "Tensor":
        """Get the log-odds of a label.

        outputs (Tensor): The network's outputs, (docs, labels).
        label (int): The index of the label.
        RETURNS (Tensor): The log-odds for each doc, (docs,).
        """
        return outputs[:, label]
