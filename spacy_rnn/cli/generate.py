"""python -m spacy rnn generate: texts that a language model continues."""

from typing import Annotated, List, Optional

from typer import Argument, Option

from .io import component_option, get_component, load, model_argument


def generate_cli(
    model: Annotated[str, model_argument("a language model")],
    prompts: Annotated[List[str], Argument(help="Texts to continue; '' for a new document")],
    max_length: Annotated[
        int, Option("--max-length", help="Maximum number of characters, pieces or words to add")
    ] = 100,
    beam: Annotated[
        Optional[int], Option("--beam", help="Beam size (1 = greedy); omit to sample")
    ] = None,
    temperature: Annotated[
        float,
        Option(
            "--temperature",
            help="Sampling temperature: lower for more likely texts, higher for more varied ones",
        ),
    ] = 1.0,
    top_k: Annotated[
        int, Option("--top-k", help="Sample from the k most probable units; 0 for all")
    ] = 0,
    top_p: Annotated[
        float,
        Option("--top-p", help="Sample from the most probable units with this total probability"),
    ] = 1.0,
    seed: Annotated[int, Option("--seed", help="Random seed")] = 0,
    name: Annotated[Optional[str], component_option("language model")] = None,
) -> None:
    """Continue texts with a language model."""
    from ..pipeline.language_model import RNNLanguageModel

    pipe = get_component(load(model), RNNLanguageModel, "rnn_lm", name)
    texts = pipe.generate(
        prompts,
        max_length=max_length,
        beam=beam,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
    )
    print("\n".join(texts))
