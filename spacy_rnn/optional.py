"""Libraries that only some uses need. They are imported at the moment of use."""

from contextlib import contextmanager
from typing import Iterator

#: the extra of this package that installs a library
EXTRAS = {
    "backports.zstd": "zstd",
    "datasets": "datasets",
    "matplotlib": "plot",
    "sacrebleu": "translate",
    "torchtext": "torchtext",
}


@contextmanager
def optional_import(library: str, use: str, otherwise: str = "") -> Iterator[None]:
    """Say how to install a library if the imports in this context fail.

    library (str): One of `EXTRAS`.
    use (str): What needs it, the subject of the error's sentence.
    otherwise (str): What to do without it, which ends the sentence.
    RAISES (ImportError): If the library is not installed or does not load.
    """
    try:
        yield
    except (ImportError, OSError) as error:  # An OSError if a shared library does not load.
        raise ImportError(
            f"{use} needs the library {library}, which is not installed or does not load "
            f'({error}): install it with pip install "spacy-rnn[{EXTRAS[library]}]"{otherwise}.'
        ) from error
