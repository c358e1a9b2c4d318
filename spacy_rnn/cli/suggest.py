"""python -m spacy rnn suggest: how a text goes on."""

from typing import Annotated, Optional

from typer import Argument, Option
from wasabi import msg, table

from .io import component, fail, load


def suggest_cli(
    model: Annotated[
        str, Argument(help="Pipeline with a language model: path or name of a package")
    ],
    text: Annotated[
        str, Argument(help="What was typed; with a blank at its end, the next word is suggested")
    ],
    n: Annotated[int, Option("--number", "-n", help="How many words")] = 5,
    name: Annotated[
        Optional[str],
        Option("--component", "-c", help="Name of the language model, if there are several"),
    ] = None,
) -> None:
    """Suggest the next word of a text, or how its last word goes on, with probabilities.
    """
    from ..pipeline.language_model import RNNLanguageModel

    pipe = component(load(model), RNNLanguageModel, "rnn_lm", name)
    try:
        found = pipe.suggest(text, n)
    except ValueError as error:
        fail(str(error))
    if found:
        print(table([(s.word, f"{s.probability:.4f}") for s in found]))
    else:
        msg.warn("No word that the model knows begins so.")
