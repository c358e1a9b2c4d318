"""A reader of data files of any known format."""

from dataclasses import KW_ONLY, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Union

from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Corpus as SpacyCorpus
from spacy.training import Example

from ..log import inform
from ..text_files import UTF8
from ..validation import at_least
from .data_file import AUTO, DataFile, detect
from .labels import LabelSource

#: the settings that are about examples, not about the file
OF_EXAMPLES = ("path", "gold_preproc", "max_length", "limit", "augmenter")


@dataclass(eq=False)
class Corpus(LabelSource):
    """spacy_rnn.Corpus.v1: iterate Example objects over a data file: tables (.csv, .tsv), columns
    of tokens and tags (CoNLL), CoNLL-U, JSON lines, fastText, folders of texts and others. What is
    not set is guessed from the file; the first pass logs the guesses and the numbers.

    Examples are made as by spacy.Corpus.v1: the pipeline tokenizes the text, unless spaces are
    unknown or `gold_preproc` is set.

    path (Optional[Union[str, Path]]): The file or folder. None, the value of an empty variable in a
        config, is an error.
    format (str): The name of the format, "auto" to guess.
    task (Optional[str]): The task of the component that learns from it; None to guess.
    columns (Optional[Dict[str, Union[str, List[str]]]]): The name of the column of each role, such
        as {"text": "sentence", "label": "intent"}; its index, from 0, without a header.
    labels (Optional[Union[List[str], LabelSource]]): The names of all labels in `doc.cats`, or the
        reader of the training corpus, so that a dev corpus has its labels too. None for those of
        the file.
    separator (Optional[str]): The separator of labels in one field; "" if a field is one label.
    delimiter (Optional[str]): The separator of columns.
    header (Optional[bool]): The first row has the names of the columns.
    quotes (Optional[bool]): Fields of a table may be quoted by double quotes (RFC 4180).
    encoding (str): The encoding of text files without a byte-order mark.
    target_path (Optional[Union[str, Path]]): The file with the translation of each line.
    n_sents (int): The number of sentences of a document.
    merge_subtokens (bool): Make one token of each multi-word token of CoNLL-U.
    gold_preproc (bool): Keep the tokens of the file, and split documents into sentences.
    max_length (int): Split documents with this number of tokens or more into sentences; 0 for no
        limit.
    limit (int): The maximum number of documents; 0 for no limit.
    augmenter (Optional[Callable]): Makes further examples of each one.
    RAISES (ValueError): If a setting is out of range.
    """

    path: Optional[Union[str, Path]]
    _: KW_ONLY
    format: str = AUTO
    task: Optional[str] = None
    columns: Optional[Dict[str, Union[str, List[str]]]] = None
    labels: Optional[Union[List[str], LabelSource]] = None
    separator: Optional[str] = None
    delimiter: Optional[str] = None
    header: Optional[bool] = None
    quotes: Optional[bool] = None
    encoding: str = UTF8
    target_path: Optional[Union[str, Path]] = None
    n_sents: int = 1
    merge_subtokens: bool = False
    gold_preproc: bool = False
    max_length: int = 0
    limit: int = 0
    augmenter: Optional[Callable[[Language, Example], Iterator[Example]]] = None

    def __post_init__(self) -> None:
        if self.path is None:
            raise ValueError(Errors.E913)
        at_least(0, max_length=self.max_length, limit=self.limit)
        at_least(1, n_sents=self.n_sents)
        self._is_logged = False

    @property
    def label_names(self) -> List[str]:
        """The names of all labels in `doc.cats`.

        RAISES (ValueError): If there are none.
        """
        names = self._file.label_names
        if names is None:
            raise ValueError(f"{self.path} has no labels. Leave labels out.")
        return names

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Yield examples from the data.

        nlp (Language): The current nlp object.
        YIELDS (Example): The examples.
        RAISES (OSError): If the file is not found.
        RAISES (ValueError): If it is malformed, no format fits, or it has no documents.
        """
        # spaCy's corpus only makes the examples here.
        spacy_corpus = SpacyCorpus(
            self._file.path, max_length=self.max_length, augmenter=self.augmenter
        )
        make = spacy_corpus.make_examples
        if self.gold_preproc:
            make = spacy_corpus.make_examples_gold_preproc
        for example in make(nlp, self._docs(nlp)):
            yield from spacy_corpus.augmenter(nlp, example)

    def _docs(self, nlp: Language) -> Iterator[Doc]:
        for number, doc in enumerate(self._file.read(nlp), start=1):
            yield doc
            if number == self.limit:
                break
        if not self._is_logged:
            self._is_logged = True
            for line in (*self._file.describe(), *self._file.counts.lines()):
                inform("%s: %s", self.path, line)

    @cached_property
    def _file(self) -> DataFile:
        # Not in __init__, because a config may be resolved where the data is not.
        settings: Dict[str, Any] = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in (*OF_EXAMPLES, "_")
        }
        assert self.path is not None
        return detect(self.path, **settings)
