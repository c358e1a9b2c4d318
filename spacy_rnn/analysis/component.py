"""Access to the network of a component."""

from typing import Any

from ..pipeline.base import RNNPipe


def module_of(pipe: Any) -> Any:
    """Get the torch module of a component.

    pipe (RNNPipe): A component of spacy-rnn.
    RETURNS (nn.Module): Its module.
    RAISES (ValueError): If it is not a component of spacy-rnn, or is not initialized.
    """
    if not isinstance(pipe, RNNPipe):
        raise ValueError(
            f"'{getattr(pipe, 'name', pipe)}' is not a spacy-rnn component. Pass one, such as "
            f"nlp.get_pipe('rnn_tagger')."
        )
    return pipe.shim.module
