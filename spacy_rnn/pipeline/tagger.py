"""The tagger component."""

import logging
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Dict, Iterable, List, Literal, Optional, Sequence, Tuple, Union

import numpy as np
from spacy.attrs import IS_SPACE, MORPH, POS, TAG
from spacy.language import Language
from spacy.parts_of_speech import IDS as POS_IDS
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Config, Model

from .. import nn
from ..architectures.tagger import decoder_of, label_score, predict_probabilities
from ..config.signature import to_config, with_fields_of
from ..extensions import set_token_extension, single_value
from ..features.soft_labels import common_temperature
from ..runtime.attribution import AttributionTarget, check_index, label_index
from ..runtime.engine import EngineSettings
from ..runtime.model import Targets
from ..validation import extension_name, label_weights, probability, rate
from .annotation import aligned_values, attribute_labels, label_indices
from .rehearsal import RehearsingPipe
from .reports import ExampleStats
from .soft_targets import soft_token_targets

logger = logging.getLogger("spacy_rnn")

Target = Literal["tag", "pos", "morph"]
#: the token attribute of each target
ATTRIBUTES = {"tag": TAG, "pos": POS, "morph": MORPH}
#: see `RNNTagger.predict`
Prediction = Dict[str, np.ndarray]

DEFAULT_MODEL = Config().from_str(
    """
    [model]
    @architectures = "spacy_rnn.Tagger.v1"

    [model.embedding]

    [model.embedding.words]
    @architectures = "spacy_rnn.WordEmbedding.v1"

    [model.embedding.characters]
    @architectures = "spacy_rnn.CharacterRNN.v1"

    [model.encoder]
    @architectures = "spacy_rnn.RNNEncoder.v1"
    """
)["model"]


@dataclass(frozen=True)
class TaggerSettings(EngineSettings):
    """Settings of "rnn_tagger".

    targets (Sequence[str]): What is predicted: "tag" (`token.tag`), "pos" (`token.pos`), "morph"
        (`token.morph`); several share one encoder.
    overwrite (bool): Replace annotation that is already on a token.
    label_smoothing (float): Share of the probability spread over all labels in training.
    class_weights (Optional[Dict[str, float]]): Factors on the loss of labels; 1 for others.
    threshold (float): Labels less probable than this are not set.
    probabilities_attr (Optional[str]): Name of a Doc and Token extension for the probability of
        each label: a dict with, for each target, a list for each token, in the order of
        `labels_of(target)`.
    engine: See `EngineSettings`.
    """

    targets: Sequence[Target] = ("tag",)
    overwrite: bool = False
    label_smoothing: float = 0.0
    class_weights: Optional[Dict[str, float]] = None
    threshold: float = 0.0
    probabilities_attr: Optional[str] = None

    def __post_init__(self) -> None:
        targets = list(self.targets)
        if not targets or len(set(targets)) < len(targets) or not set(targets) <= set(ATTRIBUTES):
            raise ValueError(
                f"'targets' must be one or more of {list(ATTRIBUTES)}, each once; got {targets}."
            )
        rate(label_smoothing=self.label_smoothing)
        probability(threshold=self.threshold)
        label_weights(class_weights=self.class_weights)
        extension_name(probabilities_attr=self.probabilities_attr)


@Language.factory(
    "rnn_tagger",
    assigns=["token.tag", "token.pos", "token.morph"],
    default_config={
        "model": DEFAULT_MODEL,
        **to_config(TaggerSettings()),
        "scorer": {"@scorers": "spacy_rnn.tagger_scorer.v1"},
    },
    # The accuracies of single targets are scores of spaCy's tagger and morphologizer too, whose
    # weights would be replaced by any that stands here.
    default_score_weights={"label_acc": 1.0},
)
@with_fields_of(TaggerSettings)
def make_tagger(
    nlp: Language,
    name: str,
    model: Model,
    *,
    settings: TaggerSettings,
    scorer: Optional[Callable],
) -> "RNNTagger":
    """Make an RNN tagger; see `RNNTagger`."""
    return RNNTagger(nlp.vocab, model, name, **vars(settings), scorer=scorer)


class RNNTagger(RehearsingPipe):
    """Label each token with a recurrent network.

    vocab (Vocab): The shared vocabulary.
    model (Model): The thinc model, spacy_rnn.Tagger.v1.
    name (str): The component's name in the pipeline.
    settings (TaggerSettings): Its fields are arguments by keyword.
    scorer (Optional[Callable]): The scoring method.
    """

    PERSISTED_CFG = ("labels", "targets")
    #: True after training has warned of annotation that is kept
    _warned_of_kept = False

    @with_fields_of(TaggerSettings)
    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "rnn_tagger",
        *,
        settings: TaggerSettings,
        scorer: Optional[Callable] = None,
    ):
        if decoder_of(model) == "crf" and (settings.label_smoothing or settings.class_weights):
            raise ValueError(
                f"'label_smoothing' and 'class_weights' of '{name}' change the loss of single "
                f"tokens; a CRF has one of whole sequences. Leave them at 0.0 and null, or set "
                f'[components.{name}.model] decoder to "softmax".'
            )
        labels: Dict[str, List[str]] = {target: [] for target in settings.targets}
        super().__init__(vocab, model, name, settings, scorer, labels=labels)
        #: for each target its labels and their values
        self._known_values: Dict[str, Tuple[List[str], Optional[np.ndarray]]] = {}

    def register_extensions(self) -> None:
        """Register the extension of the setting `probabilities_attr`."""
        if self.cfg["probabilities_attr"] is not None:
            set_token_extension(self.cfg["probabilities_attr"], single_value)

    # Labels

    @property
    def labels(self) -> Tuple[str, ...]:
        """The labels of all targets, each once (Tuple[str, ...])."""
        return tuple(dict.fromkeys(x for labels in self.cfg["labels"].values() for x in labels))

    def labels_of(self, target: str) -> Tuple[str, ...]:
        """Get the labels of one target.

        target (str): The target.
        RETURNS (Tuple[str, ...]): Its labels, in the order of the network's outputs.
        """
        return tuple(self.cfg["labels"][target])

    @property
    def label_data(self) -> Union[List[str], Dict[str, List[str]]]:
        """The labels as `initialize` takes them; ``spacy init labels`` saves them (Union[List[str],
        Dict[str, List[str]]])."""
        labels = self.cfg["labels"]
        return labels if len(labels) > 1 else next(iter(labels.values()))

    @property
    def output_sizes(self) -> Dict[str, int]:
        """The number of labels of each target (Dict[str, int])."""
        return {target: len(labels) for target, labels in self.cfg["labels"].items()}

    def add_label(self, label: str, target: Optional[str] = None) -> int:
        """Add a label. A trained network gets an output for it, and keeps its other weights.

        label (str): The label; "_" is the empty morphology.
        target (Optional[str]): The target; required if the component has several.
        RETURNS (int): 0 if the label is already present, otherwise 1.
        RAISES (ValueError): If the target is missing or unknown, or does not have such labels.
        """
        targets = self.cfg["targets"]
        if target is None and len(targets) == 1:
            target = targets[0]
        if target is None or target not in targets:
            raise ValueError(
                f"'{self.name}' predicts {targets}: say which one the label '{label}' belongs to, "
                f"as in add_label({label!r}, target={targets[0]!r})."
            )
        labels = self.cfg["labels"][target]
        if self._has_label(label, labels):
            return 0
        _stored_value(target, label, self.vocab)
        labels.append(label)
        self._resize_output()
        return 1

    # Training

    @property
    def gold_annotation(self) -> Tuple[str, ...]:
        """The token attributes of the targets (Tuple[str, ...])."""
        return tuple(f"token.{target}" for target in self.cfg["targets"])

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        labels: Optional[Union[List[str], Dict[str, List[str]]]] = None,
    ) -> None:
        """Collect labels and vocabularies, and build the network.

        get_examples (Callable[[], Iterable[Example]]): Returns the training examples. All of them
            are read: words that are not in them will be unknown.
        nlp (Language): The current nlp object.
        labels (Optional[Union[List[str], Dict[str, List[str]]]]): The labels, usually from
            ``spacy init labels``: a list, or a dict of lists if there are several targets. If not
            set, they are collected from the examples.
        RAISES (ValueError): If there are no examples, or no labels for a target.
        """
        examples = self.training_examples(get_examples)
        if labels is None:
            labels = {t: attribute_labels(examples, ATTRIBUTES[t]) for t in self.cfg["targets"]}
        elif not isinstance(labels, dict):
            labels = {self.cfg["targets"][0]: labels}
        for target, names in labels.items():
            for label in names:
                self.add_label(label, target)
        for target, names in self.cfg["labels"].items():
            if not names:
                raise self.missing_data_error(
                    get_examples,
                    f"'{self.name}' has no labels for its target '{target}'.",
                    f"Annotate token.{target} in the training data, add labels with add_label, or "
                    f"remove the target from [components.{self.name}] targets.",
                )
        self.model.initialize(X=[eg.x for eg in examples], Y=self.output_sizes)

    def get_targets(self, examples: List[Example]) -> Targets:
        """Get the gold label of each token of a batch, and the probabilities of labels that a
        teacher gives (`doc._.soft_labels`). Tokens without annotation have no loss.

        examples (List[Example]): The examples, none of them empty.
        RETURNS (Targets): The indices of the labels of each target, the probabilities, and the
            loss.
        RAISES (ValueError): If a label is unknown.
        """
        arrays: Dict[str, np.ndarray] = {}
        whole = decoder_of(self.model) == "crf"
        annotated = np.zeros(sum(len(eg.predicted) for eg in examples), dtype=bool)
        for target, labels in self.cfg["labels"].items():
            values = np.concatenate([aligned_values(eg, ATTRIBUTES[target]) for eg in examples])
            arrays[target] = self._label_indices(target, values, examples)
            if self.cfg["class_weights"]:
                arrays[target + "_weights"] = self._class_weight_array(labels)
            annotated |= values != 0
            soft = soft_token_targets(examples, target, labels, whole=whole)
            if soft:
                arrays.update(soft)
                annotated |= soft[f"{target}_share"] > 0
        loss = partial(
            nn.tagger.tagging_loss,
            label_smoothing=self.cfg["label_smoothing"],
            temperature=common_temperature([eg.reference for eg in examples], self.cfg["targets"]),
        )
        return Targets(arrays, int(annotated.sum()), loss)

    def _label_indices(
        self, target: str, values: np.ndarray, examples: List[Example]
    ) -> np.ndarray:
        """Find the label of each value of a token attribute: int64 (N,), `MISSING` if it is 0."""
        indices = label_indices(values, self._label_values(target, self.vocab))
        unknown = (indices < 0) & (values != 0)
        if unknown.any():
            first = int(np.argmax(unknown))
            ends = np.cumsum([len(eg.predicted) for eg in examples])
            example = examples[int(np.searchsorted(ends, first, side="right"))]
            label = example.reference.vocab.strings[int(values[first])]
            raise self._unknown_label_error(target, label)
        return np.where(values == 0, nn.losses.MISSING, indices)

    def _label_values(self, target: str, vocab: Vocab) -> np.ndarray:
        """The labels as values of the token attribute, uint64 (labels,), of strings that the vocab
        knows. Those for the component's own vocab are kept."""
        labels = self.cfg["labels"][target]
        known, values = self._known_values.get(target, ([], None))
        if values is not None and vocab is self.vocab and known == labels:
            return values
        stored = [_stored_value(target, label, vocab) for label in labels]
        values = np.array(stored, dtype="uint64")
        if vocab is self.vocab:
            self._known_values[target] = list(labels), values
        return values

    def get_rehearsal_targets(self, docs: List[Doc], teacher: Any) -> Targets:
        """Get the earlier network's labels of all tokens; see `RehearsingPipe`.

        docs (List[Doc]): The documents, none of them empty.
        teacher (Any): The outputs of the earlier network for them.
        RETURNS (Targets): The targets, with the divergence from the teacher as their loss.
        """
        return Targets(
            {}, sum(map(len, docs)), partial(nn.tagger.tagging_divergence, teacher=teacher)
        )

    # Prediction

    def predict(self, docs: Iterable[Doc]) -> List[Prediction]:
        """Predict the labels of each token.

        docs (Iterable[Doc]): The documents.
        RETURNS (List[Dict[str, np.ndarray]]): For each doc and target the indices of the labels,
            "TARGET" (tokens,) and, if a setting needs them, the probabilities of all labels,
            "TARGET_probabilities" (tokens, labels).
        """
        docs = list(docs)
        if not docs:
            return []
        if self.cfg["threshold"] or self.cfg["probabilities_attr"] is not None:
            return predict_probabilities(self.model, docs)
        return self.model.predict(docs)

    def predict_probabilities(self, docs: Iterable[Doc]) -> List[Dict[str, np.ndarray]]:
        """Predict the probability of each label of each token.

        docs (Iterable[Doc]): The documents.
        RETURNS (List[Dict[str, np.ndarray]]): For each doc and target the probabilities, float32
            (tokens, labels), columns in the order of `labels_of(target)`.
        """
        docs = list(docs)
        predictions = predict_probabilities(self.model, docs) if docs else []
        targets = self.cfg["targets"]
        return [{t: found[t + "_probabilities"] for t in targets} for found in predictions]

    def set_annotations(self, docs: Iterable[Doc], predictions: List[Prediction]) -> None:
        """Write predictions to docs.

        docs (Iterable[Doc]): The documents to modify.
        predictions (List[Dict[str, np.ndarray]]): The predictions for them, from `predict`.
        """
        docs = list(docs)
        self._warn_of_kept_annotation(docs)
        attributes = [ATTRIBUTES[target] for target in self.cfg["targets"]]
        values: Dict[str, np.ndarray] = {}
        for vocab in {id(doc.vocab): doc.vocab for doc in docs}.values():
            values = {target: self._label_values(target, vocab) for target in self.cfg["targets"]}
        threshold, overwrite = self.cfg["threshold"], self.cfg["overwrite"]
        name = self.cfg["probabilities_attr"]
        for doc, prediction in zip(docs, predictions, strict=True):
            # (tokens, targets)
            columns = np.stack([values[t][prediction[t]] for t in values], axis=1)
            if threshold:
                for column, t in zip(columns.T, values, strict=True):
                    labels, p = prediction[t], prediction[t + "_probabilities"]
                    column[p[np.arange(len(p)), labels] < threshold] = 0
            present = doc.to_array(attributes).reshape(columns.shape)
            keep = columns == 0 if overwrite else present != 0
            values_to_set: Any = np.where(keep, present, columns)
            doc.from_array(attributes, values_to_set)
            if name is not None:
                probabilities = {t: prediction[t + "_probabilities"].tolist() for t in values}
                doc._.set(name, probabilities)

    def _warn_of_kept_annotation(self, docs: List[Doc]) -> None:
        """Warn, once in a training, of targets that are set on all tokens already: evaluation then
        scores that annotation."""
        # Outside of training, documents that are annotated are meant to be.
        if self.cfg["overwrite"] or self._warned_of_kept or not self._was_updated:
            return
        kept = [
            f"token.{target}"
            for target in self.cfg["targets"]
            if all(doc.has_annotation(target.upper(), require_complete=True) for doc in docs)
        ]
        if kept and any(len(doc) for doc in docs):
            self._warned_of_kept = True
            logger.warning(
                "'%s' does not set %s: all tokens have it already, from the corpus or from a "
                "component before, and this is what evaluation scores. Set overwrite = true in "
                "[components.%s], or remove the other component from the pipeline.",
                self.name,
                " and ".join(kept),
                self.name,
            )

    # Reports and analysis

    def example_stats(self, example: Example) -> ExampleStats:
        """Get the words of an example, and its labels for each target.

        example (Example): The example.
        RETURNS (ExampleStats): Its contents. Labels of gold tokens that do not align are unusable.
        """
        labels, unusable = {}, 0
        strings, spaces = example.reference.vocab.strings, example.predicted.to_array(IS_SPACE) == 1
        for target in self.cfg["targets"]:
            values = example.reference.to_array([ATTRIBUTES[target]]).reshape(-1)
            if values.any():
                labels[target] = [strings[int(value)] for value in values if value]
                missing = (aligned_values(example, ATTRIBUTES[target]) == 0) & ~spaces
                unusable = max(unusable, int(missing.sum() - (values == 0).sum()))
        reasons = {"tokens without a label, as the corpus has others there": unusable}
        stats = super().example_stats(example)
        return stats._replace(labels=labels, unusable=reasons if unusable else {})

    def attribution_target(
        self, doc: Doc, token: int, label: Optional[str] = None, target: Optional[str] = None
    ) -> AttributionTarget:
        """Make the log-odds of a token's label a target for attribution.

        doc (Doc): The document.
        token (int): The index of the token.
        label (Optional[str]): The label; by default the predicted one.
        target (Optional[str]): The target; by default the component's first one.
        RETURNS (AttributionTarget): The log-odds as a function of the encoder's input.
        RAISES (ValueError): If the token, the label or the target does not exist.
        """
        check_index(token, len(doc), "token")
        targets = self.cfg["targets"]
        target = targets[0] if target is None else target
        if target not in targets:
            raise ValueError(f"'{self.name}' has no target '{target}'. Its targets: {targets}.")
        labels = self.labels_of(target)
        kind = target
        if label is None:
            kind = f"predicted {target}"
            label = labels[self.predict([doc])[0][target][token]]
        number = label_index(label, labels, self.name)
        score = partial(label_score, target=target, token=token, label=number)
        prediction = f"{kind} {label} of '{doc[token].text}'"
        return AttributionTarget(self.encoder_inputs(doc)[0], prediction, "log-odds", score)


def _stored_value(target: str, label: str, vocab: Vocab) -> int:
    """The value of a label as a token attribute, the same in all vocabularies; adds it to one."""
    if target == "tag":
        # Not only for a memory zone: the component keeps the value.
        return vocab.strings.add(label, allow_transient=False)  # type: ignore[call-arg]
    if target == "morph":
        return vocab.morphology.add(label)
    if label not in POS_IDS or not label:
        raise ValueError(
            f"'{label}' is not a coarse part of speech: token.pos takes those of Universal "
            f"Dependencies (NOUN, VERB, ...). Use the target 'tag' for other tag sets."
        )
    return POS_IDS[label]
