"""spaCy's own files."""

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training.corpus import FILE_TYPE, walk_corpus
from spacy.vocab import Vocab

from ...extensions import set_doc_extension
from ..docs import read_docs
from .base import Format, ReadCounts, Start

if TYPE_CHECKING:
    from ..data_file import DataFile

#: the number of docs whose annotation shows the task
N_DOCS = 100


class DocBins(Format):
    """A `.spacy` file, or a folder of them."""

    name = "spacy"
    endings = (FILE_TYPE,)
    settings = ()

    def fits(self, start: Start) -> bool:
        if start.path.is_dir():
            return any(start.path.rglob(f"*{FILE_TYPE}"))
        return start.ending in self.endings

    def complete(self, file: "DataFile") -> "DataFile":
        if file.task is not None:
            return file
        return file.guessed(task=task_of(islice(_read(file, Vocab()), N_DOCS)))

    def docs(self, file: "DataFile", nlp: Language, counts: ReadCounts) -> Iterator[Doc]:
        for number, doc in enumerate(_read(file, nlp.vocab), start=1):
            if len(doc):
                yield doc
            else:
                counts.note("docs without a token, left out", f"doc {number}")

    def reader_config(self, file: "DataFile", path: str) -> Dict[str, Any]:
        return {"@readers": "spacy.Corpus.v1", "path": path, "gold_preproc": False}


def _read(file: "DataFile", vocab: Vocab) -> Iterator[Doc]:
    for attr in ("regression", "translation"):
        set_doc_extension(attr)
    for path in walk_corpus(file.path, FILE_TYPE):
        yield from read_docs(path, vocab)


def task_of(docs: Iterable[Doc]) -> str:
    """Guess the task from the annotation of docs.

    docs (Iterable[Doc]): Some of the docs.
    RETURNS (str): The task.
    """
    found = Counter(task for doc in docs for task in tasks_of(doc))
    return found.most_common(1)[0][0] if found else "lm"


def tasks_of(doc: Doc) -> Iterator[str]:
    """Find the tasks whose annotation a doc has.

    doc (Doc): The doc.
    YIELDS (str): The tasks.
    """
    for attr in ("regression", "translation"):
        set_doc_extension(attr)
    if doc._.translation:
        yield "translator"
    if doc._.regression:
        yield "regressor"
    if doc.cats:
        yield "textcat" if sum(doc.cats.values()) == 1 else "textcat_multilabel"
    if doc.ents:
        yield "ner"
    if any(map(doc.has_annotation, ("TAG", "POS", "MORPH"))):
        yield "tagger"
