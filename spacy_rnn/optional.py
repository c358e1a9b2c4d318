"""Optional libraries, which are imported when they are used."""

from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Iterator

#: the extra of this package that installs each library
EXTRAS = {
    "backports.zstd": "zstd",
    "datasets": "datasets",
    "matplotlib": "plot",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "pandas": "spark",
    "prometheus_client": "serve",
    "pyarrow": "ray",
    "ray": "ray",
    "sacrebleu": "translate",
    "starlette": "serve",
    "torchtext": "torchtext",
    "uvicorn": "serve",
}


@contextmanager
def optional_import(library: str, use: str, otherwise: str = "") -> Iterator[None]:
    """Raise an error with installation instructions if an import in this context fails.

    library (str): The library: a key of `EXTRAS`, or one that pip installs under this name.
    use (str): The use that needs it; the subject of the message.
    otherwise (str): An alternative; the end of the message.
    RAISES (ImportError): If the library is not installed or does not load.
    """
    try:
        yield
    except (ImportError, OSError) as error:  # OSError: a shared library does not load.
        install = f'"spacy-rnn[{EXTRAS[library]}]"' if library in EXTRAS else library
        raise ImportError(
            f"{use} needs the library {library}, which is not installed or does not load "
            f"({error}): install it with pip install {install}{otherwise}."
        ) from error


def import_torch() -> Any:
    """Import torch. Compressed pipelines load and predict without it.

    RETURNS (ModuleType): The library.
    RAISES (ImportError): If it is not installed.
    """
    with optional_import("torch", "All but the prediction of compressed pipelines"):
        return import_module("torch")


class _LazyTorch:
    """torch, which is imported when it is first used."""

    def __getattr__(self, name: str) -> Any:
        return getattr(import_torch(), name)


if TYPE_CHECKING:
    import torch as torch
else:
    torch = _LazyTorch()
