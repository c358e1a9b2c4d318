"""Log messages that `spacy train` shows."""

import logging
from typing import Any

#: a child of spaCy's logger, so that it uses its handler
_logger = logging.getLogger("spacy.rnn")


def inform(message: str, *args: Any) -> None:
    """Log a message at the level INFO. As spaCy's logger shows warnings only, the first call sets
    the level of its child, unless it is set.

    message (str): The message, with placeholders for the arguments.
    """
    if _logger.level == logging.NOTSET:
        _logger.setLevel(logging.INFO)
    _logger.info(message, *args, stacklevel=2)
