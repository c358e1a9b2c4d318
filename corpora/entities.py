"""Convert corpora of named entities to spaCy's binary format.

    python corpora/entities.py FORMAT IN_DIR OUT_DIR [--lang en]

writes `train.spacy`, `dev.spacy` and `test.spacy` with one document per sentence and the entities
in `doc.ents`. Every token is annotated: tokens outside of entities are O, not missing. IN_DIR has
the published files: plain, compressed, or inside a zip or tar archive.

FORMAT     files                                   annotation; split
news       {train,dev,test}.jsonl (news.py)        character offsets; that of the files
wnut17     wnut17train.conll, emerging.dev.conll,  token TAB tag, BIO; that of the files
           emerging.test.annotated
wikigold   wikigold.conll.txt                      token SPACE tag, IO; by a hash of the article

`news` is tokenized by the tokenizer of the language; the other corpora have tokens. A line with
only white space ends a sentence. A tag I-X begins an entity if the previous token does not have
type X, as in conlleval. So IO tags, in which adjacent tokens of one type are one entity, need no
rule of their own. The hash of an article is that of its first line; a tenth of the articles is test
and a tenth dev, always the same ones.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from texts import PARTS, content, part_of

ARTICLE = "-DOCSTART-"  # begins the line between two articles

Sentence = list[tuple[str, str]]  # words and their tags


def news(directory: Path, nlp: Language) -> Iterator[tuple[str, Doc]]:
    for part in PARTS:
        name = f"{part}.jsonl"
        # Only line ends end a line: texts may hold U+2028 and the like.
        for number, line in enumerate(content(directory, name).split("\n"), start=1):
            if not line.strip():
                continue
            try:
                doc = from_characters(json.loads(line), nlp)
            except (ValueError, LookupError, TypeError) as error:
                raise ValueError(
                    f"{name}, line {number}: {error}; write an object with a text and entities, "
                    f"[start, end, label], that begin and end where tokens do"
                ) from error
            yield part, doc


def wnut17(directory: Path, nlp: Language) -> Iterator[tuple[str, Doc]]:
    names = ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated")
    for part, name in zip(PARTS, names, strict=True):
        for sentence in chain.from_iterable(articles(directory, name, "\t")):
            yield part, from_tags(sentence, nlp)


def wikigold(directory: Path, nlp: Language) -> Iterator[tuple[str, Doc]]:
    for article in articles(directory, "wikigold.conll.txt", " "):
        part = part_of(" ".join(word for word, _ in article[0]))
        for sentence in article:
            yield part, from_tags(sentence, nlp)


FORMATS: dict[str, Callable[[Path, Language], Iterator[tuple[str, Doc]]]] = {
    function.__name__: function for function in (news, wnut17, wikigold)
}


def articles(directory: Path, name: str, separator: str) -> Iterator[list[Sentence]]:
    """The articles of a file of columns, each with its sentences.

    RAISES (ValueError): If a line is malformed. The message names the file, the line and the
        solution.
    """
    article: list[Sentence] = []
    sentence: Sentence = []
    for number, line in enumerate(content(directory, name).split("\n"), start=1):
        if line.strip() and not line.startswith(ARTICLE):
            try:
                sentence.append(columns(line.removesuffix("\r"), separator))
            except ValueError as error:
                raise ValueError(f"{name}, line {number}: {error}") from error
            continue
        if sentence:
            article.append(sentence)
            sentence = []
        if article and line.startswith(ARTICLE):
            yield article
            article = []
    if sentence:
        article.append(sentence)
    if article:
        yield article


def columns(line: str, separator: str) -> tuple[str, str]:
    """The word and the tag of a line."""
    parts = line.split(separator)
    if len(parts) != 2 or not parts[0].strip():
        kind = "tab" if separator == "\t" else "space"
        raise ValueError(f"{line!r}; write a token and its tag, separated by one {kind}")
    word, tag = parts
    prefix, _, label = tag.partition("-")
    if tag != "O" and (prefix not in ("B", "I") or not label.strip()):
        raise ValueError(f"tag {tag!r}; write O, or B- or I- and the type of the entity")
    return word, tag


def from_tags(sentence: Sentence, nlp: Language) -> Doc:
    """A sentence as a document of its own tokens."""
    words, tags = zip(*sentence, strict=True)
    before = ("O", *tags)
    begun = [
        "B" + tag[1:] if tag[0] == "I" and tag[1:] != previous[1:] else tag
        for previous, tag in zip(before, tags, strict=False)
    ]
    return Doc(nlp.vocab, words=list(words), ents=begun)


def from_characters(sentence: dict, nlp: Language) -> Doc:
    """A text whose entities are given by characters as a document."""
    doc = nlp.make_doc(sentence["text"])
    spans = []
    for start, end, label in sentence["entities"]:
        span = doc.char_span(start, end, label)
        if not span:
            raise ValueError(f"no tokens for the entity {[start, end, label]}")
        spans.append(span)
    doc.set_ents(spans, default="outside")
    return doc


def convert(format_name: str, source: Path, target: Path, lang: str = "en") -> dict[str, DocBin]:
    """Convert a corpus; returns the documents of each part."""
    nlp = spacy.blank(lang)
    bins = {part: DocBin() for part in PARTS}
    for part, doc in FORMATS[format_name](source, nlp):
        bins[part].add(doc)
    target.mkdir(parents=True, exist_ok=True)
    for part, docs in bins.items():
        docs.to_disk(target / f"{part}.spacy")
    return bins


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("format", choices=FORMATS)
    parser.add_argument("source", type=Path, metavar="IN_DIR")
    parser.add_argument("target", type=Path, metavar="OUT_DIR")
    parser.add_argument("--lang", default="en")
    options = parser.parse_args(arguments)
    bins = convert(options.format, options.source, options.target, options.lang)
    print(*(f"{part}: {len(docs)} sentences" for part, docs in bins.items()), sep="\n")


if __name__ == "__main__":
    main()
