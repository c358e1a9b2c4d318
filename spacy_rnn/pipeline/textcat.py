"""The text classifiers: exclusive classes, and any number of labels."""

import logging
from functools import partial
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

import numpy as np
from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Model
from torch import Tensor

from ..nn.losses import (
    MISSING,
    exclusive_divergence,
    exclusive_loss,
    log_odds,
    multilabel_divergence,
    multilabel_loss,
)
from ..runtime.model import Gold
from .annotation import ZERO_FOR_OTHERS
from .base import Contents
from .document import DEFAULT_MODEL, TARGET, TextPipe, excerpt
from .rehearsal import RehearsingPipe

logger = logging.getLogger("spacy_rnn")

SCORE_WEIGHTS = {
    "cats_score": 1.0,
    "cats_score_desc": None,
    "cats_micro_p": None,
    "cats_micro_r": None,
    "cats_micro_f": None,
    "cats_macro_p": None,
    "cats_macro_r": None,
    "cats_macro_f": None,
    "cats_macro_auc": None,
    "cats_f_per_type": None,
}


@Language.factory(
    "rnn_textcat",
    assigns=["doc.cats"],
    default_config={
        "model": DEFAULT_MODEL,
        "label_smoothing": 0.0,
        "class_weights": None,
        "attention_attr": None,
        "scorer": {"@scorers": "spacy.textcat_scorer.v2"},
    },
    default_score_weights=SCORE_WEIGHTS,
)
def make_textcat(
    nlp: Language,
    name: str,
    model: Model,
    label_smoothing: float,
    class_weights: Optional[Dict[str, float]],
    attention_attr: Optional[str],
    scorer: Optional[Callable],
) -> "RNNTextCategorizer":
    """Make an RNN text classifier for exclusive classes; see `RNNTextCategorizer`."""
    return RNNTextCategorizer(
        nlp.vocab,
        model,
        name,
        label_smoothing=label_smoothing,
        class_weights=class_weights,
        attention_attr=attention_attr,
        scorer=scorer,
    )


@Language.factory(
    "rnn_textcat_multilabel",
    assigns=["doc.cats"],
    default_config={
        "model": DEFAULT_MODEL,
        "threshold": 0.5,
        "label_smoothing": 0.0,
        "class_weights": None,
        "attention_attr": None,
        "scorer": {"@scorers": "spacy.textcat_multilabel_scorer.v2"},
    },
    default_score_weights=SCORE_WEIGHTS,
)
def make_textcat_multilabel(
    nlp: Language,
    name: str,
    model: Model,
    threshold: float,
    label_smoothing: float,
    class_weights: Optional[Dict[str, float]],
    attention_attr: Optional[str],
    scorer: Optional[Callable],
) -> "RNNMultiLabelTextCategorizer":
    """Make an RNN text classifier for any number of labels; see `RNNMultiLabelTextCategorizer`."""
    return RNNMultiLabelTextCategorizer(
        nlp.vocab,
        model,
        name,
        threshold=threshold,
        label_smoothing=label_smoothing,
        class_weights=class_weights,
        attention_attr=attention_attr,
        scorer=scorer,
    )


class _Categorizer(RehearsingPipe, TextPipe):
    """What both classifiers share: labels and annotation in `doc.cats`."""

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str,
        *,
        label_smoothing: float = 0.0,
        class_weights: Optional[Dict[str, float]] = None,
        attention_attr: Optional[str] = None,
        scorer: Optional[Callable] = None,
        **cfg: Any,
    ):
        super().__init__(
            vocab,
            model,
            name,
            labels=[],
            label_smoothing=label_smoothing,
            class_weights=class_weights,
            attention_attr=attention_attr,
            scorer=scorer,
            **cfg,
        )

    def add_label(self, label: str) -> int:
        """Add a label; a trained model makes room for it and keeps what it has learned.

        label (str): The label.
        RETURNS (int): 0 if the label is already present, otherwise 1.
        """
        if self._has_label(label, self.cfg["labels"]):
            return 0
        self.cfg["labels"].append(label)
        self._labels_grew()
        return 1

    def _learn_labels(
        self, get_examples: Callable[[], Iterable[Example]], labels: Optional[Iterable[str]]
    ) -> List[Example]:
        """Take up the labels given, or all in the examples, sorted; returns the examples."""
        examples = self._training_examples(get_examples)
        if labels is None:
            labels = sorted({label for eg in examples for label in eg.reference.cats})
        for label in labels:
            self.add_label(label)
        return examples

    @property
    def annotation(self) -> Tuple[str, ...]:
        return ("doc.cats",)

    def _annotation(self, examples: List[Example]) -> np.ndarray:
        """0, 1 or, where a label is not annotated, NaN: float32 (examples, labels)."""
        column = {label: i for i, label in enumerate(self.cfg["labels"])}
        truth = np.full((len(examples), len(column)), np.nan, dtype="float32")
        for row, eg in zip(truth, examples, strict=True):
            for label, value in eg.reference.cats.items():
                if label not in column:
                    raise self._unknown("category", label)
                if value not in (0.0, 1.0):
                    raise ValueError(
                        f"'{self.name}' learns from values of 0 and 1 in doc.cats, but the text "
                        f"{excerpt(eg)} has {label} = {value}. Round it, or use 'rnn_regressor' to "
                        f"predict numbers."
                    )
                row[column[label]] = value
        return truth

    def contents(self, example: Example) -> Contents:
        """The labels that hold."""
        cats = example.reference.cats
        labels = {TARGET: [label for label, value in cats.items() if value > 0]} if cats else {}
        return super().contents(example)._replace(labels=labels)

    def _with_weights(self, arrays: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
        weights = self._weights_of(self.labels)
        return arrays if weights is None else {**arrays, "weights": weights}

    def set_scores(self, doc: Doc, scores: List[float]) -> None:
        doc.cats.update(zip(self.cfg["labels"], scores, strict=True))


class RNNTextCategorizer(_Categorizer):
    """Classify a text into one of several classes with a recurrent network.

    The probabilities of the classes, which sum to 1, are set in `doc.cats`. A text learned from may
    name its class, or only classes that it does not belong to (0 in `doc.cats`).

    label_smoothing (float): Share of the probability spread over all classes in training.
    class_weights (Optional[Dict[str, float]]): Factors on the loss of classes; 1 for others.
    attention_attr (Optional[str]): Name of a Doc and Token extension for how much each token
        counts: a list of numbers. The model must pool by attention.
    """

    LEARNED = ("labels", "positive_label")

    def __init__(self, vocab: Vocab, model: Model, name: str = "rnn_textcat", **settings: Any):
        super().__init__(vocab, model, name, positive_label=None, **settings)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        labels: Optional[Iterable[str]] = None,
        positive_label: Optional[str] = None,
    ) -> None:
        """Collect classes and vocabularies, and make the network.

        get_examples (Callable[[], Iterable[Example]]): Returns the training examples. All of them
            are read: what is not among their words is an unknown word later.
        nlp (Language): The current nlp object.
        labels (Optional[Iterable[str]]): The classes, usually from ``spacy init labels``; else they
            are taken from the examples.
        positive_label (Optional[str]): Of two classes the one whose F-score is `cats_score`.
        """
        examples = self._learn_labels(get_examples, labels)
        if len(self.labels) < 2:
            raise self._nothing_to_learn(
                get_examples,
                f"'{self.name}' chooses between classes and needs at least two, but has "
                f"{list(self.labels)}.",
                "Annotate doc.cats in the training data with all classes, or use "
                "'rnn_textcat_multilabel' for a label that holds or not.",
            )
        if positive_label is not None and positive_label not in self.labels:
            raise ValueError(Errors.E920.format(pos_label=positive_label, labels=self.labels))
        if positive_label is not None and len(self.labels) != 2:
            raise ValueError(Errors.E919.format(pos_label=positive_label, labels=self.labels))
        self.cfg["positive_label"] = positive_label
        self.get_gold(examples)
        self.model.initialize(X=[eg.x for eg in examples], Y=self.outputs)

    def get_gold(self, examples: List[Example]) -> Gold:
        """The class of each text or, where it is not known, the classes that are not ruled out."""
        truth = self._annotation(examples)
        possible = truth != 0
        for eg, row, rest in zip(examples, truth, possible, strict=True):
            if (row == 1).sum() > 1:
                problem, cure = "two classes or more", "give it one, or use"
            elif not rest.any():
                problem, cure = "no class: all are 0", "give it one, leave doc.cats empty, or use"
            else:
                continue
            raise ValueError(
                f"'{self.name}' learns from texts of exactly one class, but {excerpt(eg)} has "
                f"{problem}; {cure} 'rnn_textcat_multilabel'. Its doc.cats: {eg.reference.cats}"
            )
        named = (truth == 1).any(axis=1)
        possible[named] = truth[named] == 1
        n_possible = possible.sum(axis=1)
        labels = np.where(n_possible == 1, possible.argmax(axis=1), MISSING)
        arrays = {"label": labels.astype("int64")}
        doubtful = (n_possible > 1) & (n_possible < len(self.labels))
        if doubtful.any():
            arrays.update(doubtful=np.flatnonzero(doubtful), possible=possible[doubtful])
        loss = partial(exclusive_loss, label_smoothing=self.cfg["label_smoothing"])
        n_items = int((n_possible < len(self.labels)).sum())
        return Gold(self._with_weights(arrays), n_items, loss)

    def get_rehearsal(self, docs: List[Doc], teacher: Any) -> Gold:
        """The class of each text by the earlier network."""
        return Gold({}, len(docs), partial(exclusive_divergence, teacher=teacher))

    def to_scores(self, outputs: np.ndarray) -> np.ndarray:
        """Softmax."""
        exponentials = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)

    def to_explained(self, outputs: Tensor, label: int) -> Tensor:
        return log_odds(outputs, label)


class RNNMultiLabelTextCategorizer(_Categorizer):
    """Find any number of labels of a text with a recurrent network.

    The probability of each label is set in `doc.cats`. Labels missing in the `doc.cats` of a text
    learned from are unknown, not 0.

    threshold (float): Labels at least so probable count as found in the scores.
    label_smoothing (float): Share of each label's 0 or 1 that is split between both in training.
    class_weights (Optional[Dict[str, float]]): Factors on the loss of labels in texts where they
        hold, 1 for others; more than 1 finds more of a rare label.
    attention_attr (Optional[str]): Name of a Doc and Token extension for how much each token
        counts: a list of numbers. The model must pool by attention.
    """

    #: whether scoring has warned of labels that no text lacks
    _warned_of_scores = False

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "rnn_textcat_multilabel",
        *,
        threshold: float = 0.5,
        **settings: Any,
    ):
        super().__init__(vocab, model, name, threshold=threshold, **settings)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        labels: Optional[Iterable[str]] = None,
    ) -> None:
        """Collect labels and vocabularies, and make the network.

        get_examples (Callable[[], Iterable[Example]]): Returns the training examples. All of them
            are read: what is not among their words is an unknown word later.
        nlp (Language): The current nlp object.
        labels (Optional[Iterable[str]]): The labels, usually from ``spacy init labels``; else they
            are taken from the examples.
        """
        examples = self._learn_labels(get_examples, labels)
        if not self.labels:
            raise self._nothing_to_learn(
                get_examples,
                f"'{self.name}' has no labels.",
                "Annotate doc.cats in the training data, or add labels with add_label.",
            )
        self.get_gold(examples)
        never_absent = self.never_absent(examples)
        if never_absent:
            logger.warning(
                "'%s': no training example lacks the labels %s, so that they will be predicted for "
                "all texts. %s",
                self.name,
                never_absent,
                ZERO_FOR_OTHERS,
            )
        self.model.initialize(X=[eg.x for eg in examples], Y=self.outputs)

    def never_absent(self, examples: Iterable[Example]) -> List[str]:
        annotated = [eg.reference.cats for eg in examples if eg.reference.cats]
        labels = set(self.labels) if len(annotated) > 1 else set()
        for cats in annotated:
            if not labels:
                break
            labels -= {label for label in labels if cats.get(label) == 0}
        return sorted(labels)

    def score(self, examples: Iterable[Example], **kwargs: Any) -> Dict[str, Any]:
        """Score examples; warn once if they cannot show that a label is predicted wrongly."""
        examples = list(examples)
        if not self._warned_of_scores:
            never_absent = self.never_absent(examples)
            self._warned_of_scores = bool(never_absent)
            if never_absent:
                logger.warning(
                    "'%s': no example to score lacks the labels %s, so that predicting them is "
                    "never counted as wrong. %s",
                    self.name,
                    never_absent,
                    ZERO_FOR_OTHERS,
                )
        return super().score(examples, **kwargs)

    def get_gold(self, examples: List[Example]) -> Gold:
        """Which labels each text has; those without annotation have no loss."""
        truth = self._annotation(examples)
        n_items = int((~np.isnan(truth)).any(axis=1).sum())
        loss = partial(multilabel_loss, label_smoothing=self.cfg["label_smoothing"])
        return Gold(self._with_weights({"truth": truth}), n_items, loss)

    def get_rehearsal(self, docs: List[Doc], teacher: Any) -> Gold:
        """The labels of each text by the earlier network."""
        return Gold({}, len(docs), partial(multilabel_divergence, teacher=teacher))

    def to_scores(self, outputs: np.ndarray) -> np.ndarray:
        """Sigmoid."""
        return 0.5 * (1.0 + np.tanh(0.5 * outputs))

    def to_explained(self, outputs: Tensor, label: int) -> Tensor:
        return outputs[:, label]
