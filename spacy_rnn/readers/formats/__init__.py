"""The formats of data files, in the order in which they are tried."""

from typing import Tuple

from .base import Format
from .conll import CoNLL
from .conllu import CoNLLU
from .dataset import Datasets
from .docbin import DocBins
from .json_objects import JSONObjects
from .plain import Aligned, FastText, Folders, Lines, Paragraphs
from .table import Table

FORMATS: Tuple[Format, ...] = (
    Aligned(),
    Datasets(),
    DocBins(),
    Folders(),
    JSONObjects(),
    CoNLLU(),
    FastText(),
    CoNLL(),
    Table(),
    Paragraphs(),
    Lines(),
)
