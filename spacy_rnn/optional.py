"""Optional libraries, which are imported when they are used."""

from contextlib import contextmanager
from typing import Iterator

#: the extra of this package that installs each library
EXTRAS = {
    "backports.zstd": "zstd",
    "datasets": "datasets",
    "matplotlib": "plot",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "sacrebleu": "translate",
    "torchtext": "torchtext",
}


@contextmanager
def optional_import(library: str, use: str, otherwise: str = "") -> Iterator[None]:
    """Raise an error with installation instructions if an import in this context fails.

    library (str): The library, a key of `EXTRAS`.
    use (str): The use that needs it; the subject of the message.
    otherwise (str): An alternative; the end of the message.
    RAISES (ImportError): If the library is not installed or does not load.
    """
    try:
        yield
    except (ImportError, OSError) as error:  # OSError: a shared library does not load.
        raise ImportError(
            f"{use} needs the library {library}, which is not installed or does not load "
            f'({error}): install it with pip install "spacy-rnn[{EXTRAS[library]}]"{otherwise}.'
        ) from error
