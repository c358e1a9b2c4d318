"""The regressor component."""

import math
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple, Union

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Model
from torch import Tensor

from ..extensions import set_doc_extension
from ..nn.losses import squared_error
from ..runtime.attribution import Question
from ..runtime.model import Gold
from .base import Contents
from .document import DEFAULT_MODEL, TextPipe, excerpt


@Language.factory(
    "rnn_regressor",
    assigns=["doc._.regression"],
    default_config={
        "model": DEFAULT_MODEL,
        "attr": "regression",
        "attention_attr": None,
        "scorer": {"@scorers": "spacy_rnn.regression_scorer.v1"},
    },
    default_score_weights={
        "regression_pearson": 1.0,
        "regression_spearman": None,
        "regression_mae": None,
        "regression_rmse": None,
        "regression_per_target": None,
    },
)
def make_regressor(
    nlp: Language,
    name: str,
    model: Model,
    attr: str,
    attention_attr: Optional[str],
    scorer: Optional[Callable],
) -> "RNNRegressor":
    """Make an RNN regressor; see `RNNRegressor`."""
    return RNNRegressor(
        nlp.vocab, model, name, attr=attr, attention_attr=attention_attr, scorer=scorer
    )


class RNNRegressor(TextPipe):
    """Predict one or several real numbers for a text with a recurrent network.

    Both the numbers to learn from and the predicted ones stand in a Doc extension, by default
    `doc._.regression`: {"NAME": value}. A name that is missing in a text learned from is unknown.
    Inside, each target is standardized by its mean and standard deviation in the training data,
    which are stored with the component; the loss is of standardized values.

    attr (str): Name of the extension.
    attention_attr (Optional[str]): Name of a Doc and Token extension for how much each token
        counts: a list of numbers. The model must pool by attention.
    """

    EXPLAINED = "{}"

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "rnn_regressor",
        *,
        attr: str = "regression",
        attention_attr: Optional[str] = None,
        scorer: Optional[Callable] = None,
    ):
        super().__init__(
            vocab, model, name, labels={}, attr=attr, attention_attr=attention_attr, scorer=scorer
        )

    def register_extensions(self) -> None:
        super().register_extensions()
        set_doc_extension(self.cfg["attr"])

    @property
    def label_data(self) -> Dict[str, Dict[str, str]]:
        """The targets, each with its "mean" and "std"; what ``spacy init labels`` saves. The two
        are text: spaCy's JSON keeps ten decimals, which are none of a very small number."""
        return self.cfg["labels"]

    def add_label(
        self, label: str, mean: Union[float, str] = 0.0, std: Union[float, str] = 1.0
    ) -> int:
        """Add a target; a trained model makes room for it and keeps what it has learned.

        label (str): The name of the target.
        mean, std (Union[float, str]): What its values are standardized by.
        RETURNS (int): 0 if the target is already present, otherwise 1.
        """
        if self._has_label(label, self.cfg["labels"]):
            return 0
        mean, std = float(mean), float(std)
        if not (math.isfinite(mean) and math.isfinite(std) and std > 0):
            raise ValueError(
                f"The target '{label}' needs a finite mean and a standard deviation above 0, got "
                f"{mean} and {std}."
            )
        self.cfg["labels"][label] = {"mean": repr(mean), "std": repr(std)}
        self._labels_grew()
        return 1

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        labels: Optional[Mapping[str, Mapping[str, Union[float, str]]]] = None,
    ) -> None:
        """Collect targets, their means and deviations, and vocabularies; make the network.

        get_examples (Callable[[], Iterable[Example]]): Returns the training examples. All of them
            are read: what is not among their words is an unknown word later.
        nlp (Language): The current nlp object.
        labels (Optional[Mapping[str, Mapping]]): The targets with "mean" and "std", usually
            from ``spacy init labels``; else they are taken from the examples.
        """
        examples = self._training_examples(get_examples)
        if labels is None:
            labels = self._statistics(examples)
        for label, numbers in labels.items():
            self.add_label(label, **numbers)
        if not self.labels:
            attr = self.cfg["attr"]
            raise self._nothing_to_learn(
                get_examples,
                f"'{self.name}' has no targets.",
                f'Set doc._.{attr} = {{"NAME": value}} in the training data (and save it with '
                f"DocBin(store_user_data=True)), or add targets with add_label.",
            )
        self.get_gold(examples)
        self.model.initialize(X=[eg.x for eg in examples], Y=self.outputs)

    @property
    def annotation(self) -> Tuple[str, ...]:
        return (f"doc._.{self.cfg['attr']}",)

    def get_gold(self, examples: List[Example]) -> Gold:
        """The standardized values of each text; those without annotation have no loss."""
        truth = np.full((len(examples), len(self.labels)), np.nan)
        column = {label: i for i, label in enumerate(self.labels)}
        for row, eg in zip(truth, examples, strict=True):
            for label, value in self._values(eg).items():
                if label not in column:
                    raise self._unknown("target", label)
                row[column[label]] = value
        mean, std = self._mean_and_std()
        standardized = ((truth - mean) / std).astype("float32")
        n_items = int((~np.isnan(truth)).any(axis=1).sum())
        return Gold({"truth": standardized}, n_items, squared_error)

    def contents(self, example: Example) -> Contents:
        """The number of each target."""
        labels = {label: [value] for label, value in self._values(example).items()}
        return super().contents(example)._replace(labels=labels)

    def _values(self, example: Example) -> Dict[str, float]:
        """The values of an example's targets."""
        values: Dict[str, Any] = example.reference._.get(self.cfg["attr"]) or {}
        for label, value in values.items():
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ValueError(
                    f"'{self.name}' learns from finite numbers, but doc._.{self.cfg['attr']} of "
                    f"the text {excerpt(example)} has {label} = {value!r}. Correct it, or leave "
                    f"the target out of this text."
                )
        return values

    def _statistics(self, examples: List[Example]) -> Dict[str, Dict[str, float]]:
        """Mean and standard deviation of each target, by name."""
        found: Dict[str, List[float]] = {}
        for eg in examples:
            for label, value in self._values(eg).items():
                found.setdefault(label, []).append(value)
        # A constant target has no deviation; its values become 0 by any.
        return {
            label: {"mean": float(np.mean(found[label])), "std": float(np.std(found[label])) or 1.0}
            for label in sorted(found)
        }

    def _mean_and_std(self) -> np.ndarray:
        """float64 (2, targets)."""
        numbers = self.cfg["labels"].values()
        return np.array([[float(n[name]) for n in numbers] for name in ("mean", "std")])

    def to_scores(self, outputs: np.ndarray) -> np.ndarray:
        """From standardized values to those of the targets."""
        mean, std = self._mean_and_std()
        return (outputs * std + mean).astype("float32")

    def to_explained(self, outputs: Tensor, label: int) -> Tensor:
        mean, std = self._mean_and_std()[:, label].tolist()
        return outputs[:, label] * std + mean

    def question(self, doc: Doc, label: Optional[str] = None) -> Question:
        """Why a text gets a value.

        label (Optional[str]): The target, needed where there are several.
        """
        if label is None and len(self.labels) > 1:
            raise ValueError(
                f"'{self.name}' predicts several numbers. Choose one as the label: "
                f"{', '.join(self.labels)}."
            )
        return super().question(doc, label)

    def set_scores(self, doc: Doc, scores: List[float]) -> None:
        others = doc._.get(self.cfg["attr"]) or {}
        doc._.set(self.cfg["attr"], {**others, **dict(zip(self.labels, scores, strict=True))})
