"""Teachers: pipelines that annotate texts and say how probable their labels are."""

import sys
from contextlib import ExitStack
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple, Union

import numpy as np
from spacy.attrs import SENT_START
from spacy.language import Language
from spacy.parts_of_speech import NAMES as POS_NAMES
from spacy.pipeline import Morphologizer, Tagger
from spacy.tokens import Doc
from spacy.util import minibatch

from ..extensions import set_doc_extension
from ..features.soft_labels import (
    SOFT_LABELS,
    TEXT_TARGET,
    SoftLabels,
    average,
    is_soft,
    one_hot,
    read_soft_labels,
    set_soft_labels,
    soft_labels_of,
)
from ..features.tag_scheme import TagScheme
from ..pipeline.entity_annotation import preset_tags
from ..pipeline.ner import RNNEntityRecognizer
from ..pipeline.predictions import EXCLUSIVE, TOKEN_VALUES
from ..pipeline.tagger import RNNTagger
from ..readers.answers import best_categories, set_best_labels

#: the factory that is added before spaCy's taggers
RECORDER = "rnn_soft_labels"


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
        set_doc_extension(SOFT_LABELS)
        for i, (name, pipe) in enumerate(list(nlp.pipeline)):
            if isinstance(pipe, (RNNTagger, RNNEntityRecognizer)):
                if pipe.cfg["probabilities_attr"] is None:
                    pipe.cfg["probabilities_attr"] = f"probabilities_of_{i}"
                    pipe.register_extensions()
            elif isinstance(pipe, Tagger):
                config = {"source": name}
                nlp.add_pipe(RECORDER, f"{RECORDER}_{i}", before=name, config=config)

    @property
    def exclusive(self) -> bool:
        """True if exactly one label of `doc.cats` holds (bool)."""
        factories = [self.nlp.get_pipe_meta(name).factory for name in self.nlp.pipe_names]
        return any(factory in EXCLUSIVE for factory in factories)

    def soft_labels(self, doc: Doc) -> Dict[str, SoftLabels]:
        """Get the probabilities that the pipeline has given.

        doc (Doc): A document that it has annotated.
        RETURNS (Dict[str, SoftLabels]): Those of each target.
        RAISES (ValueError): If a component has set malformed ones, or the extension does not exist.
        """
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
        cats = np.array([*doc.cats.values()])
        if is_soft(cats):
            found[TEXT_TARGET] = SoftLabels(tuple(doc.cats), cats)
        if self.attr != SOFT_LABELS:
            if not Doc.has_extension(self.attr):
                raise ValueError(
                    f"There is no Doc extension '{self.attr}', the 'attr' in which a component of "
                    f"the teacher sets soft labels. Correct the name."
                )
            found.update(read_soft_labels(doc._.get(self.attr), len(doc)))
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
        self.teachers = teachers
        self.kept = {*kept}
        self.batch_size = batch_size
        self.n_process = n_process

    @property
    def max_length(self) -> int:
        """The number of characters of the longest text that all teachers read (int)."""
        return min(teacher.nlp.max_length for teacher in self.teachers)

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
            exclusive = any(teacher.exclusive for teacher in self.teachers)
            doc.cats = best_categories(soft[TEXT_TARGET], exclusive)
        for name, value in extensions.items():
            doc._.set(name, value)
        set_soft_labels(doc, {target: entry.compact() for target, entry in soft.items()})
        set_best_labels(doc)
        return doc

    def _averaged(self, answers: Tuple[Doc, ...]) -> Dict[str, SoftLabels]:
        of_each = [
            {**_one_hot_labels(doc), **teacher.soft_labels(doc)}
            for teacher, doc in zip(self.teachers, answers, strict=True)
        ]
        targets: Set[str] = {target for found in of_each for target in found}
        return {
            target: average([found[target] for found in of_each if target in found])
            for target in sorted(targets)
        }

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


def _one_hot_labels(doc: Doc) -> Dict[str, SoftLabels]:
    """The annotation of a document as probabilities of 1."""
    found = {}
    for target, value in TOKEN_VALUES.items():
        if doc.has_annotation(target.upper()):
            values = [value(token) for token in doc]
            # The empty morphology has a name.
            values = [each or "_" for each in values] if target == "morph" else values
            found[target] = one_hot(values)
    if doc.has_annotation("ENT_IOB"):
        labels = tuple(dict.fromkeys(entity.label_ for entity in doc.ents))
        scheme = TagScheme("biluo", len(labels))
        hashes = np.array([*map(doc.vocab.strings.as_int, labels)], dtype="uint64")
        tags = scheme.names(labels)
        preset = preset_tags(scheme, hashes, doc).tolist()
        found["ner"] = one_hot([None if i < 0 else tags[i] for i in preset])
    if doc.cats:
        found[TEXT_TARGET] = SoftLabels(tuple(doc.cats), np.array([*doc.cats.values()]))
    return found


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


@Language.factory(RECORDER)
def make_recorder(nlp: Language, name: str, source: str) -> SoftLabelRecorder:
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
