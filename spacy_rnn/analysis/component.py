"""What the tools have in common."""

from typing import Any

from ..pipeline.base import RNNPipe


def module_of(pipe: Any) -> Any:
    """The torch module of a component. Raises a ValueError if the component is none of spacy-rnn,
    or has no weights yet."""
    if not isinstance(pipe, RNNPipe):
        raise ValueError(
            f"'{getattr(pipe, 'name', pipe)}' is no component of spacy-rnn. Give one of the "
            f"pipeline, such as nlp.get_pipe('rnn_tagger')."
        )
    return pipe.shim.module
