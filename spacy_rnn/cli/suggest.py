"""python -m spacy rnn suggest: completions of the last word, or next words."""

from typing import Annotated, Optional

from typer import Argument, Option
from wasabi import msg, table

from .io import component_option, get_component, load, model_argument


def suggest_cli(
    model: Annotated[str, model_argument("a language model")],
    text: Annotated[str, Argument(help="Text; if it ends in a space, the next word is suggested")],
    n: Annotated[int, Option("--number", help="Number of suggestions")] = 5,
    name: Annotated[Optional[str], component_option("language model")] = None,
) -> None:
    """Suggest completions of the last word of a text, or its next word, with probabilities."""
    from ..pipeline.language_model import RNNLanguageModel

    pipe = get_component(load(model), RNNLanguageModel, "rnn_lm", name)
    found = pipe.suggest(text, n)
    if found:
        print(table([(s.word, f"{s.probability:.4f}") for s in found]))
    else:
        msg.warn("The model knows no word that begins with the last word of the text.")
