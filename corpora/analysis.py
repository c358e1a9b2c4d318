"""Show what a pipeline finds in the first text of a corpus.

    python corpora/analysis.py PIPELINE CORPUS.spacy [--packages FOLDER]

PIPELINE is a folder or an installed package; with --packages, a package that is installed in
FOLDER. It reads the raw text.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import spacy
from spacy.tokens import DocBin, Token
from wasabi import msg, table

HEADER = ("", "lemma", "pos", "tag", "morph", "relation", "head", "entity")


def row(token: Token) -> tuple[str, ...]:
    head = "" if token.head == token else token.head.text
    values = (token.text, token.lemma_, token.pos_, token.tag_, str(token.morph))
    return (*values, token.dep_, head, token.ent_type_)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pipeline", metavar="PIPELINE")
    parser.add_argument("corpus", type=Path, metavar="CORPUS.spacy")
    parser.add_argument("--packages", type=Path, metavar="FOLDER")
    options = parser.parse_args(arguments)
    if options.packages is not None:
        sys.path.insert(0, str(options.packages.resolve()))
    nlp = spacy.load(options.pipeline)
    msg.info(f"{options.pipeline} {nlp.meta['version']} of {nlp.path}")
    first = next(DocBin().from_disk(options.corpus).get_docs(nlp.vocab))
    for sentence in nlp(first.text).sents:
        print(f"\n{sentence.text.strip()}")
        print(table([row(token) for token in sentence], header=HEADER, divider=True, max_col=80))


if __name__ == "__main__":
    main()
