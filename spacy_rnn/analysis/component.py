"""Access to the network of a component."""

from contextlib import contextmanager
from typing import Any, Iterator

from spacy.language import Language

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


@contextmanager
def components_before(nlp: Language, name: str) -> Iterator[None]:
    """Let a pipeline only run the components before one of them, which then reads their results.

    nlp (Language): The pipeline.
    name (str): The name of the component.
    """
    before = nlp.component_names[: nlp.component_names.index(name)]
    with nlp.select_pipes(enable=before):
        yield
