"""The regressor component."""

import math
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Tuple,
    Union,
)

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Model

from .. import nn
from ..config.signature import to_config, with_fields_of
from ..extensions import set_doc_extension
from ..runtime.attribution import AttributionTarget
from ..runtime.model import Targets
from ..validation import extension_name
from .document import DEFAULT_MODEL, DocumentPipe, DocumentSettings, excerpt
from .reports import ExampleStats

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class RegressorSettings(DocumentSettings):
    """Settings of "rnn_regressor".

    attr (str): Name of the Doc extension of the numbers, gold and predicted.
    attention_attr, engine: See `DocumentSettings`.
    """

    attr: str = "regression"

    def __post_init__(self) -> None:
        super().__post_init__()
        extension_name(attr=self.attr)


@Language.factory(
    "rnn_regressor",
    assigns=["doc._.regression"],
    default_config={
        "model": DEFAULT_MODEL,
        **to_config(RegressorSettings()),
        "scorer": {"@scorers": "spacy_rnn.regression_scorer.v1"},
    },
    default_score_weights={
        "pearson": 1.0,
        "spearman": None,
        "mae": None,
        "rmse": None,
        "regression_per_target": None,
    },
)
@with_fields_of(RegressorSettings)
def make_regressor(
    nlp: Language,
    name: str,
    model: Model,
    *,
    settings: RegressorSettings,
    scorer: Optional[Callable],
) -> "RNNRegressor":
    """Make an RNN regressor; see `RNNRegressor`."""
    return RNNRegressor(nlp.vocab, model, name, **vars(settings), scorer=scorer)


class RNNRegressor(DocumentPipe):
    """Predict one or several real numbers for a text with a recurrent network.

    Both the numbers to learn from and the predicted ones stand in a Doc extension, by default
    `doc._.regression`: {"NAME": value}. A name that is missing in a text learned from is unknown.
    Inside, each target is standardized by its mean and standard deviation in the training data,
    which are stored with the component; the loss is of standardized values.

    vocab (Vocab): The shared vocabulary.
    model (Model): The thinc model, spacy_rnn.ManyToOne.v1.
    name (str): The component's name in the pipeline.
    settings (RegressorSettings): Its fields are arguments by keyword.
    scorer (Optional[Callable]): The scoring method.
    """

    SCALE = "value"

    @with_fields_of(RegressorSettings)
    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "rnn_regressor",
        *,
        settings: RegressorSettings,
        scorer: Optional[Callable] = None,
    ):
        super().__init__(vocab, model, name, settings, scorer, labels={})

    def register_extensions(self) -> None:
        """Register the extensions of the settings `attr` and `attention_attr`."""
        super().register_extensions()
        set_doc_extension(self.cfg["attr"])

    # Targets

    @property
    def label_data(self) -> Dict[str, Dict[str, str]]:
        """The targets, each with its "mean" and "std", as `initialize` takes them; ``spacy init
        labels`` saves them. The numbers are strings, as spaCy's JSON keeps only ten decimals
        (Dict[str, Dict[str, str]])."""
        return self.cfg["labels"]

    def add_label(
        self, label: str, mean: Union[float, str] = 0.0, std: Union[float, str] = 1.0
    ) -> int:
        """Add a target. A trained network gets an output for it, and keeps its other weights.

        label (str): The name of the target.
        mean (Union[float, str]): The mean that standardizes its values.
        std (Union[float, str]): The standard deviation that standardizes its values.
        RETURNS (int): 0 if the target is already present, otherwise 1.
        RAISES (ValueError): If the numbers are not finite, or `std` is not above 0.
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
        self._resize_output()
        return 1

    # Training

    @property
    def gold_annotation(self) -> Tuple[str, ...]:
        """The extension of the setting `attr` (Tuple[str, ...])."""
        return (f"doc._.{self.cfg['attr']}",)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        labels: Optional[Mapping[str, Mapping[str, Union[float, str]]]] = None,
    ) -> None:
        """Collect targets, their means and standard deviations, and vocabularies, and build the
        network.

        get_examples (Callable[[], Iterable[Example]]): Returns the training examples. All of them
            are read: words that are not in them will be unknown.
        nlp (Language): The current nlp object.
        labels (Optional[Mapping[str, Mapping[str, Union[float, str]]]]): The targets with "mean"
            and "std", usually from ``spacy init labels``. If not set, they are collected from the
            examples.
        RAISES (ValueError): If there are no examples or targets, or an example has bad values.
        """
        examples = self.training_examples(get_examples)
        if labels is None:
            labels = self._statistics(examples)
        for label, numbers in labels.items():
            self.add_label(label, **numbers)
        if not self.labels:
            attr = self.cfg["attr"]
            raise self.missing_data_error(
                get_examples,
                f"'{self.name}' has no targets.",
                f'Set doc._.{attr} = {{"NAME": value}} in the training data (and save it with '
                f"DocBin(store_user_data=True)), or add targets with add_label.",
            )
        self.get_targets(examples)
        self.model.initialize(X=[eg.x for eg in examples], Y=self.output_sizes)

    def _statistics(self, examples: List[Example]) -> Dict[str, Dict[str, float]]:
        """The mean and standard deviation of each target, by name."""
        found: Dict[str, List[float]] = {}
        for eg in examples:
            for label, value in self._gold_values(eg).items():
                found.setdefault(label, []).append(value)
        # A constant target has no deviation; any makes its standardized values 0.
        return {
            label: {"mean": float(np.mean(found[label])), "std": float(np.std(found[label])) or 1.0}
            for label in sorted(found)
        }

    def get_targets(self, examples: List[Example]) -> Targets:
        """Get the standardized values of each text of a batch. Those that are missing have no loss.

        examples (List[Example]): The examples.
        RETURNS (Targets): The values, NaN if missing, and the loss.
        RAISES (ValueError): If a target is unknown, or a value is not a finite number.
        """
        values = np.full((len(examples), len(self.labels)), np.nan)
        column = {label: i for i, label in enumerate(self.labels)}
        for row, eg in zip(values, examples, strict=True):
            for label, value in self._gold_values(eg).items():
                if label not in column:
                    raise self._unknown_label_error("target", label)
                row[column[label]] = value
        mean, std = self._mean_and_std()
        standardized = ((values - mean) / std).astype("float32")
        n_items = int((~np.isnan(values)).any(axis=1).sum())
        return Targets({"truth": standardized}, n_items, nn.losses.squared_error)

    def _gold_values(self, example: Example) -> Dict[str, float]:
        """The values of an example's targets.

        RAISES (ValueError): If they are not a dict, or one is not a finite number.
        """
        values: Any = example.reference._.get(self.cfg["attr"]) or {}
        if not isinstance(values, Mapping):
            raise ValueError(
                f"'{self.name}' learns from a dict with the number of each target, but "
                f"doc._.{self.cfg['attr']} of the text {excerpt(example)} is {values!r}. Write "
                f'{{"NAME": value}}.'
            )
        for label, value in values.items():
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ValueError(
                    f"'{self.name}' learns from finite numbers, but doc._.{self.cfg['attr']} of "
                    f"the text {excerpt(example)} has {label} = {value!r}. Correct it, or leave "
                    f"the target out of this text."
                )
        return dict(values)

    def _mean_and_std(self) -> np.ndarray:
        """float64 (2, targets)."""
        numbers = self.cfg["labels"].values()
        return np.array([[float(n[name]) for n in numbers] for name in ("mean", "std")])

    # Prediction

    def to_scores(self, outputs: np.ndarray) -> np.ndarray:
        """Compute the values of targets from standardized ones.

        outputs (np.ndarray): The network's outputs, float32 (docs, targets).
        RETURNS (np.ndarray): The values, float32 (docs, targets).
        """
        mean, std = self._mean_and_std()
        return (outputs * std + mean).astype("float32")

    def set_scores(self, doc: Doc, scores: List[float]) -> None:
        """Write the value of each target to the extension. Other values there are kept.

        doc (Doc): The document to modify.
        scores (List[float]): The values, in the order of `labels`.
        """
        others = doc._.get(self.cfg["attr"]) or {}
        doc._.set(self.cfg["attr"], {**others, **dict(zip(self.labels, scores, strict=True))})

    # Reports and analysis

    def example_stats(self, example: Example) -> ExampleStats:
        """Get the words of an example, and the value of each target.

        example (Example): The example.
        RETURNS (ExampleStats): Its contents.
        RAISES (ValueError): If a value is not a finite number.
        """
        labels = {label: [value] for label, value in self._gold_values(example).items()}
        return super().example_stats(example)._replace(labels=labels)

    def explained_score(self, outputs: "Tensor", label: int) -> "Tensor":
        """Compute the value of a target.

        outputs (Tensor): The network's outputs, (docs, targets).
        label (int): The index of the target.
        RETURNS (Tensor): The value for each doc, (docs,).
        """
        mean, std = self._mean_and_std()[:, label].tolist()
        return outputs[:, label] * std + mean

    def attribution_target(self, doc: Doc, label: Optional[str] = None) -> AttributionTarget:
        """Make a predicted value a target for attribution.

        doc (Doc): The document.
        label (Optional[str]): The target; required if there are several.
        RETURNS (AttributionTarget): The value as a function of the encoder's input.
        RAISES (ValueError): If the target is missing or unknown.
        """
        if label is None and len(self.labels) > 1:
            raise ValueError(
                f"'{self.name}' predicts several numbers. Choose one as the label: "
                f"{', '.join(self.labels)}."
            )
        return super().attribution_target(doc, label)
