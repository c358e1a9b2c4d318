"""Treebanks in CoNLL-U and CoNLL-U Plus.

A spaCy token is a syntactic word of the treebank. Its TAG is XPOS, its POS is UPOS, its MORPH
is FEATS, and `_` is a missing value, with two exceptions: the LEMMA of the form `_` may be `_`, and
FEATS `_` means "no features" if any word of the file has features. spaCy sorts features by code
point ("NumForm" before "Number"), unlike treebanks. HEAD and DEP are only set in documents in which
all words have them. Empty nodes (`8.1`) are dropped.

The line of a multi-word token (`1-2`) determines the spaces. If its words spell it ("do", "n't"),
there are no spaces between them. Otherwise (Portuguese "da": "de", "a"), there are spaces between
them, so that the text is readable, but differs from that of the treebank. spaCy's own converter
would write "dea", uses UPOS for a missing XPOS, and makes every word a sentence if HEAD is `_`.
Therefore it is only used with `merge_subtokens`, which makes a token of each surface token and
joins the values of its words.
"""

import re
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Iterator, List, Mapping, Optional, Sequence, Set, Tuple, Union

from spacy.language import Language
from spacy.parts_of_speech import IDS as UPOS
from spacy.tokens import Doc
from spacy.training.converters import conllu_to_docs
from spacy.vocab import Vocab

from ...text_files import read_lines
from ..entity_tags import EntityTags, are_entity_tags
from .base import Format, ReadCounts, Start

if TYPE_CHECKING:
    from ..data_file import DataFile

COLUMNS = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
MISSING = "_"
ID = re.compile(r"(\d+)(?:([-.])(\d+))?")
FEATS = re.compile(r"_|[^=|]+=[^=|]+(\|[^=|]+=[^=|]+)*")
#: the line of CoNLL-U Plus with the names of its columns, and the line that begins a document
GLOBAL_COLUMNS = "# global.columns ="
NEW_DOCUMENT = "# newdoc"
#: the problem of a multi-word token whose words are not parts of it
OTHER_WORDS = "multi-word tokens read as words that the text lacks; merge_subtokens keeps the text"
#: the number of sentences that show the annotation
N_SENTENCES = 1000


@dataclass
class Word:
    """A syntactic word: its columns, `head` None if missing, and `space` if one follows."""

    values: Mapping[str, str]
    head: Optional[int]
    space: bool

    def __getitem__(self, column: str) -> str:
        return self.values.get(column, MISSING)


@dataclass
class MultiWordToken:
    """A surface token that spans the words `start` to `end`, counted from 1; `is_spelled` if these
    words spell it."""

    start: int
    end: int
    form: str
    space: bool
    is_spelled: bool = True


@dataclass
class Sentence:
    """The words and multi-word tokens of a sentence, and True if it begins a document."""

    words: List[Word] = field(default_factory=list)
    spans: List[MultiWordToken] = field(default_factory=list)
    starts_document: bool = False


class CoNLLU(Format):
    """A word with ten columns on each line, as in Universal Dependencies, or with the columns that
    the first line of CoNLL-U Plus names."""

    name = "conllu"
    endings = (".conllu", ".conllup", ".connlu")
    settings = ("columns", "n_sents", "merge_subtokens")

    def fits(self, start: Start) -> bool:
        if start.ending in self.endings:
            return True
        rows = [line.split("\t") for line in start.lines if line.strip() and line[0] != "#"]
        standard = bool(rows) and all(len(r) == len(COLUMNS) and ID.fullmatch(r[0]) for r in rows)
        return standard or any(line.startswith(GLOBAL_COLUMNS) for line in start.lines)

    def complete(self, file: "DataFile") -> "DataFile":
        names = _names_of(file)
        columns = dict(file.columns or {})
        unknown = [n for role, n in columns.items() if role != "entities" or n not in names]
        if unknown:
            raise ValueError(
                f"'columns' of CoNLL-U may only map 'entities' to one of the columns of "
                f"{file.path}, {list(names)}, got {columns}."
            )
        if not columns and file.task in (None, "ner"):
            columns.update(_guess_entities(file, names))
        if file.task == "ner" and not columns:
            raise ValueError(f"{file.path} has no column of entity tags. Its columns: {names}.")
        task = file.task or ("ner" if columns else "tagger")
        guesses = [f"columns: {' '.join(names)}"] if names != COLUMNS else []
        guesses += [f"entities: column {name}" for name in columns.values()]
        return file.guessed(*guesses, task=task, columns=columns or None)

    def docs(self, file: "DataFile", nlp: Language, counts: ReadCounts) -> Iterator[Doc]:
        if file.merge_subtokens:
            yield from _merged_docs(file)
            return
        # spaCy cannot tell missing features from a word that has none.
        has_feats = any(word["FEATS"] != MISSING for s in _read(file) for word in s.words)
        tags = EntityTags(file.path)
        group: List[Sentence] = []
        for sentence in _read(file):
            for span in sentence.spans:
                if not span.is_spelled:
                    counts.note(OTHER_WORDS, repr(span.form))
            if group and (sentence.starts_document or len(group) == file.n_sents):
                yield _make_doc(file, group, nlp.vocab, has_feats, tags)
                group = []
            group.append(sentence)
        yield _make_doc(file, group, nlp.vocab, has_feats, tags)
        tags.report()


def _names_of(file: "DataFile") -> Tuple[str, ...]:
    """The names of the columns."""
    for line in read_lines(file.path, file.encoding):
        if line.startswith(GLOBAL_COLUMNS):
            return tuple(line.removeprefix(GLOBAL_COLUMNS).split())
        if line.strip() and not line.startswith("#"):
            break
    return COLUMNS


def _guess_entities(file: "DataFile", names: Sequence[str]) -> Mapping[str, str]:
    """The column with entity tags, if there is one."""
    words = [word for s in islice(_read(file), N_SENTENCES) for word in s.words]
    for name in names:
        values = {word[name] for word in words} - {MISSING}
        if name not in COLUMNS and values and are_entity_tags(values):
            return {"entities": name}
    return {}


def _read(file: "DataFile") -> Iterator[Sentence]:
    """Read the sentences one by one.

    RAISES (ValueError): If a line is malformed, or there is no sentence.
    """
    names = _names_of(file)
    empty = True
    sentence = Sentence()
    lines = chain(read_lines(file.path, file.encoding), [""])
    for number, line in enumerate(lines, start=1):
        if line.startswith("#"):
            sentence.starts_document |= line.startswith(NEW_DOCUMENT)
            continue
        try:
            if line.strip():
                _add_line(line, names, sentence)
                continue
            _set_spaces(sentence)
            _check_tree(sentence.words)
        except ValueError as error:
            raise ValueError(f"Line {number} of {file.path}: {error}") from error
        if sentence.words:
            yield sentence
            empty = False
            sentence = Sentence()
    if empty:
        raise ValueError(f"{file.path} has no sentence. Check the path.")


def _add_line(line: str, names: Sequence[str], sentence: Sentence) -> None:
    """Add the word or multi-word token of a line to a sentence."""
    columns = line.split("\t")
    if len(columns) != len(names):
        raise ValueError(f"{len(columns)} columns; write {len(names)}, separated by tabs")
    if "" in columns:
        raise ValueError("an empty column; write _ for a missing value")
    values = dict(zip(names, columns, strict=True))
    words = sentence.words
    # CoNLL-U Plus may leave out any column.
    number = values.get("ID", str(len(words) + 1))
    match = ID.fullmatch(number)
    if match is None:
        raise ValueError(f"ID {number!r}; write a number, a range (1-2) or an empty node (1.1)")
    start, kind, end = match.groups()
    if kind == ".":
        return
    if int(start) != len(words) + 1:
        raise ValueError(f"ID {number}; the next word is {len(words) + 1}")
    space = "SpaceAfter=No" not in values.get("MISC", MISSING).split("|")
    if kind == "-":
        sentence.spans.append(MultiWordToken(int(start), int(end), values["FORM"], space))
        return
    upos, feats, head = (values.get(name, MISSING) for name in ("UPOS", "FEATS", "HEAD"))
    if upos != MISSING and upos not in UPOS:
        raise ValueError(f"UPOS {upos!r}; write a universal part of speech or _")
    if FEATS.fullmatch(feats) is None:
        raise ValueError(f"FEATS {feats!r}; write Name=Value, joined by |, or _")
    if head != MISSING and not head.isdecimal():
        raise ValueError(f"HEAD {head!r}; write the number of a word, 0 for the root, or _")
    if "FORM" not in values:
        raise ValueError(f"no column FORM among {list(names)}; name it in global.columns")
    words.append(Word(values, None if head == MISSING else int(head), space))


def _set_spaces(sentence: Sentence) -> None:
    """Set the spaces after the words of multi-word tokens; see the module."""
    words = sentence.words
    for span in sentence.spans:
        if not span.start < span.end <= len(words):
            raise ValueError(f"ID {span.start}-{span.end}; the sentence has {len(words)} words")
        parts = words[span.start - 1 : span.end]
        span.is_spelled = "".join(part["FORM"] for part in parts) == span.form
        for part in parts:
            part.space = not span.is_spelled
        parts[-1].space = span.space


def _check_tree(words: Sequence[Word]) -> None:
    """Raise an error if all heads of a sentence are given, but do not form a tree."""
    heads = [word.head for word in words if word.head is not None]
    if not heads or len(heads) < len(words):
        return
    below_root: Set[int] = set()
    level = {0}
    while level:
        level = {i for i, head in enumerate(heads, start=1) if head in level}
        below_root |= level
    if heads.count(0) != 1 or len(below_root) < len(words):
        raise ValueError("HEADs that form no tree with one root; correct them or write _")


def _make_doc(
    file: "DataFile", sentences: Sequence[Sentence], vocab: Vocab, has_feats: bool, tags: EntityTags
) -> Doc:
    """Make one document of some sentences."""
    words = [word for sentence in sentences for word in sentence.words]
    heads: List[int] = []
    sent_starts: List[Optional[Union[bool, int]]] = []
    ents: List[str] = []
    column = (file.columns or {}).get("entities")
    for sentence in sentences:
        first = len(sent_starts)
        of_sentence = sentence.words
        heads += [first + (word.head - 1 if word.head else i) for i, word in enumerate(of_sentence)]
        sent_starts += [i == 0 for i in range(len(of_sentence))]
        if column:
            ents += tags.to_bio(_present(word[str(column)]) for word in of_sentence)
    parsed = all(word.head is not None and word["DEPREL"] != MISSING for word in words)
    deps = ["ROOT" if word["DEPREL"] == "root" else word["DEPREL"] for word in words]
    forms = [word["FORM"] for word in words]
    lemmas = [
        word["LEMMA"] if word["FORM"] == MISSING else _present(word["LEMMA"]) for word in words
    ]
    return Doc(
        vocab,
        words=forms,
        spaces=[word.space for word in words],
        tags=[_present(word["XPOS"]) for word in words],
        pos=[_present(word["UPOS"]) for word in words],
        morphs=[_present(word["FEATS"]) for word in words] if has_feats else None,
        lemmas=lemmas,
        heads=heads if parsed else None,
        deps=deps if parsed else None,
        sent_starts=None if parsed else sent_starts,
        ents=ents or None,
    )


def _present(value: str) -> str:
    """The value of a column, empty if it is missing."""
    return "" if value == MISSING else value


def _merged_docs(file: "DataFile") -> Iterator[Doc]:
    """Make docs whose tokens are the surface tokens.

    RAISES (ValueError): If a HEAD is missing.
    """
    if any(word.head is None for sentence in _read(file) for word in sentence.words):
        raise ValueError(f"{file.path} lacks a HEAD. Convert it without merge_subtokens.")
    lines = read_lines(file.path, file.encoding)
    text = "\n".join(line.rstrip() for line in lines if not line.startswith("#"))
    # The converter expects exactly one empty line between sentences.
    text = re.sub("\n{3,}", "\n\n", text)
    return conllu_to_docs(text, n_sents=file.n_sents, merge_subtokens=True, no_print=True)
