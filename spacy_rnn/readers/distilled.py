"""A reader of the answers of a teacher."""

from collections import defaultdict
from dataclasses import KW_ONLY, dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Union

from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example, dont_augment

from ..features.soft_labels import (
    TEXT_TARGET,
    n_unanswered,
    set_soft_labels,
    soft_labels_of,
)
from ..log import inform
from ..validation import above_zero, at_least, probability
from .answers import read_answers, set_best_labels
from .label_map import OTHERS, check_label_maps, labels_in, map_annotation, map_soft_labels
from .labels import LabelSource
from .text_io import logger


@dataclass(eq=False)
class Distilled(LabelSource):
    """spacy_rnn.Distilled.v1: iterate Example objects over the answers of a teacher, as
    ``python -m spacy rnn distill`` writes them, and over gold examples with its answers. Components
    learn from the probabilities in `doc._.soft_labels`, and where there are none from the labels.

    Examples are made as by spacy.Corpus.v1: the pipeline tokenizes the text, unless `gold_preproc`
    is set. The first pass logs how many tokens have no answer because the teacher has others there.

    path (Optional[Union[str, Path]]): The answers: a folder of .spacy files, or a .spacy or .jsonl
        file. None, the value of an empty variable in a config, is an error.
    gold (Optional[Union[str, Path]]): Gold examples, with the teacher's answers in
        `doc._.soft_labels`, in the same form.
    share (float): The share of the teacher's answers in the loss of gold examples; the rest is that
        of the gold labels (the weighted average of Hinton et al. 2015, section 2).
    temperature (float): The temperature at which probabilities are learned; above 1, improbable
        labels matter more.
    labels (Optional[Dict[str, Dict[str, Optional[str]]]]): For the targets "tag", "pos", "morph",
        "ner" and "cats" the new names of the teacher's labels. Those with the same name are merged,
        those with null left out; "*" stands for all that are not named. Labels of gold examples are
        not renamed.
    gold_preproc (bool): Keep the tokens of the answers, and split documents into sentences.
    max_length (int): Split documents with this number of tokens or more into sentences, and leave
        out sentences that are still longer; 0 for no limit.
    limit (int): The maximum number of documents; 0 for no limit.
    augmenter (Optional[Callable]): Makes further examples of each one.
    RAISES (ValueError): If a setting is out of range.
    """

    path: Optional[Union[str, Path]]
    _: KW_ONLY
    gold: Optional[Union[str, Path]] = None
    share: float = 0.5
    temperature: float = 1.0
    labels: Optional[Dict[str, Dict[str, Optional[str]]]] = None
    gold_preproc: bool = False
    max_length: int = 0
    limit: int = 0
    augmenter: Optional[Callable[[Language, Example], Iterator[Example]]] = None

    def __post_init__(self) -> None:
        if self.path is None:
            raise ValueError(Errors.E913)
        probability(share=self.share)
        above_zero(temperature=self.temperature)
        at_least(0, max_length=self.max_length, limit=self.limit)
        check_label_maps(self.labels or {})
        self._is_logged = False
        self._found: Dict[str, Set[str]] = defaultdict(set)

    @property
    def label_names(self) -> List[str]:
        """The names of all labels in `doc.cats`, by which a reader of gold examples knows those
        that it lacks (List[str]).

        RAISES (ValueError): If there are none.
        """
        names = {label for doc in self._docs(Language()) for label in doc.cats}
        if not names:
            raise ValueError(f"{self.path} has no labels. Leave labels out.")
        return sorted(names)

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Yield examples from the answers, those with gold labels evenly among the first ones.

        nlp (Language): The current nlp object.
        YIELDS (Example): The examples.
        RAISES (OSError): If a file is not found.
        RAISES (ValueError): If a file is malformed, or has no documents.
        """
        augment: Any = self.augmenter or dont_augment
        n_docs = n_tokens = n_lost = 0
        for doc in islice(self._docs(nlp), self.limit or None):
            n_docs += 1
            for reference in self._parts(doc):
                example = self._make_example(nlp, reference)
                if not self._is_logged:
                    n_tokens += len(example.predicted)
                    n_lost += n_unanswered(example)
                yield from augment(nlp, example)
        if not n_docs:
            raise ValueError(f"'{self.path}' has no texts with answers. Check the path.")
        if not self._is_logged:
            self._is_logged = True
            self._warn_of_unused_names()
            inform("%s: %d documents with %d tokens", self.path, n_docs, n_tokens)
            if n_lost:
                inform(
                    "%s: %d tokens have no answer, because the teacher has other tokens there",
                    self.path,
                    n_lost,
                )

    def _docs(self, nlp: Language) -> Iterator[Doc]:
        """The documents, gold ones between the others, with their soft labels as they are
        learned."""
        assert self.path is not None
        answers = read_answers(nlp, Path(self.path))
        gold = iter(()) if self.gold is None else read_answers(nlp, Path(self.gold))
        for pair in zip_longest(answers, gold):
            for doc, is_gold in zip(pair, (False, True), strict=True):
                if doc is not None:
                    self._prepare(doc, is_gold)
                    yield doc

    def _prepare(self, doc: Doc, is_gold: bool) -> None:
        maps = self.labels or {}
        if not self._is_logged:
            for target in maps:
                self._found[target] |= labels_in(doc, target)
        map_soft_labels(doc, maps)
        if not is_gold:
            map_annotation(doc, maps)
        set_best_labels(doc)
        found = soft_labels_of(doc)
        changes: Dict[str, Any] = {"temperature": self.temperature}
        if is_gold:
            changes["share"] = self.share
        set_soft_labels(doc, {name: soft._replace(**changes) for name, soft in found.items()})

    def _warn_of_unused_names(self) -> None:
        for target, names in (self.labels or {}).items():
            unused = sorted(names.keys() - self._found[target] - {OTHERS})
            if unused:
                logger.warning(
                    "%s: labels.%s names %s, which no text has. Check how they are written.",
                    self.path,
                    target,
                    ", ".join(map(repr, unused)),
                )

    def _parts(self, doc: Doc) -> Iterator[Doc]:
        is_short = not self.max_length or len(doc) < self.max_length
        has_sentences = doc.has_annotation("SENT_START")
        if is_short and not (self.gold_preproc and has_sentences):
            yield doc
        elif has_sentences:
            for sentence in doc.sents:
                if not self.max_length or len(sentence) < self.max_length:
                    yield _as_doc(sentence)

    def _make_example(self, nlp: Language, reference: Doc) -> Example:
        if not (self.gold_preproc or reference.has_unknown_spaces):
            return Example(nlp.make_doc(reference.text), reference)
        words, spaces = zip(*((t.text, bool(t.whitespace_)) for t in reference), strict=True)
        return Example(Doc(nlp.vocab, words=list(words), spaces=list(spaces)), reference)


def _as_doc(sentence: Span) -> Doc:
    """A sentence as a document, with the soft labels of its tokens."""
    doc = sentence.as_doc()
    found = soft_labels_of(sentence.doc)
    of_tokens = {
        name: soft._replace(probabilities=soft.probabilities[sentence.start : sentence.end])
        for name, soft in found.items()
        if name != TEXT_TARGET
    }
    set_soft_labels(doc, of_tokens)
    return doc
