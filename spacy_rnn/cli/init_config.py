"""python -m spacy rnn init-config: a complete config for training."""

from enum import Enum
from pathlib import Path
from typing import Annotated

from spacy.cli.init_config import Optimizations, save_config
from typer import Argument, Option

from .io import fail
from .recipes import RECIPES, make_config

Task = Enum("Task", {task: task for task, _ in RECIPES}, type=str)  # type: ignore[misc]


def init_config_cli(
    task: Annotated[Task, Option("--task", "-t", help="What the pipeline learns")],
    output_file: Annotated[
        Path,
        Argument(
            help="File to save the config to, or - for stdout (nothing else is printed then)",
            allow_dash=True,
        ),
    ] = Path("-"),
    lang: Annotated[
        str, Option("--lang", "-l", help="Code of the language, 'xx' for one that spaCy lacks")
    ] = "en",
    optimize: Annotated[
        Optimizations,
        Option(
            "--optimize",
            "-o",
            help="A small network, fast to train and to use, or a larger and more accurate one",
        ),
    ] = Optimizations.efficiency,
    gpu: Annotated[
        bool, Option("--gpu", "-G", help="For a GPU: half precision and larger batches")
    ] = False,
    force: Annotated[
        bool, Option("--force", "-F", help="Overwrite the file if it is there")
    ] = False,
) -> None:
    """Make a complete config for 'spacy train': a pipeline of one component, with sizes and a schedule
    that suit a corpus of ordinary size.
    """
    is_stdout = str(output_file) == "-"
    if not is_stdout and output_file.exists() and not force:
        fail(f"The file {output_file} exists already. To overwrite it, set --force or -F.")
    try:
        config = make_config(task.value, lang, optimize.value, gpu)
    except (ImportError, ValueError) as error:
        fail(str(error))
    save_config(config, output_file, is_stdout=is_stdout)
