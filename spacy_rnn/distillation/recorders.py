"""Components that are added to a teacher, and note what its own ones predict."""

from typing import Any, Dict, Iterable, Iterator, List, Optional

import numpy as np
from spacy.attrs import ENT_IOB
from spacy.language import Language
from spacy.parts_of_speech import NAMES as POS_NAMES
from spacy.pipeline import Morphologizer, SentenceRecognizer, Tagger
from spacy.tokens import Doc
from spacy.util import minibatch

from ..features.soft_labels import (
    TOKEN_TARGETS,
    SoftLabels,
    as_scheme,
    one_hot,
    set_soft_labels,
    soft_labels_of,
    tag_scheme_of,
)
from ..pipeline.ner import RNNEntityRecognizer
from ..pipeline.predictions import TOKEN_VALUES
from ..pipeline.tagger import RNNTagger

#: the factories that are added before spaCy's taggers, and after all that give probabilities
SOFT_RECORDER, LABEL_RECORDER = "rnn_soft_labels", "rnn_labels"
#: the keys in `doc.user_data` of the labels of tokens that have probabilities, and of those that a
#: component has found and keeps
_LABELS, _KEPT = "rnn_labels", "rnn_kept_labels"


def targets_of(pipe: Any) -> List[str]:
    """The targets of which a component gives probabilities for each token (List[str])."""
    if isinstance(pipe, RNNTagger):
        return list(pipe.cfg["targets"])
    if isinstance(pipe, RNNEntityRecognizer):
        return ["ner"]
    if isinstance(pipe, Morphologizer):
        return ["pos", "morph"]
    # spaCy derives the recognizer of sentences from the tagger.
    is_tagger = isinstance(pipe, Tagger) and not isinstance(pipe, SentenceRecognizer)
    return ["tag"] * is_tagger


def add_recorders(nlp: Language) -> None:
    """Let a pipeline note the probabilities of spaCy's taggers, and the labels that belong to
    probabilities.

    nlp (Language): The pipeline to modify.
    """
    for i, (name, pipe) in enumerate(list(nlp.pipeline)):
        targets = targets_of(pipe)
        if isinstance(pipe, (RNNTagger, RNNEntityRecognizer)):
            if pipe.cfg["probabilities_attr"] is None:
                pipe.cfg["probabilities_attr"] = f"probabilities_of_{i}"
                pipe.register_extensions()
        elif targets:
            config: Dict[str, Any] = {"source": name}
            nlp.add_pipe(SOFT_RECORDER, f"{SOFT_RECORDER}_{i}", before=name, config=config)
        if targets:
            config = {"targets": targets, "key": _LABELS}
            nlp.add_pipe(LABEL_RECORDER, f"{LABEL_RECORDER}_{i}", after=name, config=config)
        # The probabilities of entities follow from those that are found.
        if targets and not pipe.cfg.get("overwrite", True):  # type: ignore[attr-defined]
            config = {"targets": targets, "key": _KEPT}
            nlp.add_pipe(LABEL_RECORDER, f"{LABEL_RECORDER}_kept_{i}", before=name, config=config)


def labels_of_tokens(doc: Doc, target: str) -> List[Optional[str]]:
    """Get the labels that a document is annotated with.

    doc (Doc): The document.
    target (str): The target.
    RETURNS (List[Optional[str]]): The label of each token, of entities its tag in the scheme biluo;
        None where it is not annotated.
    """
    if target == "ner":
        tags = ["O" if iob else None for iob in doc.to_array(ENT_IOB).tolist()]
        for entity in doc.ents:
            n = len(entity)
            prefixes = "U" if n == 1 else f"B{'I' * (n - 2)}L"
            tags[entity.start : entity.end] = [f"{each}-{entity.label_}" for each in prefixes]
        return tags
    values = [TOKEN_VALUES[target](token) or None for token in doc]
    if target == "morph":
        # The empty morphology has a name.
        values = ["_" if t.has_morph() and not v else v for t, v in zip(doc, values, strict=True)]
    return values


def one_hot_labels(doc: Doc) -> Dict[str, SoftLabels]:
    """The annotation of the tokens of a document as probabilities of 1."""
    of_targets = {target: labels_of_tokens(doc, target) for target in TOKEN_TARGETS}
    return {target: one_hot(labels) for target, labels in of_targets.items() if any(labels)}


def check_tokens(doc: Doc) -> None:
    """Check that a document has the tokens that have probabilities.

    doc (Doc): The document, as the pipeline leaves it.
    RAISES (ValueError): If a component has merged or split tokens.
    """
    for target, labels in (doc.user_data.get(_LABELS) or {}).items():
        if len(labels) != len(doc):
            raise ValueError(
                f"The teacher merges or splits tokens after it has labeled them ('{target}' of "
                f"{len(labels)} tokens, which are now {len(doc)}), so that probabilities are "
                f"lost. Leave out what does so, such as with --exclude merge_entities."
            )


def with_final_labels(doc: Doc, found: Dict[str, SoftLabels]) -> Dict[str, SoftLabels]:
    """Make labels certain that other components than the one with the probabilities have set, such
    as rules: those that it has kept, that were changed since, or that it does not have.

    doc (Doc): The document, as the pipeline leaves it.
    found (Dict[str, SoftLabels]): The soft labels.
    RETURNS (Dict[str, SoftLabels]): Soft labels that agree with the annotation.
    """
    recorded, kept = doc.user_data.get(_LABELS) or {}, doc.user_data.get(_KEPT) or {}
    result = dict(found)
    for target in found.keys() & recorded.keys():
        soft, labels = found[target], labels_of_tokens(doc, target)
        known = {None, *soft.labels}
        if target == "ner" and tag_scheme_of(soft.labels) == "bio":
            # Labels of tokens are tags of the scheme biluo.
            known |= {f"{prefix}{tag[1:]}" for tag in soft.labels for prefix in "LU" if "-" in tag}
        columns = (recorded[target], labels, kept.get(target, [None] * len(doc)))
        others = [
            old != new or new not in known or preset is not None
            for old, new, preset in zip(*columns, strict=True)
        ]
        if any(others):
            result[target] = _with_certain(soft, labels, others)
    return result


def _with_certain(soft: SoftLabels, labels: List[Optional[str]], chosen: List[bool]) -> SoftLabels:
    """Give the probability 1 to the labels of tokens that are chosen."""
    certain = as_scheme(one_hot(labels), tag_scheme_of(soft.labels))
    names = tuple(dict.fromkeys((*soft.labels, *certain.labels)))
    p = np.where(np.array(chosen)[:, None], certain.columns(names), soft.columns(names))
    return soft._replace(labels=names, probabilities=p)


class LabelRecorder:
    """Notes the labels of the tokens in `doc.user_data`.

    targets (List[str]): The targets.
    key (str): The key.
    """

    def __init__(self, targets: List[str], key: str):
        self.targets = targets
        self.key = key

    def __call__(self, doc: Doc) -> Doc:
        """Process a document."""
        found = {target: labels_of_tokens(doc, target) for target in self.targets}
        doc.user_data[self.key] = {**doc.user_data.get(self.key, {}), **found}
        return doc


@Language.factory(LABEL_RECORDER)
def make_label_recorder(nlp: Language, name: str, targets: List[str], key: str) -> LabelRecorder:
    """Make a recorder of the labels of targets."""
    return LabelRecorder(targets, key)


class SoftLabelRecorder:
    """Sets the probabilities of a tagger or morphologizer of spaCy as `doc._.soft_labels`.

    source (Tagger): The component.
    """

    def __init__(self, source: Tagger):
        self.source = source

    def __call__(self, doc: Doc) -> Doc:
        """Process a document."""
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Process a stream of documents."""
        for docs in minibatch(stream, batch_size):
            self._record(docs)
            yield from docs

    def _record(self, docs: List[Doc]) -> None:
        of_docs = self.source.model.predict(docs) if any(map(len, docs)) else [[]] * len(docs)
        for doc, scores in zip(docs, of_docs, strict=True):
            if len(doc):
                to_numpy = self.source.model.ops.to_numpy
                p = _probabilities(to_numpy(scores).astype("float32"))
                set_soft_labels(doc, {**soft_labels_of(doc), **_by_target(self.source, p)})


@Language.factory(SOFT_RECORDER)
def make_soft_recorder(nlp: Language, name: str, source: str) -> SoftLabelRecorder:
    """Make a recorder of the component `source`."""
    pipe: Any = nlp.get_pipe(source)
    return SoftLabelRecorder(pipe)


def _probabilities(scores: np.ndarray) -> np.ndarray:
    """Scores of an output layer as probabilities, which some layers compute themselves."""
    if (scores >= 0).all() and np.allclose(scores.sum(axis=1), 1.0, atol=1e-3):
        return scores
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: np.ndarray = exponentials / exponentials.sum(axis=1, keepdims=True)
    return found


def _by_target(pipe: Tagger, p: np.ndarray) -> Dict[str, SoftLabels]:
    if not isinstance(pipe, Morphologizer):
        return {"tag": SoftLabels(tuple(pipe.labels), p)}
    # Each label is a part of speech with a morphology.
    strings, morphology = pipe.vocab.strings, pipe.vocab.morphology
    pos = [POS_NAMES[pipe.cfg["labels_pos"][label]] for label in pipe.labels]
    morphs = [strings[morphology.add(pipe.cfg["labels_morph"][label])] for label in pipe.labels]
    return {"pos": _merged(pos, p), "morph": _merged(morphs, p)}


def _merged(names: List[str], p: np.ndarray) -> SoftLabels:
    """Add the probabilities of labels with the same name; "" is none."""
    labels = tuple(dict.fromkeys(name for name in names if name))
    sums = np.stack([p[:, np.array(names) == label].sum(axis=1) for label in labels], axis=1)
    return SoftLabels(labels, sums)
