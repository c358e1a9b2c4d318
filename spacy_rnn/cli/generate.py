"""python -m spacy rnn generate: texts that a language model continues."""

from typing import Annotated, List, Optional

from typer import Argument, Option

from .io import component, fail, load


def generate_cli(
    model: Annotated[
        str, Argument(help="Pipeline with a language model: path or name of a package")
    ],
    prompts: Annotated[List[str], Argument(help="How texts begin; '' begins a document")],
    max_length: Annotated[
        int,
        Option("--max-length", "-m", help="Characters, pieces or words that are added at most"),
    ] = 100,
    beam: Annotated[
        Optional[int],
        Option("--beam", "-b", help="Search with so many hypotheses instead of drawing; 1: greedy"),
    ] = None,
    temperature: Annotated[
        float,
        Option("--temperature", "-t", help="Below 1 for probable texts, above for surprising ones"),
    ] = 1.0,
    top_k: Annotated[
        int, Option("--top-k", help="Draw among so many most probable units; 0: all")
    ] = 0,
    top_p: Annotated[
        float, Option("--top-p", help="Draw among the units that make up this probability")
    ] = 1.0,
    seed: Annotated[int, Option("--seed", "-s", help="The same one draws the same texts")] = 0,
    name: Annotated[
        Optional[str],
        Option("--component", "-c", help="Name of the language model, if there are several"),
    ] = None,
) -> None:
    """Continue texts with a language model.
    """
    from ..pipeline.language_model import RNNLanguageModel

    pipe = component(load(model), RNNLanguageModel, "rnn_lm", name)
    try:
        texts = pipe.generate(
            prompts,
            max_length=max_length,
            beam=beam,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
        )
    except ValueError as error:
        fail(str(error))
    print("\n".join(texts))
