"""Concatenate word vectors of several files, in the text format that `spacy init vectors` reads.

    python corpora/vectors.py A.txt [B.txt ...] OUT.txt
    python -m spacy init vectors en OUT.txt DIR

Inputs are files that `spacy_rnn.VectorFile.v1` reads: GloVe and word2vec, compressed or not. The
output has a header, the words of all inputs, and the columns of A, then those of B and so on, with
zeros if an input lacks the word. Numbers are written as float32, with as few digits as necessary.

Malformed lines and repeated words are skipped, with a warning.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from spacy_rnn.features.lookup import VectorTable
from spacy_rnn.features.vector_files import read_vectors


def join(tables: Sequence[VectorTable]) -> Iterator[str]:
    """The lines of the joined table, the header first; words in order of appearance."""
    words = dict.fromkeys(word for table in tables for word in table.keys)
    widths = [table.vectors.shape[1] for table in tables]
    yield f"{len(words)} {sum(widths)}"
    rows = [dict(zip(table.keys, table.vectors, strict=True)) for table in tables]
    zeros = [" ".join(["0"] * width) for width in widths]
    for word in words:
        columns = (
            " ".join(map(str, of_table[word])) if word in of_table else zero
            for of_table, zero in zip(rows, zeros, strict=True)
        )
        yield " ".join([word, *columns])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Concatenate word vectors.")
    parser.add_argument("inputs", type=Path, nargs="+", metavar="IN.txt[.xz]")
    parser.add_argument("output", type=Path, metavar="OUT.txt")
    options = parser.parse_args(arguments)
    lines = join([read_vectors(path, (), None) for path in options.inputs])
    with options.output.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
