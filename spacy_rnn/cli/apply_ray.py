"""python -m spacy rnn apply-ray: predictions for files, by many processes on many computers."""

from pathlib import Path
from typing import Annotated, Optional

from typer import Argument, Option
from wasabi import msg

from .io import code_option, fail


def apply_ray_cli(
    model: Annotated[str, Argument(help="Pipeline: path or name of a package")],
    source: Annotated[
        Path,
        Argument(
            metavar="INPUT",
            help="File (.parquet, .jsonl, .csv, .tsv or .txt), folder with such files of one kind, "
            "or saved dataset of the library datasets",
        ),
    ],
    output: Annotated[
        Path,
        Argument(help="Folder for the results, as Parquet files: a new one, or one to continue"),
    ],
    columns: Annotated[
        Optional[str],
        Option("--columns", help="Predictions to write, such as ents,cats; omit for all"),
    ] = None,
    text_column: Annotated[
        str, Option("--text-column", help="Column or key of JSON with the texts")
    ] = "text",
    workers: Annotated[
        Optional[int],
        Option("--workers", min=1, help="Number of processes; omit for as many as fit"),
    ] = None,
    cpus: Annotated[float, Option("--cpus", min=0, help="CPU cores for each process")] = 1.0,
    gpus: Annotated[
        float, Option("--gpus", min=0, help="GPUs for each process, such as 0.5 for two on a GPU")
    ] = 0.0,
    block_mb: Annotated[
        float,
        Option("--block-mb", min=0.001, help="Approximate megabytes of input per output file"),
    ] = 4.0,
    code: Annotated[Optional[Path], code_option()] = None,
) -> None:
    """Apply a pipeline to the rows of files with Ray Data, and write them with the predictions.

    The same command continues an interrupted run. A row that cannot be read is written with its
    error. Uses the cluster of the environment variable RAY_ADDRESS, otherwise this computer.
    """
    from ..scale.ray_data import WorkerError, annotate

    try:
        done = annotate(
            source,
            model,
            output,
            None if columns is None else [name.strip() for name in columns.split(",")],
            text_column,
            workers,
            cpus,
            gpus,
            int(block_mb * 2**20),
            None if code is None else code.absolute(),
        )
    except WorkerError as error:
        fail(str(error))
    if done.speeds:
        msg.table(
            [(worker, f"{speed:,.0f}") for worker, speed in sorted(done.speeds.items())],
            header=("worker", "words/s"),
            aligns=("l", "r"),
        )
    if done.failed:
        msg.warn(f"{done.failed} of {done.rows} rows have an error, see the column 'error'")
    msg.good(f"Wrote {done.rows} rows to {output}")
