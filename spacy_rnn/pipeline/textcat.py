"""The text classifier for exclusive classes, and the base of both text classifiers."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Optional, Tuple

import numpy as np
from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Model

from .. import nn
from ..config.signature import to_config, with_fields_of
from ..features.soft_labels import (
    TEXT_TARGET,
    are_exclusive,
    common_temperature,
    soft_labels_of,
)
from ..runtime.model import Targets
from ..validation import label_weights, rate
from .document import DEFAULT_MODEL, TARGET, DocumentPipe, DocumentSettings, excerpt
from .rehearsal import RehearsingPipe
from .reports import ExampleStats
from .soft_targets import soft_text_targets

if TYPE_CHECKING:
    from torch import Tensor

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


@dataclass(frozen=True)
class TextCategorizerSettings(DocumentSettings):
    """Settings of "rnn_textcat".

    label_smoothing (float): Share of the probability spread over all classes in training.
    class_weights (Optional[Dict[str, float]]): Factors on the loss of classes; 1 for others.
    attention_attr, engine: See `DocumentSettings`.
    """

    label_smoothing: float = 0.0
    class_weights: Optional[Dict[str, float]] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        rate(label_smoothing=self.label_smoothing)
        label_weights(class_weights=self.class_weights)


@Language.factory(
    "rnn_textcat",
    assigns=["doc.cats"],
    default_config={
        "model": DEFAULT_MODEL,
        **to_config(TextCategorizerSettings()),
        "scorer": {"@scorers": "spacy.textcat_scorer.v2"},
    },
    default_score_weights=SCORE_WEIGHTS,
)
@with_fields_of(TextCategorizerSettings)
def make_textcat(
    nlp: Language,
    name: str,
    model: Model,
    *,
    settings: TextCategorizerSettings,
    scorer: Optional[Callable],
) -> "RNNTextCategorizer":
    """Make an RNN text classifier for exclusive classes; see `RNNTextCategorizer`."""
    return RNNTextCategorizer(nlp.vocab, model, name, **vars(settings), scorer=scorer)


class TextCategorizerPipe(RehearsingPipe, DocumentPipe):
    """Base of both text classifiers: labels and annotation in `doc.cats`."""

    @property
    def gold_annotation(self) -> Tuple[str, ...]:
        """Categories (Tuple[str, ...])."""
        return ("doc.cats",)

    def _read_labels(
        self, get_examples: Callable[[], Iterable[Example]], labels: Optional[Iterable[str]]
    ) -> List[Example]:
        """Add `labels` or, without them, all in the examples, sorted. Returns the examples."""
        examples = self.training_examples(get_examples)
        if labels is None:
            labels = sorted({label for eg in examples for label in eg.reference.cats})
        for label in labels:
            self.add_label(label)
        return examples

    def _gold_values(self, examples: List[Example]) -> np.ndarray:
        """The values in `doc.cats`, 0 or 1: float32 (examples, labels), NaN if not annotated."""
        column = {label: i for i, label in enumerate(self.cfg["labels"])}
        values = np.full((len(examples), len(column)), np.nan, dtype="float32")
        for row, eg in zip(values, examples, strict=True):
            for label, value in eg.reference.cats.items():
                if label not in column:
                    raise self._unknown_label_error("category", label)
                if value not in (0.0, 1.0):
                    raise ValueError(
                        f"'{self.name}' learns from values of 0 and 1 in doc.cats, but the text "
                        f"{excerpt(eg)} has {label} = {value}. Round it, or use 'rnn_regressor' to "
                        f"predict numbers."
                    )
                row[column[label]] = value
        return values

    def _targets(
        self,
        examples: List[Example],
        arrays: Dict[str, np.ndarray],
        annotated: np.ndarray,
        loss: Callable,
        exclusive: bool,
    ) -> Targets:
        """The targets of gold labels, and of the probabilities that a teacher gives.

        arrays (Dict[str, np.ndarray]): The gold labels.
        annotated (np.ndarray): True for texts that have some, bool (examples,).
        loss (Callable): Their loss.
        exclusive (bool): As of `soft_text_targets`.
        """
        soft = soft_text_targets(examples, self.labels, exclusive)
        if soft:
            annotated = annotated | (soft["share"] > 0)
        if self.cfg["class_weights"]:
            arrays = {**arrays, "weights": self._class_weight_array(self.labels)}
        temperature = common_temperature([eg.reference for eg in examples], [TEXT_TARGET])
        smoothing = self.cfg["label_smoothing"]
        loss = partial(loss, label_smoothing=smoothing, temperature=temperature)
        return Targets({**arrays, **soft}, int(annotated.sum()), loss)

    def set_scores(self, doc: Doc, scores: List[float]) -> None:
        """Write the probability of each label to `doc.cats`.

        doc (Doc): The document to modify.
        scores (List[float]): The probabilities, in the order of `labels`.
        """
        doc.cats.update(zip(self.cfg["labels"], scores, strict=True))

    def example_stats(self, example: Example) -> ExampleStats:
        """Get the words of an example, and its positive labels.

        example (Example): The example.
        RETURNS (ExampleStats): Its contents.
        """
        cats = example.reference.cats
        labels = {TARGET: [label for label, value in cats.items() if value > 0]} if cats else {}
        return super().example_stats(example)._replace(labels=labels)


class RNNTextCategorizer(TextCategorizerPipe):
    """Classify a text into one of several classes with a recurrent network.

    The probabilities of the classes, which sum to 1, are set in `doc.cats`. A text learned from may
    name its class, or only classes that it does not belong to (0 in `doc.cats`).

    vocab (Vocab): The shared vocabulary.
    model (Model): The thinc model, spacy_rnn.ManyToOne.v1.
    name (str): The component's name in the pipeline.
    settings (TextCategorizerSettings): Its fields are arguments by keyword.
    scorer (Optional[Callable]): The scoring method.
    """

    PERSISTED_CFG = ("labels", "positive_label")

    @with_fields_of(TextCategorizerSettings)
    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "rnn_textcat",
        *,
        settings: TextCategorizerSettings,
        scorer: Optional[Callable] = None,
    ):
        super().__init__(vocab, model, name, settings, scorer, labels=[], positive_label=None)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        labels: Optional[Iterable[str]] = None,
        positive_label: Optional[str] = None,
    ) -> None:
        """Collect classes and vocabularies, and build the network.

        get_examples (Callable[[], Iterable[Example]]): Returns the training examples. All of them
            are read: words that are not in them will be unknown.
        nlp (Language): The current nlp object.
        labels (Optional[Iterable[str]]): The classes, usually from ``spacy init labels``. If not
            set, they are collected from the examples.
        positive_label (Optional[str]): Of two classes the one whose F-score is `cats_score`.
        RAISES (ValueError): If there are no examples, less than two classes, or an example whose
            annotation is not one class.
        """
        examples = self._read_labels(get_examples, labels)
        if len(self.labels) < 2:
            raise self.missing_data_error(
                get_examples,
                f"'{self.name}' chooses between classes and needs at least two, but has "
                f"{list(self.labels)}.",
                "Annotate doc.cats in the training data with all classes, or use "
                "'rnn_textcat_multilabel' for a binary label.",
            )
        if positive_label is not None and positive_label not in self.labels:
            raise ValueError(Errors.E920.format(pos_label=positive_label, labels=self.labels))
        if positive_label is not None and len(self.labels) != 2:
            raise ValueError(Errors.E919.format(pos_label=positive_label, labels=self.labels))
        self.cfg["positive_label"] = positive_label
        self.get_targets(examples)
        self.model.initialize(X=[eg.x for eg in examples], Y=self.output_sizes)

    def get_targets(self, examples: List[Example]) -> Targets:
        """Get the class of each text of a batch or, if it is not known, the classes that may be
        (the candidates); and the probabilities that a teacher gives (`doc._.soft_labels`). Texts
        without annotation have no loss.

        examples (List[Example]): The examples.
        RETURNS (Targets): The indices of the classes, the candidates, the probabilities, and the
            loss.
        RAISES (ValueError): If a class is unknown, or a text has several classes, or none.
        """
        values = self._gold_values(examples)
        candidates = values != 0
        for eg, row, rest in zip(examples, values, candidates, strict=True):
            if (row == 1).sum() > 1:
                problem, cure = "two classes or more", "give it one, or use"
            elif not rest.any():
                problem, cure = "no class: all are 0", "give it one, leave doc.cats empty, or use"
            else:
                continue
            soft = soft_labels_of(eg.reference).get(TEXT_TARGET)
            if soft is not None and not are_exclusive(soft.probabilities):
                problem += f", as its probabilities sum to {soft.probabilities.sum():.4g}, not to 1"
                cure = "correct them, or use"
            raise ValueError(
                f"'{self.name}' learns from texts of exactly one class, but {excerpt(eg)} has "
                f"{problem}; {cure} 'rnn_textcat_multilabel'. Its doc.cats: {eg.reference.cats}"
            )
        named = (values == 1).any(axis=1)
        candidates[named] = values[named] == 1
        n_candidates = candidates.sum(axis=1)
        labels = np.where(n_candidates == 1, candidates.argmax(axis=1), nn.losses.MISSING)
        arrays = {"label": labels.astype("int64")}
        ambiguous = (n_candidates > 1) & (n_candidates < len(self.labels))
        if ambiguous.any():
            arrays.update(ambiguous=np.flatnonzero(ambiguous), candidates=candidates[ambiguous])
        annotated = n_candidates < len(self.labels)
        return self._targets(examples, arrays, annotated, nn.losses.exclusive_loss, exclusive=True)

    def get_rehearsal_targets(self, docs: List[Doc], teacher: Any) -> Targets:
        """Get the earlier network's class of each text; see `RehearsingPipe`.

        docs (List[Doc]): The documents, none of them empty.
        teacher (Any): The outputs of the earlier network for them.
        RETURNS (Targets): The targets, with the divergence from the teacher as their loss.
        """
        return Targets({}, len(docs), partial(nn.losses.exclusive_divergence, teacher=teacher))

    def score(self, examples: Iterable[Example], **kwargs: Any) -> Dict[str, Any]:
        """Score examples. Those without annotation are left out: spaCy's scorer would count their
        predictions as wrong.

        examples (Iterable[Example]): The examples to score.
        **kwargs: Settings of the scorer.
        RETURNS (Dict[str, Any]): The scores.
        """
        annotated = [eg for eg in examples if not self.lacks_annotation(eg)]
        return super().score(annotated, **kwargs)

    def to_scores(self, outputs: np.ndarray) -> np.ndarray:
        """Compute the softmax, the probabilities of the classes.

        outputs (np.ndarray): The network's outputs, float32 (docs, labels).
        RETURNS (np.ndarray): The probabilities, float32 (docs, labels).
        """
        exponentials = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)

    def explained_score(self, outputs: "Tensor", label: int) -> "Tensor":
        """Compute the log-odds of a class.

        outputs (Tensor): The network's outputs, (docs, labels).
        label (int): The index of the class.
        RETURNS (Tensor): The log-odds for each doc, (docs,).
        """
        return nn.losses.log_odds(outputs, label)
