"""What commands have in common."""

from typing import NoReturn, Optional, Type, TypeVar

import typer
from spacy.language import Language
from spacy.util import load_model
from wasabi import msg

PipeT = TypeVar("PipeT")


def fail(message: str) -> NoReturn:
    """End a command with what is wrong, without a traceback."""
    msg.fail(message)
    raise typer.Exit(1)


def load(model: str) -> Language:
    """A pipeline, by its path or the name of its package."""
    try:
        return load_model(model)
    except OSError as error:
        fail(str(error))


def component(nlp: Language, kind: Type[PipeT], factory: str, name: Optional[str]) -> PipeT:
    """A pipeline's component of a kind, the one with this name or the only one."""
    found = {other: pipe for other, pipe in nlp.components if isinstance(pipe, kind)}
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name in found:
        return found[name]
    there = f"Its components: {', '.join(nlp.component_names) or 'none'}."
    if not found:
        fail(f"The pipeline has no {factory}. {there}")
    choice = f"Choose one with --component: {', '.join(found)}."
    if name is None:
        fail(f"The pipeline has more than one {factory}. {choice}")
    fail(f"The pipeline has no {factory} '{name}'. {choice} {there}")
