"""python -m spacy rnn init-config: a complete config for training."""

from pathlib import Path
from typing import Annotated, Optional

from spacy.cli._util import COMMAND
from spacy.cli.init_config import Optimizations, save_config
from thinc.api import Config
from typer import Argument, BadParameter, Option
from wasabi import msg

from .data_options import DataOptions, with_options
from .io import fail
from .make_config import make_config
from .recipes import TASKS
from .training_data import TrainingData, find_data


@with_options(DataOptions)
def init_config_cli(
    output_file: Annotated[
        Path,
        Argument(
            help="File to save the config to, or - for stdout (then nothing else is printed)",
            allow_dash=True,
        ),
    ] = Path("-"),
    task: Annotated[
        Optional[str],
        Option(
            "--task",
            "-t",
            help=f"Task, or several separated by commas: {', '.join(TASKS)}; omit to infer it from "
            f"the data",
        ),
    ] = None,
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
    data: Annotated[
        Optional[Path],
        Option("--data", help="Training data in any format that 'convert' reads"),
    ] = None,
    dev: Annotated[Optional[Path], Option("--dev", help="Development data")] = None,
    force: Annotated[bool, Option("--force", "-F", help="Overwrite the file if it exists")] = False,
    *,
    options: DataOptions,
) -> None:
    """Create a complete config for 'spacy train'.

    The pipeline has one component for each task. With data, the config reads it, and the length of
    the training is chosen by its size; otherwise it suits a corpus of typical size.
    """
    is_stdout = str(output_file) == "-"
    if not is_stdout and output_file.exists() and not force:
        fail(f"The file {output_file} already exists. To overwrite it, set --force or -F.")
    tasks = None if task is None else task.split(",")
    found = None
    if data is None and dev is not None:
        raise BadParameter("Give the training data, too, with --data.", param_hint="--dev")
    if data is not None:
        found = find_data(data, dev, tasks, lang, options)
        tasks = found.tasks
    if tasks is None:
        raise BadParameter("Give the task, or --data to infer it from.", param_hint="--task")
    config = make_config(
        tasks,
        lang,
        optimize.value,
        gpu,
        None if found is None else found.words,
        {} if found is None else found.settings,
    )
    save_config(config, output_file, is_stdout=is_stdout, silent=found is not None)
    if found is not None and not is_stdout:
        for line in (*found.lines, _length_of_training(config, found)):
            msg.info(line)
        msg.good("Saved config", output_file)
        msg.text("Train the pipeline, evaluate it on other data, and apply it to new texts:")
        folder = Path("training") / output_file.stem
        print(f"{COMMAND} train {output_file} --output {folder}")
        print(f"{COMMAND} rnn evaluate {folder / 'model-best'} TEST_DATA")
        print(f"{COMMAND} rnn apply {folder / 'model-best'} TEXTS --output predictions.jsonl")


def _length_of_training(config: Config, data: TrainingData) -> str:
    """Describe the length of the training, and the reason for it."""
    training = config["training"]
    steps, size = training["max_steps"], training["batcher"]["size"]
    return (
        f"training, chosen for {data.words} words: {steps} steps with batches of {size}, which is "
        f"about {steps * size / data.words:.0f} passes over the data; evaluated every "
        f"{training['eval_frequency']} steps; stopped after {training['patience']} steps without a "
        f"better score"
    )
