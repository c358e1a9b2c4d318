"""The formats of data files, in the order in which they are tried."""

from typing import Tuple

from .base import Format
from .conll import CoNLL
from .docbin import DocBins
from .table import Table

FORMATS: Tuple[Format, ...] = (DocBins(), CoNLL(), Table())
