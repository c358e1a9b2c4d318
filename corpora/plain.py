"""Convert WikiText to documents, for language models.

    python corpora/plain.py FORMAT IN OUT.spacy

FORMAT     IN                                    a document
wikitext   {train,valid,test}.txt of WikiText    an article
paragraphs {train,valid,test}.txt of WikiText    a line that is not empty

IN may be compressed (.xz, .gz). The tokens of WikiText are kept, including `<unk>` for rare words.
Train with `gold_preproc = true` to keep them. In articles, the end of each line is also a token, a
line break, so that the number of tokens is the one used for perplexities of WikiText. Paragraphs
have no line breaks and are for models of characters.
"""

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import spacy
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from spacy_rnn.text_files import read_lines

#: the title of an article, not of a section, which has more than one "="
TITLE = re.compile(r" = [^=].* = $")


def wikitext(path: Path, vocab: Vocab) -> Iterator[Doc]:
    """The articles of WikiText."""
    words: list[str] = []
    for line in read_lines(path):
        if TITLE.match(line) and words:
            yield article(words, vocab)
            words = []
        words += [*line.split(), "\n"]
    if words:
        yield article(words, vocab)


def paragraphs(path: Path, vocab: Vocab) -> Iterator[Doc]:
    """The titles and paragraphs of WikiText, with one space between words."""
    for line in read_lines(path):
        if words := line.split():
            yield Doc(vocab, words=words)


def article(words: list[str], vocab: Vocab) -> Doc:
    following = [*words[1:], "\n"]
    spaces = [word != "\n" != after for word, after in zip(words, following, strict=True)]
    return Doc(vocab, words=words, spaces=spaces)


FORMATS: dict[str, Callable[[Path, Vocab], Iterator[Doc]]] = {
    "wikitext": wikitext,
    "paragraphs": paragraphs,
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("format", choices=FORMATS)
    parser.add_argument("source", type=Path, metavar="IN")
    parser.add_argument("target", type=Path, metavar="OUT.spacy")
    options = parser.parse_args(arguments)
    docs = DocBin(docs=FORMATS[options.format](options.source, spacy.blank("en").vocab))
    options.target.parent.mkdir(parents=True, exist_ok=True)
    docs.to_disk(options.target)
    print(f"{len(docs)} texts")


if __name__ == "__main__":
    main()
