"""Docs in spaCy's binary files."""

from pathlib import Path
from typing import Iterator

from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab


def read_docs(path: Path, vocab: Vocab) -> Iterator[Doc]:
    """Read the docs of a `.spacy` file.

    path (Path): The file.
    vocab (Vocab): The vocabulary of the docs.
    YIELDS (Doc): The docs.
    RAISES (ValueError): If the file is damaged.
    """
    try:
        found = DocBin().from_disk(path)
    except OSError:
        raise
    except Exception as error:  # spaCy and msgpack raise many kinds for a damaged file.
        raise ValueError(
            f"{path} is damaged, or not a file of a DocBin. Copy it again, or make it again, such "
            f"as with 'spacy rnn convert'."
        ) from error
    yield from found.get_docs(vocab)
