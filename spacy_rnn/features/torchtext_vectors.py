"""Vectors of `torchtext.vocab`. torchtext is archived, and works with torch 2.3 only."""

from __future__ import annotations

import logging
import ssl
from typing import Any, Iterable, Mapping, Optional

import numpy as np

from ..optional import optional_import
from .lookup import VectorTable, ngrams, variants

logger = logging.getLogger("spacy_rnn")

#: name of the class whose keys are n-grams
CHAR_NGRAM = "CharNGram"


def read_vectors(
    name: str, arguments: Mapping[str, Any], words: Iterable[str], n_first: Optional[int]
) -> VectorTable:
    """Read vectors with a class of `torchtext.vocab`, which reads all of its vectors. Vectors that
    are not finite are skipped, with a warning.

    name (str): Name of the class.
    arguments (Mapping[str, Any]): Arguments of the class.
    words (Iterable[str]): Words whose vectors are needed.
    n_first (Optional[int]): Number of vectors at the beginning to keep as well; None for all.
    RETURNS (VectorTable): The vectors.
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
            "Skipped %d vectors of torchtext.vocab.%s that are not finite.",
            (~finite).sum(),
            name,
        )
    keys = [key for key, is_finite in zip(rows, finite, strict=True) if is_finite]
    return VectorTable(keys, vectors[finite], by_ngrams)


def _load(name: str, arguments: Mapping[str, Any]) -> Any:
    vocab = _import_vocab()
    # torchtext disables the verification of certificates, for the whole process.
    check = ssl._create_default_https_context
    try:
        return getattr(vocab, name)(**arguments)
    except (RuntimeError, OSError, LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"torchtext.vocab.{name} can't be read with the arguments {dict(arguments)}: {error}. "
            f"Correct them, or put the file in the folder that the argument 'cache' names."
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
