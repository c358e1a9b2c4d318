"""python -m spacy rnn inspect: data statistics for a training config."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Optional

import typer
from spacy.cli._util import import_code, parse_config_overrides, show_validation_error
from spacy.util import load_config
from typer import Argument

from .io import code_option, gpu_option, output_option, use_gpu, write
from .report import print_report


def inspect_cli(
    ctx: typer.Context,  # only to read overrides
    config_path: Annotated[Path, Argument(help="Config file, or - for stdin", allow_dash=True)],
    output: Annotated[Optional[Path], output_option("Also write all numbers to this file")] = None,
    code: Annotated[Optional[Path], code_option()] = None,
    gpu_id: Annotated[int, gpu_option()] = -1,
) -> None:
    """Report data statistics for a training config.

    Reports unknown words, coverage of vectors, pieces, lengths, labels and an estimate of the
    memory for training. Vocabularies are built as in training, but nothing is trained. Settings of
    the config can be overridden as for 'spacy train', such as --paths.train ./train.spacy.
    """
    from ..inspection.advice import find_warnings
    from ..inspection.report import make_report
    from ..inspection.setup import set_up

    overrides = parse_config_overrides(ctx.args)
    import_code(code)
    use_gpu(gpu_id)
    with show_validation_error(config_path, show_config=False):
        found = make_report(set_up(load_config(config_path, overrides=overrides)))
    warnings = find_warnings(found)
    print_report(found, warnings)
    if output is not None:
        write(output, {**asdict(found), "warnings": warnings})
