"""python -m spacy rnn apply: predictions for the lines of a file."""

import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Annotated, Optional

from spacy.cli._util import import_code
from tqdm import tqdm
from typer import Argument
from wasabi import msg

from .data_options import TextOptions, TextsArgument, with_options
from .io import (
    STANDARD,
    batch_size_option,
    check_ending,
    code_option,
    gpu_option,
    load,
    n_process_option,
    output_option,
    use_gpu,
)


@with_options(TextOptions)
def apply_cli(
    model: Annotated[str, Argument(help="Pipeline: path or name of a package")],
    texts: TextsArgument,
    output: Annotated[
        Path,
        output_option(
            "File for the results, in the order of the texts: .jsonl (everything), .tsv (labels, "
            "numbers and translations), .txt (translations) or .spacy; - for standard output"
        ),
    ],
    batch_size: Annotated[
        Optional[int], batch_size_option("Texts in a batch; omit for the pipeline's own")
    ] = None,
    n_process: Annotated[int, n_process_option()] = 1,
    code: Annotated[Optional[Path], code_option()] = None,
    gpu_id: Annotated[int, gpu_option()] = -1,
    *,
    options: TextOptions,
) -> None:
    """Apply a pipeline to each text of a file, and write one result for each text.

    Texts are read and results are written one batch after the other, so that files may be larger
    than memory. An output file that exists is replaced at the end.
    """
    from .annotate import ENDINGS, annotate, write_to_file, write_to_standard_output
    from .texts import read_texts

    standard = sys.stdout
    is_standard = str(output) == STANDARD
    if not is_standard:
        check_ending(output, ENDINGS)
    # Results on standard output are not mixed with messages.
    with redirect_stdout(sys.stderr) if is_standard else nullcontext():
        import_code(code)
        use_gpu(gpu_id)
        nlp = load(model)
        found = read_texts(texts, options)
        docs = tqdm(
            annotate(nlp, found, batch_size or nlp.batch_size, n_process),
            unit=" texts",
            disable=None,
        )
        if is_standard:
            write_to_standard_output(nlp, docs, standard)
        else:
            write_to_file(nlp, docs, output)
            msg.good(f"Wrote {output}")
