"""The entity recognizer component."""

import warnings
from functools import partial
from typing import Any, Callable, Dict, Iterable, List, Literal, NamedTuple, Optional, Tuple

import numpy as np
import torch
from spacy.attrs import ENT_IOB, ENT_TYPE, IS_SPACE, ORTH, SENT_START
from spacy.errors import Warnings
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example, validate_examples
from spacy.vocab import Vocab
from thinc.api import Config, Model

from ..architectures.entities import (
    TARGET,
    Entities,
    entities_divergence,
    entities_loss,
    fit_temperature,
    predict_entities,
    predict_readings,
    tag_score,
)
from ..extensions import only, set_span_extension, set_token_extension
from ..features.tag_scheme import BEGIN, IN, OUT, UNKNOWN, Scheme
from ..nn.losses import MISSING
from ..runtime.attribution import Question, check_place, number_of
from ..runtime.model import Gold
from ..validation import at_least
from .base import Contents
from .rehearsal import RehearsingPipe
from .tagger import DEFAULT_MODEL as TAGGER_MODEL

#: the `ent_iob` of spaCy's BILUO tags
IOB = {"B": BEGIN, "U": BEGIN, "I": IN, "L": IN, "O": OUT}

#: that of the tagger, with one layer and a conditional random field
DEFAULT_MODEL = Config(TAGGER_MODEL).merge({"decoder": "crf", "encoder": {"depth": 1}})


class Reading(NamedTuple):
    """One way to read a document: its probability and its entities."""

    probability: float
    entities: Tuple[Span, ...]


@Language.factory(
    "rnn_ner",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type"],
    default_config={
        "model": DEFAULT_MODEL,
        "scheme": "biluo",
        "confidence_attr": None,
        "probabilities_attr": None,
        "scorer": {"@scorers": "spacy.ner_scorer.v1"},
    },
    default_score_weights={
        "ents_f": 1.0,
        "ents_p": 0.0,
        "ents_r": 0.0,
        "ents_per_type": None,
    },
)
def make_ner(
    nlp: Language,
    name: str,
    model: Model,
    scheme: Literal["bio", "biluo"],
    confidence_attr: Optional[str],
    probabilities_attr: Optional[str],
    scorer: Optional[Callable],
) -> "RNNEntityRecognizer":
    """Make an RNN entity recognizer; see `RNNEntityRecognizer`."""
    return RNNEntityRecognizer(
        nlp.vocab,
        model,
        name,
        scheme=scheme,
        confidence_attr=confidence_attr,
        probabilities_attr=probabilities_attr,
        scorer=scorer,
    )


class RNNEntityRecognizer(RehearsingPipe):
    """Find named entities with a recurrent network, by default with a conditional random field over
    its tags.

    As with spaCy's `ner`, entities that are already set stay and new ones keep clear of them and of
    blocked tokens, none crosses the start of a sentence, and none begins or ends with white space
    (with "bio", none has any).

    scheme (str): How entities become tags: "biluo" tells first, inner and last tokens and entities
        of one token apart; "bio" only first and other tokens.
    confidence_attr (Optional[str]): Name of a Span extension that receives the probability of each
        predicted entity: that just these tokens are an entity of this label, given the text.
    probabilities_attr (Optional[str]): Name of a Doc and Token extension for the probability of
        each tag at each token: a list for each token, in the order of `tags`.
    """

    LEARNED = ("labels", "scheme", "temperature")

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "rnn_ner",
        *,
        scheme: Literal["bio", "biluo"] = "biluo",
        confidence_attr: Optional[str] = None,
        probabilities_attr: Optional[str] = None,
        scorer: Optional[Callable] = None,
    ):
        super().__init__(
            vocab,
            model,
            name,
            scorer=scorer,
            labels=[],
            scheme=scheme,
            temperature=1.0,
            confidence_attr=confidence_attr,
            probabilities_attr=probabilities_attr,
        )

    def register_extensions(self) -> None:
        if self.cfg["confidence_attr"] is not None:
            set_span_extension(self.cfg["confidence_attr"])
        if self.cfg["probabilities_attr"] is not None:
            set_token_extension(self.cfg["probabilities_attr"], only)

    # Labels

    @property
    def labels(self) -> Tuple[str, ...]:
        """The labels of entities (Tuple[str])."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> List[str]:
        """What ``spacy init labels`` saves."""
        return list(self.labels)

    @property
    def scheme(self) -> Scheme:
        """The tags for the labels."""
        return Scheme(self.cfg["scheme"], len(self.labels))

    @property
    def tags(self) -> Tuple[str, ...]:
        """The tags that the network tells apart (Tuple[str]): "O", then those of each label."""
        return self.scheme.names(self.labels)

    @property
    def outputs(self) -> Dict[str, int]:
        return {TARGET: self.scheme.n_tags}

    def add_label(self, label: str) -> int:
        """Add a label; a trained model makes room for it and keeps what it has learned.

        RETURNS (int): 0 if the label is already present, otherwise 1.
        """
        if self._has_label(label, self.labels):
            return 0
        self.cfg["labels"].append(label)
        self.vocab.strings.add(label)
        self._labels_grew()
        return 1

    def _label_numbers(self, hashes: np.ndarray) -> np.ndarray:
        """The number of each label, -1 where it is none of the component's."""
        numbers = np.full(len(hashes), -1)
        for number, label in enumerate(self.labels):
            numbers[hashes == self.vocab.strings.as_int(label)] = number
        return numbers

    # Training

    @property
    def annotation(self) -> Tuple[str, ...]:
        return ("doc.ents",)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        labels: Optional[List[str]] = None,
    ) -> None:
        """Collect labels and vocabularies, and make the network.

        get_examples (Callable[[], Iterable[Example]]): Returns the training examples. All of them
            are read: what is not among their words is an unknown word later.
        nlp (Language): The current nlp object.
        labels (Optional[List[str]]): The labels, usually from ``spacy init labels``. Without, they
            are taken from the examples.
        """
        examples = self._training_examples(get_examples)
        for label in _labels_in(examples) if labels is None else labels:
            self.add_label(label)
        if not self.labels:
            raise self._nothing_to_learn(
                get_examples,
                f"'{self.name}' has no labels: no entity is annotated in the training data.",
                "Set doc.ents there, or add labels with add_label.",
            )
        self.model.initialize(X=[eg.x for eg in examples], Y=self.outputs)

    def get_gold(self, examples: List[Example]) -> Gold:
        """The tag of each token of a batch; tokens without annotation have no loss."""
        scheme = self.scheme
        tags = np.concatenate([self._gold_tags(scheme, eg) for eg in examples])
        arrays = {TARGET: tags, **scheme.constraints()}
        return Gold(arrays, int((tags != MISSING).sum()), entities_loss)

    def get_rehearsal(self, docs: List[Doc], teacher: Any) -> Gold:
        """The tags of all tokens by the earlier network."""
        loss = partial(entities_divergence, teacher=teacher)
        return Gold(self.scheme.constraints(), sum(map(len, docs)), loss)

    def contents(self, example: Example) -> Contents:
        """The label of each entity. Those that tokens or tags do not allow are never found."""
        contents, reference = super().contents(example), example.reference
        if not len(reference) or not reference.has_annotation("ENT_IOB"):
            return contents
        spans = example.get_aligned_spans_y2x(reference.ents)
        # As `Scheme.edges` has it.
        checked = spans if self.cfg["scheme"] == "bio" else [(s[0], s[-1]) for s in spans]
        spaces = sum(any(token.is_space for token in tokens) for tokens in checked)
        lost = {
            "entities that begin or end within a token": len(reference.ents) - len(spans),
            "entities with white space where none can be": spaces,
        }
        return contents._replace(
            labels={TARGET: [entity.label_ for entity in reference.ents]},
            lost={reason: n for reason, n in lost.items() if n},
        )

    def _gold_tags(self, scheme: Scheme, example: Example) -> np.ndarray:
        """int64 (tokens,), `MISSING` where the tag is not known."""
        iob, hashes, spaces = _aligned_entities(example)
        labels = self._label_numbers(hashes)
        unknown = (labels < 0) & (hashes != 0)
        if unknown.any():
            label = example.y.vocab.strings[int(hashes[unknown][0])]
            raise self._unknown("entity", label)
        while True:
            tags = scheme.encode(iob, labels)
            starts, ends, _ = scheme.decode(np.maximum(tags, 0))
            edges = np.concatenate([starts, ends - 1])
            edges = edges[spaces[edges]]
            if not len(edges):
                return np.where(tags < 0, MISSING, tags)
            # As in prediction, white space is in no entity but between its words.
            iob[edges], labels[edges] = OUT, -1

    def calibrate(self, examples: Iterable[Example]) -> float:
        """Make probabilities fit examples that were not trained on, by temperature scaling (Guo et
        al. 2017, section 4.2): all scores are divided by one number. No entity changes. Call it
        after training; the temperature is saved with the component.

        examples (Iterable[Example]): As many as there are, such as the dev corpus.
        RETURNS (float): The temperature; above 1 if the component was too sure.
        """
        examples = [eg for eg in examples if len(eg.predicted)]
        validate_examples(examples, "RNNEntityRecognizer.calibrate")
        scheme = self.scheme
        tags = [self._gold_tags(scheme, eg) for eg in examples]
        if not any((found != MISSING).any() for found in tags):
            raise ValueError(
                f"'{self.name}' can't be calibrated: no example has a token whose entity is known. "
                f"Set doc.ents in the reference of the examples."
            )
        docs = [eg.predicted for eg in examples]
        # No more digits than a JSON file keeps.
        self.cfg["temperature"] = round(fit_temperature(self.model, docs, scheme, tags), 4)
        return self.cfg["temperature"]

    # Prediction

    def predict(self, docs: Iterable[Doc]) -> List[Entities]:
        """The entities of each doc, with those that it has."""
        return self._predict(
            docs,
            confidences=self.cfg["confidence_attr"] is not None,
            probabilities=self.cfg["probabilities_attr"] is not None,
        )

    def predict_probabilities(self, docs: Iterable[Doc]) -> List[np.ndarray]:
        """For each doc the probability of each tag at each token, given what is set on the doc,
        float32 (tokens, tags), columns in the order of `tags`."""
        found: List[Any] = [e.probabilities for e in self._predict(docs, probabilities=True)]
        return found

    def _predict(self, docs: Iterable[Doc], **wanted: bool) -> List[Entities]:
        scheme, temperature = self.scheme, self.cfg["temperature"]
        rule_out = partial(self._rule_out, scheme)
        return predict_entities(self.model, list(docs), scheme, temperature, rule_out, **wanted)

    def readings(self, docs: Iterable[Doc], n: int = 5) -> List[List[Reading]]:
        """The most probable ways to read each doc, best first. Nothing is set on the docs.

        n (int): How many; fewer where there are not as many.
        """
        at_least(1, n=n)
        docs, scheme, temperature = list(docs), self.scheme, self.cfg["temperature"]
        rule_out = partial(self._rule_out, scheme)
        found = predict_readings(self.model, docs, scheme, temperature, rule_out, n)
        return [
            [Reading(p, tuple(self._spans(doc, entities))) for p, entities in readings]
            for doc, readings in zip(docs, found, strict=True)
        ]

    def question(self, doc: Doc, token: int, label: Optional[str] = None) -> Question:
        """Why a token gets a tag, as if no entity were set on the doc: the log-odds of the tag,
        over all tags of the other tokens.

        token (int): The index of the token.
        label (Optional[str]): The tag, one of `tags`; by default the predicted one.
        """
        check_place(token, len(doc), "token")
        scheme, tags, text = self.scheme, self.tags, doc[token].text
        doc = doc.copy()
        doc.set_ents([], default="missing")
        rows = self.encoder_inputs(doc)[0]
        ruled_out = np.zeros((len(doc), scheme.n_tags))
        self._rule_out(scheme, doc, ruled_out)
        if label is None:
            self.set_annotations([doc], self.predict([doc]))
            iob, hashes = doc.to_array([ENT_IOB, ENT_TYPE]).T
            label = tags[scheme.encode(iob, self._label_numbers(hashes))[token]]
        score = partial(
            tag_score,
            scheme=scheme,
            temperature=self.cfg["temperature"],
            ruled_out=torch.from_numpy(ruled_out < 0),
            token=token,
            tag=number_of(label, tags, self.name),
        )
        return Question(rows, f"log-odds of the tag {label} of '{text}'", score)

    def _rule_out(self, scheme: Scheme, doc: Doc, scores: np.ndarray) -> None:
        """Set the scores (tokens, tags) to -inf that what is set on the doc does not allow."""
        iob, hashes, sentence_starts, spaces = doc.to_array(
            [ENT_IOB, ENT_TYPE, SENT_START, IS_SPACE]
        ).T
        scores[np.ix_(spaces == 1, scheme.edges)] = -np.inf
        scores[np.ix_(sentence_starts == 1, scheme.inside)] = -np.inf
        # Entities that are there are read as they are; blocked tokens, and entities with labels
        # that the network does not know, as none.
        preset = (iob == BEGIN) | (iob == IN)
        if preset.any():
            tags = scheme.encode(iob, self._label_numbers(hashes))
            own = np.arange(scheme.n_tags) == tags[preset, None]
            scores[preset] = np.where(own, 0.0, -np.inf)
            last = np.flatnonzero(preset[:-1] & ~preset[1:])
            goes_on = scheme.continues[tags[last]]
            scores[last + 1] = np.where(goes_on, -np.inf, scores[last + 1])

    def _spans(self, doc: Doc, entities: Entities) -> List[Span]:
        columns = (column.tolist() for column in entities[:3])
        names = self.labels
        return [
            Span(doc, start, end, label=names[label])
            for start, end, label in zip(*columns, strict=True)
        ]

    def set_annotations(self, docs: Iterable[Doc], predictions: List[Entities]) -> None:
        """Write predictions to docs.

        docs (Iterable[Doc]): The documents to modify.
        predictions: What `predict` returned for them.
        """
        confidence, probabilities = self.cfg["confidence_attr"], self.cfg["probabilities_attr"]
        for doc, entities in zip(docs, predictions, strict=True):
            spans = self._spans(doc, entities)
            iob = doc.to_array(ENT_IOB)
            new = [i for i, span in enumerate(spans) if iob[span.start] in (UNKNOWN, OUT)]
            if iob.any():
                doc.set_ents([spans[i] for i in new], default="unmodified")
                _set_outside(doc)
            else:
                doc.set_ents(spans, default="outside")
            if confidence is not None and entities.confidences is not None:
                for i in new:
                    spans[i]._.set(confidence, float(entities.confidences[i]))
            if probabilities is not None and entities.probabilities is not None:
                doc._.set(probabilities, entities.probabilities.tolist())


def _set_outside(doc: Doc) -> None:
    """Mark tokens about which nothing is said as part of no entity."""
    values: Any = doc.to_array([ENT_IOB, ENT_TYPE])
    values[values[:, 0] == UNKNOWN, 0] = OUT
    doc.from_array([ENT_IOB, ENT_TYPE], values)


def _labels_in(examples: List[Example]) -> List[str]:
    """The labels of entities in the gold annotation, sorted."""
    found = {
        eg.y.vocab.strings[label]
        for eg in examples
        for label in set(eg.y.to_array(ENT_TYPE).tolist())
        if label
    }
    return sorted(found)


def _aligned_entities(example: Example) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each predicted token the gold `ent_iob` and `ent_type`, and whether it is white space.
    Entities that begin or end within a token are warned of; their tokens are without annotation."""
    predicted, reference = example.predicted, example.reference
    spaces = predicted.to_array(IS_SPACE) == 1
    words = predicted.to_array(ORTH)
    if len(predicted) == len(reference) and (words == reference.to_array(ORTH)).all():
        iob, hashes = reference.to_array([ENT_IOB, ENT_TYPE]).T
        iob = iob.astype("int64")
    else:
        spans, tags = example.get_aligned_ents_and_ner()
        if len(spans) < len(reference.ents):
            entities = [(e.start_char, e.end_char, e.label_) for e in reference.ents]
            text = predicted.text[:50]
            warnings.warn(Warnings.W030.format(text=text, entities=entities), stacklevel=2)
        iob = np.array([IOB[tag[0]] if tag else UNKNOWN for tag in tags])
        strings = reference.vocab.strings
        hashes = np.array(
            [strings.as_int(tag[2:]) if tag and tag != "O" else 0 for tag in tags], dtype="uint64"
        )
    if iob.any():
        iob[(iob == UNKNOWN) & spaces] = OUT
    return iob, hashes, spaces
