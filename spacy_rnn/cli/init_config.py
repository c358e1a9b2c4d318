"""python -m spacy rnn init-config: a complete config for training."""

from pathlib import Path
from typing import Annotated

from spacy.cli.init_config import Optimizations, save_config
from typer import Argument, Option

from .io import fail
from .make_config import make_config
from .recipes import TASKS


def init_config_cli(
    task: Annotated[
        str,
        Option("--task", "-t", help=f"Task, or several separated by commas: {', '.join(TASKS)}"),
    ],
    output_file: Annotated[
        Path,
        Argument(
            help="File to save the config to, or - for stdout (then nothing else is printed)",
            allow_dash=True,
        ),
    ] = Path("-"),
    lang: Annotated[
        str,
        Option("--lang", "-l", help="Language code, or 'xx' for a language that spaCy lacks"),
    ] = "en",
    optimize: Annotated[
        Optimizations,
        Option(
            "--optimize",
            help="Optimize for efficiency (a small, fast network) or for accuracy (a larger one)",
        ),
    ] = Optimizations.efficiency,
    gpu: Annotated[
        bool, Option("--gpu", "-G", help="Config for a GPU: half precision and larger batches")
    ] = False,
    force: Annotated[bool, Option("--force", "-F", help="Overwrite the file if it exists")] = False,
) -> None:
    """Create a complete config for 'spacy train'.

    The pipeline has one component, with network sizes and a learning schedule for a corpus of
    typical size.
    """
    is_stdout = str(output_file) == "-"
    if not is_stdout and output_file.exists() and not force:
        fail(f"The file {output_file} already exists. To overwrite it, set --force or -F.")
    try:
        config = make_config(task.split(","), lang, optimize.value, gpu)
    except (ImportError, ValueError) as error:
        fail(str(error))
    save_config(config, output_file, is_stdout=is_stdout)
