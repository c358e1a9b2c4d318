"""python -m spacy rnn inspect: what training will work with, before it starts."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Optional

import srsly
import typer
from spacy.cli._util import import_code, parse_config_overrides, setup_gpu, show_validation_error
from spacy.util import load_config
from typer import Argument, Option
from wasabi import msg

from .io import fail
from .report import print_report


def inspect_cli(
    ctx: typer.Context,  # only to read overrides
    config_path: Annotated[Path, Argument(help="Config file, or - for stdin", allow_dash=True)],
    output: Annotated[
        Optional[Path], Option("--output", "-o", help="Write all numbers to this file, as JSON")
    ] = None,
    code: Annotated[
        Optional[Path],
        Option(
            "--code-path",
            "--code",
            "-c",
            help="Python file with functions that the config needs, to be imported",
        ),
    ] = None,
    gpu_id: Annotated[int, Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Say what a config makes of its corpora, before a long training starts: unknown words, coverage
    of vectors, pieces, lengths, labels and the memory it will take. Vocabularies are made as in
    training; nothing is trained. Settings of the config are overridden as for 'spacy train', as
    with --paths.train ./train.spacy.
    """
    from ..inspection.advice import advice
    from ..inspection.report import report
    from ..inspection.setup import set_up

    overrides = parse_config_overrides(ctx.args)
    import_code(code)
    try:
        setup_gpu(gpu_id, silent=gpu_id < 0)
        with show_validation_error(config_path):
            found = report(set_up(load_config(config_path, overrides=overrides)))
    except (ImportError, OSError, ValueError) as error:
        fail(str(error))
    warnings = advice(found)
    print_report(found, warnings)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        srsly.write_json(output, {**asdict(found), "warnings": warnings})
        msg.good(f"Wrote {output}")
