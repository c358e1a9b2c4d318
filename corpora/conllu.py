"""Convert a CoNLL-U treebank, which may be compressed, to spaCy's binary format.

    python corpora/conllu.py IN OUT.spacy [--lang en] [--n-sents 1] [--merge-subtokens]

A spaCy token is a syntactic word of the treebank. Its TAG is XPOS, its POS is UPOS, its MORPH
is FEATS, and `_` is a missing value, with two exceptions: the LEMMA of the form `_` may be `_`, and
FEATS `_` means "no features" if any word of the file has features. spaCy sorts features by code
point ("NumForm" before "Number"), unlike treebanks. HEAD and DEP are only set in documents in which
all words have them. Empty nodes (`8.1`) are dropped.

The line of a multi-word token (`1-2`) determines the spaces. If its words spell it ("do", "n't"),
there are no spaces between them. Otherwise (Portuguese "da": "de", "a"), there are spaces between
them, so that the text is readable, but differs from that of the treebank. spaCy's own converter
would write "dea", uses UPOS for a missing XPOS, and makes every word a sentence if HEAD is `_`.
Therefore it is only used with `--merge-subtokens`.

With `--merge-subtokens` a token is a surface token. The values of its words are joined, as in
spaCy's converter.
"""

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import spacy
from spacy.parts_of_speech import IDS as UPOS
from spacy.tokens import Doc, DocBin
from spacy.training.converters import conllu_to_docs
from spacy.vocab import Vocab

from spacy_rnn.text_files import read_lines

N_COLUMNS = 10
MISSING = "_"
ID = re.compile(r"(\d+)(?:([-.])(\d+))?")
FEATS = re.compile(r"_|[^=|]+=[^=|]+(\|[^=|]+=[^=|]+)*")


@dataclass
class Word:
    """A syntactic word: its columns, `head` None if missing, and `space` if one follows."""

    form: str
    lemma: str
    upos: str
    xpos: str
    feats: str
    head: int | None
    deprel: str
    misc: str
    space: bool


@dataclass
class MultiWordToken:
    """A surface token that spans the words `start` to `end`, counted from 1."""

    start: int
    end: int
    form: str
    space: bool


def read_sentences(path: str | Path) -> Iterator[list[Word]]:
    """Read the sentences of a CoNLL-U file one by one.

    RAISES (ValueError): If a line is malformed, or the file has no sentence or is not UTF-8.
        The message names the file, the line and the solution.
    """
    number, empty = 0, True
    words: list[Word] = []
    spans: list[MultiWordToken] = []
    for number, line in enumerate(chain(read_lines(Path(path)), [""]), start=1):
        if line.startswith("#"):
            continue
        try:
            if line.strip():
                add_line(line, words, spans)
                continue
            set_spaces(words, spans)
            check_tree(words)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
        if words:
            yield words
            empty = False
        words, spans = [], []
    if empty:
        raise ValueError(f"{path}, line {number}: no sentence in the file; use a CoNLL-U file")


def add_line(line: str, words: list[Word], spans: list[MultiWordToken]) -> None:
    """Add the word or multi-word token of a line to those of its sentence."""
    columns = line.split("\t")
    if len(columns) != N_COLUMNS:
        raise ValueError(f"{len(columns)} columns; write {N_COLUMNS}, separated by tabs")
    if "" in columns:
        raise ValueError("an empty column; write _ for a missing value")
    number, form, lemma, upos, xpos, feats, head, deprel, _, misc = columns
    match = ID.fullmatch(number)
    if match is None:
        raise ValueError(f"ID {number!r}; write a number, a range (1-2) or an empty node (1.1)")
    start, kind, end = match.groups()
    if kind == ".":
        return
    if int(start) != len(words) + 1:
        raise ValueError(f"ID {number}; the next word is {len(words) + 1}")
    space = "SpaceAfter=No" not in misc.split("|")
    if kind == "-":
        spans.append(MultiWordToken(int(start), int(end), form, space))
        return
    if upos != MISSING and upos not in UPOS:
        raise ValueError(f"UPOS {upos!r}; write a universal part of speech or _")
    if FEATS.fullmatch(feats) is None:
        raise ValueError(f"FEATS {feats!r}; write Name=Value, joined by |, or _")
    if head != MISSING and not head.isdecimal():
        raise ValueError(f"HEAD {head!r}; write the number of a word, 0 for the root, or _")
    parent = None if head == MISSING else int(head)
    words.append(Word(form, lemma, upos, xpos, feats, parent, deprel, misc, space))


def set_spaces(words: Sequence[Word], spans: Sequence[MultiWordToken]) -> None:
    """Set the spaces after the words of multi-word tokens; see the module."""
    for span in spans:
        if not span.start < span.end <= len(words):
            raise ValueError(f"ID {span.start}-{span.end}; the sentence has {len(words)} words")
        parts = words[span.start - 1 : span.end]
        spelled = "".join(part.form for part in parts) == span.form
        for part in parts:
            part.space = not spelled
        parts[-1].space = span.space


def check_tree(words: Sequence[Word]) -> None:
    """Raise an error if all heads of a sentence are given, but do not form a tree."""
    heads = [word.head for word in words if word.head is not None]
    if heads and len(heads) == len(words) and (heads.count(0) != 1 or max(heads) > len(words)):
        raise ValueError("HEADs that form no tree with one root; correct them or write _")


def to_docs(path: str | Path, vocab: Vocab, n_sents: int = 1) -> Iterator[Doc]:
    """Convert a CoNLL-U file to documents of `n_sents` sentences each. The file is read twice.

    RAISES (ValueError): As `read_sentences`.
    """
    has_feats = any(word.feats != MISSING for words in read_sentences(path) for word in words)
    sentences = read_sentences(path)
    while group := list(islice(sentences, n_sents)):
        yield to_doc(group, vocab, has_feats)


def to_doc(sentences: Sequence[Sequence[Word]], vocab: Vocab, has_feats: bool) -> Doc:
    """Make one document of some sentences."""
    words = list(chain.from_iterable(sentences))
    heads: list[int] = []
    sent_starts: list[bool] = []
    for sentence in sentences:
        first = len(sent_starts)
        heads += [first + (word.head - 1 if word.head else i) for i, word in enumerate(sentence)]
        sent_starts += [i == 0 for i in range(len(sentence))]
    parsed = all(word.head is not None and word.deprel != MISSING for word in words)
    deps = ["ROOT" if word.deprel == "root" else word.deprel for word in words]
    return Doc(
        vocab,
        words=[word.form for word in words],
        spaces=[word.space for word in words],
        tags=[present(word.xpos) for word in words],
        pos=[present(word.upos) for word in words],
        morphs=[present(word.feats) for word in words] if has_feats else None,
        lemmas=[word.lemma if word.form == MISSING else present(word.lemma) for word in words],
        heads=heads if parsed else None,
        deps=deps if parsed else None,
        sent_starts=None if parsed else sent_starts,
    )


def present(value: str) -> str:
    """The value of a column, empty if it is missing."""
    return "" if value == MISSING else value


def to_merged_docs(path: str | Path, n_sents: int = 1) -> Iterator[Doc]:
    """Convert a CoNLL-U file to documents whose tokens are its surface tokens.

    RAISES (ValueError): As `read_sentences`, and if a HEAD is missing.
    """
    for words in read_sentences(path):
        if any(word.head is None for word in words):
            raise ValueError(f"{path}: a HEAD is missing; convert it without --merge-subtokens")
    text = "\n".join(line.rstrip() for line in read_lines(Path(path)) if not line.startswith("#"))
    # The converter expects exactly one empty line between sentences.
    text = re.sub("\n{3,}", "\n\n", text)
    return conllu_to_docs(text, n_sents=n_sents, merge_subtokens=True, no_print=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Convert CoNLL-U to spaCy's binary format.")
    parser.add_argument(
        "input",
        type=Path,
        metavar="IN",
        help="a CoNLL-U file",
    )
    parser.add_argument("output", type=Path, metavar="OUT.spacy")
    parser.add_argument("--lang", default="en", help="language of the vocabulary")
    parser.add_argument("--n-sents", type=int, default=1, help="sentences per document")
    parser.add_argument("--merge-subtokens", action="store_true", help="one token per MWT")
    options = parser.parse_args(arguments)
    if options.n_sents < 1:
        parser.error("--n-sents must be 1 or more")
    if options.merge_subtokens:
        docs = to_merged_docs(options.input, options.n_sents)
    else:
        docs = to_docs(options.input, spacy.blank(options.lang).vocab, options.n_sents)
    n_sentences = n_words = 0
    binary = DocBin()
    for doc in docs:
        binary.add(doc)
        n_sentences += sum(1 for _ in doc.sents)
        n_words += len(doc)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    binary.to_disk(options.output)
    print(f"{options.output}: {len(binary)} docs, {n_sentences} sentences, {n_words} tokens")


if __name__ == "__main__":
    main()
