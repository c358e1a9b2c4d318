"""python -m spacy rnn train: spaCy's training with checkpoints."""

import logging
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer
from spacy.cli._util import import_code, parse_config_overrides, show_validation_error
from spacy.training.initialize import init_nlp
from spacy.util import load_config, logger
from typer import Argument, Option
from wasabi import msg

from .io import code_option, fail, gpu_option, output_option, use_gpu


def train_cli(
    ctx: typer.Context,  # only to read overrides
    config_path: Annotated[
        Path, Argument(help="Config file, or - for stdin", exists=True, allow_dash=True)
    ],
    output: Annotated[
        Optional[Path],
        output_option("Folder of the models and the checkpoint"),
    ] = None,
    resume: Annotated[
        bool,
        Option(
            "--resume", "-R", help="Continue from the checkpoint in the folder, if there is one"
        ),
    ] = False,
    checkpoint_every: Annotated[
        Optional[int],
        Option(
            "--checkpoint-every",
            min=1,
            help="Steps between checkpoints; by default training.eval_frequency",
        ),
    ] = None,
    code: Annotated[Optional[Path], code_option()] = None,
    verbose: Annotated[
        bool, Option("--verbose", "-V", help="Show more information for debugging")
    ] = False,
    gpu_id: Annotated[int, gpu_option()] = -1,
) -> None:
    """Train a pipeline as 'spacy train' does, with checkpoints.

    A training that was killed continues from its last checkpoint with the same command and
    --resume, and ends with the same models as if it had not stopped. Ctrl-C and SIGTERM write a
    checkpoint and end the training. The model folders are replaced as a whole, so that they are
    complete at any time. Settings of the config can be overridden as for 'spacy train'. If torchrun
    starts several processes, they train together; with --gpu-id, each uses its own GPU.
    """
    from ..runtime.distributed import group, process_group
    from ..training.loop import train

    if verbose:
        logger.setLevel(logging.DEBUG)
    overrides = parse_config_overrides(ctx.args)
    import_code(code)
    with process_group(gpu_id) as gpu_id:
        if group().rank > 0:
            # The first process speaks for all.
            msg.no_print = True
            for quiet in (logger, logging.getLogger("spacy_rnn")):
                quiet.setLevel(logging.ERROR)
        if output is None:
            if resume or checkpoint_every is not None:
                fail("Checkpoints need a folder: set --output.")
            msg.info("No output directory provided")
        else:
            output.mkdir(parents=True, exist_ok=True)
            msg.info(f"Saving to output directory: {output}")
        use_gpu(gpu_id, silent=group().rank > 0)
        with show_validation_error(config_path, show_config=False):
            config = load_config(config_path, overrides=overrides, interpolate=False)
        msg.divider("Initializing pipeline")
        with show_validation_error(config_path, show_config=False, hint_fill=False):
            nlp = init_nlp(config, use_gpu=gpu_id)
        msg.good("Initialized pipeline")
        msg.divider("Training pipeline")
        train(
            nlp,
            output,
            checkpoint_every=checkpoint_every,
            resume=resume,
            use_gpu=gpu_id,
            stdout=sys.stdout,
            stderr=sys.stderr,
        )
