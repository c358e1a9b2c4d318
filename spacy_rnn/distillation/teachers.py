"""Teachers: pipelines that annotate texts and say how probable their labels are."""

import sys
from contextlib import ExitStack
from itertools import combinations
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple, Union

import numpy as np
from spacy.attrs import SENT_START
from spacy.language import Language
from spacy.tokens import Doc

from ..extensions import set_doc_extension
from ..features.soft_labels import (
    SOFT_LABELS,
    TEXT_TARGET,
    TOLERANCE,
    SoftLabels,
    are_exclusive,
    as_scheme,
    average,
    is_soft,
    read_soft_labels,
    set_soft_labels,
    soft_labels_of,
    tag_scheme_of,
)
from ..pipeline.ner import RNNEntityRecognizer
from ..pipeline.predictions import EXCLUSIVE
from ..pipeline.tagger import RNNTagger
from ..readers.answers import best_categories, set_best_labels
from .recorders import (
    add_recorders,
    check_tokens,
    one_hot_labels,
    targets_of,
    with_final_labels,
)

#: factories of text classifiers of which each label holds or not
MULTILABEL = ("rnn_textcat_multilabel", "textcat_multilabel")
#: what components without probabilities assign, by target
_ASSIGNED = {"ner": "doc.ents", TEXT_TARGET: "doc.cats"}


class Teacher:
    """A pipeline whose components say how probable their labels are, where they can.

    Taggers and entity recognizers of this package, and spaCy's taggers and morphologizers, give
    probabilities of their own; text classifiers set them as `doc.cats`; other components can set
    them in an extension of the form of `doc._.soft_labels`. All others only give labels.

    nlp (Language): The pipeline, which is modified.
    attr (str): The name of the extension.
    """

    def __init__(self, nlp: Language, attr: str = SOFT_LABELS):
        self.nlp = nlp
        self.attr = attr
        #: without those that are added
        self.pipe_names = nlp.pipe_names
        set_doc_extension(SOFT_LABELS)
        add_recorders(nlp)

    @property
    def exclusive(self) -> Optional[bool]:
        """True if exactly one label of `doc.cats` holds, None if it has no classifier that says so
        (Optional[bool])."""
        factories = {self.nlp.get_pipe_meta(name).factory for name in self.nlp.pipe_names}
        if factories & {*EXCLUSIVE}:
            return True
        return False if factories & {*MULTILABEL} else None

    @property
    def labels(self) -> Dict[str, Set[str]]:
        """The labels of each target, as far as components know them (Dict[str, Set[str]])."""
        found: Dict[str, Set[str]] = {}
        for name, pipe in self.nlp.pipeline:
            if isinstance(pipe, RNNTagger):
                of_pipe = {target: pipe.labels_of(target) for target in pipe.cfg["targets"]}
            elif "tag" in targets_of(pipe):
                of_pipe = {"tag": pipe.labels}  # type: ignore[attr-defined]
            else:
                assigned = {*self.nlp.get_pipe_meta(name).assigns}
                targets = [target for target, value in _ASSIGNED.items() if value in assigned]
                of_pipe = {target: getattr(pipe, "labels", ()) for target in targets}
            for target, labels in of_pipe.items():
                found.setdefault(target, set()).update(labels)
        return {target: labels for target, labels in found.items() if labels}

    def soft_labels(self, doc: Doc) -> Dict[str, SoftLabels]:
        """Get the probabilities that the pipeline has given.

        doc (Doc): A document that it has annotated.
        RETURNS (Dict[str, SoftLabels]): Those of each target.
        RAISES (ValueError): If they are malformed, the tokens have changed, or the extension does
            not exist.
        """
        check_tokens(doc)
        found = soft_labels_of(doc)
        for _, pipe in self.nlp.pipeline:
            if isinstance(pipe, RNNTagger):
                values = doc._.get(pipe.cfg["probabilities_attr"]) or {}
                for target, p in values.items():
                    labels = pipe.labels_of(target)
                    found[target] = SoftLabels(labels, np.reshape(p, (len(doc), len(labels))))
            elif isinstance(pipe, RNNEntityRecognizer):
                p = doc._.get(pipe.cfg["probabilities_attr"])
                if p is not None:
                    found["ner"] = SoftLabels(pipe.tags, np.reshape(p, (len(doc), len(pipe.tags))))
        found = with_final_labels(doc, found)
        _check_probabilities(doc, _categories(doc))
        for target, soft in _categories(doc).items():
            if is_soft(soft.probabilities):
                found[target] = soft
        if self.attr != SOFT_LABELS:
            if not Doc.has_extension(self.attr):
                raise ValueError(
                    f"There is no Doc extension '{self.attr}', the 'attr' in which a component of "
                    f"the teacher sets soft labels. Correct the name."
                )
            found.update(read_soft_labels(doc._.get(self.attr), len(doc)))
        _check_probabilities(doc, found)
        return found


class Teachers:
    """One or several teachers that answer together: the mean of their probabilities. Where one
    gives labels only, they have the probability 1.

    teachers (Sequence[Teacher]): The teachers. The first one tokenizes.
    kept (Iterable[str]): The names of Doc extensions that belong to the answers.
    batch_size (Optional[int]): The number of texts in a batch; None for each pipeline's own.
    n_process (int): The number of processes.
    """

    def __init__(
        self,
        teachers: Sequence[Teacher],
        kept: Iterable[str] = (),
        batch_size: Optional[int] = None,
        n_process: int = 1,
    ):
        _check_shared(teachers)
        self.teachers = teachers
        self.kept = {*kept}
        self.batch_size = batch_size
        self.n_process = n_process

    @property
    def max_length(self) -> int:
        """The number of characters of the longest text that all teachers read (int)."""
        return min(teacher.nlp.max_length for teacher in self.teachers)

    @property
    def exclusive(self) -> Optional[bool]:
        """True if exactly one label of `doc.cats` holds for any teacher, None if none of them says
        so (Optional[bool])."""
        found = [teacher.exclusive for teacher in self.teachers]
        return True if True in found else False if False in found else None

    def answer(self, texts: Sequence[Union[str, Doc]]) -> Iterator[Doc]:
        """Answer some texts, which are read in one go.

        texts (Sequence[Union[str, Doc]]): The texts, or documents whose tokens are kept.
        YIELDS (Doc): A document for each text with its most probable labels, its soft labels where
            the teachers give more, and without anything else in `doc.user_data`.
        """
        inputs: Sequence[Union[str, Doc]] = texts
        found: List[List[Doc]] = []
        for teacher in self.teachers:
            nlp = teacher.nlp
            read = [each if isinstance(each, str) else _copy(nlp, each) for each in inputs]
            batch_size = self.batch_size or nlp.batch_size
            found.append([*nlp.pipe(read, batch_size=batch_size, n_process=self.n_process)])
            inputs = found[0]
        for answers in zip(*found, strict=True):
            yield self._joined(answers)

    def in_memory_zones(self) -> ExitStack:
        """Enter a memory zone of each pipeline, after which vocabularies forget new words. With
        several processes there is none."""
        stack = ExitStack()
        if self.n_process == 1:
            for teacher in self.teachers:
                stack.enter_context(teacher.nlp.memory_zone())
        return stack

    def _joined(self, answers: Tuple[Doc, ...]) -> Doc:
        doc = answers[0]
        soft = self.teachers[0].soft_labels(doc)
        if len(answers) > 1:
            soft = self._averaged(answers)
        extensions = self._extensions(answers)
        doc.user_data.clear()
        if len(answers) > 1:
            # Labels that are not those of the first teacher follow from the mean.
            doc = _copy(self.teachers[0].nlp, doc)
            starts: Any = answers[0].to_array([SENT_START])
            doc.from_array([SENT_START], starts)
        if TEXT_TARGET in soft:
            exclusive = self.exclusive
            if exclusive is None:
                exclusive = are_exclusive(soft[TEXT_TARGET].probabilities)
            doc.cats = best_categories(soft[TEXT_TARGET], exclusive)
        for name, value in extensions.items():
            doc._.set(name, value)
        set_soft_labels(doc, {target: entry.compact() for target, entry in soft.items()})
        set_best_labels(doc)
        return doc

    def _averaged(self, answers: Tuple[Doc, ...]) -> Dict[str, SoftLabels]:
        of_each = [
            {**one_hot_labels(doc), **_categories(doc), **teacher.soft_labels(doc)}
            for teacher, doc in zip(self.teachers, answers, strict=True)
        ]
        targets: Set[str] = {target for found in of_each for target in found}
        return {
            target: self._average(target, [found[target] for found in of_each if target in found])
            for target in sorted(targets)
        }

    def _average(self, target: str, answers: List[SoftLabels]) -> SoftLabels:
        if target == "ner" and any(tag_scheme_of(soft.labels) == "biluo" for soft in answers):
            answers = [as_scheme(soft, "biluo") for soft in answers]
        # Of labels that do not exclude others, a teacher without one says nothing about it.
        is_multilabel = target == TEXT_TARGET and self.exclusive is False
        return average(answers, fill=np.nan if is_multilabel else 0.0)

    def _extensions(self, answers: Tuple[Doc, ...]) -> Dict[str, Any]:
        """The extensions that are kept: the means of numbers, otherwise those of the first teacher
        that has some."""
        found: Dict[str, Any] = {}
        for name in self.kept:
            values = [doc._.get(name) for doc in answers if doc.has_extension(name)]
            values = [value for value in values if value]
            if values:
                found[name] = values[0]
                if all(isinstance(value, dict) for value in values):
                    names = dict.fromkeys(key for value in values for key in value)
                    found[name] = {
                        key: float(np.mean([value[key] for value in values if key in value]))
                        for key in names
                    }
        return found


class GivenAnswers(Teachers):
    """Teachers whose answers are there already: documents with their labels."""

    def __init__(self) -> None:
        super().__init__([])

    @property
    def max_length(self) -> int:
        """No limit (int)."""
        return sys.maxsize

    def answer(self, texts: Sequence[Union[str, Doc]]) -> Iterator[Doc]:
        """Return the documents as they are."""
        return (doc for doc in texts if isinstance(doc, Doc))


def _copy(nlp: Language, doc: Doc) -> Doc:
    """The tokens of a document, without annotation."""
    words, spaces = [token.text for token in doc], [bool(token.whitespace_) for token in doc]
    return Doc(nlp.vocab, words=words, spaces=spaces)


def _categories(doc: Doc) -> Dict[str, SoftLabels]:
    cats = SoftLabels(tuple(doc.cats), np.array([*doc.cats.values()]))
    return {TEXT_TARGET: cats} if cats.labels else {}


def _check_probabilities(doc: Doc, found: Dict[str, SoftLabels]) -> None:
    for target, soft in found.items():
        p = soft.probabilities
        wrong = p[~((p >= 0) & (p <= 1 + TOLERANCE))]
        if len(wrong):
            raise ValueError(
                f"The teacher gives a label of '{target}' the value {wrong[0]:.4g} in the text "
                f"'{doc.text:.40}', which is not a probability. Correct its component, or leave it "
                f"out with --exclude."
            )


def _check_shared(teachers: Sequence[Teacher]) -> None:
    """Check that any two teachers of a target have a label of it in common, without which their
    mean says nothing. Labels of texts that do not exclude each other need not be shared.

    RAISES (ValueError): If they have none.
    """
    for (i, one), (j, other) in combinations(enumerate(teachers, start=1), 2):
        pairs = one.labels, other.labels
        for target in sorted(pairs[0].keys() & pairs[1].keys()):
            is_multilabel = target == TEXT_TARGET and not (one.exclusive or other.exclusive)
            if is_multilabel or pairs[0][target] & pairs[1][target]:
                continue
            first, second = (", ".join(sorted(labels[target])[:5]) for labels in pairs)
            raise ValueError(
                f"Teachers {i} and {j} share no label of '{target}' ({first}; {second}), so that "
                f"the mean of their answers says nothing. Choose teachers of the same labels, or "
                f"train a student of each."
            )
