"""Convert a CoNLL-U treebank, plain or packed with xz, to spaCy's binary format.

    python corpora/conllu.py IN OUT.spacy [--lang en] [--n-sents 1] [--merge-subtokens]

A spaCy token is a syntactic word of the treebank. Its TAG is XPOS, its POS is UPOS, its MORPH
is FEATS, and `_` means that the value is missing. Exceptions: the LEMMA of the form `_` may be
`_`; FEATS `_` is "no features" if any word of the file has features. HEAD and DEP are set in
documents all of whose words have them. Empty nodes (`8.1`) are dropped.

The line of a multi-word token (`1-2`) gives the spacing. Where its words spell it ("do",
"n't"), no blank stands between them. Where they do not (Portuguese "da": "de", "a"), blanks
stand between them, so that the text stays readable but differs from the treebank's. spaCy's
own converter would write the latter "dea", takes UPOS for a missing XPOS, and makes every
word a sentence where HEAD is `_`, which is why it is used with `--merge-subtokens` alone.

With `--merge-subtokens` a token is a surface token, and one of several words has their values
joined, as spaCy's converter does it.
"""

import argparse
import lzma
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import spacy
from spacy.parts_of_speech import IDS as UPOS
from spacy.tokens import Doc, DocBin
from spacy.training.converters import conllu_to_docs
from spacy.vocab import Vocab

N_COLUMNS = 10
ID = re.compile(r"(\d+)(?:([-.])(\d+))?")
FEATS = re.compile(r"_|[^=|]+=[^=|]+(\|[^=|]+=[^=|]+)*")


@dataclass
class Word:
    """A syntactic word: its columns, `head` None where missing, and whether a blank follows."""

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

    RAISES (ValueError): If a line is malformed or the file holds no sentence or is not UTF-8;
        names the file and the line.
    """
    number = 0
    empty = True
    words: list[Word] = []
    spans: list[MultiWordToken] = []
    for number, line in enumerate(chain(read_lines(path), [""]), start=1):
        try:
            if not line.strip():
                if words or spans:
                    yield sentence(words, spans)
                    empty = False
                words, spans = [], []
            elif not line.startswith("#"):
                add_line(line, words, spans)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    if empty:
        raise ValueError(f"{path}, line {number}: no sentence found, give a file in CoNLL-U")


def read_lines(path: str | Path) -> Iterator[str]:
    """The lines of a UTF-8 text file, plain or packed with xz, without their ends."""
    number = 0
    with (lzma.open if Path(path).suffix == ".xz" else open)(path, "rb") as file:
        try:
            for number, line in enumerate(file, start=1):
                yield line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}, line {number}: {error}; convert it to UTF-8") from error
        except (EOFError, lzma.LZMAError) as error:
            raise ValueError(f"{path}, line {number}: {error}; fetch it again") from error
