"""Vectors of `torchtext.vocab`. torchtext is archived, and works with torch 2.3 only."""

from __future__ import annotations

import logging
import ssl
from typing import Any, Iterable, Mapping, Optional

import numpy as np

from ..optional import optional_import
from .lookup import Table, ngrams, variants

logger = logging.getLogger("spacy_rnn")

#: the class whose keys are n-grams
CHAR_NGRAM = "CharNGram"


def read_vectors(
    name: str, arguments: Mapping[str, Any], words: Iterable[str], n_first: Optional[int]
) -> Table:
    """The vectors that words need and the first `n_first` ones; with None all. Those that are not
    finite are skipped, with a warning.

    name, arguments: of a class of `torchtext.vocab`, which reads all of its vectors.

    RAISES (ImportError): If torchtext is not installed, or not for this version of torch.
    RAISES (ValueError): If there are no such vectors.
    """
    source = _load(name, arguments)
    by_ngrams = name == CHAR_NGRAM
    needed = {key for word in words for key in (ngrams if by_ngrams else variants)(word)}
    rows = {
        key: row
        for i, (key, row) in enumerate(source.stoi.items())
        if n_first is None or i < n_first or key in needed
    }
    vectors = source.vectors.numpy()[list(rows.values())]
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        logger.warning(
            "Of the vectors that are read from torchtext.vocab.%s, %d are not finite and skipped.",
            name,
            (~finite).sum(),
        )
    keys = [key for key, is_finite in zip(rows, finite, strict=True) if is_finite]
    return Table(keys, vectors[finite], by_ngrams)


def _load(name: str, arguments: Mapping[str, Any]) -> Any:
    vocab = _import_vocab()
    # torchtext switches the check of certificates off, for the whole process.
    check = ssl._create_default_https_context
    try:
        return getattr(vocab, name)(**arguments)
    except (RuntimeError, OSError, LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"torchtext.vocab.{name} can't be read with the arguments {dict(arguments)}: {error}. "
            f"Correct them, or put the file into the folder that its argument 'cache' names."
        ) from error
    finally:
        ssl._create_default_https_context = check


def _import_vocab() -> Any:
    otherwise = " (with torch 2.3), or read the file of the vectors with spacy_rnn.VectorFile.v1"
    with optional_import("torchtext", "spacy_rnn.TorchtextVectors.v1", otherwise):
        import torchtext

        torchtext.disable_torchtext_deprecation_warning()
        from torchtext import vocab
    return vocab
