"""Information that `spacy train` shows."""

import logging
from typing import Any

#: a child of spaCy's logger, whose handler it uses
_logger = logging.getLogger("spacy.rnn")


def inform(message: str, *args: Any) -> None:
    """Log information. spaCy's logger shows warnings only, so the first call sets the level of its
    child, unless that has one."""
    if _logger.level == logging.NOTSET:
        _logger.setLevel(logging.INFO)
    _logger.info(message, *args, stacklevel=2)
