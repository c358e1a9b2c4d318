"""Convert texts with translations to spaCy's binary format.

    python corpora/translations.py IN OUT.spacy [--lang en]

IN is any file that `spacy_rnn.ParallelCorpus.v1` reads without settings: a table with a tab between
text and translation, JSON lines, a dataset. The translation is stored in the extension of
`rnn_translator`, `doc._.translation`. `spacy evaluate` needs this conversion, `spacy train` does
not.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import spacy
from spacy.tokens import DocBin

from spacy_rnn.readers.parallel import ParallelCorpus


def convert(source: Path, target: Path, lang: str = "en") -> int:
    """Convert a corpus. RETURNS (int): The number of texts."""
    examples = ParallelCorpus(source)(spacy.blank(lang))
    docs = DocBin(docs=[example.reference for example in examples], store_user_data=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    docs.to_disk(target)
    return len(docs)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, metavar="IN")
    parser.add_argument("target", type=Path, metavar="OUT.spacy")
    parser.add_argument("--lang", default="en")
    options = parser.parse_args(arguments)
    print(f"{convert(options.source, options.target, options.lang)} texts")


if __name__ == "__main__":
    main()
