"""The entity recognizer component."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Dict, Iterable, List, Literal, NamedTuple, Optional, Tuple

import numpy as np
from spacy.attrs import ENT_TYPE
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example, validate_examples
from spacy.vocab import Vocab
from thinc.api import Config, Model

from .. import nn
from ..architectures.entities import (
    TARGET,
    Entities,
    entities_divergence,
    entities_loss,
    fit_temperature,
    predict_entities,
    predict_entropies,
    predict_readings,
    tag_score,
)
from ..architectures.tagger import decoder_of
from ..config.signature import to_config, with_fields_of
from ..extensions import set_span_extension, set_token_extension, single_value
from ..features.soft_labels import common_temperature
from ..features.tag_scheme import TagScheme, tag_scheme
from ..runtime.attribution import AttributionTarget, check_index, label_index
from ..runtime.engine import EngineSettings
from ..runtime.model import Targets
from ..validation import at_least, extension_name, probability
from .annotation import attribute_labels, label_indices
from .entity_annotation import (
    aligned_entities,
    encode_gold,
    preset_tags,
    rule_out_tags,
    set_entities,
)
from .rehearsal import RehearsingPipe
from .reports import ExampleStats
from .soft_targets import soft_token_targets
from .tagger import DEFAULT_MODEL as TAGGER_MODEL

#: that of the tagger, with one layer and a conditional random field
DEFAULT_MODEL = Config(TAGGER_MODEL).merge({"decoder": "crf", "encoder": {"depth": 1}})


class Reading(NamedTuple):
    """One way to annotate a document with entities.

    probability (float): The probability that just these are the entities.
    entities (Tuple[Span, ...]): The entities.
    """

    probability: float
    entities: Tuple[Span, ...]


@dataclass(frozen=True)
class EntityRecognizerSettings(EngineSettings):
    """Settings of "rnn_ner".

    scheme (str): How entities become tags: "biluo" distinguishes first, inner and last tokens and
        entities of one token; "bio" only first and other tokens.
    threshold (float): The probability from which a token is taken for one of an entity, where the
        only other choice is that it is outside. Below 0.5 more entities are found, above it fewer.
    confidence_attr (Optional[str]): Name of a Span extension that receives the probability of each
        predicted entity: that exactly these tokens are an entity of this label, given the text.
    probabilities_attr (Optional[str]): Name of a Doc and Token extension for the probability of
        each tag at each token: a list for each token, in the order of `tags`.
    engine: See `EngineSettings`.
    """

    scheme: Literal["bio", "biluo"] = "biluo"
    threshold: float = 0.5
    confidence_attr: Optional[str] = None
    probabilities_attr: Optional[str] = None

    def __post_init__(self) -> None:
        probability(threshold=self.threshold)
        extension_name(
            confidence_attr=self.confidence_attr, probabilities_attr=self.probabilities_attr
        )


@Language.factory(
    "rnn_ner",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type"],
    default_config={
        "model": DEFAULT_MODEL,
        **to_config(EntityRecognizerSettings()),
        "scorer": {"@scorers": "spacy.ner_scorer.v1"},
    },
    default_score_weights={
        "ents_f": 1.0,
        "ents_p": 0.0,
        "ents_r": 0.0,
        "ents_per_type": None,
    },
)
@with_fields_of(EntityRecognizerSettings)
def make_ner(
    nlp: Language,
    name: str,
    model: Model,
    *,
    settings: EntityRecognizerSettings,
    scorer: Optional[Callable],
) -> "RNNEntityRecognizer":
    """Make an RNN entity recognizer; see `RNNEntityRecognizer`."""
    return RNNEntityRecognizer(nlp.vocab, model, name, **vars(settings), scorer=scorer)


class RNNEntityRecognizer(RehearsingPipe):
    """Find named entities with a recurrent network, by default with a conditional random field over
    its tags.

    As with spaCy's `ner`, entities that are already set stay and new ones keep clear of them and of
    blocked tokens, none crosses the start of a sentence, and none begins or ends with white space
    (with "bio", none has any).

    vocab (Vocab): The shared vocabulary.
    model (Model): The thinc model, spacy_rnn.Tagger.v1.
    name (str): The component's name in the pipeline.
    settings (EntityRecognizerSettings): Its fields are arguments by keyword.
    scorer (Optional[Callable]): The scoring method.
    """

    PERSISTED_CFG = ("labels", "scheme", "temperature")

    @with_fields_of(EntityRecognizerSettings)
    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "rnn_ner",
        *,
        settings: EntityRecognizerSettings,
        scorer: Optional[Callable] = None,
    ):
        super().__init__(vocab, model, name, settings, scorer, labels=[], temperature=1.0)

    def register_extensions(self) -> None:
        """Register the extensions of the settings `confidence_attr` and `probabilities_attr`."""
        if self.cfg["confidence_attr"] is not None:
            set_span_extension(self.cfg["confidence_attr"])
        if self.cfg["probabilities_attr"] is not None:
            set_token_extension(self.cfg["probabilities_attr"], single_value)

    # Labels

    @property
    def scheme(self) -> TagScheme:
        """The tagging scheme for the labels (TagScheme)."""
        return tag_scheme(self.cfg["scheme"], len(self.cfg["labels"]))

    @property
    def tags(self) -> Tuple[str, ...]:
        """The tags that the network predicts: "O", then those of each label (Tuple[str, ...])."""
        return self.scheme.names(self.labels)

    @property
    def output_sizes(self) -> Dict[str, int]:
        """The number of tags, the outputs of the only target (Dict[str, int])."""
        return {TARGET: self.scheme.n_tags}

    @property
    def _label_values(self) -> np.ndarray:
        """The labels as values of `ent_type`, uint64 (labels,)."""
        return np.array([*map(self.vocab.strings.as_int, self.cfg["labels"])], dtype="uint64")

    # Training

    @property
    def gold_annotation(self) -> Tuple[str, ...]:
        """Entities (Tuple[str, ...])."""
        return ("doc.ents",)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        labels: Optional[List[str]] = None,
    ) -> None:
        """Collect labels and vocabularies, and build the network.

        get_examples (Callable[[], Iterable[Example]]): Returns the training examples. All of them
            are read: words that are not in them will be unknown.
        nlp (Language): The current nlp object.
        labels (Optional[List[str]]): The labels, usually from ``spacy init labels``. If not set,
            they are collected from the examples.
        RAISES (ValueError): If there are no examples or no labels.
        """
        examples = self.training_examples(get_examples)
        for label in attribute_labels(examples, ENT_TYPE) if labels is None else labels:
            self.add_label(label)
        if not self.labels:
            n_partial = sum(
                eg.y.has_annotation("ENT_IOB")
                and not eg.y.has_annotation("ENT_IOB", require_complete=True)
                for eg in examples
            )
            lost = (
                f" In {n_partial} of the documents, tokens are not annotated, as those of entities "
                f"that begin or end within a token: correct the indices of such entities."
            ) * bool(n_partial)
            raise self.missing_data_error(
                get_examples,
                f"'{self.name}' has no labels: no entity is annotated in the training data.",
                "Set doc.ents there, or add labels with add_label." + lost,
            )
        self.model.initialize(X=[eg.x for eg in examples], Y=self.output_sizes)

    def get_targets(self, examples: List[Example]) -> Targets:
        """Get the gold tag of each token of a batch, and the probabilities of tags that a teacher
        gives (`doc._.soft_labels`). Tokens without annotation have no loss.

        examples (List[Example]): The examples, none of them empty.
        RETURNS (Targets): The indices of the tags, the probabilities, the constraints of the
            scheme, and the loss.
        RAISES (ValueError): If a label is unknown.
        """
        scheme = self.scheme
        tags = np.concatenate([self._gold_tags(scheme, eg) for eg in examples])
        whole = decoder_of(self.model) == "crf"
        soft = soft_token_targets(examples, TARGET, self.tags, self.cfg["scheme"], whole)
        annotated = tags != nn.losses.MISSING
        if soft:
            annotated |= soft[f"{TARGET}_share"] > 0
        temperature = common_temperature([eg.reference for eg in examples], [TARGET])
        arrays = {TARGET: tags, **soft, **scheme.constraints()}
        loss = partial(entities_loss, temperature=temperature)
        return Targets(arrays, int(annotated.sum()), loss)

    def get_rehearsal_targets(self, docs: List[Doc], teacher: Any) -> Targets:
        """Get the earlier network's tags of all tokens; see `RehearsingPipe`.

        docs (List[Doc]): The documents, none of them empty.
        teacher (Any): The outputs of the earlier network for them.
        RETURNS (Targets): The targets, with the divergence from the teacher as their loss.
        """
        loss = partial(entities_divergence, teacher=teacher)
        return Targets(self.scheme.constraints(), sum(map(len, docs)), loss)

    def calibrate(self, examples: Iterable[Example]) -> float:
        """Make probabilities fit examples that were not trained on, by temperature scaling (Guo et
        al. 2017, section 4.2): all scores are divided by one number. No entity changes. Call it
        after training; the temperature is saved with the component.

        examples (Iterable[Example]): As many as there are, such as the dev corpus.
        RETURNS (float): The temperature; above 1 if the component was overconfident.
        RAISES (ValueError): If no example has annotation.
        """
        examples = [eg for eg in examples if self.can_train_on(eg)]
        validate_examples(examples, "RNNEntityRecognizer.calibrate")
        scheme = self.scheme
        tags = [self._gold_tags(scheme, eg) for eg in examples]
        if not any((found != nn.losses.MISSING).any() for found in tags):
            raise ValueError(
                f"'{self.name}' can't be calibrated: no example has a token whose entity is known. "
                f"Set doc.ents in the reference of the examples."
            )
        docs = [eg.predicted for eg in examples]
        # No more digits than a JSON file keeps.
        self.cfg["temperature"] = round(fit_temperature(self.model, docs, scheme, tags), 4)
        return self.cfg["temperature"]

    def _gold_tags(self, scheme: TagScheme, example: Example) -> np.ndarray:
        """The gold tags of the predicted tokens, int64 (tokens,), `MISSING` if not annotated."""
        entities = aligned_entities(example)
        labels = label_indices(entities.types, self._label_values)
        unknown = (labels < 0) & (entities.types != 0)
        if unknown.any():
            label = example.y.vocab.strings[int(entities.types[unknown][0])]
            raise self._unknown_label_error("entity", label)
        tags = encode_gold(scheme, entities, labels)
        return np.where(tags < 0, nn.losses.MISSING, tags)

    # Prediction

    def predict(self, docs: Iterable[Doc]) -> List[Entities]:
        """Predict the entities of each doc, including those that are already set.

        docs (Iterable[Doc]): The documents.
        RETURNS (List[Entities]): The entities of each doc, and the probabilities that a setting
            needs.
        """
        return self._predict(
            docs,
            confidences=self.cfg["confidence_attr"] is not None,
            probabilities=self.cfg["probabilities_attr"] is not None,
        )

    def predict_probabilities(self, docs: Iterable[Doc]) -> List[np.ndarray]:
        """Predict the probability of each tag at each token, given the entities that are already
        set.

        docs (Iterable[Doc]): The documents.
        RETURNS (List[np.ndarray]): For each doc float32 (tokens, tags), columns in the order of
            `tags`.
        """
        found: List[Any] = [e.probabilities for e in self._predict(docs, probabilities=True)]
        return found

    def predict_confidences(self, docs: Iterable[Doc]) -> List[Entities]:
        """Predict the entities of each doc as `predict` does, with the probability of each.

        docs (Iterable[Doc]): The documents.
        RETURNS (List[Entities]): The entities of each doc, with `confidences`.
        """
        return self._predict(docs, confidences=True)

    def readings(self, docs: Iterable[Doc], n: int = 5) -> List[List[Reading]]:
        """Find the most probable ways to annotate each doc. Nothing is set on the docs.

        docs (Iterable[Doc]): The documents.
        n (int): How many; fewer if there are not as many.
        RETURNS (List[List[Reading]]): Those of each doc, most probable first.
        """
        at_least(1, n=n)
        docs = list(docs)
        found = predict_readings(self.model, docs, *self._decoding, n)
        return [
            [Reading(p, tuple(self._spans(doc, entities))) for p, entities in readings]
            for doc, readings in zip(docs, found, strict=True)
        ]

    def entropies(self, docs: Iterable[Doc]) -> np.ndarray:
        """Compute the entropy of the distribution over all ways to annotate each doc, which is
        exact and not only of the best ones.

        docs (Iterable[Doc]): The documents.
        RETURNS (np.ndarray): The entropies in nats, (docs,).
        """
        return predict_entropies(self.model, list(docs), *self._decoding)

    @property
    def _decoding(self) -> Tuple[TagScheme, float, Callable[[Doc, np.ndarray], None]]:
        """The scheme, the temperature and the function that rules out tags."""
        scheme = self.scheme
        rule_out = partial(rule_out_tags, scheme, self._label_values)
        return scheme, self.cfg["temperature"], rule_out

    def _predict(self, docs: Iterable[Doc], **wanted: bool) -> List[Entities]:
        scheme, temperature, rule_out = self._decoding
        # Neither 0 nor 1 has log-odds.
        threshold = min(max(self.cfg["threshold"], 1e-9), 1 - 1e-9)
        bias = math.log(threshold / (1 - threshold))
        return predict_entities(
            self.model, list(docs), scheme, temperature, rule_out, bias, **wanted
        )

    def _spans(self, doc: Doc, entities: Entities) -> List[Span]:
        columns = (column.tolist() for column in entities[:3])
        names = self.cfg["labels"]
        return [
            Span(doc, start, end, label=names[label])
            for start, end, label in zip(*columns, strict=True)
        ]

    def set_annotations(self, docs: Iterable[Doc], predictions: List[Entities]) -> None:
        """Write predictions to docs.

        docs (Iterable[Doc]): The documents to modify.
        predictions (List[Entities]): The predictions for them, from `predict`.
        """
        confidence, probabilities = self.cfg["confidence_attr"], self.cfg["probabilities_attr"]
        for doc, entities in zip(docs, predictions, strict=True):
            spans = self._spans(doc, entities)
            new = set_entities(doc, spans)
            if confidence is not None and entities.confidences is not None:
                for i in new:
                    spans[i]._.set(confidence, float(entities.confidences[i]))
            if probabilities is not None and entities.probabilities is not None:
                doc._.set(probabilities, entities.probabilities.tolist())

    # Reports and analysis

    def example_stats(self, example: Example) -> ExampleStats:
        """Get the words of an example, and the label of each entity.

        example (Example): The example.
        RETURNS (ExampleStats): Its contents. Entities that tokens or tags do not allow are
            unusable.
        """
        stats, reference = super().example_stats(example), example.reference
        if not len(reference) or not reference.has_annotation("ENT_IOB"):
            return stats
        spans = example.get_aligned_spans_y2x(reference.ents)
        # As `TagScheme.edges` has it.
        checked = spans if self.cfg["scheme"] == "bio" else [(s[0], s[-1]) for s in spans]
        spaces = sum(any(token.is_space for token in tokens) for tokens in checked)
        unusable = {
            "entities that begin or end within a token": len(reference.ents) - len(spans),
            "entities with white space where none can be": spaces,
        }
        return stats._replace(
            labels={TARGET: [entity.label_ for entity in reference.ents]},
            unusable={reason: n for reason, n in unusable.items() if n},
        )

    def attribution_target(
        self, doc: Doc, token: int, label: Optional[str] = None
    ) -> AttributionTarget:
        """Make the log-odds of a token's tag a target for attribution, over all tags of the other
        tokens, and as if no entity were set on the doc.

        doc (Doc): The document.
        token (int): The index of the token.
        label (Optional[str]): The tag, one of `tags`; by default the predicted one.
        RETURNS (AttributionTarget): The log-odds as a function of the encoder's input.
        RAISES (ValueError): If the token or the tag does not exist.
        """
        check_index(token, len(doc), "token")
        scheme, tags, text = self.scheme, self.tags, doc[token].text
        doc = doc.copy()
        doc.set_ents([], default="missing")
        rows = self.encoder_inputs(doc)[0]
        ruled_out = np.zeros((len(doc), scheme.n_tags))
        rule_out_tags(scheme, self._label_values, doc, ruled_out)
        kind = "tag"
        if label is None:
            kind = "predicted tag"
            self.set_annotations([doc], self.predict([doc]))
            label = tags[preset_tags(scheme, self._label_values, doc)[token]]
        score = partial(
            tag_score,
            scheme=scheme,
            temperature=self.cfg["temperature"],
            ruled_out=ruled_out < 0,
            token=token,
            tag=label_index(label, tags, self.name),
        )
        return AttributionTarget(rows, f"{kind} {label} of '{text}'", "log-odds", score)
