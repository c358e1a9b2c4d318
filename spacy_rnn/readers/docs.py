"""Docs in spaCy's binary files."""

from pathlib import Path
from typing import Any, Iterator, Optional, Sequence, Tuple

import srsly
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

#: documents whose user data is unpacked at once
_CHUNK = 1000
#: the first byte of an array in msgpack, before its length in 4 bytes
_ARRAY = b"\xdd"
_NONE = b"\xc0"


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
    # The DocBin would unpack that of each document in a call, and srsly searches the entry points
    # of all packages in each: half of the time.
    packed, found.user_data = found.user_data, []
    docs = found.get_docs(vocab)
    for start in range(0, len(packed), _CHUNK):
        for values in _unpack(packed[start : start + _CHUNK]):
            doc = next(docs)
            doc.user_data.update(values or {})
            yield doc
    yield from docs


def _unpack(packed: Sequence[Optional[bytes]]) -> Tuple[Any, ...]:
    parts = (_NONE if part is None else part for part in packed)
    array = b"".join((_ARRAY, len(packed).to_bytes(4, "big"), *parts))
    return srsly.msgpack_loads(array, use_list=False)  # type: ignore[return-value]
