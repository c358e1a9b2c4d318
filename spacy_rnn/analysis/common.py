"""What the tools have in common."""

from typing import Any

from ..pipeline.base import RNNPipe


def checked(pipe: Any) -> RNNPipe:
    """The component. Raises a ValueError if it is none of spacy-rnn, or has no weights."""
    if not isinstance(pipe, RNNPipe):
        name = getattr(pipe, "name", pipe)
        raise ValueError(
            f"'{name}' is no component of spacy-rnn: give one, such as nlp.get_pipe('rnn_tagger')."
        )
    # What has no weights says so.
    assert pipe.shim.module is not None
    return pipe
